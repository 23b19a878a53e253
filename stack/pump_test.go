package stack

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	netstack "gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/wsstack/wsstack/internal/link"
)

// An echo sends every packet that it gets again.
type echo struct {
	netstack.NetworkDispatcher
	link *link.Endpoint
}

func (e echo) DeliverNetworkPacket(protocol tcpip.NetworkProtocolNumber, pkt *netstack.PacketBuffer) {
	again := netstack.NewPacketBuffer(netstack.PacketBufferOptions{Payload: pkt.ToBuffer()})
	defer again.DecRef()
	again.NetworkProtocolNumber = protocol
	var list netstack.PacketBufferList
	list.PushBack(again)
	e.link.WritePackets(list)
}

// Under a flood a turn never ends: interfaces can be added, and the pump
// stopped, all the same.
func TestPumpUnderFlood(t *testing.T) {
	var p pump
	p.init()
	l := link.NewLoopback(loopbackMTU, link.Options{Notify: p.wake})
	l.Attach(echo{link: l})
	p.add(l)
	pkt := netstack.NewPacketBuffer(netstack.PacketBufferOptions{Payload: buffer.MakeWithData(append([]byte{0x45}, make([]byte, 27)...))})
	for range deliverBatch { // with less, a turn ends, and the bell begins the next
		echo{link: l}.DeliverNetworkPacket(0x800, pkt)
	}
	pkt.DecRef()
	ended := make(chan int, 1)
	go func() { ended <- p.turn() }()
	time.Sleep(10 * time.Millisecond)
	require.Empty(t, ended)
	go func() {
		p.add(link.NewLoopback(loopbackMTU, link.Options{Notify: p.wake}))
		p.stop()
	}()
	select {
	case n := <-ended:
		require.Positive(t, n)
	case <-time.After(5 * time.Second):
		t.Fatal("the pump can't be stopped")
	}
}
