package tcp

import (
	"gvisor.dev/gvisor/pkg/buffer"

	"github.com/wsstack/wsstack/internal/spare"
)

// copyLimit is the size, in bytes, up to which a piece of data is copied behind the piece before
// it: a reference would keep a whole packet for a few bytes.
const copyLimit = 552

// chunkSize is the room of a chunk that small pieces are copied into.
const chunkSize = 2048

// A queue is a run of bytes in order: reference counted views, of which none is empty. The zero
// queue is empty.
type queue struct {
	views []*buffer.View // from head on
	head  int            // how many entries in front are not used any more
	size  int            // the bytes in the views
}

// add appends a payload, whose views it takes over.
func (q *queue) add(b *buffer.Buffer) {
	if n := int(b.Size()); n <= copyLimit {
		b.Apply(func(v *buffer.View) { q.copyIn(v.AsSlice()) })
		b.Release()
		return
	}
	b.Apply(func(v *buffer.View) { q.views = append(q.views, v.Clone()) })
	q.size += int(b.Size())
	b.Release()
}

// copyIn appends a copy of bytes, behind those in the last view where there is
// room.
func (q *queue) copyIn(p []byte) {
	if len(p) == 0 {
		return
	}
	q.size += len(p)
	if q.head < len(q.views) {
		if last := q.views[len(q.views)-1]; last.AvailableSize() >= len(p) && last.Capacity() <= chunkSize {
			last.Write(p) // can't fail; copies first where the chunk is shared
			return
		}
	}
	v := buffer.NewView(max(len(p), min(chunkSize, q.size)))
	v.Write(p)
	q.views = append(q.views, v)
}

// read copies bytes from the offset skip on, and returns how many there were.
func (q *queue) read(p []byte, skip int) (n int) {
	for _, v := range q.views[q.head:] {
		b := v.AsSlice()
		if skip >= len(b) {
			skip -= len(b)
			continue
		}
		n += spare.Copy(p[n:], b[skip:])
		skip = 0
		if n == len(p) {
			break
		}
	}
	return n
}

// pieces appends the first bytes of the queue to a list, at most limit bytes, as far as the list has
// room for pieces.
func (q *queue) pieces(list [][]byte, limit int) [][]byte {
	for _, v := range q.views[q.head:] {
		if limit == 0 || len(list) == cap(list) {
			break
		}
		b := v.AsSlice()
		b = b[:min(len(b), limit)]
		list, limit = append(list, b), limit-len(b)
	}
	return list
}

// restore puts a copy of bytes in front.
func (q *queue) restore(p []byte) {
	if len(p) == 0 {
		return
	}
	v := buffer.NewView(len(p))
	v.Write(p) // can't fail
	q.size += len(p)
	q.views, q.head = q.prepend([]*buffer.View{v})
}

// drop takes n bytes off the front; k releases the views.
func (q *queue) drop(n int, k *spare.Keeper) {
	q.size -= n
	for n > 0 {
		v := q.views[q.head]
		size := v.Size()
		if size > n {
			v.TrimFront(n)
			return
		}
		n -= size
		k.Release(v)
		q.views[q.head] = nil
		q.head++
	}
	switch {
	case q.head == len(q.views):
		if cap(q.views) > 64 { // an idle connection needn't hold a list of what was
			q.views = nil
		}
		q.views, q.head = q.views[:0], 0
	case q.head > 64 && q.head > len(q.views)/2:
		m := copy(q.views, q.views[q.head:])
		clear(q.views[m:])
		q.views, q.head = q.views[:m], 0
	}
}

// take appends all of o, and leaves o empty. The first views of o are copied where
// there is room behind the last one: runs of a few bytes each, that a peer sends in
// any order, become views of some size. Of the two lists the shorter one moves, so
// that each view does O(log n) times.
func (q *queue) take(o *queue) {
	q.size += o.size
	from, to := q.views[q.head:], o.views[o.head:]
	if len(from) > 0 {
		last := from[len(from)-1]
		for last.Capacity() <= chunkSize && len(to) > 0 && to[0].Size() <= last.AvailableSize() {
			last.Write(to[0].AsSlice()) // can't fail
			to[0].Release()
			o.views[o.head], to = nil, to[1:]
			o.head++
		}
	}
	if len(from) >= len(to) {
		q.views = append(q.views, to...)
	} else {
		q.views, q.head = o.prepend(from)
	}
	*o = queue{}
}

// prepend returns the list of views with others in front of them, in the room of the list where
// views were before.
func (q *queue) prepend(first []*buffer.View) (views []*buffer.View, head int) {
	if q.head < len(first) {
		have := q.views[q.head:]
		room := len(have) + len(first)
		views = make([]*buffer.View, room+len(have), room+len(have)+8)
		copy(views[room:], have)
		q.views, q.head = views, room
	}
	head = q.head - len(first)
	copy(q.views[head:], first)
	return q.views, head
}

// release empties the queue.
func (q *queue) release() {
	for _, v := range q.views[q.head:] {
		v.Release()
	}
	*q = queue{}
}
