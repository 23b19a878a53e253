package main

import (
	"context"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/wsstack/wsstack/internal/conform"
	"github.com/wsstack/wsstack/internal/control"
	"github.com/wsstack/wsstack/tun"
)

// shells are the programs that write the completion script of each shell.
var shells = map[string]func(*cobra.Command, io.Writer) error{
	"bash":       func(root *cobra.Command, w io.Writer) error { return root.GenBashCompletionV2(w, true) },
	"fish":       func(root *cobra.Command, w io.Writer) error { return root.GenFishCompletion(w, true) },
	"powershell": (*cobra.Command).GenPowerShellCompletionWithDesc,
	"zsh":        (*cobra.Command).GenZshCompletion,
}

// newCompletionCommand replaces the one of cobra, which prints its help for a shell that it doesn't
// know, and succeeds.
func newCompletionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "completion bash|fish|powershell|zsh",
		Short: "Print the script by which a shell completes commands, flags and their values",
		Long: `Print the script by which a shell completes commands, flags and their values. The
examples load it for one session, and for all later ones.`,
		Example: `  source <(wsstack completion bash)
  wsstack completion bash > ~/.local/share/bash-completion/completions/wsstack
  wsstack completion fish > ~/.config/fish/completions/wsstack.fish
  wsstack completion zsh > "${fpath[1]}/_wsstack"
  wsstack completion powershell | Out-String | Invoke-Expression`,
		DisableFlagsInUseLine: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("completion needs the name of one shell").withHint("source <(wsstack completion bash)")
			}
			write, ok := shells[args[0]]
			if !ok {
				return usagef("no completion for the shell %q", args[0]).withHint("there are %s", strings.Join(shellNames(), ", "))
			}
			if err := write(cmd.Root(), cmd.OutOrStdout()); err != nil {
				return failf("print the script: %w", err)
			}
			return nil
		},
	}
}

func shellNames() []string { return slices.Sorted(maps.Keys(shells)) }

// values are what a shell completes the values of flags to, by the name of the flag. A value that
// ends in "=" or "/" goes on.
var values = map[string]func() []string{
	"congestion":       congestionControls,
	"from-stack":       parameterNames,
	"ignore":           func() []string { return scriptIgnore },
	"log-format":       func() []string { return []string{"text", "json"} },
	"network":          runningNetworks,
	"peer":             behaviourNames,
	"profile":          profiles,
	"sockopt":          func() []string { return suffixed(optionNames(), "=") },
	"to-stack":         parameterNames,
	"via":              func() []string { return []string{"socks5://", "http://"} },
	"queue-discipline": func() []string { return []string{"droptail", "codel"} },
}

// arguments are what a shell completes the arguments of commands to, by the name of the command.
var arguments = map[string]func() []string{
	"completion": shellNames,
	"options":    optionNames,
	"verify":     statementNames,
}

// addCompletions says what the values of all flags and the arguments of commands may be, after all
// of them are there.
func addCompletions(root *cobra.Command) {
	for _, cmd := range root.Commands() {
		addCompletions(cmd)
		list, listed := arguments[cmd.Name()]
		switch {
		case cmd.CommandPath() == "wsstack exec":
			cmd.ValidArgsFunction = completePrograms
		case cmd.CommandPath() == "wsstack set":
			cmd.ValidArgsFunction = completeSetting
		case listed:
			cmd.ValidArgsFunction = complete(list)
		case cmd.ValidArgsFunction == nil && !strings.Contains(cmd.Use, "FILE"):
			cmd.ValidArgsFunction = cobra.NoFileCompletions
		}
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if f.NoOptDefVal == "" { // else it needs no value
				_ = cmd.RegisterFlagCompletionFunc(f.Name, completionOf(f)) // each flag once
			}
		})
	}
}

// completionOf is what completes the values of a flag: files only where its help says so.
func completionOf(f *pflag.Flag) cobra.CompletionFunc {
	if list, ok := values[f.Name]; ok {
		return complete(list)
	}
	switch name, _ := pflag.UnquoteUsage(f); name {
	case "FILE":
		return cobra.FixedCompletions(nil, cobra.ShellCompDirectiveDefault)
	case "DIR":
		return cobra.FixedCompletions(nil, cobra.ShellCompDirectiveFilterDirs)
	}
	return cobra.NoFileCompletions
}

// complete completes to the words of a list.
func complete(list func() []string) cobra.CompletionFunc {
	return func(_ *cobra.Command, _ []string, begun string) (found []string, directive cobra.ShellCompDirective) {
		directive = cobra.ShellCompDirectiveNoFileComp
		for _, word := range list() {
			if strings.HasPrefix(word, begun) {
				found = append(found, word)
				if strings.HasSuffix(word, "=") || strings.HasSuffix(word, "/") {
					directive |= cobra.ShellCompDirectiveNoSpace
				}
			}
		}
		return found, directive
	}
}

// completeCommands completes to commands, and behind one to those below it.
func completeCommands(cmd *cobra.Command, args []string, begun string) (found []string, _ cobra.ShellCompDirective) {
	above, rest, err := cmd.Root().Find(args)
	if err != nil || len(rest) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	for _, c := range above.Commands() {
		if strings.HasPrefix(c.Name(), begun) && !c.Hidden {
			found = append(found, cobra.CompletionWithDesc(c.Name(), c.Short))
		}
	}
	return found, cobra.ShellCompDirectiveNoFileComp
}

// completePrograms completes the first argument to the programs in PATH, and others to files.
func completePrograms(_ *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 || strings.ContainsRune(begun, filepath.Separator) {
		return nil, cobra.ShellCompDirectiveDefault
	}
	var found []string
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		entries, _ := os.ReadDir(dir) // a folder that isn't there has no programs
		for _, e := range entries {
			if strings.HasPrefix(e.Name(), begun) && !e.IsDir() {
				found = append(found, e.Name())
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found), cobra.ShellCompDirectiveNoFileComp
}

// completeSetting completes what follows the socket of set.
func completeSetting(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	if len(args) != 1 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return complete(values["sockopt"])(cmd, args, begun)
}

// runningNetworks are the names of this user's networks.
func runningNetworks() (list []string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	for _, n := range control.List(ctx) {
		list = append(list, n.Name)
	}
	return list
}

// congestionControls are those that the kernel has now.
func congestionControls() []string {
	text, _ := os.ReadFile("/proc/sys/net/ipv4/tcp_available_congestion_control") // not on other systems
	return strings.Fields(string(text))
}

func parameterNames() (list []string) {
	for _, p := range tun.Parameters() {
		list = append(list, p.Name)
	}
	return suffixed(list, "=")
}

func profiles() (list []string) {
	for _, p := range conform.Profiles() {
		list = append(list, strings.ToLower(p.String()))
	}
	return list
}

func optionNames() (list []string) {
	for _, o := range optionTable() {
		list = append(list, o.Symbol)
	}
	return list
}

// statementNames are the areas of the specification, and its statements.
func statementNames() (list []string) {
	for _, s := range conform.Statements() {
		list = append(list, s.Area(), s.ID)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

func suffixed(list []string, end string) []string {
	for i := range list {
		list[i] += end
	}
	return list
}
