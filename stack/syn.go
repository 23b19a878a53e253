package stack

import (
	"gvisor.dev/gvisor/pkg/tcpip/header"
	netstack "gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/wsstack/wsstack/endpoint"
)

// atListener decides about a segment for a listener, before netstack sees it. A
// SYN that netstack is to answer starts a record.
func (h *hooks) atListener(ep netstack.TransportEndpoint, id netstack.TransportEndpointID, pkt *netstack.PacketBuffer, t header.TCP, listener *endpoint.Wire) endpoint.Fate {
	if !validChecksum(t, pkt) {
		return 0 // netstack counts it
	}
	h.debugSegment(listener.Debugging(), t, pkt.Data().Size(), "segment in")
	switch t.Flags() & (header.TCPFlagSyn | header.TCPFlagAck | header.TCPFlagRst) {
	case header.TCPFlagRst, header.TCPFlagRst | header.TCPFlagAck:
		listener.Door().Reset(id, t.SequenceNumber())
	case header.TCPFlagSyn:
		fate := listener.Door().Syn(ep, id, pkt, t.SequenceNumber(), h.clock.NowMonotonic())
		if fate == 0 && !h.begin(id, pkt, t, listener) && h.noCookies {
			h.dropped.Add(1)
			return endpoint.Ignore
		}
		return fate
	default: // the acknowledgement of a SYN cookie, maybe
		if h.noCookies && t.Flags().Contains(header.TCPFlagAck) {
			return endpoint.Reject // RFC 9293 §3.10.7.2
		}
		if w := h.half.find(id); w != nil {
			w.In(endpoint.Segment{Header: t, Payload: pkt.Data().Size(), Clock: h.clock})
		}
	}
	return 0
}

// begin starts the record of a connection with its SYN: false when there are too
// many.
func (h *hooks) begin(id netstack.TransportEndpointID, pkt *netstack.PacketBuffer, t header.TCP, listener *endpoint.Wire) bool {
	h.editIncoming(listener, t, pkt.RXChecksumValidated) // as it stands now (IN-4)
	w := h.startHalf(id, pkt.NICID, listener)
	if w != nil {
		w.In(endpoint.Segment{Header: t, Payload: pkt.Data().Size(), Clock: h.clock})
	}
	return w != nil
}

// A heldSYN is one that a condition function has accepted.
type heldSYN struct {
	request *endpoint.Request
	packet  *netstack.PacketBuffer
}

// AnswerSYN implements endpoint.Host: the pump delivers it, as it does
// whatever goes to netstack.
func (s *Stack) AnswerSYN(r *endpoint.Request, syn *netstack.PacketBuffer) {
	p := &s.work
	p.signals.Lock()
	p.signals.syns = append(p.signals.syns, heldSYN{r, syn})
	p.signals.Unlock()
	p.wake()
}

// deliverSYN gives netstack the oldest of the SYNs that were accepted.
func (p *pump) deliverSYN() bool {
	p.signals.Lock()
	if len(p.signals.syns) == 0 {
		p.signals.Unlock()
		return false
	}
	syn := p.signals.syns[0]
	p.signals.syns = p.signals.syns[1:]
	p.signals.Unlock()
	p.hooks.answer(syn.request, syn.packet)
	return true
}

func (h *hooks) answer(r *endpoint.Request, syn *netstack.PacketBuffer) {
	defer syn.DecRef()
	v, ok := h.wires.Load(r.Endpoint)
	if !ok {
		return // the listener is closed, and has refused it
	}
	listener := v.(*endpoint.Wire)
	if !h.begin(r.ID, syn, header.TCP(syn.TransportHeader().Slice()), listener) {
		// Without a record nobody would hear that the handshake has failed, and
		// the call would wait for ever. The peer sends its SYN again.
		listener.Door().Lost(r.ID)
		return
	}
	h.packets.Add(1)
	h.hops.Store(true)
	h.tcp.QueuePacket(r.Endpoint, r.ID, syn)
}

// RefuseSYN implements endpoint.Host.
func (s *Stack) RefuseSYN(r *endpoint.Request, syn *netstack.PacketBuffer) {
	defer syn.DecRef()
	s.hooks.outer.HandleUnknownDestinationPacket(r.ID, syn)
}
