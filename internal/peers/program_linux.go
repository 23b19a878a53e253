package peers

import (
	"os/exec"

	"golang.org/x/sys/unix"
)

// awaitExit waits until a process has ended, and leaves it for Wait.
func awaitExit(cmd *exec.Cmd) {
	for unix.Waitid(unix.P_PID, cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil) == unix.EINTR {
	}
}
