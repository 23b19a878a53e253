package calls_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/internal/script/calls"
	"github.com/wsstack/wsstack/wsa"
)

func TestServer(t *testing.T) {
	s := newStage(t)
	s.ok("socket(..., SOCK_STREAM, IPPROTO_TCP) = 3", "setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0",
		"bind(3, ..., ...) = 0", "listen(3, 1) = 0")
	p := s.wire.Connect("192.168.0.1:8080")
	peer := fmt.Sprintf(`{sa_family=AF_INET, sin_port=htons(%d), sin_addr=inet_addr("192.0.2.1")}`, p.Local().Port())
	accept := s.blocks("accept(3, " + peer + ", [16]) = 4")
	require.NoError(t, p.Handshake("mss 1000"))
	accept.returned()

	s.sends(p, "[P.] len 10")
	s.ok("read(4, ..., 1000) = 10", "write(4, ..., 20) = 20")
	require.Equal(t, string(make([]byte, 20)), s.payload(p))
	s.ok("close(4) = 0", "close(3) = 0")
}

func TestClient(t *testing.T) {
	s := newStage(t)
	s.ok("socket(..., SOCK_STREAM, IPPROTO_TCP) = 3")
	connect := s.blocks("connect(3, ..., ...) = 0")
	p := s.wire.Listen(8080)
	require.NoError(t, p.Accept("mss 1000"))
	connect.returned()
	s.ok(`getpeername(3, {sa_family=AF_INET, sin_port=htons(8080), sin_addr=inet_addr("192.0.2.1")}, [16]) = 0`)
	require.Equal(t, `1:18: the address differs | expected {sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr("192.0.2.1")}`+
		` | actual {sa_family=AF_INET, sin_port=htons(8080), sin_addr=inet_addr("192.0.2.1")}`,
		s.fault(`getpeername(3, {sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr("192.0.2.1")}, ...) = 0`))
}

func TestConnect_Nonblocking(t *testing.T) {
	s := newStage(t)
	s.ok("socket(..., SOCK_STREAM, IPPROTO_TCP) = 3", "fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0",
		"fcntl(3, F_GETFL) = O_RDWR|O_NONBLOCK", "connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)",
		"connect(3, ..., ...) = -1 EALREADY")
	p := s.wire.Listen(8080)
	_, err := p.Expect("[S] seq 0")
	require.NoError(t, err)
	s.sends(p, "[R.] seq 0 ack 1")
	s.ok("getsockopt(3, SOL_SOCKET, SO_ERROR, [ECONNREFUSED], [4]) = 0", "getsockopt(3, SOL_SOCKET, SO_ERROR, [0], [4]) = 0",
		"fcntl(3, F_SETFL, O_RDWR) = 0", "fcntl(3, F_GETFL) = 0x2 (flags O_RDWR)")
}

// The mode that fcntl has set isn't inherited, and that of ioctlsocket is.
func TestAccept_Mode(t *testing.T) {
	for _, tt := range []struct{ how, received string }{
		{"fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0", ""},
		{"ioctl(3, FIONBIO, [1]) = 0", ""},
		{"ioctlsocket(3, FIONBIO, [1]) = 0", "recv(4, ..., 10, 0) = -1 WSAEWOULDBLOCK"},
	} {
		t.Run(tt.how[:8], func(t *testing.T) {
			s := newStage(t)
			s.ok("socket(..., SOCK_STREAM, IPPROTO_TCP) = 3", "bind(3, ..., ...) = 0", "listen(3, 1) = 0", tt.how,
				"accept(3, ..., ...) = -1 WSAEWOULDBLOCK")
			require.NoError(t, s.wire.Connect("192.168.0.1:8080").Handshake("mss 1000"))
			s.ok("accept(3, ..., ...) = 4")
			if tt.received == "" {
				s.blocks("recv(4, ..., 10, 0) = 0")
				return
			}
			s.ok(tt.received)
		})
	}
}

func TestAccept4(t *testing.T) {
	s := newStage(t)
	s.ok("socket(AF_INET, SOCK_STREAM|SOCK_NONBLOCK|SOCK_CLOEXEC, IPPROTO_TCP) = 3", "bind(3, ..., ...) = 0",
		"listen(3, 1) = 0", "accept4(3, ..., ..., 0) = -1 EAGAIN")
	require.NoError(t, s.wire.Connect("192.168.0.1:8080").Handshake("mss 1000"))
	s.ok("accept4(3, ..., ..., SOCK_NONBLOCK) = 4", "recv(4, ..., 10, 0) = -1 EAGAIN", "fcntl(4, F_GETFL) = O_RDWR|O_NONBLOCK")
}

// A connection that waits can be refused, left where it is, and accepted.
func TestWSAAccept(t *testing.T) {
	s := newStage(t)
	s.ok("WSASocket(AF_INET, SOCK_STREAM, IPPROTO_TCP, NULL, 0, WSA_FLAG_OVERLAPPED) = 3", "bind(3, ..., ...) = 0",
		"listen(3, 2) = 0", "ioctlsocket(3, FIONBIO, [1]) = 0")
	p := s.wire.Connect("192.168.0.1:8080")
	require.NoError(t, p.Handshake("mss 1000"))
	s.ok("WSAAccept(3, ..., ..., CF_DEFER, 0) = -1 WSATRY_AGAIN", "WSAAccept(3, ..., ..., CF_REJECT, 0) = -1 WSAECONNREFUSED")
	_, err := p.Expect("[R.]")
	require.NoError(t, err)
	require.NoError(t, s.wire.Connect("192.168.0.1:8080").Handshake("mss 1000"))
	s.ok("WSAAccept(3, ..., ..., CF_ACCEPT, 0) = 4")
	require.NoError(t, s.wire.Connect("192.168.0.1:8080").Handshake("mss 1000"))
	s.ok("WSAAccept(3, ..., ..., NULL, 0) = 5")
}

// Descriptors are those of the script, or the lowest that are free.
func TestDescriptors(t *testing.T) {
	s := newStage(t)
	s.ok("socket(..., SOCK_DGRAM, IPPROTO_UDP) = 77")
	fd, ok := s.machine.Last()
	require.True(t, ok)
	require.EqualValues(t, 77, fd)
	require.Equal(t, "socket(..., SOCK_DGRAM, 0) = 3", s.do("socket(..., SOCK_DGRAM, 0) = ...").Text)
	s.ok("socket(..., SOCK_DGRAM, 0)", "bind(4, ..., ...) = 0")
	require.Equal(t, "1:3: socket can't return 77: the descriptor is open already | hint: give it a number of its own",
		s.fault("socket(..., SOCK_DGRAM, 0) = 77"))
	s.ok("closesocket(77) = 0", "close(77) = -1 EBADF", "closesocket(77) = -1 WSAENOTSOCK")
	_, ok = s.machine.Socket(77)
	require.False(t, ok)
	s.ok("socket(..., SOCK_STREAM, 0) = 77")
	handle, ok := s.machine.Socket(77)
	require.True(t, ok)
	require.NotEqual(t, wsa.INVALID_SOCKET, handle)
	require.Equal(t, "1:3: bind returned something else | expected bind(5, ..., ...) = 0 | actual bind(5, ..., ...) = -1 WSAENOTSOCK"+
		" | hint: no call has returned 5", s.fault("bind(5, ..., ...) = 0"))
}

func TestDescriptors_Bound(t *testing.T) {
	s := newStage(t)
	for range 1024 {
		s.ok("WSACreateEvent()")
	}
	require.Contains(t, s.fault("WSACreateEvent()"), "more descriptors are open than a script may have")
}

// The results of calls that fail are compared in both vocabularies.
func TestResult(t *testing.T) {
	s := newStage(t)
	s.ok("socket(..., SOCK_STREAM, IPPROTO_TCP) = 3")
	for _, tt := range []struct{ line, want string }{
		{"listen(3, 1) = 0", "1:3: listen returned something else | expected listen(3, 1) = 0 | actual listen(3, 1) = -1 EINVAL"},
		{"listen(3, 1) = -1 EAGAIN", "1:3: listen returned something else | expected listen(3, 1) = -1 EAGAIN | actual listen(3, 1) = -1 EINVAL"},
		{"listen(3, 1) = -1", "listen(3, 1) = -1 EINVAL"},
		{"listen(3, 1)", "listen(3, 1) = -1 EINVAL"},
		{"listen(3, 1) = ...", "listen(3, 1) = -1 EINVAL"},
		{"listen(3, 1) = -1 EINVAL (Invalid argument)", "listen(3, 1) = -1 EINVAL"},
		{"listen(3, 1) = -1 WSAEINVAL", "listen(3, 1) = -1 WSAEINVAL"},
		{"bind(3, ..., ...) = 1", "1:3: bind returned something else | expected bind(3, ..., ...) = 1 | actual bind(3, ..., ...) = 0"},
		{"WSAGetLastError() = WSAEINVAL", "WSAGetLastError() = WSAEINVAL"},
		{"WSASetLastError(WSAEINTR) = 0", "WSASetLastError(WSAEINTR) = 0"},
		{"WSAGetLastError() = WSAEINVAL", "1:3: WSAGetLastError returned something else | expected WSAGetLastError() = WSAEINVAL | actual WSAGetLastError() = WSAEINTR"},
		{"socket(..., SOCK_STREAM, IPPROTO_UDP) = 4", "1:3: socket returned something else | expected socket(..., SOCK_STREAM, IPPROTO_UDP) = 4 | actual socket(..., SOCK_STREAM, IPPROTO_UDP) = -1 WSAEPROTOTYPE"},
		{"WSAStartup(0x0202, ...) = 0", "WSAStartup(0x202, ...) = 0"},
		{"WSACleanup() = 0", "WSACleanup() = 0"},
		{"socket(..., SOCK_STREAM, 0) = -1 WSANOTINITIALISED", "socket(..., SOCK_STREAM, 0) = -1 WSANOTINITIALISED"},
	} {
		require.Equal(t, tt.want, describe(s.do(tt.line)), tt.line)
	}
}

func TestDatagram(t *testing.T) {
	s := newStage(t)
	s.ok("socket(..., SOCK_DGRAM, IPPROTO_UDP) = 3", "bind(3, ..., ...) = 0", `sendto(3, "hello", 5, 0, ..., ...) = 5`,
		"connect(3, ..., ...) = 0", "write(3, ..., 3) = 3", "connect(3, AF_UNSPEC, ...) = 0", "write(3, ..., 3) = -1 ENOTCONN")
	p, err := s.wire.Receive(second)
	require.NoError(t, err)
	require.Equal(t, "hello", string(p.Data[28:]))
}

func TestIPv6(t *testing.T) {
	s := newStageOf(t, "fd3d::1/64", "fd3d::2", func(*calls.Config) {})
	s.ok("socket(..., SOCK_STREAM, IPPROTO_TCP) = 3", "bind(3, ..., ...) = 0", "listen(3, 1) = 0")
	require.NoError(t, s.wire.Connect("[fd3d::1]:8080").Handshake("mss 1000"))
	s.ok("accept(3, ..., [28]) = 4", "getpeername(4, ..., [28]) = 0")
}

// Sockets of IPv6 take packets of IPv4.
func TestMapped(t *testing.T) {
	s := newStageOf(t, "192.168.0.1/16", "192.0.2.1", func(c *calls.Config) { c.Mapped = true })
	s.ok("socket(..., SOCK_STREAM, IPPROTO_TCP) = 3", "bind(3, ..., ...) = 0", "listen(3, 1) = 0")
	require.NoError(t, s.wire.Connect("192.168.0.1:8080").Handshake("mss 1000"))
	s.ok("accept(3, ..., [28]) = 4", "socket(..., SOCK_STREAM, IPPROTO_TCP) = 5")
	connect := s.blocks("connect(5, ..., ...) = 0")
	require.NoError(t, s.wire.Listen(8080).Accept("mss 1000"))
	connect.returned()
}

func TestShutdown(t *testing.T) {
	s := newStage(t)
	p := s.connected()
	s.ok("shutdown(4, SHUT_WR) = 0", "send(4, ..., 10, 0) = -1 EPIPE", "send(4, ..., 10, 0) = -1 WSAESHUTDOWN")
	_, err := p.Expect("[F.] seq 1 ack 1")
	require.NoError(t, err)
	s.ok("shutdown(4, SD_BOTH) = 0", "shutdown(4, 7) = -1 EINVAL")
}
