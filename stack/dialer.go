package stack

import (
	"context"
	"net"
	"net/netip"
	"time"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/internal/socket"
	"github.com/wsstack/wsstack/internal/wait"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

// A Dialer connects to addresses from a Stack, as a net.Dialer does from the system. With the zero
// value of every field but Stack, its methods are those of Stack by the same names. It is safe for
// concurrent use while nobody changes its fields.
//
// Errors are *net.OpError. The error in it is context.DeadlineExceeded for a dial that took longer
// than Timeout, Deadline or the context permit, context.Canceled when the context was cancelled,
// a *net.DNSError or *net.AddrError for an address, and the wsa.Errno of bind, setsockopt or
// connect otherwise. A dial that fails leaves no socket behind.
type Dialer struct {
	// Stack is the stack whose sockets connect. It must be set.
	Stack *Stack

	// Timeout is how long a dial may take, the lookup of the name included; 0: no limit but those
	// of the lookup and of the handshake. It is a time of the stack's clock.
	Timeout time.Duration

	// Deadline is the time after which a dial fails; the zero Time: none. It is a time of the
	// stack's clock. Where Timeout is set as well, the earlier of the two counts.
	Deadline time.Time

	// LocalAddr is the local address to connect from, a *net.TCPAddr or *net.UDPAddr, as the
	// network has it; nil: the stack chooses one. A zero port is chosen by the stack. DialTCP and
	// DialUDP, which have a parameter for it, don't look at it.
	LocalAddr net.Addr

	// FallbackDelay is how long a dial to a host with several addresses waits for an answer before
	// it tries the next address beside the one before (RFC 8305 §5). 0: 250 ms. Negative: the next
	// address is tried when the one before has failed.
	FallbackDelay time.Duration

	// KeepAlive switches keep-alive on for a connection, with this time before the first probe,
	// in whole seconds, or off, if it is negative. With 0 the connection has what Config.Defaults
	// and Options say: it is off by default, other than in package net. Of no meaning for "udp".
	KeepAlive time.Duration

	// KeepAliveConfig sets the keep-alive parameters instead, if Enable is true. Its fields are as
	// for SetKeepAliveConfig of endpoint.Conn.
	KeepAliveConfig net.KeepAliveConfig

	// Options are set on each new socket, in order, before it is bound and connects, after
	// Config.Defaults and keep-alive. An option that the socket refuses fails the dial.
	Options []options.Assignment
}

// Dial is DialContext without a context.
func (d *Dialer) Dial(network, address string) (net.Conn, error) {
	return d.DialContext(context.Background(), network, address)
}

// DialContext connects to an address, as DialContext of Stack does.
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	fail := func(err error) (net.Conn, error) { return nil, callError("dial", network, netip.AddrPort{}, err) }
	n, err := parseNetwork(network)
	switch {
	case err != nil:
		return fail(err)
	case d.Stack == nil:
		return fail(errNoStack)
	case address == "":
		return fail(errMissingAddress)
	}
	local, err := n.localAddr(d.LocalAddr)
	if err != nil {
		return fail(err)
	}
	ctx, cancel := d.limited(ctx)
	defer cancel()
	addrs, err := d.Stack.resolve(ctx, n, address)
	if err != nil {
		return fail(err)
	}
	if addrs = n.destinations(addrs, local.Addr()); len(addrs) == 0 {
		return fail(&net.AddrError{Err: "no suitable address found", Addr: local.String()})
	}
	return d.connect(ctx, n, local, addrs)
}

// DialTCP connects to an address from another, as DialTCP of Stack does.
func (d *Dialer) DialTCP(ctx context.Context, network string, local, remote netip.AddrPort) (*endpoint.Conn, error) {
	c, err := d.dialFrom(ctx, network, wsa.SOCK_STREAM, local, remote)
	if err != nil {
		return nil, err
	}
	return c.(*endpoint.Conn), nil
}

// DialUDP is DialTCP for "udp", "udp4" and "udp6".
func (d *Dialer) DialUDP(ctx context.Context, network string, local, remote netip.AddrPort) (*endpoint.PacketConn, error) {
	c, err := d.dialFrom(ctx, network, wsa.SOCK_DGRAM, local, remote)
	if err != nil {
		return nil, err
	}
	return c.(*endpoint.PacketConn), nil
}

func (d *Dialer) dialFrom(ctx context.Context, network string, typ int32, local, remote netip.AddrPort) (net.Conn, error) {
	n, err := parseNetworkOf(network, typ)
	switch {
	case err != nil:
	case d.Stack == nil:
		err = errNoStack
	case !remote.IsValid():
		err = errMissingAddress
	default:
		err = n.unusable(remote.Addr())
	}
	if err != nil {
		return nil, callError("dial", network, remote, err)
	}
	ctx, cancel := d.limited(ctx)
	defer cancel()
	to := netip.AddrPortFrom(n.reachable(remote.Addr().Unmap()), remote.Port())
	return d.connect(ctx, n, local, []netip.AddrPort{to})
}

// connect connects from local, unless that is the zero value, to the first of addrs that answers.
func (d *Dialer) connect(ctx context.Context, n netKind, local netip.AddrPort, addrs []netip.AddrPort) (net.Conn, error) {
	list := n.assignments(d.KeepAlive, d.KeepAliveConfig, d.Options)
	open := func(to netip.AddrPort) (*socket.Socket, error) {
		from := local
		if from != (netip.AddrPort{}) {
			from = fromWildcard(local, to)
		}
		return d.Stack.open(familyOf(to.Addr()), n.typ, list, from)
	}
	sock, at, err := dial(ctx, d.Stack.host(), addrs, d.FallbackDelay, open)
	switch {
	case err != nil:
		e := callError("dial", n.name, at, err)
		if local != (netip.AddrPort{}) {
			e.Source = netAddr(n.name, local)
		}
		return nil, e
	case n.typ == wsa.SOCK_DGRAM:
		return endpoint.NewPacketConn(sock, n.name), nil
	}
	return endpoint.NewConn(sock, n.name), nil
}

// limited is a context that ends with ctx, or when the Dialer says that a dial is over.
func (d *Dialer) limited(ctx context.Context) (context.Context, context.CancelFunc) {
	if d.Timeout == 0 && d.Deadline.IsZero() {
		return ctx, func() {}
	}
	s, limit := d.Stack, d.Timeout
	if !d.Deadline.IsZero() {
		until := s.clock.Until(d.Deadline)
		if limit == 0 || until < limit {
			limit = until
		}
	}
	var done chan struct{}
	s.outside.Do(func() { done = make(chan struct{}) })
	c := wait.NewContext(ctx, s.clock.Now().Add(limit), done)
	if limit <= 0 {
		c.End(context.DeadlineExceeded)
		return c, func() {}
	}
	timer := s.clock.AfterFunc(limit, func() { c.End(context.DeadlineExceeded) })
	return c, func() {
		timer.Stop()
		c.End(context.Canceled)
	}
}
