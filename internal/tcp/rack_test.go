package tcp

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Three SACKed segments show a loss at once, whatever the initial sequence number is: nothing has
// come out of order (RFC 8985 §6.2).
func TestRACK_ThreeSACKedSegments(t *testing.T) {
	for _, iss := range []Seq{0, 1000, 0x7fff_ff00, 0x8000_0000, 0xffff_ff00} {
		v := &victim{t: t, now: origin, una: iss + 1}
		v.Conn = New(Config{ISS: iss, MSS: 1460, Quota: 1 << 20, NoDelay: true})
		v.Open(v.now)
		v.drain()
		v.pass(100 * ms)
		v.give(Segment{Flags: SYN | ACK, Seq: loneIRS, Ack: v.una, Window: 65535, Options: Options{MSS: 1000, SACKPermitted: true, Scale: NoScale}})
		v.Send(v.now, make([]byte, 5*v.MSS()))
		require.Equal(t, 5, v.drain())
		v.pass(100 * ms)
		require.Zero(t, v.give(v.ack([2]int{1, 1})), "ISS %#x", uint32(iss))
		require.Zero(t, v.give(v.ack([2]int{1, 2})), "ISS %#x", uint32(iss))
		require.Equal(t, 1, v.give(v.ack([2]int{1, 3})), "ISS %#x: the first segment is sent again", uint32(iss))
	}
}
