// An HTTP server on an address that this host reaches through a TUN interface.
package main

import (
	"fmt"
	"log"
	"net/http"
	"net/netip"

	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
)

func main() {
	device, err := tun.Open("") // the system chooses the name
	if err != nil {
		log.Fatal(err)
	}
	name := device.(tun.Named).Name()
	// The host's side of the link: the interface goes up and has an address.
	host := tun.Config{Addresses: []netip.Prefix{netip.MustParsePrefix("10.79.0.2/24")}}
	if err := tun.Configure(name, host); err != nil {
		log.Fatal(err)
	}
	// The other side is the stack.
	s, err := stack.New(stack.Config{
		Device:    device,
		Addresses: []netip.Prefix{netip.MustParsePrefix("10.79.0.1/24")},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close() // the interface disappears
	l, err := s.Listen("tcp", ":80")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("http://10.79.0.1/ is served on", name)
	log.Fatal(http.Serve(l, http.FileServer(http.Dir("."))))
}
