package nat

import (
	"encoding/binary"
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip/checksum"

	"github.com/wsstack/wsstack/internal/inet"
)

// Sizes and places of fields, in bytes (RFC 791 §3.1, RFC 9293 §3.1, RFC 768, RFC 792).
const (
	minHeader    = 20 // of IPv4
	minTCP       = 20
	minUDP       = 8
	minICMP      = 8
	ipChecksum   = 10 // in the header of IPv4
	icmpChecksum = 2  // in that of ICMP
	echoID       = 4  // in that of ICMP echo
	tcpFlags     = 13 // in that of TCP
	quoted       = 8  // in that of an ICMP error: the packet that it is about
)

// The types of ICMP that are translated (RFC 792).
const (
	echoReply        = 0
	unreachable      = 3
	echoRequest      = 8
	timeExceeded     = 11
	parameterProblem = 12
)

// The flags of TCP that say how far a connection is (RFC 9293 §3.1).
const (
	flagFIN = 1 << 0
	flagSYN = 1 << 1
	flagRST = 1 << 2
	flagACK = 1 << 4
)

// A side is one end of a packet: where its address and its port stand.
type side struct {
	address int // in the header of IPv4
	port    int // in that of TCP or UDP
}

var (
	source      = side{address: 12, port: 0}
	destination = side{address: 16, port: 2}
)

// A view is a packet of IPv4, or what an ICMP error quotes of one: its parts, which share the bytes
// of the packet.
type view struct {
	header    []byte // of IPv4 with its options
	transport []byte // what is behind the header, as far as it is there; of a later fragment its data
	protocol  Protocol
}

// parse reads the header of a packet of IPv4, which is ok if it makes sense and its checksum is
// right.
func parse(b []byte) (v view, ok bool) {
	v, size, ok := parseHeader(b)
	if !ok || size > len(b) || checksum.Checksum(v.header, 0) != 0xffff {
		return v, false
	}
	v.transport = b[len(v.header):size]
	return v, true
}

// parseQuoted is parse for the packet that an ICMP error quotes: only its beginning may be there,
// and whoever quotes it has decremented its TTL and may have left the checksum.
func parseQuoted(b []byte) (v view, ok bool) {
	v, size, ok := parseHeader(b)
	if !ok {
		return v, false
	}
	v.transport = b[len(v.header):min(size, len(b))]
	return v, v.offset() == 0 && v.hasPorts()
}

// parseHeader reads the header of a packet and the size that the header has for the packet.
func parseHeader(b []byte) (v view, size int, ok bool) {
	if len(b) < minHeader || b[0]>>4 != 4 {
		return v, 0, false
	}
	n := int(b[0]&0xf) * 4
	size = int(binary.BigEndian.Uint16(b[2:]))
	if n < minHeader || n > len(b) || size < n {
		return v, 0, false
	}
	v.header, v.protocol = b[:n], Protocol(b[9])
	return v, size, true
}

// address is the address of a side.
func (v *view) address(s side) netip.Addr { return netip.AddrFrom4([4]byte(v.header[s.address:])) }

// endpoint is the address of a side with its port, or with the identifier of ICMP echo.
// Precondition: hasPorts.
func (v *view) endpoint(s side) netip.AddrPort {
	return netip.AddrPortFrom(v.address(s), binary.BigEndian.Uint16(v.transport[v.portAt(s):]))
}

// remote is the endpoint of a side that is no inside host's: ICMP has no port there.
func (v *view) remote(s side) netip.AddrPort {
	if v.protocol == ICMP {
		return netip.AddrPortFrom(v.address(s), 0)
	}
	return v.endpoint(s)
}

// portAt is where the port of a side stands behind the header.
func (v *view) portAt(s side) int {
	if v.protocol == ICMP {
		return echoID
	}
	return s.port
}

// hasPorts reports whether the ports of both sides, or the identifier, are there.
func (v *view) hasPorts() bool {
	switch v.protocol {
	case TCP, UDP:
		return len(v.transport) >= 4
	case ICMP:
		return len(v.transport) >= minICMP && (v.transport[0] == echoRequest || v.transport[0] == echoReply)
	}
	return false
}

// offset is where in the whole packet a fragment begins, in units of 8 bytes.
func (v *view) offset() int { return int(binary.BigEndian.Uint16(v.header[6:]) & 0x1fff) }

// more reports a fragment that others follow.
func (v *view) more() bool { return v.header[6]&0x20 != 0 }

// whole reports a packet that isn't a fragment.
func (v *view) whole() bool { return v.offset() == 0 && !v.more() }

// wellFormed reports whether the transport header of a packet or a first fragment is there as a
// whole and makes sense.
func (v *view) wellFormed() bool {
	t := v.transport
	switch v.protocol {
	case TCP:
		return len(t) >= minTCP && int(t[12]>>4)*4 >= minTCP && (int(t[12]>>4)*4 <= len(t) || v.more())
	case UDP:
		if len(t) < minUDP {
			return false
		}
		n := int(binary.BigEndian.Uint16(t[4:]))
		return n >= minUDP && (n <= len(t) || v.more())
	case ICMP:
		return len(t) >= minICMP
	}
	return true
}

// set writes the address of a side, and the port if it is there, and makes the checksums right that
// were right before (RFC 3022 §4.1, RFC 1624).
func (v *view) set(s side, to netip.AddrPort, port bool) {
	var before, after [6]byte // the address and the port
	size := 4
	address := to.Addr().As4()
	copy(before[:], v.header[s.address:s.address+4])
	copy(after[:], address[:])
	copy(v.header[s.address:], address[:])
	inet.PatchChecksum(v.header[ipChecksum:ipChecksum+2], before[:4], after[:4])
	if !port {
		return
	}
	if field := v.transport[v.portAt(s):]; len(field) >= 2 {
		copy(before[4:], field[:2])
		binary.BigEndian.PutUint16(after[4:], to.Port())
		copy(field, after[4:])
		size = 6
	}
	switch v.protocol {
	case TCP:
		v.patch(16, before[:size], after[:size])
	case UDP:
		v.patch(6, before[:size], after[:size])
	case ICMP:
		v.patch(icmpChecksum, before[4:size], after[4:size]) // no addresses are in it
	}
}

// patch makes the checksum at a place behind the header right, if it is there. UDP may have none,
// which is a zero.
func (v *view) patch(at int, before, after []byte) {
	if len(v.transport) < at+2 {
		return
	}
	field := v.transport[at : at+2]
	if v.protocol == UDP && field[0] == 0 && field[1] == 0 {
		return
	}
	inet.PatchChecksum(field, before, after)
	if v.protocol == UDP && field[0] == 0 && field[1] == 0 {
		field[0], field[1] = 0xff, 0xff
	}
}

// hop takes a hop off the TTL, and reports whether one was left.
func (v *view) hop() bool {
	const ttl = 8
	if v.header[ttl] <= 1 {
		return false
	}
	before := [2]byte(v.header[ttl:])
	v.header[ttl]--
	inet.PatchChecksum(v.header[ipChecksum:ipChecksum+2], before[:], v.header[ttl:ttl+2])
	return true
}

// isError reports an ICMP error that is translated. Precondition: wellFormed.
func (v *view) isError() bool {
	switch v.transport[0] {
	case unreachable, timeExceeded, parameterProblem:
		return true
	}
	return false
}

// requote changes the packet that an ICMP error quotes, by f, and makes the checksum of the error
// right again.
func (v *view) requote(inner *view, f func()) {
	// The headers of the quoted packet, up to the last field that may change.
	const most = 60 + 18
	n := min(len(inner.header)+len(inner.transport), most) &^ 1
	b := v.transport[quoted : quoted+n]
	var before [most]byte
	copy(before[:], b)
	f()
	inet.PatchChecksum(v.transport[icmpChecksum:icmpChecksum+2], before[:n], b)
}
