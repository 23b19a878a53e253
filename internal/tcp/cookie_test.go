package tcp

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// acknowledgement is what the peer sends for the SYN-ACK of a record.
func acknowledgement(h *HalfOpen) Segment {
	return Segment{Seq: h.IRS + 1, Ack: h.ISS + 1, Flags: ACK, Window: 5000, Options: Options{Scale: NoScale}}
}

func TestCookieMSS(t *testing.T) {
	var k Secret
	for mss, want := range map[uint16]uint16{0: 536, 1: 48, 48: 48, 255: 48, 256: 256, 535: 256, 536: 536, 1219: 536, 1220: 1220,
		1359: 1220, 1459: 1440, 1460: 1460, 8939: 1460, 8940: 8940, 65535: 8940} {
		h := k.Cookie(origin, aTuple, &Segment{Flags: SYN, Options: Options{MSS: mss, Scale: NoScale}})
		require.Equal(t, want, h.MSS, "%d", mss)
	}
}

// What a SYN says comes back with its acknowledgement, as long as the cookie lives.
func TestCookie(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var k Secret
		k[0] = rapid.Byte().Draw(t, "key")
		now := time.Duration(rapid.Int64Range(1, int64(1000*time.Hour)).Draw(t, "now"))
		syn := Segment{Flags: SYN, Seq: Seq(rapid.Uint32().Draw(t, "irs")), Window: 100, Options: Options{
			MSS: rapid.Uint16().Draw(t, "MSS"), Scale: int8(rapid.IntRange(NoScale, MaxScale).Draw(t, "scale")),
			SACKPermitted: rapid.Bool().Draw(t, "SACK"), Timestamps: rapid.Bool().Draw(t, "timestamps")}}
		h := k.Cookie(now, aTuple, &syn)
		require.Equal(t, syn.Options.Scale, h.Scale)
		ack := acknowledgement(&h)
		age := time.Duration(rapid.Int64Range(0, int64(64*time.Second)).Draw(t, "age"))
		got, ok := k.Check(now+age, aTuple, &ack)
		require.True(t, ok)
		require.Equal(t, h, got)

		_, ok = k.Check(now+128*time.Second, aTuple, &ack)
		require.False(t, ok, "too old")
		_, ok = k.Check(now+age, bTuple, &ack)
		require.False(t, ok, "another tuple")
		bad := ack
		bad.Seq++
		_, ok = k.Check(now, aTuple, &bad)
		require.False(t, ok, "another number of the peer's")
		bad = ack
		bad.Ack ^= 1 << rapid.IntRange(0, 31).Draw(t, "bit")
		_, ok = k.Check(now, aTuple, &bad)
		require.False(t, ok, "another number")
		for _, flags := range []Flags{0, SYN, SYN | ACK, RST | ACK} {
			bad = ack
			bad.Flags = flags
			_, ok = k.Check(now, aTuple, &bad)
			require.False(t, ok, flags)
		}
	})
}

// A guess has one chance in 2^21, for each of two of eight periods.
func TestCookieGuesses(t *testing.T) {
	var k Secret
	random := rand.New(rand.NewPCG(1, 1))
	hits := 0
	for range 1 << 18 {
		ack := Segment{Seq: 1, Ack: Seq(random.Uint32()), Flags: ACK}
		if _, ok := k.Check(origin, aTuple, &ack); ok {
			hits++
		}
	}
	require.LessOrEqual(t, hits, 1)
}

// A cookie that an age of the clock before its origin would need is none.
func TestCookieBeforeOrigin(t *testing.T) {
	var k Secret
	h := k.Cookie(7*cookiePeriod, aTuple, &Segment{Flags: SYN})
	ack := acknowledgement(&h)
	_, ok := k.Check(1, aTuple, &ack)
	require.False(t, ok)
}

// The connection of a cookie has its options, the window of the acknowledgement,
// and no round trip.
func TestCookieConnection(t *testing.T) {
	var k Secret
	syn := Segment{Flags: SYN, Seq: loneIRS, Window: 60000, Options: Options{MSS: 1400, Scale: 3, SACKPermitted: true, Timestamps: true}}
	h := k.Cookie(origin, aTuple, &syn)
	cfg := Config{MSS: 1460, Quota: 65536, Timestamps: true}
	sent := h.SynAck(origin, cfg)
	require.Equal(t, SYN|ACK, sent.Flags)
	require.Equal(t, Options{MSS: 1460, Scale: 1, SACKPermitted: true}, sent.Options)

	ack := acknowledgement(&h)
	ack.Payload = payload(10)
	again, ok := k.Check(origin+100*ms, aTuple, &ack)
	require.True(t, ok)
	c := again.Conn(origin+100*ms, cfg)
	c.Segment(origin+100*ms, &ack)
	require.Equal(t, Established, c.State())
	require.Equal(t, 10, c.Readable())
	require.Equal(t, 1360, c.MSS())
	require.Equal(t, 5000<<3, c.snd.window)
	require.Equal(t, time.Second, c.rtt.rto())
	require.Zero(t, c.rtt.smoothed)
}

func BenchmarkCookie(b *testing.B) {
	var k Secret
	h := k.Cookie(origin, aTuple, &Segment{Flags: SYN})
	ack := acknowledgement(&h)
	b.ReportAllocs()
	for b.Loop() {
		k.Check(origin, aTuple, &ack)
	}
}
