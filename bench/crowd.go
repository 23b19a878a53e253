//go:build linux

package bench

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// The figures of a crowd. An exchange is a byte there and back.
const (
	CrowdConnects   Column = "connects, 1/s"
	CrowdBytes      Column = "idle, bytes"
	CrowdGoroutines Column = "idle, goroutines"
	CrowdIdle       Column = "idle, CPU ms/s"
	CrowdProbes     Column = "probes, CPU ms/s"
	CrowdFew        Column = "few, exchanges/s"
	CrowdFewP50     Column = "few, p50 µs"
	CrowdFewP99     Column = "few, p99 µs"
	CrowdFewCPU     Column = "few, CPU µs"
	CrowdAll        Column = "all, exchanges/s"
	CrowdAllP50     Column = "all, p50 µs"
	CrowdAllP99     Column = "all, p99 µs"
	CrowdAllCPU     Column = "all, CPU µs"
	CrowdStreams    Column = "streams, Gbit/s"
)

// CrowdColumns are all of them, in the order in which they are measured.
var CrowdColumns = []Column{
	CrowdConnects, CrowdBytes, CrowdGoroutines, CrowdIdle, CrowdProbes, CrowdFew, CrowdFewP50, CrowdFewP99, CrowdFewCPU,
	CrowdAll, CrowdAllP50, CrowdAllP99, CrowdAllCPU, CrowdStreams,
}

const (
	crowdPort    = 10_000 // of connections from one port of the server: a stack has 16,384 dynamic ones
	crowdFew     = 64     // exchanges that are under way where few connections are active
	crowdAll     = 10_000 // … and where all are: less than a Pipe holds
	crowdStreams = 1000   // streams, at most
)

// A crowd is connections between the two sides of a network.
type crowd struct {
	near, far []net.Conn // the ends of connection i
}

// Crowd measures count connections over a Pipe between two sides, each made by maker: what they
// take while they are idle, what it costs to probe all, how fast a few of them at a time, and all
// at once, exchange bytes, and what they carry when each sends all it can. The figures are in
// CrowdColumns; those that a side can't have are left out. Each measure lasts as long as given, and
// longer where each connection needs its turn. Nothing else may happen in the process.
func Crowd(maker Maker, count int, length time.Duration) (map[Column]float64, error) {
	n, err := PipeLink(maker)
	if err != nil {
		return nil, err
	}
	defer n.Close()
	warm, err := n.gather(1) // what is made once
	if err != nil {
		return nil, err
	}
	defer warm.close()
	v := map[Column]float64{}
	before, running, began := footprint(), runtime.NumGoroutine(), time.Now()
	c, err := n.gather(count)
	defer c.close()
	if err != nil {
		return nil, fmt.Errorf("connection %d: %w", len(c.near)+1, err)
	}
	v[CrowdConnects] = float64(count) / time.Since(began).Seconds()
	v[CrowdBytes] = float64(footprint()-before) / float64(2*count)
	v[CrowdGoroutines] = float64(runtime.NumGoroutine()-running) / float64(2*count)
	time.Sleep(2 * length) // timers of the handshake end
	v[CrowdIdle] = share(2 * length)
	every := max(4*length.Round(time.Second/4), time.Second)
	if probed, err := c.keepAlive(every); err != nil {
		return nil, err
	} else if probed {
		v[CrowdProbes] = share(every)
		if _, err := c.keepAlive(0); err != nil {
			return nil, err
		}
	}
	if err := c.exchange(length, v); err != nil {
		return nil, err
	}
	if count > crowdStreams {
		return v, nil
	}
	s, err := n.gather(count)
	defer s.close()
	if err != nil {
		return nil, err
	}
	pairs := make([][2]net.Conn, count)
	for i := range pairs {
		pairs[i] = [2]net.Conn{s.near[i], s.far[i]}
	}
	t, err := transferOver(pairs, length)
	v[CrowdStreams] = t.gbits()
	return v, err
}

// gather connects count times. With an error the crowd has what came before.
func (n *Network) gather(count int) (*crowd, error) {
	c := &crowd{}
	for len(c.near) < count {
		port := n.port()
		l, err := n.Far.Listen(port)
		if err != nil {
			return c, err
		}
		err = c.join(n, l, port, min(count-len(c.near), crowdPort))
		l.Close()
		if err != nil {
			return c, err
		}
	}
	return c, nil
}

func (c *crowd) join(n *Network, l net.Listener, port uint16, count int) error {
	for range count {
		near, err := n.Near.Dial(netip.AddrPortFrom(n.FarAddr, port))
		if err != nil {
			return err
		}
		c.near = append(c.near, near)
		far, err := l.Accept()
		if err != nil {
			return err
		}
		c.far = append(c.far, far)
	}
	return nil
}

func (c *crowd) close() {
	for _, end := range append(c.near, c.far...) {
		end.Close()
	}
}

// share is the processor time that the process uses of a time, in ms/s.
func share(of time.Duration) float64 {
	before, began := cpuTime(), time.Now()
	time.Sleep(of)
	return 1000 * (cpuTime() - before).Seconds() / time.Since(began).Seconds()
}

// keepAlive has the near ends probed so often, or not at all with 0, where there is a setter; gonet
// has none.
func (c *crowd) keepAlive(every time.Duration) (ok bool, err error) {
	for _, end := range c.near {
		k, ok := end.(interface {
			SetKeepAliveConfig(net.KeepAliveConfig) error
		})
		if !ok {
			return false, nil
		}
		if err := k.SetKeepAliveConfig(net.KeepAliveConfig{Enable: every > 0, Idle: every, Interval: every}); err != nil {
			return false, err
		}
	}
	return true, nil
}

// exchange measures exchanges of a few connections at a time, each connection in its turn, and of
// all at once.
func (c *crowd) exchange(length time.Duration, v map[Column]float64) error {
	for _, far := range c.far {
		go echo(far) // ends when the connection is closed
	}
	for _, m := range []struct {
		workers            int
		rate, p50, p99, of Column
	}{
		{min(len(c.near), crowdFew), CrowdFew, CrowdFewP50, CrowdFewP99, CrowdFewCPU},
		{min(len(c.near), crowdAll), CrowdAll, CrowdAllP50, CrowdAllP99, CrowdAllCPU},
	} {
		e := chatter{crowd: c}
		if err := e.run(m.workers, length); err != nil {
			return err
		}
		slices.Sort(e.trips)
		count := len(e.trips)
		v[m.rate] = float64(count) / e.time.Seconds()
		v[m.p50], v[m.p99] = 1e6*e.trips[count/2].Seconds(), 1e6*e.trips[count*99/100].Seconds()
		v[m.of] = 1e6 * e.cpu.Seconds() / float64(count)
	}
	return nil
}

// echo sends back what comes, until the connection ends.
func echo(c net.Conn) {
	b := make([]byte, 1)
	for {
		if _, err := c.Read(b); err != nil {
			return
		}
		if _, err := c.Write(b); err != nil {
			return
		}
	}
}

// A chatter is the exchanges of a crowd during a time.
type chatter struct {
	*crowd
	trips     []time.Duration
	time, cpu time.Duration

	done     atomic.Int64
	counting atomic.Bool
	stop     atomic.Bool
	mu       sync.Mutex
	err      error // the first one
}

// run has workers exchange bytes. Worker i has the connections i, i+workers, and so on. What is
// measured begins when each connection has had its turn, and goes on until it has had another one.
func (e *chatter) run(workers int, length time.Duration) error {
	var wg sync.WaitGroup
	for i := range workers {
		wg.Go(func() { e.work(i, workers) })
	}
	turn := int64(len(e.near))
	e.wait(turn, time.Duration(warmUp*float64(length)))
	e.counting.Store(true)
	cpu, began := cpuTime(), time.Now()
	e.wait(e.done.Load()+turn, length)
	e.counting.Store(false)
	e.cpu, e.time = cpuTime()-cpu, time.Since(began)
	if e.stop.Swap(true) {
		e.close() // nobody waits for what doesn't come
	}
	wg.Wait()
	return e.err
}

// wait waits until a number of exchanges is done and a time has passed, or until all has failed.
func (e *chatter) wait(done int64, length time.Duration) {
	began, progress, last := time.Now(), time.Now(), int64(-1)
	for !e.stop.Load() {
		time.Sleep(time.Millisecond)
		switch now := e.done.Load(); {
		case now >= done && time.Since(began) >= length:
			return
		case now != last:
			last, progress = now, time.Now()
		case time.Since(progress) > stalled:
			e.fail(fmt.Errorf("bench: nothing came for %v", stalled))
		}
	}
}

func (e *chatter) work(first, step int) {
	var trips []time.Duration
	b := make([]byte, 1)
	for i := first; !e.stop.Load(); {
		began := time.Now()
		_, err := e.near[i].Write(b)
		if err == nil {
			_, err = io.ReadFull(e.near[i], b)
		}
		if err != nil {
			e.fail(err)
			break
		}
		e.done.Add(1)
		if e.counting.Load() {
			trips = append(trips, time.Since(began))
		}
		if i += step; i >= len(e.near) {
			i = first
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.trips = append(e.trips, trips...)
}

// fail ends all with the first error.
func (e *chatter) fail(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.err == nil && !e.stop.Load() {
		e.err = err
	}
	e.stop.Store(true)
}
