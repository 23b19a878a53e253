package calls_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOptions(t *testing.T) {
	s := newStage(t)
	s.connected()
	s.ok("setsockopt(4, SOL_SOCKET, SO_KEEPALIVE, [1], 4) = 0", "getsockopt(4, SOL_SOCKET, SO_KEEPALIVE, [1], [4]) = 0",
		"setsockopt(4, SOL_TCP, TCP_KEEPIDLE, [5], 4) = 0", "getsockopt(4, IPPROTO_TCP, TCP_KEEPIDLE, [5], [4]) = 0",
		"setsockopt(4, SOL_SOCKET, SO_LINGER, {onoff=1, linger=7}, 8) = 0",
		"getsockopt(4, SOL_SOCKET, SO_LINGER, {onoff=1, linger=7}, [8]) = 0",
		"getsockopt(4, SOL_SOCKET, SO_LINGER, {onoff=1, linger=...}, ...) = 0",
		"getsockopt(4, SOL_SOCKET, SO_ERROR, ..., ...) = 0",
		"setsockopt(4, SOL_SOCKET, SO_KEEPALIVE, NULL, 4) = -1 EFAULT")
	require.Equal(t, "1:40: the value of SO_LINGER differs | expected {onoff=1, linger=8} | actual {onoff=1, linger=7}",
		s.fault("getsockopt(4, SOL_SOCKET, SO_LINGER, {onoff=1, linger=8}, ...) = 0"))
	require.Equal(t, "1:43: the value of SO_KEEPALIVE differs | expected [0] | actual [1]",
		s.fault("getsockopt(4, SOL_SOCKET, SO_KEEPALIVE, [0], [4]) = 0"))
	require.Contains(t, s.fault("setsockopt(4, SOL_SOCKET, SO_NOSUCHTHING, [0], 4) = 0"), "SO_NOSUCHTHING")
	require.Contains(t, s.fault("getsockopt(4, SOL_SOCKET, SO_RCVBUF, [0], [99999999]) = 0"), "a value of 99999999 bytes isn't possible")
}

func TestIoctl(t *testing.T) {
	s := newStage(t)
	p := s.connected()
	s.sends(p, "[P.] len 1000")
	s.ok("ioctl(4, SIOCINQ, [1000]) = 0", "ioctl(4, FIONREAD, ...) = 0", "ioctl(4, SIOCATMARK, [1]) = 0",
		"write(4, ..., 300) = 300", "ioctl(4, SIOCOUTQ, [300]) = 0")
	s.sends(p, "[.] ack 301")
	s.ok("ioctl(4, SIOCOUTQ, [0]) = 0", "ioctlsocket(4, FIONREAD, [1000]) = 0", "ioctl(3, SIOCOUTQ, [0]) = -1 ENOTCONN")
	require.Equal(t, "1:22: the third argument of ioctl differs | expected [999] | actual [1000]", s.fault("ioctl(4, SIOCINQ, [999]) = 0"))
	require.Contains(t, s.fault("ioctl(4, FIONBIO, ...) = 0"), "FIONBIO has no value")
	s.ok("ioctl(4, FIONBIO, NULL) = -1 EFAULT")
}

func TestFcntl(t *testing.T) {
	s := newStage(t)
	s.ok("socket(..., SOCK_STREAM, 0) = 3", "fcntl(3, F_GETFL) = O_RDWR", "fcntl(3, F_SETFL, O_NONBLOCK) = 0",
		"fcntl(3, F_GETFL, 0) = 0x802", "fcntl(3, F_SETFD, FD_CLOEXEC) = 0", "fcntl(3, F_GETFD) = 0", "fcntl(9, F_GETFL) = -1 EBADF")
	require.Contains(t, s.fault("fcntl(3, F_DUPFD, 0) = 4"), "F_DUPFD isn't supported | hint: use F_GETFL or F_SETFL")
}

func TestWSAIoctl(t *testing.T) {
	s := newStage(t)
	p := s.connected()
	s.sends(p, "[P.] len 7")
	s.ok("WSAIoctl(4, SIO_KEEPALIVE_VALS, {onoff=1, keepalivetime=10000, keepaliveinterval=1000}, 12, NULL, 0, ..., NULL, NULL) = 0",
		"getsockopt(4, IPPROTO_TCP, TCP_KEEPIDLE, [10], [4]) = 0",
		"WSAIoctl(4, SIO_KEEPALIVE_VALS, {onoff=1, keepalivetime=10000, keepaliveinterval=1000}, 4, NULL, 0, ...) = -1 WSAEFAULT",
		"WSAIoctl(4, SIO_KEEPALIVE_VALS, NULL, 0, NULL, 0, ...) = -1 WSAEFAULT",
		"WSAIoctl(4, FIONREAD, NULL, 0, [7], 4, [4]) = 0",
		"WSAIoctl(4, FIONBIO, [1], 4, NULL, 0, ...) = 0",
		"recv(4, ..., 10, 0) = 7", "recv(4, ..., 10, 0) = -1 WSAEWOULDBLOCK")
	require.Contains(t, s.fault("WSAIoctl(4, FIONREAD, NULL, 0, [8], 4, [4]) = 0"), "expected [8] | actual [0]")
	require.Contains(t, s.fault("WSAIoctl(4, FIONREAD, NULL, 0, [0], 4, ..., 20, NULL) = 0"), "the OVERLAPPED of WSAIoctl can't have a value here")
}
