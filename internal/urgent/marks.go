// Package urgent keeps account of the urgent bytes of a stream: which the peer has
// announced, which have come, which wait for recv(MSG_OOB). It is pure.
package urgent

import (
	"slices"

	"github.com/wsstack/wsstack/internal/serial"
)

// Marks are the urgent bytes that a peer has announced on a stream, and those
// of them that wait for recv(MSG_OOB). Each byte of the stream goes its own
// way:
//
//	           a segment        it has         recv(MSG_OOB), or a
//	           points at it     come           later one replaces it
//	ordinary ─────────────▶ announced ─────▶ waiting ─────────────────▶ gone
//	 ▲   │                    │     │          │                         │
//	 │   │ with               │     │          │ SO_OOBINLINE            │ recv has come to it:
//	 │   │ SO_OOBINLINE       │     ▼          │                         ▼ nobody sees it
//	 │   └─────────────────▶ in line ◀─────────┘                     consumed
//	 │                        │ │
//	 └── superseded, recv ◀───┘ └──▶ read, as any other
//
// A waiting byte is out of line from the moment it has come: recv stops before
// it and goes on behind it, though it may have been read, or replaced, long
// before. In line there is one mark, the latest; recv stops before the byte and
// behind it (OB-13).
//
// Positions are offsets in the stream modulo 2^32: 0 is the first byte. The
// bytes themselves are somewhere else; the caller says how far recv is, and
// fetches a byte when Arrived asks for it. Marks is a value without a lock; the
// zero value is a stream without urgent bytes.
type Marks struct {
	Queues bool   // a second byte doesn't replace the first (C-13)
	inline bool   // SO_OOBINLINE
	lined  bool   // there is a mark in line
	line   uint32 // it
	late   bool   // a byte that had come out of line is in line, and nobody has read it
	owed   uint32 // the last of those

	ahead []mark       // not in line, ascending, recv hasn't come to any of them
	slot  []urgentByte // waiting, in the order of arrival
	back  []byte       // to be put in front of the stream: see BecomeInline
	came  uint32       // how many have ever waited
	out   uint32       // how many bytes are gone from the stream: those, but what is back in line
}

// A mark is an urgent byte ahead of recv.
type mark struct {
	at   uint32
	here bool // it has come, and isn't part of the stream any more
}

type urgentByte struct {
	at uint32
	b  byte
}

// Bounds of what a hostile peer can make us keep: beyond the first, urgent bytes
// stay in the stream; beyond the second, the oldest is lost.
const (
	markLimit = 1024
	slotLimit = 64
)

// New is a stream without urgent bytes; inline is SO_OOBINLINE.
func New(inline bool) *Marks { return &Marks{inline: inline} }

// Waits reports that a byte waits for recv(MSG_OOB).
func (m *Marks) Waits() bool { return len(m.slot) > 0 }

// Announce is a segment's word that the byte at a position is urgent. The
// segment begins at first, recv is at position, or a little further. It reports
// whether that is news.
//
// A byte that was announced and hasn't come is superseded by a segment which
// begins no later and points further: urgent data goes on there, because the
// application has sent MSG_OOB again, or because 16 bits couldn't say more.
func (m *Marks) Announce(at, first, position uint32) bool {
	if serial.Before(at, position) {
		return false
	}
	m.ahead = slices.DeleteFunc(m.ahead, func(k mark) bool { return !k.here && !serial.Before(k.at, first) && serial.Before(k.at, at) })
	if newest, ok := m.newest(); ok && !serial.Before(newest, at) || len(m.ahead) >= markLimit {
		return false
	}
	if m.inline {
		m.line, m.lined = at, true
	} else {
		m.ahead = append(m.ahead, mark{at: at})
	}
	return true
}

// newest is the furthest mark that recv hasn't passed.
func (m *Marks) newest() (at uint32, ok bool) {
	at, ok = m.line, m.lined
	if n := len(m.ahead); n > 0 && (!ok || serial.Before(at, m.ahead[n-1].at)) {
		at, ok = m.ahead[n-1].at, true
	}
	return at, ok
}

// Arrived finds the first announced byte among the available ones that recv has
// before it. The caller answers with BecomeWaiting.
func (m *Marks) Arrived(position, available uint32) (at uint32, ok bool) {
	for _, k := range m.ahead {
		if !k.here && k.at-position < available {
			return k.at, true
		}
	}
	return 0, false
}

// BecomeWaiting takes an announced byte out of the stream. It reports whether
// it is the only one that waits.
func (m *Marks) BecomeWaiting(at uint32, b byte) (first bool) {
	i := slices.IndexFunc(m.ahead, func(k mark) bool { return k.at == at && !k.here })
	if i < 0 {
		return false // superseded meanwhile
	}
	m.ahead[i].here = true
	first = len(m.slot) == 0
	if !m.Queues || len(m.slot) == slotLimit {
		m.slot = m.slot[min(len(m.slot), 1):] // OB-7
	}
	m.slot = append(m.slot, urgentByte{at, b})
	m.came++
	m.out++
	return first
}

// Take is recv(MSG_OOB).
func (m *Marks) Take(peek bool) (b byte, ok bool) {
	if len(m.slot) == 0 {
		return 0, false
	}
	b = m.slot[0].b
	if !peek {
		m.slot = slices.Delete(m.slot, 0, 1)
	}
	return b, true
}

// Limit is how many bytes recv may take from a position without crossing a
// mark; not ok: as many as it likes. It is 0 at a byte that is out of line, or
// will be.
func (m *Marks) Limit(position uint32) (n uint32, ok bool) {
	if m.lined && !serial.Before(m.line, position) {
		n, ok = max(m.line-position, 1), true
	}
	if len(m.ahead) > 0 && !serial.Before(m.ahead[0].at, position) {
		if d := m.ahead[0].at - position; !ok || d < n {
			n, ok = d, true
		}
	}
	return n, ok
}

// Boundary reports that a recv which has bytes already stops at a position.
func (m *Marks) Boundary(position uint32) bool {
	n, ok := m.Limit(position)
	return ok && n == 0 || m.lined && (position == m.line || position == m.line+1)
}

// Hole reports that the byte at a position isn't part of the stream.
func (m *Marks) Hole(position uint32) bool {
	return len(m.ahead) > 0 && m.ahead[0].here && m.ahead[0].at == position
}

// BecomePassed forgets what lies behind recv, which has come to a position.
func (m *Marks) BecomePassed(position uint32) {
	m.ahead = slices.DeleteFunc(m.ahead, func(k mark) bool { return serial.Before(k.at, position) })
	if m.lined && serial.Before(m.line+1, position) {
		m.lined = false
	}
	m.late = m.late && !serial.Before(m.owed, position)
}

// Holes is how many bytes ahead of recv aren't part of the stream.
func (m *Marks) Holes() (n int) {
	for _, k := range m.ahead {
		if k.here {
			n++
		}
	}
	return n
}

// BecomeInline puts the bytes that wait back into the stream (OB-12): at their
// marks or, where recv has passed those, in front; the caller fetches them with
// Returned. It reports whether anything waited.
func (m *Marks) BecomeInline() (changed bool) {
	m.inline = true
	for _, u := range m.slot {
		i := slices.IndexFunc(m.ahead, func(k mark) bool { return k.at == u.at })
		if i < 0 {
			m.back = append(m.back, u.b)
			continue
		}
		m.ahead = slices.Delete(m.ahead, i, i+1)
		m.line, m.lined = u.at, true
		m.owed, m.late = u.at, true
	}
	changed = len(m.slot) > 0
	m.out -= uint32(len(m.slot))
	m.slot = nil
	m.ahead = slices.DeleteFunc(m.ahead, func(k mark) bool {
		if !k.here {
			m.line, m.lined = k.at, true
		}
		return !k.here
	})
	return changed
}

// BecomeOutOfLine concerns urgent bytes that are announced from now on.
func (m *Marks) BecomeOutOfLine() { m.inline = false }

// Returned are the bytes to be put in front of the stream, of which recv is at a
// position. The last of them is the one at the mark, unless one is ahead.
func (m *Marks) Returned(position uint32) (b []byte) {
	b, m.back = m.back, nil
	if len(b) > 0 && !m.lined {
		m.line, m.lined = position-1, true
	}
	if len(b) > 0 && !m.late {
		m.owed, m.late = position-1, true
	}
	return b
}

// AtMark is SIOCATMARK (OB-9, OB-10). always: it is TRUE in line but for a byte that had come before
// SO_OOBINLINE was set (C-13b).
func (m *Marks) AtMark(position uint32, always bool) bool {
	switch {
	case !m.inline:
		return len(m.slot) == 0
	case always:
		return !m.late
	}
	return !m.lined || !serial.Before(position, m.line)
}

// Announced reports that a byte is announced that hasn't come.
func (m *Marks) Announced() bool {
	return slices.ContainsFunc(m.ahead, func(k mark) bool { return !k.here })
}
