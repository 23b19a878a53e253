package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"syscall"
	"time"

	"github.com/wsstack/wsstack/stack"
)

// A ListenRequest asks for a listener, or a socket for datagrams, of a stack of the network.
type ListenRequest struct {
	Host    string   `json:"host,omitempty"`    // the host whose stack listens; "": the only one
	Network string   `json:"network"`           // "tcp", "tcp4", "tcp6", "udp", "udp4" or "udp6"
	Address string   `json:"address"`           // where, as for Listen of package net
	Options []string `json:"options,omitempty"` // options of the socket, set before it is bound
	Backlog int      `json:"backlog,omitempty"` // see stack.ListenConfig
}

// Listen listens on a stack of the network. The listener ends with Close, or with the process.
func (c *Client) Listen(ctx context.Context, request ListenRequest) (net.Listener, error) {
	var reply listening
	s, err := c.Stream(ctx, "listen", request, &reply)
	if err != nil {
		return nil, err
	}
	s.become(request.Network, reply.opened)
	l := &Listener{client: c, stream: s, number: reply.Listener, network: request.Network}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	go l.watch() // ends with the stream
	return l, nil
}

// listening is the reply to a ListenRequest.
type listening struct {
	opened
	Listener string `json:"listener"` // names it in an acceptRequest
}

// acceptRequest asks for the next connection of a listener.
type acceptRequest struct {
	Listener string `json:"listener"`
}

// A Listener listens on a stack of the network. Its connections are Streams.
type Listener struct {
	client  *Client
	stream  *Stream // its end is that of the listener
	number  string
	network string
	ctx     context.Context // ends with the listener
	cancel  context.CancelFunc
}

// watch ends Accept when the network has ended.
func (l *Listener) watch() {
	_, _ = l.stream.Read(make([]byte, 1))
	l.cancel()
}

// Accept implements net.Listener.
func (l *Listener) Accept() (net.Conn, error) {
	s, err := l.client.connection(l.ctx, "accept", l.network, acceptRequest{l.number})
	switch {
	case l.ctx.Err() != nil:
		if err == nil {
			_ = s.Close()
		}
		return nil, net.ErrClosed
	case err != nil:
		if e, ok := errors.AsType[*Error](err); ok && (e.Status == http.StatusGone || e.Status == http.StatusNotFound) {
			return nil, net.ErrClosed // the network has ended, and watch doesn't know yet
		}
		if errors.Is(cutOff(err), io.ErrUnexpectedEOF) || errors.Is(err, syscall.EPIPE) {
			return nil, net.ErrClosed // so it has, in the middle of the request
		}
		return nil, err
	}
	return s, nil
}

// Close implements net.Listener.
func (l *Listener) Close() error {
	l.cancel()
	return l.stream.Close()
}

// Addr implements net.Listener.
func (l *Listener) Addr() net.Addr { return l.stream.LocalAddr() }

// A sharedListener hands the connections of a listener to the streams that ask for them.
type sharedListener struct {
	conns chan net.Conn
	done  chan struct{} // closed when the listener has ended
}

// listen is the handler of the streams of Listen.
func (s *Server) listen(ctx context.Context, request json.RawMessage, open func(any) (*Stream, error)) error {
	r, lc, err := s.listenConfig(request)
	if err != nil {
		return err
	}
	l, err := lc.Listen(ctx, r.Network, r.Address)
	if err != nil {
		return failed("listen", err)
	}
	defer l.Close()
	shared := &sharedListener{make(chan net.Conn), make(chan struct{})}
	number := s.share(shared)
	defer s.unshare(number)
	stream, err := open(listening{opened{Local: l.Addr().String()}, number})
	if err != nil {
		return err
	}
	accepting := make(chan error, 1)
	go func() { accepting <- shared.accept(l) }() // ends when l or shared is closed
	_, err = stream.Read(make([]byte, 1))         // the client sends nothing until it closes
	close(shared.done)
	_ = l.Close()
	ended := <-accepting
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return errors.Join(err, ended)
}

// listenConfig reads a ListenRequest.
func (s *Server) listenConfig(request json.RawMessage) (r ListenRequest, _ *stack.ListenConfig, err error) {
	if err := decode(request, &r); err != nil {
		return r, nil, err
	}
	st, err := s.stackOf(r.Host)
	if err != nil {
		return r, nil, err
	}
	list, err := parseOptions(r.Options)
	if err != nil {
		return r, nil, err
	}
	return r, &stack.ListenConfig{Stack: st, Options: list, Backlog: r.Backlog}, nil
}

// accept accepts one connection after the other, and waits until each has a taker.
func (l *sharedListener) accept(from net.Listener) error {
	for {
		c, err := from.Accept()
		if err != nil {
			return err
		}
		select {
		case l.conns <- c:
		case <-l.done:
			_ = c.Close()
			return nil
		}
	}
}

// share gives a listener a name.
func (s *Server) share(l *sharedListener) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	name := strconv.FormatUint(s.last, 10)
	s.listeners[name] = l
	return name
}

func (s *Server) unshare(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.listeners, name)
}

// accept is the handler of the streams of Accept.
func (s *Server) accept(ctx context.Context, request json.RawMessage, open func(any) (*Stream, error)) error {
	var r acceptRequest
	if err := decode(request, &r); err != nil {
		return err
	}
	s.mu.Lock()
	l := s.listeners[r.Listener]
	s.mu.Unlock()
	if l == nil {
		return Errorf(http.StatusNotFound, "", "there is no listener %q", r.Listener)
	}
	select {
	case c := <-l.conns:
		defer c.Close()
		stream, err := open(describe(c))
		if err != nil {
			return err
		}
		return join(stream, c)
	case <-l.done:
		return Errorf(http.StatusGone, "", "the listener is closed")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ListenPacket opens a socket for datagrams on a stack of the network.
func (c *Client) ListenPacket(ctx context.Context, request ListenRequest) (net.PacketConn, error) {
	s, err := c.connection(ctx, "packets", request.Network, request)
	if err != nil {
		return nil, err
	}
	return &packetConn{s}, nil
}

// A packetConn is a socket for datagrams of a stack of the network.
type packetConn struct{ stream *Stream }

func (p *packetConn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := p.stream.readPacket(b)
	if err != nil {
		return n, nil, err
	}
	return n, net.UDPAddrFromAddrPort(from), nil
}

func (p *packetConn) WriteTo(b []byte, to net.Addr) (int, error) {
	a, err := netip.ParseAddrPort(to.String())
	if err != nil {
		return 0, fmt.Errorf("%v is no address of a datagram", to)
	}
	if err := p.stream.writePacket(b, a); err != nil {
		return 0, err
	}
	return len(b), nil
}

func (p *packetConn) Close() error                       { return p.stream.Close() }
func (p *packetConn) LocalAddr() net.Addr                { return p.stream.LocalAddr() }
func (p *packetConn) SetDeadline(t time.Time) error      { return p.stream.SetDeadline(t) }
func (p *packetConn) SetReadDeadline(t time.Time) error  { return p.stream.SetReadDeadline(t) }
func (p *packetConn) SetWriteDeadline(t time.Time) error { return p.stream.SetWriteDeadline(t) }

// packets is the handler of the streams of ListenPacket.
func (s *Server) packets(ctx context.Context, request json.RawMessage, open func(any) (*Stream, error)) error {
	r, lc, err := s.listenConfig(request)
	if err != nil {
		return err
	}
	c, err := lc.ListenPacket(ctx, r.Network, r.Address)
	if err != nil {
		return failed("listen", err)
	}
	defer c.Close()
	stream, err := open(opened{Local: c.LocalAddr().String()})
	if err != nil {
		return err
	}
	received := make(chan error, 1)
	go func() { received <- receivePackets(stream, c) }() // ends when c or the stream is closed
	sendPackets(c, stream)
	_ = c.Close()
	return <-received
}

// sendPackets sends the datagrams of the client, until it has gone.
func sendPackets(c net.PacketConn, stream *Stream) {
	buf := make([]byte, maxDatagram)
	for {
		n, to, err := stream.readPacket(buf)
		if err != nil {
			return
		}
		_, _ = c.WriteTo(buf[:n], net.UDPAddrFromAddrPort(to)) // a datagram that can't be sent is lost
	}
}

// receivePackets gives the client what comes.
func receivePackets(stream *Stream, c net.PacketConn) error {
	buf := make([]byte, maxDatagram)
	for {
		n, from, err := c.ReadFrom(buf)
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return nil
			}
			return failed("read", err)
		}
		if u, ok := from.(*net.UDPAddr); ok {
			if err := stream.writePacket(buf[:n], u.AddrPort()); err != nil {
				return nil // the client has gone
			}
		}
	}
}
