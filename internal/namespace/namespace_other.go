//go:build !linux

package namespace

import (
	"os"
	"runtime"
	"syscall"

	"github.com/wsstack/wsstack/tun"
)

// A Namespace is a network namespace with a process in it that waits for a command. There is none
// on this system.
type Namespace struct{}

// New fails: nowhere but on Linux does a process have a network namespace to itself.
func New(cfg Config) (*Namespace, error) {
	return nil, failf("%s needs the network namespaces of Linux; this is %s", cfg.Use, runtime.GOOS).
		withHint("run it in a Linux virtual machine or container")
}

// Devices returns nothing.
func (*Namespace) Devices() []tun.Device { return nil }

// Pid returns 0.
func (*Namespace) Pid() int { return 0 }

// Limited returns false.
func (*Namespace) Limited() bool { return false }

// Covered returns false.
func (*Namespace) Covered() bool { return false }

// Start fails.
func (*Namespace) Start(Command) error { return failf("no namespace") }

// Socket fails.
func (*Namespace) Socket(_, _, _ int) (*os.File, error) { return nil, failf("no namespace") }

// Signal does nothing.
func (*Namespace) Signal(syscall.Signal) {}

// Wait fails.
func (*Namespace) Wait() (int, error) { return statusFailed, failf("no namespace") }

// End does nothing.
func (*Namespace) End() {}

// Close does nothing.
func (*Namespace) Close() error { return nil }

// IsInit returns false.
func IsInit([]string) bool { return false }

// Init fails.
func Init(func(string)) (int, error) { return statusFailed, failf("no namespace") }

// Forwardable lists the signals that are passed on to a command.
func Forwardable() []os.Signal { return []os.Signal{os.Interrupt} }

// FromTerminal returns false.
func FromTerminal(syscall.Signal) bool { return false }

// Sweep does nothing.
func Sweep() int { return 0 }
