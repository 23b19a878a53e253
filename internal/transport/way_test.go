package transport

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/faketime"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/link/channel"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	engine "github.com/wsstack/wsstack/internal/tcp"
	"github.com/wsstack/wsstack/keepalive"
)

// ip is what a test compares of a packet's IP header. Without DF there is an IP ID.
func ip(t *testing.T, p packet) []any {
	if !p.df {
		require.NotZero(t, p.id)
	}
	return []any{p.ttl, p.tos, p.df}
}

// Packets have the TTL, TOS and DF of the settings, those of a handshake and its RSTs
// included, and of SetIP from then on; what answers in TIME-WAIT has them too.
func TestIPHeader(t *testing.T) {
	wires(t, func(w *wire) {
		whole := w.net != four // IPv6 packets are never cut up on the way
		l := listenWith(w.t, w.s, ListenConfig{Port: 80, Net: w.net, Make: func(ID) Settings {
			return Settings{Config: settings.Config, TTL: 33, TOS: 0x4b, Fragment: true}
		}})
		made := []any{uint8(33), uint8(0x48), whole}
		w.syn(1000, 1000)
		p := w.sees("SA 1000")[0]
		require.Equal(w.t, made, ip(w.t, p))
		w.say(1000, engine.Segment{Seq: 1001, Ack: 5, Flags: engine.ACK})
		require.Equal(w.t, made, ip(w.t, w.sees("R 1000")[0]))
		w.say(1000, engine.Segment{Seq: 1001, Ack: p.seq() + 1, Flags: engine.ACK})
		c := l.poll()
		_, _ = c.Send([]byte("x"))
		require.Equal(w.t, made, ip(w.t, w.sees("PA 1000")[0]))
		c.SetIP(7, 0x23, false, nil)
		_, _ = c.Send([]byte("x"))
		w.say(1000, engine.Segment{Seq: 1001, Ack: p.seq() + 2, Flags: engine.ACK}) // Nagle lets it go
		set := []any{uint8(7), uint8(0x20), true}
		require.Equal(w.t, set, ip(w.t, w.sees("PA 1000")[0]))
		c.Close()
		w.say(1000, engine.Segment{Seq: 1001, Ack: p.seq() + 4, Flags: engine.ACK | engine.FIN})
		w.sees("FA 1000", "A 1000")
		w.say(1000, engine.Segment{Seq: 1001, Ack: p.seq() + 4, Flags: engine.ACK | engine.FIN})
		require.Equal(w.t, set, ip(w.t, w.sees("A 1000")[0]), "in TIME-WAIT")

		dialed, err := connect(w.p, ID{RemoteAddress: hostA[w.net], LocalPort: 5, RemotePort: 6}, w.net, Settings{TTL: 9, TOS: 0xff, Fragment: true})
		require.Nil(w.t, err)
		require.Equal(w.t, []any{uint8(9), uint8(0xfc), whole}, ip(w.t, w.sees("S 6")[0]))
		dialed.SetIP(0, 0, false, nil)
		w.seconds(1)
		require.Equal(w.t, []any{uint8(64), uint8(0), true}, ip(w.t, w.sees("S 6")[0]), "0 is the route's default")
	})
}

// What is sent again is counted, and nothing else.
func TestRetransmits(t *testing.T) {
	wires(t, func(w *wire) {
		c, iss := w.open(listen(w.t, w.s, w.net, 80), 1000)
		again := w.s.Stats().TCP.Retransmits
		_, _ = c.Send(make([]byte, 2000))
		w.sent()
		require.Zero(w.t, again.Value())
		w.seconds(1)
		require.EqualValues(w.t, len(w.sent()), again.Value())
		require.NotZero(w.t, again.Value())
		before := again.Value()
		w.say(1000, engine.Segment{Seq: 1001, Ack: iss + 2001, Flags: engine.ACK})
		_, _ = c.Send(make([]byte, 10))
		w.sees("PA 1000")
		require.Equal(w.t, before, again.Value())
	})
}

// A keep-alive probe carries an octet while SetGarbage says so, for connections that
// are there too (KA-8).
func TestGarbage(t *testing.T) {
	wires(t, func(w *wire) {
		c, iss := w.open(listen(w.t, w.s, w.net, 80), 1000)
		now := w.p.now()
		c.Do(func(_ time.Duration, e *engine.Conn) {
			e.SetKeepAlive(now, now, true, keepalive.Config{Idle: 10 * time.Second, Interval: 10 * time.Second, Count: 5})
		})
		for _, on := range []bool{false, true, false} {
			w.p.SetGarbage(on)
			w.seconds(10)
			p := w.sees("A 1000")[0]
			require.Equal(w.t, iss, p.seq())
			require.Equal(w.t, map[bool]int{false: 0, true: 1}[on], p.size)
			w.say(1000, engine.Segment{Seq: 1001, Ack: iss + 1, Flags: engine.ACK})
		}
	})
}

// A link-local address is one of every link: the answers of a connection that came in
// on one leave there.
func TestLinkLocal(t *testing.T) {
	clock := faketime.NewManualClock()
	s := stack.New(stack.Options{
		NetworkProtocols:   []stack.NetworkProtocolFactory{ipv6.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{New}, Clock: clock,
	})
	t.Cleanup(s.Destroy)
	local, remote := tcpip.AddrFrom16([16]byte{0xfe, 0x80, 15: 1}), tcpip.AddrFrom16([16]byte{0xfe, 0x80, 15: 2})
	var links [2]*channel.Endpoint
	for i := range links {
		links[i] = channel.New(100, 1500, "")
		require.Nil(t, s.CreateNIC(tcpip.NICID(i+1), links[i]))
		require.Nil(t, s.AddProtocolAddress(tcpip.NICID(i+1), tcpip.ProtocolAddress{Protocol: six, AddressWithPrefix: local.WithPrefix()}, stack.AddressProperties{}))
	}
	s.SetRouteTable([]tcpip.Route{{Destination: header.IPv6EmptySubnet, NIC: 1}})
	l := listen(t, s, six, 80)
	leaves := func(n int) {
		t.Helper()
		require.Equal(t, []int{0, n}, []int{links[0].Drain(), links[1].Drain()})
	}
	id := ID{LocalAddress: local, LocalPort: 80, RemoteAddress: remote, RemotePort: 1000}
	say := func(port uint16, seg engine.Segment) {
		seg.Options.Scale, seg.Window = engine.NoScale, 65535
		id.LocalPort = port
		Of(s).deliver(origin{id: id, nic: 2, net: six}, &seg)
	}
	say(80, engine.Segment{Seq: 1, Flags: engine.SYN})
	iss := l.records[id].ISS
	leaves(1)
	clock.Advance(1e9)
	leaves(1)
	say(80, engine.Segment{Seq: 2, Ack: iss + 1, Flags: engine.ACK})
	c := l.poll()
	require.NotNil(t, c)
	_, _ = c.Send([]byte("x"))
	leaves(1)
	c.Abort()
	leaves(1)
	say(81, engine.Segment{Seq: 1, Flags: engine.SYN})
	leaves(1)
	say(80, engine.Segment{Seq: 1, Flags: engine.SYN})
	leaves(1)
	l.Close()
	leaves(1)
	d, err := Of(s).Dial(2, ID{RemoteAddress: remote, LocalPort: 5, RemotePort: 6}, six, settings, nil)
	require.Nil(t, err)
	require.Equal(t, local, d.ID().LocalAddress)
	leaves(1)
}
