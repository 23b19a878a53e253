package tun

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// configure uses netlink's package functions rather than a Handle: they open a
// socket per request, so in the network namespace of the calling thread.
func configure(name string, c Config) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return fmt.Errorf("find the interface: %w", err)
	}
	if c.MTU != 0 {
		if err := netlink.LinkSetMTU(link, c.MTU); err != nil {
			return fmt.Errorf("set MTU %d: %w", c.MTU, err)
		}
	}
	if c.NoAddrGen { // before the interface is up: going up generates
		err := netlink.LinkSetIP6AddrGenMode(link, nl.IN6_ADDR_GEN_MODE_NONE)
		// An interface with an MTU below 1280 has no IPv6, so it generates nothing.
		if err != nil && !errors.Is(err, unix.EAFNOSUPPORT) {
			return fmt.Errorf("switch IPv6 address generation off: %w", err)
		}
	}
	for _, prefix := range c.Addresses {
		addr := &netlink.Addr{IPNet: &net.IPNet{
			IP:   prefix.Addr().AsSlice(),
			Mask: net.CIDRMask(prefix.Bits(), prefix.Addr().BitLen()),
		}}
		if prefix.Addr().Is6() {
			addr.Flags = unix.IFA_F_NODAD
		}
		if err := netlink.AddrAdd(link, addr); err != nil {
			return fmt.Errorf("add address %s: %w", prefix, err)
		}
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return fmt.Errorf("bring up: %w", err)
	}
	if err := awaitIPv6(name, c.Addresses); err != nil {
		return err
	}
	for _, r := range c.Routes {
		if err := addRoute(link, r); err != nil {
			return fmt.Errorf("add route %s: %w", r.Destination, err)
		}
	}
	if c.Congestion == "" {
		return nil
	}
	if err := setCongestion(link, c.Congestion); err != nil {
		return fmt.Errorf("set congestion control %q: %w", c.Congestion, err)
	}
	return nil
}

func addRoute(link netlink.Link, r Route) error {
	route := &netlink.Route{LinkIndex: link.Attrs().Index, Dst: &net.IPNet{
		IP:   r.Destination.Masked().Addr().AsSlice(),
		Mask: net.CIDRMask(r.Destination.Bits(), r.Destination.Addr().BitLen()),
	}}
	if r.Gateway.IsValid() {
		route.Gw = r.Gateway.AsSlice()
	}
	return netlink.RouteAppend(route)
}

// setCongestion changes all routes of an interface.
func setCongestion(link netlink.Link, name string) error {
	routes, err := netlink.RouteList(link, netlink.FAMILY_ALL)
	for i := 0; i < len(routes) && err == nil; i++ {
		err = changeCongestion(routes[i], name)
	}
	return err
}

// changeCongestion takes a route out and puts it in again. The kernel's
// NLM_F_REPLACE would replace the first route to that destination, maybe of
// another interface.
func changeCongestion(route netlink.Route, name string) error {
	if err := netlink.RouteDel(&route); err != nil {
		return err
	}
	changed := route
	changed.Congctl = name
	err := netlink.RouteAppend(&changed)
	if err != nil {
		err = errors.Join(err, netlink.RouteAppend(&route))
	}
	return err
}

// usableWithin bounds the wait for IPv6 addresses; it usually takes less than a
// millisecond.
const usableWithin = 5 * time.Second

// awaitIPv6 waits until the kernel accepts packets for the addresses. Also
// without duplicate address detection it installs their local routes later, from
// a work queue, and drops what comes before. An interface without carrier, which
// a TUN is while nobody has it open, gets them when it has one.
func awaitIPv6(name string, addresses []netip.Prefix) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return fmt.Errorf("find the interface again: %w", err)
	}
	if link.Attrs().RawFlags&unix.IFF_LOWER_UP == 0 {
		return nil
	}
	deadline := time.Now().Add(usableWithin)
	for _, prefix := range addresses {
		for prefix.Addr().Is6() && !isLocal(prefix.Addr()) {
			if time.Now().After(deadline) {
				return fmt.Errorf("add address %s: not usable after %v", prefix, usableWithin)
			}
			time.Sleep(200 * time.Microsecond)
		}
	}
	return nil
}

// isLocal reports whether packets to addr are for this host. A route that can't
// be looked up isn't there yet.
func isLocal(addr netip.Addr) bool {
	routes, err := netlink.RouteGet(addr.AsSlice())
	return err == nil && len(routes) > 0 && routes[0].Type == unix.RTN_LOCAL
}
