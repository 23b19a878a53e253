package congestion

import "time"

// renoLimit is L of RFC 3465 §2.3: the segments that one acknowledgement may add
// in slow start.
const renoLimit = 2

// A reno is the part of a newReno that Undo brings back.
type reno struct {
	window
	acked int // bytes acknowledged since the window last grew in congestion avoidance (RFC 3465 §2.1)
}

// A newReno is the Controller of RFC 5681 with appropriate byte counting (RFC 3465).
type newReno struct {
	reno
	saved    reno // the state before the last reduction
	undoable bool // Undo brings saved back
}

var _ Controller = (*newReno)(nil)

// Acked grows the window by what was delivered in slow start (RFC 3465 §2.2), and
// by one segment for each window of delivered bytes in congestion avoidance (RFC
// 3465 §2.1, RFC 5681 §3.1).
func (r *newReno) Acked(a Ack) {
	if a.Bytes <= 0 {
		return
	}
	defer r.repaired(a.Bytes)
	switch {
	case !a.Limited:
	case r.SlowStart():
		r.grow(float64(r.limit(a.Bytes, renoLimit)), r.ssthresh)
	default:
		r.avoid(a.Bytes)
	}
}

// avoid adds at most one segment: an acknowledgement never covers more than the
// window, and what it does in spite of that is not saved up.
func (r *newReno) avoid(bytes int) {
	r.acked += min(bytes, r.Window())
	if window := r.Window(); r.acked >= window {
		r.acked -= window
		r.grow(float64(r.mss), maxWindow)
	}
}

// Lost sets the window to half of the flight (RFC 5681 §3.1, equation 4, and §3.2).
func (r *newReno) Lost(_ time.Duration, flight int) {
	r.save()
	r.reduce(r.loss(flight)/2, 2)
	r.acked = 0
}

// Timeout follows RFC 5681 §3.1: the threshold becomes half the flight at the first
// time-out of a segment, and stays at the next ones.
func (r *newReno) Timeout(_ time.Duration, flight int, again bool) {
	if !again {
		r.save()
		r.outage(flight / 2)
	}
	r.collapse(flight)
	r.acked = 0
}

// CongestionExperienced halves the window like a loss (RFC 3168 §6.1.2), but down
// to one segment.
func (r *newReno) CongestionExperienced(_ time.Duration, flight int) {
	r.undoable = false
	r.reduce(r.loss(flight)/2, 1)
	r.acked = 0
}

func (r *newReno) save() { r.saved, r.undoable = r.reno, true }

// Undo brings the threshold back (RFC 4015 §3.4), and the window.
func (r *newReno) Undo(time.Duration) {
	if r.undoable && r.cwnd < r.saved.cwnd {
		r.saved.ssthresh = max(r.saved.ssthresh, r.ssthresh)
		r.reno = r.saved
	}
	r.undoable = false
}

// Idle restarts the window (RFC 5681 §4.1).
func (r *newReno) Idle(_ time.Duration, idle, rto time.Duration) {
	if r.restart(idle, rto) {
		r.acked, r.undoable = 0, false
	}
}

// Unused reduces the window (RFC 2861 §3.1).
func (r *newReno) Unused(used int) {
	if r.unused(used) {
		r.acked, r.undoable = 0, false
	}
}

// SetMSS changes the segments that the window and its past are counted in.
func (r *newReno) SetMSS(mss int) {
	r.setMSS(mss)
	if r.undoable {
		r.saved.setMSS(mss)
	}
}

// Exit ends recovery.
func (r *newReno) Exit(window int) {
	r.exit(window)
	r.acked = 0
}
