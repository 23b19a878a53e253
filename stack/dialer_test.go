package stack_test

import (
	"context"
	"net"
	"net/http"
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

// Programs take a Dialer for net's where they want its methods.
var (
	_ interface {
		Dial(network, address string) (net.Conn, error)
		DialContext(ctx context.Context, network, address string) (net.Conn, error)
	} = (*stack.Dialer)(nil)

	_ = http.Transport{DialContext: (&stack.Dialer{}).DialContext}

	_ func(*stack.Dialer, context.Context, string, netip.AddrPort, netip.AddrPort) (*endpoint.Conn, error)       = (*stack.Dialer).DialTCP
	_ func(*stack.Dialer, context.Context, string, netip.AddrPort, netip.AddrPort) (*endpoint.PacketConn, error) = (*stack.Dialer).DialUDP
)

// Timeout and Deadline end a dial by the stack's clock, a lookup included, and leave nothing.
func TestDialer_Time(t *testing.T) {
	n := simnet.New(t)
	a := n.HostConfig("a", stack.Config{
		Addresses:   prefixes("10.0.0.1/24", "fd00::1/64"),
		Hosts:       map[string][]netip.Addr{"server": {netip.MustParseAddr("fd00::2"), netip.MustParseAddr("10.0.0.2")}},
		Nameservers: []netip.AddrPort{netip.MustParseAddrPort("10.0.0.2:53")},
	})
	n.Link(a, n.Host("b", "10.0.0.2/24", "fd00::2/64"), simnet.Loss(1))
	in := func(d time.Duration) time.Time { return n.Clock().Now().Add(d) }
	for _, tt := range []struct {
		name, address     string
		timeout, deadline time.Duration // 0: none
		takes             time.Duration
	}{
		{"timeout", "10.0.0.2:80", 1500 * time.Millisecond, 0, 1500 * time.Millisecond},
		{"deadline", "[fd00::2]:80", 0, 2 * time.Second, 2 * time.Second},
		{"the timeout is earlier", "10.0.0.2:80", time.Second, time.Minute, time.Second},
		{"the deadline is earlier", "10.0.0.2:80", time.Minute, time.Second, time.Second},
		{"several addresses", "server:80", time.Second, 0, time.Second},
		{"the lookup", "nobody.example:80", time.Second, 0, time.Second},
		{"no time", "10.0.0.2:80", -1, 0, 0},
		{"no time for several", "server:80", -1, 0, 0},
		{"a deadline that has passed", "10.0.0.2:80", time.Minute, -1, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := stack.Dialer{Stack: a.Stack, Timeout: tt.timeout}
			if tt.deadline != 0 {
				d.Deadline = in(tt.deadline)
			}
			var err error
			var took time.Duration
			sent := len(n.Trace())
			require.NoError(t, n.Do("dial", func() {
				before := n.Now()
				_, err = d.Dial("tcp", tt.address)
				took = n.Now() - before
			}))
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.IsType(t, &net.OpError{}, err)
			assert.True(t, err.(net.Error).Timeout(), err)
			assert.Equal(t, tt.takes, took)
			assert.Equal(t, tt.takes == 0, len(n.Trace()) == sent, "nothing leaves when there is no time")
			assert.Empty(t, a.Sockets())
			assert.Zero(t, n.Timers())
		})
	}
	t.Run("DialTCP", func(t *testing.T) {
		require.NoError(t, n.Do("dial", func() {
			d := stack.Dialer{Stack: a.Stack, Timeout: time.Second}
			_, err := d.DialTCP(context.Background(), "tcp", netip.AddrPort{}, netip.MustParseAddrPort("10.0.0.2:80"))
			assert.ErrorIs(t, err, context.DeadlineExceeded)
		}))
		assert.Empty(t, a.Sockets())
	})
}

// A dial that is fast enough leaves no timer, and its connection lives on when the time is over.
func TestDialer_InTime(t *testing.T) {
	n := simnet.New(t)
	a, b := n.Host("a", "10.0.0.1/24"), n.Host("b", "10.0.0.2/24")
	n.Link(a, b, simnet.Delay(10*time.Millisecond))
	l, err := b.Listen("tcp", ":80")
	require.NoError(t, err)
	require.NoError(t, n.Do("test", func() {
		c, err := (&stack.Dialer{Stack: a.Stack, Timeout: time.Second, Deadline: n.Clock().Now().Add(time.Hour)}).Dial("tcp", "10.0.0.2:80")
		require.NoError(t, err)
		_, err = l.Accept()
		require.NoError(t, err)
		n.Sleep(2 * time.Hour)
		_, err = c.Write([]byte("hello"))
		require.NoError(t, err)
	}))
}

// The context ends a dial as it does without a Dialer, whatever the Timeout; who has a deadline in
// a context has it for the Resolver, too.
func TestDialer_Context(t *testing.T) {
	n := simnet.New(t)
	var until time.Time
	a := n.HostConfig("a", stack.Config{Addresses: prefixes("10.0.0.1/24"), Resolver: resolverFunc(func(ctx context.Context, _ string) ([]string, error) {
		until, _ = ctx.Deadline()
		return []string{"10.0.0.2", "10.0.0.3"}, ctx.Err()
	})})
	n.Link(a, n.Host("b", "10.0.0.2/24"), simnet.Loss(1))
	for _, address := range []string{"10.0.0.2:80", "server:80"} {
		require.NoError(t, n.Do("dial", func() {
			ctx, cancel := n.WithCancel(context.Background())
			n.Go("cancel", func() {
				n.Sleep(time.Second)
				cancel()
			})
			before, end := n.Now(), n.Clock().Now().Add(time.Hour)
			_, err := (&stack.Dialer{Stack: a.Stack, Timeout: time.Hour}).DialContext(ctx, "tcp", address)
			assert.ErrorIs(t, err, context.Canceled)
			assert.Equal(t, time.Second, n.Now()-before)
			if address == "server:80" {
				assert.Equal(t, end, until)
			}
			_, err = (&stack.Dialer{Stack: a.Stack, Timeout: time.Hour}).DialContext(ctx, "tcp", address)
			assert.ErrorIs(t, err, context.Canceled, "it has ended before")
		}))
		assert.Empty(t, a.Sockets())
		assert.Zero(t, n.Timers())
	}
}

// LocalAddr is where a connection comes from, and which of a name's addresses are tried.
func TestDialer_LocalAddr(t *testing.T) {
	n := simnet.New(t)
	a := n.HostConfig("a", stack.Config{Addresses: prefixes("10.0.0.1/24", "10.0.0.3/24", "fd00::1/64"), Hosts: map[string][]netip.Addr{
		"server": {netip.MustParseAddr("fd00::2"), netip.MustParseAddr("10.0.0.2")},
	}})
	b := n.Host("b", "10.0.0.2/24", "fd00::2/64")
	n.Link(a, b)
	for _, h := range []*simnet.Host{a, b} {
		_, err := h.Listen("tcp", ":80")
		require.NoError(t, err)
	}
	tcp := func(ip string, port int) net.Addr { return &net.TCPAddr{IP: net.ParseIP(ip), Port: port} }
	udp := func(ip string, port int) net.Addr { return &net.UDPAddr{IP: net.ParseIP(ip), Port: port} }
	for _, tt := range []struct {
		network, address string
		local            net.Addr
		from, to         string // "": any
	}{
		{"tcp", "10.0.0.2:80", tcp("10.0.0.3", 5001), "10.0.0.3:5001", "10.0.0.2:80"},
		{"tcp", "server:80", tcp("10.0.0.3", 5002), "10.0.0.3:5002", "10.0.0.2:80"},
		{"tcp", "server:80", tcp("fd00::1", 5003), "[fd00::1]:5003", "[fd00::2]:80"},
		{"tcp4", "server:80", tcp("0.0.0.0", 5004), "10.0.0.1:5004", "10.0.0.2:80"},
		{"tcp", "server:80", tcp("", 5005), "[fd00::1]:5005", "[fd00::2]:80"},
		{"tcp", "10.0.0.2:80", tcp("::", 5006), "10.0.0.1:5006", "10.0.0.2:80"},
		{"tcp", "10.0.0.2:80", &net.TCPAddr{}, "", "10.0.0.2:80"},
		{"tcp", "10.0.0.2:80", tcp("10.0.0.3", 0), "", "10.0.0.2:80"},
		{"tcp", ":80", tcp("::1", 5007), "[::1]:5007", "[::1]:80"},
		{"tcp", ":80", tcp("127.0.0.1", 5008), "127.0.0.1:5008", "127.0.0.1:80"},
		{"udp", "server:53", udp("10.0.0.3", 5001), "10.0.0.3:5001", "10.0.0.2:53"},
		{"udp6", "server:53", udp("fd00::1", 5002), "[fd00::1]:5002", "[fd00::2]:53"},
	} {
		require.NoError(t, n.Do("dial", func() {
			c, err := (&stack.Dialer{Stack: a.Stack, LocalAddr: tt.local}).Dial(tt.network, tt.address)
			require.NoError(t, err, tt)
			assert.Equal(t, tt.to, c.RemoteAddr().String(), tt)
			if tt.from != "" {
				assert.Equal(t, tt.from, c.LocalAddr().String(), tt)
			}
		}))
	}
	before := a.Stats()
	for _, tt := range []struct {
		network, address string
		local            net.Addr
		want             string
		code             wsa.Errno // 0: none
	}{
		{"tcp", "10.0.0.2:80", udp("10.0.0.1", 0), "dial tcp: address 10.0.0.1:0: mismatched local address type", 0},
		{"udp", "10.0.0.2:80", tcp("10.0.0.1", 0), "dial udp: address 10.0.0.1:0: mismatched local address type", 0},
		{"tcp", "10.0.0.2:80", &net.IPAddr{IP: net.IPv4(10, 0, 0, 1)}, "dial tcp: address 10.0.0.1: mismatched local address type", 0},
		{"tcp", "10.0.0.2:80", tcp("fd00::1", 0), "dial tcp: address [fd00::1]:0: no suitable address found", 0},
		{"tcp4", ":80", tcp("::1", 0), "dial tcp4: address [::1]:0: no suitable address found", 0},
		{"tcp", "10.0.0.2:80", &net.TCPAddr{IP: net.IP{1, 2, 3}}, "dial tcp: address ?010203:0: not an IP address", 0},
		{"tcp", "[fd00::2]:80", &net.TCPAddr{IP: net.ParseIP("fe80::1"), Zone: "eth0"},
			"dial tcp [fe80::1%eth0]:0->[fd00::2]:80: WSAEADDRNOTAVAIL: address not available", wsa.WSAEADDRNOTAVAIL},
		{"tcp", "10.0.0.2:80", tcp("10.0.0.9", 7), "dial tcp 10.0.0.9:7->10.0.0.2:80: WSAEADDRNOTAVAIL: address not available", wsa.WSAEADDRNOTAVAIL},
		{"tcp", "10.0.0.2:80", tcp("10.0.0.3", 5001), "dial tcp 10.0.0.3:5001->10.0.0.2:80: WSAEADDRINUSE: address in use", wsa.WSAEADDRINUSE},
		{"tcp", "10.0.0.2:81", tcp("10.0.0.3", 6000), "dial tcp 10.0.0.3:6000->10.0.0.2:81: WSAECONNREFUSED: connection refused", wsa.WSAECONNREFUSED},
	} {
		require.NoError(t, n.Do("dial", func() {
			_, err := (&stack.Dialer{Stack: a.Stack, LocalAddr: tt.local}).Dial(tt.network, tt.address)
			require.ErrorContains(t, err, tt.want, tt)
			require.IsType(t, &net.OpError{}, err)
			if tt.code != 0 {
				require.ErrorIs(t, err, tt.code)
			}
		}))
	}
	after := a.Stats()
	assert.Equal(t, [2]int{before.Sockets, before.Bindings}, [2]int{after.Sockets, after.Bindings}, "a failed dial leaves nothing")
}

// Bad input is told before there is a socket.
func TestDialer_BadInput(t *testing.T) {
	s := alone(t)
	for _, tt := range []struct{ network, address, want string }{
		{"tcpx", "127.0.0.1:80", "dial tcpx: unknown network tcpx"},
		{"", "127.0.0.1:80", "dial: unknown network "},
		{"ip4:icmp", "127.0.0.1", "dial ip4:icmp: unknown network ip4:icmp"},
		{"tcp", "", "dial tcp: missing address"},
		{"tcp", "127.0.0.1", "dial tcp: address 127.0.0.1: missing port in address"},
		{"tcp", "127.0.0.1:http2000", "dial tcp: lookup tcp/http2000: unknown port"},
		{"tcp4", "[::1]:80", "dial tcp4: address ::1: not an address of tcp4"},
	} {
		_, err := (&stack.Dialer{Stack: s}).Dial(tt.network, tt.address)
		require.EqualError(t, err, tt.want)
		require.IsType(t, &net.OpError{}, err)
	}
	_, err := new(stack.Dialer).Dial("tcp", "127.0.0.1:80")
	require.EqualError(t, err, "dial tcp: there is no Stack")
	_, err = new(stack.Dialer).DialTCP(t.Context(), "tcp", netip.AddrPort{}, netip.MustParseAddrPort("127.0.0.1:80"))
	require.EqualError(t, err, "dial tcp 127.0.0.1:80: there is no Stack")
	assert.Empty(t, s.Sockets())
}

// Keep-alive is as net.Dialer has it, but that a zero KeepAlive changes nothing.
func TestDialer_KeepAlive(t *testing.T) {
	on := []options.Assignment{options.SO_KEEPALIVE.With(true), options.TCP_KEEPIDLE.With(time.Minute)}
	s, err := stack.New(stack.Config{Defaults: on})
	require.NoError(t, err)
	defer s.Close()
	l, err := s.Listen("tcp", ":80")
	require.NoError(t, err)
	defer l.Close() // kept, as the garbage collector closes what nobody has any more
	for _, tt := range []struct {
		dialer         stack.Dialer
		on             bool
		idle, interval time.Duration
		count          int
	}{
		{stack.Dialer{}, true, time.Minute, time.Second, 10},
		{stack.Dialer{KeepAlive: -1}, false, time.Minute, time.Second, 10},
		{stack.Dialer{KeepAlive: 90 * time.Second}, true, 90 * time.Second, 15 * time.Second, 9},
		{stack.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true}}, true, 15 * time.Second, 15 * time.Second, 9},
		{stack.Dialer{KeepAlive: -1, KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: -1, Interval: 3 * time.Second, Count: 2}},
			true, time.Minute, 3 * time.Second, 2},
		{stack.Dialer{KeepAliveConfig: net.KeepAliveConfig{Idle: time.Hour}}, true, time.Minute, time.Second, 10},
		{stack.Dialer{KeepAlive: time.Second, Options: []options.Assignment{options.TCP_KEEPCNT.With(7)}}, true, time.Second, 15 * time.Second, 7},
	} {
		tt.dialer.Stack = s
		c, err := tt.dialer.Dial("tcp", "localhost:80")
		require.NoError(t, err)
		conn := c.(*endpoint.Conn)
		is(t, conn, options.SO_KEEPALIVE, tt.on)
		is(t, conn, options.TCP_KEEPIDLE, tt.idle)
		is(t, conn, options.TCP_KEEPINTVL, tt.interval)
		is(t, conn, options.TCP_KEEPCNT, tt.count)
		require.NoError(t, c.Close())
		u, err := tt.dialer.Dial("udp", "localhost:80")
		if len(tt.dialer.Options) == 0 {
			require.NoError(t, err, "a datagram socket has no keep-alive")
			require.NoError(t, u.Close())
		}
	}
	_, err = (&stack.Dialer{Stack: s, KeepAliveConfig: net.KeepAliveConfig{Enable: true, Count: 256}}).Dial("tcp", "127.0.0.1:80")
	require.ErrorIs(t, err, wsa.WSAEINVAL)
	require.EqualError(t, err, "dial tcp 127.0.0.1:80: setsockopt TCP_KEEPCNT: WSAEINVAL: invalid argument")
}

// Options are set before the SYN leaves, on each socket of a dial, and one that a socket refuses
// leaves nothing.
func TestDialer_Options(t *testing.T) {
	n, a, b, _ := eyeballs(t, simnet.Delay(time.Millisecond))
	_, err := b.Listen("tcp", "10.0.0.2:80")
	require.NoError(t, err)
	require.NoError(t, n.Do("dial", func() {
		d := stack.Dialer{Stack: a.Stack, Options: []options.Assignment{options.SO_RCVBUF.With(9000), options.TCP_NODELAY.With(true)}}
		c, err := d.Dial("tcp", "server:80")
		require.NoError(t, err)
		assert.Equal(t, "10.0.0.2:80", c.RemoteAddr().String())
		is(t, c.(*endpoint.Conn), options.SO_RCVBUF, 9000)
		is(t, c.(*endpoint.Conn), options.TCP_NODELAY, true)
		for _, l := range n.Trace() {
			if l.From == "a" && l.Segment.Flags.String() == "S" {
				assert.EqualValues(t, 9000, l.Segment.Window, "of a SYN")
			}
		}
		d.Options = append(d.Options, options.SO_ERROR.With(0))
		for _, address := range []string{"10.0.0.2:80", "server:80"} {
			_, err = d.Dial("tcp", address)
			require.ErrorIs(t, err, wsa.WSAENOPROTOOPT)
			require.ErrorContains(t, err, ": setsockopt SO_ERROR: WSAENOPROTOOPT")
			require.IsType(t, &net.OpError{}, err)
		}
		_, err = d.Dial("udp", "10.0.0.2:80")
		require.ErrorContains(t, err, "setsockopt TCP_NODELAY: ")
	}))
	assert.Len(t, a.Sockets(), 1)
	assert.Equal(t, 1, a.Stats().Bindings)
}

// FallbackDelay says when the second of several addresses is tried.
func TestDialer_FallbackDelay(t *testing.T) {
	for _, tt := range []struct {
		delay time.Duration
		syns  string
	}{
		{0, "0s fd00::2, 250ms 10.0.0.2"},
		{time.Second, "0s fd00::2, 1s fd00::2, 1s 10.0.0.2"},
		{-1, "0s fd00::2, 1s fd00::2, 3s fd00::2, 7s fd00::2, 15s fd00::2, 21s 10.0.0.2"},
	} {
		n, a, b, syns := eyeballs(t, simnet.Delay(10*time.Millisecond))
		_, err := b.Listen("tcp", "10.0.0.2:80")
		require.NoError(t, err)
		require.NoError(t, b.RemoveAddress(netip.MustParseAddr("fd00::2")))
		require.NoError(t, n.Do("dial", func() {
			c, err := (&stack.Dialer{Stack: a.Stack, FallbackDelay: tt.delay}).Dial("tcp", "server:80")
			require.NoError(t, err)
			assert.Equal(t, "10.0.0.2:80", c.RemoteAddr().String())
		}))
		assert.Equal(t, tt.syns, syns())
	}
}
