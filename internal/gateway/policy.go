package gateway

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"syscall"
)

// A Policy says which destinations the way out is for. The zero value permits
// everything but what no policy permits.
//
// A destination is judged in this order; the first rule that applies decides:
//
//  1. An address of HostLoopback permits, whatever the rest says, and leads to the
//     loopback of the host.
//  2. What would be the host itself, its link or a crowd is denied, and no prefix permits it: the
//     loopback (127.0.0.0/8, ::1), the unspecified addresses with all of 0.0.0.0/8, link-local
//     addresses (169.254.0.0/16, where clouds have the metadata of a machine, and fe80::/10),
//     multicast, broadcast and the rest of 240.0.0.0/4.
//  3. An address of IPv6 that has one of IPv4 in it, as 2002:7f00:1:: has, is denied where the
//     one in it is. It needs its own permission as well.
//  4. The longest prefix of Allow and Deny that has the address decides; of two that are
//     equal, that of Deny. The other addresses at which clouds have metadata or credentials, such as
//     100.100.100.200 and fd00:ec2::254, are in Deny always, with a prefix that is one bit short:
//     Allow of such an address permits it.
//  5. What no prefix has is denied if there is an Allow, else permitted.
//
// A Policy judges addresses, never names: a name that resolves to a denied address leads
// nowhere, when and however it does so. A Policy is a value that nobody changes; all
// methods are safe for concurrent use.
type Policy struct {
	Allow, Deny []netip.Prefix

	// HostLoopback are the addresses, one of a family at most, that stand for
	// 127.0.0.1 and ::1 of the host.
	HostLoopback []netip.Addr
}

// Errors of a Policy, as the network reports them (RFC 1812 §5.2.7.1).
const errProhibited = syscall.EACCES

// never are the destinations that no prefix permits.
var never = prefixes(
	"127.0.0.0/8", "::1/128", // the loopback: RFC 1122 §3.2.1.3 (g), RFC 4291 §2.5.3
	"0.0.0.0/8", "::/128", // this host on this network; a connect to them is one to the loopback
	"169.254.0.0/16", "fe80::/10", "fec0::/10", // this link, and site: RFC 3927, RFC 4291 §2.5.6, RFC 3879
	"224.0.0.0/4", "ff00::/8", // multicast
	"240.0.0.0/4", // reserved, and the limited broadcast: RFC 1112 §4, RFC 919
)

// byDefault are the prefixes that Deny has always: what clouds tell their machines, and nobody
// else, at addresses that aren't link-local. Each is one bit short.
var byDefault = prefixes(
	"100.100.100.200/31",                       // Alibaba
	"168.63.129.16/31",                         // Azure: the wire server, which has certificates and settings
	"192.0.0.192/31", "fd00:c1::a9fe:a9fe/127", // Oracle
	"fd00:ec2::254/127", "fd00:ec2::23/127", // Amazon: metadata, and the credentials of pods
	"fd20:ce::254/127", // Google
	"fd00:42::42/127",  // Scaleway
)

func prefixes(texts ...string) (list []netip.Prefix) {
	for _, text := range texts {
		list = append(list, netip.MustParsePrefix(text))
	}
	return list
}

// Resolve returns the address of the host's side that a destination leads to, or the error
// syscall.EACCES.
func (p *Policy) Resolve(to netip.Addr) (netip.Addr, error) {
	to = to.Unmap().WithZone("")
	if slices.Contains(p.HostLoopback, to) {
		if to.Is4() {
			return netip.AddrFrom4([4]byte{127, 0, 0, 1}), nil
		}
		return netip.IPv6Loopback(), nil
	}
	if !to.IsValid() || !p.permits(to) {
		return netip.Addr{}, errProhibited
	}
	return to, nil
}

func (p *Policy) permits(to netip.Addr) bool {
	if longest(never, to) >= 0 {
		return false
	}
	if inner, ok := embedded(to); ok && (longest(never, inner) >= 0 || p.denies(inner)) {
		return false
	}
	allow, deny := longest(p.Allow, to), max(longest(p.Deny, to), longest(byDefault, to))
	if allow < 0 && deny < 0 {
		return len(p.Allow) == 0
	}
	return allow > deny
}

// denies reports an address that a prefix denies; that none permits is no reason.
func (p *Policy) denies(a netip.Addr) bool {
	deny := max(longest(p.Deny, a), longest(byDefault, a))
	return deny >= 0 && deny >= longest(p.Allow, a)
}

// longest is the length of the longest prefix that has an address, -1 when none has.
func longest(list []netip.Prefix, a netip.Addr) int {
	n := -1
	for _, p := range list {
		if p.Contains(a) {
			n = max(n, p.Bits())
		}
	}
	return n
}

// String says what is permitted, in words for people.
func (p *Policy) String() string {
	var words []string
	for _, list := range []struct {
		word     string
		prefixes []netip.Prefix
	}{{"only to", p.Allow}, {"not to", p.Deny}} {
		if len(list.prefixes) > 0 {
			words = append(words, list.word+" "+join(list.prefixes))
		}
	}
	if len(p.HostLoopback) > 0 {
		words = append(words, "the host's loopback as "+join(p.HostLoopback))
	}
	if len(words) == 0 {
		return "to everywhere but the host's loopback and its link"
	}
	return strings.Join(words, ", ")
}

func join[T fmt.Stringer](list []T) string {
	words := make([]string, len(list))
	for i, item := range list {
		words[i] = item.String()
	}
	return strings.Join(words, " ")
}
