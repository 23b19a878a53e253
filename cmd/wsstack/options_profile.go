package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/wsstack/wsstack/options"
)

// profileSwitch is the value of --profile of options, which takes a name in other subcommands.
type profileSwitch bool

func (v *profileSwitch) Set(s string) error {
	on, err := strconv.ParseBool(s)
	if err != nil {
		return errors.New("it takes no name here: it prints every profile, side by side")
	}
	*v = profileSwitch(on)
	return nil
}

func (v *profileSwitch) Type() string   { return "bool" }
func (v *profileSwitch) String() string { return strconv.FormatBool(bool(*v)) }

// A profileRow is an option with what each profile does with it.
type profileRow struct {
	LevelName string           `json:"level_name"`
	Number    int64            `json:"number"`
	Symbol    string           `json:"symbol"`
	Profiles  []options.Column `json:"profiles"`
}

// profileRows returns the options of the table, without its control codes, which are the same in
// every profile. The error is about a control code that was asked for by itself.
func profileRows(table []optionRow, named bool) ([]profileRow, error) {
	rows := []profileRow{}
	for _, o := range table {
		if o.LevelName != levelControl {
			rows = append(rows, profileRow{o.LevelName, o.Number, o.Symbol, o.Columns()})
		} else if named {
			return nil, usagef("%s is a control code, which is the same in every profile", o.Symbol).
				withHint("what it does: wsstack options %s", o.Symbol)
		}
	}
	return rows, nil
}

// writeProfiles prints the columns of the profiles side by side, several lines for each option.
func writeProfiles(w io.Writer, rows []profileRow) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(words ...string) { fmt.Fprintln(t, strings.TrimRight(strings.Join(words, "\t"), "\t")) }
	heading := []string{"SYMBOL", "ASPECT"}
	for _, c := range rows[0].Profiles {
		heading = append(heading, strings.ToUpper(c.Profile))
	}
	line(heading...)
	for _, r := range rows {
		for _, a := range aspects {
			cells := make([]string, len(r.Profiles))
			for i, c := range r.Profiles {
				cells[i] = dash(a.text(c))
			}
			if a.always || slices.ContainsFunc(cells, func(s string) bool { return s != "-" }) {
				line(append([]string{r.Symbol, a.name}, cells...)...)
			}
		}
		for _, d := range r.deviations() {
			line(r.Symbol, "differs", d)
		}
	}
	return t.Flush()
}

// An aspect is a line of each option.
type aspect struct {
	name   string
	always bool // whether the line is there where no profile has anything to say
	text   func(options.Column) string
}

var aspects = []aspect{
	{"default", true, func(c options.Column) string { return c.Default }},
	{"lengths", true, func(c options.Column) string { return c.Lengths }},
	{"get on", true, func(c options.Column) string { return strings.Join(c.Get.Sockets, ",") }},
	{"get fails on", false, func(c options.Column) string { return refusals(c.Get) }},
	{"set on", true, func(c options.Column) string { return strings.Join(c.Set.Sockets, ",") }},
	{"set fails on", false, func(c options.Column) string { return refusals(c.Set) }},
	{"WSAEINVAL when", false, func(c options.Column) string { return strings.Join(c.SetNotIn, ",") }},
}

// refusals lists the errors of a direction, such as "datagram,raw: WSAENOPROTOOPT".
func refusals(d options.Direction) string {
	words := make([]string, len(d.Fails))
	for i, f := range d.Fails {
		words[i] = strings.Join(f.Sockets, ",") + ": " + f.Error
	}
	return strings.Join(words, "; ")
}

// deviations are the differences from the documents, each with the profiles that have it.
func (r profileRow) deviations() []string {
	var texts []string
	in := map[string][]string{}
	for _, c := range r.Profiles {
		for _, d := range c.Deviation {
			if in[d] == nil {
				texts = append(texts, d)
			}
			in[d] = append(in[d], c.Profile)
		}
	}
	for i, d := range texts {
		texts[i] = strings.Join(in[d], ", ") + ": " + d
	}
	return texts
}
