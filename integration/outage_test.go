//go:build linux

package integration

import (
	"context"
	"fmt"
	"net"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"

	"github.com/wsstack/wsstack/tun"
	"github.com/wsstack/wsstack/wsa"
)

// A connection survives the interface being down for a moment: both ends
// retransmit what was lost.
func TestConnectionSurvivesOutage(t *testing.T) {
	n := newNetwork(t, settings{})
	keep := fmt.Sprintf("/proc/sys/net/ipv6/conf/%s/keep_addr_on_down", n.name)
	if err := os.WriteFile(keep, []byte("1"), 0); err != nil {
		t.Skipf("the kernel would forget the IPv6 addresses: %v", err)
	}
	link, err := netlink.LinkByName(n.name)
	require.NoError(t, err)
	drops := n.device.(tun.Dropper).Drops
	n.eachRole(t, func(t *testing.T, r role) {
		outage := func() {
			before := drops()
			if err := netlink.LinkSetDown(link); err != nil {
				t.Errorf("link down: %v", err)
			}
			// Until something is lost. What is left to lose is certain only where
			// the stack sends to the end that calls this.
			limit := 500 * time.Millisecond
			if r.client.name == "wsstack" {
				limit = patience
			}
			for deadline := time.Now().Add(limit); drops() == before && time.Now().Before(deadline); {
				time.Sleep(time.Millisecond)
			}
			if err := netlink.LinkSetUp(link); err != nil {
				t.Errorf("link up: %v", err)
			}
		}
		client, server := r.connect(t)
		bytes := size(8<<20, 2<<20)
		start, retransmits := time.Now(), n.stack.Stats().Retransmits
		bothWays(t, client, &watched{stream: server, after: bytes / 8, do: outage}, bytes)
		t.Logf("%v, %d segments retransmitted by the stack", time.Since(start), n.stack.Stats().Retransmits-retransmits)
	})
	require.NotZero(t, drops(), "packets were lost")
}

// The interface disappears under the stack: calls that wait go on waiting,
// datagrams can't be sent, and Close returns and leaves nothing.
func TestDeviceRemoved(t *testing.T) {
	n := newNetwork(t, settings{spy: true})
	r := roles(n.kernel, n.wsock, false)[0]
	peer, conn := r.ends(t)
	pc, err := n.stack.ListenPacket("udp", ":0")
	require.NoError(t, err)
	reading := n.blocked(t, func() error {
		_, err := conn.Read(make([]byte, 1))
		return err
	})
	link, err := netlink.LinkByName(n.name)
	require.NoError(t, err)
	require.NoError(t, netlink.LinkDel(link))
	require.NoError(t, peer.SetLinger(0))
	require.NoError(t, peer.Close())

	to := &net.UDPAddr{IP: n.kernel.addr(false).AsSlice(), Port: 9}
	soon(t, func() bool {
		_, err := pc.WriteTo([]byte("x"), to)
		return err != nil
	}, "sending fails")
	_, err = pc.WriteTo([]byte("x"), to)
	require.ErrorIs(t, err, wsa.WSAENETUNREACH)
	_, err = conn.Write([]byte("x")) // TCP retransmits (ND-3)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err = n.stack.DialContext(ctx, "tcp", r.client.addr(false).String()+":80")
	require.Error(t, err)

	within(t, "Stack.Close", func() { require.NoError(t, n.stack.Close()) })
	require.ErrorIs(t, receiveError(t, reading, "Read"), wsa.WSAENETDOWN)
	_, err = n.stack.Listen("tcp", ":0")
	require.ErrorIs(t, err, wsa.WSAENETDOWN)
}

// Close in the middle of transfers returns, and the kernel's ends are reset.
func TestStackCloseInMidTransfer(t *testing.T) {
	n := newNetwork(t, settings{})
	ended := make(chan error)
	const count = 4
	list := roles(n.kernel, n.wsock, false)
	for i := range count {
		peer, conn := list[i%len(list)].ends(t)
		running := make(chan struct{})
		go func() {
			for { // ends when the stack is closed
				if _, err := conn.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		}()
		go func() {
			w := &watched{stream: peer, after: 256 << 10, do: func() { close(running) }}
			_, _, err := receive(w)
			ended <- err
		}()
		<-running
	}
	within(t, "Stack.Close", func() { require.NoError(t, n.stack.Close()) })
	for range count {
		require.ErrorIs(t, receiveError(t, ended, "the kernel's Read"), n.kernel.reset)
	}
}
