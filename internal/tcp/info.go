package tcp

import "time"

// Counters are what SIO_TCP_INFO tells, and some more.
type Counters struct {
	BytesIn, BytesOut         uint64 // in order; without what was sent again
	BytesResent               uint64
	EarlySegments, EarlyBytes uint64 // came ahead of missing ones
	DupAcksIn                 uint64 // RFC 5681 §2
	Timeouts                  uint64
	Fast                      uint64 // recoveries that no time-out began
	SynResent                 uint8
}

// Info is what SIO_TCP_INFO tells of a connection; sizes are in bytes.
type Info struct {
	MSS            int
	Timestamps     bool          // both SYNs have them
	MinRTT, SRTT   time.Duration // 0: not measured
	InFlight       int           // data sent and not acknowledged
	Cwnd           int           // the congestion window
	SndWnd, RcvWnd int           // the windows as the last segments say them
	Counters
}

// Info returns what there is to tell at the moment.
func (c *Conn) Info() Info {
	info := Info{
		MSS: c.snd.mss, Timestamps: c.stamps,
		MinRTT: c.MinRTT(), SRTT: c.rtt.smoothed,
		InFlight: c.snd.flying(),
		SndWnd:   c.snd.window, RcvWnd: max(0, c.rcv.told.From(c.rcv.lastAck)),
		Counters: c.Counters,
	}
	if c.out.control != nil {
		info.Cwnd = c.out.control.Window()
	}
	return info
}

// flying is how many bytes of data are in flight, without SYN and FIN.
func (s *sender) flying() int { return max(0, earlier(s.next, s.queue.end).From(s.queue.start)) }

// MinRTT is the least round trip since the connection began; 0: none was measured.
func (c *Conn) MinRTT() time.Duration { return c.rtt.shortest }

// LargestWindow is the largest window that the peer has offered, in bytes.
func (c *Conn) LargestWindow() int { return c.snd.largest }

// Established is when the handshake was complete: with the SYN-ACK for the side that
// has opened the connection, with its acknowledgement for the other; 0: it isn't yet.
func (c *Conn) Established() time.Duration { return c.since }

// Left is how many bytes of what was accepted aren't acknowledged, after the end too:
// Queued is 0 by then.
func (c *Conn) Left() int { return c.left + c.Queued() }
