package stack

import (
	"runtime"
	"sync/atomic"
	"testing"

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

// Under a flood a turn never ends: interfaces can be added, and the pump
// stopped, all the same.
func TestPumpUnderFlood(t *testing.T) {
	p := pump{tcp: transport.New(netstack.New(netstack.Options{})).(*transport.Protocol)}
	p.init()
	l := link.NewLoopback(loopbackMTU, link.Options{Notify: p.wake})
	e := echo{link: l, sent: new(atomic.Int64)}
	l.Attach(e)
	p.add(l)
	pkt := netstack.NewPacketBuffer(netstack.PacketBufferOptions{Payload: buffer.MakeWithData(append([]byte{0x45}, make([]byte, 27)...))})
	for range deliverBatch { // with less, a turn ends, and the bell begins the next
		e.DeliverNetworkPacket(0x800, pkt)
	}
	pkt.DecRef()
	ended := make(chan int, 1)
	go func() { ended <- p.turn() }()
	for e.sent.Load() < 10*deliverBatch && len(ended) == 0 {
		runtime.Gosched()
	}
	require.Empty(t, ended)
	go func() {
		p.add(link.NewLoopback(loopbackMTU, link.Options{Notify: p.wake}))
		p.stop()
	}()
	require.Positive(t, <-ended)
}
