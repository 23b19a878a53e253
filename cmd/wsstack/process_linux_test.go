package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// runningExec is a "wsstack exec" in progress.
type runningExec struct {
	t      *testing.T
	cmd    *exec.Cmd
	mark   string // in the environment of all its processes
	stdout *bufio.Reader
	init   int
	netns  string
}

// startExec runs a shell script in a namespace, in a session of its own, and
// returns after the script has printed "ready".
func startExec(t *testing.T, script string) *runningExec {
	t.Helper()
	r := launch(t, "wsstack", "exec", "--", "sh", "-c", script)
	r.ready(r.cmd.Process.Pid)
	return r
}

// ready waits until the script has printed "ready". outer is the process that
// init is the child of.
func (r *runningExec) ready(outer int) {
	r.t.Helper()
	t := r.t
	if line, err := r.stdout.ReadString('\n'); line != "ready\n" {
		t.Fatalf("the command printed %q, %v, want ready", line, err)
	}
	r.init = r.onlyChild(outer)
	var err error
	if r.netns, err = os.Readlink(fmt.Sprintf("/proc/%d/ns/net", r.init)); err != nil {
		t.Fatal(err)
	}
}

// launch starts a command line with a "wsstack exec" in it.
func launch(t *testing.T, command ...string) *runningExec {
	t.Helper()
	requireTUN(t)
	r := &runningExec{t: t, mark: fmt.Sprintf("WSSTACK_TEST_MARK=%s-%d", t.Name(), time.Now().UnixNano())}
	r.cmd = exec.Command(command[0], command[1:]...)
	r.cmd.Env = append(os.Environ(), r.mark)
	// A file and not a pipe, which Wait would read to its end: processes that are
	// left would keep it open.
	stderr, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer stderr.Close()
	r.cmd.Stderr = stderr
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	stdout, err := r.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	r.stdout = bufio.NewReader(stdout)
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // only after a failure is anything left to kill
		for _, pid := range r.processes() {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		if text, err := os.ReadFile(stderr.Name()); err == nil && t.Failed() {
			t.Logf("standard error: %s", text)
		}
	})
	return r
}

func (r *runningExec) onlyChild(pid int) int {
	r.t.Helper()
	found := children(pid)
	if len(found) != 1 {
		r.t.Fatalf("process %d has children %v, want one", pid, found)
	}
	for child := range found {
		return child
	}
	return 0
}

// command is the process id of the shell: the child of init that isn't an
// orphan, and so the only one in the process group of wsstack.
func (r *runningExec) command() int {
	r.t.Helper()
	for child := range children(r.init) {
		if group, err := syscall.Getpgid(child); err == nil && group == r.cmd.Process.Pid {
			if name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", child)); err == nil && strings.TrimSpace(string(name)) != "sleep" {
				return child
			}
		}
	}
	r.t.Fatalf("init has no child in the group of wsstack")
	return 0
}

// process is what /proc tells about one.
type process struct{ pid, parent int }

// processes reads the process table, zombies left out.
func processes() (list []process) {
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range files {
		text, err := os.ReadFile(file) // fails where one has ended meanwhile
		fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err == nil && len(fields) > 1 && fields[0] != "Z" && fields[0] != "X" {
			parent, _ := strconv.Atoi(fields[1])
			list = append(list, process{pid, parent})
		}
	}
	return list
}

// children returns the direct children of a process.
func children(parent int) map[int]bool {
	found := make(map[int]bool)
	for _, p := range processes() {
		if p.parent == parent {
			found[p.pid] = true
		}
	}
	return found
}

// processes lists those with the mark in their environment.
func (r *runningExec) processes() (pids []int) {
	for _, p := range processes() {
		environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", p.pid))
		if err == nil && bytes.Contains(environ, []byte(r.mark)) {
			pids = append(pids, p.pid)
		}
	}
	return pids
}

// wait returns the exit status.
func (r *runningExec) wait() int {
	r.t.Helper()
	done := make(chan struct{})
	go func() {
		_ = r.cmd.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(patience):
		r.t.Fatal("wsstack still runs")
	}
	return r.cmd.ProcessState.ExitCode()
}

// checkNothingLeft waits for all processes to end and for the namespace to go,
// and looks at the machine's own interfaces.
func (r *runningExec) checkNothingLeft() {
	r.t.Helper()
	left := r.remains()
	for end := time.Now().Add(patience); len(left) > 0 && time.Now().Before(end); left = r.remains() {
		time.Sleep(10 * time.Millisecond)
	}
	for _, what := range left {
		r.t.Errorf("left: %s", what)
	}
	if _, err := net.InterfaceByName(tunName); err == nil {
		r.t.Errorf("the machine itself has an interface %s", tunName)
	}
}

// remains describes the processes of r, and those in its namespace.
func (r *runningExec) remains() (list []string) {
	for _, pid := range r.processes() {
		cmdline, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		list = append(list, fmt.Sprintf("process %d %q", pid, cmdline))
	}
	for _, p := range processes() {
		ns, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", p.pid))
		if err == nil && ns == r.netns {
			list = append(list, fmt.Sprintf("process %d in the namespace", p.pid))
		}
	}
	return list
}

// family starts a child, an orphan, and a daemon in a session of its own that
// ignores what can be ignored.
const family = `sleep 1000 & (sleep 1000 &)
(setsid sh -c 'trap "" TERM HUP INT; sleep 1000 & echo daemon; while :; do sleep 1000; done' &) | read line
echo ready
`

// seeFamily waits until wsstack, init, the shell and its family are to be seen:
// two in the background, two of the daemon and a third. A process has no
// environment for a moment while it executes a program.
func (r *runningExec) seeFamily() {
	r.t.Helper()
	const want = 8
	got := len(r.processes())
	for end := time.Now().Add(patience); got < want && time.Now().Before(end); got = len(r.processes()) {
		time.Sleep(time.Millisecond)
	}
	if got < want {
		r.t.Fatalf("%d processes have the mark, want %d: the test can't see what is left", got, want)
	}
}

func TestExec_NothingLeft(t *testing.T) {
	kill := func(pid int, s syscall.Signal) {
		t.Helper()
		if err := syscall.Kill(pid, s); err != nil {
			t.Fatalf("kill %d: %v", pid, err)
		}
	}
	const killed = -1 // wsstack itself died of a signal
	for _, tt := range []struct {
		name, script string
		end          func(r *runningExec)
		status       int
	}{
		{"the command ends", "trap 'exit 3' USR1\n" + family + "wait", func(r *runningExec) { kill(r.command(), syscall.SIGUSR1) }, 3},
		{"kill -9 of wsstack", family + "wait", func(r *runningExec) { kill(r.cmd.Process.Pid, syscall.SIGKILL) }, killed},
		{"kill -9 of init", family + "wait", func(r *runningExec) { kill(r.init, syscall.SIGKILL) }, statusFailed},
		{"a crash of init", family + "wait", func(r *runningExec) { kill(r.init, syscall.SIGABRT) }, 2},
		{"kill -9 of the command", family + "wait", func(r *runningExec) { kill(r.command(), syscall.SIGKILL) }, 137},
		{"kill -9 of the process group", family + "wait", func(r *runningExec) { kill(-r.cmd.Process.Pid, syscall.SIGKILL) }, killed},
		{"kill -9 of wsstack while init is stopped", family + "wait", func(r *runningExec) {
			kill(r.init, syscall.SIGSTOP)
			kill(r.cmd.Process.Pid, syscall.SIGKILL)
		}, killed},
		{"kill -9 of a stopped process group", family + "wait", func(r *runningExec) {
			kill(-r.cmd.Process.Pid, syscall.SIGSTOP)
			kill(-r.cmd.Process.Pid, syscall.SIGKILL)
		}, killed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := startExec(t, tt.script)
			r.seeFamily()
			tt.end(r)
			if got := r.wait(); got != tt.status {
				t.Errorf("exit status %d, want %d", got, tt.status)
			}
			r.checkNothingLeft()
		})
	}
}

// In a PID namespace nothing is left, also when both processes of wsstack die
// before either can kill what is below: the command line is the README's.
func TestExec_PIDNamespace(t *testing.T) {
	requireTUN(t)
	unshare := []string{"unshare", "--fork", "--pid", "--kill-child", "--mount-proc"}
	if os.Geteuid() != 0 {
		unshare = append(unshare, "--map-current-user")
	}
	if out, err := exec.Command(unshare[0], append(unshare[1:], "true")...).CombinedOutput(); err != nil {
		t.Skipf("no PID namespace with a /proc of its own: %v %s", err, out)
	}
	r := launch(t, append(unshare, "wsstack", "exec", "--", "sh", "-c", family+"wait")...)
	outer := 0
	for deadline := time.Now().Add(patience); outer == 0 && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		for child := range children(r.cmd.Process.Pid) {
			outer = child
		}
	}
	r.ready(outer)
	r.seeFamily()
	for _, s := range []syscall.Signal{syscall.SIGSTOP, syscall.SIGKILL} {
		for _, pid := range []int{outer, r.init} { // gone already, maybe, with outer
			_ = syscall.Kill(pid, s)
		}
	}
	r.wait()
	r.checkNothingLeft()
}

func TestExec_ForwardsSignals(t *testing.T) {
	for s, name := range map[syscall.Signal]string{
		syscall.SIGTERM: "TERM", syscall.SIGHUP: "HUP", syscall.SIGUSR1: "USR1", syscall.SIGUSR2: "USR2",
		syscall.SIGINT: "INT", syscall.SIGQUIT: "QUIT", // there is no terminal
	} {
		t.Run(name, func(t *testing.T) {
			r := startExec(t, fmt.Sprintf(`trap 'echo got; exit 9' %s; echo ready; while :; do sleep 0.05; done`, name))
			if err := r.cmd.Process.Signal(s); err != nil {
				t.Fatal(err)
			}
			if line, err := r.stdout.ReadString('\n'); line != "got\n" {
				t.Errorf("after SIG%s the command printed %q, %v, want got", name, line, err)
			}
			if got := r.wait(); got != 9 {
				t.Errorf("exit status %d, want 9", got)
			}
			r.checkNothingLeft()
		})
	}
}

// A signal that comes before the command has started isn't lost.
func TestExec_EarlySignal(t *testing.T) {
	for delay := time.Duration(0); delay < 40*time.Millisecond; delay += 2 * time.Millisecond {
		r := launch(t, "wsstack", "exec", "--", "sleep", "1000")
		time.Sleep(delay)
		if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		// Before wsstack catches it, the signal ends wsstack itself.
		if got := r.wait(); got != 128+15 && got != -1 {
			t.Errorf("exit status %d after a signal at %v, want 143", got, delay)
		}
		r.checkNothingLeft()
	}
}

// A signal ends the wait for somebody who reads the packets from a named pipe.
func TestExec_SignalBeforeReader(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	r := launch(t, "wsstack", "exec", "--pcap", pipe, "--", "true")
	time.Sleep(300 * time.Millisecond) // waits by then, mostly
	if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if got := r.wait(); got != -1 {
		t.Errorf("exit status %d, want that the signal ends the process", got)
	}
	r.checkNothingLeft()
}

// Under nohup the signal ends neither wsstack nor the command, which gets it
// itself here as from a terminal that goes away.
func TestExec_IgnoredSignal(t *testing.T) {
	requireTUN(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience) // who has died opens no pipe
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", `trap '' HUP
mkfifo up go
wsstack exec -- sh -c 'kill -HUP $$; echo > up; read line < go; echo survived' &
read line < up; kill -HUP $!; echo > go; wait $!`)
	cmd.Dir, cmd.WaitDelay = t.TempDir(), time.Second
	out, err := cmd.CombinedOutput()
	if err != nil || string(out) != "survived\n" {
		t.Errorf("after SIGHUP under nohup: %q, %v, want survived", out, err)
	}
}

// Descriptors of the user reach the command, ours don't.
func TestExec_Descriptors(t *testing.T) {
	requireTUN(t)
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	descriptors := func(command ...string) string {
		t.Helper()
		cmd := exec.Command(command[0], command[1:]...)
		cmd.ExtraFiles = []*os.File{null, null, null} // 3, 4 and 5
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v %s", command, err, out)
		}
		return string(out)
	}
	// Whoever runs the tests may have left some open, too.
	want := descriptors("probe", "fds")
	if got := descriptors("wsstack", "exec", "--", "probe", "fds"); got != want || !strings.HasPrefix(got, "[3 4 5") {
		t.Errorf("descriptors of the command are %s, want %s", got, want)
	}
}
