// An HTTP server and a client, each on a network stack of its own.
package main

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/netip"
	"os"

	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
)

func main() {
	a, b := tun.Pipe(1500) // in memory, no privileges
	server, err := stack.New(stack.Config{
		Device:    a,
		Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24")},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close() // with its device
	client, err := stack.New(stack.Config{
		Device:    b,
		Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.2/24")},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	l, err := server.Listen("tcp", ":80") // ports below 1024 need no privilege either
	if err != nil {
		log.Fatal(err)
	}
	go http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "hello from", r.Host)
	}))

	web := http.Client{Transport: &http.Transport{DialContext: client.DialContext}}
	resp, err := web.Get("http://10.0.0.1/")
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	io.Copy(os.Stdout, resp.Body)
}
