package names

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/net/netutil"

	"github.com/wsstack/wsstack/wsa"
)

// Bounds of a Server.
const (
	maxAsking   = 256 // questions that the machine's resolver is asked at a time; more of them fail
	maxConns    = 64  // connections of TCP for each address; more of them wait for Accept
	idleTimeout = 10 * time.Second
)

// A Stack is where a Server listens: a *stack.Stack.
type Stack interface {
	Listen(network, address string) (net.Listener, error)
	ListenPacket(network, address string) (net.PacketConn, error)
}

// Config describes a Server.
type Config struct {
	// Addresses are where it listens, on port 53.
	Addresses []netip.Addr

	// Zone is what it knows; nil: nothing but localhost.
	Zone *Zone

	// Upstream is whom it asks about other names; nil: nobody, so that they don't exist.
	Upstream *Upstream
}

// A Server answers questions for names by UDP and TCP (RFC 1035, RFC 7766), with EDNS0 (RFC 6891).
// An answer by UDP has 1,232 bytes at most. It keeps no answers: the machine's resolver does.
type Server struct {
	cfg    Config
	ctx    context.Context
	cancel context.CancelFunc
	slots  chan struct{} // one for each question to the machine's resolver
	open   []io.Closer
	wg     sync.WaitGroup
}

// Start starts a Server. Close ends it; closing the stack ends its sockets as well.
func Start(s Stack, cfg Config) (*Server, error) {
	ctx, cancel := context.WithCancel(context.Background())
	srv := &Server{cfg: cfg, ctx: ctx, cancel: cancel, slots: make(chan struct{}, maxAsking)}
	for _, a := range cfg.Addresses {
		if err := srv.listen(s, netip.AddrPortFrom(a, 53).String()); err != nil {
			_ = srv.Close()
			return nil, err
		}
	}
	return srv, nil
}

// listen opens both sockets of an address. Each address has sockets of its own, so that an answer
// comes from the address that was asked.
func (s *Server) listen(on Stack, address string) error {
	packets, err := on.ListenPacket("udp", address)
	if err != nil {
		return err
	}
	s.open = append(s.open, packets)
	listener, err := on.Listen("tcp", address)
	if err != nil {
		return err
	}
	s.open = append(s.open, listener)
	s.wg.Go(func() { s.servePackets(packets) }) // both end when their sockets are closed
	s.wg.Go(func() { s.serveStreams(netutil.LimitListener(listener, maxConns)) })
	return nil
}

// Close ends the Server and waits for its goroutines. It is idempotent.
func (s *Server) Close() error {
	s.cancel()
	var errs []error
	for _, c := range s.open {
		if err := c.Close(); err != nil && !gone(err) {
			errs = append(errs, err)
		}
	}
	s.open = nil
	s.wg.Wait()
	return errors.Join(errs...)
}

// gone reports whether an error says that a socket, or its stack, is closed.
func gone(err error) bool {
	return errors.Is(err, net.ErrClosed) || errors.Is(err, wsa.WSAENETDOWN)
}

// servePackets answers by UDP until the socket is closed.
func (s *Server) servePackets(c net.PacketConn) {
	buf := make([]byte, maxQuery)
	for s.ctx.Err() == nil {
		n, from, err := c.ReadFrom(buf)
		switch {
		case err == nil:
			s.answerPacket(c, from, buf[:n])
		case gone(err):
			return
		default:
			s.rest()
		}
	}
}

// rest waits a little, so that an error which lasts makes no busy loop.
func (s *Server) rest() {
	select {
	case <-time.After(5 * time.Millisecond):
	case <-s.ctx.Done():
	}
}

// answerPacket answers a message at once, or in a goroutine where somebody else has to be asked.
func (s *Server) answerPacket(c net.PacketConn, from net.Addr, message []byte) {
	q, reply := s.local(message, false)
	if q == nil {
		if reply != nil {
			_, _ = c.WriteTo(reply, from) // who asks may be gone
		}
		return
	}
	if !s.take() {
		_, _ = c.WriteTo(q.reply(dnsmessage.RCodeServerFailure, nil), from)
		return
	}
	s.wg.Go(func() { // ends with the answer, the time-out or the Server
		defer s.give()
		if reply := s.ask(q, false); s.ctx.Err() == nil {
			_, _ = c.WriteTo(reply, from)
		}
	})
}

func (s *Server) take() bool {
	select {
	case s.slots <- struct{}{}:
		return true
	default:
		return false
	}
}

func (s *Server) give() { <-s.slots }

// local answers a message where nobody else has to be asked. Otherwise it returns the question.
// Without both there is nothing to be said.
func (s *Server) local(message []byte, stream bool) (*query, []byte) {
	q, code, ok := parseQuery(message, stream)
	switch {
	case !ok:
		return nil, nil
	case code != dnsmessage.RCodeSuccess:
		return nil, q.reply(code, nil)
	}
	reply, v := s.cfg.Zone.answer(&q)
	switch {
	case v == known:
		return nil, reply
	case s.cfg.Upstream == nil:
		return nil, s.cfg.Zone.answerAlone(&q)
	}
	return &q, nil
}

// ask asks the machine's resolver.
func (s *Server) ask(q *query, stream bool) []byte {
	own := func(a netip.Addr) bool { return slices.Contains(s.cfg.Addresses, a) }
	reply, err := s.cfg.Upstream.exchange(s.ctx, q, stream, own)
	if err != nil || reply == nil {
		return q.reply(dnsmessage.RCodeServerFailure, nil)
	}
	return reply
}

// serveStreams answers by TCP until the socket is closed.
func (s *Server) serveStreams(l net.Listener) {
	for s.ctx.Err() == nil {
		c, err := l.Accept()
		switch {
		case err == nil:
			s.wg.Go(func() { // ends with the connection, which ends with the Server
				stop := context.AfterFunc(s.ctx, func() { _ = c.Close() })
				defer stop()
				defer c.Close()
				s.serveStream(c)
			})
		case gone(err):
			return
		default:
			s.rest()
		}
	}
}

// serveStream answers the questions of a connection, one after the other.
func (s *Server) serveStream(c net.Conn) {
	for {
		if c.SetDeadline(time.Now().Add(idleTimeout)) != nil {
			return
		}
		var length [2]byte
		if _, err := io.ReadFull(c, length[:]); err != nil {
			return
		}
		n := binary.BigEndian.Uint16(length[:])
		if n > maxQuery {
			return
		}
		message := make([]byte, n)
		if _, err := io.ReadFull(c, message); err != nil {
			return
		}
		reply := s.answerStream(message)
		if reply == nil {
			return
		}
		if _, err := c.Write(withLength(reply)); err != nil {
			return
		}
	}
}

func (s *Server) answerStream(message []byte) []byte {
	q, reply := s.local(message, true)
	if q == nil {
		return reply
	}
	if !s.take() {
		return q.reply(dnsmessage.RCodeServerFailure, nil)
	}
	defer s.give()
	return s.ask(q, true)
}
