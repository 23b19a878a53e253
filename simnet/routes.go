package simnet

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/wsstack/wsstack/stack"
)

// AutoRoutes gives every host and router the routes that it needs to reach all networks of the
// topology, by as few routers as possible. Of ways of the same length it takes the one whose links
// were made first. A host that is no router, and has one router to go by, gets a default route.
// Routes of Route stay as they are, and count as they are.
//
// AutoRoutes looks at what is there now: call it when all links are made, and again after changes,
// as a routing protocol would find out. Links, routers and switches that are cut don't count then;
// those that only lose packets do. Networks of IPv4 behind a NAT are nobody's outside. What an
// earlier call has added, and is no longer true, goes.
func (n *Network) AutoRoutes() {
	if n.tb != nil {
		n.tb.Helper()
	}
	n.must(n.autoRoutes())
}

func (n *Network) autoRoutes() error {
	n.topology.mu.Lock()
	defer n.topology.mu.Unlock()
	n.mu.Lock()
	hosts := slices.DeleteFunc(slices.Clone(n.hosts), func(h *Host) bool { return h.closed.Load() })
	n.mu.Unlock()
	m := newRouteMap(hosts)
	for _, h := range hosts {
		for _, v4 := range []bool{true, false} {
			if err := h.setAutoRoutes(m.from(h, v4), v4); err != nil {
				return err
			}
		}
	}
	return nil
}

// A segment is what is reached without a router.
type segment struct {
	routers  []*linkEnd     // the ends of routers, the oldest first
	networks []netip.Prefix // what is on link there, but for link-local prefixes
}

// A routeMap is the topology as routes see it.
type routeMap struct {
	ends     map[*Host][]*linkEnd
	segments map[*linkEnd]*segment
	prefixes map[*linkEnd][]netip.Prefix // the addresses of an end
}

func newRouteMap(hosts []*Host) *routeMap {
	m := &routeMap{ends: map[*Host][]*linkEnd{}, segments: map[*linkEnd]*segment{}, prefixes: map[*linkEnd][]netip.Prefix{}}
	for _, h := range hosts {
		h.mu.Lock()
		m.ends[h] = slices.Clone(h.ends)
		h.mu.Unlock()
		for _, e := range m.ends[h] {
			m.prefixes[e] = e.addresses()
		}
	}
	for _, h := range hosts {
		for _, e := range m.ends[h] {
			if m.segments[e] == nil {
				m.addSegment(e)
			}
		}
	}
	return m
}

// addSegment finds out who is on the segment of an end. An end whose link is cut is on none.
func (m *routeMap) addSegment(e *linkEnd) {
	s := &segment{}
	m.segments[e] = s
	if !e.connectedLocked() {
		return
	}
	add := func(o *linkEnd) {
		if o.host == nil || o.host.closed.Load() {
			return
		}
		m.segments[o] = s
		if o.host.forwards {
			s.routers = append(s.routers, o)
		}
		for _, p := range m.prefixes[o] {
			if p := p.Masked(); !p.Addr().IsLinkLocalUnicast() && !slices.Contains(s.networks, p) {
				s.networks = append(s.networks, p)
			}
		}
	}
	add(e)
	e.walk((*linkEnd).connectedLocked, add)
	slices.SortFunc(s.routers, func(a, b *linkEnd) int { return cmp.Compare(a.id, b.id) })
}

// A step is where a host sends packets first.
type step struct {
	end *linkEnd
	via netip.Addr
}

// from finds the routes of a host, of one family: the networks, nearest first.
func (m *routeMap) from(h *Host, v4 bool) (routes []stack.Route) {
	first := map[*Host]step{h: {}} // of each router that was found
	seen := map[netip.Prefix]bool{}
	for _, e := range m.ends[h] {
		for _, p := range m.prefixes[e] {
			seen[p.Masked()] = true // on link
		}
	}
	for queue := []*Host{h}; len(queue) > 0; queue = queue[1:] {
		x := queue[0]
		for _, e := range m.ends[x] {
			s, to := m.segments[e], first[x]
			for _, p := range s.networks {
				if x != h && p.Addr().Is4() == v4 && !seen[p] {
					seen[p] = true
					routes = append(routes, stack.Route{Destination: p, Gateway: to.via, Device: to.end.outer})
				}
			}
			for _, r := range s.routers {
				if _, found := first[r.host]; found || v4 && r.port.translates() {
					continue // nobody outside reaches what is behind a NAT
				}
				via, ok := m.beside(e, r, v4)
				if !ok {
					continue
				}
				first[r.host] = to
				if x == h {
					first[r.host] = step{e, via}
				}
				queue = append(queue, r.host)
			}
		}
	}
	return routes
}

// beside is the address of a router's end that is on link with another end.
func (m *routeMap) beside(e, router *linkEnd, v4 bool) (netip.Addr, bool) {
	for _, p := range m.prefixes[router] {
		a := p.Addr()
		if a.Is4() != v4 {
			continue
		}
		if slices.ContainsFunc(m.prefixes[e], func(o netip.Prefix) bool { return o.Contains(a) }) {
			return a, true
		}
	}
	return netip.Addr{}, false
}

// setAutoRoutes gives a host the routes of one family, and takes away those of an earlier call.
func (h *Host) setAutoRoutes(routes []stack.Route, v4 bool) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.forwards {
		routes = byDefault(routes)
	}
	stays := map[netip.Prefix]bool{}
	for _, r := range routes {
		p := r.Destination
		stays[p] = true
		old, ok := h.routes[p]
		if ok && !h.auto[p] && (old.Gateway.IsValid() || p.Bits() > 0) {
			continue // of Route
		}
		if err := h.setRoute(r); err != nil {
			return fmt.Errorf("simnet: AutoRoutes: %s: %w", h.name, err)
		}
		h.auto[p] = true
	}
	gone := slices.SortedFunc(maps.Keys(h.auto), func(a, b netip.Prefix) int { return cmp.Compare(a.String(), b.String()) })
	for _, p := range gone {
		if !stays[p] && p.Addr().Is4() == v4 {
			h.dropRoute(p)
		}
	}
	return nil
}

// byDefault makes one default route of routes that all go to the same router.
func byDefault(routes []stack.Route) []stack.Route {
	if len(routes) == 0 {
		return nil
	}
	all := routes[0]
	for _, r := range routes {
		if r.Gateway != all.Gateway || r.Device != all.Device {
			return routes
		}
	}
	all.Destination = netip.PrefixFrom(all.Destination.Addr(), 0).Masked()
	return []stack.Route{all}
}
