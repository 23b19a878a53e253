package simnet

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/wsstack/wsstack/stack"
)

// Router makes a router: a Host that forwards packets between its links, each of which has to have
// Addresses of the router.
//
//	r := n.Router("r")
//	n.Link(a, r, simnet.Addresses(r, "10.1.0.1/24"))
//	n.Link(r, b, simnet.Addresses(r, "10.2.0.1/24"), simnet.From(r, simnet.Rate(1_000_000, 0)))
//
// It counts hops and sends ICMP errors as stack.Config.Forwarding has it: time exceeded,
// unreachable where it has no route, too big. Each of its ports has the queue that the impairments
// of its direction of that link describe, and the counters of Link.Stats. What is on link with its
// addresses it reaches by itself; Route and AutoRoutes tell it of more. It has all that a Host has,
// so programs can run on it.
func (n *Network) Router(name string) *Host {
	if n.tb != nil {
		n.tb.Helper()
	}
	return n.RouterConfig(name, stack.Config{})
}

// RouterConfig makes a router with a configuration of your own. Addresses, Routes and MTU belong to
// the links, and stay empty.
func (n *Network) RouterConfig(name string, cfg stack.Config) *Host {
	if n.tb != nil {
		n.tb.Helper()
	}
	if len(cfg.Addresses) > 0 || cfg.Routes != nil || cfg.MTU != 0 {
		n.must(fmt.Errorf("simnet: router %s: addresses and MTUs are options of its links, and Route adds routes", name))
	}
	cfg.Forwarding = true
	h, err := n.newHost(name, cfg, true)
	n.must(err)
	return h
}

// Route sends what is for a destination by way of a router, whose address is on link with an
// interface of the host. The destination is a prefix such as "10.2.0.0/16", or "default" for
// everything of the family of via for which there is no other route. The route replaces the one
// that the host had for the same destination.
//
// A host that is alone on a link with a router needs no routes: a link has no more than one other
// end. Beside a Switch a host without a default route has the router that was linked first.
func (h *Host) Route(destination, via string) {
	if h.n.tb != nil {
		h.n.tb.Helper()
	}
	h.n.must(h.route(destination, via))
}

func (h *Host) route(destination, via string) error {
	gateway, err := netip.ParseAddr(via)
	if err != nil {
		return fmt.Errorf("simnet: route of %s to %s: via %q: want the address of a router, such as 10.0.0.1", h.name, destination, via)
	}
	p, err := parseDestination(destination, gateway)
	if err != nil {
		return fmt.Errorf("simnet: route of %s: %w", h.name, err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	e, err := h.endTo(gateway)
	if err == nil {
		err = h.setRoute(stack.Route{Destination: p, Gateway: gateway, Device: e.outer})
	}
	if err != nil {
		return fmt.Errorf("simnet: route of %s to %s via %s: %w", h.name, destination, via, err)
	}
	delete(h.auto, p)
	return nil
}

// Unroute takes away the route that Route has added for a destination, or the default route of a
// new host; "default" is that of both families.
func (h *Host) Unroute(destination string) {
	if h.n.tb != nil {
		h.n.tb.Helper()
	}
	h.n.must(h.unroute(destination))
}

func (h *Host) unroute(destination string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	var list []netip.Prefix
	for _, like := range []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()} {
		p, err := parseDestination(destination, like)
		if err != nil && !p.IsValid() {
			return fmt.Errorf("simnet: route of %s: %w", h.name, err)
		}
		if _, ok := h.routes[p]; ok && err == nil {
			list = append(list, p)
		}
	}
	if len(list) == 0 {
		return fmt.Errorf("simnet: %s has no route to %s", h.name, destination)
	}
	for _, p := range list {
		h.dropRoute(p)
	}
	return nil
}

// parseDestination reads the destination of a route, of the family of an address.
func parseDestination(s string, like netip.Addr) (netip.Prefix, error) {
	if s == "default" {
		if like.Is4() {
			return netip.PrefixFrom(netip.IPv4Unspecified(), 0), nil
		}
		return netip.PrefixFrom(netip.IPv6Unspecified(), 0), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return p, fmt.Errorf("destination %q: want a prefix such as 10.2.0.0/16, or default", s)
	}
	if p.Addr().Is4() != like.Is4() {
		return p, fmt.Errorf("destination %s: %s is of the other family", s, like)
	}
	return p.Masked(), nil
}

// endTo is the interface that an address is on link with. The caller holds h.mu.
func (h *Host) endTo(a netip.Addr) (*linkEnd, error) {
	var found *linkEnd
	for _, e := range h.ends {
		for _, p := range e.addresses() {
			switch {
			case p.Addr() == a:
				return nil, errors.New("that is its own address")
			case !p.Contains(a) || found == e:
			case found != nil:
				return nil, errors.New("several of its interfaces are on link with that address")
			default:
				found = e
			}
		}
	}
	if found == nil {
		return nil, errors.New("none of its interfaces is on link with that address")
	}
	return found, nil
}

// setRoute adds a route, instead of the one for the same destination: at no moment there is none.
// The caller holds h.mu.
func (h *Host) setRoute(r stack.Route) error {
	old, ok := h.routes[r.Destination]
	if ok && old == r {
		return nil
	}
	if err := h.Stack.AddRoute(r); err != nil {
		return err
	}
	h.routes[r.Destination] = r
	if ok {
		_ = h.Stack.RemoveRoute(old) // it may be gone with its device
	}
	return nil
}

// dropRoute takes a route away. The caller holds h.mu.
func (h *Host) dropRoute(p netip.Prefix) {
	_ = h.Stack.RemoveRoute(h.routes[p]) // it may be gone with its device
	delete(h.routes, p)
	delete(h.auto, p)
}

// routesOf are the routes that a configuration makes, by destination.
func routesOf(cfg *stack.Config) map[netip.Prefix]stack.Route {
	routes := map[netip.Prefix]stack.Route{}
	list := cfg.Routes
	if list == nil && cfg.Device != nil {
		list = []stack.Route{{Destination: netip.PrefixFrom(netip.IPv4Unspecified(), 0)}, {Destination: netip.PrefixFrom(netip.IPv6Unspecified(), 0)}}
	}
	for _, r := range list {
		r.Destination = r.Destination.Masked()
		if _, ok := routes[r.Destination]; !ok {
			routes[r.Destination] = r
		}
	}
	return routes
}

// Links are the links of the host, the oldest first.
func (h *Host) Links() []*Link { return h.n.linksOf(h) }

// Partition pulls all cables of the host until Heal: nothing that it sends leaves, and nothing that
// others send from then on arrives. Its programs and its connections go on. Links that are cut by
// themselves stay so after Heal. A crash is Close.
func (h *Host) Partition() { h.n.cut(h, true) }

// Heal ends a Partition.
func (h *Host) Heal() { h.n.cut(h, false) }
