package link

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/icmp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"

	"github.com/wsstack/wsstack/tun"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const nic = 1

// host is a netstack stack over one Endpoint, with the pump that the stack
// package has in earnest.
type host struct {
	*stack.Stack
	link *Endpoint
}

// newHost makes a stack over dev, or over a loopback where dev is nil. It goes
// with the test.
func newHost(t testing.TB, dev tun.Device, addrs ...string) *host {
	t.Helper()
	h := &host{Stack: stack.New(stack.Options{
		NetworkProtocols:   []stack.NetworkProtocolFactory{ipv4.NewProtocol, ipv6.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol, udp.NewProtocol, icmp.NewProtocol4, icmp.NewProtocol6},
	})}
	wake := make(chan struct{}, 1)
	notify := func(int) {
		select {
		case wake <- struct{}{}:
		default:
		}
	}
	if dev == nil {
		h.link = NewLoopback(0, Options{Notify: notify})
	} else {
		h.link = New(dev, Options{Notify: notify})
	}
	requireOK(t, h.CreateNIC(nic, Trusting{h.link}))
	for _, s := range addrs {
		prefix := netip.MustParsePrefix(s)
		protocol := header.IPv4ProtocolNumber
		if prefix.Addr().Is6() {
			protocol = header.IPv6ProtocolNumber
		}
		requireOK(t, h.AddProtocolAddress(nic, tcpip.ProtocolAddress{
			Protocol: protocol,
			AddressWithPrefix: tcpip.AddressWithPrefix{
				Address:   tcpip.AddrFromSlice(prefix.Addr().AsSlice()),
				PrefixLen: prefix.Bits(),
			},
		}, stack.AddressProperties{}))
	}
	h.SetRouteTable([]tcpip.Route{
		{Destination: header.IPv4EmptySubnet, NIC: nic},
		{Destination: header.IPv6EmptySubnet, NIC: nic},
	})
	require.NoError(t, h.link.Start())

	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-wake:
				for h.link.Deliver(0, 256) == 256 {
				}
			case <-quit:
				return
			}
		}
	}()
	t.Cleanup(func() {
		if dev != nil {
			require.NoError(t, dev.Close())
		}
		close(quit)
		<-done
		h.Destroy()
	})
	return h
}

// newPair makes two stacks joined by a Pipe: .1 and .2.
func newPair(t testing.TB, mtu int) (a, b *host) {
	t.Helper()
	da, db := tun.Pipe(mtu)
	return newHost(t, da, "10.0.0.1/24", "fd00::1/64"), newHost(t, db, "10.0.0.2/24", "fd00::2/64")
}

func requireOK(t testing.TB, err tcpip.Error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func full(addr string, port uint16) tcpip.FullAddress {
	return tcpip.FullAddress{NIC: nic, Addr: tcpip.AddrFromSlice(netip.MustParseAddr(addr).AsSlice()), Port: port}
}

// soon waits for what other goroutines are about to do.
func soon(t testing.TB, condition func() bool, message string) {
	t.Helper()
	require.Eventually(t, condition, 2*time.Minute, time.Millisecond, message)
}
