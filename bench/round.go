//go:build linux

package bench

import (
	"errors"
	"io"
	"math"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/wsstack/wsstack/bench/traffic"
)

// A Column is a figure of the comparison.
type Column string

// The figures, in the order of the table.
const (
	Out       Column = "out, Gbit/s"
	In        Column = "in, Gbit/s"
	Both      Column = "both, Gbit/s"
	EightOut  Column = "8 streams out, Gbit/s"
	EightIn   Column = "8 streams in, Gbit/s"
	EightBoth Column = "8 streams both, Gbit/s"
	UDP       Column = "UDP there and back, 1/s"
	HTTP      Column = "net/http, 1/s"
	HTTPClose Column = "net/http without keep-alive, 1/s"
	P50       Column = "1 byte p50, µs"
	P99       Column = "1 byte p99, µs"
	Connect   Column = "connect+close, 1/s"
	Accept    Column = "accept of 16 dialers, 1/s"
	Memory    Column = "idle, bytes"
	CPUOut    Column = "CPU out, s/GiB"
	CPUIn     Column = "CPU in, s/GiB"
)

// Columns are all of them.
var Columns = []Column{
	Out, In, Both, EightOut, EightIn, EightBoth, UDP, HTTP, HTTPClose, P50, P99, Connect, Accept, Memory, CPUOut, CPUIn,
}

const (
	manyStreams = 8  // connections at once, or sockets
	dialers     = 16 // of Accept
)

// A measure takes figures of a network, as many as there are columns or more. An error that is
// errors.ErrUnsupported says that the network doesn't have what they are about.
type measure func(n *Network, length time.Duration) ([]float64, error)

// measures are in the order in which they are taken.
var measures = []struct {
	columns []Column
	part    float64 // of the length of a transfer
	measure measure
}{
	{[]Column{Out, CPUOut}, 1, ofStream(1, true, false)},
	{[]Column{In, CPUIn}, 1, ofStream(1, false, false)},
	{[]Column{Both}, 1, ofStream(1, true, true)},
	{[]Column{EightOut}, 0.5, ofStream(manyStreams, true, false)},
	{[]Column{EightIn}, 0.5, ofStream(manyStreams, false, false)},
	{[]Column{EightBoth}, 0.5, ofStream(manyStreams, true, true)},
	{[]Column{UDP}, 0.5, datagrams},
	{[]Column{HTTP}, 0.5, ofRequests(traffic.HTTP)},
	{[]Column{HTTPClose}, 0.5, ofRequests(traffic.HTTPClose)},
	{[]Column{P50, P99}, 0.5, trips},
	{[]Column{Connect}, 0.5, ofConnections(1)},
	{[]Column{Accept}, 0.5, ofConnections(dialers)},
}

func ofStream(count int, out, both bool) measure {
	return func(n *Network, length time.Duration) ([]float64, error) {
		t, err := stream(n, count, out, both, length)
		if err != nil {
			return nil, err
		}
		return []float64{t.gbits(), t.cpuPerGiB()}, nil
	}
}

func trips(n *Network, length time.Duration) ([]float64, error) {
	times, err := pingPong(n, enough(length))
	if err != nil {
		return nil, err
	}
	return []float64{1e6 * times[len(times)/2], 1e6 * times[len(times)*99/100]}, nil
}

func ofConnections(dialers int) measure {
	return func(n *Network, length time.Duration) ([]float64, error) {
		rate, err := connectClose(n, dialers, enough(length))
		return []float64{rate}, err
	}
}

// ofRequests has the near side order what from a server of package traffic at the far side.
func ofRequests(what string) measure {
	return func(n *Network, length time.Duration) ([]float64, error) {
		at := netip.AddrPortFrom(n.FarAddr, n.port())
		l, err := n.Far.Listen(at.Port())
		if err != nil {
			return nil, err
		}
		served := make(chan struct{})
		go func() { defer close(served); traffic.Serve(l) }()
		figures, err := order(what, length, func(string) (net.Conn, error) { return n.Near.Dial(at) })
		l.Close()
		<-served
		return figures, err
	}
}

// datagrams has the far side send back datagrams of the near side.
func datagrams(n *Network, length time.Duration) ([]float64, error) {
	near, ok := n.Near.(PacketSide)
	far, both := n.Far.(PacketSide)
	if !ok || !both {
		return nil, errors.ErrUnsupported
	}
	at := netip.AddrPortFrom(n.FarAddr, n.port())
	p, err := far.ListenPacket(at.Port())
	if err != nil {
		return nil, err
	}
	echoed := make(chan struct{})
	go func() { defer close(echoed); traffic.Echo(p) }()
	figures, err := order(traffic.Datagrams, length, func(string) (net.Conn, error) { return near.DialPacket(at) })
	p.Close()
	<-echoed
	return figures, err
}

// order has a client of package traffic measure in this process.
func order(what string, length time.Duration, dialer traffic.Dialer) ([]float64, error) {
	orders, in := io.Pipe()
	out, results := io.Pipe()
	obeyed := make(chan error)
	go func() { obeyed <- traffic.Obey(dialer, orders, results) }()
	figures, err := traffic.NewClient(in, out).Do(what, manyStreams, length)
	in.Close()
	return figures, errors.Join(err, <-obeyed)
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

// stream sends in several new connections for a time, or both ways at once.
func stream(n *Network, count int, out, both bool, length time.Duration) (transfer, error) {
	var pairs [][2]net.Conn
	for range count {
		from, to, err := pipeline(n, out)
		if err != nil {
			for _, p := range pairs {
				p[0].Close()
				p[1].Close()
			}
			return transfer{}, err
		}
		pairs = append(pairs, [2]net.Conn{from, to})
		if both {
			pairs = append(pairs, [2]net.Conn{to, from})
		}
	}
	return transferOver(pairs, length)
}

// buffers is how much all pairs of a transfer have to write from, in bytes.
const buffers = 32 << 20

// transferOver sends from the first end of each pair to the second for a time, which begins when
// each has brought something, and closes all.
func transferOver(pairs [][2]net.Conn, length time.Duration) (transfer, error) {
	counts := make([]atomic.Int64, len(pairs))
	received := func() (total int64, silent bool) {
		for i := range counts {
			n := counts[i].Load()
			total, silent = total+n, silent || n == 0
		}
		return total, silent
	}
	var stop atomic.Bool
	var wg sync.WaitGroup
	size := min(chunk, max(16<<10, buffers/len(pairs)))
	for i, p := range pairs {
		wg.Go(func() {
			buf := make([]byte, size)
			for !stop.Load() {
				if _, err := p[0].Write(buf); err != nil {
					return
				}
			}
		})
		wg.Go(func() {
			buf := make([]byte, size)
			for {
				k, err := p[1].Read(buf)
				counts[i].Add(int64(k))
				if err != nil {
					return
				}
			}
		})
	}
	began := time.Now()
	for silent := true; silent && time.Since(began) < stalled; {
		time.Sleep(time.Duration(warmUp * float64(length)))
		_, silent = received()
	}
	before, _ := received()
	cpu := cpuTime()
	began = time.Now()
	var t transfer
	for t.bytes == 0 && t.time < stalled { // once, but on a machine that starves us
		time.Sleep(length)
		after, _ := received()
		t = transfer{bytes: after - before, time: time.Since(began), cpu: cpuTime() - cpu}
	}
	stop.Store(true)
	for _, p := range pairs {
		p[0].Close()
		p[1].Close()
	}
	wg.Wait()
	if t.bytes == 0 {
		return t, errors.New("bench: nothing was received")
	}
	return t, nil
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
		c, a, err := meet(n.Near, netip.AddrPortFrom(n.FarAddr, port), l)
		if err == nil {
			conns = append(conns, c, a)
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
