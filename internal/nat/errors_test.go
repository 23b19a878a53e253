package nat_test

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/internal/nat"
)

// hop is a router between.
var hop = netip.MustParseAddr("192.0.2.77")

// quotedEnds are the ends of what an ICMP error quotes.
func quotedEnds(b []byte) (from, to netip.AddrPort) { return ends(b[28:]) }

// An error from outside comes to the inside host whose packet it is about, and quotes what the host
// had sent. Sessions neither end nor last longer by it (RFC 5508 REQ-3, REQ-4 and REQ-6).
func TestErrorFromOutside(t *testing.T) {
	for _, tt := range []struct {
		name  string
		sent  []byte
		quote int // how many bytes; 0: all
	}{
		{"UDP", udp(a, x, 1, 2, 3), 28}, // RFC 792: 8 bytes behind the header
		{"all of UDP, an odd number", udp(a, x, 1, 2, 3), 0},
		{"TCP", tcp(a, x, syn), 28},
		{"TCP with its checksum", tcp(a, x, syn), 38},
		{"all of TCP", tcp(a, x, syn), 0},
		{"echo", echo(8, a.Addr(), x.Addr(), 5000, 9), 28},
	} {
		for _, typ := range []byte{3, 11, 12} {
			t.Run(tt.name, func(t *testing.T) {
				n := newBox(t, nat.Config{})
				p := slices.Clone(tt.sent)
				n.out(p)
				before := n.Mappings(0)
				n.now++
				e := icmpError(hop, outside, typ, 4, p, tt.quote)
				n.in(e)
				require.Equal(t, a.Addr(), netip.AddrFrom4([4]byte(e[16:20])))
				require.Equal(t, hop, netip.AddrFrom4([4]byte(e[12:16])))
				require.Equal(t, [2]byte{typ, 4}, [2]byte(e[20:]))
				require.Equal(t, tt.sent[:len(e)-28], e[28:], "the packet as a had sent it")
				require.Equal(t, before, n.Mappings(n.now))
			})
		}
	}
}

// Options make the quoted header as long as it can be.
func TestErrorAboutLongHeader(t *testing.T) {
	n := newBox(t, nat.Config{})
	n.out(udp(b, x))
	p := tcp(a, x, syn)
	p = slices.Concat(p[:20], slices.Repeat([]byte{1}, 40), p[20:]) // NOPs
	p[0], p[3] = 0x4f, byte(len(p))
	mend(p)
	sent := slices.Clone(p)
	n.out(p)
	e := icmpError(hop, outside, 3, 4, p, 0)
	n.in(e)
	require.Equal(t, sent, e[28:])
}

// An error about nothing that an inside host has sent is dropped; one that is about a packet of the
// router itself, or makes no sense to us, is the router's.
func TestErrorFromOutsideAboutOthers(t *testing.T) {
	n := newBox(t, nat.Config{})
	p := udp(a, x)
	n.out(p)
	n.dropped(n.Inbound, icmpError(hop, outside, 3, 3, udp(at(5000), y), 0)) // nothing was sent to y
	n.untouched(n.Inbound, icmpError(hop, outside, 3, 3, udp(at(9), x), 0))
	n.untouched(n.Inbound, icmpError(hop, outside, 3, 3, udp(a, x), 0))
	wrong := icmpError(hop, outside, 3, 3, p, 0)
	wrong[24] ^= 1
	n.dropped(n.Inbound, wrong)
	n.dropped(n.Inbound, icmpError(hop, outside, 3, 3, p, 23)) // no ports
	n.dropped(n.Inbound, icmpError(hop, outside, 3, 3, p, 19)) // no header
	n.dropped(n.Inbound, icmpError(hop, outside, 3, 3, wrap(a.Addr(), x.Addr(), 47, make([]byte, 8)), 0))
	n.dropped(n.Inbound, icmpError(hop, outside, 3, 3, cut(udp(at(5000), x, data...), 256, 256, 1)[1], 0)) // of a later fragment
	n.dropped(n.Inbound, cut(icmpError(hop, outside, 3, 3, p, 0), 16, 16, 2)[0])
	n.untouched(n.Outbound, udp(at(22), x))
	n.untouched(n.Inbound, icmpError(hop, outside, 3, 3, udp(at(22), x), 0))
	require.EqualValues(t, 1, n.Stats().NoSession)
}

// An error of an inside host, or of a router inside, is the outside address's, and quotes the packet
// as it was outside (RFC 5508 REQ-5).
func TestErrorFromInside(t *testing.T) {
	n := newBox(t, nat.Config{Filtering: nat.AddressDependent})
	n.out(udp(a, x))
	sent := udp(x, at(5000), 1, 2, 3)
	for _, from := range []netip.Addr{a.Addr(), netip.MustParseAddr("10.7.7.7"), outside} {
		p := slices.Clone(sent)
		n.in(p)
		e := icmpError(from, x.Addr(), 3, 3, p, 28)
		n.out(e)
		require.Equal(t, outside, netip.AddrFrom4([4]byte(e[12:16])))
		require.Equal(t, sent[:28], e[28:])
	}
	n.dropped(n.Outbound, icmpError(a.Addr(), y.Addr(), 3, 3, udp(y, a), 0)) // nothing from y came in
	n.dropped(n.Outbound, icmpError(a.Addr(), y.Addr(), 3, 3, udp(x, a), 0)) // y has nothing to do with it
	n.dropped(n.Outbound, icmpError(a.Addr(), x.Addr(), 3, 3, udp(x, b), 0))
	// The router's own: about a packet to a port of its own, and about one between others.
	n.untouched(n.Outbound, icmpError(outside, x.Addr(), 3, 3, udp(x, at(9)), 0))
	n.dropped(n.Outbound, icmpError(outside, x.Addr(), 3, 3, udp(x, b), 0))
	some := newBox(t, nat.Config{Inside: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}})
	some.untouched(some.Outbound, icmpError(outside, x.Addr(), 3, 3, udp(x, ap("192.0.2.1:1")), 0))
}

// An echo reply that can't be delivered inside.
func TestErrorAboutEchoReply(t *testing.T) {
	n := newBox(t, nat.Config{})
	n.out(echo(8, a.Addr(), x.Addr(), 7))
	p := echo(0, x.Addr(), outside, 7)
	n.in(p)
	e := icmpError(a.Addr(), x.Addr(), 11, 1, p, 0)
	n.out(e)
	_, to := quotedEnds(e)
	require.Equal(t, at(7), to)
}

// An error about a hairpinned packet goes the same way back (RFC 5508 REQ-7).
func TestErrorHairpinned(t *testing.T) {
	n := newBox(t, nat.Config{})
	n.out(udp(b, x))
	p := udp(a, at(5000), 1)
	n.back(p)
	e := icmpError(b.Addr(), outside, 3, 3, p, 0)
	require.Equal(t, nat.Return, n.Inside(0, e))
	require.True(t, right(e))
	require.Equal(t, [2]netip.Addr{outside, a.Addr()}, [2]netip.Addr{netip.AddrFrom4([4]byte(e[12:16])), netip.AddrFrom4([4]byte(e[16:20]))})
	from, to := quotedEnds(e)
	require.Equal(t, [2]netip.AddrPort{a, at(5000)}, [2]netip.AddrPort{from, to})

	n.untouched(n.Inside, icmpError(b.Addr(), outside, 3, 3, udp(at(9), b), 0))
	ended := icmpError(b.Addr(), outside, 3, 3, p, 0)
	ended[8] = 1
	mend(ended)
	n.dropped(n.Inside, ended)
	require.Equal(t, nat.Drop, n.Inside(0, icmpError(b.Addr(), outside, 3, 3, udp(at(5000), ap("10.0.0.9:1")), 0)))
	require.Equal(t, nat.Drop, n.Inside(0, icmpError(b.Addr(), outside, 3, 3, udp(at(5000), at(1)), 0)))
}
