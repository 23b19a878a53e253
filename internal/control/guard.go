package control

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// guard refuses requests that no client of a control socket makes, and bounds the others. A browser
// has no way to a Unix socket, unless somebody gives it one with a proxy: then the page of a
// stranger has an Origin, or a Host that isn't ours (DNS rebinding).
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		closed := s.closed
		if !closed {
			s.serving.Add(1)
		}
		s.mu.Unlock()
		if closed {
			writeError(w, Errorf(http.StatusServiceUnavailable, "", "%v", errClosed))
			return
		}
		defer s.serving.Done()
		switch {
		case !ownHost(r.Host):
			writeError(w, Errorf(http.StatusForbidden, "use http://localhost/…", "the host %q is not that of a control socket", r.Host))
			return
		case r.Header.Get("Origin") != "" || foreignSite(r.Header.Get("Sec-Fetch-Site")):
			writeError(w, Errorf(http.StatusForbidden, "", "the control socket takes no requests from pages"))
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		next.ServeHTTP(w, r)
	})
}

// ownHost reports whether a Host header is one that clients of Unix sockets use.
func ownHost(host string) bool {
	switch strings.ToLower(host) {
	case "", "localhost", "wsstack":
		return true
	}
	return false
}

// foreignSite reports whether a browser says that a request comes from a page.
func foreignSite(site string) bool { return site != "" && site != "none" }

// maxRefused bounds how many clients are told at a time why they may not connect.
const maxRefused = 16

// A guarded listener accepts the clients that may control the network, up to maxConns at a time,
// and tells the others why not.
type guarded struct {
	*net.UnixListener
	inside  bool
	held    chan struct{} // has as many elements as connections
	refused chan struct{} // has as many elements as clients that are being told
	telling sync.WaitGroup
	closing sync.Once
	closed  chan struct{}
}

func newGuarded(l *net.UnixListener, inside bool) *guarded {
	return &guarded{
		UnixListener: l, inside: inside,
		held: make(chan struct{}, maxConns), refused: make(chan struct{}, maxRefused), closed: make(chan struct{}),
	}
}

// Accept implements net.Listener.
func (g *guarded) Accept() (net.Conn, error) {
	for {
		select {
		case g.held <- struct{}{}:
		case <-g.closed:
			return nil, net.ErrClosed
		}
		c, err := g.AcceptUnix()
		if err != nil {
			<-g.held
			return nil, err
		}
		refusal := checkPeer(c, g.inside)
		if refusal == nil {
			return &heldConn{UnixConn: c, release: func() { <-g.held }}, nil
		}
		<-g.held
		select {
		case g.refused <- struct{}{}:
			g.telling.Go(func() { // ends within refuseTime
				refuse(c, refusal)
				<-g.refused
			})
		default:
			_ = c.Close()
		}
	}
}

// Close implements net.Listener.
func (g *guarded) Close() error {
	g.closing.Do(func() { close(g.closed) })
	err := g.UnixListener.Close()
	g.telling.Wait()
	return err
}

// A heldConn is a connection that counts.
type heldConn struct {
	*net.UnixConn
	once    sync.Once
	release func()
}

// Close implements net.Conn.
func (c *heldConn) Close() error {
	err := c.UnixConn.Close()
	c.once.Do(c.release)
	return err
}

// unixConn is the Unix socket of a connection; nil: it is none.
func unixConn(c net.Conn) *net.UnixConn {
	switch c := c.(type) {
	case *heldConn:
		return c.UnixConn
	case *net.UnixConn:
		return c
	}
	return nil
}

// refuseTime is how long a client that is refused may take to ask and to listen.
const refuseTime = time.Second

// refuse answers a client that may not connect, whatever it asks for.
func refuse(c net.Conn, refusal *Error) {
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(refuseTime))
	if _, err := c.Read(make([]byte, maxHeader)); err != nil {
		return // an answer without a question would confuse it
	}
	body, err := json.Marshal(refusal)
	if err == nil {
		_, _ = fmt.Fprintf(c, "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s",
			refusal.Status, http.StatusText(refusal.Status), len(body), body)
	}
}
