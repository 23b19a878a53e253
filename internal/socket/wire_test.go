package socket_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/wsstack/wsstack/internal/socket"
	"github.com/wsstack/wsstack/internal/sockettest"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

// A badWire is a host whose applications do what applications do, and a peer that
// sends what nobody should.
type badWire struct {
	t     *testing.T
	r     *rand.Rand
	n     *simnet.Network
	h     *simnet.Host
	w     *simnet.Wire
	p     *simnet.Peer
	iss   uint32 // of the host
	sent  int    // bytes that the host's applications have sent
	said  int    // bytes that the peer has sent
	open  int    // sockets that aren't closed yet
	calls int
}

func newBadWire(t *testing.T, seed uint64) *badWire {
	b := &badWire{t: t, r: rand.New(rand.NewPCG(seed, 11)), n: simnet.New(t, simnet.Seed(seed))}
	b.h = b.n.Host("h", "10.0.0.1/24")
	b.w = b.n.Wire(b.h, "w", "10.0.0.2")
	return b
}

// codes are those that the pages of recv, send, shutdown, connect, accept, closesocket
// and DisconnectEx have for calls on a stream that has been connected.
var codes = []wsa.Errno{0, wsa.WSAECONNRESET, wsa.WSAECONNABORTED, wsa.WSAESHUTDOWN, wsa.WSAETIMEDOUT, wsa.WSAENOTCONN,
	wsa.WSAEINTR, wsa.WSAENOTSOCK, wsa.WSAEINVAL, wsa.WSAECONNREFUSED, wsa.WSAEHOSTUNREACH, wsa.WSAEWOULDBLOCK, wsa.WSA_OPERATION_ABORTED}

func (b *badWire) check(call string, errno wsa.Errno) wsa.Errno {
	b.calls++
	if !slices.Contains(codes, errno) {
		b.t.Errorf("%s: %v", call, errno)
	}
	return errno
}

// application is what goes on at a socket, in goroutines of the network, until it is
// closed.
func (b *badWire) application(s *socket.Socket) {
	b.open++
	for _, name := range []int32{wsa.SO_RCVTIMEO, wsa.SO_SNDTIMEO} {
		s.SetSockOpt(wsa.SOL_SOCKET, name, dword(uint32(b.r.IntN(5000))))
	}
	lives := 10 + b.r.IntN(60)
	b.n.Background("reader", func() {
		for range lives {
			flags := []int32{0, 0, wsa.MSG_WAITALL, wsa.MSG_OOB, wsa.MSG_PEEK}[b.r.IntN(5)]
			_, errno := s.Recv(make([]byte, 1+b.r.IntN(3000)), flags)
			if b.check("recv", errno) == wsa.WSAENOTSOCK {
				return
			}
			b.n.Sleep(time.Duration(b.r.IntN(200)) * time.Millisecond)
		}
	})
	b.n.Background("writer", func() {
		for range lives {
			n, errno := s.Send(make([]byte, b.r.IntN(9000)), b.r.Int32N(2)*wsa.MSG_OOB)
			if b.check("send", errno); errno == wsa.WSAENOTSOCK {
				return
			}
			b.sent += n
			b.n.Sleep(time.Duration(b.r.IntN(200)) * time.Millisecond)
		}
	})
	b.n.Background("closer", func() {
		for range b.r.IntN(40) {
			b.meddle(s)
			b.n.Sleep(time.Duration(b.r.IntN(500)) * time.Millisecond)
		}
		s.SetSockOpt(wsa.SOL_SOCKET, wsa.SO_LINGER, []byte{byte(b.r.IntN(2)), 0, byte(b.r.IntN(4)), 0})
		b.check("closesocket", s.Close())
		b.open--
	})
}

func (b *badWire) meddle(s *socket.Socket) {
	switch b.r.IntN(12) {
	case 0:
		s.SetSockOpt(wsa.SOL_SOCKET, wsa.SO_RCVBUF, dword(uint32(b.r.IntN(9000))))
	case 1:
		s.SetSockOpt(wsa.SOL_SOCKET, wsa.SO_SNDBUF, dword(uint32(b.r.IntN(9000))))
	case 2:
		s.SetSockOpt(wsa.SOL_SOCKET, wsa.SO_OOBINLINE, dword(uint32(b.r.IntN(2))))
	case 3:
		s.SetSockOpt(wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, dword(uint32(b.r.IntN(2))))
	case 4:
		s.SetSockOpt(wsa.IPPROTO_TCP, wsa.TCP_MAXRT, dword(uint32(b.r.IntN(100))))
	case 5:
		s.SetSockOpt(wsa.IPPROTO_TCP, wsa.TCP_NODELAY, dword(1))
	case 6:
		b.check("shutdown", s.Shutdown(b.r.Int32N(3)))
	case 7:
		_, errno := s.Readable()
		b.check("ioctlsocket", errno)
		_, errno = s.AtMark()
		b.check("ioctlsocket", errno)
	case 8:
		s.RecvAsync(make([]byte, b.r.IntN(2000)), 0)
	case 9:
		s.SendAsync(make([]byte, b.r.IntN(2000)), b.r.Int32N(2)*wsa.MSG_OOB, netip.AddrPort{})
	case 10:
		s.DisconnectEx(uint32(b.r.IntN(2))*wsa.TF_REUSE_SOCKET, 0)
	case 11:
		socket.Await(socket.HostOf(b.h), []socket.Member{{Socket: s, Want: socket.ReadyRead | socket.ReadyWrite | socket.ReadyExcept}}, time.Second)
	}
}

func dword(n uint32) []byte { return binary.LittleEndian.AppendUint32(nil, n) }

// accepted has the host accept a connection of the peer.
func (b *badWire) accepted() {
	b.p = b.w.Connect("10.0.0.1:80")
	require.NoError(b.t, b.n.Do("listen", func() {
		l := sockettest.NewSocket(b.t, b.h.Stack, wsa.AF_INET, wsa.SOCK_STREAM)
		l.SetSockOpt(wsa.SOL_SOCKET, wsa.SO_CONDITIONAL_ACCEPT, dword(uint32(b.r.IntN(2))))
		require.Zero(b.t, l.Bind(addrPort("10.0.0.1:80")))
		require.Zero(b.t, l.Listen(2))
		b.n.Background("server", func() {
			s, _, errno := l.Accept()
			b.check("accept", errno)
			if errno == 0 {
				b.application(s)
			}
			l.Close()
		})
	}))
	b.p.Send(fmt.Sprintf("[S] win %d <mss %d,sackOK,wscale %d>", b.r.IntN(65536), b.r.IntN(2000), b.r.IntN(15)))
	a, err := b.p.Expect("[S.]")
	require.NoError(b.t, err)
	b.iss = binary.BigEndian.Uint32(a.Packet[24:])
}

// connects has the host connect to the peer.
func (b *badWire) connects() {
	b.p = b.w.Listen(90)
	b.n.Background("client", func() {
		s := sockettest.NewSocket(b.t, b.h.Stack, wsa.AF_INET, wsa.SOCK_STREAM)
		s.SetSockOpt(wsa.IPPROTO_TCP, wsa.TCP_FAIL_CONNECT_ON_ICMP_ERROR, dword(1))
		if b.check("connect", s.Connect(addrPort("10.0.0.2:90"))) == 0 {
			b.application(s)
			return
		}
		b.check("closesocket", s.Close())
	})
	a, err := b.p.Expect("[S]")
	require.NoError(b.t, err)
	b.iss = binary.BigEndian.Uint32(a.Packet[24:])
	if b.r.IntN(4) > 0 {
		b.p.Send(fmt.Sprintf("[S.] seq 0 ack 1 win %d <mss %d,sackOK>", b.r.IntN(65536), b.r.IntN(2000)))
	}
}

// near is a number close to another, often the same.
func (b *badWire) near(n, far int) uint32 {
	switch b.r.IntN(6) {
	case 0:
		return uint32(n + b.r.IntN(2*far+1) - far)
	case 1:
		return uint32(n + b.r.IntN(3) - 1)
	case 2:
		return uint32(b.r.IntN(n + 1))
	}
	return uint32(n)
}

// attack sends something.
func (b *badWire) attack() {
	if b.r.IntN(12) == 0 {
		b.icmp()
		return
	}
	flags := []string{".", ".", ".", ".", ".U", "PU.", "F.", "FU.", "R", "R.", "S", "S.", "SF", "", "SR"}[b.r.IntN(15)]
	seq, ack := b.near(1+b.said, 70000), b.near(1+b.sent, 70000)
	size := []int{0, 0, 1, b.r.IntN(3), b.r.IntN(1400), b.r.IntN(1400)}[b.r.IntN(6)]
	window := []int{0, 0, 1, b.r.IntN(100), b.r.IntN(65536), 65535}[b.r.IntN(6)]
	if b.r.IntN(40) > 0 && flags != "" && (flags[0] == 'R' || flags[0] == 'S') {
		flags = "." // they end too much
	}
	b.p.Send(fmt.Sprintf("[%s] seq %d ack %d win %d urg %d len %d", flags, seq, ack, window, b.r.IntN(1+b.r.IntN(65536)), size))
	if int(seq) == 1+b.said && flags != "" {
		b.said += size
	}
}

// icmp sends an error about a segment of the host.
func (b *badWire) icmp() {
	m := [][2]byte{{3, 0}, {3, 1}, {3, 3}, {3, 4}, {11, 0}, {12, 0}, {4, 0}}[b.r.IntN(7)]
	segment := make([]byte, 20)
	binary.BigEndian.PutUint16(segment, b.p.Remote().Port())
	binary.BigEndian.PutUint16(segment[2:], b.p.Local().Port())
	binary.BigEndian.PutUint32(segment[4:], b.iss+b.near(b.sent, 5000))
	segment[12] = 5 << 4
	about := simnet.EncodeIP(b.p.Remote().Addr(), b.p.Local().Addr(), 6, segment)
	head := []byte{m[0], m[1], 0, 0, 0, 0, 0, 0}
	binary.BigEndian.PutUint16(head[6:], uint16(b.r.IntN(1600)))
	b.w.Inject(simnet.EncodeIP(b.p.Local().Addr(), b.p.Remote().Addr(), 1, append(head, about...)))
}

// Whatever a peer sends, in whatever state the connection is and whatever calls are in
// progress, they end with codes of their pages, and nothing is left.
func TestBadWire(t *testing.T) {
	const seeds = 60
	calls := 0
	for seed := range uint64(seeds) {
		b := newBadWire(t, seed)
		if seed%2 == 0 {
			b.accepted()
		} else {
			b.connects()
		}
		for range 60 {
			for range 1 + b.r.IntN(10) {
				b.attack()
			}
			require.NoError(t, b.n.Advance(time.Duration(b.r.IntN(400))*time.Millisecond))
			b.w.Discard()
		}
		require.NoError(t, b.n.Advance(3*time.Hour))
		require.Zero(t, b.open, "seed %d", seed)
		stats := b.h.Stats()
		require.Zero(t, stats.Sockets, "seed %d", seed)
		require.Zero(t, stats.Bindings, "seed %d", seed)
		require.Zero(t, socket.HostOf(b.h).TCP().Connections(), "seed %d", seed)
		require.Zero(t, socket.HostOf(b.h).TCP().HalfOpen(), "seed %d", seed)
		require.Zero(t, b.n.Timers(), "seed %d", seed)
		require.NoError(t, b.n.Close())
		calls += b.calls
	}
	t.Logf("%d calls", calls)
}
