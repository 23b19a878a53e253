package stack

import (
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	netstack "gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/wsstack/wsstack/tun"
)

// A hopper is netstack's TCP in the worst order: a segment hops from processor
// to processor, and each of them had paused when the segment came.
type hopper struct {
	tcpWorker
	hops int

	mu      sync.Mutex
	hopping []hopping
}

type hopping struct {
	left  int
	queue func()
}

// QueuePacket implements tcpWorker.
func (h *hopper) QueuePacket(ep netstack.TransportEndpoint, id netstack.TransportEndpointID, pkt *netstack.PacketBuffer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	pkt.IncRef()
	h.hopping = append(h.hopping, hopping{h.hops, func() {
		h.tcpWorker.QueuePacket(ep, id, pkt)
		pkt.DecRef()
	}})
}

// Pause implements tcpWorker.
func (h *hopper) Pause() {
	h.mu.Lock()
	var rest []hopping
	for _, s := range h.hopping {
		if s.left == 0 {
			s.queue()
			continue
		}
		s.left--
		rest = append(rest, s)
	}
	h.hopping = rest
	h.mu.Unlock()
	h.tcpWorker.Pause()
}

// A direct device gives packets to the stack at once and counts what it sends.
type direct struct {
	tun.Device
	receive func([]tun.Packet)
	sent    atomic.Int64
}

func (*direct) MTU() int                                 { return 1500 }
func (*direct) Offload() tun.Offload                     { return tun.Offload{} }
func (*direct) Close() error                             { return nil }
func (d *direct) Start(receive func([]tun.Packet)) error { d.receive = receive; return nil }
func (d *direct) Send(packets []tun.Packet) error        { d.sent.Add(int64(len(packets))); return nil }

// A segment that hops between netstack's processors is settled, too: when Settle
// returns, a SYN has its answer.
func TestSettleWaitsForHops(t *testing.T) {
	for _, stepped := range []bool{false, true} {
		for hops := range maxHops + 1 {
			t.Run(fmt.Sprintf("stepped %t, %d hops", stepped, hops), func(t *testing.T) {
				d := &direct{}
				s, err := New(Config{Device: d, Stepped: stepped, Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24")}})
				require.NoError(t, err)
				defer s.Close()
				h := &hopper{tcpWorker: s.hooks.tcp, hops: hops}
				s.hooks.tcp, s.hooks.outer.inner = h, h
				l, err := s.Listen("tcp", ":80")
				require.NoError(t, err)
				defer l.Close()
				d.receive([]tun.Packet{{Data: buffer.MakeWithData(synPacket)}})
				s.Settle()
				require.EqualValues(t, 1, d.sent.Load(), "the SYN-ACK")
			})
		}
	}
}

// synPacket is a SYN from port 1000 of 10.0.0.2 to port 80 of 10.0.0.1.
var synPacket = func() []byte {
	b := make([]byte, header.IPv4MinimumSize+header.TCPMinimumSize)
	ip := header.IPv4(b)
	ip.Encode(&header.IPv4Fields{TotalLength: uint16(len(b)), TTL: 64, Protocol: uint8(header.TCPProtocolNumber), SrcAddr: tcpip.AddrFrom4([4]byte{10, 0, 0, 2}), DstAddr: tcpip.AddrFrom4([4]byte{10, 0, 0, 1})})
	ip.SetChecksum(^ip.CalculateChecksum())
	t := header.TCP(b[header.IPv4MinimumSize:])
	t.Encode(&header.TCPFields{SrcPort: 1000, DstPort: 80, SeqNum: 1, DataOffset: header.TCPMinimumSize, Flags: header.TCPFlagSyn, WindowSize: 65535})
	t.SetChecksum(^t.CalculateChecksum(header.PseudoHeaderChecksum(header.TCPProtocolNumber, ip.SourceAddress(), ip.DestinationAddress(), uint16(len(t)))))
	return b
}()
