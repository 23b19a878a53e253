package link

import (
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/wsstack/wsstack/tun"
)

// deliverBatch is the number of packets that Deliver takes from the queue at
// once.
const deliverBatch = 64

// receive queues packets that a loopback sends, or somebody else who can't deliver them.
func (e *Endpoint) receive(packets []tun.Packet) { e.queue(packets, e.notify) }

// fromDevice queues packets from the device, and may deliver them, where the device is patient.
func (e *Endpoint) fromDevice(packets []tun.Packet) {
	if e.patience == 0 {
		e.receive(packets)
		return
	}
	bytes := int64(0)
	for i := range packets {
		bytes += packets[i].Data.Size()
	}
	if bytes > int64(e.patience) {
		e.receive(packets)
		return
	}
	alone := len(packets) == 1 || e.parallel
	e.queue(packets, func(part int) { e.arrived(part, alone) })
}

// queue queues packets, and tells of each part that was empty.
func (e *Endpoint) queue(packets []tun.Packet, tell func(part int)) {
	e.in.add(packets)
	for len(packets) > 0 {
		part, run := e.run(packets)
		if e.parts[part].queue.Put(packets[:run]) {
			tell(part)
		}
		packets = packets[run:]
	}
}

// run returns the part of the first packet, and how many packets there are until the first one that
// is in another part.
func (e *Endpoint) run(packets []tun.Packet) (part, n int) {
	if len(e.parts) == 1 {
		return 0, len(packets)
	}
	part = partOf(&packets[0], len(e.parts))
	for n = 1; n < len(packets) && partOf(&packets[n], len(e.parts)) == part; n++ {
	}
	return part, n
}

// Deliver hands up to max queued packets of a part to netstack, in order, and returns
// how many it took from the queue. Less than max means that the queue was empty,
// and that Notify announces the next packet. Packets that are empty or neither
// IPv4 nor IPv6, and those that netstack can't stand (harmless), go no further,
// and are counted in Dropped; netstack judges whatever else is wrong with a packet. A
// detached Endpoint drops all packets.
//
// One goroutine at a time calls Deliver for a part. netstack runs inside it: transport
// endpoints are locked, notified, and answer through WritePackets.
func (e *Endpoint) Deliver(part, max int) (n int) {
	p := &e.parts[part]
	for n < max {
		want := min(max-n, len(p.batch))
		got := p.queue.Pop(p.batch[:want])
		for i := range p.batch[:got] {
			if p.batch[i].GSO.Type == tun.GSOUDP {
				e.deliverDatagrams(&p.batch[i])
				continue
			}
			e.deliver(&p.batch[i])
		}
		if got > 0 {
			clear(p.batch[:got])
			p.queue.Done(got)
		}
		n += got
		if got < want {
			break
		}
	}
	return n
}

// deliver hands a packet, which it owns, to netstack or to whom it is for.
func (e *Endpoint) deliver(p *tun.Packet) {
	dispatcher := e.attached()
	var first [prefixSize]byte
	n, _ := p.Data.ReadAt(first[:], 0)
	protocol, ok := protocolOf(first[:n])
	if e.forward != nil && ok && dispatcher != nil && e.forward(p) {
		return
	}
	if dispatcher == nil || !ok || !harmless(protocol, first[:n], &p.Data) || e.admit != nil && !e.admit(p) {
		e.invalid.Add(1)
		p.Data.Release()
		return
	}
	pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: p.Data})
	pkt.GSOOptions.NeedsCsum = e.offload.Checksum && p.GSO.NeedsCsum
	if e.dev == nil {
		pkt.Mark = selfMark
	}
	dispatcher.DeliverNetworkPacket(protocol, pkt)
	pkt.DecRef()
}

// Verified reports whether nobody needs to check the transport checksum of a packet that Deliver
// has brought, because a local sender has left the checksum to us. netstack's own way to say so are
// the capabilities of the interface, but some packets of a device come from such a sender and
// others from a wire where they may have been damaged. So netstack's filter asks Verified, and sets
// RXChecksumValidated; where there is no filter, see Trusting.
func Verified(pkt *stack.PacketBuffer) bool { return pkt.GSOOptions.NeedsCsum }

// selfMark is the mark of what a loopback brings.
const selfMark = 0x5e1f

// FromSelf reports whether a packet that Deliver has brought was sent by its own netstack, to a
// loopback. What comes from a device never has that mark.
func FromSelf(pkt *stack.PacketBuffer) bool { return pkt.Mark == selfMark }

// deliverDatagrams is deliver for a packet that stands for several datagrams: unlike the segments
// of a stream, each is delivered by itself.
func (e *Endpoint) deliverDatagrams(p *tun.Packet) {
	tun.Segments(p, func(one tun.Packet) { e.deliver(&one) })
	p.Data.Release()
}

// protocolOf is the version of IP that a packet says it has; ok is false for another one. Only the
// version field is looked at.
func protocolOf(first []byte) (version tcpip.NetworkProtocolNumber, ok bool) {
	if len(first) == 0 {
		return 0, false
	}
	switch header.IPVersion(first) {
	case header.IPv4Version:
		return header.IPv4ProtocolNumber, true
	case header.IPv6Version:
		return header.IPv6ProtocolNumber, true
	}
	return 0, false
}

// Len is how many packets were received and aren't delivered yet. Those that a Deliver under way
// has in hand count.
func (e *Endpoint) Len() (n int) {
	for i := range e.parts {
		n += e.parts[i].queue.Pending()
	}
	return n
}

// Dropped is how many packets were received and never reached netstack: the queue was full, the
// Endpoint was closed or detached, or the packet was no IP packet or one that netstack can't stand.
func (e *Endpoint) Dropped() uint64 {
	n := e.invalid.Load()
	for i := range e.parts {
		n += e.parts[i].queue.Dropped()
	}
	return n
}
