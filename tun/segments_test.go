package tun

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// bulky is a packet with metadata, as a stack with offload sends it.
type bulky struct {
	v6, udp bool
	options int // bytes of IP options, or of IPv6 extension headers
	payload int
	mss     int // zero: only the checksum is missing
}

const bulkSeq, bulkID = 0xfffffff0, 0xfffe // they wrap

func (c bulky) source() (a, b tcpip.Address) {
	if c.v6 {
		return tcpip.AddrFrom16([16]byte{0xfd, 15: 1}), tcpip.AddrFrom16([16]byte{0xfd, 15: 2})
	}
	return tcpip.AddrFrom4([4]byte{10, 9, 0, 1}), tcpip.AddrFrom4([4]byte{10, 9, 0, 2})
}

func (c bulky) protocol() tcpip.TransportProtocolNumber {
	if c.udp {
		return header.UDPProtocolNumber
	}
	return header.TCPProtocolNumber
}

func (c bulky) headerSizes() (network, transport int) {
	network, transport = header.IPv4MinimumSize+c.options, header.TCPMinimumSize+12
	if c.v6 {
		network = header.IPv6MinimumSize + c.options
	}
	if c.udp {
		transport = header.UDPMinimumSize
	}
	return network, transport
}

func (c bulky) packet() Packet {
	network, transport := c.headerSizes()
	src, dst := c.source()
	b := make([]byte, network+transport+c.payload)
	if c.v6 {
		next := c.protocol()
		if c.options > 0 {
			next = tcpip.TransportProtocolNumber(header.IPv6DestinationOptionsExtHdrIdentifier)
		}
		header.IPv6(b).Encode(&header.IPv6Fields{
			PayloadLength: uint16(len(b) - 40), TransportProtocol: next, HopLimit: 128, SrcAddr: src, DstAddr: dst,
		})
		if c.options > 0 {
			b[40], b[41], b[42], b[43] = byte(c.protocol()), byte(c.options/8-1), 1, byte(c.options-4) // PadN
		}
	} else {
		ip := header.IPv4(b)
		ip.Encode(&header.IPv4Fields{TotalLength: uint16(len(b)), ID: bulkID, TTL: 128, Protocol: uint8(c.protocol()), SrcAddr: src, DstAddr: dst})
		ip.SetHeaderLength(uint8(network))
		for i := range c.options {
			b[20+i] = 1 // no operation
		}
		ip.SetChecksum(0)
		ip.SetChecksum(^ip.CalculateChecksum())
	}
	for i := range c.payload {
		b[network+transport+i] = byte(i >> 3)
	}
	pseudo := header.PseudoHeaderChecksum(c.protocol(), src, dst, uint16(transport+c.payload))
	p := Packet{GSO: GSO{NeedsCsum: true, CsumStart: uint16(network), CsumOffset: header.TCPChecksumOffset}}
	if c.udp {
		header.UDP(b[network:]).Encode(&header.UDPFields{SrcPort: 1, DstPort: 2, Length: uint16(8 + c.payload), Checksum: pseudo})
		p.GSO.CsumOffset = 6
	} else {
		header.TCP(b[network:]).Encode(&header.TCPFields{
			SrcPort: 1, DstPort: 2, SeqNum: bulkSeq, AckNum: 7, DataOffset: uint8(transport), WindowSize: 100, Checksum: pseudo,
			Flags: header.TCPFlagAck | header.TCPFlagPsh | header.TCPFlagFin | 0x80, // CWR
		})
	}
	if c.mss > 0 {
		p.GSO.MSS, p.GSO.HdrLen = uint16(c.mss), uint16(network+transport)
		p.GSO.Type = map[bool]GSOType{false: GSOTCPv4, true: GSOTCPv6}[c.v6]
		if c.udp {
			p.GSO.Type = GSOUDP
		}
	}
	p.Data = buffer.MakeWithData(b)
	return p
}

// Cut up, a packet gives what a wire would carry: complete headers and
// checksums, the payload in order.
func TestSegments(t *testing.T) {
	for name, c := range map[string]bulky{
		"IPv4":               {payload: 60000, mss: 1448},
		"IPv4, options":      {payload: 3000, mss: 1000, options: 8},
		"IPv6":               {v6: true, payload: 60000, mss: 1428},
		"IPv6, extension":    {v6: true, payload: 3000, mss: 1000, options: 8},
		"one segment":        {payload: 100, mss: 100},
		"no payload":         {payload: 0, mss: 100},
		"a byte over":        {payload: 101, mss: 100},
		"checksum only":      {payload: 1000},
		"checksum only IPv6": {v6: true, payload: 1000},
		"UDP":                {udp: true, payload: 5000, mss: 1200},
		"UDP IPv6":           {udp: true, v6: true, payload: 5000, mss: 1200},
		"UDP, checksum only": {udp: true, payload: 999},
	} {
		t.Run(name, func(t *testing.T) { c.check(t) })
	}
}

func (c bulky) check(t *testing.T) {
	p := c.packet()
	defer p.Data.Release()
	before := p.Data.Flatten()
	network, transport := c.headerSizes()
	want := 1
	if c.mss > 0 {
		want = max(1, (c.payload+c.mss-1)/c.mss)
	}
	var list [][]byte
	Segments(&p, func(q Packet) {
		require.Equal(t, GSO{}, q.GSO)
		list = append(list, q.Data.Flatten())
		q.Data.Release()
	})
	require.Equal(t, before, p.Data.Flatten(), "the packet is borrowed")
	require.Len(t, list, want)
	payload := []byte{}
	for i, b := range list {
		c.checkOne(t, b, i, i == len(list)-1)
		payload = append(payload, b[network+transport:]...)
	}
	require.Equal(t, before[network+transport:], payload)
}

func (c bulky) checkOne(t *testing.T, b []byte, i int, last bool) {
	network, transport := c.headerSizes()
	src, dst := c.source()
	if c.v6 {
		require.EqualValues(t, len(b)-40, header.IPv6(b).PayloadLength())
	} else {
		require.EqualValues(t, len(b), header.IPv4(b).TotalLength())
		require.True(t, header.IPv4(b).IsChecksumValid())
		require.Equal(t, uint16((bulkID+i)&0xffff), header.IPv4(b).ID())
	}
	payload := b[network+transport:]
	sum := checksum.Checksum(payload, 0)
	if c.udp {
		udp := header.UDP(b[network:])
		require.EqualValues(t, len(udp), udp.Length())
		require.True(t, udp.IsChecksumValid(src, dst, sum))
		return
	}
	tcp := header.TCP(b[network:])
	require.True(t, tcp.IsChecksumValid(src, dst, sum, uint16(len(payload))))
	seq := uint32(bulkSeq)
	require.Equal(t, seq+uint32(i*c.mss), tcp.SequenceNumber())
	require.Equal(t, last, tcp.Flags().Contains(header.TCPFlagFin|header.TCPFlagPsh))
	require.Equal(t, i == 0, tcp.Flags()&0x80 != 0, "CWR")
	if c.mss > 0 && !last {
		require.Len(t, payload, c.mss)
	}
}

// A UDP checksum that comes out as zero is sent as its other form: zero means
// that there is none.
func TestSegmentsUDPZero(t *testing.T) {
	c := bulky{udp: true, payload: 2}
	p := c.packet()
	b := p.Data.Flatten()
	b[28], b[29] = 0, 0
	rest := ^checksum.Checksum(b[20:], 0)
	b[28], b[29] = byte(rest>>8), byte(rest)
	p.Data.Release()
	p.Data = buffer.MakeWithData(b)
	Segments(&p, func(q Packet) {
		require.Equal(t, uint16(0xffff), header.UDP(q.Data.Flatten()[20:]).Checksum())
		q.Data.Release()
	})
	p.Data.Release()
}

// What doesn't fit together gives nothing, and no panic.
func FuzzSegments(f *testing.F) {
	for _, c := range []bulky{{payload: 200, mss: 100}, {v6: true, payload: 200, mss: 100}, {udp: true, payload: 200, mss: 100}, {payload: 20}} {
		p := c.packet()
		var h [vnetHeaderSize]byte
		p.GSO.encodeVnet(&h)
		f.Add(append(h[:], p.Data.Flatten()...))
		p.Data.Release()
	}
	f.Add([]byte{})
	f.Add(make([]byte, 100))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < vnetHeaderSize {
			return
		}
		packet := b[vnetHeaderSize:]
		gso, ok := decodeVnet(b[:vnetHeaderSize], packet)
		if !ok {
			return
		}
		for _, g := range []GSO{gso, {Type: GSOTCPv4, MSS: 1}, {Type: GSOTCPv6, MSS: 1}, {Type: GSOUDP, MSS: 1, NeedsCsum: true, CsumStart: gso.CsumOffset}} {
			p := Packet{Data: buffer.MakeWithData(packet), GSO: g}
			total := int64(0)
			Segments(&p, func(q Packet) {
				total += q.Data.Size()
				q.Data.Release()
			})
			p.Data.Release()
			if total > 62*maxPacket*int64(1+len(packet)) { // the largest headers before each byte
				t.Fatalf("%d bytes from %d", total, len(packet))
			}
		}
	})
}

// The header goes there and back; the header length is the packet's own.
func TestVnetHeader(t *testing.T) {
	for _, c := range []bulky{
		{payload: 3000, mss: 1000}, {v6: true, payload: 3000, mss: 1000}, {udp: true, payload: 3000, mss: 1000},
		{payload: 10}, {udp: true, v6: true, payload: 10},
	} {
		p := c.packet()
		var h [vnetHeaderSize]byte
		p.GSO.encodeVnet(&h)
		data := p.Data.Flatten()
		h[2], h[3] = 0xff, 0xff // a hint only
		h[1] |= 0x80            // ECN
		h[0] |= 2               // DATA_VALID
		gso, ok := decodeVnet(h[:], data)
		require.True(t, ok)
		require.Equal(t, p.GSO, gso)
		for n := range 20 {
			if _, ok := decodeVnet(h[:], data[:n]); c.mss > 0 || n < int(gso.CsumStart)+2 {
				require.False(t, ok, n)
			}
		}
		h[1] = 77
		_, ok = decodeVnet(h[:], data)
		require.False(t, ok, "an unknown type")
		p.Data.Release()
	}
	gso, ok := decodeVnet(make([]byte, 10), make([]byte, 20))
	require.True(t, ok)
	require.Equal(t, GSO{}, gso)
}

// What is larger than any packet, and a checksum that isn't in the packet, give nothing.
func TestSegments_Impossible(t *testing.T) {
	for name, p := range map[string]Packet{
		"too large":   {Data: buffer.MakeWithData(make([]byte, maxPacket+1)), GSO: GSO{NeedsCsum: true}},
		"no checksum": {Data: buffer.MakeWithData(make([]byte, 20)), GSO: GSO{NeedsCsum: true, CsumStart: 10, CsumOffset: 9}},
	} {
		Segments(&p, func(Packet) { t.Error(name) })
		p.Data.Release()
	}
}

// A Cutter may get the next packet before the end of one, and allocates nothing.
func TestCutter(t *testing.T) {
	p, plain := (bulky{payload: 3000, mss: 1000}).packet(), (bulky{udp: true, payload: 10}).packet()
	defer p.Data.Release()
	defer plain.Data.Release()
	plain.GSO = GSO{}
	var c Cutter
	require.Zero(t, c.Size())
	b := make([]byte, 1500)
	again := func() {
		c.Reset(Packet{Data: p.Data.Clone(), GSO: p.GSO})
		for range 2 {
			if c.Size() != 52+1000 {
				t.Fatalf("Size = %d", c.Size())
			}
			c.Next(b)
		}
		c.Reset(Packet{Data: plain.Data.Clone()})
		if c.Size() != 28+10 {
			t.Fatalf("Size = %d", c.Size())
		}
		c.Next(b)
		if c.Size() != 0 {
			t.Fatalf("Size = %d at the end", c.Size())
		}
	}
	again()
	require.Equal(t, plain.Data.Flatten(), b[:38])
	if raceEnabled {
		t.Skip("pools drop at random under the race detector")
	}
	require.Zero(t, testing.AllocsPerRun(100, again))
}
