package namespace

import (
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// Forwardable lists the signals that are passed on to the command, less those
// that whoever started wsstack had set to be ignored (nohup, or a job in the
// background of a script): catching them would undo that.
func Forwardable() []os.Signal {
	var list []os.Signal
	for _, s := range []os.Signal{
		syscall.SIGTERM, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGINT, syscall.SIGQUIT,
	} {
		if !signal.Ignored(s) {
			list = append(list, s)
		}
	}
	return list
}

// FromTerminal reports whether a signal is one that the terminal sends to its
// whole foreground process group. A command in the foreground is in the group, and
// has it already.
func FromTerminal(s syscall.Signal) bool {
	return (s == syscall.SIGINT || s == syscall.SIGQUIT) && inForeground()
}

// inForeground reports whether this process is in the foreground process group
// of its controlling terminal.
func inForeground() bool {
	tty, err := unix.Open("/dev/tty", unix.O_RDONLY|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false // it has none
	}
	defer unix.Close(tty)
	group, err := unix.IoctlGetInt(tty, unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}
