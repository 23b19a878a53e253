package congestion

import (
	"math"
	"time"
)

// maxWindow is the largest window a peer can offer (RFC 7323 §2.3), and so the
// largest that is ever of use.
const maxWindow = 1 << 30

// A window is what both algorithms know: the congestion window, its threshold, and the
// size of the segments that both are counted in. Sizes are in bytes.
type window struct {
	mss      int
	initial  int     // the window of RFC 6928, for a restart after idleness
	ssthresh int     // the slow start threshold; math.MaxInt: not known yet
	cwnd     float64 // at least mss; a fraction of a byte counts, so that small increments add up
	repair   int     // what was outstanding at the last time-out and isn't delivered yet
}

func newWindow(mss, initialWindow int) window {
	mss = max(mss, 1)
	initialWindow = min(max(initialWindow, mss), maxWindow)
	return window{mss: mss, initial: initialWindow, ssthresh: math.MaxInt, cwnd: float64(initialWindow)}
}

// Window, Threshold and SlowStart are those of Controller.
func (w *window) Window() int     { return int(w.cwnd) }
func (w *window) Threshold() int  { return w.ssthresh }
func (w *window) SlowStart() bool { return int(w.cwnd) < w.ssthresh }

// limit bounds what one acknowledgement may add in slow start. segments is the
// algorithm's L; in a slow start that repairs a time-out it is 1, because
// acknowledgements then cover what left the network long ago (RFC 3465 §2.3).
func (w *window) limit(bytes, segments int) int {
	if w.repair > 0 {
		segments = 1
	}
	return min(bytes, segments*w.mss)
}

// grow adds bytes to the window, up to a bound.
func (w *window) grow(bytes float64, bound int) {
	w.cwnd = min(w.cwnd+bytes, float64(min(bound, maxWindow)))
}

// repaired counts delivered bytes against those of the last time-out.
func (w *window) repaired(bytes int) { w.repair = max(w.repair-bytes, 0) }

// loss is the flight that a loss is judged by. Segments beyond the window don't
// count, as those of limited transmit mustn't (RFC 5681 §3.2, step 2), so that no
// loss makes the window larger.
func (w *window) loss(flight int) int { return min(flight, w.Window()) }

// outage sets the threshold after a time-out. Its flight may have been sent under
// the window before recovery began, and what recovery has set for that doesn't fall
// a second time; nor does a threshold rise above what the window was.
func (w *window) outage(target int) {
	w.ssthresh = max(min(target, max(w.Window(), w.ssthresh)), 2*w.mss)
}

// reduce sets the threshold, at least two segments (RFC 5681 §3.1, equation 4),
// and the window: the same, but at least floor segments. A mark of ECN may bring
// the window down to one (RFC 9438 §4.6, figure 5).
func (w *window) reduce(target, floor int) {
	w.ssthresh = max(target, 2*w.mss)
	w.cwnd = float64(max(target, floor*w.mss))
}

// collapse is what a time-out does to the window: it becomes one segment, whatever the
// initial window is (RFC 5681 §3.1).
func (w *window) collapse(flight int) {
	w.cwnd, w.repair = float64(w.mss), max(flight, 0)
}

// exit sets the window after recovery.
func (w *window) exit(window int) {
	w.cwnd = float64(min(max(window, w.mss), maxWindow))
}

// restart sets the window after idleness: at most the initial one (RFC 5681 §4.1, where
// it is called RW). The threshold keeps three quarters of what the window was (RFC 2861
// §3.1). restart reports whether the idleness was long enough for that.
func (w *window) restart(idle, rto time.Duration) bool {
	if idle <= rto {
		return false
	}
	w.ssthresh = max(w.ssthresh, int(w.cwnd*3/4))
	w.cwnd = min(w.cwnd, float64(w.initial))
	return true
}

// unused sets the window after a time in which used bytes of it were all that was needed
// (RFC 2861 §3.1): what the window says of the path becomes less and less true. unused
// reports whether less than the window was needed.
func (w *window) unused(used int) bool {
	used = max(used, w.initial)
	if used >= w.Window() {
		return false
	}
	w.ssthresh = max(w.ssthresh, int(w.cwnd*3/4))
	w.cwnd = (w.cwnd + float64(used)) / 2
	return true
}

// setMSS keeps the window in bytes, since the path holds as many as before, and at
// least one segment. The window for restarts isn't more segments than RFC 6928 gives.
func (w *window) setMSS(mss int) {
	w.mss = max(mss, 1)
	w.initial = max(min(w.initial, InitialWindow(w.mss, false)), w.mss)
	w.cwnd = max(w.cwnd, float64(w.mss))
	w.ssthresh = max(w.ssthresh, 2*w.mss)
}
