package urgent

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// plainMarks is what marks does, with 64-bit positions and without a thought
// for cost.
type plainMarks struct {
	position, end uint64          // of recv, and of what has come
	here          map[uint64]bool // urgent bytes ahead of recv; true: it is taken out
	slot          []uint64
	queues        bool
}

func (p *plainMarks) announce(at, first uint64) {
	if at < p.position {
		return
	}
	for k, here := range p.here {
		if !here && k >= first && k < at {
			delete(p.here, k)
		}
	}
	for k := range p.here {
		if k >= at {
			return
		}
	}
	p.here[at] = false
}

func (p *plainMarks) pull() {
	for at := p.position; at < p.end; at++ {
		if here, urgent := p.here[at]; urgent && !here {
			p.here[at] = true
			if !p.queues {
				p.slot = nil
			}
			p.slot = append(p.slot, at)
		}
	}
}

func (p *plainMarks) recv(n int) (got []uint64) {
	for p.here[p.position] {
		delete(p.here, p.position)
		p.position++
	}
	for len(got) < n && p.position < p.end && !p.here[p.position] {
		got = append(got, p.position)
		p.position++
	}
	return got
}

// TestMarksModel compares marks with plainMarks, from any position of a stream,
// across 2^32 too.
func TestMarksModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base := rapid.OneOf(rapid.Uint64Range(100, 1<<33), rapid.Just(uint64(1<<32-20))).Draw(t, "base")
		p := &plainMarks{position: base, end: base, here: map[uint64]bool{}, queues: rapid.Bool().Draw(t, "queues")}
		m := &Marks{Queues: p.queues}
		position := base
		pull := func() {
			m.BecomePassed(uint32(position))
			for {
				at, ok := m.Arrived(uint32(position), uint32(p.end-position))
				if !ok {
					return
				}
				m.BecomeWaiting(at, byte(at))
			}
		}
		skip := func() {
			for m.Hole(uint32(position)) {
				position++
				m.BecomePassed(uint32(position))
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"announce": func(t *rapid.T) {
				first := p.end + uint64(rapid.IntRange(-5, 5).Draw(t, "first"))
				at := first + uint64(rapid.IntRange(0, 12).Draw(t, "distance"))
				p.announce(at, first)
				m.Announce(uint32(at), uint32(first), uint32(position))
			},
			"arrive": func(t *rapid.T) { p.end += uint64(rapid.IntRange(1, 6).Draw(t, "bytes")) },
			"recv": func(t *rapid.T) {
				pull()
				p.pull()
				n := rapid.IntRange(1, 9).Draw(t, "size")
				want := p.recv(n)
				skip()
				if limit, ok := m.Limit(uint32(position)); ok && limit > 0 {
					n = min(n, int(limit))
				}
				var got []uint64
				for len(got) < n && position < p.end {
					got = append(got, position)
					position++
				}
				m.BecomePassed(uint32(position))
				if !slices.Equal(got, want) || position != p.position {
					t.Fatalf("recv: %v, want %v", got, want)
				}
			},
			"recv(MSG_OOB)": func(t *rapid.T) {
				pull()
				p.pull()
				b, ok := m.Take(false)
				if ok != (len(p.slot) > 0) || ok && b != byte(p.slot[0]) {
					t.Fatalf("recv(MSG_OOB): %d, %v, want of %v", b, ok, p.slot)
				}
				if ok {
					p.slot = p.slot[1:]
				}
			},
			"": func(t *rapid.T) {
				holes := 0
				for _, here := range p.here {
					if here {
						holes++
					}
				}
				if m.Holes() != holes || len(m.slot) != len(p.slot) {
					t.Fatalf("%d holes and %d waiting, want %d and %d", m.Holes(), len(m.slot), holes, len(p.slot))
				}
			},
		})
	})
}

// A peer that announces without end is kept within the bounds.
func TestMarksBounds(t *testing.T) {
	m := &Marks{Queues: true}
	for i := range uint32(10 * markLimit) {
		m.Announce(i, i, 0)
		if at, ok := m.Arrived(0, i+1); ok {
			m.BecomeWaiting(at, byte(i))
		}
	}
	require.Len(t, m.ahead, markLimit)
	require.Len(t, m.slot, slotLimit)
	require.Equal(t, byte(255), m.slot[slotLimit-1].b, "the latest one that was kept")
}

// C-13b: a byte that had come before SO_OOBINLINE was set keeps SIOCATMARK FALSE until it is read,
// one that comes in line doesn't.
func TestMarks_AtMark(t *testing.T) {
	for _, passed := range []bool{false, true} { // recv has come to the byte, or is behind it
		m := New(false)
		m.Announce(2, 0, 0)
		m.BecomeWaiting(2, '!')
		position, front := uint32(2), 0
		if passed {
			position, front = 4, 1
			m.BecomePassed(position)
		}
		require.False(t, m.AtMark(position, true))
		require.True(t, m.BecomeInline())
		require.Len(t, m.Returned(position), front)
		position -= uint32(front)
		require.False(t, m.AtMark(position, true))
		m.BecomePassed(position)
		require.False(t, m.AtMark(position, true))
		m.BecomePassed(position + 1)
		require.True(t, m.AtMark(position+1, true))
		m.Announce(9, 0, position+1)
		require.True(t, m.AtMark(position+1, true))
		require.False(t, m.AtMark(position+1, false))
	}
}
