package simnet_test

import (
	"bytes"
	"context"
	"io"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/provider"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

// Datagrams of both families, and an echo.
func TestBubbleDatagrams(t *testing.T) {
	bubble(t, func(t *testing.T, n *simnet.Network, a, b *simnet.Host) {
		for _, address := range []string{"10.0.0.2:53", "[fd00::2]:53"} {
			s, err := b.ListenPacket("udp", address)
			require.NoError(t, err)
			c, err := a.Dial("udp", address)
			require.NoError(t, err)
			at := time.Now()
			go c.Write([]byte("question"))
			buf := make([]byte, 100)
			k, from, err := s.ReadFrom(buf)
			require.NoError(t, err)
			require.Equal(t, "question", string(buf[:k]))
			_, err = s.WriteTo([]byte("answer"), from)
			require.NoError(t, err)
			k, err = c.Read(buf)
			require.NoError(t, err)
			require.Equal(t, "answer", string(buf[:k]))
			require.Equal(t, 20*time.Millisecond, time.Since(at))
			require.NoError(t, s.Close())
			require.NoError(t, c.Close())
		}
		reply, err := a.Ping(t.Context(), netip.MustParseAddr("10.0.0.2"))
		require.NoError(t, err)
		require.Equal(t, 20*time.Millisecond, reply.RTT)
	}, simnet.Delay(10*time.Millisecond))
}

// winsock is a provider for each of two hosts, and a listener on the second.
func winsock(t *testing.T, a, b *simnet.Host) (pa, pb *provider.Provider, listener wsa.SOCKET) {
	t.Helper()
	pa, err := provider.Startup(a.Stack, 0x0202)
	require.NoError(t, err)
	pb, err = provider.Startup(b.Stack, 0x0202)
	require.NoError(t, err)
	listener, err = pb.Socket(wsa.AF_INET, wsa.SOCK_STREAM, 0)
	require.NoError(t, err)
	require.NoError(t, pb.Bind(listener, netip.MustParseAddrPort("10.0.0.2:80")))
	require.NoError(t, pb.Listen(listener, 5))
	return pa, pb, listener
}

// port80 is where the listener of winsock is.
var port80 = netip.MustParseAddrPort("10.0.0.2:80")

// The calls of Winsock: blocking, non-blocking with select and events, and overlapped.
func TestBubbleWinsock(t *testing.T) {
	bubble(t, func(t *testing.T, n *simnet.Network, a, b *simnet.Host) {
		pa, pb, listener := winsock(t, a, b)
		c, err := pa.Socket(wsa.AF_INET, wsa.SOCK_STREAM, 0)
		require.NoError(t, err)
		accepting, err := pb.Socket(wsa.AF_INET, wsa.SOCK_STREAM, 0)
		require.NoError(t, err)
		accepted, err := pb.AcceptEx(listener, accepting, nil)
		require.NoError(t, err)
		require.NoError(t, pa.Connect(c, port80))
		_, err = accepted.Wait()
		require.NoError(t, err)
		require.Equal(t, 30*time.Millisecond, n.Now())

		send := func(after time.Duration) {
			time.Sleep(after)
			pb.Send(accepting, []byte("hello"), 0)
		}
		receive := func() {
			buf := make([]byte, 9)
			k, err := pa.Recv(c, buf, 0)
			require.NoError(t, err)
			require.Equal(t, "hello", string(buf[:k]))
		}
		go send(time.Hour)
		receive()
		require.Equal(t, time.Hour+40*time.Millisecond, n.Now())

		ready, _, _, err := pa.Select([]wsa.SOCKET{c}, nil, nil, time.Minute)
		require.NoError(t, err)
		require.Empty(t, ready)
		require.Equal(t, time.Hour+time.Minute+40*time.Millisecond, n.Now())
		go send(0)
		ready, _, _, err = pa.Select([]wsa.SOCKET{c}, nil, nil, -1)
		require.NoError(t, err)
		require.Equal(t, []wsa.SOCKET{c}, ready)
		receive()

		ev := provider.NewEvent()
		require.NoError(t, pa.EventSelect(c, ev, wsa.FD_READ|wsa.FD_CLOSE))
		_, err = pa.Recv(c, make([]byte, 1), 0)
		require.Equal(t, wsa.WSAEWOULDBLOCK, err)
		go send(time.Second)
		<-ev.C()
		events, err := pa.EnumNetworkEvents(c, ev)
		require.NoError(t, err)
		require.EqualValues(t, wsa.FD_READ, events.Events)
		receive()
		go send(time.Second)
		i, err := pa.WaitForMultipleEvents([]*provider.Event{ev}, false, time.Minute)
		require.NoError(t, err)
		require.Zero(t, i)
		receive()

		buf := make([]byte, 5)
		o, err := pa.RecvAsync(c, buf, 0)
		require.NoError(t, err)
		go send(time.Second)
		<-o.Done()
		require.Equal(t, "hello", string(buf))
		require.NoError(t, pb.CloseSocket(accepting))
		require.NoError(t, pa.CloseSocket(c))

		raw, err := pb.Socket(wsa.AF_INET, wsa.SOCK_RAW, wsa.IPPROTO_ICMP)
		require.NoError(t, err)
		require.NoError(t, pb.Bind(raw, netip.AddrPortFrom(port80.Addr(), 0)))
		go a.Ping(t.Context(), port80.Addr())
		k, from, err := pb.RecvFrom(raw, make([]byte, 100), 0)
		require.NoError(t, err)
		require.Equal(t, "10.0.0.1", from.Addr().String())
		require.Greater(t, k, 20)
		require.NoError(t, pb.CloseSocket(raw))
	}, simnet.Delay(10*time.Millisecond))
}

// A Poller, a Wire and its Peer, tasks, waiters, contexts and the calls that run a network: all of
// them mean the same in a bubble.
func TestBubbleNetwork(t *testing.T) {
	bubble(t, func(t *testing.T, n *simnet.Network, a, b *simnet.Host) {
		c, s := connect(t, a, b)
		p := a.NewPoller()
		defer p.Close()
		_, err := p.Add(c, endpoint.ReadyRead, "c")
		require.NoError(t, err)
		notices := make([]endpoint.Notice, 4)
		k, err := p.Wait(notices, time.Minute)
		require.NoError(t, err)
		require.Zero(t, k)
		n.Go("writer", func() {
			n.Sleep(time.Minute)
			s.Write([]byte("x"))
		})
		k, err = p.Wait(notices, time.Hour)
		require.NoError(t, err)
		require.Equal(t, 1, k)
		require.NoError(t, n.Run())

		begun := n.Now()
		require.NoError(t, n.Do("sleeper", func() { n.Sleep(time.Second) }))
		require.NoError(t, n.Advance(time.Second))
		require.NoError(t, n.Idle())
		waiter := n.NewWaiter()
		n.Clock().AfterFunc(time.Second, waiter.Signal)
		waiter.Wait("the timer")
		task := n.Background("background", func() { n.Sleep(time.Second) })
		task.Wait()
		require.True(t, task.Done())
		ctx, cancel := n.WithTimeout(context.Background(), time.Second)
		defer cancel()
		<-ctx.Done()
		require.Equal(t, 5*time.Second, n.Now()-begun)

		timers := n.Timers()
		require.NoError(t, c.SetReadDeadline(time.Now().Add(time.Minute)))
		require.Equal(t, timers+1, n.Timers())
		require.NoError(t, c.SetReadDeadline(time.Time{}))
		require.Equal(t, timers, n.Timers())
	}, simnet.Delay(10*time.Millisecond))
}

// RunUntil looks at conditions when something happens, not each millisecond of a day.
func TestBubbleRunUntil(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(nil, simnet.Bubble())
		defer n.Close()
		a, b := n.Host("a", "10.0.0.1/24"), n.Host("b", "10.0.0.2/24")
		n.Link(a, b, simnet.Delay(10*time.Millisecond))
		c, s := connect(t, a, b)
		looks := 0
		require.ErrorContains(t, n.RunUntil(func() bool { looks++; return false }, 24*time.Hour), "24h0m0s have passed before the condition holds")
		require.Less(t, looks, 20_000)
		at := n.Now()
		go func() {
			time.Sleep(time.Hour)
			c.Close()
			s.Close()
		}()
		require.NoError(t, n.RunUntil(func() bool { return len(a.Sockets()) == 0 }, 24*time.Hour))
		require.Equal(t, time.Hour, n.Now()-at, "the moment of Close")
		var set atomic.Bool
		time.AfterFunc(time.Hour, func() { set.Store(true) })
		at = n.Now()
		require.NoError(t, n.RunUntil(set.Load, 24*time.Hour))
		require.InDelta(t, time.Hour, n.Now()-at, float64(time.Hour/900), "a thousandth late")

		n.Go("stuck", func() { b.Listen("tcp", "10.0.0.2:80"); n.NewWaiter().Wait("Godot") })
		err := n.Run()
		require.ErrorContains(t, err, "24h0m0s have passed before the goroutines have returned")
		require.ErrorContains(t, err, "a call waits for Godot since")
	})
}

// A peer that is played by hand, on its link that is cut and healed; the trace and the capture of it.
func TestBubbleWire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(t, simnet.Bubble())
		a := n.Host("a", "10.0.0.1/24")
		w := n.Wire(a, "w", "10.0.0.9")
		var capture bytes.Buffer
		n.Capture(&capture)
		peer := w.Listen(80)
		read := make(chan string, 1)
		go func() {
			c, err := a.Dial("tcp", "10.0.0.9:80")
			if err != nil {
				read <- err.Error()
				return
			}
			c.Write([]byte("hello"))
			c.(*endpoint.Conn).CloseWrite()
			all, _ := io.ReadAll(c)
			read <- string(all)
			c.Close()
		}()
		require.NoError(t, peer.Accept("mss 1220,sackOK,ts 1 1,wscale 3"))
		_, err := peer.Expect("0.000s [P.] seq 1:6 ack 1 len 5")
		require.NoError(t, err)
		_, err = peer.Expect("0.000s [F.] seq 6 ack 1")
		require.NoError(t, err)
		_, err = peer.Expect("0.010s [F.] seq 6 ack 1") // a probe for its tail
		require.NoError(t, err)
		w.Partition()
		require.NoError(t, w.ExpectSilence(10*time.Second))
		w.Heal()
		w.Discard()
		peer.Send("[.]")
		peer.Send("[P.]", []byte("bye")...)
		peer.Send("[F.]")
		require.Equal(t, "bye", <-read)
		text := n.TraceText()
		require.Contains(t, text, "a>w")
		require.NoError(t, n.FlushCaptures())
		require.NotZero(t, capture.Len())
		packets, _ := n.Digest()
		require.Len(t, n.Trace(), int(packets))
	})
}

// Close ends whatever is in progress, and leaves nothing.
func TestBubbleClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(nil, simnet.Bubble())
		a, b := n.Host("a", "10.0.0.1/24"), n.Host("b", "10.0.0.2/24")
		n.Link(a, b, simnet.Delay(10*time.Millisecond))
		w := n.Wire(n.Host("c", "10.0.1.1/24"), "w", "10.0.1.2")
		c, s := connect(t, a, b)
		_, pb, listener := winsock(t, a, b)
		l, err := b.Listen("tcp", "10.0.0.2:81")
		require.NoError(t, err)
		packets, err := b.ListenPacket("udp", "10.0.0.2:53")
		require.NoError(t, err)
		poller := a.NewPoller()
		accepting, err := pb.Socket(wsa.AF_INET, wsa.SOCK_STREAM, 0)
		require.NoError(t, err)
		accepted, err := pb.AcceptEx(listener, accepting, nil)
		require.NoError(t, err)
		require.NoError(t, c.SetReadDeadline(time.Now().Add(time.Hour)))
		fired := make(chan bool, 1)
		n.Clock().AfterFunc(time.Hour, func() { fired <- true })

		calls := map[string]func() error{
			"Read":   func() error { _, err := c.Read(make([]byte, 1)); return err },
			"Write":  func() error { _, err := s.Write(make([]byte, 100<<20)); return err },
			"Accept": func() error { _, err := l.Accept(); return err },
			"Dial":   func() error { _, err := a.Dial("tcp", "10.0.0.77:80"); return err },
			"ReadFrom": func() error {
				_, _, err := packets.ReadFrom(make([]byte, 1))
				return err
			},
			"Poller.Wait": func() error { _, err := poller.Wait(make([]endpoint.Notice, 1), -1); return err },
			"Select": func() error {
				_, _, _, err := pb.Select([]wsa.SOCKET{listener}, nil, nil, -1)
				return err
			},
			"Recv":         func() error { _, _, err := pb.Accept(listener); return err },
			"AcceptEx":     func() error { _, err := accepted.Wait(); return err },
			"Wire.Receive": func() error { _, err := w.Receive(time.Hour); return err },
			"RunUntil":     func() error { return n.RunUntil(func() bool { return false }, 24*time.Hour) },
		}
		type result struct {
			name string
			err  error
		}
		results := make(chan result, len(calls))
		for name, call := range calls {
			go func() { results <- result{name, call()} }()
		}
		ended := make(chan string, 9)
		for name, wait := range map[string]func(){
			"Sleep":     func() { n.Sleep(1 << 62) },
			"Wait":      func() { n.NewWaiter().Wait("nothing") },
			"Task.Wait": func() { n.Background("other", func() { n.Sleep(1 << 62) }).Wait() },
			"Receive":   func() { w2 := n.Wire(a2(n), "w2", "10.0.2.2"); w2.Receive(1 << 61) },
		} {
			n.Go(name, func() {
				defer func() { ended <- name }()
				wait()
				t.Error(name, "has returned")
			})
		}
		require.NoError(t, n.Idle())
		at := time.Now()
		require.NoError(t, n.Close())
		require.NoError(t, n.Close())
		for range calls {
			if r := <-results; r.name != "Select" { // which may find that a closed socket is ready
				require.Error(t, r.err, r.name)
			}
		}
		for range 4 {
			<-ended
		}
		require.Equal(t, at, time.Now(), "Close takes no time")
		require.True(t, <-fired, "a timer of the program's isn't the network's")
		time.Sleep(time.Nanosecond)
		require.Equal(t, 0, n.Timers())
		require.Contains(t, panicOf(func() { n.Go("late", func() {}) }), "the network is closed")
	})
}

// a2 is one more host.
func a2(n *simnet.Network) *simnet.Host { return n.Host("a2", "10.0.2.1/24") }
