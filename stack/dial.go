package stack

import (
	"context"
	"net"
	"net/netip"

	"github.com/wsstack/wsstack/internal/socket"
	"github.com/wsstack/wsstack/internal/wait"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/wsa"
)

// DialTCP connects to an address, from local, which isn't valid where the stack
// is to choose, as its port is where that is 0. The network is "tcp", "tcp4" or
// "tcp6". Unspecified addresses are as in DialContext.
func (s *Stack) DialTCP(ctx context.Context, network string, local, remote netip.AddrPort) (*endpoint.Conn, error) {
	c, err := s.dialFrom(ctx, network, wsa.SOCK_STREAM, local, remote)
	if err != nil {
		return nil, err
	}
	return c.(*endpoint.Conn), nil
}

// DialUDP is DialTCP for "udp", "udp4" and "udp6".
func (s *Stack) DialUDP(ctx context.Context, network string, local, remote netip.AddrPort) (*endpoint.PacketConn, error) {
	c, err := s.dialFrom(ctx, network, wsa.SOCK_DGRAM, local, remote)
	if err != nil {
		return nil, err
	}
	return c.(*endpoint.PacketConn), nil
}

func (s *Stack) dialFrom(ctx context.Context, network string, typ int32, local, remote netip.AddrPort) (net.Conn, error) {
	n, err := parseNetwork(network)
	if err == nil && n.typ != typ {
		err = net.UnknownNetworkError(network)
	}
	if err == nil {
		err = n.unusable(remote)
	}
	if err != nil {
		return nil, callError("dial", network, remote, err)
	}
	remote = netip.AddrPortFrom(n.reachable(remote.Addr().Unmap()), remote.Port())
	sock, errno := socket.New(s, familyOf(remote.Addr()), typ, 0, s.cfg.Owner)
	if errno != 0 {
		return nil, callError("dial", network, remote, errno)
	}
	if local.IsValid() {
		if errno := sock.Bind(fromWildcard(local, remote)); errno != 0 {
			sock.Close()
			return nil, callError("dial", network, remote, errno)
		}
	}
	return connectSocket(ctx, sock, network, remote)
}

// connectSocket connects a new stream or datagram socket, and gives up when ctx ends,
// with the context's error.
func connectSocket(ctx context.Context, sock *socket.Socket, network string, addr netip.AddrPort) (net.Conn, error) {
	err := ctx.Err()
	if err == nil {
		errno := sock.ConnectUntil(ctx, addr, nil)
		if errno == 0 {
			return faceOf(sock, network), nil
		}
		if err = errno; errno == wait.ErrCanceled {
			err = ctx.Err()
		}
	}
	sock.Close()
	return nil, callError("dial", network, addr, err)
}

// unusable is the error of an address that can't be dialled on a network.
func (n netKind) unusable(addr netip.AddrPort) error {
	switch a := addr.Addr().Unmap(); {
	case !addr.IsValid():
		return &net.AddrError{Err: "missing address"}
	case a.Zone() != "":
		return noZones(a)
	case n.family != 0 && n.family != familyOf(a):
		return &net.AddrError{Err: "not an address of " + n.name, Addr: a.String()}
	}
	return nil
}

// fromWildcard gives a local address the form it has without IPv6 in it, and an
// unspecified one the family of the peer.
func fromWildcard(local, remote netip.AddrPort) netip.AddrPort {
	a := local.Addr().Unmap()
	switch {
	case a.IsUnspecified() && remote.Addr().Is4():
		a = netip.IPv4Unspecified()
	case a.IsUnspecified():
		a = netip.IPv6Unspecified()
	}
	return netip.AddrPortFrom(a, local.Port())
}
