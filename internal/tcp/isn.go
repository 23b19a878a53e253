package tcp

import (
	"crypto/sha256"
	"encoding/binary"
	"time"
)

// A Secret is the key of what peers must not guess: initial sequence numbers, offsets of
// timestamps and SYN cookies. A stack draws its Secret once, from a source of random bytes, or
// of reproducible ones where runs are to be repeated. The methods of a Secret are safe for
// concurrent use.
//
// The tuple that they take is local address, local port, remote address and remote port, in
// network byte order, each of its usual length: 12 bytes for IPv4, 36 for IPv6.
type Secret [32]byte

// The purposes of the hash keep its values apart.
const (
	purposeISN byte = iota + 1
	purposeStamp
	purposeCookie
	purposePad
)

// hash is the keyed function F of RFC 6528 §3: SHA-256 of key, purpose, tuple and
// numbers, cut to 32 bits. What is cut off, and that all inputs of a purpose have
// one length, makes the nested form of HMAC (RFC 2104) needless.
func (k *Secret) hash(purpose byte, tuple []byte, numbers ...uint32) uint32 {
	b := make([]byte, 0, 96) // stays on the stack
	b = append(b, k[:]...)
	b = append(b, purpose, byte(len(tuple)))
	b = append(b, tuple...)
	for _, n := range numbers {
		b = binary.BigEndian.AppendUint32(b, n)
	}
	sum := sha256.Sum256(b)
	return binary.BigEndian.Uint32(sum[:])
}

// isnTick is the step of the clock of RFC 9293 §3.4.1: the numbers of one tuple go
// round in 4.77 hours.
const isnTick = 4 * time.Microsecond

// ISN is the initial sequence number of a connection that begins now (RFC 6528). For one tuple
// the number grows with the clock, so that segments of an earlier connection lie before it; the
// numbers of two tuples have nothing to do with each other.
func (k *Secret) ISN(now time.Duration, tuple []byte) Seq {
	return Seq(uint32(now/isnTick) + k.hash(purposeISN, tuple))
}

// StampOffset is the offset of a connection's timestamps (Config.StampOffset). All connections of
// a tuple have the same, so that RFC 6191 works from one to the next (RFC 7323 §5.4).
func (k *Secret) StampOffset(tuple []byte) uint32 { return k.hash(purposeStamp, tuple) }
