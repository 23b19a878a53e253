package calls_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// tooMuch is what a call is told that there is no room for.
const tooMuch = "the buffers of the calls in progress have more than 67108864 bytes | hint: write smaller lengths, " +
	"or let calls return before others begin, and overlapped operations end with WSAGetOverlappedResult"

// Calls that wait have 64 MiB of buffers together. What has returned doesn't count.
func TestBuffers(t *testing.T) {
	s := newStage(t)
	p := s.connected()
	var waits []*waiting
	for range 4 {
		waits = append(waits, s.blocks("recv(4, ..., 16777216, 0) = 1"))
	}
	require.Equal(t, "1:16: "+tooMuch, s.fault("recv(4, ..., 1, 0) = 1"))
	require.Equal(t, "1:13: "+tooMuch, s.fault("writev(4, [{..., 1}], 1) = 1"))
	s.sends(p, "[P.] len 1")
	waits[0].returned()
	s.ok("write(4, ..., 1000) = 1000", "recv(4, ..., 16777216, MSG_DONTWAIT) = -1 EAGAIN", "recv(4, ..., 16777216, MSG_DONTWAIT) = -1 EAGAIN")
}

// The buffer of an overlapped operation counts until its result is known, or its number used again.
func TestBuffers_Overlapped(t *testing.T) {
	s := newStage(t)
	p := s.connected()
	receive := func(number int) string {
		return fmt.Sprintf("WSARecv(4, [{..., 16777216}], 1, NULL, [0], %d, NULL) = -1 WSA_IO_PENDING", number)
	}
	for number := 1; number <= 4; number++ {
		s.ok(receive(number))
	}
	require.Equal(t, "1:14: "+tooMuch, s.fault(receive(5)))
	s.sends(p, "[P.] len 1")
	require.Contains(t, s.fault(receive(5)), tooMuch)
	s.ok("WSAGetOverlappedResult(4, 1, [1], FALSE, ...) = 1", receive(5))
	s.sends(p, "[P.] len 1")
	require.Contains(t, s.fault(receive(2)), tooMuch) // it would have two buffers at once
	s.ok("CancelIoEx(4, 3) = 1", "WSARecv(4, [{..., 0}], 1, NULL, [0], 3, NULL) = -1 WSA_IO_PENDING", receive(6))
}

// The buffers of TransmitPackets count, too.
func TestBuffers_Elements(t *testing.T) {
	s := newStage(t)
	s.connected()
	list := "{dwElFlags=TP_ELEMENT_MEMORY, cLength=65536}"
	for range 10 {
		list += ", " + list
	}
	require.Equal(t, "1:3: "+tooMuch, s.fault("TransmitPackets(4, ["+list+", {dwElFlags=TP_ELEMENT_MEMORY, cLength=1}], 1025, 0, NULL, 0) = 1"))
}
