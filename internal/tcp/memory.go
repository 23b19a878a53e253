package tcp

import (
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/buffer"
)

// A Memory is what the connections of a stack may hold together, in bytes: what was accepted and
// isn't acknowledged, what has come and wasn't read, and what came early. It is safe for concurrent
// use. A nil *Memory has no bound.
//
//	0 ─────── plenty ─────── bound/2 ─────── tight ─────── bound ─────── full ───────▶ held
//
// While it is tight, buffers whose size nobody has set don't grow, and fall back to the least size
// as data passes. While it is full, each connection has one segment each way and no more: no
// connection waits for another, and the peer sends again what was dropped.
//
// A connection tells of what it holds in steps (see tell), so that bulk data costs an atomic
// operation now and then.
type Memory struct {
	bound int64
	held  atomic.Int64
	_     [6]int64      // what is written often isn't in the cache line of what is read often
	level atomic.Uint32 // a level: of held
}

// A level says how much of a Memory is left.
type level uint32

const (
	plenty level = iota // more than half
	tight               // less
	full                // nothing
)

// NewMemory returns a Memory with a bound in bytes.
func NewMemory(bound int64) *Memory { return &Memory{bound: bound} }

// Bound is the bound in bytes; 0: there is none.
func (m *Memory) Bound() int64 {
	if m == nil {
		return 0
	}
	return m.bound
}

// Held is how many bytes the connections have told that they hold.
func (m *Memory) Held() int64 {
	if m == nil {
		return 0
	}
	return m.held.Load()
}

// left is the level.
func (m *Memory) left() level {
	if m == nil {
		return plenty
	}
	return level(m.level.Load())
}

// add counts bytes, or gives them back. Whoever changes held last sees the level of all changes.
func (m *Memory) add(bytes int64) {
	m.held.Add(bytes)
	for {
		held, l := m.held.Load(), plenty
		switch {
		case held >= m.bound:
			l = full
		case held >= m.bound/2:
			l = tight
		}
		if m.level.Load() == uint32(l) {
			return
		}
		m.level.Store(uint32(l))
	}
}

// reserve takes as many of so many bytes as there are left.
func (m *Memory) reserve(bytes int) int {
	for {
		held := m.held.Load()
		n := min(int64(bytes), m.bound-held)
		if n <= 0 {
			return 0
		}
		if m.held.CompareAndSwap(held, held+n) {
			m.add(0)
			return int(n)
		}
	}
}

// The steps in which a connection tells of what it holds, in bytes. The least of them is told by
// nobody: that many are free for each connection.
const (
	leastStep   = 4 << 10
	largestStep = 64 << 10
)

// Account tells the Memory what the connection holds, if that is another step than before: a part of
// what it holds more, so that the next changes needn't be told. The caller calls Account when it has
// given the connection segments or calls.
func (c *Conn) Account() {
	m := c.cfg.Memory
	if m == nil {
		return
	}
	held, told := c.Held(), int(c.told)
	step := min(max(held/8, leastStep), largestStep)
	switch {
	case held <= leastStep:
		held = 0
	case held <= told && told <= held+2*step:
		return
	default:
		held += step
	}
	if held != told {
		m.add(int64(held - told))
		c.told = int32(held)
	}
}

// Held is how many bytes of memory the data takes that the connection holds, in both directions.
func (c *Conn) Held() int {
	return c.snd.queue.memory() + c.rcv.queue.size + c.rcv.pieces.memory()
}

// Afford is how many of n bytes may be accepted with what is left of the Memory: all of them while
// there is plenty; else what is left, which is then the connection's, and at least a segment where
// nothing is queued. A call that gets nothing has something queued, and so it hears of the next
// acknowledgement.
func (c *Conn) Afford(n int) int {
	m := c.cfg.Memory
	if m == nil || n <= largestStep && m.left() == plenty {
		return n
	}
	got := m.reserve(min(n, 1<<30)) // sequence numbers tell 2 GiB apart
	c.told += int32(got)
	if c.Queued() == 0 {
		got = max(got, min(n, c.snd.mss))
	}
	return got
}

// memory is how many bytes of memory the queue takes: the chunk in front counts until all of it is
// acknowledged, the one at the end with its room, and each with what refers to it.
func (q *sendQueue) memory() int {
	n := len(q.chunks)
	if n == 0 {
		return 0
	}
	const overhead = 128 // of a chunk, a view and an entry
	return q.end.From(q.chunks[0].start) + q.chunks[n-1].view.AvailableSize() + n*overhead
}

// memory is how many bytes of memory the pieces take: a run of one byte takes as much as pieceSize.
func (p *pieces) memory() int { return p.size + len(p.runs)*pieceSize }

// pieceSize is what a run takes besides its bytes: the entry, a list, a view and a chunk.
const pieceSize = 256

// compact makes a copy of what is left of a packet, where that is less than half: a reference would
// keep all of the packet.
func compact(b *buffer.Buffer, packet int) {
	if n := int(b.Size()); n > 0 && n < packet/2 {
		small := buffer.MakeWithData(b.Flatten())
		b.Release()
		*b = small
	}
}
