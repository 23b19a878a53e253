package segment

import (
	"fmt"

	"github.com/wsstack/wsstack/internal/script/syntax"
	"github.com/wsstack/wsstack/internal/trace"
)

// A Verdict is what an Expectation says of a packet.
type Verdict uint8

// The verdicts.
const (
	Wrong   Verdict = iota // the packet isn't what the script expects
	Foreign                // the packet is of another connection or protocol, and wasn't looked at
	Partial                // the packet is a part of what is expected, and more of it is to come
	Done                   // with this packet, all has come
)

// An Expectation is an outbound packet of the script that hasn't come, or not all of it.
type Expectation struct {
	peer *Peer
	want *syntax.Packet
	flow *flow // of the first packet that was accepted; nil: none

	// What has come of a segment in several packets.
	pieces int
	bytes  int // their payload
	size   int // the payload of the last one
}

// Expect begins to wait for an outbound packet of the script. The Expectation is good until the
// next call of Inbound or Expect. An error is one of the script, with a hint (package mistake).
func (p *Peer) Expect(packet *syntax.Packet) (*Expectation, error) {
	return &Expectation{peer: p, want: packet}, Check(packet, p.ipv6())
}

// Rest says what is missing after Partial: "1000 of 5000 bytes came"; "" before.
func (e *Expectation) Rest() string {
	if e.pieces == 0 {
		return ""
	}
	return fmt.Sprintf("%d of %d bytes came", e.bytes, e.want.TCP.Length)
}

// Offer compares the next packet that the stack has sent. With Done or Wrong, the Expectation has
// come to its end; the Mismatch is nil but with Wrong.
func (e *Expectation) Offer(packet []byte) (Verdict, *Mismatch) {
	a := read(packet)
	f, ok := e.claim(a)
	if !ok {
		return Foreign, nil
	}
	if a.Kind == trace.TCP {
		f.learn(a, e.firstNumber())
	}
	c := comparison{Expectation: e, arrival: a, flow: f}
	if differences := c.compare(); len(differences) > 0 {
		return Wrong, &Mismatch{Differences: differences, Actual: e.peer.Text(packet)}
	}
	e.accept(f, a)
	if a.Kind == trace.TCP && e.more(a) {
		return Partial, nil
	}
	return Done, nil
}

// firstNumber is what the script has for the first number of the stack, if the packet is its SYN.
func (e *Expectation) firstNumber() uint32 {
	if f, _ := parseFlags(e.want.TCP.Flags); f&syn == 0 {
		return 0
	}
	return e.want.TCP.Start
}

// more reports whether a segment is still incomplete.
func (e *Expectation) more(a *arrival) bool {
	e.pieces++
	e.bytes += a.Len
	e.size = a.Len
	return e.want.TCP.HasRange && e.bytes < e.want.TCP.Length
}

// accept notes a packet that is as expected.
func (e *Expectation) accept(f *flow, a *arrival) {
	e.peer.lastSent = a.data
	e.flow = f
	if a.Kind != trace.TCP {
		return
	}
	options, _ := decodeOptions(a.options)
	if is, want := stampOf(options), stampOf(e.want.TCP.Options); is != nil && want != nil {
		f.stamps.note(want.Values[0], is.Values[0])
	}
}

// claim is the flow of a packet; ok is false where it isn't the one that the script means.
func (e *Expectation) claim(a *arrival) (f *flow, ok bool) {
	p := e.peer
	switch {
	case e.want.ICMP != nil:
		return &flow{}, a.Kind == trace.ICMP
	case a.Protocol != protocolOf(e.want):
		return nil, false
	case a.Kind != trace.TCP && a.Kind != trace.UDP: // a fragment, or malformed
		return &flow{}, true
	}
	t := a.outbound()
	known := p.flows[t]
	if !e.means(t, a, known) {
		return nil, false
	}
	if begins(a) && p.connecting && known != nil && known.local.known && known.local.first != a.seq {
		delete(p.flows, t) // the ports are used once more
	}
	if known == nil || begins(a) || a.Kind == trace.UDP {
		p.connecting = false
	}
	return p.flow(t), true
}

// means reports whether the script may mean the flow of a packet: the one with its ports, that of
// the piece before, the last one, or one that begins.
func (e *Expectation) means(t tuple, a *arrival, known *flow) bool {
	p, last := e.peer, e.peer.last[t.protocol]
	switch {
	case e.flow != nil:
		return known == e.flow
	case e.want.Ports != nil:
		return e.want.Ports[0] == t.local.Port() && e.want.Ports[1] == t.remote.Port()
	case e.want.TCP != nil && isSYN(e.want.TCP) && begins(a):
		return true
	case e.want.UDP != nil && known == nil:
		return last == nil || p.connecting
	}
	return last == nil || known == last
}

// begins reports whether a packet of the stack is a SYN that acknowledges nothing.
func begins(a *arrival) bool { return a.Kind == trace.TCP && a.flags&(syn|ack|rst) == syn }

// protocolOf is the protocol of a packet with ports.
func protocolOf(packet *syntax.Packet) uint8 {
	if packet.TCP != nil {
		return protoTCP
	}
	return protoUDP
}
