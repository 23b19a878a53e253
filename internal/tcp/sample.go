package tcp

import (
	"math"
	"time"
)

// A Sample is what can be seen of a connection at one moment: the numbers of RFC 9293 §3.3.1, those
// that bound what is sent, and the round trip. Nothing has changed between two Samples that are
// equal. Una, Next and RcvNext count from the SYN of the side that they are of, which has 0; they
// go round as sequence numbers do.
type Sample struct {
	State     State
	Una, Next uint32 // SND.UNA and SND.NXT
	RcvNext   uint32 // RCV.NXT; 0: the peer's SYN hasn't come

	SendWindow    int // the peer's window as its last segment says it, in bytes
	ReceiveWindow int // our window as our last segment says it, in bytes
	InFlight      int // bytes of data that were sent and aren't acknowledged

	Cwnd     int // the congestion window in bytes; 0: there is none yet, or none any more
	Ssthresh int // the slow-start threshold in bytes; 0: arbitrarily high, or none

	SRTT   time.Duration // the smoothed round trip; 0: none was measured
	RTTVar time.Duration // its variance
	RTO    time.Duration // the retransmission time-out, with its back-off

	Resent uint64 // Counters.Resent
}

// Sample is what can be seen of the connection now.
func (c *Conn) Sample() Sample {
	s := Sample{
		State: c.state,
		Una:   uint32(c.snd.una - c.cfg.ISS), Next: uint32(c.snd.next - c.cfg.ISS),
		RcvNext:    uint32(c.rcv.next - c.rcv.irs),
		SendWindow: c.snd.window, ReceiveWindow: max(0, c.rcv.told.From(c.rcv.lastAck)),
		InFlight: c.snd.flying(),
		SRTT:     c.rtt.smoothed, RTTVar: c.rtt.variance, RTO: c.rtt.rto(),
		Resent: c.Counters.Resent,
	}
	if k := c.out.control; k != nil {
		s.Cwnd = k.Window()
		if t := k.Threshold(); t != math.MaxInt {
			s.Ssthresh = t
		}
	}
	return s
}

// Sample is what can be seen of a half-open connection: the connection as cfg and the SYN make it,
// in SYN-RECEIVED. resent is how often the SYN-ACK has left again.
func (h *HalfOpen) Sample(now time.Duration, cfg Config, resent uint64) Sample {
	c := h.conn(now, cfg)
	c.Counters.Resent = resent
	return c.Sample()
}
