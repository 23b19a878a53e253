package main

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
)

func prefixes(t *testing.T, words ...string) []netip.Prefix {
	t.Helper()
	list := make([]netip.Prefix, len(words))
	for i, w := range words {
		list[i] = netip.MustParsePrefix(w)
	}
	return list
}

func TestKernelAddresses(t *testing.T) {
	for _, tt := range []struct{ name, stack, want string }{
		{"the defaults", "10.77.0.1/24 fd77::1/64", "10.77.0.2/24 fd77::2/64"},
		{"the last host of a subnet", "10.0.0.254/24", "10.0.0.1/24"},
		{"a /30 has two hosts", "10.0.0.2/30", "10.0.0.1/30"},
		{"a /31 has two hosts, too", "10.0.0.0/31 10.9.0.1/31", "10.0.0.1/31 10.9.0.0/31"},
		{"a /127 as well", "fd00::1/127", "fd00::/127"},
		{"two addresses of one subnet", "10.0.0.1/24 10.0.0.2/24", "10.0.0.3/24 10.0.0.4/24"},
		{"the end of the address space", "223.255.255.254/24", "223.255.255.1/24"},
		{"the end of IPv6", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/64", "fdff:ffff:ffff:ffff::1/64"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := networkConfig{Stack: prefixes(t, strings.Fields(tt.stack)...)}.kernelAddresses()
			if err != nil {
				t.Fatal(err)
			}
			want := prefixes(t, strings.Fields(tt.want)...)
			for i := range want {
				if len(got) != len(want) || got[i] != want[i] {
					t.Fatalf("kernelAddresses() for %s = %v, want %v", tt.stack, got, want)
				}
			}
		})
	}
}

func TestNetworkConfigValidate(t *testing.T) {
	for _, tt := range []struct {
		name, stack string
		mtu         int
		want        string // "": valid
	}{
		{"the smallest for IPv4", "10.0.0.1/24", 68, ""},
		{"below it", "10.0.0.1/24", 67, "must be from 68 to 65535"},
		{"the smallest for IPv6", "fd00::1/64", 1280, ""},
		{"below it", "10.0.0.1/24 fd00::1/64", 1279, "must be from 1280 to 65535 where an IPv6 address is used"},
		{"the largest", "10.0.0.1/24", 65535, ""},
		{"above it", "10.0.0.1/24", 65536, "out of range"},
		{"negative", "10.0.0.1/24", -1, "out of range"},
		{"one address twice", "10.0.0.1/24 10.0.0.1/16", 1500, "given twice"},
		{"a single address", "10.0.0.1/32", 1500, "no address left"},
		{"a full subnet", "10.0.0.1/30 10.0.0.2/30", 1500, "no address left"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := networkConfig{Stack: prefixes(t, strings.Fields(tt.stack)...), MTU: tt.mtu}.validate()
			if tt.want == "" {
				if err != nil {
					t.Errorf("validate() = %v, want nil", err)
				}
				return
			}
			var f *failure
			if !errors.As(err, &f) || !strings.Contains(f.text, tt.want) || f.status != statusUsage || f.hint == "" {
				t.Errorf("validate() = %#v, want a usage error with %q and a hint", err, tt.want)
			}
		})
	}
}

// The other end is always a host of the same subnet that nobody has.
func TestKernelAddresses_AreFreeHosts(t *testing.T) {
	for bits := 1; bits <= 31; bits++ {
		for _, a := range []string{"10.77.0.1", "10.77.255.254", "192.168.1.128", "1.0.0.1"} {
			p := netip.PrefixFrom(netip.MustParseAddr(a), bits)
			if !isHost(p.Addr(), p) {
				continue
			}
			got, err := networkConfig{Stack: []netip.Prefix{p}}.kernelAddresses()
			if err != nil {
				t.Fatalf("kernelAddresses() for %v: %v", p, err)
			}
			if g := got[0]; g.Addr() == p.Addr() || g.Masked() != p.Masked() || !isHost(g.Addr(), g) {
				t.Errorf("kernelAddresses() for %v = %v", p, g)
			}
		}
	}
}

func TestPrefixList_Set(t *testing.T) {
	cfg := defaultNetwork()
	flag := &prefixList{list: &cfg.Stack}
	for _, bad := range []string{
		"", "10.0.0.1", "10.0.0.1/33", "fd00::1%eth0/64", "name/24", "10.0.0.1/24,",
		"0.0.0.0/0", "224.0.0.1/4", "127.0.0.2/8", "::1/128", "ff02::1/16", "255.255.255.255/32", "240.0.0.1/8",
		"10.0.0.0/24", "10.0.0.255/24", "fd00::/64", "::ffff:10.0.0.1/120",
	} {
		if err := flag.Set(bad); err == nil {
			t.Errorf("Set(%q) = nil, want an error", bad)
		}
	}
	if got, want := flag.String(), "10.77.0.1/24,fd77::1/64"; got != want {
		t.Fatalf("String() after failed Sets = %q, want the default %q", got, want)
	}
	for _, good := range []string{"10.0.0.1/24", "fd00::1/64, 10.1.0.1/16"} {
		if err := flag.Set(good); err != nil {
			t.Fatalf("Set(%q): %v", good, err)
		}
	}
	if got, want := flag.String(), "10.0.0.1/24,fd00::1/64,10.1.0.1/16"; got != want {
		t.Errorf("String() = %q, want %q", got, want)
	}
}
