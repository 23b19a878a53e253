package tun

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/wsstack/wsstack/internal/inet"
)

// Config is what Configure does to an interface. The zero value only brings it
// up.
type Config struct {
	// Addresses are added, each with the on-link route of its prefix. IPv6
	// addresses skip duplicate address detection; all are usable when
	// Configure returns, if the interface is open.
	Addresses []netip.Prefix

	// MTU in bytes, 68 to 65535, at least 1280 with IPv6 addresses; zero
	// leaves it.
	MTU int

	// NoAddrGen switches the generation of IPv6 addresses off, so that a link
	// with no IPv6 address of ours has none, and sends no router
	// solicitations.
	NoAddrGen bool

	// Congestion is the kernel's congestion control for TCP connections by
	// routes of the interface, such as "reno" or "cubic" (congctl of
	// ip-route(8)); empty: the system's. BBR paces: each 64 KiB that a TUN with
	// offload would take at once waits for a timer.
	Congestion string
}

// Configure sets up the interface name of the operating system, in the network
// namespace of the calling thread: MTU, address generation, addresses, the
// interface goes up, and last its routes get the congestion control. It is Linux only; elsewhere it fails with
// errors.ErrUnsupported. It talks netlink and runs no command.
//
// The error names the step, and the address where there is one. What was done
// before a failing step stays done.
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
	return nil
}
