package docs

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/wsstack/wsstack/internal/conform"
	"github.com/wsstack/wsstack/options"
)

// known are the labels that resolve, each with the document that has it.
type known map[string]string

// labels reads where each label stands: a statement in spec.md, a conflict in conflicts.md, a
// page in sources.md.
func labels(t *testing.T) known {
	t.Helper()
	list := known{}
	for _, s := range conform.Statements() {
		list[s.ID] = "docs/spec.md"
	}
	entry := regexp.MustCompile(`(?m)^- \*\*([A-Za-z0-9-]+)\*\*`)
	for _, name := range []string{"docs/conflicts.md", "docs/sources.md"} {
		for _, m := range entry.FindAllStringSubmatch(read(t, name), -1) {
			if other, twice := list[m[1]]; twice {
				t.Errorf("%s has %s, as %s has", name, m[1], other)
			}
			list[m[1]] = name
		}
	}
	return list
}

// notLabels look like labels and are none.
var notLabels = []string{
	"SH-9999", // a statement that a test of the command asks for in vain
}

// A label in a comment, a string or a document is one that the repository explains.
func TestLabelsResolve(t *testing.T) {
	list := labels(t)
	var areas []string
	for _, a := range specAreas {
		areas = append(areas, a.code)
	}
	// KA-5, RU-4/5 and KA-30…33; what goes on after another hyphen is something else.
	statement := regexp.MustCompile(`\b(GS|` + strings.Join(areas, "|") + `)-(\d+)(?:[…/](\d+))?(-\d)?`)
	other := regexp.MustCompile(`\b(?:C-\d+[a-z]?|[SW]-[A-Za-z0-9]+|API-[A-Za-z]+|SPI-WSP[A-Za-z]+)\b`)
	found := 0
	eachFile(t, ".go .md", func(name, text string) {
		check := func(label string) {
			found++
			if _, ok := list[label]; !ok && !slices.Contains(notLabels, label) {
				t.Errorf("%s: nothing explains %s", name, label)
			}
		}
		for _, m := range statement.FindAllStringSubmatch(text, -1) {
			if m[4] != "" {
				continue
			}
			check(m[1] + "-" + m[2])
			if m[3] != "" {
				check(m[1] + "-" + m[3])
			}
		}
		for _, label := range other.FindAllString(text, -1) {
			check(label)
		}
	})
	if found < 2000 {
		t.Errorf("only %d labels were found: the patterns are wrong", found)
	}
}

// What a scenario names as its source is a page, a statement, a conflict or an RFC.
func TestSourcesResolve(t *testing.T) {
	list := labels(t)
	section := regexp.MustCompile(`^[0-9.]+$`) // of the RFC before, or an error code of the page before
	for _, s := range conform.Scenarios() {
		for part := range strings.SplitSeq(s.Source, ", ") {
			word, _, _ := strings.Cut(part, " ")
			if _, ok := list[word]; !ok && word != "RFC" && !section.MatchString(word) {
				t.Errorf("%s, %q: nothing explains the source %q", s.ID, s.Title, part)
			}
		}
	}
}

// Nothing refers to the tickets of the time when it was written.
func TestNoTickets(t *testing.T) {
	ticket := regexp.MustCompile(`(?i)\bissues? #?\d+`)
	eachFile(t, ".go .md", func(name, text string) {
		for _, m := range ticket.FindAllString(text, -1) {
			t.Errorf("%s: %q means nothing to a reader of the repository", name, m)
		}
	})
}

// An entry of docs/conflicts.md names the profiles in which an option does something else for it.
func TestConflictsNameProfiles(t *testing.T) {
	entries := map[string]string{}
	for part := range strings.SplitSeq(read(t, "docs/conflicts.md"), "\n- **") {
		label, text, _ := strings.Cut(part, "**")
		entries[label] = text
	}
	alternatives := 0
	for _, option := range options.Table() {
		for _, a := range option.Alternatives {
			alternatives++
			for label := range strings.SplitSeq(a.Conflict, ", ") {
				for _, profile := range a.Profiles {
					if !strings.Contains(entries[label], profile) {
						t.Errorf("docs/conflicts.md, %s: %s differs in profile %s", label, option.Symbol, profile)
					}
				}
			}
		}
	}
	if alternatives < 50 {
		t.Errorf("only %d alternatives were found", alternatives)
	}
}
