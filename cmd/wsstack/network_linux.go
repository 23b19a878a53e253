package main

import (
	"fmt"
	"net/netip"

	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
)

// tunName is the interface of the kernel's side. The namespace is new, so the
// name is free.
const tunName = "wsstack0"

// network is what the namespace is given: a TUN device, a stack on it, and the
// services of the stack.
type network struct {
	stack    *stack.Stack
	services *services
}

// openNetwork sets up the network namespace of the calling process.
func openNetwork(cfg networkConfig, sys system) (_ *network, err error) {
	if err := tun.Configure("lo", tun.Config{}); err != nil {
		return nil, configureFailure(err, cfg, sys)
	}
	device, err := tun.Open(tunName)
	if err != nil {
		return nil, tunFailure(err, sys)
	}
	defer func() {
		if err != nil {
			_ = device.Close() // what counts is the failure before
		}
	}()
	if err := configure(cfg, sys); err != nil {
		return nil, err
	}
	st, err := stack.New(stack.Config{Device: device, Addresses: cfg.Stack, MTU: uint32(cfg.MTU)})
	if err != nil {
		return nil, failf("can't start the stack: %w", err)
	}
	n := &network{stack: st}
	if n.services, err = serve(st, cfg.hosts()); err != nil {
		_ = st.Close()
		return nil, failf("can't start the services of the stack: %w", err)
	}
	return n, nil
}

// configure gives the kernel's side its addresses and brings it up. It has
// on-link routes and no default route: whatever isn't the stack fails at once
// instead of after a time-out.
func configure(cfg networkConfig, sys system) error {
	peers, err := cfg.kernelAddresses()
	if err != nil {
		return err
	}
	link := tun.Config{Addresses: peers, MTU: cfg.MTU}
	// A kernel without IPv6, or one that has it off on a link as narrow as
	// this, hasn't got the switch, and generates nothing.
	link.NoAddrGen = cfg.MTU >= minMTUIPv6 && sys.setting("net.ipv6.conf.all.disable_ipv6") != ""
	if err := tun.Configure(tunName, link); err != nil {
		return configureFailure(err, cfg, sys)
	}
	return nil
}

// Close closes the stack with everything on it.
func (n *network) Close() error {
	err := n.stack.Close()
	n.services.wait()
	if err != nil {
		return fmt.Errorf("close the stack: %w", err)
	}
	return nil
}

// hosts are the addresses of the stack.
func (c networkConfig) hosts() []netip.Addr {
	hosts := make([]netip.Addr, len(c.Stack))
	for i, p := range c.Stack {
		hosts[i] = p.Addr()
	}
	return hosts
}
