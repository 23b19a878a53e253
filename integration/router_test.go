//go:build linux

package integration

import (
	"net"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"

	"github.com/wsstack/wsstack/internal/netns"
	"github.com/wsstack/wsstack/tun"
)

// A farHost is a second network namespace, behind the kernel of the first as a
// router:
//
//	stack ── TUN ── router ── veth near0, far0 ── farHost
type farHost struct {
	side *side
	*netns.Thread
}

// The addresses of the ends of the veth. The last ones are link-local: without,
// the router can't resolve its neighbour.
var (
	nearAddrs = prefixes("10.78.0.1/24", "fd78::1/64", "fe80::1/64")
	farAddrs  = prefixes("10.78.0.2/24", "fd78::2/64", "fe80::2/64")
)

func prefixes(list ...string) (out []netip.Prefix) {
	for _, p := range list {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}

// addRouter makes the kernel's end of a network a router with a host behind it.
func (n *network) addRouter(t testing.TB) *farHost {
	t.Helper()
	forward(t, n.name)
	thread, err := netns.NewThread()
	require.NoError(t, err)
	t.Cleanup(thread.Close)
	h := &farHost{Thread: thread}

	if err := h.Join("near0", "far0", 1500); err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() {
		require.NoError(t, netlink.LinkDel(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "near0"}}))
	})
	forward(t, "near0")
	require.NoError(t, tun.Configure("near0", tun.Config{Addresses: nearAddrs, NoAddrGen: true}))
	h.Do(func() { err = h.configure(n) })
	require.NoError(t, err)
	h.side = threadSide(thread, "far kernel", farAddrs)
	return h
}

// configure gives the host its addresses and default routes.
func (h *farHost) configure(n *network) error {
	if err := tun.Configure("far0", tun.Config{Addresses: farAddrs, NoAddrGen: true}); err != nil {
		return err
	}
	for i, address := range n.wsock.addrs {
		to := address.Masked()
		route := &netlink.Route{
			Dst: &net.IPNet{IP: to.Addr().AsSlice(), Mask: net.CIDRMask(to.Bits(), to.Addr().BitLen())},
			Gw:  nearAddrs[i].Addr().AsSlice(),
		}
		if err := netlink.RouteAdd(route); err != nil {
			return err
		}
	}
	return nil
}

// setMTU changes both ends of the link behind the router.
func (h *farHost) setMTU(t testing.TB, mtu int) {
	setMTU(t, "near0", mtu)
	h.Do(func() { setMTU(t, "far0", mtu) })
}
