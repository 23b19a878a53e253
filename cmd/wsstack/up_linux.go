package main

import (
	"io"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// up runs a stack on a TUN device of this host until a signal ends it.
func up(stdout, stderr io.Writer, cfg networkConfig, f upFlags) (err error) {
	if err := cfg.Wire.checkOutput(forUp, isTerminal(stdout)); err != nil {
		return err
	}
	if cfg.Wire.Pcap == standardOutput {
		stdout = stderr
	}
	// Before anything is made, so that an early signal leaves nothing, either.
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, endings()...)
	n, err := attach(cfg, f.name, forUp, theSystem{})
	if err != nil {
		return err
	}
	defer func() {
		signal.Stop(signals) // the second one ends the program at once
		if closed := closeNetwork(n); err == nil {
			err = closed
		}
	}()
	if err := announce(stdout, cfg, n.name, f.json, isTerminal(stdout)); err != nil {
		return failf("print the addresses: %w", err)
	}
	return n.watch(signals)
}

// endings lists the signals that end up, less those that whoever started
// wsstack had set to be ignored.
func endings() []os.Signal {
	var list []os.Signal
	for _, s := range []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(s) {
			list = append(list, s)
		}
	}
	return list
}

// watchEvery is how long it may take to notice that the interface is gone.
const watchEvery = time.Second

// watch waits for a signal. It fails when somebody removes the interface.
func (n *network) watch(signals <-chan os.Signal) error {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-signals:
			return nil
		case <-tick.C:
			// Sending nothing tells whether the device still works. The
			// interface is no measure: it may have gone to another namespace.
			if err := n.device.Send(nil); err != nil {
				return failf("the interface %s is gone: %w", n.name, err)
			}
		}
	}
}

// checkFree refuses a subnet in which this host has an address: the kernel would
// go on using the interface it knows already, and not say so.
func (c networkConfig) checkFree(host []net.Addr) error {
	for _, p := range c.Stack {
		for _, a := range host {
			prefix, err := netip.ParsePrefix(a.String())
			if err == nil && p.Contains(prefix.Addr().Unmap()) {
				return failf("the subnet %v is in use: this host has the address %v", p.Masked(), prefix.Addr()).
					withHint("choose others, such as: wsstack up --address 10.78.0.1/24 --address fd78::1/64")
			}
		}
	}
	return nil
}

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(file.Fd()), unix.TCGETS)
	return err == nil
}
