package endpoint_test

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wsa"
)

// What a recv has in its hands and gives back counts as unread: closesocket and
// shutdown(SD_RECEIVE) at the same time reset the connection (LG-13, SH-2).
func TestUnreadInTheHandsOfRecv(t *testing.T) {
	for name, end := range map[string]func(*endpoint.Socket) wsa.Errno{
		"closesocket": (*endpoint.Socket).Close,
		"shutdown":    func(s *endpoint.Socket) wsa.Errno { return s.Shutdown(wsa.SD_RECEIVE) },
	} {
		t.Run(name, func(t *testing.T) {
			a, b := pair(t)
			client, server := connectedSockets(t, a, b)
			_, errno := client.Send([]byte("unread"), 0)
			require.Zero(t, errno)
			stack.Settle(a, b)
			done := make(chan wsa.Errno, 1)
			server.InRecv(func() {
				go func() { done <- end(server) }()
				for len(done) == 0 && !waitsForLock("endpoint.(*Socket)") {
					runtime.Gosched()
				}
			})
			require.Zero(t, <-done)
			within(t, "Recv", func() { _, errno = client.Recv(make([]byte, 1), 0) })
			require.Equal(t, wsa.WSAECONNRESET, errno)
		})
	}
}

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
			var s *endpoint.Socket
			n.Go("recv", func() {
				s, _ = endpoint.New(h.Stack, wsa.AF_INET, wsa.SOCK_STREAM, 0, "")
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
