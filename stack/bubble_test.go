package stack_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wsstack/wsstack/internal/socket"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
	"github.com/wsstack/wsstack/wsa"
)

// bubbleUses are what a program does with stacks that were made outside of its
// bubble. None of it may touch a timer or a channel of the bubble from outside:
// the runtime ends the process then.
var bubbleUses = map[string]func(t *testing.T, a, b *stack.Stack){
	"a connection": func(t *testing.T, a, b *stack.Stack) {
		c, s := bubbleConn(t, a, b)
		require.NoError(t, c.SetKeepAlive(true))
		require.NoError(t, c.SetLinger(5))
		for _, conn := range []net.Conn{c, s} {
			require.NoError(t, conn.SetDeadline(time.Now().Add(time.Hour)))
		}
		const size = 1 << 20
		go func() { c.Write(make([]byte, size)) }()
		_, err := io.CopyN(s, s, size)
		require.NoError(t, err)
		_, err = io.CopyN(io.Discard, c, size)
		require.NoError(t, err)
		require.NoError(t, c.SetDeadline(time.Time{}))
		time.Sleep(24 * time.Hour) // of the bubble, where nobody waits for a stack
		_, err = c.Write(make([]byte, 1))
		require.NoError(t, err)
		_, err = s.Read(make([]byte, 1))
		require.NoError(t, err) // an hour of the stack's clock isn't over
		require.NoError(t, c.Close())
	},
	"deadlines": func(t *testing.T, a, b *stack.Stack) {
		c, _ := bubbleConn(t, a, b)
		require.NoError(t, c.SetReadDeadline(time.Now().Add(time.Millisecond)))
		_, err := c.Read(make([]byte, 1))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.NoError(t, c.SetSockOpt(wsa.SOL_SOCKET, wsa.SO_RCVTIMEO, []byte{1, 0, 0, 0}))
		require.NoError(t, c.SetReadDeadline(time.Time{}))
		_, err = c.Read(make([]byte, 1))
		require.ErrorIs(t, err, wsa.WSAETIMEDOUT)
	},
	"a context": func(t *testing.T, a, _ *stack.Stack) {
		ctx, cancel := context.WithCancel(t.Context())
		go cancel()
		_, err := a.DialContext(ctx, "tcp", "10.0.0.99:80") // nobody
		require.ErrorIs(t, err, context.Canceled)
	},
	"a dialer": func(t *testing.T, a, b *stack.Stack) {
		d := stack.Dialer{Stack: a, Timeout: time.Minute, Deadline: time.Now().Add(10 * time.Millisecond)}
		_, err := d.Dial("tcp", "10.0.0.99:80") // nobody
		require.ErrorIs(t, err, context.DeadlineExceeded)
		l, err := b.ListenTCP("tcp", netip.AddrPort{})
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		c, err := (&stack.Dialer{Stack: a, Timeout: time.Minute}).DialContext(ctx, "tcp", net.JoinHostPort("10.0.0.2", port(l.Addr())))
		require.NoError(t, err)
		require.NoError(t, errors.Join(c.Close(), l.Close()))
	},
	"datagrams": func(t *testing.T, a, b *stack.Stack) {
		s, err := b.ListenPacket("udp", "10.0.0.2:53")
		require.NoError(t, err)
		c, err := a.Dial("udp", "10.0.0.2:53")
		require.NoError(t, err)
		go c.Write([]byte("hello"))
		_, from, err := s.ReadFrom(make([]byte, 9))
		require.NoError(t, err)
		require.Equal(t, c.LocalAddr().String(), from.String())
		require.NoError(t, errors.Join(c.Close(), s.Close()))
	},
	"refusals": func(t *testing.T, a, _ *stack.Stack) {
		_, err := a.Dial("tcp", "10.0.0.2:9")
		require.ErrorIs(t, err, wsa.WSAECONNREFUSED)
	},
	"overlapped calls": func(t *testing.T, a, b *stack.Stack) {
		l, err := b.Listen("tcp", "10.0.0.2:0")
		require.NoError(t, err)
		defer l.Close()
		s, errno := socket.New(socket.HostOf(a), wsa.AF_INET, wsa.SOCK_STREAM, 0, "")
		require.Zero(t, errno)
		defer s.Close()
		require.Zero(t, s.Connect(netip.MustParseAddrPort(l.Addr().String())))
		c, err := l.Accept()
		require.NoError(t, err)
		defer c.Close()
		op, errno := s.RecvAsync(make([]byte, 5), wsa.MSG_WAITALL)
		require.Zero(t, errno)
		done := op.Done()
		go c.Write([]byte("hello"))
		<-done
		op, errno = s.RecvAsync(make([]byte, 5), wsa.MSG_WAITALL)
		require.Zero(t, errno)
		go c.Write([]byte("hello"))
		op.Wait()
	},
	"a Poller": func(t *testing.T, a, b *stack.Stack) {
		c, s := bubbleConn(t, a, b)
		p := a.NewPoller()
		defer p.Close()
		_, err := p.Add(c, endpoint.ReadyRead, nil)
		require.NoError(t, err)
		notices := make([]endpoint.Notice, 1)
		_, err = p.Wait(notices, time.Millisecond)
		require.NoError(t, err)
		go s.Write([]byte("hello"))
		n, err := p.Wait(notices, time.Hour)
		require.NoError(t, err)
		require.Equal(t, 1, n)
	},
	"net/http": func(t *testing.T, a, b *stack.Stack) {
		l, err := b.Listen("tcp", "10.0.0.2:80")
		require.NoError(t, err)
		server := &http.Server{ReadTimeout: time.Hour, IdleTimeout: time.Hour}
		go server.Serve(l)
		tr := &http.Transport{DialContext: a.DialContext, IdleConnTimeout: time.Hour}
		r, err := (&http.Client{Transport: tr, Timeout: time.Hour}).Get("http://10.0.0.2/")
		require.NoError(t, err)
		require.NoError(t, r.Body.Close())
		require.Equal(t, http.StatusNotFound, r.StatusCode)
		tr.CloseIdleConnections()
		require.NoError(t, server.Close())
	},
	"Close": func(t *testing.T, a, b *stack.Stack) {
		c, _ := bubbleConn(t, a, b)
		go a.Close()
		_, err := c.Read(make([]byte, 1))
		require.ErrorIs(t, err, wsa.WSAENETDOWN)
		require.NoError(t, a.Close())
	},
}

// bubbleConn returns both ends of a connection; they are closed at the end.
func bubbleConn(t *testing.T, a, b *stack.Stack) (client, server *endpoint.Conn) {
	l, err := b.Listen("tcp", "10.0.0.2:0")
	require.NoError(t, err)
	defer l.Close()
	c, err := a.DialContext(t.Context(), "tcp", l.Addr().String())
	require.NoError(t, err)
	s, err := l.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { c.Close(); s.Close() })
	return c.(*endpoint.Conn), s.(*endpoint.Conn)
}

// Stacks that were made outside of a bubble of testing/synctest can be used
// inside and, afterwards, outside; their clock doesn't take part.
func TestStacksOfOutsideInABubble(t *testing.T) {
	for name, use := range bubbleUses {
		t.Run(name, func(t *testing.T) {
			a, b := pair(t)
			before := a.Clock().NowMonotonic()
			synctest.Test(t, func(t *testing.T) { use(t, a, b) })
			require.Less(t, a.Clock().NowMonotonic().Sub(before), 23*time.Hour, "the bubble's time has come to the stack's clock")
			if !socket.HostOf(a).Down() {
				synctest.Test(t, func(t *testing.T) { bubbleUses["a connection"](t, a, b) })
				bubbleUses["deadlines"](t, a, b)
			}
		})
	}
}

// So can an impaired device, whose timers are set by who sends.
func TestImpairedDeviceInABubble(t *testing.T) {
	da, db := tun.Pipe(1500)
	slow, err := tun.Impair(da, tun.ImpairConfig{Out: tun.Impairment{Delay: time.Millisecond}, In: tun.Impairment{Delay: time.Millisecond}})
	require.NoError(t, err)
	a, err := stack.New(stack.Config{Device: slow, Addresses: prefixes("10.0.0.1/24")})
	require.NoError(t, err)
	b, err := stack.New(stack.Config{Device: db, Addresses: prefixes("10.0.0.2/24")})
	require.NoError(t, err)
	synctest.Test(t, func(t *testing.T) {
		bubbleUses["a connection"](t, a, b)
		assert.NoError(t, a.Close())
	})
	require.NoError(t, b.Close())
}

// What stacks of a bubble leave behind is of no use to those of another, or outside: the waiters of
// calls that have waited, for instance.
func TestStacksOfBubblesShareNothing(t *testing.T) {
	use := func(t *testing.T) {
		a, b := pair(t)
		for _, name := range []string{"deadlines", "a context", "a dialer", "datagrams", "overlapped calls", "a Poller"} {
			bubbleUses[name](t, a, b)
		}
	}
	for range 3 {
		synctest.Test(t, use)
		use(t)
	}
}
