package socket_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// Who attends to a socket is told of data, of the peer's FIN and of its RST, and may use the socket
// then.
func TestAttend(t *testing.T) {
	n, s, p := connected(t)
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
