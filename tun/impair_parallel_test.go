package tun

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// parallelTo is a sentTo whose receive function several goroutines may call.
type parallelTo struct {
	*sentTo
	asked bool
}

func (d *parallelTo) EnableParallel() int { d.asked = true; return 3 }

// Where nothing is to be done to packets, they pass by as many goroutines as bring them. What an
// impairment holds waits until these are through, and then one delivers it.
func TestImpair_Parallel(t *testing.T) {
	c := &fakeClock{}
	p := &parallelTo{sentTo: &sentTo{clock: c}}
	captured, err := Capture(p, nil, "tun0")
	require.NoError(t, err)
	i, err := Impair(captured, ImpairConfig{Whole: true, Clock: c})
	require.NoError(t, err)
	require.Equal(t, 3, i.EnableParallel())
	require.True(t, p.asked, "both ask the device inside")

	var got sink
	entered, proceed := make(chan struct{}), make(chan struct{})
	require.NoError(t, i.Start(func(packets []Packet) {
		entered <- struct{}{}
		<-proceed
		got.receive(packets)
	}))
	var passes sync.WaitGroup
	for n := range 3 {
		passes.Go(func() { p.receive([]Packet{numbered(n, 100)}) })
	}
	for range 3 {
		<-entered // the three are in receive at once
	}
	require.NoError(t, i.SetIn(Impairment{Duplicate: 1}))
	p.receive([]Packet{numbered(3, 100)})
	require.Equal(t, 2, i.InFlight(), "it waits, with its copy")
	for range 3 {
		proceed <- struct{}{}
	}
	<-entered // the last of the three delivers what has waited
	require.Equal(t, 3, got.len())
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		if err := i.Close(); err != nil {
			t.Error(err)
		}
		if n := got.len(); n != 5 {
			t.Errorf("Close didn't wait: %d packets have arrived", n)
		}
	}()
	soon(t, i.in.isClosed, "Close has begun")
	close(proceed)
	<-closed
	passes.Wait()
}

// Close waits for packets that pass.
func TestImpair_ParallelClose(t *testing.T) {
	c := &fakeClock{}
	p := &parallelTo{sentTo: &sentTo{clock: c}}
	i, err := Impair(p, ImpairConfig{Whole: true, Clock: c})
	require.NoError(t, err)
	i.EnableParallel()
	var got sink
	entered, proceed := make(chan struct{}), make(chan struct{})
	require.NoError(t, i.Start(func(packets []Packet) {
		entered <- struct{}{}
		<-proceed
		got.receive(packets)
	}))
	var passes sync.WaitGroup
	for n := range 2 {
		passes.Go(func() { p.receive([]Packet{numbered(n, 100)}) })
		<-entered
	}
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		if err := i.Close(); err != nil {
			t.Error(err)
		}
		if n := got.len(); n != 2 {
			t.Errorf("Close didn't wait: %d packets have arrived", n)
		}
	}()
	soon(t, i.in.isClosed, "Close has begun")
	proceed <- struct{}{}
	close(proceed)
	<-closed
	passes.Wait()
}
