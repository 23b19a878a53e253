package options

import "github.com/wsstack/wsstack/wsa"

// Set is [Setsockopt] with all bytes of optval.
func Set(v *Values, ep Endpoint, level, name int32, optval []byte) wsa.Errno {
	return Setsockopt(v, ep, level, name, optval, int32(len(optval)))
}

// Setsockopt is setsockopt. optval is the memory behind the pointer, of which optlen says how much
// the value is; a nil optval stands for the NULL pointer. The caller holds the lock that guards v.
//
// The checks are made in the same order for all options (AV-1): pointer, level, option (unknown, or
// of another kind, family or direction), length, connection, state, value. A failed call changes
// nothing. The error of a nil optval is WSAEFAULT but for SO_UPDATE_CONNECT_CONTEXT, which has no
// value (AV-4), and so is that of an optlen beyond the memory. What a short or a negative optlen
// does depends on the class of the option (AV-7, AV-12, WL-1 to WL-5).
func Setsockopt(v *Values, ep Endpoint, level, name int32, optval []byte, optlen int32) wsa.Errno {
	o, err := find(v, ep, level, name, setAccess)
	if optval == nil && (o == nil || !o.nullable) || optval != nil && int(optlen) > len(optval) {
		return wsa.WSAEFAULT
	}
	if err != 0 {
		return err
	}
	n, err := o.lengths.taken(ofSocket(o.size, ep), optlen, len(optval))
	if err != 0 {
		return err
	}
	if err := ep.ConnectionError(true); err != 0 {
		if o.reportsDrop && ep.TakeDrop() {
			err = wsa.WSAENETRESET
		}
		return err
	}
	if o.setIn&ep.State() == 0 {
		return wsa.WSAEINVAL
	}
	return o.write(v, ep, optval[:n])
}

// Get is [Getsockopt] into all bytes of optval. n is the size of the value. When Get fails, n is 0
// with two exceptions:
//
//	SO_CONNECT_TIME, not connected    n is 4 and optval is 0xFFFFFFFF (C-01)
//	SO_PROTOCOL_INFO, short buffer    n is the size that is needed (C-22)
func Get(v *Values, ep Endpoint, level, name int32, optval []byte) (n int, err wsa.Errno) {
	after, told, err := get(v, ep, level, name, optval, int32(len(optval)))
	if !told {
		return 0, err
	}
	return int(after), err
}

// Getsockopt is getsockopt. optval is the memory behind the pointer, of which the value may have
// optlen bytes, the *optlen that the caller passes in; a nil optval stands for the NULL pointer.
// The caller holds the lock that guards v. The checks are made in the order of [Setsockopt],
// without those of state and value.
//
// after is the *optlen that the caller gets back: the size of the value or, after a failure, what
// the class of the option says, which in most cases is optlen. A failed call leaves optval alone
// but for SO_CONNECT_TIME on a socket that isn't connected (C-01) and a short buffer for SO_LINGER
// and, in the profiles Windows and Legacy, for SO_SNDBUF and SO_RCVBUF, which is zeroed (WL-2).
func Getsockopt(v *Values, ep Endpoint, level, name int32, optval []byte, optlen int32) (after int32, err wsa.Errno) {
	after, _, err = get(v, ep, level, name, optval, optlen)
	return after, err
}

// get is Getsockopt; told reports whether the call tells a size.
func get(v *Values, ep Endpoint, level, name int32, optval []byte, optlen int32) (after int32, told bool, err wsa.Errno) {
	if optval == nil || int(optlen) > len(optval) {
		return optlen, false, wsa.WSAEFAULT
	}
	o, err := find(v, ep, level, name, getAccess)
	if err != 0 {
		return optlen, false, err
	}
	g := o.lengths.given(o.need(v, ep), optlen)
	if g.clears {
		clear(optval[:max(0, optlen)])
	}
	switch {
	case g.err != 0:
		return g.optlen, g.optlen != optlen, g.err
	case g.room > len(optval): // a negative optlen, and less memory than a value
		return optlen, false, wsa.WSAEFAULT
	}
	n, err := o.answer(v, ep, optval[:g.room])
	switch {
	case err != 0 && n == 0:
		return optlen, false, err
	case err != 0 || g.optlen == valueSize:
		return int32(n), true, err
	}
	return g.optlen, true, 0
}

// answer makes the fourth check of AV-1, and writes the value to b.
func (o *option) answer(v *Values, ep Endpoint, b []byte) (n int, err wsa.Errno) {
	if !o.getAfterDrop {
		if err := ep.ConnectionError(false); err != 0 {
			return o.absent(b), err
		}
	}
	return o.read(v, ep, b)
}

// find returns the option of a level and name, and the error of a socket that doesn't have the
// option in this direction.
func find(v *Values, ep Endpoint, level, name int32, a access) (*option, wsa.Errno) {
	p := ep.Profile().known()
	if kindsOf(level)&ep.Kind() == 0 {
		return nil, profileColumns[p].otherTransport
	}
	o := tables[p].byKey[optionKey(level, name)]
	if o == nil {
		return nil, levelError(p, level)
	}
	return o, o.refusal(v, ep, a)
}

// optionKey packs a level and a name with all their bits: the level 0x8000FFFF isn't SOL_SOCKET,
// and the names SO_DONTLINGER and SO_EXCLUSIVEADDRUSE are negative.
func optionKey(level, name int32) uint64 {
	return uint64(uint32(level))<<32 | uint64(uint32(name))
}
