package peers_test

import (
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/internal/peers"
	"github.com/wsstack/wsstack/simnet"
)

// A stage is a client and a server, 10 ms apart, in a bubble.
type stage struct {
	t      *testing.T
	n      *simnet.Network
	client *simnet.Host
	link   *simnet.Link
}

// play runs a service on port 81 of the server while act runs, and returns the trace.
func play(t *testing.T, kind, text string, act func(s *stage)) (trace string) {
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(t, simnet.Bubble())
		s := &stage{t: t, n: n, client: n.Host("client", "10.0.0.1/24")}
		server := n.Host("server", "10.0.0.2/24")
		s.link = n.Link(s.client, server, simnet.Delay(10*time.Millisecond))
		service, err := peers.Parse(kind, text)
		require.NoError(t, err)
		running, err := service.Start(server.Stack, peers.Env{Addresses: []netip.Addr{netip.MustParseAddr("10.0.0.2")}})
		require.NoError(t, err)
		act(s)
		synctest.Wait()
		trace = n.TraceText()
		require.NoError(t, running.Close())
	})
	return trace
}

// dial connects to the service.
func (s *stage) dial() *endpoint.Conn {
	c, err := s.client.Dial("tcp", "10.0.0.2:81")
	require.NoError(s.t, err)
	s.t.Cleanup(func() { c.Close() })
	return c.(*endpoint.Conn)
}

// say sends a text.
func (s *stage) say(c net.Conn, text string) {
	_, err := c.Write([]byte(text))
	require.NoError(s.t, err)
}
