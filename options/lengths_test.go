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

// classes has the options of which the class was observed, by hand.
var classes = map[string][]spec{
	"B": named("SO_BROADCAST", "SO_DEBUG", "SO_DONTLINGER", "SO_OOBINLINE", "SO_REUSEADDR", "SO_EXCLUSIVEADDRUSE"),
	"I": named("SO_LINGER", "SO_RCVBUF", "SO_SNDBUF", "SO_RCVTIMEO", "SO_SNDTIMEO", "SO_OPENTYPE"),
	"F": named("SO_KEEPALIVE", "SO_DONTROUTE", "TCP_NODELAY", "TCP_FASTOPEN", "IPV6_V6ONLY"),
	"Y": named("IP_TTL", "IP_TOS", "IP_MULTICAST_TTL", "IP_MULTICAST_LOOP", "IPV6_UNICAST_HOPS", "IPV6_MULTICAST_HOPS",
		"IPV6_MULTICAST_LOOP", "IP_DONTFRAGMENT", "IPV6_DONTFRAG"),
	"D": named("TCP_KEEPIDLE", "TCP_KEEPCNT", "TCP_KEEPINTVL", "IP_PKTINFO", "IP_RECVTTL", "IP_RECVTOS", "IPV6_PKTINFO",
		"IPV6_HOPLIMIT", "IPV6_RECVTCLASS"),
}

func named(symbols ...string) (found []spec) {
	for _, s := range specs {
		if slices.Contains(symbols, s.symbol) {
			found = append(found, s)
		}
	}
	if len(found) != len(symbols) {
		panic(fmt.Sprint("an option is missing of ", symbols))
	}
	return found
}

// inClass runs f for each option of a class in the profiles that follow machines, on the kinds of
// socket that have it.
func inClass(t *testing.T, class string, f func(t *testing.T, s spec, ep *fake, v *Values)) {
	t.Helper()
	for _, s := range classes[class] {
		for _, p := range measuredProfiles {
			if p == Legacy && s.symbol == "TCP_KEEPCNT" {
				continue // C-49
			}
			for _, kind := range allKinds {
				if s.kinds&kind == 0 {
					continue
				}
				t.Run(fmt.Sprintf("%s/%v/%v", s.symbol, p, kind), func(t *testing.T) {
					ep := newFake(kind)
					ep.profile, ep.family = p, wsa.AF_INET
					if s.getOn == inet6 {
						ep.family = wsa.AF_INET6
					}
					f(t, s, ep, ep.values())
				})
			}
		}
	}
}

// gets checks a get with an optlen in a buffer of 8 bytes: the error, the bytes that are written,
// which are the low ones of value, and *optlen.
func gets(t *testing.T, s spec, ep *fake, v *Values, optlen int32, err wsa.Errno, value []byte, after int32) {
	t.Helper()
	b := filled(8)
	n, got := Getsockopt(v, ep, s.level, s.name, b, optlen)
	assert.Equal(t, err, got, "get %d", optlen)
	assert.Equal(t, after, n, "*optlen %d", optlen)
	assert.Equal(t, append(slices.Clone(value), filled(8-len(value))...), b, "get %d", optlen)
}

// negative are lengths below zero.
var negative = []int32{-1, -2, math.MinInt32}

// WL-1: any length will do for a Boolean of the socket layer.
func TestLengths_B(t *testing.T) {
	inClass(t, "B", func(t *testing.T, s spec, ep *fake, v *Values) {
		set := func(b []byte, optlen int32) {
			t.Helper()
			require.Zero(t, Setsockopt(v, ep, s.level, s.name, b, optlen), "%x, %d bytes", b, optlen)
		}
		for _, tc := range []struct {
			b      []byte
			optlen int32
			want   byte
		}{
			{le(1), 4, 1}, {le(1), 0, 0}, {le(1), 1, 1}, {le(0), 0, 0}, {le(0x100), 1, 0}, {le(0x100), 2, 1}, {le(0x10000), 2, 0},
			{le(0x10000), 3, 1}, {le(0x1000000), 4, 1}, {append(le(0), 1), 5, 0}, {le(0), -1, 0}, {le(0x100), -1, 1},
			{le(0), math.MinInt32, 0}, {append(le(0), 1), -2, 0}, {[]byte{1}, -1, 1}, {make([]byte, 16), 16, 0},
		} {
			set(tc.b, tc.optlen)
			gets(t, s, ep, v, 4, 0, []byte{tc.want, 0, 0, 0}, 4)
		}
		set(le(1), 4)
		gets(t, s, ep, v, 1, 0, []byte{1}, 1)
		gets(t, s, ep, v, 2, 0, []byte{1, 0}, 1)
		gets(t, s, ep, v, 3, 0, []byte{1, 0, 0}, 1)
		gets(t, s, ep, v, 8, 0, []byte{1, 0, 0, 0}, 4)
		for _, n := range append(negative, 0) {
			gets(t, s, ep, v, n, wsa.WSAEFAULT, nil, n)
		}
	})
}

// WL-2: integers and structures of the socket layer want the whole value, or a negative length.
func TestLengths_I(t *testing.T) {
	inClass(t, "I", func(t *testing.T, s spec, ep *fake, v *Values) {
		for n := range int32(4) {
			assert.Equal(t, wsa.WSAEFAULT, Setsockopt(v, ep, s.level, s.name, le(0x50001), n))
		}
		require.Zero(t, Setsockopt(v, ep, s.level, s.name, le(0x50001), 4))
		gets(t, s, ep, v, 4, 0, le(0x50001), 4)
		for _, n := range negative {
			require.Zero(t, Setsockopt(v, ep, s.level, s.name, le(0x60001), n))
			gets(t, s, ep, v, 8, 0, le(0x60001), 4)
			assert.Equal(t, wsa.WSAEFAULT, Setsockopt(v, ep, s.level, s.name, []byte{1, 0, 0}, n), "there are no four bytes")
			if s.symbol == "SO_OPENTYPE" {
				gets(t, s, ep, v, n, 0, le(0x60001), 4)
				after, err := Getsockopt(v, ep, s.level, s.name, make([]byte, 3), n)
				assert.Equal(t, wsa.WSAEFAULT, err, "there are no four bytes")
				assert.Equal(t, n, after)
				continue
			}
			gets(t, s, ep, v, n, wsa.WSAEFAULT, nil, n)
		}
		for n := range int32(4) {
			var zeroed []byte
			if s.clears(ep.profile) {
				zeroed = make([]byte, n)
			}
			gets(t, s, ep, v, n, wsa.WSAEFAULT, zeroed, n)
		}
	})
}

// WL-3: of some options the first byte alone counts.
func TestLengths_F(t *testing.T) {
	inClass(t, "F", func(t *testing.T, s spec, ep *fake, v *Values) {
		for n := int32(1); n <= 8; n++ {
			for _, tc := range []struct{ in, want byte }{{1, 1}, {0, 0}} {
				require.Zero(t, Setsockopt(v, ep, s.level, s.name, []byte{tc.in, 1, 1, 1, 1, 1, 1, 1}, n))
				for m := int32(1); m <= 8; m++ {
					gets(t, s, ep, v, m, 0, []byte{tc.want}, 1)
				}
			}
			two := wsa.Errno(0)
			if s.symbol == "TCP_FASTOPEN" {
				two = wsa.WSAEINVAL // 0 and 1 only
			}
			assert.Equal(t, two, Setsockopt(v, ep, s.level, s.name, []byte{2, 0, 0, 0, 0, 0, 0, 0}, n))
		}
		belowOne(t, s, ep, v)
	})
}

// belowOne checks lengths below 1 where the transport has the value.
func belowOne(t *testing.T, s spec, ep *fake, v *Values) {
	t.Helper()
	assert.Equal(t, wsa.WSAEFAULT, Setsockopt(v, ep, s.level, s.name, le(1), 0))
	for _, n := range negative {
		assert.Equal(t, wsa.WSAENOBUFS, Setsockopt(v, ep, s.level, s.name, le(1), n))
	}
	for _, n := range append(negative, 0) {
		gets(t, s, ep, v, n, wsa.WSAEFAULT, nil, n)
	}
}

// WL-4: small values of IP are one byte where there is no room for more.
func TestLengths_Y(t *testing.T) {
	inClass(t, "Y", func(t *testing.T, s spec, ep *fake, v *Values) {
		isBool := s.model == nil
		for n := int32(1); n <= 8; n++ {
			require.Zero(t, Setsockopt(v, ep, s.level, s.name, []byte{77, 0, 0, 0, 9, 9, 9, 9}, n))
			want := byte(77)
			if isBool {
				want = 1
			}
			for m := int32(1); m < 4; m++ {
				gets(t, s, ep, v, m, 0, []byte{want}, 1)
			}
			gets(t, s, ep, v, 4, 0, []byte{want, 0, 0, 0}, 4)
			gets(t, s, ep, v, 8, 0, []byte{want, 0, 0, 0}, 4)
			large := wsa.WSAEINVAL
			if isBool || n == 1 {
				large = 0
			}
			assert.Equal(t, large, Setsockopt(v, ep, s.level, s.name, []byte{1, 1, 0, 0, 0, 0, 0, 0}, n), "257, %d bytes", n)
		}
		belowOne(t, s, ep, v)
	})
}

// WL-5: DWORDs of the transport want all bytes, and a short buffer has no bytes of a value.
func TestLengths_D(t *testing.T) {
	inClass(t, "D", func(t *testing.T, s spec, ep *fake, v *Values) {
		for n := range int32(4) {
			assert.Equal(t, wsa.WSAEFAULT, Setsockopt(v, ep, s.level, s.name, le(1), n))
			gets(t, s, ep, v, n, wsa.WSAEFAULT, nil, 0)
		}
		for n := int32(4); n <= 8; n++ {
			require.Zero(t, Setsockopt(v, ep, s.level, s.name, []byte{1, 0, 0, 0, 9, 9, 9, 9}, n))
			gets(t, s, ep, v, n, 0, le(1), 4)
		}
		for _, n := range negative {
			assert.Equal(t, wsa.WSAENOBUFS, Setsockopt(v, ep, s.level, s.name, le(1), n))
			gets(t, s, ep, v, n, wsa.WSAEFAULT, nil, n)
		}
	})
}

// AV-12, AV-13: a negative length is too short for every option of the documented profile, and a
// length beyond the memory is a bad pointer in all of them.
func TestLengths_NoLength(t *testing.T) {
	forEverySocket(t, func(t *testing.T, s spec, ep *fake) {
		for _, n := range negative {
			v := ep.values()
			before := *v
			if want := wsa.WSAEFAULT; !s.nullable && s.has(ep.kind, ep.family, setAccess) {
				assert.Equal(t, want, Setsockopt(v, ep, s.level, s.name, make([]byte, 700), n))
				assert.Equal(t, before, *v)
			}
			b := filled(700)
			if s.has(ep.kind, ep.family, getAccess) {
				after, err := Getsockopt(v, ep, s.level, s.name, b, n)
				assert.Equal(t, wsa.WSAEFAULT, err)
				assert.Equal(t, n, after)
				assert.Equal(t, filled(700), b)
			}
		}
		for p := range profileCount {
			ep.profile = p
			assert.Equal(t, wsa.WSAEFAULT, Setsockopt(ep.values(), ep, s.level, s.name, make([]byte, 700), 701))
			after, err := Getsockopt(ep.values(), ep, s.level, s.name, make([]byte, 700), 701)
			assert.Equal(t, wsa.WSAEFAULT, err)
			assert.EqualValues(t, 701, after)
		}
	})
}

// C-22: structures leave the length of a larger buffer alone; SO_PROTOCOL_INFO says what it needs.
func TestLengths_Structures(t *testing.T) {
	for _, p := range measuredProfiles {
		ep := newFake(Stream)
		ep.profile = p
		for _, tc := range []struct {
			name       int32
			size, told int32
		}{{wsa.SO_BSP_STATE, 72, 71}, {wsa.SO_PROTOCOL_INFOA, 372, 372}, {wsa.SO_PROTOCOL_INFOW, 628, 628}} {
			for _, n := range []int32{tc.size, tc.size + 1, 1000} {
				after, err := Getsockopt(ep.values(), ep, sol, tc.name, make([]byte, 1000), n)
				assert.Zero(t, err)
				assert.Equal(t, n, after)
			}
			b := filled(1000)
			after, err := Getsockopt(ep.values(), ep, sol, tc.name, b, tc.size-1)
			assert.Equal(t, wsa.WSAEFAULT, err)
			assert.Equal(t, tc.told, after)
			assert.Equal(t, filled(1000), b)
		}
	}
}

// Every option that anybody can get or set has a class, in every profile.
func TestLengths_EveryOptionHasAClass(t *testing.T) {
	for p := range profileCount {
		for _, o := range tables[p].options {
			if o.access != noAccess {
				assert.NotEmpty(t, o.lengths.String(), "%v %s", p, o.info.Symbol)
			}
		}
	}
	for class, members := range classes {
		for _, s := range members {
			assert.Equal(t, class, tables[Windows].byKey[optionKey(s.level, s.name)].lengths.String()[:1], s.symbol)
		}
	}
}
