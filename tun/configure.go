package tun

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/wsstack/wsstack/internal/inet"
)

// Config says what [Configure] does to an interface. The zero Config brings the interface up and
// does nothing else.
type Config struct {
	// Addresses are the addresses that the interface gets, each with the on-link route of its
	// prefix. There is no duplicate address detection for IPv6 addresses. When Configure returns,
	// all addresses of an interface that a program has open are usable.
	Addresses []netip.Prefix

	// MTU is the MTU that the interface gets, in bytes: 68 to 65535, and at least 1280 with IPv6
	// addresses. 0 keeps the MTU that the interface has.
	MTU int

	// NoAddrGen switches off the automatic generation of IPv6 addresses. An interface without an
	// IPv6 address in Addresses then has no IPv6 address at all, and sends no router solicitations.
	NoAddrGen bool

	// Congestion is the name of the congestion control that the kernel uses for TCP connections
	// over routes of the interface, such as "reno" or "cubic" (congctl in ip-route(8)). Empty
	// stands for the default of the system. BBR is slow here: BBR paces, so each 64 KiB that a TUN
	// interface with offload would take at once waits for a timer.
	Congestion string

	// Routes are the routes through the interface, besides those of Addresses.
	Routes []Route
}

// A Route is a route through an interface.
type Route struct {
	Destination netip.Prefix // what the route is for; 0.0.0.0/0 or ::/0 makes it the default route

	// Gateway is the router at the other end of the link, which must be in the prefix of an address
	// of the interface. The zero Addr is a route without one. To a TUN interface that makes no
	// difference: all packets are for its device.
	Gateway netip.Addr
}

// Configure sets up the interface of the operating system with this name, in the network namespace
// of the calling thread: it sets the MTU and the address generation, adds the addresses, brings the
// interface up, adds the routes, and sets the congestion control of all routes of the interface.
// Configure works on Linux only; on other systems the error is errors.ErrUnsupported. Configure
// uses netlink and runs no command.
//
// The error names the step that has failed, and the address if there is one. Earlier steps stay
// done.
func Configure(name string, c Config) error {
	if err := c.validate(); err != nil {
		return fmt.Errorf("tun: configure %s: %w", name, err)
	}
	if err := configure(name, c); err != nil {
		return fmt.Errorf("tun: configure %s: %w", name, err)
	}
	return nil
}

func (c *Config) validate() error {
	if c.MTU != 0 && (c.MTU < inet.MinMTU4 || c.MTU > inet.MaxMTU) {
		return fmt.Errorf("MTU is %d, must be %d to %d, or 0 to leave it", c.MTU, inet.MinMTU4, inet.MaxMTU)
	}
	for i, prefix := range c.Addresses {
		addr := prefix.Addr()
		switch {
		case !prefix.IsValid():
			return fmt.Errorf("address %d of %d is not a prefix", i+1, len(c.Addresses))
		case addr.Is4In6():
			return fmt.Errorf("address %s is an IPv4 address in IPv6 form", prefix)
		case addr.IsUnspecified() || addr.IsMulticast():
			return fmt.Errorf("address %s is not that of an interface", prefix)
		case addr.Is6() && c.MTU != 0 && c.MTU < inet.MinMTU6:
			return fmt.Errorf("MTU is %d, must be at least %d for IPv6 address %s", c.MTU, inet.MinMTU6, prefix)
		case slices.Contains(c.Addresses[:i], prefix):
			return fmt.Errorf("address %s is there twice", prefix)
		}
	}
	for i, r := range c.Routes {
		if !r.Destination.IsValid() || r.Destination.Addr().Is4In6() {
			return fmt.Errorf("the destination of route %d of %d is not a prefix", i+1, len(c.Routes))
		}
		if r.Gateway.IsValid() && r.Gateway.Is4() != r.Destination.Addr().Is4() {
			return fmt.Errorf("route %s has the gateway %s of another version of IP", r.Destination, r.Gateway)
		}
	}
	return nil
}
