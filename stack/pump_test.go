package stack

import (
	"context"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/wsstack/wsstack/internal/socket"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	netstack "gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/wsstack/wsstack/internal/link"
	"github.com/wsstack/wsstack/internal/transport"
)

// An echo sends every packet that it gets again, and counts them.
type echo struct {
	netstack.NetworkDispatcher
	link *link.Endpoint
	sent *atomic.Int64
}

func (e echo) DeliverNetworkPacket(protocol tcpip.NetworkProtocolNumber, pkt *netstack.PacketBuffer) {
	again := netstack.NewPacketBuffer(netstack.PacketBufferOptions{Payload: pkt.ToBuffer()})
	defer again.DecRef()
	again.NetworkProtocolNumber = protocol
	var list netstack.PacketBufferList
	list.PushBack(again)
	e.link.WritePackets(list)
	e.sent.Add(1)
}

// newTCP is what the pump tells of its rounds.
func newTCP(parts int) *transport.Protocol {
	p := transport.New(netstack.New(netstack.Options{})).(*transport.Protocol)
	p.Configure(transport.Hooks{Parts: parts})
	return p
}

// send sends a segment from a port, so often.
func send(l *link.Endpoint, port byte, n int) {
	tcp := append([]byte{0x45, 0, 0, 0, 0, 0, 0, 0, 0, 6}, make([]byte, 30)...)
	tcp[21] = port
	pkt := netstack.NewPacketBuffer(netstack.PacketBufferOptions{Payload: buffer.MakeWithData(tcp)})
	defer pkt.DecRef()
	var list netstack.PacketBufferList
	list.PushBack(pkt)
	for range n {
		l.WritePackets(list)
	}
}

// Under a flood a turn never ends: interfaces can be added, and the pump
// stopped, all the same.
func TestPumpUnderFlood(t *testing.T) {
	p := pump{tcp: newTCP(1)}
	p.init(1)
	l := link.NewLoopback(loopbackMTU, link.Options{Notify: p.ring})
	e := echo{link: l, sent: new(atomic.Int64)}
	l.Attach(e)
	p.add(l)
	send(l, 1, deliverBatch) // with less, a turn ends, and the bell begins the next
	ended := make(chan int, 1)
	go func() { ended <- p.turn() }()
	for e.sent.Load() < 10*deliverBatch && len(ended) == 0 {
		runtime.Gosched()
	}
	require.Empty(t, ended)
	go func() {
		p.add(link.NewLoopback(loopbackMTU, link.Options{Notify: p.ring}))
		p.stop()
	}()
	require.Positive(t, <-ended)
}

// Once remove has returned nothing of the link is delivered, and once stop has nothing
// at all, whatever part was about to.
func TestPumpFinishes(t *testing.T) {
	const parts = 3
	for _, end := range []string{"remove", "stop"} {
		t.Run(end, func(t *testing.T) {
			p := pump{tcp: newTCP(parts)}
			p.init(parts)
			l := link.NewLoopback(loopbackMTU, link.Options{Parts: parts, Notify: p.ring})
			e := echo{link: l, sent: new(atomic.Int64)}
			l.Attach(e)
			p.add(l)
			for port := range byte(30) { // in all parts
				send(l, port, deliverBatch)
			}
			var turns sync.WaitGroup
			for part := range parts {
				turns.Go(func() { p.turnOf(part) })
			}
			for e.sent.Load() < 100*deliverBatch {
				runtime.Gosched()
			}
			if end == "remove" {
				p.remove(l)
			} else {
				p.stop()
			}
			after := e.sent.Load()
			turns.Wait()
			require.Equal(t, after, e.sent.Load())
		})
	}
}

// A slow is the handler of a logger that waits.
type slow struct {
	slog.Handler
	entered, release chan struct{}
}

func (slow) Enabled(context.Context, slog.Level) bool { return true }

func (s slow) Handle(context.Context, slog.Record) error {
	close(s.entered)
	<-s.release
	return nil
}

// A waiting is a dispatcher that waits, and then has a record written.
type waiting struct {
	netstack.NetworkDispatcher
	pump             *pump
	entered, release chan struct{}
}

func (w waiting) DeliverNetworkPacket(tcpip.NetworkProtocolNumber, *netstack.PacketBuffer) {
	close(w.entered)
	<-w.release
	w.pump.debug.records = append(w.pump.debug.records, socket.Record{})
	w.pump.wake()
}

// A turn ends when what a delivery under way has asked for is done, by whatever
// goroutine: so the part that serves comes last.
func TestPumpServesLast(t *testing.T) {
	handler := slow{entered: make(chan struct{}), release: make(chan struct{})}
	p := pump{tcp: newTCP(2), debug: &debugRecords{log: slog.New(handler)}}
	p.init(2)
	part := 0
	l := link.NewLoopback(loopbackMTU, link.Options{Parts: 2, Notify: func(n int) { part = n }})
	for port := byte(0); part == 0; port++ {
		l.Deliver(0, 1) // to nobody
		send(l, port, 1)
	}
	w := waiting{pump: &p, entered: make(chan struct{}), release: make(chan struct{})}
	l.Attach(w)
	p.add(l)
	var wg sync.WaitGroup
	wg.Go(func() { p.turnOf(1) })
	<-w.entered
	var written atomic.Bool
	wg.Go(func() {
		p.turn()
		if !written.Load() {
			t.Error("the turn has ended before the record was written")
		}
	})
	yield := func() {
		for range 1000 { // to the turn: what it does wrong it does now
			runtime.Gosched()
		}
	}
	yield()
	close(w.release)
	<-p.parts[0].bell
	wg.Go(func() { p.turnOf(0) })
	<-handler.entered
	yield()
	written.Store(true)
	close(handler.release)
	wg.Wait()
}

// Parts is how many parts the pump has.
func (s *Stack) Parts() int { return len(s.work.parts) }

// A socket that is signalled after a turn rings the bell: only the list of a turn under way is taken
// at its end.
func TestPumpRingsAfterATurn(t *testing.T) {
	p := pump{tcp: newTCP(1)}
	p.init(1)
	for range 2 {
		require.Zero(t, p.turn())
		require.False(t, p.rung())
	}
	p.signal(new(socket.Socket))
	require.True(t, p.rung())
}
