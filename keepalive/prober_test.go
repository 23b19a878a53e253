package keepalive

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var start = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func at(d time.Duration) time.Time { return start.Add(d) }

// run polls as a timer would, until limit, and tells what happened.
func run(p *Prober, limit time.Time, busy bool) string {
	var out []string
	for n := p.Next(); !n.IsZero() && !n.After(limit); n = p.Next() {
		if early := p.Poll(n.Add(-time.Nanosecond), busy); early != None {
			out = append(out, "early")
		}
		switch p.Poll(n, busy) {
		case Probe:
			out = append(out, fmt.Sprintf("%v probe", n.Sub(start)))
		case Drop:
			out = append(out, fmt.Sprintf("%v drop", n.Sub(start)))
		}
	}
	return strings.Join(out, ", ")
}

var quick = Config{Idle: 10 * time.Second, Interval: time.Second, Count: 3}

func TestUnanswered(t *testing.T) {
	var p Prober
	p.Start(start, quick)
	assert.Equal(t, "10s probe, 11s probe, 12s probe, 13s drop", run(&p, at(time.Hour), false))
	assert.Equal(t, dead, p.state)
	p.Segment(at(14 * time.Second))
	p.Start(at(14*time.Second), quick)
	assert.Empty(t, run(&p, at(time.Hour), false), "dead stays dead")
}

func TestDefaultsDropAfter7210Seconds(t *testing.T) {
	var p Prober
	p.Start(start, Config{Idle: 7200 * time.Second, Interval: time.Second, Count: 10})
	got := run(&p, at(3*time.Hour), false)
	assert.True(t, strings.HasPrefix(got, "2h0m0s probe, 2h0m1s probe"), got)
	assert.True(t, strings.HasSuffix(got, "2h0m9s probe, 2h0m10s drop"), got)
}

// Two of three probes are lost, ten times over: the connection lives.
func TestAnswerClearsTheCount(t *testing.T) {
	var p Prober
	p.Start(start, quick)
	last := start
	for range 10 {
		require.Equal(t, Probe, p.Poll(last.Add(10*time.Second), false))
		require.Equal(t, Probe, p.Poll(last.Add(11*time.Second), false))
		require.Equal(t, 2, p.unanswered)
		last = last.Add(11500 * time.Millisecond)
		p.Segment(last)
		require.Zero(t, p.unanswered)
		require.Equal(t, last.Add(10*time.Second), p.Next())
	}
}

func TestCountZeroIsInert(t *testing.T) {
	var p Prober
	p.Start(start, Config{Idle: time.Second, Interval: time.Second})
	assert.True(t, p.Next().IsZero())
	p.Segment(start)
	assert.True(t, p.Next().IsZero())
}

func TestOutstandingDataParks(t *testing.T) {
	var p Prober
	p.Start(start, quick)
	assert.Empty(t, run(&p, at(time.Hour), true))
	assert.Equal(t, parked, p.state)
	p.Segment(at(time.Hour)) // the acknowledgement
	assert.Equal(t, at(time.Hour+10*time.Second), p.Next())

	p.Poll(p.Next(), false)
	assert.Equal(t, probing, p.state)
	p.Poll(p.Next(), true)
	assert.Equal(t, parked, p.state, "also in the middle of probing")
	assert.Zero(t, p.unanswered)
}

func TestChangesRestartTheIdlePeriod(t *testing.T) {
	var p Prober
	p.Start(start, quick)
	p.Poll(at(10*time.Second), false)
	p.Poll(at(11*time.Second), false)
	p.Start(at(11500*time.Millisecond), Config{Idle: 2 * time.Second, Interval: time.Second, Count: 1})
	assert.Equal(t, "13.5s probe, 14.5s drop", run(&p, at(time.Hour), false))

	var q Prober
	q.Start(start, quick)
	q.Stop()
	assert.Empty(t, run(&q, at(time.Hour), false))
	q.Start(at(time.Hour), quick)
	assert.Equal(t, at(time.Hour+10*time.Second), q.Next())
}

// For all parameters and segment times, the probes are those of a dumb model:
// at idle + k·interval after the last segment, for k below count.
func TestProberAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := Config{
			Idle:     time.Duration(rapid.IntRange(1, 20000).Draw(t, "idle")) * time.Millisecond,
			Interval: time.Duration(rapid.IntRange(1, 3000).Draw(t, "interval")) * time.Millisecond,
			Count:    rapid.IntRange(1, 5).Draw(t, "count"),
		}
		gaps := rapid.SliceOfN(rapid.IntRange(0, 40000), 0, 6).Draw(t, "gaps")
		var p Prober
		p.Start(start, cfg)
		last := start
		for _, gap := range append(gaps, 1<<20) {
			until := last.Add(time.Duration(gap) * time.Millisecond)
			var want []time.Time
			for k := range cfg.Count {
				if due := last.Add(cfg.Idle + time.Duration(k)*cfg.Interval); due.Before(until) {
					want = append(want, due)
				}
			}
			drop := last.Add(cfg.Idle + time.Duration(cfg.Count)*cfg.Interval)
			var got []time.Time
			dropped := time.Time{}
			for n := p.Next(); !n.IsZero() && n.Before(until); n = p.Next() {
				switch p.Poll(n, false) {
				case Probe:
					got = append(got, n)
				case Drop:
					dropped = n
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Fatalf("probes at %v, want %v", got, want)
			}
			if drop.Before(until) {
				if dropped != drop {
					t.Fatalf("dropped at %v, want %v", dropped, drop)
				}
				return
			}
			p.Segment(until)
			last = until
		}
	})
}
