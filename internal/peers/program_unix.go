//go:build unix

package peers

import (
	"errors"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// A program is a process, and those of its group.
type program struct {
	ended chan struct{} // closed when the process has ended

	mu   sync.Mutex
	pid  int  // of the leader of the group
	over bool // the number of the group may be another's
}

// startProgram starts a process in a group of its own. Where the system can do that, the process is
// killed when this one is.
func startProgram(cmd *exec.Cmd) (*program, error) {
	p := &program{ended: make(chan struct{})}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	dieWithParent(cmd.SysProcAttr)
	// A descendant in another group may have the pipe of standard error: Wait doesn't wait for that.
	cmd.WaitDelay = time.Second
	started := make(chan error)
	go func() { // ends with the process
		runtime.LockOSThread() // a parent-death signal comes when the thread ends
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		if err == nil {
			p.pid = cmd.Process.Pid
		}
		started <- err
		if err == nil {
			p.reap(cmd)
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// reap waits for the process, and kills what is left of its group.
func (p *program) reap(cmd *exec.Cmd) {
	defer close(p.ended)
	awaitExit(cmd) // where it returns before the process is reaped, the number is still ours
	_ = p.Close()
	p.mu.Lock()
	p.over = true
	p.mu.Unlock()
	_ = cmd.Wait() // the status is nobody's concern
}

// Close kills the process and those of its group.
func (p *program) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.over {
		_ = syscall.Kill(-p.pid, syscall.SIGKILL) // fails if there are none
	}
	return nil
}

func isBrokenPipe(err error) bool { return errors.Is(err, syscall.EPIPE) }
