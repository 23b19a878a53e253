package options

import (
	"encoding/binary"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/wsstack/wsstack/wsa"
)

// octet is a DWORD from least to 255.
func octet(least uint32) codec[uint8] {
	return codec[uint8]{
		typ: "DWORD", size: 4,
		decode: func(b []byte) (uint8, wsa.Errno) {
			if n := lowBytes(b); n >= least && n <= math.MaxUint8 {
				return uint8(n), 0
			}
			return 0, wsa.WSAEINVAL
		},
		encode: putOctet,
		format: formatOctet,
	}
}

// lowBytes reads an integer of which one to four bytes are given.
func lowBytes(b []byte) uint32 {
	var le [4]byte
	copy(le[:], b)
	return binary.LittleEndian.Uint32(le[:])
}

func putOctet(b []byte, val uint8) int { return putUint32(b, uint32(val)) }

func formatOctet(val uint8) string { return strconv.Itoa(int(val)) }

// hops is a hop limit, in which -1 stands for the default as on BSD.
var hops = codec[uint8]{
	typ: "DWORD", size: 4,
	decode: func(b []byte) (uint8, wsa.Errno) {
		if n := lowBytes(b); n != math.MaxUint32 {
			return octet(0).decode(b)
		}
		return defaultTTL, 0
	},
	encode: putOctet,
	format: formatOctet,
}

// networkIndex is an interface index that is set in network order and read in
// host order, so that a round trip isn't the identity (C-41). What comes in
// may also be an IPv4 address: the row decides.
var networkIndex = codec[uint32]{
	typ: "DWORD", size: 4,
	decode: func(b []byte) (uint32, wsa.Errno) { return binary.BigEndian.Uint32(b), 0 },
	encode: putUint32,
	format: formatUint,
}

// oneOf is a 32-bit integer with few values.
func oneOf(typ string, values ...int32) codec[int32] {
	return codec[int32]{
		typ: typ, size: 4,
		decode: func(b []byte) (int32, wsa.Errno) {
			n := int32(binary.LittleEndian.Uint32(b))
			if !slices.Contains(values, n) {
				return 0, wsa.WSAEINVAL
			}
			return n, 0
		},
		encode: putInt32,
		format: formatInt32,
	}
}

// inRange is a DWORD from least to most.
func inRange(typ string, least, most uint32) codec[uint32] {
	c := dwordUpTo(typ, most)
	upTo := c.decode
	c.decode = func(b []byte) (uint32, wsa.Errno) {
		n, err := upTo(b)
		if err == 0 && n < least {
			return 0, wsa.WSAEINVAL
		}
		return n, err
	}
	return c
}

// checksumOffset is the int of IPV6_CHECKSUM: an even offset, or -1.
var checksumOffset = codec[int32]{
	typ: "int", size: 4,
	decode: func(b []byte) (int32, wsa.Errno) {
		n := int32(binary.LittleEndian.Uint32(b))
		if n < -1 || n >= 0 && n%2 != 0 {
			return 0, wsa.WSAEINVAL
		}
		return n, 0
	},
	encode: putInt32,
	format: formatInt32,
}

func putInt32(b []byte, val int32) int { return putUint32(b, uint32(val)) }

func formatInt32(val int32) string { return strconv.Itoa(int(val)) }

// retransmission is the int of TCP_MAXRT and TCP_MAXRTMS, in units of its own;
// -1 is "for ever". A get rounds up.
func retransmission(unit time.Duration) codec[time.Duration] {
	return codec[time.Duration]{
		typ: "int", size: 4,
		decode: func(b []byte) (time.Duration, wsa.Errno) {
			n := int32(binary.LittleEndian.Uint32(b))
			if n < -1 {
				return 0, wsa.WSAEINVAL
			}
			return max(time.Duration(n)*unit, -1), 0
		},
		encode: func(b []byte, val time.Duration) int {
			if val < 0 {
				return putInt32(b, -1)
			}
			return putUint32(b, uint32(min((val+unit-1)/unit, math.MaxInt32)))
		},
		format: func(val time.Duration) string { return strconv.Itoa(int(val / unit)) },
	}
}

// congestionID is the enumeration of TCP_CONGESTION_ALGORITHM.
var congestionID = codec[Congestion]{
	typ: "DWORD", size: 4,
	decode: func(b []byte) (Congestion, wsa.Errno) {
		if n := binary.LittleEndian.Uint32(b); n < uint32(congestionCount) {
			return Congestion(n), 0
		}
		return 0, wsa.WSAEINVAL
	},
	encode: func(b []byte, val Congestion) int { return putUint32(b, uint32(val)) },
	format: func(val Congestion) string { return formatUint(uint32(val)) },
}

// noValue is the optval of an option that is an act: whatever is given is
// ignored, nothing as well (C-84).
var noValue = codec[struct{}]{
	typ:    "none",
	decode: func([]byte) (struct{}, wsa.Errno) { return struct{}{}, 0 },
}

// noBytes is a structure of varying length that is always empty.
var noBytes = codec[struct{}]{
	typ:    "bytes",
	decode: func([]byte) (struct{}, wsa.Errno) { return struct{}{}, 0 },
	encode: func([]byte, struct{}) int { return 0 },
	format: func(struct{}) string { return "empty" },
}

// socketHandle is a SOCKET, an integer of the size of a pointer.
var socketHandle = codec[uint64]{
	typ: "SOCKET", size: strconv.IntSize / 8,
	decode: func(b []byte) (uint64, wsa.Errno) {
		if strconv.IntSize == 32 {
			return uint64(binary.LittleEndian.Uint32(b)), 0
		}
		return binary.LittleEndian.Uint64(b), 0
	},
}

// interfaceList is the DWORD[] of IP_GET_IFLIST.
var interfaceList = codec[InterfaceList]{
	typ: "DWORD[]",
	encode: func(b []byte, val InterfaceList) int {
		for i, index := range val.All() {
			putUint32(b[4*i:], index)
		}
		return 4 * int(val.n)
	},
}

// icmpError is the structure of TCP_ICMP_ERROR_INFO; the zero value is "none
// received", reported with a length of 0.
var icmpError = codec[wsa.ICMPErrorInfo]{
	typ: "ICMP_ERROR_INFO", size: wsa.SizeofICMPErrorInfo,
	encode: func(b []byte, val wsa.ICMPErrorInfo) int {
		if val == (wsa.ICMPErrorInfo{}) {
			return 0
		}
		return len(val.Append(b[:0]))
	},
}
