package stack

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
)

// A Resolver finds the addresses of names. Package net's *net.Resolver is one: net.DefaultResolver
// gives a stack the names that the system knows.
type Resolver interface {
	// LookupHost returns the addresses of a name, in the order they should be tried. An error is a
	// *net.DNSError, or that of ctx. A dial calls it on the goroutine of its caller, without a lock.
	LookupHost(ctx context.Context, name string) ([]string, error)
}

var (
	_ Resolver = (*net.Resolver)(nil)
	_ Resolver = (*Stack)(nil)
)

// LookupHost finds the addresses of a host as DialContext does: a literal
// address is itself, "localhost" the loopback's addresses; then Config.Hosts,
// then Config.Resolver or Config.Nameservers are asked. Errors are *net.DNSError
// or that of ctx.
func (s *Stack) LookupHost(ctx context.Context, name string) ([]string, error) {
	addrs, err := s.lookup(ctx, name)
	if err != nil {
		return nil, err
	}
	out := make([]string, len(addrs))
	for i, a := range addrs {
		out[i] = a.String()
	}
	return out, nil
}

// lookup is LookupHost with addresses, none of them IPv4 in IPv6 form.
func (s *Stack) lookup(ctx context.Context, name string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(name); err == nil {
		return []netip.Addr{a.Unmap()}, nil
	}
	key := hostKey(name)
	if key == "localhost" {
		return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}, nil
	}
	if addrs := s.hosts[key]; len(addrs) > 0 {
		return addrs, nil
	}
	switch {
	case s.cfg.Resolver != nil:
		list, err := s.cfg.Resolver.LookupHost(ctx, name)
		if err != nil {
			return nil, err
		}
		return parseAddrs(name, list)
	case len(s.cfg.Nameservers) > 0:
		return s.askServers(ctx, name)
	}
	return nil, &net.DNSError{
		Err: "no such host: only literal addresses and localhost, while stack.Config has no Hosts, Nameservers or Resolver", Name: name, IsNotFound: true,
	}
}

// parseAddrs takes what a Resolver has returned.
func parseAddrs(name string, list []string) ([]netip.Addr, error) {
	var addrs []netip.Addr
	for _, text := range list {
		if a, err := netip.ParseAddr(text); err == nil && isHost(a) {
			addrs = append(addrs, a.Unmap())
		}
	}
	if len(addrs) == 0 {
		return nil, noSuchHost(name, "")
	}
	return addrs, nil
}

// isHost reports whether an address may be that of a name: an unspecified one
// would mean this host.
func isHost(a netip.Addr) bool { return a.IsValid() && !a.Unmap().IsUnspecified() }

func noSuchHost(name, server string) error {
	return &net.DNSError{Err: "no such host", Name: name, Server: server, IsNotFound: true}
}

// hostKey is what a name is looked up by: case and a final dot say nothing.
func hostKey(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

// hostTable makes the table of Config.Hosts. Entries that differ in case only
// are one.
func hostTable(hosts map[string][]netip.Addr) map[string][]netip.Addr {
	table := make(map[string][]netip.Addr, len(hosts))
	for name, addrs := range hosts {
		key := hostKey(name)
		for _, a := range addrs {
			if a = a.Unmap(); !slices.Contains(table[key], a) {
				table[key] = append(table[key], a)
			}
		}
	}
	return table
}

// validateNames says what is wrong with Hosts, Nameservers and Resolver.
func (c *Config) validateNames() error {
	for name, addrs := range c.Hosts {
		if hostKey(name) == "" || len(addrs) == 0 {
			return fmt.Errorf("config.Hosts[%q]: a name without addresses", name)
		}
		for _, a := range addrs {
			if !isHost(a) {
				return fmt.Errorf("config.Hosts[%q]: %v is not an address that can be dialled", name, a)
			}
		}
	}
	for i, a := range c.Nameservers {
		if !a.IsValid() || a.Port() == 0 {
			return fmt.Errorf("config.Nameservers[%d]: %v is not an address and port", i, a)
		}
	}
	if c.Resolver != nil && len(c.Nameservers) > 0 {
		return fmt.Errorf("config.Nameservers: there is a Resolver, which would be asked instead")
	}
	return nil
}
