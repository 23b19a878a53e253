//go:build linux

package main

import (
	"github.com/wsstack/wsstack/bench"
	"github.com/wsstack/wsstack/bench/traffic"
)

// A row is a figure of each contender.
type row struct {
	name    bench.Column
	what    string // the order to the client; empty: it comes from another one
	streams int
	cpu     bench.Column // the row of what it costs the way out
}

const (
	tail          = ", 99 %"
	cpuUp         = "CPU of the way out, up, s/GiB"
	cpuDown       = "… down, s/GiB"
	cpuRequest    = "… a request, µs"
	cpuConnection = "… a connection, µs"
	cpuDatagram   = "… a datagram there and back, µs"
	memoryRow     = "memory of an idle connection, bytes"
)

var rows = []row{
	{name: "TCP up, Gbit/s", what: traffic.Up, streams: 1, cpu: cpuUp},
	{name: "TCP down, Gbit/s", what: traffic.Down, streams: 1, cpu: cpuDown},
	{name: "TCP up, 8 streams, Gbit/s", what: traffic.Up, streams: 8},
	{name: "TCP down, 8 streams, Gbit/s", what: traffic.Down, streams: 8},
	{name: "round trip of a byte, µs", what: traffic.Trip, streams: 1},
	{name: "round trip of a byte, µs" + tail},
	{name: "requests a second, 32 connections", what: traffic.Requests, streams: 32, cpu: cpuRequest},
	{name: "connections a second, 16 at a time", what: traffic.Connections, streams: 16, cpu: cpuConnection},
	{name: "UDP datagrams a second, there and back", what: traffic.Datagrams, streams: 8, cpu: cpuDatagram},
	{name: cpuUp},
	{name: cpuDown},
	{name: cpuRequest},
	{name: cpuConnection},
	{name: cpuDatagram},
	{name: memoryRow},
}

// columns are the names of the rows.
func columns() (list []bench.Column) {
	for _, r := range rows {
		list = append(list, r.name)
	}
	return list
}
