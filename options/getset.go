package options

import "github.com/wsstack/wsstack/wsa"

// Set is setsockopt with the bytes of optval, whose length is the optlen of the call. A nil optval
// stands for the NULL pointer. The caller holds the lock that guards v.
//
// The checks are made in the same order for all options (AV-1): pointer, level, option (unknown, or
// of another kind, family or direction), length, connection, state, value. A failed call changes
// nothing. The error of a nil optval is WSAEFAULT but for SO_UPDATE_CONNECT_CONTEXT, which has no
// value (AV-4).
func Set(v *Values, ep Endpoint, level, name int32, optval []byte) wsa.Errno {
	o, err := find(v, ep, level, name, setAccess)
	if optval == nil && (o == nil || !o.nullable) {
		return wsa.WSAEFAULT
	}
	if err != 0 {
		return err
	}
	if len(optval) < o.setNeed(ep) {
		return wsa.WSAEFAULT
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
	return o.write(v, ep, optval)
}

// Get is getsockopt into the bytes of optval, whose length is the *optlen that the caller passes
// in. A nil optval stands for the NULL pointer. The caller holds the lock that guards v. The checks
// are made in the order of [Set], without those of state and value.
//
// n is the *optlen that the caller gets back, the size of the value. When Get fails, n is 0, which
// means that *optlen and optval are unchanged, with three exceptions:
//
//	SO_CONNECT_TIME, not connected    n is 4 and optval is 0xFFFFFFFF (C-01)
//	SO_PROTOCOL_INFO, short buffer    n is the size that is needed (C-22)
//	SO_LINGER, short buffer           n is 0, and the bytes of the buffer are zeroed
func Get(v *Values, ep Endpoint, level, name int32, optval []byte) (n int, err wsa.Errno) {
	if optval == nil {
		return 0, wsa.WSAEFAULT
	}
	o, err := find(v, ep, level, name, getAccess)
	if err != 0 {
		return 0, err
	}
	if len(optval) < max(1, o.need(v, ep)) { // no bytes are never enough (AV-13)
		return o.short(optval), wsa.WSAEFAULT
	}
	if !o.getAfterDrop {
		if err := ep.ConnectionError(false); err != 0 {
			return o.absent(optval), err
		}
	}
	return o.read(v, ep, optval)
}

// find returns the option of a level and name, and the error of a socket that doesn't have the
// option in this direction.
func find(v *Values, ep Endpoint, level, name int32, a access) (*option, wsa.Errno) {
	p := ep.Profile().known()
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
