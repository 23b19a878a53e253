package options

import (
	"encoding/binary"
	"math"
	"time"

	"github.com/wsstack/wsstack/wsa"
)

// A Setter is a socket whose options can be set. *endpoint.Conn, *endpoint.Listener and
// *endpoint.PacketConn implement Setter.
type Setter interface {
	// SetSockOpt is setsockopt; see [Set].
	SetSockOpt(level, name int32, optval []byte) error
}

// A Getter is a socket whose options can be read. Every [Setter] of this module is a Getter.
type Getter interface {
	// GetSockOpt is getsockopt; see [Get].
	GetSockOpt(level, name int32, optval []byte) (n int, err error)
}

// An Option is a socket option with a Go type for its value:
//
//	err := options.SO_KEEPALIVE.Set(conn, true)
//	idle, err := options.TCP_KEEPIDLE.Get(conn)
//
// Its methods call setsockopt and getsockopt with the value in bytes, so the checks and the errors
// are those of these calls. Get of an option that can only be set fails with WSAENOPROTOOPT, and so
// does Set of an option that can only be read.
type Option[T any] struct {
	level, name int32
	typed[T]
}

// typed is the conversion between a Go type and the bytes of an optval.
type typed[T any] struct {
	size   int // the size of the largest value in bytes
	append func(b []byte, val T) ([]byte, wsa.Errno)
	parse  func(b []byte) (T, wsa.Errno)
}

// Level returns the level of the option, such as wsa.SOL_SOCKET.
func (o Option[T]) Level() int32 { return o.level }

// Number returns the number of the option at its level, which setsockopt calls optname.
func (o Option[T]) Number() int32 { return o.name }

// String returns the symbol of the option, such as "SO_KEEPALIVE".
func (o Option[T]) String() string { return wsa.OptionName(o.level, o.name) }

// Set sets the option of c. The error of a value that no optval can hold is WSAEINVAL.
func (o Option[T]) Set(c Setter, val T) error {
	return o.With(val).Set(c)
}

// Get returns the value of the option of c.
func (o Option[T]) Get(c Getter) (T, error) {
	optval := make([]byte, o.size)
	n, err := c.GetSockOpt(o.level, o.name, optval)
	if err != nil {
		var zero T
		return zero, err
	}
	val, errno := o.parse(optval[:n])
	if errno != 0 {
		return val, errno
	}
	return val, nil
}

// asBool is a BOOL of any length, for a get of SO_KEEPALIVE reports a single byte in
// measuredProfiles (C-22).
var asBool = typed[bool]{
	size:   4,
	append: func(b []byte, val bool) ([]byte, wsa.Errno) { return binary.LittleEndian.AppendUint32(b, bit(val)), 0 },
	parse:  func(b []byte) (bool, wsa.Errno) { return lowBytes(b) != 0, 0 },
}

// asInt is an int of the documents, which has 32 bits and a sign.
var asInt = typed[int]{
	size: 4,
	append: func(b []byte, val int) ([]byte, wsa.Errno) {
		if val < math.MinInt32 || val > math.MaxInt32 {
			return nil, wsa.WSAEINVAL
		}
		return binary.LittleEndian.AppendUint32(b, uint32(val)), 0
	},
	parse: func(b []byte) (int, wsa.Errno) { return int(int32(lowBytes(b))), 0 },
}

// asUint32 is a DWORD.
var asUint32 = typed[uint32]{
	size:   4,
	append: func(b []byte, val uint32) ([]byte, wsa.Errno) { return binary.LittleEndian.AppendUint32(b, val), 0 },
	parse:  func(b []byte) (uint32, wsa.Errno) { return lowBytes(b), 0 },
}

// asIndex is the index of an interface that is set in network order and read in host order (C-41).
// The Go value is the same in both directions.
var asIndex = typed[uint32]{
	size:   4,
	append: func(b []byte, val uint32) ([]byte, wsa.Errno) { return binary.BigEndian.AppendUint32(b, val), 0 },
	parse:  asUint32.parse,
}

// asDuration is a duration as a number of units, rounded up. All negative durations are -1.
func asDuration(unit time.Duration) typed[time.Duration] {
	return typed[time.Duration]{
		size: 4,
		append: func(b []byte, val time.Duration) ([]byte, wsa.Errno) {
			n := max(-1, (val+unit-1)/unit)
			if val < 0 {
				n = -1
			}
			if n > math.MaxInt32 {
				return nil, wsa.WSAEINVAL
			}
			return binary.LittleEndian.AppendUint32(b, uint32(n)), 0
		},
		parse: func(b []byte) (time.Duration, wsa.Errno) { return time.Duration(int32(lowBytes(b))) * unit, 0 },
	}
}

// appender is a structure of package wsa.
type appender interface{ Append(b []byte) []byte }

// asStruct is a structure of package wsa that has at most size bytes.
func asStruct[T appender](size int, parse func([]byte) (T, wsa.Errno)) typed[T] {
	return typed[T]{
		size:   size,
		append: func(b []byte, val T) ([]byte, wsa.Errno) { return val.Append(b), 0 },
		parse:  parse,
	}
}

// asError is the error code of SO_ERROR.
var asError = typed[wsa.Errno]{
	size: 4,
	append: func(b []byte, val wsa.Errno) ([]byte, wsa.Errno) {
		return binary.LittleEndian.AppendUint32(b, uint32(val)), 0
	},
	parse: func(b []byte) (wsa.Errno, wsa.Errno) { return wsa.Errno(lowBytes(b)), 0 },
}

// The following functions return the typed option of a name at SOL_SOCKET, IPPROTO_TCP, IPPROTO_IP,
// IPPROTO_IPV6 and IPPROTO_UDP.

func sockOption[T any](name int32, t typed[T]) Option[T] { return Option[T]{wsa.SOL_SOCKET, name, t} }
func tcpOption[T any](name int32, t typed[T]) Option[T]  { return Option[T]{wsa.IPPROTO_TCP, name, t} }
func ipOption[T any](name int32, t typed[T]) Option[T]   { return Option[T]{wsa.IPPROTO_IP, name, t} }
func ipv6Option[T any](name int32, t typed[T]) Option[T] { return Option[T]{wsa.IPPROTO_IPV6, name, t} }
func udpOption[T any](name int32, t typed[T]) Option[T]  { return Option[T]{wsa.IPPROTO_UDP, name, t} }
