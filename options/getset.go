package options

import "github.com/wsstack/wsstack/wsa"

// Set is setsockopt on the bytes of optval. A nil optval is the NULL pointer;
// its length is optlen. The caller holds the lock of v.
//
// The checks run in the order of AV-1, whatever the option: pointer, level,
// option (unknown, wrong kind, family or direction), length, connection,
// state, value. A failed call changes nothing. A nil optval is WSAEFAULT but
// for SO_UPDATE_CONNECT_CONTEXT, which has no value (AV-4).
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

// Get is getsockopt into the bytes of optval. A nil optval is the NULL
// pointer; its length is the *optlen that goes in. The caller holds the lock
// of v. The checks run in the order of [Set], without the state.
//
// n is the *optlen that comes out: the size of the value. After a failure it
// is 0, which stands for "*optlen and optval unchanged", except where the
// documents say otherwise:
//
//	SO_CONNECT_TIME, not connected    n = 4, optval is 0xFFFFFFFF (C-01)
//	SO_PROTOCOL_INFO, short buffer    n = the size needed (C-22)
//	SO_LINGER, short buffer           n = 0, the bytes supplied are zeroed
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

// find returns the option of a level and name, or why this socket has none
// for this direction.
func find(v *Values, ep Endpoint, level, name int32, a access) (*option, wsa.Errno) {
	p := ep.Profile().known()
	o := tables[p].byKey[optionKey(level, name)]
	if o == nil {
		return nil, levelError(p, level)
	}
	return o, o.refusal(v, ep, a)
}

// optionKey packs a level and a name with all their bits: 0x8000FFFF is not
// SOL_SOCKET, and SO_DONTLINGER and SO_EXCLUSIVEADDRUSE are negative.
func optionKey(level, name int32) uint64 {
	return uint64(uint32(level))<<32 | uint64(uint32(name))
}
