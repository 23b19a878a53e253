package stack_test

import (
	"io"
	"net"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
	"github.com/wsstack/wsstack/wsa"
)

// collect runs the garbage collector until want sockets are open, and returns how
// many are.
func collect(s *stack.Stack, want int) int {
	open := len(s.Sockets())
	for range 500 {
		if open == want {
			break
		}
		runtime.GC()
		runtime.Gosched() // to the goroutine of cleanups, and the pump
		open = len(s.Sockets())
	}
	return open
}

// abandonments make a connection, listener or datagram socket of a that nobody has
// when they return. to is a listener of b.
var abandonments = map[string]func(t *testing.T, a, b *stack.Stack, to net.Addr){
	"a connection": func(t *testing.T, a, _ *stack.Stack, to net.Addr) {
		_, err := a.Dial("tcp", to.String())
		require.NoError(t, err)
	},
	"one with deadlines": func(t *testing.T, a, _ *stack.Stack, to net.Addr) {
		c, err := a.Dial("tcp", to.String())
		require.NoError(t, err)
		require.NoError(t, c.SetDeadline(a.Clock().Now().Add(time.Hour)))
		require.NotNil(t, c.LocalAddr())
	},
	"one that lingers": func(t *testing.T, a, _ *stack.Stack, to net.Addr) {
		dial, err := a.Dial("tcp", to.String())
		require.NoError(t, err)
		c := dial.(*endpoint.Conn)
		require.NoError(t, c.SetLinger(3600))
		_, err = c.Write(make([]byte, 128<<10)) // more than the peer's window
		require.NoError(t, err)
	},
	"one that lingers and doesn't block": func(t *testing.T, a, _ *stack.Stack, to net.Addr) {
		dial, err := a.Dial("tcp", to.String())
		require.NoError(t, err)
		c := dial.(*endpoint.Conn)
		require.NoError(t, c.SetLinger(3600))
		require.NoError(t, c.SetNonblocking(true))
		_, err = c.Write(make([]byte, 128<<10))
		require.NoError(t, err)
	},
	"an accepted one": func(t *testing.T, a, b *stack.Stack, _ net.Addr) {
		l, err := a.Listen("tcp", "10.0.0.1:0")
		require.NoError(t, err)
		c, err := b.Dial("tcp", l.Addr().String())
		require.NoError(t, err)
		_, err = l.Accept()
		require.NoError(t, err)
		require.NoError(t, l.Close())
		require.NoError(t, c.Close())
	},
	"a listener": func(t *testing.T, a, _ *stack.Stack, _ net.Addr) {
		_, err := a.Listen("tcp", ":0")
		require.NoError(t, err)
	},
	"a datagram socket": func(t *testing.T, a, _ *stack.Stack, _ net.Addr) {
		_, err := a.ListenPacket("udp", ":0")
		require.NoError(t, err)
	},
	"a dialled datagram socket": func(t *testing.T, a, _ *stack.Stack, to net.Addr) {
		c, err := a.Dial("udp", to.String())
		require.NoError(t, err)
		require.NoError(t, c.SetReadDeadline(a.Clock().Now().Add(time.Hour)))
	},
}

// What nobody refers to any more is closed by the garbage collector, whatever its
// close would wait for; what somebody has stays.
func TestGarbageIsClosed(t *testing.T) {
	for name, abandon := range abandonments {
		t.Run(name, func(t *testing.T) {
			a, b := pair(t)
			l, err := b.Listen("tcp", "10.0.0.2:0")
			require.NoError(t, err)
			kept, err := a.Dial("tcp", l.Addr().String())
			require.NoError(t, err)
			peer, err := l.Accept()
			require.NoError(t, err)
			for range 50 {
				abandon(t, a, b, l.Addr())
			}
			require.Equal(t, 1, collect(a, 1), "sockets")
			require.Equal(t, 1, a.Stats().Sockets)
			_, err = kept.Write([]byte("hello"))
			require.NoError(t, err)
			_, err = io.ReadFull(peer, make([]byte, 5))
			require.NoError(t, err)
			runtime.KeepAlive(l)
		})
	}
}

// The peer of an abandoned connection sees what it would see of Close.
func TestGarbageIsClosed_Peer(t *testing.T) {
	a, b := pair(t)
	l, err := b.Listen("tcp", "10.0.0.2:0")
	require.NoError(t, err)
	accept := func(abandon func(net.Conn)) net.Conn {
		c, err := a.Dial("tcp", l.Addr().String())
		require.NoError(t, err)
		s, err := l.Accept()
		require.NoError(t, err)
		_, err = c.Write([]byte("hello"))
		require.NoError(t, err)
		abandon(c)
		return s
	}
	graceful := accept(func(net.Conn) {})
	hard := accept(func(c net.Conn) { c.(*endpoint.Conn).SetLinger(0) })
	require.Zero(t, collect(a, 0), "sockets")
	b.Settle()
	got, err := io.ReadAll(graceful)
	require.NoError(t, err)
	require.Equal(t, "hello", string(got))
	_, err = hard.Read(make([]byte, 9))
	require.ErrorIs(t, err, wsa.WSAECONNRESET)
}

// A call in progress and a Poller keep a connection.
func TestGarbage_Kept(t *testing.T) {
	a, b := pair(t)
	p := a.NewPoller()
	defer p.Close()
	read := make(chan error, 1)
	l, err := b.Listen("tcp", "10.0.0.2:0")
	require.NoError(t, err)
	dial := func(use func(net.Conn)) net.Conn {
		c, err := a.Dial("tcp", l.Addr().String())
		require.NoError(t, err)
		use(c)
		s, err := l.Accept()
		require.NoError(t, err)
		return s
	}
	reader := dial(func(c net.Conn) {
		go func() {
			_, err := c.Read(make([]byte, 5))
			read <- err
		}()
	})
	polled := dial(func(c net.Conn) {
		_, err := p.Add(c.(*endpoint.Conn), endpoint.ReadyRead, nil)
		require.NoError(t, err)
	})
	for range 10 {
		runtime.GC()
		runtime.Gosched()
	}
	for _, s := range []net.Conn{reader, polled} {
		_, err := s.Write([]byte("hello"))
		require.NoError(t, err)
	}
	require.NoError(t, <-read)
	func() { // so that no variable keeps the notice
		notices := make([]endpoint.Notice, 1)
		n, err := p.Wait(notices, -1)
		require.NoError(t, err)
		require.Equal(t, 1, n)
		require.Equal(t, endpoint.ReadyRead, notices[0].Ready)
		notices[0].Close()
	}()
	require.Zero(t, collect(a, 0), "sockets")
}

// A stack that was made outside of a bubble of testing/synctest closes what was
// abandoned inside. One that was made inside doesn't: the runtime would ring its
// bell from outside. simnet's don't either, for the sake of the same run each time.
func TestGarbage_Bubbles(t *testing.T) {
	a, b := pair(t)
	l, err := b.Listen("tcp", "10.0.0.2:0")
	require.NoError(t, err)
	synctest.Test(t, func(t *testing.T) {
		abandonments["one with deadlines"](t, a, b, l.Addr())
		require.Zero(t, collect(a, 0), "sockets")
	})
	synctest.Test(t, func(t *testing.T) {
		s, err := stack.New(stack.Config{})
		require.NoError(t, err)
		_, err = s.ListenPacket("udp", ":0")
		require.NoError(t, err)
		for range 10 {
			runtime.GC()
		}
		require.Len(t, s.Sockets(), 1)
		require.NoError(t, s.Close())
	})
	n := simnet.New(t)
	h := n.Host("h", "10.0.0.1/24")
	n.Do("listen", func() {
		_, err := h.ListenPacket("udp", ":0")
		require.NoError(t, err)
	})
	for range 10 {
		runtime.GC()
	}
	require.Len(t, h.Sockets(), 1)
}

// Garbage of a closed stack is nobody's business.
func TestGarbage_ClosedStack(t *testing.T) {
	d, _ := tun.Pipe(1500)
	s, err := stack.New(stack.Config{Device: d, Addresses: prefixes("10.0.0.1/24")})
	require.NoError(t, err)
	for range 20 {
		_, err := s.ListenPacket("udp", ":0")
		require.NoError(t, err)
	}
	require.NoError(t, s.Close())
	for range 10 {
		runtime.GC()
		runtime.Gosched()
	}
	require.Empty(t, s.Sockets())
}
