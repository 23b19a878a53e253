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
		err := Set(v, ep, level, name, optval)
		if !slices.Equal(given, optval) {
			t.Fatalf("Set(%#x, %#x, %x) changed optval", level, name, given)
		}
		if err != 0 && (before != *v || !maps.Equal(told, ep.told) || len(groups.list) != len(ep.groups.list)) {
			t.Fatalf("failed Set(%#x, %#x, %x) = %v changed something", level, name, optval, err)
		}
	})
}

// A get leaves the bytes beyond the value alone, and all of them after a
// failure but where the documents say otherwise.
func FuzzGet(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, n uint32, level, name int32, optval []byte) {
		ep := fuzzSocket(n)
		v := ep.values()
		optval = fuzzOptval(n, optval)
		before, given := *v, slices.Clone(optval)
		size, err := Get(v, ep, level, name, optval)
		switch {
		case before != *v && (err != 0 || name != wsa.SO_ERROR):
			t.Fatalf("Get(%#x, %#x, %d bytes) = %v changed the values", level, name, len(optval), err)
		case optval == nil && err != wsa.WSAEFAULT:
			t.Fatalf("Get(%#x, %#x, NULL) = %v", level, name, err)
		case err == 0 && size > len(optval):
			// SO_PROTOCOL_INFO of the measured profiles reports what it was given.
			t.Fatalf("Get(%#x, %#x, %d bytes) = %d", level, name, len(optval), size)
		case err == 0 && !slices.Equal(optval[size:], given[size:]):
			t.Fatalf("Get(%#x, %#x, %d bytes) = %d wrote beyond", level, name, len(optval), size)
		case err != 0 && name != wsa.SO_LINGER && name != wsa.SO_CONNECT_TIME && !slices.Equal(optval, given):
			t.Fatalf("failed Get(%#x, %#x, %d bytes) = %v wrote", level, name, len(optval), err)
		}
	})
}
