package conform

import (
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/wsstack/wsstack/options"
)

// Every run of every scenario, with goleak after each.
func TestScenarios(t *testing.T) {
	for _, s := range Scenarios() {
		t.Run(s.ID, func(t *testing.T) {
			for _, c := range Cases([]Scenario{s}) {
				t.Run(c.Name(), func(t *testing.T) {
					r := Run(c, 1, nil)
					if !r.Passed() {
						t.Fatalf("%s\n%s", r.Failure, r.Trace)
					}
					require.NotEmpty(t, r.Evidence, "a scenario says what it has seen")
					require.NoError(t, goleak.Find())
				})
			}
		})
	}
}

// The same over links with segmentation offload: what is on the wire is what
// counts, not how it got there.
func TestScenariosOverOffload(t *testing.T) {
	for _, c := range Cases(Scenarios(), options.Documented, options.Windows) {
		c.Offload = true
		t.Run(c.ID+"/"+c.Name(), func(t *testing.T) {
			if r := Run(c, 1, nil); !r.Passed() {
				t.Fatalf("%s\n%s", r.Failure, r.Trace)
			}
		})
	}
}

// The registry is whole: identifiers exist, titles and sources are given. It
// names no file that isn't in the repository, as wsstack verify prints it.
func TestRegistry(t *testing.T) {
	known := map[string]bool{}
	for _, s := range Statements() {
		assert.False(t, known[s.ID], "%s is listed twice", s.ID)
		assert.NotEmpty(t, s.Text, s.ID)
		assert.NotRegexp(t, `[a-z]\.md\b`, s.Text, s.ID)
		known[s.ID] = true
	}
	require.Greater(t, len(known), 280)
	titles := map[string]bool{}
	for _, s := range Scenarios() {
		assert.True(t, known[s.ID], "%s is no statement", s.ID)
		assert.NotEmpty(t, s.Title, s.ID)
		assert.NotEmpty(t, s.Source, s.ID)
		assert.NotRegexp(t, `[a-z]\.md\b|^errors`, s.Source, s.ID)
		assert.False(t, titles[s.ID+s.Title], "%s %q twice", s.ID, s.Title)
		assert.Equal(t, s.Profiles != nil, s.Why != "", "%s %q: Why says what the profiles do that aren't among Profiles", s.ID, s.Title)
		assert.Regexp(t, `^(|.*[^. ])$`, s.Why, "%s %q: Why has no full stop", s.ID, s.Title)
		titles[s.ID+s.Title] = true
	}
}

// The registry stands in the order of the statements: each list of it is of one area and takes up
// where the one before it ends, no scenario is in it twice, and no statement lacks one.
func TestRegistry_IsInTheOrderOfTheStatements(t *testing.T) {
	place, proven := map[string]int{}, map[string]bool{}
	for i, s := range Statements() {
		place[s.ID] = i
	}
	last := Statements()[0].ID
	for _, list := range areas() {
		require.NotEmpty(t, list)
		for _, s := range list {
			assert.Equal(t, area(list[0].ID), area(s.ID), "%s %q is in the list of another area", s.ID, s.Title)
			assert.GreaterOrEqual(t, place[s.ID], place[last], "%s %q comes after %s", s.ID, s.Title, last)
			proven[s.ID], last = true, s.ID
		}
	}
	for _, s := range Statements() {
		assert.Equal(t, Untested[s.ID] == "", proven[s.ID], "%s has a scenario", s.ID)
	}
}

// The same seed gives the same trace, byte for byte: 50 runs of the pattern
// scenarios, or as many as WSSTACK_RUNS says.
func TestScenariosAreDeterministic(t *testing.T) {
	runs := 50
	if n, err := strconv.Atoi(os.Getenv("WSSTACK_RUNS")); err == nil {
		runs = n
	}
	for _, id := range []string{"NG-1", "SH-9", "LG-2", "RS-1"} {
		for _, s := range Scenarios() {
			if s.ID != id {
				continue
			}
			c := Cases([]Scenario{s})[0]
			first := Run(c, 7, nil)
			for range runs {
				if r := Run(c, 7, nil); r.Trace != first.Trace {
					t.Fatalf("%s: two traces of one seed:\n%s\n%s", id, first.Trace, r.Trace)
				}
			}
		}
	}
}
