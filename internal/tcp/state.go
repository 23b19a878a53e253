package tcp

// A State is a connection state of RFC 9293 §3.3.2. There is no LISTEN: a listener has
// records of half-open connections (HalfOpen), and a Conn once the handshake is
// complete.
type State uint8

// The states.
const (
	Closed      State = iota // over, or not begun
	SynSent                  // our SYN is out
	SynReceived              // both SYNs are out, ours isn't acknowledged
	Established              // data flows both ways
	FinWait1                 // our FIN is queued or out, not acknowledged
	FinWait2                 // our FIN is acknowledged, the peer's hasn't come
	CloseWait                // the peer's FIN has come, ours isn't queued
	Closing                  // both FINs are out, ours isn't acknowledged, the peer's came second
	LastAck                  // both FINs are out, ours isn't acknowledged, the peer's came first
	TimeWait                 // both FINs are acknowledged, ours was first
)

// String is the name of the state as RFC 9293 writes it.
func (s State) String() string {
	return [...]string{"CLOSED", "SYN-SENT", "SYN-RECEIVED", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2",
		"CLOSE-WAIT", "CLOSING", "LAST-ACK", "TIME-WAIT"}[s]
}

// Synchronized reports whether both SYNs are acknowledged (RFC 9293 §3.5.2).
func (s State) Synchronized() bool { return s >= Established }

// A Cause says why a connection is Closed.
type Cause uint8

// The causes.
const (
	None            Cause = iota // the connection isn't Closed, or ended gracefully
	Refused                      // a RST answered our SYN
	ResetByPeer                  // a RST came
	Aborted                      // Abort was called, or the peer sent data to a closed socket
	TimedOut                     // data, a FIN or a SYN was sent as often as the limit allows
	UserTimeout                  // the user time-out (TCP_MAXRT) has passed
	KeepAliveDrop                // the peer answers no keep-alive probe
	PeerUnreachable              // an ICMP error answered our SYN
	Unwanted                     // data came that nobody takes: see Deafen
)

// String is the cause in words, for logs.
func (c Cause) String() string {
	return [...]string{"none", "refused", "reset by peer", "aborted", "retransmission time-out", "user time-out",
		"keep-alive drop", "unreachable", "unwanted data"}[c]
}

// Events are the changes of a connection since TakeEvents was last called.
type Events uint8

// The events.
const (
	Connected     Events = 1 << iota // the handshake is complete
	Readable                         // data or the peer's FIN has come
	Acked                            // bytes were acknowledged: there is room
	AllAcked                         // everything that was accepted, and the FIN, is acknowledged
	Urgent                           // urgent data was announced
	Over                             // the connection has become Closed; see Cause
	TimeWaitBegan                    // the connection has become TimeWait
)

// The transitions:
//
//	          Open                              HalfOpen.Conn
//	Closed ─────────▶ SynSent ──┐                    │
//	                     │ SYN  │ SYN,ACK            │
//	                     ▼      ▼         ACK        ▼
//	               SynReceived ───────▶ Established ◀┘
//	                           ACK  Close │     │ FIN
//	                                      ▼     ▼
//	                  FinWait1 ◀──────────┘   CloseWait ──Close──▶ LastAck ──ACK──▶ Closed
//	         ACK of FIN │  │ FIN
//	                    ▼  └──────▶ Closing ──ACK of FIN──┐
//	                 FinWait2 ───────────FIN─────────▶ TimeWait ──2 MSL──▶ Closed
//
// Each of the methods below is a transition; nothing else writes Conn.state.

func (c *Conn) becomeSynSent()     { c.state = SynSent }
func (c *Conn) becomeSynReceived() { c.state = SynReceived }

func (c *Conn) becomeEstablished() {
	c.state = Established
	c.events |= Connected
}

// becomeClosing follows Close: our FIN is queued.
func (c *Conn) becomeClosing() {
	switch c.state {
	case Established:
		c.state = FinWait1
	case CloseWait:
		c.state = LastAck
	}
}

// becomeFinReceived follows the peer's FIN, when everything before it has come.
func (c *Conn) becomeFinReceived() {
	c.events |= Readable
	switch c.state {
	case Established:
		c.state = CloseWait
	case FinWait1: // our FIN isn't acknowledged, or becomeFinAcked came first
		c.state = Closing
	case FinWait2:
		c.becomeTimeWait()
	}
}

// becomeFinAcked follows the acknowledgement of our FIN.
func (c *Conn) becomeFinAcked() {
	switch c.state {
	case FinWait1:
		c.state = FinWait2
	case Closing:
		c.becomeTimeWait()
	case LastAck:
		c.becomeClosed(None)
	}
}

func (c *Conn) becomeTimeWait() {
	c.state = TimeWait
	c.events |= TimeWaitBegan
	c.timers = timers{}
	c.keepAlive.Stop()
}

// becomeClosed ends the connection and gives back what it holds. What was
// received stays readable after a graceful end only, until somebody aborts what is over.
func (c *Conn) becomeClosed(why Cause) {
	if c.state == Closed {
		if why != None {
			c.rcv.queue.release()
		}
		return
	}
	c.state, c.cause = Closed, why
	c.left = c.Queued()
	c.events |= Over
	c.timers = timers{}
	c.keepAlive.Stop()
	c.snd.release()
	c.rcv.pieces.release()
	c.out = outRecovery{}
	if why != None {
		c.rcv.queue.release()
		c.notices = nil
	}
}
