package tun

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
	"github.com/stretchr/testify/require"
)

// captured is a packet read back from a file.
type captured struct {
	at       time.Time
	number   int // of the packet
	name     string
	in       bool
	comments []string
}

func readCapture(t *testing.T, file io.Reader) (packets []captured) {
	t.Helper()
	r, err := pcapgo.NewNgReader(file, pcapgo.DefaultNgReaderOptions)
	require.NoError(t, err)
	for {
		data, info, opts, err := r.ReadPacketDataWithOptions()
		if errors.Is(err, io.EOF) {
			return packets
		}
		require.NoError(t, err)
		in, err := r.Interface(info.InterfaceIndex)
		require.NoError(t, err)
		require.Equal(t, layers.LinkType(101), in.LinkType)
		require.Equal(t, info.Length, len(data))
		packets = append(packets, captured{
			at: info.Timestamp, number: int(data[2])<<8 | int(data[3]), name: in.Name,
			in: opts.Flags.Direction == pcapgo.NgEpbFlagDirectionInbound, comments: opts.Comments,
		})
	}
}

func TestCapture(t *testing.T) {
	c := &fakeClock{now: 1500 * time.Millisecond}
	p := &sentTo{clock: c}
	var file bytes.Buffer
	f := NewCaptureFile(&file, c)
	d, err := Capture(p, f, "tun0")
	require.NoError(t, err)
	var fates []Fate
	i, err := Impair(d, ImpairConfig{Clock: c, Observe: func(d2 Direction, p *Packet, fate Fate) {
		d.Observe(d2, p, fate) // has nothing left to do
		fates = append(fates, fate)
	}})
	require.NoError(t, err)
	var s sink
	require.NoError(t, i.Start(s.receive))

	sendNumbered(t, i, c, 1, 1, 21, time.Second) // an odd size: blocks are padded
	require.NoError(t, i.SetOut(Impairment{Loss: 1}))
	sendNumbered(t, i, c, 2, 2, 22, 0)
	p.receive([]Packet{numbered(3, 23)})
	require.NoError(t, i.SetIn(Impairment{Partition: true}))
	p.receive([]Packet{numbered(4, 24)})
	other, err := f.Interface("tun1")
	require.NoError(t, err)
	packet := numbered(5, 65535)
	require.NoError(t, f.Write(other, Out, &packet, "a remark"))
	packet.Data.Release()
	require.NoError(t, i.Close())
	require.NoError(t, d.Err())

	at := func(d time.Duration) time.Time { return time.Unix(0, 0).Add(d).UTC() }
	require.Equal(t, []captured{
		{at: at(1500 * time.Millisecond), number: 1, name: "tun0"},
		{at: at(2500 * time.Millisecond), number: 2, name: "tun0", comments: []string{"dropped: lost"}},
		{at: at(2500 * time.Millisecond), number: 3, name: "tun0", in: true},
		{at: at(2500 * time.Millisecond), number: 4, name: "tun0", in: true, comments: []string{"dropped: partitioned"}},
		{at: at(2500 * time.Millisecond), number: 5, name: "tun1", comments: []string{"a remark"}},
	}, readCapture(t, &file))
	require.Equal(t, []int{1}, p.numbers)
	s.requireNumbers(t, 3, 3)
	require.Equal(t, []Fate{0, Lost, 0, Partitioned}, fates)
}

// between is a decorator of somebody else, which knows nothing of reports.
type between struct{ Device }

func TestCapture_NotDirectlyBelow(t *testing.T) {
	c := &fakeClock{}
	p := &sentTo{clock: c}
	var file bytes.Buffer
	d, err := Capture(p, NewCaptureFile(&file, c), "tun0")
	require.NoError(t, err)
	i, err := Impair(between{d}, ImpairConfig{Clock: c, Observe: d.Observe, Out: Impairment{Loss: 1}, In: Impairment{Loss: 1}})
	require.NoError(t, err)
	require.NoError(t, i.Start(func([]Packet) {}))
	sendNumbered(t, i, c, 1, 1, 21, 0)
	p.receive([]Packet{numbered(2, 22)})
	require.NoError(t, i.Close())
	require.Equal(t, []captured{
		{at: time.Unix(0, 0).UTC(), number: 1, name: "tun0", comments: []string{"dropped: lost"}},
		{at: time.Unix(0, 0).UTC(), number: 2, name: "tun0", in: true},
	}, readCapture(t, &file))
}

// brokenWriter fails after some bytes.
type brokenWriter struct{ left int }

var errFull = errors.New("disk full")

func (w *brokenWriter) Write(b []byte) (int, error) {
	if len(b) > w.left {
		return 0, errFull
	}
	w.left -= len(b)
	return len(b), nil
}

func TestCapture_FailureDoesntDisturbPackets(t *testing.T) {
	c := &fakeClock{}
	p := &sentTo{clock: c}
	d, err := Capture(p, NewCaptureFile(&brokenWriter{left: 5000}, c), "tun0")
	require.NoError(t, err)
	for n := range 10 {
		require.NoError(t, d.Send([]Packet{numbered(n, 1500)}))
	}
	require.Len(t, p.numbers, 10)
	require.ErrorIs(t, d.Err(), errFull)
	require.ErrorIs(t, d.Close(), errFull)
	require.ErrorIs(t, d.Send([]Packet{numbered(1, 20)}), ErrClosed)

	_, err = Capture(p, d.outputs[0].file, "tun1")
	require.ErrorIs(t, err, errFull)
}

func TestCapture_ForwardsTheDevice(t *testing.T) {
	a, b := Pipe(1400)
	d, err := Capture(a, NewCaptureFile(io.Discard, nil), "a")
	require.NoError(t, err)
	i, err := Impair(d, ImpairConfig{})
	require.NoError(t, err)
	require.Equal(t, 1400, i.MTU())
	require.Equal(t, Offload{}, i.Offload())
	require.Empty(t, i.Name())
	b.Send([]Packet{numbered(1, 20)})
	require.Equal(t, 1, i.Pending())
	require.NoError(t, i.Send([]Packet{numbered(1, 1401)}))
	require.EqualValues(t, 1, i.Drops(), "those of the device")
	require.NoError(t, i.Close())
	require.NoError(t, b.Close())
}
