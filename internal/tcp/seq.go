package tcp

import "github.com/wsstack/wsstack/internal/serial"

// A Seq is a sequence number: arithmetic is modulo 2^32 (RFC 9293 §3.4), and a
// comparison is right for numbers that are less than 2^31 apart.
type Seq uint32

// Add returns the number n bytes on; n may be negative.
func (s Seq) Add(n int) Seq { return s + Seq(uint32(n)) }

// From returns how many bytes s lies beyond o; it is negative when s comes first.
func (s Seq) From(o Seq) int { return serial.Distance(o, s) }

// Before reports that s comes before o.
func (s Seq) Before(o Seq) bool { return serial.Before(s, o) }

// After reports that s comes behind o.
func (s Seq) After(o Seq) bool { return serial.After(s, o) }

// In reports that s is one of the size numbers that begin with first.
func (s Seq) In(first Seq, size int) bool { return int64(uint32(s-first)) < int64(size) }

// earlier and later are the minimum and the maximum of two numbers.
func earlier(a, b Seq) Seq {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b Seq) Seq {
	if b.After(a) {
		return b
	}
	return a
}
