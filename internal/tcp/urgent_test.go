package tcp

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// pair of a peer that announces and of one that notices: the urgent byte is found by
// its offset, on both readings of the pointer (OB-15, OB-16); where they differ it is
// missed by one (OB-17).
func TestUrgentByte(t *testing.T) {
	for _, tt := range []struct {
		out, in bool
		want    uint32
	}{{false, false, 6}, {true, true, 6}, {false, true, 7}, {true, false, 5}} {
		p := newPair(t, Config{Quota: Unset, Expedited: tt.out}, Config{Quota: Unset, Expedited: tt.in}, delay(ms))
		require.Empty(t, p.b.TakeNotices())
		p.b.paused = true
		require.True(t, p.a.Send(p.now, []byte("before")))
		_, ok := p.a.SendUrgent(p.now, []byte("!"), 0)
		require.True(t, ok)
		require.True(t, p.a.Send(p.now, []byte("after")))
		p.run(1000*ms, func() bool { return p.b.Readable() == 12 })
		p.serve(p.b)
		require.NotZero(t, p.b.events&Urgent)
		notices := p.b.TakeNotices()
		require.Len(t, notices, 1)
		require.Equal(t, tt.want, notices[0].At)
		at := int(notices[0].At - p.b.Position())
		var b [1]byte
		require.Equal(t, 1, p.b.Read(p.now, b[:], at, true))
		require.Equal(t, "before!after"[at], b[0])
	}
}

// announce gives an urgent byte of a peer that hasn't sent what lies before.
func (l *lone) announce(at int) {
	l.put(Segment{Seq: Seq(at), Ack: 1, Flags: ACK | URG, Urgent: 1, Window: l.win, Options: l.plain()})
}

// What a peer announces is kept up to a bound; what didn't fit is announced again by a
// later segment.
func TestNoticesAreBounded(t *testing.T) {
	l := newLone()
	l.become(Established)
	for i := range 2 * maxNotices {
		l.announce(1 + i)
	}
	n := l.TakeNotices()
	require.Len(t, n, maxNotices)
	require.Equal(t, Notice{}, n[0])
	require.Equal(t, Notice{maxNotices - 1, maxNotices - 1}, n[maxNotices-1])
	l.announce(2 * maxNotices)
	require.Equal(t, []Notice{{2*maxNotices - 1, 2*maxNotices - 1}}, l.TakeNotices())
}

// After an end that wasn't graceful there is nothing to announce.
func TestNoticesEnd(t *testing.T) {
	l := newLone()
	l.become(Established)
	l.announce(5)
	l.Abort()
	require.Empty(t, l.TakeNotices())
}

// An urgent byte that was read long ago doesn't hide a later one when the numbers
// have gone half the way round.
func TestUrgentFarApart(t *testing.T) {
	l := newLone()
	l.cfg.Quota = 1 << 20
	l.peer.Scale = 7
	l.become(Established)
	l.announce(1)
	require.Len(t, l.TakeNotices(), 1)
	const step = 1 << 20
	for at := 0; at < 5<<29; at += step {
		r := &l.rcv
		r.next, r.edge = r.next.Add(step), r.edge.Add(step)
		r.read = r.next
		r.consumed(l.now, 0, 0)
	}
	l.announce(5<<29 + 10)
	require.Equal(t, []Notice{{5<<29 + 9, 5<<29 + 9}}, l.TakeNotices())
}

// What was announced and lies behind what is acknowledged by now is forgotten: numbers
// go round.
func TestAmendedBehindUNA(t *testing.T) {
	l := newLone()
	l.become(Established)
	up, _ := l.SendUrgent(l.now, make([]byte, 5), 3)
	require.Equal(t, l.End()+3, up)
	l.drain()
	l.give(Segment{Seq: 1, Ack: 6, Flags: ACK, Window: l.win, Options: l.plain()})
	require.True(t, l.snd.urgent)
	l.AmendUrgent(up, l.End())
	require.False(t, l.snd.urgent)
}
