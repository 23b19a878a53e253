//go:build linux

package main

import (
	"github.com/wsstack/wsstack/bench"
	"github.com/wsstack/wsstack/bench/traffic"
)

// A row is a measurement.
type row struct {
	name    bench.Column
	what    string // the order to the client
	streams int
	tail    bench.Column // the second figure; empty: there is none
	cpu     bench.Column // what a GiB costs; empty: it isn't data
	peak    bench.Column // how much memory was used at most until here; empty: not asked
}

const (
	out         bench.Column = "out, Gbit/s"
	in          bench.Column = "in, Gbit/s"
	both        bench.Column = "both, Gbit/s"
	eightOut    bench.Column = "8 streams out, Gbit/s"
	eightIn     bench.Column = "8 streams in, Gbit/s"
	web         bench.Column = "net/http, 8 connections, requests/s"
	p50         bench.Column = "1 byte p50, µs"
	p99         bench.Column = "1 byte p99, µs"
	short       bench.Column = "connect+close, 8 at a time, 1/s"
	cpuOut      bench.Column = "CPU out, s/GiB"
	cpuIn       bench.Column = "… in"
	cpuBoth     bench.Column = "… both"
	cpuEightOut bench.Column = "… 8 streams out"
	cpuEightIn  bench.Column = "… 8 streams in"
	idleMemory  bench.Column = "memory of an idle tunnel, MiB"
	peakSmall   bench.Column = "… at the peak of small requests, MiB"
	peakBulk    bench.Column = "… of out, in, both, MiB"
	peakEight   bench.Column = "… of all with 8 streams, MiB"
)

// rows are in the order in which they are measured, so that the peaks rise.
var rows = []row{
	{name: p50, what: traffic.Trip, streams: 1, tail: p99},
	{name: web, what: traffic.HTTP, streams: 8},
	{name: short, what: traffic.Connections, streams: 8, peak: peakSmall},
	{name: out, what: traffic.Up, streams: 1, cpu: cpuOut},
	{name: in, what: traffic.Down, streams: 1, cpu: cpuIn},
	{name: both, what: traffic.Both, streams: 1, cpu: cpuBoth, peak: peakBulk},
	{name: eightOut, what: traffic.Up, streams: 8, cpu: cpuEightOut},
	{name: eightIn, what: traffic.Down, streams: 8, cpu: cpuEightIn, peak: peakEight},
}

// columns are the figures, in the order of the table.
var columns = []bench.Column{
	out, in, both, eightOut, eightIn, web, p50, p99, short,
	cpuOut, cpuIn, cpuBoth, cpuEightOut, cpuEightIn, idleMemory, peakSmall, peakBulk, peakEight,
}

// bounds are what was promised beside wireguard-go's netstack.
func bounds() (list []bench.Bound) {
	for _, pair := range [][2]string{{ours, theirs}, {dropIn, theirs}, {bounded, theirs}, {ours + toKernel, theirs + toKernel}} {
		for _, c := range []bench.Column{out, in, both, eightOut, eightIn} {
			list = append(list, bench.Bound{Column: c, Of: pair[0], To: pair[1], Least: 1.5})
		}
		list = append(list,
			bench.Bound{Column: web, Of: pair[0], To: pair[1], Least: 1}, bench.Bound{Column: p50, Of: pair[0], To: pair[1], Most: 1},
			bench.Bound{Column: short, Of: pair[0], To: pair[1]}, bench.Bound{Column: idleMemory, Of: pair[0], To: pair[1]})
		for _, c := range []bench.Column{peakSmall, peakBulk, peakEight} {
			list = append(list, bench.Bound{Column: c, Of: pair[0], To: pair[1], Most: 1})
		}
	}
	return list
}

const legend = `
Two processes, UDP over the loopback, a tunnel with an MTU of 1420; writes and reads of 256 KiB. *wg* is wg.New with a stack, *wgnet* the
package that replaces wireguard-go's netstack, where a program changes the import, *with Bind* also the Bind; *netstack* is that one. Both ends are of the same kind, or the far one is wireguard-go with a TUN
of the kernel. *out* is from the near end. CPU and memory are those of both processes, with a kernel those of the near one. Memory is what the
processes have resident, with the program itself; the peaks are those since the start.
`
