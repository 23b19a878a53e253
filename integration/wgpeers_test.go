//go:build linux

package integration

import (
	"net"
	"net/netip"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/wg"
)

// The right end has two peers, on different machines. What it sends goes to the one whose allowed
// IPs have the destination, and neither can use an address of the other one.
func TestTunnelSeveralPeers(t *testing.T) {
	tu := newTunnelEnds(t, newPath(t), false)
	third := &tunnelEnd{name: "router", machine: tu.router, key: newKey(t), inner: prefixes("10.90.0.3/32", "fd90::3/128")}
	cfg := tu.config(tu.b)
	cfg.Peers = append(cfg.Peers, wg.Peer{PublicKey: third.key.PublicKey(), AllowedIPs: third.inner})
	tu.b.open(t, cfg, nil)
	tu.a.open(t, tu.config(tu.a), nil)
	cfg = tu.config(tu.a)
	cfg.PrivateKey, cfg.Addresses = third.key, third.inner
	third.open(t, cfg, nil)

	var wg sync.WaitGroup
	for _, e := range []*tunnelEnd{tu.a, third} {
		for _, v6 := range []bool{false, true} {
			a, b := role{client: e.side, server: tu.b.side, v6: v6}.connect(t)
			require.Equal(t, e.side.addr(v6), b.RemoteAddr().(*net.TCPAddr).AddrPort().Addr())
			wg.Go(func() { exchange(t, a, b, size(1<<20, 128<<10)) })
		}
	}
	wg.Wait()
	at := []netip.Addr{addrOf(leftOuter, false), addrOf(routerRight, false)}
	status := tu.b.device.Peers()
	require.Len(t, status, 2)
	for i, e := range []*tunnelEnd{tu.a, third} {
		require.Equal(t, e.key.PublicKey(), status[i].PublicKey)
		require.Equal(t, at[i], status[i].At.Addr())
		require.Greater(t, status[i].Received, uint64(size(1<<20, 128<<10)))
		require.Greater(t, status[i].Sent, uint64(size(1<<20, 128<<10)))
	}

	c, err := tu.b.stack.ListenPacket("udp", ":0")
	require.NoError(t, err)
	defer c.Close()
	port := uint16(c.LocalAddr().(*net.UDPAddr).Port)
	for _, source := range []string{"10.90.0.3", "fd90::3", "10.90.0.1", "fd90::1"} {
		tu.inject(t, tu.datagram(netip.MustParseAddr(source), port, []byte(source)))
	}
	require.ElementsMatch(t, []string{"10.90.0.1", "fd90::1"}, tu.untilMarker(t, c, port), "sources of what the left end sends")
}
