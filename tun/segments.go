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

	ip4TOS, ip4Length, ip4ID, ip4Fragment  = 1, 2, 4, 6
	ip4Protocol, ip4Checksum, ip4Source    = 9, 10, 12
	ip6Length, ip6Next, ip6Hops, ip6Source = 4, 6, 7, 8
	tcpSeq, tcpAck, tcpOffset, tcpFlags    = 4, 8, 12, 13
	tcpWindow, tcpChecksum, tcpUrgent      = 14, 16, 18
	udpLength, udpChecksum                 = 4, 6

	protocolTCP, protocolUDP = 6, 17

	flagFIN, flagPSH, flagACK, flagURG, flagECE, flagCWR = 0x01, 0x08, 0x10, 0x20, 0x40, 0x80

	dontFragment = 0x40 // of the first of the two bytes at ip4Fragment
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
	whole := Packet{Data: p.Data.Clone(), GSO: p.GSO, Tag: p.Tag}
	if p.GSO == (GSO{}) {
		emit(whole)
		return
	}
	var c Cutter
	for c.Reset(whole); c.Size() > 0; {
		one := buffer.NewViewSize(c.Size())
		c.Next(one.AsSlice())
		emit(Packet{Data: buffer.MakeWithView(one), Tag: p.Tag})
	}
}

// A Cutter cuts packets up as [Segments] does, one after the other, into slices of its caller. It
// allocates nothing for that. The zero Cutter has no packet. A Cutter is not safe for concurrent
// use.
type Cutter struct {
	gso     GSO
	headers headers
	head    []byte        // the headers of the packet, which all segments begin with
	rest    buffer.Buffer // the payload that isn't cut off yet; of a plain packet, all of it
	cut     int           // how many segments there were
	size    int           // of the next segment in bytes; 0: there is none
}

// Reset gives the Cutter a packet, which it owns from then on. It releases what it had left of the
// packet before. Of a packet that can't be cut up as its metadata says there are no segments.
func (c *Cutter) Reset(p Packet) {
	c.rest.Release()
	c.gso, c.rest, c.cut, c.size = p.GSO, p.Data, 0, 0
	whole := int(c.rest.Size())
	switch {
	case whole > maxPacket:
	case c.gso.Type == GSONone:
		if !c.gso.NeedsCsum || c.gso.checksumAt()+2 <= whole {
			c.size = whole
		}
	case c.gso.MSS > 0 && c.readHeaders(whole):
		c.size = len(c.head) + min(int(c.gso.MSS), int(c.rest.Size()))
	}
	if c.size == 0 {
		c.rest.Release()
	}
}

// maxHeaders is the size in bytes of the largest headers of IPv4 and TCP together, which is that of
// the largest TCP header, too, behind the headers of IPv6.
const maxHeaders = 60 + 60

// readHeaders moves the headers from the front of a packet of so many bytes to head. It fails for
// a packet that can't be cut up.
func (c *Cutter) readHeaders(whole int) (ok bool) {
	size := min(maxHeaders+int(c.gso.CsumStart), whole)
	c.head = slices.Grow(c.head[:0], size)[:size]
	flatten(c.head, &c.rest)
	if c.headers, ok = headersOf(c.head, &c.gso); ok {
		c.head = c.head[:c.headers.payload]
		c.rest.TrimFront(int64(len(c.head)))
	}
	return ok
}

// Size is the size of the next segment in bytes; 0: there is none. No later segment of the packet
// is larger.
func (c *Cutter) Size() int { return c.size }

// Next writes the next segment to b, which must have room for Size bytes. A segment is a packet as
// a wire would carry it, with complete checksums.
func (c *Cutter) Next(b []byte) {
	b = b[:c.size]
	if c.gso.Type == GSONone {
		flatten(b, &c.rest)
		if c.gso.NeedsCsum {
			c.gso.complete(b)
		}
		c.size = 0
		c.rest.Release()
		return
	}
	copy(b, c.head)
	c.rest.TrimFront(int64(flatten(b[len(c.head):], &c.rest)))
	left, mss := int(c.rest.Size()), int(c.gso.MSS)
	c.headers.finish(b, c.cut, mss, left == 0)
	c.cut++
	c.size = 0
	if left > 0 {
		c.size = len(c.head) + min(mss, left)
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

// checksumAt is the offset of the checksum of a packet with NeedsCsum.
func (g *GSO) checksumAt() int { return int(g.CsumStart) + int(g.CsumOffset) }

// complete replaces the sum of the pseudo-header in the checksum field of a packet by the checksum.
// The field must be in the packet.
func (g *GSO) complete(b []byte) {
	inet.PutChecksum(b[g.checksumAt():], checksum.Checksum(b[g.CsumStart:], 0), g.CsumOffset == udpChecksum)
}

// finish adapts the headers in b, which holds a copy of the headers of the whole and the payload of
// segment i, so that b is the packet that a wire would carry.
func (h *headers) finish(b []byte, i, mss int, last bool) {
	if !h.v6 {
		binary.BigEndian.PutUint16(b[ip4ID:], binary.BigEndian.Uint16(b[ip4ID:])+uint16(i))
	}
	h.putLengths(b, len(b))
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

// putLengths makes the IP header in b that of a packet of size bytes.
func (h *headers) putLengths(b []byte, size int) {
	if h.v6 {
		binary.BigEndian.PutUint16(b[ip6Length:], uint16(size-ip6Size))
		return
	}
	binary.BigEndian.PutUint16(b[ip4Length:], uint16(size))
	binary.BigEndian.PutUint16(b[ip4Checksum:], 0)
	inet.PutChecksum(b[ip4Checksum:], checksum.Checksum(b[:h.transport], 0), false)
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
