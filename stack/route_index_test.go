package stack

import (
	"cmp"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/tun"
)

// The index finds what a walk through the table finds.
func TestRouteIndex(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	address := func() netip.Addr {
		if rng.IntN(2) == 0 {
			return netip.AddrFrom4([4]byte{10, byte(rng.IntN(2)), byte(rng.IntN(4)), byte(rng.IntN(4))})
		}
		return netip.AddrFrom16([16]byte{0xfd, 0, byte(rng.IntN(2)), 15: byte(rng.IntN(4))})
	}
	nics := []*nic{{id: loopbackID}, {id: 2}, {id: 3}}
	for range 200 {
		var table []route
		for range rng.IntN(30) {
			a := address()
			p, err := a.Prefix(rng.IntN(a.BitLen() + 1))
			require.NoError(t, err)
			table = append(table, route{destination: p, nic: nics[rng.IntN(len(nics))]})
		}
		slices.SortStableFunc(table, func(a, b route) int { return cmp.Compare(b.destination.Bits(), a.destination.Bits()) })
		x := newRouteIndex(table)
		for range 50 {
			to, match := address(), func(r route) bool { return r.nic.id != loopbackID }
			i := slices.IndexFunc(table, func(r route) bool { return match(r) && r.destination.Contains(to) })
			got, ok := x.find(to, match)
			require.Equal(t, i >= 0, ok)
			if ok {
				require.Equal(t, table[i], got)
			}
		}
	}
}

func TestNextHop(t *testing.T) {
	a, b := tun.Pipe(1500)
	defer b.Close()
	changes := 0
	s, err := New(Config{
		Device: a, Addresses: []netip.Prefix{netip.MustParsePrefix("10.1.0.1/16"), netip.MustParsePrefix("fd01::1/64")},
		Routes:  []Route{{Destination: netip.MustParsePrefix("10.0.0.0/8"), Gateway: netip.MustParseAddr("10.1.0.254")}},
		Changed: func() { changes++ },
	})
	require.NoError(t, err)
	defer s.Close()
	hop := func(to string) string { return s.NextHop(nil, netip.MustParseAddr(to)).String() }
	require.Equal(t, "10.1.7.7", hop("10.1.7.7"), "on link")
	require.Equal(t, "10.1.0.254", hop("10.2.0.1"))
	require.Equal(t, "10.1.0.254", hop("::ffff:10.2.0.1"))
	require.Equal(t, "invalid IP", hop("11.0.0.1"))
	require.Equal(t, "fd01::7", hop("fd01::7"))
	require.False(t, s.NextHop(b, netip.MustParseAddr("10.1.7.7")).IsValid(), "the device of somebody else")
	require.False(t, s.NextHop(nil, netip.Addr{}).IsValid())

	before := changes
	require.NoError(t, s.AddRoute(Route{Destination: netip.MustParsePrefix("11.0.0.0/8"), Gateway: netip.MustParseAddr("10.1.0.253")}))
	require.Equal(t, "10.1.0.253", hop("11.0.0.1"))
	require.Greater(t, changes, before)
	before = changes
	require.NoError(t, s.RemoveRoute(Route{Destination: netip.MustParsePrefix("11.0.0.0/8"), Gateway: netip.MustParseAddr("10.1.0.253")}))
	require.Equal(t, "invalid IP", hop("11.0.0.1"))
	require.Greater(t, changes, before)
	before = changes
	require.NoError(t, s.AddAddress(nil, netip.MustParsePrefix("12.0.0.1/8")))
	require.Greater(t, changes, before)
	require.Equal(t, []netip.Prefix{netip.MustParsePrefix("10.1.0.1/16"), netip.MustParsePrefix("fd01::1/64"), netip.MustParsePrefix("12.0.0.1/8")}, s.Addresses(a))
	require.Nil(t, s.Addresses(b))
}
