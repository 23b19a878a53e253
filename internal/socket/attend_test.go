package socket_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/internal/socket"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

// Who attends to a socket is told of data, of the peer's FIN and of its RST, and may use the socket
// then.
func TestAttend(t *testing.T) {
	n := simnet.New(t)
	h := n.Host("h", "10.0.0.1/24")
	p := n.Wire(h, "w", "10.0.0.2").Listen(80)
	var s *socket.Socket
	n.Go("connect", func() {
		s, _ = socket.New(socket.HostOf(h.Stack), wsa.AF_INET, wsa.SOCK_STREAM, 0, "")
		assert.Zero(t, s.Connect(addrPort("10.0.0.2:80")))
		assert.Zero(t, s.SetNonblocking(true))
	})
	p.Accept("mss 1460")
	require.NoError(t, n.Idle())
	var heard []string
	s.Attend(func(over bool) {
		b := make([]byte, 10)
		switch k, err := s.Recv(b, 0); {
		case over:
			heard = append(heard, "over")
		case err == 0 && k == 0:
			heard = append(heard, "end")
		case err == 0:
			heard = append(heard, string(b[:k]))
		}
	})
	p.Send("[P.]", []byte("hello")...)
	p.Expect("[.] ack 6")
	p.Send("[F.]")
	p.Expect("[.] ack 7")
	p.Send("[R.]")
	require.NoError(t, n.Idle())
	require.Equal(t, []string{"hello", "end", "over"}, slices.Compact(heard))
}
