package atonce_test

import (
	"bytes"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/wsstack/wsstack/internal/atonce"
)

// pair is two stream sockets that are joined and don't block.
func pair(t *testing.T) (a, b int) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	t.Cleanup(func() {
		for _, fd := range fds {
			_ = unix.Close(fd)
		}
	})
	return fds[0], fds[1]
}

func TestCalls(t *testing.T) {
	a, b := pair(t)
	n, err := atonce.Write(a, []byte("abc"))
	require.NoError(t, err)
	require.Equal(t, 3, n)
	n, err = atonce.Writev(a, []unix.Iovec{atonce.Piece([]byte("de")), atonce.Piece(nil), atonce.Piece([]byte("f"))})
	require.NoError(t, err)
	require.Equal(t, 3, n)

	first, second, third := make([]byte, 2), make([]byte, 1), make([]byte, 10)
	n, err = atonce.Read(b, first)
	require.NoError(t, err)
	require.Equal(t, 2, n)
	n, err = atonce.Readv(b, []unix.Iovec{atonce.Piece(second), atonce.Piece(third)})
	require.NoError(t, err)
	require.Equal(t, 4, n)
	require.Equal(t, "abcdef", string(first)+string(second)+string(third[:3]))
	_, err = atonce.Read(b, first)
	require.Equal(t, unix.EAGAIN, err)
	require.NoError(t, unix.Shutdown(a, unix.SHUT_WR))
	n, err = atonce.Read(b, first)
	require.NoError(t, err)
	require.Zero(t, n, "the end")
	_, err = atonce.Write(a, []byte("a"))
	require.Equal(t, unix.EPIPE, err)
}

func TestEpollWait(t *testing.T) {
	a, b := pair(t)
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	require.NoError(t, err)
	defer unix.Close(epoll)
	require.NoError(t, unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, b, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: 7}))
	var events [2]unix.EpollEvent
	n, err := atonce.EpollWait(epoll, events[:])
	require.NoError(t, err)
	require.Zero(t, n, "it doesn't wait")
	_, err = atonce.Write(a, []byte("a"))
	require.NoError(t, err)
	n, err = atonce.EpollWait(epoll, events[:])
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.Equal(t, unix.EpollEvent{Events: unix.EPOLLIN, Fd: 7}, events[0])
}

func TestErrors(t *testing.T) {
	for name, f := range map[string]func(int, []unix.Iovec) (int, error){"readv": atonce.Readv, "writev": atonce.Writev} {
		_, err := f(-1, []unix.Iovec{atonce.Piece(make([]byte, 1))})
		require.Equal(t, unix.EBADF, err, name)
	}
}

// The datagrams of a call come one by one, of the sizes that they have.
func TestSendSegments(t *testing.T) {
	receiver, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	defer receiver.Close()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(fd)
	to := receiver.LocalAddr().(*net.UDPAddr).AddrPort()
	require.NoError(t, unix.Connect(fd, &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}))
	var sent [][]byte
	for i := range 64 {
		sent = append(sent, bytes.Repeat([]byte{byte(i)}, 1000))
	}
	for _, call := range [][][]byte{sent, append(sent[:2:2], []byte("short"))} {
		require.NoError(t, atonce.SendSegments(fd, call, 1000))
		for _, want := range call {
			b := make([]byte, 1<<16)
			require.NoError(t, receiver.SetReadDeadline(time.Now().Add(time.Minute)))
			n, err := receiver.Read(b)
			require.NoError(t, err)
			require.Equal(t, want, b[:n])
		}
	}
	require.Equal(t, unix.EBADF, atonce.SendSegments(-1, sent, 1000))
	require.Equal(t, unix.EMSGSIZE, atonce.SendSegments(fd, [][]byte{make([]byte, 1<<15), make([]byte, 1<<15)}, 1<<15))
}
