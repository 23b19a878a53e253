//go:build linux

package integration

import (
	"net/netip"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
)

// A plainHost is a second stack, behind the kernel as a router, on a device of
// plain packets: the kernel cuts up what the first stack's device took whole,
// and computes the checksums, so that what arrives here is what leaves a host.
//
//	stack ── TUN with offload ── router ── TUN without ── impairments ── plainHost
type plainHost struct {
	side *side
	link *tun.Impaired

	mu      sync.Mutex
	packets []captured // as they came in
}

func (n *network) addPlainHost(t testing.TB) *plainHost {
	t.Helper()
	h := &plainHost{}
	kernel := prefixes("10.79.0.2/24", "fd79::2/64")
	addrs := prefixes("10.79.0.1/24", "fd79::1/64")
	device, err := tun.OpenWater("plain0")
	require.NoError(t, err)
	h.link, err = tun.Impair(device, tun.ImpairConfig{Observe: h.observe})
	require.NoError(t, err)
	require.NoError(t, tun.Configure("plain0", tun.Config{Addresses: kernel, NoAddrGen: true}))
	st, err := stack.New(stack.Config{Device: h.link, Addresses: addrs})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, st.Close()) })
	forward(t, n.name, "plain0")
	h.side = stackSide(st, addrs)
	h.side.name = "plain wsstack"
	return h
}

func (h *plainHost) observe(d tun.Direction, p *tun.Packet, _ tun.Fate) {
	if d == tun.In {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.packets = append(h.packets, captured{data: p.Data.Flatten()})
	}
}

func (h *plainHost) take() []captured {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := h.packets
	h.packets = nil
	return list
}

// What the stack gives the kernel in segments of 64 KiB leaves the host in
// segments of the MSS, with checksums; the other direction likewise.
func TestOffloadOnTheWire(t *testing.T) {
	n := newNetwork(t, settings{open: tun.OpenOffload})
	h := n.addPlainHost(t)
	for _, r := range roles(h.side, n.wsock, false) {
		t.Run(r.name, func(t *testing.T) {
			h.take()
			before := n.stack.Stats().SegmentsOut
			client, server := r.connect(t)
			bytes := size(8<<20, 1<<20)
			bothWays(t, client, server, bytes)
			whole := n.stack.Stats().SegmentsOut - before
			packets, full, payload := 0, 0, 0
			for _, p := range h.take() {
				if _, ok := p.tcp(); !ok {
					continue // the router's own MLD
				}
				packets++
				payload += checkSegment(t, p, n.wsock.addr(r.v6))
				require.LessOrEqual(t, len(p.data), 1500)
				if len(p.data) > 1500-40 { // all but what SACK blocks would take
					full++
				}
			}
			require.GreaterOrEqual(t, payload, bytes)
			require.Greater(t, full, bytes/1460*8/10, "most segments are full")
			// A peer that acknowledges every second segment lets two at a time out, and
			// draws an acknowledgement of ours for every two of its own.
			require.Less(t, int(whole), packets*7/8, "the stack had far fewer")
		})
	}
}

// checkSegment checks lengths and checksums, and returns the payload's size.
func checkSegment(t testing.TB, p captured, source netip.Addr) int {
	require.Equal(t, source, p.source())
	s, ok := p.tcp()
	require.True(t, ok)
	var src, dst tcpip.Address
	if p.v6() {
		ip := header.IPv6(p.data)
		require.EqualValues(t, len(p.data)-header.IPv6MinimumSize, ip.PayloadLength())
		src, dst = ip.SourceAddress(), ip.DestinationAddress()
	} else {
		ip := header.IPv4(p.data)
		require.EqualValues(t, len(p.data), ip.TotalLength())
		require.True(t, ip.IsChecksumValid())
		src, dst = ip.SourceAddress(), ip.DestinationAddress()
	}
	payload := s.Payload()
	require.True(t, s.IsChecksumValid(src, dst, checksum.Checksum(payload, 0), uint16(len(payload))), "TCP checksum")
	return len(payload)
}

// Segments are lost one by one, behind the place where the kernel has cut them:
// every byte arrives all the same.
func TestOffloadRecoversLoss(t *testing.T) {
	n := newNetwork(t, settings{open: tun.OpenOffload})
	h := n.addPlainHost(t)
	loss := tun.Impairment{Loss: 0.02}
	require.NoError(t, h.link.SetIn(loss))
	require.NoError(t, h.link.SetOut(loss))
	for _, r := range roles(h.side, n.wsock, false) {
		t.Run(r.name, func(t *testing.T) {
			client, server := r.connect(t)
			bothWays(t, client, server, 512<<10)
		})
	}
	out, in := h.link.Stats()
	require.NotZero(t, out.Lost)
	require.NotZero(t, in.Lost)
	t.Logf("lost %d of %d and %d of %d packets", out.Lost, out.Packets, in.Lost, in.Packets)
}
