package stack

import (
	"encoding/binary"
	"net/netip"
	"sync"

	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/wsstack/wsstack/tun"
)

// An EchoRequest is an ICMP echo request that a Forwarder has taken. The fields are for reading.
// Reply and Refuse may be called by any goroutine, at any time; after the Forwarder's end they do
// nothing.
type EchoRequest struct {
	Source, Destination netip.Addr
	ID, Sequence        uint16
	TTL                 uint8  // time to live, or hop limit, that the request came with
	Payload             []byte // what is behind the header

	f    *Forwarder
	in   *nic
	code uint8
	ip   [header.IPv6MinimumSize]byte // the header, as plainHeader has it
}

// echoHandlers are the calls of ForwarderConfig.Echo. The lock is a leaf, but that a goroutine is
// started under it.
type echoHandlers struct {
	mu      sync.Mutex
	running int
	closed  bool
}

// receiveEcho takes an echo request; message is the ICMP message where it came in fragments.
func (f *Forwarder) receiveEcho(in *nic, t *transit, p *tun.Packet, u *upper, message []byte) verdict {
	if message == nil {
		message = opening(p, t.size, t.size)[u.at:]
	}
	v4 := t.source.Is4()
	if len(message) < icmpHeader || !isEcho(v4, message[0]) || t.sum(u.protocol, message) != 0xffff {
		return refuse
	}
	r := &EchoRequest{
		Source: t.source, Destination: t.destination, ID: binary.BigEndian.Uint16(message[4:]), Sequence: binary.BigEndian.Uint16(message[6:]),
		TTL: t.ttl, Payload: message[icmpHeader:], f: f, in: in, code: message[1],
	}
	t.plainHeader(r.ip[:], u.protocol, len(message))
	h := &f.echoes
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || h.running >= f.cfg.InFlight {
		return refuse
	}
	h.running++
	f.start(func() {
		f.cfg.Echo(f.ctx, r)
		h.mu.Lock()
		defer h.mu.Unlock()
		h.running--
	})
	return taken
}

// close has no call begin any more.
func (h *echoHandlers) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
}

func (h *echoHandlers) isClosed() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.closed
}

// message is the request, or with another type the reply, without its payload and checksum.
func (r *EchoRequest) message(typ4, typ6 uint8) (protocol uint8, b []byte) {
	b = make([]byte, icmpHeader)
	protocol, b[0] = uint8(header.ICMPv4ProtocolNumber), typ4
	if !r.Source.Is4() {
		protocol, b[0] = uint8(header.ICMPv6ProtocolNumber), typ6
	}
	binary.BigEndian.PutUint16(b[4:], r.ID)
	binary.BigEndian.PutUint16(b[6:], r.Sequence)
	return protocol, b
}

// Reply answers the request, as its destination would.
func (r *EchoRequest) Reply() {
	if r.f.echoes.isClosed() {
		return
	}
	protocol, b := r.message(uint8(header.ICMPv4EchoReply), uint8(header.ICMPv6EchoReply))
	r.f.stack.sendAs(r.in, outbound{r.Destination, r.Source, protocol, icmpChecksumAt}, b, r.Payload)
}

// icmpChecksumAt is where an ICMP message has its checksum.
const icmpChecksumAt = 2

// Refuse tells the source, as RefusalOf says it, that the request hasn't reached its destination.
// With an *ICMPError it hears what a router on the way has said.
func (r *EchoRequest) Refuse(err error) {
	if r.f.echoes.isClosed() {
		return
	}
	protocol, b := r.message(uint8(header.ICMPv4Echo), uint8(header.ICMPv6EchoRequest))
	b[1] = r.code
	t := transit{source: r.Source, destination: r.Destination}
	b = append(b, r.Payload...)
	binary.BigEndian.PutUint16(b[icmpChecksumAt:], ^t.sum(protocol, b))
	r.f.tell(r.in, r.Source, r.Destination, r.ip[:], b, err)
}
