package stack

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/wsstack/wsstack/internal/socket"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

// The errors of calls that say too little.
var (
	errNoStack        = errors.New("there is no Stack")
	errMissingAddress = &net.AddrError{Err: "missing address"}
)

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

// parseNetworkOf is parseNetwork where the type of the sockets is given.
func parseNetworkOf(network string, typ int32) (netKind, error) {
	n, err := parseNetwork(network)
	if err == nil && n.typ != typ {
		err = net.UnknownNetworkError(network)
	}
	return n, err
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

// destinations are the addresses to connect to, where a socket can that is bound to local; local
// may be unspecified or not valid.
func (n netKind) destinations(addrs []netip.AddrPort, local netip.Addr) (list []netip.AddrPort) {
	specific := local.IsValid() && !local.IsUnspecified()
	for _, addr := range addrs {
		a := addr.Addr()
		if specific && !a.IsValid() && n.family == 0 {
			a = n.loopback(local)
		}
		if a = n.reachable(a); !specific || a.Is4() == local.Is4() {
			list = append(list, netip.AddrPortFrom(a, addr.Port()))
		}
	}
	return list
}

// unusable is the error of an address that a call on the network can't have.
func (n netKind) unusable(a netip.Addr) error {
	if a = a.Unmap(); n.family != 0 && n.family != familyOf(a) {
		return &net.AddrError{Err: "not an address of " + n.name, Addr: a.String()}
	}
	return nil
}

// localAddr reads the LocalAddr of a Dialer; nil is the zero value.
func (n netKind) localAddr(a net.Addr) (netip.AddrPort, error) {
	var addr net.TCPAddr
	typ := int32(0)
	switch a := a.(type) {
	case nil:
		return netip.AddrPort{}, nil
	case *net.TCPAddr:
		addr, typ = *a, wsa.SOCK_STREAM
	case *net.UDPAddr:
		addr, typ = net.TCPAddr(*a), wsa.SOCK_DGRAM
	}
	local := addr.AddrPort()
	switch {
	case typ != n.typ:
		return local, &net.AddrError{Err: "mismatched local address type", Addr: a.String()}
	case len(addr.IP) > 0 && !local.IsValid():
		return local, &net.AddrError{Err: "not an IP address", Addr: a.String()}
	}
	return netip.AddrPortFrom(local.Addr().Unmap(), local.Port()), nil
}

// fromWildcard gives a local address the form it has without IPv6 in it, and an
// unspecified one the family of the peer.
func fromWildcard(local, remote netip.AddrPort) netip.AddrPort {
	a := local.Addr().Unmap()
	if !a.IsValid() || a.IsUnspecified() {
		a = netip.IPv6Unspecified()
		if remote.Addr().Is4() {
			a = netip.IPv4Unspecified()
		}
	}
	return netip.AddrPortFrom(a, local.Port())
}

func familyOf(a netip.Addr) int32 {
	if a.Is4() {
		return wsa.AF_INET
	}
	return wsa.AF_INET6
}

// assignments are the options of a new socket by the fields that Dialer and ListenConfig share.
func (n netKind) assignments(idle time.Duration, config net.KeepAliveConfig, others []options.Assignment) []options.Assignment {
	if n.typ != wsa.SOCK_STREAM {
		return others
	}
	var list []options.Assignment
	switch {
	case config.Enable:
		list = socket.KeepAliveOptions(config)
	case idle > 0:
		list = socket.KeepAliveOptions(net.KeepAliveConfig{Enable: true, Idle: idle})
	case idle < 0:
		list = append(list, options.SO_KEEPALIVE.With(false))
	}
	return append(list, others...)
}

// open makes a socket with options, bound to an address unless that is the zero value.
func (s *Stack) open(family, typ int32, list []options.Assignment, local netip.AddrPort) (*socket.Socket, error) {
	sock, errno := socket.New(s.host(), family, typ, 0, s.cfg.Owner)
	if errno != 0 {
		return nil, errno
	}
	for _, a := range list {
		if err := a.Set(setter{sock}); err != nil {
			sock.Close()
			return nil, os.NewSyscallError("setsockopt "+a.String(), err)
		}
	}
	if local == (netip.AddrPort{}) {
		return sock, nil
	}
	if errno := sock.Bind(local); errno != 0 {
		sock.Close()
		return nil, errno
	}
	return sock, nil
}

// A setter is a socket as package options sets options.
type setter struct{ *socket.Socket }

// SetSockOpt implements options.Setter.
func (s setter) SetSockOpt(level, name int32, optval []byte) error {
	if errno := s.Socket.SetSockOpt(level, name, optval); errno != 0 {
		return errno
	}
	return nil
}
