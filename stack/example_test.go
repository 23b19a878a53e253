package stack_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
	"github.com/wsstack/wsstack/wsa"
)

// Two stacks of one process, joined in memory: an http.Server on one, an
// http.Client on the other. No privileges are needed.
func Example() {
	a, b := tun.Pipe(1500)
	server, err := stack.New(stack.Config{Device: a, Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24")}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	client, err := stack.New(stack.Config{Device: b, Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.2/24")}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()

	l, err := server.Listen("tcp", ":80")
	if err != nil {
		fmt.Println(err)
		return
	}
	go http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello %s", r.RemoteAddr[:8])
	}))

	transport := &http.Transport{DialContext: client.DialContext}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Get("http://10.0.0.1/")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	fmt.Printf("%s\n", body)
	// Output: hello 10.0.0.2
}

// Names are those of Hosts, or what Nameservers say: DNS servers that are asked
// over the stack. net.DefaultResolver as Config.Resolver gives it the names that
// the system knows.
func ExampleStack_LookupHost() {
	s, err := stack.New(stack.Config{
		Hosts:       map[string][]netip.Addr{"printer": {netip.MustParseAddr("fd00::9"), netip.MustParseAddr("10.0.0.9")}},
		Nameservers: []netip.AddrPort{netip.MustParseAddrPort("10.0.0.53:53")},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	fmt.Println(s.LookupHost(context.Background(), "Printer"))
	// Output: [fd00::9 10.0.0.9] <nil>
}

// Every socket of a stack, those that DialContext and Listen make, too, begins with
// these options.
func ExampleConfig_defaults() {
	var config stack.Config
	config.Defaults = []options.Assignment{ // of a stack.Config
		options.TCP_NODELAY.With(true),
		options.SO_KEEPALIVE.With(true), options.TCP_KEEPIDLE.With(time.Minute),
	}
	s, err := stack.New(config)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	l, err := s.ListenTCP("tcp", netip.MustParseAddrPort("127.0.0.1:80"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(options.TCP_KEEPIDLE.Get(l))
	// Output: 1m0s <nil>
}

// Ping needs no raw socket. An error may be what a router said.
func ExampleStack_Ping() {
	s, err := stack.New(stack.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	reply, err := s.Ping(ctx, netip.IPv6Loopback())
	fmt.Println(reply.From, reply.TTL, reply.RTT < time.Minute, err)

	_, err = s.Ping(ctx, netip.MustParseAddr("10.0.0.1"))
	var icmp *stack.ICMPError
	fmt.Println(err, errors.As(err, &icmp), errors.Is(err, wsa.WSAENETUNREACH))
	// Output:
	// ::1 128 true <nil>
	// ping ip4:icmp 10.0.0.1: WSAENETUNREACH: network unreachable false true
}

// Two programs on a network share the port of a group, as with package net.
func ExampleStack_ListenMulticastUDP() {
	da, db := tun.Pipe(1500)
	a, err := stack.New(stack.Config{Device: da, Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24")}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer a.Close()
	b, err := stack.New(stack.Config{Device: db, Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.2/24")}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer b.Close()

	group := &net.UDPAddr{IP: net.IPv4(239, 1, 2, 3), Port: 7000}
	listener, err := b.ListenMulticastUDP("udp4", nil, group)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer listener.Close()
	sender, err := a.ListenUDP("udp4", netip.AddrPort{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer sender.Close()
	sender.SetMulticastTTL(4)
	sender.WriteTo([]byte("hello"), group)

	buf := make([]byte, 100)
	n, from, err := listener.ReadFromUDP(buf)
	fmt.Printf("%s from %v, %v\n", buf[:n], from.IP, err)
	// Output: hello from 10.0.0.1, <nil>
}
