package tun

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/buffer"
)

func TestFuncOut(t *testing.T) {
	var got [][]byte
	f := NewFunc(1500, func(packet []byte) { got = append(got, packet) })
	scattered := buffer.MakeWithData([]byte("head"))
	require.NoError(t, scattered.Append(buffer.NewViewWithData([]byte("er and payload"))))
	tooLarge, offloaded := numbered(0, 1501), numbered(0, 4)
	offloaded.GSO.NeedsCsum = true
	send(t, f, Packet{Data: scattered}, tooLarge, offloaded, Packet{})
	require.Equal(t, [][]byte{[]byte("header and payload"), {}}, got, "at once, on this goroutine")
	require.Equal(t, uint64(2), f.Drops())
	require.Equal(t, 1500, f.MTU())
	require.NoError(t, f.Close())
	require.NoError(t, f.Close())
	require.ErrorIs(t, f.Send(nil), ErrClosed)
	require.ErrorIs(t, f.Start(nil), ErrClosed)
}

func TestFuncInject(t *testing.T) {
	f := NewFunc(100, nil)
	data := []byte{0, 0, 0, 0, 'x'}
	f.Inject(data)
	data[4] = 'y' // Inject has copied
	f.Inject(nil)
	f.Inject(make([]byte, maxPacket))
	f.Inject(make([]byte, maxPacket+1))
	require.Equal(t, 3, f.Pending())
	require.Equal(t, uint64(1), f.Drops())
	var got sink
	require.NoError(t, f.Start(got.receive))
	require.ErrorIs(t, f.Start(got.receive), ErrStarted)
	soon(t, func() bool { return f.Pending() == 0 }, "delivered")
	require.Len(t, got.data, 3)
	require.Equal(t, byte('x'), got.data[0][4])
	require.Empty(t, got.data[1])
	require.Len(t, got.data[2], maxPacket)
	require.NoError(t, f.Close())
	f.Inject(data)
	require.Equal(t, uint64(2), f.Drops())
	require.Zero(t, f.Pending())
}

// out answers each packet from inside, while the sender holds a lock that
// receive needs.
func TestFuncInjectFromOut(t *testing.T) {
	var endpoint sync.Mutex
	var f *Func
	f = NewFunc(1500, func(packet []byte) { f.Inject(packet) })
	var got sink
	require.NoError(t, f.Start(func(p []Packet) {
		endpoint.Lock()
		defer endpoint.Unlock()
		got.receive(p)
	}))
	for i := range 500 {
		endpoint.Lock()
		send(t, f, numbered(i, 100))
		endpoint.Unlock()
	}
	got.requireNumbers(t, 0, 499)
	require.NoError(t, f.Close())
}

func TestFuncBound(t *testing.T) {
	f := NewFunc(1500, nil)
	for range QueuePackets + 7 {
		f.Inject([]byte{1})
	}
	require.Equal(t, QueuePackets, f.Pending())
	require.Equal(t, uint64(7), f.Drops())
	require.NoError(t, f.Close())
}

// Calls of out overlap: one that waits for another doesn't hang.
func TestFuncConcurrent(t *testing.T) {
	var inside atomic.Int32
	both := make(chan struct{})
	f := NewFunc(1500, func([]byte) {
		if inside.Add(1) == 2 {
			close(both)
		}
		<-both
	})
	require.NoError(t, f.Start(release))
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			p := numbered(0, 4)
			defer p.Data.Release()
			_ = f.Send([]Packet{p})
			for range 100 {
				f.Inject([]byte{1, 2, 3})
			}
		})
	}
	<-both
	wg.Go(func() { _ = f.Close() })
	wg.Wait()
}

// Answer a packet from inside the function that sees it.
func ExampleNewFunc() {
	var f *Func
	f = NewFunc(1500, func(packet []byte) {
		f.Inject(packet) // the peer echoes
	})
	defer f.Close()
}
