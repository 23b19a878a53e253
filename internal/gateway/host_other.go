//go:build !linux

package gateway

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/stack"
)

// A hostSide is the gateway's side of a host that has no epoll: each connection has two goroutines
// that copy, each session of UDP has one.
type hostSide struct {
	gateway *Gateway
	ctx     context.Context
	close   context.CancelFunc // ends everything
}

// A far is a connection of the host.
type far struct {
	*net.TCPConn
	host *hostSide
	once sync.Once
}

func (h *hostSide) open(g *Gateway) error {
	h.gateway = g
	h.ctx, h.close = context.WithCancel(context.Background())
	return nil
}

// dial connects to an address of the host's side, and returns the host's own error.
func (h *hostSide) dial(ctx context.Context, to netip.AddrPort) (*far, error) {
	c, err := new(net.Dialer).DialContext(ctx, "tcp", to.String())
	if err != nil {
		return nil, err
	}
	return h.adopt(c.(*net.TCPConn))
}

// adopt takes over a connection.
func (h *hostSide) adopt(c *net.TCPConn) (*far, error) { return &far{TCPConn: c, host: h}, nil }

// Close closes the connection.
func (f *far) Close() error {
	f.once.Do(func() { f.host.gateway.used.Add(-1) })
	return f.TCPConn.Close()
}

// join copies both ways between two connections, which it closes in the end.
func (h *hostSide) join(near *endpoint.Conn, far *far) {
	_ = near.SetNoDelay(true)
	abort := func() {
		_ = near.SetLinger(0)
		_ = near.Close()
		_ = far.SetLinger(0)
		_ = far.Close()
	}
	stop := context.AfterFunc(h.ctx, abort)
	h.gateway.work.Go(func() { // ends with the connections
		defer stop()
		var up sync.WaitGroup
		up.Go(func() { // ends with the connections
			if _, err := io.Copy(far.TCPConn, near); err != nil || far.CloseWrite() != nil {
				abort()
			}
		})
		if _, err := io.Copy(near, far.TCPConn); err != nil || near.CloseWrite() != nil {
			abort()
		}
		up.Wait()
		_ = near.Close()
		_ = far.Close()
	})
}

// udp opens a session: the socket, which its datagrams go by.
func (g *Gateway) udp(_ context.Context, s *stack.UDPSession) (io.WriteCloser, error) {
	to, err := g.resolve(s.Destination().Addr())
	if err != nil {
		return nil, err
	}
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(to, s.Destination().Port())))
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(g.host.ctx, func() { _ = c.Close() })
	g.work.Go(func() { // ends with the socket
		defer stop()
		b := make([]byte, 64<<10)
		for {
			n, err := c.Read(b)
			switch {
			case errors.Is(err, net.ErrClosed):
				return
			case err != nil:
				s.Refuse(err)
			default:
				_, _ = s.Write(b[:n])
			}
		}
	})
	return c, nil
}

// echo answers for the host's own addresses.
func (g *Gateway) echo(_ context.Context, r *stack.EchoRequest) {
	to, err := g.resolve(r.Destination)
	if err == nil && ownAddress(to) {
		r.Reply()
		return
	}
	g.say("ping", "ping answers for this host's own addresses only: other systems than Linux have no ping sockets here")
	r.Refuse(errProhibited)
}
