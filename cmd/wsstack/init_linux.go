package main

import (
	"encoding/json"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func isNamespaceInit(args []string) bool { return len(args) > 1 && args[1] == initMarker }

// namespaceInit is the process in the namespace: see exec_linux.go. args are the
// program's own name, the marker, the spec, and the command.
func namespaceInit(args []string) int {
	runtime.LockOSThread() // for the parent-death signal of the command
	spec, control, err := parseInit(args)
	if err == nil {
		err = (&initProcess{}).run(spec, control, args[3:])
	}
	return report(os.Stderr, err)
}

// parseInit reads the spec and takes the control pipe.
func parseInit(args []string) (spec initSpec, control *os.File, err error) {
	notForUsers := usagef("%s is for wsstack itself", initMarker).
		withHint("try %q", "wsstack exec -- curl -s http://10.77.0.1/")
	if len(args) < 4 || json.Unmarshal([]byte(args[2]), &spec) != nil {
		return spec, nil, notForUsers
	}
	var stat unix.Stat_t
	if spec.Control < 3 || unix.Fstat(spec.Control, &stat) != nil || stat.Mode&unix.S_IFMT != unix.S_IFIFO {
		return spec, nil, notForUsers
	}
	unix.CloseOnExec(spec.Control)
	return spec, os.NewFile(uintptr(spec.Control), "control"), nil
}

// initProcess is the state of init. Its zero value is ready for run.
type initProcess struct {
	mu      sync.Mutex
	command int // process id; zero before it has started and after it was reaped
}

// run sets up the network, runs the command in it, and returns its status as an
// exitStatus.
func (p *initProcess) run(spec initSpec, control *os.File, argv []string) error {
	if err := becomeSubreaper(); err != nil {
		return failf("become the reaper of orphans: %w", err)
	}
	signals := make(chan os.Signal, 16) // until the command is there to take them
	signal.Notify(signals, forwardable()...)
	network, err := openNetwork(spec.Network, theSystem{})
	if err != nil {
		return err
	}
	defer func() { // the status of the command stays
		if err := closeNetwork(network); err != nil {
			report(os.Stderr, err)
		}
	}()
	withoutNameServers()
	streams := []uintptr{0, 1, 2}
	if spec.Network.Wire.Pcap == standardOutput {
		streams[1] = 2 // what the command says must not end up between the packets
	}
	if err := p.start(spec.Path, argv, streams); err != nil {
		return commandFailure(argv[0], err)
	}
	go p.obey(control, network) // ends with the process
	go p.forward(signals)       // ends with the process
	status := p.wait()
	if left := killDescendants(os.Getpid(), nil); left > 0 {
		failf("%d processes that the command has left could not be killed", left).print(os.Stderr)
	}
	return status
}

// start starts the command. It has the environment of wsstack, its streams, and its
// process group, which init leaves: then a signal to the group, such as
// the terminal's or kill -9 %1, comes to the command and not to init, and init
// remains to clean up.
func (p *initProcess) start(path string, argv []string, streams []uintptr) (err error) {
	sys := &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	// The group has no number here if its leader is outside of our PID
	// namespace, and there is no way back into it then.
	if group := unix.Getpgrp(); group > 0 {
		if err := unix.Setpgid(0, 0); err != nil {
			return err
		}
		sys.Setpgid, sys.Pgid = true, group
	}
	p.mu.Lock() // against kill
	defer p.mu.Unlock()
	p.command, err = syscall.ForkExec(path, argv, &syscall.ProcAttr{
		Env:   os.Environ(),
		Files: streams,
		Sys:   sys,
	})
	// Not before, for the command would inherit it: from outside of the
	// foreground group, an error message could stop init (stty tostop).
	signal.Ignore(syscall.SIGTTOU)
	return err
}

// obey carries out what the outer process writes, until it has ended; then init
// ends, too, and everything with it.
func (p *initProcess) obey(control *os.File, network *network) {
	var b [1]byte
	for {
		if n, err := control.Read(b[:]); n == 0 || err != nil {
			break
		}
		p.kill(syscall.Signal(b[0]))
	}
	killDescendants(os.Getpid(), nil)
	network.flush()
	os.Exit(statusSignal + int(syscall.SIGKILL)) // seen by nobody
}

// forward passes on signals that came to init itself: from the terminal, before
// init left the process group.
func (p *initProcess) forward(signals <-chan os.Signal) {
	for s := range signals {
		if n, ok := s.(syscall.Signal); ok {
			p.kill(n)
		}
	}
}

// kill sends the command a signal, unless it has ended: its number may belong to
// another process by then.
func (p *initProcess) kill(s syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.command != 0 {
		_ = syscall.Kill(p.command, s) // a zombie takes it, too
	}
}

// wait reaps children, the command and orphans, until the command has ended.
func (p *initProcess) wait() exitStatus {
	for {
		status, done := p.reapOne()
		if done {
			return status
		}
	}
}

// reapOne waits until some child has ended and reaps it. It looks first and reaps
// under the mutex, so that kill never sees a number that is free again.
func (p *initProcess) reapOne() (exitStatus, bool) {
	var info unix.Siginfo
	if err := unix.Waitid(unix.P_ALL, 0, &info, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
		return statusFailed, err != unix.EINTR // no child is impossible: the command is one
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var status syscall.WaitStatus
	pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
	if err != nil || pid != p.command {
		return 0, false
	}
	p.command = 0
	if status.Signaled() {
		return exitStatus(statusSignal + int(status.Signal())), true
	}
	return exitStatus(status.ExitStatus()), true
}

// closeNetwork closes the network in good order, which completes the capture;
// but nobody waits for it for long.
func closeNetwork(n *network) error {
	closed := make(chan error, 1)
	go func() { closed <- n.Close() }()
	select {
	case err := <-closed:
		if err != nil {
			return failf("%w", err)
		}
		return nil
	case <-time.After(3 * time.Second):
		return failf("the stack has not closed within 3 seconds")
	}
}
