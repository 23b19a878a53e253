package tcp

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// A record is one transmitted segment that isn't cumulatively acknowledged.
type record struct {
	seq     Seq           // the number of the first byte
	size    uint16        // how many sequence numbers the segment takes
	flags   recordFlags   // what became of the segment
	resends uint8         // how often the segment was sent again, up to 255
	sentAt  time.Duration // when the segment was sent last
	order   uint32        // the number of that transmission among those of the connection

	// prev and next link the records of one list; see scoreboard. In a SACKed record next is the
	// number of a record behind it with only SACKed ones between: a way to the first that isn't.
	prev, next uint32
}

// recordFlags say what became of a segment.
type recordFlags uint8

const (
	recordSACKed recordFlags = 1 << iota // the peer has SACKed the segment
	recordLost                           // the record is in the list of lost ones
	recordFIN                            // the last number of the segment is the FIN
)

// end is the number behind the segment.
func (r *record) end() Seq { return r.seq.Add(int(r.size)) }

// payload is how many bytes of data the segment has.
func (r *record) payload() int {
	if r.flags&recordFIN != 0 {
		return int(r.size) - 1
	}
	return int(r.size)
}

// A list links records by their numbers; the zero list is empty.
type list struct{ first, last uint32 }

// A scoreboard knows what became of each segment in flight (RFC 6675 §3, RFC 8985 §5.2). Records
// stand in the order of the sequence space, and are named by numbers that grow: base is that of the
// first. A record is in one of two lists, or SACKed and in none:
//
//	flight   on its way, in the order of transmission
//	lost     to be sent again, in the order in which the losses were found
//
// Every step of an acknowledgement is O(log n), amortized: a peer that SACKs every second of many
// small segments costs no more for each.
type scoreboard struct {
	records []record
	array   []record // the array that records is a part of, from its front
	many    bool     // there were many records when there was none last
	most    int      // the most records that there were since then
	base    uint32   // the number of records[0]; numbers start at 1, and 0 is none
	flight  list
	lost    list

	pipe          int    // how many bytes are on their way
	sacked        int    // how many bytes are SACKed
	sackedRecords int    // how many records are SACKed
	smallRecords  int    // how many records are small: see smallSegment
	order         uint32 // how many transmissions there have been
}

// at is the record with a number.
func (b *scoreboard) at(n uint32) *record { return &b.records[n-b.base] }

// behind is the number behind the last record.
func (b *scoreboard) behind() uint32 { return b.base + uint32(len(b.records)) }

// push appends a record to a list.
func (b *scoreboard) push(l *list, n uint32) {
	r := b.at(n)
	r.prev, r.next = l.last, 0
	if l.last == 0 {
		l.first = n
	} else {
		b.at(l.last).next = n
	}
	l.last = n
}

// unlink takes a record out of its list.
func (b *scoreboard) unlink(n uint32) {
	r := b.at(n)
	l := &b.flight
	if r.flags&recordLost != 0 {
		l = &b.lost
	} else {
		b.pipe -= int(r.size)
	}
	if r.prev == 0 {
		l.first = r.next
	} else {
		b.at(r.prev).next = r.next
	}
	if r.next == 0 {
		l.last = r.prev
	} else {
		b.at(r.next).prev = r.prev
	}
}

// add records what is sent for the first time: so many bytes in segments of mss bytes and a rest,
// and the FIN with the last of them.
func (b *scoreboard) add(now time.Duration, seq Seq, bytes, mss int, fin bool) {
	switch {
	case len(b.records) == 0:
		b.base = 1
	case b.base > renumberAt:
		b.renumber()
	}
	old := len(b.records)
	b.grow(max(1, (bytes+mss-1)/mss))
	first := b.behind() - uint32(len(b.records)-old)
	for i := range b.records[old:] {
		n, size := first+uint32(i), min(bytes, mss)
		b.order++
		b.records[old+i] = record{seq: seq, size: uint16(size), sentAt: now, order: b.order, prev: n - 1, next: n + 1}
		seq, bytes = seq.Add(size), bytes-size
		b.pipe += size
	}
	last := &b.records[len(b.records)-1]
	if fin {
		last.flags = recordFIN
		last.size++
		b.pipe++
	}
	b.smallRecords += last.countSmall() + (len(b.records)-old-1)*b.records[old].countSmall()
	b.records[old].prev, last.next = b.flight.last, 0
	if b.flight.last == 0 {
		b.flight.first = first
	} else {
		b.at(b.flight.last).next = first
	}
	b.flight.last = b.behind() - 1
}

// grow makes room for n further records, and counts them in. Where the array is at its end and half
// of it is free in front, it is used again, so that a stream allocates nothing.
func (b *scoreboard) grow(n int) {
	old := len(b.records)
	if old+n > cap(b.records) {
		switch {
		case old == 0 && b.many, old+n > manyRecords/4 && len(b.array) < manyRecords:
			b.borrow()
		case 2*old <= len(b.array):
			b.records = b.array[:copy(b.array, b.records)]
		}
	}
	b.records = slices.Grow(b.records, n)[:old+n]
	b.most = max(b.most, len(b.records))
	if cap(b.records) > len(b.array) {
		b.array = b.records[:cap(b.records)]
	}
}

// manyRecords is the size of the arrays that connections with much in flight borrow.
const manyRecords = 1024

// rooms are the arrays that nobody has borrowed. A stream that often has nothing in
// flight would make one anew each time, and an idle connection mustn't hold one.
var rooms = sync.Pool{New: func() any { return new([manyRecords]record) }}

// borrow moves the records to an array for many.
func (b *scoreboard) borrow() {
	array := rooms.Get().(*[manyRecords]record)
	b.records = array[:copy(array[:], b.records)]
	b.array, b.many = array[:], true
}

// empty gives back the room for many, when there is no record any more. A connection
// that had use for it borrows the next at once.
func (b *scoreboard) empty() {
	switch n := len(b.array); {
	case n <= manyRecords/4:
		b.records = b.array[:0]
		return
	case n == manyRecords:
		rooms.Put((*[manyRecords]record)(b.array))
	}
	b.records, b.array = nil, nil
	b.many, b.most = b.most > manyRecords/4, 0
}

// renumberAt is the number from which on the records are numbered anew, so that
// numbers don't wrap.
const renumberAt = 1 << 31

// renumber gives the records numbers from 1 on.
func (b *scoreboard) renumber() {
	down := func(n *uint32) {
		if *n != 0 {
			*n -= b.base - 1
		}
	}
	for i := range b.records {
		down(&b.records[i].prev)
		down(&b.records[i].next)
	}
	for _, n := range []*uint32{&b.flight.first, &b.flight.last, &b.lost.first, &b.lost.last} {
		down(n)
	}
	b.base = 1
}

// resend notes that a lost segment is sent again.
func (b *scoreboard) resend(now time.Duration, n uint32) {
	b.unlink(n)
	b.order++
	r := b.at(n)
	r.flags &^= recordLost
	r.sentAt, r.order = now, b.order
	if r.resends < 255 {
		r.resends++
	}
	b.push(&b.flight, n)
	b.pipe += int(r.size)
}

// lose marks a segment in flight as lost.
func (b *scoreboard) lose(n uint32) {
	b.unlink(n)
	r := b.at(n)
	r.flags |= recordLost
	b.push(&b.lost, n)
}

// loseAll marks everything that isn't SACKed as lost, in the order of the sequence space (RFC 6298
// §5.4). forget says that what was SACKed counts as lost, too, because the peer has gone back on it
// (RFC 2018 §8).
func (b *scoreboard) loseAll(forget bool) {
	b.flight, b.lost, b.pipe = list{}, list{}, 0
	if forget {
		b.sacked, b.sackedRecords = 0, 0
	}
	for i := range b.records {
		r := &b.records[i]
		if forget {
			r.flags &^= recordSACKed
		}
		if r.flags&recordSACKed == 0 {
			r.flags |= recordLost
			b.push(&b.lost, b.base+uint32(i))
		}
	}
}

// regain puts what was marked as lost, and not sent again, back into flight: the
// losses were none.
func (b *scoreboard) regain() {
	var l list
	for n := b.lost.first; n != 0; {
		r := b.at(n)
		next := r.next
		r.flags &^= recordLost
		b.pipe += int(r.size)
		b.push(&l, n)
		n = next
	}
	b.lost = list{}
	if l.last == 0 {
		return
	}
	// They were sent before what is in flight.
	if b.flight.first != 0 {
		b.at(l.last).next, b.at(b.flight.first).prev = b.flight.first, l.last
		l.last = b.flight.last
	}
	b.flight = l
}

// find is the number of the record that holds seq, or of the first record behind seq.
func (b *scoreboard) find(seq Seq) uint32 {
	lo, hi := 0, len(b.records)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if b.records[mid].end().After(seq) {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return b.base + uint32(lo)
}

// unsacked is the number of the first record from n on that isn't SACKed. The way there becomes
// shorter for those that ask later.
func (b *scoreboard) unsacked(n uint32) uint32 {
	to := n
	for to < b.behind() && b.at(to).flags&recordSACKed != 0 {
		to = b.at(to).next
	}
	for n < to {
		r := b.at(n)
		n, r.next = r.next, to
	}
	return to
}

// sack marks the records that a block covers whole as SACKed, and calls f for each that wasn't.
func (b *scoreboard) sack(k Block, f func(*record)) {
	n := b.find(k.Start)
	if n < b.behind() && b.at(n).seq.Before(k.Start) {
		n++
	}
	for n = b.unsacked(n); n < b.behind(); n = b.unsacked(n) {
		r := b.at(n)
		if r.end().After(k.End) {
			return
		}
		b.unlink(n)
		f(r)
		r.flags = r.flags&^recordLost | recordSACKed
		r.next = n + 1
		b.sacked += int(r.size)
		b.sackedRecords++
	}
}

// ack takes out the records before una, and calls f for each that wasn't SACKed, or for several at
// once: a run of records, each the first in flight when its turn comes, that were sent once. A record
// that una cuts is shortened.
func (b *scoreboard) ack(una Seq, f func([]record)) {
	n := 0
	for n < len(b.records) {
		if k := b.run(n, una); k > 0 {
			f(b.records[n : n+k])
			n += k
			continue
		}
		r := &b.records[n]
		if r.end().After(una) {
			if cut := una.From(r.seq); cut > 0 {
				b.shorten(r, cut)
			}
			break
		}
		n++
		b.smallRecords -= r.countSmall()
		if r.flags&recordSACKed != 0 {
			b.sacked -= int(r.size)
			b.sackedRecords--
			continue
		}
		b.unlink(b.base + uint32(n-1))
		f(b.records[n-1 : n])
	}
	b.base += uint32(n)
	if n < len(b.records) {
		b.records = b.records[n:]
		return
	}
	b.empty()
}

// run takes the records before una out of the list of those in flight that were sent once and are in
// it in the order of the sequence space, from its front and from records[n] on, and returns how many
// they are.
func (b *scoreboard) run(n int, una Seq) (k int) {
	first := b.flight.first
	if first != b.base+uint32(n) {
		return 0
	}
	for first == b.base+uint32(n+k) { // 0, the end of the list, isn't the number of a record
		r := &b.records[n+k]
		if r.resends > 0 || r.end().After(una) {
			break
		}
		b.pipe -= int(r.size)
		b.smallRecords -= r.countSmall()
		first = r.next
		k++
	}
	b.flight.first = first
	if first == 0 {
		b.flight.last = 0
	} else {
		b.at(first).prev = 0
	}
	return k
}

// shorten takes bytes off the front of a record.
func (b *scoreboard) shorten(r *record, cut int) {
	switch {
	case r.flags&recordSACKed != 0:
		b.sacked -= cut
	case r.flags&recordLost == 0:
		b.pipe -= cut
	}
	b.smallRecords -= r.countSmall()
	r.seq, r.size = r.seq.Add(cut), r.size-uint16(cut)
	b.smallRecords += r.countSmall()
}

// split makes records of at most size bytes, the new size of a segment. With lost a record that was
// larger, and isn't SACKed, counts as lost.
func (b *scoreboard) split(size int, lost bool) {
	small := true
	for i := range b.records {
		small = small && int(b.records[i].size) <= size
	}
	if small {
		return
	}
	old := b.records
	b.records, b.base = make([]record, 0, 2*len(old)), 1
	for _, r := range old {
		large := int(r.size) > size
		if lost && large && r.flags&recordSACKed == 0 {
			r.flags |= recordLost
		}
		end, fin := r.end(), r.flags&recordFIN
		for at := r.seq; at.Before(end); at = r.end() {
			r.seq, r.size = at, uint16(min(size, end.From(at)))
			r.flags &^= recordFIN
			if r.end() == end {
				r.flags |= fin
			}
			b.records = append(b.records, r)
		}
	}
	b.relink()
}

// relink makes the lists and the counts anew.
func (b *scoreboard) relink() {
	b.flight, b.lost, b.pipe, b.sacked, b.sackedRecords, b.smallRecords = list{}, list{}, 0, 0, 0, 0
	var flight []uint32
	for i := range b.records {
		r, n := &b.records[i], b.base+uint32(i)
		b.smallRecords += r.countSmall()
		switch {
		case r.flags&recordSACKed != 0:
			b.sacked += int(r.size)
			b.sackedRecords++
			r.next = n + 1
		case r.flags&recordLost != 0:
			b.push(&b.lost, n)
		default:
			flight = append(flight, n)
			b.pipe += int(r.size)
		}
	}
	slices.SortStableFunc(flight, func(x, y uint32) int { return cmp.Compare(b.at(x).order, b.at(y).order) })
	for _, n := range flight {
		b.push(&b.flight, n)
	}
}
