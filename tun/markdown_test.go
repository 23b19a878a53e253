package tun

import (
	"flag"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var rewrite = flag.Bool("rewrite", false, "write the tables of docs/impairments.md")

// page is the document with the tables.
const page = "../docs/impairments.md"

// marker ends the part of the page that a person has written.
const marker = "\n<!-- What follows is written by: go test ./tun -run TestImpairmentsPage -rewrite -->\n"

// The tables of docs/impairments.md are what the tables of this package say.
func TestImpairmentsPage(t *testing.T) {
	have, err := os.ReadFile(page)
	require.NoError(t, err)
	text, _, found := strings.Cut(string(have), marker)
	require.True(t, found)
	want := text + marker + impairmentTables()
	if *rewrite {
		require.NoError(t, os.WriteFile(page, []byte(want), 0o644))
		return
	}
	require.Equal(t, want, string(have), "%s is old: go test ./tun -run TestImpairmentsPage -rewrite", page)
}

// impairmentTables writes the tables.
func impairmentTables() string {
	var b strings.Builder
	group := ""
	for _, p := range parameters {
		if p.Group != group {
			group = p.Group
			fmt.Fprintf(&b, "\n## %s\n\n| Flag | Meaning | `tun.Impairment` | `simnet` | Only with | Fate |\n|---|---|---|---|---|---|\n", group)
		}
		needs := ""
		if len(p.Needs) > 0 {
			needs = "`--" + strings.Join(p.Needs, "` or `--") + "`"
		}
		flag := strings.TrimSpace("--" + p.Name + " " + p.Placeholder)
		fmt.Fprintf(&b, "| `%s` | %s | `%s` | `%s` | %s | %s |\n", flag, p.Help, p.Field, p.Option, needs, p.Fates)
	}
	b.WriteString(`
## Fates

What has become of a packet stands in traces, in the comments of captures, and in counters. A filter
(` + "`Impairment.Filter`, `simnet.Filter`" + `) is a function, and has no flag.

| Fate | Dropped | ` + "`tun.Fate` and counter of `tun.ImpairStats`" + ` |
|---|---|---|
`)
	for _, r := range fates {
		dropped := ""
		if r.bit.Dropped() {
			dropped = "yes"
		}
		fmt.Fprintf(&b, "| %s | %s | `%s` |\n", r.name, dropped, counterName(r))
	}
	return b.String()
}

// counterName is the name of the counter that a fate has.
func counterName(r fateRow) string {
	var s ImpairStats
	*r.counter(&s) = 1
	v := reflect.ValueOf(s)
	for i := range v.NumField() {
		if v.Field(i).Uint() == 1 {
			return v.Type().Field(i).Name
		}
	}
	return ""
}
