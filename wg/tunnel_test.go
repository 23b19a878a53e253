package wg

import (
	"net"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/stack"
)

// tunnel opens a connection through a tunnel over the loopback of the host, with a stack at each
// end.
func tunnel(b testing.TB, mtu int) (client, server net.Conn) {
	b.Helper()
	var keys [2]Key
	var stacks [2]*stack.Stack
	for i := range keys {
		var err error
		keys[i], err = GeneratePrivateKey()
		require.NoError(b, err)
	}
	endpoint := ""
	for i := range keys {
		other := netip.AddrFrom4([4]byte{10, 0, 0, byte(2 - i)})
		cfg := Config{
			PrivateKey: keys[i],
			MTU:        mtu,
			Addresses:  []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(1 + i)}), 24)},
			Peers:      []Peer{{PublicKey: keys[1-i].PublicKey(), Endpoint: endpoint, AllowedIPs: []netip.Prefix{netip.PrefixFrom(other, 32)}}},
		}
		d, err := New(cfg)
		require.NoError(b, err)
		endpoint = netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(d.ListenPort())).String()
		stacks[i], err = stack.New(cfg.Stack(d))
		require.NoError(b, err)
		b.Cleanup(func() { _ = stacks[i].Close() })
	}
	l, err := stacks[0].Listen("tcp", "10.0.0.1:80")
	require.NoError(b, err)
	client, err = stacks[1].Dial("tcp", "10.0.0.1:80")
	require.NoError(b, err)
	server, err = l.Accept()
	require.NoError(b, err)
	return client, server
}
