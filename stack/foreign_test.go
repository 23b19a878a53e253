package stack_test

import (
	"context"
	"io"
	"net"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	netstack "gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	gudp "gvisor.dev/gvisor/pkg/tcpip/transport/udp"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
)

// linked are two stacks on a pipe, 10.0.0.1 and 10.0.0.2.
func linked(t *testing.T) (a, b *stack.Stack) {
	da, db := tun.Pipe(1500)
	a, err := stack.New(stack.Config{Device: da, Addresses: prefixes("10.0.0.1/24", "fd00::1/64")})
	require.NoError(t, err)
	t.Cleanup(func() { a.Close() })
	b, err = stack.New(stack.Config{Device: db, Addresses: prefixes("10.0.0.2/24", "fd00::2/64")})
	require.NoError(t, err)
	t.Cleanup(func() { b.Close() })
	return a, b
}

// Endpoints that gVisor's own packages make on Netstack have no record of ours:
// they work, as on any netstack, beside our sockets.
func TestForeignEndpoints(t *testing.T) {
	a, b := linked(t)
	for _, family := range []struct {
		protocol tcpip.NetworkProtocolNumber
		ip       string
	}{{header.IPv4ProtocolNumber, "10.0.0.1"}, {header.IPv6ProtocolNumber, "fd00::1"}} {
		at := tcpip.FullAddress{Addr: tcpip.AddrFromSlice(netip.MustParseAddr(family.ip).AsSlice()), Port: 7}
		l, err := gonet.ListenTCP(a.Netstack(), at, family.protocol)
		require.NoError(t, err)
		go echoOne(l)
		c, err := b.Dial("tcp", net.JoinHostPort(family.ip, "7"))
		require.NoError(t, err)
		assert.NoError(t, exchange(c))
		require.NoError(t, c.Close())
		require.NoError(t, l.Close())

		ours, err := a.Listen("tcp", net.JoinHostPort(family.ip, "8"))
		require.NoError(t, err)
		go echoOne(ours)
		at.Port = 8
		d, err := gonet.DialContextTCP(context.Background(), b.Netstack(), at, family.protocol)
		require.NoError(t, err)
		assert.NoError(t, exchange(d))
		require.NoError(t, d.Close())
		require.NoError(t, ours.Close())
	}
}

func echoOne(l net.Listener) {
	if c, err := l.Accept(); err == nil {
		io.Copy(c, c)
		c.Close()
	}
}

// gVisor's forwarder of UDP, and any handler of packets that nobody listens for,
// works, with endpoints that our hooks don't know.
func TestForeignUDPForwarder(t *testing.T) {
	a, b := linked(t)
	f := gudp.NewForwarder(a.Netstack(), func(r *gudp.ForwarderRequest) bool {
		var wq waiter.Queue
		ep, err := r.CreateEndpoint(&wq)
		if err != nil {
			return false
		}
		c := gonet.NewUDPConn(&wq, ep)
		go func() {
			defer c.Close()
			var b [100]byte
			if n, err := c.Read(b[:]); err == nil {
				c.Write(b[:n])
			}
		}()
		return true
	})
	a.Netstack().SetTransportProtocolHandler(gudp.ProtocolNumber, f.HandlePacket)
	for _, to := range []string{"10.0.0.1:53", "[fd00::1]:53"} {
		c, err := b.Dial("udp", to)
		require.NoError(t, err)
		assert.NoError(t, exchange(c))
		require.NoError(t, c.Close())
	}
}

// A handler for TCP sees what is for nobody, and answers as it likes.
func TestForeignTCPHandler(t *testing.T) {
	a, b := linked(t)
	seen := make(chan uint16, 10)
	a.Netstack().SetTransportProtocolHandler(tcp.ProtocolNumber, func(id netstack.TransportEndpointID, _ *netstack.PacketBuffer) bool {
		seen <- id.LocalPort
		return false // netstack sends a RST
	})
	for _, to := range []string{"10.0.0.1:99", "[fd00::1]:99"} {
		_, err := b.Dial("tcp", to)
		require.Error(t, err)
		require.EqualValues(t, 99, <-seen)
	}
}
