package tun

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What stands for several packets is impaired as those: each by itself, with
// its checksum, on the way out and in.
func TestImpair_CutsSegments(t *testing.T) {
	c := &fakeClock{}
	p := &sentTo{clock: c}
	delayed := Impairment{Delay: time.Millisecond}
	i, err := Impair(p, ImpairConfig{Offload: true, Clock: c, In: delayed, Out: delayed})
	require.NoError(t, err)
	require.Equal(t, Offload{Checksum: true, TSO4: true, TSO6: true}, i.Offload())
	var in sink
	require.NoError(t, i.Start(in.receive))
	bulk := bulky{payload: 3000, mss: 1000}
	for range 2 { // held, then with nothing to do but to cut
		p.data, in.data = nil, nil
		send(t, i, numbered(1, 100), bulk.packet(), bulky{payload: 50}.packet())
		p.receive([]Packet{numbered(1, 100), bulk.packet(), bulky{payload: 50}.packet()})
		c.advance(time.Millisecond)
		for _, data := range [][][]byte{p.data, in.data} {
			require.Len(t, data, 5)
			for k := range 3 {
				bulk.checkOne(t, data[1+k], k, k == 2)
			}
			bulky{payload: 50}.checkOne(t, data[4], 0, true)
		}
		out, in := i.Stats()
		require.Equal(t, out, in)
		require.Zero(t, out.Packets%5)
		require.NoError(t, i.SetOut(Impairment{}))
		require.NoError(t, i.SetIn(Impairment{}))
	}

	// A segment larger than the path MTU in total isn't too big; its packets may be.
	require.NoError(t, i.SetOut(Impairment{MTU: 1052}))
	p.data = nil
	send(t, i, bulk.packet())
	require.Len(t, p.data, 3)
	require.NoError(t, i.SetOut(Impairment{MTU: 1051}))
	send(t, i, bulk.packet())
	require.Len(t, p.data, 3)
	require.NoError(t, i.Close())
}

// Unasked, it takes and gives plain packets whatever the device can do.
func TestImpair_HidesOffload(t *testing.T) {
	a, b := Pipe(1500)
	b.(Offloader).EnableOffload()
	i, err := Impair(a, ImpairConfig{})
	require.NoError(t, err)
	require.Equal(t, Offload{}, i.Offload())
	i.EnableOffload()
	require.Equal(t, Offload{}, i.Offload())
	var got sink
	require.NoError(t, i.Start(got.receive))
	send(t, b, bulky{payload: 3000, mss: 1000}.packet())
	soon(t, func() bool { return got.len() == 3 }, "they arrive")
	require.NoError(t, i.Close())
	require.NoError(t, b.Close())
}

// A capture has segments as they are, or as the packets they stand for; the
// device has them whole.
func TestCapture_Segments(t *testing.T) {
	var file bytes.Buffer
	f := NewCaptureFile(&file, &fakeClock{})
	a, b := Pipe(1500)
	d, err := Capture(a, f, "tun0")
	require.NoError(t, err)
	d.EnableOffload()
	require.True(t, d.Offload().TSO6)
	b.(Offloader).EnableOffload()
	var at, back sink
	require.NoError(t, b.Start(at.receive))
	require.NoError(t, d.Start(back.receive))
	bulk := bulky{payload: 3000, mss: 1000}
	send(t, d, bulk.packet())
	soon(t, func() bool { return at.len() == 1 }, "it arrives")
	f.CutSegments(true)
	send(t, d, bulk.packet(), bulky{payload: 7}.packet())
	send(t, b, bulk.packet())
	soon(t, func() bool { return at.len() == 3 && back.len() == 1 }, "they arrive")
	require.Len(t, at.data[1], 3052, "whole")
	require.NoError(t, d.Close())
	require.NoError(t, b.Close())
	list := readCapture(t, &file)
	require.Len(t, list, 1+3+1+3)
}
