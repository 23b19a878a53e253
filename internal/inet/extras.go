package inet

import "net/netip"

// Extras are what a socket adds to the headers of its packets: the options of IPv4, or the extension
// headers of IPv6. The strings are the bytes as they were set; "" is none. They are well formed, as
// package options has checked: IPv4's fill whole words, a header of IPv6 is as long as it says.
type Extras struct {
	Options     string // of IPv4, 40 bytes at most; of IPv6, the header of hop-by-hop options
	Routing     string // the routing header of IPv6
	Destination string // the header of destination options of IPv6
}

// The numbers of RFC 791 §3.1.
const (
	optionEnd   = 0
	optionNOP   = 1
	looseRoute  = 131
	strictRoute = 137
	copied      = 0x80 // the flag of the options that every fragment has
	routeHops   = 3    // where the addresses of a source route begin
)

// The numbers of RFC 8200 §4, and the types of routing headers whose first hop and destination are
// known.
const (
	HopByHop           = 0
	RoutingHeader      = 43
	DestinationOptions = 60

	mobileRouting  = 2 // RFC 6275 §6.4: one address
	segmentRouting = 4 // RFC 8754 §2: segments, the last one first
	headerHops     = 8 // where the addresses of a routing header begin
)

// Size is how many bytes the Extras add to a packet that isn't cut up.
func (x *Extras) Size() int {
	if x == nil {
		return 0
	}
	return len(x.Options) + len(x.Routing) + len(x.Destination)
}

// Hop is the address that a packet to a destination is sent to: the first one of the source route
// or of the routing header, else the destination itself.
func (x *Extras) Hop(destination netip.Addr) netip.Addr {
	if x == nil {
		return destination
	}
	var hop string
	if destination.Is4() {
		if route := sourceRoute([]byte(x.Options)); len(route) > routeHops {
			hop = string(route[routeHops : routeHops+4])
		}
	} else if at, ok := firstSegment(x.Routing); ok {
		hop = x.Routing[at : at+16]
	}
	if a, ok := netip.AddrFromSlice([]byte(hop)); ok {
		return a
	}
	return destination
}

// Options4 are the options of an IPv4 packet to a destination: those of its later fragments are the
// ones that are copied. A source route is set as the hops before the destination; on the wire the
// first hop is the header's destination, and the last address of the route the real one (RFC 791
// §3.1).
func (x *Extras) Options4(destination netip.Addr, later bool) []byte {
	if x == nil {
		return nil
	}
	options := []byte(x.Options)
	if route := sourceRoute(options); len(route) > routeHops {
		copy(route[routeHops:], route[routeHops+4:])
		copy(route[len(route)-4:], destination.AsSlice())
	}
	if !later {
		return options
	}
	var kept []byte
	eachOption(options, func(o []byte) {
		if o[0]&copied != 0 {
			kept = append(kept, o...)
		}
	})
	return append(kept, make([]byte, -len(kept)&3)...)
}

// Before6 are the extension headers of an IPv6 packet to a destination that stand before that of a
// fragment, the number of the first header, and next that of what follows them. A routing header is
// set as Options4 has a source route (RFC 3542 §7).
func (x *Extras) Before6(destination netip.Addr, next uint8) (first uint8, headers []byte) {
	if x == nil {
		return next, nil
	}
	routing := []byte(x.Routing)
	if len(routing) > 0 {
		if at, ok := firstSegment(x.Routing); ok {
			copy(routing[lastSegment(routing[2], at):], destination.AsSlice())
		}
		next, routing[0] = RoutingHeader, next
	}
	options := []byte(x.Options)
	if len(options) > 0 {
		next, options[0] = HopByHop, next
	}
	return next, append(options, routing...)
}

// Behind6 is the header of destination options, which stands behind that of a fragment and is cut up
// with the payload; first and next are as for Before6.
func (x *Extras) Behind6(next uint8) (first uint8, headers []byte) {
	if x == nil || x.Destination == "" {
		return next, nil
	}
	headers = []byte(x.Destination)
	headers[0] = next
	return DestinationOptions, headers
}

// firstSegment is where a routing header has the address of the first hop; not ok where it has none.
func firstSegment(routing string) (at int, ok bool) {
	if routing == "" || routing[3] == 0 {
		return 0, false
	}
	switch routing[2] {
	case mobileRouting:
		return headerHops, true
	case segmentRouting:
		return headerHops + 16*int(routing[3]), true
	}
	return 0, false
}

// lastSegment is where the destination stands in a routing header of a type whose first hop is at
// some place.
func lastSegment(typ uint8, first int) int {
	if typ == segmentRouting {
		return headerHops
	}
	return first
}

// sourceRoute is the source route among options of IPv4, a part of them; nil: there is none.
func sourceRoute(options []byte) (route []byte) {
	eachOption(options, func(o []byte) {
		if o[0] == looseRoute || o[0] == strictRoute {
			route = o
		}
	})
	return route
}

// eachOption calls f for each option of IPv4 but fillers.
func eachOption(options []byte, f func(option []byte)) {
	for len(options) > 0 && options[0] != optionEnd {
		n := 1
		if options[0] != optionNOP {
			n = int(options[1])
			f(options[:n])
		}
		options = options[n:]
	}
}
