//go:build linux

package integration

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
)

// Transfers over links of every size. A link below 1280 carries no IPv6.
func TestTransferByMTU(t *testing.T) {
	eachDevice(t, func(t *testing.T, s settings) {
		for _, mtu := range []int{576, 1280, 1500, 9000, 65535} {
			t.Run(fmt.Sprint(mtu), func(t *testing.T) {
				s.mtu, s.only4 = mtu, mtu < 1280
				n := newNetwork(t, s)
				n.eachRole(t, func(t *testing.T, r role) { bulkBothWays(t, r, size(4<<20, 512<<10)) })
			})
		}
	})
}

// A watched stream does something once, when so many bytes have been read from
// it.
type watched struct {
	stream
	after int
	do    func()
	once  sync.Once
}

func (w *watched) Read(b []byte) (int, error) {
	n, err := w.stream.Read(b)
	if w.after -= n; w.after <= 0 {
		w.once.Do(w.do)
	}
	return n, err
}

func setMTU(t testing.TB, name string, mtu int) {
	link, err := netlink.LinkByName(name)
	if err == nil {
		err = netlink.LinkSetMTU(link, mtu)
	}
	if err != nil {
		t.Errorf("set the MTU of %s: %v", name, err)
	}
}

// The MTU of the interface changes in the middle of a transfer, in both
// directions, and nothing is lost.
func TestInterfaceMTUChangesInMidTransfer(t *testing.T) {
	n := newNetwork(t, settings{})
	n.eachRole(t, func(t *testing.T, r role) {
		for _, change := range [][2]int{{1500, 1280}, {1280, 1500}} {
			setMTU(t, n.name, change[0])
			client, server := r.connect(t)
			bytes := size(8<<20, 1<<20)
			bothWays(t, client, &watched{stream: server, after: bytes / 3, do: func() { setMTU(t, n.name, change[1]) }}, bytes)
		}
		setMTU(t, n.name, 1500)
	})
}

// A router further away has the smaller link. The stack learns of it through
// ICMP "fragmentation needed" and "packet too big", in the middle of a transfer
// and at its start.
func TestPathMTUChangesInMidTransfer(t *testing.T) {
	n := newNetwork(t, settings{})
	far := n.addRouter(t)
	for _, r := range roles(far.side, n.wsock, false) {
		t.Run(r.name, func(t *testing.T) {
			far.setMTU(t, 1500)
			client, server := r.connect(t)
			bytes := size(8<<20, 1<<20)
			bothWays(t, client, &watched{stream: server, after: bytes / 3, do: func() { far.setMTU(t, 1280) }}, bytes)
			client, server = r.connect(t) // the link is small from the start
			bothWays(t, client, server, bytes)
			require.False(t, t.Failed())
		})
	}
}
