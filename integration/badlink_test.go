//go:build linux

package integration

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/tun"
)

// impaired opens a device of plain packets behind a link that does the same to both
// directions. link is set when the device has been opened.
func impaired(m tun.Impairment, link **tun.Impaired) func(name string) (tun.Device, error) {
	return func(name string) (tun.Device, error) {
		device, err := tun.OpenWater(name)
		if err != nil {
			return nil, err
		}
		*link, err = tun.Impair(device, tun.ImpairConfig{Out: m, In: m, Rand: rand.NewPCG(1, 2)})
		return *link, err
	}
}

// overBadLink transfers in both directions at the same time, in every role, and wants
// everything that is wrong with the link to have happened.
func overBadLink(t *testing.T, s settings, m tun.Impairment, bytes int) {
	var link *tun.Impaired
	s.open = impaired(m, &link)
	n := newNetwork(t, s)
	n.eachRole(t, func(t *testing.T, r role) { bulkBothWays(t, r, bytes) })
	out, in := link.Stats()
	for _, s := range []tun.ImpairStats{out, in} {
		require.Equal(t, m.Loss > 0, s.Lost > 0)
		require.Equal(t, m.Reorder > 0, s.Reordered > 0)
		require.Equal(t, m.Duplicate > 0, s.Duplicated > 0)
		require.Equal(t, m.Corrupt > 0, s.Corrupted > 0)
	}
	t.Logf("out %+v, in %+v, resent %d", out, in, n.stack.Stats().Retransmits)
}

// Whatever the link does, every byte arrives, and once: 64 MiB in each direction.
func TestTransferOverBadLink(t *testing.T) {
	overBadLink(t, settings{}, tun.Impairment{Loss: 0.005, Reorder: 0.01, Duplicate: 0.005, Corrupt: 0.005}, size(64<<20, 1<<20))
}

// The same with one fault at a time, and more of it.
func TestTransferByFault(t *testing.T) {
	for name, m := range map[string]tun.Impairment{
		"loss":        {Loss: 0.03},
		"bursts":      {Loss: 0.001, Burst: tun.Burst{Enter: 0.01, Leave: 0.3}},
		"reordering":  {Reorder: 0.1},
		"duplication": {Duplicate: 0.2},
		"corruption":  {Corrupt: 0.02},
	} {
		t.Run(name, func(t *testing.T) { overBadLink(t, settings{}, m, size(4<<20, 256<<10)) })
	}
}

// The same with packets of every size.
func TestTransferOverBadLinkByMTU(t *testing.T) {
	for _, mtu := range []int{576, 1280, 9000, 65535} {
		t.Run(fmt.Sprint(mtu), func(t *testing.T) {
			bytes := min(mtu*1000, size(16<<20, 4<<20)) // enough packets for each fault
			overBadLink(t, settings{mtu: mtu, only4: mtu < 1280}, tun.Impairment{Loss: 0.01, Reorder: 0.02, Duplicate: 0.01, Corrupt: 0.02}, bytes)
		})
	}
}
