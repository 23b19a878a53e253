package socket_test

import (
	"encoding/binary"
	"net/netip"
	"sync"
	"testing"

	"github.com/wsstack/wsstack/internal/socket"
	"github.com/wsstack/wsstack/internal/sockettest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
	"github.com/wsstack/wsstack/wsa"
)

// tap is a device that keeps what is sent.
type tap struct {
	mu      sync.Mutex
	packets [][]byte
}

func (c *tap) out(packet []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.packets = append(c.packets, packet)
}

// take returns the packets sent since the last call.
func (c *tap) take() []ipPacket {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []ipPacket
	for _, b := range c.packets {
		all = append(all, ipPacket(b))
	}
	c.packets = nil
	return all
}

// one returns the only packet sent.
func (c *tap) one(t *testing.T) ipPacket {
	t.Helper()
	all := c.take()
	require.Len(t, all, 1)
	return all[0]
}

// tapped returns a stack and what leaves it by its device.
func tapped(t *testing.T) (*stack.Stack, *tap) {
	t.Helper()
	c := &tap{}
	return sockettest.NewStack(t, tun.NewFunc(1500, c.out), "10.0.0.1/24", "fd00::1/64"), c
}

// ipPacket is an IPv4 or IPv6 packet without extension headers.
type ipPacket []byte

func (p ipPacket) v6() bool { return p[0]>>4 == 6 }

func (p ipPacket) ttl() int {
	if p.v6() {
		return int(p[7])
	}
	return int(p[8])
}

func (p ipPacket) class() int {
	if p.v6() {
		return int(binary.BigEndian.Uint16(p) >> 4 & 0xFF)
	}
	return int(p[1])
}

func (p ipPacket) df() bool { return p[6]&0x40 != 0 }

func (p ipPacket) destination() netip.Addr {
	b := p[16:20]
	if p.v6() {
		b = p[24:40]
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

func (p ipPacket) transport() []byte {
	if p.v6() {
		return p[40:]
	}
	return p[4*(p[0]&15):]
}

func set(t testing.TB, s *socket.Socket, level, name int32, val uint32) {
	t.Helper()
	require.Zero(t, s.SetSockOpt(level, name, u32(val)), "%s = %d", wsa.OptionName(level, name), val)
}

// wireFamilies are the two levels, and a peer that isn't there.
var wireFamilies = []struct {
	name                                string
	family, level, ttl, class, multiTTL int32
	peer, group                         netip.AddrPort
}{
	{
		"IPv4", wsa.AF_INET, wsa.IPPROTO_IP, wsa.IP_TTL, wsa.IP_TOS, wsa.IP_MULTICAST_TTL,
		netip.MustParseAddrPort("10.0.0.2:9"), netip.MustParseAddrPort("239.1.2.3:9"),
	},
	{
		"IPv6", wsa.AF_INET6, wsa.IPPROTO_IPV6, wsa.IPV6_UNICAST_HOPS, wsa.IPV6_TCLASS, wsa.IPV6_MULTICAST_HOPS,
		netip.MustParseAddrPort("[fd00::2]:9"), netip.MustParseAddrPort("[ff05::123]:9"),
	},
}

// Time to live and type of service of a datagram: the defaults, those set
// before there is a netstack endpoint, and those set later.
func TestWireTTLAndClass(t *testing.T) {
	for _, f := range wireFamilies {
		t.Run(f.name, func(t *testing.T) {
			st, wire := tapped(t)
			send := func(s *socket.Socket, to netip.AddrPort) ipPacket {
				_, err := s.SendTo([]byte("x"), 0, to)
				require.Zero(t, err)
				return wire.one(t)
			}
			s := sockettest.NewSocket(t, st, f.family, wsa.SOCK_DGRAM)
			p := send(s, f.peer)
			assert.Equal(t, 128, p.ttl(), "default")
			assert.Equal(t, 0, p.class(), "default")
			set(t, s, f.level, f.ttl, 7)
			set(t, s, f.level, f.class, 0xB8)
			p = send(s, f.peer)
			assert.Equal(t, 7, p.ttl())
			assert.Equal(t, 0xB8, p.class())
			assert.Equal(t, 1, send(s, f.group).ttl(), "multicast has its own")
			set(t, s, f.level, f.multiTTL, 33)
			assert.Equal(t, 33, send(s, f.group).ttl())
			assert.Equal(t, 7, send(s, f.peer).ttl())

			early := sockettest.NewSocket(t, st, f.family, wsa.SOCK_DGRAM)
			set(t, early, f.level, f.ttl, 9)
			set(t, early, f.level, f.class, 4)
			set(t, early, f.level, f.multiTTL, 5)
			p = send(early, f.peer)
			assert.Equal(t, 9, p.ttl())
			assert.Equal(t, 4, p.class())
			assert.Equal(t, 5, send(early, f.group).ttl())
		})
	}
}

// The SYN of a stream has what was set before connect.
func TestWireStreamTTL(t *testing.T) {
	for _, f := range wireFamilies {
		t.Run(f.name, func(t *testing.T) {
			st, wire := tapped(t)
			s := sockettest.NewSocket(t, st, f.family, wsa.SOCK_STREAM)
			set(t, s, f.level, f.ttl, 11)
			set(t, s, f.level, f.class, 0x20)
			s.SetNonblocking(true)
			require.Equal(t, wsa.WSAEWOULDBLOCK, s.Connect(f.peer))
			p := wire.one(t)
			assert.Equal(t, 11, p.ttl())
			assert.Equal(t, 0x20, p.class())
			if !p.v6() {
				assert.True(t, p.df(), "IP_DONTFRAGMENT is TRUE on streams")
			}
		})
	}
}

// IP_DONTFRAGMENT and IP_MTU_DISCOVER: the DF bit, and what is too long.
func TestWireDontFragment(t *testing.T) {
	st, wire := tapped(t)
	for _, tc := range []struct {
		name string
		opt  int32
		val  uint32
		df   bool
	}{
		{"default", 0, 0, false},
		{"IP_DONTFRAGMENT", wsa.IP_DONTFRAGMENT, 1, true},
		{"do", wsa.IP_MTU_DISCOVER, 1, true},
		{"don't", wsa.IP_MTU_DISCOVER, 2, false},
		{"probe", wsa.IP_MTU_DISCOVER, 3, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := sockettest.NewSocket(t, st, wsa.AF_INET, wsa.SOCK_DGRAM)
			if tc.opt != 0 {
				set(t, s, wsa.IPPROTO_IP, tc.opt, tc.val)
			}
			_, err := s.SendTo(make([]byte, 1472), 0, wireFamilies[0].peer)
			require.Zero(t, err)
			assert.Equal(t, tc.df, wire.one(t).df())
			_, err = s.SendTo(make([]byte, 1473), 0, wireFamilies[0].peer)
			if tc.df {
				assert.Equal(t, wsa.WSAEMSGSIZE, err)
				assert.Empty(t, wire.take())
				return
			}
			assert.Zero(t, err)
			assert.Len(t, wire.take(), 2, "fragments")
		})
	}
}

// IPV6_DONTFRAG, and IP_USER_MTU as the bound of what may not be fragmented.
func TestWireDontFragment_IPv6AndUserMTU(t *testing.T) {
	st, wire := tapped(t)
	s := sockettest.NewSocket(t, st, wsa.AF_INET6, wsa.SOCK_DGRAM)
	peer := wireFamilies[1].peer
	_, err := s.SendTo(make([]byte, 1453), 0, peer)
	require.Zero(t, err)
	assert.Len(t, wire.take(), 2, "fragments")
	set(t, s, wsa.IPPROTO_IPV6, wsa.IPV6_DONTFRAG, 1)
	_, err = s.SendTo(make([]byte, 1453), 0, peer)
	assert.Equal(t, wsa.WSAEMSGSIZE, err)
	_, err = s.SendTo(make([]byte, 1452), 0, peer)
	require.Zero(t, err)
	wire.one(t)
	set(t, s, wsa.IPPROTO_IPV6, wsa.IPV6_USER_MTU, 1280)
	_, err = s.SendTo(make([]byte, 1233), 0, peer)
	assert.Equal(t, wsa.WSAEMSGSIZE, err)
	_, err = s.SendTo(make([]byte, 1232), 0, peer)
	assert.Zero(t, err)
}

// IP_MTU and IPV6_MTU of a connected socket.
func TestMTU(t *testing.T) {
	st, _ := tapped(t)
	for _, f := range wireFamilies {
		name := int32(wsa.IP_MTU)
		if f.family == wsa.AF_INET6 {
			name = wsa.IPV6_MTU
		}
		s := sockettest.NewSocket(t, st, f.family, wsa.SOCK_DGRAM)
		buf := make([]byte, 4)
		_, err := s.GetSockOpt(f.level, name, buf)
		assert.Equal(t, wsa.WSAENOTCONN, err)
		require.Zero(t, s.Connect(f.peer))
		_, err = s.GetSockOpt(f.level, name, buf)
		require.Zero(t, err)
		assert.Equal(t, u32(1500), buf)
	}
}
