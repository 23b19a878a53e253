package stack

import (
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/wsstack/wsstack/internal/translate"
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
//
// A link-local address of ours is nobody else's on the same link, but a neighbour on another one may
// have it.
func (o *ownAddresses) martian6(ip header.IPv6, nic tcpip.NICID) bool {
	source := [16]byte(ip.SourceAddressSlice())
	if o.owns6(source, nic) || source[0] == 0xff {
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
	v4, broadcast map[[4]byte]struct{}    // the latter: of the networks of v4
	v6            map[[16]byte]struct{}   // but link-local ones
	on            map[ownAddress]struct{} // all of IPv6, with their interface
}

// An ownAddress is an address of IPv6 on an interface.
type ownAddress struct {
	address [16]byte
	nic     tcpip.NICID
}

// add takes an address of an interface with what is on link.
func (o *ownAddresses) add(p netip.Prefix, nic tcpip.NICID) {
	if !p.Addr().Is4() {
		o.on[ownAddress{p.Addr().As16(), nic}] = struct{}{}
		if !translate.Scoped(p.Addr()) {
			o.v6[p.Addr().As16()] = struct{}{}
		}
		return
	}
	o.v4[p.Addr().As4()] = struct{}{}
	if p.Bits() < 31 && !p.Addr().IsLoopback() {
		o.broadcast[lastAddr(p).As4()] = struct{}{}
	}
}

// owns6 reports an address of the stack, but a link-local one of another interface.
func (o *ownAddresses) owns6(address [16]byte, nic tcpip.NICID) bool {
	if linkLocal(address) {
		return o.hasOn(address, nic)
	}
	_, ok := o.v6[address]
	return ok
}

// hasOn reports an address of IPv6 of an interface.
func (o *ownAddresses) hasOn(address [16]byte, nic tcpip.NICID) bool {
	_, ok := o.on[ownAddress{address, nic}]
	return ok
}

// has reports an address of the stack, a link-local one with its zone. All of 127.0.0.0/8 is.
func (o *ownAddresses) has(a netip.Addr) bool {
	if a.Is4() {
		_, ok := o.v4[a.As4()]
		return ok || a.IsLoopback()
	}
	return o.owns6(a.As16(), translate.Zone(a))
}
