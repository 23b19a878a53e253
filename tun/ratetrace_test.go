package tun

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// rateTrace makes a RateTrace of milliseconds.
func rateTrace(t require.TestingT, ms ...int) *RateTrace {
	lines := strings.Trim(strings.ReplaceAll(fmt.Sprint(ms), " ", "\n"), "[]")
	trace, err := ParseRateTrace("test", strings.NewReader(lines))
	require.NoError(t, err)
	return trace
}

func TestRateTrace_Reads(t *testing.T) {
	file := filepath.Join(t.TempDir(), "link.trace")
	require.NoError(t, os.WriteFile(file, []byte("0\n5\r\n5\n20"), 0o600))
	trace, err := ReadRateTrace(file)
	require.NoError(t, err)
	require.Equal(t, file, trace.String())
	require.Equal(t, 20*time.Millisecond, trace.Period())
	require.EqualValues(t, 4*1504*8*50, trace.Rate())
	_, err = ReadRateTrace(file + ".gone")
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, "link.trace.gone")
}

func TestRateTrace_Errors(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", "t: the trace is empty"},
		{"0\n0\n", "t: the trace has no length: its last number is 0"},
		{"1\n\n2\n", `t:2: "" is not a number of milliseconds`},
		{"1\n2 \n", `t:2: "2 " is not`},
		{"1\n-2\n", `t:2: "-2" is not`},
		{"+1\n", `t:1: "+1" is not`},
		{"1.5\n", `t:1: "1.5" is not`},
		{"12 Mbit\n", `t:1: "12 Mbit" is not`},
		{"5\n7\n6\n", "t:3: 6 comes after 7: the numbers must not descend"},
		{"86400000\n86400001\n", "t:2: 86400001 ms is beyond 24h0m0s"},
		{"18446744073709551616\n", `t:1: "18446744073709551616" is not`},
		{"1\n" + strings.Repeat("9", 10_000), "t:2: the line is longer than a number"},
		{strings.Repeat("1\n", maxOpportunities+1), "t:4194305: the trace has more than 4194304 lines"},
	} {
		_, err := ParseRateTrace("t", strings.NewReader(c.text))
		require.ErrorContains(t, err, c.want)
	}
	broken := errors.New("broken")
	_, err := ParseRateTrace("t", io.MultiReader(strings.NewReader("1\n"), iotest.ErrReader(broken)))
	require.ErrorIs(t, err, broken)
}

// The opportunities are those of a list that is written out.
func TestRateTrace_Positions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		gaps := rapid.SliceOfN(rapid.IntRange(0, 3), 1, 6).Draw(t, "gaps")
		ms, sum := make([]int, len(gaps)), 0
		for i, gap := range gaps {
			sum += gap
			ms[i] = sum
		}
		if sum == 0 {
			ms[len(ms)-1] = 1
		}
		trace := rateTrace(t, ms...)
		const start = 7 * time.Millisecond / 2
		var times []time.Duration
		for round := range 6 {
			for _, k := range ms {
				times = append(times, start+time.Duration(round)*trace.Period()+time.Duration(k)*time.Millisecond)
			}
		}
		now := start + time.Duration(rapid.IntRange(0, int(3*trace.Period())).Draw(t, "now"))
		p := trace.after(start, now)
		for i, at := range times {
			if at <= now {
				continue
			}
			for _, want := range times[i:] {
				require.Equal(t, want, trace.at(p))
				p = trace.next(p)
			}
			return
		}
		t.Fatal("the list is too short")
	})
}

// What isn't a trace is an error; what is one has opportunities, in order, for ever.
func FuzzRateTrace(f *testing.F) {
	for _, seed := range []string{"1\n", "0\n5\n5\n", "3\r\n2\n", "", "0\n", "86400000", "x"} {
		f.Add([]byte(seed), int64(12_345_678))
	}
	f.Fuzz(func(t *testing.T, text []byte, now int64) {
		trace, err := ParseRateTrace("t", bytes.NewReader(text))
		if err != nil {
			require.ErrorContains(t, err, "t:")
			return
		}
		last := time.Duration(now & (1<<55 - 1))
		p := trace.after(0, last)
		require.Greater(t, trace.at(p), last)
		for range 10 {
			require.GreaterOrEqual(t, trace.at(p), last)
			last, p = trace.at(p), trace.next(p)
		}
	})
}
