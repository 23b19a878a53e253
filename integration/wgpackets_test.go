//go:build linux

package integration

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/wsstack/wsstack/internal/inet"
)

// datagram is one to a port of the right end, which has an address of that version.
func (tu *tunnel) datagram(source netip.Addr, port uint16, data []byte) []byte {
	return udpPacket(netip.AddrPortFrom(source, 5000), netip.AddrPortFrom(tu.b.side.addr(source.Is6()), port), data)
}

// fromPort is a datagram of the left end over IPv4.
func (tu *tunnel) fromPort(source uint16, to netip.Addr, port uint16, data []byte) []byte {
	return udpPacket(netip.AddrPortFrom(tu.a.side.addr(false), source), netip.AddrPortFrom(to, port), data)
}

func udpPacket(from, to netip.AddrPort, data []byte) []byte {
	udp := make(header.UDP, header.UDPMinimumSize, header.UDPMinimumSize+len(data))
	udp.Encode(&header.UDPFields{SrcPort: from.Port(), DstPort: to.Port(), Length: uint16(cap(udp))})
	h := inet.Header{Source: from.Addr(), Dest: to.Addr(), Protocol: uint8(header.UDPProtocolNumber), TTL: 64}
	return h.Encode(append(udp, data...))
}

// syn is a SYN of the left end over IPv4.
func (tu *tunnel) syn(source, port uint16) []byte {
	tcp := make(header.TCP, header.TCPMinimumSize)
	tcp.Encode(&header.TCPFields{
		SrcPort: source, DstPort: port, SeqNum: 1000, DataOffset: header.TCPMinimumSize,
		Flags: header.TCPFlagSyn, WindowSize: 65535,
	})
	h := inet.Header{Source: tu.a.side.addr(false), Dest: tu.b.side.addr(false), Protocol: uint8(header.TCPProtocolNumber), TTL: 64}
	return h.Encode(tcp)
}

// fragment is a piece of a datagram over IPv4 that never becomes whole, or doesn't fit to others.
func (tu *tunnel) fragment(rng *rand.Rand, port uint16) []byte {
	p := header.IPv4(tu.datagram(tu.a.side.addr(false), port, random(rng, 8*(1+rng.IntN(150)))))
	p.SetID(uint16(rng.IntN(2000)))
	p.SetFlagsFragmentOffset(header.IPv4FlagMoreFragments, uint16(rng.IntN(8000))&^7)
	p.SetChecksum(0)
	p.SetChecksum(^p.CalculateChecksum())
	return p
}

// garbage is a packet with the source of the left end, and otherwise random.
func (tu *tunnel) garbage(rng *rand.Rand) []byte {
	p := random(rng, 40+rng.IntN(1300))
	if rng.IntN(2) == 0 {
		p[0] = 0x45 + byte(rng.IntN(3))
		binary.BigEndian.PutUint16(p[2:], uint16(len(p)))
		copy(p[12:], tu.a.side.addr(false).AsSlice())
		copy(p[16:], tu.b.side.addr(false).AsSlice())
		if ip := header.IPv4(p); rng.IntN(2) == 0 && len(p) >= int(ip.HeaderLength()) {
			ip.SetChecksum(0)
			ip.SetChecksum(^ip.CalculateChecksum())
		}
		return p
	}
	p[0] = 0x60
	binary.BigEndian.PutUint16(p[4:], uint16(len(p)-40))
	copy(p[8:], tu.a.side.addr(true).AsSlice())
	copy(p[24:], tu.b.side.addr(true).AsSlice())
	return p
}

// markers numbers the datagrams of untilMarker.
var markers atomic.Int64
