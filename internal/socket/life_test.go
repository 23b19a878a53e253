package socket_test

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/wsstack/wsstack/internal/socket"
	"github.com/wsstack/wsstack/internal/sockettest"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wsa"
)

// A registrar looks at each socket at the moment that it is listed.
type registrar struct {
	socket.Host
	infos []socket.Info
}

func (r *registrar) Register(s *socket.Socket) {
	r.infos = append(r.infos, s.Info())
	r.Host.Register(s)
}

// A socket is complete when it is listed: others read it from then on.
func TestSocketIsCompleteWhenListed(t *testing.T) {
	a, _ := sockettest.Pair(t)
	r := &registrar{Host: socket.HostOf(a)}
	for _, typ := range []int32{wsa.SOCK_STREAM, wsa.SOCK_DGRAM, wsa.SOCK_RAW} {
		s, errno := socket.New(r, wsa.AF_INET, typ, 0, "")
		require.Zero(t, errno)
		require.Equal(t, s.Info(), r.infos[len(r.infos)-1])
		require.Equal(t, s.ID(), r.infos[len(r.infos)-1].ID)
		require.NotZero(t, s.ID())
		require.Zero(t, s.Close())
	}
}

// A gallery is the sockets that are alive, for those who read them.
type gallery struct {
	*testing.T
	a, b  *stack.Stack
	shown [8]atomic.Pointer[socket.Socket]
	next  atomic.Uint32
}

// show makes a socket one that the readers look at.
func (g *gallery) show(s *socket.Socket, errno wsa.Errno) *socket.Socket {
	require.Zero(g, errno)
	g.shown[g.next.Add(1)%uint32(len(g.shown))].Store(s)
	return s
}

func (g *gallery) socket(s *stack.Stack, typ, protocol int32) *socket.Socket {
	return g.show(socket.New(socket.HostOf(s), wsa.AF_INET, typ, protocol, ""))
}

// AcceptUntil is AcceptEx, or Accept.
func (g *gallery) accept(l *socket.Socket, overlapped bool) *socket.Socket {
	if !overlapped {
		s, _, errno := l.Accept()
		return g.show(s, errno)
	}
	s := g.socket(g.b, wsa.SOCK_STREAM, 0)
	op, errno := l.AcceptEx(s, nil)
	require.Zero(g, errno)
	<-op.Done()
	_, _, errno = op.Result()
	require.Zero(g, errno)
	return s
}

// stream is the life of a listener and of both ends of a connection.
func (g *gallery) stream(overlapped bool) {
	l := g.socket(g.b, wsa.SOCK_STREAM, 0)
	require.Zero(g, l.Bind(netip.MustParseAddrPort("10.0.0.2:0")))
	require.Zero(g, l.Listen(5))
	addr, errno := l.LocalAddr()
	require.Zero(g, errno)
	client := g.socket(g.a, wsa.SOCK_STREAM, 0)
	require.Zero(g, client.SetSockOpt(wsa.SOL_SOCKET, wsa.SO_DEBUG, []byte{1, 0, 0, 0}))
	require.Zero(g, client.SetSockOpt(wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, []byte{1, 0, 0, 0}))
	require.Zero(g, client.Connect(addr))
	server := g.accept(l, overlapped)
	_, errno = client.Send([]byte("to server"), 0)
	require.Zero(g, errno)
	_, errno = client.Send([]byte("!"), wsa.MSG_OOB)
	require.Zero(g, errno)
	_, errno = server.Recv(make([]byte, 9), 0)
	require.Zero(g, errno)
	client.Shutdown(wsa.SD_SEND)
	server.Close()
	client.Close()
	l.Close()
}

// refused is the life of a socket whose connect fails.
func (g *gallery) refused() {
	s := g.socket(g.a, wsa.SOCK_STREAM, 0)
	require.Equal(g, wsa.WSAECONNREFUSED, s.Connect(netip.MustParseAddrPort("10.0.0.2:9")))
	s.Close()
}

// message is the life of a datagram or raw socket.
func (g *gallery) message(typ, protocol int32) {
	s := g.socket(g.a, typ, protocol)
	require.Zero(g, s.Bind(netip.MustParseAddrPort("10.0.0.1:0")))
	require.Zero(g, s.Connect(netip.MustParseAddrPort("10.0.0.2:9")))
	_, errno := s.Send([]byte("to nobody"), 0)
	require.Zero(g, errno)
	s.Close()
}

// look calls everything that only reads.
func (g *gallery) look(table []options.Info) {
	for _, s := range []*stack.Stack{g.a, g.b} {
		s.Sockets()
		s.Stats()
		socket.HostOf(s).Interfaces()
	}
	for i := range g.shown {
		s := g.shown[i].Load()
		if s == nil {
			continue
		}
		s.ID()
		s.Info()
		s.LocalAddr()
		s.RemoteAddr()
		s.Ready()
		s.Readable()
		s.AtMark()
		s.NetworkEvents(nil)
		optval := make([]byte, 512)
		for _, o := range table {
			s.GetSockOpt(o.Level, o.Number, optval)
		}
		s.Control(wsa.SIO_TCP_INFO, []byte{1, 0, 0, 0}, optval)
		s.Control(wsa.FIONREAD, nil, optval)
	}
}

// Whatever only reads may do so beside the whole life of any socket: this test
// is for the race detector.
func TestReadersBesideTheLifeOfSockets(t *testing.T) {
	g := &gallery{T: t}
	g.a, g.b = sockettest.Pair(t)
	done := make(chan struct{})
	var readers, lives sync.WaitGroup
	table := options.Table()
	for range 2 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					g.look(table)
				}
			}
		})
	}
	for _, life := range []func(){
		func() { g.stream(false) },
		func() { g.stream(true) },
		g.refused,
		func() { g.message(wsa.SOCK_DGRAM, 0) },
		func() { g.message(wsa.SOCK_RAW, 253) },
	} {
		lives.Go(func() {
			for range 20 {
				life()
			}
		})
	}
	lives.Wait()
	close(done)
	readers.Wait()
	require.Empty(t, g.a.Sockets())
	require.Empty(t, g.b.Sockets())
}
