package simnet_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
)

// A bulk is what came of sending 4 MB through a bottleneck of 8 Mbit/s, with 20 ms of delay each
// way.
type bulk struct {
	took   time.Duration
	waits  []time.Duration // what probes have waited in the queue, the shortest first
	stats  tun.ImpairStats
	late   int // how many lines of the trace have a fate of the queue's head
	resent int
}

const bulkSize = 4_000_000

// share is the share of the speed of the link that was used.
func (b *bulk) share() float64 { return bulkSize * 8 / 8e6 / b.took.Seconds() }

// median is what half of the probes have waited at most.
func (b *bulk) median() time.Duration { return b.waits[len(b.waits)/2] }

// sendBulk sends data from a to b while probes measure the queue.
func sendBulk(t *testing.T, address string, ecn bool, opts ...simnet.LinkOption) *bulk {
	n := simnet.New(t, simnet.TraceLimit(1<<20))
	a := n.HostConfig("a", stack.Config{Addresses: prefixes("10.0.0.1/24", "fd00::1/64"), ECN: ecn})
	b := n.HostConfig("b", stack.Config{Addresses: prefixes("10.0.0.2/24", "fd00::2/64"), ECN: ecn})
	l := n.Link(a, b, simnet.Delay(20*time.Millisecond), simnet.From(a, append([]simnet.LinkOption{simnet.Rate(8_000_000, 0)}, opts...)...))
	out := &bulk{}
	probes, err := b.ListenPacket("udp", "10.0.0.2:9")
	require.NoError(t, err)
	n.Background("probes arrive", func() {
		for {
			var sent [8]byte
			if _, _, err := probes.ReadFrom(sent[:]); err != nil {
				return
			}
			out.waits = append(out.waits, n.Now()-time.Duration(binary.BigEndian.Uint64(sent[:]))-20*time.Millisecond)
		}
	})
	sending := true
	n.Go("probes", func() {
		c, err := a.Dial("udp", "10.0.0.2:9")
		require.NoError(t, err)
		for sending {
			_, err := c.Write(binary.BigEndian.AppendUint64(nil, uint64(n.Now())))
			require.NoError(t, err)
			n.Sleep(7 * time.Millisecond)
		}
		require.NoError(t, c.Close())
	})
	n.Go("server", func() {
		s, err := b.Listen("tcp", ":80")
		require.NoError(t, err)
		c, err := s.Accept()
		require.NoError(t, err)
		begin := n.Now()
		got, err := io.ReadAll(c)
		require.NoError(t, err)
		require.True(t, bytes.Equal(make([]byte, bulkSize), got))
		out.took, sending = n.Now()-begin, false
		require.NoError(t, c.Close())
		require.NoError(t, s.Close())
	})
	n.Go("client", func() {
		c, err := a.Dial("tcp", address)
		require.NoError(t, err)
		_, err = c.Write(make([]byte, bulkSize))
		require.NoError(t, err)
		require.NoError(t, c.Close())
	})
	require.NoError(t, n.Run())
	out.stats = l.Stats(a)
	slices.Sort(out.waits)
	sent := map[uint32]bool{}
	for _, line := range n.Trace() {
		seg := &line.Segment
		switch {
		case line.Fate&(tun.QueueDropped|tun.Marked) != 0:
			out.late++
		case line.From == "a" && seg.Len > 0:
			if sent[seg.Seq] {
				out.resent++
			}
			sent[seg.Seq] = true
		}
	}
	return out
}

// Bulk TCP fills whatever queue there is. CoDel keeps the wait below its target of 5 ms for most of
// the time, and the link busy.
func TestQueue_CoDelKeepsItShort(t *testing.T) {
	tail := sendBulk(t, "10.0.0.2:80", false, simnet.Queue(100_000, 0))
	require.Greater(t, tail.median(), 60*time.Millisecond)
	require.InDelta(t, 100*time.Millisecond, tail.waits[len(tail.waits)-1], float64(3*time.Millisecond), "100,000 bytes at 8 Mbit/s")
	require.Greater(t, tail.share(), 0.9)
	require.NotZero(t, tail.stats.QueueFull)
	require.Zero(t, tail.late)

	codel := sendBulk(t, "10.0.0.2:80", false, simnet.Queue(100_000, 0), simnet.CoDel(0, 0))
	require.Less(t, codel.median(), 5*time.Millisecond)
	require.Greater(t, codel.share(), 0.85)
	require.Greater(t, codel.stats.QueueDropped, uint64(10))
	require.EqualValues(t, codel.stats.QueueDropped, codel.late, "the trace has each drop")
	require.NotZero(t, codel.resent)
}

// With ECN the same queue loses nothing of TCP, over IPv4 and IPv6, and is as short: marks slow TCP
// down as losses do. The probes, which aren't TCP's, are lost still.
func TestQueue_MarksInsteadOfLosses(t *testing.T) {
	for _, address := range []string{"10.0.0.2:80", "[fd00::2]:80"} {
		ecn := sendBulk(t, address, true, simnet.Queue(250_000, 0), simnet.CoDel(0, 0), simnet.ECN(true))
		require.Zero(t, ecn.resent)
		require.Greater(t, ecn.stats.Marked, uint64(5))
		require.Less(t, ecn.stats.QueueDropped, ecn.stats.Marked)
		require.EqualValues(t, ecn.stats.QueueDropped+ecn.stats.Marked, ecn.late)
		require.Less(t, ecn.median(), 5*time.Millisecond)
		require.Greater(t, ecn.share(), 0.75)
	}
	deaf := sendBulk(t, "10.0.0.2:80", false, simnet.Queue(250_000, 0), simnet.CoDel(0, 0), simnet.ECN(true))
	require.Zero(t, deaf.stats.Marked, "a sender without ECN")
	require.NotZero(t, deaf.resent)
}

// Queues, traces and marks have the same fate in every run.
func TestDeterminism_Queues(t *testing.T) {
	steps, err := tun.ParseRateTrace("steps", strings.NewReader("1\n1\n2\n9\n20\n21\n21\n40\n"))
	require.NoError(t, err)
	run := func() (packets, digest uint64) {
		n := simnet.New(nil)
		a := n.HostConfig("a", stack.Config{Addresses: prefixes("10.0.0.1/24"), ECN: true})
		b := n.HostConfig("b", stack.Config{Addresses: prefixes("10.0.0.2/24"), ECN: true})
		l := n.Link(a, b, simnet.Delay(5*time.Millisecond), simnet.Jitter(time.Millisecond), simnet.Loss(0.01), simnet.Duplicate(0.01),
			simnet.CoDel(0, 20*time.Millisecond), simnet.ECN(true), simnet.From(a, simnet.RateTrace(steps)), simnet.From(b, simnet.Rate(1_000_000, 0)))
		n.Clock().AfterFunc(200*time.Millisecond, func() { l.Set(simnet.From(a, simnet.Rate(3_000_000, 0))) })
		transfer(t, n, a, b, 300_000)
		require.NoError(t, n.Close())
		stats := l.Stats(a)
		require.NotZero(t, stats.Marked)
		return n.Digest()
	}
	packets, digest := run()
	for range runs(t) / 10 {
		p, d := run()
		require.Equal(t, []uint64{packets, digest}, []uint64{p, d})
	}
}
