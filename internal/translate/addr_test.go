package translate

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// An address comes back as it was, but for the two that are the wildcard, and for one of
// IPv4 in the form of IPv6.
func TestAddress(t *testing.T) {
	for _, tt := range []struct {
		in, back netip.Addr
		protocol tcpip.NetworkProtocolNumber
	}{
		{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.1"), header.IPv4ProtocolNumber},
		{netip.MustParseAddr("fd00::1"), netip.MustParseAddr("fd00::1"), header.IPv6ProtocolNumber},
		{netip.MustParseAddr("::ffff:10.0.0.1"), netip.MustParseAddr("10.0.0.1"), header.IPv4ProtocolNumber},
		{netip.IPv4Unspecified(), netip.Addr{}, header.IPv4ProtocolNumber},
		{netip.IPv6Unspecified(), netip.Addr{}, header.IPv6ProtocolNumber},
		{netip.Addr{}, netip.Addr{}, header.IPv6ProtocolNumber},
	} {
		require.Equal(t, tt.back, Addr(Address(tt.in)), tt.in)
		require.Equal(t, tt.in, Addr(Exact(tt.in)), tt.in)
		require.Equal(t, tt.protocol, Protocol(tt.in), tt.in)
		ap := netip.AddrPortFrom(tt.in, 80)
		require.Equal(t, netip.AddrPortFrom(tt.back, 80), AddrPort(FullAddress(1, ap)))
	}
}
