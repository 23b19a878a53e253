package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// openTerminal makes a pseudo-terminal.
func openTerminal(t *testing.T) (keyboard, tty *os.File) {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals: %v", err)
	}
	t.Cleanup(func() { keyboard.Close() })
	n, err := unix.IoctlGetInt(int(keyboard.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(keyboard.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		t.Skipf("no pseudo-terminals: %v", err)
	}
	t.Cleanup(func() { tty.Close() })
	return keyboard, tty
}

// The terminal sends ^C to its foreground group, which the command is in.
// Forwarding it would be a second one.
func TestExec_TerminalInterrupt(t *testing.T) {
	requireTUN(t)
	keyboard, tty := openTerminal(t)
	cmd := exec.Command("wsstack", "exec", "--", "probe", "ints")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	tty.Close() // so that the terminal ends with wsstack
	limit := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer limit.Stop()
	output := bufio.NewReader(keyboard)
	for {
		line, err := output.ReadString('\n')
		if err != nil {
			t.Fatalf("the terminal ended after %q: %v", line, err)
		}
		// The terminal echoes the key in front of it.
		switch line = strings.TrimPrefix(strings.TrimSpace(line), "^C"); {
		case line == "ready":
			if _, err := keyboard.Write([]byte{3}); err != nil { // ^C
				t.Fatal(err)
			}
		case strings.HasPrefix(line, "interrupts:"):
			if line != "interrupts: 1" {
				t.Errorf("after one ^C the command counts %q, want 1", line)
			}
			if err := cmd.Wait(); err != nil {
				t.Errorf("wsstack: %v", err)
			}
			return
		}
	}
}
