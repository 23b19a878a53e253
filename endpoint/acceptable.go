package endpoint

import (
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/seqnum"
)

// What netstack does with segments that RFC 9293 §3.10.7.4 treats otherwise.

// answerGap is the least time between two acknowledgements of segments that
// were dropped, so that forged ones draw few (RFC 5961 §10; netstack's own).
const answerGap = 500 * time.Millisecond

// unsent reports a segment that acknowledges what was never sent: it is
// dropped, data and FIN included, and acknowledged. netstack takes it.
func (w *Wire) unsent(seg Segment) bool {
	h := seg.Header
	const other = header.TCPFlagRst | header.TCPFlagSyn
	if h.Flags()&(other|header.TCPFlagAck) != header.TCPFlagAck || !w.Acknowledged() || !w.has(wireISS) {
		return false
	}
	if !seqnum.Value(w.nxt.Load()).LessThan(seqnum.Value(h.AckNumber())) {
		return false
	}
	now := int64(seg.Clock.NowMonotonic().Sub(tcpip.MonotonicTime{}))
	last := w.answered.Load()
	if s := w.socket.Load(); s != nil && (last == 0 || now-last >= int64(answerGap)) {
		w.answered.Store(now)
		w.answer.Store(true)
		s.host.Signal(s)
	}
	return true
}

// oldFIN reports a segment whose data came before, but whose FIN is new: a
// retransmission to which the peer has joined it. netstack ignores the FIN.
func (w *Wire) oldFIN(seg Segment) bool {
	h := seg.Header
	return seg.Payload > 0 && h.Flags()&(header.TCPFlagFin|header.TCPFlagSyn|header.TCPFlagRst) == header.TCPFlagFin &&
		w.Acknowledged() && h.SequenceNumber()+uint32(seg.Payload) == w.told.next()
}

// Mute reports a RST that mustn't leave: the connection is forgotten silently. In
// TIME-WAIT, where both FINs are acknowledged, that is always so (RFC 9293 §3.10.5),
// whoever ends the connection: a stack that is closed has thousands of those.
func (w *Wire) Mute(h header.TCP) bool {
	return h.Flags().Contains(header.TCPFlagRst) && (w.has(wireMute) || w.has(wireFIN) && w.FinAcked())
}
