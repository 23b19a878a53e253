package bench

import (
	"errors"
	"net"
	"net/netip"
	"sync"
)

// A Meeting is a listener whose connections come from its own Dial, which may wait for Accept.
type Meeting interface {
	net.Listener
	Dial() (net.Conn, error)
}

// MemoryLink joins two sides that have connections in memory and no network: what listens at a port
// is made by listen.
func MemoryLink(listen func() Meeting) *Network {
	addr := netip.MustParseAddr("127.0.0.1")
	n := &Network{NearAddr: addr, FarAddr: addr}
	near, far := &memorySide{listen: listen}, &memorySide{listen: listen}
	near.peer, far.peer = far, near
	n.Near, n.Far = near, far
	return n
}

// A memorySide is a side of a MemoryLink.
type memorySide struct {
	listen func() Meeting
	peer   *memorySide
	ports  sync.Map // from port to Meeting; as many as there are listeners in a run
}

func (s *memorySide) Listen(port uint16) (net.Listener, error) {
	l := s.listen()
	s.ports.Store(port, l)
	return l, nil
}

func (s *memorySide) Dial(to netip.AddrPort) (net.Conn, error) {
	l, ok := s.peer.ports.Load(to.Port())
	if !ok {
		return nil, errors.New("bench: nobody listens")
	}
	return l.(Meeting).Dial()
}

func (s *memorySide) Close() {}

// pipes is a listener of net.Pipe's connections.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	close  func()
}

func newPipes() *pipes {
	p := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
	p.close = sync.OnceFunc(func() { close(p.closed) })
	return p
}

func (p *pipes) Dial() (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case p.conns <- far:
		return near, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

func (p *pipes) Close() error {
	p.close()
	return nil
}
