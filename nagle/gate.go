// Package nagle decides when a partial segment may leave: Nagle's algorithm (RFC 896, RFC 1122
// §4.2.3.4) and the sender's avoidance of silly windows (RFC 1122 §4.2.3.4). The package is pure:
// it holds no bytes, no clock and no lock.
package nagle

// A Gate stands between the bytes that an application has sent and the segments that leave. The
// zero Gate is Nagle's algorithm.
//
//	        full segments                      ┌──▶ leaves now
//	queued ───────────────────────────────────┤
//	        the rest: nothing in flight,       │
//	        TCP_NODELAY, urgent data, FIN ─────┘
type Gate struct {
	NoDelay bool // TCP_NODELAY: a partial segment needn't wait for an acknowledgement
}

// A State is what a Gate looks at: a connection at one moment. Sizes are in bytes.
type State struct {
	Queued   int  // accepted from the application and not sent yet
	InFlight int  // SND.NXT − SND.UNA
	MSS      int  // the payload of a full segment, at least 1
	Usable   int  // SND.UNA + SND.WND − SND.NXT: what the peer's window leaves
	Largest  int  // the largest window that the peer has offered
	Urgent   bool // urgent data is queued
	FIN      bool // a FIN is queued behind the data
	Override bool // the timer of silly-window avoidance has fired
}

// Release says how many of the queued bytes may leave now, from the front (NG-2, NG-9). What stays
// waits for an acknowledgement, for more data, for a change of the State's flags or, where the
// State is Silly with nothing in flight, for a timer (NG-9).
func (g Gate) Release(s State) int {
	if s.Urgent || s.FIN {
		return s.Queued
	}
	if s.Silly() {
		if s.Override && s.InFlight == 0 {
			return min(s.Queued, s.Usable)
		}
		return 0
	}
	full := s.Queued - s.Queued%s.MSS
	switch {
	case s.InFlight == 0 && full == 0: // idle: the rest leaves at once (NG-3), or a closed window is probed
		return s.Queued
	case g.NoDelay && s.Queued <= s.Usable:
		return s.Queued
	}
	return full
}

// Silly reports whether the peer's usable window is too small to be used (RFC 1122 §4.2.3.4, NG-9):
// less than a segment, less than half of the largest window that the peer has ever offered, and
// less than all that waits. The answer doesn't depend on TCP_NODELAY. A closed window is not silly:
// the sender probes it.
func (s State) Silly() bool {
	return s.Usable > 0 && s.Usable < s.MSS && s.Usable < (s.Largest+1)/2 && s.Usable < s.Queued
}
