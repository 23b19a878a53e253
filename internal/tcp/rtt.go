package tcp

import "time"

// The bounds of the retransmission time-out. RFC 6298 §2.4 wants a second at least, and every
// system in use takes less: a round trip, and the time for which a peer may delay the
// acknowledgement of a lone segment. RFC 6298 §2.5 allows an upper bound, and 60 s is the one on
// the page of TCP_MAXRT. A time-out before any measurement that Config.InitialRTO sets above that
// stays what it is.
const (
	minSpread   = 200 * time.Millisecond // above the smoothed round trip
	maxRTO      = 60 * time.Second
	initialRTO  = time.Second     // RFC 6298 §2.1
	fallbackRTO = 3 * time.Second // RFC 6298 §5.7: after a SYN that was sent again
)

// An rtt estimates the round trip time and the retransmission time-out (RFC 6298). The zero rtt has
// no sample.
type rtt struct {
	smoothed time.Duration // SRTT; 0: no sample yet
	variance time.Duration // RTTVAR
	base     time.Duration // RTO without back-off; 0: initialRTO
	shift    uint8         // how often RTO was doubled since new data was acknowledged
	least    minimum       // RACK.min_RTT: the least of the last minutes
	shortest time.Duration // the least sample ever; 0: no sample yet
}

// sample takes a measurement of data that was sent once (Karn's algorithm, RFC
// 6298 §3).
func (r *rtt) sample(now, d time.Duration) {
	d = max(d, 1)
	r.least.add(now, d)
	if r.shortest == 0 || d < r.shortest {
		r.shortest = d
	}
	if r.smoothed == 0 {
		r.smoothed, r.variance = d, d/2
	} else {
		diff := r.smoothed - d
		if diff < 0 {
			diff = -diff
		}
		r.variance += (diff - r.variance) / 4
		r.smoothed += (d - r.smoothed) / 8
	}
	r.base = min(r.smoothed+max(4*r.variance, minSpread), maxRTO)
	r.shift = 0
}

// rto is the time-out with its back-off (RFC 6298 §5.5).
func (r *rtt) rto() time.Duration {
	base := r.base
	if base == 0 {
		base = initialRTO
	}
	most := max(base, maxRTO)
	if r.shift >= 10 { // minSpread << 10 exceeds the bound
		return most
	}
	return min(base<<r.shift, most)
}

// backOff doubles the time-out.
func (r *rtt) backOff() {
	if r.shift < 255 {
		r.shift++
	}
}

// progress ends the back-off: new data was acknowledged, though it may have been sent twice, and more
// is in flight. RFC 6298 §5.7 leaves the back-off until the next sample; here an outage that is over
// doesn't cost more than it must. Where nothing is in flight, what leaves next is the next sample:
// without the back-off it would be sent twice as well where the round trip has become longer than
// the time-out, and so on (Karn's algorithm).
func (r *rtt) progress() { r.shift = 0 }

// A minimum is the least sample of the last minLength, kept as the least of two halves: what is
// older than both is forgotten (RFC 8985 §6.2 step 1 asks for a windowed minimum).
type minimum struct {
	current, previous time.Duration // the least samples of the two halves; 0: there is none
	since             time.Duration // when the current half began
}

// minLength is how long a sample counts.
const minLength = 5 * time.Minute

// add takes a sample.
func (m *minimum) add(now, d time.Duration) {
	if m.since == 0 || now-m.since > minLength/2 {
		m.previous, m.current, m.since = m.current, d, now
		return
	}
	m.current = min(m.current, d)
}

// get is the minimum; it is 0 where there is no sample.
func (m *minimum) get() time.Duration {
	if m.previous == 0 {
		return m.current
	}
	return min(m.current, m.previous)
}
