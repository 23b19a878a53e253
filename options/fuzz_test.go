package options

import (
	"maps"
	"slices"
	"testing"

	"github.com/wsstack/wsstack/wsa"
)

// fuzzSocket is a socket as a number chooses it.
func fuzzSocket(n uint32) *fake {
	ep := newFake(allKinds[n%3])
	ep.family = allFamilies[n/3%2]
	ep.state = allStates[n/6%6]
	ep.profile = Profile(n / 36 % uint32(profileCount))
	ep.connected, ep.mss = ep.state == Connected, 1460
	ep.keepGroups = true
	if n/108%4 == 0 {
		ep.getErr, ep.setErr = wsa.WSAENOTCONN, wsa.WSAENOTCONN
	}
	return ep
}

// fuzzOptval is the optval of a call: sometimes NULL.
func fuzzOptval(n uint32, optval []byte) []byte {
	if n/432%8 == 1 {
		return nil
	}
	return append([]byte{}, optval...)
}

// fuzzLength is the optlen of a call: sometimes negative, or less than what optval has.
func fuzzLength(n uint32, optval []byte) int32 {
	switch n / 3456 % 4 {
	case 1:
		return -1 - int32(n>>1)
	case 2:
		return int32(len(optval) / 2)
	}
	return int32(len(optval))
}

func addSeeds(f *testing.F) {
	f.Helper()
	for i, s := range specs {
		f.Add(uint32(i*7), s.level, s.name, s.value())
	}
	f.Add(uint32(0), int32(-1), int32(1), []byte{1})
}

// A failed set changes nothing, whatever the bytes; a set never panics.
func FuzzSet(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, n uint32, level, name int32, optval []byte) {
		ep := fuzzSocket(n)
		v := ep.values()
		optval = fuzzOptval(n, optval)
		before, told, groups, given := *v, maps.Clone(ep.told), ep.groups.Clone(), slices.Clone(optval)
		optlen := fuzzLength(n, optval)
		err := Setsockopt(v, ep, level, name, optval, optlen)
		if !slices.Equal(given, optval) {
			t.Fatalf("Setsockopt(%#x, %#x, %x, %d) changed optval", level, name, given, optlen)
		}
		if err != 0 && (before != *v || !maps.Equal(told, ep.told) || len(groups.list) != len(ep.groups.list)) {
			t.Fatalf("failed Setsockopt(%#x, %#x, %x, %d) = %v changed something", level, name, optval, optlen, err)
		}
	})
}

// A get leaves the bytes beyond the value and beyond its *optlen alone, and all of them after a
// failure but where the documents say otherwise.
func FuzzGet(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, n uint32, level, name int32, optval []byte) {
		ep := fuzzSocket(n)
		v := ep.values()
		optval = fuzzOptval(n, optval)
		before, given := *v, slices.Clone(optval)
		optlen := fuzzLength(n, optval)
		after, err := Getsockopt(v, ep, level, name, optval, optlen)
		written := 0
		for i := range optval {
			if optval[i] != given[i] {
				written = i + 1
			}
		}
		clears := name == wsa.SO_LINGER || name == wsa.SO_SNDBUF || name == wsa.SO_RCVBUF
		switch {
		case before != *v && (err != 0 || name != wsa.SO_ERROR):
			t.Fatalf("Getsockopt(%#x, %#x, %d) = %v changed the values", level, name, optlen, err)
		case optval == nil && err != wsa.WSAEFAULT:
			t.Fatalf("Getsockopt(%#x, %#x, NULL) = %v", level, name, err)
		case err == 0 && optlen >= 0 && after > optlen:
			t.Fatalf("Getsockopt(%#x, %#x, %d) = %d", level, name, optlen, after)
		case optlen >= 0 && written > int(optlen), optlen < 0 && written > 4:
			t.Fatalf("Getsockopt(%#x, %#x, %d) wrote %d bytes", level, name, optlen, written)
		case err == 0 && written > int(after) && written > 3: // up to 3 of a Boolean (WL-1)
			t.Fatalf("Getsockopt(%#x, %#x, %d) = %d wrote beyond", level, name, optlen, after)
		case err != 0 && !clears && name != wsa.SO_CONNECT_TIME && written > 0:
			t.Fatalf("failed Getsockopt(%#x, %#x, %d) = %v wrote", level, name, optlen, err)
		}
	})
}
