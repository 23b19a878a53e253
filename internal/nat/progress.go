package nat

// A progress is how far a TCP connection is, as its segments show. Sequence numbers are not looked
// at: whoever can write to both ends' addresses can end a session early, never prolong another one.
//
//	opening ──SYN both ways──▶ established ──FIN both ways──▶ closing
//	   ▲                         │     ▲                         │
//	   │                        RST   no RST                     │
//	   │                         ▼     │                         │
//	   └───────────SYN──────── reset ──┴──────────SYN────────────┘
//
// RFC 5382 REQ-5 has long time-outs for established connections, and short ones for the others. A
// reset may be a forged one: if other segments follow, the connection lives on (RFC 7857 §2.2).
type progress struct {
	synOut, synIn bool
	finOut, finIn bool
	reset         bool
}

// established reports a connection that is open, be it in one direction only.
func (p *progress) established() bool {
	return p.synOut && p.synIn && !(p.finOut && p.finIn) && !p.reset
}

// see takes in a packet of the session. Of the router's own connections all that counts is whether
// the latest segment ended one.
func (s *session) see(v *view, out bool) {
	if v.protocol != TCP {
		return
	}
	p, flags := &s.tcp, v.transport[tcpFlags]
	syn, fin := flags&flagSYN != 0, flags&flagFIN != 0
	if s.remote == theRouter {
		over := fin || flags&flagRST != 0
		*p = progress{synOut: !over, synIn: !over}
		return
	}
	if syn && (p.reset || p.finOut && p.finIn) {
		*p = progress{} // the ports are used again
	}
	p.reset = flags&flagRST != 0
	if out {
		p.synOut, p.finOut = p.synOut || syn, p.finOut || fin
	} else {
		p.synIn, p.finIn = p.synIn || syn, p.finIn || fin
	}
}
