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
	"strings"
	"sync"
	"time"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wsa"
)

// A DialRequest asks for a connection from a stack of the network.
type DialRequest struct {
	Host    string   `json:"host,omitempty"`    // the host whose stack connects; "": the only one
	Network string   `json:"network"`           // "tcp", "tcp4", "tcp6", "udp", "udp4" or "udp6"
	Address string   `json:"address"`           // where to, as for Dial of package net
	Local   string   `json:"local,omitempty"`   // the local address and port; "": the stack chooses
	Options []string `json:"options,omitempty"` // options of the socket, such as "TCP_NODELAY=1", set before it connects

	// Timeout is how long the connect may take, in milliseconds; 0: as long as the stack tries.
	Timeout int64 `json:"timeout_ms,omitempty"`
}

// An opened is the reply about a socket that is open.
type opened struct {
	ID     uint64 `json:"id"`               // the number of the socket on its stack
	Local  string `json:"local"`            // its address
	Remote string `json:"remote,omitempty"` // the address of its peer
}

// Dial connects from a stack of the network. What the Stream does, the connection does: a
// half-close, an abort, and the errors of reading and writing pass on.
func (c *Client) Dial(ctx context.Context, request DialRequest) (*Stream, error) {
	return c.connection(ctx, "connect", request.Network, request)
}

// connection asks for a socket of a network, and returns the stream of what it carries.
func (c *Client) connection(ctx context.Context, kind, network string, request any) (*Stream, error) {
	var reply opened
	s, err := c.Stream(ctx, kind, request, &reply)
	if err != nil {
		return nil, err
	}
	s.become(network, reply)
	return s, nil
}

// become gives a Stream the addresses of the connection at the other end.
func (s *Stream) become(network string, o opened) {
	s.local, s.remote = addrOf(network, o.Local), addrOf(network, o.Remote)
	s.datagrams = strings.HasPrefix(network, "udp")
}

// addrOf returns an address in the form that package net has for a network.
func addrOf(network, text string) net.Addr {
	a, err := netip.ParseAddrPort(text)
	switch {
	case err != nil:
		return nil
	case strings.HasPrefix(network, "udp"):
		return net.UDPAddrFromAddrPort(a)
	}
	return net.TCPAddrFromAddrPort(a)
}

func (s *Server) handleConnections() {
	s.HandleStream("connect", s.connect)
	s.HandleStream("listen", s.listen)
	s.HandleStream("accept", s.accept)
	s.HandleStream("packets", s.packets)
}

// connect is the handler of the streams of Dial.
func (s *Server) connect(ctx context.Context, request json.RawMessage, open func(any) (*Stream, error)) error {
	var r DialRequest
	if err := decode(request, &r); err != nil {
		return err
	}
	st, err := s.stackOf(r.Host)
	if err != nil {
		return err
	}
	d := stack.Dialer{Stack: st, Timeout: time.Duration(r.Timeout) * time.Millisecond}
	if d.Options, err = parseOptions(r.Options); err != nil {
		return err
	}
	if d.LocalAddr, err = localAddr(r.Network, r.Local); err != nil {
		return err
	}
	conn, err := d.DialContext(ctx, r.Network, r.Address)
	if err != nil {
		return failed("dial", err)
	}
	defer conn.Close()
	stream, err := open(describe(conn))
	if err != nil {
		return err
	}
	stream.datagrams = strings.HasPrefix(r.Network, "udp")
	return join(stream, conn)
}

// parseOptions reads texts such as "SO_KEEPALIVE=1".
func parseOptions(texts []string) (list []options.Assignment, err error) {
	for _, text := range texts {
		a, err := options.ParseAssignment(text)
		if err != nil {
			return nil, badRequest(err)
		}
		list = append(list, a)
	}
	return list, nil
}

// localAddr reads the local address of a request.
func localAddr(network, text string) (net.Addr, error) {
	if text == "" {
		return nil, nil
	}
	if a := addrOf(network, text); a != nil {
		return a, nil
	}
	return nil, Errorf(http.StatusBadRequest, "write an address with a port, such as 10.77.0.1:4000", "%q is no local address", text)
}

// badRequest is an error of the request's own words.
func badRequest(err error) *Error {
	e := *errorOf(err)
	e.Status = http.StatusBadRequest
	return &e
}

// failed is an error of a call of a stack.
func failed(op string, err error) *Error {
	e := *errorOf(err)
	e.Op = op
	if e.Advice == "" {
		e.Advice = adviceFor(err)
	}
	if _, ok := errors.AsType[*net.AddrError](err); ok {
		e.Status = http.StatusBadRequest
	}
	if unknown, ok := errors.AsType[*net.DNSError](err); ok && unknown.IsNotFound {
		e.Message = fmt.Sprintf("%s: there is no host %q", op, unknown.Name)
	}
	return &e
}

// adviceFor returns what would help against an error of a stack; "": nothing is known.
func adviceFor(err error) string {
	var timeout net.Error
	switch {
	case errors.Is(err, wsa.WSAECONNREFUSED):
		return "nothing listens there; start the server first (ss -ltn there prints what listens, and of a stack wsstack stat)"
	case errors.Is(err, wsa.WSAEADDRINUSE):
		return "take another port; wsstack stat prints the sockets that there are"
	case errors.Is(err, wsa.WSAEADDRNOTAVAIL):
		return "write an address of the stack itself, or leave it out"
	case errors.As(err, new(*net.AddrError)):
		return "write an address and a port from 1 to 65535, such as 10.77.0.2 80"
	case errors.As(err, new(*net.DNSError)):
		return "write an address, or the name of a host of the network"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "nobody has answered; wsstack capture - | tcpdump -n -r - shows what is sent"
	}
	return ""
}

// A described connection is one of this module.
type described interface {
	LocalAddr() net.Addr
	RemoteAddr() net.Addr
}

func describe(c described) opened {
	o := opened{Local: c.LocalAddr().String()}
	if r := c.RemoteAddr(); r != nil {
		o.Remote = r.String()
	}
	return o
}

// join passes on what a stream and a connection of a stack send, until both directions have ended
// or one has failed.
func join(stream *Stream, conn net.Conn) error {
	var failure error
	var out sync.WaitGroup
	out.Go(func() { // ends when conn or stream is closed
		failure = fromStack(stream, conn)
		if failure != nil {
			stream.fail(failure)
			_ = stream.conn.Close()
		}
	})
	gone := toStack(conn, stream)
	if gone != nil {
		_ = conn.Close() // the client has gone, or wants no more
	}
	out.Wait()
	return nil
}

// toStack passes on what the client sends. It returns an error when the client has gone.
func toStack(conn net.Conn, stream *Stream) error {
	buf := make([]byte, bufferSize(stream))
	for {
		n, err := stream.Read(buf)
		switch {
		case errors.Is(err, errReset):
			abort(conn)
			return err
		case errors.Is(err, io.EOF):
			if c, ok := conn.(interface{ CloseWrite() error }); ok {
				_ = c.CloseWrite() // reading tells what became of the connection
			}
			if stream.datagrams {
				return err
			}
			return nil
		case err != nil:
			return err
		}
		if _, err := conn.Write(buf[:n]); err != nil && !stream.datagrams {
			return nil // reading tells
		}
	}
}

// abort ends a connection with a RST (LG-22).
func abort(conn net.Conn) {
	if c, ok := conn.(*endpoint.Conn); ok {
		_ = c.SetLinger(0)
	}
	_ = conn.Close()
}

// fromStack passes on what the peer sends. It returns the error of the connection.
func fromStack(stream *Stream, conn net.Conn) error {
	buf := make([]byte, bufferSize(stream))
	for {
		n, err := conn.Read(buf)
		if n > 0 || err == nil && stream.datagrams {
			if _, err := stream.Write(buf[:n]); err != nil {
				return nil // the client has gone, which the other direction sees
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			_ = stream.CloseWrite()
			return nil
		case errors.Is(err, net.ErrClosed):
			return nil
		case err != nil:
			return failed("read", err)
		}
	}
}

// bufferSize is the size of the buffer for one direction of a stream.
func bufferSize(stream *Stream) int {
	if stream.datagrams {
		return maxDatagram
	}
	return 32 << 10
}
