package main

import (
	"bufio"
	_ "embed"
	"fmt"
	"html/template"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/wsstack/wsstack/internal/conform"
	"github.com/wsstack/wsstack/internal/picture"
	"github.com/wsstack/wsstack/internal/record"
	"github.com/wsstack/wsstack/simnet"
)

// verifyLadder is how many packets the ladder of a run shows at most.
const verifyLadder = 120

//go:embed verify.html
var verifyHTML string

var verifyTemplate = template.Must(template.New("verify").Funcs(template.FuncMap{
	"style": func() template.CSS { return picture.Style },
	"class": func(verdict string) string { return strings.ReplaceAll(verdict, " ", "") },
}).Parse(verifyHTML))

// A verifyArea is a page of the results of --html.
type verifyArea struct {
	Name       string
	Statements []verification
}

// File is the name of the page.
func (a verifyArea) File() string { return a.Name + ".html" }

// Count is how many statements have a verdict.
func (a verifyArea) Count(verdict string) int { return countVerdicts(a.Statements)[verdict] }

// pictured reports whether the page of a run has its ladder: the first run of each scenario has.
// That of a run that fails is made in any case.
func pictured(before []verifyRun, c conform.Case) bool {
	return !slices.ContainsFunc(before, func(r verifyRun) bool { return r.Scenario == c.Title })
}

// ladderOf draws the first packets that were recorded of a run.
func ladderOf(rec *simnet.Recording, packets uint64) template.HTML {
	r := &record.Recording{Packets: rec.Packets()}
	r.Packets = r.Packets[:min(packets, uint64(len(r.Packets)))]
	r.Nodes = nodesOf(r.Packets)
	r.Left.Packets, r.Left.Samples = rec.Left()
	return picture.Analyse(r).Ladder(-1, verifyLadder)
}

// writePages writes the results as pages into a folder: an index, and a page for each area.
func writePages(dir, profile string, results []verification) error {
	var list []verifyArea
	for _, v := range results {
		area, _, _ := strings.Cut(v.ID, "-")
		if len(list) == 0 || list[len(list)-1].Name != area {
			list = append(list, verifyArea{Name: area})
		}
		last := &list[len(list)-1]
		last.Statements = append(last.Statements, v)
	}
	if profile == "" {
		profile = "all"
	}
	index := struct {
		Counts  string
		Profile string
		Areas   []verifyArea
	}{verdictCounts(results), profile, list}
	if err := writePage(filepath.Join(dir, "index.html"), verifyTemplate, "index", index); err != nil {
		return err
	}
	for _, a := range list {
		if err := writePage(filepath.Join(dir, a.File()), verifyTemplate, "area", a); err != nil {
			return err
		}
	}
	return nil
}

// verdictCounts is the last line of the table: how many statements have each verdict.
func verdictCounts(results []verification) string {
	count := countVerdicts(results)
	return fmt.Sprintf("%d pass, %d fail, %d untested, %d not run of %d statements",
		count[verdictPass], count[verdictFail], count[verdictUntested], count[verdictNotRun], len(results))
}

// nodesOf are the nodes of packets, in the order in which they appear.
func nodesOf(packets []record.Packet) (nodes []string) {
	for i := range packets {
		for _, name := range []string{packets[i].From, packets[i].To} {
			if name != "" && !slices.Contains(nodes, name) {
				nodes = append(nodes, name)
			}
		}
	}
	return nodes
}

// writePage writes one page.
func writePage(name string, pages *template.Template, kind string, data any) error {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(file)
	err = pages.ExecuteTemplate(out, kind, data)
	if flushed := out.Flush(); err == nil {
		err = flushed
	}
	if closed := file.Close(); err == nil {
		err = closed
	}
	return err
}
