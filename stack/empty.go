package stack

import (
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	netstack "gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/waiter"
)

// emptyLimit is how many datagrams without payload a socket may be sent from
// one moment when its queue is empty to the next; further ones are dropped.
// netstack charges only payload to the receive buffer, so that nothing else
// bounds them: 200,000 of them pinned 137 MB.
const emptyLimit = 4096

// surplus reports whether a UDP packet is an empty datagram that is one too many.
func (h *hooks) surplus(pkt *netstack.PacketBuffer) bool {
	udp := pkt.TransportHeader().Slice()
	if len(udp) == 0 { // not parsed yet: a first fragment
		udp = pkt.Data().AsRange().Capped(header.UDPMinimumSize).ToSlice()
	}
	// What follows a length that says there is nothing counts for nothing.
	if len(udp) < header.UDPMinimumSize || header.UDP(udp).Length() > header.UDPMinimumSize {
		return false
	}
	source, destination := addresses(pkt)
	id := netstack.TransportEndpointID{
		LocalPort: header.UDP(udp).DestinationPort(), LocalAddress: destination,
		RemotePort: header.UDP(udp).SourcePort(), RemoteAddress: source,
	}
	ep, ok := h.stack.ns.FindTransportEndpoint(pkt.NetworkProtocolNumber, header.UDPProtocolNumber, id, pkt.NICID).(tcpip.Endpoint)
	if !ok {
		return false
	}
	v, ok := h.empties.Load(ep)
	if !ok {
		v, _ = h.empties.LoadOrStore(ep, new(atomic.Int64))
	}
	count := v.(*atomic.Int64)
	before := count.Load()
	if ep.Readiness(waiter.ReadableEvents)&waiter.ReadableEvents == 0 {
		count.CompareAndSwap(before, 0) // unless another part of the pump has brought one meanwhile
	}
	return count.Add(1) > emptyLimit
}
