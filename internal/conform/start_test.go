package conform

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The words of a result and its trace have the same zero, or the trace says
// where it is: a probe "at 10.000 s" stands at 11.030s in the trace of a
// connection that was silent from 1.030s on.
func TestTrace_SaysWhereTimesCountFrom(t *testing.T) {
	c := Case{Family: "IPv4", Scenario: Scenario{Run: func(e *Env) {
		e.silent(10*time.Second, time.Second, 1, func(_ handle, start time.Duration) {
			e.Net.Sleep(10500 * time.Millisecond)
			Equal(e, "probes", e.times("a", start, probeAt(1)), "10.000")
			again := e.Start()
			Equal(e, "later", e.times("a", again, has(0)), "")
		})
	}}}
	r := Run(c, 1, nil)
	require.Empty(t, r.Failure)
	var got []string
	for line := range strings.Lines(r.Trace) {
		got = append(got, strings.TrimSpace(line))
	}
	require.Len(t, got, 5, r.Trace) // nothing follows the second start
	require.Regexp(t, `^0\.020s a>b \[\.\]`, got[2])
	require.Equal(t, "1.030s -- 0 s of times that count from here", got[3])
	require.Regexp(t, `^11\.030s a>b `, got[4])
}
