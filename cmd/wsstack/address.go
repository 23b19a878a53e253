package main

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/wsstack/wsstack/internal/inet"
	"github.com/wsstack/wsstack/options"
)

// tunName is the name of the interface on the kernel's side, unless up has the flag --name.
const tunName = "wsstack0"

// networkConfig describes the link between a wsstack and the kernel's side of
// its TUN device.
type networkConfig struct {
	Stack []netip.Prefix // addresses of the wsstack
	MTU   int            // MTU of the link in bytes
	Wire  wireConfig     // what happens to packets

	// Profile is what the sockets of the stack follow, and what it looks like from outside.
	Profile options.Profile

	// Congestion is the congestion control of the kernel's connections to the stack; see
	// tun.Config.
	Congestion string

	Log     logFlags     // what is told while the network runs
	Summary summaryFlags // what is told at its end
	Control controlFlags // who may look at it, and change it
}

func defaultNetwork() networkConfig {
	return networkConfig{
		Stack: []netip.Prefix{
			netip.MustParsePrefix("10.77.0.1/24"),
			netip.MustParsePrefix("fd77::1/64"),
		},
		MTU: 1500,
	}
}

// validate returns a usage error that says what is wrong, or nil.
func (c networkConfig) validate() error {
	smallest, why := inet.MinMTU4, ""
	if c.hasIPv6() {
		smallest, why = inet.MinMTU6, " where an IPv6 address is used"
	}
	if c.MTU < smallest || c.MTU > inet.MaxMTU {
		f := usagef("MTU %d is out of range: it must be from %d to %d%s", c.MTU, smallest, inet.MaxMTU, why)
		if c.MTU >= inet.MinMTU4 && c.MTU < smallest {
			return f.withHint("for IPv4 alone: --address 10.77.0.1/24 --mtu %d", c.MTU)
		}
		return f.withHint("--mtu 1500 is the default")
	}
	if _, err := c.kernelAddresses(); err != nil {
		return err
	}
	return c.Wire.Bad.validate()
}

// kernelAddresses picks the addresses of the kernel's side: for each prefix the
// next free host address after the stack's, or else the first free one.
func (c networkConfig) kernelAddresses() ([]netip.Prefix, error) {
	used := make(map[netip.Addr]bool)
	for _, p := range c.Stack {
		if used[p.Addr()] {
			return nil, usagef("address %v is given twice", p.Addr()).withHint("leave one of them out")
		}
		used[p.Addr()] = true
	}
	peers := make([]netip.Prefix, 0, len(c.Stack))
	for _, p := range c.Stack {
		peer, ok := freeHost(p, used)
		if !ok {
			return nil, usagef("prefix %v has no address left for the other end of the link", p).
				withHint("use a larger prefix, such as --address %v", widen(p))
		}
		used[peer] = true
		peers = append(peers, netip.PrefixFrom(peer, p.Bits()))
	}
	return peers, nil
}

// freeHost finds a host address of p that isn't in used: upwards from p's own
// address, then from the start of the prefix. It looks at no more addresses
// than used can occupy.
func freeHost(p netip.Prefix, used map[netip.Addr]bool) (netip.Addr, bool) {
	for _, start := range []netip.Addr{p.Addr(), p.Masked().Addr()} {
		a := start
		for range len(used) + 2 {
			if p.Contains(a) && isHost(a, p) && !used[a] {
				return a, true
			}
			a = a.Next()
		}
	}
	return netip.Addr{}, false
}

// isHost reports whether a may be the address of a host in p. The first
// address of an IPv4 subnet names the subnet and the last one is its broadcast
// address (RFC 922 §7), except in a /31 (RFC 3021) and in a single address.
// The first one of an IPv6 subnet is the routers' anycast address (RFC 4291
// §2.6.1).
func isHost(a netip.Addr, p netip.Prefix) bool {
	if p.Bits() >= a.BitLen()-1 {
		return true
	}
	if a == p.Masked().Addr() {
		return false
	}
	return a.Is6() || p.Contains(a.Next())
}

// widen proposes a prefix of p's address that surely has room.
func widen(p netip.Prefix) netip.Prefix {
	bits := 24
	if p.Addr().Is6() {
		bits = 64
	}
	return netip.PrefixFrom(p.Addr(), bits)
}

// prefixList is the value of --address: the first use replaces the default,
// later ones add to it.
type prefixList struct {
	list    *[]netip.Prefix
	changed bool
}

func (l *prefixList) Set(s string) error {
	var list []netip.Prefix
	for _, word := range strings.Split(s, ",") {
		p, err := parseStackPrefix(word)
		if err != nil {
			return err
		}
		list = append(list, p)
	}
	if l.changed {
		list = append(*l.list, list...)
	}
	*l.list, l.changed = list, true
	return nil
}

func (l *prefixList) Type() string { return "PREFIX" }

func (l *prefixList) String() string {
	words := make([]string, 0, 2)
	for _, p := range *l.list {
		words = append(words, p.String())
	}
	return strings.Join(words, ",")
}

// parseStackPrefix reads an address of the stack with its prefix length.
func parseStackPrefix(s string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(strings.TrimSpace(s))
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is not an address with a prefix length, such as 10.77.0.1/24", s)
	}
	a := p.Addr()
	switch {
	case a.Is4In6():
		return netip.Prefix{}, fmt.Errorf("%v is an IPv4 address in IPv6 form", a)
	case a.IsUnspecified(), a.IsMulticast(), a.IsLoopback(), a.Is4() && a.As4()[0] >= 240:
		return netip.Prefix{}, fmt.Errorf("%v can't be the address of a host on a link", a)
	case !isHost(a, p):
		return netip.Prefix{}, fmt.Errorf("%v names the subnet %v or all its hosts, not one host", a, p.Masked())
	}
	return p, nil
}

// mtuValue is the value of --mtu. pflag's own integers answer a typing error
// with the words of package strconv.
type mtuValue struct{ mtu *int }

func (v mtuValue) Set(s string) error {
	n, err := strconv.Atoi(s)
	if err != nil {
		return fmt.Errorf("not a number of bytes from %d to %d", inet.MinMTU4, inet.MaxMTU)
	}
	*v.mtu = n
	return nil
}

func (v mtuValue) Type() string   { return "BYTES" }
func (v mtuValue) String() string { return strconv.Itoa(*v.mtu) }

// hasIPv6 reports whether the link carries IPv6.
func (c networkConfig) hasIPv6() bool {
	return slices.ContainsFunc(c.Stack, func(p netip.Prefix) bool { return p.Addr().Is6() })
}

// hosts are the addresses of the stack.
func (c networkConfig) hosts() []netip.Addr {
	hosts := make([]netip.Addr, len(c.Stack))
	for i, p := range c.Stack {
		hosts[i] = p.Addr()
	}
	return hosts
}
