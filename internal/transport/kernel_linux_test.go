package transport

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/wsstack/wsstack/internal/link"
	"github.com/wsstack/wsstack/internal/netns"
	"github.com/wsstack/wsstack/tun"
)

// unable is why there is no namespace with a TUN; the tests against the kernel
// skip then.
var unable error

func TestMain(m *testing.M) {
	unable = netns.Main("transport", m.Run)
	os.Exit(m.Run())
}

var tuns atomic.Int32

// kernel makes a TUN between the kernel, which is host B, and a netstack with
// Protocol, host A.
func kernel(t testing.TB, mtu int, open func(string) (tun.Device, error), bad *tun.ImpairConfig) *stack.Stack {
	if unable != nil {
		t.Skip(unable)
	}
	name := fmt.Sprintf("wst%d", tuns.Add(1))
	dev, err := open(name)
	require.NoError(t, err)
	require.NoError(t, tun.Configure(name, tun.Config{MTU: mtu, NoAddrGen: true, Congestion: "cubic", Addresses: []netip.Prefix{
		netip.MustParsePrefix("192.0.2.2/24"), netip.MustParsePrefix("2001:db8::2/64")}}))
	if bad != nil {
		dev, err = tun.Impair(dev, *bad)
		require.NoError(t, err)
	}
	return hostOn(t, dev, hostA)
}

// hostOn makes a host with Protocol on a device, which is closed in the end.
func hostOn(t testing.TB, dev tun.Device, addrs map[tcpip.NetworkProtocolNumber]tcpip.Address) *stack.Stack {
	bell := make(chan struct{}, 1)
	l := link.New(dev, link.Options{Notify: func(int) {
		select {
		case bell <- struct{}{}:
		default:
		}
	}})
	s := stack.New(stack.Options{
		NetworkProtocols:   []stack.NetworkProtocolFactory{ipv4.NewProtocol, ipv6.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{New},
	})
	require.Nil(t, s.CreateNICWithOptions(1, link.Trusting{Endpoint: l}, stack.NICOptions{QDisc: l.Queue()}))
	for net, a := range addrs {
		require.Nil(t, s.AddProtocolAddress(1, tcpip.ProtocolAddress{Protocol: net, AddressWithPrefix: a.WithPrefix()}, stack.AddressProperties{}))
	}
	s.SetRouteTable([]tcpip.Route{{Destination: header.IPv4EmptySubnet, NIC: 1}, {Destination: header.IPv6EmptySubnet, NIC: 1}})
	require.NoError(t, l.Start())
	quit := make(chan struct{})
	var pump sync.WaitGroup
	pump.Go(func() {
		for {
			select {
			case <-quit:
				return
			case <-bell:
				for l.Deliver(0, 256) > 0 {
				}
			}
		}
	})
	t.Cleanup(func() {
		close(quit)
		pump.Wait()
		s.Destroy()
		require.NoError(t, dev.Close())
	})
	return s
}

// The engine and Linux understand each other, in both roles and families, over
// devices with offloads and of plain packets, packets of all sizes, and a link
// that loses, delays, repeats and corrupts.
func TestKernel(t *testing.T) {
	for _, c := range []struct {
		name string
		mtu  int
		open func(string) (tun.Device, error)
		bad  bool
		size int
	}{
		{"offload", 1500, tun.OpenOffload, false, 16 << 20},
		{"plain", 1500, tun.OpenWater, false, 8 << 20},
		{"MTU 1280", 1280, tun.OpenWater, false, 1 << 20},
		{"MTU 9000", 9000, tun.OpenWater, false, 4 << 20},
		{"MTU 65535", 65535, tun.OpenWater, false, 4 << 20},
		{"bad link", 1500, tun.OpenWater, true, 256 << 10},
	} {
		t.Run(c.name, func(t *testing.T) {
			var bad *tun.ImpairConfig
			if c.bad {
				path := tun.Impairment{Loss: 0.01, Reorder: 0.02, Duplicate: 0.01, Corrupt: 0.005}
				bad = &tun.ImpairConfig{Out: path, In: path, Rand: rand.NewPCG(1, 2)}
			}
			s := kernel(t, c.mtu, c.open, bad)
			families(t, func(t *testing.T, n tcpip.NetworkProtocolNumber) { talk(t, s, n, c.size) })
		})
	}
}

// talk has both sides dial the other.
func talk(t *testing.T, s *stack.Stack, n tcpip.NetworkProtocolNumber, size int) {
	ours, kernels := hostA[n], hostB[n]
	a, _ := netip.AddrFromSlice(ours.AsSlice())
	b, _ := netip.AddrFromSlice(kernels.AsSlice())
	t.Run("active", func(t *testing.T) {
		l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.AddrPortFrom(b, 0)))
		require.NoError(t, err)
		defer l.Close()
		c := dial(t, s, n, hostA, hostB, 1000, uint16(l.Addr().(*net.TCPAddr).Port))
		require.True(t, c.connected())
		peer, err := l.Accept()
		require.NoError(t, err)
		defer peer.Close()
		both(t, c, peer, size)
		c.Abort()
		_, err = peer.Read(make([]byte, 1))
		require.Error(t, err)
	})
	t.Run("passive", func(t *testing.T) {
		l := listen(t, s, n, 81)
		defer l.Close()
		peer, err := net.Dial("tcp", netip.AddrPortFrom(a, 81).String())
		require.NoError(t, err)
		c := l.accept()
		both(t, c, peer, size)
		require.NoError(t, peer.Close())
		_, err = c.Read(make([]byte, 1))
		require.Error(t, err)
		c.Close()
	})
}
