package transport

import (
	"time"

	"github.com/wsstack/wsstack/internal/tcp"
)

// How long a request is held: it is forgotten when the next retransmission of its SYN is overdue,
// because the sender has given up (CA-7). The gaps between retransmissions double.
const (
	firstPatience = 7500 * time.Millisecond // the first gap is 3 s at most
	gapPatience   = 2.5                     // times the last gap
)

// holdLocked enters the record of a request.
func (l *Listener) holdLocked(h *half) {
	now := l.proto.now()
	h.held, h.last, h.patience = true, now, firstPatience
	l.held++
	l.enterLocked(h)
	l.scheduleLocked(now, h)
	l.armLocked(now)
}

// againLocked takes a segment for a request that is held. A copy of the SYN renews the patience
// (CA-7); a SYN with another number is a new attempt of the same peer, and takes the place of the
// first. A RST ends the request only where it has the SYN's number or the next one, because anybody
// can send a RST; other segments have no connection that they could belong to.
func (l *Listener) againLocked(h *half, a origin, s *tcp.Segment) outcome {
	now := l.proto.now()
	switch {
	case s.Flags.Has(tcp.RST):
		if s.Seq == h.IRS || s.Seq == h.IRS+1 {
			l.removeLocked(h)
			l.cfg.Lost(h.id)
		}
		return outcome{}
	case s.Flags.Has(tcp.ACK):
		return outcome{refused: true}
	case !s.Flags.Has(tcp.SYN):
		return outcome{}
	case s.Seq == h.IRS:
		h.patience = max(firstPatience, time.Duration(float64(now-h.last)*gapPatience))
	default:
		h.syn(s, 0)
		h.origin, h.patience = a, firstPatience
	}
	h.last = now
	l.scheduleLocked(now, h)
	return outcome{}
}

// Decide ends a Hold: with Admit the SYN-ACK leaves, with Reject a RST, with Drop nothing, as if
// the SYN had not come. Decide reports whether the request was there. A request that is admitted
// when too many connections are half open is lost: its record would be one too many, and without a
// record nobody would hear that the handshake has failed.
func (l *Listener) Decide(id ID, d Decision) bool {
	l.mu.Lock()
	h := l.records[id]
	if h == nil || !h.held || d == Hold {
		l.mu.Unlock()
		return false
	}
	var o outcome
	switch {
	case d != Admit:
		l.removeLocked(h)
	case l.fullLocked():
		l.removeLocked(h)
		l.cfg.Lost(id)
		o = l.dropLocked()
	default:
		h.held = false
		l.held--
		o = l.admitLocked(h)
	}
	l.mu.Unlock()
	l.send(&o)
	if d == Reject {
		l.proto.reply(h.origin, h.refusal(), l.cfg.Tap)
	}
	return true
}

// refusal is the RST that answers the SYN of a request (RFC 9293 §3.10.7.1).
func (h *half) refusal() *tcp.Segment {
	return &tcp.Segment{Ack: h.IRS + 1, Flags: tcp.RST | tcp.ACK}
}
