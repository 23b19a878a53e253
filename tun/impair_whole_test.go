package tun

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// offloading is a sentTo with offloads.
type offloading struct{ *sentTo }

func (offloading) Offload() Offload {
	return Offload{Checksum: true, TSO4: true, TSO6: true, USO: true}
}

// Without an impairment packets pass whole, with one they are cut up, and the counters can't tell.
// Each direction is by itself.
func TestImpair_Whole(t *testing.T) {
	c := &fakeClock{}
	p := &sentTo{clock: c}
	i, err := Impair(offloading{p}, ImpairConfig{Whole: true, Clock: c})
	require.NoError(t, err)
	require.True(t, i.Offload().USO)
	var in sink
	require.NoError(t, i.Start(in.receive))
	bulk := bulky{payload: 3000, mss: 1000}
	pass := func(wantOut, wantIn int) {
		t.Helper()
		p.data, in.data = nil, nil
		send(t, i, bulk.packet(), bulky{payload: 50}.packet())
		p.receive([]Packet{bulk.packet(), bulky{payload: 50}.packet()})
		c.advance(time.Millisecond)
		require.Len(t, p.data, wantOut)
		require.Len(t, in.data, wantIn)
	}
	pass(2, 2)
	before, _ := i.Stats()
	require.EqualValues(t, 4, before.Packets)
	require.EqualValues(t, 3*(1000+52)+102, before.Bytes)
	require.NoError(t, i.SetOut(Impairment{Delay: time.Millisecond}))
	pass(4, 2)
	bulk.checkOne(t, p.data[1], 1, false)
	after, _ := i.Stats()
	require.Equal(t, before.Packets*2, after.Packets)
	require.Equal(t, before.Bytes*2, after.Bytes)
	require.NoError(t, i.SetOut(Impairment{}))
	require.NoError(t, i.SetIn(Impairment{Duplicate: 1}))
	pass(2, 8)
	require.NoError(t, i.SetIn(Impairment{}))

	// What is on its way isn't overtaken.
	require.NoError(t, i.SetOut(Impairment{Delay: time.Hour}))
	send(t, i, numbered(1, 100))
	require.NoError(t, i.SetOut(Impairment{}))
	p.data = nil
	send(t, i, bulk.packet())
	require.Empty(t, p.data)
	c.advance(time.Hour)
	require.Len(t, p.data, 4)
	require.NoError(t, i.Close())
}

// The ends of a Pipe carry whole packets as soon as the receiver asks the Impaired.
func TestImpair_WholeAsksThePipe(t *testing.T) {
	a, b := Pipe(1500)
	b.(Offloader).EnableOffload()
	captured, err := Capture(a, nil, "a")
	require.NoError(t, err)
	i, err := Impair(captured, ImpairConfig{Whole: true})
	require.NoError(t, err)
	require.Equal(t, Offload{}, i.Offload())
	i.EnableOffload()
	require.True(t, i.Offload().TSO4)
	var got sink
	require.NoError(t, i.Start(got.receive))
	send(t, b, bulky{payload: 3000, mss: 1000}.packet())
	soon(t, func() bool { return got.len() == 1 }, "it arrives whole")
	require.NoError(t, i.Close())
	require.NoError(t, b.Close())
}

// A running device gets files and loses them. Each has what passed meanwhile, at once.
func TestCapture_AttachAndDetach(t *testing.T) {
	c := &fakeClock{}
	p := &sentTo{clock: c}
	d, err := Capture(p, nil, "tun0")
	require.NoError(t, err)
	i, err := Impair(d, ImpairConfig{Whole: true, Clock: c})
	require.NoError(t, err)
	require.NoError(t, i.Start(release))
	numbers := func(file *bytes.Buffer) (list []int) {
		for _, one := range readCapture(t, bytes.NewReader(file.Bytes())) {
			list = append(list, one.number)
		}
		return list
	}
	var first, second bytes.Buffer
	send(t, i, numbered(1, 100))
	f := NewCaptureFile(&first, c)
	require.NoError(t, d.Attach(f))
	require.NotZero(t, first.Len(), "whoever reads sees that it has begun")
	send(t, i, numbered(2, 100))
	require.Equal(t, []int{2}, numbers(&first), "nothing waits in a buffer")
	g := NewCaptureFile(&second, c)
	require.NoError(t, d.Attach(g))
	p.receive([]Packet{numbered(3, 100)})
	require.NoError(t, i.SetOut(Impairment{Loss: 1}))
	send(t, i, numbered(4, 100))
	require.NoError(t, i.SetOut(Impairment{}))
	require.NoError(t, d.Detach(f))
	require.NoError(t, d.Detach(f), "once more")
	send(t, i, numbered(5, 100))
	require.Equal(t, []int{2, 3, 4}, numbers(&first))
	require.Equal(t, []int{3, 4, 5}, numbers(&second))

	broken := NewCaptureFile(&brokenWriter{left: 500}, c)
	require.NoError(t, d.Attach(broken))
	send(t, i, numbered(6, 1500))
	require.ErrorIs(t, d.Err(), errFull)
	require.ErrorIs(t, d.Detach(broken), errFull)
	require.NoError(t, d.Err())
	require.Equal(t, []int{3, 4, 5, 6}, numbers(&second), "the other file goes on")
	require.NoError(t, i.Close())
	require.ErrorIs(t, d.Attach(f), ErrClosed)
}

// What a device between a stack and a TUN costs while it does nothing: a batch of 16 segments of
// 64 KiB through no such device, one, and one that could record them.
func BenchmarkImpaired_Idle(b *testing.B) {
	for _, kind := range []string{"without", "impaired", "impaired, captured"} {
		b.Run(kind, func(b *testing.B) {
			null := &idle{}
			var d Device = null
			if kind != "without" {
				if kind != "impaired" {
					d, _ = Capture(d, nil, "tun0")
				}
				d, _ = Impair(d, ImpairConfig{Whole: true})
			}
			if err := d.Start(func([]Packet) {}); err != nil {
				b.Fatal(err)
			}
			batch := make([]Packet, 16)
			for k := range batch {
				batch[k] = bulky{payload: 60000, mss: 1448}.packet()
			}
			b.ReportAllocs()
			for b.Loop() {
				if err := d.Send(batch); err != nil {
					b.Fatal(err)
				}
				null.receive(batch)
			}
			release(batch)
			_ = d.Close()
		})
	}
}

// idle is a device that drops what it gets.
type idle struct {
	offloading
	receive func([]Packet)
}

func (n *idle) Start(receive func([]Packet)) error { n.receive = receive; return nil }
func (n *idle) Send([]Packet) error                { return nil }
func (n *idle) Close() error                       { return nil }
