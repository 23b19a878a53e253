package tun

import (
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/tcpip/header"
)

func TestConfigure(t *testing.T) {
	inNetNS(t, func() {
		d := opener(OpenWater).configured(t, "wss0", Config{
			Addresses: prefixes("10.9.0.2/24", "10.9.1.2/32", "fd99::2/64"),
			MTU:       1400,
			NoAddrGen: true,
		})
		defer d.Close()
		require.Equal(t, 1400, d.MTU())
		link, err := netlink.LinkByName("wss0")
		require.NoError(t, err)
		require.NotZero(t, link.Attrs().Flags&net.FlagUp)
		addrs, err := netlink.AddrList(link, netlink.FAMILY_ALL)
		require.NoError(t, err)
		var got []string
		for _, a := range addrs {
			got = append(got, a.IPNet.String())
			require.Equal(t, a.IP.To4() == nil, a.Flags&unix.IFA_F_NODAD != 0)
			require.Zero(t, a.Flags&(unix.IFA_F_TENTATIVE|unix.IFA_F_DADFAILED), "%s is usable at once", a.IPNet)
		}
		require.ElementsMatch(t, []string{"10.9.0.2/24", "10.9.1.2/32", "fd99::2/64"}, got, "and no link-local address")

		// MTU is the current one, from any network namespace.
		require.NoError(t, Configure("wss0", Config{MTU: 1300}))
		mtu := make(chan int)
		go func() { mtu <- d.MTU() }()
		require.Equal(t, 1300, <-mtu)

		err = Configure("wss0", Config{Addresses: prefixes("10.9.2.2/24", "10.9.0.2/24")})
		require.ErrorIs(t, err, unix.EEXIST)
		require.ErrorContains(t, err, "tun: configure wss0: add address 10.9.0.2/24: ")
		require.ErrorContains(t, Configure("wss9", Config{}), "tun: configure wss9: find the interface: ")

		plain, err := Open("")
		require.NoError(t, err)
		defer plain.Close()
		require.Equal(t, 1500, plain.MTU())
		require.NoError(t, Configure(plain.(Named).Name(), Config{}))
		require.Equal(t, "tun0", plain.(Named).Name())
	})
}

// Connections by the interface, and only they, have the congestion control.
func TestConfigureCongestion(t *testing.T) {
	inNetNS(t, func() {
		system, other := algorithms(t)
		with := opener(OpenWater).configured(t, "wss0", Config{Addresses: prefixes("10.9.0.2/24", "fd99::2/64"), Congestion: other})
		defer with.Close()
		without := opener(OpenWater).configured(t, "wss1", Config{Addresses: prefixes("10.8.0.2/24")})
		defer without.Close()
		require.Equal(t, system, algorithm(t, "10.8.0.1"))
		require.Equal(t, other, algorithm(t, "10.9.0.1"))
		require.Equal(t, other, algorithm(t, "fd99::1"))
		routes, err := netlink.RouteList(nil, netlink.FAMILY_V4)
		require.NoError(t, err)
		require.Len(t, routes, 2, "they are changed, not added")

		err = Configure("wss0", Config{Congestion: "none such"})
		require.ErrorIs(t, err, unix.EINVAL)
		require.ErrorContains(t, err, `tun: configure wss0: set congestion control "none such": `)
	})
}

// Other interfaces keep their routes to the same networks: fe80::/64 is one of
// each. An interface keeps its own where the congestion control is unknown.
func TestConfigureCongestionOfOneInterface(t *testing.T) {
	inNetNS(t, func() {
		_, other := algorithms(t)
		routes := func(d *osDevice) []netlink.Route {
			link, err := netlink.LinkByName(d.Name())
			require.NoError(t, err)
			list, err := netlink.RouteList(link, netlink.FAMILY_ALL)
			require.NoError(t, err)
			return list
		}
		first := opener(OpenWater).configured(t, "wss0", Config{Addresses: prefixes("10.9.0.2/24", "fd99::2/64")})
		defer first.Close()
		before := routes(first)
		second := opener(OpenWater).configured(t, "wss1", Config{Addresses: prefixes("10.9.0.3/24", "fd99::3/64"), Congestion: other})
		defer second.Close()
		require.Equal(t, before, routes(first))
		changed := routes(second)
		require.Len(t, changed, len(before))
		for _, r := range changed {
			require.Equal(t, other, r.Congctl, r.Dst)
		}
		require.Error(t, Configure("wss1", Config{Congestion: "none such"}))
		require.ElementsMatch(t, changed, routes(second))
	})
}

// algorithms are the system's congestion control and another that it has.
func algorithms(t *testing.T) (system, other string) {
	t.Helper()
	read := func(name string) []string {
		b, err := os.ReadFile("/proc/sys/net/ipv4/" + name)
		require.NoError(t, err)
		return strings.Fields(string(b))
	}
	system = read("tcp_congestion_control")[0]
	all := read("tcp_available_congestion_control")
	i := slices.IndexFunc(all, func(name string) bool { return name != system })
	if i < 0 {
		t.Skipf("this kernel has only %s", system)
	}
	return system, all[i]
}

// algorithm is the congestion control of a connection to an address, which needs
// not be complete.
func algorithm(t *testing.T, to string) string {
	t.Helper()
	family, addr := unix.AF_INET, netip.MustParseAddr(to)
	var sa unix.Sockaddr
	if addr.Is4() {
		sa = &unix.SockaddrInet4{Port: 9, Addr: addr.As4()}
	} else {
		family, sa = unix.AF_INET6, &unix.SockaddrInet6{Port: 9, Addr: addr.As16()}
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0)
	require.NoError(t, err)
	defer unix.Close(fd)
	require.ErrorIs(t, unix.Connect(fd, sa), unix.EINPROGRESS)
	name, err := unix.GetsockoptString(fd, unix.IPPROTO_TCP, unix.TCP_CONGESTION)
	require.NoError(t, err)
	return name
}

// The kernel finishes IPv6 addresses in the background; Configure waits.
func TestConfigureUsableAtOnce(t *testing.T) {
	inNetNS(t, func() {
		for range 25 {
			d, err := OpenWater("wss0")
			require.NoError(t, err)
			reply := make(chan struct{})
			var once sync.Once
			require.NoError(t, d.Start(func(packets []Packet) {
				for i := range packets {
					p := packets[i].Data.Flatten()
					if header.IPVersion(p) == 6 && header.ICMPv6(header.IPv6(p).Payload()).Type() == header.ICMPv6EchoReply {
						once.Do(func() { close(reply) })
					}
				}
				release(packets)
			}))
			require.NoError(t, Configure("wss0", Config{Addresses: prefixes("fd99::2/64", "fe80::2/64"), NoAddrGen: true}))
			sendBytes(t, d, echoRequest("fd99::1", "fd99::2"))
			select {
			case <-reply:
			case <-time.After(2 * time.Minute):
				require.Fail(t, "no reply")
			}
			require.NoError(t, d.Close())
		}
		// Without carrier there is nothing to wait for.
		la := netlink.NewLinkAttrs()
		la.Name = "wss1"
		require.NoError(t, netlink.LinkAdd(&netlink.Tuntap{LinkAttrs: la, Mode: netlink.TUNTAP_MODE_TUN}))
		require.NoError(t, Configure("wss1", Config{Addresses: prefixes("fd98::2/64")}))
	})
}
