package link

import (
	"sync"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/wsstack/wsstack/tun"
)

// packetSlices recycles the slices that carry a batch from WritePackets to the
// device. It holds pointers, because a slice in an interface is an allocation.
var packetSlices = sync.Pool{New: func() any { return new([]tun.Packet) }}

// WritePackets implements stack.LinkEndpoint. It returns the number of packets and nil, even where
// the device has dropped some. Over a device that has failed or is closed the result is
// ErrNetworkUnreachable, and the cause is kept for Err.
func (e *Endpoint) WritePackets(pkts stack.PacketBufferList) (int, tcpip.Error) {
	if err := e.write(pkts.AsSlice()); err != nil {
		return 0, err
	}
	return pkts.Len(), nil
}

// A discipline is the queueing discipline of an Endpoint: it queues nothing. The one that netstack
// has for interfaces without a queue makes a list for each packet, which is an allocation.
type discipline Endpoint

// Queue returns the queueing discipline of the Endpoint, for stack.NICOptions.QDisc.
func (e *Endpoint) Queue() stack.QueueingDiscipline { return (*discipline)(e) }

// WritePacket implements stack.QueueingDiscipline. It borrows the packet.
func (d *discipline) WritePacket(pkt *stack.PacketBuffer) tcpip.Error {
	one := [1]*stack.PacketBuffer{pkt}
	return (*Endpoint)(d).write(one[:])
}

// Close implements stack.QueueingDiscipline. There is nothing to do: the owner closes the Endpoint.
func (d *discipline) Close() {}

// write sends packets, which it borrows.
func (e *Endpoint) write(pkts []*stack.PacketBuffer) tcpip.Error {
	batch := packetSlices.Get().(*[]tun.Packet)
	packets := (*batch)[:0]
	for _, pkt := range pkts {
		p := tun.Packet{Data: pkt.ToBuffer(), GSO: gsoOf(pkt)}
		if e.self != nil && e.toSelf(pkt) {
			e.self.receive([]tun.Packet{p})
			continue
		}
		if p.GSO.Type != tun.GSONone && urgent(pkt) {
			packets = appendSegments(packets, &p)
			continue
		}
		packets = append(packets, p)
	}
	err := e.send(packets)
	clear(packets)
	*batch = packets
	packetSlices.Put(batch)
	if err != nil {
		first := err // not &err: that would be an allocation per call
		e.sendErr.CompareAndSwap(nil, &first)
		return &tcpip.ErrNetworkUnreachable{}
	}
	return nil
}

// toSelf reports whether a packet is for the interface that it is about to leave by.
func (e *Endpoint) toSelf(pkt *stack.PacketBuffer) bool {
	b := pkt.NetworkHeader().Slice()
	if pkt.NetworkProtocolNumber != header.IPv6ProtocolNumber || len(b) < header.IPv6MinimumSize {
		return false
	}
	ip := header.IPv6(b)
	return e.own([16]byte(ip.SourceAddressSlice()), [16]byte(ip.DestinationAddressSlice()))
}

// urgent reports whether a packet is a TCP segment with an urgent pointer. A device that cuts up a
// larger one would give each part the same pointer, and so another byte
// (docs/tcp.md, "Urgent data").
func urgent(pkt *stack.PacketBuffer) bool {
	t := header.TCP(pkt.TransportHeader().Slice())
	return len(t) >= header.TCPMinimumSize && t.Flags().Contains(header.TCPFlagUrg)
}

// appendSegments appends the packets that p stands for. It owns p.
func appendSegments(packets []tun.Packet, p *tun.Packet) []tun.Packet {
	tun.Segments(p, func(one tun.Packet) { packets = append(packets, one) })
	p.Data.Release()
	return packets
}

// Relay sends a packet that isn't netstack's, and owns it. What the device doesn't do for the stack
// (segments, checksums) is done here. A device that has failed drops the packet, and the cause is
// kept for Err.
func (e *Endpoint) Relay(p tun.Packet) {
	batch := packetSlices.Get().(*[]tun.Packet)
	packets := append((*batch)[:0], p)
	if !e.takes(p.GSO) {
		whole := p // not p: that would be an allocation per call
		packets = appendSegments(packets[:0], &whole)
	}
	err := e.send(packets)
	clear(packets)
	*batch = packets
	packetSlices.Put(batch)
	if err != nil {
		first := err
		e.sendErr.CompareAndSwap(nil, &first)
	}
}

// takes reports whether the device does what the metadata of a packet asks for.
func (e *Endpoint) takes(g tun.GSO) bool {
	switch {
	case g.NeedsCsum && !e.offload.Checksum:
		return false
	case g.Type == tun.GSOTCPv4:
		return e.offload.TSO4
	case g.Type == tun.GSOTCPv6:
		return e.offload.TSO6
	}
	return g.Type == tun.GSONone
}

// send gives packets to the device, or to the ingress of a loopback. It owns the packets.
func (e *Endpoint) send(packets []tun.Packet) error {
	e.out.add(packets)
	if e.dev == nil {
		e.receive(packets)
		return nil
	}
	err := e.dev.Send(packets)
	for i := range packets {
		packets[i].Data.Release()
	}
	return err
}

// Err is the first error that the device's Send has returned; it is nil while Send works.
func (e *Endpoint) Err() error {
	if err := e.sendErr.Load(); err != nil {
		return *err
	}
	return nil
}

// gsoOf translates netstack's metadata of a packet. With segmentation offload netstack marks every
// segment of a connection; of a segment that fits into a single packet only the checksum is left to
// the device.
func gsoOf(pkt *stack.PacketBuffer) tun.GSO {
	o := &pkt.GSOOptions
	var typ tun.GSOType
	switch o.Type {
	case stack.GSOTCPv4:
		typ = tun.GSOTCPv4
	case stack.GSOTCPv6:
		typ = tun.GSOTCPv6
	default:
		return tun.GSO{}
	}
	var g tun.GSO
	if o.NeedsCsum {
		// Not o.L3HdrLen: that is a constant, which IP options make wrong.
		g.NeedsCsum = true
		g.CsumStart = uint16(len(pkt.NetworkHeader().Slice()))
		g.CsumOffset = o.CsumOffset
	}
	if pkt.Data().Size() > int(o.MSS) {
		g.Type = typ
		g.MSS = o.MSS
		g.HdrLen = uint16(pkt.HeaderSize())
	}
	return g
}
