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

// receive queues packets from the device, and those that a loopback sends.
func (e *Endpoint) receive(packets []tun.Packet) {
	if e.ingress.Put(packets) {
		e.notify()
	}
}

// Deliver hands up to max queued packets to netstack, in order, and returns how
// many it took from the queue. Less than max means that the queue was empty,
// and that Notify announces the next packet. Packets that are empty or neither
// IPv4 nor IPv6, and those that netstack can't stand (harmless), go no further,
// and are counted in Dropped; whatever else is wrong with a packet is netstack's
// to judge. A detached endpoint drops all.
//
// One goroutine at a time calls Deliver. netstack runs inside it: transport
// endpoints are locked, notified, and answer through WritePackets.
func (e *Endpoint) Deliver(max int) (n int) {
	for n < max {
		want := min(max-n, len(e.batch))
		got := e.ingress.Pop(e.batch[:want])
		for i := range e.batch[:got] {
			if e.batch[i].GSO.Type == tun.GSOUDP {
				e.deliverDatagrams(&e.batch[i])
				continue
			}
			e.deliver(&e.batch[i])
		}
		clear(e.batch[:got])
		e.ingress.Done(got)
		n += got
		if got < want {
			break
		}
	}
	return n
}

// deliver takes ownership of p.
func (e *Endpoint) deliver(p *tun.Packet) {
	dispatcher := e.attached()
	var first [fixed]byte
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
	e.verified.Store(e.offload.Checksum && p.GSO.NeedsCsum)
	dispatcher.DeliverNetworkPacket(protocol, pkt)
	e.verified.Store(false)
	pkt.DecRef()
}

// deliverDatagrams takes ownership of a packet that stands for several
// datagrams: unlike the segments of a stream, each is delivered by itself.
func (e *Endpoint) deliverDatagrams(p *tun.Packet) {
	tun.Segments(p, func(one tun.Packet) { e.deliver(&one) })
	p.Data.Release()
}

// protocolOf looks at the version field only.
func protocolOf(first []byte) (tcpip.NetworkProtocolNumber, bool) {
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

// Len is the number of packets received and not yet delivered, those that a
// Deliver under way has in hand included.
func (e *Endpoint) Len() int { return e.ingress.Pending() }

// Dropped is the number of received packets that never reached netstack: the
// queue was full, the endpoint closed or detached, or the packet no IP packet.
func (e *Endpoint) Dropped() uint64 { return e.ingress.Dropped() + e.invalid.Load() }
