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
	Queued  int  // accepted from the application and held here
	Unacked int  // given to the transport and not acknowledged, sent or not
	MSS     int  // payload of a full segment, at least 1
	Urgent  bool // urgent data is queued
	FIN     bool // a FIN is queued behind the data
	Partial bool // some segment in flight is shorter than MSS
}

// Release says how many of the queued bytes may be given to the transport now,
// from the front (NG-2). The rest is less than a segment and waits for an
// acknowledgement, for more data, or for a change of the State's flags.
func (g Gate) Release(s State) int {
	if g.NoDelay || s.Urgent || s.FIN {
		return s.Queued
	}
	full := s.Queued - s.Queued%s.MSS
	if full == s.Queued {
		return full
	}
	switch {
	case s.Unacked == 0 && full == 0: // idle: the first small write leaves at once (NG-3)
		return s.Queued
	case g.Minshall && !s.Partial:
		return s.Queued
	}
	return full
}

// Silly reports that the peer's usable window is too small to be used (NG-9):
// less than a segment, less than half of the largest window it ever offered,
// and less than all that waits. It holds whatever TCP_NODELAY says. A closed
// window is not silly: the transport probes it.
func Silly(usable, largest, waiting, mss int) bool {
	return usable > 0 && usable < mss && usable < (largest+1)/2 && usable < waiting
}
