package stack_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"

	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
)

// A crossing is a router between a wire, where a test plays 10.1.0.9 and
// fd01::9, and a device of an MTU, on the far side of which are 10.2.0.0/16 and
// fd02::/32.
type crossing struct {
	n      *simnet.Network
	router *simnet.Host
	near   *simnet.Wire
	far    *tun.Func
	sent   [][]byte // to the far side
}

func newCrossing(t testing.TB, mtu int, forwarding bool) *crossing {
	c := &crossing{n: simnet.New(t)}
	c.router = c.n.HostConfig("router", stack.Config{Addresses: prefixes("10.1.0.1/16", "fd01::1/32"), Forwarding: forwarding, Routes: []stack.Route{}})
	c.near = c.n.Wire(c.router, "near", "10.1.0.9", "fd01::9")
	c.far = tun.NewFunc(mtu, func(b []byte) { c.sent = append(c.sent, b) })
	addrs := prefixes("10.2.0.1/16")
	if mtu >= 1280 {
		addrs = append(addrs, prefixes("fd02::1/32")...)
	}
	require.NoError(t, c.router.AddDevice(c.far, addrs...))
	return c
}

// udp is a packet of the near side.
func udp(source, destination string, size int) []byte {
	b := make([]byte, 8+size)
	binary.BigEndian.PutUint16(b, 1000)
	binary.BigEndian.PutUint16(b[2:], 2000)
	binary.BigEndian.PutUint16(b[4:], uint16(len(b)))
	for i := range size {
		b[8+i] = byte(i / 8)
	}
	return simnet.EncodeIP(netip.MustParseAddr(source), netip.MustParseAddr(destination), 17, b)
}

// edit changes a header of IPv4 and mends its checksum.
func edit(b []byte, f func(header.IPv4)) []byte {
	b = slices.Clone(b)
	h := header.IPv4(b)
	f(h)
	h.SetChecksum(0)
	h.SetChecksum(^h.CalculateChecksum())
	return b
}

// cross injects a packet, which nothing comes back for.
func (c *crossing) cross(t testing.TB, packet []byte) {
	t.Helper()
	c.sent = nil
	c.near.Inject(packet)
	require.NoError(t, c.near.ExpectSilence(time.Second)) // netstack's rate of ICMP errors
}

// refuse injects a packet that doesn't go on, and returns the ICMP error: type,
// code, MTU and what it quotes.
func (c *crossing) refuse(t testing.TB, packet []byte) (typ, code uint8, mtu uint16, quoted []byte) {
	t.Helper()
	c.sent = nil
	c.near.Inject(packet)
	p, err := c.near.Receive(time.Second)
	require.NoError(t, err)
	require.NoError(t, c.near.ExpectSilence(time.Second))
	require.Empty(t, c.sent)
	b := p.Data
	if b[0]>>4 == 4 {
		h := header.IPv4(b)
		require.True(t, h.IsValid(len(b)) && h.IsChecksumValid())
		require.LessOrEqual(t, len(b), 576)
		require.Equal(t, "10.1.0.1 10.1.0.9", h.SourceAddress().String()+" "+h.DestinationAddress().String())
		require.Equal(t, simnet.EncodeIP(netip.MustParseAddr("10.1.0.1"), netip.MustParseAddr("10.1.0.9"), 1, slices.Clone(b[20:]))[20:], b[20:], "the checksum")
		icmp := header.ICMPv4(b[20:])
		return uint8(icmp.Type()), uint8(icmp.Code()), icmp.MTU(), b[28:]
	}
	h := header.IPv6(b)
	require.LessOrEqual(t, len(b), 1280)
	require.Equal(t, "fd01::1 fd01::9", h.SourceAddress().String()+" "+h.DestinationAddress().String())
	require.Equal(t, simnet.EncodeIP(netip.MustParseAddr("fd01::1"), netip.MustParseAddr("fd01::9"), 58, slices.Clone(b[40:])), append(b[:7:7], append([]byte{64}, b[8:]...)...), "the checksum")
	icmp := header.ICMPv6(b[40:])
	return uint8(icmp.Type()), uint8(icmp.Code()), uint16(icmp.MTU()), b[48:]
}

// A packet goes on with one hop less, and nothing else is different.
func TestForwarding(t *testing.T) {
	c := newCrossing(t, 1500, true)
	four, six := udp("10.1.0.9", "10.2.0.9", 100), udp("fd01::9", "fd02::9", 1452)
	c.cross(t, append(slices.Clone(four), 1, 2, 3)) // with padding
	require.Equal(t, [][]byte{edit(four, func(h header.IPv4) { h.SetTTL(63) })}, c.sent)
	c.cross(t, six)
	six[7]--
	require.Equal(t, [][]byte{six}, c.sent)
	fragment := edit(four, func(h header.IPv4) { h.SetFlagsFragmentOffset(header.IPv4FlagMoreFragments, 64); h.SetTTL(2) })
	c.cross(t, fragment)
	require.Equal(t, [][]byte{edit(fragment, func(h header.IPv4) { h.SetTTL(1) })}, c.sent)
	require.EqualValues(t, 3, c.router.Stats().Forwarded)
	c.router.RemoveRoute(stack.Route{Destination: netip.MustParsePrefix("10.2.0.0/16"), Device: c.far})
	typ, code, _, _ := c.refuse(t, four)
	require.Equal(t, [2]uint8{3, 0}, [2]uint8{typ, code})
}

// What doesn't go on draws an error that quotes it (RFC 792, RFC 1812 §5.2.7,
// RFC 4443 §3).
func TestForwardingRefuses(t *testing.T) {
	c := newCrossing(t, 1300, true)
	hops := func(b []byte, n uint8) []byte {
		if b[0]>>4 == 4 {
			return edit(b, func(h header.IPv4) { h.SetTTL(n) })
		}
		b[7] = n
		return b
	}
	for _, tt := range []struct {
		name      string
		packet    []byte
		typ, code uint8
		mtu       uint16
	}{
		{"no route", udp("10.1.0.9", "10.3.0.1", 10), 3, 0, 0},
		{"no route", udp("fd01::9", "fd03::1", 10), 1, 0, 0},
		{"back on the link", udp("10.1.0.9", "10.1.0.8", 10), 3, 1, 0},
		{"back on the link", udp("fd01::9", "fd01::8", 10), 1, 3, 0},
		{"the last hop", hops(udp("10.1.0.9", "10.2.0.9", 10), 1), 11, 0, 0},
		{"the last hop", hops(udp("fd01::9", "fd02::9", 10), 1), 3, 0, 0},
		{"no hop", hops(udp("10.1.0.9", "10.2.0.9", 10), 0), 11, 0, 0},
		{"no hop", hops(udp("fd01::9", "fd02::9", 10), 0), 3, 0, 0},
		{"too big", udp("10.1.0.9", "10.2.0.9", 1273), 3, 4, 1300},
		{"too big", udp("fd01::9", "fd02::9", 1253), 2, 0, 1300},
	} {
		t.Run(tt.name, func(t *testing.T) {
			typ, code, mtu, quoted := c.refuse(t, tt.packet)
			assert.Equal(t, [3]uint16{uint16(tt.typ), uint16(tt.code), tt.mtu}, [3]uint16{uint16(typ), uint16(code), mtu})
			assert.True(t, bytes.HasPrefix(tt.packet, quoted) && len(quoted) >= min(len(tt.packet), 548), "%d bytes quoted", len(quoted))
		})
	}
	dropped := c.router.Stats().Dropped
	for name, packet := range map[string][]byte{
		"an error":         simnet.EncodeIP(netip.MustParseAddr("10.1.0.9"), netip.MustParseAddr("10.3.0.1"), 1, []byte{3, 1, 0, 0, 0, 0, 0, 0}),
		"an error of IPv6": simnet.EncodeIP(netip.MustParseAddr("fd01::9"), netip.MustParseAddr("fd03::1"), 58, []byte{1, 0, 0, 0, 0, 0, 0, 0}),
		"a later fragment": edit(udp("10.1.0.9", "10.3.0.1", 10), func(h header.IPv4) { h.SetFlagsFragmentOffset(0, 8) }),
	} {
		c.cross(t, packet)
		require.Empty(t, c.sent, name)
	}
	require.Equal(t, dropped+3, c.router.Stats().Dropped)
	_, _, _, quoted := c.refuse(t, simnet.EncodeIP(netip.MustParseAddr("10.1.0.9"), netip.MustParseAddr("10.3.0.1"), 1, []byte{8, 0, 0, 0, 0, 0, 0, 0}))
	require.NotEmpty(t, quoted, "of an echo request")
}

// What isn't for others, or nobody may send, doesn't go on.
func TestForwardingLeavesAlone(t *testing.T) {
	for _, forwarding := range []bool{true, false} {
		c := newCrossing(t, 1500, forwarding)
		require.NoError(t, c.router.AddRoute(stack.Route{Destination: netip.MustParsePrefix("0.0.0.0/0"), Device: c.far}))
		require.NoError(t, c.router.AddRoute(stack.Route{Destination: netip.MustParsePrefix("::/0"), Device: c.far}))
		packets := map[string][]byte{
			"limited broadcast":     udp("10.1.0.9", "255.255.255.255", 10),
			"broadcast":             udp("10.1.0.9", "10.1.255.255", 10),
			"broadcast over there":  udp("10.1.0.9", "10.2.255.255", 10),
			"multicast":             udp("10.1.0.9", "224.1.2.3", 10),
			"multicast, IPv6":       udp("fd01::9", "ff0e::1", 10),
			"loopback":              udp("10.1.0.9", "127.0.0.1", 10),
			"loopback, IPv6":        udp("fd01::9", "::1", 10),
			"unspecified":           udp("10.1.0.9", "0.0.0.0", 10),
			"this network":          udp("10.1.0.9", "0.1.2.3", 10),
			"class E":               udp("10.1.0.9", "240.0.0.1", 10),
			"link-local":            udp("10.1.0.9", "169.254.0.1", 10),
			"link-local, IPv6":      udp("fd01::9", "fe80::1", 10),
			"mapped":                udp("fd01::9", "::ffff:10.2.0.9", 10),
			"from one of our own":   udp("10.2.0.1", "10.2.0.9", 10),
			"from our own, IPv6":    udp("fd02::1", "fd02::9", 10),
			"from loopback":         udp("127.0.0.1", "10.2.0.9", 10),
			"from multicast":        udp("224.1.2.3", "10.2.0.9", 10),
			"from broadcast":        udp("10.2.255.255", "10.2.0.9", 10),
			"from nobody":           udp("0.0.0.0", "10.2.0.9", 10),
			"from nobody, IPv6":     udp("::", "fd02::9", 10),
			"from link-local, IPv6": udp("fe80::9", "fd02::9", 10),
			"a wrong checksum":      append([]byte{0x45, 1}, udp("10.1.0.9", "10.2.0.9", 10)[2:]...),
			"longer than it is":     udp("10.1.0.9", "10.2.0.9", 10)[:30],
			"longer, IPv6":          udp("fd01::9", "fd02::9", 10)[:50],
			"a short header":        edit(udp("10.1.0.9", "10.2.0.9", 10), func(h header.IPv4) { h[0] = 0x44 }),
		}
		if !forwarding {
			packets = map[string][]byte{"a good one": udp("10.1.0.9", "10.2.0.9", 10), "one of IPv6": udp("fd01::9", "fd02::9", 10)}
		}
		for name, packet := range packets {
			t.Run(name, func(t *testing.T) {
				c.near.Inject(packet)
				require.NoError(t, c.n.Advance(time.Second))
				require.Empty(t, c.sent)
				require.Zero(t, c.near.Discard())
				require.Zero(t, c.router.Stats().Forwarded)
			})
		}
	}
}

// A packet without DF that is too big for the next link goes on in fragments,
// also if it is one itself; put together they are the packet (RFC 791 §3.2).
func TestForwardingFragments(t *testing.T) {
	c := newCrossing(t, 600, true)
	whole := edit(udp("10.1.0.9", "10.2.0.9", 1400), func(h header.IPv4) { h.SetFlagsFragmentOffset(0, 0); h.SetID(77) })
	for _, tt := range []struct {
		name   string
		packet []byte
		more   bool
		offset int
	}{
		{"whole", whole, false, 0},
		{"a first fragment", edit(whole, func(h header.IPv4) { h.SetFlagsFragmentOffset(header.IPv4FlagMoreFragments, 0) }), true, 0},
		{"a last fragment", edit(whole, func(h header.IPv4) { h.SetFlagsFragmentOffset(0, 8000) }), false, 8000},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c.cross(t, tt.packet)
			require.Len(t, c.sent, 3)
			payload, at := []byte{}, tt.offset
			for i, b := range c.sent {
				h := header.IPv4(b)
				require.True(t, h.IsValid(len(b)) && h.IsChecksumValid())
				require.LessOrEqual(t, len(b), 600)
				require.EqualValues(t, 63, h.TTL())
				require.EqualValues(t, 77, h.ID())
				require.EqualValues(t, at, h.FragmentOffset())
				require.Equal(t, tt.more || i < 2, h.More())
				payload = append(payload, b[20:]...)
				at += len(b) - 20
			}
			require.Equal(t, tt.packet[20:], payload)
		})
	}
}

// TCP between two networks, of both versions.
func TestForwardingConversation(t *testing.T) {
	n := simnet.New(t)
	a := n.Host("a", "10.1.0.9/16", "fd01::9/32")
	b := n.Host("b", "10.2.0.9/16", "fd02::9/32")
	router := n.HostConfig("router", stack.Config{Addresses: prefixes("10.1.0.1/16", "fd01::1/32"), Forwarding: true})
	n.Link(a, router, simnet.Delay(time.Millisecond))
	n.Link(router, b, simnet.Addresses(router, "10.2.0.1/16", "fd02::1/32"), simnet.Delay(time.Millisecond))
	l, err := b.Listen("tcp", ":80")
	require.NoError(t, err)
	n.Background("server", func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			n.Background("echo", func() { io.Copy(c, c); c.Close() })
		}
	})
	for _, to := range []string{"10.2.0.9:80", "[fd02::9]:80"} {
		require.NoError(t, n.Do(to, func() {
			c, err := a.Dial("tcp", to)
			require.NoError(t, err)
			n.Go("writer", func() { c.Write(make([]byte, 200_000)); c.(interface{ CloseWrite() error }).CloseWrite() })
			k, err := io.Copy(io.Discard, c)
			require.NoError(t, err)
			require.EqualValues(t, 200_000, k)
			require.NoError(t, c.Close())
		}))
	}
}

// offloadPath is a client 10.1.0.9, a router with another device, far, and behind that
// a server at 10.2.0.9, port 80, that sends back what comes; IPv6 likewise.
func offloadPath(t *testing.T, far, end tun.Device) (client, router, server *stack.Stack) {
	host := func(d tun.Device, forwarding bool, addrs ...string) *stack.Stack {
		s, err := stack.New(stack.Config{Device: d, Addresses: prefixes(addrs...), Forwarding: forwarding})
		require.NoError(t, err)
		t.Cleanup(func() { s.Close() })
		return s
	}
	da, ra := tun.Pipe(1500)
	client = host(da, false, "10.1.0.9/16", "fd01::9/32")
	router = host(ra, true, "10.1.0.1/16", "fd01::1/32")
	require.NoError(t, router.AddDevice(far, prefixes("10.2.0.1/16", "fd02::1/32")...))
	server = host(end, false, "10.2.0.9/16", "fd02::9/32")
	l, err := server.Listen("tcp", ":80")
	require.NoError(t, err)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { io.Copy(c, c); c.Close() }()
		}
	}()
	return client, router, server
}

// Segments of 64 KiB cross from one device that carries them to another that
// does, and are cut up for one that doesn't.
func TestForwardingOffload(t *testing.T) {
	for _, tt := range []struct {
		name string
		far  func() (a, b tun.Device)
	}{
		{"offload", func() (tun.Device, tun.Device) { a, b := tun.Pipe(1500); return a, b }},
		{"plain", func() (tun.Device, tun.Device) {
			a, b := tun.Pipe(1500)
			return struct{ tun.Device }{a}, struct{ tun.Device }{b}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rb, db := tt.far()
			a, r, b := offloadPath(t, rb, db)
			for _, to := range []string{"10.2.0.9:80", "[fd02::9]:80"} {
				c, err := a.Dial("tcp", to)
				require.NoError(t, err)
				go func() { c.Write(make([]byte, 1<<20)); c.(interface{ CloseWrite() error }).CloseWrite() }()
				k, err := io.Copy(io.Discard, c)
				require.NoError(t, err)
				require.EqualValues(t, 1<<20, k)
				require.NoError(t, c.Close())
			}
			forwarded := r.Stats().Forwarded // first: more may be on the way
			if tt.name == "offload" {
				require.LessOrEqual(t, forwarded, a.Stats().SegmentsOut+b.Stats().SegmentsOut)
			}
		})
	}
}

// The next device has failed: the packet is lost. (netstack's own forwarding
// ends the process.)
func TestForwardingToADeadDevice(t *testing.T) {
	c := newCrossing(t, 1500, true)
	require.NoError(t, c.far.Close())
	c.cross(t, udp("10.1.0.9", "10.2.0.9", 10))
	c.cross(t, udp("fd01::9", "fd02::9", 10))
	require.Empty(t, c.sent)
}

// gVisor's forwarder can't work on a stack whose TCP isn't gVisor's. It panics; the
// message leads to what to use.
func TestGVisorForwarder(t *testing.T) {
	s, err := stack.New(stack.Config{})
	require.NoError(t, err)
	defer s.Close()
	defer func() {
		err, _ := recover().(error)
		require.ErrorContains(t, err, "stack.gVisorForwarderUnsupportedUseStackNewForwarder")
	}()
	tcp.NewForwarder(s.Netstack(), 0, 1, func(*tcp.ForwarderRequest) {})
}

// No packet stops a router, and what goes on is a packet of its size at most.
func FuzzForwarding(f *testing.F) {
	f.Add(udp("10.1.0.9", "10.2.0.9", 10))
	f.Add(udp("fd01::9", "fd02::9", 10))
	f.Add(edit(udp("10.1.0.9", "10.2.0.9", 1400), func(h header.IPv4) { h.SetFlagsFragmentOffset(0, 65528) }))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 1500 {
			return
		}
		c := newCrossing(t, 600, true)
		if len(b) >= 20 && b[0]>>4 == 4 && int(b[0]&15)*4 >= 20 && int(b[0]&15)*4 <= len(b) {
			b = edit(b, func(header.IPv4) {})
		}
		c.near.Inject(b)
		require.NoError(t, c.n.Advance(0))
		for _, p := range c.sent {
			if h := header.IPv4(p); len(p) > 600 || p[0]>>4 == 4 && (!h.IsValid(len(p)) || !h[:h.HeaderLength()].IsChecksumValid()) {
				t.Fatalf("sent %x", p)
			}
		}
	})
}
