package stack

import (
	"context"
	"net"
	"net/netip"
	"strings"
)

// resolve parses host:port, and looks the host up if it is a name. It returns
// one address or more; the only one isn't valid when there is no host.
func (s *Stack) resolve(ctx context.Context, n netKind, address string) ([]netip.AddrPort, error) {
	host, service, err := splitHostPort(address)
	if err != nil {
		return nil, err
	}
	port, err := net.DefaultResolver.LookupPort(ctx, n.name, service)
	if err != nil {
		return nil, err
	}
	addrs := []netip.Addr{{}}
	if host != "" {
		if addrs, err = s.lookup(ctx, host); err != nil {
			return nil, err
		}
	}
	if len(addrs) == 1 && addrs[0] == netip.IPv6Unspecified() {
		addrs = append(addrs, netip.IPv4Unspecified()) // a listener on both families shows ::
	}
	var out []netip.AddrPort
	why := error(&net.AddrError{Err: "not an address of " + n.name, Addr: host})
	for _, a := range addrs {
		if !a.IsValid() || n.family == 0 || n.family == familyOf(a) {
			out = append(out, netip.AddrPortFrom(a, uint16(port)))
		}
	}
	if len(out) == 0 {
		return nil, why
	}
	return out, nil
}

// splitHostPort is net.SplitHostPort, but that the empty address has no host and
// port 0.
func splitHostPort(address string) (host, port string, err error) {
	if address == "" {
		return "", "0", nil
	}
	return net.SplitHostPort(address)
}

// callError is the error of a dial or listen with addr, which is zero where the text of the
// address said nothing.
func callError(op, network string, addr netip.AddrPort, err error) *net.OpError {
	e := &net.OpError{Op: op, Net: network, Err: err}
	if addr.Addr().IsValid() {
		e.Addr = netAddr(network, netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port()))
	}
	return e
}

// netAddr is an address as package net has it on a network.
func netAddr(network string, addr netip.AddrPort) net.Addr {
	if strings.HasPrefix(network, "tcp") {
		return net.TCPAddrFromAddrPort(addr)
	}
	return net.UDPAddrFromAddrPort(addr)
}
