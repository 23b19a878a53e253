// Package trace writes one line of text for a packet:
//
//	0.000s a>b [S] seq 0 win 65535 <mss 1460,sackOK,ts 1 0,wscale 7>
//	0.050s b>a [S.] seq 0 ack 1 win 65535 <mss 1460,sackOK,ts 1 1,wscale 7>
//	0.100s a>b [P.] seq 1:11 ack 1 len 10 win 65536 <ts 101 1>
//	0.100s a>b udp 5000>53 len 12
//	0.100s b>a icmp unreachable port for udp 5000>53
//
// Golden files, the mismatches of simnet's wires, SO_DEBUG records and the
// command line show the same lines. Parse never panics and never reads beyond
// the bytes it is given.
package trace

import (
	"net/netip"
	"strconv"
	"time"
)

// maxFlows bounds how many flows a Tracer remembers. When the bound is reached, the Tracer forgets
// all flows, and counts those that go on from where they are.
const maxFlows = 4096

// A Tracer writes lines. It remembers the first numbers of every TCP connection, so that sequence
// numbers and timestamps are relative: a SYN has 0, the first byte of data 1, and the first
// timestamp of each side is 1. Where the Tracer hasn't seen the SYN, the first byte that it has
// seen is 1. Windows are in bytes once both SYNs were seen.
//
// The zero Tracer is ready. A Tracer is not safe for concurrent use.
type Tracer struct {
	// Ports says that the lines of TCP segments have the ports, for traces of more than one
	// connection. Lines without names of hosts always have them.
	Ports bool

	flows map[flowKey]*flow
}

// flowKey names one direction of a connection.
type flowKey struct {
	source, dest netip.AddrPort
}

// A flow is one direction of a connection.
type flow struct {
	base, ts       uint32 // the initial sequence number; the first timestamp, less one
	hasBase, hasTS bool   // base and ts are valid
	scale          int    // the window scale that this side has offered; -1: none
	syn            bool   // the SYN of this side was seen
	reverse        *flow  // the other direction
}

// Append appends the line for a packet at a time, without a newline. from and to are the names of
// the hosts; without from, the line has addresses and ports instead.
func (t *Tracer) Append(dst []byte, at time.Duration, from, to string, packet []byte) []byte {
	p := Parse(packet)
	dst = AppendTime(dst, at)
	dst = append(dst, ' ')
	if from == "" {
		dst = appendEndpoint(dst, p.Source, p.SourcePort)
		dst = append(dst, '>')
		dst = appendEndpoint(dst, p.Dest, p.DestPort)
	} else {
		dst = append(dst, from...)
		dst = append(dst, '>')
		dst = append(dst, to...)
	}
	dst = append(dst, ' ')
	ports := t.Ports && from != ""
	return t.appendPacket(dst, packet, p, ports)
}

// Line is the line that Append appends, as a string.
func (t *Tracer) Line(at time.Duration, from, to string, packet []byte) string {
	return string(t.Append(nil, at, from, to, packet))
}

// Text is what Line says of a packet, without the time and the hosts.
func (t *Tracer) Text(packet []byte) string {
	return string(t.appendPacket(nil, packet, Parse(packet), t.Ports))
}

// AppendTime appends a time in seconds, rounded down to whole milliseconds.
func AppendTime(dst []byte, at time.Duration) []byte {
	if at < 0 {
		dst = append(dst, '-')
		at = -at
	}
	ms := at.Milliseconds()
	dst = strconv.AppendInt(dst, ms/1000, 10)
	dst = append(dst, '.', byte('0'+ms/100%10), byte('0'+ms/10%10), byte('0'+ms%10))
	return append(dst, 's')
}

// appendEndpoint appends an address with its port, such as 10.0.0.1:80, or the address alone where
// there is no port.
func appendEndpoint(dst []byte, a netip.Addr, port uint16) []byte {
	switch {
	case !a.IsValid():
		return append(dst, '?')
	case port == 0:
		return a.AppendTo(dst)
	}
	return netip.AddrPortFrom(a, port).AppendTo(dst)
}

// Relative translates the numbers of a TCP segment, timestamps and SACK blocks included, and learns
// from the segment. window is in bytes.
func (t *Tracer) Relative(p *Packet) (s Segment, window int) {
	f := t.flow(p)
	s = p.Segment
	f.learn(&s)
	window = int(s.Window)
	if r := f.reverse; s.Flags&SYN == 0 && f.scale >= 0 && r.scale >= 0 {
		window <<= f.scale
	}
	switch {
	case f.hasBase:
		s.Seq -= f.base
	default: // a RST out of nowhere
		s.Seq = 0
	}
	if s.Flags&ACK != 0 {
		s.Ack -= f.reverse.base
	}
	for i := range s.Options.Blocks {
		s.Options.SACK[i][0] -= f.reverse.base
		s.Options.SACK[i][1] -= f.reverse.base
	}
	if o := &s.Options; o.Timestamps {
		o.TSVal -= f.ts
		if f.reverse.hasTS && (o.TSEcr != 0 || s.Flags&ACK != 0) {
			o.TSEcr -= f.reverse.ts
		}
	}
	return s, window
}

// flow is the flow that a packet belongs to.
func (t *Tracer) flow(p *Packet) *flow {
	key := flowKey{netip.AddrPortFrom(p.Source, p.SourcePort), netip.AddrPortFrom(p.Dest, p.DestPort)}
	if f := t.flows[key]; f != nil {
		return f
	}
	if t.flows == nil || len(t.flows) >= maxFlows {
		t.flows = map[flowKey]*flow{}
	}
	f, r := &flow{scale: -1}, &flow{scale: -1}
	f.reverse, r.reverse = r, f
	t.flows[key], t.flows[flowKey{key.dest, key.source}] = f, r
	return f
}

// learn takes the first numbers of a direction from a segment.
func (f *flow) learn(s *Segment) {
	r := f.reverse
	if s.Flags&SYN != 0 {
		if s.Flags&ACK == 0 && f.syn && f.base != s.Seq { // the ports are used again
			*r = flow{scale: -1, reverse: f}
			f.hasTS = false
		}
		f.base, f.hasBase, f.syn = s.Seq, true, true
		f.scale = min(s.Options.WS, 14) // RFC 7323 §2.3
	}
	if !f.hasBase && s.Flags&RST == 0 {
		f.base, f.hasBase = s.Seq-1, true
	}
	if !r.hasBase && s.Flags&ACK != 0 {
		r.base, r.hasBase = s.Ack-1, true
	}
	if o := &s.Options; o.Timestamps && !f.hasTS {
		f.ts, f.hasTS = o.TSVal-1, true
	}
}
