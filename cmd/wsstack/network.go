package main

import (
	"errors"
	"os"
	"time"

	"github.com/wsstack/wsstack/internal/control"
	"github.com/wsstack/wsstack/internal/namespace"
	"github.com/wsstack/wsstack/internal/testbed"
	"github.com/wsstack/wsstack/stack"
)

// A purpose is the subcommand that a network is for, as users write it.
type purpose string

const (
	forExec purpose = "exec" // in a namespace of its own
	forUp   purpose = "up"   // on this host
)

// use is the purpose in the errors of package namespace.
func (p purpose) use() namespace.Use { return namespace.Use{Command: string(p), Here: p == forUp} }

// stackName is the name of the host that is a stack, in the networks of exec and up.
const stackName = "stack"

// checkOutput refuses to record packets on a terminal, as use, the subcommand, is
// about to.
func (w wireConfig) checkOutput(use purpose, terminal bool) error {
	if w.Pcap != testbed.StandardOutput || !terminal {
		return nil
	}
	return usagef("--pcap - writes packets to standard output, which is a terminal").
		withHint("give them to a program: wsstack %s --pcap - … | tcpdump -n -r -", use)
}

// describe returns the network of exec and up: a stack, and the kernel at the other end of a link.
func (c networkConfig) describe(link string, kernel testbed.Host, features hostFlags) (testbed.Network, error) {
	peers, err := c.kernelAddresses()
	if err != nil {
		return testbed.Network{}, err
	}
	toStack, fromStack, err := c.Wire.Bad.directions()
	if err != nil {
		return testbed.Network{}, usagef("%w", err)
	}
	n := testbed.Network{
		Hosts: []testbed.Host{{Name: stackName, Kind: testbed.Stack, Config: stack.Config{Profile: c.Profile}}, kernel},
		Links: []testbed.Link{{
			Name: link, MTU: c.MTU, Capture: c.Wire.Pcap,
			Ends: [2]testbed.End{
				{Host: stackName, Addresses: c.Stack, Sends: fromStack},
				{Host: kernel.Name, Addresses: peers, Sends: toStack, Congestion: c.Congestion},
			},
		}},
		Seed: c.Wire.Seed,
	}
	return n, features.describe(&n, &n.Hosts[0])
}

// records opens standard output for the packets, if they go there, and returns what the command
// gets instead of it.
func (w wireConfig) records() (packets, stdout *os.File, err error) {
	if w.Pcap != testbed.StandardOutput {
		return nil, os.Stdout, nil
	}
	// Under another number: a write to descriptor 1 whose reader is gone kills the process, and
	// a capture that fails must not.
	packets, err = duplicate(os.Stdout)
	return packets, os.Stderr, err
}

// closeWithin bounds the end of a network in good order.
const closeWithin = 3 * time.Second

// closeNetwork closes the network in good order, which completes the capture;
// but nobody waits for it for long.
func closeNetwork(t *testbed.Testbed) error {
	closed := make(chan error, 1)
	go func() { closed <- t.Close() }() // ends with the process at the latest
	select {
	case err := <-closed:
		return networkFailure(err)
	case <-time.After(closeWithin):
		return failf("the network has not closed within %v", closeWithin)
	}
}

// networkFailure returns an error of a network of exec and up, where it goes without saying which
// host and which link it is about.
func networkFailure(err error) error {
	e, ok := errors.AsType[*testbed.Error](err)
	if !ok {
		return err
	}
	f := failureOf(e.Err)
	f.status = e.ExitStatus()
	if f.hint == "" {
		f.hint = e.Hint()
	}
	return f
}

// removeSocket removes the control socket of a network whose outer process has died.
func removeSocket(path string) {
	_ = control.RemoveStale(path) // nobody is left who could be told
}
