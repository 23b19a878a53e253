package keepalive

import "github.com/wsstack/wsstack/wsa"

// A Cause is why a connection ended other than by a graceful close.
type Cause uint8

// The causes. The first one counts; every later code follows from it.
const (
	Alive         Cause = iota // it hasn't
	Dropped                    // keep-alive found the peer gone
	PeerReset                  // the peer sent a RST
	Retransmitted              // the retransmission limit, or a zero window given up
	UserTimeout                // TCP_MAXRT
	LocalAbort                 // our own RST: unread data after SD_RECEIVE, a protocol error
	ClosedReset                // the same, after its FIN: it has closed, and we sent (RS-3)
)

// Evidence is what is known of a connection that has ended. An ICMP error may have come before a
// time-out ended it, so the verdict is drawn from what happened to the connection, and not from
// the last error (KA-37).
type Evidence struct {
	Dropped     bool // the Prober said Drop
	ResetSeen   bool // a RST came in
	PeerClosed  bool // the peer's FIN had come before
	TimedOut    bool // the retransmission limit was reached
	UserTimeout bool // TCP_MAXRT had expired
	Aborted     bool // we aborted it
	Unacked     int  // bytes not acknowledged at the end
}

// Verdict says why the connection ended.
func Verdict(e Evidence) Cause {
	switch {
	case e.Dropped:
		return Dropped
	case e.Aborted:
		return LocalAbort
	case e.ResetSeen && e.PeerClosed:
		return ClosedReset
	case e.ResetSeen:
		return PeerReset
	case e.UserTimeout:
		return UserTimeout
	case e.TimedOut, e.Unacked > 0:
		return Retransmitted
	}
	return LocalAbort
}

// InProgress is what a call gets that was blocked when the connection ended
// (KA-30), and SO_ERROR reads once.
func (c Cause) InProgress() wsa.Errno {
	switch c {
	case Alive:
		return 0
	case Dropped:
		return wsa.WSAENETRESET
	case PeerReset, ClosedReset:
		return wsa.WSAECONNRESET
	}
	return wsa.WSAECONNABORTED
}
