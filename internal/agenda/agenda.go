// Package agenda keeps what is to be done at a time, the earliest first.
package agenda

import (
	"container/heap"
	"time"
)

// A Slot is the place of an entry in an Agenda. A type whose values are entries embeds a Slot, and
// an entry is in one Agenda at most. At and Order change only while the entry is in none, or before
// Fix.
type Slot struct {
	At    time.Duration // when the entry is due, by the clock of the Agenda's owner
	Order uint64        // decides between entries that are due at one time: the smaller is the earlier
	place int           // one more than the index of the entry in the heap; 0: in none
}

func (s *Slot) slot() *Slot { return s }

// Scheduled reports whether the entry is in an Agenda.
func (s *Slot) Scheduled() bool { return s.place != 0 }

// An Entry is a pointer to a type that embeds a Slot.
type Entry interface{ slot() *Slot }

// An Agenda has entries in the order in which they are due. The zero Agenda is empty. Adding and
// taking out an entry costs O(log n), and nothing is allocated but the room of the entries. An
// Agenda is not safe for concurrent use.
type Agenda[E Entry] struct{ entries entries[E] }

// Len is the number of entries.
func (a *Agenda[E]) Len() int { return len(a.entries) }

// First returns the entry that is due first. Precondition: there is one.
func (a *Agenda[E]) First() E { return a.entries[0] }

// Add adds an entry, which is in no Agenda yet.
func (a *Agenda[E]) Add(e E) { heap.Push(&a.entries, e) }

// Fix gives an entry its place after its At or Order has changed.
func (a *Agenda[E]) Fix(e E) { heap.Fix(&a.entries, e.slot().place-1) }

// Remove takes an entry out.
func (a *Agenda[E]) Remove(e E) { heap.Remove(&a.entries, e.slot().place-1) }

// Pop takes the first entry out and returns it. Precondition: there is one.
func (a *Agenda[E]) Pop() E { return heap.Pop(&a.entries).(E) }

// entries is a heap of entries, which know their places in it.
type entries[E Entry] []E

func (h entries[E]) Len() int { return len(h) }

func (h entries[E]) Less(i, j int) bool {
	a, b := h[i].slot(), h[j].slot()
	if a.At != b.At {
		return a.At < b.At
	}
	return a.Order < b.Order
}

func (h entries[E]) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].slot().place, h[j].slot().place = i+1, j+1
}

// Push implements heap.Interface.
func (h *entries[E]) Push(x any) {
	e := x.(E)
	*h = append(*h, e)
	e.slot().place = len(*h)
}

// Pop implements heap.Interface.
func (h *entries[E]) Pop() any {
	last := len(*h) - 1
	e := (*h)[last]
	var none E
	(*h)[last] = none
	*h = (*h)[:last]
	e.slot().place = 0
	return e
}
