package link

import (
	"encoding/binary"
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
