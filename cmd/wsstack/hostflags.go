package main

import (
	"github.com/spf13/pflag"

	"github.com/wsstack/wsstack/internal/testbed"
)

// A feature is a group of flags that say what a stack does. exec and up have the same ones.
type feature interface {
	// addFlags adds the flags of the feature.
	addFlags(*pflag.FlagSet)

	// describe adds what the flags say to the description of the stack, and of the network around
	// it (further names), after they are parsed.
	// Nothing is started by it.
	describe(*testbed.Network, *testbed.Host) error
}

// hostFlags are the flags of all features of a stack.
type hostFlags []feature

// newHostFlags returns the features in the order in which they start.
func newHostFlags(services *serviceFlags) hostFlags {
	return hostFlags{&gatewayFlags{}, &nameFlags{}, services}
}

func (h hostFlags) addFlags(f *pflag.FlagSet) {
	for _, feature := range h {
		feature.addFlags(f)
	}
}

// describe adds what all flags say to the description of the host.
func (h hostFlags) describe(n *testbed.Network, host *testbed.Host) error {
	for _, feature := range h {
		if err := feature.describe(n, host); err != nil {
			return err
		}
	}
	return nil
}
