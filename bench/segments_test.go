package bench

import (
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/simnet"
)

var rewrite = flag.Bool("rewrite", false, "rewrite the golden files")

// How many segments a series of writes becomes, for sizes from 1 byte to 64
// KiB, with Nagle's algorithm and without, on links with segmentation offload
// and without: on the wire that makes little difference, as netstack cuts for
// the device at the end of a window, not at a multiple of a segment. 32 writes without a pause,
// a round trip of 20 ms.
func TestSegmentCounts(t *testing.T) {
	sizes := []int{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 1423, 1424, 1425, 1460, 2048, 2848, 4096, 8192, 16384, 32768, 65536}
	var b strings.Builder
	fmt.Fprintf(&b, "%6s | %-24s | %-24s\n", "", "Nagle on", "TCP_NODELAY")
	fmt.Fprintf(&b, "%6s | %7s %6s %9s | %7s %6s %9s\n", "write", "plain", "full", "offload", "plain", "full", "offload")
	for _, size := range sizes {
		fmt.Fprintf(&b, "%6d |", size)
		for _, noDelay := range []bool{false, true} {
			segments, full := countSegments(t, size, noDelay)
			offload, _ := countSegments(t, size, noDelay, simnet.Offload())
			fmt.Fprintf(&b, " %7d %6d %9d", segments, full, offload)
			if !noDelay {
				b.WriteString(" |")
			}
		}
		b.WriteString("\n")
	}
	const file = "testdata/segments.golden"
	if *rewrite {
		require.NoError(t, os.MkdirAll("testdata", 0o777))
		require.NoError(t, os.WriteFile(file, []byte(b.String()), 0o666))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), b.String())
}

// countSegments returns the segments with data, and the full ones.
func countSegments(t *testing.T, size int, noDelay bool, opts ...simnet.Option) (segments, full int) {
	const writes = 32
	n := simnet.New(t, opts...)
	a, b := n.Host("a", "10.0.0.1/24"), n.Host("b", "10.0.0.2/24")
	n.Link(a, b, simnet.Delay(10*time.Millisecond))
	n.Go("server", func() {
		l, err := b.Listen("tcp", ":80")
		require.NoError(t, err)
		c, err := l.Accept()
		require.NoError(t, err)
		got, err := io.Copy(io.Discard, c)
		require.NoError(t, err)
		require.EqualValues(t, writes*size, got)
		c.Close()
		l.Close()
	})
	n.Do("client", func() {
		c, err := a.Dial("tcp", "10.0.0.2:80")
		require.NoError(t, err)
		require.NoError(t, c.(*endpoint.Conn).SetNoDelay(noDelay))
		buf := make([]byte, size)
		for range writes {
			_, err := c.Write(buf)
			require.NoError(t, err)
		}
		require.NoError(t, c.Close())
	})
	n.Run()
	for _, line := range n.Trace() {
		if line.From == "a" && line.Segment.Len > 0 {
			segments++
			if line.Segment.Len == mss {
				full++
			}
		}
	}
	require.NoError(t, n.Close())
	return segments, full
}

// mss is the payload of a full segment: 1500 less the headers, and the room
// that netstack keeps for SACK blocks.
const mss = 1500 - 40 - 36
