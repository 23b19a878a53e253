package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// tunUsable finds out whether a TUN device can be made in a new namespace. It
// doesn't use the program for that: if the program were broken, the tests would
// be skipped.
var tunUsable = sync.OnceValue(func() error {
	cmd := exec.Command("probe", "tun")
	cmd.SysProcAttr = privateNetwork()
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w %s", err, strings.TrimSpace(string(out)))
	}
	return nil
})

// privateNetwork are the attributes of a process in a network namespace of its
// own, where it may do what root may.
func privateNetwork() *syscall.SysProcAttr {
	sys := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	if os.Geteuid() != 0 {
		sys.Cloneflags |= syscall.CLONE_NEWUSER
		sys.UidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getuid(), HostID: os.Getuid(), Size: 1}}
		sys.GidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getgid(), HostID: os.Getgid(), Size: 1}}
		sys.AmbientCaps = []uintptr{unix.CAP_NET_ADMIN}
	}
	return sys
}

// probeTUN makes a TUN interface.
func probeTUN([]string) error {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open /dev/net/tun: %w", err)
	}
	request, err := unix.NewIfreq("probe0")
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, request); err != nil {
		return fmt.Errorf("TUNSETIFF: %w", err)
	}
	return nil
}

// canMknod reports whether this user may make and mount device nodes.
func canMknod() bool {
	dir, err := os.MkdirTemp("", "mknod")
	if err != nil {
		return false
	}
	defer os.RemoveAll(dir)
	if unix.Mknod(filepath.Join(dir, "null"), unix.S_IFCHR|0o600, int(unix.Mkdev(1, 3))) != nil {
		return false
	}
	cmd := exec.Command("true")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	return cmd.Run() == nil
}
