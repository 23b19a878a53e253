package provider_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

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

// A connect throws away what others have sent, and keeps what the peer has; a
// second one to the same peer keeps everything. Without a peer, recv is
// WSAENOTCONN and recvfrom goes on (pages of connect and WSARecv).
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
			send := func(from wsa.SOCKET, text string) {
				_, err := l.b.SendTo(from, []byte(text), 0, addrA(af, 700))
				require.NoError(t, err)
				l.settle()
			}
			send(other, "theirs")
			if !dual { // there its endpoint is replaced
				send(peer, "before")
				send(other, "")
			}
			require.NoError(t, l.a.Connect(s, addrB(af, 800)))
			n := make([]byte, 4)
			_, err := l.a.Ioctl(s, wsa.FIONREAD, nil, n)
			require.NoError(t, err)
			send(peer, "after")
			send(other, "refused")
			require.NoError(t, l.a.Connect(s, addrB(af, 800)))
			texts, err := l.received(s, recv)
			require.Equal(t, wsa.WSAEWOULDBLOCK, err)
			if dual {
				require.Equal(t, []string{"after"}, texts)
				require.EqualValues(t, 0, n[0])
			} else {
				require.Equal(t, []string{"before", "after"}, texts)
				require.EqualValues(t, len("before"), n[0])
			}
			require.Equal(t, "w", l.ready(s))

			any := netip.AddrPortFrom(netip.IPv4Unspecified(), 0)
			if af == wsa.AF_INET6 {
				any = netip.AddrPortFrom(netip.IPv6Unspecified(), 0)
			}
			require.NoError(t, l.a.Connect(s, any))
			send(other, "anybody")
			texts, err = l.received(s, recv)
			require.Equal(t, wsa.WSAENOTCONN, err)
			require.Empty(t, texts)
			texts, err = l.received(s, recvFrom)
			require.Equal(t, wsa.WSAEWOULDBLOCK, err)
			require.Equal(t, []string{"anybody"}, texts)
			require.NoError(t, l.a.Connect(s, addrB(af, 800)))
			send(peer, "again")
			texts, _ = l.received(s, recv)
			require.Equal(t, []string{"again"}, texts)
		}
	})
}
