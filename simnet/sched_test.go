package simnet_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/simnet"
)

// two returns a network of two hosts and their link.
func two(t simnet.TB, opts ...simnet.LinkOption) (n *simnet.Network, a, b *simnet.Host, l *simnet.Link) {
	n = simnet.New(t)
	a = n.Host("a", "10.0.0.1/24", "fd00::1/64")
	b = n.Host("b", "10.0.0.2/24", "fd00::2/64")
	return n, a, b, n.Link(a, b, opts...)
}

// recorded is a TB whose failures end a function instead of a test.
type recorded struct {
	cleanups []func()
	failure  string
}

func (r *recorded) Helper() {}
func (r *recorded) Fatalf(format string, args ...any) {
	r.failure = fmt.Sprintf(format, args...)
	runtime.Goexit()
}
func (r *recorded) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }

// failure runs a test that should fail, and returns what it said.
func failure(test func(t simnet.TB)) string {
	r := &recorded{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		test(r)
	}()
	<-done
	for _, f := range r.cleanups {
		f()
	}
	return r.failure
}

func TestClock_StartsIn2000AndStandsStill(t *testing.T) {
	n := simnet.New(t)
	require.Equal(t, time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), n.Time())
	require.Zero(t, n.Now())
	for real := time.Now(); time.Since(real) == 0; { // until real time has moved
	}
	require.Zero(t, n.Now())
	n.Advance(time.Hour)
	require.Equal(t, time.Hour, n.Now())
	n.AdvanceTo(90 * time.Minute)
	n.AdvanceTo(time.Minute) // passed
	require.Equal(t, 90*time.Minute, n.Now())
	require.NotZero(t, n.Clock().NowMonotonic())
}

func TestClock_OrderIsTimeThenCreation(t *testing.T) {
	n := simnet.New(t)
	var order []string
	at := func(d time.Duration, name string) interface {
		Stop() bool
		Reset(time.Duration)
	} {
		return n.Clock().AfterFunc(d, func() { order = append(order, fmt.Sprint(name, "@", n.Now())) })
	}
	at(2*time.Second, "c")
	at(time.Second, "a")
	again := at(time.Second, "d")
	at(time.Second, "b")
	stopped := at(time.Second, "never")
	again.Reset(2 * time.Second) // now the latest of that instant
	require.True(t, stopped.Stop())
	require.False(t, stopped.Stop())
	at(-time.Second, "now")
	n.Clock().AfterFunc(time.Second, func() { at(0, "same instant") })
	n.Advance(time.Second - 1)
	require.Equal(t, []string{"now@0s"}, order)
	n.Advance(time.Hour)
	require.Equal(t, []string{"now@0s", "a@1s", "b@1s", "same instant@1s", "c@2s", "d@2s"}, order)
	require.False(t, again.Stop())
}

func TestGo_OneAtATimeInOrder(t *testing.T) {
	n := simnet.New(t)
	var order []string
	note := func(what string) { order = append(order, fmt.Sprint(n.Now(), " ", what)) }
	w := n.NewWaiter()
	n.Go("a", func() {
		note("a")
		n.Sleep(2 * time.Second)
		note("a wakes")
		w.Signal()
		note("a goes on")
	})
	n.Go("b", func() {
		note("b")
		n.Go("c", func() { note("c"); n.Sleep(time.Second); note("c wakes") })
		w.Wait("a")
		note("b wakes")
		w.Signal() // before Wait: it counts
		w.Wait("itself")
		note("b ends")
	})
	n.Go("d", func() { note("d"); n.Sleep(0); note("d again") })
	n.Run()
	require.Equal(t, []string{"0s a", "0s b", "0s d", "0s c", "0s d again", "1s c wakes", "2s a wakes", "2s a goes on", "2s b wakes", "2s b ends"}, order)
}

func TestTask_Wait(t *testing.T) {
	n := simnet.New(t)
	task := n.Go("worker", func() { n.Sleep(time.Second) })
	require.False(t, task.Done())
	n.Do("boss", func() {
		task.Wait()
		require.Equal(t, time.Second, n.Now())
		task.Wait() // it is over: returns at once
		n.Do("nested", func() { n.Sleep(time.Second) })
	})
	require.True(t, task.Done())
	require.Equal(t, 2*time.Second, n.Now())
}

func TestRun_ReportsAHang(t *testing.T) {
	n, a, b, _ := two(nil)
	defer n.Close()
	n.Background("server", func() {
		l, err := b.Listen("tcp", ":80")
		if err == nil {
			l.Accept()
		}
	})
	n.Go("client", func() {
		n.Sleep(time.Second)
		c, err := a.ListenPacket("udp", ":5000")
		if err == nil {
			c.WriteTo([]byte("hello"), &net.UDPAddr{IP: net.IPv4(10, 0, 0, 2), Port: 9})
			c.ReadFrom(make([]byte, 10)) // port unreachable
			c.ReadFrom(make([]byte, 10))
		}
	})
	n.Go("other", func() { n.NewWaiter().Wait("Godot") })
	err := n.Run()
	var hang *simnet.HangError
	require.ErrorAs(t, err, &hang)
	require.Equal(t, time.Second, hang.At)
	for _, part := range []string{
		"nothing can happen any more at 1.000s, before the goroutines have returned",
		`background goroutine "server" waits for accept since 0.000s`,
		`goroutine "client" waits for recv since 1.000s`,
		`goroutine "other" waits for Godot since 0.000s`,
		"1.000s a>b udp 5000>9 len 5", "1.000s b>a icmp unreachable port for udp 5000>9",
	} {
		require.Contains(t, err.Error(), part)
	}
}

func TestRunUntil_Limits(t *testing.T) {
	n := simnet.New(nil)
	defer n.Close()
	never := func() bool { return false }
	var hang *simnet.HangError
	require.ErrorAs(t, n.RunUntil(never, time.Second), &hang)
	require.NoError(t, n.RunUntil(func() bool { return n.Now() >= 3*time.Second }, 2*time.Second), "the condition may be about time")
	n.Clock().AfterFunc(time.Hour, func() {})
	err := n.RunUntil(never, time.Second)
	require.ErrorContains(t, err, "1s have passed before the condition holds")
	require.False(t, errors.As(err, &hang))
	require.NoError(t, n.RunUntil(func() bool { return true }, 0))
}

func TestRun_LimitsTime(t *testing.T) {
	n := simnet.New(nil, simnet.RunLimit(time.Hour))
	defer n.Close()
	n.Go("clockwork", func() {
		for {
			n.Sleep(time.Second)
		}
	})
	require.ErrorContains(t, n.Run(), `1h0m0s have passed before the goroutines have returned
goroutine "clockwork" waits for sleep since 3600.000s`)
}

func TestForeignCallsThatBlockSaySo(t *testing.T) {
	n, a, b, _ := two(t)
	l, err := b.Listen("tcp", ":80") // doesn't block: between two runs it is fine here
	require.NoError(t, err)
	const message = "simnet: accept would block outside the goroutines of the network"
	require.PanicsWithValue(t, true, func() { panic(panics(func() { l.Accept() }, message)) })
	require.True(t, panics(func() { n.Sleep(1) }, "Sleep would block outside"))
	// An ordinary goroutine, while a goroutine of the network runs.
	n.Do("main", func() {
		foreign := make(chan bool)
		go func() { foreign <- panics(func() { l.Accept() }, message) }()
		require.True(t, <-foreign)
		require.True(t, panics(func() { n.Advance(1) }, "the network is running already"))
	})
	// A timer's function.
	n.Clock().AfterFunc(time.Second, func() { require.True(t, panics(func() { a.Dial("tcp", "10.0.0.2:80") }, "connect would block")) })
	n.Advance(time.Minute)
}

func panics(f func(), message string) (yes bool) {
	defer func() { yes = strings.Contains(fmt.Sprint(recover()), message) }()
	f()
	return false
}

func TestGo_PanicReachesTheCallerOfRun(t *testing.T) {
	n := simnet.New(nil)
	defer n.Close()
	n.Go("bad", func() { n.Sleep(1); panic("oops") })
	require.True(t, panics(func() { n.Run() }, `goroutine "bad" of the network panics: oops`))
	require.NoError(t, n.Advance(time.Second), "the network goes on")
}

func TestGo_FailNowEndsTheTest(t *testing.T) {
	reached := false
	said := failure(func(tb simnet.TB) {
		n := simnet.New(tb)
		n.Go("bad", func() { tb.Fatalf("wrong") })
		n.Run()
		reached = true
	})
	require.Equal(t, "wrong", said)
	require.False(t, reached)
}

func TestFailures_EndTheTest(t *testing.T) {
	for want, test := range map[string]func(tb simnet.TB){
		"nothing can happen any more at 0.000s, before x has returned": func(tb simnet.TB) {
			n := simnet.New(tb)
			n.Do("x", func() { n.NewWaiter().Wait("y") })
		},
		`address "10.0.0.1": want an address and a prefix length`: func(tb simnet.TB) { simnet.New(tb).Host("a", "10.0.0.1") },
		`there is a host "a" already`: func(tb simnet.TB) {
			n := simnet.New(tb)
			n.Host("a")
			n.Host("a")
		},
		"a link joins two nodes": func(tb simnet.TB) {
			n := simnet.New(tb)
			a := n.Host("a")
			n.Link(a, a)
		},
		"impairment.Loss: 2: not a probability": func(tb simnet.TB) { two(tb, simnet.Loss(2)) },
		"from b: tun: impairment.Delay: -1s": func(tb simnet.TB) {
			n := simnet.New(tb)
			a, b := n.Host("a"), n.Host("b")
			n.Link(a, b, simnet.From(b, simnet.Delay(-time.Second)))
		},
		"impairment.MTU: 67": func(tb simnet.TB) { two(tb, simnet.PathMTU(67)) },
		"MTU: 67 is not":     func(tb simnet.TB) { two(tb, simnet.MTU(67)) },
		"another link of a needs Addresses": func(tb simnet.TB) {
			n, a, _, _ := two(tb)
			n.Link(a, n.Host("c", "10.1.0.2/24"))
		},
	} {
		require.Contains(t, failure(test), want)
	}
}

func TestClose_EndsGoroutinesWhereverTheyWait(t *testing.T) {
	n, a, b, _ := two(nil)
	ended := map[string]bool{}
	n.Background("accept", func() {
		defer func() { ended["accept"] = true }()
		l, _ := b.Listen("tcp", ":80")
		for {
			l.Accept()
		}
	})
	n.Background("connect", func() {
		defer func() { ended["connect"] = true }()
		a.Dial("tcp", "10.0.0.99:80")
	})
	n.Background("sleep", func() {
		defer func() {
			ended["sleep"] = true
			n.Sleep(time.Second) // unwinds, too
			ended["more"] = true
		}()
		n.Sleep(time.Hour)
	})
	n.Advance(time.Second)
	n.Go("never began", func() { ended["never"] = true })
	require.NoError(t, n.Close())
	require.NoError(t, n.Close())
	require.Equal(t, map[string]bool{"accept": true, "connect": true, "sleep": true}, ended)
	require.True(t, panics(func() { n.Advance(1) }, "closed"))
	require.True(t, panics(func() { n.Go("x", func() {}) }, "closed"))
	require.True(t, panics(func() { n.Host("late") }, "simnet: host late: the network is closed"))
	require.True(t, panics(func() { n.Router("late") }, "closed"))
	require.True(t, panics(func() { n.Switch("late") }, "closed"))
	require.True(t, panics(func() { n.Middlebox("late", nil) }, "closed"))
}

func TestContexts(t *testing.T) {
	n, a, _, l := two(t)
	l.Partition()
	n.Do("timeout", func() {
		ctx, cancel := n.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		_, err := a.DialContext(ctx, "tcp", "10.0.0.2:80")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 2*time.Second, n.Now())
	})
	n.Do("cancel", func() {
		ctx, cancel := n.WithCancel(context.Background())
		child, stop := n.WithTimeout(ctx, time.Hour)
		defer stop()
		n.Go("canceller", func() { n.Sleep(500 * time.Millisecond); cancel() })
		_, err := a.DialContext(child, "tcp", "10.0.0.2:80")
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, 2500*time.Millisecond, n.Now())
		deadline, ok := child.Deadline()
		require.True(t, ok)
		require.Equal(t, time.Hour+2*time.Second, deadline.Sub(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)))
	})
}

func TestDeadlines(t *testing.T) {
	n, a, _, _ := two(t)
	n.Do("main", func() {
		c, err := a.ListenPacket("udp", ":5000")
		require.NoError(t, err)
		c.SetReadDeadline(n.Time().Add(time.Minute))
		_, _, err = c.ReadFrom(make([]byte, 10))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.Equal(t, time.Minute, n.Now())
	})
}

// What a timer's function sends is dealt with at the same instant: here, the
// probe and its answer on the loopback of a host.
func TestAdvance_SettlesAfterTimers(t *testing.T) {
	n := simnet.New(t)
	a := n.Host("a", "10.0.0.1/24")
	n.Do("connect", func() {
		l, err := a.Listen("tcp", "127.0.0.1:80")
		require.NoError(t, err)
		c, err := a.Dial("tcp", "127.0.0.1:80")
		require.NoError(t, err)
		require.NoError(t, c.(interface {
			SetKeepAliveConfig(net.KeepAliveConfig) error
		}).SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: time.Minute, Interval: time.Minute, Count: 5}))
		_, err = l.Accept()
		require.NoError(t, err)
	})
	n.Idle()
	before := a.Stats().SegmentsIn
	n.Advance(59 * time.Second)
	require.Equal(t, before, a.Stats().SegmentsIn)
	n.Advance(2 * time.Second)
	require.Equal(t, before+2, a.Stats().SegmentsIn)
}

// The price of time, in work: two hours, while timers run.
func TestAdvance_IdleHoursAreCheap(t *testing.T) {
	n, a, b, _ := two(t, simnet.Delay(20*time.Millisecond))
	n.Background("server", func() {
		l, err := b.Listen("tcp", ":80")
		require.NoError(t, err)
		for {
			c, err := l.Accept()
			require.NoError(t, err)
			require.NoError(t, c.(interface {
				SetKeepAliveConfig(net.KeepAliveConfig) error
			}).SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: time.Minute, Interval: time.Second, Count: 5}))
		}
	})
	n.Background("minute hand", func() {
		for {
			n.Sleep(time.Minute)
		}
	})
	n.Do("client", func() {
		for range 8 {
			_, err := a.Dial("tcp", "10.0.0.2:80")
			require.NoError(t, err)
		}
	})
	packets, _ := n.Digest()
	steps := n.Steps()
	n.Advance(2 * time.Hour)
	all, _ := n.Digest()
	packets, steps = all-packets, n.Steps()-steps
	t.Logf("two hours of eight idle connections took %d packets and %d steps", packets, steps)
	require.EqualValues(t, 8*2*119, packets, "a probe and its answer for each minute")
	require.LessOrEqual(t, steps, 4*packets, "timers, deliveries and turns of goroutines")
}
