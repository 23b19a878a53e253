package provider_test

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"

	"github.com/wsstack/wsstack/provider"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wsa"
)

// start makes a Provider on a stack of its own; stop ends both.
func start() (p *provider.Provider, stop func()) {
	st, err := stack.New(stack.Config{})
	if err != nil {
		panic(err)
	}
	if p, err = provider.Startup(st, 0x0202); err != nil {
		panic(err)
	}
	return p, func() { _, _ = p.Cleanup(), st.Close() }
}

// listenOn makes a listener on a port of the loopback.
func listenOn(p *provider.Provider, port uint16) (wsa.SOCKET, netip.AddrPort) {
	s, _ := p.Socket(wsa.AF_INET, wsa.SOCK_STREAM, wsa.IPPROTO_TCP)
	addr := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port)
	if err := p.Bind(s, addr); err != nil {
		panic(err)
	}
	if err := p.Listen(s, 5); err != nil {
		panic(err)
	}
	return s, addr
}

// pair makes a connection.
func pair(p *provider.Provider, port uint16) (client, server wsa.SOCKET) {
	listener, addr := listenOn(p, port)
	client, _ = p.Socket(wsa.AF_INET, wsa.SOCK_STREAM, wsa.IPPROTO_TCP)
	if err := p.Connect(client, addr); err != nil {
		panic(err)
	}
	server, _, err := p.Accept(listener)
	if err != nil {
		panic(err)
	}
	return client, server
}

// WSAEventSelect: the event is signalled, EnumNetworkEvents says why and clears
// it. The socket is non-blocking from then on.
func ExampleProvider_EventSelect() {
	p, stop := start()
	defer stop()
	client, server := pair(p, 7001)

	ev := provider.NewEvent()
	fmt.Println("select:", p.EventSelect(server, ev, wsa.FD_READ|wsa.FD_CLOSE))
	_, err := p.Recv(server, make([]byte, 10), 0)
	fmt.Println("recv:", err)

	_, _ = p.Send(client, []byte("hello"), 0)
	i, err := p.WaitForMultipleEvents([]*provider.Event{ev}, false, 10*time.Second)
	fmt.Println("signalled:", i, err)
	got, err := p.EnumNetworkEvents(server, ev)
	fmt.Println("FD_READ:", got.Events == wsa.FD_READ, err)
	// Output:
	// select: <nil>
	// recv: WSAEWOULDBLOCK: operation would block
	// signalled: 0 <nil>
	// FD_READ: true <nil>
}

// WSAPoll: one wait for several sockets.
func ExampleProvider_Poll() {
	p, stop := start()
	defer stop()
	client, server := pair(p, 7002)

	fds := []provider.PollFD{
		{Socket: client, Events: wsa.POLLRDNORM | wsa.POLLWRNORM},
		{Socket: server, Events: wsa.POLLRDNORM},
	}
	n, err := p.Poll(fds, 0)
	fmt.Println(n, err, fds[0].Revents == wsa.POLLWRNORM, fds[1].Revents == 0)

	_, _ = p.Send(client, []byte("hello"), 0)
	n, err = p.Poll(fds[1:], 10*time.Second)
	fmt.Println(n, err, fds[1].Revents == wsa.POLLRDNORM)
	// Output:
	// 1 <nil> true true
	// 1 <nil> true
}

// WSAAccept with a condition function: with SO_CONDITIONAL_ACCEPT it decides
// before the handshake, so a rejected caller never was connected.
func ExampleProvider_AcceptCond() {
	p, stop := start()
	defer stop()
	listener, _ := p.Socket(wsa.AF_INET, wsa.SOCK_STREAM, wsa.IPPROTO_TCP)
	addr := netip.MustParseAddrPort("127.0.0.1:7003")
	fmt.Println("option:", p.SetSockOpt(listener, wsa.SOL_SOCKET, wsa.SO_CONDITIONAL_ACCEPT, []byte{1, 0, 0, 0}, 4))
	fmt.Println("bind:", p.Bind(listener, addr))
	fmt.Println("listen:", p.Listen(listener, 5))

	connected := make(chan error)
	go func() {
		client, _ := p.Socket(wsa.AF_INET, wsa.SOCK_STREAM, wsa.IPPROTO_TCP)
		connected <- p.Connect(client, addr)
	}()
	_, _, err := p.AcceptCond(listener, func(caller, callee netip.AddrPort) int32 {
		fmt.Println("called at", callee)
		return wsa.CF_REJECT
	})
	fmt.Println("accept:", err)
	fmt.Println("connect:", <-connected)
	// Output:
	// option: <nil>
	// bind: <nil>
	// listen: <nil>
	// called at 127.0.0.1:7003
	// accept: WSAECONNREFUSED: connection refused
	// connect: WSAECONNREFUSED: connection refused
}

// Urgent data: the last byte of a send with MSG_OOB is received by a recv with
// MSG_OOB, out of the order of the stream; a recv without stops in front of it.
func ExampleProvider_Send_urgent() {
	p, stop := start()
	defer stop()
	client, server := pair(p, 7004)
	_, _ = p.Send(client, []byte("before"), 0)
	_, err := p.Send(client, []byte("!"), wsa.MSG_OOB)
	fmt.Println("send:", err)

	buf := make([]byte, 10)
	n, err := p.Recv(server, buf, wsa.MSG_OOB) // waits for it
	fmt.Printf("urgent: %s, %v\n", buf[:n], err)
	atMark := make([]byte, 4)
	_, err = p.Ioctl(server, wsa.SIOCATMARK, nil, atMark)
	fmt.Println("all urgent data read:", binary.LittleEndian.Uint32(atMark), err)
	n, err = p.Recv(server, buf, 0)
	fmt.Printf("in line: %s, %v\n", buf[:n], err)
	// Output:
	// send: <nil>
	// urgent: !, <nil>
	// all urgent data read: 1 <nil>
	// in line: before, <nil>
}
