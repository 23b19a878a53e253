//go:build linux

package integration

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"

	"github.com/wsstack/wsstack/internal/netns"
	"github.com/wsstack/wsstack/tun"
)

// A path joins two machines, each of which is a network namespace, by a router, which is another
// one. The link behind the router is carried by the test, which makes it as bad as it likes:
//
//	left ── veth ── router ── TUN ══ link ══ TUN ── right
//
// The kernels of the three are real; what is between them loses, reorders, records and changes
// packets without netem, which not every kernel has.
type path struct {
	left, router, right *machine
	link                *tun.Impaired // In carries what goes to the right, Out what goes to the left
}

// A machine is a host of a path.
type machine struct {
	*netns.Thread
	device string         // the interface
	addrs  []netip.Prefix // its addresses
}

// The addresses of the interfaces. A router without a link-local one can't resolve its neighbour.
var (
	leftOuter   = prefixes("10.80.0.2/24", "fd80::2/64", "fe80::2/64")
	routerLeft  = prefixes("10.80.0.1/24", "fd80::1/64", "fe80::1/64")
	routerRight = prefixes("10.81.0.1/24", "fd81::1/64")
	rightOuter  = prefixes("10.81.0.2/24", "fd81::2/64")
)

// newPath makes the three namespaces with addresses and routes.
func newPath(t testing.TB) *path {
	t.Helper()
	if unable != nil {
		t.Skip(unable)
	}
	p := &path{
		left:   newMachine(t, "left0", leftOuter),
		router: newMachine(t, "router0", routerLeft),
		right:  newMachine(t, "right0", rightOuter),
	}
	var err error
	p.router.Do(func() { err = p.left.Join("router0", "left0", 1500) })
	if err != nil {
		t.Skip(err)
	}
	var ends [2]tun.Device
	p.router.Do(func() { ends[0], err = tun.OpenWater("router1") })
	require.NoError(t, err)
	p.right.Do(func() { ends[1], err = tun.OpenWater("right0") })
	require.NoError(t, err)
	p.link, err = tun.Impair(ends[0], tun.ImpairConfig{Rand: rand.NewPCG(1, 2)})
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, errors.Join(ends[1].Close(), p.link.Close()))
	})
	p.router.Do(func() {
		err = errors.Join(
			tun.Configure("router0", tun.Config{Addresses: routerLeft, NoAddrGen: true}),
			tun.Configure("router1", tun.Config{Addresses: routerRight, MTU: 1500, NoAddrGen: true}),
			netns.Forward("router0", "router1"))
	})
	require.NoError(t, err)
	p.left.configure(t, routerLeft)
	p.right.configure(t, routerRight)
	require.NoError(t, p.link.Start(carry(ends[1])))
	require.NoError(t, ends[1].Start(carry(p.link)))
	return p
}

func newMachine(t testing.TB, device string, addrs []netip.Prefix) *machine {
	t.Helper()
	thread, err := netns.NewThread()
	require.NoError(t, err)
	t.Cleanup(thread.Close)
	return &machine{Thread: thread, device: device, addrs: addrs}
}

// carry sends what one device receives by another.
func carry(to tun.Device) func([]tun.Packet) {
	return func(packets []tun.Packet) {
		to.Send(packets) // fails when the device is closed, and so does the test then
		for i := range packets {
			packets[i].Data.Release()
		}
	}
}

// configure gives the machine its addresses, and default routes by a router.
func (m *machine) configure(t testing.TB, gateways []netip.Prefix) {
	t.Helper()
	var err error
	m.Do(func() {
		// Otherwise IPv6 addresses are lost when the interface goes down.
		path := fmt.Sprintf("/proc/sys/net/ipv6/conf/%s/keep_addr_on_down", m.device)
		err = os.WriteFile(path, []byte("1"), 0)
	})
	require.NoError(t, err)
	m.setUp(t, tun.Config{Addresses: m.addrs, NoAddrGen: true, Routes: defaultRoutes(gateways)})
}

// defaultRoutes are those by a router.
func defaultRoutes(gateways []netip.Prefix) (list []tun.Route) {
	for _, g := range gateways {
		if g.Addr().IsLinkLocalUnicast() {
			continue
		}
		to := netip.PrefixFrom(netip.IPv4Unspecified(), 0)
		if g.Addr().Is6() {
			to = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
		}
		list = append(list, tun.Route{Destination: to, Gateway: g.Addr()})
	}
	return list
}

// setUp configures the interface of the machine.
func (m *machine) setUp(t testing.TB, c tun.Config) {
	t.Helper()
	var err error
	m.Do(func() { err = tun.Configure(m.device, c) })
	require.NoError(t, err)
}

// addr is the machine's address of a version.
func (m *machine) addr(v6 bool) netip.Addr { return addrOf(m.addrs, v6) }

// setLink takes the interface of a machine up or down.
func (m *machine) setLink(t testing.TB, name string, up bool) {
	t.Helper()
	var err error
	m.Do(func() {
		var link netlink.Link
		if link, err = netlink.LinkByName(name); err != nil {
			return
		}
		if up {
			err = netlink.LinkSetUp(link)
		} else {
			err = netlink.LinkSetDown(link)
		}
	})
	require.NoError(t, err)
}

// listenUDP opens a socket of the machine.
func (m *machine) listenUDP(t testing.TB, v6 bool) *net.UDPConn {
	t.Helper()
	var c *net.UDPConn
	var err error
	m.Do(func() { c, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(m.addr(v6), 0))) })
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}
