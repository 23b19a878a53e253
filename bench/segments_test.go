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
// and without: on the wire that makes no difference. 32 writes without a pause,
// a round trip of 20 ms. The congestion window counts bytes (RFC 6928 §2), so that
// with TCP_NODELAY small ones all leave at once.
func TestSegmentCounts(t *testing.T) {
	sizes := []int{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 1424, 1459, 1460, 1461, 2048, 2920, 4096, 8192, 16384, 32768, 65536}
	var b strings.Builder
	fmt.Fprintf(&b, "%6s | %-24s | %-24s\n", "", "Nagle on", "TCP_NODELAY")
	fmt.Fprintf(&b, "%6s | %7s %6s %9s | %7s %6s %9s\n", "write", "plain", "full", "offload", "plain", "full", "offload")
	for _, size := range sizes {
		fmt.Fprintf(&b, "%6d |", size)
		for _, noDelay := range []bool{false, true} {
			segments, full := countSegments(t, size, noDelay)
			offload, fullToo := countSegments(t, size, noDelay, simnet.Offload())
			require.Equal(t, full, fullToo, "full segments of %d writes of %d bytes, noDelay %v", writes, size, noDelay)
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

const writes = 32

// countSegments returns the segments with data, and the full ones.
func countSegments(t *testing.T, size int, noDelay bool, opts ...simnet.Option) (segments, full int) {
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

// mss is the payload of a full segment: 1500 less the headers. Nothing is kept free
// for SACK blocks, which are none where data goes one way and nothing is lost.
const mss = 1500 - 40
