package wg_test

import (
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"

	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wg"
)

// startServer runs a web server at one end of a tunnel, on a UDP port that is free, for a peer that
// has a key. It returns the public key and the port.
func startServer(peer wg.Key) (s *stack.Stack, public wg.Key, port int) {
	private, err := wg.GeneratePrivateKey()
	if err != nil {
		panic(err)
	}
	cfg := wg.Config{
		PrivateKey: private,
		Addresses:  []netip.Prefix{netip.MustParsePrefix("10.88.0.1/24")},
		Peers:      []wg.Peer{{PublicKey: peer, AllowedIPs: []netip.Prefix{netip.MustParsePrefix("10.88.0.2/32")}}},
	}
	device, err := wg.New(cfg)
	if err != nil {
		panic(err)
	}
	if s, err = stack.New(cfg.Stack(device)); err != nil {
		panic(err)
	}
	listener, err := s.Listen("tcp", "10.88.0.1:80")
	if err != nil {
		panic(err)
	}
	go http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, _ := strings.Cut(r.RemoteAddr, ":")
		fmt.Fprintf(w, "hello, %s", host)
	}))
	return s, device.PublicKey(), device.ListenPort()
}

// A program gets a page from a server in a WireGuard network, from a file as wg-quick has it.
func Example() {
	private, err := wg.GeneratePrivateKey()
	if err != nil {
		panic(err)
	}
	server, public, port := startServer(private.PublicKey())
	defer server.Close()
	file := fmt.Sprintf(`
[Interface]
PrivateKey = %s
Address = 10.88.0.2/24

[Peer]
PublicKey = %s
Endpoint = 127.0.0.1:%d
AllowedIPs = 10.88.0.0/24
`, private, public, port)

	cfg, err := wg.ParseConfig(strings.NewReader(file))
	if err != nil {
		panic(err)
	}
	device, err := wg.New(*cfg)
	if err != nil {
		panic(err)
	}
	s, err := stack.New(cfg.Stack(device))
	if err != nil {
		panic(err)
	}
	defer s.Close() // and the tunnel with it
	client := http.Client{Transport: &http.Transport{DialContext: s.DialContext}}
	answer, err := client.Get("http://10.88.0.1/")
	if err != nil {
		panic(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	fmt.Println(string(body), err)
	fmt.Println(len(device.Peers()), device.Peers()[0].Received > 0)
	// Output:
	// hello, 10.88.0.2 <nil>
	// 1 true
}
