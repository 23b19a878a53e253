package stack_test

import (
	"encoding/binary"
	"io"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
)

// six is a packet of IPv6 for the far side: extension headers, then filler up to
// a size.
func six(size int, next uint8, rest ...byte) []byte {
	rest = append(rest, make([]byte, max(0, size-40-len(rest)))...)
	return simnet.EncodeIP(netip.MustParseAddr("fd01::9"), netip.MustParseAddr("fd02::9"), next, rest)
}

// What is too big draws an error whatever it is, but for ICMP errors, and for what
// might be one, behind extension headers, too (RFC 4443 §2.4 (e)): without, nobody
// would learn the MTU of the path.
func TestForwardingExtensionHeaders(t *testing.T) {
	c := newCrossing(t, 1300, true)
	const hop, routing, fragment, authentication, options, icmp, udp, tcp, none, esp = 0, 43, 44, 51, 60, 58, 17, 6, 59, 50
	chain := []byte{}
	for range 200 { // longer than what an error quotes
		chain = append(chain, options, 0, 0, 0, 0, 0, 0, 0)
	}
	for _, tt := range []struct {
		name   string
		packet []byte
		answer bool
	}{
		{"TCP", six(1400, tcp), true},
		{"ESP", six(1400, esp), true},
		{"SCTP", six(1400, 132), true},
		{"nothing", six(1400, none), true},
		{"a first fragment", six(1400, fragment, udp, 0, 0, 1, 0, 0, 0, 1), true},
		{"a later fragment", six(1400, fragment, udp, 0, 8, 1, 0, 0, 0, 1), true},
		{"hop-by-hop options", six(1400, hop, udp, 0), true},
		{"options, routing", six(1400, options, routing, 0, 0, 0, 0, 0, 0, 0, tcp, 1), true},
		{"authentication", six(1400, authentication, udp, 2), true},
		{"echo request", six(1400, icmp, 128, 0), true},
		{"echo in a first fragment", six(1400, fragment, icmp, 0, 0, 1, 0, 0, 0, 1, 128), true},
		{"error", six(1400, icmp, 1, 0), false},
		{"redirect", six(1400, icmp, 137, 0), false},
		{"error in a first fragment", six(1400, fragment, icmp, 0, 0, 1, 0, 0, 0, 1, 1), false},
		{"ICMP in a later fragment", six(1400, fragment, icmp, 0, 8, 1, 0, 0, 0, 1, 128), false},
		{"options in a later fragment", six(1400, fragment, options, 0, 8, 1, 0, 0, 0, 1, udp), false},
		{"error behind options", six(1400, options, icmp, 0, 0, 0, 0, 0, 0, 0, 3, 0), false},
		{"error behind authentication", six(1400, authentication, append([]byte{icmp, 2}, append(make([]byte, 14), 3)...)...), false},
		{"options that end beyond the packet", six(1400, options, udp, 255), false},
		{"no end of options", six(1400, options, chain...), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if !tt.answer {
				c.cross(t, tt.packet)
				require.Empty(t, c.sent)
				return
			}
			typ, code, mtu, _ := c.refuse(t, tt.packet)
			assert.Equal(t, [3]uint16{2, 0, 1300}, [3]uint16{uint16(typ), uint16(code), mtu})
		})
	}
}

// Options stand in the first fragment, and in the others only if their type says
// so (RFC 791 §3.1).
func TestForwardingFragmentsOptions(t *testing.T) {
	c := newCrossing(t, 600, true)
	plain := udp("10.1.0.9", "10.2.0.9", 1400)
	with := func(options ...byte) []byte {
		b := append(append(slices.Clone(plain[:20]), options...), plain[20:]...)
		return edit(b, func(h header.IPv4) {
			h[0] += byte(len(options) / 4)
			h.SetTotalLength(uint16(len(b)))
			h.SetFlagsFragmentOffset(0, 0)
		})
	}
	record, route := []byte{7, 7, 4, 0, 0, 0, 0}, []byte{131, 7, 4, 1, 2, 3, 4}
	for _, tt := range []struct {
		name        string
		first, rest []byte
	}{
		{"copied", append(slices.Clone(route), 0), append(slices.Clone(route), 0)},
		{"not copied", append(slices.Clone(record), 0), []byte{1, 1, 1, 1, 1, 1, 1, 0}},
		{"both", slices.Concat(record, []byte{1, 1}, route), slices.Concat([]byte{1, 1, 1, 1, 1, 1, 1, 1, 1}, route)},
		{"behind the end", []byte{0, 7, 3, 4}, []byte{0, 7, 3, 4}},
		{"without a length", []byte{1, 1, 1, 7}, []byte{1, 1, 1, 7}},
		{"longer than there is room", []byte{1, 7, 9, 4}, []byte{1, 7, 9, 4}},
		{"shorter than itself", []byte{7, 1, 7, 0}, []byte{7, 1, 7, 0}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c.cross(t, with(tt.first...))
			require.Len(t, c.sent, 3)
			for i, b := range c.sent {
				h := header.IPv4(b)
				require.True(t, h.IsValid(len(b)) && h[:h.HeaderLength()].IsChecksumValid())
				want := tt.first
				if i > 0 {
					want = tt.rest
				}
				require.Equal(t, want, []byte(h[20:h.HeaderLength()]), "fragment %d", i)
			}
		})
	}
}

// A fragment that no packet has room for would go on with offsets that begin
// anew.
func TestForwardingFragmentBeyondTheEnd(t *testing.T) {
	c := newCrossing(t, 600, true)
	beyond := edit(udp("10.1.0.9", "10.2.0.9", 1400), func(h header.IPv4) { h.SetFlagsFragmentOffset(0, 65528) })
	c.cross(t, beyond)
	require.Empty(t, c.sent)
	last := edit(udp("10.1.0.9", "10.2.0.9", 100), func(h header.IPv4) { h.SetFlagsFragmentOffset(0, 65400) })
	c.cross(t, last)
	require.Len(t, c.sent, 1)
}

// IPv6 needs 1,280 bytes of a link (RFC 8200 §5): a smaller one isn't a way, and
// no error says that packets should be smaller than that.
func TestForwardingToASmallLink(t *testing.T) {
	c := newCrossing(t, 600, true)
	require.NoError(t, c.router.AddRoute(stack.Route{Destination: netip.MustParsePrefix("fd02::/32"), Device: c.far}))
	for _, size := range []int{100, 1280} {
		typ, code, mtu, _ := c.refuse(t, six(size, 17))
		require.Equal(t, [3]uint16{1, 0, 0}, [3]uint16{uint16(typ), uint16(code), mtu})
	}
}

// An error fits the link that it goes back by.
func TestForwardingErrorsFit(t *testing.T) {
	n := simnet.New(t)
	router := n.HostConfig("router", stack.Config{MTU: 100, Addresses: prefixes("10.1.0.1/16"), Routes: []stack.Route{}, Forwarding: true})
	near := n.Wire(router, "near", "10.1.0.9")
	near.Inject(udp("10.1.0.9", "10.3.0.9", 60))
	p, err := near.Receive(time.Second)
	require.NoError(t, err)
	require.Len(t, p.Data, 100)
	require.Equal(t, []byte{3, 0}, p.Data[20:22])
}

// A device that has a route and no address, whose MTU no IP link can have.
func TestRouteToATinyDevice(t *testing.T) {
	_, err := stack.New(stack.Config{Routes: []stack.Route{{Destination: netip.MustParsePrefix("10.0.0.0/8"), Device: tiny{tun.NewFunc(68, nil)}}}})
	require.ErrorContains(t, err, "config.Routes[0]: MTU 20 is not between 68 and 65535")
}

type tiny struct{ *tun.Func }

func (tiny) MTU() int { return 20 }

// However many packets draw errors, there are fifty at once and a thousand a
// second, of both versions together.
func TestForwardingErrorRate(t *testing.T) {
	c := newCrossing(t, 1500, true)
	expired, expired6 := edit(udp("10.1.0.9", "10.2.0.9", 10), func(h header.IPv4) { h.SetTTL(1) }), six(100, 17)
	expired6[7] = 1
	flood := func() (answers int) {
		for range 500 {
			c.near.Inject(expired)
			c.near.Inject(expired6)
		}
		require.NoError(t, c.n.Advance(0))
		return c.near.Discard()
	}
	require.Equal(t, 50, flood())
	require.NoError(t, c.n.Advance(20*time.Millisecond))
	require.InDelta(t, 20, flood(), 1)
	require.Empty(t, c.sent)
}

// Two routers that believe each other to be the way, over two links: a packet
// takes as many hops as it has, and ends with one error.
func TestForwardingLoop(t *testing.T) {
	errs := make(chan []byte, 100)
	near := tun.NewFunc(1500, func(b []byte) { errs <- b })
	there, arrives := tun.Pipe(1500)
	back, returns := tun.Pipe(1500)
	far := prefixes("10.9.0.0/16", "fd09::/16")
	a, err := stack.New(stack.Config{Device: near, Addresses: prefixes("10.1.0.1/16", "fd01::1/32"), Forwarding: true,
		Routes: []stack.Route{{Destination: far[0], Device: there}, {Destination: far[1], Device: there}}})
	require.NoError(t, err)
	defer a.Close()
	require.NoError(t, a.AddDevice(returns))
	b, err := stack.New(stack.Config{Device: arrives, Addresses: prefixes("10.8.0.1/16", "fd08::1/32"), Forwarding: true,
		Routes: []stack.Route{{Destination: far[0], Device: back}, {Destination: far[1], Device: back}}})
	require.NoError(t, err)
	defer b.Close()
	for i, packet := range [][]byte{udp("10.1.0.9", "10.9.0.1", 10), udp("fd01::9", "fd09::1", 10)} {
		near.Inject(packet)
		want := [...][2]byte{{11, 0}, {3, 0}}[i]
		e := <-errs
		at := len(packet) - 18
		require.Equal(t, want, [2]byte(e[at:at+2]))
	}
}

// Segments of 64 KiB meet a link that is smaller: the sender learns the MTU of the
// path, and everything arrives.
func TestForwardingOffloadToASmallerLink(t *testing.T) {
	for _, plain := range []bool{false, true} {
		rb, db := tun.Pipe(1300)
		far := rb
		if plain {
			far = struct{ tun.Device }{rb}
		}
		a, _, _ := offloadPath(t, far, db)
		for _, to := range []string{"10.2.0.9:80", "[fd02::9]:80"} {
			c, err := a.Dial("tcp", to)
			require.NoError(t, err)
			sent := make([]byte, 1<<20)
			for i := range len(sent) / 4 {
				binary.BigEndian.PutUint32(sent[i*4:], uint32(i))
			}
			go func() { c.Write(sent); c.(interface{ CloseWrite() error }).CloseWrite() }()
			got, err := io.ReadAll(c)
			require.NoError(t, err)
			require.True(t, slices.Equal(sent, got))
			require.NoError(t, c.Close())
		}
	}
}
