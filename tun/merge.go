package tun

import (
	"bytes"
	"encoding/binary"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"

	"github.com/wsstack/wsstack/internal/inet"
)

// A Merger puts TCP segments together that follow each other, as [Segments] would cut them off one
// packet again. It allocates no more than the packets. The zero Merger is ready for use. A Merger
// is not safe for concurrent use.
//
// Segments go together when they are of one connection, each begins where the one before ends, all
// have as much payload as the first one except for the last, which may have less, and their headers
// say the same otherwise: type of service, TTL, acknowledgement, window, options. Flags other than
// ACK and ECE keep a segment alone, but the last one may have PSH and FIN. So do options of IP,
// extension headers, fragments, and wrong checksums: who gets the packet finds that. In IPv4, the
// identifications count up, or nobody may look at them as fragments are ruled out (RFC 6864 §4.1).
type Merger struct {
	segments []segment
	open     []int // the first segments of runs that may go on; one for each connection
}

// A segment is what a Merger knows of a packet.
type segment struct {
	headers
	data     []byte // nil: the packet stays as it is
	next     int    // the segment that follows; 0: none does
	inside   bool   // the segment follows another one
	verified bool   // its checksums are right

	// Of a run, where the segment is the first one.
	last int // the last segment of the run
	size int // of the packet that the run becomes, in bytes
}

// maxOpen is the number of connections whose segments may mix.
const maxOpen = 8

// Merge appends packets to dst and returns it. They hold copies of what is in list: packets that
// each begin with the IP header, in the order of their arrival. Packets that aren't part of a
// connection, and those of each connection, keep their order. An empty packet is left out.
func (m *Merger) Merge(dst []Packet, list [][]byte) []Packet {
	if len(list) == 1 && len(list[0]) > 0 {
		return append(dst, Packet{Data: buffer.MakeWithData(list[0])})
	}
	m.segments, m.open = m.segments[:0], m.open[:0]
	for i, b := range list {
		m.add(i, b)
	}
	for i, b := range list {
		s := &m.segments[i]
		switch {
		case s.inside || len(b) == 0:
		case s.next > 0:
			dst = append(dst, m.merged(i))
		default:
			dst = append(dst, Packet{Data: buffer.MakeWithData(b)})
		}
	}
	clear(m.segments) // or they would hold on to the packets
	return dst
}

// add makes segment i of a packet, and appends it to a run where it fits.
func (m *Merger) add(i int, b []byte) {
	m.segments = append(m.segments, segmentOf(b))
	s := &m.segments[i]
	if s.data == nil {
		if mayBeTCP(b) {
			m.open = m.open[:0] // no later segment of its connection may overtake it
		}
		return
	}
	for at, first := range m.open {
		if !s.sameConnection(&m.segments[first]) {
			continue
		}
		m.open = append(m.open[:at], m.open[at+1:]...)
		if m.extend(first, i) {
			if !s.ends(&m.segments[first]) {
				m.open = append(m.open, first)
			}
			return
		}
		break
	}
	if s.flags()&^(flagACK|flagECE) != 0 || len(s.payload()) == 0 {
		return
	}
	if len(m.open) == maxOpen {
		m.open = append(m.open[:0], m.open[1:]...)
	}
	s.last, s.size = i, len(b)
	m.open = append(m.open, i)
}

// extend appends segment i to the run that begins with first, if it continues that run.
func (m *Merger) extend(first, i int) bool {
	f, s := &m.segments[first], &m.segments[i]
	if !s.continues(f, &m.segments[f.last]) || !f.verify() || !s.verify() {
		return false
	}
	m.segments[f.last].next, s.inside = i, true
	f.last = i
	f.size += len(s.payload())
	return true
}

// merged makes one packet of the run that begins with segment i.
func (m *Merger) merged(i int) Packet {
	f := &m.segments[i]
	head, payload := buffer.NewViewSize(f.headers.payload), buffer.NewViewSize(f.size-f.headers.payload)
	h, rest := head.AsSlice(), payload.AsSlice()
	copy(h, f.data)
	for s := f; ; s = &m.segments[s.next] {
		rest = rest[copy(rest, s.payload()):]
		if s.next == 0 {
			h[f.transport+tcpFlags] = s.flags() // PSH and FIN are of the last one
			break
		}
	}
	f.putLengths(h, f.size)
	binary.BigEndian.PutUint16(h[f.transport+tcpChecksum:], f.pseudoHeader(h, f.size-f.transport))
	p := Packet{
		Data: buffer.MakeWithView(head),
		GSO: GSO{
			Type:       GSOTCPv4,
			NeedsCsum:  true,
			CsumStart:  uint16(f.transport),
			CsumOffset: tcpChecksum,
			MSS:        uint16(len(f.payload())),
			HdrLen:     uint16(f.headers.payload),
		},
	}
	if f.v6 {
		p.GSO.Type = GSOTCPv6
	}
	data := buffer.MakeWithView(payload)
	p.Data.Merge(&data) // Append would fill up the view of the headers
	return p
}

// segmentOf returns a segment without data for a packet that isn't a TCP segment with plain IP
// headers.
func segmentOf(b []byte) (s segment) {
	if len(b) < ip4Size+tcpSize || len(b) > inet.MaxMTU {
		return s
	}
	s.protocol = protocolTCP
	switch {
	case b[0] == 4<<4|ip4Size/4 && b[ip4Protocol] == protocolTCP:
		const fragment = 0x3fff // more fragments, and the offset
		if binary.BigEndian.Uint16(b[ip4Fragment:])&fragment != 0 || int(binary.BigEndian.Uint16(b[ip4Length:])) != len(b) {
			return s
		}
		s.transport = ip4Size
	case b[0]>>4 == 6 && b[ip6Next] == protocolTCP && len(b) >= ip6Size+tcpSize:
		if int(binary.BigEndian.Uint16(b[ip6Length:])) != len(b)-ip6Size {
			return s
		}
		s.v6, s.transport = true, ip6Size
	default:
		return s
	}
	size := int(b[s.transport+tcpOffset]>>4) * 4
	if s.headers.payload = s.transport + size; size >= tcpSize && s.headers.payload <= len(b) {
		s.data = b
	}
	return s
}

// mayBeTCP reports whether a packet may be one of a connection, behind options of IP for instance.
func mayBeTCP(b []byte) bool {
	switch {
	case len(b) >= ip4Size && b[0]>>4 == 4:
		return b[ip4Protocol] == protocolTCP
	case len(b) >= ip6Size && b[0]>>4 == 6:
		return b[ip6Next] != protocolUDP
	}
	return false
}

func (s *segment) tcp() []byte     { return s.data[s.transport:s.headers.payload] }
func (s *segment) payload() []byte { return s.data[s.headers.payload:] }
func (s *segment) flags() byte     { return s.data[s.transport+tcpFlags] }
func (s *segment) seq() uint32     { return binary.BigEndian.Uint32(s.tcp()[tcpSeq:]) }

// addresses are the addresses of IP and the ports.
func (s *segment) addresses() []byte {
	from := ip4Source
	if s.v6 {
		from = ip6Source
	}
	return s.data[from : s.transport+tcpSeq]
}

func (s *segment) sameConnection(other *segment) bool {
	return bytes.Equal(s.addresses(), other.addresses())
}

// continues reports whether s, a segment of the same connection, may become part of the run that
// begins with first and ends with last, if the checksums are right.
func (s *segment) continues(first, last *segment) bool {
	size := len(s.payload())
	switch {
	case size == 0 || size > len(first.payload()) || first.size+size > inet.MaxMTU:
		return false
	case s.seq() != last.seq()+uint32(len(last.payload())):
		return false
	case (s.flags()^first.flags())&^(flagFIN|flagPSH) != 0:
		return false
	}
	return s.alike(first) && (s.v6 || s.data[ip4Fragment]&dontFragment != 0 || s.id() == last.id()+1)
}

// alike reports whether two headers are the same where segments of one packet have them the same.
func (s *segment) alike(first *segment) bool {
	a, b := first.data, s.data
	if s.v6 {
		if !bytes.Equal(a[:ip6Length], b[:ip6Length]) || a[ip6Hops] != b[ip6Hops] {
			return false
		}
	} else if a[ip4TOS] != b[ip4TOS] || !bytes.Equal(a[ip4Fragment:ip4Protocol], b[ip4Fragment:ip4Protocol]) {
		return false
	}
	a, b = first.tcp(), s.tcp()
	return len(a) == len(b) && bytes.Equal(a[tcpAck:tcpFlags], b[tcpAck:tcpFlags]) &&
		bytes.Equal(a[tcpWindow:tcpChecksum], b[tcpWindow:tcpChecksum]) && bytes.Equal(a[tcpUrgent:], b[tcpUrgent:])
}

func (s *segment) id() uint16 { return binary.BigEndian.Uint16(s.data[ip4ID:]) }

// ends reports whether nothing may follow s in a run that begins with first.
func (s *segment) ends(first *segment) bool {
	return len(s.payload()) < len(first.payload()) || s.flags()&(flagFIN|flagPSH) != 0
}

// verify reports whether the checksums are right, and written as everybody writes them.
func (s *segment) verify() bool {
	const other = 0xffff // the other form of a checksum of 0
	t := s.data[s.transport:]
	s.verified = s.verified ||
		(s.v6 || inet.SumsUp(s.data[:ip4Size]) && binary.BigEndian.Uint16(s.data[ip4Checksum:]) != other) &&
			checksum.Checksum(t, s.pseudoHeader(s.data, len(t))) == 0xffff && binary.BigEndian.Uint16(t[tcpChecksum:]) != other
	return s.verified
}
