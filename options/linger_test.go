package options

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/wsa"
)

// lingerStep sets SO_LINGER {on, seconds}, or SO_DONTLINGER dont when dont is
// not nil, and says what both options read afterwards.
type lingerStep struct {
	on, seconds uint16
	dont        *uint32
	want        wsa.Linger
}

func dontLinger(on uint32, want wsa.Linger) lingerStep { return lingerStep{dont: &on, want: want} }

func setLinger(on, seconds uint16, want wsa.Linger) lingerStep {
	return lingerStep{on: on, seconds: seconds, want: want}
}

func TestLinger(t *testing.T) {
	off := wsa.Linger{}
	for name, steps := range map[string][]lingerStep{
		"LG-20: set and get":                       {setLinger(1, 7, wsa.Linger{OnOff: 1, Linger: 7})},
		"LG-20: off reads zero, x is ignored":      {setLinger(1, 7, wsa.Linger{OnOff: 1, Linger: 7}), setLinger(0, 9, off), dontLinger(0, wsa.Linger{OnOff: 1, Linger: 7})},
		"LG-20: {1, 0} establishes 0":              {setLinger(1, 0, wsa.Linger{OnOff: 1}), setLinger(0, 0, off), dontLinger(0, wsa.Linger{OnOff: 1})},
		"LG-20: l_onoff is any non-zero":           {setLinger(0x100, 3, wsa.Linger{OnOff: 1, Linger: 3})},
		"LG-21: reinstates the time-out":           {setLinger(1, 7, wsa.Linger{OnOff: 1, Linger: 7}), dontLinger(1, off), dontLinger(0, wsa.Linger{OnOff: 1, Linger: 7})},
		"LG-21: reinstates the hard close":         {setLinger(1, 0, wsa.Linger{OnOff: 1}), dontLinger(1, off), dontLinger(0, wsa.Linger{OnOff: 1})},
		"LG-21: the last one counts":               {setLinger(1, 7, wsa.Linger{OnOff: 1, Linger: 7}), setLinger(1, 5, wsa.Linger{OnOff: 1, Linger: 5}), dontLinger(1, off), dontLinger(0, wsa.Linger{OnOff: 1, Linger: 5})},
		"LG-21: enabling twice keeps it":           {setLinger(1, 7, wsa.Linger{OnOff: 1, Linger: 7}), dontLinger(0, wsa.Linger{OnOff: 1, Linger: 7})},
		"LG-22: never established":                 {dontLinger(0, wsa.Linger{OnOff: 1, Linger: 60})},
		"LG-22: {0, x} establishes nothing":        {setLinger(0, 9, off), dontLinger(0, wsa.Linger{OnOff: 1, Linger: 60})},
		"LG-22: the default is not established":    {dontLinger(0, wsa.Linger{OnOff: 1, Linger: 60}), dontLinger(1, off), setLinger(1, 2, wsa.Linger{OnOff: 1, Linger: 2}), dontLinger(1, off), dontLinger(0, wsa.Linger{OnOff: 1, Linger: 2})},
		"LG-23: DONTLINGER is a Boolean":           {setLinger(1, 7, wsa.Linger{OnOff: 1, Linger: 7}), dontLinger(0x100, off)},
		"LG-24: 65535 seconds":                     {setLinger(1, 65535, wsa.Linger{OnOff: 1, Linger: 65535})},
		"LG-24: 32768 seconds is not negative":     {setLinger(1, 32768, wsa.Linger{OnOff: 1, Linger: 32768})},
		"off and on again by SO_LINGER, new value": {setLinger(1, 7, wsa.Linger{OnOff: 1, Linger: 7}), setLinger(0, 0, off), setLinger(1, 8, wsa.Linger{OnOff: 1, Linger: 8})},
	} {
		t.Run(name, func(t *testing.T) {
			ep := newFake(Stream)
			v := ep.values()
			for i, s := range steps {
				if s.dont != nil {
					require.Zero(t, Set(v, ep, sol, wsa.SO_DONTLINGER, le(*s.dont)))
				} else {
					require.Zero(t, Set(v, ep, sol, wsa.SO_LINGER, lingerBytes(s.on, s.seconds)))
				}
				wantLinger(t, fmt.Sprintf("step %d", i), v, ep, s.want)
			}
		})
	}
}

// wantLinger checks SO_LINGER and that SO_DONTLINGER is its complement (LG-23).
func wantLinger(t *testing.T, step string, v *Values, ep Endpoint, want wsa.Linger) {
	t.Helper()
	var b [4]byte
	n, err := Get(v, ep, sol, wsa.SO_LINGER, b[:])
	require.Zero(t, err)
	assert.Equal(t, 4, n)
	got, _ := wsa.ParseLinger(b[:])
	assert.Equal(t, want, got, step)
	assert.EqualValues(t, 1-want.OnOff, getInt(t, v, ep, sol, wsa.SO_DONTLINGER), step)
}

// LG-1, C-03.
func TestLinger_Defaults(t *testing.T) {
	for p := range profileCount {
		ep := newFake(Stream)
		ep.profile = p
		b := filled(4)
		_, err := Get(ep.values(), ep, sol, wsa.SO_LINGER, b)
		require.Zero(t, err)
		assert.Equal(t, lingerBytes(0, 0), b, p)
	}
}

// LG-24: every time-out reads back as it was set.
func TestLinger_EverySecond(t *testing.T) {
	ep := newFake(Stream)
	v := ep.values()
	for s := range 65536 {
		b := lingerBytes(1, uint16(s))
		require.Zero(t, Set(v, ep, sol, wsa.SO_LINGER, b))
		var got [4]byte
		_, err := Get(v, ep, sol, wsa.SO_LINGER, got[:])
		require.Zero(t, err)
		require.Equal(t, b, got[:])
	}
}

// LG-25: datagram and raw sockets have neither, in both directions.
func TestLinger_StreamsOnly(t *testing.T) {
	for _, kind := range []Kind{Datagram, Raw} {
		for _, name := range []int32{wsa.SO_LINGER, wsa.SO_DONTLINGER} {
			ep := newFake(kind)
			_, err := Get(ep.values(), ep, sol, name, make([]byte, 4))
			assert.Equal(t, wsa.WSAENOPROTOOPT, err)
			assert.Equal(t, wsa.WSAENOPROTOOPT, Set(ep.values(), ep, sol, name, le(1)))
		}
	}
}
