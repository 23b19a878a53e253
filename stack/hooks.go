package stack

import (
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/wsstack/wsstack/internal/translate"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	netstack "gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/wsstack/wsstack/internal/link"
	"github.com/wsstack/wsstack/options"
)

// hooks are the filter by which netstack lets us look at every packet that leaves
// or arrives. It is installed once and always on.
//
// It runs with netstack's locks held, and maybe that of a connection, so it stores
// and signals, and calls neither a socket nor an endpoint, but for reading its state.
type hooks struct {
	stack *Stack
	clock tcpip.Clock
	wire  options.Wire // of the profile

	_       [64]byte      // what packets write has a cache line of its own
	dropped atomic.Uint64 // dropped by CheckInput, for any reason
	ids     identities    // of the packets that leave, where the profile counts them
	_       [64]byte

	// empties counts the empty datagrams a socket was sent since its queue was
	// empty: from a UDP endpoint to *atomic.Int64.
	empties sync.Map

	raws   rawCounts
	echoes echoes
}

func (h *hooks) init(s *Stack) { h.stack, h.clock, h.wire = s, s.clock, s.cfg.Profile.Wire() }

// CheckOutput sees every packet that leaves, with the sending endpoint or
// connection locked.
func (h *hooks) CheckOutput(pkt *netstack.PacketBuffer, _ *netstack.Route, _ netstack.AddressFamily) bool {
	if p := pkt.TransportProtocolNumber; p == header.ICMPv4ProtocolNumber || p == header.ICMPv6ProtocolNumber {
		h.rightError(pkt)
		h.ownEcho(pkt)
	}
	if h.wire.CountedIDs && pkt.NetworkProtocolNumber == header.IPv4ProtocolNumber {
		h.ids.identify(pkt)
	}
	return true
}

// CheckInput sees every packet for this host, those that it sends itself
// included, before fragments are put together.
func (h *hooks) CheckInput(pkt *netstack.PacketBuffer, _ *netstack.Route, _ netstack.AddressFamily) bool {
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
	if link.Verified(pkt) {
		pkt.RXChecksumValidated = true
	}
	b := pkt.NetworkHeader().Slice()
	own := h.stack.own.Load()
	var drop bool
	if pkt.NetworkProtocolNumber == header.IPv4ProtocolNumber {
		drop = own.martian4(b)
	} else {
		drop = !link.FromSelf(pkt) && own.martian6(b, pkt.InputNICID) || h.emptyRaw(b)
	}
	if drop {
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

// addrPort is an address of netstack with a port.
func addrPort(a tcpip.Address, port uint16) netip.AddrPort {
	return translate.AddrPort(tcpip.FullAddress{Addr: a, Port: port})
}
