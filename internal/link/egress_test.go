package link

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/wsstack/wsstack/tun"
)

// outgoing makes a packet as netstack's TCP does: headers pushed in front.
func outgoing(networkHeader, payload int, gso stack.GSO) *stack.PacketBuffer {
	pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{
		ReserveHeaderBytes: networkHeader + header.TCPMinimumSize,
		Payload:            buffer.MakeWithData(make([]byte, payload)),
	})
	pkt.TransportHeader().Push(header.TCPMinimumSize)
	ip := pkt.NetworkHeader().Push(networkHeader)
	ip[0] = 0x45
	if networkHeader == header.IPv6MinimumSize {
		ip[0] = 0x60
	}
	pkt.GSOOptions = gso
	return pkt
}

func TestWritePacketsMetadata(t *testing.T) {
	const csum = header.TCPChecksumOffset
	v4 := stack.GSO{Type: stack.GSOTCPv4, NeedsCsum: true, CsumOffset: csum, MSS: 1000, L3HdrLen: 20, MaxSize: 1 << 16}
	v6 := v4
	v6.Type, v6.L3HdrLen = stack.GSOTCPv6, 40
	for _, c := range []struct {
		name             string
		network, payload int
		gso              stack.GSO
		want             tun.GSO
	}{
		{"plain", 20, 500, stack.GSO{}, tun.GSO{}},
		{"netstack's own segmentation", 20, 500, stack.GSO{Type: stack.GSOGvisor, MSS: 100}, tun.GSO{}},
		{"one segment", 20, 1000, v4, tun.GSO{NeedsCsum: true, CsumStart: 20, CsumOffset: csum}},
		{"no payload", 20, 0, v4, tun.GSO{NeedsCsum: true, CsumStart: 20, CsumOffset: csum}},
		{"IPv4 segments", 20, 1001, v4,
			tun.GSO{Type: tun.GSOTCPv4, NeedsCsum: true, CsumStart: 20, CsumOffset: csum, MSS: 1000, HdrLen: 40}},
		{"IPv4 options", 24, 5000, v4,
			tun.GSO{Type: tun.GSOTCPv4, NeedsCsum: true, CsumStart: 24, CsumOffset: csum, MSS: 1000, HdrLen: 44}},
		{"IPv6 segments", 40, 60000, v6,
			tun.GSO{Type: tun.GSOTCPv6, NeedsCsum: true, CsumStart: 40, CsumOffset: csum, MSS: 1000, HdrLen: 60}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dev := &fakeDevice{}
			pkt := outgoing(c.network, c.payload, c.gso)
			defer pkt.DecRef()
			var list stack.PacketBufferList
			list.PushBack(pkt)
			n, err := New(dev, Options{}).WritePackets(list)
			requireOK(t, err)
			require.Equal(t, 1, n)
			require.Equal(t, c.want, dev.sent[0].GSO)
			require.Equal(t, int64(c.network+20+c.payload), dev.sent[0].Data.Size())
			dev.sent[0].Data.Release()
		})
	}
}

func TestWritePacketsToFailedDevice(t *testing.T) {
	cause := errors.New("unplugged")
	e := New(&fakeDevice{err: cause}, Options{})
	var list stack.PacketBufferList
	pkt := outgoing(20, 1, stack.GSO{})
	defer pkt.DecRef()
	list.PushBack(pkt)
	require.NoError(t, e.Err())
	n, err := e.WritePackets(list)
	require.Zero(t, n)
	require.IsType(t, &tcpip.ErrNetworkUnreachable{}, err)
	require.ErrorIs(t, e.Err(), cause)
}

// discard is a device whose Send costs nothing.
type discard struct{ fakeDevice }

func (*discard) Send([]tun.Packet) error { return nil }

// Everything that WritePackets takes from a pool goes back.
func TestWritePacketsAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("pools drop at random under the race detector")
	}
	e := New(&discard{}, Options{})
	var list stack.PacketBufferList
	for range 10 {
		list.PushBack(outgoing(20, 1400, stack.GSO{}))
	}
	defer list.DecRef()
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		_, _ = e.WritePackets(list)
	}))
	q, pkt := e.Queue(), list.AsSlice()[0]
	require.Zero(t, testing.AllocsPerRun(1000, func() { _ = q.WritePacket(pkt) }))
}

// The queueing discipline queues nothing and borrows the packet.
func TestQueue(t *testing.T) {
	dev := &fakeDevice{}
	e := New(dev, Options{})
	pkt := outgoing(20, 1400, stack.GSO{})
	require.Nil(t, e.Queue().WritePacket(pkt))
	require.Len(t, dev.sent, 1)
	require.Equal(t, int64(pkt.Size()), dev.sent[0].Data.Size())
	dev.sent[0].Data.Release()
	pkt.DecRef() // the only reference

	dev.err = errors.New("unplugged")
	pkt = outgoing(20, 1, stack.GSO{})
	defer pkt.DecRef()
	require.IsType(t, &tcpip.ErrNetworkUnreachable{}, e.Queue().WritePacket(pkt))
	e.Queue().Close()
	require.ErrorIs(t, e.Err(), dev.err)
}

func BenchmarkWritePackets(b *testing.B) {
	for _, size := range []int{1, 64} {
		b.Run(map[int]string{1: "single", 64: "batch of 64"}[size], func(b *testing.B) {
			e := New(&discard{}, Options{})
			var list stack.PacketBufferList
			for range size {
				list.PushBack(outgoing(20, 1400, stack.GSO{}))
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := e.WritePackets(list); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*size), "ns/packet")
			list.DecRef()
		})
	}
}
