package namespace

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// IsInit reports whether this process is the first one of a namespace. A program asks before
// anything else, with os.Args, and then calls Init and nothing else.
func IsInit(args []string) bool { return len(args) > 1 && args[1] == initMarker }

// Init is the first process of a namespace: see namespace_linux.go. It returns the exit status of
// the process when that has nothing to do any more. orphaned, if it isn't nil, gets Config.Leftover
// when the process that has called New has died. The error is that of a process that isn't what it
// should be.
func Init(orphaned func(leftover string)) (status int, err error) {
	runtime.LockOSThread() // for the parent-death signal of the command, and its mounts
	conn, err := takeSocket()
	if err != nil {
		return statusUsage, failf("%s is for wsstack itself", initMarker).withStatus(statusUsage).
			withHint("try %q", "wsstack exec -- curl -s http://10.77.0.1/")
	}
	p := &initProcess{conn: conn, orphaned: orphaned}
	return p.run(), nil
}

// takeSocket takes the socket that stands in for standard input.
func takeSocket() (*net.UnixConn, error) {
	domain, err := unix.GetsockoptInt(0, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err != nil || domain != unix.AF_UNIX {
		return nil, failf("there is no socket: %w", err)
	}
	conn, err := unixConn(os.NewFile(0, "control")) // under another number, closed on exec
	if err != nil {
		return nil, err
	}
	// Lest something else gets the number, which the runtime and others take for an input.
	null, err := unix.Open(os.DevNull, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err == nil && null != 0 {
		_ = unix.Close(null)
	}
	return conn, err
}

// initProcess is the state of init.
type initProcess struct {
	conn     *net.UnixConn
	orphaned func(string)
	leftover string
	bound    bool // the bounding set has to be limited
	signals  chan os.Signal

	outerGroup int // the process group of the outer process; zero where it has no number

	sendMu sync.Mutex // held while a frame is written

	mu      sync.Mutex
	command int // process id; zero before it has started and after it was reaped
	started bool
	group   bool             // the command has a process group of its own
	early   []syscall.Signal // that came before the command has started
}

// run obeys the outer process until that has ended, and returns the exit status. It stays when the
// command has ended: there must be somebody who sees that the outer process is killed while it
// cleans up.
func (p *initProcess) run() int {
	if err := becomeSubreaper(); err != nil {
		return statusFailed
	}
	// Before there is anything to clean up: what kills the group of wsstack, such as kill -9 %1, mustn't
	// kill init. The group has no number here if its leader is outside of our PID namespace, and there
	// is no way back into it for the command then.
	if group := unix.Getpgrp(); group > 0 {
		if err := unix.Setpgid(0, 0); err != nil {
			return statusFailed
		}
		p.outerGroup = group
	}
	p.signals = make(chan os.Signal, 16) // until the command is there to take them
	signal.Notify(p.signals, Forwardable()...)
	for {
		started, err := p.obey()
		if err != nil { // the outer process has ended, perhaps while the command was started
			killDescendants(nil)
			p.orphan()
			return 0
		}
		if started {
			break
		}
	}
	for _, s := range p.early {
		p.kill(s)
	}
	over := make(chan struct{})
	go p.obeyOn(over) // ends with the process
	go p.forward()    // ends with the process
	status := p.wait()
	if left := killDescendants(nil); left > 0 {
		fmt.Fprintf(os.Stderr, "wsstack: error: %d processes that the command has left could not be killed\n", left)
	}
	_ = p.send(reply{Ended: true, Status: status}) // fails if nobody is left to know
	<-over
	p.orphan()
	return 0
}

// obeyOn obeys until the outer process has ended, and kills everything then.
func (p *initProcess) obeyOn(over chan<- struct{}) {
	for {
		if _, err := p.obey(); err != nil {
			break
		}
	}
	killDescendants(nil)
	close(over)
}

func (p *initProcess) send(r reply, files ...*os.File) error {
	p.sendMu.Lock()
	defer p.sendMu.Unlock()
	return send(p.conn, r, files...)
}

// deathWithin bounds the time from the end of the conversation to that of the outer process.
const deathWithin = 10 * time.Second

// orphan says that the outer process has died, on another thread than the one whose mounts hide
// things from the command.
func (p *initProcess) orphan() {
	if p.orphaned == nil || p.leftover == "" {
		return
	}
	done := make(chan struct{})
	go func() {
		// The kernel closes the descriptors of a process one after the other: what the other
		// ones are of may look alive still.
		awaitDeath(p.conn, deathWithin)
		p.orphaned(p.leftover)
		close(done)
	}()
	<-done
}

// awaitDeath waits until the process that has made a socket pair has ended, for so long at most.
func awaitDeath(conn *net.UnixConn, within time.Duration) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return
	}
	var maker *unix.Ucred
	if e := raw.Control(func(fd uintptr) {
		maker, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); e != nil || err != nil {
		return
	}
	process, err := unix.PidfdOpen(int(maker.Pid), 0)
	if err != nil {
		return // it has been reaped
	}
	defer unix.Close(process)
	poll := []unix.PollFd{{Fd: int32(process), Events: unix.POLLIN}}
	for end := time.Now().Add(within); time.Now().Before(end); {
		if _, err := unix.Poll(poll, int(time.Until(end).Milliseconds())); !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// obey carries out one request and answers it. An error says that there won't be another.
func (p *initProcess) obey() (started bool, err error) {
	var r request
	files, err := receive(p.conn, &r, maxRequest)
	if err != nil {
		return false, err
	}
	defer closeAll(files)
	var answer []*os.File
	var result reply
	switch {
	case r.Signal != 0:
		p.kill(syscall.Signal(r.Signal))
		return false, nil
	case r.End:
		killLiving()
		return false, nil
	case r.Close:
		p.leftover = ""
		return false, nil
	case r.Setup != nil:
		answer, result, err = p.setUp(r.Setup)
	case r.Socket != nil:
		answer, err = socket(*r.Socket)
	case r.Start != nil && !p.has():
		err = p.start(r.Start, files)
		started = err == nil
	default:
		err = failf("a second command")
	}
	defer closeAll(answer)
	if err != nil {
		return started, p.send(failed(err))
	}
	return started, p.send(result, answer...)
}

func (p *initProcess) setUp(s *setup) (files []*os.File, r reply, err error) {
	p.leftover, p.bound = string(s.Leftover), s.Bound
	if files, r.Queues, err = openNetwork(s.Devices, s.Queues, s.Use, theSystem{}); err == nil {
		r.Uncovered = !coverFiles(s.Files, s.Hide)
	}
	return files, r, err
}

// socket makes a socket in the namespace.
func socket(args [3]int) ([]*os.File, error) {
	fd, err := unix.Socket(args[0], args[1]|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, args[2])
	if err != nil {
		return nil, failf("make a socket in the namespace: %w", os.NewSyscallError("socket", err))
	}
	return []*os.File{os.NewFile(uintptr(fd), "socket")}, nil
}

// has reports whether the command has been started.
func (p *initProcess) has() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.started
}

// start starts the command. In the foreground it has the process group of wsstack, which init has
// left: a signal to the group, such as the terminal's, comes to the command and not to init.
func (p *initProcess) start(r *startRequest, streams []*os.File) (err error) {
	name := ""
	if len(r.Args) > 0 {
		name = string(r.Args[0])
	}
	if len(streams) != 3 {
		return failf("the command %q has %d streams, not three", name, len(streams))
	}
	if p.bound {
		if err := limitCapabilities(); err != nil {
			return failf("limit the capabilities of the command: %w", err)
		}
	}
	sys := &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	switch {
	case !r.Foreground:
		sys.Setpgid = true
	case p.outerGroup > 0:
		sys.Setpgid, sys.Pgid = true, p.outerGroup
	}
	p.mu.Lock() // against kill
	defer p.mu.Unlock()
	pid, err := syscall.ForkExec(string(r.Path), texts(r.Args), &syscall.ProcAttr{
		Dir:   string(r.Dir),
		Env:   texts(r.Env),
		Files: []uintptr{streams[0].Fd(), streams[1].Fd(), streams[2].Fd()},
		Sys:   sys,
	})
	// Not before, for the command would inherit it: from outside of the
	// foreground group, an error message could stop init (stty tostop).
	signal.Ignore(syscall.SIGTTOU)
	if err != nil {
		return CommandError(name, err)
	}
	p.command, p.started, p.group = pid, true, !r.Foreground
	return nil
}

func texts(raw [][]byte) []string {
	list := make([]string, len(raw))
	for i, b := range raw {
		list[i] = string(b)
	}
	return list
}

// forward passes on signals that came to init itself.
func (p *initProcess) forward() {
	for s := range p.signals {
		if n, ok := s.(syscall.Signal); ok {
			p.kill(n)
		}
	}
}

// maxEarly bounds the signals that wait for the command.
const maxEarly = 16

// kill sends the command a signal, when it has started, unless it has ended: its number may belong
// to another process by then.
func (p *initProcess) kill(s syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.command == 0 && len(p.early) < maxEarly:
		p.early = append(p.early, s)
	case p.command == 0:
	case p.group:
		_ = syscall.Kill(-p.command, s)
	default:
		_ = syscall.Kill(p.command, s) // a zombie takes it, too
	}
}

// wait reaps children, the command and orphans, until the command has ended.
func (p *initProcess) wait() (status int) {
	for {
		status, done := p.reapOne()
		if done {
			return status
		}
	}
}

// reapOne waits until some child has ended and reaps it. It looks first and reaps
// under the mutex, so that kill never sees a number that is free again.
func (p *initProcess) reapOne() (status int, done bool) {
	var info unix.Siginfo
	if err := unix.Waitid(unix.P_ALL, 0, &info, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
		return statusFailed, err != unix.EINTR // no child is impossible: the command is one
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var wait syscall.WaitStatus
	pid, err := syscall.Wait4(-1, &wait, syscall.WNOHANG, nil)
	if err != nil || pid != p.command {
		return 0, false
	}
	p.command = 0
	if wait.Signaled() {
		return statusSignal + int(wait.Signal()), true
	}
	return wait.ExitStatus(), true
}
