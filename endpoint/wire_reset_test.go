package endpoint_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/wsstack/wsstack/endpoint"
)

// A RST counts when SEQ is RCV.NXT (RFC 5961 §3.2), be it the one acknowledged
// or the one that netstack has when it gets there: the segments of a burst pass
// the hook before netstack has answered any.
func TestWireReset(t *testing.T) {
	const iss, irs = 5000, 4294967290 // the peer's numbers wrap
	for _, tt := range []struct {
		name  string
		burst []int // payloads that come before it, in order; -1: a FIN
		seq   uint32
		want  bool
	}{
		{"exact", nil, irs + 1, true},
		{"one below", nil, irs, false},
		{"one above", nil, irs + 2, false},
		{"the end of the window", nil, 65535 - 5, false},
		{"behind a burst", []int{10, 20}, 31 - 6, true},
		{"above a burst", []int{10, 20}, 32 - 6, false},
		{"behind a FIN", []int{10, -1}, 12 - 6, true},
		{"above a FIN", []int{10, -1}, 13 - 6, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			clock := tcpip.NewStdClock()
			w := endpoint.NewWire(nil)
			segment := func(f header.TCPFields, payload int) endpoint.Segment {
				h := header.TCP(make([]byte, header.TCPMinimumSize))
				f.DataOffset, f.WindowSize = header.TCPMinimumSize, 65535
				h.Encode(&f)
				return endpoint.Segment{Header: h, Payload: payload, Clock: clock}
			}
			w.Out(segment(header.TCPFields{SeqNum: iss, Flags: header.TCPFlagSyn}, 0))
			w.In(segment(header.TCPFields{SeqNum: irs, AckNum: iss + 1, Flags: header.TCPFlagSyn | header.TCPFlagAck}, 0))
			w.Out(segment(header.TCPFields{SeqNum: iss + 1, AckNum: irs + 1, Flags: header.TCPFlagAck}, 0))
			next := uint32(irs)
			next++
			for _, n := range tt.burst {
				flags := header.TCPFlagAck
				if n < 0 {
					flags |= header.TCPFlagFin
				}
				w.In(segment(header.TCPFields{SeqNum: next, AckNum: iss + 1, Flags: flags}, max(n, 0)))
				next += uint32(max(n, 1))
			}
			w.In(segment(header.TCPFields{SeqNum: tt.seq, Flags: header.TCPFlagRst}, 0))
			require.Equal(t, tt.want, w.Reset())
		})
	}
}
