package main

import (
	"encoding/json"
	"errors"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// "wsstack exec" is three processes.
//
//	wsstack ──────▶ init ──────▶ COMMAND ─▶ …
//	outside         the namespace, the TUN device, the stack
//
// The first one stays outside, so that it can clean up whatever happens inside:
// it waits, forwards signals, and takes over the exit status. init is the
// same program again, cloned into a new network namespace (and user namespace,
// for an ordinary user). It opens the TUN device, runs the stack on it, starts
// COMMAND as its child and collects orphans.
//
// Whichever of them is killed, nothing is left:
//   - COMMAND ends: init kills its descendants and exits.
//   - init is killed or crashes: COMMAND dies of its parent-death signal, other descendants
//     fall to the outer process, the nearest subreaper, which kills them.
//   - the outer process is killed: init reads the end of the control pipe, kills
//     all descendants and exits. (A parent-death SIGKILL would be simpler, but
//     then nobody would be there to kill a daemonised grandchild.)
//   - the process group is killed: as before, for init isn't in it.
//
// Only who kills both wsstack processes in one instant can leave background
// processes behind. A PID namespace would end these, too. It isn't made here: its
// process ids aren't the host's (in PID files, to debuggers), mounts would have to
// be private, and /proc must be mounted anew, which containers refuse (docker's
// AppArmor profile; without real root, wherever parts of /proc are masked). Who
// wants one wraps wsstack in unshare(1), as the help and README.md say.
//
// The device and the namespace are the kernel's and go with the last process.

// initSpec is what the outer process tells init, on its command line.
type initSpec struct {
	Network networkConfig
	Path    string // of the program to run
	Control int    // file descriptor of the control pipe
}

// initMarker, as the first argument, makes this program init. It isn't a
// command for users: init refuses to run without the pipe.
const initMarker = "(namespace)"

// execCommand runs a command in a namespace of its own and returns its
// exit status as an exitStatus, or why it couldn't.
func execCommand(cfg networkConfig, path string, argv []string) error {
	if err := cfg.Wire.checkOutput(forExec, isTerminal(os.Stdout)); err != nil {
		return err
	}
	// Parent-death signals come when the *thread* that started the child ends.
	// This one now belongs to this goroutine and lives as long as the process.
	runtime.LockOSThread()

	others := children(os.Getpid()) // of whoever exec'ed wsstack; not ours to kill
	if err := becomeSubreaper(); err != nil {
		return failf("become the reaper of orphans: %w", err)
	}
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, forwardable()...)
	initPID, control, err := startInit(cfg, path, argv)
	if err != nil {
		return err
	}
	go forwardSignals(signals, control) // ends with the process

	status, err := waitFor(initPID)
	if err != nil {
		return failf("wait for the process in the namespace: %w", err)
	}
	left := killDescendants(os.Getpid(), others) // none, unless init was killed or has crashed
	if status.Exited() {
		return exitStatus(status.ExitStatus())
	}
	return failf("the process in the namespace was killed (%s)%s", unix.SignalName(status.Signal()), survivors(left))
}

// startInit starts init in its namespaces and returns the writing end of the
// control pipe: a byte forwards the signal of that number, the end of the file
// is the end of this process.
func startInit(cfg networkConfig, path string, argv []string) (pid int, control *os.File, err error) {
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		return 0, nil, failf("make the control pipe: %w", err)
	}
	defer unix.Close(pipe[0])
	// Inherited under its own number, and not as descriptor 3: 3 and up may
	// be the user's, meant for COMMAND (as the jobserver of make is).
	if _, err := unix.FcntlInt(uintptr(pipe[0]), unix.F_SETFD, 0); err != nil {
		unix.Close(pipe[1])
		return 0, nil, failf("make the control pipe: %w", err)
	}
	spec, err := json.Marshal(initSpec{Network: cfg, Path: path, Control: pipe[0]})
	if err != nil {
		unix.Close(pipe[1])
		return 0, nil, failf("describe the namespace: %w", err)
	}
	sys := initAttributes(needsUserNamespace())
	pid, err = syscall.ForkExec("/proc/self/exe",
		append([]string{os.Args[0], initMarker, string(spec)}, argv...),
		&syscall.ProcAttr{Env: withoutProxies(os.Environ()), Files: []uintptr{0, 1, 2}, Sys: sys})
	if err != nil {
		unix.Close(pipe[1])
		return 0, nil, namespaceFailure(err, sys.Cloneflags&syscall.CLONE_NEWUSER != 0, theSystem{})
	}
	return pid, os.NewFile(uintptr(pipe[1]), "control"), nil
}

// initAttributes are the namespaces and capabilities of init.
func initAttributes(userNamespace bool) *syscall.SysProcAttr {
	sys := &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET,
		// Not to end init, which reads of our death in the pipe, but to have it
		// run for that if it has been stopped. (The kernel continues an orphaned
		// process group, but not one whose stop is still under way: seen.)
		Pdeathsig: syscall.SIGCONT,
	}
	if userNamespace {
		sys.Cloneflags |= syscall.CLONE_NEWUSER
		sys.UidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getuid(), HostID: os.Getuid(), Size: 1}}
		sys.GidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getgid(), HostID: os.Getgid(), Size: 1}}
		// Without these the capabilities would end with the exec of an
		// ordinary user. They are for init itself and for ip, ping, tcpdump, and
		// servers on ports below 1024. The last one is init's alone: see
		// withoutNameServers.
		sys.AmbientCaps = []uintptr{unix.CAP_NET_ADMIN, unix.CAP_NET_RAW, unix.CAP_NET_BIND_SERVICE, unix.CAP_SYS_ADMIN}
	}
	return sys
}

// needsUserNamespace reports whether a network namespace takes a user
// namespace around it. The capability decides and not the user: root of a
// container mostly hasn't got it.
func needsUserNamespace() bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return os.Geteuid() != 0
	}
	return data[0].Effective&(1<<unix.CAP_SYS_ADMIN) == 0
}

// waitFor waits for one child.
func waitFor(pid int) (status syscall.WaitStatus, err error) {
	for {
		if _, err = syscall.Wait4(pid, &status, 0, nil); !errors.Is(err, syscall.EINTR) {
			return status, err
		}
	}
}

// survivors words what killDescendants couldn't end.
func survivors(n int) string {
	if n == 0 {
		return ""
	}
	return "; " + strconv.Itoa(n) + " of its descendants could not be"
}
