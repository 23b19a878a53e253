package stack

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/wsstack/wsstack/internal/socket"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/wsa"
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
func (s *Stack) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	fail := func(err error) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	n, err := parseNetwork(network)
	if err != nil {
		return fail(err)
	}
	if address == "" {
		return fail(&net.AddrError{Err: "missing address"})
	}
	addrs, err := s.resolve(ctx, n, address)
	if err != nil {
		return fail(err)
	}
	for i, addr := range addrs {
		addrs[i] = netip.AddrPortFrom(n.reachable(addr.Addr()), addr.Port())
	}
	if len(addrs) > 1 {
		return dialFirst(ctx, s, network, addrs, func(to netip.AddrPort) (*socket.Socket, wsa.Errno) {
			return socket.New(s, familyOf(to.Addr()), n.typ, 0, s.cfg.Owner)
		})
	}
	addr := addrs[0]
	sock, errno := socket.New(s, familyOf(addr.Addr()), n.typ, 0, s.cfg.Owner)
	if errno != 0 {
		return nil, callError("dial", network, addr, errno)
	}
	return connectSocket(ctx, sock, network, addr)
}

// Dial is DialContext without a context.
func (s *Stack) Dial(network, address string) (net.Conn, error) {
	return s.DialContext(context.Background(), network, address)
}

// Listen listens on a local address, an *endpoint.Listener. Port 0 chooses a
// port, as does the empty address.
//
// "tcp" without a host, or with an unspecified address, takes IPv4 and IPv6, be it
// :: or 0.0.0.0: as package net has it. For one family there are "tcp4" and
// "tcp6". Of a name's addresses it is the first of IPv4, if there is one.
func (s *Stack) Listen(network, address string) (net.Listener, error) {
	sock, addr, err := s.bound(network, address, wsa.SOCK_STREAM)
	if err != nil {
		return nil, callError("listen", network, addr, err)
	}
	if errno := sock.Listen(wsa.SOMAXCONN); errno != 0 {
		sock.Close()
		return nil, callError("listen", network, addr, errno)
	}
	return endpoint.NewListener(sock, network), nil
}

// ListenPacket opens a datagram socket on a local address, an
// *endpoint.PacketConn. Networks and addresses are as for Listen. Broadcasts
// need "udp4", and SO_BROADCAST. The address of a group means the wildcard and
// SO_REUSEADDR; JoinGroup joins it, or ListenMulticastUDP.
func (s *Stack) ListenPacket(network, address string) (net.PacketConn, error) {
	sock, addr, err := s.bound(network, address, wsa.SOCK_DGRAM)
	if err != nil {
		return nil, callError("listen", network, addr, err)
	}
	return endpoint.NewPacketConn(sock, network), nil
}

// callError is the error of a dial or listen with addr, which is zero where the
// text of the address said nothing.
func callError(op, network string, addr netip.AddrPort, err error) error {
	e := &net.OpError{Op: op, Net: network, Err: err}
	addr = netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port())
	switch {
	case !addr.Addr().IsValid():
	case strings.HasPrefix(network, "tcp"):
		e.Addr = net.TCPAddrFromAddrPort(addr)
	default:
		e.Addr = net.UDPAddrFromAddrPort(addr)
	}
	return e
}

// bound makes a socket with a local address, and returns the address also when
// binding fails.
func (s *Stack) bound(network, address string, typ int32) (*socket.Socket, netip.AddrPort, error) {
	n, err := parseNetwork(network)
	if err != nil {
		return nil, netip.AddrPort{}, err
	}
	if n.typ != typ {
		return nil, netip.AddrPort{}, net.UnknownNetworkError(network)
	}
	addrs, err := s.resolve(context.Background(), n, address)
	if err != nil {
		return nil, netip.AddrPort{}, err
	}
	addr := addrs[0]
	if i := slices.IndexFunc(addrs, func(a netip.AddrPort) bool { return a.Addr().Is4() }); i > 0 {
		addr = addrs[i] // of a name, as package net has it
	}
	return s.boundTo(n, addr, typ)
}

// boundTo is bound, for an address. A group stands for the wildcard of its family,
// with SO_REUSEADDR: several sockets may have the port, and each joins groups of
// its own, as package net has it.
func (s *Stack) boundTo(n netKind, addr netip.AddrPort, typ int32) (*socket.Socket, netip.AddrPort, error) {
	group := typ == wsa.SOCK_DGRAM && addr.Addr().IsMulticast()
	if group {
		n.family = familyOf(addr.Addr())
	}
	wildcard := !addr.Addr().IsValid() || addr.Addr().IsUnspecified() || group
	if wildcard {
		addr = netip.AddrPortFrom(n.wildcard(), addr.Port())
	}
	sock, errno := socket.New(s, familyOf(addr.Addr()), typ, 0, s.cfg.Owner)
	if errno != 0 {
		return nil, addr, errno
	}
	sock.SetV6Only(n.family != 0 || !wildcard)
	if group {
		errno = sock.SetSockOpt(wsa.SOL_SOCKET, wsa.SO_REUSEADDR, []byte{1, 0, 0, 0})
	}
	if errno == 0 {
		errno = sock.Bind(addr)
	}
	if errno != 0 {
		sock.Close()
		return nil, addr, errno
	}
	return sock, addr, nil
}

// A netKind is what the name of a network says.
type netKind struct {
	typ    int32
	family int32 // 0: either
	name   string
}

func parseNetwork(network string) (netKind, error) {
	n := netKind{name: network}
	proto := strings.TrimRight(network, "46")
	switch strings.TrimPrefix(network, proto) {
	case "":
	case "4":
		n.family = wsa.AF_INET
	case "6":
		n.family = wsa.AF_INET6
	default:
		return n, net.UnknownNetworkError(network)
	}
	switch proto {
	case "tcp":
		n.typ = wsa.SOCK_STREAM
	case "udp":
		n.typ = wsa.SOCK_DGRAM
	default:
		return n, net.UnknownNetworkError(network)
	}
	return n, nil
}

// wildcard is the address of "no host": dual-stack unless the family is given.
func (n netKind) wildcard() netip.Addr {
	if n.family == wsa.AF_INET {
		return netip.IPv4Unspecified()
	}
	return netip.IPv6Unspecified()
}

// reachable is the address to connect to for a, the loopback's for none.
func (n netKind) reachable(a netip.Addr) netip.Addr {
	if !a.IsValid() || a.IsUnspecified() {
		return n.loopback(a)
	}
	return a
}

// loopback is the address of "this host", of the family of a if that is valid.
func (n netKind) loopback(a netip.Addr) netip.Addr {
	if n.family == wsa.AF_INET6 || a.Is6() {
		return netip.IPv6Loopback()
	}
	return netip.AddrFrom4([4]byte{127, 0, 0, 1})
}

func familyOf(a netip.Addr) int32 {
	if a.Is4() {
		return wsa.AF_INET
	}
	return wsa.AF_INET6
}

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
		switch {
		case a.Zone() != "":
			why = noZones(a)
		case !a.IsValid() || n.family == 0 || n.family == familyOf(a):
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

func noZones(a netip.Addr) error {
	return fmt.Errorf("%w: zones in addresses, such as %s", errors.ErrUnsupported, a)
}
