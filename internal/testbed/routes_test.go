package testbed_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/wsstack/wsstack/internal/testbed"
)

// square is four routers in a ring, with a host at the first and one at the third.
//
//	a ─ r1 ─ r2
//	    │    │
//	    r4 ─ r3 ─ b
func square() testbed.Network {
	n := testbed.Network{Hosts: []testbed.Host{{Name: "a"}, {Name: "b"}}}
	for _, name := range []string{"r1", "r2", "r3", "r4"} {
		n.Hosts = append(n.Hosts, testbed.Host{Name: name, Kind: testbed.Router})
	}
	n.Links = []testbed.Link{
		link("a1", "a", "10.1.0.2/24 fd01::2/64", "r1", "10.1.0.1/24 fd01::1/64"),
		link("34", "r3", "10.34.0.3/24", "r4", "10.34.0.4/24"),
		link("41", "r4", "10.41.0.4/24", "r1", "10.41.0.1/24"),
		link("12", "r1", "10.12.0.1/24 fd12::1/64", "r2", "10.12.0.2/24 fd12::2/64"),
		link("23", "r2", "10.23.0.2/24 fd23::2/64", "r3", "10.23.0.3/24 fd23::3/64"),
		link("3b", "r3", "10.3.0.1/24 fd03::1/64", "b", "10.3.0.2/24 fd03::2/64"),
	}
	return n
}

func checkRoutes(t *testing.T, n *testbed.Network, host string, want ...string) {
	t.Helper()
	if got := n.Routes(host); !slices.Equal(got, want) {
		t.Errorf("routes of %s:\n%s\nwant\n%s", host, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// Packets go by as few routers as possible, and of two ways as long by the one whose links come
// first; each family by its own ways.
func TestRoutes(t *testing.T) {
	n := square()
	checkRoutes(t, &n, "a",
		"10.41.0.0/24 via 10.1.0.1 on a1", "10.12.0.0/24 via 10.1.0.1 on a1", "10.34.0.0/24 via 10.1.0.1 on a1",
		"10.23.0.0/24 via 10.1.0.1 on a1", "10.3.0.0/24 via 10.1.0.1 on a1",
		"fd12::/64 via fd01::1 on a1", "fd23::/64 via fd01::1 on a1", "fd03::/64 via fd01::1 on a1")
	checkRoutes(t, &n, "r1",
		"10.34.0.0/24 via 10.41.0.4 on 41", "10.23.0.0/24 via 10.12.0.2 on 12", "10.3.0.0/24 via 10.41.0.4 on 41",
		"fd23::/64 via fd12::2 on 12", "fd03::/64 via fd12::2 on 12")
}

// Everything that isn't in the network goes to the nearest gateway, whose own routes have no
// default.
func TestRoutes_Gateway(t *testing.T) {
	n := line()
	n.Hosts[0].Gateway = &testbed.Feature{}
	checkRoutes(t, &n, "server", "10.0.1.0/24 via 10.0.2.1 on two", "0.0.0.0/0 via 10.0.2.1 on two")
	checkRoutes(t, &n, "router", "0.0.0.0/0 via 10.0.1.2 on one", "::/0 via fd01::2 on one")
	checkRoutes(t, &n, "client", "10.0.2.0/24 via 10.0.1.1 on one")
	n.Hosts[2].Kind = testbed.System // whose default route stays as it is
	checkRoutes(t, &n, "server", "10.0.1.0/24 via 10.0.2.1 on two")
}

// A route of the description goes before those that are found.
func TestRoutes_Given(t *testing.T) {
	n := square()
	n.Hosts[2].Routes = []testbed.Route{{netip.MustParsePrefix("10.3.0.0/24"), netip.MustParseAddr("10.12.0.2")}}
	if got := n.Routes("r1"); got[0] != "10.3.0.0/24 via 10.12.0.2 on 12" || strings.Count(strings.Join(got, "\n"), "10.3.0.0/24") != 1 {
		t.Errorf("routes of r1: %q, want that of the description alone for 10.3.0.0/24", got)
	}
}

// Hosts that aren't routers hand nothing on.
func TestRoutes_Hosts(t *testing.T) {
	n := square()
	n.Hosts[2].Kind = testbed.Stack // r1, beside two routers
	checkRoutes(t, &n, "a")
}

// The name servers are those of the nearest host that has one, one of each family.
func TestNameServers(t *testing.T) {
	n := square()
	if got := n.NameServers("a"); got != nil {
		t.Errorf("name servers without any: %v", got)
	}
	n.Hosts[1].Resolver = &testbed.Feature{} // b
	check := func(want ...string) {
		t.Helper()
		var texts []string
		for _, a := range n.NameServers("a") {
			texts = append(texts, a.String())
		}
		if !slices.Equal(texts, want) {
			t.Errorf("name servers: %v, want %v", texts, want)
		}
	}
	check("10.3.0.2", "fd03::2")
	n.Hosts[2].Resolver = &testbed.Feature{} // r1
	check("10.1.0.1", "fd01::1")
}
