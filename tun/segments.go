package tun

import (
	"encoding/binary"
	"slices"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"

	"github.com/wsstack/wsstack/internal/inet"
)

// Offsets and sizes in IP, TCP and UDP headers, in bytes (RFC 791 §3.1, RFC
// 8200 §3, RFC 9293 §3.1, RFC 768).
const (
	ip4Size, ip6Size, tcpSize, udpSize = 20, 40, 20, 8

	ip4Length, ip4ID, ip4Protocol, ip4Checksum, ip4Source = 2, 4, 9, 10, 12
	ip6Length, ip6Source                                  = 4, 8
	tcpSeq, tcpOffset, tcpFlags, tcpChecksum, tcpUrgent   = 4, 12, 13, 16, 18
	udpLength, udpChecksum                                = 4, 6

	protocolTCP, protocolUDP = 6, 17

	flagFIN, flagPSH, flagURG, flagCWR = 0x01, 0x08, 0x20, 0x80
)

// headers says where the headers of a packet end.
type headers struct {
	v6        bool
	protocol  byte // 6 or 17
	transport int  // offset of the TCP or UDP header
	payload   int  // offset of the payload
}

// headersOf finds the headers of a packet that is to be cut up. ok is false for a packet that can't
// be: its IP version or its protocol isn't that of its GSOType, or the packet is too short.
func headersOf(b []byte, g *GSO) (h headers, ok bool) {
	h.protocol = protocolTCP
	if g.Type == GSOUDP {
		h.protocol = protocolUDP
	}
	if len(b) < ip4Size {
		return h, false
	}
	switch b[0] >> 4 {
	case 4:
		h.transport = int(b[0]&0xf) * 4
		ok = g.Type != GSOTCPv6 && h.transport >= ip4Size && b[ip4Protocol] == h.protocol
	case 6:
		// Extension headers stand between: CsumStart knows.
		h.v6, h.transport = true, ip6Size
		if g.NeedsCsum {
			h.transport = max(ip6Size, int(g.CsumStart))
		}
		ok = g.Type != GSOTCPv4
	}
	size := udpSize
	if h.protocol == protocolTCP {
		if !ok || len(b) < h.transport+tcpSize {
			return h, false
		}
		size = int(b[h.transport+tcpOffset]>>4) * 4
		ok = size >= tcpSize
	}
	h.payload = h.transport + size
	return h, ok && h.payload <= len(b)
}

// Segments does in software what the metadata of a packet asks for. It calls emit with each of the
// packets that a wire would carry, in order; they have complete checksums and no metadata, and emit
// owns them. Segments borrows p and doesn't change it. A plain packet is emitted as a clone, which
// shares its data. For a packet that can't be cut up as its metadata says, emit isn't called.
func Segments(p *Packet, emit func(Packet)) {
	switch {
	case p.GSO == GSO{}:
		emit(Packet{Data: p.Data.Clone(), Tag: p.Tag})
		return
	case p.Data.Size() > maxPacket:
		return
	}
	whole := make([]byte, p.Data.Size())
	flatten(whole, &p.Data)
	if p.GSO.Type == GSONone {
		if p.GSO.complete(whole) {
			emit(Packet{Data: buffer.MakeWithData(whole), Tag: p.Tag})
		}
		return
	}
	h, ok := headersOf(whole, &p.GSO)
	if !ok || p.GSO.MSS == 0 {
		return
	}
	mss := int(p.GSO.MSS)
	one := make([]byte, h.payload+mss)
	for i, rest := 0, whole[h.payload:]; i == 0 || len(rest) > 0; i++ {
		n := min(mss, len(rest))
		b := one[:h.payload+n]
		copy(b, whole[:h.payload])
		copy(b[h.payload:], rest)
		rest = rest[n:]
		h.finish(b, i, mss, len(rest) == 0)
		emit(Packet{Data: buffer.MakeWithData(b), Tag: p.Tag})
	}
}

// plain replaces packets that have metadata by those that Segments emits for them. It owns the
// packets, and returns the same slice when there is nothing to replace.
func plain(packets []Packet) []Packet {
	if !slices.ContainsFunc(packets, func(p Packet) bool { return p.GSO != GSO{} }) {
		return packets
	}
	list := plainClones(packets)
	for i := range packets {
		packets[i].Data.Release()
	}
	return list
}

// plainClones is plain for borrowed packets, and returns clones.
func plainClones(packets []Packet) []Packet {
	list := make([]Packet, 0, len(packets))
	for i := range packets {
		Segments(&packets[i], func(q Packet) { list = append(list, q) })
	}
	return list
}

// complete replaces the sum of the pseudo-header in the checksum field of a packet by the checksum.
func (g *GSO) complete(b []byte) bool {
	start, at := int(g.CsumStart), int(g.CsumStart)+int(g.CsumOffset)
	if at+2 > len(b) {
		return false
	}
	inet.PutChecksum(b[at:], checksum.Checksum(b[start:], 0), g.CsumOffset == udpChecksum)
	return true
}

// finish adapts the headers in b, which holds a copy of the headers of the whole and the payload of
// segment i, so that b is the packet that a wire would carry.
func (h *headers) finish(b []byte, i, mss int, last bool) {
	if h.v6 {
		binary.BigEndian.PutUint16(b[ip6Length:], uint16(len(b)-ip6Size))
	} else {
		binary.BigEndian.PutUint16(b[ip4Length:], uint16(len(b)))
		binary.BigEndian.PutUint16(b[ip4ID:], binary.BigEndian.Uint16(b[ip4ID:])+uint16(i))
		binary.BigEndian.PutUint16(b[ip4Checksum:], 0)
		inet.PutChecksum(b[ip4Checksum:], checksum.Checksum(b[:h.transport], 0), false)
	}
	t := b[h.transport:]
	at := udpChecksum
	if h.protocol == protocolUDP {
		binary.BigEndian.PutUint16(t[udpLength:], uint16(len(t)))
	} else {
		at = tcpChecksum
		binary.BigEndian.PutUint32(t[tcpSeq:], binary.BigEndian.Uint32(t[tcpSeq:])+uint32(i*mss))
		if !last {
			t[tcpFlags] &^= flagFIN | flagPSH
		}
		if i > 0 {
			t[tcpFlags] &^= flagCWR // RFC 3168 §6.1.2: the first segment has it
		}
		pointUrgent(t, i*mss)
	}
	binary.BigEndian.PutUint16(t[at:], 0)
	inet.PutChecksum(t[at:], checksum.Checksum(t, h.pseudoHeader(b, len(t))), h.protocol == protocolUDP)
}

// pointUrgent adapts the urgent pointer of a segment that was cut from a whole at this offset, so
// that both pointers point to the same byte. A segment behind that byte isn't urgent.
func pointUrgent(t []byte, offset int) {
	if t[tcpFlags]&flagURG == 0 {
		return
	}
	pointer := int(binary.BigEndian.Uint16(t[tcpUrgent:])) - offset
	if offset > 0 && pointer <= 0 {
		t[tcpFlags] &^= flagURG
		pointer = 0
	}
	binary.BigEndian.PutUint16(t[tcpUrgent:], uint16(pointer))
}

// pseudoHeader is the sum of the pseudo-header of a transport packet of length
// bytes.
func (h *headers) pseudoHeader(b []byte, length int) uint16 {
	addresses := b[ip4Source:ip4Size]
	if h.v6 {
		addresses = b[ip6Source:ip6Size]
	}
	sum := checksum.Checksum(addresses, uint16(h.protocol))
	return checksum.Combine(sum, uint16(length))
}
