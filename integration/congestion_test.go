//go:build linux

package integration

import (
	"net"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/wsstack/wsstack/tun"
)

// tun.Config.Congestion counts for the kernel's connections in both roles, and
// data passes with it.
func TestKernelCongestionControl(t *testing.T) {
	n := newNetwork(t, settings{})
	available, err := os.ReadFile("/proc/sys/net/ipv4/tcp_available_congestion_control")
	require.NoError(t, err)
	before := n.kernelAlgorithms(t)
	for _, name := range strings.Fields(string(available)) {
		require.NoError(t, tun.Configure(n.name, tun.Config{Congestion: name}))
		after := n.kernelAlgorithms(t)
		require.Equal(t, slices.Repeat([]string{name}, len(before)), after)
	}
}

// kernelAlgorithms is the kernel's congestion control of a connection in each
// role.
func (n *network) kernelAlgorithms(t *testing.T) (list []string) {
	t.Helper()
	for _, r := range roles(n.kernel, n.wsock, n.only4) {
		client, server := r.connect(t)
		bothWays(t, client, server, 64<<10)
		c, ok := client.(*net.TCPConn)
		if !ok {
			c = server.(*net.TCPConn)
		}
		raw, err := c.SyscallConn()
		require.NoError(t, err)
		var name string
		require.NoError(t, raw.Control(func(fd uintptr) { name, err = unix.GetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION) }))
		require.NoError(t, err)
		list = append(list, name)
	}
	return list
}
