package options

import (
	"encoding/binary"
	"math"
	"strconv"
	"time"

	"github.com/wsstack/wsstack/wsa"
)

// codec translates between the bytes of an optval and a value. Units are converted here and nowhere
// else. All integers are little-endian, as on every machine that Windows runs on.
type codec[T any] struct {
	typ    string // type in the documents
	size   int    // size of a value in bytes
	size6  int    // size on an AF_INET6 socket in bytes; 0: size
	min    int    // shortest optval of get and set in bytes; 0: size
	setMin int    // shortest optval of set in bytes; 0: that of get

	// decode reads a value from at least min bytes and reports WSAEINVAL for
	// one that is out of range. Excess bytes are ignored (AV-11).
	decode func(b []byte) (T, wsa.Errno)

	// encode writes val to b, which has at least min bytes, leaves the rest
	// alone (AV-9) and returns the *optlen to report.
	encode func(b []byte, val T) int

	// short is called for a get with a buffer below the minimum and returns
	// the *optlen to report. Nil: nothing is touched.
	short func(b []byte) int

	format func(val T) string // for OPTIONS.md; nil: no text

	// measured replaces this codec in measuredProfiles. conflict is the number of the difference in
	// docs/conflicts.md, and deviates says what it is.
	measured *codec[T]
	conflict string
	deviates string
}

// boolean is a BOOL: any non-zero int is TRUE, and exactly 0 or 1 is read back
// (doc: S-SET; AV-10).
var boolean = codec[bool]{
	typ: "BOOL", size: 4,
	decode: func(b []byte) (bool, wsa.Errno) { return binary.LittleEndian.Uint32(b) != 0, 0 },
	encode: func(b []byte, val bool) int { return putUint32(b, bit(val)) },
	format: formatBool,

	measured: &booleanShort, conflict: "C-21", deviates: "1 to 3 bytes are enough, in both directions",
}

// booleanShort is the BOOL of real machines, which take fewer bytes than an
// int (observed: set, C-21). assumed: a short get receives the low bytes.
var booleanShort = codec[bool]{
	typ: "BOOL", size: 4, min: 1,
	decode: func(b []byte) (bool, wsa.Errno) {
		for _, c := range b[:min(len(b), 4)] {
			if c != 0 {
				return true, 0
			}
		}
		return false, 0
	},
	encode: func(b []byte, val bool) int {
		var le [4]byte
		putUint32(le[:], bit(val))
		return copy(b, le[:])
	},
	format: formatBool,
}

// booleanOfByte is the BOOL that machines treat as a single byte: SO_KEEPALIVE,
// SO_DONTROUTE and TCP_NODELAY (and IPV6_V6ONLY).
var booleanOfByte = codec[bool]{
	typ: boolean.typ, size: boolean.size,
	decode: boolean.decode, encode: boolean.encode, format: boolean.format,

	measured: &booleanByte, conflict: "C-20, C-22", deviates: "only the first byte counts; get writes and reports one byte",
}

// booleanByte looks at the first byte only, so that 0x100 is FALSE (observed:
// C-20), and writes one (observed: C-22).
var booleanByte = codec[bool]{
	typ: "BOOL", size: 1,
	decode: func(b []byte) (bool, wsa.Errno) { return b[0] != 0, 0 },
	encode: func(b []byte, val bool) int { b[0] = byte(bit(val)); return 1 },
	format: formatBool,
}

// dword is a DWORD or unsigned int of any value.
var dword = dwordUpTo("DWORD", math.MaxUint32)

// dwordUpTo is a 32-bit integer from 0 to most. The negative values of an int
// lie above every most that fits one, and fail with it.
func dwordUpTo(typ string, most uint32) codec[uint32] {
	return codec[uint32]{
		typ: typ, size: 4,
		decode: func(b []byte) (uint32, wsa.Errno) {
			if n := binary.LittleEndian.Uint32(b); n <= most {
				return n, 0
			}
			return 0, wsa.WSAEINVAL
		},
		encode: putUint32,
		format: formatUint,
	}
}

// errorCode is the int of SO_ERROR.
var errorCode = codec[wsa.Errno]{
	typ: "int", size: 4,
	decode: func(b []byte) (wsa.Errno, wsa.Errno) { return wsa.Errno(binary.LittleEndian.Uint32(b)), 0 },
	encode: func(b []byte, val wsa.Errno) int { return putUint32(b, uint32(val)) },
	format: func(val wsa.Errno) string { return strconv.Itoa(int(val)) },
}

// bufferSize is the int of SO_SNDBUF and SO_RCVBUF. The row caps it.
var bufferSize = codec[Buffer]{
	typ: "int", size: 4,
	decode: func(b []byte) (Buffer, wsa.Errno) {
		n := int32(binary.LittleEndian.Uint32(b))
		if n < 0 { // the documents are silent; -1 is not a size (BF-4)
			return Buffer{}, wsa.WSAEINVAL
		}
		return Buffer{Bytes: n, Set: true}, 0
	},
	encode: putBuffer,
	format: formatBuffer,

	measured: &bufferSizeUnsigned, conflict: "C-32", deviates: "a negative size is a very large one and provides the cap",
}

// bufferSizeUnsigned takes the size as the DWORD that W-SOL makes of it.
var bufferSizeUnsigned = codec[Buffer]{
	typ: "int", size: 4,
	decode: func(b []byte) (Buffer, wsa.Errno) {
		n := min(binary.LittleEndian.Uint32(b), math.MaxInt32)
		return Buffer{Bytes: int32(n), Set: true}, 0
	},
	encode: putBuffer,
	format: formatBuffer,
}

// maxKeepSeconds is the longest TCP_KEEPIDLE and TCP_KEEPINTVL: in
// milliseconds it still fits 31 bits. Larger values are clamped.
const maxKeepSeconds = math.MaxInt32 / 1000

// keepSeconds is the int of TCP_KEEPIDLE and TCP_KEEPINTVL. The store counts
// milliseconds, because SIO_KEEPALIVE_VALS does; a get rounds up (KA-25).
var keepSeconds = codec[time.Duration]{
	typ: "DWORD", size: 4,
	decode: func(b []byte) (time.Duration, wsa.Errno) {
		n := int32(binary.LittleEndian.Uint32(b))
		if n <= 0 { // 0: the documents are silent (C-36)
			return 0, wsa.WSAEINVAL
		}
		return time.Duration(min(n, maxKeepSeconds)) * time.Second, 0
	},
	encode: func(b []byte, val time.Duration) int {
		return putUint32(b, uint32((val+time.Second-1)/time.Second))
	},
	format: func(val time.Duration) string { return strconv.Itoa(int(val / time.Second)) },
}

// lingerStruct is the struct linger { u_short l_onoff; u_short l_linger; }.
var lingerStruct = codec[lingerValue]{
	typ: "struct linger", size: 4,
	decode: func(b []byte) (lingerValue, wsa.Errno) {
		return lingerValue{
			on:      binary.LittleEndian.Uint16(b) != 0,
			seconds: binary.LittleEndian.Uint16(b[2:]),
		}, 0
	},
	encode: func(b []byte, val lingerValue) int {
		binary.LittleEndian.PutUint16(b, uint16(bit(val.on)))
		binary.LittleEndian.PutUint16(b[2:], val.seconds)
		return 4
	},
	short: func(b []byte) int { clear(b); return 0 }, // observed
	format: func(val lingerValue) string {
		return "{" + strconv.Itoa(int(bit(val.on))) + ", " + strconv.Itoa(int(val.seconds)) + "}"
	},
}

func putUint32(b []byte, n uint32) int {
	binary.LittleEndian.PutUint32(b, n)
	return 4
}

func putBuffer(b []byte, val Buffer) int { return putUint32(b, uint32(val.Bytes)) }

func bit(b bool) uint32 {
	if b {
		return 1
	}
	return 0
}

func formatBool(val bool) string {
	if val {
		return "TRUE"
	}
	return "FALSE"
}

func formatUint(val uint32) string { return strconv.FormatUint(uint64(val), 10) }

func formatBuffer(val Buffer) string { return strconv.Itoa(int(val.Bytes)) }
