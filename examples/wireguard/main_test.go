package main

import (
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wg"
)

// must returns a value where there is no error.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// The other end is a web server of this process, at a UDP port of the loopback.
func Example() {
	anna, ben := must(wg.GeneratePrivateKey()), must(wg.GeneratePrivateKey())
	near, far := netip.MustParsePrefix("10.88.0.1/32"), netip.MustParsePrefix("10.88.0.2/32")
	server := wg.Config{
		PrivateKey: ben, Addresses: []netip.Prefix{far},
		Peers: []wg.Peer{{PublicKey: anna.PublicKey(), AllowedIPs: []netip.Prefix{near}}},
	}
	device := must(wg.New(server))
	s := must(stack.New(server.Stack(device)))
	defer s.Close()
	l := must(s.Listen("tcp", ":80"))
	go http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "hello from", r.Host)
	}))

	client := wg.Config{
		PrivateKey: anna, Addresses: []netip.Prefix{near},
		Peers: []wg.Peer{{
			PublicKey: ben.PublicKey(), AllowedIPs: []netip.Prefix{far},
			Endpoint: fmt.Sprintf("127.0.0.1:%d", device.ListenPort()),
		}},
	}
	dir := must(os.MkdirTemp("", "wireguard"))
	defer os.RemoveAll(dir)
	name := filepath.Join(dir, "anna.conf")
	file := must(os.OpenFile(name, os.O_WRONLY|os.O_CREATE, 0o600))
	must(client.WriteTo(file))
	must(0, file.Close())

	os.Args = []string{"wireguard", name, "http://10.88.0.2/"}
	main()
	// Output: hello from 10.88.0.2
}
