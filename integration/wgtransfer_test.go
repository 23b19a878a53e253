//go:build linux

package integration

import (
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/tun"
)

// tunnelBytes is how much a test sends each way through a tunnel: what WSSTACK_WG_BYTES says, such
// as 1 GiB with "make wgbulk", or else the number given.
func tunnelBytes(t testing.TB, usual int) int {
	t.Helper()
	text := os.Getenv("WSSTACK_WG_BYTES")
	if text == "" {
		return size(usual, usual/8)
	}
	n, err := strconv.Atoi(text)
	require.NoError(t, err, "WSSTACK_WG_BYTES")
	return n
}

// badWeather loses one packet of a hundred, and makes as many late.
var badWeather = tun.Impairment{Loss: 0.01, Reorder: 0.01}

// impair does the same to both directions of the link.
func (p *path) impair(t testing.TB, m tun.Impairment) {
	t.Helper()
	require.NoError(t, p.link.SetIn(m))
	require.NoError(t, p.link.SetOut(m))
}

// suffered wants everything that is wrong with the link to have happened in both directions.
func (p *path) suffered(t testing.TB) {
	t.Helper()
	out, in := p.link.Stats()
	for _, s := range []tun.ImpairStats{out, in} {
		require.NotZero(t, s.Lost)
		require.NotZero(t, s.Reordered)
	}
	t.Logf("packets of the link: %d in, %d out; lost: %d, %d; reordered: %d, %d",
		in.Packets, out.Packets, in.Lost, out.Lost, in.Reordered, out.Reordered)
}

// exchange transfers bytes in each direction at the same time, however long that takes.
func exchange(t testing.TB, a, b stream, bytes int) {
	t.Helper()
	var wg sync.WaitGroup
	wg.Go(func() { transfer(t, a, b, bytes, 1) })
	transfer(t, b, a, bytes, 2)
	wg.Wait()
}

// Every byte arrives through a link that loses and reorders packets, each way and both ways at
// once, with IPv4 and IPv6 outside and inside.
func TestTunnelTransfer(t *testing.T) {
	eachOuter(t, func(t *testing.T, v6 bool) {
		tu := newTunnel(t, newPath(t), v6)
		tu.impair(t, badWeather)
		tu.eachRole(t, func(t *testing.T, r role) {
			usual := 16 << 20
			if r.v6 || v6 {
				usual = 2 << 20
			}
			bytes := tunnelBytes(t, usual)
			start := time.Now()
			client, server := r.connect(t)
			transfer(t, client, server, bytes, 3)
			t.Log("client to server:", rate(bytes, time.Since(start)))
			start = time.Now()
			client, server = r.connect(t)
			exchange(t, client, server, bytes/4)
			t.Log("both ways at once:", rate(bytes/2, time.Since(start)))
		})
		tu.suffered(t)
	})
}

// Eight connections at once, both ways on each.
func TestTunnelEightStreams(t *testing.T) {
	tu := newTunnel(t, newPath(t), false)
	tu.impair(t, badWeather)
	const streams = 8
	bytes := tunnelBytes(t, 8<<20) / streams
	start := time.Now()
	var wg sync.WaitGroup
	for i := range streams {
		a, b := tu.connect(t, i%2 == 1)
		wg.Go(func() { exchange(t, a, b, bytes) })
	}
	wg.Wait()
	t.Log("together", rate(2*streams*bytes, time.Since(start)))
	tu.suffered(t)
}

// eachOuter runs a test with either IP version outside of the tunnel.
func eachOuter(t *testing.T, body func(t *testing.T, v6 bool)) {
	for name, v6 := range map[string]bool{"over IPv4": false, "over IPv6": true} {
		t.Run(name, func(t *testing.T) { body(t, v6) })
	}
}
