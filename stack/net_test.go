package stack_test

import (
	"net"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wsa"
)

// alone is a stack with the loopback only.
func alone(t *testing.T) *stack.Stack {
	t.Helper()
	s, err := stack.New(stack.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// The unspecified address, no host and localhost mean this host, to a dial. What
// a listener shows as its address can be dialled, whatever it listens on.
func TestDialThisHost(t *testing.T) {
	for _, tt := range []struct {
		listen, address string // network and address
		dial, host      string // network and what stands before the port
		want            string // the host connected to; "": refused, none of the rest: *net.AddrError
	}{
		{"tcp", ":0", "tcp", "[::]", "::1"},
		{"tcp", ":0", "tcp4", "[::]", "127.0.0.1"},
		{"tcp", ":0", "tcp6", "[::]", "::1"},
		{"tcp", ":0", "tcp", "0.0.0.0", "127.0.0.1"},
		{"tcp", ":0", "tcp", "[::ffff:0.0.0.0]", "127.0.0.1"},
		{"tcp", ":0", "tcp", "", "127.0.0.1"},
		{"tcp", ":0", "tcp6", "", "::1"},
		{"tcp", "", "tcp", "", "127.0.0.1"},
		{"tcp", "", "tcp", "[::]", "::1"},
		{"tcp4", ":0", "tcp", "[::]", "127.0.0.1"},
		{"tcp4", ":0", "tcp4", "[::]", "127.0.0.1"},
		{"tcp4", ":0", "tcp6", "[::]", ""},
		{"tcp6", ":0", "tcp", "[::]", "::1"},
		{"tcp6", ":0", "tcp4", "[::]", ""},
		{"tcp6", ":0", "tcp", "LOCALHOST", "::1"},
		{"tcp4", ":0", "tcp", "localhost", "127.0.0.1"},
		{"tcp", ":0", "tcp6", "localhost", "::1"},
		{"tcp6", ":0", "tcp6", "0.0.0.0", "*net.AddrError"},
		{"tcp", "localhost:0", "tcp", "127.0.0.1", "127.0.0.1"},
		{"tcp", "localhost:0", "tcp", "::1", ""},
		{"tcp6", "localhost:0", "tcp", "::1", "::1"},
	} {
		t.Run(tt.listen+" "+tt.address+" "+tt.dial+" "+tt.host, func(t *testing.T) {
			s := alone(t)
			l, err := s.Listen(tt.listen, tt.address)
			require.NoError(t, err)
			_, port, err := net.SplitHostPort(l.Addr().String())
			require.NoError(t, err)
			address := net.JoinHostPort(tt.host, port)
			if len(tt.host) > 0 && tt.host[0] == '[' {
				address = tt.host + ":" + port
			}
			c, err := s.Dial(tt.dial, address)
			switch tt.want {
			case "":
				require.ErrorIs(t, err, wsa.WSAECONNREFUSED)
				return
			case "*net.AddrError":
				require.ErrorAs(t, err, new(*net.AddrError))
				return
			}
			require.NoError(t, err)
			assert.Equal(t, net.JoinHostPort(tt.want, port), c.RemoteAddr().String())
			if tt.listen == tt.dial || tt.listen == "tcp" {
				_, err = s.Dial(tt.dial, l.Addr().String())
				assert.NoError(t, err, "the listener's address")
			}
		})
	}
}

// What Listen and ListenPacket make of addresses without a host: package net
// takes both families for 0.0.0.0 and ::, too.
func TestListenOnEverything(t *testing.T) {
	s := alone(t)
	for _, tt := range []struct{ network, address, want string }{
		{"tcp", "", "::"},
		{"tcp", ":0", "::"},
		{"tcp", "0.0.0.0:0", "::"},
		{"tcp", "[::]:0", "::"},
		{"tcp4", "", "0.0.0.0"},
		{"tcp4", "[::]:0", "0.0.0.0"},
		{"tcp6", "", "::"},
		{"udp", "", "::"},
		{"udp", "0.0.0.0:0", "::"},
		{"udp4", "", "0.0.0.0"},
		{"udp4", "[::]:0", "0.0.0.0"},
		{"udp6", "", "::"},
	} {
		var addr net.Addr
		if tt.network[0] == 't' {
			l, err := s.Listen(tt.network, tt.address)
			require.NoError(t, err, "%s %q", tt.network, tt.address)
			addr = l.Addr()
		} else {
			p, err := s.ListenPacket(tt.network, tt.address)
			require.NoError(t, err, "%s %q", tt.network, tt.address)
			addr = p.LocalAddr()
			for _, peer := range map[string][]string{"udp": {"127.0.0.1", "::1"}, "udp4": {"127.0.0.1"}, "udp6": {"::1"}}[tt.network] {
				_, port, _ := net.SplitHostPort(addr.String())
				c, err := s.Dial("udp", net.JoinHostPort(peer, port))
				require.NoError(t, err)
				_, err = c.Write([]byte(peer))
				require.NoError(t, err)
				got := make([]byte, 20)
				n, _, err := p.ReadFrom(got)
				require.NoError(t, err)
				assert.Equal(t, peer, string(got[:n]))
			}
		}
		host, port, err := net.SplitHostPort(addr.String())
		require.NoError(t, err)
		assert.Equal(t, tt.want, host, "%s %q", tt.network, tt.address)
		assert.NotEqual(t, "0", port)
	}
	for _, network := range []string{"tcp", "udp"} {
		_, err := s.Dial(network, "")
		require.EqualError(t, err, "dial "+network+": missing address", "as package net says it")
	}
}
