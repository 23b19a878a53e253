package options

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/wsa"
)

// inProfile runs f in the profiles that follow machines.
func inProfile(t *testing.T, profiles []Profile, kind Kind, f func(t *testing.T, ep *fake, v *Values)) {
	t.Helper()
	for _, p := range profiles {
		t.Run(p.String(), func(t *testing.T) {
			ep := newFake(kind)
			ep.profile = p
			f(t, ep, ep.values())
		})
	}
}

func TestProfile_String(t *testing.T) {
	assert.Equal(t, "documented", Documented.String())
	assert.Equal(t, "windows", Windows.String())
	assert.Equal(t, "legacy", Legacy.String())
	assert.Equal(t, "unknown", Profile(3).String())
}

// A Profile that is none behaves as Documented rather than panicking.
func TestProfile_Unknown(t *testing.T) {
	ep := newFake(Stream)
	ep.profile = 200
	v := ep.values()
	assert.Equal(t, Defaults(Documented, wsa.AF_INET, Stream), *v)
	require.Zero(t, Set(v, ep, sol, wsa.SO_KEEPALIVE, le(1)))
	assert.EqualValues(t, 1, getInt(t, v, ep, sol, wsa.SO_KEEPALIVE))
}

// C-01: a success on any kind of socket, "connected" datagrams included.
func TestProfile_ConnectTime(t *testing.T) {
	for _, kind := range allKinds {
		inProfile(t, measuredProfiles, kind, func(t *testing.T, ep *fake, v *Values) {
			assert.EqualValues(t, math.MaxUint32, getInt(t, v, ep, sol, wsa.SO_CONNECT_TIME))
			ep.getErr = wsa.WSAENOTCONN
			assert.EqualValues(t, math.MaxUint32, getInt(t, v, ep, sol, wsa.SO_CONNECT_TIME))
			ep.getErr, ep.connected = 0, true
			want := uint32(math.MaxUint32)
			if kind == Stream {
				want = 0
			}
			assert.Equal(t, want, getInt(t, v, ep, sol, wsa.SO_CONNECT_TIME))
		})
	}
}

// C-02, C-02b: reading keeps the error, setsockopt may store one.
func TestProfile_Error(t *testing.T) {
	inProfile(t, measuredProfiles, Stream, func(t *testing.T, ep *fake, v *Values) {
		ep.pending = wsa.WSAECONNREFUSED
		assert.EqualValues(t, wsa.WSAECONNREFUSED, getInt(t, v, ep, sol, wsa.SO_ERROR))
		assert.EqualValues(t, wsa.WSAECONNREFUSED, getInt(t, v, ep, sol, wsa.SO_ERROR))
		require.Zero(t, Set(v, ep, sol, wsa.SO_ERROR, le(1234)))
		assert.EqualValues(t, 1234, getInt(t, v, ep, sol, wsa.SO_ERROR))
	})
}

// C-12: stored values stay readable after a drop, those of the connection not.
func TestProfile_GetAfterDrop(t *testing.T) {
	inProfile(t, measuredProfiles, Stream, func(t *testing.T, ep *fake, v *Values) {
		ep.getErr, ep.setErr = wsa.WSAENOTCONN, wsa.WSAENOTCONN
		getInt(t, v, ep, sol, wsa.SO_SNDBUF)
		getInt(t, v, ep, sol, wsa.SO_TYPE)
		_, err := Get(v, ep, sol, wsa.SO_BSP_STATE, make([]byte, 100))
		assert.Equal(t, wsa.WSAENOTCONN, err)
		assert.Equal(t, wsa.WSAENOTCONN, Set(v, ep, sol, wsa.SO_SNDBUF, le(1)))
	})
}

// C-14.
func TestProfile_Timeouts(t *testing.T) {
	inProfile(t, measuredProfiles, Stream, func(t *testing.T, ep *fake, v *Values) {
		assert.Zero(t, getInt(t, v, ep, sol, wsa.SO_RCVTIMEO))
		require.Zero(t, Set(v, ep, sol, wsa.SO_RCVTIMEO, le(1234)))
		require.Zero(t, Set(v, ep, sol, wsa.SO_SNDTIMEO, le(math.MaxUint32)))
		assert.EqualValues(t, 1234, getInt(t, v, ep, sol, wsa.SO_RCVTIMEO))
		assert.EqualValues(t, math.MaxUint32, getInt(t, v, ep, sol, wsa.SO_SNDTIMEO))
	})
}

// C-15: WSAEINVAL since Vista.
func TestProfile_LowWater(t *testing.T) {
	for p, want := range map[Profile]wsa.Errno{
		Documented: wsa.WSAENOPROTOOPT, Windows: wsa.WSAEINVAL, Legacy: wsa.WSAENOPROTOOPT,
	} {
		for _, name := range []int32{wsa.SO_SNDLOWAT, wsa.SO_RCVLOWAT, wsa.SO_USELOOPBACK} {
			ep := newFake(Datagram)
			ep.profile = p
			_, err := Get(ep.values(), ep, sol, name, make([]byte, 4))
			assert.Equal(t, want, err, "%v", p)
			assert.Equal(t, want, Set(ep.values(), ep, sol, name, le(1)), "%v", p)
		}
	}
}

// C-16.
func TestProfile_GroupPriority(t *testing.T) {
	inProfile(t, measuredProfiles, Stream, func(t *testing.T, ep *fake, v *Values) {
		assert.Zero(t, getInt(t, v, ep, sol, wsa.SO_GROUP_PRIORITY))
		require.Zero(t, Set(v, ep, sol, wsa.SO_GROUP_PRIORITY, le(3)))
		assert.EqualValues(t, 3, getInt(t, v, ep, sol, wsa.SO_GROUP_PRIORITY))
	})
}

// C-17.
func TestProfile_MaxSeg(t *testing.T) {
	inProfile(t, []Profile{Legacy}, Stream, func(t *testing.T, ep *fake, v *Values) {
		_, err := Get(v, ep, tcp, wsa.TCP_MAXSEG, make([]byte, 4))
		assert.Equal(t, wsa.WSAENOPROTOOPT, err)
	})
	inProfile(t, []Profile{Windows}, Stream, func(t *testing.T, ep *fake, v *Values) {
		assert.EqualValues(t, 536, getInt(t, v, ep, tcp, wsa.TCP_MAXSEG))
	})
}

// C-20, C-22: three Booleans are one byte.
func TestProfile_ByteBooleans(t *testing.T) {
	inProfile(t, measuredProfiles, Stream, func(t *testing.T, ep *fake, v *Values) {
		for _, o := range []struct{ level, name int32 }{
			{sol, wsa.SO_KEEPALIVE}, {sol, wsa.SO_DONTROUTE}, {tcp, wsa.TCP_NODELAY},
		} {
			for _, tc := range []struct {
				in   []byte
				want byte
			}{{[]byte{1}, 1}, {[]byte{0}, 0}, {[]byte{0x80, 0}, 1}, {le(0x100), 0}, {le(2), 1}, {le(0), 0}} {
				require.Zero(t, Set(v, ep, o.level, o.name, tc.in))
				b := filled(4)
				n, err := Get(v, ep, o.level, o.name, b)
				require.Zero(t, err)
				assert.Equal(t, 1, n)
				assert.Equal(t, append([]byte{tc.want}, filled(3)...), b, "%v", tc.in)
			}
			assert.Equal(t, wsa.WSAEFAULT, Set(v, ep, o.level, o.name, []byte{}))
		}
	})
}

// C-22: SO_PROTOCOL_INFO leaves a larger *optlen.
func TestProfile_ProtocolInfo(t *testing.T) {
	inProfile(t, measuredProfiles, Stream, func(t *testing.T, ep *fake, v *Values) {
		b := filled(1000)
		n, err := Get(v, ep, sol, wsa.SO_PROTOCOL_INFOW, b)
		assert.Zero(t, err)
		assert.Equal(t, 1000, n)
		assert.Equal(t, filled(372), b[628:])
		n, err = Get(v, ep, sol, wsa.SO_PROTOCOL_INFOW, b[:627])
		assert.Equal(t, wsa.WSAEFAULT, err)
		assert.Equal(t, 628, n)
	})
}

// C-24.
func TestProfile_ForeignLevels(t *testing.T) {
	inProfile(t, measuredProfiles, Stream, func(t *testing.T, ep *fake, v *Values) {
		for _, level := range []int32{
			wsa.NSPROTO_IPX, wsa.NSPROTO_SPX, wsa.NSPROTO_SPXII, wsa.SOL_IRLMP, wsa.SOL_APPLETALK, wsa.IPPROTO_RM,
		} {
			assert.Equal(t, wsa.WSAENOPROTOOPT, Set(v, ep, level, 1, le(1)))
		}
		assert.Equal(t, wsa.WSAEINVAL, Set(v, ep, -1, 1, le(1)))
	})
}

// C-26 holds in every profile.
func TestProfile_ReuseAndExclusive(t *testing.T) {
	inProfile(t, measuredProfiles, Stream, func(t *testing.T, ep *fake, v *Values) {
		require.Zero(t, Set(v, ep, sol, wsa.SO_REUSEADDR, le(1)))
		assert.Equal(t, wsa.WSAEINVAL, Set(v, ep, sol, wsa.SO_EXCLUSIVEADDRUSE, le(1)))
	})
}

// C-27: set while a connect is pending.
func TestProfile_Connecting(t *testing.T) {
	for p, want := range map[Profile][2]wsa.Errno{
		Documented: {wsa.WSAEINVAL, 0}, Windows: {wsa.WSAEINVAL, wsa.WSAEINVAL}, Legacy: {0, 0},
	} {
		ep := newFake(Stream)
		ep.profile, ep.state = p, Connecting
		v := ep.values()
		assert.Equal(t, want[0], Set(v, ep, sol, wsa.SO_KEEPALIVE, le(1)), "%v", p)
		assert.Equal(t, want[1], Set(v, ep, tcp, wsa.TCP_NODELAY, le(1)), "%v", p)
	}
}

// C-28.
func TestProfile_DontRouteIPv6(t *testing.T) {
	inProfile(t, measuredProfiles, Stream, func(t *testing.T, ep *fake, v *Values) {
		ep.family = wsa.AF_INET6
		require.Zero(t, Set(v, ep, sol, wsa.SO_DONTROUTE, le(1)))
		assert.True(t, v.DontRoute)
	})
}

// C-29.
func TestProfile_BroadcastOnStream(t *testing.T) {
	inProfile(t, measuredProfiles, Stream, func(t *testing.T, ep *fake, v *Values) {
		assert.Equal(t, wsa.WSAENOPROTOOPT, Set(v, ep, sol, wsa.SO_BROADCAST, le(1)))
		assert.Zero(t, getInt(t, v, ep, sol, wsa.SO_BROADCAST))
	})
	inProfile(t, measuredProfiles, Datagram, func(t *testing.T, ep *fake, v *Values) {
		ep.family = wsa.AF_INET6
		assert.Zero(t, Set(v, ep, sol, wsa.SO_BROADCAST, le(1)))
		assert.EqualValues(t, 1, getInt(t, v, ep, sol, wsa.SO_BROADCAST))
	})
}

// C-30.
func TestProfile_ExclusiveAfterBind(t *testing.T) {
	inProfile(t, measuredProfiles, Stream, func(t *testing.T, ep *fake, v *Values) {
		ep.state = Bound
		assert.Zero(t, Set(v, ep, sol, wsa.SO_EXCLUSIVEADDRUSE, le(1)))
	})
}

// C-31, C-49.
func TestProfile_Defaults(t *testing.T) {
	for p, want := range map[Profile]struct{ buffer, count uint32 }{
		Documented: {65536, 10}, Windows: {65536, 10}, Legacy: {8192, 5},
	} {
		ep := newFake(Stream)
		ep.profile = p
		v := ep.values()
		assert.Equal(t, want.buffer, getInt(t, v, ep, sol, wsa.SO_SNDBUF), "%v", p)
		assert.Equal(t, want.buffer, getInt(t, v, ep, sol, wsa.SO_RCVBUF), "%v", p)
		assert.Equal(t, want.count, v.KeepAlive.Count, "%v", p)
	}
}

// C-32: a negative size is a large one.
func TestProfile_NegativeBuffer(t *testing.T) {
	inProfile(t, measuredProfiles, Stream, func(t *testing.T, ep *fake, v *Values) {
		for _, n := range []uint32{math.MaxUint32, 0x80000000} {
			require.Zero(t, Set(v, ep, sol, wsa.SO_SNDBUF, le(n)))
			assert.EqualValues(t, 4<<20, getInt(t, v, ep, sol, wsa.SO_SNDBUF))
		}
	})
}

// C-11: the first set of SO_KEEPALIVE after a drop, and no other option's.
func TestProfile_FirstSetAfterDrop(t *testing.T) {
	inProfile(t, measuredProfiles, Stream, func(t *testing.T, ep *fake, v *Values) {
		ep.setErr, ep.dropped = wsa.WSAENOTCONN, true
		assert.Equal(t, wsa.WSAENOTCONN, Set(v, ep, sol, wsa.SO_SNDBUF, le(1)))
		assert.Equal(t, wsa.WSAENETRESET, Set(v, ep, sol, wsa.SO_KEEPALIVE, le(1)))
		assert.Equal(t, wsa.WSAENOTCONN, Set(v, ep, sol, wsa.SO_KEEPALIVE, le(1)))
	})
	ep := newFake(Stream)
	ep.setErr, ep.dropped = wsa.WSAENOTCONN, true
	assert.Equal(t, wsa.WSAENOTCONN, Set(ep.values(), ep, sol, wsa.SO_KEEPALIVE, le(1)), "documented")
}
