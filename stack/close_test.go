package stack_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/faketime"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
)

// A timerClock knows how long the timers are that run.
type timerClock struct {
	*faketime.ManualClock

	mu      sync.Mutex
	running map[*countedTimer]time.Duration
}

type countedTimer struct {
	tcpip.Timer
	clock *timerClock
}

// AfterFunc implements tcpip.Clock.
func (c *timerClock) AfterFunc(d time.Duration, f func()) tcpip.Timer {
	t := &countedTimer{clock: c}
	t.set(d)
	t.Timer = c.ManualClock.AfterFunc(d, func() { t.unset(); f() })
	return t
}

func (t *countedTimer) Stop() bool {
	t.unset()
	return t.Timer.Stop()
}

func (t *countedTimer) Reset(d time.Duration) {
	t.set(d)
	t.Timer.Reset(d)
}

func (t *countedTimer) set(d time.Duration) {
	t.clock.mu.Lock()
	defer t.clock.mu.Unlock()
	t.clock.running[t] = d
}

func (t *countedTimer) unset() {
	t.clock.mu.Lock()
	defer t.clock.mu.Unlock()
	delete(t.clock.running, t)
}

// timers are the lengths of the timers that run.
func (c *timerClock) timers() (list []time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, d := range c.running {
		list = append(list, d)
	}
	return list
}

// No timer outlives the stack, that which ends slow handshakes included: it would
// hold all of the stack for as long.
func TestCloseStopsTheReaper(t *testing.T) {
	const reaper = 7 * time.Second
	clock := &timerClock{ManualClock: faketime.NewManualClock(), running: map[*countedTimer]time.Duration{}}
	d := tun.NewFunc(1500, func([]byte) {})
	s, err := stack.New(stack.Config{Device: d, Clock: clock, Addresses: prefixes("10.0.0.1/24")})
	require.NoError(t, err)
	l, err := s.Listen("tcp", ":80")
	require.NoError(t, err)
	defer l.Close()
	d.Inject(segment(them, us, 1000, 80, 1, 0, header.TCPFlagSyn, synOptions, nil))
	s.Settle()
	require.Contains(t, clock.timers(), reaper)
	clock.Advance(reaper) // it is started again
	s.Settle()
	require.Contains(t, clock.timers(), reaper)
	require.NoError(t, s.Close())
	require.Empty(t, clock.timers())
}
