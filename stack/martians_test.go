package stack_test

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/provider"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

// Sources that no host on the link can have, and destinations that it mustn't
// reach: dropped, counted, and seen by nobody.
func TestMartians(t *testing.T) {
	s, d, sent := lonely(t)
	c, err := s.ListenPacket("udp", ":53")
	require.NoError(t, err)
	defer c.Close()
	p, err := provider.Startup(s, wsa.WINSOCK_VERSION)
	require.NoError(t, err)
	raws := map[bool]wsa.SOCKET{}
	for v6, any := range map[bool]netip.Addr{false: netip.IPv4Unspecified(), true: netip.IPv6Unspecified()} {
		family := int32(wsa.AF_INET)
		if v6 {
			family = wsa.AF_INET6
		}
		raw, err := p.Socket(family, wsa.SOCK_RAW, wsa.IPPROTO_UDP)
		require.NoError(t, err)
		require.NoError(t, p.Bind(raw, netip.AddrPortFrom(any, 0)))
		_, err = p.Ioctl(raw, wsa.FIONBIO, []byte{1, 0, 0, 0}, nil)
		require.NoError(t, err)
		if !v6 {
			require.NoError(t, p.SetSockOpt(raw, wsa.SOL_SOCKET, wsa.SO_BROADCAST, []byte{1, 0, 0, 0}, 4))
		}
		raws[v6] = raw
	}
	for _, tt := range []struct {
		from, to string
		dropped  uint64
	}{
		{"10.0.0.2", "10.0.0.1", 0},
		{"0.0.0.0", "10.0.0.1", 1},
		{"0.0.0.0", "10.0.0.255", 1},
		{"0.0.0.0", "255.255.255.255", 0}, // DHCP
		{"0.1.2.3", "10.0.0.1", 1},
		{"0.1.2.3", "255.255.255.255", 1},
		{"255.255.255.255", "10.0.0.1", 1},
		{"10.0.0.255", "10.0.0.1", 1},
		{"224.0.0.1", "10.0.0.1", 1},
		{"239.255.255.250", "10.0.0.1", 1},
		{"10.0.0.1", "10.0.0.1", 1},
		{"127.0.0.1", "10.0.0.1", 1},
		{"127.9.9.9", "10.0.0.1", 1},
		{"10.0.0.2", "127.0.0.1", 1},
		{"fd00::2", "fd00::1", 0},
		{"::", "fd00::1", 1},
		{"::1", "fd00::1", 1},
		{"fd00::2", "::1", 1},
		{"fd00::1", "fd00::1", 1},
		{"ff02::1", "fd00::1", 1},
		{"::ffff:10.0.0.2", "fd00::1", 1},
		{"::ffff:127.0.0.1", "fd00::1", 1},
		{"fd00::2", "::ffff:10.0.0.1", 1},
	} {
		name := fmt.Sprintf("%s to %s", tt.from, tt.to)
		from, to := netip.MustParseAddr(tt.from), netip.MustParseAddr(tt.to)
		raw := raws[to.Is6()]
		for _, port := range []uint16{53, 54} { // open, closed
			before := s.Stats().Dropped
			d.Inject(datagram(from, to, port))
			s.Settle()
			require.Equal(t, tt.dropped, s.Stats().Dropped-before, name)
			if tt.dropped == 1 {
				require.Empty(t, sent, "%s: no answer", name)
			}
			for len(sent) > 0 {
				<-sent
			}
			_, err := p.Recv(raw, make([]byte, 2000), 0)
			require.Equal(t, tt.dropped == 0, err == nil, "%s: raw socket: %v", name, err)
		}
	}
	requireQueued(t, c, 2, "from hosts, and none of the broadcasts")
}

// datagram is simnet.EncodeUDP without an idea of what an address is for.
func datagram(from, to netip.Addr, port uint16) []byte {
	b := binary.BigEndian.AppendUint16(nil, 68)
	b = binary.BigEndian.AppendUint16(b, port)
	b = append(b, 0, 9, 0, 0, 'x')
	return simnet.EncodeIP(from, to, 17, b)
}

// What is bounded of the packets of others is of one's own.
func TestOwnEmptyDatagramsAreBounded(t *testing.T) {
	s, _, _ := lonely(t)
	for _, to := range []string{"127.0.0.1:53", "[::1]:53", "10.0.0.1:53"} {
		p, err := s.ListenPacket("udp", to)
		require.NoError(t, err)
		c, err := s.Dial("udp", to)
		require.NoError(t, err)
		for range 5000 {
			_, err := c.Write(nil)
			require.NoError(t, err)
		}
		s.Settle()
		requireQueued(t, p, 4096, to)
		require.NoError(t, c.Close())
		require.NoError(t, p.Close())
	}
}

// A raw socket's queue charges payload only: IPv6 packets without any aren't given
// to it, whatever stands before.
func TestEmptyRawPackets(t *testing.T) {
	s, d, _ := lonely(t)
	p, err := provider.Startup(s, wsa.WINSOCK_VERSION)
	require.NoError(t, err)
	raw, err := p.Socket(wsa.AF_INET6, wsa.SOCK_RAW, 252)
	require.NoError(t, err)
	require.NoError(t, p.Bind(raw, netip.MustParseAddrPort("[::]:0")))
	_, err = p.Ioctl(raw, wsa.FIONBIO, []byte{1, 0, 0, 0}, nil)
	require.NoError(t, err)
	from, to := netip.MustParseAddr("fd00::2"), netip.MustParseAddr("fd00::1")
	for name, packet := range map[string][]byte{
		"nothing":       simnet.EncodeIP(from, to, 252, nil),
		"a header":      simnet.EncodeIP(from, to, 60, []byte{252, 0, 1, 4, 0, 0, 0, 0}),
		"two headers":   simnet.EncodeIP(from, to, 60, []byte{60, 0, 1, 4, 0, 0, 0, 0, 252, 0, 1, 4, 0, 0, 0, 0}),
		"an atomic one": simnet.EncodeIP(from, to, 44, []byte{252, 0, 0, 0, 0, 0, 0, 1}),
	} {
		before := s.Stats()
		d.Inject(packet)
		s.Settle()
		_, err = p.Recv(raw, make([]byte, 100), 0)
		require.Equal(t, wsa.WSAEWOULDBLOCK, err, name)
		after := s.Stats()
		require.Equal(t, before.Dropped+before.Malformed+1, after.Dropped+after.Malformed, name)
	}
	_, err = p.SendTo(raw, nil, 0, netip.AddrPortFrom(to, 0)) // to ourselves
	require.NoError(t, err)
	s.Settle()
	_, err = p.Recv(raw, make([]byte, 100), 0)
	require.Equal(t, wsa.WSAEWOULDBLOCK, err)
	d.Inject(simnet.EncodeIP(from, to, 252, []byte("x")))
	s.Settle()
	_, err = p.Recv(raw, make([]byte, 100), 0)
	require.NoError(t, err)
}
