package tcp

import "time"

// Close queues our FIN behind the data: nothing more is sent.
func (c *Conn) Close(now time.Duration) {
	switch c.state {
	case SynSent:
		c.becomeClosed(None)
	case SynReceived, Established, CloseWait:
		c.snd.fin = true
		c.endUrgent()
		if c.state != SynReceived { // there the FIN waits for the handshake (RFC 9293 §3.10.4)
			c.becomeClosing()
		}
		c.armOrphan(now)
	}
}

// Abort ends the connection with a RST in the states in which RFC 9293 §3.10.5 has one,
// which CLOSING and LAST-ACK aren't (LG-17). The RST has SND.NXT as its number, or the right
// edge of the peer's window where that has shrunk below.
func (c *Conn) Abort() {
	if c.state == Closing || c.state == LastAck {
		c.becomeClosed(Aborted)
		return
	}
	c.abort(Aborted)
}

// AbortUnread is Abort of a connection whose received data nobody reads: the peer, which may
// believe that somebody has read it, is told in CLOSING and LAST-ACK as well (LG-13, RFC 1122
// §4.2.2.13).
func (c *Conn) AbortUnread() { c.abort(Aborted) }

// Expire is Abort at the end of the time of SO_LINGER (LG-6, LG-18): the peer, which hasn't
// acknowledged our FIN, is told in CLOSING and LAST-ACK as well (LG-17).
func (c *Conn) Expire() { c.abort(TimedOut) }

// abort ends the connection with a RST in all states in which the peer knows of it.
func (c *Conn) abort(why Cause) {
	switch c.state {
	case SynReceived, Established, FinWait1, FinWait2, CloseWait, Closing, LastAck:
		c.reset = c.rst()
	}
	c.becomeClosed(why)
}

// rst is the RST that ends the connection: no segment of the peer's asked for it.
func (c *Conn) rst() Segment {
	seq := c.snd.next
	if edge := c.snd.una.Add(c.snd.window); edge.Before(seq) && c.state != SynReceived {
		seq = edge
	}
	return Segment{Seq: seq, Ack: c.rcv.next, Flags: RST | ACK}
}
