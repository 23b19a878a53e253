package transport

import (
	"time"

	"github.com/wsstack/wsstack/internal/agenda"
	"github.com/wsstack/wsstack/internal/tcp"
)

// How long a handshake may take: as long as a connect of ours (NB-1), and while many
// are half open, until after the second retransmission of the SYN-ACK. Nobody hears
// of the end: a client that still wants to connect sends its SYN again.
const (
	halfPatience    = 21 * time.Second
	floodedPatience = 7 * time.Second
	flooded         = 1024 // many are half open, on all listeners of the Protocol together
)

// A half is the record of a half-open connection, or of a request that is held: some
// 300 bytes.
type half struct {
	tcp.HalfOpen
	origin
	agenda.Slot               // At: when something is due; Order: the order of arrival
	set         Settings      // of the connection, with what the way to the peer decides
	since       time.Duration // when the handshake began
	resent      uint64        // how often the SYN-ACK has left again
	log         Log           // nil: no Recorder has heard of the connection

	held     bool          // the record is a request that is held: nothing leaves yet
	last     time.Duration // of a request: when the SYN came last
	patience time.Duration // of a request: how long the next copy of the SYN may take
}

// syn takes the SYN of the connection. Our numbers are to lie beyond after, unless that is 0.
func (h *half) syn(s *tcp.Segment, after tcp.Seq) {
	if after != 0 && !h.set.ISS.After(after) {
		h.set.ISS = after.Add(1 << 16)
	}
	h.HalfOpen = tcp.NewHalfOpen(h.set.ISS, s)
}

// reset is the RST for a half-open connection that ends, with the number that the
// peer expects (RFC 9293 §3.10.5).
func (h *half) reset() *tcp.Segment {
	s := &tcp.Segment{Seq: h.ISS + 1, Ack: h.IRS + 1, Flags: tcp.RST | tcp.ACK}
	s.Options.Scale = tcp.NoScale // no SYN is sent so
	return s
}

// HalfOpen is how many connections are half open, on all listeners together. Requests that are held
// don't count.
func (p *Protocol) HalfOpen() int { return int(p.halfOpen.Load()) }

// life is how long a handshake may take at the moment.
func (p *Protocol) life() time.Duration {
	if p.halfOpen.Load() >= flooded {
		return floodedPatience
	}
	return halfPatience
}

// enterLocked takes in a record; the order of these calls is the order of arrival.
func (l *Listener) enterLocked(h *half) {
	l.entered++
	h.Order = l.entered
	l.records[h.id] = h
	l.agenda.Add(h)
}

// removeLocked takes a record out, if it is there.
func (l *Listener) removeLocked(h *half) {
	if l.records[h.id] != h {
		return
	}
	delete(l.records, h.id)
	l.agenda.Remove(h)
	if h.held {
		l.held--
	} else {
		l.proto.halfOpen.Add(-1)
	}
	if h.log != nil {
		h.log.End()
		h.log = nil
	}
}

// admitLocked begins the handshake of a record that was entered: the SYN-ACK leaves.
func (l *Listener) admitLocked(h *half) outcome {
	now := l.proto.now()
	h.since = now
	l.proto.halfOpen.Add(1)
	o := outcome{about: h, answer: h.SynAck(now, h.set.Config)}
	l.scheduleLocked(now, h)
	l.armLocked(now)
	l.noteLocked(h, SegmentIn|SegmentOut)
	return o
}

// scheduleLocked sets when something is due next for a record, later than now.
func (l *Listener) scheduleLocked(now time.Duration, h *half) {
	if h.At = h.since + halfPatience; h.held {
		h.At = h.last + h.patience
	} else if next := h.Next(); next > now { // one of these is the end in a flood
		h.At = min(h.At, next)
	}
	l.agenda.Fix(h)
}

// over reports whether the time of a record is over; life is how long a handshake may take.
func (h *half) over(now, life time.Duration) bool {
	if h.held {
		return now-h.last >= h.patience
	}
	return now-h.since >= life
}

// armLocked sets the timer for what is due next. A timer that would fire too early isn't moved: it
// looks again when it fires.
func (l *Listener) armLocked(now time.Duration) {
	if l.agenda.Len() == 0 || l.armed != 0 && l.armed <= l.agenda.First().At {
		return
	}
	l.armed = l.agenda.First().At
	wait := max(l.armed-now, 0)
	if l.timer == nil {
		l.timer = l.proto.clock.AfterFunc(wait, l.fire)
		return
	}
	l.timer.Reset(wait)
}

// fire is called by the timer.
func (l *Listener) fire() {
	again := l.due()
	for i := range again {
		l.send(&again[i])
	}
}

// due does what is due, and returns the SYN-ACKs that leave again.
func (l *Listener) due() (again []outcome) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.armed = 0
	now, life := l.proto.now(), l.proto.life() // the flood ends for all that are as old
	for l.agenda.Len() > 0 && l.agenda.First().At <= now {
		h := l.agenda.First()
		if h.over(now, life) {
			l.removeLocked(h)
			l.cfg.Lost(h.id)
			continue
		}
		if !h.held && h.Next() <= now {
			again = append(again, outcome{about: h, answer: h.SynAck(now, h.set.Config)})
			h.resent++
			l.noteLocked(h, TimerFired|SegmentOut)
		}
		l.scheduleLocked(now, h)
	}
	l.armLocked(now)
	return again
}
