package tun

import "encoding/binary"

// vnetHeaderSize is the size of struct virtio_net_hdr, which stands before each
// packet of a descriptor with IFF_VNET_HDR. Its numbers are in the byte order
// of the machine.
//
//	0      1         2        4         6           8            10
//	flags  gso_type  hdr_len  gso_size  csum_start  csum_offset
const vnetHeaderSize = 10

// Values of struct virtio_net_hdr (include/uapi/linux/virtio_net.h).
const (
	vnetNeedsCsum = 1 // flags

	vnetNone  = 0 // gso_type
	vnetTCPv4 = 1
	vnetTCPv6 = 4
	vnetUDP   = 5    // VIRTIO_NET_HDR_GSO_UDP_L4
	vnetECN   = 0x80 // a bit: the segment has CWR set
)

// encodeVnet writes the header of a packet with this metadata.
func (g *GSO) encodeVnet(h *[vnetHeaderSize]byte) {
	*h = [vnetHeaderSize]byte{}
	if g.NeedsCsum {
		h[0] = vnetNeedsCsum
		binary.NativeEndian.PutUint16(h[6:], g.CsumStart)
		binary.NativeEndian.PutUint16(h[8:], g.CsumOffset)
	}
	switch g.Type {
	case GSOTCPv4:
		h[1] = vnetTCPv4
	case GSOTCPv6:
		h[1] = vnetTCPv6
	case GSOUDP:
		h[1] = vnetUDP
	default:
		return
	}
	binary.NativeEndian.PutUint16(h[2:], g.HdrLen)
	binary.NativeEndian.PutUint16(h[4:], g.MSS)
}

// decodeVnet reads the header h of a packet. ok is false when header and packet don't belong
// together, which the kernel never writes.
//
// hdr_len is a hint, and may be the length of the kernel's first buffer, so HdrLen is computed from
// the headers of the packet. The flag VIRTIO_NET_HDR_F_DATA_VALID changes nothing: the packet has
// its checksum, and netstack can verify it again.
func decodeVnet(h, packet []byte) (g GSO, ok bool) {
	if h[0]&vnetNeedsCsum != 0 {
		g.NeedsCsum = true
		g.CsumStart = binary.NativeEndian.Uint16(h[6:])
		g.CsumOffset = binary.NativeEndian.Uint16(h[8:])
		if int(g.CsumStart)+int(g.CsumOffset)+2 > len(packet) {
			return GSO{}, false
		}
	}
	switch h[1] &^ vnetECN {
	case vnetNone:
		return g, true
	case vnetTCPv4:
		g.Type = GSOTCPv4
	case vnetTCPv6:
		g.Type = GSOTCPv6
	case vnetUDP:
		g.Type = GSOUDP
	default:
		return GSO{}, false
	}
	g.MSS = binary.NativeEndian.Uint16(h[4:])
	headers, ok := headersOf(packet, &g)
	if !ok || g.MSS == 0 {
		return GSO{}, false
	}
	g.HdrLen = uint16(headers.payload)
	return g, true
}
