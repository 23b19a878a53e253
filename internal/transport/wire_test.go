package transport

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/faketime"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/link/channel"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	engine "github.com/wsstack/wsstack/internal/tcp"
)

// A wire is host B with a test as its peer, host A: it says segments, and sees the
// packets that leave.
type wire struct {
	t     *testing.T
	net   tcpip.NetworkProtocolNumber
	clock *faketime.ManualClock
	link  *channel.Endpoint
	s     *stack.Stack
	p     *Protocol
}

func newWire(t *testing.T, net tcpip.NetworkProtocolNumber) *wire {
	w := &wire{t: t, net: net, clock: faketime.NewManualClock(), link: channel.New(1<<14, 1500, "\x02\x02\x02\x02\x02\x01")}
	w.s = host(t, New, w.clock, w.link, hostB)
	w.p = Of(w.s)
	return w
}

// wires runs a test with both versions of IP.
func wires(t *testing.T, f func(w *wire)) {
	families(t, func(t *testing.T, n tcpip.NetworkProtocolNumber) { f(newWire(t, n)) })
}

// id is the tuple of host B's port 80 with a port of host A.
func (w *wire) id(port uint16) ID {
	return ID{LocalAddress: hostB[w.net], LocalPort: 80, RemoteAddress: hostA[w.net], RemotePort: port}
}

// say brings a segment from a port of host A.
func (w *wire) say(port uint16, s engine.Segment) {
	if !s.Flags.Has(engine.SYN) {
		s.Options.Scale = engine.NoScale
	}
	s.Window = 65535
	w.p.deliver(origin{id: w.id(port), nic: 1, net: w.net}, &s)
}

func (w *wire) syn(port uint16, seq engine.Seq) {
	w.say(port, engine.Segment{Seq: seq, Flags: engine.SYN, Options: engine.Options{MSS: 1000, Scale: engine.NoScale}})
}

// A packet is one that has left.
type packet struct {
	tcp      header.TCP
	size     int // of the payload
	ttl, tos uint8
	df       bool
	id       uint16
}

func (p packet) seq() engine.Seq   { return engine.Seq(p.tcp.SequenceNumber()) }
func (p packet) ack() engine.Seq   { return engine.Seq(p.tcp.AckNumber()) }
func (p packet) flag(f uint8) bool { return uint8(p.tcp.Flags())&f == f }

// String has the flags and the port that the packet is for.
func (p packet) String() string {
	flags := strings.ReplaceAll(p.tcp.Flags().String(), " ", "")
	return fmt.Sprintf("%s %d", flags, p.tcp.DestinationPort())
}

// sent are the packets that have left since the last call.
func (w *wire) sent() (all []packet) {
	for {
		pkt := w.link.Read()
		if pkt == nil {
			return all
		}
		p := packet{tcp: header.TCP(append([]byte(nil), pkt.TransportHeader().Slice()...)), size: pkt.Data().Size()}
		if b := pkt.NetworkHeader().Slice(); w.net == four {
			h := header.IPv4(b)
			p.ttl, p.df, p.id = h.TTL(), h.Flags()&header.IPv4FlagDontFragment != 0, h.ID()
			p.tos, _ = h.TOS()
		} else {
			h := header.IPv6(b)
			p.ttl, p.df = h.HopLimit(), true
			p.tos, _ = h.TOS()
		}
		pkt.DecRef()
		all = append(all, p)
	}
}

// sees compares what has left.
func (w *wire) sees(want ...string) []packet {
	w.t.Helper()
	all := w.sent()
	got := []string{}
	for _, p := range all {
		got = append(got, p.String())
	}
	if want == nil {
		want = []string{}
	}
	require.Equal(w.t, want, got)
	return all
}

// open completes a connection from a port, whose SYN had the number 1,000, and
// returns it with its initial sequence number.
func (w *wire) open(l *door, port uint16) (*stream, engine.Seq) {
	w.t.Helper()
	w.syn(port, 1000)
	iss := w.sees(fmt.Sprint("SA ", port))[0].seq()
	w.say(port, engine.Segment{Seq: 1001, Ack: iss + 1, Flags: engine.ACK})
	c := l.poll()
	require.NotNil(w.t, c)
	return c, iss
}

// seconds lets the time pass.
func (w *wire) seconds(s float64) { w.clock.Advance(time.Duration(s * float64(time.Second))) }

func packetName(flags string, port uint16) string { return fmt.Sprintf("%s %d", flags, port) }

func payload(b []byte) buffer.Buffer { return buffer.MakeWithData(b) }
