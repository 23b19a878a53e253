//go:build linux

package integration

import (
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/seqnum"

	"github.com/wsstack/wsstack/tun"
)

// A segment of data as the capture of the TUN shows it, in the order in which
// packets crossed it.
type crossing struct {
	seq   seqnum.Value
	size  int
	acked seqnum.Value // the kernel's last acknowledgement before it
}

// dataOf returns the stack's segments of data; the kernel delays some of its
// acknowledgements. A retransmission is left out.
func dataOf(packets []captured) (list []crossing, mss int) {
	var next, acked seqnum.Value
	for _, p := range packets {
		s, ok := p.tcp()
		switch {
		case !ok:
		case !p.fromStack:
			if s.Flags().Contains(header.TCPFlagAck) {
				acked = seqnum.Value(s.AckNumber())
			}
		case s.Flags().Contains(header.TCPFlagSyn):
			next = seqnum.Value(s.SequenceNumber()) + 1
		case len(s.Payload()) > 0:
			seq := seqnum.Value(s.SequenceNumber())
			if seq != next {
				continue
			}
			list = append(list, crossing{seq, len(s.Payload()), acked})
			next = seq.Add(seqnum.Size(len(s.Payload())))
			mss = max(mss, len(s.Payload()))
		}
	}
	return list, mss
}

// delayAcknowledgements makes the kernel's acknowledgements late: left to itself
// it acknowledges inside the write that hands it a segment, so that nothing
// ever seems to be in flight.
func delayAcknowledgements(t *testing.T, k *net.TCPConn) {
	raw, err := k.SyscallConn()
	require.NoError(t, err)
	require.NoError(t, raw.Control(func(fd uintptr) {
		require.NoError(t, unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_QUICKACK, 0))
	}))
}

// NG-2, NG-5, NG-8, NG-10 against Linux: with Nagle's algorithm a partial segment
// leaves only when the kernel has acknowledged all that was sent before; with
// TCP_NODELAY each small write is a segment.
func TestNagleAgainstLinux(t *testing.T) {
	t.Parallel()
	for _, nodelay := range []bool{false, true} {
		var c *capture
		n := newNetwork(t, settings{
			observe: func(name string) { c = newCapture(t, name) },
			open:    tun.OpenWater, // packets as they are, not in segments of 64 KiB
		})
		for _, r := range roles(n.kernel, n.wsock, false) {
			name := r.name + ", Nagle on"
			if nodelay {
				name = r.name + ", Nagle off"
			}
			t.Run(name, func(t *testing.T) {
				start := len(c.all())
				k, w := r.ends(t)
				require.NoError(t, w.SetNoDelay(nodelay))
				delayAcknowledgements(t, k.(*net.TCPConn))
				sizes := []int{1, 1, 1, 1, 1, 5000, 1, 1, 700, 700, 700, 1, 1}
				if nodelay {
					sizes = []int{1, 1, 1, 700, 1, 700, 1, 1} // less than the first congestion window
				}
				total := 0
				for _, size := range sizes {
					_, err := w.Write(pattern(size))
					require.NoError(t, err)
					total += size
				}
				_, err := io.ReadFull(k, make([]byte, total))
				require.NoError(t, err)
				var segments []crossing
				var mss int
				soon(t, func() bool {
					segments, mss = dataOf(c.all()[start:])
					got := 0
					for _, s := range segments {
						got += s.size
					}
					return got == total
				}, "all data is captured")
				if nodelay {
					require.Len(t, segments, len(sizes), "each write is a segment")
					return
				}
				for i, s := range segments {
					if s.size < mss {
						require.Equal(t, s.acked, s.seq, "segment %d of %d bytes left with data in flight: %+v", i, s.size, segments)
					}
				}
			})
		}
	}
}
