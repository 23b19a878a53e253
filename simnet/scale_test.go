package simnet_test

import (
	"fmt"
	"net"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/simnet"
)

// A crowd is a network of many hosts, in pairs, with connections between the two of each pair. The
// clients send keep-alive probes.
type crowd struct {
	*simnet.Network
	mu    sync.Mutex
	conns []net.Conn // both ends
}

const probeInterval = 15 * time.Second

// newCrowd makes so many hosts and connections on a network.
func newCrowd(t testing.TB, n *simnet.Network, hosts, connections int) *crowd {
	t.Helper()
	c := &crowd{Network: n}
	for i := range hosts / 2 {
		a := n.Host(fmt.Sprintf("a%d", i), fmt.Sprintf("10.0.%d.1/24", i))
		b := n.Host(fmt.Sprintf("b%d", i), fmt.Sprintf("10.0.%d.2/24", i))
		n.Link(a, b, simnet.Delay(20*time.Millisecond))
		address := fmt.Sprintf("10.0.%d.2:80", i)
		l, err := b.Listen("tcp", address)
		require.NoError(t, err)
		for range connections / (hosts / 2) {
			n.Go("accept", func() { c.keep(l.Accept()) })
			n.Go("dial", func() {
				s, err := a.Dial("tcp", address)
				c.keep(s, err)
				if err == nil {
					s.(*endpoint.Conn).SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: probeInterval})
				}
			})
		}
	}
	require.NoError(t, n.Run())
	require.Len(t, c.conns, 2*connections)
	return c
}

func (c *crowd) keep(s net.Conn, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		c.conns = append(c.conns, s)
	}
}

// idle lets a span of time pass, and checks that every probe was sent and answered in it.
func (c *crowd) idle(t testing.TB, span time.Duration) (packets uint64) {
	t.Helper()
	before, _ := c.Digest()
	require.NoError(t, c.Advance(span))
	after, _ := c.Digest()
	// A probe comes an interval after the answer to the last one, which takes 40 ms.
	probes := int(span / (probeInterval + 40*time.Millisecond))
	require.EqualValues(t, probes*len(c.conns), after-before, "the probes and their answers")
	for _, s := range c.conns {
		require.NoError(t, s.SetReadDeadline(c.Time())) // of a connection that still is one
	}
	return after - before
}

// inBothModes runs a test of so many hosts and connections in virtual time and in a bubble.
func inBothModes(t *testing.T, test func(t *testing.T, n *simnet.Network)) {
	t.Run("deterministic", func(t *testing.T) { test(t, simnet.New(t)) })
	t.Run("bubble", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { test(t, simnet.New(t, simnet.Bubble())) })
	})
}

// An hour of keep-alive probes: of 100 hosts and 1,000 connections with WSSTACK_SCALE=1, of a
// tenth of them else.
func TestManyConnections(t *testing.T) {
	hosts, connections := 10, 100
	if os.Getenv("WSSTACK_SCALE") != "" {
		hosts, connections = 100, 1000
	}
	inBothModes(t, func(t *testing.T, n *simnet.Network) {
		c := newCrowd(t, n, hosts, connections)
		c.idle(t, time.Hour)
	})
}
