package tcp

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// kinds are segments that come; seq counts from RCV.NXT, and ack from SND.NXT.
var kinds = []struct {
	name      string
	flags     Flags
	seq, size int
	ack       int
}{
	{name: "RST, exact", flags: RST},
	{name: "RST+ACK, exact", flags: RST | ACK},
	{name: "RST+ACK of nothing, exact", flags: RST | ACK, ack: 9},
	{name: "RST, in the window", flags: RST, seq: 1},
	{name: "RST, at the edge", flags: RST, seq: 10000},
	{name: "RST, before the window", flags: RST, seq: -1},
	{name: "RST, behind the window", flags: RST, seq: 10001},
	{name: "SYN, exact", flags: SYN},
	{name: "SYN, in the window", flags: SYN, seq: 5},
	{name: "SYN, before the window", flags: SYN, seq: -5},
	{name: "SYN, the peer's again", flags: SYN, seq: -1},
	{name: "SYN+ACK, the peer's", flags: SYN | ACK, seq: -1},
	{name: "SYN+ACK, the peer's, of nothing", flags: SYN | ACK, seq: -1, ack: 9},
	{name: "SYN+ACK, exact", flags: SYN | ACK},
	{name: "SYN+ACK of nothing", flags: SYN | ACK, ack: 9},
	{name: "SYN+ACK, old", flags: SYN | ACK, ack: -9},
	{name: "SYN+ACK+FIN", flags: SYN | ACK | FIN},
	{name: "SYN+ACK and data", flags: SYN | ACK, size: 10},
	{name: "SYN and data", flags: SYN, size: 10},
	{name: "no flags, data", size: 10},
	{name: "FIN without ACK", flags: FIN},
	{name: "ACK", flags: ACK},
	{name: "ACK of nothing", flags: ACK, ack: 9},
	{name: "ACK, old", flags: ACK, ack: -1},
	{name: "ACK, older than the largest window", flags: ACK, ack: -20010},
	{name: "ACK, before the window", flags: ACK, seq: -1},
	{name: "ACK, at the edge", flags: ACK, seq: 10000},
	{name: "ACK, behind the edge", flags: ACK, seq: 10001},
	{name: "data, in order", flags: ACK, size: 10},
	{name: "data, early", flags: ACK, seq: 100, size: 10},
	{name: "data, came before", flags: ACK, seq: -10, size: 10},
	{name: "data, half of it came before", flags: ACK, seq: -5, size: 10},
	{name: "data, half of it behind the edge", flags: ACK, seq: 9995, size: 10},
	{name: "data, behind the edge", flags: ACK, seq: 10000, size: 10},
	{name: "data, of nothing acknowledged", flags: ACK, size: 10, ack: 9},
	{name: "FIN", flags: FIN | ACK},
	{name: "FIN, early", flags: FIN | ACK, seq: 10},
	{name: "FIN, again", flags: FIN | ACK, seq: -1},
	{name: "FIN, behind the edge", flags: FIN | ACK, seq: 10001},
	{name: "FIN and data", flags: FIN | ACK, size: 10},
	{name: "URG and data", flags: URG | ACK, size: 10},
	{name: "nothing", flags: 0},
}

// TestMatrix gives each kind of segment to a connection in each state (RFC 9293
// §3.10.7.3 and 4, RFC 5961), and compares what comes out with testdata/matrix.txt.
// make golden rewrites that.
func TestMatrix(t *testing.T) {
	var b strings.Builder
	for s := Closed; s <= TimeWait; s++ {
		fmt.Fprintf(&b, "== %v\n", s)
		for _, k := range kinds {
			l := newLone()
			l.become(s)
			seg := Segment{Seq: Seq(0).Add(k.seq), Flags: k.flags, Window: 20000, Urgent: 5, Payload: payload(k.size)}
			if seg.Options.Scale = NoScale; s == SynSent {
				seg.Options.MSS = 1000
			} else {
				seg.Seq += l.rcv.next - loneIRS
			}
			if k.flags&ACK != 0 {
				seg.Ack = (l.snd.next - loneISS).Add(k.ack)
			}
			if k.flags&URG == 0 {
				seg.Urgent = 0
			}
			l.give(seg)
			fmt.Fprintf(&b, "%-36s%s\n", k.name, strings.Join(l.lines, "  "))
		}
	}
	const file = "testdata/matrix.txt"
	if *rewrite {
		require.NoError(t, os.WriteFile(file, []byte(b.String()), 0o666))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), b.String())
}
