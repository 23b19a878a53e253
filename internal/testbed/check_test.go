package testbed_test

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wsstack/wsstack/internal/testbed"
	"github.com/wsstack/wsstack/tun"
)

// prefixes reads addresses with the lengths of their prefixes.
func prefixes(texts ...string) []netip.Prefix {
	var list []netip.Prefix
	for _, t := range texts {
		list = append(list, netip.MustParsePrefix(t))
	}
	return list
}

// link joins two hosts, each with its addresses in one text.
func link(name, a, aa, b, bb string) testbed.Link {
	return testbed.Link{Name: name, Ends: [2]testbed.End{
		{Host: a, Addresses: prefixes(strings.Fields(aa)...)}, {Host: b, Addresses: prefixes(strings.Fields(bb)...)},
	}}
}

// line is a network of three hosts in a row: a client, a router and a server, which runs a command.
func line() testbed.Network {
	return testbed.Network{
		Hosts: []testbed.Host{
			{Name: "client"},
			{Name: "router", Kind: testbed.Router},
			{Name: "server", Kind: testbed.Namespace, Command: &testbed.Command{Path: "/bin/true", Args: []string{"true"}}},
		},
		Links: []testbed.Link{
			link("one", "client", "10.0.1.2/24 fd01::2/64", "router", "10.0.1.1/24 fd01::1/64"),
			link("two", "router", "10.0.2.1/24", "server", "10.0.2.2/24"),
		},
	}
}

func TestCheck(t *testing.T) {
	n := line()
	if err := n.Check(); err != nil {
		t.Errorf("Check of a good network: %v", err)
	}
}

// Each mistake is named, with the part of the network that has it and something to do.
func TestCheck_Mistakes(t *testing.T) {
	feature := testbed.Feature{Text: "serve 80=exec:cat"}
	for _, tt := range []struct {
		name, want string
		change     func(n *testbed.Network)
	}{
		{"no hosts", "the network has no hosts", func(n *testbed.Network) { n.Hosts, n.Links = nil, nil }},
		{"too many hosts", "251 hosts", func(n *testbed.Network) { n.Hosts = make([]testbed.Host, 251) }},
		{"too many links", "501 links", func(n *testbed.Network) { n.Links = make([]testbed.Link, 501) }},
		{"a bad name", `host Web_1: "Web_1" can't be the name of a host`, func(n *testbed.Network) { n.Hosts[0].Name = "Web_1" }},
		{"two of a name", "host client: there are two hosts", func(n *testbed.Network) { n.Hosts[1].Name = "client" }},
		{"two systems", "host router: kind: there is a system already", func(n *testbed.Network) {
			n.Hosts[0].Kind, n.Hosts[1].Kind = testbed.System, testbed.System
		}},
		{"two mains", "host server: main:", func(n *testbed.Network) {
			n.Hosts[0].Kind, n.Hosts[0].Command = testbed.Namespace, &testbed.Command{Args: []string{"x"}, Main: true}
			n.Hosts[2].Command.Main = true
		}},
		{"two terminals", "host server: terminal:", func(n *testbed.Network) {
			n.Hosts[0].Kind, n.Hosts[0].Command = testbed.Namespace, &testbed.Command{Args: []string{"x"}, Foreground: true}
			n.Hosts[2].Command.Foreground = true
		}},
		{"a command of a stack", "host client: command: a stack runs no commands", func(n *testbed.Network) {
			n.Hosts[0].Command = &testbed.Command{Args: []string{"x"}}
		}},
		{"an empty command", "host server: command: the command is empty", func(n *testbed.Network) { n.Hosts[2].Command.Args = nil }},
		{"a service of a namespace", `"serve 80=exec:cat" is for stacks and routers`, func(n *testbed.Network) {
			n.Hosts[2].Services = []testbed.Feature{feature}
		}},
		{"the gateway in a namespace", "host server: gateway: a namespace can't be", func(n *testbed.Network) { n.Hosts[2].Gateway = &feature }},
		{"the loopback at the address of a host", "host router: gateway: 10.0.2.2 can't stand for the loopback of this machine: it is the address of server", func(n *testbed.Network) {
			n.Hosts[1].Gateway = &testbed.Feature{Text: "gateway", Apart: []netip.Addr{netip.MustParseAddr("10.0.2.2")}}
		}},
		{"waiting without a command", "host client: after: the host has no command", func(n *testbed.Network) { n.Hosts[0].After = []string{"server"} }},
		{"waiting for nobody", `host server: after: there is no host "servr"`, func(n *testbed.Network) { n.Hosts[2].After = []string{"servr"} }},
		{"waiting for itself", "wait for each other", func(n *testbed.Network) { n.Hosts[2].After = []string{"server"} }},
		{"a negative time", "host client: within:", func(n *testbed.Network) { n.Hosts[0].Until.Within = -time.Second }},
		{"the end of no command", "host client: until: the host has no command", func(n *testbed.Network) { n.Hosts[0].Until.Kind = testbed.Exit }},
		{"no port", `"10.0.0.2" is not an address with a port`, func(n *testbed.Network) {
			n.Hosts[0].Until = testbed.Check{Kind: testbed.TCP, Target: "10.0.0.2"}
		}},
		{"port 0", "is not an address with a port", func(n *testbed.Network) {
			n.Hosts[0].Until = testbed.Check{Kind: testbed.TCP, Target: "10.0.0.2:0"}
		}},
		{"no URL", "is not the URL of an HTTP server", func(n *testbed.Network) {
			n.Hosts[0].Until = testbed.Check{Kind: testbed.HTTP, Target: "ftp://x"}
		}},
		{"the name of an interface", "can't be the name of a link", func(n *testbed.Network) { n.Links[0].Name = "a-name-of-16-byt" }},
		{"lo", "link lo: every host", func(n *testbed.Network) { n.Links[0].Name = "lo" }},
		{"two links of a name", "link one: there are two", func(n *testbed.Network) { n.Links[1].Name = "one" }},
		{"a file twice", "link two: capture: link one is recorded there already", func(n *testbed.Network) {
			n.Links[0].Capture, n.Links[1].Capture = "x.pcapng", "x.pcapng"
		}},
		{"an end nowhere", `link two: ends: there is no host "servr"`, func(n *testbed.Network) { n.Links[1].Ends[1].Host = "servr" }},
		{"a loop", "link two: ends: both ends are router", func(n *testbed.Network) { n.Links[1].Ends[1].Host = "router" }},
		{"no address", "server has no address", func(n *testbed.Network) { n.Links[1].Ends[1].Addresses = nil }},
		{"a narrow link", "link one: mtu: 1000 is out of range: it must be from 1280 to 65535 where an IPv6", func(n *testbed.Network) { n.Links[0].MTU = 1000 }},
		{"a wide link", "link two: mtu: 65536", func(n *testbed.Network) { n.Links[1].MTU = 65536 }},
		{"an address twice", "10.0.1.2 is the address of client already", func(n *testbed.Network) {
			n.Links[1].Ends[1].Addresses = prefixes("10.0.1.2/24")
		}},
		{"the address of a subnet", "10.0.2.0/24 can't be the address of a host", func(n *testbed.Network) {
			n.Links[1].Ends[1].Addresses = prefixes("10.0.2.0/24")
		}},
		{"a loopback address", "127.0.0.2/24 can't be", func(n *testbed.Network) { n.Links[1].Ends[1].Addresses = prefixes("127.0.0.2/24") }},
		{"a link-local address", "fe80::1 is a link-local address", func(n *testbed.Network) {
			n.Links[1].Ends[1].Addresses = prefixes("fe80::1/64")
		}},
		{"subnets that differ", "router has no address in 10.0.3.0/24", func(n *testbed.Network) {
			n.Links[1].Ends[0].Addresses = prefixes("10.0.2.1/24")
			n.Links[1].Ends[1].Addresses = prefixes("10.0.2.2/24", "10.0.3.2/24")
		}},
		{"subnets that overlap", "10.0.1.128/25 overlaps 10.0.1.0/24 of link one", func(n *testbed.Network) {
			n.Links[1].Ends[0].Addresses = prefixes("10.0.1.129/25")
		}},
		{"impairments that don't go together", "link one: impair: from client: jitter-reorder has no effect without jitter", func(n *testbed.Network) {
			n.Links[0].Ends[0].Sends = tun.Impairment{JitterReorders: true}
		}},
		{"a route of two families", "host client: routes:", func(n *testbed.Network) {
			n.Hosts[0].Routes = []testbed.Route{{netip.MustParsePrefix("::/0"), netip.MustParseAddr("10.0.1.1")}}
		}},
		{"a route by nobody", "10.0.2.1 is not on a link of the host", func(n *testbed.Network) {
			n.Hosts[0].Routes = []testbed.Route{{netip.MustParsePrefix("10.9.0.0/16"), netip.MustParseAddr("10.0.2.1")}}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := line()
			tt.change(&n)
			_, err := testbed.New(n, testbed.Options{})
			failure, ok := errors.AsType[*testbed.Error](err)
			if !ok || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("New: %v, want an *Error with %q", err, tt.want)
			}
			if failure.Hint() == "" || failure.ExitStatus() != 2 {
				t.Errorf("%v: hint %q, exit status %d, want a hint and 2", err, failure.Hint(), failure.ExitStatus())
			}
		})
	}
}

// Hosts that wait for each other in a ring are named.
func TestCheck_Ring(t *testing.T) {
	n := line()
	n.Hosts = n.Hosts[:2]
	n.Links = n.Links[:1]
	for i := range n.Hosts {
		n.Hosts[i].Kind, n.Hosts[i].Command = testbed.Namespace, &testbed.Command{Args: []string{"x"}}
	}
	n.Hosts[0].After, n.Hosts[1].After = []string{"router"}, []string{"client"}
	err := n.Check()
	if err == nil || !slices.Contains([]string{
		"host router: after: router and client wait for each other", "host client: after: client and router wait for each other",
	}, err.Error()) {
		t.Errorf("Check: %v, want the two hosts", err)
	}
}
