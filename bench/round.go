//go:build linux

package bench

import (
	"errors"
	"math"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// A Column is a figure of the comparison.
type Column string

// The columns, in the order of the table.
const (
	Out     Column = "out, Gbit/s"
	In      Column = "in, Gbit/s"
	Both    Column = "both, Gbit/s"
	P50     Column = "1 byte p50, µs"
	P99     Column = "1 byte p99, µs"
	Connect Column = "connect+close, 1/s"
	Memory  Column = "idle, bytes"
	CPUOut  Column = "CPU out, s/GiB"
	CPUIn   Column = "CPU in, s/GiB"
)

// Columns are all of them.
var Columns = []Column{Out, In, Both, P50, P99, Connect, Memory, CPUOut, CPUIn}

// round measures a network once; each transfer lasts as long as given.
func round(n *Network, length time.Duration) (map[Column]float64, error) {
	v := map[Column]float64{}
	for _, out := range []bool{true, false} {
		column, cpu := Out, CPUOut
		if !out {
			column, cpu = In, CPUIn
		}
		s, err := stream(n, out, false, length)
		if err != nil {
			return nil, err
		}
		v[column], v[cpu] = s.gbits(), s.cpuPerGiB()
	}
	s, err := stream(n, true, true, length)
	if err != nil {
		return nil, err
	}
	v[Both] = s.gbits()
	trips, err := pingPong(n, enough(length))
	if err != nil {
		return nil, err
	}
	v[P50], v[P99] = 1e6*trips[len(trips)/2], 1e6*trips[len(trips)*99/100]
	v[Connect], err = connectClose(n, enough(length))
	return v, err
}

// A transfer is what a stream has moved.
type transfer struct {
	bytes int64
	time  time.Duration
	cpu   time.Duration // of the process, user and system
}

func (t transfer) gbits() float64     { return float64(t.bytes) * 8 / t.time.Seconds() / 1e9 }
func (t transfer) cpuPerGiB() float64 { return t.cpu.Seconds() / (float64(t.bytes) / (1 << 30)) }

// warmUp is how much of a stream isn't measured: the window opens.
const warmUp = 0.2

// stalled is how long a stream may bring nothing.
const stalled = 10 * time.Second

// stream sends in one connection for a time, or both ways at once.
func stream(n *Network, out, both bool, length time.Duration) (transfer, error) {
	from, to, err := pipeline(n, out)
	if err != nil {
		return transfer{}, err
	}
	var received atomic.Int64
	var stop atomic.Bool
	var wg sync.WaitGroup
	start := func(from, to net.Conn) {
		wg.Go(func() {
			buf := make([]byte, chunk)
			for !stop.Load() {
				if _, err := from.Write(buf); err != nil {
					return
				}
			}
		})
		wg.Go(func() {
			buf := make([]byte, chunk)
			for {
				k, err := to.Read(buf)
				received.Add(int64(k))
				if err != nil {
					return
				}
			}
		})
	}
	start(from, to)
	if both {
		start(to, from)
	}
	time.Sleep(time.Duration(warmUp * float64(length)))
	before, cpu, began := received.Load(), cpuTime(), time.Now()
	var t transfer
	for t.bytes == 0 && t.time < stalled { // once, but on a machine that starves us
		time.Sleep(length)
		t = transfer{bytes: received.Load() - before, time: time.Since(began), cpu: cpuTime() - cpu}
	}
	stop.Store(true)
	from.Close()
	to.Close()
	wg.Wait()
	if t.bytes == 0 {
		err = errors.New("bench: nothing was received")
	}
	return t, err
}

// cpuTime is what the process has used.
func cpuTime() time.Duration { return used(syscall.RUSAGE_SELF) }

// familyTime is what the process has used, and its children that it has waited for.
func familyTime() time.Duration { return cpuTime() + used(syscall.RUSAGE_CHILDREN) }

func used(who int) time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(who, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// enough ends a measure that counts: after a time, but not before some hundred.
func enough(length time.Duration) func(done int) bool {
	end := time.Now().Add(length)
	return func(done int) bool { return done >= 100 && time.Now().After(end) }
}

// idleSample is the number of connections that Memory divides by.
const idleSample = 500

// idle returns the bytes of Go heap and stacks that an idle connection takes,
// both ends together, on a network of its own.
func idle(link func() (*Network, error)) (float64, error) {
	n, err := link()
	if err != nil {
		return 0, err
	}
	defer n.Close()
	port := n.port()
	l, err := n.Far.Listen(port)
	if err != nil {
		return 0, err
	}
	defer l.Close()
	conns := make([]net.Conn, 0, 2*idleSample+2)
	defer func() {
		for _, c := range conns {
			c.Close()
		}
	}()
	open := func() error {
		c, err := n.Near.Dial(netip.AddrPortFrom(n.FarAddr, port))
		if err != nil {
			return err
		}
		conns = append(conns, c)
		a, err := l.Accept()
		if err == nil {
			conns = append(conns, a)
		}
		return err
	}
	if err := open(); err != nil { // what is made once
		return 0, err
	}
	before := settled()
	for range idleSample {
		if err := open(); err != nil {
			return 0, err
		}
	}
	used := float64(inUse() - before)
	runtime.KeepAlive(conns)
	return used / idleSample, nil
}

// settled is inUse once it has stopped falling: what an earlier network leaves
// goes with its timers.
func settled() int64 {
	const little = 64 << 10
	last := inUse()
	for range 20 {
		now := inUse()
		if last-now < little {
			return now
		}
		last = now
	}
	return last
}

// inUse is what the heap and the stacks hold after a collection: the least of
// several, for timers and pools let go of things late.
func inUse() int64 {
	least := int64(math.MaxInt64)
	for range 5 {
		var m runtime.MemStats
		runtime.GC()
		time.Sleep(5 * time.Millisecond)
		runtime.ReadMemStats(&m)
		least = min(least, int64(m.HeapAlloc+m.StackInuse))
	}
	return least
}
