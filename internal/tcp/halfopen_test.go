package tcp

import (
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// aHalfOpen is the record of a SYN whose SYN-ACK has left.
func aHalfOpen(cfg Config, o Options) *HalfOpen {
	h := NewHalfOpen(loneISS, &Segment{Seq: loneIRS, Flags: SYN | ECE | CWR, Window: 20000, Options: o})
	h.SynAck(origin, cfg)
	return &h
}

func TestHalfOpenSize(t *testing.T) {
	require.Equal(t, uintptr(32), unsafe.Sizeof(HalfOpen{}))
	require.Equal(t, uintptr(20), unsafe.Sizeof(Remains{}))
}

// RFC 9293 §3.10.7.4 for SYN-RECEIVED, after a passive open.
func TestHalfOpenSegment(t *testing.T) {
	const window = 10000
	next := loneIRS + 1 // it wraps in the window
	for _, tt := range []struct {
		name   string
		s      Segment
		want   HalfOpenVerdict
		answer Segment
	}{
		{"the acknowledgement", Segment{Seq: next, Ack: loneISS + 1, Flags: ACK}, Complete, Segment{}},
		{"with data", Segment{Seq: next, Ack: loneISS + 1, Flags: ACK | PSH, Payload: payload(10)}, Complete, Segment{}},
		{"with a FIN", Segment{Seq: next, Ack: loneISS + 1, Flags: ACK | FIN}, Complete, Segment{}},
		{"a later one, the first was lost", Segment{Seq: next + 500, Ack: loneISS + 1, Flags: ACK, Payload: payload(10)}, Complete, Segment{}},
		{"behind the window", Segment{Seq: next + window, Ack: loneISS + 1, Flags: ACK}, SynRepeat, Segment{}},
		{"before the window", Segment{Seq: next - 1, Ack: loneISS + 1, Flags: ACK}, SynRepeat, Segment{}},
		{"of nothing", Segment{Seq: next, Ack: loneISS + 2, Flags: ACK}, Stays, Segment{Seq: loneISS + 2, Flags: RST}},
		{"old", Segment{Seq: next, Ack: loneISS, Flags: ACK}, Stays, Segment{Seq: loneISS, Flags: RST}},
		{"the SYN again", Segment{Seq: loneIRS, Flags: SYN}, SynRepeat, Segment{}},
		{"another SYN", Segment{Seq: next + 5, Flags: SYN}, SynRepeat, Segment{}},
		{"a SYN-ACK", Segment{Seq: next, Ack: loneISS + 1, Flags: SYN | ACK}, SynRepeat, Segment{}},
		{"RST, exact", Segment{Seq: next, Flags: RST}, Ends, Segment{}},
		{"RST and ACK, exact", Segment{Seq: next, Ack: 5, Flags: RST | ACK}, Ends, Segment{}},
		{"RST, in the window", Segment{Seq: next + 1, Flags: RST}, Stays, Segment{}},
		{"RST, of the SYN's number", Segment{Seq: loneIRS, Flags: RST}, Stays, Segment{}},
		{"RST, behind the window", Segment{Seq: next + window, Flags: RST}, Stays, Segment{}},
		{"no flags", Segment{Seq: next, Payload: payload(10)}, Stays, Segment{}},
		{"FIN without ACK", Segment{Seq: next, Flags: FIN}, Stays, Segment{}},
	} {
		h := aHalfOpen(Config{MSS: 1000, Quota: window}, Options{MSS: 1000, Scale: NoScale})
		v, answer := h.Segment(&tt.s, window)
		require.Equal(t, tt.want, v, tt.name)
		require.Equal(t, tt.answer, answer, tt.name)
	}
}

// RFC 6298 §5.5: 1, 3, 7 … s after the first; a SYN that comes again changes
// nothing of it.
func TestHalfOpenSchedule(t *testing.T) {
	cfg := Config{MSS: 1000, Quota: 10000}
	h := aHalfOpen(cfg, Options{Scale: NoScale})
	for i, want := range []int{1, 3, 7, 15, 31, 63, 123, 183, 243} {
		require.Equal(t, origin+time.Duration(want)*time.Second, h.Next(), "%d", i)
		again := h.Repeat(h.Next()-1, cfg)
		require.Equal(t, SYN|ACK, again.Flags)
		require.Equal(t, again, h.SynAck(h.Next(), cfg))
	}
}

// The SYN-ACK has what both sides offer.
func TestSynAck(t *testing.T) {
	all := Options{MSS: 1400, Scale: 5, SACKPermitted: true, Timestamps: true, TSVal: 7}
	plain := Options{MSS: 1000, Scale: NoScale}
	offer := Config{MSS: 1000, Quota: 1 << 20, Timestamps: true, ECN: true}
	for _, tt := range []struct {
		name  string
		cfg   Config
		syn   Options
		want  Options
		flags Flags
	}{
		{"everything", offer, all, Options{MSS: 1000, Scale: 5, SACKPermitted: true, Timestamps: true, TSVal: 3600000, TSEcr: 7}, SYN | ACK | ECE},
		{"the peer offers nothing", offer, plain, plain, SYN | ACK | ECE},
		{"we offer nothing", Config{MSS: 1000, Quota: 1 << 20, WithoutScale: true, WithoutSACK: true}, all, plain, SYN | ACK},
	} {
		h := aHalfOpen(tt.cfg, tt.syn)
		s := h.SynAck(origin, tt.cfg)
		require.Equal(t, tt.want, s.Options, tt.name)
		require.Equal(t, tt.flags, s.Flags, tt.name)
		require.Equal(t, uint16(65535), s.Window, tt.name)
		require.Equal(t, []Seq{loneISS, loneIRS + 1}, []Seq{s.Seq, s.Ack}, tt.name)
	}
}

// After a SYN-ACK that was sent again the time-out is 3 s, and the window one
// segment (RFC 6298 §5.7, RFC 5681 §3.1); else the round trip is measured.
func TestHalfOpenConn(t *testing.T) {
	cfg := Config{MSS: 1000, Quota: 10000}
	h := aHalfOpen(cfg, Options{MSS: 1000, Scale: NoScale})
	c := h.Conn(origin+300*ms, cfg)
	require.Equal(t, 900*ms, c.rtt.rto())
	require.Equal(t, 10000, c.out.control.Window())
	require.Equal(t, Connected, c.TakeEvents())

	h.SynAck(origin+time.Second, cfg)
	c = h.Conn(origin+1300*ms, cfg)
	require.Equal(t, 3*time.Second, c.rtt.rto())
	require.Equal(t, 1000, c.out.control.Window())
	require.Equal(t, uint8(1), c.Counters.SynResent)
}

// The windows W1 and W6 of nmap's fingerprints of Windows 10, with timestamps (1703) and without
// (1709 and later): 65,535 where the peer scales, else one of whole segments.
func TestSynAckWholeWindow(t *testing.T) {
	for _, tt := range []struct {
		name string
		cfg  Config
		syn  Options
		want uint16
	}{
		{"the peer scales", Config{Quota: Unset}, Options{MSS: 1460, Scale: 10}, 0xFFFF},
		{"the peer doesn't", Config{Quota: Unset}, Options{MSS: 265, Scale: NoScale}, 0xFF70},
		{"with timestamps", Config{Quota: Unset, Timestamps: true}, Options{MSS: 265, Scale: NoScale, Timestamps: true}, 0xFFDC},
		{"a peer of large segments", Config{Quota: Unset}, Options{MSS: 8960, Scale: NoScale}, 64240},
		{"SO_RCVBUF is set", Config{Quota: 65000}, Options{MSS: 265, Scale: NoScale}, 65000},
	} {
		tt.cfg.MSS, tt.cfg.WholeWindows = 1460, true
		s := aHalfOpen(tt.cfg, tt.syn).SynAck(origin, tt.cfg)
		require.Equal(t, tt.want, s.Window, tt.name)
	}
}
