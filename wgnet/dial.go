package wgnet

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"

	"github.com/wsstack/wsstack/endpoint"
)

// Dial is DialContext without a context.
func (n *Net) Dial(network, address string) (net.Conn, error) {
	return n.DialContext(context.Background(), network, address)
}

// DialContext connects to an address: "tcp", "tcp4" and "tcp6" give an *endpoint.Conn, "udp",
// "udp4" and "udp6" an *endpoint.PacketConn, both as DialContext of package stack does; "ping",
// "ping4" and "ping6" give a *PingConn to a host, which has no port. Of a name's addresses those
// count whose family the host has. Errors are *net.OpError.
func (n *Net) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	switch network {
	case "ping", "ping4", "ping6":
		return asConn(n.dialPing(ctx, network, address))
	case "tcp", "udp":
		if host, _, err := net.SplitHostPort(address); err == nil && isName(host) {
			network += n.family()
		}
	}
	c, err := n.stack.DialContext(ctx, network, address)
	if c, ok := c.(*endpoint.PacketConn); ok {
		return asConn(reporting(c, nil))
	}
	return c, err
}

// asConn makes nothing of a connection that a dial has failed to make.
func asConn[C net.Conn](c C, err error) (net.Conn, error) {
	if err != nil {
		return nil, err
	}
	return c, nil
}

// dialPing opens a PingConn to the first address of a host that is one of the network.
func (n *Net) dialPing(ctx context.Context, network, host string) (*PingConn, error) {
	fail := func(err error) (*PingConn, error) {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	addrs, err := n.LookupContextHost(ctx, host)
	if err != nil {
		return fail(err)
	}
	for _, text := range addrs {
		a, err := netip.ParseAddr(text)
		if err == nil && ofFamily(a, strings.TrimPrefix(network, "ping")) {
			return n.DialPingAddr(netip.Addr{}, a)
		}
	}
	return fail(&net.AddrError{Err: "no suitable address found", Addr: host})
}

// LookupHost is LookupContextHost without a context.
func (n *Net) LookupHost(host string) ([]string, error) {
	return n.LookupContextHost(context.Background(), host)
}

// LookupContextHost finds the addresses of a host, as LookupHost of package stack does; of a name
// those whose family the host has. A name is taken as complete: there is no search list. Errors
// are *net.DNSError, which wrap that of the context where it has ended.
func (n *Net) LookupContextHost(ctx context.Context, host string) ([]string, error) {
	list, err := n.stack.LookupHost(ctx, host)
	if err != nil {
		return nil, lookupError(host, err)
	}
	if !isName(host) {
		return list, nil
	}
	var addrs []string
	for _, text := range list {
		if a, err := netip.ParseAddr(text); err == nil && ofFamily(a, n.family()) {
			addrs = append(addrs, text)
		}
	}
	if len(addrs) == 0 {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	return addrs, nil
}

// lookupError is the error of a lookup in the form that package net gives it.
func lookupError(host string, err error) error {
	e := &net.DNSError{UnwrapErr: err, Name: host}
	switch {
	case errors.Is(err, context.Canceled):
		e.Err = "operation was canceled"
	case errors.Is(err, context.DeadlineExceeded):
		e.Err, e.IsTimeout = "i/o timeout", true
	default:
		return err
	}
	return e
}

// family is the only family of which the host has an address that is good beyond the link: "4" or
// "6"; "": there are both, or none.
func (n *Net) family() string {
	var v4, v6 bool
	for _, p := range n.stack.Addresses(nil) {
		a := p.Addr()
		v4 = v4 || a.Is4()
		v6 = v6 || a.Is6() && !a.IsLinkLocalUnicast()
	}
	switch {
	case v4 && !v6:
		return "4"
	case v6 && !v4:
		return "6"
	}
	return ""
}

// ofFamily reports an address of a family, "4" or "6"; every address is one of "".
func ofFamily(a netip.Addr, family string) bool {
	return family == "" || a.Is4() == (family == "4")
}

// isName reports a host that somebody has to be asked about. The loopback has both families, so
// that the addresses of localhost are good anywhere.
func isName(host string) bool {
	_, err := netip.ParseAddr(host)
	return err != nil && host != "" && !strings.EqualFold(strings.TrimSuffix(host, "."), "localhost")
}
