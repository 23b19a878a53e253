package options

import "github.com/wsstack/wsstack/wsa"

// lengths is a rule for the length of an optval, which all options of a class have in common. size
// is the size of the option's value in bytes, of which the profile documented wants all.
type lengths struct {
	name     string // in OPTIONS.md
	set, get string // the two rules in words, for OPTIONS.md

	// taken returns how many bytes at optval a set reads whose optlen is n. have is the number of
	// bytes that are there, which bounds n, but not the length of the value behind a negative n.
	taken func(size int, n int32, have int) (int, wsa.Errno)

	// given returns what a get with *optlen n does.
	given func(size int, n int32) given
}

// given is the part of a get's outcome that the length of the buffer decides.
type given struct {
	err    wsa.Errno
	room   int   // how many bytes at optval the value may fill
	optlen int32 // *optlen afterwards; valueSize: the size of the value
	clears bool  // whether a get that fails zeroes the buffer
}

const valueSize = -1 << 31

// lengthClass is the class of lengths of an option: what options of its kind do in the documented
// profile, and on real machines.
type lengthClass struct{ documented, measured *lengths }

// of returns the rule of a profile.
func (c lengthClass) of(p Profile) *lengths {
	if profileColumns[p].measured {
		return c.measured
	}
	return c.documented
}

// The classes. The rules of machines were observed on Windows (WL-1 to WL-5) on the options named
// here first; that the others are of the same class is inferred from what they are.
var (
	// Booleans kept by the socket layer: SO_BROADCAST, SO_DEBUG, SO_DONTLINGER, SO_OOBINLINE,
	// SO_REUSEADDR, SO_EXCLUSIVEADDRUSE; inferred for the other Booleans of SOL_SOCKET.
	classB = lengthClass{&whole, &layerBool}

	// Integers and structures kept by the socket layer: SO_RCVTIMEO, SO_SNDTIMEO; inferred for the
	// other numbers and structures of SOL_SOCKET. classLinger is SO_LINGER, classBuffer SO_RCVBUF
	// and SO_SNDBUF, classOpenType SO_OPENTYPE.
	classI        = lengthClass{&whole, &layerValue}
	classLinger   = lengthClass{&wholeCleared, &layerCleared}
	classBuffer   = lengthClass{&whole, &layerCleared}
	classOpenType = lengthClass{&whole, &layerAnyway}

	// Values of which the first byte counts: SO_KEEPALIVE, SO_DONTROUTE, TCP_NODELAY, TCP_FASTOPEN,
	// IPV6_V6ONLY; inferred for the other Booleans of TCP and for those of UDP.
	classF = lengthClass{&whole, &firstByte}

	// Small values of IP: IP_TTL, IP_TOS, IP_MULTICAST_TTL, IPV6_UNICAST_HOPS, IPV6_MULTICAST_HOPS,
	// and as classSwitch the Booleans IP_MULTICAST_LOOP, IPV6_MULTICAST_LOOP, IP_DONTFRAGMENT,
	// IPV6_DONTFRAG. The documented profile takes single bytes of the numbers alone.
	classY      = lengthClass{&wholeOfPart, &small}
	classSwitch = lengthClass{&whole, &small}

	// DWORDs of the transport and of ancillary data: TCP_KEEPIDLE, TCP_KEEPCNT, TCP_KEEPINTVL,
	// IP_PKTINFO, IP_RECVTTL, IP_RECVTOS, IPV6_PKTINFO, IPV6_HOPLIMIT, IPV6_RECVTCLASS; inferred
	// for all other options of the levels of TCP, UDP and IP, structures and lists included.
	classD = lengthClass{&whole, &transportValue}

	// Structures whose length a get doesn't report: SO_BSP_STATE. classInfo is SO_PROTOCOL_INFO,
	// which tells a short buffer what it needs.
	classState = lengthClass{&whole, &structure}
	classInfo  = lengthClass{&wholeTold, &structureTold}

	// Acts, whose optval isn't looked at (C-84).
	classAct = lengthClass{&nothingTaken, &nothingTaken}
)

// The rules of the documented profile (AV-7, AV-9, AV-11, AV-12, AV-13).
var (
	whole = lengths{
		name: "W", taken: takeWhole, given: giveWhole,
		set: "less than the size, 0 and −1 included: WSAEFAULT",
		get: "less than the size, 0 and −1 included: WSAEFAULT, `*optlen` stays",
	}
	wholeOfPart = lengths{
		name: "Wp", given: giveWhole,
		taken: func(_ int, n int32, have int) (int, wsa.Errno) { return takeWhole(1, n, have) },
		set:   "1 to 3: the bytes that are there; 0, −1: WSAEFAULT", get: "as W",
	}
	wholeCleared = lengths{
		name: "Wz", taken: takeWhole,
		given: func(size int, n int32) given { return giveWhole(size, n).clearing() },
		set:   "as W", get: "as W, and a short buffer is zeroed",
	}
	wholeTold = lengths{
		name: "Wt", taken: takeWhole,
		given: func(size int, n int32) given { return giveWhole(size, n).telling(size, n) },
		set:   "as W", get: "as W, but a short `*optlen` becomes the size",
	}
	nothingTaken = lengths{
		name: "–", set: "any length, and NULL", get: "–",
		taken: func(int, int32, int) (int, wsa.Errno) { return 0, 0 },
		given: giveWhole,
	}
)

// The rules of machines.
var (
	layerBool = lengths{
		name: "B",
		set:  "any length; the bytes that are there count, at −1 those of an int",
		get:  "1 to 3: so many bytes, `*optlen` 1; 0, −1: WSAEFAULT, `*optlen` stays",
		taken: func(size int, n int32, have int) (int, wsa.Errno) {
			if n < 0 {
				return min(size, have), 0
			}
			return int(n), 0
		},
		given: func(size int, n int32) given {
			if n > 0 && int(n) < size {
				return given{room: int(n), optlen: 1}
			}
			return giveWhole(size, n)
		},
	}
	layerValue = lengths{
		name: "I", taken: takeLayer, given: giveWhole,
		set: "less than the size: WSAEFAULT; −1: success",
		get: "less than the size, 0 and −1 included: WSAEFAULT, `*optlen` stays",
	}
	layerCleared = lengths{
		name: "Iz", taken: takeLayer,
		given: func(size int, n int32) given { return giveWhole(size, n).clearing() },
		set:   "as I", get: "as I, and a short buffer is zeroed",
	}
	layerAnyway = lengths{
		name: "In", taken: takeLayer,
		given: func(size int, n int32) given {
			if n < 0 {
				return given{room: size, optlen: valueSize}
			}
			return giveWhole(size, n)
		},
		set: "as I", get: "as I, but −1 succeeds, and `*optlen` becomes the size",
	}
	firstByte = lengths{
		name: "F",
		set:  "1 and more: the first byte; 0: WSAEFAULT; −1: WSAENOBUFS",
		get:  "1 and more: one byte, `*optlen` 1; 0, −1: WSAEFAULT, `*optlen` stays",
		taken: func(_ int, n int32, have int) (int, wsa.Errno) {
			taken, err := takeTransport(1, n, have)
			return min(taken, 1), err
		},
		given: func(_ int, n int32) given { return giveWhole(1, n).within(1) },
	}
	small = lengths{
		name:  "Y",
		set:   "1 to 3: the bytes that are there; 0: WSAEFAULT; −1: WSAENOBUFS",
		get:   "1 to 3: one byte, `*optlen` 1; 0, −1: WSAEFAULT, `*optlen` stays",
		taken: func(_ int, n int32, have int) (int, wsa.Errno) { return takeTransport(1, n, have) },
		given: func(size int, n int32) given {
			if n > 0 && int(n) < size {
				return given{room: 1, optlen: valueSize}
			}
			return giveWhole(size, n)
		},
	}
	transportValue = lengths{
		name: "D", taken: takeTransport,
		set: "less than the size: WSAEFAULT; −1: WSAENOBUFS",
		get: "1 to less than the size: WSAEFAULT, `*optlen` 0; 0, −1: WSAEFAULT, `*optlen` stays",
		given: func(size int, n int32) given {
			g := giveWhole(size, n)
			if g.err != 0 {
				g.optlen = min(n, 0)
			}
			return g
		},
	}
	structure = lengths{
		name: "S", taken: takeLayer,
		given: func(size int, n int32) given { return giveWhole(size, n).keeping(n) },
		set:   "as I", get: "less than the size: WSAEFAULT; `*optlen` stays in any case",
	}
	structureTold = lengths{
		name: "St", taken: takeLayer,
		given: func(size int, n int32) given { return giveWhole(size, n).telling(size, n).keeping(n) },
		set:   "as I", get: "as S, but a short `*optlen` becomes the size",
	}
)

// takeWhole wants the whole value.
func takeWhole(size int, n int32, _ int) (int, wsa.Errno) {
	if n < 0 || int(n) < size {
		return 0, wsa.WSAEFAULT
	}
	return int(n), 0
}

// takeLayer is takeWhole, but for a negative length, which the socket layer takes for a large one.
func takeLayer(size int, n int32, have int) (int, wsa.Errno) {
	if n < 0 && size <= have {
		return size, 0
	}
	return takeWhole(size, n, have)
}

// takeTransport is takeWhole, but for the error of a negative length, which the transport names.
func takeTransport(size int, n int32, have int) (int, wsa.Errno) {
	if n < 0 {
		return 0, wsa.WSAENOBUFS
	}
	return takeWhole(size, n, have)
}

// giveWhole wants room for the whole value. No bytes are never enough (AV-13).
func giveWhole(size int, n int32) given {
	if n <= 0 || int(n) < size {
		return given{err: wsa.WSAEFAULT, optlen: n}
	}
	return given{room: int(n), optlen: valueSize}
}

// clearing zeroes the buffer of a get that fails.
func (g given) clearing() given {
	g.clears = g.err != 0
	return g
}

// telling reports the size to a get that fails because its buffer, which has bytes, is too short.
func (g given) telling(size int, n int32) given {
	if g.err != 0 && n > 0 {
		g.optlen = int32(size)
	}
	return g
}

// keeping leaves *optlen at n when a get succeeds.
func (g given) keeping(n int32) given {
	if g.err == 0 {
		g.optlen = n
	}
	return g
}

// within leaves the value no more room than size.
func (g given) within(size int) given {
	g.room = min(g.room, size)
	return g
}

// String returns what OPTIONS.md prints, such as "B".
func (l *lengths) String() string {
	if l == nil {
		return ""
	}
	return l.name
}
