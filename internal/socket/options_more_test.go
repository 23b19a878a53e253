package socket_test

import (
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/wsstack/wsstack/internal/socket"
	"github.com/wsstack/wsstack/internal/sockettest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wsa"
)

var (
	_ options.Setter = (*endpoint.Conn)(nil)
	_ options.Getter = (*endpoint.Conn)(nil)
	_ options.Setter = (*endpoint.Listener)(nil)
	_ options.Setter = (*endpoint.PacketConn)(nil)
)

func TestTypedOptions(t *testing.T) {
	a, b := sockettest.Pair(t)
	c, _ := sockettest.Connected(t, a, b, sockettest.Families[0].Addr)
	require.NoError(t, options.TCP_KEEPIDLE.Set(c, 30*time.Second))
	idle, err := options.TCP_KEEPIDLE.Get(c)
	require.NoError(t, err)
	assert.Equal(t, 30*time.Second, idle)
	require.NoError(t, options.SetAll(c, options.SO_KEEPALIVE.With(true), options.IP_TTL.With(64)))
	mtu, err := options.IP_MTU.Get(c)
	require.NoError(t, err)
	assert.EqualValues(t, 1500, mtu)
	sockettest.CheckOpError(t, options.IP_TTL.Set(c, 256), "set", wsa.WSAEINVAL)
}

// AV-18: calls on options run at the same time as each other and as I/O.
func TestOptionsRace(t *testing.T) {
	a, b := sockettest.Pair(t)
	client, server := sockettest.ConnectedSockets(t, a, b)
	dgram := member(t, b, wsa.AF_INET6, netip.IPv6Unspecified())
	from := sockettest.NewSocket(t, a, wsa.AF_INET6, wsa.SOCK_DGRAM)
	group := mcastFamilies[1].group
	stop := make(chan struct{})
	var wg, enough sync.WaitGroup
	loop := func(f func(i uint32)) {
		const times = 2000
		enough.Add(1)
		wg.Go(func() {
			for i := uint32(0); ; i++ {
				if i == times {
					enough.Done()
				}
				select {
				case <-stop:
					return
				default:
					f(i)
				}
			}
		})
	}
	buf := func() []byte { return make([]byte, 100) }
	table := options.Table()
	for _, s := range []*socket.Socket{client, server, dgram, from} {
		loop(func(i uint32) {
			o := table[i%uint32(len(table))]
			_, _ = s.GetSockOpt(o.Level, o.Number, make([]byte, 700))
		})
		loop(func(i uint32) {
			o := table[i%uint32(len(table))]
			if o.Number == wsa.SO_RCVTIMEO || o.Number == wsa.SO_SNDTIMEO || o.Number == wsa.UDP_SEND_MSG_SIZE {
				return
			}
			_ = s.SetSockOpt(o.Level, o.Number, u32(i/7%3))
			_ = control(s, wsa.SIO_UDP_CONNRESET, u32(i%2))
		})
	}
	loop(func(uint32) { _, _ = client.Send([]byte("data"), 0) })
	loop(func(uint32) { _, _ = server.Recv(buf(), 0) })
	loop(func(uint32) { _, _ = from.SendTo([]byte("data"), 0, netip.AddrPortFrom(group, mcastPort)) })
	dgram.SetNonblocking(true)
	loop(func(uint32) { _, _ = dgram.Recv(buf(), 0) })
	loop(func(uint32) { dgram.Ready() })
	loop(func(i uint32) {
		_ = dgram.SetSockOpt(wsa.IPPROTO_IPV6, wsa.MCAST_JOIN_GROUP+int32(i%2), groupReq(group))
	})
	enough.Wait()
	close(stop)
	client.Close() // ends a Send that waits for room
	server.Close()
	wg.Wait()
}

// SIO_UDP_CONNRESET FALSE: a port that is unreachable is not reported.
func TestUDPConnReset(t *testing.T) {
	for _, f := range mcastFamilies {
		t.Run(f.name, func(t *testing.T) {
			a, b := sockettest.Pair(t)
			nobody := netip.AddrPortFrom(f.receiver, 9)
			for i, report := range []bool{true, false, true, false} {
				s := sockettest.NewSocket(t, a, f.family, wsa.SOCK_DGRAM)
				set(t, s, wsa.SOL_SOCKET, wsa.SO_RCVTIMEO, 50)
				want := wsa.WSAECONNRESET
				if !report {
					want = wsa.WSAETIMEDOUT
					require.Zero(t, control(s, wsa.SIO_UDP_CONNRESET, u32(0)))
				}
				require.Zero(t, s.Connect(nobody))
				_, err := s.Send([]byte("x"), 0)
				require.Zero(t, err)
				stack.Settle(a, b)
				if i >= 2 { // this one meets the error, and recv returns it (NB-3)
					_, err = s.Send([]byte("y"), 0)
					require.Zero(t, err)
				}
				_, err = s.Recv(make([]byte, 10), 0)
				assert.Equal(t, want, err)
			}
		})
	}
}

func TestControl(t *testing.T) {
	a, b := sockettest.Pair(t)
	client, _ := sockettest.ConnectedSockets(t, a, b)
	assert.Equal(t, wsa.WSAEOPNOTSUPP, control(client, wsa.SIO_GET_QOS, u32(0)))
	assert.Equal(t, wsa.WSAEOPNOTSUPP, control(client, wsa.SIO_UDP_CONNRESET, u32(0)))
	assert.Equal(t, wsa.WSAEINVAL, control(client, wsa.SIO_TCP_INITIAL_RTO, u32(0)))
	assert.Zero(t, control(client, wsa.SIO_TCP_SET_ACK_FREQUENCY, []byte{1}))
	require.Zero(t, client.Close())
	assert.Equal(t, wsa.WSAENOTSOCK, control(client, wsa.SIO_TCP_SET_ACK_FREQUENCY, []byte{1}))
}

// SO_UPDATE_ACCEPT_CONTEXT knows the listener by its handle;
// SO_UPDATE_CONNECT_CONTEXT takes NULL.
func TestUpdateContext(t *testing.T) {
	a, b := sockettest.Pair(t)
	l := sockettest.NewSocket(t, b, wsa.AF_INET, wsa.SOCK_STREAM)
	l.SetHandle(0x104)
	require.Zero(t, l.Bind(netip.MustParseAddrPort("10.0.0.2:0")))
	require.Zero(t, l.Listen(1))
	addr, _ := l.LocalAddr()
	client := sockettest.NewSocket(t, a, wsa.AF_INET, wsa.SOCK_STREAM)
	assert.Equal(t, wsa.WSAENOTCONN, client.SetSockOpt(wsa.SOL_SOCKET, wsa.SO_UPDATE_CONNECT_CONTEXT, nil))
	require.Zero(t, client.Connect(addr))
	server, _, err := l.Accept()
	require.Zero(t, err)
	t.Cleanup(func() { server.Close() })
	assert.Zero(t, client.SetSockOpt(wsa.SOL_SOCKET, wsa.SO_UPDATE_CONNECT_CONTEXT, nil))
	handle := append(u32(0x104), u32(0)...)
	assert.Zero(t, server.SetSockOpt(wsa.SOL_SOCKET, wsa.SO_UPDATE_ACCEPT_CONTEXT, handle))
	assert.Equal(t, wsa.WSAENOTCONN, client.SetSockOpt(wsa.SOL_SOCKET, wsa.SO_UPDATE_ACCEPT_CONTEXT, handle))
	handle[0]++
	assert.Equal(t, wsa.WSAENOTSOCK, server.SetSockOpt(wsa.SOL_SOCKET, wsa.SO_UPDATE_ACCEPT_CONTEXT, handle))
}

// An accepted socket reads the TTL of its listener.
func TestAcceptedTTL(t *testing.T) {
	for _, f := range wireFamilies {
		t.Run(f.name, func(t *testing.T) {
			a, b := sockettest.Pair(t)
			l := sockettest.NewSocket(t, b, f.family, wsa.SOCK_STREAM)
			set(t, l, f.level, f.ttl, 21)
			local := netip.MustParseAddrPort("10.0.0.2:0")
			if f.family == wsa.AF_INET6 {
				local = netip.MustParseAddrPort("[fd00::2]:0")
			}
			require.Zero(t, l.Bind(local))
			require.Zero(t, l.Listen(1))
			addr, _ := l.LocalAddr()
			client := sockettest.NewSocket(t, a, f.family, wsa.SOCK_STREAM)
			require.Zero(t, client.Connect(addr))
			server, _, err := l.Accept()
			require.Zero(t, err)
			t.Cleanup(func() { server.Close() })
			buf := make([]byte, 4)
			_, err = server.GetSockOpt(f.level, f.ttl, buf)
			require.Zero(t, err)
			assert.Equal(t, u32(21), buf)
		})
	}
}

// control is Control for codes without output.
func control(s *socket.Socket, code uint32, in []byte) wsa.Errno {
	_, err := s.Control(code, in, nil)
	return err
}
