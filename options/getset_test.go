package options

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/wsa"
)

// forEverySocket runs f for every option on every kind and family of socket.
func forEverySocket(t *testing.T, f func(t *testing.T, s spec, ep *fake)) {
	t.Helper()
	for _, s := range specs {
		for _, kind := range allKinds {
			for _, family := range allFamilies {
				t.Run(fmt.Sprintf("%s/%v/%d", s.symbol, kind, family), func(t *testing.T) {
					ep := newFake(kind)
					ep.family = family
					ep.connected, ep.mss = true, 1460
					f(t, s, ep)
				})
			}
		}
	}
}

// AV-7, AV-9: every length from 0 to 16, and NULL. Without the option the
// length does not matter (AV-1).
func TestGet_Lengths(t *testing.T) {
	forEverySocket(t, func(t *testing.T, s spec, ep *fake) {
		has, need := s.has(ep.kind, ep.family, getAccess), s.need(ep.family)
		lengths := []int{need - 1, need, need + 1, need + 40}
		for n := range 17 {
			lengths = append(lengths, n)
		}
		for _, size := range lengths {
			if size < 0 {
				continue
			}
			v := ep.values()
			before := *v
			b := filled(size)
			n, err := Get(v, ep, s.level, s.name, b)
			switch {
			case !has:
				assert.Equal(t, wsa.WSAENOPROTOOPT, err)
				assert.Zero(t, n)
				assert.Equal(t, filled(size), b)
			case size < max(1, need): // AV-13
				assert.Equal(t, wsa.WSAEFAULT, err, "%d bytes", size)
				switch s.name {
				case wsa.SO_LINGER: // observed: the bytes supplied are zeroed
					assert.Zero(t, n)
					assert.Equal(t, make([]byte, size), b)
				case wsa.SO_PROTOCOL_INFOA, wsa.SO_PROTOCOL_INFOW: // C-22
					assert.Equal(t, map[bool]int{true: need}[size > 0], n)
					assert.Equal(t, filled(size), b)
				default:
					assert.Zero(t, n)
					assert.Equal(t, filled(size), b, "%d bytes", size)
				}
			case s.getErr != 0:
				assert.Equal(t, s.getErr, err)
				assert.Equal(t, filled(size), b)
			default:
				assert.Zero(t, err, "%d bytes", size)
				want := need
				if s.name == wsa.SO_BSP_STATE {
					want = 40 // no addresses to follow
				}
				assert.Equal(t, want, n)
				assert.Equal(t, filled(size-n), b[n:], "bytes beyond the value")
			}
			assert.Equal(t, before, *v, "a get stores nothing")
		}
		n, err := Get(ep.values(), ep, s.level, s.name, nil)
		assert.Equal(t, wsa.WSAEFAULT, err, "NULL")
		assert.Zero(t, n)
	})
}

// AV-7, AV-11: as above for set; a failed call changes nothing.
func TestSet_Lengths(t *testing.T) {
	forEverySocket(t, func(t *testing.T, s spec, ep *fake) {
		has, need := s.has(ep.kind, ep.family, setAccess), s.setNeed(ep.family)
		lengths := []int{need - 1, need, need + 1, need + 40}
		for n := range 17 {
			lengths = append(lengths, n)
		}
		for _, size := range lengths {
			if size < 0 {
				continue
			}
			v := ep.values()
			before := *v
			clear(ep.told)
			b := make([]byte, max(size, len(s.value())))
			copy(b, s.value())
			err := Set(v, ep, s.level, s.name, b[:size])
			switch {
			case !has:
				assert.Equal(t, wsa.WSAENOPROTOOPT, err)
			case size < need:
				assert.Equal(t, wsa.WSAEFAULT, err, "%d bytes", size)
			case s.name == wsa.PVD_CONFIG && size > need:
				assert.Equal(t, wsa.WSAEINVAL, err, "PV-2: length mismatch")
			case s.exact && size != 0 && size != len(s.accepts):
				assert.Equal(t, wsa.WSAEINVAL, err, "%d bytes", size)
			case s.setErr != 0:
				assert.Equal(t, s.setErr, err)
			default:
				assert.Zero(t, err, "%d bytes", size)
				continue
			}
			assert.Equal(t, before, *v)
			assert.Empty(t, ep.told)
		}
		null := wsa.WSAEFAULT
		if s.nullable {
			null = wsa.WSAENOPROTOOPT
			if has {
				null = s.setErr
			}
		}
		assert.Equal(t, null, Set(ep.values(), ep, s.level, s.name, nil), "NULL")
	})
}

// AV-14, and a set in every state.
func TestDefaultsAndStates(t *testing.T) {
	forEverySocket(t, func(t *testing.T, s spec, ep *fake) {
		if s.def != nil && s.has(ep.kind, ep.family, getAccess) && ep.family == wsa.AF_INET {
			ep.connected = false
			b := make([]byte, 4)
			n, err := Get(ep.values(), ep, s.level, s.name, b)
			require.Zero(t, err)
			assert.Equal(t, s.def, b[:n])
		}
		if !s.has(ep.kind, ep.family, setAccess) {
			return
		}
		for _, ep.state = range allStates {
			v := ep.values()
			before := *v
			err := Set(v, ep, s.level, s.name, s.value())
			want := wsa.WSAEINVAL
			if s.setIn&ep.state != 0 {
				want = s.setErr
			}
			if s.name == wsa.SO_UPDATE_CONNECT_CONTEXT && ep.state == Connected {
				want = 0
			}
			if want == 0 {
				assert.Zero(t, err, "in state %v", ep.state)
				continue
			}
			assert.Equal(t, want, err, "in state %v", ep.state)
			assert.Equal(t, before, *v)
		}
	})
}

// C-23, AV-5: the level is compared with all its bits.
func TestUnknownLevel(t *testing.T) {
	for _, level := range []int32{
		-1, 0x8000, 0x800, 0x1234FFFF, math.MinInt32 | 0xFFFF, 2, wsa.IPPROTO_ICMP, wsa.IPPROTO_ICMPV6,
		wsa.IPPROTO_RAW, wsa.SOL_IP, wsa.SOL_IPV6,
		wsa.NSPROTO_IPX, wsa.NSPROTO_SPX, wsa.NSPROTO_SPXII, wsa.SOL_IRLMP, wsa.SOL_APPLETALK, wsa.IPPROTO_RM,
	} {
		for _, kind := range allKinds {
			ep := newFake(kind)
			v := ep.values()
			for _, name := range []int32{wsa.SO_DEBUG, wsa.SO_RCVTIMEO, wsa.SO_LINGER, wsa.TCP_MAXSEG, 0x4000} {
				b := filled(4)
				n, err := Get(v, ep, level, name, b)
				assert.Equal(t, wsa.WSAEINVAL, err, "get, level %#x", level)
				assert.Zero(t, n)
				assert.Equal(t, filled(4), b)
				assert.Equal(t, wsa.WSAEINVAL, Set(v, ep, level, name, b), "set, level %#x", level)
			}
		}
	}
}

// AV-6: unknown options of known levels, any length; numbers of other levels.
func TestUnknownOption(t *testing.T) {
	for _, tc := range []struct{ level, name int32 }{
		{sol, 0}, {sol, wsa.TCP_KEEPIDLE}, {sol, -1}, {sol, wsa.TCP_KEEPCNT + 1}, {sol, 0x7FFFFFFF}, {sol, ^0x0008},
		{tcp, wsa.SO_BROADCAST}, {tcp, wsa.SO_SNDBUF}, {tcp, 0}, {tcp, 99},
		{wsa.IPPROTO_IP, -1}, {wsa.IPPROTO_IPV6, 999}, {wsa.IPPROTO_UDP, 99},
	} {
		for _, kind := range allKinds {
			ep := newFake(kind)
			v := ep.values()
			for _, size := range []int{0, 1, 4, 16} {
				_, err := Get(v, ep, tc.level, tc.name, make([]byte, size))
				assert.Equal(t, wsa.WSAENOPROTOOPT, err, "get %#x %#x", tc.level, tc.name)
				assert.Equal(t, wsa.WSAENOPROTOOPT, Set(v, ep, tc.level, tc.name, make([]byte, size)), "set %#x %#x", tc.level, tc.name)
			}
		}
	}
}

// NG-16, C-81: TCP_NODELAY is an option of IPPROTO_TCP on streams; the number 1
// at SOL_SOCKET is SO_DEBUG.
func TestNoDelay_LevelAndKind(t *testing.T) {
	for _, kind := range []Kind{Datagram, Raw} {
		ep := newFake(kind)
		_, err := Get(ep.values(), ep, tcp, wsa.TCP_NODELAY, make([]byte, 4))
		assert.Equal(t, wsa.WSAENOPROTOOPT, err)
		assert.Equal(t, wsa.WSAENOPROTOOPT, Set(ep.values(), ep, tcp, wsa.TCP_NODELAY, le(1)))
	}
	ep := newFake(Stream)
	v := ep.values()
	require.Zero(t, Set(v, ep, sol, wsa.TCP_NODELAY, le(1)))
	assert.True(t, v.Debug)
	assert.False(t, v.NoDelay)
	assert.Empty(t, ep.told)
}

// AV-1 from the pointer on: a call with two faults reports the earlier one.
func TestOrderOfChecks(t *testing.T) {
	const conn = wsa.WSAENOTCONN
	for _, tc := range []struct {
		name        string
		kind        Kind
		state       State
		level, opt  int32
		optval      []byte
		err         wsa.Errno
		set, get    wsa.Errno
		alreadyTrue int32 // an option set before, for a conflict of values
	}{
		{"pointer before level", Stream, Fresh, -1, 1, nil, conn, wsa.WSAEFAULT, wsa.WSAEFAULT, 0},
		{"pointer before option", Stream, Fresh, sol, 0, nil, conn, wsa.WSAEFAULT, wsa.WSAEFAULT, 0},
		{"level before length", Stream, Fresh, -1, wsa.SO_DEBUG, []byte{}, conn, wsa.WSAEINVAL, wsa.WSAEINVAL, 0},
		{"level before option", Stream, Fresh, -1, 0, le(0), 0, wsa.WSAEINVAL, wsa.WSAEINVAL, 0},
		{"unknown option before length", Stream, Fresh, sol, 0, []byte{}, conn, wsa.WSAENOPROTOOPT, wsa.WSAENOPROTOOPT, 0},
		{"kind before length", Datagram, Fresh, sol, wsa.SO_KEEPALIVE, []byte{}, conn, wsa.WSAENOPROTOOPT, wsa.WSAENOPROTOOPT, 0},
		{"kind before value", Datagram, Fresh, tcp, wsa.TCP_KEEPCNT, le(256), 0, wsa.WSAENOPROTOOPT, wsa.WSAENOPROTOOPT, 0},
		{"direction before length, set", Stream, Fresh, sol, wsa.SO_TYPE, []byte{}, conn, wsa.WSAENOPROTOOPT, wsa.WSAEFAULT, 0},
		{"direction before length, get", Stream, Fresh, sol, wsa.SO_RCVTIMEO, []byte{}, conn, wsa.WSAEFAULT, wsa.WSAENOPROTOOPT, 0},
		{"group before length", Stream, Fresh, sol, wsa.SO_GROUP_PRIORITY, []byte{}, conn, wsa.WSAENOPROTOOPT, wsa.WSAENOPROTOOPT, 0},
		{"length before connection", Stream, Dead, sol, wsa.SO_KEEPALIVE, []byte{1, 0, 0}, conn, wsa.WSAEFAULT, wsa.WSAEFAULT, 0},
		{"length before state", Stream, Connecting, sol, wsa.SO_KEEPALIVE, []byte{1, 0, 0}, 0, wsa.WSAEFAULT, wsa.WSAEFAULT, 0},
		{"connection before state", Stream, Bound, sol, wsa.SO_EXCLUSIVEADDRUSE, le(1), conn, conn, conn, 0},
		{"connection before value", Stream, Dead, sol, wsa.SO_SNDBUF, le(math.MaxUint32), conn, conn, conn, 0},
		{"in progress before value", Stream, Dead, tcp, wsa.TCP_KEEPCNT, le(256), wsa.WSAENETRESET, wsa.WSAENETRESET, wsa.WSAENETRESET, 0},
		{"connection before conflict", Stream, Dead, sol, wsa.SO_REUSEADDR, le(1), conn, conn, conn, wsa.SO_EXCLUSIVEADDRUSE},
		{"value", Stream, Connected, tcp, wsa.TCP_KEEPCNT, le(256), 0, wsa.WSAEINVAL, 0, 0},
		{"conflict", Stream, Connected, sol, wsa.SO_REUSEADDR, le(1), 0, wsa.WSAEINVAL, 0, wsa.SO_EXCLUSIVEADDRUSE},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ep := newFake(tc.kind)
			v := ep.values()
			if tc.alreadyTrue != 0 {
				require.Zero(t, Set(v, ep, sol, tc.alreadyTrue, le(1)))
			}
			ep.state, ep.setErr, ep.getErr = tc.state, tc.err, tc.err
			before := *v
			assert.Equal(t, tc.set, Set(v, ep, tc.level, tc.opt, tc.optval), "set")
			assert.Equal(t, before, *v)
			_, err := Get(v, ep, tc.level, tc.opt, slices.Clone(tc.optval)) // nil stays nil
			assert.Equal(t, tc.get, err, "get")
		})
	}
}

// After a drop every option a socket supports fails with what the endpoint
// says, get and set, SO_ERROR excepted. That the endpoint says it is not
// tested here.
func TestConnectionError_CoversEveryOption(t *testing.T) {
	forEverySocket(t, func(t *testing.T, s spec, ep *fake) {
		ep.state, ep.getErr, ep.setErr = Dead, wsa.WSAENOTCONN, wsa.WSAENOTCONN
		if s.has(ep.kind, ep.family, setAccess) {
			v := ep.values()
			before := *v
			assert.Equal(t, wsa.WSAENOTCONN, Set(v, ep, s.level, s.name, s.value()))
			assert.Equal(t, before, *v)
			assert.Empty(t, ep.told)
		}
		if s.has(ep.kind, ep.family, getAccess) {
			b := filled(700)
			n, err := Get(ep.values(), ep, s.level, s.name, b)
			switch s.name {
			case wsa.SO_ERROR:
				assert.Zero(t, err)
			case wsa.SO_CONNECT_TIME: // C-01
				assert.Equal(t, wsa.WSAENOTCONN, err)
				assert.Equal(t, 4, n)
				assert.Equal(t, le(math.MaxUint32), b[:4])
			default:
				assert.Equal(t, wsa.WSAENOTCONN, err)
				assert.Zero(t, n)
				assert.Equal(t, filled(700), b)
			}
		}
	})
}

// What the endpoint refuses is not stored.
func TestSet_EndpointRefuses(t *testing.T) {
	for _, tc := range []struct {
		setter      string
		level, name int32
	}{
		{"nodelay", tcp, wsa.TCP_NODELAY},
		{"keepalive", sol, wsa.SO_KEEPALIVE},
		{"keepalive", tcp, wsa.TCP_KEEPIDLE},
		{"keepalive", tcp, wsa.TCP_KEEPINTVL},
		{"keepalive", tcp, wsa.TCP_KEEPCNT},
		{"oobinline", sol, wsa.SO_OOBINLINE},
	} {
		ep := newFake(Stream)
		ep.refuse = map[string]wsa.Errno{tc.setter: wsa.WSAENOBUFS}
		v := ep.values()
		before := *v
		assert.Equal(t, wsa.WSAENOBUFS, Set(v, ep, tc.level, tc.name, le(7)))
		assert.Equal(t, before, *v)
	}
}
