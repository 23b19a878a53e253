package testbed

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/wsstack/wsstack/internal/inet"
	"github.com/wsstack/wsstack/tun"
)

// The bounds of a network.
const (
	maxHosts     = 250
	maxLinks     = 500
	maxAddresses = 16 // of one end of a link
	maxRoutes    = 1000
)

// The names of hosts are labels of the domain name system (RFC 1123 §2.1), in lower case. Those of
// links are names of interfaces, of which Linux takes 15 bytes.
var (
	hostName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	linkName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}$`)
)

// Check looks for mistakes in the description of a network, without making anything. The error is
// an *Error.
func (n *Network) Check() error {
	c := checker{n: n, hosts: map[string]*Host{}, links: map[string]bool{}, files: map[string]string{}, owners: map[netip.Addr]string{}}
	for _, f := range []func() error{c.checkSizes, c.checkHosts, c.checkLinks, c.checkOrder, c.checkRoutes} {
		if err := f(); err != nil {
			return err
		}
	}
	return nil
}

// A checker is a Check in progress.
type checker struct {
	n      *Network
	hosts  map[string]*Host
	links  map[string]bool
	files  map[string]string     // the link that is recorded in a file
	owners map[netip.Addr]string // the host that has an address
	taken  []subnet
}

// A subnet is a network on a link.
type subnet struct {
	prefix netip.Prefix
	link   *Link
}

func (c *checker) checkSizes() error {
	switch {
	case len(c.n.Hosts) == 0:
		return wrong("the network has no hosts").withHint("a host is a name and a kind, such as {server: {kind: stack}}")
	case len(c.n.Hosts) > maxHosts:
		return wrong("the network has %d hosts", len(c.n.Hosts)).withHint("%d are the most", maxHosts)
	case len(c.n.Links) > maxLinks:
		return wrong("the network has %d links", len(c.n.Links)).withHint("%d are the most", maxLinks)
	}
	return nil
}

func (c *checker) checkHosts() error {
	mains, foregrounds, systems := 0, 0, 0
	for i := range c.n.Hosts {
		h := &c.n.Hosts[i]
		if err := c.checkHost(h); err != nil {
			return err
		}
		if h.Kind == System {
			systems++
		}
		if h.Command != nil && h.Command.Main {
			mains++
		}
		if h.Command != nil && h.Command.Foreground {
			foregrounds++
		}
		switch {
		case systems > 1:
			return wrong("there is a system already").of(h, "kind").withHint("a network has one host of this kind at most")
		case mains > 1:
			return wrong("there is a main command already").of(h, "main").withHint("the network ends with one command: mark one host")
		case foregrounds > 1:
			return wrong("another command has the terminal").of(h, "terminal").withHint("one command can read from it: mark one host")
		}
	}
	return nil
}

func (c *checker) checkHost(h *Host) error {
	switch {
	case !hostName.MatchString(h.Name):
		return wrong("%q can't be the name of a host", h.Name).
			of(h, "").withHint("take up to 63 lower-case letters, digits and dashes, such as web-1")
	case c.hosts[h.Name] != nil:
		return wrong("there are two hosts of this name").of(h, "").withHint("give one of them another name")
	}
	c.hosts[h.Name] = h
	kernel := h.Kind == Namespace || h.Kind == System
	switch {
	case h.Command != nil && h.Kind != Namespace:
		return wrong("a %v runs no commands", h.Kind).of(h, "command").withHint("kind: namespace does")
	case kernel && len(h.Services) > 0:
		return wrong("%q is for stacks and routers, and this is a %v", h.Services[0].Text, h.Kind).of(h, "").
			withHint("give it to a host of kind stack or router")
	case kernel && h.Gateway != nil:
		return wrong("a %v can't be the gateway", h.Kind).of(h, "gateway").withHint("give it to a stack or router beside this host")
	case h.Command == nil && len(h.After) > 0:
		return wrong("the host has no command that could wait").of(h, "after").
			withHint("stacks and routers run before all commands; leave it out")
	case h.Command != nil && len(h.Command.Args) == 0:
		return wrong("the command is empty").of(h, "command").withHint("write a program and its arguments, such as [curl, -s, http://server/]")
	}
	return c.checkUntil(h)
}

// checkUntil checks when a host is ready.
func (c *checker) checkUntil(h *Host) error {
	u := h.Until
	if u.Within < 0 {
		return wrong("%v is no time", u.Within).of(h, "within").withHint("write a time such as 10s")
	}
	switch u.Kind {
	case Exit:
		if h.Command == nil {
			return wrong("the host has no command that could end").of(h, "until").withHint("tcp and http are for hosts without one")
		}
	case TCP:
		host, port, err := net.SplitHostPort(u.Target)
		if n, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil || n == 0 || host == "" {
			return wrong("%q is not an address with a port", u.Target).of(h, "until").withHint("write one such as tcp 10.0.0.2:80, or tcp [fd00::2]:80")
		}
	case HTTP:
		at, err := url.Parse(u.Target)
		if err != nil || at.Scheme != "http" || at.Host == "" {
			return wrong("%q is not the URL of an HTTP server", u.Target).of(h, "until").withHint("write one such as http http://10.0.0.2/ready")
		}
	}
	return nil
}

func (c *checker) checkLinks() error {
	for i := range c.n.Links {
		l := &c.n.Links[i]
		switch {
		case !linkName.MatchString(l.Name):
			return wrong("%q can't be the name of a link", l.Name).
				withHint("interfaces get the name: take up to 15 letters, digits, dots, dashes and underscores")
		case c.links[l.Name]:
			return wrong("there are two links of this name").ofLink(l, "").withHint("give one of them another name")
		case l.Name == "lo":
			return wrong("every host has a loopback of this name").ofLink(l, "").withHint("choose another name")
		}
		if other := c.files[l.Capture]; l.Capture != "" && other != "" {
			return wrong("link %s is recorded there already", other).ofLink(l, "capture").withHint("give each link a file of its own")
		}
		c.links[l.Name], c.files[l.Capture] = true, l.Name
		for _, f := range []func(*Link) error{c.checkEnds, c.checkMTU, c.checkSubnets} {
			if err := f(l); err != nil {
				return err
			}
		}
	}
	return c.checkApart()
}

// checkApart checks that nobody has an address that a way out needs.
func (c *checker) checkApart() error {
	for i := range c.n.Hosts {
		h := &c.n.Hosts[i]
		if h.Gateway == nil {
			continue
		}
		for _, a := range h.Gateway.Apart {
			if owner := c.owners[a]; owner != "" {
				return wrong("%v can't stand for the loopback of this machine: it is the address of %s", a, owner).of(h, "gateway").
					withHint("write an address that nothing else has, such as %v", c.freeAddress(a))
			}
		}
	}
	return nil
}

// freeAddress proposes an address near one that is taken.
func (c *checker) freeAddress(a netip.Addr) netip.Addr {
	for c.owners[a] != "" {
		a = a.Next()
	}
	return a
}

func (c *checker) checkEnds(l *Link) error {
	for _, e := range l.Ends {
		if c.hosts[e.Host] == nil {
			return wrong("there is no host %q", e.Host).ofLink(l, "ends").withHint("%s", c.hostList())
		}
		if len(e.Addresses) == 0 && l.Tunnel == nil {
			return wrong("%s has no address", e.Host).ofLink(l, "ends").withHint("write one with its prefix length, such as 10.0.0.1/24")
		}
		if len(e.Addresses) > maxAddresses {
			return wrong("%s has %d addresses", e.Host, len(e.Addresses)).ofLink(l, "ends").withHint("%d are the most", maxAddresses)
		}
		if err := checkImpairment(e.Sends); err != nil {
			err.Err = fmt.Errorf("from %s: %w", e.Host, err.Err)
			return err.ofLink(l, "impair")
		}
	}
	if l.Ends[0].Host == l.Ends[1].Host {
		return wrong("both ends are %s", l.Ends[0].Host).ofLink(l, "ends").withHint("a link joins two hosts")
	}
	return nil
}

// hostList names the hosts, for hints.
func (c *checker) hostList() string {
	var names []string
	for _, h := range c.n.Hosts {
		names = append(names, h.Name)
	}
	if len(names) > 10 {
		names = append(names[:10], "…")
	}
	return "the hosts are " + strings.Join(names, ", ")
}

// checkImpairment finds parameters that don't go together.
func checkImpairment(m tun.Impairment) *Error {
	for _, p := range tun.Parameters() {
		if err := p.Check(&m); err != nil {
			return wrong("%s: %w", p.Name, err).withHint(`"wsstack help impairments" has all of them`)
		}
		if len(p.Needs) == 0 || p.Text(&m) == "" {
			continue
		}
		if !slices.ContainsFunc(p.Needs, func(name string) bool {
			needed, _ := tun.FindParameter(name)
			return needed.Text(&m) != ""
		}) {
			return wrong("%s has no effect without %s", p.Name, strings.Join(p.Needs, " or ")).withHint("add %s, or leave it out", p.Needs[0])
		}
	}
	return nil
}

func (c *checker) checkMTU(l *Link) error {
	smallest, why := inet.MinMTU4, ""
	for _, e := range l.Ends {
		if slices.ContainsFunc(e.Addresses, func(p netip.Prefix) bool { return p.Addr().Is6() }) {
			smallest, why = inet.MinMTU6, " where an IPv6 address is used"
		}
	}
	if l.MTU != 0 && (l.MTU < smallest || l.MTU > inet.MaxMTU) {
		return wrong("%d is out of range: it must be from %d to %d%s", l.MTU, smallest, inet.MaxMTU, why).ofLink(l, "mtu").
			withHint("1500 is the default")
	}
	return nil
}

// checkSubnets checks the addresses of a link: each is a host's, nobody else has it, no other link
// has its subnet, and the other end is in it, but for the end of a tunnel, which may be anywhere.
func (c *checker) checkSubnets(l *Link) error {
	for _, e := range l.Ends {
		for _, p := range e.Addresses {
			if err := c.checkAddress(e.Host, p); err != nil {
				return err.ofLink(l, "ends")
			}
		}
	}
	for i, e := range l.Ends {
		for _, p := range e.Addresses {
			for _, t := range c.taken {
				if t.link != l && t.prefix.Overlaps(p) {
					return wrong("%v overlaps %v of link %s", p.Masked(), t.prefix, t.link.Name).ofLink(l, "ends").
						withHint("each link needs a subnet of its own, such as %v", c.freeSubnet(p))
				}
			}
			c.taken = append(c.taken, subnet{p.Masked(), l})
			other := l.Ends[1-i]
			if l.Tunnel == nil && !slices.ContainsFunc(other.Addresses, func(o netip.Prefix) bool { return o.Masked() == p.Masked() }) {
				return wrong("%s has no address in %v, the subnet of %v of %s", other.Host, p.Masked(), p.Addr(), e.Host).ofLink(l, "ends").
					withHint("the two ends of a link share their subnets")
			}
		}
	}
	return nil
}

func (c *checker) checkAddress(host string, p netip.Prefix) *Error {
	a := p.Addr()
	switch owner := c.owners[a]; {
	case owner != "":
		return wrong("%v is the address of %s already", a, owner).withHint("every address of a network belongs to one host")
	case a.IsLinkLocalUnicast():
		return wrong("%v is a link-local address", a).withHint("hosts have those by themselves; give one such as 10.0.0.1/24 or fd00::1/64")
	case a.Is4In6() || a.IsUnspecified() || a.IsLoopback() || a.IsMulticast() || !inet.IsHost(a, p):
		return wrong("%v can't be the address of a host", p).withHint("give one such as 10.0.0.1/24 or fd00::1/64")
	}
	c.owners[a] = host
	return nil
}

// freeSubnet proposes a subnet that no link has.
func (c *checker) freeSubnet(like netip.Prefix) netip.Prefix {
	for i := range 256 {
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 99, byte(i), 0}), 24)
		if like.Addr().Is6() {
			p = netip.PrefixFrom(netip.AddrFrom16([16]byte{0xfd, 0x99, 3: byte(i)}), 64)
		}
		if !slices.ContainsFunc(c.taken, func(t subnet) bool { return t.prefix.Overlaps(p) }) {
			return p
		}
	}
	return like
}

// checkOrder checks that After names hosts, and nobody waits for itself.
func (c *checker) checkOrder() error {
	const entered, left = 1, 2
	state := map[string]int{}
	var visit func(h *Host) *Error
	visit = func(h *Host) *Error {
		state[h.Name] = entered
		for _, name := range h.After {
			before := c.hosts[name]
			if before == nil {
				return wrong("there is no host %q", name).of(h, "after").withHint("%s", c.hostList())
			}
			if state[name] == entered {
				return wrong("%s and %s wait for each other", h.Name, name).of(h, "after").withHint("one has to start first")
			}
			if state[name] == 0 {
				if err := visit(before); err != nil {
					return err
				}
			}
		}
		state[h.Name] = left
		return nil
	}
	for i := range c.n.Hosts {
		if h := &c.n.Hosts[i]; state[h.Name] == 0 {
			if err := visit(h); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkRoutes checks the routes that are given.
func (c *checker) checkRoutes() error {
	for i := range c.n.Hosts {
		h := &c.n.Hosts[i]
		if len(h.Routes) > maxRoutes {
			return wrong("there are %d routes", len(h.Routes)).of(h, "routes").withHint("%d are the most", maxRoutes)
		}
		for _, r := range h.Routes {
			if r.Destination.Addr().Is4() != r.Via.Is4() {
				return wrong("%v and %v are of two families", r.Destination, r.Via).of(h, "routes").withHint("an IPv4 network has an IPv4 router")
			}
			if c.n.linkTo(h.Name, r.Via) < 0 {
				return wrong("%v is not on a link of the host", r.Via).of(h, "routes").withHint("name the address of a router beside it")
			}
		}
	}
	return nil
}

// linkTo is the number of the link of a host whose other end has an address; -1: none.
func (n *Network) linkTo(host string, a netip.Addr) int {
	return slices.IndexFunc(n.Links, func(l Link) bool {
		end, ok := l.end(host)
		return ok && slices.ContainsFunc(l.Ends[1-end].Addresses, func(p netip.Prefix) bool { return p.Addr() == a })
	})
}

// end is the number of a host's end of a link.
func (l *Link) end(host string) (int, bool) {
	for i, e := range l.Ends {
		if e.Host == host {
			return i, true
		}
	}
	return 0, false
}
