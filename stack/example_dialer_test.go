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

// An http.Transport whose connections have no Nagle's algorithm, send keep-alive probes, come from
// one address and take a second to connect at most; and an http.Server that probes its clients.
func ExampleDialer() {
	a, b := tun.Pipe(1500)
	server, err := stack.New(stack.Config{Device: a, Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24")}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	client, err := stack.New(stack.Config{Device: b, Addresses: []netip.Prefix{
		netip.MustParsePrefix("10.0.0.2/24"), netip.MustParsePrefix("10.0.0.3/24"),
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()

	config := stack.ListenConfig{Stack: server, KeepAlive: time.Minute}
	l, err := config.Listen(context.Background(), "tcp", ":80")
	if err != nil {
		fmt.Println(err)
		return
	}
	go http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello %s", r.RemoteAddr[:8])
	}))

	dialer := stack.Dialer{
		Stack:           client,
		LocalAddr:       &net.TCPAddr{IP: net.IPv4(10, 0, 0, 3)},
		Timeout:         time.Second,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 30 * time.Second, Interval: time.Second, Count: 5},
		Options:         []options.Assignment{options.TCP_NODELAY.With(true)},
	}
	transport := &http.Transport{DialContext: dialer.DialContext}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Get("http://10.0.0.1/")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	fmt.Printf("%s\n", body)
	// Output: hello 10.0.0.3
}

// With SO_EXCLUSIVEADDRUSE, which is set before the socket is bound, nobody else gets the port,
// not even with SO_REUSEADDR.
func ExampleListenConfig() {
	s, err := stack.New(stack.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	alone := stack.ListenConfig{Stack: s, Options: []options.Assignment{options.SO_EXCLUSIVEADDRUSE.With(true)}}
	shared := stack.ListenConfig{Stack: s, Options: []options.Assignment{options.SO_REUSEADDR.With(true)}}

	l, err := alone.ListenTCP("tcp4", netip.MustParseAddrPort("127.0.0.1:80"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer l.Close()
	_, err = shared.Listen(context.Background(), "tcp4", "127.0.0.1:80")
	fmt.Println(err, errors.Is(err, wsa.WSAEACCES))
	// Output: listen tcp4 127.0.0.1:80: WSAEACCES: access denied true
}
