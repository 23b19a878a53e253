package wgnet_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/nettest"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/wsa"
)

func TestDialTCP(t *testing.T) {
	a, b := pair(t)
	for _, f := range families {
		t.Run(f.name, func(t *testing.T) {
			l, err := b.ListenTCPAddrPort(netip.AddrPortFrom(f.remote, 0))
			require.NoError(t, err)
			serveEcho(t, l)
			addr := l.Addr().(*net.TCPAddr)
			require.Equal(t, f.remote, addr.AddrPort().Addr())

			ways := map[string]func() (net.Conn, error){
				"DialTCP":                func() (net.Conn, error) { return a.DialTCP(addr) },
				"DialTCPAddrPort":        func() (net.Conn, error) { return a.DialTCPAddrPort(addr.AddrPort()) },
				"DialContextTCP":         func() (net.Conn, error) { return a.DialContextTCP(soon(t), addr) },
				"DialContextTCPAddrPort": func() (net.Conn, error) { return a.DialContextTCPAddrPort(soon(t), addr.AddrPort()) },
				"Dial":                   func() (net.Conn, error) { return a.Dial("tcp", addr.String()) },
				"DialContext":            func() (net.Conn, error) { return a.DialContext(soon(t), "tcp", addr.String()) },
			}
			for name, dial := range ways {
				c, err := dial()
				require.NoError(t, err, name)
				require.IsType(t, &endpoint.Conn{}, c, name)
				require.Equal(t, addr.String(), c.RemoteAddr().String(), name)
				require.Equal(t, f.local, c.LocalAddr().(*net.TCPAddr).AddrPort().Addr(), name)
				requireEcho(t, c, name)
			}
		})
	}
}

// What listeners take by their address: both families, unless it is one of a family.
func TestListenTCPFamilies(t *testing.T) {
	a, b := pair(t)
	for name, c := range map[string]struct {
		addr *net.TCPAddr
		v6   bool
	}{
		"nil":          {nil, true},
		"port":         {&net.TCPAddr{Port: 80}, true},
		"IPv6 any":     {&net.TCPAddr{IP: net.IPv6unspecified, Port: 81}, true},
		"IPv4 any":     {&net.TCPAddr{IP: net.IPv4zero, Port: 82}, false},
		"IPv4 address": {&net.TCPAddr{IP: net.ParseIP("10.0.0.2"), Port: 83}, false}, // 16 bytes
	} {
		t.Run(name, func(t *testing.T) {
			l, err := b.ListenTCP(c.addr)
			require.NoError(t, err)
			serveEcho(t, l)
			port := l.Addr().(*net.TCPAddr).AddrPort().Port()
			for _, f := range families {
				conn, err := a.DialTCPAddrPort(netip.AddrPortFrom(f.remote, port))
				if f.remote.Is6() && !c.v6 {
					require.ErrorIs(t, err, wsa.WSAECONNREFUSED)
					continue
				}
				require.NoError(t, err)
				requireEcho(t, conn, f.name)
			}
			_, err = b.ListenTCP(l.Addr().(*net.TCPAddr))
			require.ErrorIs(t, err, wsa.WSAEADDRINUSE)
		})
	}
}

func TestDialErrors(t *testing.T) {
	a, _ := pair(t)
	v4 := newHost(t, nil, a4)
	v6 := newHost(t, nil, a6)
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	late, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()
	nowhere := &net.TCPAddr{IP: net.IPv4(10, 0, 0, 9), Port: 80}
	for name, c := range map[string]struct {
		dial    func() (any, error)
		network string
		cause   func(error) bool
	}{
		"unknown network": {func() (any, error) { return a.Dial("sctp", "10.0.0.2:80") }, "sctp", is(net.UnknownNetworkError("sctp"))},
		"refused":         {func() (any, error) { return a.Dial("tcp", "10.0.0.2:80") }, "tcp", is(wsa.WSAECONNREFUSED)},
		"refused, IPv6":   {func() (any, error) { return a.DialTCP(&net.TCPAddr{IP: b6.AsSlice(), Port: 80}) }, "tcp", is(wsa.WSAECONNREFUSED)},
		"no IPv6":         {func() (any, error) { return v4.Dial("tcp", "[fd00::2]:80") }, "tcp", is(wsa.WSAENETUNREACH)},
		"no IPv4":         {func() (any, error) { return v6.DialTCP(nowhere) }, "tcp", is(wsa.WSAENETUNREACH)},
		"no IPv6 for UDP": {func() (any, error) { return v4.Dial("udp", "[fd00::2]:80") }, "udp", is(wsa.WSAENETUNREACH)},
		"other family":    {func() (any, error) { return a.Dial("tcp6", "10.0.0.2:80") }, "tcp6", isType[*net.AddrError]},
		"no port":         {func() (any, error) { return a.Dial("tcp", "10.0.0.2") }, "tcp", isType[*net.AddrError]},
		"no address":      {func() (any, error) { return a.DialTCP(nil) }, "tcp", isType[*net.AddrError]},
		"no UDP address":  {func() (any, error) { return a.DialUDP(nil, &net.UDPAddr{Port: 1}) }, "udp", isType[*net.AddrError]},
		"canceled":        {func() (any, error) { return a.DialContextTCP(canceled, nowhere) }, "tcp", is(context.Canceled)},
		"too late":        {func() (any, error) { return a.DialContext(late, "tcp", "10.0.0.9:80") }, "tcp", is(context.DeadlineExceeded)},
		"no such name":    {func() (any, error) { return v4.Dial("tcp", "example.org:80") }, "tcp4", isType[*net.DNSError]},
		"no name for one": {func() (any, error) { return v6.Dial("ping", "example.org") }, "ping", isType[*net.DNSError]},
		"ping, family":    {func() (any, error) { return a.Dial("ping6", "10.0.0.2") }, "ping6", isType[*net.AddrError]},
		"ping, no route":  {func() (any, error) { return v4.Dial("ping", "fd00::2") }, "ping6", is(wsa.WSAENETUNREACH)},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := c.dial()
			require.Nil(t, got)
			requireOpError(t, err, "dial", c.network, c.cause)
		})
	}
}

// is is errors.Is for a target.
func is(target error) func(error) bool {
	return func(err error) bool { return errors.Is(err, target) }
}

// isType is errors.As for a type.
func isType[E error](err error) bool {
	var e E
	return errors.As(err, &e)
}

// A dial that nobody answers ends with its context.
func TestDialUnanswered(t *testing.T) {
	a := newHost(t, nil, a4) // without a tunnel
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := a.DialContextTCPAddrPort(ctx, netip.AddrPortFrom(b4, 80))
	requireOpError(t, err, "dial", "tcp", is(context.DeadlineExceeded))
	require.True(t, err.(net.Error).Timeout())

	ctx, cancel = context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	_, err = a.DialContext(ctx, "tcp", "10.0.0.2:80")
	requireOpError(t, err, "dial", "tcp", is(context.Canceled))
}

func TestNetConn(t *testing.T) {
	a, b := pair(t)
	nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
		l, err := b.ListenTCP(&net.TCPAddr{IP: b4.AsSlice()})
		if err != nil {
			return nil, nil, nil, err
		}
		defer l.Close()
		if c1, err = a.DialTCP(l.Addr().(*net.TCPAddr)); err != nil {
			return nil, nil, nil, err
		}
		if c2, err = l.Accept(); err != nil {
			return nil, nil, nil, err
		}
		return c1, c2, func() {
			c1.Close()
			c2.Close()
		}, nil
	})
}
