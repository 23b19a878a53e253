package transport

import (
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
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

// Of returns the Protocol of a netstack that was made with New.
func Of(s *stack.Stack) *Protocol {
	return s.TransportProtocolInstance(header.TCPProtocolNumber).(*Protocol)
}

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

// quota is how many bytes a stream of the tests queues.
const quota = 1 << 20

var settings = Settings{Config: engine.Config{Quota: engine.Unset, FailOnICMP: true}}

func usual(ID) Settings { return settings }

// iss is the initial sequence number of a connection.
func iss(c *stream) (n engine.Seq) {
	c.Do(func(_ time.Duration, e *engine.Conn) { n = e.ISS() })
	return n
}

// A stream is a Conn with an owner: calls that block, and some that don't.
type stream struct {
	*Conn
	bell   chan struct{}
	events atomic.Uint32 // all that it was told
}

func newStream() *stream { return &stream{bell: make(chan struct{}, 1)} }

// ConnChanged implements Owner.
func (s *stream) ConnChanged(e engine.Events) {
	s.events.Or(uint32(e))
	ring(s.bell)
}

func ring(bell chan struct{}) {
	select {
	case bell <- struct{}{}:
	default:
	}
}

// Send takes as much as the quota has room for.
func (s *stream) Send(b []byte) (n int, ok bool) {
	s.Do(func(now time.Duration, e *engine.Conn) {
		n = max(0, min(len(b), quota-e.Queued()))
		ok = e.State() != engine.Closed && (n == 0 || e.Send(now, b[:n]))
	})
	return n, ok
}

// Recv takes what is there.
func (s *stream) Recv(b []byte) (n int, ended bool) {
	s.Do(func(now time.Duration, e *engine.Conn) {
		n = e.Read(now, b, 0, false)
		ended = n == 0 && (e.PeerClosed() || e.State() == engine.Closed)
	})
	return n, ended
}

// Shutdown sends a FIN behind what is queued.
func (s *stream) Shutdown() { s.Do(func(now time.Duration, e *engine.Conn) { e.Close(now) }) }

func (s *stream) Read(b []byte) (int, error) {
	for {
		n, ended := s.Recv(b)
		switch {
		case n > 0:
			return n, nil
		case ended:
			if _, cause := s.State(); cause != engine.None {
				return 0, io.ErrUnexpectedEOF
			}
			return 0, io.EOF
		}
		<-s.bell
	}
}

func (s *stream) Write(b []byte) (n int, err error) {
	for n < len(b) {
		m, ok := s.Send(b[n:])
		if !ok {
			return n, io.ErrClosedPipe
		}
		if n += m; m == 0 {
			<-s.bell
		}
	}
	return n, nil
}

// connected waits until the handshake is over.
func (s *stream) connected() bool {
	for {
		switch state, _ := s.State(); state {
		case engine.SynSent, engine.SynReceived:
			<-s.bell
		default:
			return state != engine.Closed
		}
	}
}

// status is what State says, to be compared.
func (s *stream) status() []any {
	state, cause := s.State()
	return []any{state, cause}
}

func dial(t testing.TB, s *stack.Stack, net tcpip.NetworkProtocolNumber, from, to map[tcpip.NetworkProtocolNumber]tcpip.Address, local, remote uint16) *stream {
	id := ID{LocalAddress: from[net], LocalPort: local, RemoteAddress: to[net], RemotePort: remote}
	c, err := connect(Of(s), id, net, settings)
	require.Nil(t, err)
	return c
}

func connect(p *Protocol, id ID, net tcpip.NetworkProtocolNumber, set Settings) (*stream, tcpip.Error) {
	s := newStream()
	c, err := p.Dial(0, id, net, set, s)
	s.Conn = c
	return s, err
}

// meet connects two hosts: c is a's end, p that of b, which listens on port 80.
func meet(t testing.TB, a, b *stack.Stack, net tcpip.NetworkProtocolNumber) (c, p *stream) {
	l := listen(t, b, net, 80)
	c = dial(t, a, net, hostA, hostB, 1000, 80)
	p = l.poll()
	require.NotNil(t, p)
	return c, p
}

// A door is a listener with a queue.
type door struct {
	*Listener
	bell chan struct{}

	mu    sync.Mutex
	queue []*stream
	shut  bool // it wants no connection
	lost  []ID
}

func listen(t testing.TB, s *stack.Stack, net tcpip.NetworkProtocolNumber, port uint16) *door {
	return listenWith(t, s, ListenConfig{Port: port, Net: net})
}

// listenWith listens; Arrived and Lost are the door's, and Make where there is none.
func listenWith(t testing.TB, s *stack.Stack, cfg ListenConfig) *door {
	d := &door{bell: make(chan struct{}, 1)}
	cfg.Arrived, cfg.Lost = d.arrived, d.isLost
	if cfg.Make == nil {
		cfg.Make = usual
	}
	l, err := Of(s).Listen(cfg)
	require.Nil(t, err)
	d.Listener = l
	return d
}

func (d *door) arrived(c *Conn) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.shut {
		return false
	}
	s := newStream()
	s.Conn = c
	c.SetOwner(s)
	d.queue = append(d.queue, s)
	ring(d.bell)
	return true
}

func (d *door) isLost(id ID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lost = append(d.lost, id)
}

// poll is the next connection; nil: there is none.
func (d *door) poll() *stream {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.queue) == 0 {
		return nil
	}
	s := d.queue[0]
	d.queue = d.queue[1:]
	return s
}

func (d *door) accept() *stream {
	for {
		if s := d.poll(); s != nil {
			return s
		}
		<-d.bell
	}
}

// sees are the numbers of half-open connections and of requests that are held.
func (d *door) sees() [2]int {
	d.Listener.mu.Lock()
	defer d.Listener.mu.Unlock()
	return [2]int{len(d.records) - d.held, d.held}
}
