package socket_test

import (
	"context"
	"runtime"
	"testing"

	"github.com/wsstack/wsstack/internal/socket"
	"github.com/wsstack/wsstack/internal/sockettest"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wsa"
)

// A socket may be closed when a call has looked at it, and not yet at the connection.
// That is no end of the stream, which would pass for a whole one, and no shutdown: the
// call was interrupted, or the network is down.
func TestClosedBetween(t *testing.T) {
	reset := func(_ *stack.Stack, s *socket.Socket) {
		s.SetSockOpt(wsa.SOL_SOCKET, wsa.SO_LINGER, []byte{1, 0, 0, 0})
		s.Close()
	}
	for name, c := range map[string]struct {
		close func(*stack.Stack, *socket.Socket)
		want  wsa.Errno
	}{
		"closesocket that resets": {reset, wsa.WSAEINTR},
		"the stack is closed":     {func(b *stack.Stack, _ *socket.Socket) { b.Close() }, wsa.WSAENETDOWN},
	} {
		t.Run(name, func(t *testing.T) {
			for _, flags := range []int32{0, wsa.MSG_PEEK, wsa.MSG_OOB} {
				a, b := sockettest.Pair(t)
				_, s := sockettest.ConnectedSockets(t, a, b)
				n, errno := s.RecvAcross(make([]byte, 10), flags, func() { c.close(b, s) })
				require.Equal(t, c.want, errno)
				require.Zero(t, n)
			}
			a, b := sockettest.Pair(t)
			_, s := sockettest.ConnectedSockets(t, a, b)
			require.Equal(t, c.want, s.SendAcross([]byte("data"), func() { c.close(b, s) }))
		})
	}
}

// FD_CLOSE has the code of the end, also where events are observed while nobody has
// looked yet why the connection ended.
func TestCloseEventHasItsCode(t *testing.T) {
	a, b := sockettest.Pair(t)
	_, s := sockettest.ConnectedSockets(t, a, b)
	require.Zero(t, s.EventSelect(chaosEvent{}, wsa.FD_CLOSE))
	s.ObserveAbort()
	events, codes, errno := s.NetworkEvents(nil)
	require.Zero(t, errno)
	require.EqualValues(t, wsa.FD_CLOSE, events)
	require.Equal(t, wsa.WSAECONNABORTED, codes[wsa.FD_CLOSE_BIT])
}

// A socket may be connected by an AcceptEx while a recv(MSG_WAITALL) on it begins:
// what that has it gives back to the connection that it is of.
func TestWaitAllBeginsBeforeAcceptEx(t *testing.T) {
	a, b := sockettest.Pair(t)
	l := sockettest.NewSocket(t, b, wsa.AF_INET, wsa.SOCK_STREAM)
	require.Zero(t, l.Bind(addrPort("10.0.0.2:80")))
	require.Zero(t, l.Listen(5))
	for range 100 {
		into := sockettest.NewSocket(t, b, wsa.AF_INET, wsa.SOCK_STREAM)
		result := make(chan wsa.Errno)
		begun := make(chan struct{})
		go func() {
			for first := true; ; {
				if _, errno := into.Recv(make([]byte, 2), wsa.MSG_WAITALL); errno != wsa.WSAENOTCONN {
					result <- errno
					return
				}
				if first {
					first = false
					close(begun)
				}
			}
		}()
		<-begun
		c, err := a.DialContext(context.Background(), "tcp", "10.0.0.2:80")
		require.NoError(t, err)
		_, err = c.Write([]byte("1"))
		require.NoError(t, err)
		op, errno := l.AcceptEx(into, nil)
		require.Zero(t, errno)
		sockettest.Within(t, "AcceptEx", op.Wait)
		for into.Held() == 0 {
			runtime.Gosched()
		}
		require.Zero(t, into.Close())
		require.Equal(t, wsa.WSAEINTR, <-result)
		c.Close()
	}
}

// The stack may be closed while an AcceptEx moves a connection.
func TestStackClosesDuringAcceptEx(t *testing.T) {
	a, b := sockettest.Pair(t)
	l := sockettest.NewSocket(t, b, wsa.AF_INET, wsa.SOCK_STREAM)
	require.Zero(t, l.Bind(addrPort("10.0.0.2:80")))
	require.Zero(t, l.Listen(5))
	require.Zero(t, sockettest.NewSocket(t, a, wsa.AF_INET, wsa.SOCK_STREAM).Connect(addrPort("10.0.0.2:80")))
	sockettest.Within(t, "the arrival", func() {
		socket.Await(socket.HostOf(b), []socket.Member{{Socket: l, Want: socket.ReadyRead}}, -1)
	})
	into := sockettest.NewSocket(t, b, wsa.AF_INET, wsa.SOCK_STREAM)
	require.Equal(t, wsa.WSAENETDOWN, l.AcceptExAcross(into, func() { b.Close() }))
}
