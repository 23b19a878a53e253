//go:build linux

package bench

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	netstack "gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"

	"github.com/wsstack/wsstack/tun"
)

// An ackView is a plain netstack that learns what the peer has acknowledged in
// one of the two ways that netstack offers.
type ackView struct {
	una sync.Map // of the probe: by connection; of the wrapper: by endpoint; to *atomic.Uint32
}

func (v *ackView) note(key any, ack uint32) {
	una, ok := v.una.Load(key)
	if !ok {
		una, _ = v.una.LoadOrStore(key, new(atomic.Uint32))
	}
	una.(*atomic.Uint32).Store(ack)
}

// probe is netstack's, which gets a copy of the endpoint's state.
func (v *ackView) probe(d tun.Device, addr netip.Prefix) (Side, error) {
	return makeGonet(d, addr, tcp.NewProtocolProbe(func(s *tcp.TCPEndpointState) { v.note(s.ID, uint32(s.Sender.SndUna)) }))
}

// wrapper reads the segments on their way to the endpoint, as package stack does.
func (v *ackView) wrapper(d tun.Device, addr netip.Prefix) (Side, error) {
	return makeGonet(d, addr, func(ns *netstack.Stack) netstack.TransportProtocol {
		p := tcp.NewProtocolCUBIC(ns)
		return wrapped{p, p.(queuer), v}
	})
}

// queuer is what a wrapper has to pass on, beside the interface.
type queuer interface {
	QueuePacket(netstack.TransportEndpoint, netstack.TransportEndpointID, *netstack.PacketBuffer)
	SendBufferSize() tcpip.TCPSendBufferSizeRangeOption
}

type wrapped struct {
	netstack.TransportProtocol
	inner queuer
	view  *ackView
}

func (w wrapped) SendBufferSize() tcpip.TCPSendBufferSizeRangeOption { return w.inner.SendBufferSize() }

func (w wrapped) QueuePacket(ep netstack.TransportEndpoint, id netstack.TransportEndpointID, pkt *netstack.PacketBuffer) {
	if t := header.TCP(pkt.TransportHeader().Slice()); len(t) >= header.TCPMinimumSize && t.Flags().Contains(header.TCPFlagAck) {
		w.view.note(ep, t.AckNumber())
	}
	w.inner.QueuePacket(ep, id, pkt)
}

// BenchmarkAckView compares the two ways to learn what was acknowledged with a
// netstack that doesn't: the ratio is to that.
func BenchmarkAckView(b *testing.B) {
	for name, make := range map[string]Maker{"probe": new(ackView).probe, "wrapper": new(ackView).wrapper} {
		b.Run(name, func(b *testing.B) {
			measures := map[string]func(*Network) (float64, error){
				"bulk": func(n *Network) (float64, error) { return Bulk(n, true, bulkSize) },
				"trip": func(n *Network) (float64, error) { return PingPong(n, 4000) },
			}
			for what, measure := range measures {
				b.Run(what, func(b *testing.B) { compareMakers(b, PipeLink, make, Gonet, what, 0, 0, measure) })
			}
		})
	}
}
