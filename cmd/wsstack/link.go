package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wsstack/wsstack/internal/control"
	"github.com/wsstack/wsstack/internal/status"
)

func newLinkCommand() *cobra.Command {
	var n networkFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "link [flags] [NAME]",
		Short: "Print the links of a running network, or change what they do to packets",
		Long: `Print the links of a running exec, up or run: their ends, what they do to packets in each
direction, what has become of packets so far, and the files that they are recorded in.
"wsstack link set" changes what a link does.`,
		Example: `  wsstack link
  wsstack link set loss=0.1,delay=50ms
  wsstack link --json | jq '.links[].there.packets'`,
		DisableFlagsInUseLine: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) <= 1 {
				return nil
			}
			return usagef("link takes one name, and has got %d", len(args)).withHint("to change a link: wsstack link set %s", strings.Join(args, " "))
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return n.withClient(cmd, func(ctx context.Context, client *control.Client) error {
				links, err := client.Links(ctx)
				if err == nil && len(args) == 1 {
					var one control.LinkInfo
					one, err = client.Link(ctx, args[0])
					links = []control.LinkInfo{one}
				}
				if err != nil {
					return err
				}
				return printLinks(cmd.OutOrStdout(), links, asJSON)
			})
		},
	}
	n.addFlags(cmd.PersistentFlags(), false)
	cmd.PersistentFlags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.AddCommand(newLinkSetCommand(&n, &asJSON))
	return cmd
}

// linkSetFlags are the flags of link set.
type linkSetFlags struct {
	toStack, fromStack, from string
	reset                    bool
}

func newLinkSetCommand(n *networkFlags, asJSON *bool) *cobra.Command {
	var f linkSetFlags
	cmd := &cobra.Command{
		Use:   "set [flags] [NAME] [LIST]",
		Short: "Change what a link of a running network does to packets",
		Long: `Change what a link does to packets from now on. LIST has parameters as the flag --to-stack
of exec has them; "wsstack help impairments" lists all. What LIST doesn't name stays as it
is, and a value of 0 or false takes one away. Without --from, LIST is for both directions.
Packets that are on their way arrive as if nothing had changed. NAME may be left out where
there is one link. A machine changes what its own hosts send over a link to another one.`,
		Example: `  wsstack link set loss=0.1,delay=50ms
  wsstack link set --to-stack rate=1M
  wsstack link set uplink --from laptop loss=0.05
  wsstack link set --reset
  wsstack link set partition; sleep 5; wsstack link set partition=false`,
		DisableFlagsInUseLine: true,
		Args: func(_ *cobra.Command, args []string) error {
			list := args
			if len(args) > 0 && !strings.Contains(args[0], "=") {
				list = args[1:] // behind a name
			}
			if len(list) > 1 {
				return usagef("link set takes a name and one list, and has got %d words", len(args)).
					withHint("join parameters by commas: %s", strings.Join(list, ","))
			}
			if len(args) == 0 && f == (linkSetFlags{}) {
				return usagef("nothing to change").withHint("such as: wsstack link set loss=0.1,delay=50ms")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return n.withClient(cmd, func(ctx context.Context, client *control.Client) error {
				info, err := f.set(ctx, client, args)
				if err != nil {
					return err
				}
				return printLinks(cmd.OutOrStdout(), []control.LinkInfo{info}, *asJSON)
			})
		},
	}
	cmd.Flags().StringVar(&f.toStack, "to-stack", "", "`LIST` for what the stack receives; it goes before LIST")
	cmd.Flags().StringVar(&f.fromStack, "from-stack", "", "`LIST` for what the stack sends")
	cmd.Flags().StringVar(&f.from, "from", "", "LIST is for what this `HOST` sends")
	cmd.Flags().BoolVar(&f.reset, "reset", false, "take away first what the link does, in both directions")
	return cmd
}

// set changes the link that the words name.
func (f *linkSetFlags) set(ctx context.Context, client *control.Client, args []string) (control.LinkInfo, error) {
	name, words := "", ""
	switch {
	case len(args) == 2:
		name, words = args[0], args[1]
	case len(args) == 1 && slices.Contains(client.Network().Links, args[0]):
		name = args[0]
	case len(args) == 1:
		words = args[0]
	}
	name, err := linkName(client, name)
	if err != nil {
		return control.LinkInfo{}, err
	}
	info, err := client.Link(ctx, name)
	if err != nil {
		return control.LinkInfo{}, err
	}
	change, err := f.change(info.Hosts, client.Network().Hosts, words)
	if err != nil {
		return control.LinkInfo{}, err
	}
	return client.SetLink(ctx, name, change)
}

// change is the request of the flags for a link between two hosts, some of which are stacks.
func (f *linkSetFlags) change(ends [2]string, stacks []string, words string) (control.LinkChange, error) {
	c := control.LinkChange{Reset: f.reset}
	lists := [2]*string{&c.There, &c.Back} // by the end that sends
	switch from := slices.Index(ends[:], f.from); {
	case f.from == "":
		c.Both = words
	case from < 0:
		return c, failf("the link is between %s and %s, not at %q", ends[0], ends[1], f.from).
			withHint("name the one that sends: --from %s", ends[0])
	default:
		*lists[from] = words
	}
	if f.toStack == "" && f.fromStack == "" {
		return c, nil
	}
	first, second := slices.Contains(stacks, ends[0]), slices.Contains(stacks, ends[1])
	if first == second {
		return c, failf("--to-stack and --from-stack are for a link with a stack at one end, not between %s and %s", ends[0], ends[1]).
			withHint("write: wsstack link set --from %s LIST", ends[0])
	}
	stack := 0
	if second {
		stack = 1
	}
	extend(lists[stack], f.fromStack)
	extend(lists[1-stack], f.toStack)
	return c, nil
}

// linkName returns the name of a link, that of the only one for "".
func linkName(client *control.Client, name string) (string, error) {
	links := client.Network().Links
	switch {
	case name != "":
		return name, nil
	case len(links) == 1:
		return links[0], nil
	case len(links) == 0:
		return "", failf("the network %s has no links", client.Network().Name)
	}
	return "", failf("the network %s has %d links", client.Network().Name, len(links)).
		withHint("name one of them: %s", strings.Join(links, ", "))
}

// printLinks prints links.
func printLinks(w io.Writer, links []control.LinkInfo, asJSON bool) error {
	var err error
	if asJSON {
		err = writeJSON(w, control.Links{Links: links})
	} else {
		var text strings.Builder
		for _, l := range links {
			printLink(&text, l)
		}
		_, err = io.WriteString(w, text.String())
	}
	if err != nil {
		return failf("print the links: %w", err)
	}
	return nil
}

func printLink(text *strings.Builder, l control.LinkInfo) {
	fmt.Fprintf(text, "%s: %s and %s, MTU %d\n", l.Name, l.Hosts[0], l.Hosts[1], l.MTU)
	for i, d := range []status.Direction{l.There, l.Back} {
		fmt.Fprintf(text, "  from %s to %s: %d packets, %d bytes", l.Hosts[i], l.Hosts[1-i], d.Packets, d.Bytes)
		var fates []string
		for name, n := range d.Fates {
			fates = append(fates, fmt.Sprintf("%d %s", n, strings.ReplaceAll(name, "_", " ")))
		}
		slices.Sort(fates)
		for _, fate := range fates {
			text.WriteString(", " + fate)
		}
		switch {
		case d.Impairment != "":
			text.WriteString("; " + d.Impairment)
		case l.Hosts[i] == l.Foreign:
			text.WriteString("; impaired on the machine of " + l.Foreign)
		}
		text.WriteByte('\n')
	}
	for _, c := range l.Captures {
		file := c.File
		if file == "" {
			file = "(read by a client)"
		}
		fmt.Fprintf(text, "  recorded since %s: %s", c.Started.Local().Format("15:04:05"), file)
		if c.Error != "" {
			fmt.Fprintf(text, "; it has failed: %s", c.Error)
		}
		text.WriteByte('\n')
	}
}
