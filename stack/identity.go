package stack

import (
	"encoding/binary"
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/tcpip/header"
	netstack "gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/wsstack/wsstack/internal/inet"
)

// identities is the counter that the identifications of IPv4 packets come from, in the profiles
// that have one (options.Wire.CountedIDs). All protocols share it.
type identities struct{ next atomic.Uint32 }

// take returns the first of n identifications in a row.
func (ids *identities) take(n int) uint16 { return uint16(ids.next.Add(uint32(n)) - uint32(n)) }

// The offsets of fields in an IPv4 header (RFC 791 §3.1).
const (
	ip4ID       = 4
	ip4Flags    = 6
	ip4Checksum = 10
)

// identify gives a packet that netstack is about to send its identification. Fragments are made of
// the packet later, and share it.
func (ids *identities) identify(pkt *netstack.PacketBuffer) {
	ids.write(pkt.NetworkHeader().Slice(), wirePackets(pkt))
}

// write puts the first of n identifications into an IPv4 header.
func (ids *identities) write(ip []byte, n int) {
	before := [2]byte(ip[ip4ID:])
	binary.BigEndian.PutUint16(ip[ip4ID:], ids.take(n))
	inet.PatchChecksum(ip[ip4Checksum:], before[:], ip[ip4ID:ip4ID+2])
}

// wirePackets is how many packets a packet is on a wire. Who cuts it up, the device or package tun,
// counts their identifications up from that of the whole.
func wirePackets(pkt *netstack.PacketBuffer) int {
	mss, size := int(pkt.GSOOptions.MSS), pkt.Data().Size()
	if pkt.GSOOptions.Type != netstack.GSOTCPv4 || mss == 0 || size <= mss {
		return 1
	}
	return (size + mss - 1) / mss
}

// identifyIncluded gives the packet of a raw socket with IP_HDRINCL an identification, if it has
// none. netstack writes the checksum later.
func (ids *identities) identifyIncluded(pkt *netstack.PacketBuffer) {
	b, ok := pkt.Data().PullUp(header.IPv4MinimumSize)
	if ip := header.IPv4(b); ok && ip.ID() == 0 {
		ip.SetID(ids.take(1))
	}
}

// ownEcho turns the echo reply that netstack has made of a request into what the profile has: by
// RFC 792 DF, code and all else are those of the request. What a raw socket sends has no transport
// header here.
func (h *hooks) ownEcho(pkt *netstack.PacketBuffer) {
	b := pkt.TransportHeader().Slice()
	v4 := pkt.NetworkProtocolNumber == header.IPv4ProtocolNumber
	if len(b) < icmpHeader || v4 && b[0] != uint8(header.ICMPv4EchoReply) || !v4 && b[0] != uint8(header.ICMPv6EchoReply) {
		return
	}
	if !h.wire.EchoCode && b[1] != 0 {
		before := [2]byte(b)
		b[1] = 0
		inet.PatchChecksum(b[2:], before[:], b[:2])
	}
	if !h.wire.EchoDF && v4 {
		ip := pkt.NetworkHeader().Slice()
		before := [2]byte(ip[ip4Flags:])
		ip[ip4Flags] &^= header.IPv4FlagDontFragment << 5
		inet.PatchChecksum(ip[ip4Checksum:], before[:], ip[ip4Flags:ip4Flags+2])
	}
}
