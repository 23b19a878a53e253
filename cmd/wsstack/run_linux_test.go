package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// startRun runs a network of three namespaces in a row, and returns when all commands have said
// that they are up. Each of them says when it is asked to end.
func startRun(t *testing.T) *runningExec {
	t.Helper()
	const command = `command: "trap 'echo asked; exit 4' TERM; sleep 1000 & (setsid sleep 1000 &); echo up; while :; do sleep 0.05; done"`
	name := filepath.Join(t.TempDir(), "net.yaml")
	text := "hosts:\n  c: {" + command + ", after: b}\n  a: {" + command + "}\n  b: {" + command + ", after: a}\n" +
		"links:\n  x: {ends: [a, b]}\n  y: {ends: [b, c]}\n"
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	r := launch(t, "wsstack", "run", "--no-control", name)
	for range 3 { // in any order: one starts when the other has started
		if got := r.line(); !strings.HasSuffix(got, " | up") {
			t.Fatalf("run printed %q, want that a host is up", got)
		}
	}
	r.netns = "none" // processes are found by their marks
	return r
}

// line reads a line of standard output.
func (r *runningExec) line() string {
	line, _ := r.stdout.ReadString('\n')
	return strings.TrimSuffix(line, "\n")
}

// A signal ends all commands in order, the last one that has started first, and nothing is left.
func TestRun_Signal(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(s.String(), func(t *testing.T) {
			r := startRun(t)
			if err := r.cmd.Process.Signal(s); err != nil {
				t.Fatal(err)
			}
			for _, host := range []string{"c", "b", "a"} {
				for line := r.line(); line != host+" | asked"; line = r.line() {
					if !strings.HasSuffix(line, "| Terminated") { // what a shell says of its child
						t.Fatalf("run printed %q, want that %s is asked to end", line, host)
					}
				}
			}
			if got := r.wait(); got != statusSignal+int(s) {
				t.Errorf("exit status %d, want %d", got, statusSignal+int(s))
			}
			r.checkNothingLeft()
		})
	}
}

// kill -9 of wsstack, of all its children at once, or of one of them leaves nothing.
func TestRun_Killed(t *testing.T) {
	for _, tt := range []struct {
		name   string
		kill   func(r *runningExec) []int
		status int
	}{
		{"wsstack", func(r *runningExec) []int { return []int{r.cmd.Process.Pid} }, -1},
		{"one init", func(r *runningExec) []int {
			for pid := range children(r.cmd.Process.Pid) {
				return []int{pid}
			}
			return nil
		}, statusFailed},
		{"all inits", func(r *runningExec) (pids []int) {
			for pid := range children(r.cmd.Process.Pid) {
				pids = append(pids, pid)
			}
			return pids
		}, statusFailed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := startRun(t)
			if got := len(r.processes()); got < 4 {
				t.Fatalf("%d processes have the mark: the test can't see what is left", got)
			}
			for _, pid := range tt.kill(r) {
				if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
			}
			if got := r.wait(); got != tt.status {
				t.Errorf("exit status %d, want %d", got, tt.status)
			}
			r.checkNothingLeft()
		})
	}
}
