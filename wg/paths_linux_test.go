package wg

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/internal/netns"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
)

// machine makes a network namespace; the test is skipped where that can't be.
func machine(t *testing.T) *netns.Thread {
	t.Helper()
	thread, err := netns.NewThread()
	if err != nil {
		if netns.RequireTUN() {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	t.Cleanup(thread.Close)
	return thread
}

// routed makes two machines with a router between them, behind which the MTU is smaller:
//
//	left ── 1500 ── router ── mtu ── right
func routed(t *testing.T, mtu int) (left, right *netns.Thread) {
	t.Helper()
	left, router, right := machine(t), machine(t), machine(t)
	const left4, left6, right4, right6 = "10.80.0.2/24", "fd80::2/64", "10.81.0.2/24", "fd81::2/64"
	var err error
	for _, link := range []struct {
		host    *netns.Thread
		name    string
		mtu     int
		host46  []string
		route46 []string
	}{
		{left, "left", 1500, []string{left4, left6}, []string{"10.80.0.1/24", "fd80::1/64"}},
		{right, "right", mtu, []string{right4, right6}, []string{"10.81.0.1/24", "fd81::1/64"}},
	} {
		router.Do(func() { err = link.host.Join(link.name+"r", link.name, link.mtu) })
		if err != nil {
			t.Skip(err)
		}
		var routes []tun.Route
		for _, a := range prefixes(strings.Join(link.route46, " ")) {
			routes = append(routes, tun.Route{Destination: netip.PrefixFrom(a.Addr(), 0).Masked(), Gateway: a.Addr()})
		}
		link.host.Do(func() {
			err = tun.Configure(link.name, tun.Config{Addresses: prefixes(strings.Join(link.host46, " ")), NoAddrGen: true})
		})
		require.NoError(t, err)
		router.Do(func() {
			err = tun.Configure(link.name+"r", tun.Config{Addresses: append(prefixes("fe80::1/64"), prefixes(strings.Join(link.route46, " "))...), NoAddrGen: true})
		})
		require.NoError(t, err)
		link.host.Do(func() { err = tun.Configure(link.name, tun.Config{NoAddrGen: true, Routes: routes}) })
		require.NoError(t, err)
	}
	router.Do(func() { err = netns.Forward("leftr", "rightr") })
	require.NoError(t, err)
	return left, right
}

// A path outside of the tunnel that takes less than the tunnel gives: a transfer gets through, and
// the stack learns the size of its segments, as from a router.
func TestSmallPath(t *testing.T) {
	for name, tt := range map[string]struct {
		outer, inner string
		mtu          int
		mss          int // the MTU without the overhead, a multiple of 16, less the headers of IP and TCP
	}{
		"IPv4 in IPv4": {outer: "10.81.0.2", inner: "10.0.0.2:80", mtu: 1300, mss: 1232 - 40},
		"IPv4 in IPv6": {outer: "fd81::2", inner: "10.0.0.2:80", mtu: 1300, mss: 1216 - 40},
		"IPv6 in IPv4": {outer: "10.81.0.2", inner: "[fd00::2]:80", mtu: 1300, mss: 1280 - 60}, // the system makes fragments
		"IPv6 in IPv6": {outer: "fd81::2", inner: "[fd00::2]:80", mtu: 1440, mss: 1360 - 60},
	} {
		t.Run(name, func(t *testing.T) {
			left, right := routed(t, tt.mtu)
			a, b := pair(t)
			var devices [2]*Device
			right.Do(func() { devices[1] = open(t, b) })
			a.Peers[0].Endpoint = netip.AddrPortFrom(netip.MustParseAddr(tt.outer), uint16(devices[1].ListenPort())).String()
			left.Do(func() { devices[0] = open(t, a) })
			var stacks [2]*stack.Stack
			for i, cfg := range []Config{a, b} {
				stacks[i] = newStack(t, cfg.Stack(devices[i]))
			}
			l, err := stacks[1].Listen("tcp", tt.inner)
			require.NoError(t, err)
			defer l.Close()
			sum := make(chan string, 1)
			go func() {
				c, err := l.Accept()
				if err != nil {
					return
				}
				defer c.Close()
				h := sha256.New()
				io.Copy(h, c)
				sum <- fmt.Sprintf("%x", h.Sum(nil))
			}()
			c, err := stacks[0].Dial("tcp", tt.inner)
			require.NoError(t, err)
			defer c.Close()
			require.NoError(t, c.SetDeadline(time.Now().Add(2*time.Minute)))
			conn := c.(*endpoint.Conn)
			text := make([]byte, 1<<20)
			for i := range text {
				text[i] = byte(i * i >> 8)
			}
			h := sha256.New()
			for mss := 0; mss != tt.mss; { // the first segments are too large, and sent in fragments
				_, err = io.MultiWriter(c, h).Write(text)
				require.NoError(t, err)
				mss, err = options.TCP_MAXSEG.Get(conn)
				require.NoError(t, err)
			}
			_, err = io.MultiWriter(c, h).Write(text)
			require.NoError(t, err)
			require.NoError(t, conn.CloseWrite())
			require.Equal(t, fmt.Sprintf("%x", h.Sum(nil)), <-sum)
		})
	}
}
