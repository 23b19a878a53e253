package options

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/wsa"
)

// conn is a Setter and Getter over a fake.
type conn struct {
	*fake
	v *Values
}

func newConn(kind Kind) conn {
	ep := newFake(kind)
	return conn{ep, ep.values()}
}

func errorOf(e wsa.Errno) error {
	if e == 0 {
		return nil
	}
	return e
}

func (c conn) SetSockOpt(level, name int32, optval []byte) error {
	return errorOf(Set(c.v, c.fake, level, name, optval))
}

func (c conn) GetSockOpt(level, name int32, optval []byte) (int, error) {
	n, err := Get(c.v, c.fake, level, name, optval)
	return n, errorOf(err)
}

// roundTrip sets a value and wants it back.
func roundTrip[T comparable](t *testing.T, c conn, o Option[T], vals ...T) {
	t.Helper()
	for _, val := range vals {
		require.NoError(t, o.Set(c, val), o)
		got, err := o.Get(c)
		require.NoError(t, err, o)
		assert.Equal(t, val, got, o)
	}
}

func TestTyped_RoundTrip(t *testing.T) {
	for p := range profileCount {
		s, d := newConn(Stream), newConn(Datagram)
		s.profile, d.profile, d.family = p, p, wsa.AF_INET6
		roundTrip(t, s, SO_KEEPALIVE, true, false)
		roundTrip(t, s, SO_LINGER, wsa.Linger{OnOff: 1, Linger: 9}, wsa.Linger{})
		roundTrip(t, s, SO_SNDBUF, 1000, 0)
		roundTrip(t, s, TCP_NODELAY, true, false)
		roundTrip(t, s, TCP_KEEPIDLE, time.Minute, time.Second)
		roundTrip(t, s, TCP_MAXRT, 30*time.Second, 0)
		roundTrip(t, s, TCP_MAXRTMS, 1500*time.Millisecond)
		roundTrip(t, s, TCP_CONGESTION_ALGORITHM, CongestionReno, CongestionDefault)
		roundTrip(t, s, IP_TTL, 64)
		roundTrip(t, d, IP_MULTICAST_IF, 2, 0)
		roundTrip(t, d, IPV6_MULTICAST_IF, 2, 0)
		roundTrip(t, d, IPV6_V6ONLY, false, true)
		roundTrip(t, d, UDP_SEND_MSG_SIZE, 1200)
	}
}

func TestTyped_Errors(t *testing.T) {
	c := newConn(Stream)
	assert.ErrorIs(t, SO_SNDBUF.Set(c, math.MaxInt32+1), wsa.WSAEINVAL)
	assert.ErrorIs(t, SO_SNDBUF.Set(c, -1), wsa.WSAEINVAL)
	assert.ErrorIs(t, TCP_KEEPIDLE.Set(c, -time.Second), wsa.WSAEINVAL)
	assert.ErrorIs(t, TCP_KEEPIDLE.Set(c, math.MaxInt64), wsa.WSAEINVAL)
	assert.ErrorIs(t, TCP_MAXSEG.Set(c, 1000), wsa.WSAENOPROTOOPT)
	assert.ErrorIs(t, IP_MULTICAST_TTL.Set(c, 3), wsa.WSAENOPROTOOPT)
	_, err := SO_CONNECT_TIME.Get(c)
	assert.ErrorIs(t, err, wsa.WSAENOTCONN)
	_, err = SO_RCVTIMEO.Get(c)
	assert.ErrorIs(t, err, errors.ErrUnsupported)
	require.NoError(t, TCP_MAXRT.Set(c, -time.Hour), "negative is for ever")
	d, err := TCP_MAXRT.Get(c)
	require.NoError(t, err)
	assert.Equal(t, -time.Second, d)
	require.NoError(t, SO_RCVTIMEO.Set(c, 1), "a nanosecond is rounded up")
	assert.EqualValues(t, 1, c.v.RecvTimeout)
}

func TestTyped_SetAll(t *testing.T) {
	c := newConn(Stream)
	err := SetAll(c, SO_KEEPALIVE.With(true), TCP_KEEPCNT.With(256), TCP_NODELAY.With(true))
	assert.ErrorIs(t, err, wsa.WSAEINVAL)
	assert.True(t, c.v.KeepAlive.On)
	assert.False(t, c.v.NoDelay, "behind the one that failed")
}

// Assign tells an option that a socket doesn't have from a value it can't have.
func TestAssign(t *testing.T) {
	for _, tt := range []struct {
		name string
		kind Kind
		a    Assignment
		has  bool
		err  wsa.Errno
	}{
		{"set", Stream, TCP_NODELAY.With(true), true, 0},
		{"another kind", Datagram, TCP_NODELAY.With(true), false, wsa.WSAENOPROTOOPT},
		{"another kind, and no such value", Datagram, TCP_KEEPCNT.With(256), false, wsa.WSAENOPROTOOPT},
		{"only to be read", Stream, SO_TYPE.With(1), false, wsa.WSAENOPROTOOPT},
		{"value", Stream, TCP_KEEPCNT.With(256), true, wsa.WSAEINVAL},
		{"no optval holds it", Datagram, SO_SNDBUF.With(-1), true, wsa.WSAEINVAL},
		{"nothing", Stream, Assignment{}, true, wsa.WSAEINVAL},
	} {
		c := newConn(tt.kind)
		has, err := Assign(c.v, c, tt.a)
		assert.Equal(t, tt.has, has, tt.name)
		assert.Equal(t, tt.err, err, tt.name)
		assert.Equal(t, tt.err == 0 && tt.kind == Stream, c.v.NoDelay, tt.name)
	}
}

func TestTyped_Membership(t *testing.T) {
	c := newConn(Datagram)
	c.keepGroups = true
	require.NoError(t, IP_ADD_MEMBERSHIP.Set(c, wsa.IPMreq{Multiaddr: group4.As4()}))
	assert.True(t, c.groups.Admits(0, group4, peer4))
	require.NoError(t, IP_BLOCK_SOURCE.Set(c, wsa.IPMreqSource{Multiaddr: group4.As4(), Sourceaddr: peer4.As4()}))
	assert.False(t, c.groups.Admits(0, group4, peer4))
	assert.Equal(t, "IP_ADD_MEMBERSHIP", IP_ADD_MEMBERSHIP.String())
	assert.EqualValues(t, wsa.IPPROTO_IP, IP_ADD_MEMBERSHIP.Level())
	assert.EqualValues(t, 12, IP_ADD_MEMBERSHIP.Number())
}
