package congestion

import (
	"math"
	"time"
)

// maxWindow is the largest window a peer can offer (RFC 7323 §2.3), and so the
// largest that is ever of use.
const maxWindow = 1 << 30

// sender is what both algorithms know: the window, its threshold, and the
// segments that both are counted in.
type sender struct {
	mss      int
	initial  int     // the window of RFC 6928, for a restart after idleness
	ssthresh int     // math.MaxInt: unknown
	cwnd     float64 // at least mss; with the fraction of a byte, so that small increments add up
	repair   int     // of what was outstanding at the last time-out, the bytes that are not yet delivered
}

func newSender(mss, initialWindow int) sender {
	mss = max(mss, 1)
	initialWindow = min(max(initialWindow, mss), maxWindow)
	return sender{mss: mss, initial: initialWindow, ssthresh: math.MaxInt, cwnd: float64(initialWindow)}
}

func (s *sender) Window() int     { return int(s.cwnd) }
func (s *sender) Threshold() int  { return s.ssthresh }
func (s *sender) SlowStart() bool { return int(s.cwnd) < s.ssthresh }

// limit bounds what one acknowledgement may add in slow start. segments is the
// algorithm's L; in a slow start that repairs a time-out it is 1, because
// acknowledgements then cover what left the network long ago (RFC 3465 §2.3).
func (s *sender) limit(bytes, segments int) int {
	if s.repair > 0 {
		segments = 1
	}
	return min(bytes, segments*s.mss)
}

// grow adds to the window, up to a bound.
func (s *sender) grow(bytes float64, bound int) {
	s.cwnd = min(s.cwnd+bytes, float64(min(bound, maxWindow)))
}

// repaired counts delivered bytes against those of the last time-out.
func (s *sender) repaired(bytes int) { s.repair = max(s.repair-bytes, 0) }

// loss is the flight that a loss is judged by. Segments beyond the window don't
// count, as those of limited transmit mustn't (RFC 5681 §3.2, step 2), so that no
// loss makes the window larger.
func (s *sender) loss(flight int) int { return min(flight, s.Window()) }

// outage sets the threshold after a time-out. Its flight may have been sent under
// the window before recovery began, and what recovery has set for that doesn't fall
// a second time; nor does a threshold rise above what the window was.
func (s *sender) outage(target int) {
	s.ssthresh = max(min(target, max(s.Window(), s.ssthresh)), 2*s.mss)
}

// reduce sets the threshold, at least two segments (RFC 5681 §3.1, equation 4),
// and the window: the same, but at least floor segments. A mark of ECN may bring
// the window down to one (RFC 9438 §4.6, figure 5).
func (s *sender) reduce(target, floor int) {
	s.ssthresh = max(target, 2*s.mss)
	s.cwnd = float64(max(target, floor*s.mss))
}

// collapse is what a time-out does to the window: one segment, whatever the
// initial window is (RFC 5681 §3.1).
func (s *sender) collapse(flight int) {
	s.cwnd, s.repair = float64(s.mss), max(flight, 0)
}

// exit is the window after recovery.
func (s *sender) exit(window int) {
	s.cwnd = float64(min(max(window, s.mss), maxWindow))
}

// restart is the window after idleness, at most the initial one (RFC 5681 §4.1,
// where it is called RW). The threshold keeps three quarters of what the window
// was (RFC 2861 §3.1). It reports whether the idleness was long enough.
func (s *sender) restart(idle, rto time.Duration) bool {
	if idle <= rto {
		return false
	}
	s.ssthresh = max(s.ssthresh, int(s.cwnd*3/4))
	s.cwnd = min(s.cwnd, float64(s.initial))
	return true
}

// unused is the window after a time in which used bytes of it were all that was
// needed (RFC 2861 §3.1): it says less and less of the path. It reports whether that
// was less than the window.
func (s *sender) unused(used int) bool {
	used = max(used, s.initial)
	if used >= s.Window() {
		return false
	}
	s.ssthresh = max(s.ssthresh, int(s.cwnd*3/4))
	s.cwnd = (s.cwnd + float64(used)) / 2
	return true
}

// setMSS keeps the window in bytes, since the path holds as many as before, and at
// least one segment. The window for restarts isn't more segments than RFC 6928 gives.
func (s *sender) setMSS(mss int) {
	s.mss = max(mss, 1)
	s.initial = max(min(s.initial, InitialWindow(s.mss, false)), s.mss)
	s.cwnd = max(s.cwnd, float64(s.mss))
	s.ssthresh = max(s.ssthresh, 2*s.mss)
}
