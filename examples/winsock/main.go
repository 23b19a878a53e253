// Winsock's calls, on handles and bytes.
package main

import (
	"fmt"
	"log"
	"net/netip"

	"github.com/wsstack/wsstack/provider"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wsa"
)

func main() {
	st, err := stack.New(stack.Config{}) // a loopback alone
	if err != nil {
		log.Fatal(err)
	}
	defer st.Close()
	p, err := provider.Startup(st, wsa.WINSOCK_VERSION)
	if err != nil {
		log.Fatal(err)
	}
	defer p.Cleanup()

	s, err := p.Socket(wsa.AF_INET, wsa.SOCK_STREAM, wsa.IPPROTO_TCP)
	fmt.Println("socket:", err)
	err = p.SetSockOpt(s, wsa.IPPROTO_TCP, wsa.TCP_NODELAY, []byte{1, 0, 0, 0}, 4)
	fmt.Println("setsockopt:", err)
	err = p.Connect(s, netip.MustParseAddrPort("127.0.0.1:80"))
	fmt.Println("connect:", err) // nil or a wsa.Errno
	_, err = p.Recv(s, make([]byte, 10), 0)
	fmt.Println("recv:", err)
}
