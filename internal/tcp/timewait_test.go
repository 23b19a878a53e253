package tcp

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// remains are those of a connection that was closed by us; both FINs have number 1.
func remains(stamps bool) (*lone, Remains) {
	l := newLone()
	l.cfg.Timestamps, l.peer.Timestamps, l.peer.TSVal = stamps, stamps, 100
	l.become(Established)
	l.fin()
	ack := Segment{Seq: loneIRS + 1, Ack: loneISS + 2, Flags: FIN | ACK, Window: 20000, Options: Options{Scale: NoScale, Timestamps: stamps, TSVal: 100}}
	l.Segment(l.now, &ack)
	l.drain()
	return l, l.Remains()
}

// RFC 9293 §3.10.7.4 for TIME-WAIT, RFC 1337 and RFC 6191.
func TestRemains(t *testing.T) {
	next := loneIRS + 2 // RCV.NXT
	stamp := func(v uint32) Options { return Options{Scale: NoScale, Timestamps: true, TSVal: v} }
	for _, tt := range []struct {
		name   string
		stamps bool
		s      Segment
		want   TimeWaitVerdict
	}{
		{"the FIN again", false, Segment{Seq: next - 1, Ack: loneISS + 2, Flags: FIN | ACK}, Answer},
		{"the FIN again, with its data", false, Segment{Seq: next - 11, Ack: loneISS + 2, Flags: FIN | ACK, Payload: payload(10)}, Answer},
		{"an old segment", false, Segment{Seq: next - 100, Ack: loneISS + 1, Flags: ACK, Payload: payload(10)}, Answer},
		{"a duplicate acknowledgement", false, Segment{Seq: next, Ack: loneISS + 2, Flags: ACK}, Ignore},
		{"an acknowledgement of nothing", false, Segment{Seq: next, Ack: loneISS + 3, Flags: ACK}, Answer},
		{"RFC 1337: a RST", false, Segment{Seq: next, Flags: RST}, Ignore},
		{"a RST of the peer's FIN", false, Segment{Seq: next - 1, Ack: loneISS + 2, Flags: RST | ACK}, Ignore},
		{"a SYN with a later number", false, Segment{Seq: next + 1, Flags: SYN}, Reuse},
		{"a SYN with a number beyond 2^31", false, Segment{Seq: next + 1<<31, Flags: SYN}, Answer},
		{"a SYN with an old number", false, Segment{Seq: next - 5, Flags: SYN}, Answer},
		{"a SYN-ACK with a later number", false, Segment{Seq: next + 1, Ack: loneISS + 2, Flags: SYN | ACK}, Answer},
		{"a SYN that resets, too", false, Segment{Seq: next + 1, Flags: SYN | RST}, Ignore},
		{"RFC 6191: a SYN with an old number and a later timestamp", true, Segment{Seq: next - 5, Flags: SYN, Options: stamp(101)}, Reuse},
		{"a SYN with a later number and an old timestamp", true, Segment{Seq: next + 5, Flags: SYN, Options: stamp(99)}, Answer},
		{"a SYN with a later number and the same timestamp", true, Segment{Seq: next + 5, Flags: SYN, Options: stamp(100)}, Reuse},
		{"a SYN with an old number and the same timestamp", true, Segment{Seq: next - 5, Flags: SYN, Options: stamp(100)}, Answer},
		{"a SYN with a later number and no timestamp", true, Segment{Seq: next + 5, Flags: SYN}, Reuse},
		{"an old timestamp", true, Segment{Seq: next, Ack: loneISS + 2, Flags: ACK, Options: stamp(99)}, Answer},
	} {
		l, w := remains(tt.stamps)
		require.Equal(t, TimeWait, l.State())
		answer, v := w.Segment(l.now+ms, &tt.s)
		require.Equal(t, tt.want, v, tt.name)
		want := Segment{}
		if tt.want == Answer {
			want = Segment{Seq: loneISS + 2, Ack: next, Flags: ACK, Window: 9999, Options: Options{Scale: NoScale}}
			if tt.stamps {
				want.Options = Options{Scale: NoScale, Timestamps: true, TSVal: 11, TSEcr: 100}
			}
		}
		require.Equal(t, want, answer, tt.name)
		fin := tt.s.Flags&FIN != 0
		require.Equal(t, fin, w.Restarts(&tt.s), tt.name)
	}
	_, w := remains(false)
	require.Equal(t, loneISS+2, w.Next())
	require.False(t, w.Restarts(&Segment{Seq: loneIRS - 50, Flags: FIN | ACK}), "a FIN of another number")
}

// Two ends in TIME-WAIT don't answer each other's answers, while they agree.
func TestRemainsQuiet(t *testing.T) {
	_, w := remains(false)
	answer, v := w.Segment(origin, &Segment{Seq: loneIRS + 1, Ack: loneISS + 2, Flags: FIN | ACK})
	require.Equal(t, Answer, v)
	peer := Remains{next: answer.Ack, rcvNext: answer.Seq}
	_, v = peer.Segment(origin, &answer)
	require.Equal(t, Ignore, v)
}
