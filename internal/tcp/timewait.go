package tcp

import (
	"time"

	"github.com/wsstack/wsstack/internal/serial"
)

// Remains are what TIME-WAIT keeps of a connection (RFC 9293 §3.6.1): 20 bytes. The caller keeps
// them with the addresses, and knows when they end.
type Remains struct {
	next        Seq    // SND.NXT
	rcvNext     Seq    // RCV.NXT
	stampOffset uint32 // the offset of our timestamps
	recent      uint32 // the peer's last timestamp
	window      uint16 // the window field of our last segment
	stamps      bool   // both SYNs had timestamps
}

// Remains is what is to be kept of a connection that is TimeWait.
func (c *Conn) Remains() Remains {
	return Remains{next: c.snd.next, rcvNext: c.rcv.next, window: c.rcv.field(), stamps: c.stamps,
		stampOffset: c.cfg.StampOffset, recent: c.rcv.tsRecent}
}

// A TimeWaitVerdict says what a segment does to TIME-WAIT.
type TimeWaitVerdict uint8

// The verdicts.
const (
	Ignore TimeWaitVerdict = iota // nothing happens
	Answer                        // the segment that is returned leaves; see Restarts, too
	Reuse                         // it is the SYN of a new connection: a listener may have it (RFC 6191)
)

// Segment judges a segment of the four-tuple. RSTs change nothing (RFC 1337 §3). With Reuse our
// initial sequence number in the new connection should lie beyond Next.
func (w *Remains) Segment(now time.Duration, s *Segment) (answer Segment, v TimeWaitVerdict) {
	o := &s.Options
	switch {
	case s.Flags&RST != 0:
		return Segment{}, Ignore
	case s.Flags&(SYN|ACK) == SYN && w.reusable(s):
		return Segment{}, Reuse
	case w.stamps && o.Timestamps && serial.Before(o.TSVal, w.recent) && s.Flags&FIN == 0,
		s.Len() > 0, s.Seq != w.rcvNext, s.Flags&ACK != 0 && s.Ack.After(w.next):
		return w.ack(now), Answer
	}
	return Segment{}, Ignore // a duplicate acknowledgement: an answer might draw another
}

// reusable reports whether a SYN is later than everything before (RFC 6191 §2).
func (w *Remains) reusable(s *Segment) bool {
	if w.stamps && s.Options.Timestamps {
		if d := serial.Distance(w.recent, s.Options.TSVal); d != 0 {
			return d > 0
		}
	}
	return s.Seq.After(w.rcvNext)
}

// ack is our last acknowledgement once more.
func (w *Remains) ack(now time.Duration) Segment {
	s := Segment{Seq: w.next, Ack: w.rcvNext, Flags: ACK, Window: w.window}
	s.Options.Scale = NoScale
	if w.stamps {
		s.Options.Timestamps = true
		s.Options.TSVal, s.Options.TSEcr = timestamp(w.stampOffset, now), w.recent
	}
	return s
}

// Restarts reports whether the segment is the peer's FIN once more: the peer hasn't seen the
// acknowledgement, and 2 MSL begin anew (RFC 9293 §3.10.7.4).
func (w *Remains) Restarts(s *Segment) bool {
	return s.Flags&FIN != 0 && s.End() == w.rcvNext
}

// Next is the sequence number behind the last one that was sent.
func (w *Remains) Next() Seq { return w.next }
