package stack

import (
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/wsstack/wsstack/endpoint"
)

// editSYN takes the timestamp option out of a SYN or SYN-ACK, in either
// direction, of a connection without TCP_TIMESTAMPS: netstack always offers it,
// and believes in it when the peer's SYN has it. unsummed says that the segment
// has no full checksum to keep right. t is TransportHeader().Slice() of a packet,
// which nobody shares: netstack copies a chunk that others have before it returns
// a header of it.
func editSYN(w *endpoint.Wire, t header.TCP, unsummed bool) {
	if t.Flags().Contains(header.TCPFlagSyn) && !w.KeepsTimestamps() {
		endpoint.DropTimestamps(t, unsummed)
	}
}

// editIncoming edits a segment from outside as editSYN does: a SYN offers no less
// than Config.MinMSS, and the window isn't one for too many small segments.
func (h *hooks) editIncoming(w *endpoint.Wire, t header.TCP, unsummed bool) {
	if t.Flags().Contains(header.TCPFlagSyn) {
		editSYN(w, t, unsummed)
		endpoint.RaiseMSS(t, h.stack.cfg.MinMSS, unsummed)
		return
	}
	w.ClampWindow(t, unsummed)
}
