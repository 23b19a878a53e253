package gateway

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/wsstack/wsstack/internal/mistake"
)

// Words are a way out as the command line and network files write it: the values of
// --allow, --deny, --host-loopback and --via.
type Words struct {
	Allow, Deny  []string // prefixes, or single addresses
	HostLoopback []string // addresses
	Via          string   // the URL of a proxy; empty for none
}

// Parse makes the configuration that the words describe. An error names the word that is
// wrong and the flag that has it; it is a *mistake.Error.
func Parse(w Words) (Config, error) {
	var cfg Config
	var err error
	if cfg.Policy.Allow, err = parsePrefixes("allow", w.Allow); err != nil {
		return cfg, err
	}
	for _, p := range cfg.Policy.Allow {
		if err := permissible(p); err != nil {
			return cfg, err
		}
	}
	if cfg.Policy.Deny, err = parsePrefixes("deny", w.Deny); err != nil {
		return cfg, err
	}
	for _, text := range w.HostLoopback {
		a, err := parseHostLoopback(text, cfg.Policy.HostLoopback)
		if err != nil {
			return cfg, err
		}
		cfg.Policy.HostLoopback = append(cfg.Policy.HostLoopback, a)
	}
	if w.Via != "" {
		if cfg.Via, err = ParseProxy(w.Via); err != nil {
			return cfg, err
		}
	}
	return cfg, nil
}

func parsePrefixes(flag string, texts []string) (list []netip.Prefix, err error) {
	for _, text := range texts {
		p, err := parsePrefix(flag, text)
		if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	return list, nil
}

func parsePrefix(flag, text string) (netip.Prefix, error) {
	hint := fmt.Sprintf("write a prefix, such as --%s 192.0.2.0/24, or one address", flag)
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	switch {
	case err != nil:
		return p, mistake.Errorf(hint, "--%s: %q is no prefix and no address", flag, text)
	case p.Addr().Is4In6():
		return p, mistake.Errorf(hint, "--%s: %q is a prefix of IPv4-mapped addresses", flag, text)
	case p != p.Masked():
		return p, mistake.Errorf(fmt.Sprintf("perhaps you mean %v", p.Masked()),
			"--%s: %q has bits behind the first %d", flag, text, p.Bits())
	}
	return p, nil
}

// permissible refuses a prefix that no policy permits anything of.
func permissible(p netip.Prefix) error {
	for _, n := range never {
		if n.Contains(p.Addr()) && n.Bits() <= p.Bits() {
			return mistake.Errorf("the host's loopback is reached with --host-loopback ADDRESS, and its link and groups aren't reached",
				"--allow: nothing of %v is ever permitted", p)
		}
	}
	return nil
}

func parseHostLoopback(text string, others []netip.Addr) (netip.Addr, error) {
	const hint = "write an address that nothing else has, such as --host-loopback 10.77.0.3"
	a, err := netip.ParseAddr(text)
	if a = a.Unmap(); err != nil || a.Zone() != "" {
		return a, mistake.Errorf(hint, "--host-loopback: %q is not an address", text)
	}
	if longest(never, a) >= 0 {
		return a, mistake.Errorf(hint, "--host-loopback: %v is no address that packets come to", a)
	}
	if slices.ContainsFunc(others, func(o netip.Addr) bool { return o.Is4() == a.Is4() }) {
		return a, mistake.Errorf("give one address of IPv4 and one of IPv6 at most",
			"--host-loopback: %v is the second address of its family", a)
	}
	return a, nil
}
