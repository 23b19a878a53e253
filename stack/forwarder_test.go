package stack_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
)

// A gateway has a Forwarder, and a client a way to everybody through it.
type gateway struct {
	n       *simnet.Network
	client  *simnet.Host
	gateway *simnet.Host
	f       *stack.Forwarder
}

func newGateway(t *testing.T, cfg stack.ForwarderConfig) *gateway {
	g := &gateway{n: simnet.New(t)}
	g.client = g.n.Host("client", "10.1.0.9/16", "fd01::9/32")
	g.gateway = g.n.HostConfig("gateway", stack.Config{Addresses: prefixes("10.1.0.1/16", "fd01::1/32"),
		Defaults: []options.Assignment{options.TCP_NODELAY.With(true)}})
	g.n.Link(g.client, g.gateway, simnet.Delay(time.Millisecond))
	var err error
	g.f, err = g.gateway.NewForwarder(cfg)
	require.NoError(t, err)
	return g
}

// echoAll accepts what comes, sends it back behind the address that was asked for.
func (g *gateway) echoAll() {
	g.n.Background("forwarder", func() {
		for {
			c, err := g.f.Accept()
			if err != nil {
				return
			}
			g.n.Background("connection", func() {
				fmt.Fprintf(c, "%v\n", c.LocalAddr())
				io.Copy(c, c)
				c.Close()
			})
		}
	})
}

// Whatever address and port a client asks for, the Forwarder has the connection,
// with that as its local address, and the stack's options; data, half-close and end
// are those of any connection.
func TestForwarder(t *testing.T) {
	g := newGateway(t, stack.ForwarderConfig{})
	g.echoAll()
	for _, to := range []string{"93.184.216.34:443", "93.184.216.34:80", "8.8.8.8:53", "[2001:db8::1]:443", "10.1.0.77:22", "93.184.216.34:443"} {
		require.NoError(t, g.n.Do(to, func() {
			c, err := g.client.Dial("tcp", to)
			require.NoError(t, err)
			require.Equal(t, to, c.RemoteAddr().String())
			g.n.Go("writer", func() { c.Write(make([]byte, 100_000)); c.(*endpoint.Conn).CloseWrite() })
			got, err := io.ReadAll(c)
			require.NoError(t, err)
			require.Equal(t, to+"\n", string(got[:len(to)+1]))
			require.Len(t, got, 100_000+len(to)+1)
			require.NoError(t, c.Close())
		}))
	}
	require.Equal(t, "[::]:0", g.f.Addr().String())
	// A device that comes later brings packets for the same destinations.
	later := g.n.Host("later", "10.2.0.9/16", "fd02::9/32")
	g.n.Link(g.gateway, later, simnet.Addresses(g.gateway, "10.2.0.1/16", "fd02::1/32"))
	for _, to := range []string{"93.184.216.34:443", "[2001:db8::1]:443"} {
		require.NoError(t, g.n.Do(to, func() {
			c, err := later.Dial("tcp", to)
			require.NoError(t, err)
			require.NoError(t, c.Close())
		}))
	}
}

// The connection of a Forwarder is an *endpoint.Conn that blocks and has the
// options of Config.Defaults.
func TestForwarderConnection(t *testing.T) {
	g := newGateway(t, stack.ForwarderConfig{})
	require.NoError(t, g.n.Do("both", func() {
		g.n.Go("client", func() {
			c, err := g.client.Dial("tcp", "8.8.8.8:53")
			require.NoError(t, err)
			g.n.Sleep(time.Hour)
			c.Write([]byte("late"))
		})
		c, err := g.f.Accept()
		require.NoError(t, err)
		noDelay, err := options.TCP_NODELAY.Get(c.(*endpoint.Conn))
		require.NoError(t, err)
		require.True(t, noDelay)
		mtu, err := options.IP_MTU.Get(c.(*endpoint.Conn))
		require.NoError(t, err)
		require.EqualValues(t, 1500, mtu)
		_, err = io.ReadFull(c, make([]byte, 4)) // an hour later
		require.NoError(t, err)
	}))
}

// What isn't for a Forwarder goes the way it went: our own addresses, other
// destinations, UDP and echo requests, also to an address it has connections of.
func TestForwarderLeavesAlone(t *testing.T) {
	g := newWireGateway(t, stack.ForwarderConfig{Destinations: prefixes("192.0.2.0/24", "2001:db8::/32")}, false)
	for _, tt := range []struct {
		name   string
		packet []byte
		answer string // flags of the TCP segment that comes; dropped: it is counted
	}{
		{"SYN", tcpPacket("10.1.0.9:1", "192.0.2.1:80", 0x02), "[S.]"},
		{"SYN, IPv6", tcpPacket("[fd01::9]:1", "[2001:db8::1]:80", 0x02), "[S.]"},
		{"another destination", tcpPacket("10.1.0.9:1", "198.51.100.1:80", 0x02), "dropped"},
		{"our own", tcpPacket("10.1.0.9:1", "10.1.0.1:80", 0x02), "[R.]"},
		{"our own, IPv6", tcpPacket("[fd01::9]:1", "[fd01::1]:80", 0x02), "[R.]"},
		{"ACK to an address that is known", tcpPacket("10.1.0.9:2", "192.0.2.1:80", 0x10), "[R]"},
		{"ACK to one that isn't", tcpPacket("10.1.0.9:2", "192.0.2.2:80", 0x10), "dropped"},
		{"UDP", udp("10.1.0.9", "192.0.2.1", 10), "dropped"},
		{"UDP, IPv6", udp("fd01::9", "2001:db8::1", 10), "dropped"},
		{"echo", echo("10.1.0.9", "192.0.2.1"), "dropped"},
		{"echo, IPv6", echo("fd01::9", "2001:db8::1"), "dropped"},
		{"from link-local", tcpPacket("[fe80::9]:1", "[2001:db8::1]:80", 0x02), "dropped"},
		{"to multicast", tcpPacket("10.1.0.9:1", "224.0.0.1:80", 0x02), ""},
		{"without a whole header", simnet.EncodeIP(netip.MustParseAddr("10.1.0.9"), netip.MustParseAddr("192.0.2.1"), 6, make([]byte, 12)), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g.n.ClearTrace()
			before := g.router.Stats().Dropped
			g.near.Inject(tt.packet)
			require.NoError(t, g.n.Advance(time.Millisecond))
			if tt.answer == "" || tt.answer == "dropped" {
				require.Zero(t, g.near.Discard())
				require.Equal(t, tt.answer == "dropped", g.router.Stats().Dropped == before+1, "counted")
				return
			}
			require.Equal(t, 1, g.near.Discard())
			require.Contains(t, g.n.TraceText(), "router>near "+tt.answer)
		})
	}
}

// With Config.Forwarding, what the Forwarder doesn't take goes on.
func TestForwarderBesideForwarding(t *testing.T) {
	g := newWireGateway(t, stack.ForwarderConfig{}, true)
	var sent [][]byte
	require.NoError(t, g.router.AddDevice(tun.NewFunc(1500, func(b []byte) { sent = append(sent, b) }), prefixes("192.0.2.200/24")...))
	g.near.Inject(tcpPacket("10.1.0.9:1", "192.0.2.1:80", 0x02))
	p, err := g.near.Receive(time.Second)
	require.NoError(t, err)
	require.Equal(t, netip.MustParseAddr("192.0.2.1").AsSlice(), sourceOf(p.Data))
	require.Empty(t, sent)
	g.near.Inject(udp("10.1.0.9", "192.0.2.1", 10))
	g.near.Inject(echo("10.1.0.9", "192.0.2.1"))
	require.NoError(t, g.n.Advance(100*time.Millisecond))
	require.Len(t, sent, 2)
}

// A connection of a Forwarder believes a router on its path (RFC 1191).
func TestForwarderPathMTU(t *testing.T) {
	g := newWireGateway(t, stack.ForwarderConfig{}, false)
	g.n.Background("server", func() {
		if c, err := g.f.Accept(); err == nil {
			c.Write(make([]byte, 1460))
			c.Read(make([]byte, 1))
		}
	})
	g.near.Inject(tcpPacket("10.1.0.9:1000", "8.8.8.8:443", 0x02))
	p, err := g.near.Receive(time.Second)
	require.NoError(t, err)
	ack := tcpPacket("10.1.0.9:1000", "8.8.8.8:443", 0x10)
	copy(ack[24:28], []byte{0, 0, 0, 2})
	copy(ack[28:32], p.Data[24:28])
	ack[31]++
	g.near.Inject(simnet.EncodeIP(netip.MustParseAddr("10.1.0.9"), netip.MustParseAddr("8.8.8.8"), 6, ack[20:]))
	p, err = g.near.Receive(time.Second)
	require.NoError(t, err)
	require.Len(t, p.Data, 576)
	require.NoError(t, g.n.Advance(0))
	g.near.Discard()
	g.near.Inject(simnet.EncodeIP(netip.MustParseAddr("10.1.0.5"), netip.MustParseAddr("8.8.8.8"), 1,
		append([]byte{3, 4, 0, 0, 0, 0, 560 >> 8, 560 & 0xff}, p.Data[:28]...)))
	p, err = g.near.Receive(50 * time.Millisecond)
	require.NoError(t, err)
	require.LessOrEqual(t, len(p.Data), 560)
}

// Whoever spoofs SYNs to all the world's addresses gets as many answers as
// handshakes may be in progress, and connections that exist go on.
func TestForwarderFlood(t *testing.T) {
	g := newWireGateway(t, stack.ForwarderConfig{InFlight: 100}, false)
	for i := range 5000 {
		g.near.Inject(tcpPacket("10.1.0.9:1000", fmt.Sprintf("20.0.%d.%d:80", i>>8, i&255), 0x02))
	}
	require.NoError(t, g.n.Advance(0))
	require.Equal(t, 100, g.near.Discard())
	require.EqualValues(t, 4900, g.router.Stats().Dropped)
	require.Empty(t, g.router.Sockets(), "no socket before Accept")
	// They are forgotten, and others have room.
	require.NoError(t, g.n.Advance(25*time.Second))
	g.near.Discard()
	g.near.Inject(tcpPacket("10.1.0.9:1000", "30.0.0.1:80", 0x02))
	_, err := g.near.Receive(time.Second)
	require.NoError(t, err)
}

// Addresses that nobody asks for any more make room.
func TestForwarderBounds(t *testing.T) {
	g := newWireGateway(t, stack.ForwarderConfig{InFlight: 1 << 20}, false)
	// A connection that is silent all the time keeps its address, even while it waits for Accept.
	quiet, waits := g.near.Connect("9.9.9.9:80"), g.near.Connect("9.9.9.8:80")
	require.NoError(t, quiet.Handshake("mss 1460"))
	require.NoError(t, waits.Handshake("mss 1460"))
	require.NoError(t, g.n.Do("quiet", func() { g.f.Accept() }))
	next := 0
	flood := func(n int) (answers int) {
		for range n {
			g.near.Inject(tcpPacket("10.1.0.9:1000", fmt.Sprintf("20.%d.%d.%d:80", next>>16, next>>8&255, next&255), 0x02))
			next++
		}
		require.NoError(t, g.n.Advance(0))
		return g.near.Discard()
	}
	require.Equal(t, 4094, flood(5000), "as many addresses, and half-open connections, as there may be")
	require.NoError(t, g.n.Advance(30*time.Second))
	g.near.Discard()
	require.Zero(t, flood(100), "4,096 addresses at most in two minutes")
	require.LessOrEqual(t, len(g.router.Netstack().AllAddresses()[2]), 4096+2+2)
	require.NoError(t, g.n.Advance(3*time.Minute))
	g.near.Discard()
	require.Equal(t, 1, flood(1))
	for _, p := range []*simnet.Peer{quiet, waits} {
		p.Send("[P.]", 'x')
		_, err := p.Expect("[.] ack 2")
		require.NoError(t, err)
	}
}

// Calls in progress end with Close, later ones, too; accepted connections live on.
func TestForwarderClose(t *testing.T) {
	g := newGateway(t, stack.ForwarderConfig{})
	_, err := g.gateway.NewForwarder(stack.ForwarderConfig{})
	require.EqualError(t, err, "stack: NewForwarder: the stack has a Forwarder already")
	require.NoError(t, g.n.Do("all", func() {
		var c net.Conn
		g.n.Go("server", func() {
			s, err := g.f.Accept()
			require.NoError(t, err)
			g.n.Go("close", func() { g.n.Sleep(time.Second); require.NoError(t, g.f.Close()) })
			_, err = g.f.Accept()
			require.ErrorIs(t, err, net.ErrClosed)
			require.ErrorContains(t, err, "use of closed network connection")
			io.Copy(s, s)
			s.Close()
		})
		c, err = g.client.Dial("tcp", "8.8.8.8:53")
		require.NoError(t, err)
		g.n.Sleep(time.Minute)
		require.NoError(t, exchange(c))
		require.NoError(t, c.Close())
		_, err = g.client.Dial("tcp", "8.8.8.8:54")
		require.Error(t, err)
	}))
	_, err = g.f.Accept()
	require.ErrorIs(t, err, net.ErrClosed)
	require.NoError(t, g.f.Close())
	_, err = g.gateway.NewForwarder(stack.ForwarderConfig{})
	require.NoError(t, err)
}

// A Forwarder ends with its stack, and what is wrong with a configuration is an
// error that names it.
func TestForwarderErrors(t *testing.T) {
	s, err := stack.New(stack.Config{})
	require.NoError(t, err)
	_, err = s.NewForwarder(stack.ForwarderConfig{InFlight: -1})
	require.ErrorContains(t, err, "config.InFlight: -1 is negative")
	for want, cfg := range map[string]stack.ForwarderConfig{
		"config.Destinations: not a valid prefix":    {Destinations: []netip.Prefix{{}}},
		"config.UDPSessions: -1 is negative":         {UDPSessions: -1},
		"config.UDPIdle: -1s is negative":            {UDPIdle: -time.Second},
		"config.DelayAck: 500ms is none that":        {DelayAck: 500 * time.Millisecond},
		"config.DelayAck: -1ns is none that RFC 929": {DelayAck: -1},
	} {
		_, err = s.NewForwarder(cfg)
		require.ErrorContains(t, err, want)
	}
	f, err := s.NewForwarder(stack.ForwarderConfig{})
	require.NoError(t, err)
	done := make(chan error)
	go func() { _, err := f.Accept(); done <- err }()
	require.NoError(t, s.Close())
	require.Error(t, <-done)
	_, err = s.NewForwarder(stack.ForwarderConfig{})
	require.ErrorContains(t, err, "WSAENETDOWN")
	require.NoError(t, f.Close())
}

// newWireGateway is a gateway whose client is played by hand.
func newWireGateway(t *testing.T, cfg stack.ForwarderConfig, forwarding bool) *wireGateway {
	g := &wireGateway{n: simnet.New(t)}
	g.router = g.n.HostConfig("router", stack.Config{Addresses: prefixes("10.1.0.1/16", "fd01::1/32"), Forwarding: forwarding})
	g.near = g.n.Wire(g.router, "near", "10.1.0.9", "fd01::9")
	var err error
	g.f, err = g.router.NewForwarder(cfg)
	require.NoError(t, err)
	return g
}

type wireGateway struct {
	n      *simnet.Network
	router *simnet.Host
	near   *simnet.Wire
	f      *stack.Forwarder
}

// tcpPacket is a segment without options.
func tcpPacket(source, destination string, flags byte) []byte {
	from, to := netip.MustParseAddrPort(source), netip.MustParseAddrPort(destination)
	b := make([]byte, 20)
	binary.BigEndian.PutUint16(b, from.Port())
	binary.BigEndian.PutUint16(b[2:], to.Port())
	b[7], b[12], b[13], b[14] = 1, 5<<4, flags, 0xff
	return simnet.EncodeIP(from.Addr(), to.Addr(), 6, b)
}

// net/http serves on a Forwarder, several goroutines accept, and clients are many,
// while addresses and devices change.
func TestForwarderRace(t *testing.T) {
	da, db := tun.Pipe(1500)
	client, err := stack.New(stack.Config{Device: da, Addresses: prefixes("10.1.0.9/16", "fd01::9/32")})
	require.NoError(t, err)
	defer client.Close()
	gw, err := stack.New(stack.Config{Device: db, Addresses: prefixes("10.1.0.1/16", "fd01::1/32")})
	require.NoError(t, err)
	defer gw.Close()
	f, err := gw.NewForwarder(stack.ForwarderConfig{})
	require.NoError(t, err)
	for range 3 {
		go http.Serve(f, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, r.Context().Value(http.LocalAddrContextKey))
		}))
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			web := http.Client{Transport: &http.Transport{DialContext: client.DialContext, DisableKeepAlives: true}}
			for j := range 10 {
				to := fmt.Sprintf("20.0.%d.%d:80", i, j)
				if j%2 == 1 {
					to = fmt.Sprintf("[2001:db8::%d:%d]:80", i+1, j)
				}
				resp, err := web.Get("http://" + to + "/")
				if !assert.NoError(t, err) {
					return
				}
				got, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				assert.NoError(t, err)
				assert.Equal(t, to, string(got))
			}
		})
	}
	wg.Go(func() {
		for i := range 10 {
			d := tun.NewFunc(1500, nil)
			assert.NoError(t, gw.AddDevice(d, prefixes(fmt.Sprintf("10.%d.0.1/16", 100+i))...))
			assert.NoError(t, gw.AddAddress(nil, netip.MustParsePrefix(fmt.Sprintf("10.1.0.%d/16", 100+i))))
			gw.Sockets()
			assert.NoError(t, gw.RemoveDevice(d))
		}
	})
	wg.Wait()
	require.NoError(t, f.Close())
}
