package options

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/wsa"
)

func getConfig(t *testing.T, v *Values, ep Endpoint) []byte {
	t.Helper()
	b := make([]byte, configSize)
	n, err := Get(v, ep, sol, wsa.PVD_CONFIG, b)
	require.Zero(t, err)
	require.Equal(t, configSize, n)
	return b
}

// withWord is b with word i replaced.
func withWord(b []byte, i int, n uint32) []byte {
	b = append([]byte(nil), b...)
	copy(b[4*i:], le(n))
	return b
}

// PV-1: what a get returns can be set, and changes nothing.
func TestConfig_RoundTrip(t *testing.T) {
	for p := range profileCount {
		for _, kind := range allKinds {
			ep := newFake(kind)
			ep.profile = p
			v := ep.values()
			v.SendBuffer = Buffer{12345, true}
			v.Linger = Linger{On: true, Timeout: 4, Established: true, Fallback: 77}
			v.KeepAlive = KeepAlive{On: true, Idle: 1500 * time.Millisecond, Interval: time.Second, Count: 3}
			before := *v
			require.Zero(t, Set(v, ep, sol, wsa.PVD_CONFIG, getConfig(t, v, ep)))
			assert.Equal(t, before, *v)
			assert.Empty(t, ep.told)
		}
	}
}

func TestConfig_Fresh(t *testing.T) {
	ep := newFake(Stream)
	assert.Equal(t, defaultConfig(), getConfig(t, ep.values(), ep))
}

func TestConfig_SetsAll(t *testing.T) {
	ep := newFake(Stream)
	v := ep.values()
	var b []byte
	for _, n := range []uint32{1, 44, 0, 3, 5000, 250, 7, 90, 1 << 20, 2000, 3000} {
		b = append(b, le(n)...)
	}
	require.Zero(t, Set(v, ep, sol, wsa.PVD_CONFIG, b))
	want := ep.values()
	want.KeepAlive = KeepAlive{Idle: 5 * time.Second, Interval: 250 * time.Millisecond, Count: 7}
	want.Linger.Fallback = 90
	want.BufferCap = 1 << 20
	want.SendBuffer, want.RecvBuffer = Buffer{2000, true}, Buffer{3000, true}
	assert.Equal(t, *want, *v)
	assert.Equal(t, map[string]any{"keepalive": want.KeepAlive}, ep.told)
	assert.Equal(t, b, getConfig(t, v, ep))

	require.Zero(t, Set(v, ep, sol, wsa.SO_DONTLINGER, le(0)))
	assert.EqualValues(t, 90, v.Linger.Timeout)
}

// PV-2.
func TestConfig_Rejects(t *testing.T) {
	good := defaultConfig()
	for name, b := range map[string][]byte{
		"version 0":          withWord(good, 0, 0),
		"version 2":          withWord(good, 0, 2),
		"size":               withWord(good, 1, 45),
		"longer":             append(withWord(good, 1, 44), 0),
		"longer, size too":   append(withWord(good, 1, 45), 0),
		"another profile":    withWord(good, 2, 1),
		"unknown profile":    withWord(good, 2, 3),
		"unknown flag":       withWord(good, 3, 4),
		"idle 0":             withWord(good, 4, 0),
		"interval 0":         withWord(good, 5, 0),
		"count 256":          withWord(good, 6, 256),
		"linger 0":           withWord(good, 7, 0),
		"linger 65536":       withWord(good, 7, 65536),
		"cap 0":              withWord(good, 8, 0),
		"cap below a buffer": withWord(good, 8, 65535),
		"cap negative":       withWord(good, 8, 0x80000000),
		"send above cap":     withWord(good, 9, 4<<20+1),
		"receive negative":   withWord(good, 10, 0xFFFFFFFF),
		"zeros":              make([]byte, 44),
	} {
		ep := newFake(Stream)
		v := ep.values()
		before := *v
		assert.Equal(t, wsa.WSAEINVAL, Set(v, ep, sol, wsa.PVD_CONFIG, b), name)
		assert.Equal(t, before, *v, name)
		assert.Empty(t, ep.told, name)
	}
}

// PV-2, all or nothing: what the endpoint refuses isn't stored, and nothing
// else of the object is.
func TestConfig_AllOrNothing(t *testing.T) {
	ep := newFake(Stream)
	ep.refuse = map[string]wsa.Errno{"keepalive": wsa.WSAENOBUFS}
	v := ep.values()
	before := *v
	b := withWord(withWord(withWord(defaultConfig(), 4, 5), 9, 1), 10, 2)
	assert.Equal(t, wsa.WSAENOBUFS, Set(v, ep, sol, wsa.PVD_CONFIG, b))
	assert.Equal(t, before, *v)
}
