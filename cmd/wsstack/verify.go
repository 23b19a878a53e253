package main

import (
	"fmt"
	"html/template"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/wsstack/wsstack/internal/conform"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/scripts"
	"github.com/wsstack/wsstack/simnet"
)

// The verdicts on a statement.
const (
	verdictPass     = "pass"
	verdictFail     = "fail"
	verdictUntested = "untested" // no scenario names the statement
	verdictNotRun   = "not run"  // no scenario of the statement has the profile
)

// A verification is the result of the scenarios of one statement.
type verification struct {
	ID        string      `json:"id"`                // number of the statement, such as "KA-5"
	Statement string      `json:"statement"`         // text of the statement
	Verdict   string      `json:"verdict"`           // one of the verdicts
	Why       string      `json:"why,omitempty"`     // why the statement is untested
	Scripts   []string    `json:"scripts,omitempty"` // files in the repository that show the statement
	Runs      []verifyRun `json:"runs,omitempty"`    // one for each scenario, family and profile
	NotRun    []notRun    `json:"notRun,omitempty"`  // scenarios that the profile leaves out
}

// A notRun is a scenario that isn't true of the profile asked for.
type notRun struct {
	Scenario string   `json:"scenario"` // title of the scenario
	Source   string   `json:"source"`   // page or document behind the statement
	Profiles []string `json:"profiles"` // names of the profiles that it is true of
	Why      string   `json:"why"`      // what the profile asked for does, or where that stands
}

// A verifyRun is one run of one scenario.
type verifyRun struct {
	Scenario string `json:"scenario"`           // title of the scenario
	Source   string `json:"source"`             // page or document behind the statement
	Family   string `json:"family"`             // "IPv4" or "IPv6"
	Profile  string `json:"profile"`            // name of the profile
	Verdict  string `json:"verdict"`            // "pass" or "fail"
	Evidence string `json:"evidence,omitempty"` // what was seen
	Failure  string `json:"failure,omitempty"`  // why the run has failed
	Trace    string `json:"-"`                  // the segments, a line for each

	Picture template.HTML `json:"-"` // the ladder diagram, of some runs with --html
}

// verifyFlags are the flags of verify.
type verifyFlags struct {
	json    bool
	verbose bool
	junit   string
	pcap    string
	html    string
	profile string
	seed    *uint64 // nil: 1
}

func newVerifyCommand() *cobra.Command {
	var f verifyFlags
	cmd := &cobra.Command{
		Use:   "verify [flags] [ID|AREA…]",
		Short: "Run the scenarios of the documented statements in virtual time",
		Long: "Run the scenarios of the documented statements in virtual time, and print for each\n" +
			"statement whether it holds and what was seen. Without arguments all statements; an\n" +
			"argument is one of them (KA-5) or an area (KA). Without --profile, each scenario runs in\n" +
			"every profile that it is true of; with it, in that one, and scenarios that aren't true of\n" +
			"it are listed with the reason. The exit status is 1 when a statement fails.",
		Example: `  wsstack verify
  wsstack verify SH RS-1
  wsstack verify -v LG-3
  wsstack verify --profile windows
  wsstack verify --html pages KA
  wsstack verify --json | jq -r '.[] | select(.verdict == "untested") | .id'`,
		DisableFlagsInUseLine: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			return verify(cmd.OutOrStdout(), cmd.ErrOrStderr(), f, args)
		},
	}
	cmd.Flags().BoolVar(&f.json, "json", false, "print a JSON array instead of a table")
	cmd.Flags().BoolVarP(&f.verbose, "verbose", "v", false, "print each run with its segments")
	cmd.Flags().StringVar(&f.junit, "junit", "", "also write JUnit XML to `FILE`; - is standard output, without a table")
	cmd.Flags().StringVar(&f.pcap, "pcap", "", "write a capture of each run (pcapng) into a new or old `DIR`")
	cmd.Flags().StringVar(&f.html, "html", "", "also write pages with all runs and ladder diagrams into a new or old `DIR`")
	cmd.Flags().StringVar(&f.profile, "profile", "", "only in this `PROFILE`: documented, windows or legacy")
	cmd.Flags().Var(newParsed(&f.seed, parseSeed), "seed", "`NUMBER` that seeds the random numbers of the simulated networks (default 1)")
	return cmd
}

func verify(stdout, stderr io.Writer, f verifyFlags, args []string) error {
	statements, err := selectStatements(args)
	if err != nil {
		return err
	}
	profiles, err := selectProfiles(f.profile)
	if err != nil {
		return err
	}
	if f.pcap == standardOutput {
		return usagef("--pcap of verify names a folder: each run has a file of its own").
			withHint("wsstack verify --pcap captures …")
	}
	if f.json && f.junit == standardOutput {
		return usagef("--json and --junit - both write to standard output").withHint("leave one of them out, or name a file")
	}
	if f.html == standardOutput {
		return usagef("--html of verify names a folder: each area has a page of its own").
			withHint("wsstack verify --html pages …")
	}
	for _, folder := range []struct{ name, flag, what string }{{f.pcap, "pcap", "captures"}, {f.html, "html", "pages"}} {
		if folder.name == "" {
			continue
		}
		if err := makeFolder(folder.name, folder.flag, folder.what); err != nil {
			return err
		}
	}
	if f.junit != "" && f.junit != standardOutput { // before a long run, not after it
		if err := writeJUnit(f.junit, nil); err != nil {
			return reportFailure(f.junit, err)
		}
	}
	results, err := runScenarios(stderr, f, statements, profiles)
	if err != nil {
		return err
	}
	if f.html != "" {
		if err := writePages(f.html, f.profile, results); err != nil {
			return failf("can't write the pages: %w", err).withHint("choose another folder: --html %s", elsewhere(f.html))
		}
	}
	if err := writeResults(stdout, f, results); err != nil {
		return err
	}
	count := countVerdicts(results)
	fail := count[verdictFail]
	if !f.json && f.junit != standardOutput {
		notRun := ""
		if n := count[verdictNotRun]; n > 0 {
			notRun = fmt.Sprintf(", %d not run with profile %s,", n, strings.ToLower(f.profile))
		}
		fmt.Fprintf(stdout, "\n%d pass, %d fail, %d untested%s of %d statements\n",
			count[verdictPass], fail, count[verdictUntested], notRun, len(results))
	}
	if fail > 0 {
		return failf("%s", plural(fail, "statement doesn't hold", "statements don't hold")).
			withHint("see the segments of one: wsstack verify -v %s", firstFailed(results))
	}
	return nil
}

// writeResults prints the results, and writes the JUnit report if there is a flag for it.
func writeResults(stdout io.Writer, f verifyFlags, results []verification) error {
	if f.junit == standardOutput {
		report, err := junitReport(results)
		if err != nil {
			return failf("make the report: %w", err)
		}
		if _, err := stdout.Write(report); err != nil {
			return failf("print the results: %w", err)
		}
		return nil
	}
	if err := writeVerification(stdout, f, results); err != nil {
		return failf("print the results: %w", err)
	}
	if f.junit != "" {
		if err := writeJUnit(f.junit, results); err != nil {
			return reportFailure(f.junit, err)
		}
	}
	return nil
}

func reportFailure(file string, err error) *failure {
	return failf("can't write the report: %w", err).withFileHint("junit", file)
}

// makeFolder makes the folder of a flag, for captures or pages; one that exists is fine, one in a
// folder that doesn't is likely a mistyped name.
func makeFolder(name, flag, what string) error {
	err := os.Mkdir(name, 0o777)
	switch info, statErr := os.Stat(name); {
	case statErr == nil && info.IsDir():
		return nil
	case statErr == nil:
		return failf("make the folder for %s: %w", what, err).withHint("%s is a file; choose another name", name)
	default:
		return failf("make the folder for %s: %w", what, err).withFileHint(flag, name)
	}
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func firstFailed(results []verification) string {
	i := slices.IndexFunc(results, func(v verification) bool { return v.Verdict == verdictFail })
	return results[i].ID
}

// selectStatements finds the statements that the arguments name.
func selectStatements(args []string) ([]conform.Statement, error) {
	all := conform.Statements()
	if len(args) == 0 {
		return all, nil
	}
	chosen := map[string]bool{}
	for _, arg := range args {
		found := false
		for _, s := range all {
			if strings.EqualFold(s.ID, arg) || strings.EqualFold(s.Area(), arg) {
				chosen[s.ID], found = true, true
			}
		}
		if !found {
			unknown := usagef("no statement or area %s", arg)
			if area, _, ok := strings.Cut(strings.ToUpper(arg), "-"); ok && slices.Contains(areas(all), area) {
				return nil, unknown.withHint("wsstack verify %s runs those of the area", area)
			}
			return nil, unknown.withHint("areas: %s", strings.Join(areas(all), " "))
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(s conform.Statement) bool { return !chosen[s.ID] }), nil
}

func areas(all []conform.Statement) []string {
	var list []string
	for _, s := range all {
		if !slices.Contains(list, s.Area()) {
			list = append(list, s.Area())
		}
	}
	return list
}

func selectProfiles(name string) ([]options.Profile, error) {
	if name == "" {
		return nil, nil
	}
	p, err := parseProfile(name)
	if err != nil {
		return nil, usagef("no profile %s", name).withHint("profiles: documented, windows, legacy")
	}
	return []options.Profile{p}, nil
}

// runScenarios runs what there is for the statements.
func runScenarios(stderr io.Writer, f verifyFlags, statements []conform.Statement, profiles []options.Profile) ([]verification, error) {
	left := leftOut(profiles)
	byID := map[string][]conform.Case{}
	done, total := 0, 0
	for _, c := range conform.Cases(conform.Scenarios(), profiles...) {
		byID[c.ID] = append(byID[c.ID], c)
	}
	for _, s := range statements {
		total += len(byID[s.ID])
	}
	shown := newProgress(stderr)
	defer shown.end()
	results := make([]verification, len(statements))
	for i, s := range statements {
		v := verification{ID: s.ID, Statement: s.Text, Verdict: verdictUntested, Why: conform.Untested[s.ID],
			Scripts: scripts.Of(s.ID), NotRun: left[s.ID]}
		if len(v.NotRun) > 0 {
			v.Verdict = verdictNotRun
		}
		none := v.Verdict
		for _, c := range byID[s.ID] {
			done++
			shown.show("%d/%d %s %s", done, total, c.ID, c.Title)
			r, err := runCase(f, c, pictured(v.Runs, c))
			if err != nil {
				return nil, err
			}
			v.Runs = append(v.Runs, r)
			if r.Verdict == verdictFail || v.Verdict == none {
				v.Verdict = r.Verdict
			}
		}
		results[i] = v
	}
	return results, nil
}

// leftOut returns the scenarios that have none of the profiles, by statement.
func leftOut(profiles []options.Profile) map[string][]notRun {
	byID := map[string][]notRun{}
	if len(profiles) == 0 {
		return byID
	}
	for _, s := range conform.Scenarios() {
		if slices.ContainsFunc(profiles, s.In) {
			continue
		}
		n := notRun{Scenario: s.Title, Source: s.Source, Why: s.Why}
		for _, p := range s.Profiles {
			n.Profiles = append(n.Profiles, p.String())
		}
		byID[s.ID] = append(byID[s.ID], n)
	}
	return byID
}

// captureName returns the name of the capture file of a case. The name has letters, digits, "-" and
// "_" only, which every file system takes.
func captureName(c conform.Case) string {
	return strings.Map(fileNameRune, c.ID+" "+c.Name()) + ".pcapng"
}

// fileNameRune is the character of a file name for one of a title, or -1 for none.
func fileNameRune(r rune) rune {
	switch {
	case r == ' ' || r == '/':
		return '-'
	case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
		return r
	}
	return -1
}

// runCase runs a case. With draw its ladder is drawn for --html.
func runCase(f verifyFlags, c conform.Case, draw bool) (verifyRun, error) {
	var file *os.File
	var rec *simnet.Recording
	observe := func(n *simnet.Network) {
		if f.html != "" {
			rec = n.Record()
		}
		if file != nil {
			n.Capture(file)
		}
	}
	if f.pcap != "" {
		var err error
		if file, err = os.Create(filepath.Join(f.pcap, captureName(c))); err != nil {
			return verifyRun{}, failf("make a capture file: %w", err).withHint("choose another folder: --pcap %s", elsewhere(f.pcap))
		}
	}
	seed := uint64(1)
	if f.seed != nil {
		seed = *f.seed
	}
	r := conform.Run(c, seed, observe)
	if file != nil {
		if err := file.Close(); err != nil {
			return verifyRun{}, failf("write a capture file: %w", err)
		}
	}
	verdict := verdictFail
	if r.Passed() {
		verdict = verdictPass
	}
	run := verifyRun{Scenario: c.Title, Source: c.Source, Family: c.Family, Profile: c.Profile.String(), Verdict: verdict,
		Evidence: r.Evidence, Failure: r.Failure, Trace: r.Trace}
	if rec != nil && (draw || !r.Passed()) {
		run.Picture = ladderOf(rec, r.Packets)
	}
	return run, nil
}
