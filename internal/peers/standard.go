package peers

import (
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"sync"

	"github.com/wsstack/wsstack/stack"
)

// Ports of the standard services, from the RFC of each.
const (
	portEcho    = 7  // RFC 862
	portDiscard = 9  // RFC 863
	portChargen = 19 // RFC 864
	portPage    = 80
)

// Standard are the services that a stack has unless others want their ports: echo, discard and
// chargen over TCP and UDP, and a page on port 80, from a server that Serve wasn't called for yet,
// or none, if that is nil.
func Standard(page *http.Server, others []Service) []Service {
	all := []Service{
		standard("echo", portEcho, echo, func(b []byte) []byte { return b }),
		standard("discard", portDiscard, discard, func([]byte) []byte { return nil }),
		standard("chargen", portChargen, chargen, func([]byte) []byte { return characters[:rand.IntN(maxChargenDatagram+1)] }),
	}
	if page != nil {
		at := place{network: "tcp", port: portPage}
		all = append(all, Service{text: "page", places: []place{at}, start: func(r *running) error {
			return r.serveHTTP(at, page)
		}})
	}
	return slices.DeleteFunc(all, func(s Service) bool {
		return slices.ContainsFunc(others, func(o Service) bool {
			_, taken := overlap(s.places, o.places)
			return taken
		})
	})
}

// standard is a service on the same port of TCP and UDP.
func standard(name string, port uint16, stream func(net.Conn), reply func([]byte) []byte) Service {
	tcp, udp := place{network: "tcp", port: port}, place{network: "udp", port: port}
	return Service{text: name, places: []place{tcp, udp}, start: func(r *running) error {
		l, err := r.listen(tcp, stack.ListenConfig{})
		if err != nil {
			return err
		}
		r.accept(l, maxConns, func(c net.Conn) { stream(impatient{c}) })
		return r.answer(udp, reply)
	}}
}

// echo sends back what it gets (RFC 862).
func echo(c net.Conn) { _, _ = io.Copy(c, c) }

// discard reads and does nothing else (RFC 863).
func discard(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

// chargen sends characters until the peer ends the connection, whatever the
// peer sends (RFC 864). A peer that has only shut down its own direction goes on
// reading.
func chargen(c net.Conn) {
	var reader sync.WaitGroup
	reader.Go(func() { discard(c) }) // ends when c is closed
	for {
		if _, err := c.Write(characters); err != nil {
			break
		}
	}
	_ = c.Close() // for the reader, if the writer timed out
	reader.Wait()
}

// maxChargenDatagram is the most characters in an answer: "a random number
// (between 0 and 512)".
const maxChargenDatagram = 512

// characters is one round of the pattern that RFC 864 proposes: lines of 72
// printable characters, each line starting one character later. After 95 lines
// it begins again.
var characters = func() []byte {
	const first, count, width = ' ', 95, 72
	var b []byte
	for line := range count {
		for column := range width {
			b = append(b, byte(first+(line+column)%count))
		}
		b = append(b, '\r', '\n')
	}
	return b
}()

// serveHTTP runs an HTTP server at a place. Connections beyond maxConns wait. A server without
// WriteTimeout may take any time for an answer, as long as the peer reads.
func (r *running) serveHTTP(p place, server *http.Server) error {
	l, err := r.listen(p, stack.ListenConfig{})
	if err != nil {
		return err
	}
	handle := &handover{addr: l.Addr(), conns: make(chan net.Conn), done: r.ctx.Done(), untimed: server.WriteTimeout == 0}
	r.accept(l, maxConns, handle.serve)
	r.wg.Go(func() { _ = server.Serve(handle) }) // always an error: closed
	r.keep(closerFunc(server.Close))
	return nil
}

// A handover is a listener of connections that others have accepted.
type handover struct {
	addr    net.Addr
	conns   chan net.Conn
	done    <-chan struct{}
	untimed bool // the server has no time-out of its own for writes
}

var errEnded = errors.New("the service has ended")

func (h *handover) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.done:
		return nil, errEnded
	}
}

func (h *handover) Close() error   { return nil }
func (h *handover) Addr() net.Addr { return h.addr }

// serve hands a connection over and waits until it is closed.
func (h *handover) serve(c net.Conn) {
	if h.untimed {
		c = impatientWriter{c}
	}
	w := &watched{Conn: c, closed: make(chan struct{})}
	select {
	case h.conns <- w:
		<-w.closed
	case <-h.done:
	}
}

// A watched connection tells when it is closed.
type watched struct {
	net.Conn
	closed chan struct{}
	once   sync.Once
}

func (w *watched) Close() error {
	err := w.Conn.Close()
	w.once.Do(func() { close(w.closed) })
	return err
}

// closerFunc is a function as an io.Closer. It is used by address, for functions can't be compared.
func closerFunc(f func() error) io.Closer { return &closer{f} }

type closer struct{ f func() error }

func (c *closer) Close() error { return c.f() }
