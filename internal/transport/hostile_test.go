package transport

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/faketime"
	"gvisor.dev/gvisor/pkg/tcpip/link/pipe"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	engine "github.com/wsstack/wsstack/internal/tcp"
)

// cut is a pair of hosts with Protocol, and the way to cut the link.
func cut(t *testing.T, clock tcpip.Clock) (a, b *stack.Stack, off func(part float64)) {
	x, y := pipe.New("\x02\x02\x02\x02\x02\x01", "\x02\x02\x02\x02\x02\x02", 1500)
	l, m := lose(0, x).(*lossy), lose(0, y).(*lossy)
	a, b = host(t, New, clock, l, hostA), host(t, New, clock, m, hostB)
	return a, b, func(part float64) {
		for _, l := range []*lossy{l, m} {
			l.mu.Lock()
			l.part = part
			l.mu.Unlock()
		}
	}
}

// A flood of SYNs is bounded, and is forgotten.
func TestFlood(t *testing.T) {
	families(t, func(t *testing.T, n tcpip.NetworkProtocolNumber) {
		clock := faketime.NewManualClock()
		a, b, off := cut(t, clock)
		l := listen(t, b, n, 80)
		off(0)
		p := Of(b)
		for port := range 3 * maxHalfOpen {
			id := ID{LocalAddress: hostB[n], LocalPort: 80, RemoteAddress: hostA[n], RemotePort: uint16(1000 + port)}
			s := engine.Segment{Seq: 1, Flags: engine.SYN, Options: engine.Options{Scale: engine.NoScale}}
			off(1) // the answers aren't answered
			p.deliver(origin{id: id, nic: 1, net: n}, &s)
		}
		require.Equal(t, [2]int{maxHalfOpen, 0}, l.sees())
		off(0)
		c := dial(t, a, n, hostA, hostB, 998, 80)
		require.True(t, c.connected(), "by a cookie")
		served := l.poll()
		require.NotNil(t, served)
		_, ok := c.Send([]byte("cookie"))
		require.True(t, ok)
		buf := make([]byte, 10)
		k, _ := served.Recv(buf)
		require.Equal(t, "cookie", string(buf[:k]))
		forged := engine.Segment{Seq: 8, Ack: 9, Flags: engine.ACK}
		id := ID{LocalAddress: hostB[n], LocalPort: 80, RemoteAddress: hostA[n], RemotePort: 997}
		p.deliver(origin{id: id, nic: 1, net: n}, &forged)
		require.Nil(t, p.table.conn(id))
		off(1)
		clock.Advance(5 * 60e9)
		require.Equal(t, [2]int{}, l.sees())
		off(0)
		c = dial(t, a, n, hostA, hostB, 999, 80)
		require.True(t, c.connected())
	})
}

// Everything at once, from many goroutines: for the race detector, and nothing
// hangs or is left.
func TestHammer(t *testing.T) {
	families(t, func(t *testing.T, n tcpip.NetworkProtocolNumber) {
		a, b, off := cut(t, tcpip.NewStdClock())
		off(0.01)
		var freed atomic.Int32
		Of(a).Configure(Hooks{Freed: func(ID) { freed.Add(1) }, PathMTU: func(tcpip.Address, uint32) {}, MinPathMTU: 576})
		Of(b).orphans.maxCount = 5
		set := settings
		set.Tap = func(bool, *engine.Segment) {}
		l := listenWith(t, b, ListenConfig{Port: 80, Net: n, Tap: set.Tap, Make: func(ID) Settings { return set }})
		const conns = 20
		var all, others sync.WaitGroup
		quit := make(chan struct{})
		others.Go(func() { serve(&all, l, quit) })
		others.Go(func() { meddle(b, n, quit) })
		for i := range conns {
			all.Go(func() {
				c := dial(t, a, n, hostA, hostB, uint16(1000+i), 80)
				if c.connected() {
					abuse(&all, c, uint64(i))
				}
			})
		}
		all.Wait()
		l.Close()
		close(quit)
		others.Wait()
		all.Wait()
		Of(a).AbortOrphans()
		Of(a).SetTimeWaitLimit(1)
		require.GreaterOrEqual(t, freed.Load(), int32(conns-1))
		require.Zero(t, Of(b).HalfOpen())
		Of(b).AbortOrphans()
		require.Empty(t, Of(b).orphans.order.Len())
	})
}

// serve takes connections until it is to quit.
func serve(all *sync.WaitGroup, l *door, quit chan struct{}) {
	for {
		if c := l.poll(); c != nil {
			abuse(all, c, 1)
			continue
		}
		select {
		case <-l.bell:
		case <-quit:
			return
		}
	}
}

// meddle opens and closes other listeners, with requests that are held, on the port
// of the hammer and beside it.
func meddle(s *stack.Stack, n tcpip.NetworkProtocolNumber, quit chan struct{}) {
	p := Of(s)
	for i := uint64(0); ; i++ {
		select {
		case <-quit:
			return
		default:
		}
		l, _ := p.Listen(ListenConfig{Port: 81, Net: n, Order: i, Make: usual, Arrived: func(*Conn) bool { return i%2 == 0 },
			Ask: func(ID, *engine.Segment) Decision { return Decision(i % 4) }})
		behind, _ := p.Listen(ListenConfig{Port: 80, Net: n, Order: 1, Make: usual, Arrived: func(*Conn) bool { return false }})
		for port := range uint16(8) {
			id := ID{LocalAddress: hostB[n], LocalPort: 81, RemoteAddress: hostA[n], RemotePort: port}
			syn := engine.Segment{Seq: 7, Flags: engine.SYN, Options: engine.Options{Scale: engine.NoScale}}
			p.deliver(origin{id: id, nic: 1, net: n}, &syn)
			l.Decide(id, Decision(port%4))
		}
		p.SetGarbage(i%2 == 0)
		p.TimeWaits()
		p.AbortOrphans()
		behind.Close()
		l.Close()
	}
}

// abuse has several goroutines at one connection, and ends it.
func abuse(all *sync.WaitGroup, c *stream, seed uint64) {
	c.AfterEnd(func() {})
	var users sync.WaitGroup
	for i := range 3 {
		users.Go(func() { c.abuse(rand.New(rand.NewPCG(seed, uint64(i)))) })
	}
	all.Go(func() {
		users.Wait()
		if seed%2 == 0 {
			c.Shutdown()
		}
		c.Close()
		if seed%3 == 0 {
			c.Abort()
		}
	})
}

func (s *stream) abuse(r *rand.Rand) {
	buf := make([]byte, 5000)
	for range 200 {
		switch r.IntN(9) {
		case 0, 1:
			_, _ = s.Send(buf[:r.IntN(len(buf))])
		case 2, 3:
			_, _ = s.Recv(buf)
		case 4:
			s.proto.Report(s.ID(), Report{Quoted: engine.Seq(r.Uint32()), MTU: r.IntN(2000)})
		case 5:
			s.State()
			s.Queued()
			s.Readable()
		case 6:
			s.SetIP(uint8(64+r.IntN(100)), uint8(r.Uint32()), r.IntN(2) == 0, nil)
		case 7:
			s.SetTap(func(bool, *engine.Segment) {})
		case 8:
			s.SetOwner(s)
		}
	}
}
