package link

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/wsstack/wsstack/tun"
)

// between is a packet between two addresses: its payload begins with the ports.
func between(protocol uint8, from, to string, ports uint32, options int, fragment uint16, payload byte) tun.Packet {
	source, destination := netip.MustParseAddr(from), netip.MustParseAddr(to)
	body := append(binary.BigEndian.AppendUint32(nil, ports), make([]byte, 60)...)
	body[len(body)-1] = payload
	if source.Is6() {
		b := append(make([]byte, header.IPv6MinimumSize), body...)
		b[0], b[6] = 0x60, protocol
		copy(b[8:], source.AsSlice())
		copy(b[24:], destination.AsSlice())
		return packet(b...)
	}
	b := append(make([]byte, header.IPv4MinimumSize+options), body...)
	b[0], b[9] = 0x45+byte(options/4), protocol
	binary.BigEndian.PutUint16(b[6:], fragment)
	copy(b[12:], source.AsSlice())
	copy(b[16:], destination.AsSlice())
	return packet(b...)
}

const (
	tcpNumber     = uint8(header.TCPProtocolNumber)
	udpNumber     = uint8(header.UDPProtocolNumber)
	moreFragments = 0x2000
)

// What belongs together has one part, and what doesn't is spread.
func TestPartOf(t *testing.T) {
	const parts = 7
	for _, addrs := range [][2]string{{"10.0.0.2", "10.0.0.1"}, {"fd00::2", "fd00::1"}} {
		counts := [parts]int{}
		for port := range uint32(1000) {
			first := between(tcpNumber, addrs[0], addrs[1], port<<16|80, 0, 0, 0)
			second := between(tcpNumber, addrs[0], addrs[1], port<<16|80, 0, 0, 1)
			options := between(tcpNumber, addrs[0], addrs[1], port<<16|80, 40, 0, 2)
			part := partOf(&first, parts)
			require.Equal(t, part, partOf(&second, parts))
			require.Equal(t, part, partOf(&options, parts), "IP options")
			counts[part]++
		}
		for part, n := range counts {
			require.Greater(t, n, 1000/parts/2, "connections of part %d", part)
		}
		whole := between(udpNumber, addrs[0], addrs[1], 1<<16|53, 0, 0, 0)
		other := between(udpNumber, addrs[0], addrs[1], 2<<16|53, 0, 0, 0)
		require.Equal(t, partOf(&whole, parts), partOf(&other, parts), "datagrams of one sender")
		group := between(udpNumber, addrs[0], map[bool]string{true: "224.0.0.1", false: "ff02::1"}[addrs[0] == "10.0.0.2"], 2<<16|53, 0, 0, 0)
		require.Equal(t, partOf(&whole, parts), partOf(&group, parts), "datagrams of one sender to a group")
	}
	for ports := range uint32(100) { // a later fragment has no ports: it has something else there
		first := between(tcpNumber, "10.0.0.2", "10.0.0.1", 1<<16|80, 0, moreFragments, 0)
		later := between(tcpNumber, "10.0.0.2", "10.0.0.1", ports, 0, 1, 0)
		require.Equal(t, partOf(&first, parts), partOf(&later, parts), "fragments")
	}
	senders := map[int]int{}
	for i := range 1000 {
		p := between(udpNumber, fmt.Sprintf("10.0.%d.%d", i/250, i%250), "10.0.0.1", 53, 0, 0, 0)
		senders[partOf(&p, parts)]++
	}
	require.Len(t, senders, parts, "datagrams of different senders")
}

// No beginning of a packet is too short, and no header length too large.
func TestPartOfMalformed(t *testing.T) {
	for _, whole := range []tun.Packet{
		between(tcpNumber, "10.0.0.2", "10.0.0.1", 80, 40, 0, 0), between(tcpNumber, "fd00::2", "fd00::1", 80, 0, 0, 0),
	} {
		b := whole.Data.Flatten()
		for size := range b {
			for _, first := range []byte{b[0], 0x40, 0x4f, 0x00, 0xff} {
				p := packet(append([]byte{first}, b[1:size+1]...)...)
				require.Less(t, partOf(&p, 3), 3)
			}
		}
	}
	p := packet()
	require.Less(t, partOf(&p, 3), 3)
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
			batch = append(batch, between(tcpNumber, "10.0.0.2", "10.0.0.1", c/2<<16|80+c%2, 0, 0, byte(i)))
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
		dev.receive([]tun.Packet{between(tcpNumber, "10.0.0.2", "10.0.0.1", 80, 0, 0, 0)})
	}
	require.Equal(t, tun.QueuePackets/parts, e.Len(), "of one connection")
	for i := range uint32(2 * tun.QueuePackets) {
		dev.receive([]tun.Packet{between(tcpNumber, "10.0.0.2", "10.0.0.1", i<<16|80, 0, 0, 0)})
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

func BenchmarkPartOf(b *testing.B) {
	p := tun.Packet{Data: buffer.MakeWithData(tcp4())}
	for b.Loop() {
		partOf(&p, 8)
	}
}
