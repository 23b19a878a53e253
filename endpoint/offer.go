package endpoint

import "sync/atomic"

// offer is what this side has told the peer of its receive window: RCV.NXT, as
// last acknowledged, and the right edge. They are one word, because hooks and
// sockets read both without a lock while segments leave: a half-new pair is
// another window, and what comes at its edge would not be taken for acceptable.
// The zero offer is a window of nothing.
//
// The edge doesn't move left. The last segment's field may say less than an
// earlier one's, by what its scale can't express, and netstack takes what it has
// ever told.
type offer struct {
	word atomic.Uint64 // RCV.NXT, edge
}

func offerOf(next, edge uint32) uint64 { return uint64(next)<<32 | uint64(edge) }

// set begins anew, with the size of the window in bytes.
func (o *offer) set(next, size uint32) { o.word.Store(offerOf(next, next+size)) }

// tell is a segment that leaves.
func (o *offer) tell(next, size uint32) {
	for {
		word := o.word.Load()
		edge := uint32(word)
		if before(edge, next+size) {
			edge = next + size
		}
		if o.word.CompareAndSwap(word, offerOf(next, edge)) {
			return
		}
	}
}

// enlarge is tell while RCV.NXT is next: a segment that has left since has told
// something newer.
func (o *offer) enlarge(next, size uint32) {
	for {
		word := o.word.Load()
		if uint32(word>>32) != next || !before(uint32(word), next+size) || o.word.CompareAndSwap(word, offerOf(next, next+size)) {
			return
		}
	}
}

// load returns RCV.NXT and the size of the window.
func (o *offer) load() (next, size uint32) {
	word := o.word.Load()
	next = uint32(word >> 32)
	return next, uint32(word) - next
}

// next is RCV.NXT as last acknowledged.
func (o *offer) next() uint32 { return uint32(o.word.Load() >> 32) }

// edge is the right edge of the window.
func (o *offer) edge() uint32 { return uint32(o.word.Load()) }

// advance moves a sequence number that several goroutines move, to the right
// only.
func advance(n *atomic.Uint32, to uint32) {
	for old := n.Load(); before(old, to) && !n.CompareAndSwap(old, to); old = n.Load() {
	}
}
