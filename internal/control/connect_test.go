package control_test

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/nettest"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/internal/control"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wsa"
)

// A stream to a port of a stack is a connection of the stack that connects: with its options,
// addresses, half-closes, and errors.
func TestDial(t *testing.T) {
	b := newBed(t)
	l, err := b.far.Listen("tcp", ":7")
	require.NoError(t, err)
	defer l.Close()
	s, err := b.client.Dial(t.Context(), control.DialRequest{
		Host: "near", Network: "tcp", Address: "10.0.0.2:7", Local: "10.0.0.1:4000", Options: []string{"TCP_NODELAY=1"},
	})
	require.NoError(t, err)
	defer s.Close()
	require.Equal(t, "10.0.0.1:4000", s.LocalAddr().String())
	require.Equal(t, "10.0.0.2:7", s.RemoteAddr().String())
	require.True(t, b.near.Sockets()[0].Options.NoDelay)
	c, err := l.Accept()
	require.NoError(t, err)
	defer c.Close()

	_, err = s.Write([]byte("question"))
	require.NoError(t, err)
	require.NoError(t, s.CloseWrite())
	got, err := io.ReadAll(c)
	require.NoError(t, err)
	require.Equal(t, "question", string(got))
	_, err = c.Write([]byte("answer"))
	require.NoError(t, err)
	require.NoError(t, c.(*endpoint.Conn).CloseWrite())
	got, err = io.ReadAll(s)
	require.NoError(t, err)
	require.Equal(t, "answer", string(got))
	_, err = s.Write(nil)
	require.NoError(t, err)
	_, err = s.Write([]byte("more"))
	require.ErrorIs(t, err, net.ErrClosed)
	soon(t, func() bool { return len(b.near.Sockets()) == 0 }, "both ends are closed, and so is the socket")
}

// What can't be opened says what would help, and a mistake in the request has the status of one.
func TestDialMistakes(t *testing.T) {
	b := newBed(t)
	for _, c := range []struct {
		request            control.DialRequest
		words, hint        string
		status, exitStatus int
	}{
		{control.DialRequest{Address: "10.0.0.2:9"}, "refused", "nothing listens there", 422, 1},
		{control.DialRequest{Address: "10.0.0.2:99999"}, "invalid port", "a port from 1 to 65535", 400, 2},
		{control.DialRequest{Address: "nobody:80"}, `there is no host "nobody"`, "write an address", 422, 1},
		{control.DialRequest{Address: "10.0.0.2:9", Local: "192.0.2.1:5"}, "not available", "of the stack itself", 422, 1},
		{control.DialRequest{Address: "10.0.0.9:9", Timeout: 20}, "deadline", "nobody has answered", 422, 1},
	} {
		c.request.Host, c.request.Network = "near", "tcp"
		_, err := b.client.Dial(t.Context(), c.request)
		e, ok := errors.AsType[*control.Error](err)
		require.True(t, ok, "%v", err)
		require.Contains(t, e.Error(), c.words)
		require.Contains(t, e.Hint(), c.hint)
		require.Equal(t, c.status, e.Status, "%v", err)
		require.Equal(t, c.exitStatus, e.ExitStatus())
	}
	_, err := b.client.Listen(t.Context(), control.ListenRequest{Host: "near", Network: "tcp", Address: ":99999"})
	require.ErrorContains(t, err, "invalid port")
}

// The error of a connection comes to the client, and an abort to the peer.
func TestDialResets(t *testing.T) {
	b := newBed(t)
	l, err := b.far.Listen("tcp", ":7")
	require.NoError(t, err)
	defer l.Close()
	for _, abort := range []func(s *control.Stream, c net.Conn) error{
		func(s *control.Stream, c net.Conn) error { // the peer aborts
			require.NoError(t, c.(*endpoint.Conn).SetLinger(0))
			require.NoError(t, c.Close())
			_, err := s.Read(make([]byte, 1))
			return err
		},
		func(s *control.Stream, c net.Conn) error { // the client aborts
			require.NoError(t, s.Abort())
			_, err := c.Read(make([]byte, 1))
			return err
		},
	} {
		s, err := b.client.Dial(t.Context(), control.DialRequest{Host: "near", Network: "tcp", Address: "10.0.0.2:7"})
		require.NoError(t, err)
		c, err := l.Accept()
		require.NoError(t, err)
		require.ErrorIs(t, abort(s, c), wsa.WSAECONNRESET)
		_, _ = c.Close(), s.Close()
	}
	// A client that is killed closes its connection; the peer reads the end.
	s, err := b.client.Dial(t.Context(), control.DialRequest{Host: "near", Network: "tcp", Address: "10.0.0.2:7"})
	require.NoError(t, err)
	c, err := l.Accept()
	require.NoError(t, err)
	defer c.Close()
	require.NoError(t, s.Close())
	_, err = c.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
}

// What can't be done is said in one error, and leaves no socket.
func TestDialFails(t *testing.T) {
	b := newBed(t)
	dial := func(change func(r *control.DialRequest)) error {
		r := control.DialRequest{Host: "near", Network: "tcp", Address: "10.0.0.2:7"}
		change(&r)
		s, err := b.client.Dial(t.Context(), r)
		require.Nil(t, s)
		return err
	}
	err := dial(func(*control.DialRequest) {})
	require.ErrorIs(t, err, wsa.WSAECONNREFUSED)
	e := new(control.Error)
	require.True(t, errors.As(err, &e))
	require.Equal(t, "dial", e.Op)
	requireError(t, dial(func(r *control.DialRequest) { r.Host = "" }), "2 stacks", "near, far")
	requireError(t, dial(func(r *control.DialRequest) { r.Host = "mars" }), `no stack "mars"`, "near, far")
	requireError(t, dial(func(r *control.DialRequest) { r.Options = []string{"TCP_NODELY=1"} }), "no option TCP_NODELY", "wsstack options")
	requireError(t, dial(func(r *control.DialRequest) { r.Local = "10.0.0.1" }), "no local address", "with a port")
	requireError(t, dial(func(r *control.DialRequest) { r.Network = "sctp" }), "unknown network", "")
	requireError(t, dial(func(r *control.DialRequest) { r.Address = "10.0.0.2" }), "missing port", "")
	require.ErrorIs(t, dial(func(r *control.DialRequest) { r.Options = []string{"TCP_KEEPCNT=300"} }), wsa.WSAEINVAL)
	requireError(t, dial(func(r *control.DialRequest) { r.Address, r.Timeout = "10.0.0.77:1", 20 }), "deadline", "")
	require.Empty(t, b.near.Sockets())
}

// Datagrams keep their borders, an empty one among them.
func TestDialDatagrams(t *testing.T) {
	b := newBed(t)
	p, err := b.far.ListenPacket("udp", "10.0.0.2:9")
	require.NoError(t, err)
	defer p.Close()
	s, err := b.client.Dial(t.Context(), control.DialRequest{Host: "near", Network: "udp", Address: "10.0.0.2:9"})
	require.NoError(t, err)
	defer s.Close()
	buf := make([]byte, 70000)
	for _, text := range []string{"one", "", string(make([]byte, 9000))} {
		_, err = s.Write([]byte(text))
		require.NoError(t, err)
		n, from, err := p.ReadFrom(buf)
		require.NoError(t, err)
		require.Equal(t, text, string(buf[:n]))
		require.Equal(t, s.LocalAddr().String(), from.String())
		_, err = p.WriteTo([]byte(text), from)
		require.NoError(t, err)
		n, err = s.Read(buf)
		require.NoError(t, err)
		require.Equal(t, text, string(buf[:n]))
	}
	_, err = p.WriteTo([]byte("abcdef"), s.LocalAddr())
	require.NoError(t, err)
	_, err = p.WriteTo([]byte("next"), s.LocalAddr())
	require.NoError(t, err)
	n, err := s.Read(buf[:3])
	require.NoError(t, err)
	require.Equal(t, "abc", string(buf[:n]))
	n, err = s.Read(buf)
	require.NoError(t, err)
	require.Equal(t, "next", string(buf[:n]), "the rest of a datagram is lost")
	_, err = s.Write(make([]byte, 65536))
	require.Error(t, err)
}

// A listener on a stack hands its connections to the client, and ends with it.
func TestListen(t *testing.T) {
	b := newBed(t)
	l, err := b.client.Listen(t.Context(), control.ListenRequest{Host: "far", Network: "tcp", Address: ":0", Options: []string{"SO_KEEPALIVE=1"}})
	require.NoError(t, err)
	address := netip.AddrPortFrom(netip.MustParseAddr("10.0.0.2"), l.Addr().(*net.TCPAddr).AddrPort().Port()).String()
	for range 3 {
		c, err := b.near.Dial("tcp", address)
		require.NoError(t, err)
		s, err := l.Accept()
		require.NoError(t, err)
		require.Equal(t, c.LocalAddr().String(), s.RemoteAddr().String())
		require.Equal(t, address, s.LocalAddr().String())
		on, err := options.SO_KEEPALIVE.Get(handleOf(t, b.far, c.LocalAddr().String()))
		require.NoError(t, err)
		require.True(t, on, "inherited")
		_, err = s.Write([]byte("hello"))
		require.NoError(t, err)
		require.NoError(t, s.Close())
		got, err := io.ReadAll(c)
		require.NoError(t, err)
		require.Equal(t, "hello", string(got))
		require.NoError(t, c.Close())
	}
	accepted := make(chan error, 1)
	go func() {
		_, err := l.Accept()
		accepted <- err
	}()
	waiting, err := b.near.Dial("tcp", address) // it may be handed over before the end
	require.NoError(t, err)
	defer waiting.Close()
	require.NoError(t, l.Close())
	<-accepted
	_, err = l.Accept()
	require.ErrorIs(t, err, net.ErrClosed)
	soon(t, func() bool { _, err := b.near.Dial("tcp", address); return errors.Is(err, wsa.WSAECONNREFUSED) }, "the listener is closed")

	_, err = b.client.Listen(t.Context(), control.ListenRequest{Host: "far", Network: "tcp", Address: "10.0.0.99:7"})
	require.ErrorIs(t, err, wsa.WSAEADDRNOTAVAIL)
}

// handleOf returns the socket of a stack that has a peer.
func handleOf(t *testing.T, s *stack.Stack, peer string) endpoint.Handle {
	t.Helper()
	for _, i := range s.Sockets() {
		if netip.AddrPortFrom(i.Remote.Addr().Unmap(), i.Remote.Port()).String() == peer {
			h, err := s.Socket(i.ID)
			require.NoError(t, err)
			return h
		}
	}
	t.Fatalf("no socket with the peer %s", peer)
	return endpoint.Handle{}
}

// A socket for datagrams on a stack has peers.
func TestListenPacket(t *testing.T) {
	b := newBed(t)
	p, err := b.client.ListenPacket(t.Context(), control.ListenRequest{Host: "far", Network: "udp", Address: "[fd00::2]:9"})
	require.NoError(t, err)
	defer p.Close()
	require.Equal(t, "[fd00::2]:9", p.LocalAddr().String())
	c, err := b.near.Dial("udp", "[fd00::2]:9")
	require.NoError(t, err)
	defer c.Close()
	_, err = c.Write([]byte("question"))
	require.NoError(t, err)
	buf := make([]byte, 100)
	n, from, err := p.ReadFrom(buf)
	require.NoError(t, err)
	require.Equal(t, "question", string(buf[:n]))
	require.Equal(t, c.LocalAddr().String(), from.String())
	_, err = p.WriteTo([]byte("answer"), from)
	require.NoError(t, err)
	n, err = c.Read(buf)
	require.NoError(t, err)
	require.Equal(t, "answer", string(buf[:n]))
	require.NoError(t, p.SetReadDeadline(time.Unix(1, 0)))
	_, _, err = p.ReadFrom(buf)
	require.ErrorContains(t, err, "timeout")
}

// A stream is a net.Conn.
func TestStreamIsConn(t *testing.T) {
	b := newBed(t)
	nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
		l, err := b.far.Listen("tcp", ":0")
		if err != nil {
			return nil, nil, nil, err
		}
		port := l.Addr().(*net.TCPAddr).AddrPort().Port()
		s, err := b.client.Dial(t.Context(), control.DialRequest{
			Host: "near", Network: "tcp", Address: netip.AddrPortFrom(netip.MustParseAddr("10.0.0.2"), port).String(),
		})
		if err != nil {
			return nil, nil, nil, err
		}
		c, err := l.Accept()
		return s, c, func() { _, _, _ = s.Close(), c.Close(), l.Close() }, err
	})
}
