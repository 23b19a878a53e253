package stack_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
)

// A gateway for a device whose packets are for anybody. It connects on the system's side first, and
// answers a SYN when it is through, so that the client sees a refusal as a refusal. Here every
// destination is one server of the system's, and the device is a pipe to another stack; in a
// tun2socks it is a TUN, and Connect dials through a proxy.
func ExampleForwarder() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "you asked for %s", r.Host)
	}))
	defer server.Close()

	inside, outside := tun.Pipe(1500)
	gateway, err := stack.New(stack.Config{Device: outside, Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24")}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer gateway.Close()
	f, err := gateway.NewForwarder(stack.ForwarderConfig{
		Connect: func(ctx context.Context, _, to netip.AddrPort) (any, error) {
			if to.Port() != 80 {
				return nil, stack.Refused
			}
			return new(net.Dialer).DialContext(ctx, "tcp", server.Listener.Addr().String())
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	go func() {
		for {
			c, value, err := f.AcceptValue()
			if err != nil {
				return
			}
			go splice(c, value.(*net.TCPConn))
		}
	}()

	client, err := stack.New(stack.Config{Device: inside, Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.2/24")}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	web := &http.Client{Transport: &http.Transport{DialContext: client.DialContext, DisableKeepAlives: true}}
	resp, err := web.Get("http://93.184.216.34/")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	fmt.Printf("%s\n", body)
	_, err = client.Dial("tcp", "93.184.216.34:81")
	fmt.Println(err)
	// Output:
	// you asked for 93.184.216.34
	// dial tcp 93.184.216.34:81: WSAECONNREFUSED: connection refused
}

// splice copies both ways, and passes on where each way ends.
func splice(c *endpoint.Conn, upstream *net.TCPConn) {
	there := make(chan struct{})
	go func() {
		defer close(there)
		io.Copy(upstream, c)
		upstream.CloseWrite()
	}()
	io.Copy(c, upstream)
	c.CloseWrite()
	<-there
	c.Close()
	upstream.Close()
}
