package tcp

import "time"

// A SYN cookie is an initial sequence number that holds what a record of a
// half-open connection would (RFC 4987 §3.6), for when there are too many of
// those. Its bits:
//
//	31    29 28        21 20                    0
//	┌───────┬────────────┬───────────────────────┐
//	│ period│ options    │ MAC                   │
//	└───────┴────────────┴───────────────────────┘
//	 └─ hidden by a pad ─┘
//
// The period counts cookiePeriod, modulo 8. The options are the MSS, as an index,
// the window scale and SACK. Timestamps and ECN are lost, as the window of the SYN
// is, which the acknowledgement tells again. The MAC covers all of it, the tuple,
// the period in full and the peer's number: a guess has one chance in a million.
const (
	cookiePeriod = 64 * time.Second
	cookieLife   = 1 // periods that a cookie outlives its own: it is good for 64 to 128 s

	macBits    = 21
	optionBits = 8
	periodMask = 7
)

// cookieMSS is what an MSS is rounded down to.
var cookieMSS = [8]uint16{MinMSS, 256, DefaultMSS, 1220, 1360, 1440, 1460, 8940}

// Cookie is the record of a SYN as far as a cookie can hold it: SynAck of the record makes the
// SYN-ACK, and the record need not be kept.
func (k *Secret) Cookie(now time.Duration, tuple []byte, syn *Segment) HalfOpen {
	peer := int(syn.Options.MSS)
	if peer == 0 {
		peer = DefaultMSS
	}
	size := len(cookieMSS) - 1
	for size > 0 && int(cookieMSS[size]) > peer {
		size--
	}
	options := uint32(size)<<5 | uint32(syn.Options.Scale&15)<<1
	if syn.Options.SACKPermitted {
		options |= 1
	}
	period := uint32(now / cookiePeriod)
	mac := k.mac(tuple, syn.Seq, period, options)
	top := (period&periodMask<<optionBits | options) ^ k.pad(tuple, syn.Seq, mac)
	return cookieRecord(Seq(top<<macBits|mac), syn.Seq, options)
}

// Check looks whether a segment acknowledges a cookie of the last minutes, and returns the
// record that the cookie holds. Conn of the record makes the connection, which the segment is to
// be given to next. The caller bounds how many connections are made so.
func (k *Secret) Check(now time.Duration, tuple []byte, ack *Segment) (h HalfOpen, ok bool) {
	if ack.Flags&(SYN|ACK|RST) != ACK {
		return HalfOpen{}, false
	}
	iss, irs := ack.Ack-1, ack.Seq-1
	mac := uint32(iss) & (1<<macBits - 1)
	top := uint32(iss)>>macBits ^ k.pad(tuple, irs, mac)
	options := top & (1<<optionBits - 1)
	current := uint32(now / cookiePeriod)
	age := (current - top>>optionBits) & periodMask
	if age > cookieLife || age > current || k.mac(tuple, irs, current-age, options) != mac {
		return HalfOpen{}, false
	}
	return cookieRecord(iss, irs, options), true
}

// mac authenticates what a cookie holds.
func (k *Secret) mac(tuple []byte, irs Seq, period, options uint32) uint32 {
	return k.hash(purposeCookie, tuple, uint32(irs), period, options) >> (32 - macBits)
}

// pad hides period and options: they would tell how numbers grow, and change little
// from one SYN to the next.
func (k *Secret) pad(tuple []byte, irs Seq, mac uint32) uint32 {
	return k.hash(purposePad, tuple, uint32(irs), mac) >> macBits
}

// cookieRecord is the record that the options of a cookie say. Nobody knows when the SYN-ACK left.
func cookieRecord(iss, irs Seq, options uint32) HalfOpen {
	h := HalfOpen{ISS: iss, IRS: irs, MSS: cookieMSS[options>>5&7], Scale: int8(options >> 1 & 15)}
	if h.Scale > MaxScale {
		h.Scale = NoScale
	}
	if options&1 != 0 {
		h.asked = askedSACK
	}
	return h
}
