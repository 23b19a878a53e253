package link

import (
	"sync/atomic"

	"github.com/wsstack/wsstack/tun"
)

// A Traffic is what has passed an Endpoint in one direction, as a wire would carry it: a packet
// with segmentation metadata counts as the packets that are cut from it.
type Traffic struct {
	Packets uint64 // packets
	Bytes   uint64 // bytes of the packets, IP headers included
}

// Traffic returns what the device has brought and got since the Endpoint was made. Of a loopback
// both are what it has carried. Packets that were dropped later count.
func (e *Endpoint) Traffic() (in, out Traffic) { return e.in.load(), e.out.load() }

// traffic is a Traffic that is being counted.
type traffic struct{ packets, bytes atomic.Uint64 }

func (t *traffic) load() Traffic { return Traffic{t.packets.Load(), t.bytes.Load()} }

// add counts packets.
func (t *traffic) add(packets []tun.Packet) {
	var n Traffic
	for i := range packets {
		one := onWire(&packets[i])
		n.Packets += one.Packets
		n.Bytes += one.Bytes
	}
	t.packets.Add(n.Packets)
	t.bytes.Add(n.Bytes)
}

// onWire is what a packet is on a wire. The metadata may make no sense.
func onWire(p *tun.Packet) Traffic {
	size := uint64(p.Data.Size())
	header, mss := uint64(p.GSO.HdrLen), uint64(p.GSO.MSS)
	if p.GSO.Type == tun.GSONone || mss == 0 || size <= header+mss {
		return Traffic{1, size}
	}
	n := (size - header + mss - 1) / mss
	return Traffic{n, size + (n-1)*header}
}
