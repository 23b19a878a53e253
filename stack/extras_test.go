package stack_test

import (
	"encoding/binary"
	"math/rand"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/tcpip/faketime"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/wsstack/wsstack/internal/inet"
	"github.com/wsstack/wsstack/internal/socket"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
	"github.com/wsstack/wsstack/wsa"
)

// silent is a stack without a neighbour, whose packets go to send.
func silent(t *testing.T, cfg stack.Config, send func(p []byte)) (*stack.Stack, *tun.Func) {
	d := tun.NewFunc(1500, send)
	clock := faketime.NewManualClock()
	clock.Advance(time.Hour)
	cfg.Device, cfg.Clock, cfg.Addresses = d, clock, prefixes("10.0.0.1/24", "fd00::1/64", "fe80::1/64")
	s, err := stack.New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s, d
}

// withHops is a datagram socket with a source route or a routing header through one address.
func withHops(t *testing.T, s *stack.Stack, hop netip.Addr) *socket.Socket {
	level, name, v := int32(wsa.IPPROTO_IP), int32(wsa.IP_OPTIONS), []byte{131, 7, 4}
	family := int32(wsa.AF_INET)
	if hop.Is6() {
		family, level, name, v = wsa.AF_INET6, wsa.IPPROTO_IPV6, wsa.IPV6_RTHDR, []byte{0, 2, 2, 1, 0, 0, 0, 0}
	}
	c, errno := socket.New(socket.HostOf(s), family, wsa.SOCK_DGRAM, 0, "")
	require.Zero(t, errno)
	require.Zero(t, c.SetSockOpt(level, name, append(v, hop.AsSlice()...)))
	return c
}

// A route leads through single hosts: SO_BROADCAST isn't got round, and no IPv4 address in IPv6 form
// is on a wire (IO-4).
func TestExtras_Hops(t *testing.T) {
	var sent []netip.Addr
	s, _ := silent(t, stack.Config{}, func(p []byte) {
		if header.IPVersion(p) == header.IPv4Version {
			sent = append(sent, netip.AddrFrom4([4]byte(p[16:20])))
		} else {
			sent = append(sent, netip.AddrFrom16([16]byte(p[24:40])))
		}
	})
	for _, tt := range []struct {
		hop string
		err wsa.Errno
	}{
		{"10.0.0.9", 0},
		{"0.0.0.0", wsa.WSAEHOSTUNREACH},
		{"255.255.255.255", wsa.WSAEHOSTUNREACH},
		{"10.0.0.255", wsa.WSAEHOSTUNREACH},
		{"224.0.0.1", wsa.WSAEHOSTUNREACH},
		{"fd00::9", 0},
		{"fe80::9", 0},
		{"::", wsa.WSAEHOSTUNREACH},
		{"ff02::1", wsa.WSAEHOSTUNREACH},
		{"::ffff:10.0.0.9", wsa.WSAEHOSTUNREACH},
	} {
		hop, to := netip.MustParseAddr(tt.hop), "10.0.0.2:80"
		if hop.Is6() {
			to = "[fd00::2]:80"
		}
		sent = nil
		_, err := withHops(t, s, hop).SendTo([]byte("data"), 0, netip.MustParseAddrPort(to))
		require.Equal(t, tt.err, err, tt.hop)
		s.Settle()
		if err == 0 {
			require.Equal(t, []netip.Addr{hop}, sent)
		} else {
			require.Empty(t, sent, tt.hop)
		}
	}
}

// A link-local first hop is on the link that the destination is on.
func TestExtras_LinkLocalHop(t *testing.T) {
	s, _ := silent(t, stack.Config{}, func([]byte) { t.Error("a packet on the other link") })
	var sent int
	require.NoError(t, s.AddDevice(tun.NewFunc(1500, func([]byte) { sent++ }), prefixes("fd01::1/64", "fe80::1/64")...))
	_, err := withHops(t, s, netip.MustParseAddr("fe80::9")).SendTo([]byte("data"), 0, netip.MustParseAddrPort("[fe80::2%3]:80"))
	require.Zero(t, err)
	s.Settle()
	require.Equal(t, 1, sent)
}

// What may not be cut up is not, where the first hop is on a link that takes less than the one to
// the destination.
func TestExtras_DontFragment(t *testing.T) {
	s, _ := silent(t, stack.Config{Forwarding: true}, func([]byte) {})
	var sent int
	narrow := tun.NewFunc(600, func([]byte) { sent++ })
	require.NoError(t, s.AddDevice(narrow, prefixes("10.1.0.1/24")...))
	for df, want := range []wsa.Errno{0, wsa.WSAEMSGSIZE} {
		sent = 0
		c := withHops(t, s, netip.MustParseAddr("10.1.0.9"))
		require.Zero(t, c.SetSockOpt(wsa.IPPROTO_IP, wsa.IP_DONTFRAGMENT, []byte{byte(df), 0, 0, 0}))
		_, err := c.SendTo(make([]byte, 1000), 0, netip.MustParseAddrPort("10.0.0.2:80"))
		require.Equal(t, want, err)
		s.Settle()
		require.Equal(t, 2-2*df, sent)
	}
}

// Whatever header options a socket accepts, each packet is as long as it says, its options are whole
// and its extension headers lead to the payload.
func TestExtras_WellFormed(t *testing.T) {
	rng := rand.New(rand.NewSource(1))
	sent, bad := 0, [][]byte(nil)
	s, _ := silent(t, stack.Config{}, func(p []byte) {
		if sent++; !wellFormed(p) {
			bad = append(bad, p)
		}
	})
	for range 2000 {
		to, family := netip.MustParseAddrPort("10.0.0.2:80"), int32(wsa.AF_INET)
		level, names := int32(wsa.IPPROTO_IP), []int32{wsa.IP_OPTIONS}
		if rng.Intn(2) == 0 {
			to, family = netip.MustParseAddrPort("[fd00::2]:80"), wsa.AF_INET6
			level, names = wsa.IPPROTO_IPV6, []int32{wsa.IPV6_HOPOPTS, wsa.IPV6_RTHDR, wsa.IPV6_DSTOPTS}
		}
		c, errno := socket.New(socket.HostOf(s), family, wsa.SOCK_DGRAM, 0, "")
		require.Zero(t, errno)
		for _, name := range names {
			c.SetSockOpt(level, name, someOptions(rng, name)) // or not, if it won't have them
		}
		if _, err := c.SendTo(make([]byte, rng.Intn(65600)>>rng.Intn(8)), 0, to); err != 0 {
			require.Contains(t, []wsa.Errno{wsa.WSAEMSGSIZE, wsa.WSAEHOSTUNREACH, wsa.WSAENETUNREACH}, err)
		}
		require.Zero(t, c.Close())
	}
	s.Settle()
	require.Empty(t, bad)
	require.Greater(t, sent, 2000)
}

// someOptions are bytes that are often a value of an option.
func someOptions(rng *rand.Rand, name int32) []byte {
	b := make([]byte, rng.Intn(41))
	at := 0
	if name != wsa.IP_OPTIONS {
		b = make([]byte, 8+8*rng.Intn(32))
		b[1], at = byte(len(b)/8-1), 2
	}
	if name == wsa.IPV6_RTHDR {
		rng.Read(b[at:])
		b[2], b[3], b[4] = []byte{2, 4, 253}[rng.Intn(3)], byte(rng.Intn(4)), byte(rng.Intn(4))
		return b
	}
	for at+2 < len(b) {
		n := 2 + rng.Intn(len(b)-at-2)
		size := n // of IPv4 with type and length
		if name != wsa.IP_OPTIONS {
			size -= 2
		}
		b[at], b[at+1] = []byte{7, 68, 131, 137, 148, 5}[rng.Intn(6)], byte(size)
		rng.Read(b[at+2 : at+n])
		if n > 2 && rng.Intn(2) == 0 {
			b[at+2] = 4
		}
		at += n
	}
	return b
}

func wellFormed(p []byte) bool {
	if header.IPVersion(p) == header.IPv4Version {
		ip := header.IPv4(p)
		return ip.IsValid(len(p)) && int(ip.TotalLength()) == len(p) && ip.IsChecksumValid()
	}
	ip := header.IPv6(p)
	next, rest := ip.NextHeader(), p[header.IPv6MinimumSize:]
	for int(ip.PayloadLength()) == len(p)-header.IPv6MinimumSize {
		n := 8
		switch next {
		case uint8(header.UDPProtocolNumber):
			return len(rest) >= header.UDPMinimumSize
		case header.IPv6FragmentHeader:
			if len(rest) >= n && binary.BigEndian.Uint16(rest[2:])>>3 != 0 { // a later one
				return true
			}
		case inet.HopByHop, inet.RoutingHeader, inet.DestinationOptions:
			n += 8 * int(rest[1])
		default:
			return false
		}
		if len(rest) < n {
			return false
		}
		next, rest = rest[0], rest[n:]
	}
	return false
}
