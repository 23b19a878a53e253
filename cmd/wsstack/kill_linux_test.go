package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
)

// endWithin is how long it may take until everything is gone, on a busy machine.
const endWithin = 30 * time.Second

// A victim is the process that is killed.
type victim int

const (
	killOuter victim = iota
	killInit
	killCommand
	killGroup // the outer process and the command
	victims
)

// Whichever process of a network is killed with SIGKILL at whatever moment, nothing is left: no
// process, no namespace, no device, no file of the control socket. WSSTACK_KILL_ROUNDS has more
// rounds of 20 networks at once ("make kill").
func TestExec_KilledAnyTime(t *testing.T) {
	requireTUN(t)
	rounds, networks := 1, 8
	if text := os.Getenv("WSSTACK_KILL_ROUNDS"); text != "" {
		var err error
		if rounds, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
		networks = 20
	}
	begin := time.Now()
	if out, err := exec.Command("wsstack", "exec", "--", "true").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	life := time.Since(begin) * time.Duration(networks) / 4 // of a network, when so many begin at once
	const seed = 1
	random := rand.New(rand.NewPCG(seed, 0))
	phases := make(map[string]int)
	for round := range rounds {
		k := killing{t: t, directory: t.TempDir(), mark: fmt.Sprintf("WSSTACK_TEST_MARK=%s-%d-%d", t.Name(), os.Getpid(), round)}
		t.Cleanup(k.killAll)
		var all sync.WaitGroup
		for i := range networks {
			// From before anything is there until the command has been running for a while.
			delay := time.Duration(random.Int64N(int64(life)))
			script := family + "wait"
			if i%3 == 2 { // also while a network ends
				script = "exit"
			}
			all.Go(func() { k.one(script, victim(i)%victims, delay) })
		}
		all.Wait()
		k.checkNothingLeft()
		for phase, n := range k.phases {
			phases[phase] += n
		}
		if t.Failed() {
			break
		}
	}
	t.Logf("phases in which somebody was killed: %v", phases)
}

// killing is a round of TestExec_KilledAnyTime.
type killing struct {
	t         *testing.T
	directory string // $XDG_RUNTIME_DIR
	mark      string // in the environment of all processes

	mu     sync.Mutex
	phases map[string]int
	killed map[int]string // the phase by the number of the outer process
}

// one runs a network and kills somebody after a delay.
func (k *killing) one(script string, who victim, delay time.Duration) {
	cmd := exec.Command("wsstack", "exec", "--", "sh", "-c", script)
	cmd.Env = append(os.Environ(), k.mark, "XDG_RUNTIME_DIR="+k.directory)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		k.t.Error(err)
		return
	}
	time.Sleep(delay)
	phase := k.kill(cmd.Process.Pid, who)
	k.mu.Lock()
	if k.phases == nil {
		k.phases, k.killed = make(map[string]int), make(map[int]string)
	}
	k.phases[phase]++
	k.killed[cmd.Process.Pid] = phase
	k.mu.Unlock()
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // of the outer process, which has died or must
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(endWithin):
		k.t.Errorf("wsstack still runs after a kill in the phase %q", phase)
		_ = cmd.Process.Kill()
	}
}

// kill kills the victim, or the outer process as long as there is no other, and says how far the
// network was.
func (k *killing) kill(outer int, who victim) (phase string) {
	first, command := 0, 0
	for pid := range children(outer) {
		first = pid
		for pid := range children(first) {
			name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
			if group, err := syscall.Getpgid(pid); err == nil && group == outer && string(name) == "sh\n" {
				command = pid
			}
		}
	}
	switch {
	case first == 0:
		phase = "no init"
	case command == 0:
		phase = "no command"
	default:
		phase = "command"
	}
	target, name := outer, "outer"
	switch {
	case who == killInit && first != 0:
		target, name = first, "init"
	case who == killCommand && command != 0:
		target, name = command, "command"
	case who == killGroup:
		target, name = -outer, "group"
	}
	_ = syscall.Kill(target, syscall.SIGKILL) // it may have ended
	return phase + ": " + name
}

// checkNothingLeft waits for everything of the round to go.
func (k *killing) checkNothingLeft() {
	k.t.Helper()
	left := k.remains()
	for end := time.Now().Add(endWithin); len(left) > 0 && time.Now().Before(end); left = k.remains() {
		time.Sleep(10 * time.Millisecond)
	}
	for _, what := range left {
		k.t.Errorf("left: %s", what)
	}
	if len(left) > 0 {
		k.t.Logf("who was killed in which phase: %v", k.killed)
	}
}

// killAll ends what is left after a failure.
func (k *killing) killAll() {
	for _, pid := range (&runningExec{mark: k.mark}).processes() {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

func (k *killing) remains() (list []string) {
	marked := &runningExec{mark: k.mark}
	for _, pid := range marked.processes() {
		cmdline, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		list = append(list, fmt.Sprintf("process %d %q", pid, cmdline))
	}
	sockets, err := filepath.Glob(filepath.Join(k.directory, "wsstack", "*.sock"))
	if err != nil {
		k.t.Fatal(err)
	}
	return append(list, sockets...)
}
