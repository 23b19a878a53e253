// Package fifo is a first-in first-out queue that grows.
package fifo

// A Queue is a first-in first-out queue. The zero Queue is empty. The caller serialises its calls.
type Queue[T any] struct {
	room   []T // its length is zero or a power of two
	head   int // the index of the oldest entry
	length int // how many entries there are
}

// firstRoom is for how many entries a Queue has room at first.
const firstRoom = 64

// Len is how many entries there are.
func (q *Queue[T]) Len() int { return q.length }

// First is the oldest entry. It is valid until the next Push or Pop.
//
// Precondition: there is an entry.
func (q *Queue[T]) First() *T { return &q.room[q.head] }

// Push adds an entry. Only a Push that finds the room full allocates.
func (q *Queue[T]) Push(v T) {
	if q.length == len(q.room) {
		room := make([]T, max(firstRoom, 2*len(q.room)))
		n := copy(room, q.room[q.head:])
		copy(room[n:], q.room[:q.head])
		q.room, q.head = room, 0
	}
	q.room[(q.head+q.length)&(len(q.room)-1)] = v
	q.length++
}

// Pop takes the oldest entry, which the Queue forgets.
//
// Precondition: there is an entry.
func (q *Queue[T]) Pop() T {
	v := q.room[q.head]
	var none T
	q.room[q.head] = none
	q.head = (q.head + 1) & (len(q.room) - 1)
	q.length--
	return v
}
