package parts

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// A sample is a packet between two hosts, whose payload begins with ports.
type sample struct {
	protocol tcpip.TransportProtocolNumber
	from, to string
	ports    [2]uint16
	options  int    // bytes of IP options
	fragment uint16 // flags and offset of IPv4
}

func (s sample) bytes() []byte {
	source, destination := netip.MustParseAddr(s.from), netip.MustParseAddr(s.to)
	b := make([]byte, header.IPv4MinimumSize+s.options, 200)
	if source.Is6() {
		b = b[:header.IPv6MinimumSize]
		b[0], b[6] = 0x60, byte(s.protocol)
		copy(b[8:], source.AsSlice())
		copy(b[24:], destination.AsSlice())
	} else {
		b[0], b[9] = 0x45+byte(s.options/4), byte(s.protocol)
		binary.BigEndian.PutUint16(b[6:], s.fragment)
		copy(b[12:], source.AsSlice())
		copy(b[16:], destination.AsSlice())
	}
	b = binary.BigEndian.AppendUint16(b, s.ports[0])
	b = binary.BigEndian.AppendUint16(b, s.ports[1])
	return append(b, make([]byte, 60)...)
}

// back is the packet in the other direction.
func (s sample) back() sample {
	s.from, s.to = s.to, s.from
	s.ports[0], s.ports[1] = s.ports[1], s.ports[0]
	return s
}

func incoming(s sample, n int) int { return partOf(s, n, Incoming) }
func outgoing(s sample, n int) int { return partOf(s, n, Outgoing) }

func partOf(s sample, n int, of func(*buffer.Buffer, int) int) int {
	b := buffer.MakeWithData(s.bytes())
	defer b.Release()
	return of(&b, n)
}

const (
	tcp = header.TCPProtocolNumber
	udp = header.UDPProtocolNumber
	n   = 7
)

// The packets of a connection have one part, both ways, and connections are spread.
func TestConnections(t *testing.T) {
	for _, hosts := range [][2]string{{"10.0.0.2", "10.0.0.1"}, {"fd00::2", "fd00::1"}} {
		counts := [n]int{}
		for port := range uint16(1000) {
			s := sample{protocol: tcp, from: hosts[0], to: hosts[1], ports: [2]uint16{port, 80}}
			part := incoming(s, n)
			require.Equal(t, part, outgoing(s.back(), n), "the other way")
			local, remote := netip.MustParseAddr(hosts[1]), netip.MustParseAddr(hosts[0])
			require.Equal(t, part, Connection(tcpip.AddrFromSlice(local.AsSlice()), 80, tcpip.AddrFromSlice(remote.AsSlice()), port, n))
			counts[part]++
			if local.Is4() {
				s.options = 40
				require.Equal(t, part, incoming(s, n), "IP options")
				require.Equal(t, part, outgoing(s.back(), n), "IP options")
			}
		}
		for part, count := range counts {
			require.Greater(t, count, 1000/n/2, "connections of part %d", part)
		}
	}
}

// What isn't a segment has the part of the other host, whatever it is.
func TestSenders(t *testing.T) {
	for _, hosts := range [][3]string{{"10.0.0.2", "10.0.0.1", "224.0.0.1"}, {"fd00::2", "fd00::1", "ff02::1"}} {
		s := sample{protocol: udp, from: hosts[0], to: hosts[1], ports: [2]uint16{1, 53}}
		part := incoming(s, n)
		require.Equal(t, part, outgoing(s.back(), n), "the answer")
		s.ports[0] = 2
		require.Equal(t, part, incoming(s, n), "of another port")
		s.to = hosts[2]
		require.Equal(t, part, incoming(s, n), "to a group")
	}
	const moreFragments = 0x2000
	for port := range uint16(100) { // a later fragment has no ports: it has something else there
		s := sample{protocol: tcp, from: "10.0.0.2", to: "10.0.0.1", ports: [2]uint16{1, 80}, fragment: moreFragments}
		first := incoming(s, n)
		s.ports, s.fragment = [2]uint16{port, port}, 1
		require.Equal(t, first, incoming(s, n), "fragments")
	}
	senders := map[int]int{}
	for i := range 1000 {
		senders[incoming(sample{protocol: udp, from: fmt.Sprintf("10.0.%d.%d", i/250, i%250), to: "10.0.0.1"}, n)]++
	}
	require.Len(t, senders, n, "datagrams of different senders")
}

// No beginning of a packet is too short, and no header length too large.
func TestMalformed(t *testing.T) {
	for _, s := range []sample{
		{protocol: tcp, from: "10.0.0.2", to: "10.0.0.1", options: 40}, {protocol: tcp, from: "fd00::2", to: "fd00::1"},
	} {
		whole := s.bytes()
		for size := range whole {
			for _, first := range []byte{whole[0], 0x40, 0x4f, 0x00, 0xff} {
				b := buffer.MakeWithData(append([]byte{first}, whole[1:size+1]...))
				require.Less(t, Incoming(&b, 3), 3)
				require.Less(t, Outgoing(&b, 3), 3)
				b.Release()
			}
		}
	}
	var empty buffer.Buffer
	require.Less(t, Incoming(&empty, 3), 3)
}

func TestCount(t *testing.T) {
	for processors, want := range map[int]int{1: 1, 2: 1, 3: 1, 4: 2, 7: 3, 8: 4, 64: 8} {
		before := runtime.GOMAXPROCS(processors)
		got := Count()
		runtime.GOMAXPROCS(before)
		require.Equal(t, want, got, "%d processors", processors)
	}
}

func BenchmarkIncoming(b *testing.B) {
	p := buffer.MakeWithData(sample{protocol: tcp, from: "10.0.0.2", to: "10.0.0.1"}.bytes())
	for b.Loop() {
		Incoming(&p, 8)
	}
}
