package segment

import (
	"net/netip"

	"github.com/wsstack/wsstack/internal/script/syntax"
	"github.com/wsstack/wsstack/internal/serial"
)

// A flow is a conversation between two ports, a connection of TCP or datagrams.
//
// Numbers of TCP in a script are relative: those of a segment without SYN count from the first
// number of their side, while a SYN has the number as it is. The peer's first number is the
// script's. The stack's own is learned from its SYN, which has in the script whatever number the
// script gives it; until then, and where no event expects the SYN, that number is 0.
type flow struct {
	tuple

	local  numbers // of the stack
	remote numbers // of the peer

	// offered is the number of the peer's latest SYN. When the stack acknowledges one that isn't
	// the first, that one is the beginning of the connection: ports are used again after TIME-WAIT.
	offered  uint32
	answered bool // the stack has acknowledged something

	stamps stamps
	label  labels
}

// A tuple says which flow a packet belongs to.
type tuple struct {
	protocol      uint8
	local, remote netip.AddrPort // of the stack and of the peer
}

// numbers are those of one side.
type numbers struct {
	first  uint32 // on the wire, of its SYN
	script uint32 // what the script has for first in a SYN
	known  bool
	seen   bool // no event has expected the SYN yet, and script is 0
}

// wire is the number on the wire of one in a script.
func (n numbers) wire(script uint32, syn bool) uint32 {
	if syn {
		return script + n.first - n.script
	}
	return script + n.first
}

// relative is the inverse of wire.
func (n numbers) relative(wire uint32, syn bool) uint32 { return wire - n.wire(0, syn) }

// sent notes a segment that the script has the peer send, by its number in the script.
func (f *flow) sent(flags flags, start uint32) {
	if flags&syn == 0 {
		return
	}
	f.offered = start
	if !f.remote.known {
		f.remote = numbers{first: start, script: start, known: true}
	}
}

// learn notes a segment of the stack before it is compared: the numbers that a SYN begins with, and
// which SYN of the peer it answers. script is what the script expects as the number of the SYN.
func (f *flow) learn(a *arrival, script uint32) {
	renewed := f.renews(a)
	if renewed {
		f.remote = numbers{first: f.offered, script: f.offered, known: true}
	}
	if a.flags&syn != 0 && (renewed || !f.local.known || f.local.seen) {
		f.local = numbers{first: a.seq, script: script, known: true}
	}
	if a.flags&(ack|rst) == ack {
		f.answered = true
	}
}

// see notes a SYN of the stack before an event expects it, if one does.
func (f *flow) see(a *arrival) {
	if a.flags&syn != 0 && !f.local.known {
		f.local = numbers{first: a.seq, known: true, seen: true}
	}
}

// renews reports whether a segment of the stack acknowledges a SYN of the peer that isn't the first
// one of the flow, as the first segment that acknowledges anything, or as a new connection.
func (f *flow) renews(a *arrival) bool {
	answers := a.flags&(ack|rst) == ack && a.ack == f.offered+1 && f.offered != f.remote.first
	return answers && f.remote.known && (a.flags&syn != 0 || !f.answered)
}

// stamps map the timestamps of the stack between script and wire. The first one of the script fixes
// by how much they differ.
type stamps struct {
	script, wire uint32            // the first one
	seen         map[uint32]uint32 // by the script's value, what was on the wire last
	said         map[uint32]uint32 // the inverse
}

// note notes that the script has val for a timestamp of the stack.
func (s *stamps) note(val, wire uint32) {
	if s.seen == nil {
		s.script, s.wire = val, wire
		s.seen, s.said = map[uint32]uint32{}, map[uint32]uint32{}
	}
	s.seen[val], s.said[wire] = wire, val
}

// relative is a timestamp of the stack as the script counts.
func (s *stamps) relative(wire uint32) uint32 { return wire - s.wire + s.script }

// steps is how far a timestamp of the stack, as the script counts, is from what the script has for
// it; the first one is right.
func (s *stamps) steps(expected, actual uint32) int {
	if s.seen == nil {
		return 0
	}
	return serial.Distance(expected, actual)
}

// echo is the timestamp on the wire that the script's peer echoes. What the stack hasn't sent in
// the script's words is counted on if scaled says so, and as it is where the stack sends no
// timestamps.
func (s *stamps) echo(ecr uint32, scaled bool) (uint32, bool) {
	if s.seen == nil {
		return ecr, true
	}
	if wire, ok := s.seen[ecr]; ok {
		return wire, true
	}
	return ecr - s.script + s.wire, scaled
}

// echoed is the inverse of echo.
func (s *stamps) echoed(wire uint32) uint32 {
	if val, ok := s.said[wire]; ok {
		return val
	}
	return s.relative(wire)
}

// labels are the flow label of the stack as a script writes it, and on the wire. The script's value
// only says whether a label is the one before or another one.
type labels struct{ script, wire uint32 }

// fits reports whether a label on the wire may be the script's, and notes it.
func (l *labels) fits(script, wire uint32) bool {
	if wire == 0 || l.script != 0 && (script == l.script) != (wire == l.wire) {
		return false
	}
	*l = labels{script, wire}
	return true
}

// stampOf is the timestamp option among options; nil: there is none.
func stampOf(options []syntax.Option) *syntax.Option {
	for i := range options {
		if o := &options[i]; o.Name == "TS" && len(o.Values) == 2 {
			return o
		}
	}
	return nil
}

// mapSACK is a list of options whose SACK blocks have other numbers. The list itself stays as it
// is.
func mapSACK(options []syntax.Option, number func(uint32) uint32) []syntax.Option {
	mapped := make([]syntax.Option, len(options))
	for i, o := range options {
		if o.Name == "sack" {
			edges := make([]uint32, len(o.Values))
			for j, v := range o.Values {
				edges[j] = number(v)
			}
			o.Values = edges
		}
		mapped[i] = o
	}
	return mapped
}
