package namespace

import (
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wsstack/wsstack/internal/parts"
	"github.com/wsstack/wsstack/tun"
)

// A namespace is three processes.
//
//	wsstack ──────▶ init ──────▶ COMMAND ─▶ …
//	outside         the namespace
//	the stacks
//
// The first one stays outside. The stacks are there, and it cleans up whatever happens inside. init
// is the same program again, cloned into a new network namespace and user namespace. It makes the
// TUN devices, passes their descriptors to the outer process, starts COMMAND as its child and
// collects orphans. The two talk over a socket pair (message_linux.go).
//
// Whichever of them is killed, nothing is left:
//   - COMMAND ends: init kills its descendants, tells the outer process, and stays until that has
//     cleaned up.
//   - init is killed or crashes: COMMAND dies of its parent-death signal, other descendants
//     fall to the outer process, the nearest subreaper, which kills them.
//   - the outer process is killed: init reads the end of the socket, kills
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
// The devices and the namespace are the kernel's and go with the last process.

// initMarker, as the first argument, makes this program init. It isn't a
// command for users: init refuses to run without the socket.
const initMarker = "(namespace)"

// A Namespace is a network namespace with a process in it that waits for a command. Its methods may
// be called from several goroutines.
type Namespace struct {
	devices []tun.Device
	limited bool        // there is no user namespace
	covered bool        // the files of Config are in place
	started atomic.Bool // the command
	first   int         // process id of init, also when it has ended

	conn    *net.UnixConn
	askMu   sync.Mutex // held from a request to its answer
	writeMu sync.Mutex // held while a frame is written; taken after askMu

	pidMu sync.Mutex // guards pid, so that no signal goes to a number that is free again
	pid   int        // of init; 0: it has been reaped

	answers chan answer   // of init, closed when init says no more
	over    chan struct{} // closed when the command has ended with status, or init with err
	reaped  chan struct{} // closed when init has been reaped
	overMu  sync.Mutex    // guards status and err until over is closed
	status  int           // exit status of the command
	err     error         // why there is none

	closeOnce sync.Once
}

// An answer is a reply of init with its descriptors.
type answer struct {
	reply
	files []*os.File
}

// New makes a namespace with its devices. Its network is ready when New returns, and all of it is
// gone again after an error, which is an *Error.
//
// The process becomes a subreaper (prctl(2)). With the descendants of a namespace whose first
// process was killed it does what a Namespace has to do; what else it gets is the caller's (see
// Sweep).
func New(cfg Config) (*Namespace, error) {
	if len(cfg.Devices) > MaxDevices {
		return nil, failf("%d devices are too many for a namespace: it has at most %d", len(cfg.Devices), MaxDevices)
	}
	if err := family.begin(); err != nil {
		return nil, failf("become the reaper of orphans: %w", err)
	}
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, failf("make the sockets of the namespace: %w", err)
	}
	n := &Namespace{conn: ours, answers: make(chan answer), over: make(chan struct{}), reaped: make(chan struct{})}
	started := make(chan error)
	go n.own(theirs, cfg.Use, started) // ends with init
	err = <-started
	_ = theirs.Close()
	if err != nil {
		_ = ours.Close()
		return nil, err
	}
	go n.listen() // ends with init
	if err := n.setUp(cfg); err != nil {
		_ = n.Close()
		return nil, err
	}
	return n, nil
}

// own starts init, waits for it, and cleans up behind it. Parent-death signals come when the
// thread that has started the child ends, so own has one to itself.
func (n *Namespace) own(control *os.File, use Use, started chan<- error) {
	runtime.LockOSThread() // for ever: the thread ends with the goroutine
	pid, limited, err := startInit(control, use)
	if err != nil {
		started <- err
		return
	}
	n.pid, n.first, n.limited = pid, pid, limited
	started <- nil
	// The process stays a zombie, with its number, until pidMu keeps signals away.
	var info unix.Siginfo
	for err = unix.EINTR; errors.Is(err, unix.EINTR); {
		err = unix.Waitid(unix.P_PID, pid, &info, unix.WEXITED|unix.WNOWAIT, nil)
	}
	family.forget(pid)
	n.pidMu.Lock()
	n.pid = 0
	status, err := waitFor(pid)
	n.pidMu.Unlock()
	left := family.killOrphans()
	switch {
	case err != nil:
		err = failf("wait for the process in the namespace: %w", err)
	case !status.Exited():
		err = failf("the process in the namespace was killed (%s)%s", unix.SignalName(status.Signal()), survivors(left))
	}
	code := statusSignal + int(syscall.SIGKILL) // by Close
	if status.Exited() && status.ExitStatus() != 0 {
		code = status.ExitStatus() // of a crash
	}
	n.end(code, err) // unless the command has ended before
	close(n.reaped)
}

// end settles how the command has ended, once.
func (n *Namespace) end(status int, err error) {
	n.overMu.Lock()
	defer n.overMu.Unlock()
	select {
	case <-n.over:
	default:
		n.status, n.err = status, err
		close(n.over)
	}
}

// listen reads what init says.
func (n *Namespace) listen() {
	defer close(n.answers)
	for {
		var r reply
		files, err := receive(n.conn, &r, maxReply)
		switch {
		case err != nil:
			return
		case r.Ended:
			closeAll(files)
			n.end(r.Status, nil)
			continue
		}
		select {
		case n.answers <- answer{r, files}:
		case <-n.reaped: // nobody has asked
			closeAll(files)
			return
		}
	}
}

// startInit starts init in the first way that the kernel allows.
func startInit(control *os.File, use Use) (pid int, limited bool, err error) {
	for _, a := range attempts(os.Geteuid(), effective()) {
		if pid, err = a.start(control); err == nil {
			return pid, !a.userNamespace, nil
		}
		err = namespaceError(err, a.userNamespace, use, theSystem{})
	}
	return 0, false, err // of the last one
}

func (a attempt) start(control *os.File) (pid int, err error) {
	sys, err := a.attributes()
	if err != nil {
		return 0, err
	}
	return family.start(func() (int, error) {
		return syscall.ForkExec("/proc/self/exe", []string{os.Args[0], initMarker}, &syscall.ProcAttr{
			Env: os.Environ(),
			// No output: who reads to its end waits for the command and not for init.
			Files: []uintptr{control.Fd(), 2, 2},
			Sys:   sys,
		})
	})
}

// setUp has init make the devices, and takes them.
func (n *Namespace) setUp(cfg Config) error {
	a, err := n.ask(request{Setup: &setup{
		Devices: cfg.Devices, Queues: queuesOf(len(cfg.Devices)), Files: cfg.Files, Hide: cfg.Hide, Use: cfg.Use, Leftover: []byte(cfg.Leftover), Bound: n.limited,
	}})
	if err != nil {
		return err
	}
	n.covered = !a.Uncovered
	devices := divide(a.files, a.Queues)
	if len(devices) != len(cfg.Devices) {
		closeAll(a.files)
		return failf("the process in the namespace has made %d descriptors for %d devices", len(a.files), len(cfg.Devices))
	}
	for i, files := range devices {
		last := len(files) - 1
		d, err := tun.FromFiles(files[:last], files[last])
		if err != nil {
			closeAll(slices.Concat(devices[i+1:]...))
			n.closeDevices()
			return failf("take over %s: %w", cfg.Devices[i].Name, err)
		}
		n.devices = append(n.devices, d)
	}
	return nil
}

// queuesOf is how many queues each of so many devices may have: as many as a stack delivers packets
// with goroutines, if the descriptors of all, each with a socket, fit into one message.
func queuesOf(devices int) int {
	return max(1, min(parts.Count(), maxDescriptors/max(devices, 1)-1))
}

// divide returns the files of each device: those of its queues, and a socket. It returns nil where
// there aren't as many files as that makes.
func divide(files []*os.File, queues []int) (devices [][]*os.File) {
	for _, n := range queues {
		if n < 1 || n >= len(files) {
			return nil
		}
		devices = append(devices, files[:n+1])
		files = files[n+1:]
	}
	if len(files) > 0 {
		return nil
	}
	return devices
}

func (n *Namespace) closeDevices() {
	for _, d := range n.devices {
		_ = d.Close()
	}
	n.devices = nil
}

// Devices returns the other ends of the interfaces, in the order of Config.Devices. The caller
// closes them; the interfaces disappear then.
func (n *Namespace) Devices() []tun.Device { return n.devices }

// Pid returns the number of the first process in the namespace, which isn't the command.
func (n *Namespace) Pid() int { return n.first }

// Limited reports whether the kernel has refused a user namespace to root. The command then is
// root of the host without the capabilities that would let it leave the namespace.
func (n *Namespace) Limited() bool { return n.limited }

// Covered reports whether the files and hidden folders of Config are in place: mounting isn't
// forbidden here.
func (n *Namespace) Covered() bool { return n.covered }

// Start starts the command, once. The error is an *Error; CommandError has made it where the
// program can't be executed.
func (n *Namespace) Start(c Command) error {
	streams := c.Streams
	for i, s := range streams {
		if s == nil {
			null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
			if err != nil {
				return failf("%w", err)
			}
			defer null.Close()
			streams[i] = null
		}
	}
	env := c.Env
	if env == nil {
		env = os.Environ()
	}
	_, err := n.ask(request{Start: &startRequest{
		Path: []byte(c.Path), Dir: []byte(c.Dir), Args: raw(c.Args), Env: raw(env), Foreground: c.Foreground,
	}}, streams[:]...)
	n.started.Store(n.started.Load() || err == nil)
	return err
}

func raw(texts []string) [][]byte {
	list := make([][]byte, len(texts))
	for i, t := range texts {
		list[i] = []byte(t)
	}
	return list
}

// Socket makes a socket in the namespace, with the arguments of socket(2). It is closed on exec,
// and doesn't block.
func (n *Namespace) Socket(domain, typ, protocol int) (*os.File, error) {
	a, err := n.ask(request{Socket: &[3]int{domain, typ, protocol}})
	if err != nil {
		return nil, err
	}
	if len(a.files) != 1 {
		closeAll(a.files)
		return nil, failf("the process in the namespace has made no socket")
	}
	return a.files[0], nil
}

// ask sends a request and returns the answer with its descriptors.
func (n *Namespace) ask(r request, files ...*os.File) (answer, error) {
	n.askMu.Lock()
	defer n.askMu.Unlock()
	switch err := n.tell(r, files...); {
	case errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed):
		return answer{}, n.gone()
	case err != nil:
		return answer{}, failf("talk to the process in the namespace: %w", err)
	}
	a, ok := <-n.answers
	switch {
	case !ok:
		return a, n.gone()
	case a.Failed:
		closeAll(a.files)
		return answer{}, a.error()
	}
	return a, nil
}

// tell writes a request.
func (n *Namespace) tell(r request, files ...*os.File) error {
	n.writeMu.Lock()
	defer n.writeMu.Unlock()
	return ended(send(n.conn, r, files...))
}

// gone returns the error of a conversation that init has ended, or Close.
func (n *Namespace) gone() error {
	<-n.reaped
	if n.err != nil {
		return n.err
	}
	return failf("the namespace is closed: %w", net.ErrClosed)
}

// Signal sends the command a signal. What comes before Start comes right after it; a command that
// has ended gets nothing.
func (n *Namespace) Signal(s syscall.Signal) {
	// Fails when init has ended, and then there is nobody to tell.
	_ = n.tell(request{Signal: int(s)})
}

// Wait waits until the command has ended and all its descendants with it, and returns its exit
// status: 128+n when signal n has killed it. An error says that the process in the namespace, and
// with it the command, was killed.
func (n *Namespace) Wait() (status int, err error) {
	<-n.over
	if n.err != nil {
		return statusFailed, n.err
	}
	return n.status, nil
}

// End kills the command and its descendants, and waits for that. The namespace stays until Close.
// Without a command End does nothing.
func (n *Namespace) End() {
	if !n.started.Load() || n.tell(request{End: true}) != nil {
		return // without init there are none
	}
	n.kill(syscall.SIGCONT) // in case that somebody has stopped it
	select {
	case <-n.over:
	case <-time.After(killTimeout + time.Second): // Close will not be so patient
	}
}

// Close ends everything that runs in the namespace and waits for that. The devices remain the
// caller's. Close is idempotent.
func (n *Namespace) Close() error {
	n.closeOnce.Do(func() {
		_ = n.conn.SetWriteDeadline(time.Now().Add(time.Second)) // somebody may have stopped init
		_ = n.tell(request{Close: true})
		_ = n.conn.Close()      // init sees it, and ends what is there and itself,
		n.kill(syscall.SIGCONT) // also if somebody has stopped it
		select {
		case <-n.reaped:
		case <-time.After(killTimeout + time.Second):
			n.kill(syscall.SIGKILL)
		}
	})
	select {
	case <-n.reaped:
		return nil
	case <-time.After(time.Second):
		return failf("the process %d in the namespace can't be ended", n.first)
	}
}

// kill sends init a signal.
func (n *Namespace) kill(s syscall.Signal) {
	n.pidMu.Lock()
	defer n.pidMu.Unlock()
	if n.pid != 0 {
		_ = syscall.Kill(n.pid, s)
	}
}

// waitFor waits for one child.
func waitFor(pid int) (status syscall.WaitStatus, err error) {
	for {
		if _, err = syscall.Wait4(pid, &status, 0, nil); !errors.Is(err, syscall.EINTR) {
			return status, err
		}
	}
}

// survivors words what killOrphans couldn't end.
func survivors(n int) string {
	if n == 0 {
		return ""
	}
	return "; " + strconv.Itoa(n) + " of its descendants could not be"
}
