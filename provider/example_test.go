package provider_test

import (
	"fmt"
	"net/netip"

	"github.com/wsstack/wsstack/provider"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wsa"
)

// A client and a server through the Winsock face, on the loopback. Errors are
// wsa.Errno values, as WSAGetLastError gives them.
func Example() {
	st, err := stack.New(stack.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer st.Close()
	p, err := provider.Startup(st, 0x0202)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer p.Cleanup()

	listener, _ := p.Socket(wsa.AF_INET, wsa.SOCK_STREAM, wsa.IPPROTO_TCP)
	addr := netip.MustParseAddrPort("127.0.0.1:7000")
	fmt.Println("bind:", p.Bind(listener, addr))
	fmt.Println("listen:", p.Listen(listener, 5))

	client, _ := p.Socket(wsa.AF_INET, wsa.SOCK_STREAM, wsa.IPPROTO_TCP)
	fmt.Println("connect:", p.Connect(client, addr))
	fmt.Println("connect again:", p.Connect(client, addr))

	optval, optlen := make([]byte, 4), int32(4)
	err = p.GetSockOpt(client, wsa.SOL_SOCKET, wsa.SO_DONTLINGER, optval, &optlen)
	fmt.Println("SO_DONTLINGER:", optval[0], err)
	fmt.Println("unknown option:", p.SetSockOpt(client, wsa.SOL_SOCKET, 0x7777, optval, 4))
	// Output:
	// bind: <nil>
	// listen: <nil>
	// connect: <nil>
	// connect again: WSAEISCONN: already connected
	// SO_DONTLINGER: 1 <nil>
	// unknown option: WSAENOPROTOOPT: option not supported
}
