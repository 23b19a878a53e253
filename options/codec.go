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
	typ   string // type in the documents
	size  int    // size of a value in bytes
	size6 int    // size on an AF_INET6 socket in bytes; 0: size

	// decode reads a value from as many bytes as its class takes and reports WSAEINVAL for one that
	// is out of range. Excess bytes are ignored (AV-11).
	decode func(b []byte) (T, wsa.Errno)

	// encode writes val to b, as many bytes as its class gives room, leaves the rest alone (AV-9)
	// and returns the size of what it has written.
	encode func(b []byte, val T) int

	format func(val T) string // for OPTIONS.md; nil: no text

	// measured replaces this codec in measuredProfiles. conflict is the number of the difference in
	// docs/conflicts.md, and deviates says what it is.
	measured *codec[T]
	conflict string
	deviates string
}

// boolean is a BOOL: any non-zero int is TRUE, and exactly 0 or 1 is read back (doc: S-SET; AV-10).
// The class of an option decides how many bytes of the int there are.
var boolean = codec[bool]{
	typ: "BOOL", size: 4,
	decode: func(b []byte) (bool, wsa.Errno) { return lowBytes(b) != 0, 0 },
	encode: func(b []byte, val bool) int { return putUint32(b, bit(val)) },
	format: formatBool,
}

// zeroOrOne is a BOOL of which no more than 1 is TRUE.
var zeroOrOne = codec[bool]{
	typ: boolean.typ, size: boolean.size,
	decode: func(b []byte) (bool, wsa.Errno) {
		n := lowBytes(b)
		if n > 1 {
			return false, wsa.WSAEINVAL
		}
		return n == 1, 0
	},
	encode: boolean.encode, format: boolean.format,
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
	encode: putSeconds,
	format: formatSeconds,

	measured: &keepSecondsUnsigned, conflict: "C-36", deviates: "a negative time is a very long one",
}

// keepSecondsUnsigned takes the time as the DWORD that W-TCP makes of it.
var keepSecondsUnsigned = codec[time.Duration]{
	typ: "DWORD", size: 4,
	decode: func(b []byte) (time.Duration, wsa.Errno) {
		n := binary.LittleEndian.Uint32(b)
		if n == 0 {
			return 0, wsa.WSAEINVAL
		}
		return time.Duration(min(n, maxKeepSeconds)) * time.Second, 0
	},
	encode: putSeconds,
	format: formatSeconds,
}

func putSeconds(b []byte, val time.Duration) int {
	return putUint32(b, uint32((val+time.Second-1)/time.Second))
}

func formatSeconds(val time.Duration) string { return strconv.Itoa(int(val / time.Second)) }

// lingerStruct is the struct linger { u_short l_onoff; u_short l_linger; }.
var lingerStruct = codec[lingerValue]{
	typ: "struct linger", size: 4,
	decode: func(b []byte) (lingerValue, wsa.Errno) {
		return lingerValue{onOff: binary.LittleEndian.Uint16(b), seconds: binary.LittleEndian.Uint16(b[2:])}, 0
	},
	encode: func(b []byte, val lingerValue) int {
		binary.LittleEndian.PutUint16(b, val.onOff)
		binary.LittleEndian.PutUint16(b[2:], val.seconds)
		return 4
	},
	format: func(val lingerValue) string {
		return "{" + strconv.Itoa(int(val.onOff)) + ", " + strconv.Itoa(int(val.seconds)) + "}"
	},
}

// putUint32 writes n, or as many of its low bytes as b has.
func putUint32(b []byte, n uint32) int {
	size := min(len(b), 4)
	for i := range size {
		b[i] = byte(n >> (8 * i))
	}
	return size
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
