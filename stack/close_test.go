package stack_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/faketime"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/internal/trace"
	"github.com/wsstack/wsstack/simnet"
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

// No timer outlives the stack, that of half-open connections included: it would
// hold all of the stack for as long.
func TestCloseStopsTimers(t *testing.T) {
	clock := &timerClock{ManualClock: faketime.NewManualClock(), running: map[*countedTimer]time.Duration{}}
	d := tun.NewFunc(1500, func([]byte) {})
	s, err := stack.New(stack.Config{Device: d, Clock: clock, Addresses: prefixes("10.0.0.1/24")})
	require.NoError(t, err)
	l, err := s.Listen("tcp", ":80")
	require.NoError(t, err)
	defer l.Close()
	d.Inject(segment(them, us, 1000, 80, 1, 0, header.TCPFlagSyn, synOptions, nil))
	s.Settle()
	require.NotEmpty(t, clock.timers())
	clock.Advance(time.Second) // the SYN-ACK is sent again
	s.Settle()
	require.NotEmpty(t, clock.timers())
	require.NoError(t, s.Close())
	require.Empty(t, clock.timers())
}

// What a stack sends when it is closed doesn't grow with its connections in
// TIME-WAIT, whose RST nobody needs (RFC 9293 §3.10.5), whether their sockets are
// closed or not: it resets the others, and counts what has left.
func TestCloseIsSilentInTimeWait(t *testing.T) {
	for _, count := range []int{1, 100} {
		for name, dials := range map[string]bool{"the side that connects": true, "the side that accepts": false} {
			t.Run(fmt.Sprintf("%s, %d", name, count), func(t *testing.T) {
				n := simnet.New(t)
				a, b := n.Host("a", "10.0.0.1/24", "fd00::1/64"), n.Host("b", "10.0.0.2/24", "fd00::2/64")
				n.Link(a, b)
				waits, from := a, "a" // the former closes first
				if !dials {
					waits, from = b, "b"
				}
				l, err := b.Stack.Listen("tcp", ":80")
				require.NoError(t, err)
				pair := func(i int) (first, second *endpoint.Conn) {
					c, err := a.Stack.Dial("tcp", []string{"10.0.0.2:80", "[fd00::2]:80"}[i%2])
					require.NoError(t, err)
					s, err := l.Accept()
					require.NoError(t, err)
					if dials {
						return c.(*endpoint.Conn), s.(*endpoint.Conn)
					}
					return s.(*endpoint.Conn), c.(*endpoint.Conn)
				}
				require.NoError(t, n.Do("test", func() {
					for i := range 2 * count {
						first, second := pair(i)
						require.NoError(t, first.CloseWrite())
						n.Sleep(time.Millisecond)
						require.NoError(t, second.CloseWrite())
						n.Sleep(time.Millisecond)
						if i >= count {
							require.NoError(t, first.Close())
						}
					}
					pair(0)
				}))
				require.Equal(t, 2*count, waits.Stack.Stats().TimeWait)
				n.ClearTrace()
				before := waits.Stack.Stats()
				require.NoError(t, waits.Stack.Close())
				resets := 0
				for _, line := range n.Trace() {
					if line.From == from {
						require.NotZero(t, line.Segment.Flags&trace.RST, line.Text)
						resets++
					}
				}
				require.Equal(t, 1, resets, "of the connection that is open")
				after := waits.Stack.Stats()
				require.Equal(t, before.ResetsOut+1, after.ResetsOut)
				require.Equal(t, before.SegmentsOut+1, after.SegmentsOut)
			})
		}
	}
}
