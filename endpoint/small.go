package endpoint

import "gvisor.dev/gvisor/pkg/tcpip/header"

// Segments of less than smallSegment bytes may be in flight by the number of
// maxSmallSegments at most. netstack keeps each apart, at 700 bytes, and looks at
// each for every acknowledgement with SACK blocks: a peer that asked for 12 bytes a
// segment and acknowledged them all cost 30 ms a packet, with 40,000 in flight. Of
// segments of ordinary size as many fit into the largest quota (see quota).
const (
	smallSegment     = 1024
	maxSmallSegments = 2048
)

// ClampWindow lowers the window that a segment from the peer offers, where more
// small segments than maxSmallSegments would be sent into it. partial says that the
// header carries no checksum, or that of the pseudo-header only.
func (w *Wire) ClampWindow(t header.TCP, partial bool) {
	mss := w.MSS()
	if mss >= smallSegment {
		return
	}
	limit := max(uint32(mss*maxSmallSegments)>>w.shift.Load(), 1)
	offered := t.WindowSize()
	if uint32(offered) <= limit {
		return
	}
	t.SetWindowSize(uint16(limit))
	if !partial {
		t.SetChecksum(patched(t.Checksum(), offered, uint16(limit)))
	}
}
