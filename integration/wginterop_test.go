//go:build linux

package integration

import (
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/tun"
)

// A stack at one end, the kernel behind wireguard-go's own TUN device at the other: connections and
// datagrams of every size.
func TestTunnelToWireGuardGo(t *testing.T) {
	eachOuter(t, func(t *testing.T, v6 bool) {
		tu := newTunnelEnds(t, newPath(t), v6)
		tu.b.openEngine(t, tu.config(tu.b))
		tu.interoperates(t)
	})
}

// The same with the WireGuard of the kernel.
func TestTunnelToKernelWireGuard(t *testing.T) {
	eachOuter(t, func(t *testing.T, v6 bool) {
		tu := newTunnelEnds(t, newPath(t), v6)
		tu.b.openKernel(t, tu.config(tu.b))
		tu.interoperates(t)
	})
}

// interoperates opens the left end, and has it talk with the right one.
func (tu *tunnel) interoperates(t *testing.T) {
	t.Helper()
	tu.a.open(t, tu.config(tu.a), nil)
	tu.impair(t, tun.Impairment{Loss: 0.002, Reorder: 0.002})
	tu.eachRole(t, func(t *testing.T, r role) { bulkBothWays(t, r, size(1<<20, 256<<10)) })
	tu.impair(t, tun.Impairment{})
	for _, inner := range []bool{false, true} {
		tu.datagrams(t, inner)
	}
}

// datagrams sends datagrams of many sizes to the right end, each twice, and wants them back. The
// larger ones are fragmented inside the tunnel.
func (tu *tunnel) datagrams(t *testing.T, v6 bool) {
	t.Helper()
	server, err := tu.b.side.listenPacket("udp", netip.AddrPortFrom(tu.b.side.addr(v6), 0).String())
	require.NoError(t, err)
	defer server.Close()
	client, err := tu.a.side.listenPacket("udp", netip.AddrPortFrom(tu.a.side.addr(v6), 0).String())
	require.NoError(t, err)
	defer client.Close()
	for _, c := range []net.PacketConn{client, server} {
		require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
	}
	buf := make([]byte, 1<<16)
	for _, length := range []int{0, 1, 17, 1372, 1373, 1392, 1393, 4000, 20000, 60000} {
		sent := []byte(fmt.Sprintf("%0*d", length, length))[:length]
		_, err := client.WriteTo(sent, server.LocalAddr())
		require.NoError(t, err)
		n, from, err := server.ReadFrom(buf)
		require.NoError(t, err, "%d bytes", length)
		require.Equal(t, sent, buf[:n])
		_, err = server.WriteTo(buf[:n], from)
		require.NoError(t, err)
		n, _, err = client.ReadFrom(buf)
		require.NoError(t, err, "%d bytes back", length)
		require.Equal(t, sent, buf[:n])
	}
}
