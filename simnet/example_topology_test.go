package simnet_test

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/wsstack/wsstack/simnet"
)

// Two hosts on a switch reach a server behind a router. They need no routes: beside one router
// everything else goes by way of that one.
func ExampleNetwork_Switch() {
	n := simnet.New(nil) // in a test: simnet.New(t, …)
	defer n.Close()
	office := n.Switch("office")
	a, b := n.Host("a", "10.1.0.10/24"), n.Host("b", "10.1.0.11/24")
	n.Link(a, office)
	n.Link(b, office)
	r := n.Router("r")
	n.Link(office, r, simnet.Addresses(r, "10.1.0.1/24"))
	server := n.Host("server", "10.2.0.2/24")
	n.Link(r, server, simnet.Addresses(r, "10.2.0.1/24"), simnet.Delay(10*time.Millisecond))

	n.Do("ping", func() {
		reply, err := a.Ping(context.Background(), netip.MustParseAddr("10.2.0.2"))
		fmt.Println(reply.From, reply.RTT, err)
	})
	for _, l := range n.Trace() {
		fmt.Println(l.At, l.From, "to", l.To)
	}
	// Output:
	// 10.2.0.2 20ms <nil>
	// 0s a to office
	// 0s office to r
	// 0s r to server
	// 10ms server to r
	// 20ms r to office
	// 20ms office to a
}

// Three routers in a circle, of which the shortest way is taken until it is cut.
func ExampleNetwork_AutoRoutes() {
	n := simnet.New(nil)
	defer n.Close()
	a, b := n.Host("a", "10.0.1.2/24"), n.Host("b", "10.0.2.2/24")
	r1, r2, r3 := n.Router("r1"), n.Router("r2"), n.Router("r3")
	n.Link(a, r1, simnet.Addresses(r1, "10.0.1.1/24"))
	n.Link(b, r2, simnet.Addresses(r2, "10.0.2.1/24"))
	short := n.Link(r1, r2, simnet.Addresses(r1, "10.0.12.1/24"), simnet.Addresses(r2, "10.0.12.2/24"))
	n.Link(r2, r3, simnet.Addresses(r2, "10.0.23.2/24"), simnet.Addresses(r3, "10.0.23.3/24"))
	n.Link(r3, r1, simnet.Addresses(r3, "10.0.13.3/24"), simnet.Addresses(r1, "10.0.13.1/24"))
	n.AutoRoutes()

	ping := func() {
		n.ClearTrace()
		n.Do("ping", func() { a.Ping(context.Background(), netip.MustParseAddr("10.0.2.2")) })
		var path []string
		for _, l := range n.Trace() {
			path = append(path, l.From)
		}
		fmt.Println(path)
	}
	ping()
	short.Partition()
	n.AutoRoutes() // as a routing protocol would find out
	ping()
	// Output:
	// [a r1 r2 b r2 r1]
	// [a r1 r3 r2 b r2 r3 r1]
}

// A middlebox lets every third packet disappear.
func ExampleNetwork_Middlebox() {
	n := simnet.New(nil)
	defer n.Close()
	a, b := n.Host("a", "10.0.0.1/24"), n.Host("b", "10.0.0.2/24")
	seen := 0
	m := n.Middlebox("m", func(p simnet.Passing) simnet.Verdict {
		seen++
		return simnet.Verdict{Drop: seen%3 == 0}
	})
	n.Link(a, m)
	n.Link(m, b)
	n.Do("ping", func() {
		for range 3 {
			ctx, cancel := n.WithTimeout(context.Background(), time.Second)
			_, err := a.Ping(ctx, netip.MustParseAddr("10.0.0.2"))
			fmt.Println(err == nil)
			cancel()
		}
	})
	// Output:
	// true
	// false
	// true
}
