package stack

import (
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// Martians are packets from outside whose source can't be that of a host there.
// The filter drops them before raw sockets see them; netstack has dropped loopback
// addresses and IPv4 addresses in IPv6 form by then.

// martian4 reports one: by RFC 1122 §3.2.1.3 our own addresses, broadcasts, multicast
// and "this network" are no sources. 0.0.0.0 may ask the whole link for an address
// (DHCP), and speak IGMP (RFC 3376 §4.2.13).
func (o *ownAddresses) martian4(ip header.IPv4) bool {
	source := [4]byte(ip.SourceAddressSlice())
	if _, ours := o.v4[source]; ours {
		return true
	}
	if _, broadcast := o.broadcast[source]; broadcast {
		return true
	}
	switch first := source[0]; {
	case source == [4]byte{}:
		return ip.TransportProtocol() != header.IGMPProtocolNumber &&
			[4]byte(ip.DestinationAddressSlice()) != limitedBroadcast
	case first == 0, first >= 224 && first < 240, source == limitedBroadcast:
		return true
	}
	return false
}

// limitedBroadcast is 255.255.255.255.
var limitedBroadcast = [4]byte{255, 255, 255, 255}

// martian6 reports one: by RFC 4291 §2.5.2 and §2.7 our own addresses and multicast are no
// sources, and :: is one for ICMPv6 only (RFC 4861 §4.3, RFC 3590).
func (o *ownAddresses) martian6(ip header.IPv6) bool {
	source := [16]byte(ip.SourceAddressSlice())
	if _, ours := o.v6[source]; ours || source[0] == 0xff {
		return true
	}
	if source != [16]byte{} {
		return false
	}
	protocol, _ := ip.TryParseTransportProtocol()
	return protocol != header.ICMPv6ProtocolNumber
}

// ownAddresses is the set of a stack's addresses, by version: hooks look up the
// source of every packet.
type ownAddresses struct {
	v4, broadcast map[[4]byte]struct{} // the latter: of the networks of v4
	v6            map[[16]byte]struct{}
}

// add takes an address with what is on link.
func (o *ownAddresses) add(p netip.Prefix) {
	if !p.Addr().Is4() {
		o.v6[p.Addr().As16()] = struct{}{}
		return
	}
	o.v4[p.Addr().As4()] = struct{}{}
	if p.Bits() < 31 && !p.Addr().IsLoopback() {
		o.broadcast[lastAddr(p).As4()] = struct{}{}
	}
}

// has reports an address of the stack. All of 127.0.0.0/8 is.
func (o *ownAddresses) has(a netip.Addr) bool {
	if a.Is4() {
		_, ok := o.v4[a.As4()]
		return ok || a.IsLoopback()
	}
	_, ok := o.v6[a.As16()]
	return ok
}
