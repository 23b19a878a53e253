package namespace

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"strconv"
	"strings"

	"github.com/wsstack/wsstack/tun"
)

// InterfaceName returns the name that an interface of the system is opened with: systems other than
// Linux choose it themselves.
func InterfaceName(name, system string) string {
	if system == "linux" {
		return name
	}
	return ""
}

// setUpCommands are the commands of a system other than Linux that do what tun.Configure does
// there. They are from the manuals of Apple and Microsoft. Nobody has run them.
func setUpCommands(system, name string, c tun.Config) ([][]string, error) {
	switch system {
	case "darwin":
		return darwinCommands(name, c), nil
	case "windows":
		return windowsCommands(name, c), nil
	}
	return nil, errors.ErrUnsupported
}

// darwinCommands are those of macOS: ifconfig(8) and route(8). A utun is a link between two points,
// so the network at its other end takes a route.
func darwinCommands(name string, c tun.Config) (list [][]string) {
	if c.MTU != 0 {
		list = append(list, []string{"ifconfig", name, "mtu", strconv.Itoa(c.MTU)})
	}
	route := func(to netip.Prefix) []string {
		family := "-inet"
		if to.Addr().Is6() {
			family = "-inet6"
		}
		return []string{"route", "-n", "add", family, "-net", to.Masked().String(), "-interface", name}
	}
	for _, a := range c.Addresses {
		address := a.Addr().String()
		if a.Addr().Is6() {
			list = append(list, []string{"ifconfig", name, "inet6", address, "prefixlen", strconv.Itoa(a.Bits()), "alias"})
		} else {
			list = append(list, []string{"ifconfig", name, "inet", a.String(), address, "alias"})
		}
	}
	list = append(list, []string{"ifconfig", name, "up"})
	for _, a := range c.Addresses {
		if a.Addr().Is4() { // ifconfig makes that of IPv6
			list = append(list, route(a))
		}
	}
	for _, r := range c.Routes {
		list = append(list, route(r.Destination))
	}
	return list
}

// windowsCommands are those of Windows: netsh. What it sets lasts until the next start.
func windowsCommands(name string, c tun.Config) (list [][]string) {
	netsh := func(a netip.Addr, words ...string) {
		family := "ipv4"
		if a.Is6() {
			family = "ipv6"
		}
		list = append(list, append([]string{"netsh", "interface", family}, words...))
	}
	families := make(map[bool]bool)
	for _, a := range c.Addresses {
		if a.Addr().Is6() {
			netsh(a.Addr(), "add", "address", "interface="+name, "address="+a.String(), "store=active")
		} else {
			netsh(a.Addr(), "add", "address", "name="+name, "address="+a.Addr().String(), "mask="+mask(a), "store=active")
		}
		if c.MTU != 0 && !families[a.Addr().Is6()] {
			families[a.Addr().Is6()] = true
			netsh(a.Addr(), "set", "subinterface", "interface="+name, "mtu="+strconv.Itoa(c.MTU), "store=active")
		}
	}
	for _, r := range c.Routes {
		words := []string{"add", "route", "prefix=" + r.Destination.Masked().String(), "interface=" + name, "store=active"}
		if r.Gateway.IsValid() {
			words = append(words, "nexthop="+r.Gateway.String())
		}
		netsh(r.Destination.Addr(), words...)
	}
	return list
}

// mask is the mask of an IPv4 prefix with dots.
func mask(p netip.Prefix) string { return net.IP(net.CIDRMask(p.Bits(), 32)).String() }

// runCommands runs commands one after the other. The error has what the command has said.
func runCommands(list [][]string) error {
	for _, c := range list {
		if out, err := exec.Command(c[0], c[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", strings.Join(c, " "), err, strings.TrimSpace(string(out)))
		}
	}
	return nil
}
