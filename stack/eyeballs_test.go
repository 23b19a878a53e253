package stack

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// Families alternate, the first address's first, and each keeps its order
// (RFC 8305 §4); the number of attempts is bounded.
func TestInterleave(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"10.0.0.1", "10.0.0.1"},
		{"fd00::1 fd00::2 10.0.0.1", "fd00::1 10.0.0.1 fd00::2"},
		{"10.0.0.1 10.0.0.2 10.0.0.3 fd00::1 fd00::2", "10.0.0.1 fd00::1 10.0.0.2 fd00::2 10.0.0.3"},
		{strings.TrimSpace(strings.Repeat("fd00::1 ", 50)), strings.TrimSpace(strings.Repeat("fd00::1 ", maxAttempts))},
	} {
		var in []netip.AddrPort
		for _, a := range strings.Fields(tt.in) {
			in = append(in, netip.AddrPortFrom(netip.MustParseAddr(a), 80))
		}
		var got []string
		for _, a := range interleave(in) {
			got = append(got, a.Addr().String())
		}
		assert.Equal(t, tt.want, strings.Join(got, " "))
	}
}
