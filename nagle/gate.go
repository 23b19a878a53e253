// Package nagle decides when a partial segment may leave: Nagle's algorithm
// (RFC 896, RFC 1122 §4.2.3.4) and sender silly-window avoidance (RFC 1122
// §4.2.3.4). It is pure: it holds no bytes, no clock and no lock.
package nagle

// A Gate stands between the bytes an application has sent and the transport,
// which sends whatever it is given as soon as its windows allow. The zero Gate
// is Nagle's algorithm, strict.
//
//	        full segments                      ┌──▶ transport
//	queued ───────────────────────────────────┤
//	        the rest: nothing in flight,       │
//	        TCP_NODELAY, urgent data, FIN ─────┘
type Gate struct {
	NoDelay bool // TCP_NODELAY

	// Minshall lets one partial segment leave while only full ones are in
	// flight (C-45). The strict rule holds it until everything is
	// acknowledged.
	Minshall bool
}

// State is what a Gate looks at: the connection at one moment, in bytes.
type State struct {
	Queued   int  // accepted from the application and held here: with Unsent, Q of the RFC
	Unsent   int  // given to the transport and not sent yet: its windows are closed
	InFlight int  // SND.NXT − SND.UNA
	MSS      int  // payload of a full segment, at least 1
	Usable   int  // SND.UNA + SND.WND − SND.NXT: what the peer's window leaves
	Largest  int  // the largest window the peer has offered
	Urgent   bool // urgent data is queued
	FIN      bool // a FIN is queued behind the data
	Partial  bool // some segment in flight is shorter than MSS
	Override bool // the timer of silly-window avoidance has fired
}

// Release says how many of the queued bytes may be given to the transport now,
// from the front (NG-2, NG-9). What stays waits for an acknowledgement, for
// more data, for a change of the State's flags or, when the State is Silly with
// nothing in flight, for a timer (NG-9).
func (g Gate) Release(s State) int {
	if s.Urgent || s.FIN {
		return s.Queued
	}
	if s.Silly() {
		if s.Override && s.InFlight == 0 {
			return min(s.Queued, max(0, s.Usable-s.Unsent))
		}
		return 0
	}
	// What was released before may have left a part of a segment behind.
	full := max(0, s.Queued-(s.Unsent+s.Queued)%s.MSS)
	switch {
	case s.Unsent == 0 && s.InFlight == 0 && full == 0: // idle: it leaves at once (NG-3), or is what the transport probes with
		return s.Queued
	case s.Unsent > 0: // the transport would send the rest as a segment of its own, later
		return full
	case g.NoDelay && s.Queued <= s.Usable:
		return s.Queued
	case g.Minshall && !s.Partial:
		return s.Queued
	}
	return full
}

// Silly reports that the peer's usable window is too small to be used (RFC 1122
// §4.2.3.4, NG-9): less than a segment, less than half of the largest window it
// ever offered, and less than all that waits. It holds whatever TCP_NODELAY
// says. A closed window is not silly: the transport probes it.
func (s State) Silly() bool {
	return s.Usable > 0 && s.Usable < s.MSS && s.Usable < (s.Largest+1)/2 && s.Usable < s.Queued+s.Unsent
}
