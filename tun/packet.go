package tun

import "gvisor.dev/gvisor/pkg/buffer"

// maxPacket is the size in bytes of the largest IPv6 packet without a jumbo option: a
// header and 65,535 bytes of payload.
const maxPacket = 40 + 65535

// carries reports whether a device with this Offload and this MTU takes the packet.
func (o Offload) carries(p *Packet, mtu int) bool {
	if p.GSO.NeedsCsum && !o.Checksum {
		return false
	}
	switch p.GSO.Type {
	case GSONone:
		return p.Data.Size() <= int64(mtu)
	case GSOTCPv4:
		return o.TSO4 && p.Data.Size() <= maxPacket
	case GSOTCPv6:
		return o.TSO6 && p.Data.Size() <= maxPacket
	case GSOUDP:
		return o.USO && p.Data.Size() <= maxPacket
	}
	return false
}

// flatten copies b, or as much of b as fits, to dst and returns the number of bytes. Unlike
// Buffer.Flatten, the function allocates nothing.
func flatten(dst []byte, b *buffer.Buffer) int {
	n, _ := b.ReadAt(dst, 0) // its error says only that the end was reached
	return n
}
