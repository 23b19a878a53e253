package wsa

import "encoding/binary"

// cmsgAlign is MAX_NATURAL_ALIGNMENT of 64-bit Windows: headers and data begin
// on such a boundary, counted from the start of the control buffer.
const cmsgAlign = 8

// SizeofWSACMSGHDR is the size of the header of a control message, in bytes.
const SizeofWSACMSGHDR = 16

// Cmsg is a control message of WSASendMsg and WSARecvMsg. Its header WSACMSGHDR
// has 16 bytes: cmsg_len at 0 (u64, header and data, without the padding after
// them), cmsg_level at 8, cmsg_type at 12.
type Cmsg struct {
	Level int32  // the level, such as IPPROTO_IP
	Type  int32  // the type, which is the number of an option at the level
	Data  []byte // the data behind the header
}

// CmsgSpace returns the bytes that a control message with n bytes of data
// takes in a control buffer, padding included (WSA_CMSG_SPACE).
//
// Precondition: n is not negative.
func CmsgSpace(n int) int { return alignUp(SizeofWSACMSGHDR+n, cmsgAlign) }

// AppendCmsg appends a control message and its padding to b, which must be the
// control buffer from its first byte.
func AppendCmsg(b []byte, level, typ int32, data []byte) []byte {
	b = appendZeros(b, alignUp(len(b), cmsgAlign))
	end := len(b) + CmsgSpace(len(data))
	b = binary.LittleEndian.AppendUint64(b, uint64(SizeofWSACMSGHDR+len(data)))
	b = binary.LittleEndian.AppendUint32(b, uint32(level))
	b = binary.LittleEndian.AppendUint32(b, uint32(typ))
	return appendZeros(append(b, data...), end)
}

// NextCmsg reads the control message at the start of b and returns it with
// what follows it. Data shares memory with b.
//
// It reports false at the end of the buffer and when the length in the header
// is less than the header or more than b; rest is then empty. Trailing padding
// of the last message may be missing. [ParseCmsgs] tells the two cases apart.
func NextCmsg(b []byte) (m Cmsg, rest []byte, ok bool) {
	if len(b) < SizeofWSACMSGHDR {
		return Cmsg{}, nil, false
	}
	// Compared before it becomes an int: a hostile length must not wrap.
	n := binary.LittleEndian.Uint64(b)
	if n < SizeofWSACMSGHDR || n > uint64(len(b)) {
		return Cmsg{}, nil, false
	}
	m = Cmsg{
		Level: int32(binary.LittleEndian.Uint32(b[8:])),
		Type:  int32(binary.LittleEndian.Uint32(b[12:])),
		Data:  b[SizeofWSACMSGHDR:n:n],
	}
	return m, b[min(alignUp(int(n), cmsgAlign), len(b)):], true
}

// ParseCmsgs reads a whole control buffer. It fails with WSAEINVAL when a
// header lies about its length or bytes that are no header remain.
func ParseCmsgs(b []byte) ([]Cmsg, Errno) {
	var all []Cmsg
	for len(b) > 0 {
		m, rest, ok := NextCmsg(b)
		if !ok {
			return nil, WSAEINVAL
		}
		all, b = append(all, m), rest
	}
	return all, NO_ERROR
}
