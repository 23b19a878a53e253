package options

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/wsa"
)

// C-87: l_onoff reads as it was set, until SO_DONTLINGER turns lingering on.
func TestProfile_LingerAsSet(t *testing.T) {
	inProfile(t, measuredProfiles, Stream, func(t *testing.T, ep *fake, v *Values) {
		for _, on := range []uint16{1, 2, 0x100, 0x8000, math.MaxUint16} {
			require.Zero(t, Set(v, ep, sol, wsa.SO_LINGER, lingerBytes(on, 9)))
			assert.Equal(t, 9<<16|uint32(on), getInt(t, v, ep, sol, wsa.SO_LINGER))
			assert.Zero(t, getInt(t, v, ep, sol, wsa.SO_DONTLINGER))
		}
		require.Zero(t, Set(v, ep, sol, wsa.SO_DONTLINGER, le(0)))
		assert.EqualValues(t, 9<<16|1, getInt(t, v, ep, sol, wsa.SO_LINGER))
		require.Zero(t, Set(v, ep, sol, wsa.SO_LINGER, lingerBytes(0, 9)))
		assert.Zero(t, getInt(t, v, ep, sol, wsa.SO_LINGER))
	})
}

// C-43: the default can be set back, and nothing else that is negative.
func TestProfile_ProtectionLevel(t *testing.T) {
	inProfile(t, measuredProfiles, Datagram, func(t *testing.T, ep *fake, v *Values) {
		ep.family = wsa.AF_INET6
		for _, level := range []int32{ip, ipv6} {
			require.Zero(t, Set(v, ep, level, wsa.IP_PROTECTION_LEVEL, le(30)))
			require.Zero(t, Set(v, ep, level, wsa.IP_PROTECTION_LEVEL, le(math.MaxUint32)))
			assert.EqualValues(t, math.MaxUint32, getInt(t, v, ep, level, wsa.IP_PROTECTION_LEVEL))
			assert.Equal(t, wsa.WSAEINVAL, Set(v, ep, level, wsa.IP_PROTECTION_LEVEL, le(math.MaxUint32-1)))
		}
	})
}

// C-36: a keep-alive time is a DWORD.
func TestProfile_KeepAliveTimes(t *testing.T) {
	inProfile(t, measuredProfiles, Stream, func(t *testing.T, ep *fake, v *Values) {
		for _, name := range []int32{wsa.TCP_KEEPIDLE, wsa.TCP_KEEPINTVL} {
			require.Zero(t, Set(v, ep, tcp, name, le(0x80000000)))
			assert.EqualValues(t, maxKeepSeconds, getInt(t, v, ep, tcp, name))
			assert.Equal(t, wsa.WSAEINVAL, Set(v, ep, tcp, name, le(0)))
		}
	})
}

// C-88: a stream has the DF bit over both families, until it is turned off.
func TestProfile_DontFragmentOfStream(t *testing.T) {
	for kind, want := range map[Kind]uint32{Stream: 1, Datagram: 0, Raw: 0} {
		inProfile(t, measuredProfiles, kind, func(t *testing.T, ep *fake, v *Values) {
			ep.family = wsa.AF_INET6
			for _, level := range []int32{ip, ipv6} {
				assert.Equal(t, want, getInt(t, v, ep, level, wsa.IP_DONTFRAGMENT))
				require.Zero(t, Set(v, ep, level, wsa.IP_DONTFRAGMENT, le(0)))
				assert.Zero(t, getInt(t, v, ep, level, wsa.IP_DONTFRAGMENT))
			}
		})
	}
}
