package stack_test

import (
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wsa"
)

// listening is a client and a server with a listener on port 80.
func listening(t *testing.T, config stack.ListenConfig) (n *simnet.Network, client *simnet.Host, l *endpoint.Listener) {
	n = simnet.New(t)
	client = n.Host("client", "10.0.0.1/24")
	server := n.Host("server", "10.0.0.2/24")
	n.Link(client, server, simnet.Delay(10*time.Millisecond))
	config.Stack = server.Stack
	l, err := config.ListenTCP("tcp", netip.MustParseAddrPort("10.0.0.2:80"))
	require.NoError(t, err)
	return n, client, l
}

// Backlog bounds the connections that wait: the SYN beyond is refused.
func TestListenConfig_Backlog(t *testing.T) {
	n, client, l := listening(t, stack.ListenConfig{Backlog: 2})
	n.Do("client", func() {
		for range 2 {
			_, err := client.Dial("tcp", "10.0.0.2:80")
			require.NoError(t, err)
		}
		_, err := client.Dial("tcp", "10.0.0.2:80")
		require.ErrorIs(t, err, wsa.WSAECONNREFUSED)
		_, err = l.Accept()
		require.NoError(t, err)
		_, err = client.Dial("tcp", "10.0.0.2:80")
		require.NoError(t, err)
	})
}

// After the handshake of a silent connection nothing leaves, whatever the peer sends: not even at
// the end of both.
func TestListenConfig_Silent(t *testing.T) {
	n, client, l := listening(t, stack.ListenConfig{Silent: true})
	var c net.Conn
	n.Do("client", func() {
		var err error
		c, err = client.Dial("tcp", "10.0.0.2:80")
		require.NoError(t, err)
		s, err := l.Accept()
		require.NoError(t, err)
		_, err = c.Write([]byte("anybody?"))
		require.NoError(t, err)
		_, err = s.Write([]byte("never heard"))
		require.NoError(t, err)
		_, err = c.Read(make([]byte, 1))
		require.ErrorIs(t, err, wsa.WSAECONNABORTED)
		require.NoError(t, s.(*endpoint.Conn).SetNonblocking(true))
		_, err = s.Read(make([]byte, 1))
		require.ErrorIs(t, err, wsa.WSAEWOULDBLOCK)
		require.NoError(t, s.(*endpoint.Conn).SetLinger(0))
		require.NoError(t, s.Close())
	})
	n.Advance(time.Hour)
	require.Equal(t, 1, strings.Count(n.TraceText(), "server>client"), n.TraceText())
}

// AcceptIf decides before the SYN-ACK: a refused SYN is answered by a RST, and several calls decide
// about several SYNs at once.
func TestListener_AcceptIf(t *testing.T) {
	n, client, l := listening(t, stack.ListenConfig{Options: []options.Assignment{options.SO_CONDITIONAL_ACCEPT.With(true)}})
	asked := 0
	for range 2 {
		n.Background("server", func() {
			for {
				c, err := l.AcceptIf(func(caller, called netip.AddrPort) bool {
					asked++
					require.Equal(t, netip.MustParseAddrPort("10.0.0.2:80"), called)
					n.Sleep(time.Second)
					return caller.Port()%2 == 0
				})
				if err != nil {
					return
				}
				_, err = c.Write([]byte("hello"))
				require.NoError(t, err)
			}
		})
	}
	dial := func(port int) (net.Conn, error) {
		return (&stack.Dialer{Stack: client.Stack, LocalAddr: &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: port}}).Dial("tcp", "10.0.0.2:80")
	}
	start := n.Now()
	done := 0
	n.Go("odd", func() {
		_, err := dial(50001)
		require.ErrorIs(t, err, wsa.WSAECONNREFUSED)
		done++
	})
	n.Do("even", func() {
		c, err := dial(50002)
		require.NoError(t, err)
		require.Less(t, n.Now()-start, 1500*time.Millisecond)
		b := make([]byte, 5)
		_, err = c.Read(b)
		require.NoError(t, err)
		require.Equal(t, "hello", string(b))
		done++
	})
	require.Equal(t, 2, done)
	require.GreaterOrEqual(t, asked, 2)
}
