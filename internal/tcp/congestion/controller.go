// Package congestion decides how much of a TCP connection may be in flight:
// CUBIC (RFC 9438) with HyStart++ (RFC 9406), NewReno (RFC 5681) and
// Proportional Rate Reduction (RFC 9937). The package is pure: it holds no clock, no
// timer and no lock, and allocates nothing after New.
//
// Sizes are in bytes. A time is the reading of a monotonic clock, as the time since an
// origin that is the caller's; it is never 0. Nothing here is safe for concurrent use.
package congestion

import "time"

// A Controller decides how many bytes of one connection may be in flight.
//
//	              Acked                     HyStart++ or cwnd = ssthresh
//	slow start ───────────▶ slow start ──────────────────────────────────▶ avoidance
//	    ▲                                                                    │
//	    ├───────────────────── Timeout, Idle ────────────────────────────────┤
//	    │                                                     Lost           │
//	    │             Exit (window below ssthresh)              ▼            │
//	    └───────────────────────────────────────────────── recovery ◀────────┘
//	                                                            │ Exit
//	                                                            ▼
//	                                                        avoidance
//
// During recovery a PRR says what is sent, and Acked is not called.
type Controller interface {
	// Window is the congestion window, cwnd, in bytes: at least one segment.
	Window() int
	// Threshold is the slow start threshold, ssthresh, in bytes. It is math.MaxInt while
	// neither a loss nor a delay has been seen.
	Threshold() int
	// SlowStart reports whether the window is below the threshold. At the
	// threshold it is congestion avoidance; RFC 5681 §3.1 leaves that open.
	SlowStart() bool
	// Acked tells of an acknowledgement outside recovery that delivered data.
	Acked(a Ack)
	// Lost begins recovery: threshold and window are reduced. flight is the number of
	// bytes that were outstanding before.
	Lost(now time.Duration, flight int)
	// Timeout tells of a retransmission time-out: the window becomes one segment. again
	// says that the same data has timed out before; the threshold stays then (RFC 5681
	// §3.1).
	Timeout(now time.Duration, flight int, again bool)
	// CongestionExperienced tells of an ECN-Echo (RFC 3168 §6.1.2). The caller calls it
	// at most once a round trip.
	CongestionExperienced(now time.Duration, flight int)
	// Undo says that the last Lost or Timeout was spurious: the window and the
	// threshold of before come back, never smaller than they are now (RFC 4015,
	// RFC 5682, RFC 9438 §4.9). Time-outs of the same data count as one Timeout. Undo
	// does nothing when there is nothing to undo, nor after CongestionExperienced (RFC
	// 4015 §3.4) and Idle. The window comes back whole, as RFC 9438 has it: the caller
	// sees to it that no burst follows, which RFC 4015 §3.4 does through the window.
	Undo(now time.Duration)
	// Idle tells that something is about to be sent after a time, idle, in which nothing
	// was in flight. After more than the time-out rto the window is at most the initial one
	// (RFC 5681 §4.1); the threshold remembers three quarters of the window of before (RFC
	// 2861 §3.1).
	Idle(now time.Duration, idle, rto time.Duration)
	// Unused says that for a time-out and longer the application had no more than used
	// bytes in flight, and could have had more: half of what it didn't use is taken off
	// the window, down to the initial one; the threshold remembers three quarters of the
	// window of before (RFC 2861 §3.1, "application-limited").
	Unused(used int)
	// SetMSS changes the size of a segment. The window stays in bytes.
	SetMSS(mss int)
	// Exit ends recovery; window is the one to continue with: PRR's, usually the
	// threshold (RFC 9937 §6.4). Exit is not called after Undo.
	Exit(window int)
}

// An Ack is what one acknowledgement says.
type Ack struct {
	Now   time.Duration // when the acknowledgement came
	Bytes int           // how much is newly delivered: cumulatively acknowledged plus SACKed
	RTT   time.Duration // a valid sample of the round trip (Karn's algorithm); 0: there is none
	SRTT  time.Duration // the smoothed round trip; 0: there is none yet

	// Limited says that the window, not the application or the peer, limited the sender:
	// only then the window grows (RFC 9438 §5.8).
	Limited bool

	// Round says that the acknowledgement is the first one of a round trip: all that had been
	// sent when the round began is acknowledged (RFC 9406 §4.2).
	Round bool
}

// An Algorithm is a way of choosing the size of the window.
type Algorithm uint8

// The algorithms.
const (
	CUBIC   Algorithm = iota // RFC 9438
	NewReno                  // RFC 5681 with the byte counting of RFC 3465
)

// String is the name of the algorithm as its RFC writes it.
func (a Algorithm) String() string { return [...]string{"CUBIC", "NewReno"}[a] }

// New returns the controller of a connection whose segments have mss bytes and
// whose window begins at initialWindow bytes (InitialWindow). It is the only function
// of the package that allocates.
func New(algorithm Algorithm, mss, initialWindow int) Controller {
	s := newWindow(mss, initialWindow)
	if algorithm == NewReno {
		return &newReno{reno: reno{window: s}}
	}
	return &cubic{curve: curve{window: s}}
}

// InitialWindow is the window, in bytes, before anything has been acknowledged: ten
// segments, at most 14,600 bytes, but at least two segments (RFC 6928 §2). The window is
// one segment where the SYN or the SYN-ACK was lost (RFC 5681 §3.1).
func InitialWindow(mss int, synLost bool) int {
	if synLost {
		return mss
	}
	return min(10*mss, max(2*mss, 14600))
}
