package tcp

import (
	"slices"

	"gvisor.dev/gvisor/pkg/buffer"

	"github.com/wsstack/wsstack/internal/spare"
)

// maxPieces bounds how many separate runs of data that came early are kept, per
// connection. What would make another is dropped: the peer sends it again.
const maxPieces = 1024

// A piece is a run of data beyond RCV.NXT, [start, end).
type piece struct {
	start, end Seq
	data       queue // the bytes
}

// pieces are the runs of data that came early, in order, with a gap between any two. The zero value
// is empty.
type pieces struct {
	runs   []piece
	recent [maxBlocks]Seq // where the data that came last begins, the newest first; see blocks
	fresh  int            // how many of recent are valid
	size   int            // the bytes in the runs
}

// add keeps the data at seq, as far as it isn't there yet. add takes over b, and returns the part
// that was there already, if there is any (RFC 2883).
func (p *pieces) add(seq Seq, b *buffer.Buffer) (again Block) {
	defer b.Release()
	end := seq.Add(int(b.Size()))
	// The first run that ends at seq or behind it: the one to extend.
	i, _ := slices.BinarySearchFunc(p.runs, seq, func(r piece, s Seq) int { return r.end.From(s) })
	if i == len(p.runs) && len(p.runs) >= maxPieces {
		return Block{}
	}
	p.note(seq)
	at := seq
	for at.Before(end) {
		switch {
		case i == len(p.runs), end.Before(p.runs[i].start): // a run of its own
			if len(p.runs) >= maxPieces {
				return again
			}
			r := piece{start: at, end: end}
			p.append(&r.data, b, at.From(seq), end.From(at))
			p.runs = slices.Insert(p.runs, i, r)
			at = end
		case at.Before(p.runs[i].start): // before a run: it begins earlier now
			r := &p.runs[i]
			var q queue
			p.append(&q, b, at.From(seq), r.start.From(at))
			q.take(&r.data)
			at, r.start, r.data = r.start, at, q
		default: // inside of a run, or behind it
			r := &p.runs[i]
			if at.Before(r.end) {
				if again == (Block{}) {
					again = Block{at, earlier(r.end, end)}
				}
				at = r.end
			}
			if !at.Before(end) {
				break
			}
			next := end
			if i+1 < len(p.runs) {
				next = earlier(end, p.runs[i+1].start)
			}
			p.append(&r.data, b, at.From(seq), next.From(at))
			r.end, at = next, next
		}
		p.join(i)
	}
	return again
}

// join makes one run of run i and the next one where they touch.
func (p *pieces) join(i int) {
	if i+1 < len(p.runs) && p.runs[i].end == p.runs[i+1].start {
		p.runs[i].end = p.runs[i+1].end
		p.runs[i].data.take(&p.runs[i+1].data)
		p.runs = slices.Delete(p.runs, i+1, i+2)
	}
}

// append appends a part of b to q.
func (p *pieces) append(q *queue, b *buffer.Buffer, offset, n int) {
	if n <= 0 {
		return
	}
	part := b.Clone()
	part.TrimFront(int64(offset))
	part.Truncate(int64(n))
	compact(&part, int(b.Size()))
	q.add(&part)
	p.size += n
}

// note remembers where the data that came last begins.
func (p *pieces) note(seq Seq) {
	copy(p.recent[1:], p.recent[:])
	p.recent[0] = seq
	p.fresh = min(p.fresh+1, len(p.recent))
}

// take moves the runs that follow next without a gap to q, and returns the new RCV.NXT.
func (p *pieces) take(next Seq, q *queue) Seq {
	n := 0
	for ; n < len(p.runs) && !p.runs[n].start.After(next); n++ {
		r := &p.runs[n]
		p.size -= r.data.size
		if skip := next.From(r.start); skip < r.data.size {
			r.data.drop(skip, new(spare.Keeper))
			q.take(&r.data)
			next = r.end
		} else {
			r.data.release()
		}
	}
	p.runs = slices.Delete(p.runs, 0, n)
	if len(p.runs) == 0 {
		p.fresh = 0
		if cap(p.runs) > 16 {
			p.runs = nil
		}
	}
	return next
}

// blocks fills a list with SACK blocks in the order of RFC 2018 §4, and returns their number: the
// run that holds what came last is first, then come the runs that were reported before.
func (p *pieces) blocks(list []Block) (n int) {
	for _, seq := range p.recent[:p.fresh] {
		i, _ := slices.BinarySearchFunc(p.runs, seq, func(r piece, s Seq) int {
			if r.end.After(s) {
				return 1
			}
			return -1
		})
		if i == len(p.runs) || p.runs[i].start.After(seq) {
			continue
		}
		b := Block{p.runs[i].start, p.runs[i].end}
		if !slices.Contains(list[:n], b) {
			if n == len(list) {
				break
			}
			list[n] = b
			n++
		}
	}
	return n
}

// release gives back all runs.
func (p *pieces) release() {
	for i := range p.runs {
		p.runs[i].data.release()
	}
	*p = pieces{}
}
