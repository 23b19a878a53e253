//go:build linux

package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/wsstack/wsstack/bench"
)

// The test is the command's child as well.
func TestMain(m *testing.M) {
	if len(os.Args) == 5 && os.Args[1] == measureRole {
		check(measure(os.Args[2], os.Args[3], os.Args[4], os.Stdout))
		return
	}
	goleak.VerifyTestMain(m)
}

// A short run has a figure for each contender that can have it, and plots.
func TestRun(t *testing.T) {
	s := settings{rounds: 1, length: 10 * time.Millisecond, counts: []int{1, 100}, plots: t.TempDir(), progress: io.Discard}
	var b strings.Builder
	require.NoError(t, s.run(&b))
	for _, c := range bench.CrowdColumns {
		n := strings.Count(b.String(), "\n| "+string(c)+" | ")
		require.True(t, n >= 2 || n >= 1 && c == bench.CrowdProbes || c == bench.CrowdGoroutines, "%s\n%s", c, b.String())
	}
	require.NotContains(t, b.String(), "NaN")
	for _, p := range plots {
		text, err := os.ReadFile(filepath.Join(s.plots, p.file))
		require.NoError(t, err)
		require.Less(t, len(text), 10_000, p.file)
		require.Contains(t, b.String(), p.file)
		d := xml.NewDecoder(strings.NewReader(string(text)))
		for err == nil {
			_, err = d.Token()
		}
		require.True(t, errors.Is(err, io.EOF), "%s: %v", p.file, err)
	}
}

// A contender that fails is said to have failed, with the reason, and the others go on.
func TestRunWithFailure(t *testing.T) {
	s := settings{rounds: 1, length: 10 * time.Millisecond, counts: []int{1, -1}, only: []string{theirs}, progress: io.Discard}
	var b strings.Builder
	require.NoError(t, s.run(&b))
	require.Contains(t, b.String(), "\n- gonet, -1: ")
	require.Contains(t, b.String(), "\n| all, exchanges/s | ")
}

// Bounds and plots are about rows and columns that exist.
func TestBoundsNameRows(t *testing.T) {
	counts := []int{1, 100, 1000}
	names := map[string]bool{}
	for _, count := range counts {
		names[title(ours, count)], names[title(theirs, count)] = true, true
	}
	for _, b := range bounds(counts) {
		require.True(t, names[b.Of] && names[b.To] && slices.Contains(bench.CrowdColumns, b.Column), "%v", b)
	}
	for _, p := range plots {
		require.Contains(t, bench.CrowdColumns, p.column)
	}
}
