package simnet_test

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/tun"
)

// everyImpairment sends data over a link each of whose directions has about half of all
// impairments, and all of those with random numbers.
func everyImpairment(t *testing.T, seed uint64) (trace string, digest uint64, there, back tun.ImpairStats) {
	t.Helper()
	speed, err := tun.ParseRateTrace("up.trace", strings.NewReader("1\n1\n3\n4\n9\n"))
	require.NoError(t, err)
	n := simnet.New(nil, simnet.Seed(seed))
	a, b := n.Host("a", "10.0.0.1/24"), n.Host("b", "10.0.0.2/24")
	link := n.Link(a, b, simnet.Delay(20*time.Millisecond), simnet.Jitter(time.Millisecond),
		simnet.Loss(0.01), simnet.LossCorrelation(0.3), simnet.Duplicate(0.05), simnet.DuplicateCorrelation(0.5),
		simnet.Corrupt(0.02), simnet.CorruptCorrelation(0.5), simnet.Reorder(0.02, 5*time.Millisecond), simnet.ReorderCorrelation(0.5),
		simnet.BurstLoss(tun.Burst{Enter: 0.01, Leave: 0.5, Loss: 0.5, GoodLoss: 0.001}), simnet.CoDel(0, 20*time.Millisecond), simnet.ECN(true),
		simnet.From(a, simnet.RateTrace(speed), simnet.LossPackets(1, 5, 6), simnet.JitterDistribution(tun.ParetoNormal), simnet.JitterReorders(true)),
		simnet.From(b, simnet.Rate(2_000_000, 0), simnet.Queue(0, 20), simnet.JitterDistribution(tun.Normal), simnet.JitterCorrelation(0.8)))
	transfer(t, n, a, b, 200_000)
	n.Advance(time.Minute)
	there, back = link.Stats(a), link.Stats(b)
	_, digest = n.Digest()
	trace = n.TraceText()
	require.NoError(t, n.Close())
	return trace, digest, there, back
}

func TestDeterminism_EveryImpairment(t *testing.T) {
	want, digest, there, back := everyImpairment(t, 3)
	for _, s := range []tun.ImpairStats{there, back} {
		require.NotZero(t, s.Lost)
		require.NotZero(t, s.Duplicated)
		require.NotZero(t, s.Corrupted)
		require.NotZero(t, s.Reordered)
	}
	require.NotZero(t, there.QueueDropped+there.Marked+back.QueueDropped+back.Marked)
	before := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(before)
	for i := range max(2, runs(t)/10) {
		runtime.GOMAXPROCS(1 + i%4)
		got, d, _, _ := everyImpairment(t, 3)
		if d != digest || got != want {
			t.Fatalf("run %d with GOMAXPROCS %d: digest %x, want %x; %s", i, 1+i%4, d, digest, firstDifference(want, got))
		}
	}
	other, _, _, _ := everyImpairment(t, 4)
	require.NotEqual(t, want, other)
}
