package simnet

import (
	"encoding/binary"
	"net/netip"

	"github.com/wsstack/wsstack/internal/inet"
	"github.com/wsstack/wsstack/internal/trace"
)

// encodeTCP makes an IP packet of a segment with absolute numbers. The checksums are right.
func encodeTCP(source, dest netip.AddrPort, s trace.Segment, payload []byte) []byte {
	options := s.Options.Append(nil)
	t := make([]byte, 20, 20+len(options)+len(payload))
	binary.BigEndian.PutUint16(t, source.Port())
	binary.BigEndian.PutUint16(t[2:], dest.Port())
	binary.BigEndian.PutUint32(t[4:], s.Seq)
	binary.BigEndian.PutUint32(t[8:], s.Ack)
	t[12] = byte((20 + len(options)) / 4 << 4)
	t[13] = byte(s.Flags)
	binary.BigEndian.PutUint16(t[14:], s.Window)
	binary.BigEndian.PutUint16(t[18:], s.Urgent)
	t = append(append(t, options...), payload...)
	return EncodeIP(source.Addr(), dest.Addr(), 6, t)
}

// EncodeIP makes an IP packet of a transport header and the data behind it, for Wire.Inject. It
// fills in the checksum of TCP, UDP and ICMP.
func EncodeIP(source, dest netip.Addr, protocol uint8, transport []byte) []byte {
	return inet.Header{Source: source, Dest: dest, Protocol: protocol, TTL: 64}.Encode(transport)
}

// EncodeUDP makes an IP packet with a UDP datagram, for Wire.Inject.
func EncodeUDP(source, dest netip.AddrPort, payload []byte) []byte {
	u := make([]byte, 8, 8+len(payload))
	binary.BigEndian.PutUint16(u, source.Port())
	binary.BigEndian.PutUint16(u[2:], dest.Port())
	binary.BigEndian.PutUint16(u[4:], uint16(8+len(payload)))
	return EncodeIP(source.Addr(), dest.Addr(), 17, append(u, payload...))
}
