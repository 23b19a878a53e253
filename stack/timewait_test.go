package stack_test

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/wsstack/wsstack/internal/socket"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/internal/trace"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

// Beyond the limit, the oldest connection in TIME-WAIT is forgotten, whichever
// side connected; nothing is sent for it, and its addresses are free.
func TestTimeWaitIsBounded(t *testing.T) {
	for name, dials := range map[string]bool{"the side that connects": true, "the side that accepts": false} {
		t.Run(name, func(t *testing.T) {
			n := simnet.New(t)
			a, b := n.Host("a", "10.0.0.1/24"), n.Host("b", "10.0.0.2/24")
			n.Link(a, b, simnet.Delay(time.Millisecond))
			waits, other := a, b // the former closes first
			if !dials {
				waits, other = b, a
			}
			waits.Stack.SetTimeWaitLimit(3)
			l, err := b.Stack.Listen("tcp", "10.0.0.2:80")
			require.NoError(t, err)
			require.NoError(t, n.Do("test", func() {
				for i := range 5 {
					first, second := connectFrom(t, a, uint16(700+i), l)
					if !dials {
						first, second = second, first
					}
					first()
					n.Sleep(10 * time.Millisecond)
					second()
					n.Sleep(10 * time.Millisecond)
					assert.Equal(t, min(i+1, 3), waits.Stack.Stats().TimeWait)
				}
				assert.Zero(t, other.Stack.Stats().TimeWait)
				if dials {
					assert.Zero(t, tryFrom(t, a, 700), "the oldest one's addresses")
					assert.Equal(t, wsa.WSAEADDRINUSE, tryFrom(t, a, 704), "the newest one's")
				}
				n.Sleep(time.Minute)
				assert.Zero(t, waits.Stack.Stats().TimeWait)
			}))
			for _, line := range n.Trace() {
				assert.Zero(t, line.Segment.Flags&trace.RST, line.Text)
			}
		})
	}
}

// bindFrom connects to port 80 of the peer from a port.
func bindFrom(t *testing.T, h *simnet.Host, port uint16) (*socket.Socket, wsa.Errno) {
	s, err := socket.New(socket.HostOf(h.Stack), wsa.AF_INET, wsa.SOCK_STREAM, 0, "")
	assert.Zero(t, err)
	assert.Zero(t, s.Bind(netip.AddrPortFrom(netip.MustParseAddr("10.0.0.1"), port)))
	return s, s.Connect(netip.MustParseAddrPort("10.0.0.2:80"))
}

// tryFrom is bindFrom for its code.
func tryFrom(t *testing.T, h *simnet.Host, port uint16) wsa.Errno {
	_, err := bindFrom(t, h, port)
	return err
}

// connectFrom is bindFrom with the accepted side: what closes the two.
func connectFrom(t *testing.T, h *simnet.Host, port uint16, l net.Listener) (client, server func()) {
	s, code := bindFrom(t, h, port)
	assert.Zero(t, code)
	c, err := l.Accept()
	assert.NoError(t, err)
	return func() { assert.Zero(t, s.Close()) }, func() { assert.NoError(t, c.Close()) }
}
