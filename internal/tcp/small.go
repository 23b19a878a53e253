package tcp

// Segments of less than smallSegment bytes may be in flight by the number of
// maxSmall at most: a record costs as much as the data in it, and a peer that asks
// for tiny segments and acknowledges nothing would have us keep one for every few
// bytes of its window.
const (
	smallSegment = 1024
	maxSmall     = 2048
)

// countSmall is how many small segments the record stands for: one or none.
func (r *record) countSmall() int {
	if r.size < smallSegment {
		return 1
	}
	return 0
}

// few is how many of n bytes may leave in segments of mss bytes and a rest, so that the number of
// small segments stays within its bound.
func (b *scoreboard) few(n, mss int) int {
	left := max(0, maxSmall-b.smallRecords)
	switch rest := n % mss; {
	case mss < smallSegment:
		return min(n, left*mss)
	case left == 0 && rest < smallSegment:
		return n - rest
	}
	return n
}
