package wait

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/faketime"
	"gvisor.dev/gvisor/pkg/waiter"
)

// clockHost is a Host that has a clock and nothing else.
type clockHost struct {
	Host
	clock tcpip.Clock
}

func (h clockHost) Clock() tcpip.Clock { return h.clock }

// A deadline passes at the last time that was set, however often that was, and
// a timer that comes late for an earlier one changes nothing.
func TestDeadline(t *testing.T) {
	clock := faketime.NewManualClock()
	var calls Calls
	in := func(d time.Duration) time.Time { return clock.Now().Add(d) }
	var d Deadline
	set := func(at time.Time) { d.Set(clock, &calls, waiter.ReadableEvents, at) }
	step := func(by time.Duration, want bool) {
		t.Helper()
		clock.Advance(by)
		require.Equal(t, want, d.passed.Load())
	}

	set(in(10 * time.Second))
	step(9*time.Second, false)
	set(in(10 * time.Second)) // later
	step(9999*time.Millisecond, false)
	d.fire(clock, &calls, waiter.ReadableEvents) // too early: it sets the timer again
	step(time.Millisecond, true)

	set(in(10 * time.Second))
	assert.False(t, d.passed.Load())
	set(in(time.Second)) // earlier
	step(time.Second, true)

	set(in(time.Second))
	set(time.Time{}) // none
	d.fire(clock, &calls, waiter.ReadableEvents)
	step(time.Hour, false)
	set(in(-1)) // it has passed already
	assert.True(t, d.passed.Load())

	set(in(time.Second))
	d.Stop()
	set(in(time.Second))
	step(time.Hour, false)
}

// A deadline that passes wakes the calls that wait for its direction.
func TestDeadline_Wakes(t *testing.T) {
	clock := faketime.NewManualClock()
	var calls Calls
	reads, writes := &Call{waiter: NewChannelWaiter(), mask: waiter.ReadableEvents}, &Call{waiter: NewChannelWaiter(), mask: waiter.WritableEvents}
	calls.Add(reads)
	calls.Add(writes)
	var d Deadline
	for range 2 {
		d.Set(clock, &calls, waiter.ReadableEvents, clock.Now().Add(time.Second))
		clock.Advance(time.Second)
		require.Len(t, reads.waiter.(channelWaiter), 1)
		require.Empty(t, writes.waiter.(channelWaiter))
		reads.waiter.Wait("deadline")
	}
}

// A call from the pool has the timer of the call before, on the same clock only.
func TestCallTimer(t *testing.T) {
	first, second := faketime.NewManualClock(), faketime.NewManualClock()
	c := &Call{waiter: NewChannelWaiter()}
	for _, clock := range []*faketime.ManualClock{first, first, second} {
		c.expired.Store(false)
		c.start(clock, time.Second)
		clock.Advance(999 * time.Millisecond)
		require.False(t, c.expired.Load())
		clock.Advance(time.Millisecond)
		require.True(t, c.expired.Load())
	}
}

// A waiterHost is a clockHost with waiters of its own.
type waiterHost struct{ clockHost }

func (waiterHost) NewWaiter() Waiter { return NewChannelWaiter() }

// The timer of a call ends with it, whosever its waiter is: SO_RCVTIMEO may be weeks.
func TestCallTimerEnds(t *testing.T) {
	clock := faketime.NewManualClock()
	var calls Calls
	h := waiterHost{clockHost{clock: clock}}
	c := calls.Begin(h, waiter.ReadableEvents, time.Second)
	calls.End(c)
	clock.Advance(time.Hour)
	require.False(t, c.expired.Load())
}

// A call of a thread is listed before it blocks: others may signal it as it does. (The
// race detector looks.)
func TestThreadBlocksAsItIsWoken(t *testing.T) {
	h := waiterHost{clockHost{clock: faketime.NewManualClock()}}
	var calls Calls
	thread := NewThread(h)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				calls.Wake(AnyEvent)
			}
		}
	})
	for range 1000 {
		c := thread.Deadline().Block(calls.Begin(h, waiter.ReadableEvents, 0))
		require.True(t, thread.Blocking())
		c.Wait("recv")
		calls.End(c)
		thread.Leave(0)
	}
	close(stop)
	wg.Wait()
}
