//go:build linux

package integration

import (
	"encoding/binary"
	"errors"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/internal/netns"
	"github.com/wsstack/wsstack/tun"
	"github.com/wsstack/wsstack/wsa"
)

// A link outside is smaller than packets of the tunnel need: transfers get through, and the stack
// knows the size of the path inside of the tunnel, so that nothing has to be fragmented. Where the
// path is smaller than IPv6 permits inside, that goes in fragments outside.
func TestTunnelOverSmallPath(t *testing.T) {
	eachOuter(t, func(t *testing.T, v6 bool) {
		for _, outer := range []int{1300, 1400} {
			t.Run(strconv.Itoa(outer), func(t *testing.T) { overSmallPath(t, v6, outer) })
		}
	})
}

func overSmallPath(t *testing.T, v6 bool, outer int) {
	// A packet of the tunnel has the IP header, 8 bytes of UDP, and 32 of WireGuard, which fills up
	// what is inside to a multiple of 16.
	around := 20 + 8 + 32
	if v6 {
		around = 40 + 8 + 32
	}
	fits := (outer - around) / 16 * 16
	p := newPath(t)
	tu := newTunnel(t, p, v6)
	a, b := tu.connect(t, false)
	bytes := size(1<<20, 256<<10)
	exchange(t, a, &watched{stream: b, after: bytes / 3, do: func() {
		p.router.Do(func() { setMTU(t, "router1", outer) })
	}}, bytes)
	for _, inner := range []bool{false, true} {
		largest := fits
		if inner {
			largest = max(fits, header.IPv6MinimumMTU)
		}
		// As long as the device sends one packet at a time, it hears of the path every few seconds.
		mtu := 0
		for end := time.Now().Add(patience); mtu != largest && time.Now().Before(end); {
			a, b := tu.connect(t, inner)
			exchange(t, a, b, bytes)
			mtu = pathMTU(t, a.(*endpoint.Conn), inner)
		}
		require.Equal(t, largest, mtu, "the path MTU of the stack, IPv6 %t", inner)
		// Now that it is known, packets come whole.
		if largest == fits {
			require.Zero(t, p.fragments(t, func() {
				a, b := tu.connect(t, inner)
				exchange(t, a, b, bytes)
			}), "fragments outside, IPv6 %t", inner)
		}
	}
}

// fragments counts those that go to the right while f runs.
func (p *path) fragments(t testing.TB, f func()) int64 {
	t.Helper()
	var pieces atomic.Int64
	require.NoError(t, p.link.SetIn(tun.Impairment{Filter: func(packet []byte) []byte {
		if isFragment(packet) {
			pieces.Add(1)
		}
		return packet
	}}))
	f()
	require.NoError(t, p.link.SetIn(tun.Impairment{}))
	return pieces.Load()
}

// A router behind the other end has a smaller link, and says so inside of the tunnel: that is the
// path MTU of the stack.
func TestTunnelTooBigBehindPeer(t *testing.T) {
	const behind = 1300
	tu := newTunnelEnds(t, newPath(t), false)
	tu.b.openEngine(t, tu.config(tu.b))
	near, far := prefixes("10.95.0.1/24", "fd95::1/64", "fe80::1/64"), prefixes("10.95.0.2/24", "fd95::2/64", "fe80::2/64")
	host := newMachine(t, "far0", far)
	var err error
	tu.right.Do(func() {
		err = errors.Join(
			host.Join("near0", "far0", behind),
			tun.Configure("near0", tun.Config{Addresses: near, NoAddrGen: true}),
			netns.Forward("near0", "wg0"))
	})
	require.NoError(t, err)
	host.configure(t, near)

	cfg := tu.config(tu.a)
	cfg.Peers[0].AllowedIPs = append(prefixes("10.95.0.0/24", "fd95::/64"), tu.b.inner...)
	tu.a.open(t, cfg, nil)
	for _, v6 := range []bool{false, true} {
		// Otherwise the far host asks for segments that fit.
		host.Do(func() { setMTU(t, "far0", 1500) })
		a, b := role{client: tu.a.side, server: threadSide(host.Thread, "far kernel", far), v6: v6}.connect(t)
		exchange(t, a, b, size(1<<20, 256<<10))
		require.Equal(t, behind, pathMTU(t, a.(*endpoint.Conn), v6), "the path MTU of the stack, IPv6 %t", v6)
	}
}

// pathMTU is what the stack knows of a connection's path.
func pathMTU(t testing.TB, c *endpoint.Conn, v6 bool) int {
	t.Helper()
	level, name := int32(wsa.IPPROTO_IP), int32(wsa.IP_MTU)
	if v6 {
		level, name = wsa.IPPROTO_IPV6, wsa.IPV6_MTU
	}
	value := make([]byte, 4)
	_, err := c.GetSockOpt(level, name, value)
	require.NoError(t, err)
	return int(binary.LittleEndian.Uint32(value))
}

func isFragment(packet []byte) bool {
	if header.IPVersion(packet) == header.IPv4Version {
		ip := header.IPv4(packet)
		return ip.More() || ip.FragmentOffset() != 0
	}
	return header.IPv6(packet).NextHeader() == uint8(header.IPv6FragmentExtHdrIdentifier)
}
