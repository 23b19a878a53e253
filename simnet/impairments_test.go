package simnet

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/tun"
)

// Each parameter of an impairment has the option that the table names, which sets it and nothing
// else.
func TestLinkOptions_OfEachParameter(t *testing.T) {
	trace, err := tun.ParseRateTrace("up.trace", strings.NewReader("1\n2\n"))
	require.NoError(t, err)
	options := map[string]struct {
		option LinkOption
		want   string
	}{
		"Partition":            {Partition(true), "partition"},
		"PathMTU":              {PathMTU(1000), "path-mtu=1000"},
		"LossPackets":          {LossPackets(3, 1, 2), "loss-packets=1-3"},
		"Loss":                 {Loss(0.5), "loss=0.5"},
		"LossCorrelation":      {LossCorrelation(0.5), "loss-correlation=0.5"},
		"BurstLoss":            {BurstLoss(tun.Burst{Enter: 0.1, Leave: 0.2, Loss: 0.3, GoodLoss: 0.4}), "burst-enter=0.1,burst-leave=0.2,burst-loss=0.3,burst-good-loss=0.4"},
		"Duplicate":            {Duplicate(0.5), "duplicate=0.5"},
		"DuplicateCorrelation": {DuplicateCorrelation(0.5), "duplicate-correlation=0.5"},
		"Corrupt":              {Corrupt(0.5), "corrupt=0.5"},
		"CorruptCorrelation":   {CorruptCorrelation(0.5), "corrupt-correlation=0.5"},
		"Rate":                 {Rate(1000, 3000), "rate=1k,queue=3k"},
		"RateTrace":            {RateTrace(trace), "rate-trace=up.trace"},
		"Queue":                {Queue(1500, 7), "queue=1500,queue-packets=7"},
		"CoDel":                {CoDel(time.Millisecond, time.Second), "queue-discipline=codel,codel-target=1ms,codel-interval=1s"},
		"ECN":                  {ECN(true), "ecn"},
		"Delay":                {Delay(time.Second), "delay=1s"},
		"Jitter":               {Jitter(time.Second), "jitter=1s"},
		"JitterDistribution":   {JitterDistribution(tun.Pareto), "jitter-distribution=pareto"},
		"JitterCorrelation":    {JitterCorrelation(0.5), "jitter-correlation=0.5"},
		"JitterReorders":       {JitterReorders(true), "jitter-reorder"},
		"Reorder":              {Reorder(0.5, time.Second), "reorder=0.5,reorder-delay=1s"},
		"ReorderCorrelation":   {ReorderCorrelation(0.5), "reorder-correlation=0.5"},
	}
	for _, p := range tun.Parameters() {
		require.Contains(t, options, p.Option, p.Name)
	}
	for name, o := range options {
		c := &linkConfig{chosen: [2]bool{true, false}}
		require.NoError(t, c.apply([]LinkOption{o.option}))
		require.Equal(t, o.want, c.impairment[0].String(), name)
		require.Empty(t, c.impairment[1].String(), name)
		require.True(t, slices.ContainsFunc(tun.Parameters(), func(p tun.Parameter) bool { return p.Option == name }), name)
	}
}

// A rate takes the place of a trace, and the other way round.
func TestLinkOptions_OneRate(t *testing.T) {
	trace, err := tun.ParseRateTrace("up.trace", strings.NewReader("1\n2\n"))
	require.NoError(t, err)
	c := &linkConfig{chosen: [2]bool{true, true}}
	require.NoError(t, c.apply([]LinkOption{Rate(1000, 0), RateTrace(trace), CoDel(0, 0), ECN(true), DropTail()}))
	require.Equal(t, "rate-trace=up.trace", c.impairment[1].String())
	require.NoError(t, c.apply([]LinkOption{Rate(1000, 0)}))
	require.Equal(t, "rate=1k", c.impairment[1].String())
}
