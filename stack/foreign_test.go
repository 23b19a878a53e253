package stack_test

import (
	"context"
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

// TCP has no endpoints for gVisor's own packages: the error says what to use.
func TestForeignEndpoints(t *testing.T) {
	a, b := linked(t)
	at := tcpip.FullAddress{Addr: tcpip.AddrFrom4([4]byte{10, 0, 0, 1}), Port: 7}
	_, err := gonet.ListenTCP(a.Netstack(), at, header.IPv4ProtocolNumber)
	require.ErrorContains(t, err, "use Dial, Listen")
	_, err = gonet.DialContextTCP(context.Background(), b.Netstack(), at, header.IPv4ProtocolNumber)
	require.ErrorContains(t, err, "use Dial, Listen")
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

// A handler for TCP sees every segment before our TCP does, and may leave it.
func TestForeignTCPHandler(t *testing.T) {
	a, b := linked(t)
	seen := make(chan uint16, 10)
	a.Netstack().SetTransportProtocolHandler(tcp.ProtocolNumber, func(id netstack.TransportEndpointID, _ *netstack.PacketBuffer) bool {
		seen <- id.LocalPort
		return false // a RST answers it
	})
	for _, to := range []string{"10.0.0.1:99", "[fd00::1]:99"} {
		_, err := b.Dial("tcp", to)
		require.Error(t, err)
		require.EqualValues(t, 99, <-seen)
	}
}
