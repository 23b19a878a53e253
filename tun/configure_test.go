package tun

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

func prefixes(s ...string) (list []netip.Prefix) {
	for _, p := range s {
		list = append(list, netip.MustParsePrefix(p))
	}
	return list
}

func TestConfigValidate(t *testing.T) {
	for _, c := range []struct {
		name   string
		config Config
		want   string // empty: valid
	}{
		{"zero", Config{}, ""},
		{"all", Config{Addresses: prefixes("10.0.0.1/24", "10.0.0.2/32", "fd00::1/64", "fe80::1/64"), MTU: 1280, NoAddrGen: true}, ""},
		{"smallest", Config{Addresses: prefixes("10.0.0.1/24"), MTU: 68}, ""},
		{"largest", Config{MTU: 65535}, ""},
		{"MTU too small", Config{MTU: 67}, "MTU is 67"},
		{"MTU negative", Config{MTU: -1}, "MTU is -1"},
		{"MTU too large", Config{MTU: 65536}, "MTU is 65536"},
		{"MTU too small for IPv6", Config{MTU: 1279, Addresses: prefixes("fd00::1/64")}, "at least 1280 for IPv6 address fd00::1/64"},
		{"no prefix", Config{Addresses: []netip.Prefix{{}}}, "address 1 of 1 is not a prefix"},
		{"mapped", Config{Addresses: []netip.Prefix{netip.PrefixFrom(netip.MustParseAddr("::ffff:10.0.0.1"), 120)}}, "IPv4 address in IPv6 form"},
		{"unspecified", Config{Addresses: prefixes("0.0.0.0/0")}, "is not that of an interface"},
		{"multicast", Config{Addresses: prefixes("ff02::1/64")}, "is not that of an interface"},
		{"twice", Config{Addresses: prefixes("10.0.0.1/24", "10.0.0.1/24")}, "address 10.0.0.1/24 is there twice"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.config.validate()
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.want)
			require.ErrorContains(t, Configure("wss0", c.config), "tun: configure wss0: "+err.Error())
		})
	}
}
