package netfile

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/wsstack/wsstack/internal/names"
	"github.com/wsstack/wsstack/internal/peers"
	"github.com/wsstack/wsstack/internal/testbed"
)

// build makes a network of what was read.
func (d *draft) build(r *reader, o Options) (n testbed.Network, m Machines, err error) {
	n.Seed = d.seed
	if m, err = d.readMachines(r, o.On); err != nil {
		return n, m, err
	}
	for i := range d.hosts {
		if err := m.place(r, &d.hosts[i]); err != nil {
			return n, m, err
		}
	}
	if err := m.checkUsed(r, d); err != nil {
		return n, m, err
	}
	for _, e := range d.links {
		link, err := e.value.build(r, e.key)
		if err != nil {
			return n, m, err
		}
		n.Links = append(n.Links, link)
	}
	if err := m.divide(r, d, n.Links); err != nil {
		return n, m, err
	}
	choose(n.Links)
	kinds := map[string]testbed.Kind{}
	for i := range d.hosts {
		kinds[d.hosts[i].key] = d.hosts[i].value.kindOf()
	}
	for i := range d.hosts {
		e := &d.hosts[i]
		beside := slices.ContainsFunc(d.links, func(l entry[linkDraft]) bool { return l.value.joins(e.key, kinds) })
		host, err := e.value.build(r, e.key, beside, o)
		if err != nil {
			return n, m, err
		}
		if e.value.missing != nil && m.Hosts[e.key] == m.Self {
			return n, m, e.value.missing
		}
		n.Hosts = append(n.Hosts, host)
	}
	if m.Self >= 0 {
		m.keep(&n)
	}
	for _, e := range d.names {
		if err := names.CheckName(e.key); err != nil {
			return n, m, r.mistake(e.at, "names: %q: %v", e.key, err).withHint("write a name such as web.test, or *.test")
		}
		if n.Names == nil {
			n.Names = map[string][]netip.Addr{}
		}
		n.Names[e.key] = e.value
	}
	return n, m, nil
}

// joins reports whether the link joins a host and a namespace.
func (l *linkDraft) joins(host string, kinds map[string]testbed.Kind) bool {
	for i, end := range l.ends {
		if other, ok := kinds[l.ends[1-i].host]; ok && end.host == host && other == testbed.Namespace {
			return true
		}
	}
	return false
}

// kindOf is the kind of the host.
func (h *hostDraft) kindOf() testbed.Kind {
	switch {
	case h.kind != nil:
		return *h.kind
	case h.host.Command != nil:
		return testbed.Namespace
	}
	return testbed.Stack
}

// build makes a host. beside says that it is beside a namespace.
func (h *hostDraft) build(r *reader, name string, beside bool, o Options) (testbed.Host, error) {
	host := h.host
	host.Name, host.Kind = name, h.kindOf()
	if err := h.check(r, host); err != nil {
		return host, err
	}
	if host.Command != nil {
		host.Command.Env = slices.Concat(o.Environ, h.environment)
	}
	if host.Kind == testbed.Namespace {
		return host, nil
	}
	if err := peers.Check(h.services); err != nil {
		return host, r.at("hosts/"+name, fmt.Errorf("host %s: %w", name, err))
	}
	for _, s := range h.services {
		host.Services = append(host.Services, testbed.ServiceFeature(s))
	}
	if isOr(h.standard, host.Kind == testbed.Stack) {
		host.Services = append(host.Services, testbed.StandardFeature(o.Page, h.services))
	}
	if isOr(h.resolver, beside) {
		host.Resolver = testbed.ResolverFeature()
	}
	return host, nil
}

// check finds fields that a host of this kind doesn't have.
func (h *hostDraft) check(r *reader, host testbed.Host) error {
	if host.Kind == testbed.Namespace && len(h.ofStacks) > 0 {
		key := h.ofStacks[0]
		return r.at("hosts/"+host.Name+"/"+key, fmt.Errorf("host %s: %s: a namespace has none", host.Name, key)).
			withHint("it is for hosts of kind stack or router")
	}
	if host.Command != nil && host.Command.Args == nil {
		key := h.ofCommands[0]
		return r.at("hosts/"+host.Name+"/"+key, fmt.Errorf("host %s: %s: the host has no command", host.Name, key)).
			withHint("add one, such as command: [curl, -s, http://server/]")
	}
	return nil
}

// isOr is a field that may be left out.
func isOr(given *bool, otherwise bool) bool {
	if given == nil {
		return otherwise
	}
	return *given
}
