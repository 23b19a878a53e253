package names

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseResolvConf(t *testing.T) {
	for _, tt := range []struct {
		name, text, servers, search string
	}{
		{"systemd-resolved", "# a comment\nnameserver 127.0.0.53\noptions edns0 trust-ad\nsearch example.org corp.example\n", "127.0.0.53:53", "example.org corp.example"},
		{"empty", "", "127.0.0.1:53 [::1]:53", ""},
		{"nonsense", "nameserver\nnameserver x\nsearch\n\x00\n", "127.0.0.1:53 [::1]:53", ""},
		{"a zone", "nameserver fe80::1%eth0 ; the router\n", "[fe80::1%eth0]:53", ""},
		{"four servers", "nameserver 10.0.0.1\nnameserver 10.0.0.2\nnameserver 10.0.0.3\nnameserver 10.0.0.4", "10.0.0.1:53 10.0.0.2:53 10.0.0.3:53", ""},
		{"the last search list", "domain a.example\nsearch b.example.\n", "127.0.0.1:53 [::1]:53", "b.example"},
		{"domains that are none", "search . -x ok x*y ; b\n", "127.0.0.1:53 [::1]:53", "ok"},
		{"many domains", "search a b c d e f g h\n", "127.0.0.1:53 [::1]:53", "a b c d e f"},
		{"long domains", "search " + strings.Repeat(strings.Repeat("x.", 60)+"y ", 3), "127.0.0.1:53 [::1]:53", strings.TrimSpace(strings.Repeat(strings.Repeat("x.", 60)+"y ", 2))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			servers, search := parseResolvConf(tt.text)
			var list []string
			for _, s := range servers {
				list = append(list, s.String())
			}
			require.Equal(t, tt.servers, strings.Join(list, " "))
			require.Equal(t, tt.search, strings.Join(search, " "))
		})
	}
}

func TestFiles(t *testing.T) {
	four, six := netip.MustParseAddr("10.77.0.1"), netip.MustParseAddr("fd77::1")
	require.Equal(t, `# wsstack: the name server of this network
nameserver 10.77.0.1
nameserver fd77::1
search corp.example
options ndots:0
`, resolvConfText([]netip.Addr{four, six}, "search corp.example\nnameserver 1.2.3.4\noptions ndots:5\n"))
	require.Equal(t, `# wsstack: the name server of this network
nameserver fd77::1
options ndots:0
`, resolvConfText([]netip.Addr{six}, ""))
	require.NotContains(t, "\n"+resolvConfText(nil, "nameserver 1.2.3.4\n"), "\nnameserver")

	web, wild := Host{"web", []netip.Addr{four, six}}, Host{"*.wild", []netip.Addr{four}}
	require.Equal(t, `# wsstack: names of this network
10.77.0.1	web
fd77::1	web
# those of the machine
127.0.0.1 localhost
`, hostsText([]Host{web, wild}, "127.0.0.1 localhost\n"))
	require.Equal(t, "127.0.0.1 localhost\n", hostsText([]Host{wild}, "127.0.0.1 localhost\n"))

	require.Empty(t, nsswitchText(""))
	require.Equal(t, "passwd: files\nhosts: files dns # wsstack: not by sockets of the machine\n",
		nsswitchText("passwd: files\n hosts: files mymachines resolve [!UNAVAIL=return] dns"))
}
