package transport

import "github.com/wsstack/wsstack/internal/tcp"

// firstLocked takes the first segment of a connection: a SYN, or the
// acknowledgement of a cookie (RFC 9293 §3.10.7.2). Another acknowledgement is
// answered by a RST, everything else is dropped, unless Hooks.OddResets says
// otherwise.
func (l *Listener) firstLocked(a origin, s *tcp.Segment, after tcp.Seq) outcome {
	switch {
	case s.Flags.Has(tcp.RST):
		return outcome{}
	case l.proto.hooks.OddResets && odd(s.Flags):
		return outcome{refused: true}
	case s.Flags.Has(tcp.ACK):
		h := l.cookieLocked(a, s)
		if h == nil {
			return outcome{refused: true}
		}
		return outcome{made: l.completeLocked(h)}
	case !s.Flags.Has(tcp.SYN):
		return outcome{}
	case l.held >= maxHeld:
		return l.dropLocked()
	}
	lent := *s // see Tap.show
	switch l.cfg.Ask(a.id, &lent) {
	case Drop:
		return l.dropLocked()
	case Reject:
		return outcome{refused: true}
	case Hold:
		h := l.recordLocked(a)
		h.syn(s, after)
		l.holdLocked(h)
		return outcome{}
	}
	h := l.recordLocked(a)
	if l.fullLocked() {
		return l.sendCookieLocked(h, s)
	}
	h.syn(s, after)
	l.enterLocked(h)
	return l.admitLocked(h)
}

// odd reports whether flags are none that a first segment has: no SYN, ACK or RST, or SYN and FIN.
func odd(flags tcp.Flags) bool {
	return flags&(tcp.SYN|tcp.ACK|tcp.RST) == 0 || flags.Has(tcp.SYN|tcp.FIN)
}

// fullLocked reports whether as many connections are half open as are allowed.
func (l *Listener) fullLocked() bool { return len(l.records)-l.held >= maxHalfOpen }

// dropLocked counts a SYN that isn't answered.
func (l *Listener) dropLocked() outcome {
	l.proto.stack.Stats().TCP.ListenOverflowSynDrop.Increment()
	return outcome{}
}

// recordLocked makes the record of a connection that begins now, without its SYN. The record isn't
// entered yet.
func (l *Listener) recordLocked(a origin) *half {
	h := &half{origin: a, set: l.cfg.Make(a.id)}
	if w, err := l.proto.find(a, &h.set); err == nil {
		w.route.Release() // each segment finds its own: there may be thousands of records
	}
	l.proto.chooseNumbers(&a.id, &h.set.Config)
	return h
}

// sendCookieLocked answers a SYN with a cookie.
func (l *Listener) sendCookieLocked(h *half, s *tcp.Segment) outcome {
	p := l.proto
	now, t := p.now(), tupleOf(&h.id)
	h.HalfOpen = p.secret.Cookie(now, t.slice(), s)
	l.cookies = now + cookieLife
	p.stack.Stats().TCP.ListenOverflowSynCookieSent.Increment()
	return outcome{about: h, answer: h.SynAck(now, h.set.Config)}
}

// cookieLocked makes the record of a connection whose SYN was answered by a cookie that this
// segment acknowledges. It returns nil where the segment acknowledges none.
func (l *Listener) cookieLocked(a origin, s *tcp.Segment) *half {
	p := l.proto
	now := p.now()
	if now > l.cookies {
		return nil
	}
	t := tupleOf(&a.id)
	record, ok := p.secret.Check(now, t.slice(), s)
	if !ok {
		p.stack.Stats().TCP.ListenOverflowInvalidSynCookieRcvd.Increment()
		return nil
	}
	p.stack.Stats().TCP.ListenOverflowSynCookieRcvd.Increment()
	h := l.recordLocked(a)
	h.HalfOpen = record
	return h
}

// laterLocked takes a segment of a half-open connection.
func (l *Listener) laterLocked(h *half, s *tcp.Segment) outcome {
	switch v, answer := h.Segment(s, 65535); v {
	case tcp.SynRepeat:
		h.resent++
		l.noteLocked(h, SegmentIn|SegmentOut)
		return outcome{about: h, answer: h.Repeat(l.proto.now(), h.set.Config)}
	case tcp.Ends:
		l.removeLocked(h)
		l.cfg.Lost(h.id)
	case tcp.Complete:
		return outcome{made: l.completeLocked(h)}
	default:
		if answer.Flags != 0 {
			answer.Options.Scale = tcp.NoScale // no SYN is sent so
			return outcome{about: h, answer: answer}
		}
	}
	return outcome{}
}

// completeLocked makes the connection of a record. It returns nil where there is no way to the
// peer, or another connection has the tuple: the SYN-ACK then asks again.
func (l *Listener) completeLocked(h *half) *Conn {
	p := l.proto
	set := h.set
	w, err := p.find(h.origin, &set)
	if err != nil {
		return nil
	}
	if w.tap == nil {
		w.tap = l.cfg.Tap
	}
	c := p.newConn(w)
	c.silent = set.Silent
	c.engine = h.Conn(p.now(), set.Config)
	c.engine.Counters.Resent = h.resent
	c.snapshot.store(c.engine)
	c.log = h.log
	if p.table.add(c) != nil {
		w.route.Release()
		return nil
	}
	h.log = nil // it is the connection's
	l.removeLocked(h)
	return c
}
