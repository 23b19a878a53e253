//go:build linux

package integration

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/internal/netns"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wsa"
)

// A side is one end of a link as tests see it: sockets of package net at the
// kernel's end, sockets of the stack at the other.
type side struct {
	name         string
	addrs        []netip.Prefix
	dial         func(ctx context.Context, network, address string) (net.Conn, error)
	listen       func(network, address string) (net.Listener, error)
	listenPacket func(network, address string) (net.PacketConn, error)

	// What calls return at this side.
	refused, reset, tooLong error
	unreachablePort         error // of a datagram socket
}

// A stream is a TCP connection at either side.
type stream interface {
	net.Conn
	CloseWrite() error
	SetLinger(seconds int) error
	SetNoDelay(noDelay bool) error
}

var (
	_ stream = (*net.TCPConn)(nil)
	_ stream = (*endpoint.Conn)(nil)
)

func kernelSide(addrs []netip.Prefix) *side {
	return &side{
		name: "kernel", addrs: addrs,
		dial: (&net.Dialer{}).DialContext, listen: net.Listen, listenPacket: net.ListenPacket,
		refused: syscall.ECONNREFUSED, reset: syscall.ECONNRESET, tooLong: syscall.EMSGSIZE,
		unreachablePort: syscall.ECONNREFUSED,
	}
}

// threadSide makes sockets in another namespace. They stay in it, whoever uses them.
func threadSide(thread *netns.Thread, name string, addrs []netip.Prefix) *side {
	s := kernelSide(addrs)
	s.name = name
	dial, listen, listenPacket := s.dial, s.listen, s.listenPacket
	s.dial = func(ctx context.Context, network, address string) (c net.Conn, err error) {
		thread.Do(func() { c, err = dial(ctx, network, address) })
		return c, err
	}
	s.listen = func(network, address string) (l net.Listener, err error) {
		thread.Do(func() { l, err = listen(network, address) })
		return l, err
	}
	s.listenPacket = func(network, address string) (c net.PacketConn, err error) {
		thread.Do(func() { c, err = listenPacket(network, address) })
		return c, err
	}
	return s
}

func stackSide(st *stack.Stack, addrs []netip.Prefix) *side {
	return &side{
		name: "wsstack", addrs: addrs,
		dial: st.DialContext, listen: st.Listen, listenPacket: st.ListenPacket,
		refused: wsa.WSAECONNREFUSED, reset: wsa.WSAECONNRESET, tooLong: wsa.WSAEMSGSIZE,
		unreachablePort: wsa.WSAECONNRESET,
	}
}

// A role says who is the client and who the server, over which IP version.
type role struct {
	name           string
	client, server *side
	v6             bool
}

// eachRole runs a test in every combination of role and IP version.
func (n *network) eachRole(t *testing.T, body func(t *testing.T, r role)) {
	t.Helper()
	for _, r := range roles(n.kernel, n.wsock, n.only4) {
		t.Run(r.name, func(t *testing.T) { body(t, r) })
	}
}

func roles(kernel, wsock *side, only4 bool) (list []role) {
	for _, v6 := range []bool{false, true} {
		if v6 && only4 {
			continue
		}
		version := " IPv4"
		if v6 {
			version = " IPv6"
		}
		list = append(list,
			role{kernel.name + " client, " + wsock.name + " server," + version, kernel, wsock, v6},
			role{wsock.name + " client, " + kernel.name + " server," + version, wsock, kernel, v6})
	}
	return list
}

// host is the server's address.
func (r role) host() netip.Addr { return r.server.addr(r.v6) }

// at is host:port of the server.
func (r role) at(port uint16) string { return netip.AddrPortFrom(r.host(), port).String() }

func (s *side) addr(v6 bool) netip.Addr { return addrOf(s.addrs, v6) }

func addrOf(list []netip.Prefix, v6 bool) netip.Addr {
	for _, p := range list {
		if p.Addr().Is6() == v6 {
			return p.Addr()
		}
	}
	panic("no address of that version")
}

// listenAt listens at the server's address, on a port that the side chooses.
func (r role) listenAt(t testing.TB) net.Listener {
	t.Helper()
	l, err := r.server.listen("tcp", r.at(0))
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	return l
}

// patience ends a test that hangs. It says nothing about how long anything may
// take, on a machine with other things to do.
const patience = 2 * time.Minute

func (r role) dialTo(t testing.TB, l net.Listener) stream {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := r.client.dial(ctx, "tcp", l.Addr().String())
	require.NoError(t, err)
	return c.(stream)
}

// connect returns both ends of a new connection. The test's end closes them.
func (r role) connect(t testing.TB) (client, server stream) {
	t.Helper()
	l := r.listenAt(t)
	client = r.dialTo(t, l)
	s, err := l.Accept()
	require.NoError(t, err)
	server = s.(stream)
	t.Cleanup(func() {
		client.Close()
		server.Close()
	})
	return client, server
}

// ends gives connect's result as the kernel's end and the other.
func (r role) ends(t testing.TB) (kernel, wsock stream) {
	t.Helper()
	client, server := r.connect(t)
	if r.client.name == "kernel" {
		return client, server
	}
	return server, client
}

// serveEcho answers every connection with what it sends, half-close included,
// until the listener is closed. The test waits for it.
func serveEcho(t testing.TB, l net.Listener) {
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				if _, err := io.Copy(c, c); err == nil {
					c.(stream).CloseWrite()
				}
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		wg.Wait()
	})
}

// echo sends a message and wants it back.
func echo(c net.Conn, message []byte) error {
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	sent := make(chan error, 1)
	go func() {
		_, err := c.Write(message)
		sent <- err
	}()
	got := make([]byte, len(message))
	_, err := io.ReadFull(c, got)
	if err = errors.Join(err, <-sent); err != nil {
		return err
	}
	if string(got) != string(message) {
		return errors.New("the echo is not what was sent")
	}
	return nil
}
