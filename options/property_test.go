package options

import (
	"encoding/binary"
	"maps"
	"testing"

	"pgregory.net/rapid"

	"github.com/wsstack/wsstack/wsa"
)

// drawEndpoint is a socket of any kind in any state, sometimes a dead one.
func drawEndpoint(t *rapid.T) *fake {
	ep := newFake(rapid.SampledFrom(allKinds).Draw(t, "kind"))
	ep.family = rapid.SampledFrom(allFamilies).Draw(t, "family")
	ep.state = rapid.SampledFrom(allStates).Draw(t, "state")
	ep.profile = Profile(rapid.IntRange(0, int(profileCount)-1).Draw(t, "profile"))
	ep.connected, ep.mss = rapid.Bool().Draw(t, "connected"), 1460
	if rapid.IntRange(0, 9).Draw(t, "dropped") == 0 {
		ep.getErr, ep.setErr = wsa.WSAENOTCONN, wsa.WSAENOTCONN
	}
	if rapid.IntRange(0, 9).Draw(t, "refusing") == 0 {
		ep.refuse = map[string]wsa.Errno{
			"nodelay": wsa.WSAENOBUFS, "keepalive": wsa.WSAENOBUFS, "oobinline": wsa.WSAENOBUFS,
		}
	}
	return ep
}

// drawOption is mostly an option there is, and sometimes any two numbers.
func drawOption(t *rapid.T) (level, name int32) {
	if rapid.IntRange(0, 9).Draw(t, "known") == 0 {
		return rapid.Int32().Draw(t, "level"), rapid.Int32().Draw(t, "name")
	}
	s := rapid.SampledFrom(specs).Draw(t, "option")
	return s.level, s.name
}

func drawOptval(t *rapid.T) []byte {
	switch rapid.IntRange(0, 9).Draw(t, "shape") {
	case 0:
		return nil
	case 1, 2, 3:
		return rapid.SliceOfN(rapid.Byte(), 0, 60).Draw(t, "bytes")
	case 4:
		return withWord(defaultConfig(), rapid.IntRange(0, 10).Draw(t, "word"), rapid.Uint32().Draw(t, "n"))
	}
	n := rapid.SampledFrom([]uint32{0, 1, 2, 255, 256, 7200, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF}).Draw(t, "int")
	return append(le(n), make([]byte, rapid.IntRange(0, 4).Draw(t, "excess"))...)
}

// A failed call changes nothing, on a socket with any history.
func TestProperty_FailureChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ep := drawEndpoint(t)
		v := ep.values()
		for range rapid.IntRange(1, 20).Draw(t, "calls") {
			level, name := drawOption(t)
			optval := drawOptval(t)
			before, told := *v, maps.Clone(ep.told)
			if Set(v, ep, level, name, optval) == 0 {
				continue
			}
			if before != *v {
				t.Fatalf("failed Set(%#x, %#x, %x) changed the values", level, name, optval)
			}
			if !maps.Equal(told, ep.told) {
				t.Fatalf("failed Set(%#x, %#x, %x) told the endpoint", level, name, optval)
			}
		}
	})
}

// A get never changes the documented profile's values, and writes what it says
// it has written.
func TestProperty_GetIsPure(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ep := drawEndpoint(t)
		ep.profile = Documented
		v := ep.values()
		level, name := drawOption(t)
		before := *v
		b := filled(rapid.IntRange(0, 700).Draw(t, "size"))
		n, err := Get(v, ep, level, name, b)
		if before != *v {
			t.Fatalf("Get(%#x, %#x) changed the values", level, name)
		}
		if err == 0 && (n > len(b) || string(b[n:]) != string(filled(len(b)-n))) {
			t.Fatalf("Get(%#x, %#x) = %d wrote beyond", level, name, n)
		}
	})
}

// normalised is what the documents say a successful set reads back as: the
// dumb model of the documented profile.
func normalised(s spec, n uint32) uint32 {
	if s.model != nil {
		return s.model(n)
	}
	if n != 0 { // the rest are Booleans
		return 1
	}
	return 0
}

// A successful set, then a get, returns the normalised value.
func TestProperty_SetThenGet(t *testing.T) {
	var settable []spec
	for _, s := range specs {
		if s.access == gs && s.size == 4 && s.kinds != 0 {
			settable = append(settable, s)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.SampledFrom(settable).Draw(t, "option")
		ep := newFake(rapid.SampledFrom(allKinds).Draw(t, "kind"))
		ep.family = rapid.SampledFrom(allFamilies).Draw(t, "family")
		ep.state = rapid.SampledFrom(allStates).Draw(t, "state")
		v := ep.values()
		b := make([]byte, 4)
		n := rapid.OneOf(rapid.Uint32(), rapid.Uint32Range(0, 300)).Draw(t, "n")
		binary.LittleEndian.PutUint32(b, n)
		if Set(v, ep, s.level, s.name, b) != 0 {
			return
		}
		if got, want := getInt(t, v, ep, s.level, s.name), normalised(s, n); got != want {
			t.Fatalf("%s set to %#x reads %#x, want %#x", s.symbol, n, got, want)
		}
	})
}

// forEachLength runs f for every option with every length from 0 to 16, and -1
// for the NULL pointer.
func forEachLength(f func(s spec, size int)) {
	for _, s := range specs {
		for size := -1; size <= 16; size++ {
			f(s, size)
		}
	}
}

// AV-7, AV-9, AV-13 on a socket of any kind, state, family and profile: what a
// get may do beside one with a buffer that is large enough.
func TestProperty_GetLengths(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ep := drawEndpoint(t)
		forEachLength(func(s spec, size int) { checkGet(t, ep, s, size) })
	})
}

func checkGet(t *rapid.T, ep *fake, s spec, size int) {
	if size < 0 {
		if n, err := Get(ep.values(), ep, s.level, s.name, nil); n != 0 || err != wsa.WSAEFAULT {
			t.Fatalf("Get(%s, NULL) = %d, %v", s.symbol, n, err)
		}
		return
	}
	full, b, v := filled(700), filled(size), ep.values()
	n, want := Get(v, ep, s.level, s.name, full)
	v = ep.values()
	before := *v
	got, err := Get(v, ep, s.level, s.name, b)
	written := filled(size)
	switch {
	case err == want && got == n && got <= size:
		copy(written, full[:got])
	case err == wsa.WSAEFAULT && want != wsa.WSAENOPROTOOPT && (size == 0 || size < s.need(ep.family)):
		if s.clears(ep.profile) {
			clear(written)
		}
		if before != *v {
			t.Fatalf("failed Get(%s, %d bytes) changed the values", s.symbol, size)
		}
	case err == 0 && want == 0 && 0 < got && got <= size && size < s.need(ep.family) && ep.profile != Documented:
		copy(written, full[:got]) // one byte of an int (C-22)
		if string(b) != string(written) {
			copy(written, full[:size]) // a Boolean of the socket layer has as many as there is room for
		}
	default:
		t.Fatalf("Get(%s, %d bytes) = %d, %v, with room for all %d, %v", s.symbol, size, got, err, n, want)
	}
	if string(b) != string(written) {
		t.Fatalf("Get(%s, %d bytes) = %d, %v wrote %x, want %x", s.symbol, size, got, err, b, written)
	}
}

// AV-7, AV-11 likewise: a set does the same whatever follows the bytes, or fails
// and changes nothing.
func TestProperty_SetLengths(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ep, random := drawEndpoint(t), rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "bytes")
		own := rapid.Bool().Draw(t, "valid")
		forEachLength(func(s spec, size int) {
			b := make([]byte, 700)
			copy(b, random)
			if own {
				copy(b, s.value())
			}
			checkSet(t, ep, s, size, b)
		})
	})
}

func checkSet(t *rapid.T, ep *fake, s spec, size int, b []byte) {
	optval := b[:max(0, size):max(0, size)]
	if size < 0 {
		optval = nil
	}
	v := ep.values()
	before, told := *v, maps.Clone(ep.told)
	err := Set(v, ep, s.level, s.name, optval)
	enough := size >= s.setNeed(ep.family)
	switch {
	case err != 0 && (before != *v || !maps.Equal(told, ep.told)):
		t.Fatalf("failed Set(%s, %x) = %v changed something", s.symbol, optval, err)
	case err == wsa.WSAEFAULT && enough:
		t.Fatalf("Set(%s, %d bytes) = %v, though that is enough", s.symbol, size, err)
	case err == 0 && !enough && !s.nullable && ep.profile == Documented:
		t.Fatalf("Set(%s, %d bytes) succeeded", s.symbol, size)
	case err != 0 || size < max(4, s.setNeed(ep.family)) || s.name == wsa.PVD_CONFIG || s.whole:
		return // else a length of its own (PV-2), or an int as one byte (C-20, IP_TOS)
	}
	long := before
	if err := Set(&long, ep, s.level, s.name, b[:size+40]); err != 0 || long != *v {
		t.Fatalf("Set(%s, %x) succeeded; with 40 more bytes it is %v, or stores something else", s.symbol, optval, err)
	}
}
