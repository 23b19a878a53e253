package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/internal/control"
	"github.com/wsstack/wsstack/internal/iperf3"
	"github.com/wsstack/wsstack/internal/sockettest"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
)

// startTalk runs a network with one stack, whose neighbour, 10.0.0.2, is returned.
func startTalk(t *testing.T) (near, far *stack.Stack) {
	t.Helper()
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	t.Setenv(control.Environment, "")
	a, b := tun.Pipe(1500)
	newStack := func(d tun.Device, address string) *stack.Stack {
		s, err := stack.New(stack.Config{Device: d, Addresses: []netip.Prefix{netip.MustParsePrefix(address)}})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, s.Close()) })
		return s
	}
	near, far = newStack(a, "10.0.0.1/24"), newStack(b, "10.0.0.2/24")
	server, err := control.Listen(control.Config{Name: "test"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Close()) })
	server.AddHost("near", near)
	registerBench(server, func(string) (*stack.Stack, error) { return near, nil })
	server.Start()
	return near, far
}

// A talk is a command line that runs.
type talk struct {
	out, err sockettest.Text
	status   chan int
}

// begin starts a command line.
func begin(in io.Reader, args ...string) *talk {
	k := &talk{status: make(chan int, 1)}
	root := newRootCommand()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(&k.out)
	root.SetErr(&k.err)
	go func() { k.status <- report(&k.err, root.Execute()) }()
	return k
}

// ends waits for the end of the command and wants its status.
func (k *talk) ends(t *testing.T, want int) {
	t.Helper()
	require.Equal(t, want, <-k.status, k.err.String())
}

// says waits until the command has written some words to standard error.
func (k *talk) says(words string) string {
	for !strings.Contains(k.err.String(), words) {
		time.Sleep(time.Millisecond)
	}
	_, rest, _ := strings.Cut(k.err.String(), words)
	return strings.TrimSpace(rest)
}

// accepted is a server of one connection on a stack.
func accepted(t *testing.T, s *stack.Stack, handle func(*endpoint.Conn)) {
	t.Helper()
	l, err := s.Listen("tcp", "10.0.0.2:80")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		c, err := l.Accept()
		if err == nil {
			handle(c.(*endpoint.Conn))
		}
	}()
}

// A network that ends in the middle of a conversation is called so.
func TestTalk_NetworkEnds(t *testing.T) {
	for _, args := range [][]string{{"listen", "-v", "8000"}, {"bench", "--server"}} {
		t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
		t.Setenv(control.Environment, "")
		a, _ := tun.Pipe(1500)
		s, err := stack.New(stack.Config{Device: a, Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24")}})
		require.NoError(t, err)
		server, err := control.Listen(control.Config{Name: "test"})
		require.NoError(t, err)
		server.AddHost("near", s)
		registerBench(server, func(string) (*stack.Stack, error) { return s, nil })
		server.Start()
		k := begin(strings.NewReader(""), args...)
		k.says(" on ")
		require.NoError(t, server.Close())
		k.ends(t, 1)
		require.Contains(t, k.err.String(), "wsstack: error: the network has ended\n")
		require.NoError(t, s.Close())
	}
}

// The end of the input is a FIN, after which the answer still comes.
func TestConnect(t *testing.T) {
	_, far := startTalk(t)
	accepted(t, far, func(c *endpoint.Conn) {
		b, _ := io.ReadAll(c)
		_, _ = c.Write(bytes.ToUpper(b))
		_ = c.Close()
	})
	k := begin(strings.NewReader("question"), "connect", "-v", "10.0.0.2", "80")
	k.ends(t, 0)
	assert.Equal(t, "QUESTION", k.out.String())
	assert.Contains(t, k.err.String(), "connected to 10.0.0.2:80 from 10.0.0.1:")
}

// After the peer's FIN the input still goes to it.
func TestConnect_PeerEndsFirst(t *testing.T) {
	_, far := startTalk(t)
	got := make(chan string, 1)
	accepted(t, far, func(c *endpoint.Conn) {
		_, _ = c.Write([]byte("bye"))
		_ = c.CloseWrite()
		b, _ := io.ReadAll(c)
		got <- string(b)
		_ = c.Close()
	})
	in, typing := io.Pipe()
	k := begin(in, "connect", "10.0.0.2:80")
	for k.out.String() != "bye" {
		time.Sleep(time.Millisecond)
	}
	_, _ = typing.Write([]byte("still there"))
	_ = typing.Close()
	k.ends(t, 0)
	assert.Equal(t, "still there", <-got)
}

// A refusal and a reset are errors of the stack.
func TestConnect_Failures(t *testing.T) {
	_, far := startTalk(t)
	k := begin(strings.NewReader(""), "connect", "10.0.0.2", "81")
	k.ends(t, 1)
	assert.Contains(t, k.err.String(), "WSAECONNREFUSED")
	accepted(t, far, func(c *endpoint.Conn) {
		_ = c.SetLinger(0)
		_ = c.Close()
	})
	k = begin(new(bytes.Buffer), "connect", "10.0.0.2", "80")
	k.ends(t, 1)
	assert.Contains(t, k.err.String(), "WSAECONNRESET")
}

// Options are set before the socket connects: a SYN of a small buffer has a small window.
func TestConnect_Option(t *testing.T) {
	near, far := startTalk(t)
	in, typing := io.Pipe()
	accepted(t, far, func(c *endpoint.Conn) {
		_, _ = c.Write([]byte("x"))
		_, _ = io.ReadAll(c)
		_ = c.Close()
	})
	k := begin(in, "connect", "--sockopt", "SO_RCVBUF=3000", "--sockopt", "TCP_NODELAY=on", "10.0.0.2", "80")
	for k.out.String() == "" {
		time.Sleep(time.Millisecond)
	}
	found := false
	for _, s := range near.Sockets() {
		if s.Remote.Port() == 80 {
			found = true
			assert.Equal(t, int32(3000), s.Options.RecvBuffer.Bytes)
			assert.True(t, s.Options.NoDelay)
		}
	}
	assert.True(t, found)
	_ = typing.Close()
	k.ends(t, 0)
}

// listen talks with the first peer, and refuses others meanwhile.
func TestListen(t *testing.T) {
	_, far := startTalk(t)
	k := begin(strings.NewReader("hello"), "listen", "--verbose", "10.0.0.1", "0")
	address := k.says("listening on ")
	c, err := far.Dial("tcp", address)
	require.NoError(t, err)
	k.says("connection from 10.0.0.2:")
	b, err := io.ReadAll(c)
	require.NoError(t, err)
	assert.Equal(t, "hello", string(b))
	for err == nil { // until the listener is closed
		_, err = far.Dial("tcp", address)
	}
	_, err = c.Write([]byte("bye"))
	require.NoError(t, err)
	require.NoError(t, c.Close())
	k.ends(t, 0)
	assert.Equal(t, "bye", k.out.String())
}

// With --keep one peer follows the other.
func TestListen_Keep(t *testing.T) {
	_, far := startTalk(t)
	k := begin(strings.NewReader(""), "listen", "-v", "-k", "8000")
	k.says("listening on ")
	for _, text := range []string{"one", "two"} {
		c, err := far.Dial("tcp", "10.0.0.1:8000")
		require.NoError(t, err)
		_, err = c.Write([]byte(text))
		require.NoError(t, err)
		require.NoError(t, c.(*endpoint.Conn).CloseWrite())
		_, err = io.ReadAll(c)
		require.NoError(t, err)
	}
	for k.out.String() != "onetwo" {
		time.Sleep(time.Millisecond)
	}
}

// Datagrams go both ways.
func TestListen_UDP(t *testing.T) {
	_, far := startTalk(t)
	in, typing := io.Pipe()
	k := begin(in, "listen", "-u", "-v", "--wait", "10ms", "10.0.0.1:53")
	k.says("listening on ")
	c, err := far.Dial("udp", "10.0.0.1:53")
	require.NoError(t, err)
	_, err = c.Write([]byte("question"))
	require.NoError(t, err)
	k.says("datagram from 10.0.0.2:")
	_, _ = typing.Write([]byte("answer"))
	b := make([]byte, 100)
	n, err := c.Read(b)
	require.NoError(t, err)
	assert.Equal(t, "answer", string(b[:n]))
	_ = typing.Close()
	k.ends(t, 0)
	assert.Equal(t, "question", k.out.String())
}

// bench measures against a server of the protocol, and is one.
func TestBench(t *testing.T) {
	near, far := startTalk(t)
	ready := make(chan net.Addr, 1)
	go iperf3.Serve(t.Context(), iperf3.Stack{Stack: far}, "10.0.0.2:5201", iperf3.ServerConfig{Ready: func(a net.Addr) { ready <- a }})
	<-ready
	k := begin(nil, "bench", "-n", "200k", "-R", "--json", "10.0.0.2")
	k.ends(t, 0)
	var r iperf3.Report
	require.NoError(t, json.Unmarshal([]byte(k.out.String()), &r))
	assert.GreaterOrEqual(t, r.End.Received.Bytes, int64(200_000))

	k = begin(nil, "bench", "--server", "--one", "10.0.0.1:5300")
	k.says("serving tests on 10.0.0.1:5300")
	theirs, err := iperf3.Run(t.Context(), iperf3.Stack{Stack: far}, "10.0.0.1:5300", iperf3.Params{Num: 100_000, Reverse: true}, nil)
	require.NoError(t, err)
	assert.GreaterOrEqual(t, theirs.End.Received.Bytes, int64(100_000))
	k.ends(t, 0)
	assert.Contains(t, k.out.String(), "total ")
	for _, s := range near.Sockets() {
		assert.NotEqual(t, uint16(5300), s.Local.Port(), "%v", s)
	}

	k = begin(nil, "bench", "10.0.0.2:1")
	k.ends(t, 1)
	assert.Contains(t, k.err.String(), "can't reach the server at 10.0.0.2:1")
	assert.Contains(t, k.err.String(), "wsstack: hint: start one there")
}
