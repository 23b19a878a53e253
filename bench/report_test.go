//go:build linux

package bench

import (
	"encoding/json"
	"errors"
	"io"
	"path/filepath"
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
	for _, m := range measures {
		for _, c := range m.columns {
			assert.Contains(t, Columns, c)
		}
	}
	for _, b := range bounds(true) {
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

// Ratios are taken round by round: a slow round of both doesn't move them. Each group has a table
// with those figures that it has.
func TestReport(t *testing.T) {
	r := Report{Title: "Streams", Rounds: 3, Columns: Columns, Bounds: bounds(true), Missing: []string{"lneto isn't built: `go build`"}}
	row := func(name, group string, out ...float64) *Row {
		row := r.Add(name)
		row.Group, row.Samples[Out] = group, out
		return row
	}
	row(loopback, GroupKernel, 60, 6, 600)
	row(wsstackOffload, GroupTUN, 30, 3, 300)
	row(gonetWater, GroupTUN, 1, 1, 1).Version = "v0.0.0-20260905035102-160fafc42237"
	r.Finish()
	r.Others = 0.5
	assert.EqualValues(t, 30, r.Rows[1].Medians[Out])
	require.Len(t, r.Ratios, 2, "only what was measured")
	assert.Equal(t, Ratio{Bound{Out, wsstackOffload, loopback, 0.9, 0}, Interval{0.5, 0.5, 0.5}, "missed"}, r.Ratios[0])
	var b strings.Builder
	require.NoError(t, r.Figures(&b))
	assert.Contains(t, b.String(), `
### Over a TUN, to the kernel

| | wsstack, offload | gonet, water |
|---|---:|---:|
| version | – | 2026-09-05 160fafc |
| out, Gbit/s | 30.0 | 1.00 |

### The kernel alone

| | kernel, loopback |
|---|---:|
| out, Gbit/s | 60.0 |

- lneto isn't built: `+"`go build`\n")
	assert.Contains(t, b.String(), "## Streams\n")
	assert.Contains(t, b.String(), "| out, Gbit/s | wsstack, offload | kernel, loopback | 0.500 | 0.500 … 0.500 | ≥ 0.900 | missed |")
	assert.Contains(t, b.String(), "busy")
}

func TestBrief(t *testing.T) {
	for version, want := range map[string]string{
		"v1.80.0":                                 "v1.80.0",
		"v0.0.0-20260522210424-ecfc5a8d5446":      "2026-05-22 ecfc5a8",
		"v1.2.4-0.20260522210424-ecfc5a8d5446":    "2026-05-22 ecfc5a8",
		"v1.2.4-rc.0.20260522210424-ecfc5a8d5446": "2026-05-22 ecfc5a8",
	} {
		assert.Equal(t, want, brief(version))
	}
}

// role is the first argument of the test binary where it has contenders.
const role = "(contenders)"

// compared are contenders that need nothing of the system, and one that has no UDP.
func compared(c Contender) bool {
	return slices.Contains([]string{wsstackPipe, gonetPipe, "net.Pipe"}, c.Name)
}

// A short comparison, each contender in a process.
func TestRun(t *testing.T) {
	profiles := t.TempDir()
	c := Comparison{Programs: [][]string{{"/proc/self/exe", role}}, Accept: compared, Rounds: 1, Length: time.Millisecond, Profiles: profiles}
	c.Progress = func(string) {}
	r, err := c.Run()
	require.NoError(t, err)
	require.Len(t, r.Rows, 3)
	for _, row := range r.Rows {
		for _, c := range Columns {
			if row.Name == "net.Pipe" && c == UDP {
				assert.Zero(t, row.Medians[c])
				continue
			}
			assert.Positive(t, row.Medians[c], "%s: %s", row.Name, c)
			assert.Len(t, row.Samples[c], 1, "the first round doesn't count")
		}
	}
	files, err := filepath.Glob(filepath.Join(profiles, "*"))
	require.NoError(t, err)
	assert.Len(t, files, 2*len(r.Rows))
}

// What a process can't do is an error, with its reason.
func TestServeFails(t *testing.T) {
	err := Serve(Contenders(), []string{"nobody"}, nil, nil)
	require.ErrorContains(t, err, `no contender "nobody"`)
	broken := Contender{Name: "broken", Link: func() (*Network, error) { return nil, errors.New("no link") }}
	in, tasks := io.Pipe()
	results, out := io.Pipe()
	go func() { out.CloseWithError(obey(broken, in, out)) }()
	p := process{tasks: json.NewEncoder(tasks), outcomes: json.NewDecoder(results)}
	_, err = p.ask(task{Length: time.Millisecond})
	require.ErrorContains(t, err, "no link")
	require.NoError(t, tasks.Close())
	_, err = p.ask(task{})
	require.Error(t, err)
}

// A measure that a peer's process dies of is reported and not tried again; the others have a new
// process. Of any other process it is the end.
func TestProcessDies(t *testing.T) {
	p := process{
		program:   []string{"sh", "-c", `read task; case "$task" in *:3,*) exit 1;; *) echo '{"Figures": [7]}';; esac; read more`},
		contender: Contender{Name: "sh", Peer: "sh"}, failed: map[int]string{},
	}
	require.NoError(t, p.start())
	defer func() { p.stop() }()
	figures, err := p.do(task{Measure: 3})
	require.NoError(t, err)
	require.Empty(t, figures)
	require.Contains(t, p.failed[3], "no answer")
	figures, err = p.do(task{Measure: 4})
	require.NoError(t, err)
	require.Equal(t, []float64{7}, figures)
	before := p.cmd
	_, err = p.do(task{Measure: 3})
	require.NoError(t, err)
	require.Same(t, before, p.cmd, "it isn't asked again")

	p.contender.Peer, p.failed = "", map[int]string{}
	p.stop()
	require.NoError(t, p.start())
	_, err = p.do(task{Measure: 3})
	require.ErrorContains(t, err, "sh: no answer")
}
