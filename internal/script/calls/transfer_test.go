package calls_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/internal/script/calls"
	"github.com/wsstack/wsstack/internal/script/syntax"
	"github.com/wsstack/wsstack/simnet"
)

// payload receives the next data of the stack.
func (s *stage) payload(p *simnet.Peer) string {
	s.t.Helper()
	for {
		a, err := p.Receive(second)
		require.NoError(s.t, err)
		if len(a.Payload) > 0 {
			return string(a.Payload)
		}
	}
}

func TestSend(t *testing.T) {
	s := newStage(t)
	p := s.connected()
	s.ok(`setsockopt(4, SOL_TCP, TCP_NODELAY, [1], 4) = 0`)
	for _, tt := range []struct{ line, want string }{
		{"write(4, ..., 3) = 3", "\x00\x00\x00"},
		{`send(4, "hello", 5, 0) = 5`, "hello"},
		{`send(4, "hello", 7, MSG_NOSIGNAL) = 7`, "hello\x00\x00"},
		{`send(4, "hello", 2, MSG_DONTWAIT) = 2`, "he"},
		{`sendto(4, "abc", 3, 0, ..., ...) = 3`, "abc"},
		{`writev(4, [{"ab", 2}, {..., 1}, {"c", 1}], 3) = 4`, "ab\x00c"},
		{`sendmsg(4, {msg_name(...)=..., msg_iov(2)=[{"x", 1}, {"y", 1}], msg_flags=0}, 0) = 2`, "xy"},
		{`WSASend(4, [{..., 2}, {len=1, buf="z"}], 2, [3], 0, NULL, NULL) = 0`, "\x00\x00z"},
	} {
		s.ok(tt.line)
		require.Equal(t, tt.want, s.payload(p), tt.line)
	}
	require.Equal(t, "1:40: the fourth argument of WSASend differs | expected [4] | actual [3]",
		s.fault("WSASend(4, [{..., 2}, {..., 1}], 2, [4], 0, NULL, NULL) = 0"))
}

func TestReceive(t *testing.T) {
	s := newStage(t)
	p := s.connected()
	p.Send("[P.]", []byte("hello world, and more")...)
	require.NoError(t, s.Idle())
	s.ok(`recv(4, "hello", 5, MSG_PEEK) = 5`, `recv(4, "hello", 5, 0) = 5`, `read(4, " ", 1) = 1`,
		`readv(4, [{"wo", 2}, {"rld", 3}], 2) = 5`)
	require.Equal(t, `1:11: other bytes were received | expected ";" | actual ","`, s.fault(`recv(4, ";", 1, 0) = 1`))
	s.ok(`recvfrom(4, ..., 1, 0, ..., ...) = 1`, `recvmsg(4, {msg_name(...)=..., msg_iov(1)=[{..., 1}], msg_flags=0}, 0) = 1`,
		`WSARecv(4, [{"nd ", 3}], 1, [3], [0], NULL, NULL) = 0`, "recv(4, ..., 100, MSG_DONTWAIT) = 4")
}

// MSG_DONTWAIT is for one call: the next one waits.
func TestReceive_DontWait(t *testing.T) {
	s := newStage(t)
	p := s.connected()
	s.ok("recv(4, ..., 100, MSG_DONTWAIT) = -1 EAGAIN")
	w := s.blocks("recv(4, ..., 100, 0) = 10")
	s.ok("recv(4, ..., 100, MSG_DONTWAIT) = -1 EAGAIN")
	w.waits()
	s.sends(p, "[P.] len 10")
	w.returned()
	s.ok("ioctlsocket(4, FIONBIO, [1]) = 0", "recv(4, ..., 100, MSG_DONTWAIT) = -1 EAGAIN", "recv(4, ..., 100, 0) = -1 EAGAIN")
}

// Several calls wait at once, each on a goroutine of its own.
func TestReceive_Several(t *testing.T) {
	s := newStage(t)
	p := s.connected()
	first, second := s.blocks("recv(4, ..., 10, 0) = 10"), s.blocks("recv(4, ..., 100, MSG_WAITALL) = 100")
	s.sends(p, "[P.] len 10")
	first.returned()
	second.waits()
	s.sends(p, "[P.] len 100")
	second.returned()
}

func TestBuffer_Null(t *testing.T) {
	s := newStage(t)
	p := s.connected()
	s.sends(p, "[P.] len 10")
	s.ok("send(4, NULL, 1000, 0) = -1 EFAULT", "recv(4, NULL, 1000, 0) = -1 EFAULT", "write(4, NULL, 0) = 0",
		"recvfrom(4, NULL, 10, 0, ..., ...) = -1 EFAULT", "sendto(4, NULL, 10, 0, ..., ...) = -1 EFAULT", "read(4, ..., 10) = 10")
}

func TestBuffer_Mistakes(t *testing.T) {
	s := newStage(t)
	s.connected()
	for _, tt := range []struct{ line, want string }{
		{"write(4, 5, 10) = 10", `1:12: 5 is no buffer | hint: write "..." for any bytes, or a text in quotes`},
		{"write(4, ..., 99999999) = 10", "1:17: a length of 99999999 isn't possible: a call moves at most 16777216 bytes"},
		{"write(4, ..., -1) = 10", "1:17: a length of -1 isn't possible: a call moves at most 16777216 bytes"},
		{"writev(4, [{..., 1}], 2) = 1", "1:25: the number of buffers is 1, and not 2 | hint: write 1"},
		{"send(4, ..., 10, MSG_DONTWAIT|MSG_EOR) = 10", "1:20: MSG_DONTWAIT|MSG_EOR isn't supported | hint: leave it out"},
		{"WSASend(4, [{..., 1}], 1, 5, 0, NULL, NULL) = 0", `1:29: 5 is no value in brackets | hint: write "[1]", or "..." for any`},
		{"writev(4, [" + strings.Repeat("{..., 9000000}, ", 2) + "{..., 1}], 3) = 1", "1:13: the lengths aren't possible: a call moves at most 16777216 bytes"},
	} {
		require.Equal(t, tt.want, s.fault(tt.line), tt.line)
	}
}

// A datagram that is longer than the buffer is an error of Winsock, and cut off on Linux.
func TestDatagram_CutOff(t *testing.T) {
	s := newStage(t)
	s.ok("socket(..., SOCK_DGRAM, IPPROTO_UDP) = 3", "bind(3, ..., ...) = 0")
	send := func() {
		s.wire.Inject(simnet.EncodeUDP(netip.MustParseAddrPort("192.0.2.1:9"), netip.MustParseAddrPort("192.168.0.1:8080"), []byte("hello")))
		require.NoError(t, s.Idle())
	}
	send()
	s.ok(`recvfrom(3, "hell", 4, 0, {sa_family=AF_INET, sin_port=htons(9), sin_addr=inet_addr("192.0.2.1")}, [16]) = 4`)
	send()
	s.ok("recvmsg(3, {msg_name(...)=..., msg_iov(1)=[{..., 4}], msg_flags=MSG_TRUNC}, 0) = 4")
	send()
	s.ok("read(3, ..., 4) = 4")
	send()
	s.ok("WSARecvFrom(3, [{..., 4}], 1, ..., [0], ..., ..., NULL, NULL) = -1 WSAEMSGSIZE")
	send()
	s.ok("recv(3, ..., 4, 0) = -1 WSAEMSGSIZE")
	send()
	s.ok(`WSARecvMsg(3, {msg_name(...)=..., msg_iov(1)=[{"hello", 100}], msg_flags=0}, [5], NULL, NULL) = 0`)
}

// A datagram that is longer than the buffer has filled it, and its bytes are compared.
func TestDatagram_CutOffText(t *testing.T) {
	s := newStage(t)
	s.ok("socket(..., SOCK_DGRAM, IPPROTO_UDP) = 3", "bind(3, ..., ...) = 0", "WSASetLastError(0) = 0")
	send := func() {
		s.wire.Inject(simnet.EncodeUDP(netip.MustParseAddrPort("192.0.2.1:9"), netip.MustParseAddrPort("192.168.0.1:8080"), []byte("hello")))
		require.NoError(t, s.Idle())
	}
	const other = `other bytes were received | expected "~hat" | actual "hell"`
	for _, tt := range []struct{ line, want string }{
		{`recv(3, "~hat", 4, 0) = -1 WSAEMSGSIZE`, "1:11: " + other},
		{`recvfrom(3, "~hat", 4, 0, ..., ...) = -1 WSAEMSGSIZE`, "1:15: " + other},
		{`WSARecv(3, [{"~hat", 4}], 1, ..., [0], NULL, NULL) = -1 WSAEMSGSIZE`, "1:14: " + other},
		{`WSARecv(3, [{"hell", 4}], 1, [5], [0], NULL, NULL) = -1 WSAEMSGSIZE`, "1:33: the fourth argument of WSARecv differs | expected [5] | actual [4]"},
		{`WSARecvMsg(3, {msg_name(...)=..., msg_iov(1)=[{"~hat", 4}]}, ..., NULL, NULL) = -1 WSAEMSGSIZE`, "1:17: " + other},
	} {
		send()
		require.Equal(t, tt.want, s.fault(tt.line), tt.line)
		send()
		s.ok(strings.NewReplacer("~hat", "hell", "[5]", "[4]").Replace(tt.line))
	}
	s.ok(`WSARecv(3, [{"~hat", 4}], 1, NULL, [0], 20, NULL) = -1 WSA_IO_PENDING`)
	send()
	require.Equal(t, "1:14: "+other, s.fault("WSAGetOverlappedResult(3, 20, [4], FALSE, ...) = 0 WSAEMSGSIZE"))
}

// Where a call is to fail and leaves no bytes, a text would be compared with nothing.
func TestCheckText(t *testing.T) {
	for line, at := range map[string]int{
		`recv(3, "hello", 5, 0) = -1 EAGAIN`:                                                     11,
		`recv(3, "hello", 5, 0) = -1`:                                                            11,
		`readv(3, [{..., 1}, {"a", 1}], 2) = -1 ECONNRESET`:                                      24,
		`recvmsg(3, {msg_name(...)=..., msg_iov(1)=[{"a", 1}], msg_flags=0}, 0) = -1 EAGAIN`:     47,
		`AcceptEx(3, 4, "hello", 5, 16, 16, ..., 20) = -1 WSAEINVAL`:                             18,
		`recv(3, ..., 5, 0) = -1 EAGAIN`:                                                         0,
		`recv(3, "hello", 5, 0) = -1 WSAEMSGSIZE`:                                                0,
		`recv(3, "hello", 5, 0) = 5`:                                                             0,
		`recv(3, "hello", 5, 0)`:                                                                 0,
		`send(3, "hello", 5, 0) = -1 EPIPE`:                                                      0,
		`WSARecv(3, [{"hello", 5}], 1, [5], [0], 20, NULL) = -1 WSA_IO_PENDING`:                  0,
		`AcceptEx(3, 4, "hello", 5, 16, 16, ..., 20) = -1 ERROR_IO_PENDING`:                      0,
		`recvfrom(3, ..., 1, 0, {sin_addr=inet_addr("192.0.2.1")}, ...) = -1 EAGAIN`:             0,
		`recvmsg(3, {msg_name={sin_addr=inet_addr("1.2.3.4")}, msg_iov(1)=[...]}, 0) = -1 EINTR`: 0,
	} {
		f := calls.Check(parse(t, line))
		if at == 0 {
			require.Nil(t, f, "%s: %+v", line, f)
			continue
		}
		require.NotNil(t, f, line)
		require.Equal(t, syntax.Pos{Line: 1, Column: at}, f.Pos, line)
		require.Contains(t, f.What, "the text isn't compared")
		require.Equal(t, `write "..." in its place`, f.Hint)
	}
}

// Control messages go out and come in with the names of options.
func TestControlMessages(t *testing.T) {
	s := newStage(t)
	s.ok("socket(..., SOCK_DGRAM, IPPROTO_UDP) = 3", "bind(3, ..., ...) = 0", "connect(3, ..., ...) = 0",
		"setsockopt(3, IPPROTO_IP, IP_RECVTTL, [1], 4) = 0",
		"sendmsg(3, {msg_name(...)=..., msg_iov(1)=[{..., 1}], msg_control=[{cmsg_level=IPPROTO_IP, cmsg_type=IP_TTL, cmsg_data=7}]}, 0) = 1")
	p, err := s.wire.Receive(second)
	require.NoError(t, err)
	require.EqualValues(t, 7, p.Data[8])
	send := func() {
		s.wire.Inject(simnet.EncodeUDP(netip.MustParseAddrPort("192.0.2.1:8080"), netip.MustParseAddrPort("192.168.0.1:8080"), []byte("x")))
		require.NoError(t, s.Idle())
	}
	receive := func(control string) string {
		send()
		return describe(s.do("recvmsg(3, {msg_name(...)=..., msg_iov(1)=[{..., 10}], msg_flags=0, msg_control=[" + control + "]}, 0) = 1"))
	}
	require.NotContains(t, receive("{cmsg_level=IPPROTO_IP, cmsg_type=IP_TTL, cmsg_data=64}"), "differs")
	require.NotContains(t, receive("{cmsg_level=IPPROTO_IP, cmsg_type=IP_TTL, cmsg_data=...}"), "differs")
	require.Contains(t, receive("{cmsg_level=IPPROTO_IP, cmsg_type=IP_TTL, cmsg_data=63}"),
		"cmsg_data of IP_TTL differs | expected cmsg_data=63 | actual cmsg_data=64")
	require.Contains(t, receive(""), "the number of control messages differs | expected 0 | actual 1")
	require.Contains(t, receive("{cmsg_level=IPPROTO_IP, cmsg_type=IP_TOS, cmsg_data=64}"), "another control message came")
	require.Contains(t, receive("5"), "5 is no structure")
}
