// Command wsstack runs programs against a network stack in user space whose sockets behave as
// Microsoft documents Windows Sockets.
//
//	wsstack exec -- curl -s http://10.77.0.1/
//	wsstack options SO_KEEPALIVE
//
// Every failure is reported on standard error as one line "wsstack: error: …", mostly followed by
// one line "wsstack: hint: …". The exit status is 1 for a failure and 2 for a command line that
// makes no sense; the exit status of "wsstack exec" is that of the command it ran.
package main

import (
	"errors"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wsstack/wsstack/internal/namespace"
)

func main() {
	// The process inside the network namespace runs this program as well, so main looks for its
	// marker before any flag.
	if namespace.IsInit(os.Args) {
		status, err := namespace.Init(removeSocket)
		report(os.Stderr, err)
		os.Exit(status)
	}
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run executes one command line and returns the exit status.
func run(args []string, stdout, stderr io.Writer) int {
	root := newRootCommand()
	root.SetArgs(singleDash(args))
	root.SetOut(stdout)
	root.SetErr(stderr)
	return report(stderr, root.Execute())
}

func newRootCommand() *cobra.Command {
	var showVersion bool
	root := &cobra.Command{
		Use:   "wsstack",
		Short: "A network stack in user space with the socket behaviour of Windows Sockets",
		// cobra would print errors its own way, and the whole usage after
		// each of them.
		SilenceErrors: true,
		SilenceUsage:  true,
		// Without Args and RunE, a missing or unknown command would print the help and succeed.
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if showVersion && len(args) == 0 {
				return printVersion(cmd.OutOrStdout(), false)
			}
			return noSuchCommand(cmd, args)
		},
	}
	// Not root.Version, which would add -v: that is "verbose" elsewhere.
	root.Flags().BoolVar(&showVersion, "version", false, "print the versions, as \"wsstack version\" does")
	root.CompletionOptions.DisableDefaultCmd = true // there is newCompletionCommand
	root.SuggestionsMinimumDistance = 2             // cobra's own, which it sets too late for us
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		f := failureOf(usagef("%w", err)) // the value of a flag may say what would help
		if f.hint == "" {
			return f.withHint("run %q to see the flags", cmd.CommandPath()+" --help")
		}
		return f
	})
	root.SetHelpCommand(newHelpCommand())
	root.AddCommand(
		newExecCommand(), newUpCommand(), newRunCommand(),
		newOptionsCommand(), newVerifyCommand(), newScriptCommand(), newTraceCommand(), newDoctorCommand(), newVersionCommand(),
		newStatCommand(), newSetCommand(), newLinkCommand(), newCaptureCommand(),
		newConnectCommand(), newListenCommand(), newBenchCommand(), newWGCommand(),
		newCompletionCommand(), newImpairmentsTopic(), newPeersTopic())
	addCompletions(root)
	return root
}

// newHelpCommand replaces the help command of cobra, which would print the help of wsstack for a
// command that doesn't exist, and succeed.
func newHelpCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "help [COMMAND]",
		Short:             "Print the help of a command",
		ValidArgsFunction: completeCommands,
		RunE: func(cmd *cobra.Command, args []string) error {
			named, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return noSuchCommand(cmd.Root(), args)
			}
			named.InitDefaultHelpFlag() // as cobra does before it runs one
			return named.Help()
		},
	}
}

// noSuchCommand returns the error of a command line that names no subcommand, or an unknown one.
func noSuchCommand(root *cobra.Command, args []string) error {
	if len(args) == 0 {
		return usagef("no command given").withHint("try %q, or %q to see all commands",
			"wsstack exec -- curl -s http://10.77.0.1/", "wsstack --help")
	}
	failure := usagef("unknown command %q", args[0])
	if near := root.SuggestionsFor(args[0]); len(near) > 0 {
		return failure.withHint("did you mean %q?", "wsstack "+near[0])
	}
	return failure.withHint("run %q to see all commands; to run a program write %q",
		"wsstack --help", "wsstack exec -- "+strings.Join(args, " "))
}

// noArguments is cobra.NoArgs with the words and the exit status of this program.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return usagef("unexpected argument %q", args[0]).withHint("%q takes none", cmd.CommandPath())
}

// report prints the message of an error and returns the exit status for it.
func report(stderr io.Writer, err error) int {
	if err == nil {
		return 0
	}
	if status, ok := errors.AsType[exitStatus](err); ok {
		return int(status)
	}
	f := failureOf(err)
	f.print(stderr)
	return f.status
}
