package gateway_test

import (
	"fmt"
	"net/netip"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/internal/gateway"
	"github.com/wsstack/wsstack/internal/mistake"
)

// None of these leads anywhere, whatever a policy permits: each is the host itself in some
// spelling, its link, or everybody.
var nowhere = []string{
	"127.0.0.1", "127.1.2.3", "127.255.255.254", "0.0.0.0", "0.1.2.3", "::1", "::",
	"::ffff:127.0.0.1", "::ffff:7f01:203", "::ffff:0.0.0.0", "::127.0.0.1", "::2", "::ffff:0:127.0.0.1",
	"64:ff9b::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::0.0.0.0", "64:ff9b:1::127.0.0.1",
	"2002:7f00:1::", "2002:7f00:1::1", "2002:0:0::1", "2001:0:1:2:3:4:80ff:fffe",
	"2001:db8::5efe:127.0.0.1", "2001:db8::200:5efe:127.0.0.1", "fe80::5efe:127.0.0.1",
	"224.0.0.1", "239.255.255.250", "255.255.255.255", "240.0.0.1", "ff02::1", "ff0e::1", "::ffff:224.0.0.1",
	"64:ff9b::224.0.0.1", "2002:e000:1::1", "169.254.169.254", "::ffff:169.254.169.254", "fe80::1", "fec0::1",
}

func TestPolicyNeverReachesTheHost(t *testing.T) {
	for _, words := range []gateway.Words{
		{},
		{Allow: []string{"0.0.0.0/0", "::/0"}},
		{Allow: []string{"0.0.0.0/0", "::/0"}, HostLoopback: []string{"10.77.0.3", "fd77::3"}},
		{Allow: []string{"::/0", "64:ff9b::/96", "2002::/16", "2001:db8::/32"}},
	} {
		cfg, err := gateway.Parse(words)
		require.NoError(t, err)
		for _, text := range nowhere {
			to, err := cfg.Policy.Resolve(netip.MustParseAddr(text))
			require.ErrorIs(t, err, syscall.EACCES, "%v: %s leads to %v", words, text, to)
		}
		_, err = cfg.Policy.Resolve(netip.MustParseAddr("fe80::1%eth0"))
		require.ErrorIs(t, err, syscall.EACCES)
		_, err = cfg.Policy.Resolve(netip.Addr{})
		require.ErrorIs(t, err, syscall.EACCES)
	}
}

// Every address of IPv4 that the policy denies it denies in all of its spellings, and none
// that it permits.
func TestPolicySpellings(t *testing.T) {
	cfg, err := gateway.Parse(gateway.Words{Deny: []string{"192.0.2.0/24"}})
	require.NoError(t, err)
	for _, v4 := range []string{"127.0.0.1", "0.0.0.0", "169.254.169.254", "192.0.2.7", "198.51.100.7", "8.8.8.8"} {
		a := netip.MustParseAddr(v4)
		_, want := cfg.Policy.Resolve(a)
		b := a.As4()
		for _, format := range []string{
			"::ffff:%02x%02x:%02x%02x", "64:ff9b::%02x%02x:%02x%02x", "2002:%02x%02x:%02x%02x::1",
			"2001:db8::5efe:%02x%02x:%02x%02x", "64:ff9b:1::%02x%02x:%02x%02x", "::%02x%02x:%02x%02x",
		} {
			spelling := fmt.Sprintf(format, b[0], b[1], b[2], b[3])
			_, got := cfg.Policy.Resolve(netip.MustParseAddr(spelling))
			require.Equal(t, want, got, spelling)
		}
	}
}

// What a cloud tells its machines is for them alone, unless somebody asks for just that address.
func TestPolicyMetadata(t *testing.T) {
	for _, text := range []string{
		"100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254",
		"fd00:c1::a9fe:a9fe", "fd00:42::42", "64:ff9b::168.63.129.16", "::ffff:192.0.0.192",
	} {
		a := netip.MustParseAddr(text)
		for _, allow := range [][]string{nil, {"0.0.0.0/0", "::/0"}} {
			cfg, err := gateway.Parse(gateway.Words{Allow: allow})
			require.NoError(t, err)
			to, err := cfg.Policy.Resolve(a)
			require.ErrorIs(t, err, syscall.EACCES, "%s leads to %v", text, to)
		}
	}
	for _, text := range []string{"168.63.129.16", "192.0.0.192", "fd20:ce::254", "fd00:ec2::23"} {
		cfg, err := gateway.Parse(gateway.Words{Allow: []string{text}})
		require.NoError(t, err)
		to, err := cfg.Policy.Resolve(netip.MustParseAddr(text))
		require.NoError(t, err)
		require.Equal(t, text, to.String())
	}
}

func TestPolicyOrder(t *testing.T) {
	for _, tt := range []struct {
		name  string
		words gateway.Words
		to    string
		leads string // empty: nowhere
	}{
		{"everywhere", gateway.Words{}, "8.8.8.8", "8.8.8.8"},
		{"everywhere, IPv6", gateway.Words{}, "2001:db8::1", "2001:db8::1"},
		{"an IPv4-mapped address is one of IPv4", gateway.Words{}, "::ffff:8.8.8.8", "8.8.8.8"},
		{"the metadata of a cloud", gateway.Words{}, "169.254.169.254", ""},
		{"the same in IPv6", gateway.Words{}, "fd00:ec2::254", ""},
		{"the same as 6to4", gateway.Words{}, "2002:a9fe:a9fe::1", ""},
		{"permitted by all of IPv6", gateway.Words{Allow: []string{"::/0"}}, "fd00:ec2::254", ""},
		{"permitted by itself", gateway.Words{Allow: []string{"fd00:ec2::254"}}, "fd00:ec2::254", "fd00:ec2::254"},
		{"only what is allowed", gateway.Words{Allow: []string{"192.0.2.0/24"}}, "8.8.8.8", ""},
		{"what is allowed", gateway.Words{Allow: []string{"192.0.2.0/24"}}, "192.0.2.1", "192.0.2.1"},
		{"not what is denied", gateway.Words{Deny: []string{"192.0.2.0/24"}}, "192.0.2.1", ""},
		{"beside what is denied", gateway.Words{Deny: []string{"192.0.2.0/24"}}, "192.0.3.1", "192.0.3.1"},
		{"the longer one permits", gateway.Words{Allow: []string{"10.1.0.0/16"}, Deny: []string{"10.0.0.0/8"}}, "10.1.2.3", "10.1.2.3"},
		{"the longer one denies", gateway.Words{Allow: []string{"10.0.0.0/8"}, Deny: []string{"10.1.0.0/16"}}, "10.1.2.3", ""},
		{"of two equals", gateway.Words{Allow: []string{"10.0.0.0/8"}, Deny: []string{"10.0.0.0/8"}}, "10.1.2.3", ""},
		{"the host's loopback", gateway.Words{HostLoopback: []string{"10.77.0.3"}}, "10.77.0.3", "127.0.0.1"},
		{"the host's loopback, IPv6", gateway.Words{HostLoopback: []string{"fd77::3"}}, "fd77::3", "::1"},
		{"the host's loopback as a mapped address", gateway.Words{HostLoopback: []string{"10.77.0.3"}}, "::ffff:10.77.0.3", "127.0.0.1"},
		{"the host's loopback as NAT64", gateway.Words{HostLoopback: []string{"10.77.0.3"}, Deny: []string{"10.0.0.0/8"}}, "64:ff9b::10.77.0.3", ""},
		{"the host's loopback, denied as well", gateway.Words{HostLoopback: []string{"10.77.0.3"}, Deny: []string{"10.0.0.0/8"}}, "10.77.0.3", "127.0.0.1"},
		{"beside the host's loopback", gateway.Words{HostLoopback: []string{"10.77.0.3"}, Deny: []string{"10.0.0.0/8"}}, "10.77.0.4", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg, err := gateway.Parse(tt.words)
			require.NoError(t, err)
			got, err := cfg.Policy.Resolve(netip.MustParseAddr(tt.to))
			if tt.leads == "" {
				require.ErrorIs(t, err, syscall.EACCES)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tt.leads, got.String())
		})
	}
}

func TestParseMistakes(t *testing.T) {
	for _, tt := range []struct {
		words gateway.Words
		want  string
	}{
		{gateway.Words{Allow: []string{"everything"}}, `--allow: "everything" is no prefix and no address`},
		{gateway.Words{Allow: []string{""}}, `--allow: "" is no prefix and no address`},
		{gateway.Words{Deny: []string{"10.0.0.1/8"}}, `--deny: "10.0.0.1/8" has bits behind the first 8`},
		{gateway.Words{Deny: []string{"fe80::1%eth0"}}, `--deny: "fe80::1%eth0" is no prefix and no address`},
		{gateway.Words{Deny: []string{"::ffff:10.0.0.0/104"}}, `--deny: "::ffff:10.0.0.0/104" is a prefix of IPv4-mapped addresses`},
		{gateway.Words{Allow: []string{"127.0.0.1"}}, "--allow: nothing of 127.0.0.1/32 is ever permitted"},
		{gateway.Words{Allow: []string{"169.254.169.254"}}, "--allow: nothing of 169.254.169.254/32 is ever permitted"},
		{gateway.Words{Allow: []string{"224.0.0.0/4"}}, "--allow: nothing of 224.0.0.0/4 is ever permitted"},
		{gateway.Words{HostLoopback: []string{"localhost"}}, `--host-loopback: "localhost" is not an address`},
		{gateway.Words{HostLoopback: []string{"127.0.0.1"}}, "--host-loopback: 127.0.0.1 is no address that packets come to"},
		{gateway.Words{HostLoopback: []string{"10.0.0.1", "::ffff:10.0.0.2"}}, "--host-loopback: 10.0.0.2 is the second address of its family"},
		{gateway.Words{Via: "proxy"}, "--via: that is not the URL of a proxy"},
		{gateway.Words{Via: "socks5://a:secret@:%zz"}, "--via: that is not the URL of a proxy"},
		{gateway.Words{Via: "https://proxy:1"}, `--via: "https" is no kind of proxy that is spoken here`},
		{gateway.Words{Via: "socks5://proxy:0"}, `--via: "proxy:0" is no host and port`},
		{gateway.Words{Via: "socks5://:1080"}, `--via: ":1080" is no host and port`},
		{gateway.Words{Via: "http://u:secret@proxy/path"}, `--via: a proxy has no path: "http://u:xxxxx@proxy/path"`},
	} {
		_, err := gateway.Parse(tt.words)
		require.EqualError(t, err, tt.want)
		var mistake *mistake.Error
		require.ErrorAs(t, err, &mistake)
		require.NotEmpty(t, mistake.Hint())
		require.Equal(t, 2, mistake.ExitStatus())
	}
}

func TestParseProxy(t *testing.T) {
	for text, want := range map[string]string{
		"socks5://proxy":           "socks5://proxy:1080",
		"SOCKS5://u:p@[::1]:9050/": "socks5://u:xxxxx@[::1]:9050",
		"http://10.0.0.1":          "http://10.0.0.1:80",
		"http://u@proxy.test:8080": "http://u@proxy.test:8080",
	} {
		p, err := gateway.ParseProxy(text)
		require.NoError(t, err)
		require.Equal(t, want, p.String())
	}
}

func TestPolicyString(t *testing.T) {
	cfg, err := gateway.Parse(gateway.Words{Allow: []string{"10.0.0.0/8", "fd00::/8"}, Deny: []string{"10.1.0.0/16"}, HostLoopback: []string{"10.77.0.3"}})
	require.NoError(t, err)
	require.Equal(t, "only to 10.0.0.0/8 fd00::/8, not to 10.1.0.0/16, the host's loopback as 10.77.0.3", cfg.Policy.String())
	require.Equal(t, "to everywhere but the host's loopback and its link", (&gateway.Policy{}).String())
}
