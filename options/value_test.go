package options

import (
	"math"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/wsa"
)

// booleans are the options of type BOOL that a stream or datagram can set.
func booleans(t *testing.T) []spec {
	var found []spec
	types := map[string]string{}
	for _, i := range Table() {
		types[i.Symbol] = i.Type
	}
	for _, s := range specs {
		if types[s.symbol] == "BOOL" && s.access == gs && !s.oneWay {
			found = append(found, s)
		}
	}
	require.Len(t, found, 53)
	return found
}

// freshFor is a socket that has the option.
func freshFor(s spec) *fake {
	ep := newFake(Raw)
	for _, kind := range []Kind{Datagram, Stream} {
		if s.kinds&kind != 0 {
			ep.kind = kind
		}
	}
	if s.getOn == inet6 {
		ep.family = wsa.AF_INET6
	}
	return ep
}

// AV-10: zero is FALSE, every other int is TRUE and reads 1.
func TestBoolean_Normalised(t *testing.T) {
	for _, s := range booleans(t) {
		for _, n := range []uint32{1, 2, math.MaxUint32, 0x100, 0x10000, 0x80000000} {
			ep := freshFor(s)
			v := ep.values()
			require.Zero(t, Set(v, ep, s.level, s.name, le(n)))
			assert.EqualValues(t, 1, getInt(t, v, ep, s.level, s.name), "%s set to %#x", s.symbol, n)
			require.Zero(t, Set(v, ep, s.level, s.name, le(0)))
			assert.Zero(t, getInt(t, v, ep, s.level, s.name), s.symbol)
		}
	}
}

// AV-11: the first four bytes count.
func TestBoolean_ExcessIgnored(t *testing.T) {
	for _, s := range booleans(t) {
		for _, size := range []int{5, 8, 42} {
			ep := freshFor(s)
			v := ep.values()
			b := filled(size)
			copy(b, le(0))
			require.Zero(t, Set(v, ep, s.level, s.name, b))
			assert.Zero(t, getInt(t, v, ep, s.level, s.name), s.symbol)
		}
	}
}

// BF-1 … BF-4, AV-8; a size that was set is marked so.
func TestBufferSize(t *testing.T) {
	for _, name := range []int32{wsa.SO_SNDBUF, wsa.SO_RCVBUF} {
		for _, tc := range []struct {
			n, want uint32
			err     wsa.Errno
		}{
			{0, 0, 0}, {1, 1, 0}, {4096, 4096, 0}, {65537, 65537, 0},
			{4 << 20, 4 << 20, 0}, {4<<20 + 1, 4 << 20, 0}, {math.MaxInt32, 4 << 20, 0},
			{math.MaxUint32, 65536, wsa.WSAEINVAL}, {0x80000000, 65536, wsa.WSAEINVAL},
		} {
			ep := newFake(Stream)
			v := ep.values()
			assert.Equal(t, tc.err, Set(v, ep, sol, name, le(tc.n)), "%#x = %d", name, tc.n)
			assert.Equal(t, tc.want, getInt(t, v, ep, sol, name), "%#x = %d", name, tc.n)
			b := v.SendBuffer
			if name == wsa.SO_RCVBUF {
				b = v.RecvBuffer
			}
			assert.Equal(t, tc.err == 0, b.Set)
		}
	}
}

// BF-3: the cap is configurable.
func TestBufferSize_OwnCap(t *testing.T) {
	ep := newFake(Stream)
	v := ep.values()
	v.BufferCap = 10000
	require.Zero(t, Set(v, ep, sol, wsa.SO_SNDBUF, le(20000)))
	assert.EqualValues(t, 10000, getInt(t, v, ep, sol, wsa.SO_SNDBUF))
}

// BF-5.
func TestBufferSize_LeavesMaxMsgSize(t *testing.T) {
	ep := newFake(Datagram)
	v := ep.values()
	require.Zero(t, Set(v, ep, sol, wsa.SO_SNDBUF, le(100)))
	require.Zero(t, Set(v, ep, sol, wsa.SO_RCVBUF, le(100)))
	assert.EqualValues(t, 65507, getInt(t, v, ep, sol, wsa.SO_MAX_MSG_SIZE))
}

// C-18; SO_MAXDG and SO_MAXPATHDG are the same number.
func TestMaxMsgSize(t *testing.T) {
	for _, tc := range []struct {
		kind   Kind
		family int32
		want   uint32
	}{
		{Stream, wsa.AF_INET, 0}, {Stream, wsa.AF_INET6, 0},
		{Datagram, wsa.AF_INET, 65507}, {Datagram, wsa.AF_INET6, 65527},
		{Raw, wsa.AF_INET, 65515}, {Raw, wsa.AF_INET6, 65515},
	} {
		ep := newFake(tc.kind)
		ep.family = tc.family
		for _, name := range []int32{wsa.SO_MAX_MSG_SIZE, wsa.SO_MAXDG, wsa.SO_MAXPATHDG} {
			assert.Equal(t, tc.want, getInt(t, ep.values(), ep, sol, name), "%v %d", tc.kind, tc.family)
		}
	}
}

// TO-1: any DWORD is stored exactly; get fails.
func TestTimeouts(t *testing.T) {
	for _, n := range []uint32{0, 1, 499, 500, math.MaxInt32, 0x80000000, math.MaxUint32} {
		ep := newFake(Stream)
		v := ep.values()
		require.Zero(t, Set(v, ep, sol, wsa.SO_SNDTIMEO, le(n)))
		require.Zero(t, Set(v, ep, sol, wsa.SO_RCVTIMEO, le(n+1)))
		assert.Equal(t, n, v.SendTimeout)
		assert.Equal(t, n+1, v.RecvTimeout)
		for _, name := range []int32{wsa.SO_SNDTIMEO, wsa.SO_RCVTIMEO} {
			_, err := Get(v, ep, sol, name, make([]byte, 4))
			assert.Equal(t, wsa.WSAENOPROTOOPT, err)
		}
	}
}

// C-26: the second of the two fails, in either order, and resetting the first
// clears the way.
func TestReuseAndExclusive(t *testing.T) {
	for _, order := range [][2]int32{
		{wsa.SO_REUSEADDR, wsa.SO_EXCLUSIVEADDRUSE}, {wsa.SO_EXCLUSIVEADDRUSE, wsa.SO_REUSEADDR},
	} {
		ep := newFake(Stream)
		v := ep.values()
		require.Zero(t, Set(v, ep, sol, order[0], le(1)))
		assert.Equal(t, wsa.WSAEINVAL, Set(v, ep, sol, order[1], le(1)))
		assert.Zero(t, getInt(t, v, ep, sol, order[1]))
		assert.Zero(t, Set(v, ep, sol, order[1], le(0)), "FALSE conflicts with nothing")
		assert.Zero(t, Set(v, ep, sol, order[0], le(1)), "nor does the same again")
		require.Zero(t, Set(v, ep, sol, order[0], le(0)))
		assert.Zero(t, Set(v, ep, sol, order[1], le(1)))
	}
}

// DR-2.
func TestDontRoute_IPv6(t *testing.T) {
	ep := newFake(Datagram)
	ep.family = wsa.AF_INET6
	for _, n := range []uint32{0, 1} {
		assert.Equal(t, wsa.WSAENOPROTOOPT, Set(ep.values(), ep, sol, wsa.SO_DONTROUTE, le(n)))
	}
	assert.Zero(t, getInt(t, ep.values(), ep, sol, wsa.SO_DONTROUTE))
}

// C-27: in every state, and the endpoint hears of it.
func TestNoDelay_EveryState(t *testing.T) {
	for _, state := range allStates {
		ep := newFake(Stream)
		ep.state = state
		v := ep.values()
		require.Zero(t, Set(v, ep, tcp, wsa.TCP_NODELAY, le(1)), state)
		assert.Equal(t, true, ep.told["nodelay"])
		assert.True(t, v.NoDelay)
	}
}

func TestOOBInline_TellsTheEndpoint(t *testing.T) {
	ep := newFake(Stream)
	v := ep.values()
	require.Zero(t, Set(v, ep, sol, wsa.SO_OOBINLINE, le(1)))
	assert.Equal(t, true, ep.told["oobinline"])
	assert.True(t, v.OOBInline)
}

// CA-9.
func TestConditionalAccept_Listening(t *testing.T) {
	ep := newFake(Stream)
	v := ep.values()
	require.Zero(t, Set(v, ep, sol, wsa.SO_CONDITIONAL_ACCEPT, le(1)))
	ep.state = Listening
	assert.Equal(t, wsa.WSAEINVAL, Set(v, ep, sol, wsa.SO_CONDITIONAL_ACCEPT, le(0)))
	assert.EqualValues(t, 1, getInt(t, v, ep, sol, wsa.SO_CONDITIONAL_ACCEPT))
}

func TestAcceptConn(t *testing.T) {
	for _, state := range allStates {
		ep := newFake(Stream)
		ep.state = state
		assert.Equal(t, bit(state == Listening), getInt(t, ep.values(), ep, sol, wsa.SO_ACCEPTCONN), state)
	}
}

// EO-7: a failing get does not consume the error.
func TestError(t *testing.T) {
	ep := newFake(Stream)
	v := ep.values()
	ep.pending = wsa.WSAECONNREFUSED
	for _, b := range [][]byte{nil, {}, {0, 0, 0}} {
		_, err := Get(v, ep, sol, wsa.SO_ERROR, b)
		assert.Equal(t, wsa.WSAEFAULT, err)
	}
	assert.Equal(t, wsa.WSAENOPROTOOPT, Set(v, ep, sol, wsa.SO_ERROR, le(0)), "C-02b")
	assert.EqualValues(t, wsa.WSAECONNREFUSED, getInt(t, v, ep, sol, wsa.SO_ERROR))
	assert.Zero(t, getInt(t, v, ep, sol, wsa.SO_ERROR))
}

// TY-1, and the forms of SO_PROTOCOL_INFO agree.
func TestTypeAndProtocolInfo(t *testing.T) {
	for kind, want := range map[Kind]int32{Stream: wsa.SOCK_STREAM, Datagram: wsa.SOCK_DGRAM, Raw: wsa.SOCK_RAW} {
		for _, family := range allFamilies {
			ep := newFake(kind)
			ep.family = family
			v := ep.values()
			assert.EqualValues(t, want, getInt(t, v, ep, sol, wsa.SO_TYPE))
			a, w := make([]byte, 372), make([]byte, 628)
			_, err := Get(v, ep, sol, wsa.SO_PROTOCOL_INFOA, a)
			require.Zero(t, err)
			_, err = Get(v, ep, sol, wsa.SO_PROTOCOL_INFOW, w)
			require.Zero(t, err)
			assert.Equal(t, a[:116], w[:116])
			info, err := wsa.ParseProtocolInfoA(a)
			require.Zero(t, err)
			wide, err := wsa.ParseProtocolInfoW(w)
			require.Zero(t, err)
			assert.Equal(t, info, wide)
			assert.Equal(t, want, info.SocketType)
			assert.Equal(t, family, info.AddressFamily)
			assert.NotEmpty(t, info.ProtocolName)
		}
	}
}

// C-01, whole seconds, and saturation below the value that says "not connected".
func TestConnectTime(t *testing.T) {
	ep := newFake(Stream)
	v := ep.values()
	b := filled(8)
	n, err := Get(v, ep, sol, wsa.SO_CONNECT_TIME, b)
	assert.Equal(t, wsa.WSAENOTCONN, err)
	assert.Equal(t, 4, n)
	assert.Equal(t, append(le(math.MaxUint32), filled(4)...), b)

	ep.connected = true
	for age, want := range map[time.Duration]uint32{
		0: 0, 999 * time.Millisecond: 0, time.Second: 1, 59999 * time.Millisecond: 59,
		math.MaxUint32 * time.Second: math.MaxUint32 - 1, (math.MaxUint32 + 7) * time.Second: math.MaxUint32 - 1,
	} {
		ep.age = age
		assert.Equal(t, want, getInt(t, v, ep, sol, wsa.SO_CONNECT_TIME), age)
	}
}

func TestMaxSeg(t *testing.T) {
	ep := newFake(Stream)
	assert.EqualValues(t, 536, getInt(t, ep.values(), ep, tcp, wsa.TCP_MAXSEG))
	ep.family = wsa.AF_INET6
	assert.EqualValues(t, 1220, getInt(t, ep.values(), ep, tcp, wsa.TCP_MAXSEG))
	ep.connected, ep.mss = true, 1440
	assert.EqualValues(t, 1440, getInt(t, ep.values(), ep, tcp, wsa.TCP_MAXSEG))
}

func TestBSPState(t *testing.T) {
	local4, remote4 := netip.MustParseAddrPort("10.0.0.1:80"), netip.MustParseAddrPort("10.0.0.2:4000")
	local6, remote6 := netip.MustParseAddrPort("[fd00::1]:80"), netip.MustParseAddrPort("[fd00::2]:4000")
	for _, tc := range []struct {
		name          string
		family        int32
		local, remote netip.AddrPort
		n             int
	}{
		{"unbound", wsa.AF_INET, netip.AddrPort{}, netip.AddrPort{}, 40},
		{"bound", wsa.AF_INET, local4, netip.AddrPort{}, 56},
		{"connected", wsa.AF_INET, local4, remote4, 72},
		{"unbound 6", wsa.AF_INET6, netip.AddrPort{}, netip.AddrPort{}, 40},
		{"bound 6", wsa.AF_INET6, local6, netip.AddrPort{}, 68},
		{"connected 6", wsa.AF_INET6, local6, remote6, 96},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ep := newFake(Stream)
			ep.family, ep.local, ep.remote = tc.family, tc.local, tc.remote
			b := filled(120)
			n, err := Get(ep.values(), ep, sol, wsa.SO_BSP_STATE, b)
			require.Zero(t, err)
			assert.Equal(t, tc.n, n)
			assert.Equal(t, filled(120-n), b[n:])
			got, err := wsa.ParseCSAddrInfo(b[:n])
			require.Zero(t, err)
			assert.Equal(t, wsa.CSAddrInfo{
				Local: tc.local, Remote: tc.remote, SocketType: wsa.SOCK_STREAM, Protocol: wsa.IPPROTO_TCP,
			}, got)
		})
	}
}

// An IPv4 peer of a dual-stack socket is reported as a sockaddr_in6.
func TestBSPState_DualStack(t *testing.T) {
	ep := newFake(Stream)
	ep.family, ep.local = wsa.AF_INET6, netip.MustParseAddrPort("10.0.0.1:80")
	b := make([]byte, 96)
	n, err := Get(ep.values(), ep, sol, wsa.SO_BSP_STATE, b)
	require.Zero(t, err)
	got, err := wsa.ParseCSAddrInfo(b[:n])
	require.Zero(t, err)
	assert.Equal(t, netip.MustParseAddrPort("[::ffff:10.0.0.1]:80"), got.Local)
}

// GP-1, GP-2; then a socket that somebody has put into a group.
func TestGroup(t *testing.T) {
	ep := newFake(Stream)
	v := ep.values()
	assert.Zero(t, getInt(t, v, ep, sol, wsa.SO_GROUP_ID))
	assert.Equal(t, wsa.WSAENOPROTOOPT, Set(v, ep, sol, wsa.SO_GROUP_ID, le(1)))
	_, err := Get(v, ep, sol, wsa.SO_GROUP_PRIORITY, make([]byte, 4))
	assert.Equal(t, wsa.WSAENOPROTOOPT, err)
	assert.Equal(t, wsa.WSAENOPROTOOPT, Set(v, ep, sol, wsa.SO_GROUP_PRIORITY, le(1)))

	v.GroupID = 7
	assert.EqualValues(t, 7, getInt(t, v, ep, sol, wsa.SO_GROUP_ID))
	assert.Zero(t, getInt(t, v, ep, sol, wsa.SO_GROUP_PRIORITY))
	require.Zero(t, Set(v, ep, sol, wsa.SO_GROUP_PRIORITY, le(math.MaxInt32)))
	assert.Equal(t, wsa.WSAEINVAL, Set(v, ep, sol, wsa.SO_GROUP_PRIORITY, le(math.MaxUint32)))
	assert.EqualValues(t, math.MaxInt32, getInt(t, v, ep, sol, wsa.SO_GROUP_PRIORITY))
}

// What an accepted socket starts with: everything but the listener's own.
func TestInherit(t *testing.T) {
	v := Values{
		Debug: true, ReuseAddr: true, ExclusiveAddrUse: true, DontRoute: true, Broadcast: true, OOBInline: true,
		ConditionalAccept: true, PortScalability: true, NoDelay: true,
		KeepAlive:  KeepAlive{On: true, Idle: time.Minute, Interval: time.Second, Count: 3},
		Linger:     Linger{On: true, Timeout: 9, Established: true, Fallback: 30},
		SendBuffer: Buffer{1, true}, RecvBuffer: Buffer{2, true}, BufferCap: 3,
		SendTimeout: 4, RecvTimeout: 5, GroupID: 6, GroupPriority: 7, StickyError: wsa.WSAECONNRESET,
	}
	want := v
	want.ConditionalAccept, want.StickyError = false, 0
	assert.Equal(t, want, Inherit(v))
}
