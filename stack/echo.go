package stack

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wsstack/wsstack/internal/translate"

	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	netstack "gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/wsstack/wsstack/endpoint"
)

// echoContent is how many bytes an echo request carries.
const echoContent = 32

// An echoRequest is one Ping in progress. What is above done doesn't change once it is in
// echoes, whose lock guards the rest.
type echoRequest struct {
	local, remote netip.Addr
	anybody       bool   // remote is a group: any address may answer
	number        uint32 // identifier and sequence number
	content       [echoContent]byte
	sent          time.Time
	waiter        endpoint.Waiter

	done  bool
	reply PingReply
	err   error
}

// echoes are the requests that wait for their replies, by number. There are as
// many as calls of Ping in progress. The lock is a leaf: the hook takes it.
type echoes struct {
	count atomic.Int32 // len(waiting): packets needn't take the lock while there are none

	mu      sync.Mutex
	waiting map[uint32]*echoRequest
}

// add lists a request, with another number where somebody has it.
func (es *echoes) add(p *echoRequest) {
	es.mu.Lock()
	defer es.mu.Unlock()
	if es.waiting == nil {
		es.waiting = map[uint32]*echoRequest{}
	}
	for es.waiting[p.number] != nil {
		p.number++
	}
	es.waiting[p.number] = p
	es.count.Add(1)
}

// remove takes a request out, if it is still there.
func (es *echoes) remove(p *echoRequest) {
	es.mu.Lock()
	defer es.mu.Unlock()
	if es.waiting[p.number] == p {
		delete(es.waiting, p.number)
		es.count.Add(-1)
	}
}

// wake makes the calls see that the stack is down.
func (es *echoes) wake() {
	es.mu.Lock()
	defer es.mu.Unlock()
	for _, p := range es.waiting {
		p.waiter.Signal()
	}
}

// outcome is what became of a request.
func (es *echoes) outcome(p *echoRequest) (reply PingReply, done bool, err error) {
	es.mu.Lock()
	defer es.mu.Unlock()
	return p.reply, p.done, p.err
}

// end ends the request of a number that fits. What comes for it later is
// nobody's.
func (es *echoes) end(number uint32, fits func(p *echoRequest) bool, end func(p *echoRequest)) {
	es.mu.Lock()
	defer es.mu.Unlock()
	p := es.waiting[number]
	if p == nil || p.done || !fits(p) {
		return
	}
	end(p)
	p.done = true
	p.waiter.Signal()
}

// request is the ICMP message, with its checksum.
func (p *echoRequest) request() []byte {
	b := make([]byte, icmpHeader+echoContent)
	b[0] = uint8(header.ICMPv4Echo)
	sum := uint16(0)
	if p.remote.Is6() {
		b[0] = uint8(header.ICMPv6EchoRequest)
		sum = header.PseudoHeaderChecksum(header.ICMPv6ProtocolNumber, translate.Address(p.local), translate.Address(p.remote), uint16(len(b)))
	}
	binary.BigEndian.PutUint32(b[4:], p.number)
	copy(b[icmpHeader:], p.content[:])
	binary.BigEndian.PutUint16(b[2:], ^checksum.Checksum(b, sum))
	return b
}

// echoReply looks at an ICMP packet that came in: whether it is the reply that a
// Ping waits for. Hostile ones must guess the number and the content.
func (h *hooks) echoReply(pkt *netstack.PacketBuffer) {
	head := pkt.TransportHeader().Slice()
	if len(head)+pkt.Data().Size() != icmpHeader+echoContent {
		return
	}
	var b [icmpHeader + echoContent]byte
	copy(b[copy(b[:], head):], pkt.Data().AsRange().ToSlice())
	v4 := pkt.NetworkProtocolNumber == header.IPv4ProtocolNumber
	if v4 && b[0] != uint8(header.ICMPv4EchoReply) || !v4 && b[0] != uint8(header.ICMPv6EchoReply) || b[1] != 0 {
		return
	}
	from, local := netAddrs(pkt)
	h.echoes.end(binary.BigEndian.Uint32(b[4:]), func(p *echoRequest) bool {
		return local == p.local && (p.anybody || from == p.remote) && from.Is4() == p.remote.Is4() &&
			bytes.Equal(b[icmpHeader:], p.content[:]) && validICMP(pkt, head)
	}, func(p *echoRequest) {
		p.reply = PingReply{From: from, Local: local, RTT: h.clock.Now().Sub(p.sent), TTL: hopsLeft(pkt)}
	})
}

// echoError tells a Ping of an ICMP error that quotes its request. Routers quote
// 8 bytes at least, in which the number is; what they quote beyond must be right,
// too. An error that names an MTU is about something else: requests are small.
func (h *hooks) echoError(q *quote, pkt *netstack.PacketBuffer) {
	if q.tooBig() {
		return
	}
	from, _ := netAddrs(pkt)
	content := q.payload[:min(len(q.payload), echoContent)]
	h.echoes.end(q.seq, func(p *echoRequest) bool {
		return q.local.Addr() == p.local && q.remote.Addr() == p.remote && bytes.HasPrefix(p.content[:], content)
	}, func(p *echoRequest) {
		p.err = &ICMPError{From: from, Type: q.kind, Code: q.code}
	})
}

// echoToMany reports our own copy of an echo request to a group or broadcast
// address. netstack would answer it to ourselves, by the device.
func (h *hooks) echoToMany(pkt *netstack.PacketBuffer) bool {
	head, v4 := pkt.TransportHeader().Slice(), pkt.NetworkProtocolNumber == header.IPv4ProtocolNumber
	if len(head) == 0 || v4 && head[0] != uint8(header.ICMPv4Echo) || !v4 && head[0] != uint8(header.ICMPv6EchoRequest) {
		return false
	}
	from, to := netAddrs(pkt)
	own := h.stack.own.Load()
	return own.has(from) && !own.has(to)
}

// netAddrs are the source and the destination of a packet.
func netAddrs(pkt *netstack.PacketBuffer) (source, destination netip.Addr) {
	s, d := addresses(pkt)
	return zonedAddr(s, pkt.NICID), zonedAddr(d, pkt.NICID)
}

// hopsLeft is the time to live of a packet that came.
func hopsLeft(pkt *netstack.PacketBuffer) int {
	b := pkt.NetworkHeader().Slice()
	if pkt.NetworkProtocolNumber == header.IPv4ProtocolNumber {
		return int(header.IPv4(b).TTL())
	}
	return int(header.IPv6(b).HopLimit())
}
