package main

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/wsstack/wsstack/internal/names"
	"github.com/wsstack/wsstack/internal/testbed"
)

// nameFlags are the names that the programs of a network find.
type nameFlags struct{ hosts []names.Host }

func (f *nameFlags) addFlags(flags *pflag.FlagSet) {
	flags.Var(&hostValues{&f.hosts}, "host",
		"name for the stack's name server, such as web.test=10.77.0.1")
}

// describe adds the names, and the name server where there are any to be found: those of --host,
// and those outside where there is a way out. The flags of the way out stand before these.
func (f *nameFlags) describe(n *testbed.Network, host *testbed.Host) error {
	for _, h := range f.hosts {
		if slices.ContainsFunc(n.Hosts, func(other testbed.Host) bool { return other.Name == h.Name }) {
			return usagef("--host %s: there is a host of that name in the network", h).
				withHint("choose another name, such as %s.test", h.Name)
		}
		if n.Names == nil {
			n.Names = map[string][]netip.Addr{}
		}
		n.Names[h.Name] = append(n.Names[h.Name], h.Addresses...)
	}
	if _, err := names.NewZone(names.HostsOf(n.Names), nil); err != nil {
		return usagef("--host: %w", err).withHint("leave some of them out")
	}
	if len(f.hosts) > 0 || host.Gateway != nil {
		host.Resolver = testbed.ResolverFeature()
	}
	return nil
}

// A hostValues is a flag that may be repeated.
type hostValues struct{ list *[]names.Host }

func (v *hostValues) Set(text string) error {
	h, err := names.ParseHost(text)
	if err != nil {
		return err
	}
	*v.list = append(*v.list, h)
	return nil
}

func (v *hostValues) String() string {
	texts := make([]string, len(*v.list))
	for i, h := range *v.list {
		texts[i] = fmt.Sprint(h)
	}
	return strings.Join(texts, " ")
}

func (v *hostValues) Type() string { return "NAME=ADDRESS" }
