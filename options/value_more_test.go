package options

import (
	"math"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/wsa"
)

// OB-18: TCP_EXPEDITED_1122 may be turned on once and not off; TCP_BSDURGENT
// reads the inverse, and TRUE while TRUE is a no-op. TCP_STDURG is reversible
// as long as the others weren't used.
func TestUrgentMode(t *testing.T) {
	const expedited, bsd, std = wsa.TCP_EXPEDITED_1122, wsa.TCP_BSDURGENT, wsa.TCP_STDURG
	ep := newFake(Stream)
	start := ep.values()
	read := func(v *Values) [3]uint32 {
		return [3]uint32{getInt(t, v, ep, tcp, expedited), getInt(t, v, ep, tcp, bsd), getInt(t, v, ep, tcp, std)}
	}
	type step struct {
		name int32
		on   uint32
		err  wsa.Errno
	}
	off, on := [3]uint32{0, 1, 0}, [3]uint32{1, 0, 1}
	for _, tc := range []struct {
		steps []step
		want  [3]uint32
	}{
		{nil, off},
		{[]step{{bsd, 1, 0}, {expedited, 0, 0}}, off},
		{[]step{{expedited, 1, 0}, {expedited, 1, 0}, {expedited, 0, wsa.WSAEINVAL}, {bsd, 1, wsa.WSAEINVAL}, {std, 0, wsa.WSAEINVAL}}, on},
		{[]step{{bsd, 0, 0}, {bsd, 0, 0}, {bsd, 1, wsa.WSAEINVAL}, {expedited, 0, wsa.WSAEINVAL}}, on},
		{[]step{{std, 1, 0}}, on},
		{[]step{{std, 1, 0}, {std, 0, 0}, {expedited, 0, 0}}, off},
		{[]step{{std, 1, 0}, {expedited, 1, 0}, {std, 0, wsa.WSAEINVAL}}, on},
	} {
		v := *start
		for _, s := range tc.steps {
			before := v
			require.Equal(t, s.err, Set(&v, ep, tcp, s.name, le(s.on)), "%+v in %+v", s, tc.steps)
			if s.err != 0 {
				assert.Equal(t, before, v)
			}
		}
		assert.Equal(t, tc.want, read(&v), "%+v", tc.steps)
	}
}

// TCP_MAXRT and TCP_MAXRTMS are one value, and the last writer wins.
func TestMaxRetransmit(t *testing.T) {
	for _, tc := range []struct {
		name  int32
		n     uint32
		s, ms uint32
		err   wsa.Errno
	}{
		{wsa.TCP_MAXRT, 0, 0, 0, 0},
		{wsa.TCP_MAXRT, 30, 30, 30000, 0},
		{wsa.TCP_MAXRT, math.MaxUint32, math.MaxUint32, math.MaxUint32, 0}, // -1
		{wsa.TCP_MAXRT, math.MaxInt32, math.MaxInt32, math.MaxInt32, 0},
		{wsa.TCP_MAXRT, math.MaxUint32 - 1, 7, 7000, wsa.WSAEINVAL},
		{wsa.TCP_MAXRTMS, 1500, 2, 1500, 0},
		{wsa.TCP_MAXRTMS, 1, 1, 1, 0},
		{wsa.TCP_MAXRTMS, math.MaxUint32, math.MaxUint32, math.MaxUint32, 0},
		{wsa.TCP_MAXRTMS, 0x80000000, 7, 7000, wsa.WSAEINVAL},
	} {
		ep := newFake(Stream)
		v := ep.values()
		require.Zero(t, Set(v, ep, tcp, wsa.TCP_MAXRT, le(7)))
		assert.Equal(t, tc.err, Set(v, ep, tcp, tc.name, le(tc.n)))
		assert.Equal(t, tc.s, getInt(t, v, ep, tcp, wsa.TCP_MAXRT), "%d = %d", tc.name, tc.n)
		assert.Equal(t, tc.ms, getInt(t, v, ep, tcp, wsa.TCP_MAXRTMS), "%d = %d", tc.name, tc.n)
	}
}

// AV-8: a value out of range is WSAEINVAL, and the previous one stays.
func TestRanges(t *testing.T) {
	for _, tc := range []struct {
		level, name int32
		good, bad   []uint32
	}{
		{ip, wsa.IP_TTL, []uint32{1, 255}, []uint32{0, 256, math.MaxUint32}},
		{ip, wsa.IP_TOS, []uint32{0, 255}, []uint32{256, 0x80000000}},
		{ip, wsa.IP_MULTICAST_TTL, []uint32{0, 255}, []uint32{256}},
		{ip, wsa.IP_MTU_DISCOVER, []uint32{1, 2, 3}, []uint32{0, 4, math.MaxUint32}},
		{ip, wsa.IP_PROTECTION_LEVEL, []uint32{10, 20, 30}, []uint32{0, 11, 40, math.MaxUint32}},
		{ipv6, wsa.IPV6_UNICAST_HOPS, []uint32{0, 255}, []uint32{256, math.MaxUint32 - 1}},
		{ipv6, wsa.IPV6_MULTICAST_HOPS, []uint32{0, 255}, []uint32{256}},
		{ipv6, wsa.IPV6_TCLASS, []uint32{0, 255}, []uint32{256, math.MaxUint32}},
		{ipv6, wsa.IPV6_PROTECTION_LEVEL, []uint32{10, 20, 30}, []uint32{0, math.MaxUint32}},
		{ipv6, wsa.IPV6_CHECKSUM, []uint32{0, 2, math.MaxUint32}, []uint32{1, 3, math.MaxUint32 - 1}},
		{udp, wsa.UDP_SEND_MSG_SIZE, []uint32{0, 1, 65507}, []uint32{65508, math.MaxUint32}},
		{sol, wsa.SO_COMPARTMENT_ID, []uint32{1}, []uint32{0, 2}},
		{sol, wsa.SO_REUSE_MULTICASTPORT, []uint32{0, 1}, []uint32{2}},
		{tcp, wsa.TCP_OFFLOAD_PREFERENCE, []uint32{0, 1, 2}, []uint32{3}},
		{tcp, wsa.TCP_CONGESTION_ALGORITHM, []uint32{0, 1, 2}, []uint32{3}},
	} {
		var ep *fake
		for _, s := range specs {
			if s.level == tc.level && s.name == tc.name {
				ep = freshFor(s)
			}
		}
		v := ep.values()
		for _, n := range tc.good {
			require.Zero(t, Set(v, ep, tc.level, tc.name, le(n)), "%s = %d", wsa.OptionName(tc.level, tc.name), n)
			assert.Equal(t, n, getInt(t, v, ep, tc.level, tc.name))
		}
		before := *v
		for _, n := range tc.bad {
			assert.Equal(t, wsa.WSAEINVAL, Set(v, ep, tc.level, tc.name, le(n)), "%s = %d", wsa.OptionName(tc.level, tc.name), n)
			assert.Equal(t, before, *v)
		}
	}
}

// AV-4: SO_UPDATE_CONNECT_CONTEXT takes NULL; C-84: and anything else.
func TestUpdateContext(t *testing.T) {
	ep := newFake(Stream)
	ep.state, ep.acceptedBy = Connected, 0x104
	v := ep.values()
	for _, b := range [][]byte{nil, {}, {1}, le(1)} {
		assert.Zero(t, Set(v, ep, sol, wsa.SO_UPDATE_CONNECT_CONTEXT, b))
	}
	listener := append(le(0x104), le(0)...)
	assert.Zero(t, Set(v, ep, sol, wsa.SO_UPDATE_ACCEPT_CONTEXT, listener))
	listener[0]++
	assert.Equal(t, wsa.WSAENOTSOCK, Set(v, ep, sol, wsa.SO_UPDATE_ACCEPT_CONTEXT, listener))
	for _, name := range []int32{wsa.SO_UPDATE_CONNECT_CONTEXT, wsa.SO_UPDATE_ACCEPT_CONTEXT} {
		_, err := Get(v, ep, sol, name, make([]byte, 8))
		assert.Equal(t, wsa.WSAENOPROTOOPT, err)
	}
}

func TestRandomizePort_NotWithReuse(t *testing.T) {
	ep := newFake(Stream)
	v := ep.values()
	require.Zero(t, Set(v, ep, sol, wsa.SO_REUSE_UNICASTPORT, le(1)))
	assert.Equal(t, wsa.WSAEINVAL, Set(v, ep, sol, wsa.SO_RANDOMIZE_PORT, le(1)))
	assert.False(t, v.RandomizePort)
}

func TestICMPErrorInfo(t *testing.T) {
	ep := newFake(Stream)
	v := ep.values()
	require.Zero(t, Set(v, ep, tcp, wsa.TCP_FAIL_CONNECT_ON_ICMP_ERROR, le(1)))
	b := filled(40)
	n, err := Get(v, ep, tcp, wsa.TCP_ICMP_ERROR_INFO, b)
	assert.Zero(t, err)
	assert.Zero(t, n, "none received")
	assert.Equal(t, filled(40), b)
	ep.icmp = wsa.ICMPErrorInfo{Source: netip.MustParseAddrPort("10.0.0.9:0"), Protocol: 1, Type: 3, Code: 1}
	n, err = Get(v, ep, tcp, wsa.TCP_ICMP_ERROR_INFO, b)
	assert.Zero(t, err)
	assert.Equal(t, 36, n)
	assert.Equal(t, ep.icmp.Append(nil), b[:36])
}

// IN-3: SO_PAUSE_ACCEPT isn't copied; IN-2: the others are.
func TestInherit_Tuning(t *testing.T) {
	ep := newFake(Stream)
	v := ep.values()
	for _, o := range []struct{ level, name int32 }{
		{sol, wsa.SO_PAUSE_ACCEPT}, {tcp, wsa.TCP_TIMESTAMPS}, {tcp, wsa.TCP_MAXRT}, {tcp, wsa.TCP_EXPEDITED_1122}, {ip, wsa.IP_TOS}, {ip, wsa.IP_TTL},
	} {
		require.Zero(t, Set(v, ep, o.level, o.name, le(1)))
	}
	want := *v
	want.PauseAccept = false
	assert.Equal(t, want, Inherit(*v))
}
