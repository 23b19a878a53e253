package simnet_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/tun"
)

// A village is a switch with a stranger on it, two routers and a middlebox beside it, and hosts
// behind those, of which one is behind a NAT.
//
//	stranger ── wide ── gate (NAT) ── a
//	             ├───── plain ─────── b
//	             └───── box ───────── c
type village struct {
	n           *simnet.Network
	wide        *simnet.Switch
	gate, plain *simnet.Host
	a, b, c     *simnet.Host
	box         *simnet.Middlebox
	gateLink    *simnet.Link
	stranger    *simnet.Wire
}

func newVillage(t testing.TB, n *simnet.Network) *village {
	v := &village{n: n, wide: n.Switch("wide"), gate: n.Router("gate"), plain: n.Router("plain"), box: n.Middlebox("box", nil)}
	v.gateLink = n.Link(v.gate, v.wide, simnet.Addresses(v.gate, "198.51.100.1/24", "fd98::1/64"), simnet.NAT(v.gate, simnet.NATConfig{
		Sessions: 100, Forwards: []simnet.NATForward{{Protocol: simnet.TCP, Port: 80, To: netip.MustParseAddrPort("10.0.0.2:7")}},
	}))
	n.Link(v.plain, v.wide, simnet.Addresses(v.plain, "198.51.100.2/24", "fd98::2/64"))
	v.a, v.b, v.c = n.Host("a", "10.0.0.2/24"), n.Host("b", "10.1.0.2/24", "fd10::2/64"), n.Host("c", "198.51.100.3/24", "fd98::3/64")
	n.Link(v.gate, v.a, simnet.Addresses(v.gate, "10.0.0.1/24"))
	n.Link(v.plain, v.b, simnet.Addresses(v.plain, "10.1.0.1/24", "fd10::1/64"))
	n.Link(v.wide, v.box)
	n.Link(v.box, v.c)
	v.stranger = n.Wire(v.wide, "stranger", "198.51.100.66", "fd98::66")
	n.AutoRoutes()
	for _, h := range []*simnet.Host{v.a, v.b, v.c} {
		answers(t, n, h)
	}
	return v
}

// works has everybody talk with everybody who can be reached.
func (v *village) works(t testing.TB) {
	t.Helper()
	v.n.Do("talk", func() {
		for _, to := range []string{"198.51.100.1:80", "10.1.0.2:7", "198.51.100.3:7"} {
			for _, h := range []*simnet.Host{v.a, v.b, v.c} {
				if h == v.c && to == "198.51.100.3:7" || h == v.b && to == "10.1.0.2:7" {
					continue
				}
				c, _ := dial(t, h, 0, to)
				require.NoError(t, echoes(c, make([]byte, 10_000)))
				require.NoError(t, c.Close())
			}
		}
	})
}

// A forger makes hostile packets, of a seed.
type forger struct{ *rand.Rand }

// packet is a packet of anybody, to anybody.
func (f forger) packet() []byte {
	four := []string{"198.51.100.1", "198.51.100.2", "198.51.100.3", "198.51.100.66", "198.51.100.255", "198.51.100.0", "10.0.0.2", "10.1.0.2", "10.1.0.255",
		"255.255.255.255", "224.0.0.1", "0.0.0.0", "127.0.0.1", "203.0.113.5"}
	six := []string{"fd98::1", "fd98::2", "fd98::3", "fd98::66", "fd10::2", "ff02::1", "ff02::2", "::", "::1", "fe80::1", "2001:db8::1", "::ffff:10.1.0.2"}
	pick := func(list []string) netip.Addr { return netip.MustParseAddr(list[f.IntN(len(list))]) }
	from, to := pick(four), pick(four)
	if f.IntN(4) == 0 {
		from, to = pick(six), pick(six)
	}
	protocol := []uint8{1, 6, 17, 58, 0, 2, 43, 44, 47, 51, 60, 255}[f.IntN(12)]
	body := make([]byte, []int{0, 1, 7, 8, 20, 28, 60, 200, 1400}[f.IntN(9)])
	for i := range min(len(body), 64) {
		body[i] = byte(f.Uint32())
	}
	if len(body) >= 20 {
		ports := []uint16{7, 80, 5000, uint16(f.Uint32())}
		binary.BigEndian.PutUint16(body, ports[f.IntN(4)])
		binary.BigEndian.PutUint16(body[2:], ports[f.IntN(4)])
		body[12], body[13] = byte(5+f.IntN(3))<<4, byte(f.Uint32())
		if protocol == 1 || protocol == 58 {
			body[0], body[1] = []byte{0, 3, 5, 8, 11, 12, 1, 2, 128, 137}[f.IntN(10)], byte(f.IntN(6))
		}
		if protocol == 17 {
			binary.BigEndian.PutUint16(body[4:], uint16(len(body)))
		}
		if len(body) >= 60 && f.IntN(2) == 0 { // what an error quotes
			copy(body[8:], f.inner(to, from))
		}
	}
	return f.spoil(simnet.EncodeIP(from, to, protocol, body))
}

// inner is a packet for an error to quote.
func (f forger) inner(from, to netip.Addr) []byte {
	protocol := []uint8{1, 6, 17, 58}[f.IntN(4)]
	b := make([]byte, 20)
	binary.BigEndian.PutUint16(b, []uint16{7, 80, 5000}[f.IntN(3)])
	return simnet.EncodeIP(from, to, protocol, b)
}

// spoil makes some packets malformed: in a header, or by their length; others fragments.
func (f forger) spoil(b []byte) []byte {
	mend := func() {
		if b[0]>>4 == 4 {
			h := header.IPv4(b)
			h.SetChecksum(0)
			h.SetChecksum(^h.CalculateChecksum())
		}
	}
	switch f.IntN(8) {
	case 0:
		b[f.IntN(min(len(b), 48))] ^= byte(1 << f.IntN(8))
	case 1:
		return b[:f.IntN(len(b)+1)]
	case 2:
		return append(b, make([]byte, f.IntN(100))...)
	case 3:
		if b[0]>>4 == 4 {
			binary.BigEndian.PutUint16(b[4:], uint16(f.IntN(50)))
			binary.BigEndian.PutUint16(b[6:], uint16(f.IntN(1<<16)))
			mend()
		}
	case 4:
		b[map[byte]int{4: 8, 6: 7}[b[0]>>4]] = byte(f.IntN(3)) // few hops
		mend()
	}
	return b
}

// Whatever a stranger sends, everything is as before afterwards, and nothing is too full.
func TestHostile_Packets(t *testing.T) {
	inEachMode(t, func(t *testing.T, n *simnet.Network) {
		v := newVillage(t, n)
		v.works(t)
		f := forger{rand.New(rand.NewPCG(1, 2))}
		seen := 0
		v.box.Inspect(func(simnet.Passing) simnet.Verdict { seen++; return simnet.Verdict{} })
		n.Do("stranger", func() {
			for range 20 {
				for range 100 {
					v.stranger.Inject(f.packet())
				}
				n.Sleep(10 * time.Millisecond)
			}
		})
		v.box.Inspect(nil)
		require.NotZero(t, seen)
		require.LessOrEqual(t, v.gateLink.Translator(v.gate).Stats().Sessions, 100)
		v.stranger.Discard()
		v.works(t)
	})
}

// A packet in a circle of routers ends with its hops.
func TestHostile_RoutingLoop(t *testing.T) {
	n := simnet.New(t)
	var r [3]*simnet.Host
	for i := range r {
		r[i] = n.Router(fmt.Sprint("r", i))
	}
	for i := range r {
		next := r[(i+1)%3]
		n.Link(r[i], next, simnet.Addresses(r[i], fmt.Sprintf("10.0.%d.1/24", i)), simnet.Addresses(next, fmt.Sprintf("10.0.%d.2/24", i)), simnet.Delay(time.Millisecond))
		r[i].Route("203.0.113.0/24", fmt.Sprintf("10.0.%d.2", i))
	}
	a := n.Host("a", "10.9.0.2/24")
	n.Link(a, r[0], simnet.Addresses(r[0], "10.9.0.1/24"))
	n.AutoRoutes()
	_, err := ping(t, n, a, "203.0.113.9")
	require.ErrorContains(t, err, "time exceeded")
	packets, _ := n.Digest()
	require.Less(t, packets, uint64(300))
}

// Routers on one switch that send a destination to each other refuse it, and broadcasts don't go
// round.
func TestHostile_SwitchLoop(t *testing.T) {
	n := simnet.New(t)
	s := n.Switch("s")
	r1, r2 := n.Router("r1"), n.Router("r2")
	n.Link(r1, s, simnet.Addresses(r1, "10.0.0.1/24"))
	n.Link(r2, s, simnet.Addresses(r2, "10.0.0.2/24"))
	r1.Route("203.0.113.0/24", "10.0.0.2")
	r2.Route("203.0.113.0/24", "10.0.0.1")
	w := n.Wire(s, "w", "10.0.0.9")
	from := netip.MustParseAddr("10.0.0.9")
	for _, to := range []string{"203.0.113.9", "10.0.0.255", "255.255.255.255", "224.0.0.9"} {
		n.ClearTrace()
		w.Inject(simnet.EncodeUDP(netip.AddrPortFrom(from, 1), netip.AddrPortFrom(netip.MustParseAddr(to), 2), make([]byte, 100)))
		n.Advance(time.Minute)
		require.Less(t, len(n.Trace()), 10, n.TraceText())
	}
	// One who answers whatever comes, to everybody.
	n2 := simnet.New(t)
	s2 := n2.Switch("s")
	for i := range 3 {
		h := n2.Host(fmt.Sprint("h", i), fmt.Sprintf("10.0.0.%d/24", 1+i))
		n2.Link(h, s2)
	}
	w2 := n2.Wire(s2, "w", "10.0.0.9")
	for _, source := range []string{"10.0.0.255", "255.255.255.255", "224.0.0.1", "10.0.0.1", "0.0.0.0"} {
		for protocol, body := range map[uint8][]byte{1: {8, 0, 0, 0, 0, 1, 0, 1}, 17: {0, 1, 0, 2, 0, 8, 0, 0}, 6: make([]byte, 20)} {
			n2.ClearTrace()
			w2.Inject(simnet.EncodeIP(netip.MustParseAddr(source), netip.MustParseAddr("10.0.0.255"), protocol, append([]byte(nil), body...)))
			n2.Advance(time.Minute)
			require.Less(t, len(n2.Trace()), 10, n2.TraceText())
		}
	}
}

// A flood through a narrow port fills its queue and no more, and is gone when it is over.
func TestHostile_Flood(t *testing.T) {
	n := simnet.New(t, simnet.TraceLimit(0))
	v := newVillage(t, n)
	for _, l := range v.wide.Links() {
		l.Set(simnet.From(v.wide, simnet.Rate(10_000_000, 20_000)))
	}
	from, junk := netip.MustParseAddrPort("198.51.100.66:9"), make([]byte, 1400)
	targets := []string{"198.51.100.1:9", "198.51.100.1:80", "10.1.0.2:9", "198.51.100.3:9", "198.51.100.255:9", "10.0.0.2:9", "203.0.113.1:9"}
	n.Do("flood", func() {
		for i := range 5_000 {
			v.stranger.Inject(simnet.EncodeUDP(from, netip.MustParseAddrPort(targets[i%len(targets)]), junk))
			if i%100 == 0 {
				n.Sleep(time.Millisecond)
			}
			for _, l := range append(v.wide.Links(), v.box.Links()...) {
				require.LessOrEqual(t, l.InFlight(), 2*tun.QueuePackets)
			}
		}
	})
	n.Advance(5 * time.Second)
	lost := uint64(0)
	for _, l := range append(v.wide.Links(), v.box.Links()...) {
		require.Zero(t, l.InFlight())
		lost += l.Stats(v.wide).Dropped()
	}
	require.NotZero(t, lost)
	v.stranger.Discard()
	v.works(t)
}

// SYNs of a stranger to a forward fill the NAT, but only up to its bound, and inside hosts still get
// out.
func TestHostile_NATFlood(t *testing.T) {
	n := simnet.New(t)
	v := newVillage(t, n)
	v.box.Inspect(func(p simnet.Passing) simnet.Verdict { return simnet.Verdict{Drop: p.To == "wide"} }) // no answers
	syn := make([]byte, 20)
	syn[12], syn[13] = 5<<4, 2
	binary.BigEndian.PutUint16(syn[2:], 80)
	for i := range 1000 {
		binary.BigEndian.PutUint16(syn, uint16(1024+i))
		v.stranger.Inject(simnet.EncodeIP(netip.MustParseAddr("198.51.100.3"), netip.MustParseAddr("198.51.100.1"), 6, syn))
	}
	require.NoError(t, n.Idle())
	s := v.gateLink.Translator(v.gate).Stats()
	require.Equal(t, 100, s.Sessions)
	require.EqualValues(t, 900, s.Full)
	v.box.Inspect(nil)
	n.Do("out", func() {
		c, _ := dial(t, v.a, 0, "10.1.0.2:7")
		require.NoError(t, echoes(c, []byte("hello")))
	})
	require.EqualValues(t, 1, v.gateLink.Translator(v.gate).Stats().Evicted)
	n.Advance(10 * time.Minute)
	v.works(t)
}

// Changes of everything, packets, and Close, all at once.
func TestHostile_ChangesWhileItRuns(t *testing.T) {
	n := simnet.New(t, simnet.RealTime())
	v := newVillage(t, n)
	stop := make(chan struct{})
	var group sync.WaitGroup
	again := func(f func(i int)) {
		group.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
					f(i)
				}
			}
		})
	}
	for k := range uint64(2) {
		f := forger{rand.New(rand.NewPCG(k, 3))}
		again(func(int) { v.stranger.Inject(f.packet()) })
	}
	again(func(i int) {
		switch i % 5 {
		case 0:
			v.gateLink.Set(simnet.NAT(v.gate, simnet.NATConfig{Mapping: simnet.NATBehaviour(i % 3)}))
		case 1:
			v.gateLink.Translator(v.gate).Flush()
		case 2:
			v.gateLink.Translator(v.gate).Mappings()
			v.gateLink.Translator(v.gate).Stats()
		case 3:
			v.gateLink.Set(simnet.NoNAT(v.gate))
		case 4:
			n.AutoRoutes()
		}
	})
	again(func(i int) {
		v.box.Inspect(func(p simnet.Passing) simnet.Verdict {
			return simnet.Verdict{Drop: i%2 == 0, Answer: [][]byte{p.Data[:len(p.Data)/2]}}
		})
		v.plain.Partition()
		v.plain.Heal()
		v.wide.Partition()
		v.wide.Heal()
	})
	again(func(i int) {
		p, err := v.a.ListenPacket("udp4", "")
		if err == nil {
			for _, to := range []string{"198.51.100.3:7", "198.51.100.1:80", "10.1.0.2:7"} {
				p.WriteTo([]byte("x"), net.UDPAddrFromAddrPort(netip.MustParseAddrPort(to)))
			}
			p.Close()
		}
	})
	for range 8 { // packets have gone, of each kind of sender
		before := v.wide.Stats()
		require.NoError(t, n.RunUntil(func() bool { s := v.wide.Stats(); return s.Forwarded+s.Flooded > before.Forwarded+before.Flooded+50 }, time.Minute))
	}
	close(stop)
	group.Wait()
	v.box.Inspect(nil)
	v.gateLink.Set(simnet.NAT(v.gate, simnet.NATConfig{
		Sessions: 1 << 16, // all of the 4,096 may be in use, and what is on its way takes more: then nobody comes in
		Forwards: []simnet.NATForward{{Protocol: simnet.TCP, Port: 80, To: netip.MustParseAddrPort("10.0.0.2:7")}},
	}))
	n.AutoRoutes()
	v.works(t)
	f := forger{rand.New(rand.NewPCG(9, 3))}
	stop = make(chan struct{})
	stranger := v.stranger
	again(func(int) {
		defer func() { _ = recover() }() // the network is closed
		stranger.Inject(f.packet())
	})
	require.NoError(t, n.Close())
	close(stop)
	group.Wait()
}
