package options

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/wsa"
)

// Observed: these rows take the low bytes of an int in every profile; a get needs all four in the
// documented one, and gives one byte to a shorter buffer on machines (WL-4).
func TestShortIntegers(t *testing.T) {
	for p := range profileCount {
		for _, name := range []int32{wsa.IP_TOS, wsa.IP_TTL, wsa.IP_MULTICAST_TTL} {
			for size := 1; size <= 3; size++ {
				ep := newFake(Datagram)
				ep.profile = p
				v := ep.values()
				require.Zero(t, Set(v, ep, ip, name, []byte{7, 0, 0, 0}[:size]))
				assert.EqualValues(t, 7, getInt(t, v, ep, ip, name))
				b := filled(size)
				n, err := Get(v, ep, ip, name, b)
				if p == Documented {
					assert.Equal(t, wsa.WSAEFAULT, err)
					continue
				}
				assert.Zero(t, err)
				assert.Equal(t, 1, n)
				assert.Equal(t, append([]byte{7}, filled(size-1)...), b)
			}
			ep := newFake(Datagram)
			assert.Equal(t, wsa.WSAEINVAL, Set(ep.values(), ep, ip, name, []byte{0, 1}), "256")
		}
	}
}

// C-21: Booleans of the IP levels marked s are lenient in the measured
// profiles, the others never.
func TestShortBooleans(t *testing.T) {
	for _, tc := range []struct {
		level, name int32
		lenient     bool
	}{
		{ip, wsa.IP_MULTICAST_LOOP, true}, {ip, wsa.IP_DONTFRAGMENT, true}, {ipv6, wsa.IPV6_MULTICAST_LOOP, true}, {ipv6, wsa.IPV6_V6ONLY, true},
		{ip, wsa.IP_PKTINFO, false}, {ip, wsa.IP_RECVTTL, false}, {ip, wsa.IP_RECVTOS, false}, {ipv6, wsa.IPV6_PKTINFO, false}, {ip, wsa.IP_IFLIST, false},
	} {
		for p := range profileCount {
			ep := newFake(Datagram)
			ep.family, ep.profile = wsa.AF_INET6, p
			want := wsa.WSAEFAULT
			if tc.lenient && p != Documented {
				want = 0
			}
			assert.Equal(t, want, Set(ep.values(), ep, tc.level, tc.name, []byte{1}), "%s, %v", wsa.OptionName(tc.level, tc.name), p)
		}
	}
}

// C-41: set in network order, get in host order; an address names its
// interface; the IPv6 twins have host order both ways.
func TestInterfaceOptions(t *testing.T) {
	ep := newFake(Datagram)
	ep.family = wsa.AF_INET6
	v := ep.values()
	for _, name := range []int32{wsa.IP_MULTICAST_IF, wsa.IP_UNICAST_IF} {
		require.Zero(t, Set(v, ep, ip, name, []byte{0, 0, 0, 2}))
		assert.EqualValues(t, 2, getInt(t, v, ep, ip, name))
		assert.Equal(t, wsa.WSAEADDRNOTAVAIL, Set(v, ep, ip, name, le(2)), "what was read, set again")
		assert.Equal(t, wsa.WSAEADDRNOTAVAIL, Set(v, ep, ip, name, []byte{0, 0, 0, 9}))
		assert.EqualValues(t, 2, getInt(t, v, ep, ip, name))
		require.Zero(t, Set(v, ep, ip, name, le(0)))
		assert.Zero(t, getInt(t, v, ep, ip, name))
	}
	require.Zero(t, Set(v, ep, ip, wsa.IP_MULTICAST_IF, []byte{10, 0, 0, 1}))
	assert.EqualValues(t, 2, getInt(t, v, ep, ip, wsa.IP_MULTICAST_IF))
	assert.Equal(t, wsa.WSAEADDRNOTAVAIL, Set(v, ep, ip, wsa.IP_MULTICAST_IF, []byte{10, 0, 0, 99}))
	for _, name := range []int32{wsa.IPV6_MULTICAST_IF, wsa.IPV6_UNICAST_IF} {
		require.Zero(t, Set(v, ep, ipv6, name, le(2)))
		assert.EqualValues(t, 2, getInt(t, v, ep, ipv6, name))
		assert.Equal(t, wsa.WSAEADDRNOTAVAIL, Set(v, ep, ipv6, name, le(9)))
	}
}

func TestInterfaceList(t *testing.T) {
	for _, l := range []struct{ level, on, add, del, get int32 }{
		{ip, wsa.IP_IFLIST, wsa.IP_ADD_IFLIST, wsa.IP_DEL_IFLIST, wsa.IP_GET_IFLIST},
		{ipv6, wsa.IPV6_IFLIST, wsa.IPV6_ADD_IFLIST, wsa.IPV6_DEL_IFLIST, wsa.IPV6_GET_IFLIST},
	} {
		ep := newFake(Datagram)
		ep.family = wsa.AF_INET6
		for i := range uint32(20) {
			ep.interfaces = append(ep.interfaces, i)
		}
		v := ep.values()
		require.Zero(t, Set(v, ep, l.level, l.on, le(1)))
		n, err := Get(v, ep, l.level, l.get, []byte{0})
		assert.Zero(t, err)
		assert.Zero(t, n, "the list starts empty")
		require.Zero(t, Set(v, ep, l.level, l.add, le(2)))
		require.Zero(t, Set(v, ep, l.level, l.add, le(5)))
		require.Zero(t, Set(v, ep, l.level, l.add, le(2)), "twice")
		assert.Equal(t, wsa.WSAEINVAL, Set(v, ep, l.level, l.add, le(99)), "no such interface")
		assert.Equal(t, wsa.WSAEINVAL, Set(v, ep, l.level, l.del, le(1)), "not in it")
		b := filled(12)
		n, err = Get(v, ep, l.level, l.get, b)
		require.Zero(t, err)
		assert.Equal(t, append(append(le(2), le(5)...), filled(4)...), b)
		assert.Equal(t, 8, n)
		_, err = Get(v, ep, l.level, l.get, b[:7])
		assert.Equal(t, wsa.WSAEFAULT, err)
		require.Zero(t, Set(v, ep, l.level, l.del, le(2)))
		list := v.IPv6.Interfaces
		if l.level == ip {
			list = v.IPv4.Interfaces
		}
		assert.Equal(t, []uint32{5}, list.All())
		assert.True(t, list.Admits(5))
		assert.False(t, list.Admits(2))
		for i := range uint32(maxInterfaces) {
			before := *v
			if Set(v, ep, l.level, l.add, le(i+1)) != 0 {
				assert.Equal(t, before, *v)
				assert.Equal(t, wsa.WSAENOBUFS, Set(v, ep, l.level, l.add, le(i+1)))
			}
		}
	}
}

// UDP_NOCHECKSUM and UDP_CHECKSUM_COVERAGE are one value.
func TestUDPChecksum(t *testing.T) {
	ep := newFake(Datagram)
	v := ep.values()
	require.Zero(t, Set(v, ep, udp, wsa.UDP_NOCHECKSUM, le(1)))
	assert.Zero(t, getInt(t, v, ep, udp, wsa.UDP_CHECKSUM_COVERAGE))
	require.Zero(t, Set(v, ep, udp, wsa.UDP_CHECKSUM_COVERAGE, le(1)))
	assert.Zero(t, getInt(t, v, ep, udp, wsa.UDP_NOCHECKSUM))
	require.Zero(t, Set(v, ep, udp, wsa.UDP_CHECKSUM_COVERAGE, le(0)))
	assert.EqualValues(t, 1, getInt(t, v, ep, udp, wsa.UDP_NOCHECKSUM))
	ep.family = wsa.AF_INET6
	v = ep.values()
	assert.Equal(t, wsa.WSAENOPROTOOPT, Set(v, ep, udp, wsa.UDP_NOCHECKSUM, le(0)))
	assert.Equal(t, wsa.WSAEINVAL, Set(v, ep, udp, wsa.UDP_CHECKSUM_COVERAGE, le(0)))
	assert.EqualValues(t, 1, getInt(t, v, ep, udp, wsa.UDP_CHECKSUM_COVERAGE))
}

// IP_DONTFRAGMENT is TRUE on streams and FALSE on the others, the only default
// that depends on the kind.
func TestDontFragment_Default(t *testing.T) {
	for _, kind := range allKinds {
		ep := newFake(kind)
		assert.Equal(t, bit(kind == Stream), getInt(t, ep.values(), ep, ip, wsa.IP_DONTFRAGMENT), kind)
	}
}

// IP_MTU_DISCOVER outranks IP_DONTFRAGMENT once it is set.
func TestDoesFragment(t *testing.T) {
	for _, tc := range []struct {
		dont     bool
		discover uint32
		want     bool
	}{
		{false, MTUDiscoverNotSet, true}, {true, MTUDiscoverNotSet, false},
		{false, MTUDiscoverDo, false}, {true, MTUDiscoverDont, true}, {false, MTUDiscoverProbe, false},
	} {
		v := IPValues{DontFragment: tc.dont, MTUDiscover: tc.discover}
		assert.Equal(t, tc.want, v.DoesFragment(), "%+v", tc)
	}
}

// C-19, BC-5.
func TestTakesBroadcast(t *testing.T) {
	for _, tc := range []struct {
		p                  Profile
		broadcast, receive bool
		want               bool
	}{
		{Documented, false, true, false}, {Documented, true, true, true}, {Documented, true, false, false},
		{Windows, false, true, true}, {Windows, true, false, false}, {Legacy, false, true, true},
	} {
		v := Values{Broadcast: tc.broadcast, IPv4: IPValues{ReceiveBroadcast: tc.receive}}
		assert.Equal(t, tc.want, v.TakesBroadcast(tc.p), "%+v", tc)
	}
}

func TestMTU_NotConnected(t *testing.T) {
	ep := newFake(Datagram)
	_, err := Get(ep.values(), ep, ip, wsa.IP_MTU, make([]byte, 4))
	assert.Equal(t, wsa.WSAENOTCONN, err)
	ep.connected = true
	assert.EqualValues(t, 1500, getInt(t, ep.values(), ep, ip, wsa.IP_MTU))
}

// C-39: WSAEINVAL in the measured profiles, but for the family.
func TestProfile_WrongKind(t *testing.T) {
	for _, s := range specs {
		if !s.t39 {
			continue
		}
		for p, want := range map[Profile]wsa.Errno{Documented: wsa.WSAENOPROTOOPT, Windows: wsa.WSAEINVAL, Legacy: wsa.WSAEINVAL} {
			for _, family := range allFamilies {
				ep := newFake(Stream)
				ep.profile, ep.family = p, family
				if s.level == ipv6 && family == wsa.AF_INET {
					want = wsa.WSAENOPROTOOPT
				} else if p != Documented {
					want = wsa.WSAEINVAL
				}
				assert.Equal(t, want, Set(ep.values(), ep, s.level, s.name, s.value()), "set %s, %v, %d", s.symbol, p, family)
				if s.access == setAccess { // the direction comes first
					want = wsa.WSAENOPROTOOPT
				}
				_, err := Get(ep.values(), ep, s.level, s.name, make([]byte, 700))
				assert.Equal(t, want, err, "get %s, %v, %d", s.symbol, p, family)
			}
		}
	}
}
