package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// probeNamespace runs a command in a network namespace of its own and exits
// with its status.
func probeNamespace(args []string) error {
	runtime.LockOSThread() // for the parent-death signal
	cmd := streamed(args)
	cmd.SysProcAttr = privateNetwork()
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	exit := (*exec.ExitError)(nil)
	if err := cmd.Run(); errors.As(err, &exit) {
		os.Exit(exit.ExitCode())
	} else if err != nil {
		return err
	}
	return nil
}

// probeUp runs "wsstack up", a command as soon as it is up, and ends it:
//
//	probe up SIGNAL [flag…] -- command…
//
// It prints what wsstack and the command print, the exit status of each, and
// the interfaces that are left. With the signal "none" wsstack must end by
// itself.
func probeUp(args []string) error {
	runtime.LockOSThread() // for the parent-death signal
	dashes := slices.Index(args, "--")
	if dashes < 1 {
		return errors.New("usage: probe up signal [flag …] -- command …")
	}
	up := exec.Command("wsstack", append([]string{"up"}, args[1:dashes]...)...)
	up.Stderr = os.Stderr
	up.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stdout, err := up.StdoutPipe()
	if err != nil {
		return err
	}
	if err := up.Start(); err != nil {
		return err
	}
	output := bufio.NewReader(stdout)
	line, err := output.ReadString('\n')
	fmt.Print(line)
	if err == nil { // it is up
		command := streamed(args[dashes+1:])
		command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := command.Start(); err != nil {
			return err
		}
		// It may be a wsstack that should have refused, and would run for ever.
		limit := time.AfterFunc(patience, func() { _ = command.Process.Kill() })
		_ = command.Wait() // the script looks at the status
		limit.Stop()
		fmt.Printf("\ncommand: status %d\n", command.ProcessState.ExitCode())
		if args[0] != "none" {
			if err := up.Process.Signal(unix.SignalNum("SIG" + args[0])); err != nil {
				return err
			}
		}
	}
	limit := time.AfterFunc(patience, func() { _ = up.Process.Kill() })
	defer limit.Stop()
	_, _ = io.Copy(os.Stdout, output)
	_ = up.Wait() // the script looks at the status
	fmt.Printf("up: status %d\n", up.ProcessState.ExitCode())
	interfaces, err := net.Interfaces()
	if err != nil {
		return err
	}
	var names []string
	for _, i := range interfaces {
		if i.Name != "lo" {
			names = append(names, i.Name)
		}
	}
	fmt.Printf("interfaces left: [%s]\n", strings.Join(names, " "))
	return nil
}

func streamed(args []string) *exec.Cmd {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return cmd
}

// probeCongestion prints the congestion control of a connection.
func probeCongestion(args []string) error {
	c, err := probeDial("tcp", args[0])
	if err != nil {
		return err
	}
	defer c.Close()
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		return err
	}
	var name string
	controlErr := raw.Control(func(fd uintptr) { name, err = unix.GetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION) })
	if err := errors.Join(controlErr, err); err != nil {
		return err
	}
	fmt.Println(name)
	return nil
}
