package options

import "github.com/wsstack/wsstack/wsa"

const (
	maxIPOptions = 40  // what the length field of an IPv4 header leaves for options, in bytes
	maxExtension = 256 // longest extension header that a socket keeps, in bytes (assumed)

	extensionUnit = 8 // what the length field of an extension header counts, in bytes

	// The options that consist of their type alone: IPv4's end and filler, IPv6's filler.
	ipOptionEnd = 0
	ipOptionNOP = 1
	ipv6Pad1    = 0
)

// headerBytes is the codec of header options that a socket adds to what it sends: a string of
// bytes of any length that check admits. No bytes are no options, in both directions.
func headerBytes(check func(b []byte) (string, wsa.Errno)) codec[string] {
	return codec[string]{
		typ: "bytes",
		decode: func(b []byte) (string, wsa.Errno) {
			if len(b) == 0 {
				return "", 0
			}
			return check(b)
		},
		encode: func(b []byte, val string) int { return copy(b, val) },
	}
}

// ipOptionList checks the options of an IPv4 header (RFC 791 §3.1) and fills them up with ends of
// the list to a multiple of four bytes.
func ipOptionList(b []byte) (string, wsa.Errno) {
	if len(b) > maxIPOptions || !wellFormed(b, ipOptionNOP, 0) || !routes(b) {
		return "", wsa.WSAEINVAL
	}
	padded := make([]byte, (len(b)+3)&^3)
	copy(padded, b)
	return string(padded), 0
}

// routes reports whether there is one source route at most among well-formed options, with the hops
// before the destination and a pointer to the first of them (RFC 791 §3.1).
func routes(b []byte) bool {
	const loose, strict, hops, hop = 131, 137, 3, 4
	found := false
	for len(b) > 0 && b[0] != ipOptionEnd {
		if b[0] == ipOptionNOP {
			b = b[1:]
			continue
		}
		o := b[:b[1]]
		if o[0] == loose || o[0] == strict {
			if found || len(o) <= hops || (len(o)-hops)%hop != 0 || o[2] != hops+1 {
				return false
			}
			found = true
		}
		b = b[len(o):]
	}
	return true
}

// optionsHeader checks a header of hop-by-hop or of destination options (RFC 8200 §4.3). The stack
// overwrites the first byte of the header, the number of the header that follows.
func optionsHeader(b []byte) (string, wsa.Errno) {
	if !isExtension(b) || !wellFormed(b[2:], ipv6Pad1, 2) {
		return "", wsa.WSAEINVAL
	}
	return string(b), 0
}

// routingHeader checks a routing header (RFC 8200 §4.4). Type 0 is forbidden (RFC 5095). Of the types
// whose first hop the stack knows, 2 (RFC 6275 §6.4) and 4 (RFC 8754 §2), the addresses must be there
// while segments are left.
func routingHeader(b []byte) (string, wsa.Errno) {
	if !isExtension(b) || b[2] == 0 {
		return "", wsa.WSAEINVAL
	}
	const mobile, segments, fixed, address = 2, 4, 8, 16
	good := true
	switch left := int(b[3]); {
	case left == 0:
	case b[2] == mobile:
		good = left == 1 && len(b) == fixed+address
	case b[2] == segments:
		good = left <= int(b[4]) && fixed+address*(int(b[4])+1) <= len(b)
	}
	if !good {
		return "", wsa.WSAEINVAL
	}
	return string(b), 0
}

// isExtension reports whether b is as long as the second byte of an extension header says.
func isExtension(b []byte) bool {
	return len(b) >= extensionUnit && len(b) <= maxExtension && len(b) == (int(b[1])+1)*extensionUnit
}

// wellFormed reports whether b is a list of options, each with a type and a length. Options of the
// type single are their type alone, and so is IPv4's end of the list, behind which nothing counts.
// The length of an option counts its type and length as well in IPv4, where uncounted is 0, and
// doesn't in IPv6, where uncounted is 2.
func wellFormed(b []byte, single byte, uncounted int) bool {
	for len(b) > 0 {
		switch {
		case b[0] == single:
			b = b[1:]
			continue
		case b[0] == ipOptionEnd:
			return true
		case len(b) < 2:
			return false
		}
		n := int(b[1]) + uncounted
		if n < 2 || n > len(b) {
			return false
		}
		b = b[n:]
	}
	return true
}
