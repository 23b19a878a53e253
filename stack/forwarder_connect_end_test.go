package stack_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
	"github.com/wsstack/wsstack/wsa"
)

// A decision that no handshake follows, because TCP can't read the SYN, is forgotten.
func TestForwarderConnect_NoHandshake(t *testing.T) {
	v, asked := &value{}, 0
	g := newAsked(t, stack.ForwarderConfig{InFlight: 1, Connect: func(context.Context, netip.AddrPort, netip.AddrPort) (any, error) {
		asked++
		return v, nil
	}})
	packet := syn("10.1.0.9:1000", "8.8.8.8:53", 7)
	packet[32] = 4 << 4 // a header of 16 bytes
	packet = again(packet)
	g.near.Inject(packet)
	require.NoError(t, g.n.Advance(30*time.Second-time.Millisecond))
	g.near.Inject(syn("10.1.0.9:1001", "8.8.8.8:53", 7))
	require.NoError(t, g.n.Advance(0))
	require.Equal(t, [2]int{1, 0}, [2]int{asked, v.closed})
	require.NoError(t, g.n.Advance(time.Millisecond))
	require.Equal(t, 1, v.closed)
	require.Zero(t, g.near.Discard())
	g.near.Inject(syn("10.1.0.9:1001", "8.8.8.8:53", 7))
	require.NoError(t, g.n.Advance(0))
	require.Equal(t, 2, asked)
}

// 1,024 connections wait for Accept; beyond that they are reset, unless the oldest has ended.
func TestForwarderConnect_Backlog(t *testing.T) {
	var values []*value
	g := newAsked(t, stack.ForwarderConfig{Connect: func(context.Context, netip.AddrPort, netip.AddrPort) (any, error) {
		values = append(values, &value{})
		return values[len(values)-1], nil
	}})
	first := g.near.Connect("8.8.8.8:53")
	require.NoError(t, first.Handshake("mss 1460"))
	for range 1023 {
		require.NoError(t, g.near.Connect("8.8.8.8:53").Handshake("mss 1460"))
	}
	refused := g.near.Connect("8.8.8.8:53")
	require.NoError(t, refused.Handshake("mss 1460"))
	_, err := refused.Expect("[R.]")
	require.NoError(t, err)
	require.Equal(t, []int{0, 0, 1}, []int{values[0].closed, values[1023].closed, values[1024].closed})
	first.Send("[R.]")
	require.NoError(t, g.near.Connect("8.8.8.8:53").Handshake("mss 1460"))
	require.NoError(t, g.n.Advance(0))
	require.Equal(t, []int{1, 0}, []int{values[0].closed, values[1025].closed})
	require.NoError(t, g.f.Close())
	for _, v := range values {
		require.Equal(t, 1, v.closed)
	}
}

// Acknowledgements wait for as long as the configuration says.
func TestForwarderConnect_DelayAck(t *testing.T) {
	for _, delay := range []time.Duration{0, 200 * time.Millisecond} {
		g := newAsked(t, stack.ForwarderConfig{DelayAck: delay})
		p := g.near.Connect("8.8.8.8:53")
		require.NoError(t, p.Handshake("mss 1460"))
		p.Send("[P.]", 'x')
		if delay > 0 {
			require.NoError(t, g.n.Advance(delay-time.Millisecond))
			require.Zero(t, g.near.Discard())
		}
		a, err := p.Expect("[.] ack 2")
		require.NoError(t, err)
		require.Equal(t, delay, a.At)
	}
}

// A SYN with another number, while Connect decides, is a new attempt: it is the one that is
// answered.
func TestForwarderConnect_NewAttempt(t *testing.T) {
	var g *wireGateway
	asked := 0
	g = newAsked(t, stack.ForwarderConfig{Connect: func(context.Context, netip.AddrPort, netip.AddrPort) (any, error) {
		asked++
		g.n.Sleep(time.Second)
		return nil, nil
	}})
	g.near.Inject(syn("10.1.0.9:1000", "8.8.8.8:53", 7))
	g.near.Inject(syn("10.1.0.9:1000", "8.8.8.8:53", 99))
	require.NoError(t, g.n.Advance(time.Second))
	require.EqualValues(t, 100, header.TCP(g.receive(t)[20:]).AckNumber())
	require.Equal(t, 1, asked)
}

// Nobody is asked about SYNs that can't become connections, and about those that aren't for the
// Forwarder.
func TestForwarderConnect_NotAsked(t *testing.T) {
	asked := 0
	g := newAsked(t, stack.ForwarderConfig{
		Destinations: prefixes("192.0.2.0/24"), Takes: func(a netip.Addr) bool { return a != netip.MustParseAddr("192.0.2.7") },
		Connect: func(context.Context, netip.AddrPort, netip.AddrPort) (any, error) { asked++; return nil, nil },
	})
	spoiled := syn("10.1.0.9:1", "192.0.2.1:80", 7)
	spoiled[len(spoiled)-4] ^= 1
	for name, packet := range map[string][]byte{
		"a wrong checksum": spoiled, "another destination": syn("10.1.0.9:1", "198.51.100.1:80", 7),
		"one that isn't taken": syn("10.1.0.9:1", "192.0.2.7:80", 7), "an ACK": tcpPacket("10.1.0.9:1", "192.0.2.1:80", 0x10),
		"a SYN-ACK": tcpPacket("10.1.0.9:1", "192.0.2.1:80", 0x12),
	} {
		g.near.Inject(packet)
		require.NoError(t, g.n.Advance(time.Second))
		require.Zero(t, asked, name)
		require.Zero(t, g.near.Discard(), name)
	}
	g.near.Inject(syn("10.1.0.9:1", "192.0.2.1:80", 7))
	require.NoError(t, g.n.Advance(time.Second))
	require.Equal(t, 1, asked)
	// A SYN in fragments to an address that is known asks nobody and opens nothing.
	g.near.Discard()
	for _, f := range cut4(grown(syn("10.1.0.9:2", "192.0.2.1:80", 7), 100), 24) {
		g.near.Inject(f)
	}
	require.NoError(t, g.n.Advance(0))
	require.Equal(t, 1, asked)
	require.Zero(t, g.near.Discard())
}

// A SYN with a payload is held with it, unless that is too long.
func TestForwarderConnect_Payload(t *testing.T) {
	d := tun.NewFunc(9000, nil)
	s, err := stack.New(stack.Config{Device: d, Addresses: prefixes("10.1.0.1/16")})
	require.NoError(t, err)
	defer s.Close()
	asked := make(chan uint16, 3)
	_, err = s.NewForwarder(stack.ForwarderConfig{Connect: func(_ context.Context, source, _ netip.AddrPort) (any, error) {
		asked <- source.Port()
		return nil, stack.Ignored
	}})
	require.NoError(t, err)
	d.Inject(grown(syn("10.1.0.9:1", "192.0.2.1:80", 7), 2049))
	d.Inject(grown(syn("10.1.0.9:2", "192.0.2.1:80", 7), 2048))
	require.EqualValues(t, 2, <-asked)
	s.Settle()
	require.Empty(t, asked)
}

// Whoever spoofs SYNs from and to all the world's addresses has as many calls of Connect as may be
// in flight, and no address is adopted for any of them.
func TestForwarderConnect_Flood(t *testing.T) {
	var g *wireGateway
	running, most := 0, 0
	g = newAsked(t, stack.ForwarderConfig{InFlight: 50, Connect: func(ctx context.Context, _, _ netip.AddrPort) (any, error) {
		running++
		most = max(most, running)
		g.done(ctx)
		running--
		return nil, ctx.Err()
	}})
	for i := range 5000 {
		g.near.Inject(tcpPacket(fmt.Sprintf("30.0.%d.%d:1000", i>>8, i&255), fmt.Sprintf("20.0.%d.%d:80", i>>8, i&255), 0x02))
	}
	require.NoError(t, g.n.Advance(0))
	require.Equal(t, 50, running)
	require.EqualValues(t, 4950, g.router.Stats().Dropped)
	require.Empty(t, foreign(g))
	require.NoError(t, g.n.Advance(8*time.Second))
	require.Zero(t, running)
	require.Equal(t, 50, most)
	require.Zero(t, g.near.Discard())
}

// foreign are the addresses that netstack has beside its own.
func foreign(g *wireGateway) (list []netip.Addr) {
	for _, p := range g.router.Netstack().AllAddresses()[2] {
		a, _ := netip.AddrFromSlice(p.AddressWithPrefix.Address.AsSlice())
		if a != netip.MustParseAddr("10.1.0.1") && a != netip.MustParseAddr("fd01::1") && a.IsGlobalUnicast() {
			list = append(list, a)
		}
	}
	return list
}

// The connection of a Forwarder that asks is like any other: a program over a stack reaches
// another over a stack, both ways, with half-closes.
func TestForwarderConnect_Relay(t *testing.T) {
	g := newGateway(t, stack.ForwarderConfig{})
	require.NoError(t, g.f.Close())
	server := g.n.Host("server", "10.9.0.9/16")
	g.n.Link(g.gateway, server, simnetAddresses(g)...)
	f, err := g.gateway.NewForwarder(stack.ForwarderConfig{
		Takes: func(a netip.Addr) bool { return a.As16()[12] != 10 },
		Connect: func(ctx context.Context, _, to netip.AddrPort) (any, error) {
			c, err := g.gateway.DialContext(ctx, "tcp", netip.AddrPortFrom(netip.MustParseAddr("10.9.0.9"), to.Port()).String())
			if err != nil {
				return nil, err
			}
			return c, nil
		},
		Go: func(run func()) { g.n.Background("forwarder", run) },
	})
	require.NoError(t, err)
	g.n.Background("relay", func() {
		for {
			c, up, err := f.AcceptValue()
			if err != nil {
				return
			}
			out := up.(*endpoint.Conn)
			g.n.Background("there", func() { io.Copy(out, c); out.CloseWrite() })
			g.n.Background("back", func() { io.Copy(c, out); c.CloseWrite() })
		}
	})
	l, err := server.Listen("tcp", "10.9.0.9:80")
	require.NoError(t, err)
	g.n.Background("server", func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all, _ := io.ReadAll(c)
			c.Write(bytes.ToUpper(all))
			c.Close()
		}
	})
	require.NoError(t, g.n.Do("client", func() {
		for range 3 {
			c, err := g.client.Dial("tcp", "93.184.216.34:80")
			require.NoError(t, err)
			c.Write([]byte("hello"))
			require.NoError(t, c.(*endpoint.Conn).CloseWrite())
			got, err := io.ReadAll(c)
			require.NoError(t, err)
			require.Equal(t, "HELLO", string(got))
			require.NoError(t, c.Close())
		}
		_, err = g.client.Dial("tcp", "93.184.216.34:81")
		require.ErrorIs(t, err, wsa.WSAECONNREFUSED, "nobody listens on the server's port 81")
		_, err = g.client.Dial("tcp", "93.184.216.35:81")
		require.ErrorIs(t, err, wsa.WSAECONNREFUSED)
	}))
	require.NoError(t, f.Close())
}

// Close waits for Connect, whose context it ends, and nothing is left of the Forwarder (goleak).
func TestForwarderConnect_Close(t *testing.T) {
	d := tun.NewFunc(1500, nil)
	s, err := stack.New(stack.Config{Device: d, Addresses: prefixes("10.1.0.1/16")})
	require.NoError(t, err)
	defer s.Close()
	v, begun := &value{}, make(chan struct{})
	f, err := s.NewForwarder(stack.ForwarderConfig{Connect: func(ctx context.Context, _, _ netip.AddrPort) (any, error) {
		close(begun)
		<-ctx.Done()
		return v, nil
	}})
	require.NoError(t, err)
	d.Inject(syn("10.1.0.9:1000", "8.8.8.8:53", 7))
	<-begun
	require.NoError(t, f.Close())
	require.Equal(t, 1, v.closed)
	_, _, err = f.AcceptValue()
	require.ErrorIs(t, err, net.ErrClosed)
	require.NoError(t, f.Close())
}

// Refusals are errors with words.
func TestRefusal(t *testing.T) {
	seen := map[string]bool{}
	for r := stack.Refused; r <= stack.Ignored; r++ {
		require.Equal(t, r, stack.RefusalOf(errors.Join(errors.New("x"), r)))
		require.False(t, seen[r.Error()])
		seen[r.Error()] = true
	}
	require.Zero(t, stack.RefusalOf(nil))
	for number, want := range map[syscall.Errno]stack.Refusal{ // as Windows' own sockets have them
		10061: stack.Refused, 10051: stack.NetworkUnreachable, 10065: stack.HostUnreachable, 10013: stack.Prohibited, 10060: stack.Ignored,
	} {
		require.Equal(t, want, stack.RefusalOf(&net.OpError{Op: "dial", Err: os.NewSyscallError("connectex", number)}))
	}
}
