package main

import (
	"errors"
	"io/fs"
	"os/exec"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

func newExecCommand() *cobra.Command {
	cfg := defaultNetwork()
	cmd := &cobra.Command{
		Use:   "exec [flags] -- COMMAND [ARGUMENT…]",
		Short: "Run a command in a private network whose only other host is a wsstack",
		Long: `Run COMMAND in a network namespace of its own whose only other host is a wsstack, at
the far end of a TUN device. The stack serves a page that shows its sockets on port 80,
and the services echo (7), discard (9) and chargen (19), each over TCP and UDP. There
is no default route and no name service, and the resolv.conf of COMMAND has no servers:
use addresses. COMMAND may bind every port.

The command needs Linux and permission to open /dev/net/tun. It doesn't need root where
ordinary users may create user namespaces. All processes that COMMAND has started end
with COMMAND. Background processes stay only when both processes of wsstack are killed
with SIGKILL at the same moment, and not even then in a PID namespace (see the last
example).

The exit status is that of COMMAND, 128+n when signal n has killed COMMAND, 127 when
there is no such command, and 126 when it can't be executed.

` + wireHelp,
		Example: `  wsstack exec -- curl -s http://10.77.0.1/
  wsstack exec -- curl -s -H 'Accept: application/json' 'http://[fd77::1]/'
  wsstack exec --mtu 9000 -- ping -c 3 10.77.0.1
  wsstack exec --delay 50ms --loss 0.01 --pcap link.pcapng -- curl -s http://10.77.0.1/
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
		RunE: func(_ *cobra.Command, args []string) error {
			if err := cfg.validate(); err != nil {
				return err
			}
			path, err := lookCommand(args[0])
			if err != nil {
				return err
			}
			return execCommand(cfg, path, args)
		},
	}
	// The flags of COMMAND are not ours, also where the two dashes are missing.
	cmd.Flags().SetInterspersed(false)
	addLinkFlags(cmd, &cfg)
	return cmd
}

// lookCommand finds the program of a command. It is called before anything is created, so that a
// typing error has no other consequences.
func lookCommand(name string) (string, error) {
	path, err := exec.LookPath(name)
	// A "." in PATH stands there by the user's own will.
	if err == nil || errors.Is(err, exec.ErrDot) {
		return path, nil
	}
	return "", commandFailure(name, err)
}

// commandFailure returns the error of a command that can't be run, with the exit status that a
// shell would return.
func commandFailure(name string, err error) *failure {
	// Without the name, which the message has already.
	if inner := (*exec.Error)(nil); errors.As(err, &inner) {
		err = inner.Err
	}
	if inner := (*fs.PathError)(nil); errors.As(err, &inner) {
		err = inner.Err
	}
	if errors.Is(err, exec.ErrNotFound) {
		f := failf("command %q not found", name)
		f.status = statusNotFound
		return f.withHint("it is looked up in PATH; a program elsewhere needs its path, such as ./%s", name)
	}
	f := failf("can't run %q: %w", name, err)
	f.status = statusNotExecutable
	switch {
	case errors.Is(err, fs.ErrNotExist):
		f.status = statusNotFound
	case errors.Is(err, fs.ErrPermission):
		f.hint = "if it is a program: chmod +x " + name
	case errors.Is(err, syscall.ENOEXEC):
		f.hint = "it is not a program of this system; run a script with its interpreter: wsstack exec -- sh " + name
	}
	return f
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
