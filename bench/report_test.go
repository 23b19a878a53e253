//go:build linux

package bench

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Bounds name rows that exist, and columns.
func TestBoundsNameContenders(t *testing.T) {
	names := map[string]bool{"": true}
	for _, c := range Contenders() {
		names[c.Name] = true
	}
	for _, b := range bounds() {
		assert.True(t, names[b.Of] && names[b.To], "%v", b)
		assert.True(t, slices.Contains(Columns, b.Column), "%v", b)
	}
}

func TestJudge(t *testing.T) {
	least, most := Bound{Least: 0.9}, Bound{Most: 1.1}
	assert.Equal(t, "missed", judge(least, Interval{0.8, 0.7, 0.89}).Verdict)
	assert.Equal(t, "holds", judge(least, Interval{0.8, 0.7, 0.91}).Verdict, "the interval reaches it")
	assert.Equal(t, "missed", judge(most, Interval{1.3, 1.2, 1.4}).Verdict)
	assert.Equal(t, "holds", judge(most, Interval{1.2, 1.0, 1.4}).Verdict)
	assert.Empty(t, judge(Bound{}, Interval{9, 9, 9}).Verdict)
}

// Ratios are taken round by round: a slow round of both doesn't move them.
func TestReport(t *testing.T) {
	r := Report{Rounds: 3, Columns: Columns, Bounds: bounds()}
	row := func(name string, out ...float64) { r.Add(name).Samples[Out] = out }
	row(wsstackOffload, 30, 3, 300)
	row(loopback, 60, 6, 600)
	r.Finish()
	r.Others = 0.5
	assert.EqualValues(t, 30, r.Rows[0].Medians[Out])
	require.Len(t, r.Ratios, 1, "only what was measured")
	assert.Equal(t, Ratio{Bound{Out, wsstackOffload, loopback, 0.9, 0}, Interval{0.5, 0.5, 0.5}, "missed"}, r.Ratios[0])
	var b strings.Builder
	require.NoError(t, r.Markdown(&b))
	assert.Contains(t, b.String(), "| wsstack, offload | 30.0 | – |")
	assert.Contains(t, b.String(), "| out, Gbit/s | wsstack, offload | kernel, loopback | 0.500 | 0.500 … 0.500 | ≥ 0.900 | missed |")
	assert.Contains(t, b.String(), "busy")
	b.Reset()
	require.NoError(t, r.Figures(&b))
	assert.Contains(t, b.String(), "| | wsstack, offload | kernel, loopback |")
	assert.Contains(t, b.String(), "| out, Gbit/s | 30.0 | 60.0 |")
	assert.Contains(t, b.String(), "| 0.500 | 0.500 … 0.500 | ≥ 0.900 | missed |")
}

// A short comparison on links that need nothing of the system.
func TestRun(t *testing.T) {
	r, err := Run(1, 10*time.Millisecond, func(name string) bool { return name == wsstackPipe || name == gonetChannel }, func(string) {})
	require.NoError(t, err)
	require.Len(t, r.Rows, 2)
	for _, row := range r.Rows {
		for _, c := range Columns {
			assert.Positive(t, row.Medians[c], "%s: %s", row.Name, c)
		}
	}
}
