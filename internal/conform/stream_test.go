package conform

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

// Byte streams arrive intact, both ways at once, for random sizes of sends and
// reads, quotas that change on the way, and loss. The seed is printed with the
// steps, so that a failure can be played again.
func TestStreamsArriveIntact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Uint64Range(1, 1<<20).Draw(t, "seed")
		loss := rapid.SampledFrom([]float64{0, 0, 0.01, 0.05}).Draw(t, "loss")
		nodelay := rapid.Bool().Draw(t, "nodelay")
		size := rapid.IntRange(1, 120_000).Draw(t, "bytes")
		r := Run(Case{Scenario: Scenario{ID: "BF-16", Title: "intact", Run: func(e *Env) {
			e.Pair(simnet.Loss(loss))
			e.Do(func() { playStreams(e, seed, size, nodelay) })
			e.Notef("intact")
		}}, Family: "IPv4"}, seed, nil)
		require.True(t, r.Passed(), r.Failure)
	})
}

func playStreams(e *Env, seed uint64, size int, nodelay bool) {
	rng := rand.New(rand.NewPCG(seed, 1))
	quota := func() uint32 { return uint32([]int{0, 1, 700, 1460, 5000, 20_000, 65_536, 300_000}[rng.IntN(8)]) }
	c, s := e.connection()
	if nodelay {
		c.set(wsa.IPPROTO_TCP, wsa.TCP_NODELAY, 1)
	}
	var tasks []*simnet.Task
	for _, d := range []struct {
		from, to handle
	}{{c, s}, {s, c}} {
		data := make([]byte, size)
		for i := range data {
			data[i] = byte(rng.Uint32())
		}
		writes, reads := rng.Uint64(), rng.Uint64()
		tasks = append(tasks, e.Go("send", func() {
			r := rand.New(rand.NewPCG(writes, 2))
			for b := data; len(b) > 0; {
				n := min(len(b), 1+r.IntN(1+r.IntN(20_000)))
				Equal(e, "bytes sent", d.from.sendSome(b[:n], 0), n)
				b = b[n:]
				if r.IntN(8) == 0 {
					d.from.sndbuf(quota())
				}
				if r.IntN(16) == 0 {
					e.Net.Sleep(time.Duration(r.IntN(300)) * time.Millisecond)
				}
			}
		}))
		tasks = append(tasks, e.Go("recv", func() {
			r := rand.New(rand.NewPCG(reads, 3))
			var got []byte
			for len(got) < len(data) {
				more := d.to.recv(1 + r.IntN(30_000))
				e.Check(len(more) > 0, "the end of the stream, too early")
				got = append(got, more...)
				if r.IntN(8) == 0 {
					d.to.rcvbuf(quota())
				}
				if r.IntN(16) == 0 {
					e.Net.Sleep(time.Duration(r.IntN(300)) * time.Millisecond)
				}
			}
			e.Check(bytes.Equal(got, data), "the bytes differ")
		}))
	}
	for _, t := range tasks {
		t.Wait()
	}
}

// A peer that sends small segments, whatever the window says, can't make a socket
// that isn't read hold more than it was offered (docs/bounds.md).
func TestSmallSegmentsAreBounded(t *testing.T) {
	const size, flood, offered = 200, 4 << 20, 65536 // as the scale rounds it
	var held uint32
	r := Run(Case{Scenario: Scenario{ID: "BF-21", Title: "bounded", Run: func(e *Env) {
		e.playedAs("mss 1000,wscale 7", nil, func(s handle, p *simnet.Peer) {
			for range flood / size {
				p.Send(fmt.Sprintf("[.] len %d", size))
			}
			e.Net.Sleep(time.Second)
			held = s.value(wsa.FIONREAD)
		})
		e.Notef("bounded")
	}}, Family: "IPv4"}, 1, nil)
	require.True(t, r.Passed(), r.Failure)
	require.EqualValues(t, offered, held)
}
