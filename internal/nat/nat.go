// Package nat is a network address translator as a table: source NAT of TCP, UDP and ICMP echo over
// IPv4 (RFC 4787, RFC 5382, RFC 5508). The caller passes each packet and the time in, and gets a
// verdict; a packet that passes was rewritten in place. A [Table] holds no clock and starts no
// goroutine.
//
//	inside hosts ──Outbound──▶ ┌───────┐ ──▶ outside
//	inside hosts ◀──Inbound─── │ Table │ ◀── outside
//	inside hosts ◀──Inside───▶ └───────┘     (hairpinning: to the outside address from inside)
//
// A mapping gives an endpoint of an inside host a port of the outside address. A session is what a
// mapping has with one endpoint outside: sessions have the timers, and a mapping lasts as long as
// one of its sessions. Packets of IPv6 pass as they are: a router beside a NAT of IPv4 routes them.
package nat

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"
)

// A Behaviour says what of an endpoint outside counts, for mappings (RFC 4787 §4.1) or for
// filtering (RFC 4787 §5).
type Behaviour uint8

// The behaviours.
const (
	EndpointIndependent     Behaviour = iota // Nothing counts: there is one mapping for all, and all may answer.
	AddressDependent                         // The address counts.
	AddressAndPortDependent                  // The address and the port count.
)

// String returns the words of RFC 4787.
func (b Behaviour) String() string {
	switch b {
	case EndpointIndependent:
		return "endpoint-independent"
	case AddressDependent:
		return "address-dependent"
	case AddressAndPortDependent:
		return "address-and-port-dependent"
	}
	return fmt.Sprintf("behaviour %d", uint8(b))
}

// A Protocol is the number of a protocol that is translated.
type Protocol uint8

// The protocols.
const (
	ICMP Protocol = 1  // ICMP echo: the identifier of a request takes the part of the port.
	TCP  Protocol = 6  // TCP.
	UDP  Protocol = 17 // UDP.
)

// String returns the name of the protocol.
func (p Protocol) String() string {
	switch p {
	case ICMP:
		return "ICMP"
	case TCP:
		return "TCP"
	case UDP:
		return "UDP"
	}
	return fmt.Sprintf("protocol %d", uint8(p))
}

// A Forward is a static mapping of a port of the outside address: what anybody sends to the port
// goes to an inside endpoint. A Forward to the outside address itself keeps the port for the
// sockets of the router.
type Forward struct {
	Protocol Protocol       // TCP or UDP
	Port     uint16         // of the outside address
	To       netip.AddrPort // the inside endpoint
}

// Timeouts are how long sessions last without a packet. Zero fields stand for the defaults.
type Timeouts struct {
	// UDP is 5 minutes by default (RFC 4787 REQ-5 wants 2 minutes at least).
	UDP time.Duration
	// Established is that of TCP connections: 2 hours and 4 minutes by default, and RFC 5382 REQ-5
	// wants as much.
	Established time.Duration
	// Transitory is that of TCP connections that are being opened or closed: 4 minutes by default,
	// and RFC 5382 REQ-5 wants as much.
	Transitory time.Duration
	// ICMP is 60 seconds by default, and RFC 5508 REQ-2 wants as much.
	ICMP time.Duration
}

// Config describes a translator. All fields but Outside have defaults.
type Config struct {
	// Outside is the address that inside hosts share: an IPv4 address of the router.
	Outside netip.Addr

	// Inside are the addresses that are translated; empty: all but Outside. What comes from outside
	// for such an address is dropped.
	Inside []netip.Prefix

	// Mapping says for which destinations an endpoint keeps its mapping. RFC 4787 REQ-1 wants
	// EndpointIndependent, which is the default.
	Mapping Behaviour

	// Filtering says who outside may send to a mapping.
	Filtering Behaviour

	// FirstPort and LastPort are the ports of Outside that mappings may have; both 0: 1 to 65535.
	// An endpoint with a port below 1024 gets one below 1024, if one is free, and the others get
	// one from 1024 on (RFC 4787 REQ-3 (a)). They don't apply to Forwards and to ICMP.
	FirstPort, LastPort uint16

	// RandomPorts chooses ports at random. Without it an endpoint gets its own port, if that is
	// free. UDP ports stay even or odd in either case, as long as there is one (RFC 4787 REQ-4).
	RandomPorts bool

	// InboundRefresh lets packets from outside prolong sessions of UDP, too (RFC 4787 REQ-6).
	InboundRefresh bool

	// NoHairpinning drops what inside hosts send to mappings of Outside.
	NoHairpinning bool

	// Timeouts are how long sessions last.
	Timeouts Timeouts

	// Sessions is how many sessions there may be; 0: 4096. When there are as many, a new session of
	// an inside host takes the place of the one that would end first. One that begins outside is
	// refused instead.
	Sessions int

	// Forwards are the static mappings. They are filtered for nobody.
	Forwards []Forward

	// Rand is the source of random ports; nil: one with a constant seed. Nobody else may use it.
	Rand rand.Source
}

// The defaults of Config.
const (
	defaultSessions    = 4096
	defaultUDP         = 5 * time.Minute
	defaultEstablished = 2*time.Hour + 4*time.Minute
	defaultTransitory  = 4 * time.Minute
	defaultICMP        = time.Minute
)

// withDefaults fills in the defaults, and says what is impossible.
func (c Config) withDefaults() (Config, error) {
	switch {
	case !c.Outside.Is4() || !c.Outside.IsGlobalUnicast():
		return c, fmt.Errorf("nat: Outside: %v is no IPv4 address of a host", c.Outside)
	case c.Mapping > AddressAndPortDependent:
		return c, fmt.Errorf("nat: Mapping: there is no %v", c.Mapping)
	case c.Filtering > AddressAndPortDependent:
		return c, fmt.Errorf("nat: Filtering: there is no %v", c.Filtering)
	case c.LastPort < c.FirstPort, c.FirstPort == 0 && c.LastPort != 0:
		return c, fmt.Errorf("nat: FirstPort and LastPort: %d to %d is no range of ports", c.FirstPort, c.LastPort)
	case c.Sessions < 0:
		return c, fmt.Errorf("nat: Sessions: %d is negative", c.Sessions)
	}
	for _, p := range c.Inside {
		if !p.IsValid() || !p.Addr().Is4() {
			return c, fmt.Errorf("nat: Inside: %v is no network of IPv4", p)
		}
	}
	if c.LastPort == 0 {
		c.FirstPort, c.LastPort = 1, 65535
	}
	if c.Sessions == 0 {
		c.Sessions = defaultSessions
	}
	if c.Rand == nil {
		c.Rand = rand.NewPCG(1, 1)
	}
	for _, d := range [...]struct {
		name      string
		field     *time.Duration
		otherwise time.Duration
	}{
		{"UDP", &c.Timeouts.UDP, defaultUDP}, {"Established", &c.Timeouts.Established, defaultEstablished},
		{"Transitory", &c.Timeouts.Transitory, defaultTransitory}, {"ICMP", &c.Timeouts.ICMP, defaultICMP},
	} {
		if *d.field < 0 {
			return c, fmt.Errorf("nat: Timeouts.%s: %v is negative", d.name, *d.field)
		}
		if *d.field == 0 {
			*d.field = d.otherwise
		}
	}
	return c, nil
}
