package tcp

import (
	"math"
	"time"
)

// Counters count what a connection has sent and received: what SIO_TCP_INFO tells.
type Counters struct {
	BytesIn       uint64 // bytes that came in order
	BytesOut      uint64 // bytes that were sent for the first time
	BytesResent   uint64 // bytes that were sent again
	Resent        uint64 // segments that were sent again: SYNs, data and FINs
	EarlySegments uint64 // segments that came ahead of missing ones
	EarlyBytes    uint64 // the bytes in them
	DupAcksIn     uint64 // duplicate acknowledgements that came (RFC 5681 §2)
	Timeouts      uint64 // retransmission time-outs of data
	Fast          uint64 // recoveries that no time-out began
	SynResent     uint8  // how often our SYN, or SYN-ACK, was sent again
}

// An Info is what SIO_TCP_INFO tells of a connection; sizes are in bytes.
type Info struct {
	MSS        int           // the payload of a full segment
	Timestamps bool          // both SYNs have timestamps
	MinRTT     time.Duration // the least round trip; 0: none was measured
	SRTT       time.Duration // the smoothed round trip; 0: none was measured
	InFlight   int           // data that was sent and isn't acknowledged
	Cwnd       int           // the congestion window
	SndWnd     int           // the peer's window as its last segment says it
	RcvWnd     int           // our window as our last segment says it
	SACK       bool          // both SYNs permit selective acknowledgements
	RTTVar     time.Duration // the variation of the round trip; 0: none was measured
	RTO        time.Duration // the retransmission time-out, with its back-off
	SSThresh   int           // the slow start threshold; 0: there is none yet
	Congestion string        // the congestion control, as its RFC writes it
	Phase      string        // what governs the window: see Phase
	BytesAcked uint64        // how many bytes of BytesOut are acknowledged
	Counters
}

// Info is what there is to tell of the connection at the moment.
func (c *Conn) Info() Info {
	info := Info{
		MSS: c.snd.mss, Timestamps: c.stamps,
		MinRTT: c.MinRTT(), SRTT: c.rtt.smoothed,
		InFlight: c.snd.flying(),
		SndWnd:   c.snd.window, RcvWnd: max(0, c.rcv.told.From(c.rcv.lastAck)),
		SACK: c.sack, RTTVar: c.rtt.variance, RTO: c.rtt.rto(),
		Congestion: c.cfg.Algorithm.String(), Phase: c.Phase(),
		// A FIN, or what was never sent, is in one of the two and not in the other.
		BytesAcked: c.Counters.BytesOut - min(c.Counters.BytesOut, uint64(min(c.Left(), c.InFlight()))),
		Counters:   c.Counters,
	}
	if c.out.control != nil {
		info.Cwnd = c.out.control.Window()
		if t := c.out.control.Threshold(); t != math.MaxInt {
			info.SSThresh = t
		}
	}
	return info
}

// Phase is the phase of the congestion window: "slow start", "avoidance", "recovery" (fast
// recovery) or "loss" (after a retransmission time-out). It is empty before the handshake is
// complete and after the connection has ended.
func (c *Conn) Phase() string {
	switch {
	case c.out.control == nil:
		return ""
	case c.out.phase == recovering:
		return "recovery"
	case c.out.phase == repairing:
		return "loss"
	case c.out.control.SlowStart():
		return "slow start"
	}
	return "avoidance"
}

// flying is how many bytes of data are in flight; SYN and FIN don't count.
func (s *sender) flying() int { return max(0, earlier(s.next, s.queue.end).From(s.queue.start)) }

// MinRTT is the least round trip since the connection began. It is 0 until one was measured.
func (c *Conn) MinRTT() time.Duration { return c.rtt.shortest }

// LargestWindow is the largest window that the peer has offered, in bytes.
func (c *Conn) LargestWindow() int { return c.snd.largest }

// Established is when the handshake was complete: when the SYN-ACK came for the side that has
// opened the connection, when its acknowledgement came for the other. It is 0 before.
func (c *Conn) Established() time.Duration { return c.since }

// Left is how many bytes were accepted and weren't acknowledged when the connection ended;
// while it lives, Left is Queued.
func (c *Conn) Left() int { return c.left + c.Queued() }
