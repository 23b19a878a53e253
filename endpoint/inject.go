package endpoint

import (
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// revealed is the acknowledgement that netstack would have seen, had the window
// in it not been hidden: one from the peer, with nothing new but the window.
func (w *Wire) revealed(clock tcpip.Clock) OwnSegment {
	seg := OwnSegment{
		Seq: w.told.next(), Ack: w.una.Load(),
		Flags:  header.TCPFlagAck,
		Window: uint16(min(w.window.Load()>>w.shift.Load(), 65535)),
	}
	if w.has(wireTimestamps) {
		seg.Options = timestamps(w.tsRecent.Load(), w.timestamp(clock))
	}
	return seg
}

// RcvNxt is RCV.NXT as far as it was acknowledged.
func (w *Wire) RcvNxt() uint32 { return w.told.next() }
