package wgnet_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.zx2c4.com/wireguard/conn"
	"golang.zx2c4.com/wireguard/conn/bindtest"
	"golang.zx2c4.com/wireguard/device"
	wgtun "golang.zx2c4.com/wireguard/tun"

	"github.com/wsstack/wsstack/wg"
	"github.com/wsstack/wsstack/wgnet"
)

// patience ends a test that hangs. It says nothing about how long anything may take.
const patience = 2 * time.Minute

// mtu is that of the tunnels.
const mtu = 1420

// A host is one end of a tunnel.
type host struct {
	*wgnet.Net
	tun    wgtun.Device
	tunnel *device.Device
}

// newHost makes a host without a tunnel.
func newHost(t testing.TB, nameservers []netip.Addr, addresses ...netip.Addr) *host {
	t.Helper()
	d, n, err := wgnet.CreateNetTUN(addresses, nameservers, mtu)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return &host{Net: n, tun: d}
}

// join makes a tunnel between two hosts, which carries everything. The memory of b's engine has a
// bound.
func join(t testing.TB, a, b *host) {
	t.Helper()
	keys := [2]wg.Key{newKey(t), newKey(t)}
	binds := bindtest.NewChannelBinds()
	for i, h := range []*host{a, b} {
		if h == b {
			binds[i] = h.Bind(binds[i])
		}
		h.up(t, binds[i], keys[i], keys[1-i].PublicKey(), i+1) // where ChannelBinds have their peers
	}
}

// up starts the engine of a host.
func (h *host) up(t testing.TB, bind conn.Bind, private, peer wg.Key, at int) {
	t.Helper()
	h.tunnel = device.NewDevice(h.tun, bind, device.NewLogger(device.LogLevelSilent, ""))
	t.Cleanup(h.tunnel.Close)
	require.NoError(t, h.tunnel.IpcSet(fmt.Sprintf(
		"private_key=%x\npublic_key=%x\nallowed_ip=0.0.0.0/0\nallowed_ip=::/0\nendpoint=127.0.0.1:%d\n",
		private[:], peer[:], at)))
	require.NoError(t, h.tunnel.Up())
}

func newKey(t testing.TB) wg.Key {
	t.Helper()
	k, err := wg.GeneratePrivateKey()
	require.NoError(t, err)
	return k
}

// The addresses of the hosts of pair.
var (
	a4, a6 = netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("fd00::1")
	b4, b6 = netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("fd00::2")
)

// pair makes two hosts with a tunnel between them. Both have both families, and b is the name
// server of a.
func pair(t testing.TB) (a, b *host) {
	t.Helper()
	a, b = newHost(t, []netip.Addr{b4}, a4, a6), newHost(t, nil, b4, b6)
	join(t, a, b)
	return a, b
}

// families are the addresses of b by the name of their family.
var families = []struct {
	name   string
	remote netip.Addr
	local  netip.Addr
}{
	{"IPv4", b4, a4},
	{"IPv6", b6, a6},
}

// soon is a context that ends with the test, or after patience.
func soon(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// serveEcho sends back what comes over the connections of a listener, each of which ends when its
// peer has ended it.
func serveEcho(t testing.TB, l net.Listener) {
	done := make(chan struct{})
	t.Cleanup(func() {
		l.Close()
		<-done
	})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			io.Copy(c, c)
			c.Close()
		}
	}()
}

// requireEcho sends a text over a connection, ends that direction, and reads the text again.
func requireEcho(t testing.TB, c net.Conn, text string) {
	t.Helper()
	require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
	_, err := io.WriteString(c, text)
	require.NoError(t, err)
	require.NoError(t, c.(interface{ CloseWrite() error }).CloseWrite())
	got, err := io.ReadAll(c)
	require.NoError(t, err)
	require.Equal(t, text, string(got))
	require.NoError(t, c.Close())
}

// requireOpError requires an error of package net's shape.
func requireOpError(t testing.TB, err error, op, network string, cause func(error) bool) {
	t.Helper()
	var e *net.OpError
	require.ErrorAs(t, err, &e)
	require.Equal(t, op, e.Op)
	require.Equal(t, network, e.Net)
	require.True(t, cause(e.Err), "%v", err)
}
