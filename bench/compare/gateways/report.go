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
	better  better
}

// better says what is wanted of a row.
type better uint8

const (
	less   better = iota // than the others have
	more                 // than the others have, but pasta
	faster               // than all others have: it is throughput
)

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
	{name: "TCP up, Gbit/s", what: traffic.Up, streams: 1, cpu: cpuUp, better: faster},
	{name: "TCP down, Gbit/s", what: traffic.Down, streams: 1, cpu: cpuDown, better: faster},
	{name: "TCP up, 8 streams, Gbit/s", what: traffic.Up, streams: 8, better: faster},
	{name: "TCP down, 8 streams, Gbit/s", what: traffic.Down, streams: 8, better: faster},
	{name: "UDP datagrams a second, there and back", what: traffic.Datagrams, streams: 8, cpu: cpuDatagram, better: faster},
	{name: "round trip of a byte, µs", what: traffic.Trip, streams: 1},
	{name: "round trip of a byte, µs" + tail},
	{name: "requests a second, 32 connections", what: traffic.Requests, streams: 32, cpu: cpuRequest, better: more},
	{name: "net/http, keep-alive, 32 connections, requests a second", what: traffic.HTTP, streams: 32, better: more},
	{name: "net/http without keep-alive, 16 at a time, requests a second", what: traffic.HTTPClose, streams: 16, better: more},
	{name: "connections a second, 16 at a time", what: traffic.Connections, streams: 16, cpu: cpuConnection, better: more},
	{name: cpuUp},
	{name: cpuDown},
	{name: cpuRequest},
	{name: cpuConnection},
	{name: cpuDatagram},
	{name: memoryRow},
}

// bounds are what wsstack has promised beside the others: to be ahead of pasta in throughput, and of
// the rest in every row.
func bounds(others []*contender) (list []bench.Bound) {
	for _, c := range others {
		for _, r := range rows {
			b := bench.Bound{Column: r.name, Of: ours, To: c.name}
			switch {
			case c.name == "pasta" && r.better != faster:
			case r.better == less:
				b.Most = 1
			default:
				b.Least = 1
			}
			list = append(list, b)
		}
	}
	return list
}

const legend = `
One client in a network namespace and one server outside, the same for all; the congestion control of all sockets is Reno. *up* is out of
the namespace. MTU: 65,520 for *slirp4netns* and *pasta*, 1,500 for the others, *wsstack* with segmentation offload. *gvproxy* is two
programs, whose figures are added. *tun2socks* has a TUN of the namespace as a descriptor, and connects directly. UDP: eight sockets, with
eight datagrams of 1,200 bytes under way each. Memory is the resident size, with 1,000 idle connections and without, divided by 1,000. No
socket stays in TIME-WAIT: what one contender leaves would be in the way of the next, which looks for a free port.
`

// columns are the names of the rows.
func columns() (list []bench.Column) {
	for _, r := range rows {
		list = append(list, r.name)
	}
	return list
}
