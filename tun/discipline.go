package tun

import "fmt"

// A Discipline is the rule by which the queue of a link drops packets.
type Discipline uint8

// The disciplines.
const (
	DropTail Discipline = iota // DropTail drops packets that come when the queue is full.

	// CoDel also drops packets that have waited, once all packets have waited too long for a while
	// (RFC 8289). What to drop is decided when a packet comes to the head of the queue.
	CoDel
)

// String returns "droptail" or "codel".
func (d Discipline) String() string {
	switch d {
	case DropTail:
		return "droptail"
	case CoDel:
		return "codel"
	}
	return fmt.Sprintf("Discipline(%d)", uint8(d))
}
