package link

import (
	"encoding/binary"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/wsstack/wsstack/tun"
)

// segment is a TCP segment between two addresses, with these ports and this last byte.
func segment(ports uint32, last byte) tun.Packet {
	b := make([]byte, header.IPv4MinimumSize, 100)
	b[0], b[9] = 0x45, byte(header.TCPProtocolNumber)
	copy(b[12:], []byte{10, 0, 0, 2, 10, 0, 0, 1})
	b = binary.BigEndian.AppendUint32(b, ports)
	return packet(append(b, append(make([]byte, 59), last)...)...)
}

// sequence is a dispatcher that notes the last byte of each packet by connection.
type sequence map[string][]byte

func (s sequence) DeliverNetworkPacket(_ tcpip.NetworkProtocolNumber, pkt *stack.PacketBuffer) {
	b := pkt.Data().AsRange().ToSlice()
	flow := string(b[12:24])
	s[flow] = append(s[flow], b[len(b)-1])
}

func (sequence) DeliverLinkPacket(tcpip.NetworkProtocolNumber, *stack.PacketBuffer) {}

// Batches in which connections alternate are divided, each is announced to its part,
// and each connection has its order.
func TestPartsKeepOrder(t *testing.T) {
	const parts, conns, each = 4, 32, 200
	rings := [parts]int{}
	dev := &fakeDevice{}
	e := New(dev, Options{Parts: parts, Notify: func(part int) { rings[part]++ }})
	got := sequence{}
	e.Attach(got)
	require.NoError(t, e.Start())
	for i := range each {
		var batch []tun.Packet
		for c := range uint32(conns) {
			batch = append(batch, segment(c/2<<16|80+c%2, byte(i)))
		}
		dev.receive(batch)
	}
	require.Equal(t, conns*each, e.Len())
	require.Equal(t, [parts]int{1, 1, 1, 1}, rings, "each is announced once")
	for part := range parts {
		n := e.Deliver(part, conns*each)
		require.Positive(t, n)
		require.Less(t, n, conns*each)
	}
	require.Zero(t, e.Len())
	require.Len(t, got, conns)
	for _, order := range got {
		require.Len(t, order, each)
		for i, b := range order {
			require.Equal(t, byte(i), b)
		}
	}
}

// All parts together hold what one would.
func TestPartsBound(t *testing.T) {
	const parts = 4
	dev := &fakeDevice{}
	e := New(dev, Options{Parts: parts})
	require.NoError(t, e.Start())
	for range tun.QueuePackets {
		dev.receive([]tun.Packet{segment(80, 0)})
	}
	require.Equal(t, tun.QueuePackets/parts, e.Len(), "of one connection")
	for i := range uint32(2 * tun.QueuePackets) {
		dev.receive([]tun.Packet{segment(i<<16|80, 0)})
	}
	require.Equal(t, tun.QueuePackets, e.Len())
	require.Equal(t, uint64(2*tun.QueuePackets), e.Dropped())
	e.Close()
	require.Zero(t, e.Len())
	require.Equal(t, uint64(3*tun.QueuePackets), e.Dropped(), "Close drops what is queued")
}

// A parallelDevice is a patientDevice that calls receive from several goroutines.
type parallelDevice struct {
	patientDevice
	goroutines int
	asked      bool
}

func (d *parallelDevice) EnableParallel() int { d.asked = true; return d.goroutines }

// A device is asked for goroutines where several deliver. Who has as many as there are parts is told
// that no part waits for it, whatever it brings.
func TestParallel(t *testing.T) {
	for _, c := range []struct {
		parts, goroutines int
		asked, alone      bool
	}{
		{1, 4, false, false}, {2, 1, true, false}, {4, 3, true, false}, {4, 4, true, true}, {2, 8, true, true},
	} {
		dev := &parallelDevice{patientDevice: patientDevice{patience: 1 << 20}, goroutines: c.goroutines}
		told := 0
		e := New(dev, Options{Parts: c.parts, Arrived: func(_ int, alone bool) {
			told++
			require.Equal(t, c.alone, alone, "%d parts, %d goroutines", c.parts, c.goroutines)
		}})
		require.Equal(t, c.asked, dev.asked, "%d parts", c.parts)
		require.NoError(t, e.Start())
		dev.receive([]tun.Packet{segment(1, 0), segment(1, 1)})
		require.Equal(t, 1, told)
		e.Close()
	}
}

// What several goroutines bring at once keeps the order of each, and all of it is counted.
func TestParallelReceive(t *testing.T) {
	const goroutines, conns, each = 4, 8, 100 // all of it fits the queue of one part
	dev := &parallelDevice{goroutines: goroutines}
	e := New(dev, Options{Parts: goroutines})
	got := sequence{}
	e.Attach(got)
	require.NoError(t, e.Start())
	var readers sync.WaitGroup
	for g := range uint32(goroutines) {
		readers.Go(func() {
			for i := range each {
				var batch []tun.Packet
				for c := range uint32(conns) {
					batch = append(batch, segment((g*conns+c)<<16|80, byte(i)))
				}
				dev.receive(batch)
			}
		})
	}
	readers.Wait()
	const all = goroutines * conns * each
	in, _ := e.Traffic()
	require.EqualValues(t, all, in.Packets)
	require.Equal(t, all, e.Len())
	for part := range goroutines {
		e.Deliver(part, all)
	}
	require.Len(t, got, goroutines*conns)
	for _, order := range got {
		require.Len(t, order, each)
		for i, b := range order {
			require.Equal(t, byte(i), b)
		}
	}
}

// Who has no filter that asks Verified trusts a device that may leave checksums to us,
// and no other.
func TestTrusting(t *testing.T) {
	const claimed = stack.CapabilityRXChecksumOffload
	plain := New(&fakeDevice{}, Options{})
	offload := New(&fakeDevice{offload: tun.Offload{Checksum: true}}, Options{})
	require.Zero(t, offload.Capabilities()&claimed)
	require.Equal(t, claimed, Trusting{offload}.Capabilities()&claimed)
	require.Zero(t, Trusting{plain}.Capabilities()&claimed)
}
