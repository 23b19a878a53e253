package stack_test

import (
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/provider"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wsa"
)

// New refuses what setsockopt on a new socket would refuse, with its code, and
// names the assignment.
func TestDefaultsAreChecked(t *testing.T) {
	for _, tt := range []struct {
		name string
		a    options.Assignment
		want string
		code wsa.Errno
	}{
		{"value", options.TCP_KEEPCNT.With(256), "config.Defaults[1], TCP_KEEPCNT: ", wsa.WSAEINVAL},
		{"value of the last kind", options.IP_TTL.With(0), "config.Defaults[1], IP_TTL: ", wsa.WSAEINVAL},
		{"no optval holds it", options.SO_SNDBUF.With(-1), "config.Defaults[1], SO_SNDBUF: ", wsa.WSAEINVAL},
		{"cannot be set", options.SO_ERROR.With(0), "config.Defaults[1], SO_ERROR: no socket can have it set: ", wsa.WSAENOPROTOOPT},
		{"an interface there isn't", options.IP_ADD_MEMBERSHIP.With(wsa.IPMreq{Multiaddr: [4]byte{224, 1, 2, 3}, Interface: [4]byte{10, 9, 9, 9}}),
			"config.Defaults[1], IP_ADD_MEMBERSHIP: ", wsa.WSAEADDRNOTAVAIL},
		{"nothing", options.Assignment{}, "config.Defaults[1], no option: ", wsa.WSAEINVAL},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := stack.New(stack.Config{Defaults: []options.Assignment{options.TCP_NODELAY.With(true), tt.a}})
			require.ErrorContains(t, err, tt.want)
			require.ErrorIs(t, err, tt.code)
			require.Nil(t, s)
		})
	}
}

// Sockets of both faces, families and all kinds have the defaults, and pass
// over what they don't have; connections have what their listener has.
func TestDefaults(t *testing.T) {
	defaults := []options.Assignment{
		options.TCP_NODELAY.With(true), options.SO_KEEPALIVE.With(true), options.TCP_KEEPIDLE.With(time.Minute),
		options.SO_BROADCAST.With(true), options.IPV6_UNICAST_HOPS.With(9), options.SO_RCVBUF.With(50_000),
	}
	n := simnet.New(t)
	a := n.HostConfig("a", stack.Config{Addresses: prefixes("10.0.0.1/24", "fd00::1/64"), Defaults: defaults})
	clear(defaults) // the stack has its own
	b := n.Host("b", "10.0.0.2/24", "fd00::2/64")
	n.Link(a, b)
	for _, host := range []string{"10.0.0.%d", "[fd00::%d]"} {
		address := func(i int) string { return fmt.Sprintf(host, i) + ":80" }
		stream := func(c *endpoint.Conn) {
			t.Helper()
			is(t, c, options.TCP_NODELAY, true)
			is(t, c, options.SO_KEEPALIVE, true)
			is(t, c, options.TCP_KEEPIDLE, time.Minute)
			is(t, c, options.SO_RCVBUF, 50_000)
			if c.LocalAddr().(*net.TCPAddr).IP.To4() == nil {
				is(t, c, options.IPV6_UNICAST_HOPS, 9)
			}
		}
		l, err := a.Listen("tcp", address(1))
		require.NoError(t, err)
		require.NoError(t, options.TCP_KEEPIDLE.Set(l.(*endpoint.Listener), time.Hour))
		other, err := b.Listen("tcp", address(2))
		require.NoError(t, err)
		require.NoError(t, n.Do("test", func() {
			c, err := a.Dial("tcp", address(2))
			require.NoError(t, err)
			stream(c.(*endpoint.Conn))
			peer, err := other.Accept()
			require.NoError(t, err)
			is(t, peer.(*endpoint.Conn), options.TCP_NODELAY, false)
			c, err = b.Dial("tcp", address(1))
			require.NoError(t, err)
			is(t, c.(*endpoint.Conn), options.TCP_NODELAY, false)
			c, err = l.Accept()
			require.NoError(t, err)
			is(t, c.(*endpoint.Conn), options.TCP_KEEPIDLE, time.Hour)
			require.NoError(t, options.TCP_KEEPIDLE.Set(c.(*endpoint.Conn), time.Minute))
			stream(c.(*endpoint.Conn))
		}))
		p, err := a.ListenPacket("udp", address(1))
		require.NoError(t, err)
		if p.LocalAddr().(*net.UDPAddr).IP.To4() != nil {
			is(t, p.(*endpoint.PacketConn), options.SO_BROADCAST, true)
		}
		is(t, p.(*endpoint.PacketConn), options.SO_RCVBUF, 50_000)
	}

	p, err := provider.Startup(a.Stack, wsa.WINSOCK_VERSION)
	require.NoError(t, err)
	for _, family := range []int32{wsa.AF_INET, wsa.AF_INET6} {
		s, err := p.Socket(family, wsa.SOCK_RAW, wsa.IPPROTO_ICMP)
		require.NoError(t, err)
		optval, optlen := make([]byte, 4), int32(4)
		require.NoError(t, p.GetSockOpt(s, wsa.SOL_SOCKET, wsa.SO_RCVBUF, optval, &optlen))
		assert.Equal(t, []byte{0x50, 0xC3, 0, 0}, optval)
	}
}

func is[T any](t *testing.T, c options.Getter, o options.Option[T], want T) {
	t.Helper()
	got, err := o.Get(c)
	require.NoError(t, err)
	assert.Equal(t, want, got, o.String())
}

// The second of two small writes waits for the acknowledgement of the first,
// which the peer delays: 40 ms here. With TCP_NODELAY among the defaults it
// leaves at once.
func TestDefaultsOnTheWire(t *testing.T) {
	for _, addr := range []string{"10.0.0.1:80", "[fd00::1]:80"} {
		for _, tt := range []struct {
			name     string
			defaults []options.Assignment
			want     string
		}{
			{"Nagle", nil, "0.040s [P.] seq 2:3"},
			{"no delay", []options.Assignment{options.TCP_NODELAY.With(true)}, "0.000s [P.] seq 2:3"},
		} {
			t.Run(tt.name+" "+addr, func(t *testing.T) {
				n := simnet.New(t)
				a := n.HostConfig("a", stack.Config{Addresses: prefixes("10.0.0.1/24", "fd00::1/64"), Defaults: tt.defaults})
				l, err := a.Listen("tcp", addr)
				require.NoError(t, err)
				n.Background("server", func() {
					c, err := l.Accept()
					if err != nil {
						return
					}
					c.Write([]byte("a"))
					c.Write([]byte("b"))
					c.Read(make([]byte, 1))
				})
				p := n.Wire(a, "peer", "10.0.0.9", "fd00::9").Connect(addr)
				p.Send("[S] <mss 1000>")
				p.Expect("[S.]")
				p.Send("[.]")
				p.Expect("0.000s [P.] seq 1:2")
				n.Clock().AfterFunc(40*time.Millisecond, func() { p.Send("[.] ack 2") })
				p.Expect(tt.want)
			})
		}
	}
}
