package stack_test

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/stack"
)

// A crowd whose data nobody reads, and one that reads nothing, come to Config.Memory and not beyond
// it; another connection goes on; and whatever way connections end, all is given back.
func TestConfig_Memory(t *testing.T) {
	const (
		bound = 1 << 20
		crowd = 40
		free  = 8 << 10 // for each connection: a segment each way, and the first 4 KiB
	)
	n := simnet.New(t, simnet.TraceLimit(0))
	a := n.HostConfig("a", stack.Config{Addresses: prefixes("10.0.0.1/24"), Memory: bound})
	b := n.Host("b", "10.0.0.2/24")
	n.Link(a, b, simnet.Delay(time.Millisecond))
	l, err := a.Listen("tcp", ":7")
	require.NoError(t, err)
	require.EqualValues(t, bound, a.Stats().MemoryBound)
	for name, hog := range map[string]func(ours, theirs net.Conn){
		"nobody reads": func(_, theirs net.Conn) { _, _ = theirs.Write(make([]byte, 100_000)) },
		"they read nothing": func(ours, _ net.Conn) {
			_ = ours.SetWriteDeadline(n.Time().Add(time.Minute))
			_, _ = ours.Write(make([]byte, 200_000))
		},
	} {
		t.Run(name, func(t *testing.T) {
			var ours, theirs []net.Conn
			n.Do("crowd", func() {
				for i := range crowd + 1 {
					c, err := b.Dial("tcp", "10.0.0.1:7")
					require.NoError(t, err)
					s, err := l.Accept()
					require.NoError(t, err)
					ours, theirs = append(ours, s), append(theirs, c)
					if i > 0 {
						n.Go("hog", func() { hog(s, c) })
					}
				}
				n.Sleep(2 * time.Minute)
				held := a.Stats().Memory
				t.Logf("%d connections hold %d bytes of %d", crowd, held, bound)
				require.GreaterOrEqual(t, held, int64(bound))
				require.LessOrEqual(t, held, int64(bound+crowd*free))

				const size = 20_000
				n.Go("the good one", func() { _, _ = theirs[0].Write(make([]byte, size)) })
				_, err := io.CopyN(ours[0], ours[0], size)
				require.NoError(t, err)
				_, err = io.ReadFull(theirs[0], make([]byte, size))
				require.NoError(t, err)

				for i, s := range ours {
					switch i % 4 {
					case 0:
						require.NoError(t, s.Close())
					case 1:
						require.NoError(t, s.(interface{ SetLinger(int) error }).SetLinger(0))
						require.NoError(t, s.Close())
					case 2: // both have finished when it is closed
						_ = s.(interface{ CloseWrite() error }).CloseWrite()
						_ = theirs[i].Close()
						n.Sleep(time.Minute)
						_ = s.Close()
					default:
						_ = theirs[i].Close()
						_ = s.Close()
					}
				}
				for _, c := range theirs {
					_ = c.Close()
				}
				n.Sleep(10 * time.Minute)
			})
			require.Zero(t, a.Stats().Memory)
		})
	}
	require.NoError(t, l.Close())
}

func TestConfig_MemoryOutOfRange(t *testing.T) {
	for _, size := range []int64{-1, 1, 1<<20 - 1} {
		_, err := stack.New(stack.Config{Memory: size})
		require.ErrorContains(t, err, "config.Memory: ")
	}
}
