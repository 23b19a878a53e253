package tcp

import (
	"slices"

	"gvisor.dev/gvisor/pkg/buffer"

	"github.com/wsstack/wsstack/internal/spare"
)

// maxChunk is the size of the largest chunk of the send queue, in bytes.
const maxChunk = spare.Size

// A chunk is some bytes of the send queue.
type chunk struct {
	start Seq          // the number of the first byte
	view  *buffer.View // the bytes
	lent  bool         // a segment refers to the bytes: nothing is appended any more
}

// A sendQueue holds the bytes that were accepted and aren't acknowledged, [start, end). The zero
// sendQueue is empty, and stands at 0.
type sendQueue struct {
	chunks     []chunk
	start, end Seq
}

// len is how many bytes there are.
func (q *sendQueue) len() int { return q.end.From(q.start) }

// add appends a copy of p.
func (q *sendQueue) add(p []byte) {
	if n := len(q.chunks); n > 0 && !q.chunks[n-1].lent {
		v := q.chunks[n-1].view
		if m := min(v.AvailableSize(), len(p)); m > 0 {
			v.Write(p[:m]) // can't fail
			q.end, p = q.end.Add(m), p[m:]
		}
	}
	for len(p) > 0 {
		m := min(len(p), maxChunk)
		v := newChunk(m)
		v.Grow(m)
		spare.Copy(v.AsSlice(), p[:m])
		q.chunks = append(q.chunks, chunk{start: q.end, view: v})
		q.end, p = q.end.Add(m), p[m:]
	}
}

// fill appends what f writes into the room that it gets, and returns how many bytes, as f does: at
// most limit. What fills more than half of a chunk isn't copied.
func (q *sendQueue) fill(limit int, f func(room []byte) int) int {
	v := spare.View()
	v.Grow(min(limit, maxChunk))
	n := f(v.AsSlice())
	v.CapLength(n)
	if n > maxChunk/2 {
		q.chunks = append(q.chunks, chunk{start: q.end, view: v})
		q.end = q.end.Add(n)
	} else {
		q.add(v.AsSlice())
		spare.Back(v)
	}
	return n
}

// newChunk is an empty view with room for so many bytes.
func newChunk(size int) *buffer.View {
	if size > maxChunk/2 { // package buffer has no size in between
		return spare.View()
	}
	return buffer.NewView(size)
}

// payload is a reference to the n bytes at seq.
func (q *sendQueue) payload(seq Seq, n int) (b buffer.Buffer) {
	i, found := slices.BinarySearchFunc(q.chunks, seq, func(c chunk, s Seq) int { return c.start.From(s) })
	if !found {
		i--
	}
	for ; n > 0; i++ {
		c := &q.chunks[i]
		c.lent = true
		v := c.view.Clone()
		v.TrimFront(seq.From(c.start))
		m := min(n, v.Size())
		v.CapLength(m)
		b.Append(v) // can't fail
		seq, n = seq.Add(m), n-m
	}
	return b
}

// acked gives back the bytes before una.
func (q *sendQueue) acked(una Seq) {
	n := 0
	for ; n < len(q.chunks); n++ {
		c := &q.chunks[n]
		if c.start.Add(c.view.Size()).After(una) {
			break
		}
		spare.Later(c.view)
		c.view = nil
	}
	q.start = una
	switch {
	case n == len(q.chunks):
		if cap(q.chunks) > 64 { // an idle connection needn't hold a list of what was
			q.chunks = nil
		}
		q.chunks = q.chunks[:0]
	case n > 0:
		q.chunks = q.chunks[n:]
	}
}

// release gives back everything.
func (q *sendQueue) release() {
	for _, c := range q.chunks {
		c.view.Release()
	}
	*q = sendQueue{start: q.end, end: q.end}
}
