package stack_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wsa"
)

// Programs take a ListenConfig for net's where they want its methods.
var _ interface {
	Listen(ctx context.Context, network, address string) (net.Listener, error)
	ListenPacket(ctx context.Context, network, address string) (net.PacketConn, error)
} = (*stack.ListenConfig)(nil)

// Options are set before bind: the bind matrix of one user (RU-4), over Listen and ListenPacket.
func TestListenConfig_BindMatrix(t *testing.T) {
	wants := [][]options.Assignment{nil, {options.SO_REUSEADDR.With(true)}, {options.SO_EXCLUSIVEADDRUSE.With(true)}}
	hosts := []string{"0.0.0.0", "127.0.0.1"}
	const ok, inUse, denied = wsa.Errno(0), wsa.WSAEADDRINUSE, wsa.WSAEACCES
	matrix := [][]wsa.Errno{ // the first by row, the second by column: default, reuse, exclusive, each for both hosts
		{inUse, ok, denied, ok, inUse, ok},
		{ok, inUse, ok, denied, inUse, inUse},
		{inUse, ok, ok, ok, inUse, ok},
		{ok, inUse, ok, ok, inUse, inUse},
		{inUse, denied, denied, denied, inUse, denied},
		{ok, inUse, ok, denied, inUse, inUse},
	}
	for row := range matrix {
		for column, want := range matrix[row] {
			t.Run(fmt.Sprint(row, column), func(t *testing.T) {
				s := alone(t)
				config := func(i int) (*stack.ListenConfig, string) {
					return &stack.ListenConfig{Stack: s, Options: wants[i/2]}, hosts[i%2] + ":80"
				}
				for _, listen := range []func(lc *stack.ListenConfig, address string) error{
					func(lc *stack.ListenConfig, address string) error {
						_, err := lc.Listen(t.Context(), "tcp4", address)
						return err
					},
					func(lc *stack.ListenConfig, address string) error {
						_, err := lc.ListenPacket(t.Context(), "udp4", address)
						return err
					},
				} {
					require.NoError(t, listen(config(row)))
					err := listen(config(column))
					if want == 0 {
						require.NoError(t, err)
						continue
					}
					require.ErrorIs(t, err, want)
					require.IsType(t, &net.OpError{}, err)
				}
			})
		}
	}
}

// Accepted connections have the options and the keep-alive of the configuration.
func TestListenConfig_Inheritance(t *testing.T) {
	s := alone(t)
	for i, tt := range []struct {
		config         stack.ListenConfig
		on             bool
		idle, interval time.Duration
		count          int
	}{
		{stack.ListenConfig{}, false, 2 * time.Hour, time.Second, 10},
		{stack.ListenConfig{KeepAlive: time.Minute}, true, time.Minute, 15 * time.Second, 9},
		{stack.ListenConfig{KeepAlive: -1, Options: []options.Assignment{options.TCP_NODELAY.With(true)}}, false, 2 * time.Hour, time.Second, 10},
		{stack.ListenConfig{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: time.Second, Interval: -1, Count: 3}},
			true, time.Second, time.Second, 3},
	} {
		tt.config.Stack = s
		address := netip.AddrPortFrom(netip.IPv6Loopback(), uint16(81+i))
		l, err := tt.config.ListenTCP("tcp6", address)
		require.NoError(t, err)
		_, err = s.DialTCP(t.Context(), "tcp", netip.AddrPort{}, address)
		require.NoError(t, err)
		c, err := l.AcceptTCP()
		require.NoError(t, err)
		is(t, c, options.SO_KEEPALIVE, tt.on)
		is(t, c, options.TCP_KEEPIDLE, tt.idle)
		is(t, c, options.TCP_KEEPINTVL, tt.interval)
		is(t, c, options.TCP_KEEPCNT, tt.count)
		is(t, c, options.TCP_NODELAY, tt.config.Options != nil)
	}
}

// An option may say otherwise than the network: "tcp" takes both families, without IPV6_V6ONLY.
func TestListenConfig_OptionsComeLast(t *testing.T) {
	s := alone(t)
	lc := stack.ListenConfig{Stack: s, Options: []options.Assignment{options.IPV6_V6ONLY.With(true)}}
	l, err := lc.ListenTCP("tcp", netip.AddrPort{})
	require.NoError(t, err)
	_, err = s.Dial("tcp", "[::1]:"+port(l.Addr()))
	require.NoError(t, err)
	_, err = s.Dial("tcp", "127.0.0.1:"+port(l.Addr()))
	require.ErrorIs(t, err, wsa.WSAECONNREFUSED)
}

// port is the port of an address.
func port(a net.Addr) string {
	_, port, _ := net.SplitHostPort(a.String())
	return port
}

// ListenTCP and ListenUDP take the addresses that Listen and ListenPacket take as text.
func TestListenTCPAndUDP(t *testing.T) {
	n := simnet.New(t)
	a := n.Host("a", "10.0.0.1/24", "fd00::1/64")
	var _ net.Listener = (*endpoint.Listener)(nil)
	for i, tt := range []struct {
		version string
		local   netip.Addr
		want    string
	}{
		{"", netip.Addr{}, "[::]"},
		{"", netip.IPv4Unspecified(), "[::]"},
		{"4", netip.Addr{}, "0.0.0.0"},
		{"6", netip.IPv6Unspecified(), "[::]"},
		{"", netip.MustParseAddr("10.0.0.1"), "10.0.0.1"},
		{"4", netip.MustParseAddr("::ffff:10.0.0.1"), "10.0.0.1"},
		{"6", netip.MustParseAddr("fd00::1"), "[fd00::1]"},
		{"", netip.MustParseAddr("127.0.0.1"), "127.0.0.1"},
	} {
		local := netip.AddrPortFrom(tt.local, uint16(100+i))
		want := fmt.Sprintf("%s:%d", tt.want, local.Port())
		l, err := a.ListenTCP("tcp"+tt.version, local)
		require.NoError(t, err)
		assert.Equal(t, want, l.Addr().String())
		p, err := a.ListenUDP("udp"+tt.version, local)
		require.NoError(t, err)
		assert.Equal(t, want, p.LocalAddr().String())
	}
	before := a.Stats()
	for _, tt := range []struct {
		network, local string
		want           string
	}{
		{"udp", "10.0.0.1:80", "listen udp 10.0.0.1:80: unknown network udp"},
		{"tcp9", "10.0.0.1:80", "listen tcp9 10.0.0.1:80: unknown network tcp9"},
		{"tcp4", "[fd00::1]:80", "listen tcp4 [fd00::1]:80: address fd00::1: not an address of tcp4"},
		{"tcp6", "[::ffff:10.0.0.1]:80", "listen tcp6 10.0.0.1:80: address 10.0.0.1: not an address of tcp6"},
		{"tcp", "[fe80::1%eth0]:80", "listen tcp [fe80::1%eth0]:80: WSAEADDRNOTAVAIL: address not available"},
		{"tcp", "10.0.0.2:80", "listen tcp 10.0.0.2:80: WSAEADDRNOTAVAIL: address not available"},
		{"tcp", "224.0.0.1:80", "listen tcp 224.0.0.1:80: WSAEADDRNOTAVAIL: address not available"},
		{"tcp", "10.0.0.1:104", "listen tcp 10.0.0.1:104: WSAEADDRINUSE: address in use"},
	} {
		l, err := a.ListenTCP(tt.network, netip.MustParseAddrPort(tt.local))
		require.EqualError(t, err, tt.want)
		require.IsType(t, &net.OpError{}, err)
		require.Nil(t, l)
	}
	_, err := a.ListenUDP("tcp", netip.AddrPort{})
	require.EqualError(t, err, "listen tcp: unknown network tcp")
	_, err = new(stack.ListenConfig).ListenUDP("udp", netip.AddrPort{})
	require.EqualError(t, err, "listen udp: there is no Stack")
	after := a.Stats()
	assert.Equal(t, [2]int{before.Sockets, before.Bindings}, [2]int{after.Sockets, after.Bindings}, "a failed call leaves nothing")
}

// Bad input is told as package net tells it, and leaves nothing bound.
func TestListenConfig_BadInput(t *testing.T) {
	s := alone(t)
	lc := stack.ListenConfig{Stack: s, Options: []options.Assignment{options.SO_REUSEADDR.With(true), options.SO_TYPE.With(1)}}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, tt := range []struct {
		ctx              context.Context
		network, address string
		want             string
	}{
		{t.Context(), "tcpx", ":80", "listen tcpx: unknown network tcpx"},
		{t.Context(), "udp", ":80", "listen udp: unknown network udp"},
		{t.Context(), "tcp", "127.0.0.1", "listen tcp: address 127.0.0.1: missing port in address"},
		{t.Context(), "tcp6", "127.0.0.1:80", "listen tcp6: address 127.0.0.1: not an address of tcp6"},
		{t.Context(), "tcp", "nobody:80", "listen tcp: lookup nobody: no such host: only literal addresses and localhost, while stack.Config has no Hosts, Nameservers or Resolver"},
		{t.Context(), "tcp", "127.0.0.1:80", "listen tcp 127.0.0.1:80: setsockopt SO_TYPE: WSAENOPROTOOPT: option not supported"},
		{ended, "tcp", "127.0.0.1:80", "listen tcp: context canceled"},
	} {
		l, err := lc.Listen(tt.ctx, tt.network, tt.address)
		require.EqualError(t, err, tt.want)
		require.IsType(t, &net.OpError{}, err)
		require.Nil(t, l)
	}
	_, err := lc.ListenPacket(t.Context(), "tcp", ":80")
	require.EqualError(t, err, "listen tcp: unknown network tcp")
	_, err = new(stack.ListenConfig).Listen(t.Context(), "tcp", ":80")
	require.EqualError(t, err, "listen tcp: there is no Stack")
	_, err = lc.ListenMulticastUDP("udp", nil, &net.UDPAddr{IP: net.IPv4(239, 1, 2, 3), Port: 7})
	require.ErrorIs(t, err, wsa.WSAENOPROTOOPT)
	assert.Zero(t, s.Stats().Sockets)
	assert.Zero(t, s.Stats().Bindings)
}

// The members of a group have the options, before they join.
func TestListenConfig_Multicast(t *testing.T) {
	s := alone(t)
	lc := stack.ListenConfig{Stack: s, Options: []options.Assignment{options.SO_RCVBUF.With(5000)}}
	c, err := lc.ListenMulticastUDP("udp4", &s.NetInterfaces()[0], &net.UDPAddr{IP: net.IPv4(239, 1, 2, 3), Port: 7})
	require.NoError(t, err)
	is(t, c, options.SO_RCVBUF, 5000)
	is(t, c, options.SO_REUSEADDR, true)
}
