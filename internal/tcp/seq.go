package tcp

import "github.com/wsstack/wsstack/internal/serial"

// A Seq is a sequence number. Arithmetic is modulo 2^32 (RFC 9293 §3.4), and a comparison
// is right for numbers that are less than 2^31 apart.
type Seq uint32

// Add returns the number n bytes on; n may be negative.
func (s Seq) Add(n int) Seq { return s + Seq(uint32(n)) }

// From returns how many bytes s lies beyond o: a negative number where s comes first.
func (s Seq) From(o Seq) int { return serial.Distance(o, s) }

// Before reports whether s comes before o.
func (s Seq) Before(o Seq) bool { return serial.Before(s, o) }

// After reports whether s comes behind o.
func (s Seq) After(o Seq) bool { return serial.After(s, o) }

// In reports whether s is one of the size numbers that begin with first.
func (s Seq) In(first Seq, size int) bool { return int64(uint32(s-first)) < int64(size) }

// earlier is the one of two numbers that comes first.
func earlier(a, b Seq) Seq {
	if b.Before(a) {
		return b
	}
	return a
}

// later is the one of two numbers that comes last.
func later(a, b Seq) Seq {
	if b.After(a) {
		return b
	}
	return a
}
