package main

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
)

// countVerdicts returns the number of statements with each verdict.
func countVerdicts(results []verification) map[string]int {
	count := map[string]int{}
	for _, v := range results {
		count[v.Verdict]++
	}
	return count
}

func writeVerification(w io.Writer, f verifyFlags, results []verification) error {
	if f.json {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		return enc.Encode(results)
	}
	if f.verbose {
		return writeRuns(w, results)
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, v := range results {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", v.ID, v.Verdict, shorten(v.Statement, 50), v.summary())
	}
	return table.Flush()
}

// summary returns the evidence of the runs, or why there are none. Words that several share are
// there once.
func (v verification) summary() string {
	var parts []string
	for _, r := range v.Runs {
		text := r.Evidence
		if r.Verdict == verdictFail {
			text = fmt.Sprintf("%s, %s: %s", r.Family, r.Profile, shorten(r.Failure, 120))
		}
		if !slices.Contains(parts, text) {
			parts = append(parts, text)
		}
	}
	if v.Why != "" {
		parts = append(parts, v.Why)
	}
	if len(v.Runs) == 0 {
		for _, n := range v.NotRun {
			if !slices.Contains(parts, n.Why) {
				parts = append(parts, n.Why)
			}
		}
	}
	return strings.Join(parts, " | ")
}

// shorten returns at most so many characters of a text, on one line.
func shorten(text string, most int) string {
	runes := []rune(oneLine(text))
	if len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return string(runes)
}

func writeRuns(w io.Writer, results []verification) error {
	for _, v := range results {
		if _, err := fmt.Fprintf(w, "%s %s\n  %s\n", v.ID, v.Verdict, v.Statement); err != nil {
			return err
		}
		if v.Why != "" {
			fmt.Fprintf(w, "  %s\n", v.Why)
		}
		for _, name := range v.Scripts {
			fmt.Fprintf(w, "  also a script: %s\n", name)
		}
		for _, r := range v.Runs {
			fmt.Fprintf(w, "\n  %s (%s, %s, %s): %s\n", r.Scenario, r.Source, r.Family, r.Profile, r.Verdict)
			fmt.Fprintf(w, "  %s\n", strings.TrimSpace(r.Evidence+" "+r.Failure))
			for line := range strings.Lines(r.Trace) {
				fmt.Fprint(w, "    ", line)
			}
		}
		for _, n := range v.NotRun {
			fmt.Fprintf(w, "\n  %s (%s): not run, as it is true of %s only\n  %s\n", n.Scenario, n.Source, strings.Join(n.Profiles, " and "), n.Why)
		}
		fmt.Fprintln(w)
	}
	return nil
}

// The following types are the elements of a JUnit report that readers agree on.
type junitSuite struct {
	XMLName  xml.Name    `xml:"testsuite"`
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Skipped  int         `xml:"skipped,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	Time    float64       `xml:"time,attr,omitempty"` // in seconds
	Failure *junitMessage `xml:"failure"`
	Skipped *junitMessage `xml:"skipped"`
	Output  string        `xml:"system-out,omitempty"`
}

type junitMessage struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// skip adds a case that didn't run.
func (s *junitSuite) skip(class, name, verdict, why string) {
	s.Skipped++
	s.Cases = append(s.Cases, junitCase{Class: class, Name: name, Skipped: &junitMessage{Message: strings.TrimSuffix(verdict+": "+why, ": ")}})
}

// junitReport returns the report of --junit.
func junitReport(results []verification) ([]byte, error) {
	suite := junitSuite{Name: "wsstack verify"}
	for _, v := range results {
		if v.Verdict == verdictUntested {
			suite.skip(v.ID, v.ID, v.Verdict, v.Why)
		}
		for _, n := range v.NotRun {
			suite.skip(v.ID, n.Scenario, verdictNotRun, n.Why)
		}
		for _, r := range v.Runs {
			c := junitCase{Class: v.ID, Name: fmt.Sprintf("%s (%s, %s)", r.Scenario, r.Family, r.Profile), Output: r.Evidence}
			if r.Verdict == verdictFail {
				suite.Failures++
				c.Failure = &junitMessage{Message: shorten(r.Failure, 200), Text: r.Trace}
			}
			suite.Cases = append(suite.Cases, c)
		}
	}
	suite.Tests = len(suite.Cases)
	out, err := xml.MarshalIndent(suite, "", "  ")
	if err != nil {
		return nil, err
	}
	return append([]byte(xml.Header), append(out, '\n')...), nil
}

func writeJUnit(file string, results []verification) error {
	report, err := junitReport(results)
	if err != nil {
		return err
	}
	return os.WriteFile(file, report, 0o666)
}
