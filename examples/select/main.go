// An echo server for many clients in one goroutine: a loop around Winsock's select.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log"
	"net/netip"

	"github.com/wsstack/wsstack/provider"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wsa"
)

const clients = 5

func main() {
	st, err := stack.New(stack.Config{}) // a loopback alone
	check(err)
	defer st.Close()
	p, err := provider.Startup(st, wsa.WINSOCK_VERSION)
	check(err)
	defer p.Cleanup()

	listener, err := p.Socket(wsa.AF_INET, wsa.SOCK_STREAM, wsa.IPPROTO_TCP)
	check(err)
	check(p.Bind(listener, netip.MustParseAddrPort("127.0.0.1:7")))
	check(p.Listen(listener, wsa.SOMAXCONN))
	_, err = p.Ioctl(listener, wsa.FIONBIO, []byte{1, 0, 0, 0}, nil) // accepted sockets inherit it
	check(err)

	results := make([]chan string, clients)
	for i := range results {
		results[i] = make(chan string, 1)
		go func() { results[i] <- client(st, i) }()
	}
	serve(p, listener)
	for _, r := range results {
		fmt.Println(<-r)
	}
}

// serve echoes until as many clients as there are have come and gone.
func serve(p *provider.Provider, listener wsa.SOCKET) {
	pending := map[wsa.SOCKET][]byte{} // what each client hasn't got back yet
	buf := make([]byte, 4096)
	for gone := 0; gone < clients; {
		read, write := []wsa.SOCKET{listener}, []wsa.SOCKET{}
		for s, echo := range pending {
			if len(echo) > 0 { // a client that doesn't read isn't read from
				write = append(write, s)
			} else {
				read = append(read, s)
			}
		}
		read, write, _, err := p.Select(read, write, nil, -1)
		check(err)
		for _, s := range read {
			if s == listener {
				if s, _, err := p.Accept(listener); err == nil {
					pending[s] = nil
				}
				continue
			}
			n, err := p.Recv(s, buf, 0)
			if n == 0 || err != nil { // the end of the stream, or of the connection
				check(p.CloseSocket(s))
				delete(pending, s)
				gone++
				continue
			}
			pending[s] = bytes.Clone(buf[:n])
		}
		for _, s := range write {
			if n, err := p.Send(s, pending[s], 0); !errors.Is(err, wsa.WSAEWOULDBLOCK) {
				check(err)
				pending[s] = pending[s][n:]
			}
		}
	}
}

// client sends a megabyte, which is more than fits on the way, and compares the echo.
func client(st *stack.Stack, i int) string {
	c, err := st.Dial("tcp", "127.0.0.1:7")
	check(err)
	defer c.Close()
	sent := bytes.Repeat([]byte{byte('a' + i)}, 1<<20)
	go c.Write(sent)
	got := make([]byte, len(sent))
	_, err = io.ReadFull(c, got)
	return fmt.Sprintf("client %d: %d bytes, the same: %v, %v", i, len(got), bytes.Equal(sent, got), err)
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
