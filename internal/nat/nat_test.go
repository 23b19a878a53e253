package nat_test

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/internal/nat"
)

// The hosts of the tests: a and b are inside, x and y outside.
var (
	outside    = netip.MustParseAddr("198.51.100.1")
	a, b       = ap("10.0.0.2:5000"), ap("10.0.0.3:5000")
	x, y       = ap("203.0.113.9:53"), ap("203.0.113.10:53")
	otherPortX = ap("203.0.113.9:54")
)

// A box is a Table at a time.
type box struct {
	testing.TB
	*nat.Table
	now time.Duration
}

func newBox(t testing.TB, c nat.Config) *box {
	c.Outside = outside
	table, err := nat.New(c)
	require.NoError(t, err)
	return &box{TB: t, Table: table}
}

// out, in and inside give a packet, which passes, to the Table, and return its ends.
func (x *box) out(p []byte) (from, to netip.AddrPort) { return x.through(x.Outbound, p, nat.Pass) }
func (x *box) in(p []byte) (from, to netip.AddrPort)  { return x.through(x.Inbound, p, nat.Pass) }
func (x *box) back(p []byte) (from, to netip.AddrPort) {
	return x.through(x.Inside, p, nat.Return)
}

func (x *box) through(f func(time.Duration, []byte) nat.Verdict, p []byte, want nat.Verdict) (from, to netip.AddrPort) {
	x.Helper()
	require.Equal(x, want, f(x.now, p))
	require.True(x, right(p), "a checksum of %x", p)
	return ends(p)
}

// dropped gives a packet to the Table, which drops and doesn't change it.
func (x *box) dropped(f func(time.Duration, []byte) nat.Verdict, p []byte) {
	x.Helper()
	before := slices.Clone(p)
	require.Equal(x, nat.Drop, f(x.now, p))
	require.Equal(x, before, p)
}

// untouched gives a packet to the Table, which passes it as it is.
func (x *box) untouched(f func(time.Duration, []byte) nat.Verdict, p []byte) {
	x.Helper()
	before := slices.Clone(p)
	require.Equal(x, nat.Pass, f(x.now, p))
	require.Equal(x, before, p)
}

// at is an endpoint of the outside address.
func at(port uint16) netip.AddrPort { return netip.AddrPortFrom(outside, port) }

// open has an inside endpoint open a TCP connection, and returns the endpoint that it has outside.
func (x *box) open(inside, remote netip.AddrPort) netip.AddrPort {
	x.Helper()
	from, _ := x.out(tcp(inside, remote, syn))
	x.in(tcp(remote, from, syn|ack))
	x.out(tcp(inside, remote, ack))
	return from
}

func TestMapping(t *testing.T) {
	for behaviour, same := range map[nat.Behaviour][2]bool{ // for another port, for another address
		nat.EndpointIndependent:     {true, true},
		nat.AddressDependent:        {true, false},
		nat.AddressAndPortDependent: {false, false},
	} {
		t.Run(behaviour.String(), func(t *testing.T) {
			n := newBox(t, nat.Config{Mapping: behaviour})
			first, to := n.out(udp(a, x, 1, 2, 3))
			require.Equal(t, [2]netip.AddrPort{at(5000), x}, [2]netip.AddrPort{first, to})
			again, _ := n.out(udp(a, x))
			require.Equal(t, first, again)
			port, _ := n.out(udp(a, otherPortX))
			address, _ := n.out(udp(a, y))
			require.Equal(t, same, [2]bool{port == first, address == first})
			other, _ := n.out(udp(b, x))
			require.NotContains(t, []netip.AddrPort{first, port, address}, other, "no port has two mappings")
		})
	}
}

func TestFiltering(t *testing.T) {
	for behaviour, passes := range map[nat.Behaviour][2]bool{ // from another port, from another address
		nat.EndpointIndependent:     {true, true},
		nat.AddressDependent:        {true, false},
		nat.AddressAndPortDependent: {false, false},
	} {
		t.Run(behaviour.String(), func(t *testing.T) {
			n := newBox(t, nat.Config{Filtering: behaviour})
			n.out(udp(a, x))
			n.out(tcp(a, x, syn))
			for i, from := range []netip.AddrPort{otherPortX, y} {
				for _, p := range [][]byte{udp(from, at(5000)), tcp(from, at(5000), syn)} {
					if !passes[i] {
						n.dropped(n.Inbound, p)
						continue
					}
					_, to := n.in(p)
					require.Equal(t, a, to)
				}
			}
			_, to := n.in(udp(x, at(5000)))
			require.Equal(t, a, to)
		})
	}
}

// Ports are kept; else they are of the same half, and for UDP even or odd as before (RFC 4787 REQ-3
// and REQ-4).
func TestPorts(t *testing.T) {
	for _, tt := range []struct {
		name     string
		config   nat.Config
		port     uint16
		protocol func(from, to netip.AddrPort) []byte
		want     func(port uint16) bool
	}{
		{"kept", nat.Config{}, 6000, plainUDP, func(p uint16) bool { return p == 6000 }},
		{"taken, even", nat.Config{}, 5000, plainUDP, func(p uint16) bool { return p >= 1024 && p%2 == 0 && p != 5000 }},
		{"taken, odd", nat.Config{}, 5001, plainUDP, func(p uint16) bool { return p >= 1024 && p%2 == 1 && p != 5001 }},
		{"taken, low", nat.Config{}, 53, plainUDP, func(p uint16) bool { return p > 0 && p < 1024 && p%2 == 1 && p != 53 }},
		{"no low ports", nat.Config{FirstPort: 2000, LastPort: 2999}, 53, plainUDP, func(p uint16) bool { return p >= 2000 && p < 3000 && p%2 == 1 }},
		{"beyond the range", nat.Config{FirstPort: 2000, LastPort: 2001}, 5000, plainUDP, func(p uint16) bool { return p == 2000 }},
		{"the other parity", nat.Config{FirstPort: 2001, LastPort: 2001}, 5000, plainUDP, func(p uint16) bool { return p == 2001 }},
		{"the last port, even", nat.Config{FirstPort: 65535, LastPort: 65535}, 5000, plainUDP, func(p uint16) bool { return p == 65535 }},
		{"random", nat.Config{RandomPorts: true}, 6000, plainUDP, func(p uint16) bool { return p >= 1024 && p%2 == 0 && p != 6000 }},
		{"TCP", nat.Config{FirstPort: 2001, LastPort: 2001}, 5000, plainTCP, func(p uint16) bool { return p == 2001 }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := newBox(t, tt.config)
			if tt.config.FirstPort == 0 {
				for _, port := range []uint16{53, 5000, 5001} {
					n.out(udp(netip.AddrPortFrom(b.Addr(), port), x))
				}
			}
			from, _ := n.out(tt.protocol(netip.AddrPortFrom(a.Addr(), tt.port), x))
			require.True(t, tt.want(from.Port()), "port %d", from.Port())
		})
	}
}

func plainUDP(from, to netip.AddrPort) []byte { return udp(from, to) }
func plainTCP(from, to netip.AddrPort) []byte { return tcp(from, to, syn) }

// The same seed gives the same ports.
func TestPortsFromASeed(t *testing.T) {
	ports := func(seed uint64) (list []uint16) {
		n := newBox(t, nat.Config{RandomPorts: true, Rand: rand.NewPCG(seed, 0)})
		for i := range uint16(20) {
			from, _ := n.out(udp(netip.AddrPortFrom(a.Addr(), 4000+i), x))
			list = append(list, from.Port())
		}
		return list
	}
	require.Equal(t, ports(1), ports(1))
	require.NotEqual(t, ports(1), ports(2))
}

func TestEcho(t *testing.T) {
	n := newBox(t, nat.Config{Filtering: nat.AddressDependent})
	n.out(echo(8, a.Addr(), x.Addr(), 7, 1, 2, 3))
	from, to := n.in(echo(0, x.Addr(), outside, 7, 1, 2, 3))
	require.Equal(t, [2]netip.AddrPort{ap("203.0.113.9:7"), ap("10.0.0.2:7")}, [2]netip.AddrPort{from, to})
	from, _ = n.out(echo(8, b.Addr(), x.Addr(), 7))
	require.Equal(t, outside, from.Addr())
	require.NotEqual(t, uint16(7), from.Port(), "the identifier is a's")
	_, to = n.in(echo(0, x.Addr(), outside, from.Port()))
	require.Equal(t, ap("10.0.0.3:7"), to)
	n.dropped(n.Inbound, echo(0, y.Addr(), outside, 7))
	n.untouched(n.Inbound, echo(8, x.Addr(), outside, 7)) // the router answers
	n.dropped(n.Outbound, echo(0, a.Addr(), x.Addr(), 7)) // nobody has asked
	n.now = time.Minute
	require.Empty(t, n.Mappings(n.now))
}

// The router's own sockets work as if there were no NAT, and nobody gets a port of theirs.
func TestRouterItself(t *testing.T) {
	n := newBox(t, nat.Config{Filtering: nat.AddressAndPortDependent})
	n.untouched(n.Inbound, tcp(x, at(22), syn))
	n.untouched(n.Outbound, tcp(at(22), x, syn|ack))
	n.untouched(n.Outbound, tcp(at(23), x, rst|ack))
	n.untouched(n.Outbound, udp(at(5000), x))
	n.untouched(n.Outbound, echo(0, outside, x.Addr(), 5))
	n.untouched(n.Outbound, echo(8, outside, x.Addr(), 6))
	n.untouched(n.Inbound, echo(0, x.Addr(), outside, 6))
	n.untouched(n.Inbound, udp(y, at(5000)))
	n.untouched(n.Inbound, tcp(x, at(22), ack))
	n.untouched(n.Outbound, wrap(outside, x.Addr(), 47, []byte("anything")))
	n.untouched(n.Inbound, wrap(x.Addr(), outside, 47, []byte("anything")))
	require.Len(t, n.Mappings(0), 3)
	for _, m := range n.Mappings(0) {
		require.Equal(t, 1, m.Sessions)
		require.Equal(t, m.Inside, m.Outside)
	}
	from, _ := n.out(udp(a, x))
	require.NotEqual(t, at(5000), from)
	// The other way round the router's socket gets another port.
	n.out(udp(netip.AddrPortFrom(a.Addr(), 6000), x))
	from, _ = n.out(udp(at(6000), x))
	require.NotEqual(t, at(6000), from)
	_, to := n.in(udp(x, from))
	require.Equal(t, at(6000), to)
	// The end of a connection frees its port before long.
	n.untouched(n.Outbound, tcp(at(22), x, fin|ack))
	require.Equal(t, 4*time.Minute, n.Mappings(0)[1].Expires)
}

// Its sockets keep their ports also where those of others are random.
func TestRouterItselfWithRandomPorts(t *testing.T) {
	n := newBox(t, nat.Config{RandomPorts: true, FirstPort: 6000, LastPort: 7000})
	n.untouched(n.Outbound, udp(at(5000), x))
}

// What is for nobody outside isn't translated, and what nobody inside may have is dropped.
func TestOthers(t *testing.T) {
	six := slices.Concat([]byte{0x60, 0, 0, 0, 0, 0, 59, 64}, make([]byte, 32))
	n := newBox(t, nat.Config{})
	for _, f := range []func(time.Duration, []byte) nat.Verdict{n.Outbound, n.Inbound, n.Inside} {
		n.untouched(f, six)
	}
	n.untouched(n.Inside, udp(a, x))
	n.untouched(n.Inbound, udp(x, ap("224.0.0.1:5000")))
	n.untouched(n.Outbound, udp(ap("0.0.0.0:68"), ap("255.255.255.255:67")))
	n.dropped(n.Inbound, udp(x, a))
	n.untouched(n.Inbound, udp(at(1), at(2))) // the router drops it, and counts it as what it is
	n.dropped(n.Outbound, wrap(a.Addr(), x.Addr(), 47, []byte("anything")))
	n.dropped(n.Outbound, echo(13, a.Addr(), x.Addr(), 7))
	require.EqualValues(t, 2, n.Stats().Unsupported)

	some := newBox(t, nat.Config{Inside: []netip.Prefix{netip.MustParsePrefix("10.0.0.2/31")}})
	some.untouched(some.Outbound, udp(ap("192.0.2.1:1"), x))
	some.untouched(some.Inbound, udp(x, ap("192.0.2.1:1")))
	some.dropped(some.Inbound, udp(x, a))
	some.out(udp(b, x))
}

func TestForwards(t *testing.T) {
	n := newBox(t, nat.Config{
		Mapping: nat.AddressAndPortDependent, Filtering: nat.AddressAndPortDependent,
		Forwards: []nat.Forward{{Protocol: nat.TCP, Port: 80, To: ap("10.0.0.2:8080")}, {nat.UDP, 53, ap("10.0.0.2:5353")}, {nat.TCP, 22, at(22)}},
	})
	for range 2 {
		_, to := n.in(tcp(x, at(80), syn))
		require.Equal(t, ap("10.0.0.2:8080"), to)
		from, _ := n.out(tcp(ap("10.0.0.2:8080"), x, syn|ack))
		require.Equal(t, at(80), from)
		_, to = n.in(udp(y, at(53)))
		require.Equal(t, ap("10.0.0.2:5353"), to)
		from, _ = n.out(udp(ap("10.0.0.2:5353"), y))
		require.Equal(t, at(53), from)
		from, _ = n.out(tcp(netip.AddrPortFrom(b.Addr(), 22), x, syn))
		require.NotEqual(t, at(22), from, "a port that the router keeps")
		require.Len(t, n.Mappings(n.now), 4)
		n.Flush()
		require.Len(t, n.Mappings(n.now), 3)
		n.dropped(n.Inbound, tcp(x, at(80), ack))
	}
	require.ErrorContains(t, n.Forward(nat.Forward{nat.TCP, 80, b}), "has a mapping already")
	require.ErrorContains(t, n.Forward(nat.Forward{nat.TCP, 81, ap("10.0.0.2:8080")}), "has a mapping already")
	require.ErrorContains(t, n.Forward(nat.Forward{nat.ICMP, 81, a}), "has no ports")
	require.ErrorContains(t, n.Forward(nat.Forward{nat.TCP, 0, a}), "port 0")
	require.ErrorContains(t, n.Forward(nat.Forward{nat.TCP, 81, ap("[fd00::1]:80")}), "no IPv4 address")
}

// Two inside hosts meet at the outside address, each with its endpoint there (RFC 4787 REQ-9).
func TestHairpinning(t *testing.T) {
	n := newBox(t, nat.Config{})
	n.out(udp(b, x))
	from, to := n.back(udp(a, at(5000), 1))
	require.Equal(t, b, to)
	require.Equal(t, outside, from.Addr())
	again, to := n.back(udp(b, from, 2))
	require.Equal(t, [2]netip.AddrPort{at(5000), a}, [2]netip.AddrPort{again, to})
	require.EqualValues(t, 2, n.Stats().Returned)
	n.untouched(n.Inside, udp(a, at(9)))
	n.untouched(n.Inside, echo(8, a.Addr(), outside, 1))
	late := udp(a, at(5000))
	late[8] = 1
	mend(late)
	n.dropped(n.Inside, late)
	require.EqualValues(t, 1, n.Stats().Expired)

	none := newBox(t, nat.Config{NoHairpinning: true})
	none.out(udp(b, x))
	none.dropped(none.Inside, udp(a, at(5000)))
	narrow := newBox(t, nat.Config{Filtering: nat.AddressDependent})
	narrow.out(udp(b, x))
	require.Equal(t, nat.Drop, narrow.Inside(0, udp(a, at(5000))), "b hasn't sent to the outside address")
	narrow.back(udp(b, at(narrow.Mappings(0)[1].Outside.Port())))
	narrow.back(udp(a, at(5000)))

	last := newBox(t, nat.Config{Sessions: 1}) // a's session takes the place of b's
	last.out(udp(b, x))
	require.Equal(t, nat.Drop, last.Inside(0, udp(a, at(5000))))
	require.Len(t, last.Mappings(0), 1)
	last.now = time.Hour
	require.Empty(t, last.Mappings(last.now))
}

// When there is no room, the session that would end first does; what begins outside is refused.
func TestFull(t *testing.T) {
	n := newBox(t, nat.Config{Sessions: 3})
	n.open(a, x) // established: it lasts longest
	n.out(udp(a, x))
	n.now = time.Second
	n.out(udp(b, x))
	n.dropped(n.Inbound, tcp(y, at(5000), syn))
	require.EqualValues(t, 1, n.Stats().Full)
	n.out(udp(b, y))
	require.EqualValues(t, 1, n.Stats().Evicted)
	require.Equal(t, 3, n.Stats().Sessions)
	n.untouched(n.Inbound, udp(x, at(5000)))
	n.in(tcp(x, at(5000), ack))
}

func TestNoPort(t *testing.T) {
	n := newBox(t, nat.Config{FirstPort: 2000, LastPort: 2002})
	ports := map[uint16]bool{}
	for i := range uint16(3) {
		from, _ := n.out(udp(netip.AddrPortFrom(a.Addr(), 4001+i), x))
		ports[from.Port()] = true
	}
	require.Len(t, ports, 3)
	n.dropped(n.Outbound, udp(b, x))
	require.EqualValues(t, 1, n.Stats().NoPort)
	n.out(tcp(b, x, syn)) // the ports of TCP are others
	n.now = 5 * time.Minute
	n.out(udp(b, x))
}

// A datagram without a checksum stays without one, and one whose checksum comes out as zero has it
// in the other form.
func TestUDPChecksum(t *testing.T) {
	n := newBox(t, nat.Config{})
	p := udp(a, x, 1, 2)
	p[26], p[27] = 0, 0
	n.out(p)
	require.Equal(t, []byte{0, 0}, p[26:28])
	for i := range 65536 { // one of them has it
		p := udp(a, x, byte(i>>8), byte(i))
		n.Outbound(0, p)
		require.True(t, right(p) && (p[26] != 0 || p[27] != 0), "%x", p)
	}
	wrong := udp(a, x, 1, 2)
	wrong[28] ^= 0x10
	require.Equal(t, nat.Pass, n.Outbound(0, wrong))
	require.False(t, right(wrong), "what was wrong before is wrong afterwards")
}

func TestMalformed(t *testing.T) {
	n := newBox(t, nat.Config{Forwards: []nat.Forward{{Protocol: nat.UDP, Port: 53, To: a}, {nat.TCP, 53, a}}})
	change := func(p []byte, f func(p []byte)) []byte { f(p); return p }
	for name, p := range map[string]func(from, to netip.AddrPort) []byte{
		"a short TCP header":  func(f, t netip.AddrPort) []byte { return wrap(f.Addr(), t.Addr(), protocolTCP, tcp(f, t, syn)[20:39]) },
		"a small data offset": func(f, t netip.AddrPort) []byte { return change(tcp(f, t, syn), func(p []byte) { p[32] = 4 << 4 }) },
		"a large data offset": func(f, t netip.AddrPort) []byte { return change(tcp(f, t, syn), func(p []byte) { p[32] = 6 << 4 }) },
		"a short datagram":    func(f, t netip.AddrPort) []byte { return change(udp(f, t), func(p []byte) { p[25] = 7 }) },
		"a long datagram":     func(f, t netip.AddrPort) []byte { return change(udp(f, t), func(p []byte) { p[25] = 9 }) },
	} {
		t.Run(name, func(t *testing.T) {
			n.dropped(n.Outbound, p(b, x))
			n.dropped(n.Inbound, p(x, at(53)))
		})
	}
	for name, change := range map[string]func([]byte){
		"checksum":        func(p []byte) { p[10] ^= 1 },
		"header length":   func(p []byte) { p[0] = 0x44 },
		"header too long": func(p []byte) { p[0] = 0x4f },
		"total length":    func(p []byte) { p[3]++ },
		"version":         func(p []byte) { p[0] = 0x75 },
	} {
		t.Run(name, func(t *testing.T) {
			p, q := udp(b, x), udp(x, at(53))
			change(p)
			change(q)
			n.dropped(n.Outbound, p)
			n.untouched(n.Inbound, q) // the router counts it
			n.untouched(n.Inside, q)
		})
	}
}

func TestConfig(t *testing.T) {
	for want, c := range map[string]nat.Config{
		"Outside:":                {},
		"Outside: fd00::1":        {Outside: netip.MustParseAddr("fd00::1")},
		"Outside: 224.0.0.1":      {Outside: netip.MustParseAddr("224.0.0.1")},
		"Mapping:":                {Outside: outside, Mapping: 3},
		"Filtering:":              {Outside: outside, Filtering: 3},
		"FirstPort and LastPort:": {Outside: outside, FirstPort: 10, LastPort: 9},
		"Sessions:":               {Outside: outside, Sessions: -1},
		"Timeouts.UDP:":           {Outside: outside, Timeouts: nat.Timeouts{UDP: -1}},
		"Inside:":                 {Outside: outside, Inside: []netip.Prefix{netip.MustParsePrefix("fd00::/8")}},
		"Forwards:":               {Outside: outside, Inside: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, Forwards: []nat.Forward{{Protocol: nat.TCP, Port: 80, To: ap("192.0.2.1:80")}}},
	} {
		_, err := nat.New(c)
		require.ErrorContains(t, err, "nat: "+want)
	}
	require.Equal(t, "behaviour 3, protocol 3", nat.Behaviour(3).String()+", "+nat.Protocol(3).String())
	require.Equal(t, "ICMP TCP UDP", nat.ICMP.String()+" "+nat.TCP.String()+" "+nat.UDP.String())
}
