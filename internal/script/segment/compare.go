package segment

import (
	"bytes"
	"fmt"

	"github.com/wsstack/wsstack/internal/script/syntax"
	"github.com/wsstack/wsstack/internal/trace"
)

// A Mismatch is what an outbound packet has otherwise than the script.
type Mismatch struct {
	Differences []Difference // one at least, in the order of the headers
	Actual      string       // the packet as Text has it
}

// A Difference is a field of a packet that has another value than expected, in the script's
// language.
type Difference struct {
	Field            string // such as "ack", "win", "mss", "payload"
	Expected, Actual string
}

// A comparison is that of one packet with what the script expects, or with the next piece of it.
type comparison struct {
	*Expectation
	*arrival
	flow        *flow
	differences []Difference
}

// differ notes a difference.
func (c *comparison) differ(field string, expected, actual any) {
	c.differences = append(c.differences, Difference{field, fmt.Sprint(expected), fmt.Sprint(actual)})
}

// same notes a difference where there is one.
func same[T comparable](c *comparison, field string, expected, actual T) {
	if expected != actual {
		c.differ(field, expected, actual)
	}
}

// compare is what the packet has otherwise.
func (c *comparison) compare() []Difference {
	if c.Kind == trace.Malformed {
		c.differ("packet", "one that is well formed", c.Reason)
		return c.differences
	}
	if c.Fragmented() {
		c.differ("packet", "a whole one", fmt.Sprintf("a fragment of length %d at %d", c.Len, c.FragmentOffset))
		return c.differences
	}
	if !c.checksumsFit() {
		c.differ("checksum", "a right one", "a wrong one")
	}
	c.compareIP(&c.want.IP)
	switch {
	case c.want.TCP != nil:
		c.compareTCP(c.want.TCP)
	case c.want.UDP != nil:
		same(c, "length", c.want.UDP.Length, c.Len)
		c.comparePayload(c.want.UDP.Payload)
	default:
		c.compareICMP(c.want.ICMP)
	}
	return c.differences
}

// ecnNames are the words of the two bits.
var ecnNames = [4]string{"noecn", "ect1", "ect0", "ce"}

// compareIP compares what the script says of the IP header.
func (c *comparison) compareIP(i *syntax.IPInfo) {
	switch bits := c.class & 3; {
	case i.ECN == syntax.ECT01 && bits != 1 && bits != 2:
		c.differ("ecn", "ect01", ecnNames[bits])
	case i.ECN != syntax.UnsaidECN && i.ECN != syntax.ECT01:
		same(c, "ecn", ecnNames[ecnBits[i.ECN]], ecnNames[bits])
	}
	if i.TOS != nil {
		same(c, "tos", fmt.Sprintf("%#02x", *i.TOS), fmt.Sprintf("%#02x", c.class))
	}
	if i.TTL != nil {
		same(c, "ttl", *i.TTL, c.TTL)
	}
	if i.FlowLabel != nil && !c.flow.label.fits(*i.FlowLabel, c.label) {
		expected := "another one than before"
		if *i.FlowLabel == c.flow.label.script {
			expected = fmt.Sprintf("%#x", c.flow.label.wire)
		} else if c.label == 0 {
			expected = "one"
		}
		c.differ("flowlabel", expected, fmt.Sprintf("%#x", c.label))
	}
}

// compareTCP compares a segment, or the next piece of one.
func (c *comparison) compareTCP(s *syntax.Segment) {
	is := c.tcp(c.flow, false)
	c.compareFlags(s)
	same(c, "reserved bits", 0, c.reserved)
	if s.HasRange {
		c.compareRange(s, is)
	}
	if s.Ack != nil && is.Ack != nil {
		same(c, "ack", *s.Ack, *is.Ack)
	}
	if s.Window != nil {
		same(c, "win", *s.Window, *is.Window)
	}
	if s.Urgent != nil {
		same(c, "urg", *s.Urgent, c.Segment.Urgent)
	}
	if !s.AnyOpts {
		c.compareOptions(s.Options, is.Options)
	}
	if s.Payload != nil && len(c.differences) == 0 {
		c.comparePayload(s.Payload[min(c.bytes, len(s.Payload)):min(c.bytes+c.Len, len(s.Payload))])
	}
}

// compareFlags compares the flags. A piece that isn't the last one needs no FIN and may have a PSH;
// one that isn't the first needs no CWR (packetdrill).
func (c *comparison) compareFlags(s *syntax.Segment) {
	expected, _ := parseFlags(s.Flags)
	actual := c.flags
	last := !s.HasRange || c.bytes+c.Len >= s.Length
	if !last {
		expected &^= fin | psh
		actual &^= psh
	}
	if c.pieces > 0 {
		expected &^= cwr
	}
	if expected != actual {
		c.differ("flags", orDash(expected), orDash(c.flags))
	}
}

// orDash writes flags, and none as scripts do.
func orDash(f flags) string {
	if f == 0 {
		return "-"
	}
	return f.String()
}

// compareRange compares the number and the length. Where the script doesn't insist on one packet, a
// shorter one is the first of several: all but the last are as long as the one before
// (packetdrill).
func (c *comparison) compareRange(s, is *syntax.Segment) {
	rest := s.Length - c.bytes
	start, length := s.Start+uint32(c.bytes), rest
	if c.Len < rest && !c.peer.cfg.StrictSegments {
		length = c.Len
		if c.pieces > 0 {
			length = c.size
		}
	}
	if is.Start != start || is.Length != length {
		c.differ("seq", rangeText(start, length), rangeText(is.Start, is.Length))
	}
}

func rangeText(start uint32, length int) string {
	return fmt.Sprintf("%d:%d(%d)", start, start+uint32(length), length)
}

// comparePayload compares bytes; nil: any will do.
func (c *comparison) comparePayload(expected []byte) {
	if expected != nil && !bytes.Equal(expected, c.payload) {
		want, got := syntax.Beside(expected, c.payload)
		c.differ("payload", want, got)
	}
}

// compareICMP compares what the script says of a message.
func (c *comparison) compareICMP(m *syntax.ICMP) {
	kind, number, _ := icmpNumbers(c.ipv6(), m.Type, m.Code)
	is := c.icmp(false, c.peer.quoted)
	if kind != c.ICMPType {
		c.differ("type", m.Type, is.Type)
		return
	}
	if number != c.ICMPCode {
		c.differ("code", m.Code, is.Code)
	}
	if m.MTU != nil {
		comparePointers(c, "mtu", m.MTU, is.MTU)
	}
	if m.EchoID != nil {
		comparePointers(c, "id", m.EchoID, is.EchoID)
	}
	if m.Quoted != nil {
		c.compareQuotation(m.Quoted, is.Quoted)
	}
}

// comparePointers compares a value that may be absent.
func comparePointers[T comparable](c *comparison, field string, expected, actual *T) {
	if actual == nil {
		c.differ(field, *expected, "none")
		return
	}
	same(c, field, *expected, *actual)
}

// compareQuotation compares what an error quotes of a packet of the peer.
func (c *comparison) compareQuotation(expected, actual *syntax.Quotation) {
	switch raw := !expected.TCP && !expected.UDP; {
	case raw:
		same(c, "length", expected.Length, icmpHeader+c.Len)
	case actual == nil:
		c.differ("quotation", expected, "none")
	default:
		if expected.Ports == nil {
			actual.Ports = nil
		}
		same(c, "quotation", expected.String(), actual.String())
	}
}
