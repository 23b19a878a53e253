package simnet

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/wsstack/wsstack/internal/inet"
	"github.com/wsstack/wsstack/internal/serial"
	"github.com/wsstack/wsstack/internal/trace"
)

// A Peer is one side of a TCP conversation with a host, played by hand. The Peer has no timers and
// no opinions: it sends what Send is told, and acknowledges nothing by itself. It does keep count,
// so that scripts can leave numbers out.
//
// Segments are written as in traces: "[P.] seq 1:11 ack 1 win 65535 <ts 1 2>",
// with relative numbers; a SYN has 0 and the first byte of data 1.
type Peer struct {
	w             *Wire
	local, remote netip.AddrPort
	iss           uint32       // the Peer's initial sequence number
	irs           uint32       // the host's; valid with hasIRS
	hasIRS        bool         // the host's SYN has come
	nxt           uint32       // the number that Send uses next, relative to iss
	rcv           uint32       // the end of what has arrived in order, relative to irs
	tsBase        uint32       // the host's first timestamp, less one; valid with hasTS
	hasTS         bool         // a segment of the host's with a timestamp has come
	tracer        trace.Tracer // writes the lines of the conversation
}

// peerISS is the initial sequence number of every Peer. Scripts never see it.
const peerISS = 1_000_000_000

// Listen plays a server at a port: the conversation begins with the first segment from the host to
// this port, which Expect or Accept takes.
func (w *Wire) Listen(port uint16) *Peer {
	return &Peer{w: w, local: netip.AddrPortFrom(netip.Addr{}, port), iss: peerISS}
}

// Connect plays a client of an address of the host, such as "10.0.0.1:80". Connect itself sends
// nothing.
func (w *Wire) Connect(address string) *Peer {
	if w.n.tb != nil {
		w.n.tb.Helper()
	}
	remote, err := netip.ParseAddrPort(address)
	if err != nil {
		w.n.must(fmt.Errorf("simnet: wire %s: address %q: want one such as 10.0.0.1:80", w.name, address))
	}
	local, ok := w.address(remote.Addr().Is4())
	if !ok {
		w.n.must(fmt.Errorf("simnet: wire %s has no address of the family of %s", w.name, address))
	}
	w.lastPort++
	return &Peer{w: w, local: netip.AddrPortFrom(local, w.lastPort), remote: remote, iss: peerISS}
}

// Local is the address of the Peer.
func (p *Peer) Local() netip.AddrPort { return p.local }

// Remote is the address of the host. Of a Peer of Listen it is invalid until a segment has come.
func (p *Peer) Remote() netip.AddrPort { return p.remote }

// Send sends a segment, with the payload if there is one. Fields that aren't
// given: seq goes on from the last one sent, ack is what has arrived in order,
// win 65535, len that of the payload. A len without payload is filled with 'x'.
// Windows are raw here: with a scale negotiated, the host multiplies them.
func (p *Peer) Send(segment string, payload ...byte) {
	if p.w.n.tb != nil {
		p.w.n.tb.Helper()
	}
	s, data, err := p.build(segment, payload)
	p.w.n.must(err)
	packet := encodeTCP(p.local, p.remote, s, data)
	h := trace.Parse(packet)
	p.tracer.Relative(&h) // it learns the window scale from both SYNs
	p.w.Inject(packet)
}

// build makes a segment with absolute numbers of a pattern.
func (p *Peer) build(text string, payload []byte) (trace.Segment, []byte, error) {
	if !p.remote.IsValid() {
		return trace.Segment{}, nil, errors.New("simnet: Send before the host has sent anything: Expect comes first")
	}
	m, err := parsePattern(text)
	switch {
	case err != nil:
		return trace.Segment{}, nil, err
	case m.hasAt:
		return trace.Segment{}, nil, fmt.Errorf("simnet: segment %q: Send sends now, without a time", text)
	case m.hasLength && len(payload) == 0 && m.length >= 0 && m.length <= inet.MaxMTU:
		payload = make([]byte, m.length)
		for i := range payload {
			payload[i] = 'x'
		}
	case m.hasLength && m.length != len(payload):
		return trace.Segment{}, nil, fmt.Errorf("simnet: segment %q: there are %d bytes of payload", text, len(payload))
	case m.window < 0 || m.window > 65535:
		return trace.Segment{}, nil, fmt.Errorf("simnet: segment %q: win is not one of 16 bits", text)
	}
	s := trace.Segment{Flags: m.flags, Seq: p.nxt, Window: 65535, Urgent: uint16(m.urgent), Len: len(payload), Options: m.options}
	if m.hasSeq {
		s.Seq = m.seq
	}
	if m.flags&trace.ACK != 0 {
		s.Ack = p.rcv
	}
	if m.hasAck {
		s.Ack = m.ack
	}
	if m.hasWindow {
		s.Window = uint16(m.window)
	}
	end := s.Seq + length(s)
	if serial.After(end, p.nxt) {
		p.nxt = end
	}
	s.Seq += p.iss
	if m.flags&trace.ACK != 0 || m.hasAck {
		s.Ack += p.irs
	}
	for i := range s.Options.Blocks {
		s.Options.SACK[i][0] += p.irs
		s.Options.SACK[i][1] += p.irs
	}
	if o := &s.Options; o.Timestamps {
		// Relative, too: the host's own start is known from its first.
		o.TSEcr = p.absoluteTS(o.TSEcr)
	}
	return s, payload, nil
}

// absoluteTS translates the echo of a timestamp, which is relative to the first timestamp of the
// host.
func (p *Peer) absoluteTS(ecr uint32) uint32 {
	if ecr == 0 {
		return 0
	}
	return ecr + p.tsBase
}

// length is how many sequence numbers a segment takes.
func length(s trace.Segment) uint32 {
	n := uint32(s.Len)
	if s.Flags&trace.SYN != 0 {
		n++
	}
	if s.Flags&trace.FIN != 0 {
		n++
	}
	return n
}

// An Arrival is a segment that a Peer has received.
type Arrival struct {
	At      time.Duration // when the segment arrived, as the time since New
	Segment               // the header, with relative numbers
	Bytes   int           // the window in bytes, scaled
	Payload []byte        // the data
	Packet  []byte        // the whole packet
	Text    string        // the line of the trace
}

// Receive returns the next segment of the conversation, whatever it is. Receive fails where no
// segment comes within the limit.
func (p *Peer) Receive(limit time.Duration) (*Arrival, error) {
	n := p.w.n
	if n.tb != nil {
		n.tb.Helper()
	}
	a, err := p.receive(n.now() + limit)
	if err != nil {
		err = fmt.Errorf("simnet: wire %s: no segment within %v: %w\n%s", p.w.name, limit, err, n.report())
	}
	return a, n.fail(err)
}

// Expect receives the next segment of the conversation and compares it: the
// flags, and every field that is given. With a time, such as
// "7200.000s [.] seq 0 ack 1", it waits until then and wants the segment in
// that millisecond; without, it waits for a minute at most. A mismatch shows
// both, and what went before.
func (p *Peer) Expect(segment string) (*Arrival, error) {
	n := p.w.n
	if n.tb != nil {
		n.tb.Helper()
	}
	a, err := p.expect(segment)
	return a, n.fail(err)
}

// expect is Expect without the end of the test.
func (p *Peer) expect(segment string) (*Arrival, error) {
	n := p.w.n
	m, err := parsePattern(segment)
	if err != nil {
		return nil, err
	}
	until := n.now() + defaultLimit
	if m.hasAt {
		until = m.at + time.Millisecond - 1
	}
	a, err := p.receive(until)
	if err != nil {
		return nil, fmt.Errorf("simnet: wire %s at %s:\n  want: %s\n  got:  %w\n%s", p.w.name, seconds(n.now()), segment, err, n.report())
	}
	if field := m.mismatch(a.At, a.Segment, a.Bytes); field != "" {
		return a, fmt.Errorf("simnet: wire %s: the %s differs:\n  want: %s\n  got:  %s\n%s", p.w.name, field, segment, a.Text, n.report())
	}
	return a, nil
}

// ExpectSilence lets a span of time pass, and fails when a segment of the
// conversation arrives meanwhile or is waiting to be received.
func (p *Peer) ExpectSilence(d time.Duration) error {
	n := p.w.n
	if n.tb != nil {
		n.tb.Helper()
	}
	a, err := p.receive(n.now() + d)
	switch {
	case err == nil:
		err = fmt.Errorf("simnet: wire %s: want silence for %v, got:\n  %s\n%s", p.w.name, d, a.Text, n.report())
	case errors.Is(err, errNothing):
		err = nil
	}
	return n.fail(err)
}

// Accept plays the server's side of a handshake: it expects a SYN, answers
// with the options given, such as "mss 1460", and expects the ACK.
func (p *Peer) Accept(options string) error {
	if p.w.n.tb != nil {
		p.w.n.tb.Helper()
	}
	if _, err := p.Expect("[S]"); err != nil {
		return err
	}
	p.Send("[S.] <" + options + ">")
	_, err := p.Expect("[.] seq 1 ack 1")
	return err
}

// Handshake plays the client's side: SYN with the options given, SYN-ACK, ACK.
func (p *Peer) Handshake(options string) error {
	if p.w.n.tb != nil {
		p.w.n.tb.Helper()
	}
	p.Send("[S] <" + options + ">")
	if _, err := p.Expect("[S.] seq 0 ack 1"); err != nil {
		return err
	}
	p.Send("[.]")
	return p.w.n.Idle()
}

// receive is Receive until a time since New, without the end of the test.
func (p *Peer) receive(until time.Duration) (*Arrival, error) {
	packet, err := p.w.await(p.ours, until)
	if err != nil {
		return nil, err
	}
	h := trace.Parse(packet.Data)
	if !p.remote.IsValid() {
		p.local = netip.AddrPortFrom(h.Dest, h.DestPort)
		p.remote = netip.AddrPortFrom(h.Source, h.SourcePort)
	}
	p.learn(&h)
	a := &Arrival{At: packet.At, Packet: packet.Data, Payload: packet.Data[min(len(packet.Data), h.Payload):min(len(packet.Data), h.Payload+h.Len)]}
	a.Text = p.tracer.Line(packet.At, p.w.end.peerName(), p.w.name, packet.Data)
	a.Segment, a.Bytes = p.tracer.Relative(&h)
	a.Segment.Seq = h.Segment.Seq - p.irs
	if h.Segment.Flags&trace.ACK != 0 {
		a.Segment.Ack = h.Segment.Ack - p.iss
	}
	if a.Segment.Seq == p.rcv {
		p.rcv += length(a.Segment)
	} else if end := a.Segment.Seq + length(a.Segment); serial.Before(a.Segment.Seq, p.rcv) && serial.After(end, p.rcv) {
		p.rcv = end
	}
	return a, nil
}

// learn takes the first numbers of the host from a segment. A new SYN of the
// host begins a new conversation only where the old one had none.
func (p *Peer) learn(h *trace.Packet) {
	s := &h.Segment
	if !p.hasIRS && s.Flags&trace.SYN != 0 {
		p.irs, p.hasIRS = s.Seq, true
	}
	if o := &s.Options; o.Timestamps && !p.hasTS {
		p.tsBase, p.hasTS = o.TSVal-1, true
	}
}

// ours reports whether a packet belongs to the conversation.
func (p *Peer) ours(packet *Packet) bool {
	h := trace.Parse(packet.Data)
	if h.Kind != trace.TCP || h.DestPort != p.local.Port() {
		return false
	}
	return !p.remote.IsValid() || h.Source == p.remote.Addr() && h.SourcePort == p.remote.Port()
}
