package options

import "github.com/wsstack/wsstack/wsa"

// The default of SO_SNDBUF and SO_RCVBUF is implementation dependent (doc);
// these are the ones of Windows 8 and later, and before (observed: C-31).
const (
	defaultBuffer       = 65536
	defaultBufferLegacy = 8192
)

// bufferRows are the buffer sizes, low-water marks and time-outs of SOL_SOCKET.
func bufferRows() []compiler {
	return []compiler{
		bufferRow(wsa.SO_SNDBUF, "SO_SNDBUF",
			"Bytes the socket holds until the peer has acknowledged them; 0: no buffering.",
			func(v *Values) *Buffer { return &v.SendBuffer }),
		bufferRow(wsa.SO_RCVBUF, "SO_RCVBUF",
			"Bytes the socket holds until the application reads them.",
			func(v *Values) *Buffer { return &v.RecvBuffer }),
		lowWaterRow(wsa.SO_SNDLOWAT, "SO_SNDLOWAT", 'A', "S-API W-SOL API-set", "int", "BSD option, not supported."),
		lowWaterRow(wsa.SO_RCVLOWAT, "SO_RCVLOWAT", 'A', "S-API W-SOL API-set", "int", "BSD option, not supported."),
		timeoutRow(wsa.SO_SNDTIMEO, "SO_SNDTIMEO",
			"Milliseconds a blocking send may wait; 0: for ever.",
			func(v *Values) *uint32 { return &v.SendTimeout }),
		timeoutRow(wsa.SO_RCVTIMEO, "SO_RCVTIMEO",
			"Milliseconds a blocking receive may wait; 0: for ever.",
			func(v *Values) *uint32 { return &v.RecvTimeout }),
	}
}

func bufferRow(name int32, symbol, text string, field func(*Values) *Buffer) row[Buffer] {
	return row[Buffer]{
		level: wsa.SOL_SOCKET, name: name, symbol: symbol, tier: 'A',
		doc: "S-GET S-API S-SET W-SOL", text: text,
		access: getAndSet, codec: bufferSize, lengths: classBuffer,
		field: field,
		def:   Buffer{Bytes: defaultBuffer},
		limit: func(v *Values, b Buffer) Buffer { // doc: succeeds without providing everything
			b.Bytes = min(b.Bytes, v.BufferCap)
			return b
		},
		alt: []alternative[Buffer]{{
			in: []Profile{Legacy}, conflict: "C-31", text: "smaller default",
			change: func(r *row[Buffer]) { r.def = Buffer{Bytes: defaultBufferLegacy} },
		}},
	}
}

// timeoutRow is a time-out of blocking calls. S-API lists both among the BSD
// options that getsockopt does not support, and explains the effect of setting
// SO_RCVTIMEO (C-14).
func timeoutRow(name int32, symbol, text string, field func(*Values) *uint32) row[uint32] {
	return row[uint32]{
		level: wsa.SOL_SOCKET, name: name, symbol: symbol, tier: 'A',
		doc: "S-API W-SOL", text: text,
		access: setAccess, codec: dword, lengths: classI,
		field: field,
		alt: []alternative[uint32]{{
			in: measuredProfiles, conflict: "C-14", text: "can be read",
			change: func(r *row[uint32]) { r.access = getAndSet },
		}},
	}
}
