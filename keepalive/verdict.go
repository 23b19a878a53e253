package keepalive

import "github.com/wsstack/wsstack/wsa"

// A Cause is why a connection ended other than by a graceful close.
type Cause uint8

// The causes. The cause that came first counts, and every code that a call returns later follows
// from that cause.
const (
	Alive         Cause = iota // the connection hasn't ended
	Dropped                    // keep-alive found the peer gone
	PeerReset                  // the peer sent a RST
	Retransmitted              // the peer didn't answer as many transmissions as the limit allows
	UserTimeout                // the time of TCP_MAXRT has passed
	LocalAbort                 // we have sent a RST: for unread data after SD_RECEIVE, or a protocol error
	ClosedReset                // the peer sent a RST after its FIN: it has closed, and we sent (RS-3)
)

// An Evidence is what is known of a connection that has ended. An ICMP error may have come before a
// time-out ended it, so the verdict is drawn from what happened to the connection, and not from
// the last error (KA-37).
type Evidence struct {
	Dropped     bool // the Prober said Drop
	ResetSeen   bool // a RST came
	PeerClosed  bool // the peer's FIN had come before
	TimedOut    bool // the retransmission limit was reached
	UserTimeout bool // the time of TCP_MAXRT had passed
	Aborted     bool // we have aborted the connection
	Unacked     int  // how many bytes weren't acknowledged at the end
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

// InProgress is the code of a call that was blocked when the connection ended (KA-30), which
// SO_ERROR reads once.
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
