//go:build linux

package main

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"runtime/pprof"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/wsstack/wsstack/internal/gateway"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
)

// gatewayRole is wsstack's way out of the namespace of a process, as exec has it: the device is in
// there, the stack outside.
func gatewayRole(args []string) error {
	pid, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	if name := args[1]; name != "" {
		f, err := os.Create(name)
		if err != nil {
			return err
		}
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	gateway.LeaveProcessor()
	device, err := openInside(pid)
	if err != nil {
		return err
	}
	s, err := stack.New(stack.Config{Device: device, Addresses: prefixes("10.77.0.1/24")})
	if err != nil {
		return err
	}
	g, err := gateway.Start(s, gateway.Config{})
	if err != nil {
		return err
	}
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGTERM)
	<-end
	if err := g.Close(); err != nil {
		return err
	}
	return s.Close()
}

// openInside makes a device in the namespace of a process.
func openInside(pid int) (device tun.Device, err error) {
	err = inside(pid, func() (err error) {
		if device, err = tun.Open(deviceName); err != nil {
			return err
		}
		return configureInside()
	})
	return device, err
}

// plainInside makes a TUN without offload in the namespace of a process.
func plainInside(pid int) (files []*os.File, err error) {
	err = inside(pid, func() (err error) {
		if files, err = tun.OpenFiles(deviceName, 1, true); err != nil {
			return err
		}
		return configureInside()
	})
	return files, err
}

const deviceName = "out0"

// configureInside gives the device its address, and the namespace its default route.
func configureInside() error {
	return tun.Configure(deviceName, tun.Config{NoAddrGen: true, Addresses: prefixes("10.77.0.2/24"), Congestion: unpaced,
		Routes: []tun.Route{{Destination: prefixes("0.0.0.0/0")[0], Gateway: prefixes("10.77.0.1/24")[0].Addr()}}})
}

// inside calls f in the network namespace of a process.
func inside(pid int, f func() error) (err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // for ever: the thread ends with the goroutine
		var namespace *os.File
		if namespace, err = os.Open(fmt.Sprintf("/proc/%d/ns/net", pid)); err != nil {
			return
		}
		defer namespace.Close()
		if err = unix.Setns(int(namespace.Fd()), unix.CLONE_NEWNET); err == nil {
			err = f()
		}
	}()
	<-done
	return err
}
