package socket_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/internal/sockettest"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
	"github.com/wsstack/wsstack/wsa"
)

// asError is the result of a call as an error.
func asError(n int, errno wsa.Errno) (int, error) {
	if errno != 0 {
		return n, errno
	}
	return n, nil
}

func addrPort(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

func TestPeekLeavesData(t *testing.T) {
	a, b := sockettest.Pair(t)
	server := sockettest.NewSocket(t, b, wsa.AF_INET, wsa.SOCK_STREAM)
	require.Zero(t, server.Bind(addrPort("10.0.0.2:90")))
	require.Zero(t, server.Listen(1))
	client := sockettest.NewSocket(t, a, wsa.AF_INET, wsa.SOCK_STREAM)
	require.Zero(t, client.Connect(addrPort("10.0.0.2:90")))
	peer, from, errno := server.Accept()
	require.Zero(t, errno)
	defer peer.Close()
	local, errno := client.LocalAddr()
	require.Zero(t, errno)
	require.Equal(t, local, from)

	_, errno = client.Send([]byte("abcdef"), 0)
	require.Zero(t, errno)
	buf := make([]byte, 4)
	for range 2 {
		n, errno := peer.Recv(buf, wsa.MSG_PEEK)
		require.Zero(t, errno)
		require.Equal(t, "abcd", string(buf[:n]))
	}
	n, errno := peer.Readable()
	require.Zero(t, errno)
	require.Equal(t, 6, n)
	_, errno = peer.Recv(buf[:0], 0)
	require.Zero(t, errno, "an empty buffer")
	n, errno = peer.Recv(buf, 0)
	require.Zero(t, errno)
	require.Equal(t, 4, n)
	n, errno = peer.Recv(buf, 0)
	require.Zero(t, errno)
	require.Equal(t, "ef", string(buf[:n]))
}

// WAITALL fills the buffer, however small the pieces are; at the end of the
// stream it returns what there is; after a time-out the pieces are still there.
func TestWaitAll(t *testing.T) {
	a, b, spy := sockettest.SpiedPair(t)
	client, server := sockettest.ConnectedSockets(t, a, b)
	buf, n := make([]byte, 8), 0
	received := spy.Blocked("recv", func() (err error) { n, err = asError(server.Recv(buf, wsa.MSG_WAITALL)); return err })
	for i := range 8 {
		if i > 0 {
			spy.Await("recv") // again
		}
		_, errno := client.Send([]byte{byte('0' + i)}, 0)
		require.Zero(t, errno)
	}
	require.NoError(t, <-received)
	require.Equal(t, "01234567", string(buf[:n]))

	_, errno := client.Send([]byte("89"), 0)
	require.Zero(t, errno)
	stack.Settle(a, b)
	require.Zero(t, server.SetSockOpt(wsa.SOL_SOCKET, wsa.SO_RCVTIMEO, binary.LittleEndian.AppendUint32(nil, 100)))
	n, errno = server.Recv(buf, wsa.MSG_WAITALL)
	require.Equal(t, wsa.WSAETIMEDOUT, errno)
	require.Zero(t, n)
	n, errno = server.Readable()
	require.Zero(t, errno)
	require.Equal(t, 2, n, "the bytes read before the time-out are queued again")
	n, errno = server.Recv(buf, wsa.MSG_PEEK)
	require.Zero(t, errno)
	require.Equal(t, "89", string(buf[:n]))

	require.Zero(t, client.Shutdown(wsa.SD_SEND))
	n, errno = server.Recv(buf, wsa.MSG_WAITALL)
	require.Zero(t, errno)
	require.Equal(t, "89", string(buf[:n]), "the stream has ended")
}

func TestDatagrams(t *testing.T) {
	a, b := sockettest.Pair(t)
	for _, f := range sockettest.Families {
		t.Run(f.Name, func(t *testing.T) {
			server := sockettest.NewSocket(t, b, f.Family, wsa.SOCK_DGRAM)
			require.Zero(t, server.Bind(netip.AddrPortFrom(f.Addr, 0)))
			to, errno := server.LocalAddr()
			require.Zero(t, errno)
			client := sockettest.NewSocket(t, a, f.Family, wsa.SOCK_DGRAM)
			_, errno = client.Recv(make([]byte, 1), 0)
			require.Equal(t, wsa.WSAEINVAL, errno, "recv on an unbound socket")
			for _, size := range []int{0, 1, 1400, 9000, 65507} {
				sent := bytes.Repeat([]byte{7}, size)
				n, errno := client.SendTo(sent, 0, to)
				require.Zero(t, errno, size)
				require.Equal(t, size, n)
				buf := make([]byte, 1<<16)
				n, from, errno := server.RecvFrom(buf, 0)
				require.Zero(t, errno, size)
				require.Equal(t, sent, buf[:n])
				local, errno := client.LocalAddr()
				require.Zero(t, errno)
				require.Equal(t, local.Port(), from.Port())
			}
			limit := map[string]int{"IPv4": 65507, "IPv6": 65527}[f.Name]
			_, errno = client.SendTo(make([]byte, limit+1), 0, to)
			require.Equal(t, wsa.WSAEMSGSIZE, errno)

			_, errno = client.SendTo([]byte("abcdef"), 0, to)
			require.Zero(t, errno)
			_, errno = client.SendTo([]byte("next"), 0, to)
			require.Zero(t, errno)
			buf := make([]byte, 4)
			n, errno := server.Recv(buf, 0)
			require.Equal(t, wsa.WSAEMSGSIZE, errno)
			require.Equal(t, "abcd", string(buf[:n]))
			n, errno = server.Recv(buf, 0)
			require.Zero(t, errno)
			require.Equal(t, "next", string(buf[:n]), "the rest is lost, the next datagram isn't")
		})
	}
}

func TestConnectedDatagram(t *testing.T) {
	a, b := sockettest.Pair(t)
	server := sockettest.NewSocket(t, b, wsa.AF_INET, wsa.SOCK_DGRAM)
	require.Zero(t, server.Bind(addrPort("0.0.0.0:53")))
	client := sockettest.NewSocket(t, a, wsa.AF_INET, wsa.SOCK_DGRAM)
	_, errno := client.Send([]byte("x"), 0)
	require.Equal(t, wsa.WSAENOTCONN, errno)
	_, errno = client.SendTo([]byte("x"), 0, netip.AddrPort{})
	require.Equal(t, wsa.WSAEDESTADDRREQ, errno)
	require.Zero(t, client.Connect(addrPort("10.0.0.2:53")))
	local, errno := client.LocalAddr()
	require.Zero(t, errno)
	require.Equal(t, "10.0.0.1", local.Addr().String(), "connect chose a specific address")
	_, errno = client.Send([]byte("ask"), 0)
	require.Zero(t, errno)
	buf := make([]byte, 9)
	n, from, errno := server.RecvFrom(buf, 0)
	require.Zero(t, errno)
	require.Equal(t, local, from)
	_, errno = server.SendTo(buf[:n], 0, from)
	require.Zero(t, errno)
	n, errno = client.Recv(buf, 0)
	require.Zero(t, errno)
	require.Equal(t, "ask", string(buf[:n]))

	// A port unreachable is WSAECONNRESET on recv; sends succeed (NB-3).
	require.Zero(t, client.Connect(addrPort("10.0.0.2:54")))
	_, errno = client.Send([]byte("x"), 0)
	require.Zero(t, errno)
	_, errno = client.Recv(buf, 0)
	require.Equal(t, wsa.WSAECONNRESET, errno)
	_, errno = client.Send([]byte("x"), 0)
	require.Zero(t, errno)
}

// A socket that is bound to the second address of an interface sends from it,
// connected or not.
func TestDatagramSource(t *testing.T) {
	da, db := tun.Pipe(1500)
	a, b := sockettest.NewStack(t, da, "10.0.0.1/24", "10.0.0.9/24"), sockettest.NewStack(t, db, "10.0.0.2/24")
	server := sockettest.NewSocket(t, b, wsa.AF_INET, wsa.SOCK_DGRAM)
	require.Zero(t, server.Bind(addrPort("10.0.0.2:53")))
	for _, connect := range []bool{false, true} {
		client := sockettest.NewSocket(t, a, wsa.AF_INET, wsa.SOCK_DGRAM)
		require.Zero(t, client.Bind(addrPort("10.0.0.9:0")))
		to := addrPort("10.0.0.2:53")
		if connect {
			require.Zero(t, client.Connect(to))
			to = netip.AddrPort{}
		}
		_, errno := client.SendTo([]byte("x"), 0, to)
		require.Zero(t, errno)
		_, from, errno := server.RecvFrom(make([]byte, 9), 0)
		require.Zero(t, errno)
		local, errno := client.LocalAddr()
		require.Zero(t, errno)
		require.Equal(t, "10.0.0.9", from.Addr().String())
		require.Equal(t, from, local)
		_, errno = server.SendTo([]byte("y"), 0, from)
		require.Zero(t, errno)
		_, errno = client.Recv(make([]byte, 9), 0)
		require.Zero(t, errno)
	}
}

// A specific address that is bound twice, and one after the other.
func TestPortIsReleased(t *testing.T) {
	a, b := sockettest.Pair(t)
	for range 3 {
		for _, addr := range []string{"0.0.0.0:700", "10.0.0.2:700"} {
			l, err := b.Listen("tcp4", addr)
			require.NoError(t, err)
			_, err = b.Listen("tcp4", addr)
			require.ErrorIs(t, err, wsa.WSAEADDRINUSE)
			require.NoError(t, l.Close())
		}
	}
	s := sockettest.NewSocket(t, a, wsa.AF_INET, wsa.SOCK_STREAM)
	require.Zero(t, s.Bind(addrPort("0.0.0.0:600")))
	require.Equal(t, wsa.WSAECONNREFUSED, s.Connect(addrPort("10.0.0.2:1")))
	local, errno := s.LocalAddr()
	require.Zero(t, errno)
	require.Equal(t, "0.0.0.0:600", local.String(), "still bound as before, so that it may try again")
	require.Zero(t, s.Close())
	again := sockettest.NewSocket(t, a, wsa.AF_INET, wsa.SOCK_STREAM)
	require.Zero(t, again.Bind(addrPort("0.0.0.0:600")))
}

func TestLingerZeroResets(t *testing.T) {
	a, b, spy := sockettest.SpiedPair(t)
	for _, f := range sockettest.Families {
		t.Run(f.Name, func(t *testing.T) {
			client, server := sockettest.Connected(t, a, b, f.Addr)
			require.NoError(t, client.SetLinger(0))
			_, err := client.Write(make([]byte, 1<<20))
			require.NoError(t, err)
			spy.Forget()
			require.NoError(t, client.Close())
			require.Empty(t, spy, "close waits")
			_, err = io.Copy(io.Discard, server)
			require.ErrorIs(t, err, wsa.WSAECONNRESET)
			_, err = server.Write([]byte("x"))
			require.ErrorIs(t, err, wsa.WSAECONNRESET)
		})
	}
}

// Close with SO_LINGER {1, n} waits until all is acknowledged, or resets.
func TestLingerWaits(t *testing.T) {
	a, b := sockettest.Pair(t)
	client, server := sockettest.Connected(t, a, b, sockettest.Families[0].Addr)
	require.NoError(t, client.SetLinger(20))
	all := make(chan struct{})
	go func() {
		defer close(all)
		n, err := io.Copy(io.Discard, server)
		assert.NoError(t, err)
		assert.EqualValues(t, 2<<20, n)
	}()
	_, err := client.Write(make([]byte, 2<<20))
	require.NoError(t, err)
	sockettest.Within(t, "close", func() { require.NoError(t, client.Close()) })
	sockettest.Within(t, "the peer's end of file", func() { <-all })
}

// The write has no deadline: one that passed before the write began, on a busy
// machine, left nothing to linger for.
func TestLingerExpires(t *testing.T) {
	a, b := sockettest.Pair(t)
	client, server := sockettest.ConnectedSockets(t, a, b)
	require.Zero(t, client.SetSockOpt(wsa.SOL_SOCKET, wsa.SO_LINGER, []byte{1, 0, 1, 0}))
	client.SetNonblocking(true)
	// The first fills the peer's window, which nobody opens, and the queue.
	n, errno := client.Send(make([]byte, 64<<20), 0)
	require.Zero(t, errno)
	require.Positive(t, n)
	require.Eventually(t, func() bool {
		_, errno := client.Send(make([]byte, 64<<20), 0)
		return errno == wsa.WSAEWOULDBLOCK && a.Sockets()[0].SendQueue > 0
	}, sockettest.Patience, 20*time.Millisecond)
	client.SetNonblocking(false)
	start := time.Now()
	require.Zero(t, client.Close())
	elapsed := time.Since(start)
	require.GreaterOrEqual(t, elapsed, time.Second)
	for errno = 0; errno == 0; {
		if n, errno = server.Recv(make([]byte, 1<<20), 0); n == 0 {
			break
		}
	}
	require.Equal(t, wsa.WSAECONNRESET, errno)
}

func TestCloseWithUnreadDataResets(t *testing.T) {
	a, b := sockettest.Pair(t)
	client, server := sockettest.Connected(t, a, b, sockettest.Families[0].Addr)
	_, err := client.Write([]byte("never read"))
	require.NoError(t, err)
	stack.Settle(a, b)
	require.Equal(t, 10, b.Sockets()[0].RecvQueue)
	require.NoError(t, server.Close())
	_, err = client.Read(make([]byte, 1))
	require.ErrorIs(t, err, wsa.WSAECONNRESET)
}

func TestStackCloseEndsCalls(t *testing.T) {
	a, b, spy := sockettest.SpiedPair(t)
	client, server := sockettest.Connected(t, a, b, sockettest.Families[0].Addr)
	result := spy.Blocked("recv", func() error { _, err := server.Read(make([]byte, 1)); return err })
	require.NoError(t, b.Close())
	require.ErrorIs(t, <-result, wsa.WSAENETDOWN)
	_, err := server.Write([]byte("x"))
	require.ErrorIs(t, err, wsa.WSAENETDOWN)
	require.NoError(t, server.Close(), "closesocket succeeds on a stack that is down")
	_, err = client.Read(make([]byte, 1))
	require.ErrorIs(t, err, wsa.WSAECONNRESET, "the peer sees a reset")
	_, err = b.Listen("tcp", ":0")
	require.ErrorIs(t, err, wsa.WSAENETDOWN)
}
