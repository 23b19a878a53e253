//go:build linux

package main

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"
)

// A row is a figure of each contender.
type row struct {
	name    string
	what    string // the order to the client; empty: it comes from another one
	streams int
	cpu     string // the row of what it costs the way out
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
	{name: "TCP up, Gbit/s", what: "up", streams: 1, cpu: cpuUp},
	{name: "TCP down, Gbit/s", what: "down", streams: 1, cpu: cpuDown},
	{name: "TCP up, 8 streams, Gbit/s", what: "up", streams: 8},
	{name: "TCP down, 8 streams, Gbit/s", what: "down", streams: 8},
	{name: "round trip of a byte, µs", what: "trip", streams: 1},
	{name: "round trip of a byte, µs" + tail},
	{name: "requests a second, 32 connections", what: "requests", streams: 32, cpu: cpuRequest},
	{name: "connections a second, 16 at a time", what: "connections", streams: 16, cpu: cpuConnection},
	{name: "UDP datagrams a second, there and back", what: "datagrams", streams: 8, cpu: cpuDatagram},
	{name: cpuUp},
	{name: cpuDown},
	{name: cpuRequest},
	{name: cpuConnection},
	{name: cpuDatagram},
	{name: memoryRow},
}

// report is the table of medians.
func report(list []*contender, s *settings) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d rounds of %v each, %d processors, %s, %s, congestion control %s.\n\n|  |",
		s.rounds, s.length, runtime.NumCPU(), runtime.Version(), time.Now().Format(time.DateOnly), unpaced)
	for _, c := range list {
		fmt.Fprintf(&b, " %s |", c.name)
	}
	b.WriteString("\n|---|" + strings.Repeat("---:|", len(list)) + "\n")
	for _, r := range rows {
		fmt.Fprintf(&b, "| %s |", r.name)
		for _, c := range list {
			samples := slices.Sorted(slices.Values(c.samples[r.name]))
			if len(samples) == 0 {
				b.WriteString(" – |")
				continue
			}
			fmt.Fprintf(&b, " %s |", figure(samples[len(samples)/2]))
		}
		b.WriteString("\n")
	}
	return b.String()
}

// figure has three digits.
func figure(v float64) string {
	switch {
	case v >= 1000:
		return fmt.Sprintf("%.0f", v)
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}
