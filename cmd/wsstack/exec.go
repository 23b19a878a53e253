package main

import (
	"context"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/wsstack/wsstack/internal/namespace"
	"github.com/wsstack/wsstack/internal/testbed"
)

func newExecCommand() *cobra.Command {
	cfg := defaultNetwork()
	features := newHostFlags(&serviceFlags{})
	cmd := &cobra.Command{
		Use:   "exec [flags] -- COMMAND [ARGUMENT…]",
		Short: "Run a command in a private network whose only other host is a wsstack",
		Long: `Run COMMAND in a network namespace of its own whose only other host is a wsstack, at
the far end of a TUN device. The stack serves a page that shows its sockets on port 80,
and the services echo (7), discard (9) and chargen (19), each over TCP and UDP. Without
--gateway there is no default route, and without it and --host the resolv.conf of COMMAND
has no servers: use addresses. COMMAND may bind every port.

The command needs Linux and permission to open /dev/net/tun. It doesn't need root where
ordinary users may create user namespaces; "wsstack doctor" says what is missing. COMMAND
has no capability outside of its namespaces, also where root runs it, and no way to the
memory and the sockets of the stack. All processes that COMMAND has started end with it.
Background processes stay only when both processes of wsstack are killed with SIGKILL at
the same moment, and not even then in a PID namespace (see the last example).

The exit status is that of COMMAND, 128+n when signal n has killed COMMAND, 127 when
there is no such command, and 126 when it can't be executed.

` + gatewayHelp + "\n\n" + wireHelp + "\n\n" + logHelp,
		Example: `  wsstack exec -- curl -s http://10.77.0.1/
  wsstack exec -- curl -s -H 'Accept: application/json' 'http://[fd77::1]/'
  wsstack exec --mtu 9000 -- ping -c 3 10.77.0.1
  wsstack exec --delay 50ms --loss 0.01 --pcap link.pcapng -- curl -s http://10.77.0.1/
  wsstack exec --gateway -- curl -s https://example.org/
  wsstack exec --gateway --host-loopback 10.77.0.3 -- psql -h 10.77.0.3
  wsstack exec -- bash
  sudo unshare --fork --pid --kill-child --mount-proc wsstack exec -- COMMAND`,
		DisableFlagsInUseLine: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return nil
			}
			return usagef("exec needs a command to run").
				withHint("write it after two dashes: %s", "wsstack exec -- curl -s http://10.77.0.1/")
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return cfg.Log.failed(cmd.ErrOrStderr(), execCommand(cfg, features, args))
		},
	}
	// The flags of COMMAND are not ours, also where the two dashes are missing.
	cmd.Flags().SetInterspersed(false)
	addLinkFlags(cmd, &cfg)
	features.addFlags(cmd.Flags())
	cfg.Control.addFlags(cmd.Flags(), false)
	return cmd
}

// commandName is the name of the host that the command runs on.
const commandName = "command"

// execCommand runs a command in a namespace of its own and returns its
// exit status as an exitStatus, or why it couldn't.
func execCommand(cfg networkConfig, features hostFlags, argv []string) error {
	if err := cfg.validate(); err != nil {
		return err
	}
	path, err := namespace.LookCommand(argv[0])
	if err != nil {
		return err
	}
	if err := cfg.Wire.checkOutput(forExec, isTerminal(os.Stdout)); err != nil {
		return err
	}
	release, err := awaitReaders(cfg.Wire.Pcap)
	if err != nil {
		return err
	}
	defer release()
	socket, err := cfg.Control.listen(argv, cfg.Log.logger(os.Stderr))
	if err != nil {
		return err
	}
	host := testbed.Host{Name: commandName, Kind: testbed.Namespace, Command: &testbed.Command{
		Path: path, Args: argv, Env: socket.environment(withoutProxies(os.Environ())), Foreground: true, Main: true,
	}}
	n, err := cfg.describe(tunName, host, features)
	if err != nil {
		return err
	}
	leaveProcessor(n)
	socket.attach(&n)
	packets, stdout, err := cfg.Wire.records()
	if err != nil {
		return failf("open standard output for the packets: %w", err)
	}
	signals := make(chan os.Signal, 16) // until the command is there to take them
	signal.Notify(signals, namespace.Forwardable()...)
	o := cfg.Log.options(os.Stderr)
	o.Streams, o.Records, o.Namespace.Use = [3]*os.File{os.Stdin, stdout, os.Stderr}, packets, forExec.use()
	socket.options(&o)
	t, err := testbed.New(n, o)
	if err == nil {
		err = t.Start()
	}
	if err != nil {
		return networkFailure(err)
	}
	summary := cfg.Summary.start(t, isTerminal(os.Stderr))
	go forwardSignals(signals, t.Hosts()[1].Namespace()) // ends with the process
	result, err := t.Wait(context.Background())
	summary.print(os.Stderr)
	if closed := closeNetwork(t); closed != nil && err == nil {
		report(os.Stderr, cfg.Log.failed(os.Stderr, closed)) // the status of the command stays
	}
	if left := namespace.Sweep(); left > 0 {
		report(os.Stderr, cfg.Log.failed(os.Stderr, failf("%d processes could not be killed", left)))
	}
	if err != nil {
		return networkFailure(err)
	}
	return exitStatus(result.Status)
}

// forwardSignals passes on signals to the command, which has been started. Those of the terminal it
// gets itself, but for the ones that came before it was there.
func forwardSignals(signals <-chan os.Signal, n *namespace.Namespace) {
	early := len(signals)
	for s := range signals {
		if s, ok := s.(syscall.Signal); ok && (early > 0 || !namespace.FromTerminal(s)) {
			n.Signal(s)
		}
		early--
	}
}

// withoutProxies removes the variables that name proxies, which no program in the namespace could
// reach.
func withoutProxies(environ []string) []string {
	return slices.DeleteFunc(slices.Clone(environ), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		switch strings.ToLower(name) {
		case "http_proxy", "https_proxy", "all_proxy", "no_proxy":
			return true
		}
		return false
	})
}
