package transport

import (
	"math/rand/v2"
	"sync"
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
			p.deliver(arrival{id: id, nic: 1, net: n}, &s)
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
		p.deliver(arrival{id: id, nic: 1, net: n}, &forged)
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
		l := listen(t, b, n, 80)
		const conns = 20
		var all sync.WaitGroup
		for i := range conns {
			all.Go(func() {
				c := dial(t, a, n, hostA, hostB, uint16(1000+i), 80)
				if !c.connected() {
					return
				}
				abuse(&all, c, uint64(i))
			})
		}
		var accepted sync.WaitGroup
		quit := make(chan struct{})
		accepted.Go(func() {
			for {
				if c := l.poll(); c != nil {
					abuse(&all, c, 1)
					continue
				}
				select {
				case <-l.bell:
				case <-quit:
					return
				}
			}
		})
		all.Wait()
		l.Close()
		close(quit)
		accepted.Wait()
	})
}

// abuse has several goroutines at one connection, and ends it.
func abuse(all *sync.WaitGroup, c *stream, seed uint64) {
	var users sync.WaitGroup
	for i := range 3 {
		users.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(i)))
			buf := make([]byte, 5000)
			for range 200 {
				switch r.IntN(9) {
				case 0, 1:
					_, _ = c.Send(buf[:r.IntN(len(buf))])
				case 2, 3:
					_, _ = c.Recv(buf)
				case 4:
					c.proto.Report(c.ID(), Report{Quoted: engine.Seq(r.Uint32()), MTU: r.IntN(2000)})
				case 5:
					c.State()
					c.Queued()
					c.Readable()
				case 6:
					c.SetIP(uint8(r.Uint32()), uint8(r.Uint32()), r.IntN(2) == 0)
				case 7:
					c.SetTap(func(bool, *engine.Segment) {})
				case 8:
					c.SetOwner(c)
				}
			}
		})
	}
	all.Go(func() {
		users.Wait()
		if seed%2 == 0 {
			c.Shutdown()
		}
		c.Close()
		c.Abort()
	})
}
