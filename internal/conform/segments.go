package conform

import (
	"fmt"
	"strings"
	"time"

	"github.com/wsstack/wsstack/internal/trace"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

// bytesFrom is how many different payload bytes a node has sent.
func (e *Env) bytesFrom(node string) int {
	end := uint32(1)
	for _, l := range e.Segments(node) {
		if l.Kind == trace.TCP && l.Segment.Len > 0 {
			end = max(end, l.Segment.Seq+uint32(l.Segment.Len))
		}
	}
	return int(end - 1)
}

// destinations are the ports that a node sent to since a time, in order.
func (e *Env) destinations(from string, since time.Duration) string {
	var out []string
	for _, l := range e.Segments(from) {
		if l.At >= since {
			out = append(out, fmt.Sprint(l.Dest.Port()))
		}
	}
	return strings.Join(out, " ")
}

// summed ends the scenario unless the checksum of a packet is right, if it is a TCP segment.
func (e *Env) summed(packet []byte) {
	h := trace.Parse(packet)
	if h.Kind != trace.TCP {
		return
	}
	body := packet[h.Transport:]
	pseudo := append(h.Source.AsSlice(), h.Dest.AsSlice()...)
	pseudo = append(pseudo, 0, 0, byte(len(body)>>8), byte(len(body)), 0, 0, 0, 6)
	pseudo = append(pseudo, body...)
	if len(pseudo)%2 != 0 {
		pseudo = append(pseudo, 0)
	}
	Equal(e, "checksum over a segment with its checksum", checksum(pseudo), 0)
}

// probeAt matches a keep-alive probe: one below SND.NXT, and empty or with the octet of the profile
// (KA-7, KA-8).
func probeAt(nxt uint32) func(simnet.Line) bool {
	empty, octet := emptyProbeAt(nxt), octetAt(nxt)
	return func(l simnet.Line) bool { return empty(l) || octet(l) }
}

// emptyProbeAt matches a probe that is a bare ACK.
func emptyProbeAt(nxt uint32) func(simnet.Line) bool {
	return func(l simnet.Line) bool {
		return l.Kind == trace.TCP && l.Segment.Flags == trace.ACK && l.Segment.Len == 0 && l.Segment.Seq == nxt-1
	}
}

// times lists when a node sent the segments that match, relative to a time.
func (e *Env) times(from string, since time.Duration, match func(simnet.Line) bool) string {
	e.mark(since)
	var out []string
	for _, l := range e.Segments(from) {
		if match(l) && l.At >= since {
			out = append(out, fmt.Sprintf("%.3f", (l.At-since).Seconds()))
		}
	}
	return strings.Join(out, " ")
}

// lengths lists the payloads that a node has sent since a time, in order.
func (e *Env) lengths(from string, since time.Duration) string {
	var out []string
	for _, l := range e.Segments(from) {
		if data(l) && l.At >= since {
			out = append(out, fmt.Sprint(l.Segment.Len))
		}
	}
	return strings.Join(out, " ")
}

// anySegment matches every TCP segment.
func anySegment(l simnet.Line) bool { return l.Kind == trace.TCP }

// octetAt matches a probe that has an octet, one below SND.NXT (KA-8).
func octetAt(nxt uint32) func(simnet.Line) bool {
	return func(l simnet.Line) bool {
		return l.Kind == trace.TCP && l.Segment.Flags == trace.ACK && l.Segment.Len == 1 && l.Segment.Seq == nxt-1
	}
}

// has matches a segment that has all of the flags.
func has(flags trace.Flags) func(simnet.Line) bool {
	return func(l simnet.Line) bool { return l.Kind == trace.TCP && l.Segment.Flags&flags == flags }
}

// data matches a segment with data.
func data(l simnet.Line) bool { return l.Kind == trace.TCP && l.Segment.Len > 0 }

// lastData is when a node last sent data.
func (e *Env) lastData(from string) (at time.Duration) {
	for _, l := range e.Segments(from) {
		if data(l) {
			at = l.At
		}
	}
	return at
}

// urgents lists the urgent segments of a node, as "seq+len^pointer".
func (e *Env) urgents(from string) string {
	var out []string
	for _, l := range e.Segments(from) {
		if l.Kind == trace.TCP && l.Segment.Flags&trace.URG != 0 {
			out = append(out, fmt.Sprintf("%d+%d^%d", l.Segment.Seq, l.Segment.Len, l.Segment.Urgent))
		}
	}
	return strings.Join(out, " ")
}

// lastWindow is the window of the last segment of A, in bytes, and the right
// edge it stands for.
func (e *Env) lastWindow() (window int, edge uint32) {
	lines := e.Segments("a")
	l := lines[len(lines)-1]
	return l.Window, l.Segment.Ack + uint32(l.Window)
}

// monotonicEdges ends the scenario when the right edge of the window that A promises moves left by
// more than the window scale rounds.
func (e *Env) monotonicEdges(granularity uint32) {
	var edge uint32
	for _, l := range e.Segments("a") {
		if l.Kind != trace.TCP || l.Segment.Flags&trace.ACK == 0 {
			continue
		}
		now := l.Segment.Ack + uint32(l.Window)
		e.Check(int32(now-edge) > -int32(granularity), "the right edge moves left, from %d to %d: %s", edge, now, l.Text)
		edge = max(edge, now)
	}
}

// ownMSS is the MSS that A offers.
func (e *Env) ownMSS() int {
	if e.Family == wsa.AF_INET6 {
		return 1440
	}
	return 1460
}
