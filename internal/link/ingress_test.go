package link

import (
	"encoding/binary"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/wsstack/wsstack/tun"
)

// dispatcher records deliveries.
type dispatcher struct {
	link      *Endpoint
	protocols []tcpip.NetworkProtocolNumber
	verified  []bool
	first     []byte
}

func (d *dispatcher) DeliverNetworkPacket(protocol tcpip.NetworkProtocolNumber, pkt *stack.PacketBuffer) {
	d.protocols = append(d.protocols, protocol)
	d.verified = append(d.verified, Verified(pkt))
	d.first = append(d.first, pkt.Data().AsRange().ToSlice()[1])
}

func (*dispatcher) DeliverLinkPacket(tcpip.NetworkProtocolNumber, *stack.PacketBuffer) {}

func packet(data ...byte) tun.Packet { return tun.Packet{Data: buffer.MakeWithData(data)} }

// newFake makes an endpoint over a device that never receives by itself.
func newFake(t *testing.T, offload tun.Offload) (*fakeDevice, *Endpoint, *dispatcher, *int) {
	t.Helper()
	notified := new(int)
	dev := &fakeDevice{offload: offload}
	e := New(dev, Options{Notify: func(int) { *notified++ }})
	d := &dispatcher{link: e}
	e.Attach(d)
	require.True(t, e.IsAttached())
	require.NoError(t, e.Start())
	return dev, e, d, notified
}

func TestDeliver(t *testing.T) {
	dev, e, d, notified := newFake(t, tun.Offload{})
	require.Zero(t, e.Deliver(0, 10))
	const total = 200
	for i := range total {
		version := byte(0x45)
		if i%2 == 1 {
			version = 0x60
		}
		dev.receive([]tun.Packet{packet(version, byte(i))})
	}
	require.Equal(t, 1, *notified, "one signal for a queue that stays non-empty")
	require.Equal(t, total, e.Len())
	require.Equal(t, 150, e.Deliver(0, 150))
	require.Equal(t, total-150, e.Len())
	require.Equal(t, total-150, e.Deliver(0, 150), "less than max: the queue is empty")
	require.Zero(t, e.Len())
	for i := range total {
		require.Equal(t, byte(i), d.first[i], "order")
	}
	require.Equal(t, []tcpip.NetworkProtocolNumber{ipv4Number, ipv6Number}, d.protocols[:2])
	dev.receive([]tun.Packet{packet(0x45, 0)})
	require.Equal(t, 2, *notified)
	require.Zero(t, e.Dropped())
	e.Close()
	require.Equal(t, uint64(1), e.Dropped(), "Close drops what is queued")
}

const (
	ipv4Number = header.IPv4ProtocolNumber
	ipv6Number = header.IPv6ProtocolNumber
)

func TestDeliverRefuses(t *testing.T) {
	dev, e, d, _ := newFake(t, tun.Offload{})
	dev.receive([]tun.Packet{packet(), packet(0x05, 1), packet(0x50, 2), packet(0xff, 3), packet(0x45, 4)})
	require.Equal(t, 5, e.Deliver(0, 100))
	require.Equal(t, []byte{4}, d.first)
	require.Equal(t, uint64(4), e.Dropped())

	e.Attach(nil)
	require.False(t, e.IsAttached())
	dev.receive([]tun.Packet{packet(0x45, 5)})
	require.Equal(t, 1, e.Deliver(0, 100))
	require.Equal(t, uint64(5), e.Dropped(), "detached")

	e.Close()
	dev.receive([]tun.Packet{packet(0x45, 6)})
	require.Zero(t, e.Len())
	require.Equal(t, uint64(6), e.Dropped(), "closed")
	e.Wait()
	e.Close()
}

// Whether a checksum needs checking is a property of the packet, not of the
// device.
func TestDeliverVerified(t *testing.T) {
	partial := packet(0x45, 1)
	partial.GSO.NeedsCsum = true
	for _, c := range []struct {
		name    string
		offload tun.Offload
		want    bool
	}{
		{"with offload", tun.Offload{Checksum: true}, true},
		{"without offload", tun.Offload{}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			dev, e, d, _ := newFake(t, c.offload)
			p := partial
			p.Data = partial.Data.Clone()
			q := p
			q.Data = p.Data.Clone()
			dev.receive([]tun.Packet{packet(0x45, 0), p, packet(0x45, 2), q})
			e.Deliver(0, 10)
			require.Equal(t, []bool{false, c.want, false, c.want}, d.verified)
			require.Equal(t, stack.CapabilityNone, e.Capabilities())
		})
	}
	partial.Data.Release()
}

func TestIngressBound(t *testing.T) {
	dev, e, _, _ := newFake(t, tun.Offload{})
	for range tun.QueuePackets + 10 {
		dev.receive([]tun.Packet{packet(0x45, 0)})
	}
	require.Equal(t, tun.QueuePackets, e.Len())
	require.Equal(t, uint64(10), e.Dropped())
	e.Close()
}

// Reception, delivery, detaching and closing all meet.
func TestDeliverConcurrentWithClose(t *testing.T) {
	for range 20 {
		a, b := tun.Pipe(1500)
		e := New(b, Options{})
		e.Attach(&nothing{})
		require.NoError(t, e.Start())
		var wg sync.WaitGroup
		wg.Go(func() {
			p := packet(0x45, 0)
			defer p.Data.Release()
			for range 200 {
				_ = a.Send([]tun.Packet{p})
			}
		})
		stop := make(chan struct{})
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					e.Deliver(0, 7)
				}
			}
		})
		e.Attach(nil)
		e.Close()
		e.Wait()
		require.NoError(t, b.Close())
		close(stop)
		wg.Wait()
		require.NoError(t, a.Close())
		require.Zero(t, e.Len())
	}
}

// nothing is a dispatcher for races, not for counting.
type nothing struct{}

func (*nothing) DeliverNetworkPacket(tcpip.NetworkProtocolNumber, *stack.PacketBuffer) {}
func (*nothing) DeliverLinkPacket(tcpip.NetworkProtocolNumber, *stack.PacketBuffer)    {}

// tcp4 is a well-formed IPv4 SYN from 10.0.0.2 to port 7 of 10.0.0.1.
func tcp4() []byte {
	b := make([]byte, 40)
	copy(b, []byte{0x45, 0, 0, 40, 0, 1, 0, 0, 64, 6, 0, 0, 10, 0, 0, 2, 10, 0, 0, 1})
	ip := header.IPv4(b)
	ip.SetChecksum(^ip.CalculateChecksum())
	tcp := header.TCP(b[20:])
	tcp.Encode(&header.TCPFields{SrcPort: 1000, DstPort: 7, DataOffset: 20, Flags: header.TCPFlagSyn, WindowSize: 1000})
	sum := header.PseudoHeaderChecksum(header.TCPProtocolNumber, ip.SourceAddress(), ip.DestinationAddress(), 20)
	tcp.SetChecksum(^tcp.CalculateChecksum(sum))
	return b
}

// fixIP makes the header checksum right after a change to the header, so that
// the packet is refused for the change.
func fixIP(b []byte) []byte {
	ip := header.IPv4(b)
	ip.SetChecksum(0)
	binary.BigEndian.PutUint16(b[10:], ^checksum.Checksum(b[:20], 0))
	return b
}

func TestMalformedPackets(t *testing.T) {
	type counter func(*host) uint64
	malformedIP := func(h *host) uint64 { return h.Stats().IP.MalformedPacketsReceived.Value() }
	malformedTCP := func(h *host) uint64 { return h.NICInfo()[nic].Stats.MalformedL4RcvdPackets.Value() }
	link := func(h *host) uint64 { return h.link.Dropped() }
	change := func(i int, v byte) []byte {
		b := tcp4()
		b[i] = v
		return fixIP(b)
	}
	v6 := make([]byte, 40)
	v6[0] = 0x60
	for _, c := range []struct {
		name    string
		packet  []byte
		counter counter
	}{
		{"empty", nil, link},
		{"version 0", change(0, 0x05), link},
		{"version 5", change(0, 0x55), link},
		{"version 15", change(0, 0xff), link},
		{"one byte of IPv4", []byte{0x45}, malformedIP},
		{"one byte of IPv6", []byte{0x60}, malformedIP},
		{"half an IPv4 header", tcp4()[:10], malformedIP},
		{"IPv4 header length below 5", change(0, 0x44), malformedIP},
		{"IPv4 header length 0", change(0, 0x40), malformedIP},
		{"IPv4 header longer than packet", change(0, 0x4f)[:30], malformedIP},
		{"IPv4 length above packet", change(3, 41), malformedIP},
		{"IPv4 length below header", change(3, 19), malformedIP},
		{"IPv4 length cuts TCP header", change(3, 30), malformedTCP},
		{"IPv4 header checksum", func() []byte { b := tcp4(); b[10]++; return b }(), malformedIP},
		{"TCP offset below 5", change(32, 0x40), malformedTCP},
		{"TCP offset 0", change(32, 0), malformedTCP},
		{"TCP offset above packet", change(32, 0xf0), malformedTCP},
		{"IPv6 length above packet", append(v6[:4:4], append([]byte{0, 99, 6, 64}, v6[8:]...)...), malformedIP},
	} {
		t.Run(c.name, func(t *testing.T) {
			dev := tun.NewFunc(1500, nil)
			h := newHost(t, dev, "10.0.0.1/24", "fd00::1/64")
			before := c.counter(h)
			dev.Inject(c.packet)
			soon(t, func() bool { return c.counter(h) == before+1 }, "the packet is counted")
			require.Zero(t, h.Stats().TCP.ValidSegmentsReceived.Value())
		})
	}
}

// The well-formed packet of the table above gets an answer.
func TestWellFormedPacket(t *testing.T) {
	out := make(chan []byte, 1)
	dev := tun.NewFunc(1500, func(packet []byte) { out <- packet })
	newHost(t, dev, "10.0.0.1/24")
	dev.Inject(tcp4())
	answer := header.IPv4(<-out)
	require.Equal(t, header.TCPFlagRst|header.TCPFlagAck, header.TCP(answer.Payload()).Flags())
}

// No packet from outside panics, blocks the pump, or stays behind.
func FuzzIngress(f *testing.F) {
	f.Add(tcp4())
	f.Add([]byte{0x60})
	dev := tun.NewFunc(1500, nil)
	h := newHost(f, dev, "10.0.0.1/24", "fd00::1/64")
	f.Fuzz(func(t *testing.T, data []byte) {
		dev.Inject(data)
		for dev.Pending() > 0 || h.link.Len() > 0 {
			runtime.Gosched()
		}
	})
}

func BenchmarkDeliver(b *testing.B) {
	e := New(&fakeDevice{}, Options{})
	e.Attach(&nothing{})
	p := packet(make([]byte, 1500)...)
	defer p.Data.Release()
	b.ReportAllocs()
	for b.Loop() {
		e.receive([]tun.Packet{{Data: p.Data.Clone()}})
		e.Deliver(0, 1)
	}
}

// A patient device is a fakeDevice on whose goroutine the receiver may work.
type patientDevice struct {
	fakeDevice
	patience int
}

func (d *patientDevice) Patience() int { return d.patience }

// Who may deliver is told of what a patient device brings within its patience, and everybody else of
// what there is to deliver. What comes behind packets that wait was announced already.
func TestArrived(t *testing.T) {
	dev := &patientDevice{patience: 5}
	arrived, notified := []bool(nil), 0
	var e *Endpoint
	e = New(dev, Options{
		Notify:  func(int) { notified++ },
		Arrived: func(part int, alone bool) { arrived = append(arrived, alone); e.Deliver(part, 10) },
	})
	d := &dispatcher{link: e}
	e.Attach(d)
	require.NoError(t, e.Start())

	dev.receive([]tun.Packet{packet(0x45, 1), packet(0x45, 2)})
	require.Equal(t, []byte{1, 2}, d.first, "delivered before receive returns")
	require.Equal(t, []bool{false}, arrived)
	require.Zero(t, notified)

	dev.receive([]tun.Packet{packet(0x45, 3), packet(0x45, 4), packet(0x45, 5)})
	require.Len(t, arrived, 1, "beyond the patience")
	require.Equal(t, 1, notified)
	dev.receive([]tun.Packet{packet(0x45, 6)})
	require.Len(t, arrived, 1, "behind others, that somebody was told of")
	e.Deliver(0, 10)
	e.Receive(packet(0x45, 7))
	require.Len(t, arrived, 1, "not on the goroutine of the device")
	require.Equal(t, 2, notified)
}
