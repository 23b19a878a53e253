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
	"gvisor.dev/gvisor/pkg/tcpip/link/channel"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	netstack "gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"

	"github.com/wsstack/wsstack/internal/link"
	"github.com/wsstack/wsstack/tun"
)

// Gonet makes a netstack as a user would who has only gVisor: the same link,
// SACK and CUBIC on, the gonet adapter, Nagle's algorithm off.
func Gonet(d tun.Device, addr netip.Prefix) (Side, error) {
	g := newGonet()
	bell, quit := make(chan struct{}, 1), make(chan struct{})
	l := link.New(d, link.Options{Notify: func(int) {
		select {
		case bell <- struct{}{}:
		default:
		}
	}})
	if err := g.configure(link.Trusting{Endpoint: l}, addr); err != nil {
		g.stack.Destroy()
		return nil, fmt.Errorf("bench: gonet: %s", err)
	}
	if err := l.Start(); err != nil {
		g.stack.Destroy()
		return nil, err
	}
	var pump sync.WaitGroup
	pump.Go(func() { // ends when quit is closed
		for {
			select {
			case <-quit:
				return
			case <-bell:
				for l.Deliver(0, deliverBatch) == deliverBatch {
				}
			}
		}
	})
	g.stop = func() {
		close(quit)
		pump.Wait()
		d.Close()
	}
	return g, nil
}

// deliverBatch is how many packets the pump of a stack delivers at once.
const deliverBatch = 256

// channelSize is the number of packets that a channel link queues.
const channelSize = 1024

// ChannelLink joins two plain netstacks by gVisor's link/channel, MTU 1500: a
// goroutine for each direction takes packets from one and delivers them to the
// other.
func ChannelLink() (*Network, error) {
	var sides [2]*gonetSide
	var ends [2]*channel.Endpoint
	prefixes := [2]netip.Prefix{netip.MustParsePrefix("10.0.0.1/24"), netip.MustParsePrefix("10.0.0.2/24")}
	for i := range sides {
		sides[i], ends[i] = newGonet(), channel.New(channelSize, 1500, "")
		if err := sides[i].configure(ends[i], prefixes[i]); err != nil {
			return nil, fmt.Errorf("bench: gonet: %s", err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var pumps sync.WaitGroup
	for i := range ends {
		pumps.Go(func() { // ends when ctx is cancelled
			for {
				pkt := ends[i].ReadContext(ctx)
				if pkt == nil {
					return
				}
				in := netstack.NewPacketBuffer(netstack.PacketBufferOptions{Payload: pkt.ToBuffer()})
				ends[1-i].InjectInbound(ipv4.ProtocolNumber, in)
				in.DecRef()
				pkt.DecRef()
			}
		})
	}
	sides[0].stop = func() {
		cancel()
		pumps.Wait()
	}
	return &Network{Near: sides[0], Far: sides[1], NearAddr: prefixes[0].Addr(), FarAddr: prefixes[1].Addr()}, nil
}

type gonetSide struct {
	stack *netstack.Stack
	stop  func() // what feeds it; nil: nothing
}

func newGonet() *gonetSide {
	return &gonetSide{stack: netstack.New(netstack.Options{
		NetworkProtocols:   []netstack.NetworkProtocolFactory{ipv4.NewProtocol},
		TransportProtocols: []netstack.TransportProtocolFactory{tcp.NewProtocolCUBIC, udp.NewProtocol},
	})}
}

func (g *gonetSide) configure(l netstack.LinkEndpoint, addr netip.Prefix) tcpip.Error {
	sack, moderate, control := tcpip.TCPSACKEnabled(true), tcpip.TCPModerateReceiveBufferOption(true), tcpip.CongestionControlOption("cubic")
	for _, o := range []tcpip.SettableTransportProtocolOption{&sack, &moderate, &control} {
		if err := g.stack.SetTransportProtocolOption(tcp.ProtocolNumber, o); err != nil {
			return err
		}
	}
	if err := g.stack.CreateNIC(1, l); err != nil {
		return err
	}
	g.stack.SetRouteTable([]tcpip.Route{{Destination: header.IPv4EmptySubnet, NIC: 1}})
	return g.stack.AddProtocolAddress(1, tcpip.ProtocolAddress{
		Protocol:          ipv4.ProtocolNumber,
		AddressWithPrefix: tcpip.AddressWithPrefix{Address: tcpip.AddrFromSlice(addr.Addr().AsSlice()), PrefixLen: addr.Bits()},
	}, netstack.AddressProperties{})
}

func (g *gonetSide) Listen(port uint16) (net.Listener, error) {
	return gonet.ListenTCP(g.stack, tcpip.FullAddress{Port: port}, ipv4.ProtocolNumber)
}

func (g *gonetSide) Dial(to netip.AddrPort) (net.Conn, error) {
	return gonet.DialTCP(g.stack, fullAddress(to), ipv4.ProtocolNumber)
}

func (g *gonetSide) ListenPacket(port uint16) (net.PacketConn, error) {
	return gonet.DialUDP(g.stack, &tcpip.FullAddress{Port: port}, nil, ipv4.ProtocolNumber)
}

func (g *gonetSide) DialPacket(to netip.AddrPort) (net.Conn, error) {
	remote := fullAddress(to)
	return gonet.DialUDP(g.stack, nil, &remote, ipv4.ProtocolNumber)
}

func fullAddress(a netip.AddrPort) tcpip.FullAddress {
	return tcpip.FullAddress{Addr: tcpip.AddrFromSlice(a.Addr().AsSlice()), Port: a.Port()}
}

func (g *gonetSide) Close() {
	if g.stop != nil {
		g.stop()
	}
	g.stack.Destroy()
}
