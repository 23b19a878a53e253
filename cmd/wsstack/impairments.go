package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/wsstack/wsstack/tun"
)

// impairments are lists of parameters as tun.Impairment.Set reads them. As texts they can be given
// to the process inside the namespace. The zero value is a link without impairments.
type impairments struct {
	Both      string // for both directions
	ToStack   string // for the packets that the stack receives; what it says goes before Both
	FromStack string // for the packets that the stack sends; what it says goes before Both
}

// commonImpairments are the parameters whose flags stand in the help of exec and up; the help topic
// has all of them.
var commonImpairments = []string{"delay", "jitter", "loss", "rate"}

// addFlags adds a flag for each parameter, and one for each direction.
func (i *impairments) addFlags(f *pflag.FlagSet) {
	for _, p := range tun.Parameters() {
		flag := f.VarPF(&parameterFlag{parameter: p, list: &i.Both}, p.Name, "", p.Help)
		flag.Hidden = !slices.Contains(commonImpairments, p.Name)
		if p.Placeholder == "" {
			flag.NoOptDefVal = "true"
		}
	}
	f.Var(&listFlag{list: &i.ToStack}, "to-stack", "what happens to packets to the stack, such as loss=0.1,delay=50ms")
	f.Var(&listFlag{list: &i.FromStack}, "from-stack", "impairments of what the stack sends")
}

// extend adds words to a list.
func extend(list *string, words string) {
	if *list != "" {
		words = *list + "," + words
	}
	*list = words
}

// A parameterFlag is the flag of one parameter.
type parameterFlag struct {
	parameter tun.Parameter
	list      *string // what the flag is added to
	text      string
}

func (v *parameterFlag) Set(s string) error {
	if err := v.parameter.Set(new(tun.Impairment), s); err != nil {
		return err
	}
	v.text = s
	extend(v.list, v.parameter.Name+"="+s)
	return nil
}

func (v *parameterFlag) String() string { return v.text }
func (v *parameterFlag) Type() string   { return v.parameter.Placeholder }

// A listFlag is the flag of one direction.
type listFlag struct{ list *string }

func (v *listFlag) Set(s string) error {
	if err := new(tun.Impairment).Set(s); err != nil {
		return err
	}
	extend(v.list, s)
	return nil
}

func (v *listFlag) String() string { return *v.list }
func (v *listFlag) Type() string   { return "LIST" }

// directions returns the impairments of each direction.
func (i impairments) directions() (toStack, fromStack tun.Impairment, err error) {
	for _, d := range []struct {
		list string
		m    *tun.Impairment
	}{{i.ToStack, &toStack}, {i.FromStack, &fromStack}} {
		for _, list := range []string{i.Both, d.list} {
			if list != "" && err == nil {
				err = d.m.Set(list)
			}
		}
	}
	return toStack, fromStack, err
}

// validate returns a usage error that says which parameters don't go together, or nil.
func (i impairments) validate() error {
	toStack, fromStack, err := i.directions()
	if err != nil {
		return usagef("%w", err)
	}
	both := []*tun.Impairment{&toStack, &fromStack}
	for _, p := range tun.Parameters() {
		set, helps := false, len(p.Needs) == 0
		for _, m := range both {
			if err := p.Check(m); err != nil {
				return usagef("--%s: %w", p.Name, err).withHint("run %q to see all impairments", "wsstack help impairments")
			}
			has := p.Text(m) != ""
			set = set || has
			helps = helps || has && slices.ContainsFunc(p.Needs, func(name string) bool {
				needed, _ := tun.FindParameter(name)
				return needed.Text(m) != ""
			})
		}
		if set && !helps {
			needed, _ := tun.FindParameter(p.Needs[0])
			return usagef("--%s has no effect without --%s", p.Name, strings.Join(p.Needs, " or --")).
				withHint("add %s", usageOf(needed))
		}
	}
	return nil
}

// String describes what the link does to packets, in a line for each direction where they differ.
// The text is empty for a link without impairments.
func (i impairments) String() string {
	toStack, fromStack, err := i.directions()
	to, from := toStack.String(), fromStack.String()
	switch {
	case err != nil:
		return err.Error()
	case to == from && to == "":
		return ""
	case to == from:
		return "each way: " + to
	}
	var lines []string
	if to != "" {
		lines = append(lines, "to the stack: "+to)
	}
	if from != "" {
		lines = append(lines, "from the stack: "+from)
	}
	return strings.Join(lines, "\n")
}

// usageOf is the flag of a parameter with a name for its value.
func usageOf(p tun.Parameter) string {
	return strings.TrimSpace("--" + p.Name + " " + p.Placeholder)
}

// newImpairmentsTopic makes the help topic that lists all impairments.
func newImpairmentsTopic() *cobra.Command {
	return &cobra.Command{
		Use:   "impairments",
		Short: "What a bad link of exec and up can do to packets",
		Long:  impairmentsHelp(),
	}
}

// impairmentsHelp is the text of the help topic.
func impairmentsHelp() string {
	var text strings.Builder
	text.WriteString(`The flags of exec and up that make a bad link. A flag applies to each packet, in each
direction. --to-stack and --from-stack have a list of the same names for one direction,
which goes before the flags: --delay 20ms --to-stack loss=0.1,loss-correlation=0.25,delay=0.
What is random is the same in each run with the same --seed and the same packets.

A PROBABILITY is from 0 to 1, a CORRELATION from 0 to below 1: it is the probability that
a packet has the fate of the packet before, and changes no share. BITS and BYTES may end
in k, M or G, for factors of 1000.
`)
	group := ""
	for _, p := range tun.Parameters() {
		if p.Group != group {
			group = p.Group
			fmt.Fprintf(&text, "\n%s:\n", group)
		}
		fmt.Fprintf(&text, "  %-36s %s\n", usageOf(p), p.Help)
	}
	return strings.TrimSuffix(text.String(), "\n")
}
