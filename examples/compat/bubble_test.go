package compat

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/netip"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/stack"
)

// A world is a network in the time of a bubble: a server and a client with a link between them
// that takes 50 ms each way. A round trip takes rtt.
type world struct {
	*simnet.Network
	server, client *simnet.Host
	link           *simnet.Link
}

const (
	delay = 50 * time.Millisecond
	rtt   = 2 * delay
)

// inBubble runs f once for each seed from 1 to seeds, each time in a bubble of its own. Whatever f
// starts has to end with f and what f registers with t.Cleanup: synctest.Test fails otherwise.
func inBubble(t *testing.T, seeds uint64, f func(t *testing.T, n *simnet.Network)) {
	for seed := uint64(1); seed <= seeds; seed++ {
		t.Run(fmt.Sprintf("seed%d", seed), func(t *testing.T) {
			runtime.GC()
			runtime.GC()
			synctest.Test(t, func(t *testing.T) {
				n := simnet.New(t, simnet.Bubble(), simnet.Seed(seed), simnet.TraceLimit(0))
				f(t, n)
			})
		})
	}
}

// inWorld is inBubble with a server and a client.
func inWorld(t *testing.T, seeds uint64, f func(t *testing.T, w *world), opts ...simnet.LinkOption) {
	inBubble(t, seeds, func(t *testing.T, n *simnet.Network) {
		w := &world{Network: n, server: host(n, "server", serverIP), client: host(n, "client", "10.0.0.2")}
		w.link = n.Link(w.server, w.client, append([]simnet.LinkOption{simnet.Delay(delay)}, opts...)...)
		f(t, w)
	})
}

// host makes a host whose connections have Nagle's algorithm off from the beginning, as those of
// package net have it.
func host(n *simnet.Network, name, address string) *simnet.Host {
	return n.HostConfig(name, stack.Config{
		Addresses: []netip.Prefix{netip.MustParsePrefix(address + "/24")},
		Defaults:  []options.Assignment{options.TCP_NODELAY.With(true)},
	})
}

// took checks that f takes exactly so long in the time of the bubble.
func took(t *testing.T, want time.Duration, f func()) {
	t.Helper()
	start := time.Now()
	f()
	require.Equal(t, want.String(), time.Since(start).String())
}

// tookBetween checks that f takes between least and most.
func tookBetween(t *testing.T, least, most time.Duration, f func()) {
	t.Helper()
	start := time.Now()
	f()
	got := time.Since(start)
	require.GreaterOrEqual(t, got, least)
	require.LessOrEqual(t, got, most)
}

// listenIn is listen for a host of a world.
func listenIn(t *testing.T, h *simnet.Host, address string) net.Listener {
	t.Helper()
	return listen(t, h.Stack, address)
}

// discardLog is for servers that complain of connections that tests break.
var discardLog = log.New(io.Discard, "", 0)
