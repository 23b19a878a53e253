package options

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/wsa"
)

func vals(on, idle, interval uint32) []byte {
	return wsa.TCPKeepalive{OnOff: on, KeepAliveTime: idle, KeepAliveInterval: interval}.Append(nil)
}

func TestKeepAlive_Values(t *testing.T) {
	for _, tc := range []struct {
		name    int32
		n, want uint32
		err     wsa.Errno
	}{
		{wsa.TCP_KEEPIDLE, 1, 1, 0},
		{wsa.TCP_KEEPIDLE, 2147483, 2147483, 0},
		{wsa.TCP_KEEPIDLE, 2147484, 2147483, 0}, // clamped
		{wsa.TCP_KEEPIDLE, math.MaxInt32, 2147483, 0},
		{wsa.TCP_KEEPIDLE, 0, 7200, wsa.WSAEINVAL}, // C-36
		{wsa.TCP_KEEPIDLE, math.MaxUint32, 7200, wsa.WSAEINVAL},
		{wsa.TCP_KEEPINTVL, 1, 1, 0},
		{wsa.TCP_KEEPINTVL, math.MaxInt32, 2147483, 0},
		{wsa.TCP_KEEPINTVL, 0, 1, wsa.WSAEINVAL},
		{wsa.TCP_KEEPINTVL, 0x80000000, 1, wsa.WSAEINVAL},
		{wsa.TCP_KEEPCNT, 0, 0, 0}, // C-36
		{wsa.TCP_KEEPCNT, 255, 255, 0},
		{wsa.TCP_KEEPCNT, 256, 10, wsa.WSAEINVAL},
		{wsa.TCP_KEEPCNT, math.MaxUint32, 10, wsa.WSAEINVAL},
	} {
		ep := newFake(Stream)
		v := ep.values()
		assert.Equal(t, tc.err, Set(v, ep, tcp, tc.name, le(tc.n)), "%d = %d", tc.name, tc.n)
		assert.Equal(t, tc.want, getInt(t, v, ep, tcp, tc.name), "%d = %d", tc.name, tc.n)
		assert.False(t, v.KeepAlive.On, "does not switch keep-alive on")
		if tc.err == 0 {
			assert.Equal(t, v.KeepAlive, ep.told["keepalive"])
		} else {
			assert.Empty(t, ep.told)
		}
	}
}

// KA-22: one record behind all options; the endpoint hears the whole of it.
func TestKeepAlive_OneRecord(t *testing.T) {
	ep := newFake(Stream)
	v := ep.values()
	require.Zero(t, Set(v, ep, tcp, wsa.TCP_KEEPIDLE, le(30)))
	require.Zero(t, Set(v, ep, tcp, wsa.TCP_KEEPCNT, le(4)))
	require.Zero(t, Set(v, ep, tcp, wsa.TCP_KEEPINTVL, le(5)))
	require.Zero(t, Set(v, ep, sol, wsa.SO_KEEPALIVE, le(1)))
	want := KeepAlive{On: true, Idle: 30 * time.Second, Interval: 5 * time.Second, Count: 4}
	assert.Equal(t, want, v.KeepAlive)
	assert.Equal(t, want, ep.told["keepalive"])
}

// KA-20, KA-21, KA-23.
func TestKeepAliveVals(t *testing.T) {
	ep := newFake(Stream)
	v := ep.values()
	require.Zero(t, Set(v, ep, tcp, wsa.TCP_KEEPCNT, le(4)))
	require.Zero(t, setKeepAliveVals(v, ep, vals(1, 2500, 100)))
	want := KeepAlive{On: true, Idle: 2500 * time.Millisecond, Interval: 100 * time.Millisecond, Count: 4}
	assert.Equal(t, want, v.KeepAlive)
	assert.Equal(t, want, ep.told["keepalive"])
	assert.EqualValues(t, 1, getInt(t, v, ep, sol, wsa.SO_KEEPALIVE))

	require.Zero(t, setKeepAliveVals(v, ep, vals(0, 77, 88)))
	want.On = false
	assert.Equal(t, want, v.KeepAlive, "off leaves the times alone")
	require.Zero(t, Set(v, ep, sol, wsa.SO_KEEPALIVE, le(1)))
	want.On = true
	assert.Equal(t, want, v.KeepAlive, "KA-22: on again with the same times")
}

// KA-25.
func TestKeepAliveVals_SecondsRoundUp(t *testing.T) {
	for ms, want := range map[uint32]uint32{1: 1, 999: 1, 1000: 1, 1001: 2, 2500: 3, math.MaxUint32: 4294968} {
		ep := newFake(Stream)
		v := ep.values()
		require.Zero(t, setKeepAliveVals(v, ep, vals(1, ms, ms)))
		assert.Equal(t, want, getInt(t, v, ep, tcp, wsa.TCP_KEEPIDLE), "%d ms", ms)
		assert.Equal(t, want, getInt(t, v, ep, tcp, wsa.TCP_KEEPINTVL), "%d ms", ms)
	}
}

// KA-24.
func TestKeepAliveVals_Arguments(t *testing.T) {
	for size := range 12 {
		ep := newFake(Stream)
		v := ep.values()
		before := *v
		assert.Equal(t, wsa.WSAEFAULT, setKeepAliveVals(v, ep, vals(1, 1, 1)[:size]))
		assert.Equal(t, before, *v)
	}
	for _, kind := range []Kind{Datagram, Raw} {
		ep := newFake(kind)
		assert.Equal(t, wsa.WSAENOPROTOOPT, setKeepAliveVals(ep.values(), ep, vals(1, 1, 1)))
		assert.Equal(t, wsa.WSAEFAULT, setKeepAliveVals(ep.values(), ep, nil), "the pointer comes first")
	}
	ep := newFake(Stream)
	v := ep.values()
	require.Zero(t, setKeepAliveVals(v, ep, vals(0, 0, 0)))
	require.Zero(t, setKeepAliveVals(v, ep, vals(1, 5000, 300)))
	require.Zero(t, setKeepAliveVals(v, ep, vals(2, 0, 0)))
	assert.Equal(t, KeepAlive{On: true, Idle: 2 * time.Hour, Interval: time.Second, Count: 10}, v.KeepAlive, "0 is the default")
	assert.Zero(t, setKeepAliveVals(v, ep, append(vals(1, 1, 1), 9)), "excess is ignored")
}

func TestKeepAliveVals_Fails(t *testing.T) {
	ep := newFake(Stream)
	v := ep.values()
	before := *v
	ep.setErr = wsa.WSAENOTCONN
	assert.Equal(t, wsa.WSAENOTCONN, setKeepAliveVals(v, ep, vals(1, 1, 1)))
	ep.setErr, ep.refuse = 0, map[string]wsa.Errno{"keepalive": wsa.WSAENOBUFS}
	assert.Equal(t, wsa.WSAENOBUFS, setKeepAliveVals(v, ep, vals(1, 1, 1)))
	assert.Equal(t, before, *v)
}

// setKeepAliveVals is the control code SIO_KEEPALIVE_VALS.
func setKeepAliveVals(v *Values, ep Endpoint, in []byte) wsa.Errno {
	_, err, _ := Control(v, ep, wsa.SIO_KEEPALIVE_VALS, in, nil)
	return err
}
