package endpoint

import (
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/seqnum"
)

// DataOutstanding reports that a segment with this sequence number may be on its
// way, which isn't our SYN: that one fits every path (RFC 791 wants 68 bytes).
func (w *Wire) DataOutstanding(seq uint32) bool {
	una, nxt := seqnum.Value(w.una.Load()), seqnum.Value(w.nxt.Load())
	return w.has(wireISS) && seq != w.iss.Load() && seqnum.Value(seq).InRange(una, nxt)
}

// Acknowledged reports that the handshake is complete.
func (w *Wire) Acknowledged() bool { return w.since.Load() != 0 }

// Reset reports that the peer has sent a RST.
func (w *Wire) Reset() bool { return w != nil && w.has(wireReset) }

// Unacked is the number of payload bytes given to netstack that the peer has
// not acknowledged.
func (w *Wire) Unacked() int {
	if w == nil || !w.has(wireISS) {
		return 0
	}
	// Sequence numbers wrap, the total doesn't: the difference is taken of
	// the low 32 bits. A SYN and a FIN count one each.
	end := seqnum.Value(w.iss.Load() + 1 + uint32(w.written.Load()))
	una := seqnum.Value(w.una.Load())
	if end.LessThan(una) {
		return 0 // the FIN is acknowledged, too
	}
	return int(una.Size(end))
}

// outstanding is the number of bytes sent and not acknowledged, SND.NXT -
// SND.UNA, in which a SYN and a FIN count, and the number of payload bytes given
// to netstack that haven't left. Both are of one moment: a byte that leaves
// meanwhile is in one of them.
func (w *Wire) outstanding() (inFlight, unsent int) {
	una, nxt := seqnum.Value(w.una.Load()), seqnum.Value(w.nxt.Load())
	end := seqnum.Value(w.iss.Load() + 1 + uint32(w.written.Load()))
	if !nxt.LessThan(una) {
		inFlight = int(una.Size(nxt))
	}
	if w.has(wireISS) && !end.LessThan(nxt) {
		unsent = int(nxt.Size(end))
	}
	return inFlight, unsent
}

// FinAcked reports that the peer has acknowledged everything and our FIN.
func (w *Wire) FinAcked() bool {
	if w == nil || !w.has(wireISS) {
		return false
	}
	fin := w.iss.Load() + 1 + uint32(w.written.Load())
	return w.una.Load() == fin+1
}

// Window is the peer's receive window in bytes, as it last said.
func (w *Wire) Window() int { return int(w.window.Load()) }

// Established is when the handshake was complete: at the SYN-ACK for the side
// that connected, at the acknowledgement of it for the other (CT-1). It
// returns now where the hooks have missed it.
func (w *Wire) Established(now tcpip.MonotonicTime) tcpip.MonotonicTime {
	if w == nil || w.since.Load() == 0 {
		return now
	}
	return tcpip.MonotonicTime{}.Add(time.Duration(w.since.Load()))
}

// netstack's reserve for options in every data segment: room for timestamps
// and, once SACK is negotiated, for as many blocks as fit, whether or not there
// are any.
const (
	timestampReserve = 12
	sackReserve      = 36 // four blocks
	bothReserve      = 40 // timestamps and three blocks: all the room there is
)

// MSS is the number of payload bytes in a full segment of this connection: the
// smaller of both offers, less the options (GS-12).
func (w *Wire) MSS() int {
	mss := int(w.peerMSS.Load())
	if mss == 0 {
		mss = header.TCPDefaultMSS
	}
	for _, limit := range []uint32{w.ownMSS.Load(), w.pathMSS.Load()} {
		if limit != 0 {
			mss = min(mss, int(limit))
		}
	}
	switch {
	case w.has(wireTimestamps | wireSACK):
		mss -= bothReserve
	case w.has(wireTimestamps):
		mss -= timestampReserve
	case w.has(wireSACK):
		mss -= sackReserve
	}
	return max(mss, 1)
}

func (w *Wire) wrote(n int) { w.written.Add(int64(n)) }
