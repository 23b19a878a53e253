// Package conform holds the scenarios: for each statement of the behaviour
// specification, a small play on a simulated network in virtual time that
// fails when the behaviour is broken. Where a statement has an effect on the
// wire, its scenario asserts segments. The same scenarios serve go test and
// wsstack verify.
package conform

import (
	_ "embed"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"sync"

	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/simnet"
)

//go:embed statements.txt
var statementsText string

// A Statement is one line of the behaviour specification.
type Statement struct {
	ID   string // such as "KA-5"
	Text string
}

// Area is the part of the identifier before the number.
func (s Statement) Area() string { return area(s.ID) }

func area(id string) string {
	a, _, _ := strings.Cut(id, "-")
	return a
}

// Statements returns all statements, in the order of the specification.
var Statements = sync.OnceValue(func() []Statement {
	var list []Statement
	for line := range strings.Lines(statementsText) {
		if id, text, ok := strings.Cut(strings.TrimSpace(line), "\t"); ok {
			list = append(list, Statement{id, text})
		}
	}
	return list
})

// A Scenario is the proof of one statement. A statement may have several.
type Scenario struct {
	ID     string // of the statement
	Title  string // what is shown, in a few words
	Source string // the page or document behind the statement

	// Profiles are those the scenario is true of; nil: all of them. Why says what the others do, or
	// where that stands, and names the conflict. It is there where Profiles is.
	Profiles []options.Profile
	Why      string

	// Once says that the family makes no difference. Other scenarios run over IPv4 and IPv6.
	Once bool

	Run func(*Env)
}

// A Case is one run of a scenario.
type Case struct {
	Scenario
	Family  string // "IPv4" or "IPv6"
	Profile options.Profile
	Offload bool // over links with segmentation offload
}

// Name tells the runs of a scenario apart.
func (c Case) Name() string {
	return fmt.Sprintf("%s %s %s", strings.ReplaceAll(c.Title, " ", "_"), c.Family, c.Profile)
}

// Untested are the statements that have no scenario, and why.
var Untested = map[string]string{
	"AV-18": "virtual time runs one goroutine at a time: tests of internal/socket and provider look at that, with the race detector",
}

// In reports whether the scenario is true of a profile.
func (s Scenario) In(p options.Profile) bool {
	return s.Profiles == nil || slices.Contains(s.Profiles, p)
}

// Profiles are all profiles.
func Profiles() []options.Profile {
	return []options.Profile{options.Documented, options.Windows, options.Legacy}
}

// Cases expands scenarios to their runs. With profiles, only runs of those.
func Cases(scenarios []Scenario, profiles ...options.Profile) []Case {
	var cases []Case
	for _, s := range scenarios {
		families := []string{"IPv4", "IPv6"}
		if s.Once {
			families = families[:1]
		}
		for _, p := range Profiles() {
			if !s.In(p) || len(profiles) > 0 && !slices.Contains(profiles, p) {
				continue
			}
			for _, f := range families {
				cases = append(cases, Case{Scenario: s, Family: f, Profile: p})
			}
		}
	}
	return cases
}

// A Result is the outcome of a Case.
type Result struct {
	Case
	Failure  string // empty: passed
	Evidence string // what was seen, in words
	Trace    string // the segments, and the times that the words count from
	Packets  uint64 // how many packets there were before the network was closed
}

// Passed reports success.
func (r Result) Passed() bool { return r.Failure == "" }

// Run plays a case on a fresh network. seed is that of the network; 0 means 1.
// observe, which may be nil, is called with the network before anything else.
func Run(c Case, seed uint64, observe func(*simnet.Network)) Result {
	e := newEnv(c, seed)
	if observe != nil {
		observe(e.Net)
	}
	return e.run(c)
}

// run plays a case on a network that nobody has used yet.
func (e *Env) run(c Case) Result {
	done := make(chan struct{})
	go func() { // its own goroutine, because a failure ends it with Goexit
		defer close(done)
		defer e.recoverPanic()
		c.Run(e)
	}()
	<-done
	trace := e.traceText()
	packets, _ := e.Net.Digest()
	e.close()
	return Result{Case: c, Failure: e.failure(), Evidence: strings.Join(e.notes, "; "), Trace: trace, Packets: packets}
}

// recoverPanic turns a panic of a scenario into its failure.
func (e *Env) recoverPanic() {
	if r := recover(); r != nil {
		e.fail(fmt.Sprintf("panic: %v\n%s", r, debug.Stack()))
	}
}
