package names

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// A Zone is what a network knows by name, in both directions. It doesn't change, and is safe for
// concurrent use. The nil Zone knows nothing but localhost.
type Zone struct {
	addresses map[string][]netip.Addr
	names     map[netip.Addr][]string // in the order of the hosts, without wildcards
	above     map[string]bool         // what names end in, which exists without addresses (RFC 8020)
	local     []netip.Prefix          // of the network itself
}

// NewZone makes the Zone of hosts. Of hosts with one name all addresses count. Local is what the
// network's own addresses are in: nobody else is asked for the name of one of these.
func NewZone(hosts []Host, local []netip.Prefix) (*Zone, error) {
	z := &Zone{
		addresses: map[string][]netip.Addr{}, names: map[netip.Addr][]string{}, above: map[string]bool{},
		local: slices.Clone(local),
	}
	for _, h := range hosts {
		for _, a := range h.Addresses {
			z.add(h.Name, a)
		}
		if n := len(z.addresses[h.Name]); n > maxAddresses {
			return nil, fmt.Errorf("host %s has %d addresses, more than %d", h.Name, n, maxAddresses)
		}
	}
	if len(z.addresses) > maxHosts {
		return nil, fmt.Errorf("there are %d names, more than %d", len(z.addresses), maxHosts)
	}
	return z, nil
}

func (z *Zone) add(name string, address netip.Addr) {
	if slices.Contains(z.addresses[name], address) {
		return
	}
	z.addresses[name] = append(z.addresses[name], address)
	if !strings.HasPrefix(name, "*.") && len(z.names[address]) < maxAddresses {
		z.names[address] = append(z.names[address], name)
	}
	for _, rest, found := strings.Cut(name, "."); found; _, rest, found = strings.Cut(rest, ".") {
		z.above[rest] = true
	}
}

// lookup returns the addresses of a name, which is in lower case and without a dot at its end.
// Found says whether there is such a name.
func (z *Zone) lookup(name string) (addresses []netip.Addr, found bool) {
	if isLocalhost(name) {
		return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}, true
	}
	if z == nil {
		return nil, false
	}
	if addresses, found = z.addresses[name]; found {
		return addresses, true
	}
	for _, rest, more := strings.Cut(name, "."); more; _, rest, more = strings.Cut(rest, ".") {
		if addresses, found = z.addresses["*."+rest]; found {
			return addresses, true
		}
	}
	return nil, false
}

// exists reports whether names of the Zone end in this one.
func (z *Zone) exists(name string) bool { return z != nil && z.above[name] }

// reverse returns the names of an address. Ours says whether it is for this Zone to know.
func (z *Zone) reverse(address netip.Addr) (names []string, ours bool) {
	if address.IsLoopback() {
		return []string{"localhost"}, true
	}
	if z == nil {
		return nil, false
	}
	names = z.names[address]
	return names, len(names) > 0 || slices.ContainsFunc(z.local, func(p netip.Prefix) bool { return p.Contains(address) })
}

// isPrivate reports whether a name, in lower case, is none that other name servers may be asked
// for: invalid (RFC 6761 §6.4), onion (RFC 7686), and resolver.arpa (RFC 9462 §6.4), by which
// programs find another name server to ask in this one's place.
func isPrivate(name string) bool {
	for _, top := range []string{"invalid", "onion", "resolver.arpa"} {
		if name == top || strings.HasSuffix(name, "."+top) {
			return true
		}
	}
	return false
}

// reversed returns the address that a name for the way back stands for, such as
// 1.0.77.10.in-addr.arpa (RFC 1035 §3.5) and its kin of 32 digits in ip6.arpa (RFC 3596 §2.5).
func reversed(name string) (netip.Addr, bool) {
	if rest, ok := strings.CutSuffix(name, ".in-addr.arpa"); ok {
		labels := strings.Split(rest, ".")
		slices.Reverse(labels)
		address, err := netip.ParseAddr(strings.Join(labels, "."))
		return address, err == nil && address.Is4()
	}
	rest, ok := strings.CutSuffix(name, ".ip6.arpa")
	if !ok || len(rest) != 63 {
		return netip.Addr{}, false
	}
	var text strings.Builder
	for i := len(rest) - 1; i >= 0; i -= 2 {
		if i > 0 && rest[i-1] != '.' {
			return netip.Addr{}, false
		}
		text.WriteByte(rest[i])
		if text.Len()%5 == 4 && i > 0 {
			text.WriteByte(':')
		}
	}
	address, err := netip.ParseAddr(text.String())
	return address, err == nil && address.Is6()
}
