package calls_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOverlapped_Receive(t *testing.T) {
	s := newStage(t)
	p := s.connected()
	s.ok("WSARecv(4, [{\"hello\", 100}], 1, ..., [0], 20, NULL) = -1 WSA_IO_PENDING",
		"WSAGetOverlappedResult(4, 20, ..., FALSE, ...) = -1 WSA_IO_INCOMPLETE")
	require.Contains(t, s.fault("WSARecv(4, [{..., 100}], 1, ..., [0], 20, NULL) = -1 WSA_IO_PENDING"), "the operation of OVERLAPPED 20 is pending still")
	w := s.blocks("WSAGetOverlappedResult(4, 20, [5], TRUE, ...) = 1")
	p.Send("[P.]", []byte("hello")...)
	w.returned()
	require.Contains(t, s.fault("WSAGetOverlappedResult(4, 20, [6], TRUE, ...) = 1"), "differs | expected [6] | actual [5]")
	s.ok("CancelIoEx(4, 20) = FALSE")
	require.Contains(t, s.fault("CancelIoEx(4, 99) = 1"), "no call has started an operation with the OVERLAPPED 99")
}

func TestOverlapped_Other(t *testing.T) {
	s := newStage(t)
	p := s.connected()
	s.ok(`WSARecv(4, [{"hello", 100}], 1, ..., [0], 20, NULL) = -1 WSA_IO_PENDING`)
	p.Send("[P.]", []byte("hallo")...)
	require.NoError(t, s.Idle())
	require.Contains(t, s.fault("WSAGetOverlappedResult(4, 20, ..., FALSE, ...) = 1"), `other bytes were received | expected "hello" | actual "hallo"`)
}

// An operation that is done at once returns 0.
func TestOverlapped_AtOnce(t *testing.T) {
	s := newStage(t)
	p := s.connected()
	s.sends(p, "[P.] len 10")
	s.ok("WSASend(4, [{..., 30}], 1, [30], 0, 20, NULL) = 0", "WSARecv(4, [{..., 100}], 1, [10], [0], 21, NULL) = 0",
		"WSAGetOverlappedResult(4, 20, [30], FALSE, ...) = TRUE")
}

func TestOverlapped_Cancel(t *testing.T) {
	s := newStage(t)
	s.connected()
	s.ok("WSARecv(4, [{..., 100}], 1, ..., [0], 20, NULL) = -1 WSA_IO_PENDING", "WSARecv(4, [{..., 100}], 1, ..., [0], 21, NULL) = -1 WSA_IO_PENDING",
		"CancelIoEx(4, 20) = 1", "WSAGetOverlappedResult(4, 20, ..., TRUE, ...) = -1 WSA_OPERATION_ABORTED",
		"CancelIoEx(4, NULL) = 1", "WSAGetOverlappedResult(4, 21, ..., TRUE, ...) = FALSE")
}

func TestAcceptEx(t *testing.T) {
	s := newStage(t)
	s.ok("socket(..., SOCK_STREAM, 0) = 3", "bind(3, ..., ...) = 0", "listen(3, 1) = 0", "socket(..., SOCK_STREAM, 0) = 4",
		`AcceptEx(3, 4, "hi", 2, 32, 32, ..., 20) = -1 WSA_IO_PENDING`)
	p := s.wire.Connect("192.168.0.1:8080")
	require.NoError(t, p.Handshake("mss 1000"))
	w := s.blocks("WSAGetOverlappedResult(3, 20, [2], TRUE, ...) = 1")
	p.Send("[P.]", []byte("hi")...)
	w.returned()
	s.ok("write(4, ..., 10) = 10")
	require.Contains(t, s.fault("AcceptEx(3, 4, NULL, 0, 32, 32, ..., NULL) = 1"), "AcceptEx has no OVERLAPPED")
}

func TestConnectEx(t *testing.T) {
	s := newStage(t)
	s.ok("socket(..., SOCK_STREAM, 0) = 3", "bind(3, ..., ...) = 0", `ConnectEx(3, ..., ..., "hi", 2, ..., 20) = -1 WSA_IO_PENDING`)
	p := s.wire.Listen(8080)
	require.NoError(t, p.Accept("mss 1000"))
	s.ok("WSAGetOverlappedResult(3, 20, [2], TRUE, ...) = 1")
	require.Equal(t, "hi", s.payload(p))
	s.ok("DisconnectEx(3, 21, TF_REUSE_SOCKET, 0) = -1 WSA_IO_PENDING")
	a, err := p.Expect("[F.] seq 3")
	require.NoError(t, err)
	s.sends(p, "[F.] ack "+number(a.Seq+1))
	s.ok("WSAGetOverlappedResult(3, 21, ..., TRUE, ...) = 1")
}

// Without a file TransmitFile sends what is in memory.
func TestTransmit(t *testing.T) {
	s := newStage(t)
	p := s.connected()
	s.ok("setsockopt(4, IPPROTO_TCP, TCP_NODELAY, [1], 4) = 0",
		`TransmitFile(4, NULL, 0, 0, NULL, {Head="head", HeadLength=4, Tail="tail", TailLength=6}, 0) = 1`)
	require.Equal(t, "headtail\x00\x00", s.payload(p))
	s.ok(`TransmitPackets(4, [{dwElFlags=TP_ELEMENT_MEMORY, cLength=5, pBuffer="hello"}, {dwElFlags=1, pBuffer="x"}], 2, 0, NULL, 0) = 1`)
	require.Equal(t, "hellox", s.payload(p))
	s.ok(`TransmitFile(4, NULL, 0, 0, 20, {Head="end"}, TF_DISCONNECT) = 1`, "WSAGetOverlappedResult(4, 20, [3], TRUE, ...) = 1",
		"TransmitFile(4, NULL, 0, 0, NULL, NULL, 0) = -1 WSAESHUTDOWN")
	a, err := p.Receive(second)
	require.NoError(t, err)
	require.Equal(t, "end", string(a.Payload))
	require.Contains(t, s.fault(`TransmitFile(4, 7, 0, 0, NULL, NULL, 0) = 1`), "scripts have none")
	require.Contains(t, s.fault(`TransmitFile(4, NULL, 0, 0, NULL, {Tale="end"}, 0) = 1`), `the structure has no field "Tale"`)
	require.Contains(t, s.fault(`TransmitFile(4, NULL, 0, 0, NULL, 5, 0) = 1`), "5 is no structure")
}

// The socket of AcceptEx takes over what the listener has, whose descriptor is the value.
func TestUpdateAcceptContext(t *testing.T) {
	s := newStage(t)
	s.ok("socket(..., SOCK_STREAM, 0) = 3", "bind(3, ..., ...) = 0", "listen(3, 1) = 0", "socket(..., SOCK_STREAM, 0) = 4",
		"AcceptEx(3, 4, ..., 0, 32, 32, ..., 20) = -1 WSA_IO_PENDING")
	require.NoError(t, s.wire.Connect("192.168.0.1:8080").Handshake("mss 1000"))
	s.ok("WSAGetOverlappedResult(3, 20, [0], TRUE, ...) = 1", "getpeername(4, ..., ...) = -1 WSAENOTCONN",
		"setsockopt(4, SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT, [3], 8) = 0", "getpeername(4, ..., ...) = 0")
}

func TestDisconnect(t *testing.T) {
	s := newStage(t)
	p := s.connected()
	w := s.blocks("DisconnectEx(4, NULL, 0, 0) = 1")
	a, err := p.Expect("[F.] seq 1 ack 1")
	require.NoError(t, err)
	s.sends(p, "[.] ack "+number(a.Seq+1))
	w.returned()
	s.ok("send(4, ..., 1, 0) = -1 WSAESHUTDOWN")
}
