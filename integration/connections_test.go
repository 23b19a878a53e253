//go:build linux

package integration

import (
	"fmt"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// open is the number of sockets of the stack that are open, listeners aside.
func (n *network) open() (count int) {
	for _, info := range n.stack.Sockets() {
		if info.State != "LISTEN" {
			count++
		}
	}
	return count
}

// Connections that are made at the same moment all work, and are open together.
func TestManyConnectionsAtOnce(t *testing.T) {
	n := newNetwork(t, settings{})
	count := size(200, 50)
	n.eachRole(t, func(t *testing.T, r role) {
		l := r.listenAt(t)
		serveEcho(t, l)
		conns := make([]net.Conn, count)
		var wg sync.WaitGroup
		for i := range conns {
			wg.Go(func() {
				c, err := r.client.dial(t.Context(), "tcp", l.Addr().String())
				if err != nil {
					t.Errorf("dial: %v", err)
					return
				}
				conns[i] = c
				if err := echo(c, fmt.Appendf(nil, "%01000d", i)); err != nil {
					t.Errorf("connection %d: %v", i, err)
				}
			})
		}
		wg.Wait()
		require.False(t, t.Failed())
		require.Equal(t, count, n.open(), "all are open")
		for i, c := range conns { // and all still work
			wg.Go(func() {
				if err := echo(c, fmt.Appendf(nil, "%0100d", i)); err != nil {
					t.Errorf("connection %d again: %v", i, err)
				}
				c.Close()
			})
		}
		wg.Wait()
		soon(t, func() bool { return n.open() == 0 }, "all connections are gone")
	})
}

// One connection after the other: ports, records and memory of a connection are
// given back.
func TestManyConnectionsInSequence(t *testing.T) {
	n := newNetwork(t, settings{})
	count := size(1000, 100)
	n.eachRole(t, func(t *testing.T, r role) {
		l := r.listenAt(t)
		serveEcho(t, l)
		for i := range count {
			c := r.dialTo(t, l)
			require.NoErrorf(t, echo(c, []byte("ping")), "connection %d", i)
			require.NoError(t, c.Close())
		}
		soon(t, func() bool { return n.open() == 0 }, "all connections are gone")
	})
}
