package iperf3

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/wsstack/wsstack/wsa"
)

// queueLength is how many datagrams of a stream wait to be read; those that come when so many do
// are lost.
const queueLength = 256

// A demux is the socket of all streams of a UDP test on the server's side. A stream begins with a
// hello from the host that the control connection comes from.
type demux struct {
	socket  net.PacketConn
	client  netip.Addr
	wanted  int
	arrived chan arrival
	wg      sync.WaitGroup
	pool    sync.Pool

	mu    sync.Mutex
	conns map[netip.AddrPort]*datagrams
}

func newDemux(ctx context.Context, t *test) (*demux, error) {
	socket, err := t.server.network.ListenPacket(ctx, "udp", t.LocalAddr().String())
	if err != nil {
		return nil, err
	}
	d := &demux{socket: socket, wanted: len(t.params.roles()), arrived: make(chan arrival, 2*maxStreams), conns: map[netip.AddrPort]*datagrams{}}
	d.pool.New = func() any { return new([maxDatagram]byte) }
	if a, ok := t.RemoteAddr().(*net.TCPAddr); ok {
		d.client = a.AddrPort().Addr().Unmap()
	}
	d.wg.Go(d.read) // ends with close
	return d, nil
}

// read gives each datagram to its stream.
func (d *demux) read() {
	for {
		b := d.pool.Get().(*[maxDatagram]byte)
		n, from, err := d.socket.ReadFrom(b[:])
		if err != nil {
			if errors.Is(err, net.ErrClosed) || errors.Is(err, wsa.WSAENETDOWN) {
				return
			}
			continue // such as an ICMP error: the client is gone
		}
		u, ok := from.(*net.UDPAddr)
		if !ok {
			continue
		}
		peer := u.AddrPort()
		c, isNew := d.find(netip.AddrPortFrom(peer.Addr().Unmap(), peer.Port()), from, string(b[:n]))
		switch {
		case c == nil:
			d.pool.Put(b)
		case n == len(helloDatagram):
			d.pool.Put(b)
			_, _ = d.socket.WriteTo([]byte(answerDatagram), from) // again, if the first one was lost
			if isNew {
				d.arrived <- arrival{c, d.count()} // there is room for all that are wanted
			}
		default:
			c.put(datagram{b, n})
		}
	}
}

// find returns the stream of a peer, or nil, and begins it with the hello of a peer that may have
// one.
func (d *demux) find(peer netip.AddrPort, from net.Addr, text string) (c *datagrams, isNew bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if c := d.conns[peer]; c != nil {
		return c, false
	}
	if text != helloDatagram || peer.Addr() != d.client || len(d.conns) >= d.wanted {
		return nil, false
	}
	c = &datagrams{demux: d, peer: from, queue: make(chan datagram, queueLength), gone: make(chan struct{})}
	d.conns[peer] = c
	return c, true
}

// count is how many streams there are.
func (d *demux) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.conns)
}

func (d *demux) close() {
	_ = d.socket.Close()
	d.wg.Wait()
}

// A datagram is what has come, in a buffer of the pool.
type datagram struct {
	buf  *[maxDatagram]byte
	size int
}

// datagrams are the net.Conn of a stream. There is one deadline, which is set to end it.
type datagrams struct {
	demux *demux
	peer  net.Addr
	queue chan datagram
	gone  chan struct{} // closed when the stream has ended
	once  sync.Once
}

var _ net.Conn = (*datagrams)(nil)

func (c *datagrams) put(g datagram) {
	select {
	case c.queue <- g:
	default:
		c.demux.pool.Put(g.buf)
	}
}

func (c *datagrams) Read(b []byte) (int, error) {
	select {
	case g := <-c.queue:
		n := copy(b, g.buf[:g.size])
		c.demux.pool.Put(g.buf)
		return n, nil
	case <-c.gone:
		return 0, os.ErrDeadlineExceeded
	}
}

func (c *datagrams) Write(b []byte) (int, error) {
	select {
	case <-c.gone:
		return 0, os.ErrDeadlineExceeded
	default:
		return c.demux.socket.WriteTo(b, c.peer)
	}
}

func (c *datagrams) Close() error {
	c.once.Do(func() { close(c.gone) })
	return nil
}

// SetDeadline ends the stream if the deadline has passed. Others aren't needed.
func (c *datagrams) SetDeadline(t time.Time) error {
	if !t.IsZero() && !t.After(time.Now()) {
		return c.Close()
	}
	return nil
}

func (c *datagrams) SetReadDeadline(t time.Time) error  { return c.SetDeadline(t) }
func (c *datagrams) SetWriteDeadline(t time.Time) error { return c.SetDeadline(t) }
func (c *datagrams) LocalAddr() net.Addr                { return c.demux.socket.LocalAddr() }
func (c *datagrams) RemoteAddr() net.Addr               { return c.peer }
