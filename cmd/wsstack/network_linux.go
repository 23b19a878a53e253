package main

import (
	"fmt"
	"net"
	"os"

	"github.com/wsstack/wsstack/internal/inet"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
)

// network is a TUN device, a stack on it, and the services of the stack.
type network struct {
	name     string     // of the interface
	device   tun.Device // without its decorators; the stack owns it
	capture  *capture   // nil: none
	stack    *stack.Stack
	services *services
}

// A purpose is the subcommand that a network is for, as users write it.
type purpose string

const (
	forExec purpose = "exec" // in a namespace of its own
	forUp   purpose = "up"   // on this host
)

// checkOutput refuses to record packets on a terminal, as use, the subcommand, is
// about to.
func (w wireConfig) checkOutput(use purpose, terminal bool) error {
	if w.Pcap != standardOutput || !terminal {
		return nil
	}
	return usagef("--pcap - writes packets to standard output, which is a terminal").
		withHint("give them to a program: wsstack %s --pcap - … | tcpdump -n -r -", use)
}

// openNetwork sets up the network namespace of the calling process. The
// namespace is new, so the name of the interface is free.
func openNetwork(cfg networkConfig, sys system) (*network, error) {
	if err := tun.Configure("lo", tun.Config{}); err != nil {
		return nil, configureFailure(err, cfg, forExec, sys)
	}
	// Everybody may bind every port: nobody else is here to be kept from some. A
	// read-only /proc/sys, as in containers, leaves it to the capability.
	_ = os.WriteFile("/proc/sys/net/ipv4/ip_unprivileged_port_start", []byte("0"), 0)
	return attach(cfg, tunName, forExec, sys)
}

// attach makes an interface with a stack on it.
func attach(cfg networkConfig, name string, use purpose, sys system) (_ *network, err error) {
	// First of all: after a name that is taken, nothing has been touched, also
	// not the capture file, which the other one may be writing.
	device, err := cfg.Wire.open(name)
	if err != nil {
		return nil, tunFailure(err, use, sys)
	}
	n := &network{name: name, device: device}
	if named, ok := device.(tun.Named); ok {
		n.name = named.Name()
	}
	defer func() {
		if err != nil { // that is what counts; what fails here is not
			_ = device.Close()
			_ = n.closeCapture()
		}
	}()
	if use == forUp {
		host, err := net.InterfaceAddrs()
		if err != nil {
			return nil, failf("look at the addresses of this host: %w", err)
		}
		if err := cfg.checkFree(host); err != nil {
			return nil, err
		}
	}
	decorated, record, err := cfg.Wire.decorate(device, n.name)
	if err != nil {
		return nil, err
	}
	n.capture = record
	if err := configure(cfg, n.name, use, sys); err != nil {
		return nil, err
	}
	if n.stack, err = stack.New(stack.Config{Device: decorated, Addresses: cfg.Stack, MTU: uint32(cfg.MTU), Profile: cfg.Profile}); err != nil {
		return nil, failf("can't start the stack: %w", err)
	}
	if n.services, err = serve(n.stack, cfg.hosts()); err != nil {
		_ = n.stack.Close()
		return nil, failf("can't start the services of the stack: %w", err)
	}
	return n, nil
}

// configure gives the kernel's side its addresses and brings it up. It has
// on-link routes and no default route: whatever isn't the stack fails at once
// instead of after a time-out.
func configure(cfg networkConfig, name string, use purpose, sys system) error {
	peers, err := cfg.kernelAddresses()
	if err != nil {
		return err
	}
	link := tun.Config{Addresses: peers, MTU: cfg.MTU, Congestion: cfg.Congestion}
	// A kernel without IPv6, or one that has it off on a link as narrow as
	// this, hasn't got the switch, and generates nothing.
	link.NoAddrGen = cfg.MTU >= inet.MinMTU6 && sys.setting("net.ipv6.conf.all.disable_ipv6") != ""
	if err := tun.Configure(name, link); err != nil {
		return configureFailure(err, cfg, use, sys)
	}
	return nil
}

// Close closes the stack with everything on it, and completes the capture.
func (n *network) Close() error {
	err := n.stack.Close()
	n.services.wait()
	captured := n.closeCapture()
	if err != nil {
		return fmt.Errorf("close the stack: %w", err)
	}
	return captured
}

// flush brings the capture up to date.
func (n *network) flush() {
	if n.capture != nil {
		_ = n.capture.packets.Flush() // who calls this is about to die
	}
}

func (n *network) closeCapture() error {
	if n.capture == nil {
		return nil
	}
	return n.capture.close()
}
