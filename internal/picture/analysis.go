// Package picture draws what happened in a network: time–sequence diagrams, ladder diagrams, a page
// with both, tables. It draws a record.Recording, which package simnet or a capture file has
// filled. Everything in packets, names and comments is hostile, and is escaped.
//
// The SVG is written by this package itself. Its pictures need classes for light and dark, and
// elements that a script finds, which plotting libraries don't write; and package simnet, which
// tests of others import, stays free of fonts and image formats.
package picture

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/wsstack/wsstack/internal/record"
	"github.com/wsstack/wsstack/internal/trace"
	"github.com/wsstack/wsstack/tun"
)

// A Note is what the analysis finds about a packet.
type Note uint8

// The notes, which are bits.
const (
	Retransmission Note = 1 << iota // the bytes were sent before
	KeepAlive                       // a probe: an octet, or none, below what is acknowledged
	LostLater                       // a router has sent it on, and it was dropped on a later hop
	DuplicateAck                    // an acknowledgement that acknowledges nothing new (RFC 5681 §2)
	WindowProbe                     // the same as KeepAlive to a window of zero (RFC 9293 §3.8.6.1)
)

// noteNames has the names of notes, in the order of the bits.
var noteNames = [...]string{"retransmission", "keep-alive", "lost later", "duplicate ack", "window probe"}

// A Packet is a packet of the recording with what the analysis knows of it.
type Packet struct {
	*record.Packet
	Index    int    // its place in the recording
	Line     string // the packet as package trace writes it, without time and hosts
	Kind     trace.Kind
	Source   netip.AddrPort
	Dest     netip.AddrPort
	Flow     int           // index of its connection; -1: it isn't TCP
	Dir      int           // 0 in the direction of the connection's first packet, 1 in the other
	Previous int           // index of the same packet on the hop before; -1: none, the sender made it
	Notes    Note          // what was found
	Segment  trace.Segment // of TCP; its numbers are relative, modulo 2³²
	Window   int           // of TCP, in bytes
	Start    uint64        // relative sequence number of the first byte, which doesn't go round
	End      uint64        // the one behind the last byte; SYN and FIN count
	Ack      uint64        // relative acknowledgement number; valid with the flag
}

// A Flow is a TCP connection as its packets show it.
type Flow struct {
	Ends    [2]netip.AddrPort // Ends[0] has sent the first packet
	Nodes   [2]string         // names of the nodes of the ends; "": not known
	Packets []int             // indexes of all packets, each hop's
	Bytes   [2]uint64         // bytes of payload that were sent, without retransmissions, by direction
	Lost    int               // packets that were dropped
	Resent  int               // retransmissions

	highest [2]uint64 // highest End by direction
	acked   [2]uint64 // highest acknowledgement of the bytes of this direction
	isn     [2]uint32 // absolute number of the SYN
	syn     [2]bool   // a SYN was seen
	ackSeen [2]lastAck
}

// A lastAck is the last bare acknowledgement of a direction.
type lastAck struct {
	ack    uint64
	window int
	valid  bool
}

// An Analysis is a recording with its packets understood.
type Analysis struct {
	Recording *record.Recording
	Packets   []Packet
	Flows     []*Flow

	// Arrivals says that the recording knows when packets arrived, which capture files don't.
	Arrivals bool
}

// flowKey names a connection; the lesser end comes first.
type flowKey [2]netip.AddrPort

// An analyser is an analysis under way.
type analyser struct {
	*Analysis
	tracer trace.Tracer
	live   map[flowKey]int  // indexes of connections
	hops   map[uint64][]int // indexes of the packets with these bytes that may be sent on yet
}

// Analyse understands the packets of a recording, which must not change any more.
func Analyse(rec *record.Recording) *Analysis {
	a := &analyser{
		Analysis: &Analysis{Recording: rec, Packets: make([]Packet, len(rec.Packets))},
		live:     map[flowKey]int{}, hops: map[uint64][]int{},
	}
	for i := range rec.Packets {
		a.packet(i)
	}
	lines := trace.Tracer{Ports: len(a.Flows) > 1}
	for i := range a.Packets {
		a.Packets[i].Line = lines.Text(a.Packets[i].Data)
	}
	return a.Analysis
}

// packet understands one packet.
func (a *analyser) packet(i int) {
	p := &a.Packets[i]
	*p = Packet{Packet: &a.Recording.Packets[i], Index: i, Flow: -1, Previous: -1}
	a.Arrivals = a.Arrivals || p.Arrived >= 0
	parsed := trace.Parse(p.Data)
	p.Kind = parsed.Kind
	p.Source = netip.AddrPortFrom(parsed.Source, parsed.SourcePort)
	p.Dest = netip.AddrPortFrom(parsed.Dest, parsed.DestPort)
	a.hop(p, &parsed)
	if p.Kind == trace.TCP {
		p.Flow, p.Dir = a.flow(p, &parsed.Segment)
		p.Segment, p.Window = a.tracer.Relative(&parsed)
		a.segment(p)
	}
	if p.Fate.Dropped() {
		a.dropped(p)
	}
}

// hop finds out whether a router has sent the packet on.
func (a *analyser) hop(p *Packet, parsed *trace.Packet) {
	if parsed.Kind == trace.Malformed {
		return
	}
	key := parsed.Identity(p.Data)
	waiting := a.hops[key]
	sentOn := slices.IndexFunc(waiting, func(i int) bool {
		q := &a.Packets[i]
		return q.To == p.From && q.To != "" && q.From != p.From
	})
	if sentOn >= 0 {
		p.Previous = waiting[sentOn]
		waiting = slices.Delete(waiting, sentOn, sentOn+1)
	}
	copies := 1
	switch {
	case p.Fate.Dropped():
		copies = 0
	case p.Fate&tun.Duplicated != 0:
		copies = 2
	}
	for range copies {
		waiting = append(waiting, p.Index)
	}
	a.hops[key] = waiting[max(0, len(waiting)-maxWaiting):]
}

// maxWaiting is how many equal packets are remembered that a router may send on.
const maxWaiting = 32

// flow finds the connection of a segment, and the direction in it. A SYN with another number on the
// same ports begins another connection.
func (a *analyser) flow(p *Packet, absolute *trace.Segment) (index, dir int) {
	key := flowKey{p.Source, p.Dest}
	if p.Dest.Compare(p.Source) < 0 {
		key = flowKey{p.Dest, p.Source}
	}
	index, ok := a.live[key]
	opens := absolute.Flags&(trace.SYN|trace.ACK) == trace.SYN
	if ok {
		f := a.Flows[index]
		dir = f.direction(p.Source)
		ok = !opens || !f.syn[dir] || f.isn[dir] == absolute.Seq
	}
	if !ok {
		index, dir = len(a.Flows), 0
		a.live[key] = index
		a.Flows = append(a.Flows, &Flow{Ends: [2]netip.AddrPort{p.Source, p.Dest}})
	}
	f := a.Flows[index]
	f.Packets = append(f.Packets, p.Index)
	if absolute.Flags&trace.SYN != 0 {
		f.isn[dir], f.syn[dir] = absolute.Seq, true
	}
	if p.Previous < 0 && f.Nodes[dir] == "" {
		f.Nodes[dir] = p.From
	}
	return index, dir
}

// direction is the direction of what this end sends.
func (f *Flow) direction(source netip.AddrPort) int {
	if source == f.Ends[0] {
		return 0
	}
	return 1
}

// unwrap is the number nearest to another one that is the same modulo 2³². It is never negative.
func unwrap(near uint64, number uint32) uint64 {
	n := int64(near) + int64(int32(number-uint32(near)))
	return uint64(max(n, 0))
}

// segment finds out what a TCP segment does in its connection.
func (a *analyser) segment(p *Packet) {
	f, s := a.Flows[p.Flow], &p.Segment
	p.Start = unwrap(f.highest[p.Dir], s.Seq)
	p.End = p.Start + uint64(s.Len)
	for _, flag := range []trace.Flags{trace.SYN, trace.FIN} {
		if s.Flags&flag != 0 {
			p.End++
		}
	}
	if s.Flags&trace.ACK != 0 {
		p.Ack = unwrap(f.acked[1-p.Dir], s.Ack)
	}
	if p.Previous >= 0 {
		p.Notes = a.Packets[p.Previous].Notes &^ LostLater
		return // it was counted on the first hop
	}
	a.sequence(f, p)
	a.acknowledgement(f, p)
}

// sequence finds retransmissions and probes.
func (a *analyser) sequence(f *Flow, p *Packet) {
	highest := f.highest[p.Dir]
	probe := p.Segment.Len <= 1 && p.Segment.Flags&(trace.SYN|trace.FIN|trace.RST) == 0 &&
		highest > 0 && p.Start == highest-1 && f.acked[p.Dir] >= highest
	switch closed := f.ackSeen[1-p.Dir]; {
	case probe && closed.valid && closed.window == 0:
		p.Notes |= WindowProbe
	case probe:
		p.Notes |= KeepAlive
	case p.End > p.Start && p.Start < highest:
		p.Notes |= Retransmission
		f.Resent++
	}
	if p.End > highest {
		f.Bytes[p.Dir] += min(p.End-highest, uint64(p.Segment.Len))
		if p.Segment.Flags&trace.RST == 0 || p.Segment.Len > 0 {
			f.highest[p.Dir] = p.End
		}
	}
}

// acknowledgement finds duplicate acknowledgements.
func (a *analyser) acknowledgement(f *Flow, p *Packet) {
	if p.Segment.Flags&trace.ACK == 0 {
		return
	}
	bare := p.End == p.Start && p.Segment.Flags&(trace.SYN|trace.FIN|trace.RST) == 0
	now := lastAck{ack: p.Ack, window: p.Window, valid: true}
	outstanding := f.highest[1-p.Dir] > p.Ack
	if bare && outstanding && f.ackSeen[p.Dir] == now && p.Notes&(KeepAlive|WindowProbe) == 0 {
		p.Notes |= DuplicateAck
	}
	f.ackSeen[p.Dir] = now
	f.acked[1-p.Dir] = max(f.acked[1-p.Dir], p.Ack)
}

// dropped counts a packet that was dropped, and tells the packet that its sender made.
func (a *analyser) dropped(p *Packet) {
	if p.Flow >= 0 {
		a.Flows[p.Flow].Lost++
	}
	for q := p; q.Previous >= 0; {
		q = &a.Packets[q.Previous]
		q.Notes |= LostLater
	}
}

// found are the names of the packet's Notes.
func (p *Packet) found() (words []string) {
	for i, name := range noteNames {
		if p.Notes&(1<<i) != 0 {
			words = append(words, name)
		}
	}
	return words
}

// notes are the words for what is remarkable about a packet.
func (p *Packet) notes() []string {
	words := p.found()
	if p.Fate != 0 {
		words = append(words, p.Fate.String())
	}
	if p.Comment != "" && strings.TrimPrefix(p.Comment, "dropped: ") != p.Fate.String() {
		words = append(words, clean(p.Comment, 200))
	}
	return words
}

// remarkable reports whether a packet tells more than its neighbours: pictures with too many
// packets keep it rather than others.
func (p *Packet) remarkable() bool {
	return p.Fate != 0 || p.Notes&^DuplicateAck != 0 || p.Kind != trace.TCP ||
		p.Segment.Flags&(trace.SYN|trace.FIN|trace.RST) != 0
}

// arrival is when the packet reached the next node, or, where nobody knows that, when it was sent.
func (p *Packet) arrival() time.Duration {
	if p.Arrived >= 0 {
		return p.Arrived
	}
	return p.At
}

// Find returns the index of the connection with these ends, in either order; the first one where
// there are several. It is -1 if there is none. An end that isn't valid fits any.
func (a *Analysis) Find(x, y netip.AddrPort) int {
	fits := func(want, end netip.AddrPort) bool { return !want.IsValid() || want == end }
	return slices.IndexFunc(a.Flows, func(f *Flow) bool {
		return fits(x, f.Ends[0]) && fits(y, f.Ends[1]) || fits(x, f.Ends[1]) && fits(y, f.Ends[0])
	})
}

// Busiest returns the index of the connection with the most bytes of payload, and the direction of
// most of them. The index is -1 if there is no connection.
func (a *Analysis) Busiest() (flow, dir int) {
	flow = -1
	for i, f := range a.Flows {
		if flow < 0 || f.Bytes[0]+f.Bytes[1] > a.Flows[flow].Bytes[0]+a.Flows[flow].Bytes[1] {
			flow = i
		}
	}
	if flow >= 0 && a.Flows[flow].Bytes[1] > a.Flows[flow].Bytes[0] {
		dir = 1
	}
	return flow, dir
}

// all are the indexes of all packets.
func (a *Analysis) all() []int {
	list := make([]int, len(a.Packets))
	for i := range list {
		list[i] = i
	}
	return list
}

// packetsOf are the indexes of the packets of a connection, of all packets with -1.
func (a *Analysis) packetsOf(flow int) []int {
	if flow < 0 {
		return a.all()
	}
	return a.Flows[flow].Packets
}
