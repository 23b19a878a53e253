package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/wsstack/wsstack/internal/mistake"
	"github.com/wsstack/wsstack/options"
)

func newOptionsCommand() *cobra.Command {
	var asJSON, byProfile bool
	cmd := &cobra.Command{
		Use:   "options [--json] [--profile] [NAME|NUMBER…]",
		Short: "Print the socket options and control codes: number, type, direction, default, meaning",
		Long: "Print the socket options and the control codes of WSAIoctl: number, type, direction, default,\n" +
			"meaning. A control code has the level \"ioctl\", and its type names the input (in) and the output\n" +
			"(out). A number such as 0x1001 or 4097 stands for the options with this number at all levels.\n" +
			"SOURCE is the label of a page; OPTIONS.md has the list of labels.\n\n" +
			"With --profile, what the profiles documented, windows and legacy do with each option, side by\n" +
			"side: default, class of lengths (OPTIONS.md explains the classes), sockets on which get and\n" +
			"set work, errors on the others, states in which set fails, and what differs from the\n" +
			"documents, with the number of the conflict in docs/conflicts.md. Control codes don't differ.",
		Example: `  wsstack options
  wsstack options SO_KEEPALIVE TCP_NODELAY
  wsstack options SIO_TCP_INFO
  wsstack options 0x98000004
  wsstack options --profile SO_KEEPALIVE IP_TTL
  wsstack options --json | jq -r '.[] | select(.set) | .symbol'`,
		DisableFlagsInUseLine: true,
		RunE: func(cmd *cobra.Command, names []string) error {
			table, unknown := selectOptions(optionTable(), names)
			if unknown != nil && len(table) == 0 {
				return unknown
			}
			if err := printOptions(cmd.OutOrStdout(), table, asJSON, byProfile, len(names) > 0); err != nil {
				return err
			}
			return unknown
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON array instead of a table")
	cmd.Flags().Var((*profileSwitch)(&byProfile), "profile", "print what each profile does, side by side")
	cmd.Flags().Lookup("profile").NoOptDefVal = "true"
	return cmd
}

// printOptions prints the options in the form that the flags ask for. named says that they were
// asked for one by one.
func printOptions(w io.Writer, table []optionRow, asJSON, byProfile, named bool) (err error) {
	switch {
	case byProfile:
		rows, failed := profileRows(table, named)
		if failed != nil {
			return failed
		}
		if asJSON {
			err = writeJSON(w, rows)
		} else {
			err = writeProfiles(w, rows)
		}
	case asJSON:
		err = writeJSON(w, table)
	default:
		err = writeOptions(w, table)
	}
	if err != nil {
		return failf("print the options: %w", err)
	}
	return nil
}

// levelControl stands in the place of a level for control codes, which have no level.
const levelControl = "ioctl"

// An optionRow is an option, or a control code in the form of one.
type optionRow struct {
	// Number is the int that setsockopt takes, or the DWORD that WSAIoctl takes.
	Number int64 `json:"number"`
	options.Info
}

// optionTable is the table of the options, with the control codes behind it.
func optionTable() []optionRow {
	var table []optionRow
	for _, o := range options.Table() {
		table = append(table, optionRow{int64(o.Number), o})
	}
	for _, c := range options.Controls() {
		table = append(table, optionRow{int64(c.Code), options.Info{
			LevelName: levelControl, Symbol: c.Symbol,
			Type: controlType(c), Size: max(c.Size, c.OutputSize), Get: c.Output != "", Set: c.Type != "",
			Kinds: c.Kinds, Families: []string{"AF_INET", "AF_INET6"}, Tier: "B", Doc: "API-WSAIoctl",
			Evidence: c.Evidence, Description: c.Description, Incomplete: c.Incomplete, Unsupported: c.Unsupported,
		}})
	}
	return table
}

func controlType(c options.ControlInfo) string {
	switch {
	case c.Type != "" && c.Output != "":
		return "in " + c.Type + ", out " + c.Output
	case c.Type != "":
		return "in " + c.Type
	case c.Output != "":
		return "out " + c.Output
	}
	return "-"
}

// selectOptions returns the options that the words stand for (see named), in the order of the
// table. Without words it returns all options. The error is about the first word that stands for no
// option; the options of the other words are returned all the same.
func selectOptions(table []optionRow, words []string) (_ []optionRow, unknown error) {
	if len(words) == 0 {
		return table, nil
	}
	chosen := make([]bool, len(table))
	for _, word := range words {
		found := false
		for i, o := range table {
			if o.named(word) {
				chosen[i], found = true, true
			}
		}
		if !found && unknown == nil {
			unknown = unknownOption(table, word)
		}
	}
	var list []optionRow
	for i, o := range table {
		if chosen[i] {
			list = append(list, o)
		}
	}
	return list, unknown
}

// named reports whether a word stands for the option. Such words are the symbol, in upper or lower
// case, and the number, signed or not, in decimal, in hexadecimal or as the table prints it.
func (o optionRow) named(word string) bool {
	n, ok := parseNumber(word)
	return strings.EqualFold(o.Symbol, word) || ok && uint32(n) == uint32(o.Number)
}

// parseNumber reads a number of 32 bits, signed or not, or the complement of one after a ~.
func parseNumber(word string) (n int64, ok bool) {
	digits, complement := strings.CutPrefix(word, "~")
	n, err := strconv.ParseInt(digits, 0, 64)
	if complement {
		n = ^n
	}
	return n, err == nil && n >= math.MinInt32 && n <= math.MaxUint32
}

func unknownOption(table []optionRow, word string) *failure {
	f := usagef("no option %s", word)
	if _, err := parseProfile(word); err == nil {
		return f.withHint("--profile takes no name: it prints every profile, side by side")
	}
	if near := nearest(table, strings.ToUpper(word)); len(near) > 0 {
		return f.withHint("did you mean %s? All names: wsstack options", strings.Join(near, " or "))
	}
	return f.withHint("all names and numbers: wsstack options")
}

// nearest returns up to three symbols that differ from name by the fewest letters, and by no more
// than half the letters of name.
func nearest(table []optionRow, name string) []string {
	type candidate struct {
		symbol   string
		distance int
	}
	var all []candidate
	for _, o := range table {
		if d := mistake.Distance(o.Symbol, name); d <= len(name)/2 {
			all = append(all, candidate{o.Symbol, d})
		}
	}
	slices.SortStableFunc(all, func(a, b candidate) int { return cmp.Compare(a.distance, b.distance) })
	var symbols []string
	for _, c := range all {
		if len(symbols) < 3 && c.distance == all[0].distance {
			symbols = append(symbols, c.symbol)
		}
	}
	return symbols
}

// writeOptions prints an aligned table.
func writeOptions(w io.Writer, table []optionRow) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "LEVEL\tNUMBER\tSYMBOL\tTYPE\tACCESS\tSOCKETS\tDEFAULT\tSOURCE\tDESCRIPTION")
	for _, o := range table {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n",
			o.LevelName, optionNumber(o), o.Symbol, o.Type, accessWords(o),
			strings.Join(o.Kinds, ","), dash(o.Default.Documented), o.Doc, optionText(o))
	}
	return t.Flush()
}

// optionNumber returns the number as the headers of the SDK print it: a negative number is the
// complement of another one.
func optionNumber(o optionRow) string {
	switch n := o.Number; {
	case o.LevelName == levelControl:
		return fmt.Sprintf("0x%08x", n)
	case n < 0:
		return fmt.Sprintf("~0x%04x", ^n)
	default:
		return fmt.Sprintf("0x%04x", n)
	}
}

func accessWords(o optionRow) string {
	switch {
	case o.LevelName == levelControl && o.Unsupported == "":
		return "ioctl"
	case o.LevelName == levelControl:
		return "none"
	case o.Get && o.Set:
		return "get,set"
	case o.Get:
		return "get"
	case o.Set:
		return "set"
	}
	return "none"
}

// optionText returns the description, with what is missing or not supported.
func optionText(o optionRow) string {
	switch {
	case o.Unsupported != "" && o.LevelName == levelControl:
		return fmt.Sprintf("%s [not supported: %s]", o.Description, o.Unsupported)
	case o.Incomplete == "":
		return o.Description
	}
	return fmt.Sprintf("%s [incomplete: %s]", o.Description, o.Incomplete)
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func writeJSON(w io.Writer, list any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(list)
}
