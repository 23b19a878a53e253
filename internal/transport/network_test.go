package transport

import (
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/link/nested"
	"gvisor.dev/gvisor/pkg/tcpip/link/pipe"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/waiter"

	engine "github.com/wsstack/wsstack/internal/tcp"
)

// The addresses of the two hosts, by network protocol.
var (
	hostA = map[tcpip.NetworkProtocolNumber]tcpip.Address{
		header.IPv4ProtocolNumber: tcpip.AddrFrom4([4]byte{192, 0, 2, 1}),
		header.IPv6ProtocolNumber: tcpip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 15: 1}),
	}
	hostB = map[tcpip.NetworkProtocolNumber]tcpip.Address{
		header.IPv4ProtocolNumber: tcpip.AddrFrom4([4]byte{192, 0, 2, 2}),
		header.IPv6ProtocolNumber: tcpip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 15: 2}),
	}
)

// families runs a test for both versions of IP.
func families(t *testing.T, f func(t *testing.T, net tcpip.NetworkProtocolNumber)) {
	t.Run("IPv4", func(t *testing.T) { f(t, header.IPv4ProtocolNumber) })
	t.Run("IPv6", func(t *testing.T) { f(t, header.IPv6ProtocolNumber) })
}

// A lossy link loses a part of what comes in.
type lossy struct {
	nested.Endpoint
	mu   sync.Mutex
	rand *rand.Rand
	part float64
}

func lose(part float64, below stack.LinkEndpoint) stack.LinkEndpoint {
	l := &lossy{part: part, rand: rand.New(rand.NewPCG(1, 1))}
	l.Init(below, l)
	return l
}

func (l *lossy) DeliverNetworkPacket(protocol tcpip.NetworkProtocolNumber, pkt *stack.PacketBuffer) {
	l.mu.Lock()
	lost := l.rand.Float64() < l.part
	l.mu.Unlock()
	if !lost {
		l.Endpoint.DeliverNetworkPacket(protocol, pkt)
	}
}

// host makes a netstack with a link and both addresses.
func host(t testing.TB, transport stack.TransportProtocolFactory, clock tcpip.Clock, link stack.LinkEndpoint, addrs map[tcpip.NetworkProtocolNumber]tcpip.Address) *stack.Stack {
	s := stack.New(stack.Options{
		NetworkProtocols:   []stack.NetworkProtocolFactory{ipv4.NewProtocol, ipv6.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{transport},
		Clock:              clock,
	})
	t.Cleanup(s.Destroy)
	require.Nil(t, s.CreateNIC(1, link))
	for net, a := range addrs {
		require.Nil(t, s.AddProtocolAddress(1, tcpip.ProtocolAddress{Protocol: net, AddressWithPrefix: a.WithPrefix()}, stack.AddressProperties{}))
	}
	s.SetRouteTable([]tcpip.Route{{Destination: header.IPv4EmptySubnet, NIC: 1}, {Destination: header.IPv6EmptySubnet, NIC: 1}})
	return s
}

// twoHosts are host A with Protocol and host B with another TCP, over a link that loses a part.
func twoHosts(t testing.TB, part float64, peer stack.TransportProtocolFactory, clock tcpip.Clock) (a, b *stack.Stack) {
	x, y := pipe.New("\x02\x02\x02\x02\x02\x01", "\x02\x02\x02\x02\x02\x02", 1500)
	a = host(t, New, clock, lose(part, x), hostA)
	b = host(t, peer, clock, lose(part, y), hostB)
	sack := tcpip.TCPSACKEnabled(true)
	b.SetTransportProtocolOption(tcp.ProtocolNumber, &sack)
	return a, b
}

func usual(ID) (engine.Config, int) { return engine.Config{Quota: engine.Unset}, 1 << 20 }

// iss is the initial sequence number of a connection.
func iss(c *stream) (n engine.Seq) {
	c.Do(func(_ time.Duration, e *engine.Conn) { n = e.ISS() })
	return n
}

// A stream is a Conn that blocks.
type stream struct {
	*Conn
	ready chan struct{}
}

func newStream(c *Conn, q *waiter.Queue) *stream {
	e, ready := waiter.NewChannelEntry(waiter.ReadableEvents | waiter.WritableEvents)
	q.EventRegister(&e)
	return &stream{c, ready}
}

func (s *stream) Read(b []byte) (int, error) {
	for {
		n, ended := s.Conn.Read(b)
		switch {
		case n > 0:
			return n, nil
		case ended:
			if _, cause := s.State(); cause != engine.None {
				return 0, io.ErrUnexpectedEOF
			}
			return 0, io.EOF
		}
		<-s.ready
	}
}

func (s *stream) Write(b []byte) (n int, err error) {
	for n < len(b) {
		m, err := s.Send(b[n:])
		if err != nil {
			return n, io.ErrClosedPipe
		}
		if n += m; m == 0 {
			<-s.ready
		}
	}
	return n, nil
}

// connected waits until the handshake is over.
func (s *stream) connected() bool {
	for {
		switch state, _ := s.State(); state {
		case engine.SynSent, engine.SynReceived:
			<-s.ready
		default:
			return state != engine.Closed
		}
	}
}

func dial(t testing.TB, s *stack.Stack, net tcpip.NetworkProtocolNumber, from, to map[tcpip.NetworkProtocolNumber]tcpip.Address, local, remote uint16) *stream {
	q := &waiter.Queue{}
	id := ID{LocalAddress: from[net], LocalPort: local, RemoteAddress: to[net], RemotePort: remote}
	e, ready := waiter.NewChannelEntry(waiter.ReadableEvents | waiter.WritableEvents)
	q.EventRegister(&e)
	c, err := Of(s).Dial(0, id, net, engine.Config{Quota: engine.Unset}, 1<<20, q)
	require.Nil(t, err)
	return &stream{c, ready}
}

func listen(t testing.TB, s *stack.Stack, net tcpip.NetworkProtocolNumber, port uint16) (*Listener, chan struct{}) {
	q := &waiter.Queue{}
	e, ready := waiter.NewChannelEntry(waiter.ReadableEvents)
	q.EventRegister(&e)
	l, err := Of(s).Listen(ListenConfig{Port: port, Net: net, Backlog: 16, Queue: q, Make: usual})
	require.Nil(t, err)
	return l, ready
}

func accept(l *Listener, ready chan struct{}) *stream {
	for {
		if c, q := l.Accept(); c != nil {
			return newStream(c, q)
		}
		<-ready
	}
}
