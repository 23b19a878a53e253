package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/wsstack/wsstack/internal/machines"
	"github.com/wsstack/wsstack/internal/namespace"
	"github.com/wsstack/wsstack/internal/netfile"
	"github.com/wsstack/wsstack/internal/testbed"
)

// runFlags are the flags of run.
type runFlags struct {
	check, schema, example bool
	json                   bool
	on, key                string // the machine, and the file of its key
	log                    logFlags
	summary                summaryFlags
	control                controlFlags
}

// exampleNetwork is what run --example prints.
//
//go:embed example.yaml
var exampleNetwork string

func newRunCommand() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run [flags] FILE",
		Short: "Run a test network of several hosts that a file describes",
		Long: `Run the network of FILE, in YAML: hosts, each a wsstack or a Linux network namespace with
a command, and links and routers between them. --example prints a file to begin with,
and --schema the JSON schema of all fields. - is standard input.

Hosts find each other by their names. Routes are computed. Stacks and routers run first.
Then commands start, in the order of the file as far as "after" doesn't say otherwise;
"until" says what has to hold before a host counts as ready. What commands write comes
with the name of the host before each line, and what happens to hosts on standard error.
Colours are for terminals, and not where NO_COLOR is set. --json writes lines of JSON
with the fields time, host, stream (stdout, stderr or event) and text instead.

The network ends with its main command: the one that has "main: true", or else the last
one of the file. The exit status is that of this command. A command that fails before
ends the network with its own status, unless it has "may-fail: true". The other commands
are then asked to end with SIGTERM, one after the other, the one that has started last
first, and are killed when they haven't ended within 5 seconds. ^C and SIGTERM do the
same, and the second one kills all at once; the exit status is 128+n then, or 0 for a
network without commands, which runs until then. The exit status is 2 for a mistake in
the file.

The hosts of a file with "machines" are divided among these, and the links between
machines go through WireGuard. The same file is started on each machine with --on and its
name there. Commands start when all machines are there, wait for hosts of other machines
as for others, and the exit status is the same on all machines. A machine that is lost
ends the network with status 1. --key is the file of the private key of the machine; the
default is NAME.key beside FILE.

Namespaces need Linux and permission to open /dev/net/tun, as "wsstack exec" does. A
network of stacks needs neither, and tunnels need nothing but their UDP ports.

` + logHelp,
		Example: `  wsstack run --example > network.yaml
  wsstack run --check network.yaml
  wsstack run network.yaml
  wsstack run --on lab network.yaml
  wsstack run --json network.yaml | jq -r 'select(.host == "client").text'
  wsstack run --schema > network.schema.json`,
		DisableFlagsInUseLine: true,
		Args:                  func(cmd *cobra.Command, args []string) error { return f.checkArguments(cmd, args) },
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case f.schema:
				return printSchema(cmd.OutOrStdout())
			case f.example:
				return write(cmd.OutOrStdout(), exampleNetwork)
			}
			return f.log.failed(cmd.ErrOrStderr(), runFile(args[0], f, cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr()))
		},
	}
	cmd.Flags().BoolVar(&f.check, "check", false, "look for mistakes in the file, and do nothing else")
	cmd.Flags().BoolVar(&f.schema, "schema", false, "print the JSON schema of network files")
	cmd.Flags().BoolVar(&f.example, "example", false, "print a network file")
	cmd.Flags().BoolVar(&f.json, "json", false, "write the output of commands, and events of hosts, as lines of JSON")
	cmd.Flags().StringVar(&f.on, "on", "", "`NAME` of the machine that this is, in a file with machines")
	cmd.Flags().StringVar(&f.key, "key", "", "`FILE` with the private key (default NAME.key beside the network file)")
	f.control.addFlags(cmd.Flags(), false)
	f.log.addFlags(cmd.Flags())
	f.summary.addFlags(cmd.Flags())
	return cmd
}

// checkArguments says what is wrong with the arguments.
func (f *runFlags) checkArguments(cmd *cobra.Command, args []string) error {
	switch {
	case f.schema || f.example:
		return noArguments(cmd, args)
	case len(args) == 0:
		return usagef("run needs a network file").withHint("%q prints one to begin with", "wsstack run --example")
	case len(args) > 1:
		return usagef("unexpected argument %q", args[1]).withHint("run takes one file")
	case f.key != "" && f.on == "":
		return usagef("--key is the key of a machine").withHint("say which machine this is, with --on")
	}
	return nil
}

func printSchema(w io.Writer) error {
	text, err := netfile.Schema()
	if err != nil {
		return failf("make the schema: %w", err)
	}
	return write(w, string(text))
}

// write writes a text to standard output.
func write(w io.Writer, text string) error {
	if _, err := io.WriteString(w, text); err != nil {
		return failf("write: %w", err)
	}
	return nil
}

// runFile runs the network of a file.
func runFile(name string, f runFlags, stdin io.Reader, stdout, stderr io.Writer) error {
	file, err := netfile.Read(name, stdin, netfile.Options{Environ: withoutProxies(os.Environ()), Page: hostPage, On: f.on})
	if err != nil {
		return err
	}
	if f.check {
		return write(stdout, checked(file))
	}
	if len(file.Machines.All) > 0 && f.on == "" {
		return notHere(file, stderr)
	}
	var captures []string
	for _, l := range file.Network.Links {
		captures = append(captures, l.Capture)
	}
	release, err := awaitReaders(captures...)
	if err != nil {
		return err
	}
	defer release()
	// Before anything is made, so that an early signal leaves nothing, either.
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, endings()...)
	defer signal.Stop(signals)
	packets, stdout, err := runRecords(file.Network, stdout, stderr)
	if err != nil {
		return err
	}
	r := &networkRun{file: file, flags: f, stderr: stderr, signals: signals}
	r.out = newRunOutput(file.Network, stdout, stderr, f.json)
	return r.run(packets)
}

// checked is what is said of a file without mistakes.
func checked(file *netfile.File) string {
	text := fmt.Sprintf("%s: %s and %s", file.Name, counted(len(file.Network.Hosts), "host"), counted(len(file.Network.Links), "link"))
	if n := len(file.Machines.All); n > 0 {
		text += " on " + counted(n, "machine")
	}
	return text + ", no mistakes\n"
}

// counted is a number of things.
func counted(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

// A networkRun is a network of a file that runs.
type networkRun struct {
	file    *netfile.File
	flags   runFlags
	out     *runOutput
	stderr  io.Writer
	signals chan os.Signal

	session    *machines.Session // with other machines; nil: there are none
	foreground bool              // a command has the terminal
}

// run runs the network to its end. packets is where packets go that are recorded on standard
// output.
func (r *networkRun) run(packets *os.File) (err error) {
	var t *testbed.Testbed
	if r.flags.on != "" {
		if r.session, err = r.open(func(host string) { t.Ready(host) }); err != nil {
			return err
		}
		defer r.session.Close()
	}
	controls, err := r.flags.control.listen([]string{networkName(r.file.Name)}, r.flags.log.logger(r.stderr))
	if err != nil {
		return err
	}
	n := r.file.Network
	controls.attach(&n)
	for i := range n.Hosts {
		if c := n.Hosts[i].Command; c != nil && !n.Hosts[i].Remote {
			c.Env = controls.environment(c.Env)
			r.foreground = r.foreground || c.Foreground
		}
	}
	o := testbed.Options{
		Streams: [3]*os.File{os.Stdin, os.Stdout, os.Stderr}, Records: packets, Output: r.out.line, Event: r.out.event,
		Logger:    r.flags.log.logger(r.stderr),
		Namespace: namespace.Config{Use: namespace.Use{Command: "run"}},
	}
	if r.session != nil {
		o.Begin, o.Ready = r.session.Begun(), r.session.Ready
	}
	controls.options(&o)
	t, err = testbed.New(n, o)
	if err == nil {
		err = t.Start()
	}
	if err != nil {
		return r.file.Locate(err)
	}
	err = controls.serve(t) // of a network without a stack
	summary := r.flags.summary.start(t, isTerminal(r.stderr))
	if err == nil {
		err = r.wait(t)
	}
	if closed := controls.Close(); err == nil {
		err = closed
	}
	summary.print(r.stderr)
	if closed := closeNetwork(t); closed != nil {
		report(r.stderr, closed) // the status of the network stays
	}
	if left := namespace.Sweep(); left > 0 {
		report(r.stderr, failf("%s could not be killed", counted(left, "process")))
	}
	return err
}

// networkName is the name of a network file without its folder and what its name ends in.
func networkName(file string) string {
	base := filepath.Base(file)
	return strings.TrimSuffix(base, filepath.Ext(base))
}

// stopGrace is how long a command may take to end after SIGTERM.
const stopGrace = 5 * time.Second

// wait waits for the end of the network, and ends its commands. The error is the exit status, or
// why there is none.
func (r *networkRun) wait(t *testbed.Testbed) error {
	ctx, interrupt := context.WithCancelCause(context.Background())
	hurry, kill := context.WithCancel(context.Background())
	defer kill()
	done := make(chan struct{})
	defer close(done)
	go func() { // ends with wait
		for {
			select {
			case s := <-r.signals:
				r.interrupted(ctx, s, interrupt, kill)
			case <-done:
				return
			}
		}
	}()
	if r.session != nil {
		return r.waitTogether(ctx, hurry, t, interrupt)
	}
	if !hasCommands(r.file.Network) {
		r.out.note("%s and %s are up; ^C ends them", counted(len(t.Hosts()), "host"), counted(len(t.Links()), "link"))
	}
	ending, err := r.ending(ctx, t)
	r.noteEnding(ending)
	t.Stop(hurry, stopGrace)
	if err != nil {
		return err
	}
	return exitStatus(ending.Status)
}

// ending waits for the end of the network, as far as this machine knows of it. The error says why
// the network has failed.
func (r *networkRun) ending(ctx context.Context, t *testbed.Testbed) (e machines.Ending, err error) {
	result, err := t.Wait(ctx)
	cause := context.Cause(ctx)
	signal, ok := errors.AsType[interrupted](cause)
	switch {
	case ok && !hasCommands(r.file.Network), errors.Is(cause, errEndedElsewhere):
		return e, nil
	case ok:
		return machines.Ending{Status: statusSignal + int(signal)}, nil
	case err != nil:
		err = r.file.Locate(err)
		f := failureOf(err)
		return machines.Ending{Status: f.status, Text: f.text, Failed: true, Hint: f.hint}, err
	}
	return machines.Ending{Status: result.Status, Text: fmt.Sprintf("%s has ended the network with status %d", result.Host, result.Status)}, nil
}

// noteEnding says which command has failed and so has ended the network.
func (r *networkRun) noteEnding(e machines.Ending) {
	if e.Status != 0 && e.Text != "" && !e.Failed {
		r.out.note("%s", e.Text)
	}
}

// An interrupted is the signal that has ended a network.
type interrupted syscall.Signal

func (i interrupted) Error() string { return syscall.Signal(i).String() }

// interrupted acts on a signal: the first one ends the network in good order, the second one at
// once. What a terminal sends to its foreground is for the command that has it.
func (r *networkRun) interrupted(ctx context.Context, s os.Signal, interrupt context.CancelCauseFunc, kill func()) {
	n, ok := s.(syscall.Signal)
	switch {
	case !ok, r.foreground && namespace.FromTerminal(n):
	case ctx.Err() == nil:
		interrupt(interrupted(n))
	default:
		kill()
	}
}

func hasCommands(n testbed.Network) bool {
	for _, h := range n.Hosts {
		if h.Command != nil {
			return true
		}
	}
	return false
}
