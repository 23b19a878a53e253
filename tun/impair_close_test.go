package tun

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/buffer"
)

func TestImpair_CloseDropsWhatIsOnItsWay(t *testing.T) {
	i, p, c := newBench(t, Impairment{Delay: time.Second}, 1)
	sendNumbered(t, i, c, 1, 5, 20, 0)
	require.NoError(t, i.Close())
	require.NoError(t, i.Close())
	require.True(t, p.closed)
	require.Zero(t, i.InFlight())
	c.advance(time.Hour)
	require.Empty(t, p.numbers)
	require.ErrorIs(t, i.Send([]Packet{{Data: buffer.MakeWithData(make([]byte, 20))}}), ErrClosed)
}

func TestImpair_ReportsAFailedDevice(t *testing.T) {
	for _, m := range []Impairment{{}, {Delay: time.Second}} {
		i, p, c := newBench(t, m, 1)
		p.err = errFull
		packets := []Packet{numbered(1, 20)}
		i.Send(packets)
		c.advance(time.Second)
		require.ErrorIs(t, i.Send(packets), errFull)
		release(packets)
	}
}

// In real time, both directions, with senders on several goroutines.
func TestImpair_RealTime(t *testing.T) {
	a, b := Pipe(1500)
	m := Impairment{Delay: 20 * time.Millisecond, Jitter: 5 * time.Millisecond, Duplicate: 0.1, Rate: 100_000_000, Queue: 1 << 30}
	ia, err := Impair(a, ImpairConfig{Out: m, In: m})
	require.NoError(t, err)
	var sa, sb sink
	require.NoError(t, ia.Start(sa.receive))
	require.ErrorIs(t, ia.Start(sb.receive), ErrStarted)
	require.NoError(t, b.Start(sb.receive))
	begin := time.Now()
	const each = 200
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for n := range each {
				packets := []Packet{numbered(n, 100)}
				ia.Send(packets)
				b.Send(packets)
				release(packets)
			}
		})
	}
	group.Wait()
	soon(t, func() bool { return sa.len() >= 4*each && sb.len() >= 4*each && ia.InFlight() == 0 }, "all arrive")
	require.GreaterOrEqual(t, time.Since(begin), 15*time.Millisecond)
	out, in := ia.Stats()
	require.EqualValues(t, 4*each, out.Packets)
	require.EqualValues(t, 4*each, in.Packets)
	soon(t, func() bool { return sb.len() == 4*each+int(out.Duplicated) }, "duplicates arrive, too")
	require.NoError(t, ia.Close())
	require.NoError(t, b.Close())
}

// slowDevice takes its time to send.
type slowDevice struct {
	sentTo
	entered, leave chan struct{}
}

func (d *slowDevice) Send([]Packet) error {
	d.entered <- struct{}{}
	<-d.leave
	return nil
}

func TestImpair_CloseWaitsForADelivery(t *testing.T) {
	d := &slowDevice{entered: make(chan struct{}), leave: make(chan struct{})}
	i, err := Impair(d, ImpairConfig{Out: Impairment{Delay: 20 * time.Millisecond}})
	require.NoError(t, err)
	packets := []Packet{numbered(1, 20)}
	require.NoError(t, i.Send(packets))
	release(packets)
	<-d.entered // a timer's goroutine is inside the device
	closed := make(chan struct{})
	go func() {
		i.Close()
		close(closed)
	}()
	select {
	case <-closed:
		t.Error("Close has returned while the device sends")
	case <-time.After(20 * time.Millisecond):
	}
	close(d.leave)
	<-closed
}

// Close while timers fire and senders send.
func TestImpair_CloseRacesWithTimers(t *testing.T) {
	for range 50 {
		a, b := Pipe(1500)
		i, err := Impair(a, ImpairConfig{Out: Impairment{Delay: time.Microsecond}, In: Impairment{Delay: time.Microsecond}})
		require.NoError(t, err)
		var closed sync.WaitGroup
		var s sink
		require.NoError(t, i.Start(s.receive))
		require.NoError(t, b.Start(func(packets []Packet) { release(packets) }))
		closed.Go(func() {
			for n := range 100 {
				packets := []Packet{numbered(n, 100)}
				i.Send(packets)
				b.Send(packets)
				release(packets)
			}
		})
		require.NoError(t, i.Close())
		after := s.len()
		closed.Wait()
		require.Equal(t, after, s.len(), "receive isn't called after Close")
		require.NoError(t, b.Close())
	}
}
