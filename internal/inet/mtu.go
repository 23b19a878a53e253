// Package inet has what several packages know of packets as they are on a wire: how large they may
// be, how headers and checksums are written, and how the options of a TCP header follow each other.
package inet

// The bounds of an MTU, in bytes with the IP header.
const (
	MinMTU4 = 68    // every link carries as much of IPv4 in one piece (RFC 791 §3.2)
	MinMTU6 = 1280  // every link carries as much of IPv6 (RFC 8200 §5)
	MaxMTU  = 65535 // the largest IPv4 packet: its length field has 16 bits
)
