package tun

import (
	"encoding/binary"

	"gvisor.dev/gvisor/pkg/buffer"
)

// The ECN field of an IP header (RFC 3168 §5): the two low bits of IPv4's type of service and of
// IPv6's traffic class.
const (
	ecnMask   = 3
	ecnNotECT = 0 // the sender can't tell that packets were marked
	ecnCE     = 3 // congestion experienced
)

// ecn returns the ECN field of a packet, which is ecnNotECT for what isn't an IP packet.
func ecn(b *buffer.Buffer) byte {
	var head [2]byte
	if flatten(head[:], b) < len(head) {
		return ecnNotECT
	}
	switch head[0] >> 4 {
	case 4:
		if b.Size() < ip4Size {
			return ecnNotECT
		}
		return head[1] & ecnMask
	case 6:
		return head[1] >> 4 & ecnMask
	}
	return ecnNotECT
}

// markCE sets the ECN field to CE. The data are copied first, as others may have them, too. In an
// IPv4 header the checksum follows by RFC 1624, so that a wrong one stays wrong. Precondition: ecn
// isn't ecnNotECT.
func markCE(p *Packet) {
	if ecn(&p.Data) == ecnCE {
		return
	}
	bytes := make([]byte, p.Data.Size())
	flatten(bytes, &p.Data)
	if bytes[0]>>4 == 4 {
		before := binary.BigEndian.Uint16(bytes)
		bytes[1] |= ecnCE
		after := binary.BigEndian.Uint16(bytes)
		sum := uint32(^binary.BigEndian.Uint16(bytes[ip4Checksum:])) + uint32(^before) + uint32(after)
		sum = sum>>16 + sum&0xffff
		sum = sum>>16 + sum&0xffff
		binary.BigEndian.PutUint16(bytes[ip4Checksum:], ^uint16(sum))
	} else {
		bytes[1] |= ecnCE << 4
	}
	p.Data.Release()
	p.Data = buffer.MakeWithData(bytes)
}
