package transport

import (
	"encoding/binary"
	"io"
	"sync/atomic"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/raw"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/wsstack/wsstack/internal/monotonic"
	"github.com/wsstack/wsstack/internal/tcp"
)

// An ID names a connection: addresses and ports, local and remote.
type ID struct {
	LocalPort     uint16
	LocalAddress  tcpip.Address
	RemotePort    uint16
	RemoteAddress tcpip.Address

	// Zone is the interface that the connection belongs to, where one of the addresses is a
	// link-local one of IPv6, which means something on one link only (RFC 4007); else 0.
	Zone tcpip.NICID
}

// in gives an ID its zone: the interface by which the packets come and go.
func (id ID) in(nic tcpip.NICID) ID {
	id.Zone = 0
	if header.IsV6LinkLocalUnicastAddress(id.LocalAddress) || header.IsV6LinkLocalUnicastAddress(id.RemoteAddress) {
		id.Zone = nic
	}
	return id
}

// identify is the ID of a packet that came by an interface, as netstack has read it.
func identify(id stack.TransportEndpointID, nic tcpip.NICID) ID {
	return ID{
		LocalPort: id.LocalPort, LocalAddress: id.LocalAddress, RemotePort: id.RemotePort, RemoteAddress: id.RemoteAddress,
	}.in(nic)
}

// A Protocol is TCP for one netstack. It is safe for concurrent use.
type Protocol struct {
	stack  *stack.Stack
	clock  tcpip.Clock // the clock of stack
	secret tcp.Secret
	hooks  Hooks
	memory *tcp.Memory // what the connections hold; nil: there is no bound

	table     table        // the connections
	listeners listeners    // who listens where
	parts     []part       // what the connections of each part have; one at least
	orphans   orphans      // the connections whose socket is closed
	halfOpen  atomic.Int32 // how many connections are half open, on all listeners
	garbage   atomic.Bool  // keep-alive probes carry an octet

	recorder atomic.Pointer[Recorder] // nil: nobody records
}

var _ stack.TransportProtocol = (*Protocol)(nil)

// New is a stack.TransportProtocolFactory.
func New(s *stack.Stack) stack.TransportProtocol {
	p := &Protocol{stack: s, clock: s.Clock()}
	rng := s.SecureRNG()
	if _, err := io.ReadFull(rng.Reader, p.secret[:]); err != nil {
		panic("transport: the netstack's source of randomness: " + err.Error())
	}
	p.table.init()
	p.divide(1)
	p.orphans.maxCount, p.orphans.maxBytes = maxOrphans, maxOrphanBytes
	return p
}

// now is the time in the form that package tcp takes.
func (p *Protocol) now() time.Duration { return Instant(p.clock.NowMonotonic()) }

// Instant is a reading of the stack's clock in the form that package tcp takes: never zero.
func Instant(t tcpip.MonotonicTime) time.Duration { return monotonic.Since(t) + time.Second }

// Clock is the inverse of Instant: the reading of the stack's clock for a time of package tcp.
func Clock(t time.Duration) tcpip.MonotonicTime { return monotonic.At(t - time.Second) }

// A tuple is an ID in the form that package tcp takes.
type tuple struct {
	bytes [36]byte
	size  int
}

func tupleOf(id *ID) (t tuple) {
	b := t.bytes[:0]
	b = append(b, id.LocalAddress.AsSlice()...)
	b = binary.BigEndian.AppendUint16(b, id.LocalPort)
	b = append(b, id.RemoteAddress.AsSlice()...)
	b = binary.BigEndian.AppendUint16(b, id.RemotePort)
	t.size = len(b)
	return t
}

func (t *tuple) slice() []byte { return t.bytes[:t.size] }

// chooseNumbers chooses the initial sequence number and the offset of the timestamps of a
// connection that begins now, and says whether it has ECN, and where its memory counts.
func (p *Protocol) chooseNumbers(id *ID, cfg *tcp.Config) {
	t := tupleOf(id)
	cfg.ISS, cfg.StampOffset = p.secret.ISN(p.now(), t.slice()), p.secret.StampOffset(t.slice())
	cfg.ECN, cfg.Memory = p.hooks.ECN, p.memory
}

// Number implements stack.TransportProtocol.
func (*Protocol) Number() tcpip.TransportProtocolNumber { return header.TCPProtocolNumber }

// NewEndpoint implements stack.TransportProtocol. It fails, because there are no endpoints:
// connections are made with Dial and Listen.
func (*Protocol) NewEndpoint(tcpip.NetworkProtocolNumber, *waiter.Queue) (tcpip.Endpoint, tcpip.Error) {
	return nil, &tcpip.ErrNotSupported{}
}

// NewRawEndpoint implements stack.TransportProtocol.
func (p *Protocol) NewRawEndpoint(n tcpip.NetworkProtocolNumber, q *waiter.Queue) (tcpip.Endpoint, tcpip.Error) {
	return raw.NewEndpoint(p.stack, n, header.TCPProtocolNumber, q)
}

// MinimumPacketSize implements stack.TransportProtocol.
func (*Protocol) MinimumPacketSize() int { return header.TCPMinimumSize }

// ParsePorts implements stack.TransportProtocol.
func (*Protocol) ParsePorts(b []byte) (src, dst uint16, err tcpip.Error) {
	h := header.TCP(b)
	return h.SourcePort(), h.DestinationPort(), nil
}

// Parse implements stack.TransportProtocol: it takes the header off the payload.
func (*Protocol) Parse(pkt *stack.PacketBuffer) bool {
	h, ok := pkt.Data().PullUp(header.TCPMinimumSize)
	if !ok {
		return false
	}
	// An offset that is too small or too large stays; parse refuses it.
	size := max(int(header.TCP(h).DataOffset()), header.TCPMinimumSize)
	if _, ok := pkt.TransportHeader().Consume(size); !ok {
		return false
	}
	pkt.TransportProtocolNumber = header.TCPProtocolNumber
	return true
}

// HandleUnknownDestinationPacket implements stack.TransportProtocol. As netstack
// knows no connection, every segment comes here.
func (p *Protocol) HandleUnknownDestinationPacket(id stack.TransportEndpointID, pkt *stack.PacketBuffer) stack.UnknownDestinationPacketDisposition {
	var s tcp.Segment
	stats := p.stack.Stats().TCP
	switch parse(pkt, &s) {
	case malformed:
		stats.InvalidSegmentsReceived.Increment()
		return stack.UnknownDestinationPacketHandled // netstack would count it again
	case corrupt:
		stats.ChecksumErrors.Increment()
		return stack.UnknownDestinationPacketHandled
	}
	stats.ValidSegmentsReceived.Increment()
	if s.Flags.Has(tcp.RST) {
		stats.ResetsReceived.Increment()
	}
	p.deliver(origin{id: identify(id, pkt.NICID), nic: pkt.NICID, net: pkt.NetworkProtocolNumber}, &s)
	return stack.UnknownDestinationPacketHandled
}

// An origin is where a segment came from.
type origin struct {
	id  ID                          // the tuple, from our point of view
	nic tcpip.NICID                 // the interface
	net tcpip.NetworkProtocolNumber // the version of IP
}

// deliver gives a segment to the connection or record that has the tuple, or else to the listener
// that has the port.
func (p *Protocol) deliver(a origin, s *tcp.Segment) {
	if c := p.table.conn(a.id); c != nil {
		c.deliver(&delivery{segment: *s})
		return
	}
	defer s.Payload.Release()
	after := tcp.Seq(0) // what a new connection's numbers lie beyond; 0: anything
	if v, next := p.waitsOf(&a.id).deliver(a, s); v == tcp.Reuse {
		after = next
	} else if v != noWait {
		return
	}
	var tap Tap // a RST counts as a segment of who listens there
	if l := p.listeners.at(&a); l != nil {
		if l.deliver(a, s, after) {
			return
		}
		tap = l.cfg.Tap
	}
	if answer, ok := s.Reset(); ok {
		p.reply(a, &answer, tap)
	}
}

// SetOption implements stack.TransportProtocol. It fails: what the options of netstack's TCP set
// stands in the tcp.Config of a connection.
func (*Protocol) SetOption(tcpip.SettableTransportProtocolOption) tcpip.Error {
	return &tcpip.ErrUnknownProtocolOption{}
}

// Option implements stack.TransportProtocol. It fails, as SetOption does.
func (*Protocol) Option(tcpip.GettableTransportProtocolOption) tcpip.Error {
	return &tcpip.ErrUnknownProtocolOption{}
}

// Close implements stack.TransportProtocol: everything ends without a segment.
func (p *Protocol) Close() {
	p.listeners.close()
	for i := range p.parts {
		p.parts[i].waits.close()
	}
	for _, c := range p.table.close() {
		c.destroy()
	}
}

// Wait implements stack.TransportProtocol: there is no goroutine to wait for.
func (*Protocol) Wait() {}

// Pause implements stack.TransportProtocol.
func (*Protocol) Pause() {}

// Resume implements stack.TransportProtocol.
func (*Protocol) Resume() {}

// Restore implements stack.TransportProtocol.
func (*Protocol) Restore() {}
