package stack_test

import (
	"encoding/binary"
	"io"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/wsstack/wsstack/internal/sockettest"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
)

// A numbered is a device that keeps the identifications that a wire behind it would see.
type numbered struct {
	tun.Device

	mu  sync.Mutex // guards what follows
	ids []uint16   // in the order of the packets
	cut bool       // a packet was cut up
}

// EnableOffload implements tun.Offloader.
func (d *numbered) EnableOffload() { d.Device.(tun.Offloader).EnableOffload() }

// Send implements tun.Device.
func (d *numbered) Send(packets []tun.Packet) error {
	d.mu.Lock()
	for i := range packets {
		d.cut = d.cut || packets[i].GSO.Type != tun.GSONone
		tun.Segments(&packets[i], func(p tun.Packet) {
			d.ids = append(d.ids, binary.BigEndian.Uint16(p.Data.Flatten()[4:]))
			p.Data.Release()
		})
	}
	d.mu.Unlock()
	return d.Device.Send(packets)
}

// seen returns the identifications, from a first one that counts as 0, in ascending order: the
// packets of two goroutines may overtake each other.
func (d *numbered) seen() (ids []int, cut bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, id := range d.ids {
		ids = append(ids, int(int16(id-d.ids[0])))
	}
	slices.Sort(ids)
	return ids, d.cut
}

// WW-30: where the device cuts up segments, the counter goes up by as many as there are on a wire,
// so that each identification comes once and none is left out.
func TestCountedIDs_SegmentsOfTheDevice(t *testing.T) {
	da, db := tun.Pipe(1500)
	d := &numbered{Device: da}
	a := sockettest.NewStackOf(t, stack.Config{Device: d, Profile: options.Windows}, "10.0.0.1/24")
	b := sockettest.NewStack(t, db, "10.0.0.2/24")
	client, server := sockettest.Connected(t, a, b, sockettest.Families[0].Addr)
	const size = 1 << 20
	go client.Write(make([]byte, size))
	_, err := io.ReadFull(server, make([]byte, size))
	require.NoError(t, err)
	require.NoError(t, a.Close()) // nothing is on its way to Send any more
	ids, cut := d.seen()
	require.True(t, cut, "nothing was left to the device")
	require.Greater(t, len(ids), size/1460)
	for i, id := range ids {
		require.Equal(t, ids[0]+i, id, "identification %d of %d", i, len(ids))
	}
}

// WW-30: the errors that a router sends about what it can't send on are in the same row.
func TestCountedIDs_ErrorsOfARouter(t *testing.T) {
	n := simnet.New(t)
	router := n.HostConfig("router", stack.Config{
		Profile: options.Windows, Addresses: prefixes("10.1.0.1/16"), Forwarding: true, Routes: []stack.Route{},
	})
	near := n.Wire(router, "near", "10.1.0.9")
	var ids []uint16
	for _, packet := range [][]byte{
		echo("10.1.0.9", "10.1.0.1"), udp("10.1.0.9", "10.2.0.9", 8), udp("10.1.0.9", "10.2.0.9", 8), echo("10.1.0.9", "10.1.0.1"),
	} {
		near.Inject(packet)
		p, err := near.Receive(time.Second)
		require.NoError(t, err)
		require.True(t, header.IPv4(p.Data).IsChecksumValid())
		ids = append(ids, header.IPv4(p.Data).ID()-uint16(len(ids)))
	}
	require.Equal(t, []uint16{ids[0], ids[0], ids[0], ids[0]}, ids, "less their place in the row")
}
