//go:build linux

package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/wsstack/wsstack/bench"
	"github.com/wsstack/wsstack/internal/netns"
)

// unable is why there is no namespace with a TUN.
var unable error

func TestMain(m *testing.M) {
	unable = netns.Main("loss", m.Run)
	os.Exit(m.Run())
}

// A short run has a figure for each sender and link.
func TestRun(t *testing.T) {
	if unable != nil {
		t.Skip(unable)
	}
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	s := settings{rounds: 1, length: 200 * time.Millisecond}
	var b strings.Builder
	require.NoError(t, s.run(&b))
	for _, f := range faults {
		_, rest, found := strings.Cut(b.String(), "\n| "+string(f.column)+" | ")
		line, _, _ := strings.Cut(rest, "\n")
		require.True(t, found && !strings.Contains(line, "–"), "%s: %s", f.column, line)
	}
}

// Bounds are about senders and links that exist.
func TestBoundsNameSenders(t *testing.T) {
	names, columns := map[string]bool{}, map[bench.Column]bool{}
	for _, s := range senders {
		names[s.name] = true
	}
	for _, f := range faults {
		columns[f.column] = true
	}
	for _, b := range bounds() {
		require.True(t, names[b.Of] && names[b.To] && columns[b.Column], "%v", b)
	}
}
