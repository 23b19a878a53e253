//go:build unix && !linux

package peers

import "os/exec"

// awaitExit waits until a process has ended, and reaps it.
func awaitExit(cmd *exec.Cmd) { _ = cmd.Wait() }
