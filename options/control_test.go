package options

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/wsa"
)

// Every control code: NULL, short and enough, on every kind of socket.
func TestControl_Lengths(t *testing.T) {
	require.NotEmpty(t, Controls())
	for _, c := range Controls() {
		for _, kind := range allKinds {
			ep := newFake(kind)
			v := ep.values()
			before := *v
			has := false
			for _, k := range c.Kinds {
				has = has || k == kind.String()
			}
			err, ok := Control(v, ep, c.Code, nil)
			assert.True(t, ok)
			assert.Equal(t, wsa.WSAEFAULT, err, "%s, NULL", c.Symbol)
			for size := range c.Size {
				err, _ := Control(v, ep, c.Code, make([]byte, size))
				if has {
					assert.Equal(t, wsa.WSAEFAULT, err, "%s, %d bytes", c.Symbol, size)
				} else {
					assert.NotZero(t, err)
				}
			}
			assert.Equal(t, before, *v)
			err, _ = Control(v, ep, c.Code, make([]byte, c.Size+3))
			assert.Equal(t, has, err == 0, "%s on %v", c.Symbol, kind)
			if !has {
				assert.Equal(t, before, *v)
			}
		}
	}
}

func TestControl_Values(t *testing.T) {
	set := func(kind Kind, code uint32, in ...byte) Values {
		ep := newFake(kind)
		v := ep.values()
		err, ok := Control(v, ep, code, in)
		require.True(t, ok)
		require.Zero(t, err)
		return *v
	}
	assert.True(t, newFake(Datagram).values().UDP.ConnReset, "default")
	assert.False(t, set(Datagram, wsa.SIO_UDP_CONNRESET, 0, 0, 0, 0).UDP.ConnReset)
	assert.False(t, set(Datagram, wsa.SIO_UDP_NETRESET, 0, 0, 0, 0).UDP.NetReset)
	assert.True(t, set(Datagram, wsa.SIO_UDP_NETRESET, 0, 1, 0, 0).UDP.NetReset)
	assert.True(t, set(Stream, wsa.SIO_LOOPBACK_FAST_PATH, 1, 0, 0, 0).FastLoopback)
	assert.EqualValues(t, 1, set(Stream, wsa.SIO_TCP_SET_ACK_FREQUENCY, 1).TCP.AckFrequency)
	assert.EqualValues(t, 2, set(Stream, wsa.SIO_TCP_SET_ICW, 2, 0, 0, 0).TCP.InitialWindow)
	assert.True(t, set(Datagram, wsa.SIO_SET_COMPATIBILITY_MODE, 1, 0, 0, 0, 0, 6, 0, 0).CompatibleRecvBuffer)
	v := set(Stream, wsa.SIO_TCP_INITIAL_RTO, 0xB8, 0x0B, 0xFE, 0)
	assert.EqualValues(t, 3000, v.TCP.InitialRTT)
	assert.EqualValues(t, 0xFE, v.TCP.MaxSynRetransmissions)
	v = set(Stream, wsa.SIO_TCP_INITIAL_RTO, 0xFF, 0xFF, 0xFF, 0)
	assert.Zero(t, v.TCP.InitialRTT, "unspecified")
	assert.Zero(t, v.TCP.MaxSynRetransmissions, "unspecified")
}

func TestControl_Errors(t *testing.T) {
	ep := newFake(Stream)
	_, ok := Control(ep.values(), ep, wsa.FIONBIO, le(1))
	assert.False(t, ok)
	for _, tc := range []struct {
		kind  Kind
		state State
		code  uint32
		in    []byte
		want  wsa.Errno
	}{
		{Datagram, Fresh, wsa.SIO_TCP_INITIAL_RTO, le(0), wsa.WSAEINVAL},
		{Stream, Connecting, wsa.SIO_TCP_INITIAL_RTO, le(0), wsa.WSAEINVAL},
		{Stream, Connected, wsa.SIO_TCP_INITIAL_RTO, le(0), wsa.WSAEINVAL},
		{Stream, Fresh, wsa.SIO_UDP_CONNRESET, le(0), wsa.WSAEOPNOTSUPP},
		{Stream, Fresh, wsa.SIO_SET_COMPATIBILITY_MODE, []byte{9, 0, 0, 0, 0, 0, 0, 0}, wsa.WSAEINVAL},
	} {
		ep := newFake(tc.kind)
		ep.state = tc.state
		v := ep.values()
		before := *v
		err, ok := Control(v, ep, tc.code, tc.in)
		assert.True(t, ok)
		assert.Equal(t, tc.want, err)
		assert.Equal(t, before, *v)
	}
}
