// Package congestion decides how much of a TCP connection may be in flight:
// CUBIC (RFC 9438) with HyStart++ (RFC 9406), NewReno (RFC 5681) and
// Proportional Rate Reduction (RFC 9937). It is pure: no clock, no timer, no
// lock, and no allocation after New.
//
// Sizes are in bytes. A time is the reading of a monotonic clock since an
// arbitrary origin; it is never 0. Nothing here is safe for concurrent use.
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
	// Window is the congestion window, cwnd; at least one segment.
	Window() int
	// Threshold is the slow start threshold, ssthresh; math.MaxInt while
	// neither a loss nor a delay has been seen.
	Threshold() int
	// SlowStart reports whether the window is below the threshold. At the
	// threshold it is congestion avoidance; RFC 5681 §3.1 leaves that open.
	SlowStart() bool
	// Acked tells of an acknowledgement outside recovery that delivered data.
	Acked(a Ack)
	// Lost begins recovery: threshold and window are reduced. flight is what was
	// outstanding before.
	Lost(now time.Duration, flight int)
	// Timeout is the retransmission time-out: the window is one segment. again:
	// the same data has timed out before, and the threshold stays (RFC 5681 §3.1).
	Timeout(now time.Duration, flight int, again bool)
	// CongestionExperienced is an ECN-Echo (RFC 3168 §6.1.2). The caller sees to
	// it that this comes at most once a round trip.
	CongestionExperienced(now time.Duration, flight int)
	// Undo says that the last Lost or Timeout was spurious: the window and the
	// threshold before it come back, never smaller than they are (RFC 4015,
	// RFC 5682, RFC 9438 §4.9). Time-outs of the same data are one Timeout. It does
	// nothing when there is nothing to undo, also after CongestionExperienced (RFC
	// 4015 §3.4) and Idle. The window comes back whole, as RFC 9438 has it: that no
	// burst follows is up to the caller; RFC 4015 §3.4 sees to it through the window.
	Undo(now time.Duration)
	// Idle is called before something is sent after nothing was in flight for
	// idle. Beyond the time-out rto the window is at most the initial one (RFC 5681
	// §4.1); the threshold remembers three quarters of it (RFC 2861 §3.1).
	Idle(now time.Duration, idle, rto time.Duration)
	// Unused says that for a time-out and longer the application had no more than used
	// bytes in flight, and could have had more: half of what it didn't use is taken off
	// the window, down to the initial one; the threshold remembers three quarters of it
	// (RFC 2861 §3.1, "application-limited").
	Unused(used int)
	// SetMSS changes the size of a segment. The window stays in bytes.
	SetMSS(mss int)
	// Exit ends recovery; window is what to continue with: PRR's, usually the
	// threshold (RFC 9937 §6.4). After Undo it is not called.
	Exit(window int)
}

// An Ack is what one acknowledgement says.
type Ack struct {
	Now     time.Duration
	Bytes   int           // newly delivered: cumulatively acknowledged plus SACKed
	RTT     time.Duration // a valid sample (Karn); 0: none
	SRTT    time.Duration // smoothed; 0: none yet
	Limited bool          // the window, not the application or the peer, limited the sender: only then the window grows (RFC 9438 §5.8)
	Round   bool          // the first one of a round trip: all that was sent when the round began is acknowledged (RFC 9406 §4.2)
}

// An Algorithm is a way of sizing the window.
type Algorithm uint8

// The algorithms.
const (
	CUBIC   Algorithm = iota // RFC 9438
	NewReno                  // RFC 5681 with the byte counting of RFC 3465
)

func (a Algorithm) String() string { return [...]string{"CUBIC", "NewReno"}[a] }

// New returns the controller of a connection whose segments have mss bytes and
// whose window begins at initialWindow bytes (InitialWindow). This is the only
// allocation.
func New(algorithm Algorithm, mss, initialWindow int) Controller {
	s := newSender(mss, initialWindow)
	if algorithm == NewReno {
		return &newReno{reno: reno{sender: s}}
	}
	return &cubic{curve: curve{sender: s}}
}

// InitialWindow is the window before anything has been acknowledged: ten
// segments, at most 14,600 bytes, but at least two segments (RFC 6928 §2); one
// segment when the SYN or the SYN-ACK was lost (RFC 5681 §3.1).
func InitialWindow(mss int, synLost bool) int {
	if synLost {
		return mss
	}
	return min(10*mss, max(2*mss, 14600))
}
