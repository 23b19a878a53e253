package stack

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/internal/socket"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

// A ListenConfig opens listeners and datagram sockets on a Stack, as a net.ListenConfig does on
// the system. With the zero value of every field but Stack, its methods are those of Stack by the
// same names. It is safe for concurrent use while nobody changes its fields.
//
// Errors are *net.OpError around a *net.DNSError or *net.AddrError for an address, the error of
// the context, or the wsa.Errno of setsockopt, bind or listen. A call that fails leaves no socket
// behind.
type ListenConfig struct {
	// Stack is the stack whose sockets listen. It must be set.
	Stack *Stack

	// KeepAlive switches keep-alive on for the connections that a listener accepts, with this time
	// before the first probe, in whole seconds, or off, if it is negative. With 0 they have what
	// Config.Defaults and Options say: it is off by default, other than in package net. Datagram
	// sockets have none.
	KeepAlive time.Duration

	// KeepAliveConfig sets the keep-alive parameters instead, if Enable is true. Its fields are as
	// for SetKeepAliveConfig of endpoint.Conn.
	KeepAliveConfig net.KeepAliveConfig

	// Options are set on each new socket, in order, before it is bound, after Config.Defaults and
	// keep-alive; the connections that a listener accepts inherit them (IN-2). An option that the
	// socket refuses fails the call. SO_REUSEADDR and SO_EXCLUSIVEADDRUSE decide with whom the
	// socket shares its port.
	Options []options.Assignment

	// Backlog is how many established connections may wait for Accept: a SYN beyond is answered by
	// a RST (API-listen). It is 4096 at most, and 0 means that.
	Backlog int

	// Silent has the peers of accepted connections hear nothing after the handshake: no segment of
	// the connection leaves any more, acknowledgements and RSTs included, and what comes isn't
	// looked at. A peer sees a host that has lost its power, or whose cable was cut. It is for test
	// networks.
	Silent bool
}

// Listen listens on a local address, as Listen of Stack does. The context bounds the lookup of a
// name alone.
func (lc *ListenConfig) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	n, addr, err := lc.resolve(ctx, network, wsa.SOCK_STREAM, address)
	if err != nil {
		return nil, callError("listen", network, addr, err)
	}
	l, err := lc.listen(n, addr)
	if err != nil {
		return nil, err
	}
	return l, nil
}

// ListenTCP listens on a local address, as ListenTCP of Stack does.
func (lc *ListenConfig) ListenTCP(network string, local netip.AddrPort) (*endpoint.Listener, error) {
	n, local, err := lc.check(network, wsa.SOCK_STREAM, local)
	if err != nil {
		return nil, callError("listen", network, local, err)
	}
	return lc.listen(n, local)
}

// ListenPacket opens a datagram socket on a local address, as ListenPacket of Stack does. The
// context bounds the lookup of a name alone.
func (lc *ListenConfig) ListenPacket(ctx context.Context, network, address string) (net.PacketConn, error) {
	n, addr, err := lc.resolve(ctx, network, wsa.SOCK_DGRAM, address)
	if err != nil {
		return nil, callError("listen", network, addr, err)
	}
	c, err := lc.openPacket(n, addr)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// ListenUDP opens a datagram socket on a local address, as ListenUDP of Stack does.
func (lc *ListenConfig) ListenUDP(network string, local netip.AddrPort) (*endpoint.PacketConn, error) {
	n, local, err := lc.check(network, wsa.SOCK_DGRAM, local)
	if err != nil {
		return nil, callError("listen", network, local, err)
	}
	return lc.openPacket(n, local)
}

// listen makes a listener on an address.
func (lc *ListenConfig) listen(n netKind, addr netip.AddrPort) (*endpoint.Listener, error) {
	sock, addr, err := lc.bound(n, addr)
	if err != nil {
		return nil, callError("listen", n.name, addr, err)
	}
	backlog := int32(wsa.SOMAXCONN)
	if lc.Backlog != 0 {
		backlog = int32(min(lc.Backlog, wsa.SOMAXCONN))
	}
	if lc.Silent {
		sock.Silence()
	}
	if errno := sock.Listen(backlog); errno != 0 {
		sock.Close()
		return nil, callError("listen", n.name, addr, errno)
	}
	return endpoint.NewListener(sock, n.name), nil
}

// openPacket makes a datagram socket on an address.
func (lc *ListenConfig) openPacket(n netKind, addr netip.AddrPort) (*endpoint.PacketConn, error) {
	sock, addr, err := lc.bound(n, addr)
	if err != nil {
		return nil, callError("listen", n.name, addr, err)
	}
	return endpoint.NewPacketConn(sock, n.name), nil
}

// resolve finds the local address that a text means. Of a name's addresses it is the first of
// IPv4, if there is one, as package net has it.
func (lc *ListenConfig) resolve(ctx context.Context, network string, typ int32, address string) (netKind, netip.AddrPort, error) {
	n, err := parseNetworkOf(network, typ)
	switch {
	case err != nil:
		return n, netip.AddrPort{}, err
	case lc.Stack == nil:
		return n, netip.AddrPort{}, errNoStack
	case ctx.Err() != nil:
		return n, netip.AddrPort{}, ctx.Err()
	}
	addrs, err := lc.Stack.resolve(ctx, n, address)
	if err != nil {
		return n, netip.AddrPort{}, err
	}
	i := slices.IndexFunc(addrs, func(a netip.AddrPort) bool { return a.Addr().Is4() })
	return n, addrs[max(i, 0)], nil
}

// check says what is wrong with a local address, the zero value of which means any.
func (lc *ListenConfig) check(network string, typ int32, local netip.AddrPort) (netKind, netip.AddrPort, error) {
	local = netip.AddrPortFrom(local.Addr().Unmap(), local.Port())
	n, err := parseNetworkOf(network, typ)
	switch {
	case err != nil:
	case lc.Stack == nil:
		err = errNoStack
	case local.Addr().IsValid():
		err = n.unusable(local.Addr())
	}
	return n, local, err
}

// bound makes a socket with a local address, and returns the address also when that fails. A
// group stands for the wildcard of its family, with SO_REUSEADDR: several sockets may have the
// port, and each joins groups of its own, as package net has it.
func (lc *ListenConfig) bound(n netKind, addr netip.AddrPort) (*socket.Socket, netip.AddrPort, error) {
	var list []options.Assignment
	group := n.typ == wsa.SOCK_DGRAM && addr.Addr().IsMulticast()
	if group {
		n.family = familyOf(addr.Addr())
		list = append(list, options.SO_REUSEADDR.With(true))
	}
	wildcard := !addr.Addr().IsValid() || addr.Addr().IsUnspecified() || group
	if wildcard {
		addr = netip.AddrPortFrom(n.wildcard(), addr.Port())
	}
	if addr.Addr().Is6() {
		list = append(list, options.IPV6_V6ONLY.With(n.family != 0 || !wildcard))
	}
	list = append(list, n.assignments(lc.KeepAlive, lc.KeepAliveConfig, lc.Options)...)
	sock, err := lc.Stack.open(familyOf(addr.Addr()), n.typ, list, addr)
	return sock, addr, err
}
