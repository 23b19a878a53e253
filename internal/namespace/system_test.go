package namespace

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/wsstack/wsstack/tun"
)

// The commands are those of the manuals; they were never run.
func TestSetUpCommands(t *testing.T) {
	c := tun.Config{
		MTU:       1400,
		Addresses: []netip.Prefix{netip.MustParsePrefix("10.77.0.2/24"), netip.MustParsePrefix("fd77::2/64")},
		Routes: []tun.Route{
			{Destination: netip.MustParsePrefix("10.9.0.0/16"), Gateway: netip.MustParseAddr("10.77.0.1")},
			{Destination: netip.MustParsePrefix("fd09::/48")},
		},
	}
	for system, want := range map[string]string{
		"darwin": `ifconfig if0 mtu 1400
ifconfig if0 inet 10.77.0.2/24 10.77.0.2 alias
ifconfig if0 inet6 fd77::2 prefixlen 64 alias
ifconfig if0 up
route -n add -inet -net 10.77.0.0/24 -interface if0
route -n add -inet -net 10.9.0.0/16 -interface if0
route -n add -inet6 -net fd09::/48 -interface if0`,
		"windows": `netsh interface ipv4 add address name=if0 address=10.77.0.2 mask=255.255.255.0 store=active
netsh interface ipv4 set subinterface interface=if0 mtu=1400 store=active
netsh interface ipv6 add address interface=if0 address=fd77::2/64 store=active
netsh interface ipv6 set subinterface interface=if0 mtu=1400 store=active
netsh interface ipv4 add route prefix=10.9.0.0/16 interface=if0 store=active nexthop=10.77.0.1
netsh interface ipv6 add route prefix=fd09::/48 interface=if0 store=active`,
	} {
		list, err := setUpCommands(system, "if0", c)
		var lines []string
		for _, words := range list {
			lines = append(lines, strings.Join(words, " "))
		}
		if got := strings.Join(lines, "\n"); err != nil || got != want {
			t.Errorf("%s: %v\n%s\nwant\n%s", system, err, got, want)
		}
	}
	if _, err := setUpCommands("plan9", "if0", c); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("plan9: %v, want ErrUnsupported", err)
	}
}

func TestRunCommands(t *testing.T) {
	if err := runCommands([][]string{{"true"}, {"sh", "-c", "echo no such interface >&2; exit 3"}, {"true"}}); err == nil ||
		!strings.Contains(err.Error(), "exit status 3: no such interface") {
		t.Errorf("runCommands: %v, want what the command has said", err)
	}
}
