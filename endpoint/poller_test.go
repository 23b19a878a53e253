package endpoint_test

import (
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/wsstack/wsstack/internal/socket"
	"github.com/wsstack/wsstack/internal/sockettest"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wsa"
)

// waitAll returns what one Wait finds, by the Data of the registrations.
func waitAll(t *testing.T, p *endpoint.Poller, timeout time.Duration) map[any]endpoint.Readiness {
	t.Helper()
	notices := make([]endpoint.Notice, 16)
	n, err := p.Wait(notices, timeout)
	require.NoError(t, err)
	found := map[any]endpoint.Readiness{}
	for _, o := range notices[:n] {
		require.NotContains(t, found, o.Data, "returned twice by one Wait")
		found[o.Data] = o.Ready
	}
	return found
}

func TestPoller(t *testing.T) {
	for _, f := range sockettest.Families {
		t.Run(f.Name, func(t *testing.T) {
			a, b := sockettest.Pair(t)
			client, server := sockettest.Connected(t, a, b, f.Addr)
			idle, _ := sockettest.Connected(t, a, b, f.Addr)
			p := a.NewPoller()
			defer p.Close()
			for name, c := range map[string]endpoint.Pollable{"client": client, "idle": idle} {
				_, err := p.Add(c, endpoint.ReadyRead, name)
				require.NoError(t, err)
			}
			require.Empty(t, waitAll(t, p, 0))
			require.Empty(t, waitAll(t, p, time.Millisecond))

			_, err := server.Write([]byte("xy"))
			require.NoError(t, err)
			want := map[any]endpoint.Readiness{"client": endpoint.ReadyRead}
			require.Equal(t, want, waitAll(t, p, sockettest.Patience))
			require.Equal(t, want, waitAll(t, p, 0), "level-triggered")
			require.NoError(t, client.SetNonblocking(true))
			_, err = client.Read(make([]byte, 9))
			require.NoError(t, err)
			require.Empty(t, waitAll(t, p, 0), "read empty")
			_, err = client.Read(make([]byte, 9))
			require.ErrorIs(t, err, wsa.WSAEWOULDBLOCK)

			require.NoError(t, server.CloseWrite())
			require.Equal(t, want, waitAll(t, p, sockettest.Patience), "the end of the stream")
			require.NoError(t, client.Close())
			stack.Settle(a, b)
			require.Equal(t, map[any]endpoint.Readiness{"client": endpoint.ReadyClosed}, waitAll(t, p, sockettest.Patience))
			require.Empty(t, waitAll(t, p, 0), "a closed socket is told once")
		})
	}
}

// Listeners and datagram sockets; Modify; Close of a registration.
func TestPollerKinds(t *testing.T) {
	a, b := sockettest.Pair(t)
	l, err := a.Listen("tcp", "10.0.0.1:80")
	require.NoError(t, err)
	d, err := a.ListenPacket("udp", "10.0.0.1:7")
	require.NoError(t, err)
	p := a.NewPoller()
	defer p.Close()
	rl, err := p.Add(l.(*endpoint.Listener), endpoint.ReadyRead, "listener")
	require.NoError(t, err)
	rd, err := p.Add(d.(*endpoint.PacketConn), endpoint.ReadyWrite, "datagram")
	require.NoError(t, err)
	require.Equal(t, map[any]endpoint.Readiness{"datagram": endpoint.ReadyWrite}, waitAll(t, p, 0))
	rd.Modify(endpoint.ReadyRead)
	require.Empty(t, waitAll(t, p, 0))
	c, err := b.DialContext(t.Context(), "tcp", "10.0.0.1:80")
	require.NoError(t, err)
	defer c.Close()
	u, err := b.DialContext(t.Context(), "udp", "10.0.0.1:7")
	require.NoError(t, err)
	_, err = u.Write([]byte("x"))
	require.NoError(t, err)
	stack.Settle(a, b)
	require.Equal(t, map[any]endpoint.Readiness{"listener": endpoint.ReadyRead, "datagram": endpoint.ReadyRead}, waitAll(t, p, sockettest.Patience))
	one := make([]endpoint.Notice, 1)
	seen := map[any]bool{}
	for range 2 { // a short buffer: both have their turn
		n, err := p.Wait(one, 0)
		require.NoError(t, err)
		require.Equal(t, 1, n)
		seen[one[0].Data] = true
	}
	require.Len(t, seen, 2)
	rl.Close()
	rl.Close()
	require.Equal(t, map[any]endpoint.Readiness{"datagram": endpoint.ReadyRead}, waitAll(t, p, 0))
	_, err = p.Wait(nil, 0)
	require.ErrorIs(t, err, wsa.WSAEINVAL)
}

// A blocked Wait ends with the Poller, and with the stack.
func TestPollerCloses(t *testing.T) {
	for _, down := range []bool{false, true} {
		a, _, spy := sockettest.SpiedPair(t)
		p := a.NewPoller()
		ended := spy.Blocked("poll", func() error { _, err := p.Wait(make([]endpoint.Notice, 1), -1); return err })
		if down {
			require.NoError(t, a.Close())
			require.ErrorIs(t, <-ended, wsa.WSAENETDOWN)
		} else {
			require.NoError(t, p.Close())
			require.ErrorIs(t, <-ended, net.ErrClosed)
		}
		require.NoError(t, p.Close())
		s, _ := socket.New(socket.HostOf(a), wsa.AF_INET, wsa.SOCK_DGRAM, 0, "")
		if !down {
			_, err := p.Add(endpoint.NewPacketConn(s, "udp"), endpoint.ReadyRead, nil)
			require.ErrorIs(t, err, wsa.WSAENOTSOCK)
			s.Close()
		}
	}
}

// One goroutine serves many sockets: what it costs to be told of an event
// doesn't depend on the number registered. A thousand of them are active: of
// 100,000, one in a hundred. An event is a notification as netstack gives it,
// and its Notice.
func BenchmarkPoller(b *testing.B) {
	for _, registered := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprint(registered), func(b *testing.B) {
			st := sockettest.NewStack(b, nil)
			p := st.NewPoller()
			defer p.Close()
			active := benchSockets(b, st, p, registered)
			from := sockettest.NewSocket(b, st, wsa.AF_INET, wsa.SOCK_DGRAM)
			for _, s := range active {
				to, _ := s.LocalAddr()
				if _, errno := from.SendTo([]byte("x"), 0, to); errno != 0 {
					b.Fatal(errno)
				}
			}
			st.Settle()
			notices, events, next := make([]endpoint.Notice, 64), 0, 0
			b.ReportAllocs()
			for b.Loop() {
				active[next].NotifyEvent(waiter.EventIn)
				next = (next + 1) % len(active)
				n, err := p.Wait(notices, 0)
				if err != nil || n == 0 {
					b.Fatal(n, err)
				}
				events += n
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(events), "ns/event")
		})
	}
}

// benchSockets registers datagram sockets, two to a port, and returns a
// thousand of them.
func benchSockets(b *testing.B, st *stack.Stack, p *endpoint.Poller, n int) (active []*socket.Socket) {
	for i := range n {
		s, errno := socket.New(socket.HostOf(st), wsa.AF_INET, wsa.SOCK_DGRAM, 0, "")
		if errno != 0 {
			b.Fatal(errno)
		}
		s.SetNonblocking(true)
		addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, byte(1 + i%2)}), uint16(1+i/2))
		if errno := s.Bind(addr); errno != 0 {
			b.Fatal(addr, errno)
		}
		if _, err := p.Add(endpoint.NewPacketConn(s, "udp"), endpoint.ReadyRead, s); err != nil {
			b.Fatal(err)
		}
		if i%(n/1000) == 0 {
			active = append(active, s)
		}
	}
	if _, err := p.Wait(make([]endpoint.Notice, 1), 0); err != nil { // the first look at each
		b.Fatal(err)
	}
	return active
}
