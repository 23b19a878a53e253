package testbed

import (
	"net/netip"
	"slices"
)

// A hop is a route of a host in a network: what is for a destination goes to a router on a link.
type hop struct {
	destination netip.Prefix
	via         netip.Addr
	link        int // the number of the link
}

// everything are the destinations that a gateway is for.
var everything = []netip.Prefix{
	netip.PrefixFrom(netip.IPv4Unspecified(), 0),
	netip.PrefixFrom(netip.IPv6Unspecified(), 0),
}

// routes returns the routes of a host: those of its description, and else the ways to all networks
// by as few routers as possible. Where there is a gateway, everything else goes to the nearest one,
// but for what the machine itself sends: the gateway's own connections are among that, and would
// come back to it. Of two ways of the same length, it is the one whose links come first.
func (n *Network) routes(host int) []hop {
	var hops []hop
	seen := map[netip.Prefix]bool{}
	for _, r := range n.Hosts[host].Routes {
		hops = append(hops, hop{r.Destination.Masked(), r.Via, n.linkTo(n.Hosts[host].Name, r.Via)})
		seen[r.Destination.Masked()] = true
	}
	for _, p := range n.networks(host) {
		seen[p] = true // on link
	}
	n.walk(host, func(x int, v4 bool, first hop) {
		if x == host {
			return
		}
		for _, p := range n.beyond(x) {
			loop := n.Hosts[host].Kind == System && p.Bits() == 0
			if p.Addr().Is4() == v4 && !seen[p] && !loop {
				seen[p] = true
				hops = append(hops, hop{p, first.via, first.link})
			}
		}
	})
	return hops
}

// walk visits all hosts that a host reaches, of each family the nearest first, with the first hop
// on the way there. The first visit is to the host itself.
func (n *Network) walk(host int, visit func(x int, v4 bool, first hop)) {
	for _, v4 := range []bool{true, false} {
		first := map[int]hop{host: {}}
		for queue := []int{host}; len(queue) > 0; queue = queue[1:] {
			x := queue[0]
			visit(x, v4, first[x])
			if x != host && n.Hosts[x].Kind != Router {
				continue // it hands nothing on
			}
			for i := range n.Links {
				y, via, ok := n.across(x, i, v4)
				if !ok {
					continue
				}
				if _, found := first[y]; found {
					continue
				}
				first[y] = first[x]
				if x == host {
					first[y] = hop{via: via, link: i}
				}
				queue = append(queue, y)
			}
		}
	}
}

// networks are the networks on the links of a host.
func (n *Network) networks(host int) (list []netip.Prefix) {
	for i := range n.Links {
		if end, ok := n.Links[i].end(n.Hosts[host].Name); ok {
			for _, p := range n.Links[i].Ends[end].Addresses {
				list = append(list, p.Masked())
			}
		}
	}
	return list
}

// beyond are the networks that a host hands packets on to, or takes them for.
func (n *Network) beyond(host int) (list []netip.Prefix) {
	h := &n.Hosts[host]
	if h.Kind == Router {
		list = n.networks(host)
	}
	if h.Gateway != nil {
		list = append(list, everything...)
	}
	return list
}

// across is the host at the other end of a link, and its address there.
func (n *Network) across(host, link int, v4 bool) (other int, via netip.Addr, ok bool) {
	l := &n.Links[link]
	end, ok := l.end(n.Hosts[host].Name)
	if !ok {
		return 0, via, false
	}
	far := l.Ends[1-end]
	for _, p := range far.Addresses {
		if p.Addr().Is4() == v4 {
			return n.index(far.Host), p.Addr(), true
		}
	}
	return 0, via, false
}

// index is the number of a host.
func (n *Network) index(name string) int {
	return slices.IndexFunc(n.Hosts, func(h Host) bool { return h.Name == name })
}

// nameServers are the addresses of the nearest host with a Resolver, one of each family.
func (n *Network) nameServers(host int) []netip.Addr {
	var servers []netip.Addr
	var done [2]bool
	n.walk(host, func(x int, v4 bool, first hop) {
		family := 0
		if !v4 {
			family = 1
		}
		if x == host || n.Hosts[x].Resolver == nil || done[family] {
			return
		}
		if a := n.addressOf(x, v4, first); a.IsValid() {
			servers, done[family] = append(servers, a), true
		}
	})
	return servers
}

// addressOf is an address of a host: the first hop itself, where that is one of its, or else its
// first one of the family.
func (n *Network) addressOf(host int, v4 bool, first hop) netip.Addr {
	var found netip.Addr
	for i := range n.Links {
		end, ok := n.Links[i].end(n.Hosts[host].Name)
		if !ok {
			continue
		}
		for _, p := range n.Links[i].Ends[end].Addresses {
			if p.Addr() == first.via {
				return first.via
			}
			if !found.IsValid() && p.Addr().Is4() == v4 {
				found = p.Addr()
			}
		}
	}
	return found
}
