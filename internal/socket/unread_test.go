package socket_test

import (
	"testing"

	"github.com/wsstack/wsstack/internal/socket"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

// A MSG_WAITALL that closesocket interrupts has received nothing: what it has so
// far is unread (LG-13, LG-19). What such a call has returned isn't.
func TestUnreadOfWaitAll(t *testing.T) {
	for _, tt := range []struct {
		name string
		want int // bytes that recv wants, of the ten that come
		flag string
	}{
		{"interrupted", 20, "[R.]"},
		{"complete", 10, "[F.]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := simnet.New(t)
			h := n.Host("h", "10.0.0.1/24")
			p := n.Wire(h, "w", "10.0.0.2").Listen(80)
			var s *socket.Socket
			n.Go("recv", func() {
				s, _ = socket.New(socket.HostOf(h.Stack), wsa.AF_INET, wsa.SOCK_STREAM, 0, "")
				assert.Zero(t, s.Connect(addrPort("10.0.0.2:80")))
				got, errno := s.Recv(make([]byte, tt.want), wsa.MSG_WAITALL)
				if tt.want > 10 {
					assert.Equal(t, wsa.WSAEINTR, errno)
					return
				}
				assert.Equal(t, tt.want, got)
				assert.Zero(t, errno)
			})
			p.Accept("mss 1460")
			p.Send("[P.] len 10")
			p.Expect("[.] ack 11")
			require.NoError(t, n.Idle())
			require.NoError(t, n.Do("close", func() { assert.Zero(t, s.Close()) }))
			p.Expect(tt.flag)
			if tt.want <= 10 {
				p.Send("[.] ack 2")
				p.Send("[R] seq 11")
			}
		})
	}
}
