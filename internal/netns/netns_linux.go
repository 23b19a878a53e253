// Package netns runs a test binary again in a network namespace of its own, so that the tests have
// a kernel side that nobody else uses. The integration tests, those of the TCP engine beside Linux
// and the benchmarks over a TUN use it.
package netns

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"github.com/wsstack/wsstack/tun"
)

// marker is the environment variable that tells a binary that it runs in the namespace, with the
// write end of a pipe as descriptor 3.
const marker = "WSSTACK_IN_NAMESPACE"

// RequireTUN reports whether tests fail on a machine without TUN instead of being skipped: the
// environment has WSSTACK_REQUIRE_TUN=1 then.
func RequireTUN() bool { return os.Getenv("WSSTACK_REQUIRE_TUN") == "1" }

// Inside reports whether this process is the one in the namespace.
func Inside() bool { return os.Getenv(marker) != "" }

// RunAgain runs this binary with the same arguments in a new network namespace, where lo is up and
// a TUN can be opened, and returns the exit status. An error says why such a namespace can't be
// had. An ordinary user gets a user namespace as well.
func RunAgain() (status int, err error) {
	runtime.LockOSThread() // Pdeathsig is about the thread that started the child
	r, w, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer r.Close()
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), marker+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.ExtraFiles = []*os.File{w}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	err = cmd.Start()
	w.Close()
	if err != nil {
		return 0, fmt.Errorf("a network namespace can't be made: %w", err)
	}
	reason, _ := io.ReadAll(r) // ends when the child has closed its end
	err = cmd.Wait()
	var exit *exec.ExitError
	switch {
	case len(reason) > 0:
		return 0, errors.New(string(reason))
	case errors.As(err, &exit) && exit.ExitCode() < 0:
		return 0, fmt.Errorf("the process in the namespace has died: %w", err)
	case errors.As(err, &exit), err == nil:
		return cmd.ProcessState.ExitCode(), nil
	}
	return 0, err
}

// Setup is the first thing that the process in the namespace does: it brings lo up and tries to
// open a TUN. Where that fails, Setup tells RunAgain why, and exits.
func Setup() {
	pipe := os.NewFile(3, "reason")
	syscall.CloseOnExec(3)
	err := tun.Configure("lo", tun.Config{})
	if err == nil {
		var d tun.Device
		if d, err = tun.Open("probe"); err == nil {
			err = d.Close()
		}
	}
	if err != nil {
		fmt.Fprint(pipe, err)
		var open *tun.OpenError
		if errors.As(err, &open) && open.Hint() != "" {
			fmt.Fprintf(pipe, " (%s)", open.Hint())
		}
		os.Exit(1)
	}
	pipe.Close()
}
