package options

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/wsstack/wsstack/wsa"
)

func TestAdmitsPeer(t *testing.T) {
	const restricted, edge, open = wsa.PROTECTION_LEVEL_RESTRICTED, wsa.PROTECTION_LEVEL_EDGERESTRICTED, wsa.PROTECTION_LEVEL_UNRESTRICTED
	for peer, least := range map[string]int32{ // the most restricted level that admits the peer
		"fe80::9": restricted, "fe80::9%2": restricted, "febf::9": restricted, "::1": restricted, "fec0::9": restricted,
		"169.254.1.1": restricted, "10.0.0.9": restricted, "::ffff:192.168.1.1": restricted, "127.0.0.1": restricted,
		"fd00::9": edge, "2001:db8::9": edge, "2001:1::": edge, "192.0.2.1": edge, "fe00::9": edge,
		"2001::9": open, "2001:0:ffff::1": open,
	} {
		for _, level := range []int32{restricted, edge, open, unspecified} {
			want := level <= least
			if level == unspecified {
				want = least != open
			}
			assert.Equal(t, want, AdmitsPeer(level, netip.MustParseAddr(peer), netip.MustParseAddr("fd00::1")), "%s at level %d", peer, level)
		}
		assert.True(t, AdmitsPeer(restricted, netip.MustParseAddr(peer), netip.MustParseAddr(peer).WithZone("")), "%s to itself", peer)
	}
}
