package main

import (
	"fmt"
	"io"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wsstack/wsstack/internal/script/syntax"
)

// scriptFlags are the flags of script.
type scriptFlags struct {
	run      string // regular expression; "": all scripts
	verbose  bool
	check    bool
	json     bool
	junit    string // file to write; "": none
	pcap     string // file, or folder of several scripts; "": none
	html     string // likewise
	ignore   []string
	parallel int
	settings scriptSettings
	realFlags

	pattern *regexp.Regexp // of run; nil: all scripts
	parsing syntax.Options // of ignore
}

// scriptIgnore are the words of --ignore.
var scriptIgnore = []string{"shell", "code"}

func newScriptCommand() *cobra.Command {
	f := scriptFlags{parallel: runtime.GOMAXPROCS(0)}
	cmd := &cobra.Command{
		Use:   "script [flags] FILE|DIR…",
		Short: "Play packetdrill scripts against the stack, in virtual time",
		Long: `Play scripts in the language of packetdrill against the stack, in virtual time and
without root: what a program calls, what the peer sends, and what the stack must send, and
when. docs/scripts.md teaches the language, and says what is wsstack's own. Of a folder all
files are played that end in .pkt, those of the folders below it included. - is standard
input.

Each script has a line. One that fails has a report as well: where it is in the file, what
was expected and what came side by side, and the conversation until then. Scripts are
played side by side, and are printed in order. --check looks for mistakes in the files and
plays nothing.

--pcap and --html take a file for one script, and a folder for several or for a folder of
scripts. There, and with --junit, - is standard output, without the report.

Lines that a shell runs and code between %{ and }% are mistakes, which say what to write
instead. --ignore shell,code leaves them out. The settings that a script may have at its
top are flags here, and those of the command line go before those of the script.

--real plays on the kernel of Linux instead of the stack, in a network namespace of its
own, which an ordinary user may make on most systems, and in real time; --compare plays on
both, and shows both conversations side by side. Such scripts have the calls of Linux.

The exit status is 1 when a script fails, and 2 when there is a mistake in a file.`,
		Example: `  wsstack script handshake.pkt
  wsstack script -v --profile windows handshake.pkt
  wsstack script --html close.html close.pkt
  wsstack script --junit report.xml scripts
  wsstack script -run 'tcp/.*reset' scripts
  wsstack script --check --json scripts | jq -r '.[].mistakes[]?.text'`,
		DisableFlagsInUseLine: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.any() && !cmd.Flags().Changed("parallel") {
				f.parallel = 1 // others would be in the way of its times
			}
			return playScripts(cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr(), f, args)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.run, "run", "", "only scripts whose names match `REGEXP`; -run is the same")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "print the conversation of each script")
	flags.BoolVar(&f.check, "check", false, "look for mistakes in the files, and do nothing else")
	flags.BoolVar(&f.json, "json", false, "print a JSON array instead of lines")
	flags.StringVar(&f.junit, "junit", "", "also write JUnit XML to `FILE`")
	flags.StringVar(&f.pcap, "pcap", "", "also write the packets (pcapng) to `FILE`, or into a folder")
	flags.StringVar(&f.html, "html", "", "also write a page with diagrams to `FILE`, or into a folder")
	flags.StringSliceVar(&f.ignore, "ignore", nil, "leave out what isn't of the network: `LIST` of shell and code")
	flags.IntVar(&f.parallel, "parallel", f.parallel, "`NUMBER` of scripts that are played side by side")
	flags.Lookup("parallel").DefValue = "0" // it is that of the machine
	f.realFlags.addFlags(flags)
	f.settings.addFlags(cmd)
	return cmd
}

// singleDash makes "--run" of the "-run" of "go test", which would be the flags -r, -u and -n.
func singleDash(args []string) []string {
	if len(args) == 0 || args[0] != "script" {
		return args
	}
	args = slices.Clone(args)
	for i, a := range args {
		if a == "--" {
			break
		}
		if a == "-run" || strings.HasPrefix(a, "-run=") {
			args[i] = "-" + a
		}
	}
	return args
}

// playScripts is the command.
func playScripts(stdin io.Reader, stdout, stderr io.Writer, f scriptFlags, args []string) error {
	if err := f.validate(args); err != nil {
		return err
	}
	files, err := findScripts(args)
	if err != nil {
		return err
	}
	if f.pattern != nil {
		all := len(files)
		files = slices.DeleteFunc(files, func(name string) bool { return !f.pattern.MatchString(name) })
		if len(files) == 0 {
			return usagef("no script of %d has a name that matches %s", all, f.run).
				withHint("names are as in the report, with their folders: %s", args[0])
		}
	}
	outputs, err := f.prepare(stdout, args)
	if err != nil {
		return err
	}
	out := newScriptReport(stdout, f)
	results := f.playAll(stdin, stderr, files, outputs, out.add)
	if err := out.end(results); err != nil {
		return failf("print the results: %w", err)
	}
	if err := outputs.end(results); err != nil {
		return err
	}
	return scriptsFailed(f, results)
}

// validate looks for flags that make no sense, or not together.
func (f *scriptFlags) validate(args []string) error {
	if len(args) == 0 {
		return usagef("script needs a file or a folder of scripts").withHint("wsstack script FILE.pkt, or - for standard input")
	}
	if f.parallel < 1 {
		return usagef("--parallel %d: not a number from 1", f.parallel).withHint("leave it out for that of the processors")
	}
	if f.run != "" {
		var err error
		if f.pattern, err = regexp.Compile(f.run); err != nil {
			return usagef("--run: %w", err).withHint("names of scripts match a regular expression, such as 'tcp/.*reset'")
		}
	}
	for _, word := range f.ignore {
		switch word {
		case "shell":
			f.parsing.IgnoreShell = true
		case "code":
			f.parsing.IgnoreCode = true
		default:
			return usagef("--ignore has no word %q", word).withHint("there are %s", strings.Join(scriptIgnore, ", "))
		}
	}
	if f.real && f.compare {
		return usagef("--real and --compare exclude each other").withHint("--compare plays on both")
	}
	f.parsing.Defines = f.settings.defines
	if err := f.settings.check(); err != nil {
		return err
	}
	return f.validateOutputs()
}

// validateOutputs looks for outputs that get into each other's way.
func (f *scriptFlags) validateOutputs() error {
	printed := 0
	for _, o := range []struct{ flag, name string }{{"junit", f.junit}, {"pcap", f.pcap}, {"html", f.html}} {
		if o.name == standardOutput {
			printed++
		}
		if o.name != "" && f.check {
			return usagef("--%s has nothing to write with --check", o.flag).withHint("--check plays no script; leave one of them out")
		}
	}
	if f.json {
		printed++
	}
	if printed > 1 {
		return usagef("several flags write to standard output").withHint("name files, all but one")
	}
	return nil
}

// quietly reports whether standard output is for something else than the report.
func (f *scriptFlags) quietly() bool {
	return slices.Contains([]string{f.junit, f.pcap, f.html}, standardOutput)
}

// scriptsFailed is the error of the command once all is written; nil: all scripts have passed.
func scriptsFailed(f scriptFlags, results []*scriptResult) error {
	count := countScripts(results)
	switch wrong, failed := count[scriptMistake], count[scriptFail]; {
	case wrong > 0 && failed == 0:
		return usagef("%s of %d", plural(wrong, "script has a mistake", "scripts have mistakes"), len(results))
	case wrong > 0:
		return usagef("%s and %s of %d", plural(failed, "script fails", "scripts fail"),
			plural(wrong, "has a mistake", "have mistakes"), len(results))
	case failed > 0 && f.html == "" && len(results) == 1:
		return failf("the script fails").withHint("see the packets: wsstack script --html script.html %s", results[0].File)
	case failed > 0:
		return failf("%s of %d", plural(failed, "script fails", "scripts fail"), len(results))
	}
	return nil
}

// countScripts returns the number of scripts with each verdict.
func countScripts(results []*scriptResult) map[string]int {
	count := map[string]int{}
	for _, r := range results {
		count[r.Verdict]++
	}
	return count
}

// totals is the last line of the report.
func totals(results []*scriptResult, check bool) string {
	count := countScripts(results)
	if check {
		return fmt.Sprintf("%s, %d with mistakes", counted(len(results), "script"), count[scriptMistake])
	}
	text := fmt.Sprintf("%d pass, %d fail", count[scriptPass], count[scriptFail])
	if n := count[scriptMistake]; n > 0 {
		text += ", " + plural(n, "has a mistake", "have mistakes")
	}
	return text + " of " + counted(len(results), "script")
}
