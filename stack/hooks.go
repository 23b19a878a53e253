package stack

import (
	"crypto/fips140"
	"sync"
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	netstack "gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"

	"github.com/wsstack/wsstack/endpoint"
)

// hooks are the places where netstack lets us look at packets:
// a filter that sees every packet that leaves or arrives, and a wrapper of the
// TCP protocol that sees every segment together with its endpoint. They are
// installed once and are always on.
//
// They run with netstack's locks held, so they store and signal, and call
// neither a socket nor an endpoint, but for reading its state.
type hooks struct {
	stack *Stack
	clock tcpip.Clock

	_       [64]byte      // what every packet writes has a cache line of its own
	packets atomic.Uint64 // seen, both ways
	hops    atomic.Bool   // a segment was injected, or came and may hop between processors
	dropped atomic.Uint64 // dropped by CheckInput, for any reason
	_       [64]byte

	// wires holds the record of every endpoint that a socket has: from
	// *tcp.Endpoint to *endpoint.Wire.
	wires sync.Map

	// empties counts the empty datagrams a socket was sent since its queue was
	// empty: from a UDP endpoint to *atomic.Int64.
	empties sync.Map

	// noCookies: netstack must neither make nor look at a SYN cookie. It makes them
	// with SHA-1, which ends a process with GODEBUG=fips140=only.
	noCookies bool

	withheld withheld
	half     halfOpen
	raws     rawCounts
	echoes   echoes
	tcp      tcpWorker    // netstack's, without our hook
	outer    *tcpProtocol // with it
}

// tcpWorker is the part of netstack's TCP that takes segments, on goroutines of
// its own.
type tcpWorker interface {
	QueuePacket(netstack.TransportEndpoint, netstack.TransportEndpointID, *netstack.PacketBuffer)
	Pause()
	Resume()
}

func (h *hooks) init(s *Stack) {
	h.stack, h.clock = s, s.clock
	h.noCookies = fips140.Enforced()
	h.half.init(h.noCookies)
}

// CheckOutput sees every packet that leaves, with the sending endpoint locked.
func (h *hooks) CheckOutput(pkt *netstack.PacketBuffer, _ *netstack.Route, _ netstack.AddressFamily) bool {
	h.packets.Add(1)
	if p := pkt.TransportProtocolNumber; p == header.ICMPv4ProtocolNumber || p == header.ICMPv6ProtocolNumber {
		h.rightError(pkt)
	}
	if pkt.TransportProtocolNumber != header.TCPProtocolNumber {
		return true
	}
	t := header.TCP(pkt.TransportHeader().Slice())
	if !validHeader(t) {
		return true
	}
	w, _ := pkt.Owner.(*endpoint.Wire)
	if w != nil {
		var leaves bool
		if w, leaves = h.out(w, pkt, t); !leaves {
			h.withheld.count(t)
			return false
		}
	}
	h.debugSegment(h.debuggee(w, pkt, t), t, pkt.Data().Size(), "segment out")
	return true
}

// out tells the record of the connection of a segment that netstack sends, and
// makes it what we send. It reports whether it leaves, and returns the record: the
// listener's where there is no other.
func (h *hooks) out(w *endpoint.Wire, pkt *netstack.PacketBuffer, t header.TCP) (_ *endpoint.Wire, leaves bool) {
	if w.Silent() {
		return w, false
	}
	if w.Listening() {
		// Until Accept, the segments of a connection carry the listener.
		w.PatchHeader(pkt.NetworkHeader().Slice())
		local, remote := addresses(pkt)
		half := h.half.find(netstack.TransportEndpointID{
			LocalPort: t.SourcePort(), LocalAddress: local,
			RemotePort: t.DestinationPort(), RemoteAddress: remote,
		})
		if half == nil {
			return w, true
		}
		w = half
	}
	if w.Mute(t) {
		return w, false
	}
	editSYN(w, t, pkt.GSOOptions.NeedsCsum)
	w.Out(endpoint.Segment{Header: t, Payload: pkt.Data().Size(), Clock: h.clock, Partial: pkt.GSOOptions.NeedsCsum})
	if w.HoldsSYN(t) {
		return w, false
	}
	if w.Fragments() && pkt.NetworkProtocolNumber == header.IPv4ProtocolNumber {
		endpoint.AllowFragments(pkt.NetworkHeader().Slice(), uint16(h.stack.fragments.Add(1)))
	}
	return w, true
}

// CheckInput sees every packet for this host, those that it sends itself
// included, before fragments are put together.
func (h *hooks) CheckInput(pkt *netstack.PacketBuffer, _ *netstack.Route, _ netstack.AddressFamily) bool {
	h.packets.Add(1)
	v := h.input(pkt)
	if v == refuse {
		h.dropped.Add(1)
	}
	return v == pass
}

// A verdict is what becomes of a packet.
type verdict int

const (
	pass   verdict = iota // netstack gets it
	taken                 // it was for us, netstack mustn't see it
	refuse                // it is dropped, and counted
)

func (h *hooks) input(pkt *netstack.PacketBuffer) verdict {
	if cutHeader(pkt) {
		return refuse
	}
	switch wholeProtocol(pkt) {
	case header.ICMPv4ProtocolNumber, header.ICMPv6ProtocolNumber:
		return h.icmp(pkt)
	case header.UDPProtocolNumber:
		if h.surplus(pkt) {
			return refuse
		}
	}
	return pass
}

// wholeProtocol is the transport protocol of a packet whose transport header is
// here, 0 of one that is a later fragment.
func wholeProtocol(pkt *netstack.PacketBuffer) tcpip.TransportProtocolNumber {
	b := pkt.NetworkHeader().Slice()
	if pkt.NetworkProtocolNumber == header.IPv4ProtocolNumber {
		if ip := header.IPv4(b); ip.FragmentOffset() == 0 {
			return ip.TransportProtocol()
		}
		return 0
	}
	if next, first := firstFragment(b); first {
		return tcpip.TransportProtocolNumber(next)
	}
	protocol, _ := header.IPv6(b).TryParseTransportProtocol() // not ok may just mean that the payload isn't in the slice
	return protocol
}

// CheckPrerouting sees every packet from outside, before raw sockets do.
func (h *hooks) CheckPrerouting(pkt *netstack.PacketBuffer, _ *netstack.Route, _ netstack.AddressFamily) bool {
	b := pkt.NetworkHeader().Slice()
	own := h.stack.own.Load()
	var drop bool
	if pkt.NetworkProtocolNumber == header.IPv4ProtocolNumber {
		drop = own.martian4(b)
	} else {
		drop = own.martian6(b) || h.emptyRaw(b)
	}
	if drop {
		h.packets.Add(1)
		h.dropped.Add(1)
		return false
	}
	return true
}

// CheckForward lets everything pass.
func (h *hooks) CheckForward(*netstack.PacketBuffer, *netstack.Route, netstack.AddressFamily) bool {
	return true
}

// CheckPostrouting lets everything pass.
func (h *hooks) CheckPostrouting(*netstack.PacketBuffer, *netstack.Route, netstack.AddressFamily) bool {
	return true
}

// CheckIngress lets everything pass.
func (h *hooks) CheckIngress(*netstack.PacketBuffer, *netstack.Route, netstack.AddressFamily) bool {
	return true
}

// CheckEgress lets everything pass.
func (h *hooks) CheckEgress(*netstack.PacketBuffer, *netstack.Route, netstack.AddressFamily) bool {
	return true
}

// tcpProtocol is netstack's TCP with our view of its segments.
type tcpProtocol struct {
	netstack.TransportProtocol
	inner tcpWorker
	hooks *hooks
}

func (h *hooks) newTCP(ns *netstack.Stack) netstack.TransportProtocol {
	p := tcp.NewProtocolCUBIC(ns)
	t := &tcpProtocol{TransportProtocol: p, hooks: h}
	t.inner = p.(tcpWorker)
	h.tcp = t.inner
	h.outer = t
	return &gVisorForwarderUnsupportedUseStackNewForwarder{t}
}

// gVisorForwarderUnsupportedUseStackNewForwarder is tcpProtocol under the name that
// somebody reads whose call of gVisor's tcp.NewForwarder panics: that asserts the
// type of netstack's own TCP, and its message has nothing of ours but the name.
type gVisorForwarderUnsupportedUseStackNewForwarder struct{ *tcpProtocol }

// SendBufferSize is asked for by every write.
func (t *tcpProtocol) SendBufferSize() tcpip.TCPSendBufferSizeRangeOption {
	return t.TransportProtocol.(interface {
		SendBufferSize() tcpip.TCPSendBufferSizeRangeOption
	}).SendBufferSize()
}

// QueuePacket sees every TCP segment after the demultiplexer found its
// endpoint, under the demultiplexer's read lock.
func (t *tcpProtocol) QueuePacket(ep netstack.TransportEndpoint, id netstack.TransportEndpointID, pkt *netstack.PacketBuffer) {
	t.hooks.packets.Add(1)
	ep = t.hooks.stack.listeners.first(ep, id)
	fate, w := t.hooks.in(ep, id, pkt)
	if t.hooks.stack.cfg.Stepped && tcp.EndpointState(ep.(tcpip.Endpoint).State()) != tcp.StateEstablished {
		t.hooks.hops.Store(true)
	}
	if fate != 0 {
		t.queueEdited(ep, id, pkt, fate, w)
		return
	}
	t.inner.QueuePacket(ep, id, pkt)
}

// in tells the record of the connection of a segment, and returns its fate.
func (h *hooks) in(ep netstack.TransportEndpoint, id netstack.TransportEndpointID, pkt *netstack.PacketBuffer) (endpoint.Fate, *endpoint.Wire) {
	t := header.TCP(pkt.TransportHeader().Slice())
	if !validHeader(t) {
		return 0, nil
	}
	w := h.wireOf(ep, id)
	if w == nil {
		return 0, nil
	}
	if w.Listening() {
		return h.atListener(ep, id, pkt, t, w), w
	}
	checked := w.Interesting(t)
	if checked && !validChecksum(t, pkt) {
		return 0, nil
	}
	h.debugSegment(w.Debugging(), t, pkt.Data().Size(), "segment in")
	h.editIncoming(w, t, pkt.RXChecksumValidated)
	fate := w.In(endpoint.Segment{Header: t, Payload: pkt.Data().Size(), Clock: h.clock})
	if fate != 0 && !checked && !validChecksum(t, pkt) {
		return 0, nil // netstack drops it
	}
	if t.Flags().Contains(header.TCPFlagRst) && w.Reset() {
		h.lost(id)
	}
	return fate, w
}

// wireOf finds the record of a segment: that of its endpoint, or of the
// connection that is half open.
func (h *hooks) wireOf(ep netstack.TransportEndpoint, id netstack.TransportEndpointID) *endpoint.Wire {
	if v, ok := h.wires.Load(ep); ok {
		return v.(*endpoint.Wire)
	}
	return h.half.find(id)
}

// Watch implements endpoint.Host.
func (h *hooks) watch(ep tcpip.Endpoint, w *endpoint.Wire) { h.wires.Store(ep, w) }

// Watch implements endpoint.Host.
func (s *Stack) Watch(ep tcpip.Endpoint, w *endpoint.Wire) { s.hooks.watch(ep, w) }

// Unwatch implements endpoint.Host.
func (s *Stack) Unwatch(ep tcpip.Endpoint) {
	s.hooks.wires.Delete(ep)
	s.hooks.empties.Delete(ep)
}

// Adopt implements endpoint.Host.
func (s *Stack) Adopt(ep tcpip.Endpoint) *endpoint.Wire {
	if info, ok := ep.Info().(*netstack.TransportEndpointInfo); ok {
		if r := s.hooks.half.take(info.ID); r != nil {
			return r.wire
		}
	}
	return endpoint.NewWire(nil) // there was no room for a record: see halfOpen
}

// validHeader makes reading the header and its options safe: netstack checks
// the offset only when it processes the segment.
func validHeader(t header.TCP) bool {
	return len(t) >= header.TCPMinimumSize && int(t.DataOffset()) >= header.TCPMinimumSize && int(t.DataOffset()) <= len(t)
}

func validChecksum(t header.TCP, pkt *netstack.PacketBuffer) bool {
	if pkt.RXChecksumValidated {
		return true
	}
	source, destination := addresses(pkt)
	return t.IsChecksumValid(source, destination, pkt.Data().Checksum(), uint16(pkt.Data().Size()))
}

// addresses are the source and destination of a packet. pkt.Network would
// allocate.
func addresses(pkt *netstack.PacketBuffer) (source, destination tcpip.Address) {
	b := pkt.NetworkHeader().Slice()
	if pkt.NetworkProtocolNumber == header.IPv4ProtocolNumber {
		h := header.IPv4(b)
		return h.SourceAddress(), h.DestinationAddress()
	}
	h := header.IPv6(b)
	return h.SourceAddress(), h.DestinationAddress()
}
