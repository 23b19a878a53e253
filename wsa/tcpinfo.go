package wsa

import "encoding/binary"

// The values of [TCPInfo.State], which are the enumeration TCPSTATE (mstcpip.h).
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

// The sizes of TCP_INFO_v0, TCP_INFO_v1 and TCP_INFO_v2 in bytes. They follow from the list of
// fields (mstcpip.h) and the natural alignment of C on a 64-bit machine: the offset of a field is a
// multiple of its size, and the size of the structure is a multiple of 8.
const (
	SizeofTCPInfoV0 = 88
	SizeofTCPInfoV1 = 136
	SizeofTCPInfoV2 = 152
)

// TCPInfo is the output of SIO_TCP_INFO. TCP_INFO_v0 ends after SynRetrans, TCP_INFO_v1 after
// SndLimBytesSnd.
type TCPInfo struct {
	State             uint32 // the TCP state, one of the TCPSTATE constants
	Mss               uint32 // the largest payload of a segment in bytes
	ConnectionTimeMs  uint64 // the age of the connection in milliseconds
	TimestampsEnabled uint8  // 1 when segments have timestamps, else 0
	RttUs             uint32 // the smoothed round-trip time in microseconds
	MinRttUs          uint32 // the smallest round-trip time in microseconds
	BytesInFlight     uint32 // the bytes that are sent and not acknowledged
	Cwnd              uint32 // the congestion window in bytes
	SndWnd            uint32 // the window of the peer in bytes
	RcvWnd            uint32 // the window that the peer was told, in bytes
	RcvBuf            uint32 // the size of the receive buffer in bytes
	BytesOut          uint64 // the bytes that were sent, without retransmissions
	BytesIn           uint64 // the bytes that were received
	BytesReordered    uint32 // the bytes that were received before earlier ones
	BytesRetrans      uint32 // the bytes that were retransmitted
	FastRetrans       uint32 // the number of fast retransmissions
	DupAcksIn         uint32 // the number of duplicate acknowledgements that were received
	TimeoutEpisodes   uint32 // the number of retransmission time-outs
	SynRetrans        uint8  // the number of retransmissions of the SYN

	// The fields of version 1 say how often, for how many milliseconds and for how many bytes
	// sending was limited by the receiver, by congestion and by the sender.
	SndLimTransRwin uint32
	SndLimTimeRwin  uint32
	SndLimBytesRwin uint64
	SndLimTransCwnd uint32
	SndLimTimeCwnd  uint32
	SndLimBytesCwnd uint64
	SndLimTransSnd  uint32
	SndLimTimeSnd   uint32
	SndLimBytesSnd  uint64

	// The fields of version 2 are about ECN and about tail loss probes.
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
