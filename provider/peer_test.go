package provider_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/provider"
	"github.com/wsstack/wsstack/wsa"
)

// received is what a non-blocking datagram socket of stack a receives, and the
// code that ends it.
func (l *lab) received(s wsa.SOCKET, recv func(s wsa.SOCKET, b []byte) (int, error)) (texts []string, err error) {
	b := make([]byte, 16)
	for {
		n, err := recv(s, b)
		if err != nil {
			return texts, err
		}
		texts = append(texts, string(b[:n]))
	}
}

// noPeer is what connect takes to dissolve an association.
func noPeer(af int32) netip.AddrPort {
	if af == wsa.AF_INET6 {
		return netip.AddrPortFrom(netip.IPv6Unspecified(), 0)
	}
	return netip.AddrPortFrom(netip.IPv4Unspecified(), 0)
}

// A connect throws away what others have sent, also behind what the peer has, and keeps
// that. A second one to the same peer keeps everything, one to another peer nothing.
// Without a peer, recv is WSAENOTCONN and recvfrom goes on, with what is the former
// peer's at first (pages of connect and WSARecv).
func TestDatagramConnectQueue(t *testing.T) {
	families(t, func(t *testing.T, af int32) {
		for _, dual := range []bool{false, af == wsa.AF_INET6} {
			l := newLab(t)
			recv := func(s wsa.SOCKET, b []byte) (int, error) { return l.a.Recv(s, b, 0) }
			recvFrom := func(s wsa.SOCKET, b []byte) (int, error) {
				n, _, err := l.a.RecvFrom(s, b, 0)
				return n, err
			}
			s := l.datagram(af)
			l.nonblocking(l.a, s, true)
			local := addrA(af, 700)
			if dual {
				require.NoError(t, setInt(l.a, s, wsa.IPPROTO_IPV6, wsa.IPV6_V6ONLY, 0))
				local = netip.AddrPortFrom(netip.IPv6Unspecified(), 700)
			}
			l.bind(s, local)
			peer := l.socket(l.b, af, wsa.SOCK_DGRAM)
			require.NoError(t, l.b.Bind(peer, addrB(af, 800)))
			other := l.socket(l.b, af, wsa.SOCK_DGRAM)
			require.NoError(t, l.b.Bind(other, addrB(af, 801)))
			send := func(from wsa.SOCKET, text string) {
				_, err := l.b.SendTo(from, []byte(text), 0, addrA(af, 700))
				require.NoError(t, err)
				l.settle()
			}
			readable := func() int {
				n := make([]byte, 4)
				_, err := l.a.Ioctl(s, wsa.FIONREAD, nil, n)
				require.NoError(t, err)
				return int(n[0])
			}
			send(other, "")
			send(other, "theirs")
			send(peer, "before")
			send(other, "behind")
			send(other, "")
			send(peer, "second")
			send(other, "last")
			require.NoError(t, l.a.Connect(s, addrB(af, 800)))
			require.Equal(t, len("before"), readable())
			require.Equal(t, "rw", l.ready(s))
			send(peer, "after")
			send(other, "refused")
			require.NoError(t, l.a.Connect(s, addrB(af, 800)))
			b := make([]byte, 16)
			n, err := l.a.Recv(s, b, wsa.MSG_PEEK)
			require.NoError(t, err)
			require.Equal(t, "before", string(b[:n]))
			texts, err := l.received(s, recv)
			require.Equal(t, wsa.WSAEWOULDBLOCK, err)
			require.Equal(t, []string{"before", "second", "after"}, texts)
			require.Zero(t, readable())
			require.Equal(t, "w", l.ready(s))

			send(peer, "left")
			require.NoError(t, l.a.Connect(s, noPeer(af)))
			send(other, "anybody")
			texts, err = l.received(s, recv)
			require.Equal(t, wsa.WSAENOTCONN, err)
			require.Empty(t, texts)
			texts, err = l.received(s, recvFrom)
			require.Equal(t, wsa.WSAEWOULDBLOCK, err)
			require.Equal(t, []string{"left", "anybody"}, texts)

			require.NoError(t, l.a.Connect(s, addrB(af, 800)))
			send(peer, "again")
			require.NoError(t, l.a.Connect(s, addrB(af, 801)))
			texts, _ = l.received(s, recv)
			require.Empty(t, texts)
			send(other, "now")
			texts, _ = l.received(s, recv)
			require.Equal(t, []string{"now"}, texts)
		}
	})
}

// Datagrams of others that wait behind one of the peer at a connect aren't there
// either when the association is dissolved first.
func TestDatagramConnectForgets(t *testing.T) {
	families(t, func(t *testing.T, af int32) {
		l := newLab(t)
		s := l.datagram(af)
		l.nonblocking(l.a, s, true)
		l.bind(s, addrA(af, 700))
		peer, other := l.socket(l.b, af, wsa.SOCK_DGRAM), l.socket(l.b, af, wsa.SOCK_DGRAM)
		require.NoError(t, l.b.Bind(peer, addrB(af, 800)))
		for _, from := range []wsa.SOCKET{other, peer, other} {
			_, err := l.b.SendTo(from, []byte{byte(from)}, 0, addrA(af, 700))
			require.NoError(t, err)
			l.settle()
		}
		require.NoError(t, l.a.Connect(s, addrB(af, 800)))
		require.NoError(t, l.a.Connect(s, noPeer(af)))
		texts, err := l.received(s, func(s wsa.SOCKET, b []byte) (int, error) {
			n, _, err := l.a.RecvFrom(s, b, 0)
			return n, err
		})
		require.Equal(t, wsa.WSAEWOULDBLOCK, err)
		require.Equal(t, []string{string([]byte{byte(peer)})}, texts)
	})
}

// A dual-stack socket that loses its peer has all of its addresses again, of both
// families.
func TestDualStackHasItsAddressesAgain(t *testing.T) {
	l := newLab(t)
	s := l.datagram(wsa.AF_INET6)
	l.nonblocking(l.a, s, true)
	require.NoError(t, setInt(l.a, s, wsa.IPPROTO_IPV6, wsa.IPV6_V6ONLY, 0))
	l.bind(s, netip.AddrPortFrom(netip.IPv6Unspecified(), 700))
	for _, peer := range []netip.AddrPort{addrB(wsa.AF_INET6, 800), netip.AddrPortFrom(netip.AddrFrom16(addrB(wsa.AF_INET, 800).Addr().As16()), 800)} {
		require.NoError(t, l.a.Connect(s, peer))
		require.NoError(t, l.a.Connect(s, noPeer(wsa.AF_INET6)))
		for _, af := range []int32{wsa.AF_INET, wsa.AF_INET6} {
			other := l.socket(l.b, af, wsa.SOCK_DGRAM)
			_, err := l.b.SendTo(other, []byte("x"), 0, addrA(af, 700))
			require.NoError(t, err)
			l.settle()
			n, _, err := l.a.RecvFrom(s, make([]byte, 9), 0)
			require.NoError(t, err)
			require.Equal(t, 1, n)
		}
	}
}

// What a connect keeps is bounded by the receive buffer, however often a program
// connects and reads nothing: as much as before, and as much behind it.
func TestDatagramConnectIsBounded(t *testing.T) {
	families(t, func(t *testing.T, af int32) {
		l := newLab(t)
		s := l.datagram(af)
		l.nonblocking(l.a, s, true)
		require.NoError(t, setInt(l.a, s, wsa.SOL_SOCKET, wsa.SO_RCVBUF, 1000))
		l.bind(s, addrA(af, 700))
		peer := l.socket(l.b, af, wsa.SOCK_DGRAM)
		require.NoError(t, l.b.Bind(peer, addrB(af, 800)))
		none := noPeer(af)
		for i := range 20 {
			require.NoError(t, l.a.Connect(s, addrB(af, 800)))
			for j := range 20 {
				_, err := l.b.SendTo(peer, append(make([]byte, 98), byte(i), byte(j)), 0, addrA(af, 700))
				require.NoError(t, err)
			}
			l.settle()
			require.NoError(t, l.a.Connect(s, none))
		}
		b, got := make([]byte, 200), 0
		for ; ; got++ {
			n, _, err := l.a.RecvFrom(s, b, 0)
			if err != nil {
				require.Equal(t, wsa.WSAEWOULDBLOCK, err)
				break
			}
			require.Equal(t, 100, n)
			require.Equal(t, []byte{byte(got / 10 * 19), byte(got % 10)}, b[98:100], "the oldest, and what the last endpoint has")
		}
		require.Equal(t, 20, got)
	})
}

// A raw socket's queue is sorted by the peer's address, and goes on with the socket
// when the association is dissolved.
func TestRawConnectQueue(t *testing.T) {
	families(t, func(t *testing.T, af int32) {
		const protocol = 200
		l := newLab(t)
		raw := func(p *provider.Provider) wsa.SOCKET {
			s, err := p.Socket(af, wsa.SOCK_RAW, protocol)
			require.NoError(t, err)
			return s
		}
		s, peer, other := raw(l.a), raw(l.b), raw(l.a)
		l.nonblocking(l.a, s, true)
		l.bind(s, addrA(af, 0))
		send := func(p *provider.Provider, from wsa.SOCKET, text string) {
			_, err := p.SendTo(from, []byte(text), 0, addrA(af, 0))
			require.NoError(t, err)
			l.settle()
		}
		texts := func() (texts []string) {
			b := make([]byte, 64)
			for {
				n, _, err := l.a.RecvFrom(s, b, 0)
				if err != nil {
					require.Equal(t, wsa.WSAEWOULDBLOCK, err)
					return texts
				}
				texts = append(texts, string(b[max(n-1, 0):n]))
			}
		}
		send(l.a, other, "1")
		send(l.b, peer, "2")
		send(l.a, other, "3")
		send(l.b, peer, "4")
		require.NoError(t, l.a.Connect(s, addrB(af, 0)))
		send(l.a, other, "5")
		send(l.b, peer, "6")
		require.NoError(t, l.a.Connect(s, noPeer(af)))
		send(l.a, other, "7")
		require.Equal(t, []string{"2", "4", "6", "7"}, texts())
	})
}
