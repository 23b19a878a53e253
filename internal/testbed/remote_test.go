package testbed_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/wsstack/wsstack/internal/testbed"
	"github.com/wsstack/wsstack/tun"
)

// divided is the network of stacks as two machines have it, which a pipe joins: the client runs on
// the first one, and the router and the server on the second one.
func divided() (near, far testbed.Network) {
	near, far = stacks(), stacks()
	one, two := tun.Pipe(1420)
	for _, part := range []struct {
		network *testbed.Network
		device  tun.Device
		remote  []int
	}{{&near, one, []int{1, 2}}, {&far, two, []int{0}}} {
		for _, i := range part.remote {
			part.network.Hosts[i].Remote = true
		}
		part.network.Links[0].MTU = 1420
		part.network.Links[0].Tunnel = func() (tun.Device, error) { return part.device, nil }
	}
	return near, far
}

// Each machine has its own hosts and links alone, and the hosts reach those of the other one by
// routes and names. What an end does to packets happens where they are sent.
func TestRemote(t *testing.T) {
	near, far := divided()
	near.Links[0].Ends[0].Sends.Duplicate = 1
	far.Links[0].Ends[1].Sends.Delay = 20 * time.Millisecond
	a, b := start(t, near, testbed.Options{}), start(t, far, testbed.Options{})
	if len(a.Hosts()) != 1 || len(a.Links()) != 1 || len(b.Hosts()) != 2 || len(b.Links()) != 2 {
		t.Fatalf("%d and %d hosts, %d and %d links", len(a.Hosts()), len(b.Hosts()), len(a.Links()), len(b.Links()))
	}
	before := time.Now()
	if got, err := ask(t, a.Hosts()[0], "server:7", "hello"); got != "hello" || err != nil {
		t.Errorf("the server answers %q, %v", got, err)
	}
	if took := time.Since(before); took < 40*time.Millisecond { // a handshake and an answer
		t.Errorf("it took %v through a delay of 20ms each", took)
	}
	out, in := a.Links()[0].Impaired().Stats()
	if out.Duplicated == 0 || in.Duplicated != 0 || in.Packets == 0 {
		t.Errorf("the client's machine sends %+v and gets %+v, want that it sends everything twice", out, in)
	}
	out, in = b.Links()[0].Impaired().Stats()
	if out.Packets == 0 || out.Duplicated != 0 || in.Packets == 0 || in.Duplicated != 0 {
		t.Errorf("the router's machine sends %+v and gets %+v, want that it sends nothing twice", out, in)
	}
}

// Nothing begins before it may, and a host waits for one of another machine until that is ready.
func TestRemote_Order(t *testing.T) {
	near, _ := divided()
	begin := make(chan struct{})
	ready := make(chan string, 1)
	a := start(t, near, testbed.Options{Begin: begin, Ready: func(host string) { ready <- host }})
	a.Ready("client") // isn't remote
	a.Ready("nobody")
	select {
	case host := <-ready:
		t.Fatalf("%s is ready before the begin", host)
	case <-time.After(20 * time.Millisecond):
	}
	close(begin)
	if host := <-ready; host != "client" {
		t.Errorf("%s is ready", host)
	}
	a.Ready("server")
	a.Ready("server")
}

// A network whose main command runs elsewhere goes on until the caller knows that it has ended.
func TestRemote_Wait(t *testing.T) {
	near, _ := divided()
	near.Hosts[2].Kind, near.Hosts[2].Services = testbed.Namespace, nil
	near.Hosts[2].Command = &testbed.Command{Args: []string{"exit"}, Main: true}
	a := start(t, near, testbed.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got, err := a.Wait(ctx); got != (testbed.Result{}) || !errors.Is(err, context.Canceled) {
		t.Errorf("Wait: %+v, %v, want that the context is done", got, err)
	}
}

// What is beyond a tunnel may have no addresses, or addresses elsewhere. A tunnel that can't be
// made ends everything.
func TestRemote_Unknown(t *testing.T) {
	n := testbed.Network{
		Hosts: []testbed.Host{{Name: "stack", Services: []testbed.Feature{echo("7")}}, {Name: "beyond", Remote: true}},
		Links: []testbed.Link{link("wire", "stack", "10.0.0.1/32", "beyond", "10.0.0.2/32")},
	}
	n.Links[0].Ends[1].Addresses, n.Links[0].MTU = nil, 1420
	n.Links[0].Tunnel = func() (tun.Device, error) { return nil, errors.New("no way") }
	b, err := testbed.New(n, testbed.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Start(); err == nil || !strings.HasPrefix(err.Error(), "link wire: can't make the tunnel: no way") {
		t.Errorf("Start: %v", err)
	}
	near, far := tun.Pipe(1420)
	defer far.Close()
	n.Links[0].Tunnel = func() (tun.Device, error) { return near, nil }
	start(t, n, testbed.Options{})
	n.Links[0].Ends[1].Addresses = []netip.Prefix{netip.MustParsePrefix("10.0.0.2/32")}
	if err := n.Check(); err != nil {
		t.Errorf("a tunnel to another subnet: %v", err)
	}
	n.Links[0].Tunnel = nil
	if err := n.Check(); err == nil || !strings.Contains(err.Error(), "has no address in") {
		t.Errorf("a link to another subnet: %v", err)
	}
	n.Links[0].Ends[1].Addresses = []netip.Prefix{netip.MustParsePrefix("10.0.0.2/24")}
	n.Links[0].Ends[0].Addresses = []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24")}
	if b, err = testbed.New(n, testbed.Options{}); err != nil {
		t.Fatal(err)
	}
	if err := b.Start(); err == nil || !strings.Contains(err.Error(), "nothing leads to the remote end") {
		t.Errorf("Start without a tunnel: %v", err)
	}
}
