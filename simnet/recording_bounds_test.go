package simnet

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/internal/record"
	"github.com/wsstack/wsstack/internal/tcp"
	"github.com/wsstack/wsstack/internal/transport"
)

// bounded makes a recording with other bounds.
func bounded(t *testing.T, b bounds) (*Network, *Recording) {
	n := New(t)
	r := n.Record()
	r.bounds = b
	return n, r
}

// Of packets the latest stay, and the arrivals find theirs.
func TestRecording_BoundOfPackets(t *testing.T) {
	n, r := bounded(t, bounds{packets: 10})
	n.records.arrived(0, n) // it has no number: nobody has sent it
	for tag := uint64(5); tag < 30; tag++ {
		n.records.add(tag, time.Duration(tag), "a", "b", []byte{byte(tag)}, 0)
	}
	for tag := range uint64(40) {
		if tag < 20 || tag%2 == 0 { // the former aren't there any more
			n.records.arrived(tag, n)
		}
	}
	require.NoError(t, n.Advance(time.Second))
	n.records.arrived(22, n) // a duplicate
	packets := r.Packets()
	require.Len(t, packets, 10)
	require.Zero(t, packets[2].Arrived, "the first arrival counts")
	for i, p := range packets {
		require.EqualValues(t, 20+i, p.At)
		require.Equal(t, []byte{byte(20 + i)}, p.Data)
		require.Equal(t, i%2 == 0, p.Arrived != Never)
	}
	left, _ := r.Left()
	require.EqualValues(t, 15, left)
}

// growth is the i-th change of a connection.
func growth(i int) transport.Change {
	c := transport.Change{Sample: tcp.Sample{State: tcp.Established, Next: uint32(i) + 1}, Causes: transport.SegmentOut}
	if i%100 == 50 {
		c.Option = "OPTION"
	}
	return c
}

// Samples of a connection are thinned out: the first, the newest, and those of options stay.
func TestRecording_BoundOfSamples(t *testing.T) {
	n, r := bounded(t, bounds{packets: 10, ends: 10, samples: 1000, all: 1 << 20})
	k := &track{n: n, host: "a"}
	const changes = 20_000
	for i := range changes {
		k.Sample(growth(i))
		require.LessOrEqual(t, len(r.ends[0].Samples), 1000)
	}
	samples := r.Connections()[0].Samples
	require.Equal(t, record.State, samples[0].Event)
	require.EqualValues(t, 1, samples[0].SndNxt)
	options := 0
	for i, s := range samples {
		if s.Event == record.Option {
			options++
		}
		if i > 0 {
			require.Greater(t, s.SndNxt, samples[i-1].SndNxt)
		}
		if i > len(samples)-100 {
			require.Equal(t, samples[i-1].SndNxt+1, s.SndNxt, "the newest are all there")
		}
	}
	require.Equal(t, changes/100, options)
	_, left := r.Left()
	require.EqualValues(t, changes-len(samples), left)
	require.Equal(t, len(samples), r.samples)
}

// Where options are all that there is, they are thinned out, too.
func TestRecording_BoundOfOptions(t *testing.T) {
	n, r := bounded(t, bounds{packets: 10, ends: 10, samples: 100, all: 1 << 20})
	k := &track{n: n, host: "a"}
	for i := range 1000 {
		c := growth(i)
		c.Option = "OPTION"
		k.Sample(c)
	}
	require.LessOrEqual(t, len(r.Connections()[0].Samples), 100)
}

// All ends together have a bound, and their number has one; what is beyond is counted.
func TestRecording_BoundOfAll(t *testing.T) {
	n, r := bounded(t, bounds{packets: 10, ends: 5, samples: 1000, all: 1000, few: 10})
	tracks := []*track{}
	for range 7 {
		tracks = append(tracks, &track{n: n, host: "a"})
	}
	for i := range 2000 {
		tracks[6].Sample(growth(i)) // comes first, and gets its place
		if i < 5 {
			tracks[0].Sample(growth(i))
		}
		for _, k := range tracks[1:6] {
			k.Sample(growth(i))
		}
		require.LessOrEqual(t, r.samples, 1000)
	}
	ends := r.Connections()
	require.Len(t, ends, 5)
	require.Len(t, ends[1].Samples, 5, "few stay")
	total := 0
	for _, e := range ends {
		total += len(e.Samples)
	}
	require.Equal(t, r.samples, total)
	_, left := r.Left()
	require.EqualValues(t, 6*2000+5-total, left)
}

// Sequence numbers don't go round in a recording.
func TestUnwrap(t *testing.T) {
	n := uint64(0)
	for i := uint64(1); i < 20; i++ {
		want := i * 0x3fff_ffff
		n = unwrap(n, uint32(want))
		require.Equal(t, want, n)
	}
	require.Equal(t, n-1, unwrap(n, uint32(n-1)), "what was sent again")
	require.EqualValues(t, 0xffff_ffff, unwrap(0, 0xffff_ffff), "the first one is taken as it is")
}
