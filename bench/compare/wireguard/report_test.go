//go:build linux

package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/bench"
)

// Every figure is a column, once, and bounds are about contenders and columns that exist.
func TestReportNamesFigures(t *testing.T) {
	known := map[bench.Column]bool{}
	for _, c := range columns {
		require.False(t, known[c], c)
		known[c] = true
	}
	measured := map[bench.Column]bool{idleMemory: true}
	for _, r := range rows {
		for _, c := range []bench.Column{r.name, r.tail, r.cpu, r.peak} {
			if c != "" {
				require.True(t, known[c], c)
				measured[c] = true
			}
		}
	}
	require.Len(t, measured, len(columns))
	names := map[string]bool{}
	for _, c := range contenders {
		require.NotNil(t, kinds[c.near], c.name)
		require.NotNil(t, kinds[c.far], c.name)
		names[c.name] = true
	}
	for _, b := range bounds() {
		require.True(t, names[b.Of] && names[b.To] && known[b.Column], "%v", b)
	}
}
