package inet_test

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/internal/inet"
)

func TestExtras_Nothing(t *testing.T) {
	var x *inet.Extras
	to := netip.MustParseAddr("10.0.0.1")
	require.Zero(t, x.Size())
	require.Equal(t, to, x.Hop(to))
	require.Empty(t, x.Options4(to, false))
	next, headers := x.Before6(to, 17)
	require.Equal(t, "17 []", fmt.Sprint(next, headers))
	next, headers = x.Behind6(17)
	require.Equal(t, "17 []", fmt.Sprint(next, headers))
}

// Of several options later fragments have those with the copied flag, in whole words.
func TestExtras_CopiedOptions(t *testing.T) {
	to := netip.MustParseAddr("10.0.0.9")
	for _, tt := range []struct{ set, first, later string }{
		{"\x94\x04\x00\x00", "\x94\x04\x00\x00", "\x94\x04\x00\x00"},
		{"\x07\x07\x04\x00\x00\x00\x00\x00", "\x07\x07\x04\x00\x00\x00\x00\x00", ""},
		{"\x01\x88\x04\x00\x05\x07\x03\x04", "\x01\x88\x04\x00\x05\x07\x03\x04", "\x88\x04\x00\x05"},
		{"\x82\x03\x01\x00", "\x82\x03\x01\x00", "\x82\x03\x01\x00"},
		{"\x00\x94\x04\x00", "\x00\x94\x04\x00", ""}, // behind the end
		{"\x83\x0b\x04\x01\x01\x01\x01\x02\x02\x02\x02\x00", "\x83\x0b\x04\x02\x02\x02\x02\x0a\x00\x00\x09\x00", "\x83\x0b\x04\x02\x02\x02\x02\x0a\x00\x00\x09\x00"},
	} {
		x := &inet.Extras{Options: tt.set}
		require.Equal(t, len(tt.set), x.Size())
		require.Equal(t, tt.first, string(x.Options4(to, false)))
		require.Equal(t, tt.later, string(x.Options4(to, true)))
		require.Equal(t, tt.first, string(x.Options4(to, false)), "again")
	}
}

// The first hop of a route is where the packet goes; its other hops move up, and the destination is
// the last.
func TestExtras_Routes(t *testing.T) {
	v4, v6 := netip.MustParseAddr("10.0.0.9"), netip.MustParseAddr("fd00::9")
	one, two := netip.MustParseAddr("fd00::1").AsSlice(), netip.MustParseAddr("fd00::2").AsSlice()
	segments := func(left byte) string {
		return string(append(append([]byte{0, 4, 4, left, 1, 0, 0, 0}, one...), two...))
	}
	for _, tt := range []struct {
		name    string
		x       inet.Extras
		to, hop netip.Addr
	}{
		{"strict", inet.Extras{Options: "\x89\x07\x04\x01\x02\x03\x04\x00"}, v4, netip.MustParseAddr("1.2.3.4")},
		{"no route", inet.Extras{Options: "\x94\x04\x00\x00"}, v4, v4},
		{"mobile", inet.Extras{Routing: string(append([]byte{0, 2, 2, 1, 0, 0, 0, 0}, one...))}, v6, netip.MustParseAddr("fd00::1")},
		{"segments, both left", inet.Extras{Routing: segments(1)}, v6, netip.MustParseAddr("fd00::2")},
		{"segments, none left", inet.Extras{Routing: segments(0)}, v6, v6},
		{"unknown", inet.Extras{Routing: "\x00\x00\x09\x00\x00\x00\x00\x00"}, v6, v6},
	} {
		require.Equal(t, tt.hop, tt.x.Hop(tt.to), tt.name)
		if tt.to.Is4() {
			continue
		}
		next, headers := tt.x.Before6(tt.to, 6)
		require.EqualValues(t, inet.RoutingHeader, next, tt.name)
		require.Equal(t, byte(6), headers[0], tt.name)
		if tt.hop != tt.to {
			require.Equal(t, v6.AsSlice(), headers[8:24], tt.name)
		} else {
			require.Equal(t, tt.x.Routing[1:], string(headers[1:]), tt.name)
		}
	}
}

// Each extension header says what follows it.
func TestExtras_Headers(t *testing.T) {
	to := netip.MustParseAddr("fd00::9")
	x := &inet.Extras{Options: "\xaa\x00\x01\x04\x00\x00\x00\x00", Routing: "\xaa\x00\x09\x00\x00\x00\x00\x00", Destination: "\xaa\x00\x01\x04\x00\x00\x00\x00"}
	inner, behind := x.Behind6(17)
	require.EqualValues(t, inet.DestinationOptions, inner)
	require.Equal(t, byte(17), behind[0])
	next, before := x.Before6(to, inner)
	require.EqualValues(t, inet.HopByHop, next)
	require.Equal(t, []byte{inet.RoutingHeader, inet.DestinationOptions}, []byte{before[0], before[8]})
	require.Equal(t, 24, x.Size())
}
