package bench

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	netstack "gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"

	"github.com/wsstack/wsstack/internal/link"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
)

// A Side is one end of a link that can listen and dial: a wsstack, a plain
// netstack, or the kernel.
type Side interface {
	Listen(port uint16) (net.Listener, error)
	Dial(to netip.AddrPort) (net.Conn, error)
	Close()
}

// A Maker makes the side of a device.
type Maker func(d tun.Device, addr netip.Prefix) (Side, error)

// Wsstack makes a wsstack with its defaults: Nagle's algorithm is on.
func Wsstack(d tun.Device, addr netip.Prefix) (Side, error) {
	s, err := stack.New(stack.Config{Device: d, Addresses: []netip.Prefix{addr}})
	if err != nil {
		return nil, err
	}
	return wsstackSide{s}, nil
}

type wsstackSide struct{ *stack.Stack }

func (s wsstackSide) Listen(port uint16) (net.Listener, error) {
	return s.Stack.Listen("tcp4", fmt.Sprintf(":%d", port))
}

func (s wsstackSide) Dial(to netip.AddrPort) (net.Conn, error) {
	return s.DialContext(context.Background(), "tcp4", to.String())
}

func (s wsstackSide) Close() { s.Stack.Close() }

// Gonet makes a netstack as a user would who has only gVisor: the same link,
// SACK and CUBIC on, the gonet adapter, Nagle's algorithm off.
func Gonet(d tun.Device, addr netip.Prefix) (Side, error) {
	g := &gonetSide{device: d, addr: addr.Addr(), bell: make(chan struct{}, 1), quit: make(chan struct{})}
	g.stack = netstack.New(netstack.Options{
		NetworkProtocols:   []netstack.NetworkProtocolFactory{ipv4.NewProtocol},
		TransportProtocols: []netstack.TransportProtocolFactory{tcp.NewProtocolCUBIC},
	})
	g.link = link.New(d, link.Options{Notify: g.ring})
	if err := g.configure(addr); err != nil {
		g.stack.Destroy()
		return nil, fmt.Errorf("bench: gonet: %s", err)
	}
	if err := g.link.Start(); err != nil {
		g.stack.Destroy()
		return nil, err
	}
	g.pump.Go(g.deliver) // ends when Close closes quit
	return g, nil
}

type gonetSide struct {
	stack  *netstack.Stack
	link   *link.Endpoint
	device tun.Device
	addr   netip.Addr
	bell   chan struct{}
	quit   chan struct{}
	pump   sync.WaitGroup
}

func (g *gonetSide) configure(addr netip.Prefix) tcpip.Error {
	sack, moderate := tcpip.TCPSACKEnabled(true), tcpip.TCPModerateReceiveBufferOption(true)
	for _, o := range []tcpip.SettableTransportProtocolOption{&sack, &moderate} {
		if err := g.stack.SetTransportProtocolOption(tcp.ProtocolNumber, o); err != nil {
			return err
		}
	}
	if err := g.stack.CreateNIC(1, g.link); err != nil {
		return err
	}
	g.stack.SetRouteTable([]tcpip.Route{{Destination: header.IPv4EmptySubnet, NIC: 1}})
	return g.stack.AddProtocolAddress(1, tcpip.ProtocolAddress{
		Protocol:          ipv4.ProtocolNumber,
		AddressWithPrefix: tcpip.AddressWithPrefix{Address: tcpip.AddrFromSlice(addr.Addr().AsSlice()), PrefixLen: addr.Bits()},
	}, netstack.AddressProperties{})
}

func (g *gonetSide) ring() {
	select {
	case g.bell <- struct{}{}:
	default:
	}
}

func (g *gonetSide) deliver() {
	for {
		select {
		case <-g.quit:
			return
		case <-g.bell:
			for g.link.Deliver(256) > 0 {
			}
		}
	}
}

func (g *gonetSide) Listen(port uint16) (net.Listener, error) {
	return gonet.ListenTCP(g.stack, tcpip.FullAddress{Port: port}, ipv4.ProtocolNumber)
}

func (g *gonetSide) Dial(to netip.AddrPort) (net.Conn, error) {
	return gonet.DialTCP(g.stack, tcpip.FullAddress{Addr: tcpip.AddrFromSlice(to.Addr().AsSlice()), Port: to.Port()}, ipv4.ProtocolNumber)
}

func (g *gonetSide) Close() {
	close(g.quit)
	g.pump.Wait()
	g.device.Close()
	g.stack.Destroy()
}

// kernelSide is Go's net package: the kernel of the current namespace.
type kernelSide struct{}

func (kernelSide) Listen(port uint16) (net.Listener, error) {
	return net.Listen("tcp4", fmt.Sprintf(":%d", port))
}

func (kernelSide) Dial(to netip.AddrPort) (net.Conn, error) { return net.Dial("tcp4", to.String()) }

func (kernelSide) Close() {}
