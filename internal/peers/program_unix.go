//go:build unix

package peers

import (
	"errors"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// A program is a shell that runs a command, and the processes of its group. A guard in the group
// waits for the end of a pipe that this process has the other end of, so that the group is killed
// however this process ends.
type program struct {
	ended chan struct{} // closed when the process has ended
	hold  *os.File      // the end of the guard's pipe

	mu   sync.Mutex
	pid  int  // of the leader of the group
	over bool // the number of the group may be another's
}

// guarded is a script that starts the guard, whose pipe is descriptor 3, and becomes a shell for
// the command.
const guarded = `(read -r _ <&3; kill -KILL 0) </dev/null >/dev/null 2>&1 & exec 3<&-; exec /bin/sh -c "$0"`

// startProgram starts a command for a shell, in a group of its own. Of cmd, everything but the path
// and the arguments is set.
func startProgram(cmd *exec.Cmd, command string) (*program, error) {
	guard, hold, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer guard.Close()
	cmd.Path, cmd.Args = "/bin/sh", []string{"sh", "-c", guarded, command}
	cmd.ExtraFiles = []*os.File{guard}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	// A descendant in another group may have the pipe of standard error: Wait doesn't wait for
	// that.
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		_ = hold.Close()
		return nil, err
	}
	p := &program{ended: make(chan struct{}), hold: hold, pid: cmd.Process.Pid}
	go p.reap(cmd) // ends with the process
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
	_ = p.hold.Close()
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
