package stack_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
)

// Every bad field is named in one plain sentence, and the device stays the
// caller's.
func TestNewRefusesBadConfig(t *testing.T) {
	silent := func(mtu int) tun.Device { return tun.NewFunc(mtu, func([]byte) {}) }
	good := prefixes("10.0.0.1/24")
	for _, tt := range []struct {
		name string
		cfg  stack.Config
		want string
	}{
		{"address without device", stack.Config{Addresses: good}, "Addresses"},
		{"MTU without device", stack.Config{MTU: 1500}, "MTU"},
		{"invalid prefix", stack.Config{Device: silent(1500), Addresses: []netip.Prefix{{}}}, "Addresses"},
		{"unspecified", stack.Config{Device: silent(1500), Addresses: prefixes("0.0.0.0/0")}, "Addresses"},
		{"multicast", stack.Config{Device: silent(1500), Addresses: prefixes("ff02::1/64")}, "Addresses"},
		{"4in6", stack.Config{Device: silent(1500), Addresses: prefixes("::ffff:10.0.0.1/120")}, "Addresses"},
		{"twice the same", stack.Config{Device: silent(1500), Addresses: prefixes("10.0.0.1/24", "10.0.0.1/24")}, "10.0.0.1"},
		{"an address of the loopback", stack.Config{Device: silent(1500), Addresses: prefixes("127.0.0.1/8")}, "127.0.0.1"},
		{"MTU too small", stack.Config{Device: silent(1500), Addresses: good, MTU: 67}, "MTU"},
		{"MTU above the device's", stack.Config{Device: silent(1500), Addresses: good, MTU: 1501}, "MTU"},
		{"MTU too small for IPv6", stack.Config{Device: silent(1279), Addresses: prefixes("fd00::1/64")}, "IPv6"},
		{"route without prefix", stack.Config{Device: silent(1500), Routes: []stack.Route{{}}}, "Routes[0]"},
		{"gateway of the other family", stack.Config{Device: silent(1500), Routes: []stack.Route{{
			Destination: netip.MustParsePrefix("0.0.0.0/0"), Gateway: netip.MustParseAddr("fd00::1")}}}, "Routes[0]"},
		{"route without device", stack.Config{Routes: []stack.Route{{Destination: netip.MustParsePrefix("0.0.0.0/0")}}}, "Routes[0]"},
		{"MinMSS above what hosts take", stack.Config{MinMSS: 537}, "MinMSS"},
		{"MinPathMTU below a link's", stack.Config{MinPathMTU: 67}, "MinPathMTU"},
		{"MinPathMTU above Ethernet's", stack.Config{MinPathMTU: 1501}, "MinPathMTU"},
		{"unknown profile", stack.Config{Profile: 9}, "Profile"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := stack.New(tt.cfg)
			require.ErrorContains(t, err, tt.want)
			require.Nil(t, s)
			if tt.cfg.Device != nil {
				require.NoError(t, tt.cfg.Device.Close())
			}
		})
	}
}

func TestCloseIsIdempotent(t *testing.T) {
	da, db := tun.Pipe(1500)
	defer db.Close()
	s, err := stack.New(stack.Config{Device: da, Addresses: prefixes("10.0.0.1/24")})
	require.NoError(t, err)
	for range 3 {
		go s.Settle()
		go s.Close()
	}
	require.NoError(t, s.Close())
	s.Settle()
	require.Error(t, s.AddDevice(db, prefixes("10.1.0.1/24")...))
}

// AddDevice makes a second interface: on-link traffic goes through it, and a
// device that is refused stays the caller's.
func TestAddDevice(t *testing.T) {
	a, b := pair(t)
	d1, d2 := tun.Pipe(1400)
	require.Error(t, a.AddDevice(nil))
	require.Error(t, a.AddDevice(d1, prefixes("10.0.0.1/24")...), "in use")
	require.NoError(t, a.AddDevice(d1, prefixes("10.5.0.1/24")...))
	require.NoError(t, b.AddDevice(d2, prefixes("10.5.0.2/24")...))
	l, err := b.Listen("tcp", "10.5.0.2:80")
	require.NoError(t, err)
	defer l.Close()
	c, err := a.Dial("tcp", "10.5.0.2:80")
	require.NoError(t, err)
	defer c.Close()
	require.Equal(t, "10.5.0.1", c.LocalAddr().(interface{ AddrPort() netip.AddrPort }).AddrPort().Addr().String())
}
