package wg

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"

	"github.com/wsstack/wsstack/internal/inet"
)

// newPaths returns what is known of the paths to three peers, outside: one takes packets of 1300
// bytes, one all, and of one nobody knows where it is.
func newPaths() *paths {
	p := &paths{mtu: 1420, path: func(a netip.Addr) int {
		return map[string]int{"192.0.2.1": 1300, "2001:db8::1": 1300, "192.0.2.2": 1500}[a.String()]
	}}
	p.update([]PeerStatus{
		{Peer: Peer{AllowedIPs: prefixes("10.1.0.0/16 fd01::/16")}, At: netip.MustParseAddrPort("192.0.2.1:1")},
		{Peer: Peer{AllowedIPs: prefixes("10.1.7.0/24 0.0.0.0/0")}, At: netip.MustParseAddrPort("192.0.2.2:1")},
		{Peer: Peer{AllowedIPs: prefixes("10.3.0.0/16")}},
		{Peer: Peer{AllowedIPs: prefixes("10.6.0.0/16 fd06::/16")}, At: netip.MustParseAddrPort("[2001:db8::1]:1")},
	})
	return p
}

// The limit for a destination is that of the peer that has the longest prefix, less what the tunnel
// puts around a packet, and padded.
func TestPaths_Limits(t *testing.T) {
	p := newPaths()
	for to, want := range map[string]int{
		"10.1.2.3": 1232, "10.1.7.1": 0, "8.8.8.8": 0, "10.3.0.1": 0, "10.6.0.1": 1216, "fd01::1": 1232, "fd06::1": 1216, "2000::1": 0,
	} {
		require.Equal(t, want, p.limits.Load().to(netip.MustParseAddr(to)), to)
	}
	p.path = func(netip.Addr) int { return 1480 }
	p.update([]PeerStatus{{At: netip.MustParseAddrPort("192.0.2.1:1")}})
	require.Nil(t, p.limits.Load(), "1420 and 60 fit")
	p.path = func(netip.Addr) int { return 1479 }
	p.update([]PeerStatus{{At: netip.MustParseAddrPort("192.0.2.1:1")}})
	require.NotNil(t, p.limits.Load())
	p.path = func(netip.Addr) int { return 68 }
	require.Equal(t, inet.MinMTU4, p.limit(netip.MustParseAddr("192.0.2.1")))
}

// packet makes a packet of size bytes from 10.0.0.1 or fd00::1.
func packet(to string, protocol uint8, size int) []byte {
	h := inet.Header{Source: netip.MustParseAddr("10.0.0.1"), Dest: netip.MustParseAddr(to), Protocol: protocol, TTL: 64}
	headers := 20
	if h.Dest.Is6() {
		h.Source, headers = netip.MustParseAddr("fd00::1"), 40
	}
	transport := make([]byte, size-headers)
	for i := range transport {
		transport[i] = byte(i + 128)
	}
	return h.Encode(transport)
}

// A packet that is too large is answered as by a router, with its beginning quoted.
func TestPaths_Look(t *testing.T) {
	p := newPaths()
	for to, want := range map[string]struct{ limit, quoted int }{
		"10.1.2.3": {1232, 548}, "10.6.0.1": {1216, 548}, "fd01::1": {1280, 1232}, "fd06::1": {1280, 1232},
	} {
		require.Nil(t, p.look(packet(to, 17, 1000), want.limit), to)
		b := packet(to, 6, 1420)
		answer := p.look(b, want.limit+1)
		require.NotNil(t, answer, to)
		if want.limit == 1280 {
			require.Equal(t, b[24:40], answer[8:24])
			require.Equal(t, b[8:24], answer[24:40])
			require.Equal(t, []byte{2, 0}, answer[40:42])
			require.EqualValues(t, want.limit, binary.BigEndian.Uint32(answer[44:]))
			require.Equal(t, b[:want.quoted], answer[48:])
			require.True(t, inet.Header{Source: netip.AddrFrom16([16]byte(answer[8:])), Dest: netip.AddrFrom16([16]byte(answer[24:])), Protocol: 58}.ChecksumFits(answer[40:]))
			continue
		}
		require.Equal(t, b[16:20], answer[12:16])
		require.Equal(t, b[12:16], answer[16:20])
		require.Equal(t, []byte{3, 4}, answer[20:22])
		require.EqualValues(t, want.limit, binary.BigEndian.Uint16(answer[26:]))
		require.Equal(t, b[:want.quoted], answer[28:])
		require.EqualValues(t, 0xffff, checksum.Checksum(answer[20:], 0))
		require.EqualValues(t, 0xffff, checksum.Checksum(answer[:20], 0))
	}
}

// What may be cut up on the way, and what must not be answered, goes out.
func TestPaths_LookAway(t *testing.T) {
	p := newPaths()
	with := func(b []byte, change func([]byte)) []byte {
		change(b)
		return b
	}
	for name, b := range map[string][]byte{
		"no path is small":      packet("10.1.7.1", 6, 1420),
		"may be cut up":         with(packet("10.1.0.1", 17, 1420), func(b []byte) { b[6] = 0 }),
		"later fragment":        with(packet("10.1.0.1", 17, 1420), func(b []byte) { b[7] = 1 }),
		"error of ICMP":         with(packet("10.1.0.1", 1, 1420), func(b []byte) { b[20] = 3 }),
		"error of ICMPv6":       with(packet("fd01::1", 58, 1420), func(b []byte) { b[40] = 1 }),
		"cut short":             packet("10.1.0.1", 6, 1420)[:19],
		"cut short, IPv6":       packet("fd01::1", 6, 1420)[:39],
		"nothing behind":        packet("10.1.0.1", 1, 1420)[:20],
		"nothing behind either": packet("fd01::1", 58, 1420)[:40],
		"neither version":       with(packet("10.1.0.1", 6, 1420), func(b []byte) { b[0] = 0x55 })[:30],
	} {
		require.Nil(t, p.look(b, 1420), name)
	}
	for name, b := range map[string][]byte{
		"request of ICMP":   with(packet("10.1.0.1", 1, 1420), func(b []byte) { b[20] = 8 }),
		"request of ICMPv6": with(packet("fd01::1", 58, 1420), func(b []byte) { b[40] = 128 }),
	} {
		require.NotNil(t, p.look(b, 1420), name)
	}
	require.Nil(t, (&paths{}).look(packet("10.1.0.1", 6, 1420), 1420), "nothing is known")
}

// Whatever the packet, looking at it does nothing worse than an answer of the right size.
func FuzzPathsLook(f *testing.F) {
	p := newPaths()
	f.Add(packet("10.1.0.1", 6, 1420), 1420)
	f.Add(packet("fd01::1", 58, 1420), 65535)
	f.Add([]byte{}, 0)
	f.Fuzz(func(t *testing.T, b []byte, size int) {
		if answer := p.look(b, size); answer != nil {
			require.LessOrEqual(t, len(answer), maxError6)
			require.GreaterOrEqual(t, len(answer), 48)
		}
	})
}
