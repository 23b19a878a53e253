package stack_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
	"github.com/wsstack/wsstack/wsa"
)

// What is no datagram of anybody's begins no session, and is counted.
func TestForwarderUDP_Malformed(t *testing.T) {
	for name, ends := range flows {
		whole := simnet.EncodeUDP(netip.MustParseAddrPort(ends[0]), netip.MustParseAddrPort(ends[1]), []byte("payload"))
		ip := 20
		if name == "IPv6" {
			ip = 40
		}
		change := func(f func(udp []byte)) []byte {
			source, destination, _, u := split(slices.Clone(whole))
			f(u)
			return simnet.EncodeIP(source, destination, 17, u)
		}
		spoiled := slices.Clone(whole)
		spoiled[len(spoiled)-1]++
		none := slices.Clone(whole)
		none[ip+6], none[ip+7] = 0, 0
		for what, tt := range map[string]struct {
			packet []byte
			taken  bool
		}{
			"right":                     {whole, true},
			"padding":                   {change(func(u []byte) { u[5] = 8 + 3 }), false}, // the checksum is over more
			"no source port":            {change(func(u []byte) { u[0], u[1] = 0, 0 }), false},
			"no destination port":       {change(func(u []byte) { u[2], u[3] = 0, 0 }), false},
			"a length beyond the end":   {change(func(u []byte) { u[5] = 99 }), false},
			"a length below the header": {change(func(u []byte) { u[5] = 7 }), false},
			"a wrong checksum":          {spoiled, false},
			"no checksum":               {none, name == "IPv4"},
			"less than a header":        {simnet.EncodeIP(netip.MustParseAddrPort(ends[0]).Addr(), netip.MustParseAddrPort(ends[1]).Addr(), 17, make([]byte, 7)), false},
		} {
			t.Run(what+", "+name, func(t *testing.T) {
				g := newUDPGateway(t, stack.ForwarderConfig{})
				g.near.Inject(tt.packet)
				require.NoError(t, g.n.Advance(0))
				if tt.taken {
					require.Equal(t, []string{"payload"}, g.sessions[0].got)
					return
				}
				require.Empty(t, g.sessions)
				require.EqualValues(t, 1, g.router.Stats().Dropped)
			})
		}
	}
}

// A datagram behind extension headers of IPv6 is one.
func TestForwarderUDP_ExtensionHeaders(t *testing.T) {
	g := newUDPGateway(t, stack.ForwarderConfig{})
	whole := simnet.EncodeUDP(netip.MustParseAddrPort("[fd01::9]:1000"), netip.MustParseAddrPort("[2001:db8::1]:443"), []byte("payload"))
	options := slices.Concat(whole[:40], []byte{17, 0, 1, 4, 0, 0, 0, 0}, whole[40:])
	options[6], options[5] = 60, options[5]+8
	g.near.Inject(options)
	atomic := slices.Concat(whole[:40], []byte{17, 0, 0, 0, 0, 0, 0, 5}, whole[40:]) // RFC 6946
	atomic[6], atomic[5] = 44, atomic[5]+8
	g.near.Inject(atomic)
	require.NoError(t, g.n.Advance(0))
	require.Equal(t, []string{"payload", "payload"}, g.sessions[0].got)
}

// By a device that was removed nothing leaves any more, whoever still writes to what came by it.
func TestForwarderUDP_RemovedDevice(t *testing.T) {
	gw, err := stack.New(stack.Config{})
	require.NoError(t, err)
	defer gw.Close()
	opened := make(chan *stack.UDPSession, 1)
	_, err = gw.NewForwarder(stack.ForwarderConfig{UDP: func(_ context.Context, s *stack.UDPSession) (io.WriteCloser, error) {
		opened <- s
		return writer(func(b []byte) (int, error) { return len(b), nil }), nil
	}})
	require.NoError(t, err)
	sent := 0
	device := tun.NewFunc(1500, func([]byte) { sent++ })
	require.NoError(t, gw.AddDevice(device, prefixes("10.3.0.1/16")...))
	device.Inject(simnet.EncodeUDP(netip.MustParseAddrPort("10.3.0.9:1000"), netip.MustParseAddrPort("8.8.8.8:5000"), []byte("x")))
	s := <-opened
	for range 2 {
		_, err = s.Write([]byte("answer"))
		require.NoError(t, err)
		s.Refuse(stack.HostUnreachable)
		require.Equal(t, 2, sent)
		_ = gw.RemoveDevice(device) // it is gone the second time
	}
	require.NoError(t, device.Close())
}

// Sessions over real sockets of the system's: a stack's program reaches an echo server of this
// machine, and hears that nobody listens at another port.
func TestForwarderUDP_System(t *testing.T) {
	server, err := net.ListenPacket("udp4", "127.0.0.1:0")
	require.NoError(t, err)
	defer server.Close()
	go func() {
		b := make([]byte, 2048)
		for {
			n, from, err := server.ReadFrom(b)
			if err != nil {
				return
			}
			server.WriteTo(b[:n], from)
		}
	}()
	closed, err := net.ListenPacket("udp4", "127.0.0.1:0")
	require.NoError(t, err)
	nobody := closed.LocalAddr().String()
	require.NoError(t, closed.Close())

	da, db := tun.Pipe(1500)
	client, err := stack.New(stack.Config{Device: da, Addresses: prefixes("10.1.0.9/16")})
	require.NoError(t, err)
	defer client.Close()
	gw, err := stack.New(stack.Config{Device: db, Addresses: prefixes("10.1.0.1/16")})
	require.NoError(t, err)
	defer gw.Close()
	_, err = gw.NewForwarder(stack.ForwarderConfig{UDP: func(ctx context.Context, s *stack.UDPSession) (io.WriteCloser, error) {
		to := server.LocalAddr().String()
		if s.Destination().Port() == 9 {
			to = nobody
		}
		c, err := new(net.Dialer).DialContext(ctx, "udp", to)
		if err != nil {
			return nil, err
		}
		go func() {
			b := make([]byte, 2048)
			for {
				n, err := c.Read(b)
				if errors.Is(err, net.ErrClosed) {
					return
				} else if err != nil {
					s.Refuse(err)
					continue
				}
				s.Write(b[:n])
			}
		}()
		return c, nil
	}})
	require.NoError(t, err)
	c, err := client.Dial("udp", "8.8.8.8:7")
	require.NoError(t, err)
	defer c.Close()
	b := make([]byte, 100)
	for i := range 20 {
		_, err = c.Write([]byte(fmt.Sprint("datagram ", i)))
		require.NoError(t, err)
		n, err := c.Read(b)
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint("datagram ", i), string(b[:n]))
	}
	d, err := client.Dial("udp", "8.8.8.8:9")
	require.NoError(t, err)
	defer d.Close()
	_, err = d.(*endpoint.PacketConn).Ioctl(wsa.SIO_UDP_CONNRESET, []byte{1, 0, 0, 0}, nil)
	require.NoError(t, err)
	_, err = d.Write([]byte("x"))
	require.NoError(t, err)
	_, err = d.Read(b)
	require.ErrorContains(t, err, "WSAECONNRESET")
}

// A session that ends while it opens has its context ended, and what it opens closed.
func TestForwarderUDP_EndsWhileItOpens(t *testing.T) {
	for name, end := range map[string]func(*testing.T, *udpGateway){
		"time":              func(t *testing.T, g *udpGateway) { require.NoError(t, g.n.Advance(30*time.Second)) },
		"Close of it":       func(t *testing.T, g *udpGateway) { require.NoError(t, g.sessions[0].session.Close()) },
		"Close of them all": func(t *testing.T, g *udpGateway) { require.NoError(t, g.f.Close()) },
		"room":              func(t *testing.T, g *udpGateway) { g.send(t, "10.1.0.9:1000", "8.8.8.8:5001", "y") },
	} {
		t.Run(name, func(t *testing.T) {
			g := newUDPGateway(t, stack.ForwarderConfig{UDPSessions: 1})
			var ended bool
			g.open = func(ctx context.Context, u *upstream) error {
				if len(g.sessions) == 1 {
					g.done(ctx)
					ended = true
				}
				return nil
			}
			g.send(t, "10.1.0.9:1000", "8.8.8.8:5000", "x")
			end(t, g)
			require.NoError(t, g.n.Advance(0))
			require.True(t, ended)
			require.Equal(t, 1, g.sessions[0].closed)
			require.Empty(t, g.sessions[0].got)
		})
	}
}
