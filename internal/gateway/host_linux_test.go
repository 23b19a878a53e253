package gateway_test

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/wsstack/wsstack/internal/gateway"
	"github.com/wsstack/wsstack/stack"
)

// Networks that the routes of the tests' namespace are about, by what a connect to them is told.
// There is no other route.
var hostRoutes = map[string]struct {
	kind     int
	networks []string
	icmp     map[string][2]uint8 // type and code that the peer is told
}{
	"unreachable": {unix.RTN_UNREACHABLE, []string{"198.18.1.0/24", "2001:db8:1::/48"}, map[string][2]uint8{"IPv4": {3, 1}, "IPv6": {1, 3}}},
	"prohibit":    {unix.RTN_PROHIBIT, []string{"198.18.2.0/24", "2001:db8:2::/48"}, map[string][2]uint8{"IPv4": {3, 13}, "IPv6": {1, 1}}},
	"no route":    {0, []string{"198.18.3.0/24", "2001:db8:3::/48"}, map[string][2]uint8{"IPv4": {3, 0}, "IPv6": {1, 0}}},
}

// own is an address of the namespace that isn't its loopback.
var own = map[string]string{"IPv4": "198.18.0.1", "IPv6": "2001:db8::1"}

// prepareHost gives the namespace of the tests its routes and addresses.
func prepareHost() {
	lo, err := netlink.LinkByName("lo")
	for _, a := range []string{own["IPv4"] + "/32", own["IPv6"] + "/128"} {
		if err == nil {
			var addr *netlink.Addr
			if addr, err = netlink.ParseAddr(a); err == nil {
				addr.Flags = unix.IFA_F_NODAD
				err = netlink.AddrAdd(lo, addr)
			}
		}
	}
	for _, r := range hostRoutes {
		for _, n := range r.networks {
			if err == nil && r.kind != 0 {
				p := netip.MustParsePrefix(n)
				err = netlink.RouteAdd(&netlink.Route{Type: r.kind, Dst: &net.IPNet{
					IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen()),
				}})
			}
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "gateway: prepare the namespace:", err)
		os.Exit(1)
	}
}

// needNamespace skips a test that needs the namespace's routes.
func needNamespace(t *testing.T) {
	if unable != nil {
		t.Skip(unable)
	}
}

// pingSockets says which groups may make ping sockets.
func pingSockets(t *testing.T, groups string) {
	const name = "/proc/sys/net/ipv4/ping_group_range"
	if err := os.WriteFile(name, []byte(groups), 0); err != nil {
		t.Skipf("%s can't be set: %v", name, err)
	}
}

// What the host's routes say becomes an ICMP error for the peer: for a SYN, a datagram and an echo
// request.
func TestHostErrors(t *testing.T) {
	needNamespace(t)
	pingSockets(t, fmt.Sprint(os.Getgid(), " ", os.Getgid()))
	each(t, func(t *testing.T, family string) {
		w := newWorld(t, gateway.Config{})
		for name, r := range hostRoutes {
			to := netip.MustParsePrefix(r.networks[map[string]int{"IPv4": 0, "IPv6": 1}[family]]).Addr().Next()
			_, err := w.client.Ping(t.Context(), to)
			var told *stack.ICMPError
			require.ErrorAs(t, err, &told, name)
			require.Equal(t, r.icmp[family], [2]uint8{told.Type, told.Code}, name)
			if family == "IPv4" {
				p := newWirePeer(t, "")
				want := map[string]string{"unreachable": "host", "prohibit": "prohibited", "no route": "network"}[name]
				require.Equal(t, want, p.knock(t, netip.AddrPortFrom(to, 80).String()))
				require.Equal(t, want, p.ask(t, netip.AddrPortFrom(to, 53).String()))
			}
		}
	})
}

// Addresses of the host that aren't its loopback are destinations like others.
func TestOwnAddress(t *testing.T) {
	needNamespace(t)
	each(t, func(t *testing.T, family string) {
		w := newWorld(t, gateway.Config{})
		l, err := net.Listen("tcp", net.JoinHostPort(own[family], "0"))
		require.NoError(t, err)
		defer l.Close()
		c, err := w.client.Dial("tcp", l.Addr().String())
		require.NoError(t, err)
		require.NoError(t, c.Close())
		// Where they are denied, they are.
		w = newWorld(t, gateway.Config{Policy: gateway.Policy{Deny: []netip.Prefix{netip.MustParsePrefix(own["IPv4"] + "/32")}}})
		_, err = w.client.Ping(t.Context(), netip.MustParseAddr(own["IPv4"]))
		require.ErrorContains(t, err, "type 3, code 13")
	})
}

// Echo requests go out by ping sockets, with their content and each to its own requester.
func TestPingSockets(t *testing.T) {
	needNamespace(t)
	pingSockets(t, fmt.Sprint(os.Getgid(), " ", os.Getgid()))
	each(t, func(t *testing.T, family string) {
		w := newWorld(t, gateway.Config{})
		done := make(chan error)
		const pings = 20
		for range pings {
			go func() { _, err := w.client.Ping(t.Context(), netip.MustParseAddr(own[family])); done <- err }()
		}
		for range pings {
			require.NoError(t, <-done)
		}
		_, err := w.client.Ping(t.Context(), netip.MustParseAddr(doors[family]))
		require.NoError(t, err)
		require.Empty(t, w.said.String())
	})
}

// Without ping sockets, the host answers for itself, and says so once.
func TestPingWithoutSockets(t *testing.T) {
	needNamespace(t)
	pingSockets(t, "1 0")
	each(t, func(t *testing.T, family string) {
		w := newWorld(t, gateway.Config{})
		for range 2 {
			for _, to := range []string{doors[family], own[family]} {
				_, err := w.client.Ping(t.Context(), netip.MustParseAddr(to))
				require.NoError(t, err)
			}
			_, err := w.client.Ping(t.Context(), netip.MustParsePrefix(hostRoutes["no route"].networks[0]).Addr())
			require.ErrorContains(t, err, "type 3, code 13")
		}
		require.Equal(t, 1, strings.Count(w.said.String(), "ping answers for this host's own addresses only"))
	})
}
