package wsa

import "encoding/binary"

// States of TCPInfo.State, enumeration TCPSTATE (mstcpip.h).
const (
	TCPSTATE_CLOSED      = 0
	TCPSTATE_LISTEN      = 1
	TCPSTATE_SYN_SENT    = 2
	TCPSTATE_SYN_RCVD    = 3
	TCPSTATE_ESTABLISHED = 4
	TCPSTATE_FIN_WAIT_1  = 5
	TCPSTATE_FIN_WAIT_2  = 6
	TCPSTATE_CLOSE_WAIT  = 7
	TCPSTATE_CLOSING     = 8
	TCPSTATE_LAST_ACK    = 9
	TCPSTATE_TIME_WAIT   = 10
)

// Sizes of TCP_INFO_v0, _v1 and _v2, in bytes. They follow from the list of
// fields (mstcpip.h) with C's natural alignment on a 64-bit machine: a field lies
// at a multiple of its size, the structure is a multiple of 8.
const (
	SizeofTCPInfoV0 = 88
	SizeofTCPInfoV1 = 136
	SizeofTCPInfoV2 = 152
)

// TCPInfo is the output of SIO_TCP_INFO. TCP_INFO_v0 ends after SynRetrans,
// TCP_INFO_v1 after SndLimBytesSnd. Windows and buffers are in bytes; booleans
// are 0 or 1.
type TCPInfo struct {
	State             uint32 // TCPSTATE_…
	Mss               uint32
	ConnectionTimeMs  uint64
	TimestampsEnabled uint8
	RttUs             uint32
	MinRttUs          uint32
	BytesInFlight     uint32
	Cwnd              uint32
	SndWnd            uint32
	RcvWnd            uint32
	RcvBuf            uint32
	BytesOut          uint64
	BytesIn           uint64
	BytesReordered    uint32
	BytesRetrans      uint32
	FastRetrans       uint32
	DupAcksIn         uint32
	TimeoutEpisodes   uint32
	SynRetrans        uint8

	// Version 1: how often, how long (milliseconds) and for how many bytes
	// sending was limited by the receiver, by congestion, by the sender.
	SndLimTransRwin uint32
	SndLimTimeRwin  uint32
	SndLimBytesRwin uint64
	SndLimTransCwnd uint32
	SndLimTimeCwnd  uint32
	SndLimBytesCwnd uint64
	SndLimTransSnd  uint32
	SndLimTimeSnd   uint32
	SndLimBytesSnd  uint64

	// Version 2.
	OutOfOrderPktsIn uint32
	EcnNegotiated    uint8
	EceAcksIn        uint32
	PtoEpisodes      uint32
}

// TCPInfoSize returns the size of TCP_INFO of that version, in bytes, and 0 for
// a version that does not exist.
func TCPInfoSize(version uint32) int {
	switch version {
	case 0:
		return SizeofTCPInfoV0
	case 1:
		return SizeofTCPInfoV1
	case 2:
		return SizeofTCPInfoV2
	}
	return 0
}

// fields returns pointers to the fields in the order of the structure.
func (t *TCPInfo) fields(version uint32) []any {
	f := []any{
		&t.State, &t.Mss, &t.ConnectionTimeMs, &t.TimestampsEnabled, &t.RttUs, &t.MinRttUs,
		&t.BytesInFlight, &t.Cwnd, &t.SndWnd, &t.RcvWnd, &t.RcvBuf, &t.BytesOut, &t.BytesIn,
		&t.BytesReordered, &t.BytesRetrans, &t.FastRetrans, &t.DupAcksIn, &t.TimeoutEpisodes, &t.SynRetrans,
	}
	if version >= 1 {
		f = append(f,
			&t.SndLimTransRwin, &t.SndLimTimeRwin, &t.SndLimBytesRwin,
			&t.SndLimTransCwnd, &t.SndLimTimeCwnd, &t.SndLimBytesCwnd,
			&t.SndLimTransSnd, &t.SndLimTimeSnd, &t.SndLimBytesSnd)
	}
	if version >= 2 {
		f = append(f, &t.OutOfOrderPktsIn, &t.EcnNegotiated, &t.EceAcksIn, &t.PtoEpisodes)
	}
	return f
}

// Append appends TCP_INFO of that version to b, and nothing for a version that
// does not exist.
func (t TCPInfo) Append(b []byte, version uint32) []byte {
	size := TCPInfoSize(version)
	if size == 0 {
		return b
	}
	start := len(b)
	b = appendZeros(b, start+size)
	out, off := b[start:], 0
	for _, field := range t.fields(version) {
		switch p := field.(type) {
		case *uint8:
			out[off] = *p
			off++
		case *uint32:
			off = alignUp(off, 4)
			binary.LittleEndian.PutUint32(out[off:], *p)
			off += 4
		case *uint64:
			off = alignUp(off, 8)
			binary.LittleEndian.PutUint64(out[off:], *p)
			off += 8
		}
	}
	return b
}

// ParseTCPInfo reads TCP_INFO of that version. It fails with WSAEFAULT when b is
// short and with WSAEINVAL for a version that does not exist.
func ParseTCPInfo(b []byte, version uint32) (TCPInfo, Errno) {
	size := TCPInfoSize(version)
	if size == 0 {
		return TCPInfo{}, WSAEINVAL
	}
	if len(b) < size {
		return TCPInfo{}, WSAEFAULT
	}
	var t TCPInfo
	off := 0
	for _, field := range t.fields(version) {
		switch p := field.(type) {
		case *uint8:
			*p = b[off]
			off++
		case *uint32:
			off = alignUp(off, 4)
			*p = binary.LittleEndian.Uint32(b[off:])
			off += 4
		case *uint64:
			off = alignUp(off, 8)
			*p = binary.LittleEndian.Uint64(b[off:])
			off += 8
		}
	}
	return t, NO_ERROR
}

// alignUp rounds n up to a multiple of to, a power of two.
func alignUp(n, to int) int { return (n + to - 1) &^ (to - 1) }
