package peers

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wsa"
)

// newStack is a stack with a loopback interface alone.
func newStack(t *testing.T) *stack.Stack {
	t.Helper()
	st, err := stack.New(stack.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return st
}

var loopbackEnv = Env{Addresses: []netip.Addr{loopback}, Peer: loopback}

// hostServer is a TCP server of this system, with a handler for its connections.
func hostServer(t *testing.T, handle func(*net.TCPConn)) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() { // ends with the listener
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				handle(c.(*net.TCPConn))
			}()
		}
	}()
	return l.Addr().String()
}

// freePort is a port of this system that nobody has at the moment.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// echoes has a connection bring back what was sent, after its FIN.
func echoes(t *testing.T, c stream) {
	t.Helper()
	want := bytes.Repeat([]byte("there and back "), 20_000)
	go func() {
		_, _ = c.Write(want)
		_ = c.CloseWrite()
	}()
	got, err := io.ReadAll(c)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes came back, %v, want %d", len(got), err, len(want))
	}
}

func TestForward(t *testing.T) {
	st := newStack(t)
	start(t, service(t, "forward", "5000="+hostServer(t, func(c *net.TCPConn) { io.Copy(c, c) })), st, loopbackEnv)
	for range 3 {
		echoes(t, dial(t, st, "tcp", "127.0.0.1:5000").(*endpoint.Conn))
	}
}

// A service that refuses, and one that isn't there, are refusals.
func TestForward_Refused(t *testing.T) {
	st := newStack(t)
	start(t, service(t, "forward", "5000=127.0.0.1:"+freePort(t)), st, loopbackEnv)
	for range 2 {
		if _, err := st.Dial("tcp", "127.0.0.1:5000"); !errors.Is(err, wsa.WSAECONNREFUSED) {
			t.Errorf("dial: %v, want a refusal", err)
		}
	}
}

// A RST of either side is one for the other.
func TestForward_Reset(t *testing.T) {
	st := newStack(t)
	reset, there := make(chan error, 1), make(chan bool, 1)
	start(t, service(t, "forward", "5000="+hostServer(t, func(c *net.TCPConn) {
		b := make([]byte, 1)
		c.Read(b)
		if b[0] == 'a' {
			c.SetLinger(0)
			return
		}
		there <- true
		_, err := c.Read(b)
		reset <- err
	})), st, loopbackEnv)
	c := dial(t, st, "tcp", "127.0.0.1:5000")
	c.Write([]byte("a"))
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, wsa.WSAECONNRESET) {
		t.Errorf("read: %v, want a reset", err)
	}
	c = dial(t, st, "tcp", "127.0.0.1:5000")
	c.Write([]byte("b"))
	<-there
	abort(c)
	if err := <-reset; err == nil || errors.Is(err, io.EOF) {
		t.Errorf("the service has read %v, want a reset", err)
	}
}

// Datagrams come back to who has sent them, from the address that was asked.
func TestForward_UDP(t *testing.T) {
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	go func() { // ends with the socket
		b := make([]byte, 100)
		for {
			n, from, err := server.ReadFrom(b)
			if err != nil {
				return
			}
			server.WriteTo(bytes.ToUpper(b[:n]), from)
		}
	}()
	st := newStack(t)
	start(t, service(t, "forward", "53/udp="+server.LocalAddr().String()), st, loopbackEnv)
	roundTrips(t, func() net.Conn { return dial(t, st, "udp", "127.0.0.1:53") })
}

// roundTrips has two clients ask for texts in upper case.
func roundTrips(t *testing.T, dial func() net.Conn) {
	t.Helper()
	one, two := dial(), dial()
	for _, c := range []net.Conn{one, two, one} {
		if _, err := c.Write([]byte("question")); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []net.Conn{one, one, two} {
		b := make([]byte, 100)
		c.SetReadDeadline(time.Now().Add(patience))
		if n, err := c.Read(b); err != nil || string(b[:n]) != "QUESTION" {
			t.Errorf("%q, %v", b[:n], err)
		}
	}
}

func TestPublish(t *testing.T) {
	st := newStack(t)
	start(t, Standard(nil, nil)[0], st, loopbackEnv) // echo
	port := freePort(t)
	start(t, service(t, "publish", port+"=7"), st, loopbackEnv)
	c, err := net.Dial("tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	echoes(t, c.(*net.TCPConn))
}

// Where nobody listens on the stack's network, the connection is reset.
func TestPublish_Refused(t *testing.T) {
	st := newStack(t)
	port := freePort(t)
	start(t, service(t, "publish", port+"=127.0.0.1:7"), st, Env{})
	c, err := net.Dial("tcp", "127.0.0.1:"+port)
	if err != nil {
		return // it was reset already
	}
	defer c.Close()
	if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("read: %v, want a reset", err)
	}
}

func TestPublish_UDP(t *testing.T) {
	st := newStack(t)
	server, err := st.ListenPacket("udp", "127.0.0.1:53")
	if err != nil {
		t.Fatal(err)
	}
	go func() { // ends with the stack
		b := make([]byte, 100)
		for {
			n, from, err := server.ReadFrom(b)
			if err != nil {
				return
			}
			server.WriteTo(bytes.ToUpper(b[:n]), from)
		}
	}()
	port := freePort(t)
	start(t, service(t, "publish", port+"/udp=53/udp"), st, loopbackEnv)
	roundTrips(t, func() net.Conn {
		c, err := net.Dial("udp", "127.0.0.1:"+port)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	})
}

// A port that is taken is one error with a hint, and nothing runs.
func TestPublish_Taken(t *testing.T) {
	st := newStack(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, port, _ := net.SplitHostPort(taken.Addr().String())
	s := service(t, "publish", port+"=7")
	var hint interface{ Hint() string }
	if _, err := s.Start(st, loopbackEnv); err == nil || !errors.As(err, &hint) || !strings.Contains(hint.Hint(), "take another") {
		t.Errorf("%v", err)
	}
	if _, err := service(t, "publish", freePort(t)+"=7").Start(st, Env{}); err == nil || !strings.Contains(err.Error(), "no one host") {
		t.Errorf("without an address: %v", err)
	}
}
