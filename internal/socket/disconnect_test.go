package socket_test

import (
	"encoding/binary"
	"net/netip"
	"sync"
	"testing"

	"github.com/wsstack/wsstack/internal/socket"
	"github.com/wsstack/wsstack/internal/sockettest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wsa"
)

// done waits for an operation, and returns its outcome.
func done(op *socket.Op, errno wsa.Errno) wsa.Errno {
	if errno != 0 {
		return errno
	}
	op.Wait()
	_, _, errno = op.Result()
	return errno
}

// Sockets of both ends have one connection after the other, each with its own bytes,
// while a recv is pending at the end: what an event loop with a pool of sockets does.
func TestDisconnectExPool(t *testing.T) {
	for _, f := range sockettest.Families {
		t.Run(f.Name, func(t *testing.T) {
			const pool, rounds = 8, 40
			a, b := sockettest.Pair(t)
			l := sockettest.NewSocket(t, b, f.Family, wsa.SOCK_STREAM)
			require.Zero(t, l.Bind(netip.AddrPortFrom(f.Addr, 80)))
			require.Zero(t, l.Listen(2*pool))
			var wg sync.WaitGroup
			for range pool {
				server, client := sockettest.NewSocket(t, b, f.Family, wsa.SOCK_STREAM), sockettest.NewSocket(t, a, f.Family, wsa.SOCK_STREAM)
				wg.Go(func() {
					for range rounds {
						if !assert.Zero(t, serveOnce(l, server)) {
							return
						}
					}
				})
				wg.Go(func() {
					for i := range rounds {
						if !assert.Zero(t, askOnce(client, netip.AddrPortFrom(f.Addr, 80), uint32(i))) {
							return
						}
					}
				})
			}
			sockettest.Within(t, "the pool", wg.Wait)
		})
	}
}

// serveOnce accepts a client, echoes what it sends and disconnects.
func serveOnce(l, s *socket.Socket) wsa.Errno {
	request := make([]byte, 4)
	if errno := done(l.AcceptEx(s, request)); errno != 0 {
		return errno
	}
	end, errno := s.RecvAsync(make([]byte, 1), 0)
	if errno != 0 {
		return errno
	}
	if errno := done(s.SendAsync(request, 0, netip.AddrPort{})); errno != 0 {
		return errno
	}
	if errno := done(s.DisconnectEx(wsa.TF_REUSE_SOCKET, 0)); errno != 0 {
		return errno
	}
	return done(end, 0)
}

// askOnce connects, wants its own number back and disconnects. The port is another
// one each time, because that of the last connection is in TIME-WAIT, or chosen anew.
func askOnce(s *socket.Socket, to netip.AddrPort, number uint32) wsa.Errno {
	if number == 0 {
		if errno := s.Connect(to); errno != 0 {
			return errno
		}
	} else if errno := done(s.ConnectEx(to, nil)); errno != 0 {
		return errno
	}
	b := binary.BigEndian.AppendUint32(nil, number)
	if _, errno := s.Send(b, 0); errno != 0 {
		return errno
	}
	answer := make([]byte, 8)
	n, errno := s.Recv(answer, wsa.MSG_WAITALL) // up to the FIN
	switch {
	case errno != 0:
		return errno
	case n != 4 || binary.BigEndian.Uint32(answer) != number:
		return wsa.WSAEINVAL
	}
	return s.Disconnect(wsa.TF_REUSE_SOCKET, 0)
}

// Calls that other goroutines have in progress end with the connection that they
// began on, never with the next one: each recv gets the bytes of one life, and then
// its end.
func TestDisconnectExMeetsCalls(t *testing.T) {
	const rounds = 200
	a, b := sockettest.Pair(t)
	l := sockettest.NewSocket(t, b, wsa.AF_INET, wsa.SOCK_STREAM)
	require.Zero(t, l.Bind(addrPort("10.0.0.2:80")))
	require.Zero(t, l.Listen(5))
	s := sockettest.NewSocket(t, b, wsa.AF_INET, wsa.SOCK_STREAM)
	for range rounds {
		accept, errno := l.AcceptEx(s, nil)
		require.Zero(t, errno)
		c := sockettest.NewSocket(t, a, wsa.AF_INET, wsa.SOCK_STREAM)
		require.Zero(t, c.Connect(addrPort("10.0.0.2:80")))
		require.Zero(t, done(accept, 0))
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				n, errno := s.Recv(make([]byte, 100), wsa.MSG_WAITALL)
				assert.Contains(t, []wsa.Errno{0, wsa.WSAENOTCONN}, errno) // the latter came too late
				assert.Contains(t, []int{0, 9}, n)
			})
		}
		_, errno = c.Send([]byte("one life!"), 0)
		require.Zero(t, errno)
		reuse, errno := s.DisconnectEx(wsa.TF_REUSE_SOCKET, 0)
		require.Zero(t, errno)
		require.Zero(t, c.Close())
		require.Zero(t, done(reuse, 0))
		sockettest.Within(t, "the recvs", wg.Wait)
	}
}

// What a socket and its stack keep doesn't grow with the connections that it has had,
// but for the records of TIME-WAIT, which are bounded.
func TestDisconnectExLeavesNothing(t *testing.T) {
	a, b := sockettest.Pair(t)
	l := sockettest.NewSocket(t, b, wsa.AF_INET, wsa.SOCK_STREAM)
	require.Zero(t, l.Bind(addrPort("10.0.0.2:80")))
	require.Zero(t, l.Listen(5))
	server, client := sockettest.NewSocket(t, b, wsa.AF_INET, wsa.SOCK_STREAM), sockettest.NewSocket(t, a, wsa.AF_INET, wsa.SOCK_STREAM)
	for i := range 20 {
		var wg sync.WaitGroup
		wg.Go(func() { assert.Zero(t, serveOnce(l, server)) })
		require.Zero(t, askOnce(client, addrPort("10.0.0.2:80"), uint32(i)))
		wg.Wait()
		stack.Settle(a, b)
		require.Len(t, a.Sockets(), 1)
		require.Len(t, b.Sockets(), 2)
		require.Equal(t, "bound", client.Info().State)
		require.Equal(t, "unbound", server.Info().State)
	}
}

// Calls of other goroutines, which never wait, may meet any moment of a socket that
// has one connection after the other: nothing is touched by two at once, and no byte
// of one connection comes out of another.
func TestDisconnectExHammer(t *testing.T) {
	const rounds = 100
	a, b := sockettest.Pair(t)
	l := sockettest.NewSocket(t, b, wsa.AF_INET, wsa.SOCK_STREAM)
	require.Zero(t, l.Bind(addrPort("10.0.0.2:80")))
	require.Zero(t, l.Listen(5))
	s := sockettest.NewSocket(t, b, wsa.AF_INET, wsa.SOCK_STREAM)
	require.Zero(t, s.SetNonblocking(true))
	stop := make(chan struct{})
	var wg sync.WaitGroup
	defer wg.Wait()
	defer close(stop)
	buf := func() []byte { return make([]byte, 20) }
	for _, call := range []func(){
		func() { s.Recv(buf(), 0) },
		func() { s.Recv(buf(), wsa.MSG_OOB) },
		func() { s.Recv(buf(), wsa.MSG_PEEK) },
		func() { s.AtMark(); s.Readable(); s.Ready(); s.Info() },
		func() { s.Send([]byte("x"), wsa.MSG_OOB); s.SendAsync([]byte("yz"), 0, netip.AddrPort{}) },
		func() { s.EventSelect(chaosEvent{}, wsa.FD_ALL_EVENTS); s.NetworkEvents(nil) },
		func() {
			s.SetSockOpt(wsa.SOL_SOCKET, wsa.SO_OOBINLINE, []byte{1, 0, 0, 0})
			s.SetSockOpt(wsa.SOL_SOCKET, wsa.SO_OOBINLINE, []byte{0, 0, 0, 0})
		},
	} {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					call()
				}
			}
		})
	}
	for range rounds {
		accept, errno := l.AcceptEx(s, nil)
		require.Zero(t, errno)
		c := sockettest.NewSocket(t, a, wsa.AF_INET, wsa.SOCK_STREAM)
		require.Zero(t, c.Connect(addrPort("10.0.0.2:80")))
		require.Zero(t, done(accept, 0))
		for range 3 {
			_, errno = c.Send([]byte("urgent"), wsa.MSG_OOB)
			require.Zero(t, errno)
		}
		require.Zero(t, c.Shutdown(wsa.SD_SEND))
		go func() {
			for n := 1; n > 0 && errno == 0; {
				n, errno = c.Recv(make([]byte, 100), 0)
			}
			c.Close()
		}()
		require.Zero(t, s.Disconnect(wsa.TF_REUSE_SOCKET, 0))
	}
}
