package stack

import (
	"context"
	"net"
	"net/netip"

	"github.com/wsstack/wsstack/endpoint"
)

// DialContext connects to an address: "tcp", "tcp4" and "tcp6" give an
// *endpoint.Conn, "udp", "udp4" and "udp6" an *endpoint.PacketConn.
//
// Hosts are literal addresses, "" and "localhost" for the loopback address, or
// names: see LookupHost. Of several addresses the first that answers is
// connected to: those of IPv4 and IPv6 are tried by turns, each 250 ms after the
// one before or when that has failed (RFC 8305). A name that isn't found is a
// *net.DNSError. An unspecified address means the loopback one, too: 0.0.0.0
// that of IPv4, :: that of IPv6 and, as this is what listeners on both families
// show as their address, that of IPv4 next. When ctx ends first, the error is the
// context's.
//
// A Dialer connects with options, from an address, or within a time.
func (s *Stack) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return (&Dialer{Stack: s}).DialContext(ctx, network, address)
}

// Dial is DialContext without a context.
func (s *Stack) Dial(network, address string) (net.Conn, error) {
	return s.DialContext(context.Background(), network, address)
}

// DialTCP connects to an address, from local: the zero value leaves address and port to the
// stack, a zero port the port, and an unspecified address the address. The network is "tcp",
// "tcp4" or "tcp6". An unspecified remote address is as in DialContext.
func (s *Stack) DialTCP(ctx context.Context, network string, local, remote netip.AddrPort) (*endpoint.Conn, error) {
	return (&Dialer{Stack: s}).DialTCP(ctx, network, local, remote)
}

// DialUDP is DialTCP for "udp", "udp4" and "udp6".
func (s *Stack) DialUDP(ctx context.Context, network string, local, remote netip.AddrPort) (*endpoint.PacketConn, error) {
	return (&Dialer{Stack: s}).DialUDP(ctx, network, local, remote)
}

// Listen listens on a local address; the listener is an *endpoint.Listener. Port 0 chooses a
// port, as does the empty address.
//
// "tcp" without a host, or with an unspecified address, takes IPv4 and IPv6, be it
// :: or 0.0.0.0: as package net has it. For one family there are "tcp4" and
// "tcp6". Of a name's addresses it is the first of IPv4, if there is one.
//
// A ListenConfig listens with options, such as SO_REUSEADDR, and ListenTCP returns the listener
// with its own type.
func (s *Stack) Listen(network, address string) (net.Listener, error) {
	return (&ListenConfig{Stack: s}).Listen(context.Background(), network, address)
}

// ListenTCP listens on a local address and port, as Listen does. An address that isn't valid
// means any, as an unspecified one does; port 0 chooses a port.
func (s *Stack) ListenTCP(network string, local netip.AddrPort) (*endpoint.Listener, error) {
	return (&ListenConfig{Stack: s}).ListenTCP(network, local)
}

// ListenPacket opens a datagram socket on a local address, an
// *endpoint.PacketConn. Networks and addresses are as for Listen. Broadcasts
// need "udp4", and SO_BROADCAST. The address of a group means the wildcard and
// SO_REUSEADDR; JoinGroup joins it, or ListenMulticastUDP.
func (s *Stack) ListenPacket(network, address string) (net.PacketConn, error) {
	return (&ListenConfig{Stack: s}).ListenPacket(context.Background(), network, address)
}

// ListenUDP opens a datagram socket on a local address and port, as ListenPacket does. Addresses
// are as for ListenTCP.
func (s *Stack) ListenUDP(network string, local netip.AddrPort) (*endpoint.PacketConn, error) {
	return (&ListenConfig{Stack: s}).ListenUDP(network, local)
}
