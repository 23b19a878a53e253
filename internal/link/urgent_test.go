package link

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/wsstack/wsstack/tun"
)

// A device never gets a segment larger than the MSS with an urgent pointer: each
// part it cuts would point to another byte. The parts point to the same one, and
// those behind it point nowhere (OB-1).
func TestUrgentSegmentsAreCutUpHere(t *testing.T) {
	const mss, payload, mark = 1000, 3500, 1700 // the urgent byte is in the second of four
	gso := stack.GSO{Type: stack.GSOTCPv4, NeedsCsum: true, CsumOffset: header.TCPChecksumOffset, MSS: mss, L3HdrLen: 20, MaxSize: 1 << 16}
	dev := &fakeDevice{offload: tun.Offload{Checksum: true, TSO4: true, TSO6: true}}
	pkt := outgoing(header.IPv4MinimumSize, payload, gso)
	defer pkt.DecRef()
	header.IPv4(pkt.NetworkHeader().Slice()).Encode(&header.IPv4Fields{
		TotalLength: header.IPv4MinimumSize + header.TCPMinimumSize + payload, TTL: 64, Protocol: uint8(header.TCPProtocolNumber),
	})
	header.TCP(pkt.TransportHeader().Slice()).Encode(&header.TCPFields{
		SeqNum: 1, DataOffset: header.TCPMinimumSize, Flags: header.TCPFlagAck | header.TCPFlagUrg, UrgentPointer: mark,
	})
	var list stack.PacketBufferList
	list.PushBack(pkt)
	_, err := New(dev, Options{}).WritePackets(list)
	requireOK(t, err)
	require.Len(t, dev.sent, 4)
	for i, p := range dev.sent {
		require.Zero(t, p.GSO, "part %d", i)
		b := p.Data.Flatten()
		p.Data.Release()
		h := header.TCP(b[header.IPv4MinimumSize:])
		seq := int(h.SequenceNumber()) - 1
		require.Equal(t, i*mss, seq)
		urgent := h.Flags().Contains(header.TCPFlagUrg)
		require.Equal(t, seq < mark, urgent, "URG of part %d", i)
		if urgent {
			require.Equal(t, mark, seq+int(h.UrgentPointer()), "the byte that part %d points to", i)
		}
	}
}
