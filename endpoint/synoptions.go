package endpoint

import (
	"bytes"
	"encoding/binary"

	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// tcpOption finds an option of a kind and a length, both included in what it
// returns; nil: there is none. It stops where the list makes no sense.
func tcpOption(options []byte, kind byte, length int) []byte {
	for b := options; len(b) > 0; {
		switch {
		case b[0] == header.TCPOptionEOL:
			return nil
		case b[0] == header.TCPOptionNOP:
			b = b[1:]
			continue
		case len(b) < 2 || b[1] < 2 || int(b[1]) > len(b):
			return nil
		case b[0] == kind && int(b[1]) == length:
			return b[:length]
		}
		b = b[b[1]:]
	}
	return nil
}

// DropTimestamps overwrites the timestamp option of a SYN with NOPs, so that
// neither side believes that timestamps were agreed on (RFC 7323 §3.2). The
// checksum is patched (RFC 1624) unless partial says that the header carries
// none, or that of the pseudo-header only.
func DropTimestamps(t header.TCP, partial bool) {
	ts := tcpOption(t.Options(), header.TCPOptionTS, header.TCPOptionTSLength)
	if ts == nil {
		return
	}
	editOptions(t, partial, func() { copy(ts, bytes.Repeat([]byte{header.TCPOptionNOP}, len(ts))) })
}

// RaiseMSS overwrites the segment size that a SYN offers, if it is less than
// least; 0 is no offer to netstack. partial is that of DropTimestamps.
func RaiseMSS(t header.TCP, least uint16, partial bool) {
	mss := tcpOption(t.Options(), header.TCPOptionMSS, header.TCPOptionMSSLength)
	if mss == nil {
		return
	}
	if offer := binary.BigEndian.Uint16(mss[2:]); offer == 0 || offer >= least {
		return
	}
	editOptions(t, partial, func() { binary.BigEndian.PutUint16(mss[2:], least) })
}

// editOptions changes options and keeps the checksum right.
func editOptions(t header.TCP, partial bool, edit func()) {
	options := t.Options() // a whole number of 32-bit words
	before := checksum.Checksum(options, 0)
	edit()
	if !partial {
		t.SetChecksum(patched(t.Checksum(), before, checksum.Checksum(options, 0)))
	}
}

// patched is a checksum after words that summed up to before were replaced by
// some that sum up to after: HC' = ~(~HC + ~m + m') (RFC 1624 §3).
func patched(sum, before, after uint16) uint16 {
	return ^checksum.Combine(checksum.Combine(^sum, ^before), after)
}
