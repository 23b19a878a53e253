package link

import (
	"encoding/binary"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// prefixSize is how many bytes of each packet are looked at: flags and offset are bytes 6 and 7 of
// an IPv4 header (RFC 791 §3.1), byte 6 of an IPv6 header is the next header (RFC 8200 §3).
const prefixSize = 8

// harmless keeps from netstack the packets that would end the process or hang it. harmless reports
// whether a packet may be delivered, and changes how the packet's buffer is divided, if need be.
// first are the first bytes of the packet.
func harmless(protocol tcpip.NetworkProtocolNumber, first []byte, data *buffer.Buffer) bool {
	switch {
	case len(first) < prefixSize: // netstack refuses it
	case protocol == header.IPv6ProtocolNumber:
		return !hasLongestExtension(first[header.IPv6NextHeaderOffset], data)
	case isFragment(first):
		setApart(data, int(header.IPv4(first).HeaderLength()))
	}
	return true
}

// isFragment reports whether an IPv4 packet is one part of several.
func isFragment(first []byte) bool {
	const moreAndOffset = 0x3fff
	return binary.BigEndian.Uint16(first[6:])&moreAndOffset != 0
}

// setApart gives the header of an IPv4 fragment a buffer of its own, and what
// follows another one. netstack keeps a slice of the header while it puts the
// transport header of the whole packet together, and for that it replaces the
// buffer where the transport header begins: the slice would be one of a chunk
// that the next packet is read to.
func setApart(data *buffer.Buffer, ihl int) {
	packet := data.Flatten()
	if ihl < header.IPv4MinimumSize || ihl >= len(packet) {
		return // netstack refuses it
	}
	data.Release()
	*data = buffer.MakeWithData(packet[:ihl])
	rest := buffer.MakeWithData(packet[ihl:])
	data.Merge(&rest) // Append would fill up the header's
}

// longest is the size of an extension header whose length field is 255, the
// largest value (RFC 8200 §4.3).
const longest = 256 * 8

// hasLongestExtension reports whether an IPv6 packet has an extension header of 2,048 bytes:
// netstack takes the length of such a header for 0 where it looks for the transport protocol, and
// never comes to the end of the headers. RFC 8504 §5.3 lets a host discard packets with so many
// options.
func hasLongestExtension(next uint8, data *buffer.Buffer) bool {
	if data.Size() < header.IPv6MinimumSize+longest {
		return false
	}
	for at := int64(header.IPv6MinimumSize); ; {
		var b [2]byte
		if n, _ := data.ReadAt(b[:], at); n < len(b) {
			return false
		}
		length := int64(b[1]) + 1
		switch header.IPv6ExtensionHeaderIdentifier(next) {
		case header.IPv6FragmentExtHdrIdentifier:
			length = 1
		case header.IPv6HopByHopOptionsExtHdrIdentifier, header.IPv6RoutingExtHdrIdentifier, header.IPv6DestinationOptionsExtHdrIdentifier:
			if length*8 == longest {
				return true
			}
		default:
			return false
		}
		next, at = b[0], at+length*8
	}
}
