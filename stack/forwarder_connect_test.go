package stack_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wsa"
)

// newAsked is a gateway whose client is played by hand, and whose Forwarder asks a function that
// the test writes. Its goroutines are those of the network, so that everything has an order.
func newAsked(t *testing.T, cfg stack.ForwarderConfig) *wireGateway {
	g := newWireGateway(t, stack.ForwarderConfig{}, false)
	require.NoError(t, g.f.Close())
	cfg.Go = func(run func()) { g.n.Background("forwarder", run) }
	var err error
	g.f, err = g.router.NewForwarder(cfg)
	require.NoError(t, err)
	return g
}

// done waits for the end of a context on a goroutine of the network.
func (g *wireGateway) done(ctx context.Context) {
	w := g.n.NewWaiter()
	ctx.(interface{ AfterFunc(func()) func() bool }).AfterFunc(w.Signal)
	for ctx.Err() == nil {
		w.Wait("the end of a context")
	}
}

// receive is the next packet at the client, within a second.
func (g *wireGateway) receive(t *testing.T) []byte {
	t.Helper()
	p, err := g.near.Receive(time.Second)
	require.NoError(t, err)
	return p.Data
}

// A value is what Connect returns, with a Close that is counted.
type value struct{ closed int }

func (v *value) Close() error { v.closed++; return nil }

// flows are destinations of both versions of IP, with who asks for them.
var flows = map[string][2]string{
	"IPv4": {"10.1.0.9:1000", "93.184.216.34:443"},
	"IPv6": {"[fd01::9]:1000", "[2001:db8::1]:443"},
}

// syn is a SYN with a sequence number.
func syn(source, destination string, seq byte) []byte {
	return segmentOf(source, destination, seq, 0x02)
}

// segmentOf is a segment with a sequence number.
func segmentOf(source, destination string, seq, flags byte) []byte {
	b := tcpPacket(source, destination, flags)
	at := 20
	if b[0]>>4 == 6 {
		at = 40
	}
	b[at+7] = seq
	return again(b)
}

// The SYN is answered when Connect has agreed, and not before; its retransmissions ask nobody, and
// Accept has the value.
func TestForwarderConnect(t *testing.T) {
	for name, ends := range flows {
		t.Run(name, func(t *testing.T) {
			var g *wireGateway
			var p *simnet.Peer
			asked := 0
			var ctx context.Context
			g = newAsked(t, stack.ForwarderConfig{Connect: func(c context.Context, source, destination netip.AddrPort) (any, error) {
				asked++
				ctx = c
				require.Equal(t, [2]string{p.Local().String(), ends[1]}, [2]string{source.String(), destination.String()})
				g.n.Sleep(5 * time.Second)
				return "the way on", nil
			}})
			p = g.near.Connect(ends[1])
			p.Send("[S] <mss 1460>")
			require.NoError(t, g.n.Advance(time.Second))
			p.Send("[S] seq 0 <mss 1460>")
			require.NoError(t, g.n.Advance(2*time.Second))
			p.Send("[S] seq 0 <mss 1460>")
			require.NoError(t, g.n.Advance(1999*time.Millisecond))
			require.Zero(t, g.near.Discard(), "before the decision")
			require.NoError(t, g.n.Advance(time.Millisecond))
			_, err := p.Expect("[S.] ack 1")
			require.NoError(t, err)
			require.ErrorIs(t, ctx.Err(), context.Canceled, "what Connect has started ends")
			p.Send("[S] seq 0 <mss 1460>") // it had been on its way
			_, err = p.Expect("[S.] ack 1")
			require.NoError(t, err)
			p.Send("[.]")
			require.NoError(t, g.n.Do("accept", func() {
				c, v, err := g.f.AcceptValue()
				require.NoError(t, err)
				require.Equal(t, "the way on", v)
				require.Equal(t, ends[1], c.LocalAddr().String())
				require.Equal(t, p.Local(), netip.MustParseAddrPort(c.RemoteAddr().String()))
			}))
			p.Send("[S] seq 0 <mss 1460>") // very late
			require.NoError(t, g.n.Advance(10*time.Second))
			require.Equal(t, 1, asked)
			require.Zero(t, g.router.Stats().Dropped)
		})
	}
}

// An answer is what the client of a SYN sees: a RST, or the type and code of an ICMP error.
type answer struct {
	rst        bool
	typ, code  uint8
	typ6, cod6 uint8
	from       string // of the ICMP error; "": one of the gateway's
}

// What Connect fails with is what the client sees.
func TestForwarderConnect_Refusals(t *testing.T) {
	rst, network := &answer{rst: true}, &answer{typ: 3, code: 0, typ6: 1, cod6: 0}
	host, prohibited := &answer{typ: 3, code: 1, typ6: 1, cod6: 3}, &answer{typ: 3, code: 13, typ6: 1, cod6: 1}
	dial := func(err error) error {
		return &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", err)}
	}
	for _, tt := range []struct {
		name string
		err  error
		want *answer // nil: none, the SYN is lost
	}{
		{"refused", stack.Refused, rst},
		{"refused, by the system", dial(syscall.ECONNREFUSED), rst},
		{"refused, by a stack", dial(wsa.WSAECONNREFUSED), rst},
		{"network", fmt.Errorf("no way: %w", stack.NetworkUnreachable), network},
		{"network, by the system", dial(syscall.ENETUNREACH), network},
		{"no address", dial(syscall.EADDRNOTAVAIL), network},
		{"host", stack.HostUnreachable, host},
		{"host, by the system", dial(syscall.EHOSTUNREACH), host},
		{"host, by a stack", dial(wsa.WSAEHOSTUNREACH), host},
		{"anything else", io.ErrUnexpectedEOF, host},
		{"prohibited", stack.Prohibited, prohibited},
		{"permission", dial(syscall.EACCES), prohibited},
		{"permission of a policy", &fs.PathError{Op: "dial", Err: fs.ErrPermission}, prohibited},
		{"ignored", stack.Ignored, nil},
		{"time-out", context.DeadlineExceeded, nil},
		{"time-out of the system", dial(syscall.ETIMEDOUT), nil},
		{"canceled", context.Canceled, nil},
	} {
		for name, ends := range flows {
			t.Run(tt.name+", "+name, func(t *testing.T) {
				g := newAsked(t, stack.ForwarderConfig{Connect: func(context.Context, netip.AddrPort, netip.AddrPort) (any, error) {
					return nil, tt.err
				}})
				packet := syn(ends[0], ends[1], 7)
				g.near.Inject(packet)
				if tt.want == nil {
					require.NoError(t, g.n.Advance(time.Minute))
					require.Zero(t, g.near.Discard())
				} else {
					tt.want.check(t, g.receive(t), packet)
				}
				require.EqualValues(t, 1, g.router.Stats().Dropped)
				require.Empty(t, foreign(g), "nobody stands in for an address without a connection")
			})
		}
	}
}

// A destination that is of the link alone, such as the metadata of a cloud, is nobody's whom Connect
// could ask (RFC 3927 §2.6.2): the client hears so at once, of a segment, a datagram and an echo
// request, and nothing of what never has an answer.
func TestForwarderConnect_LinkLocal(t *testing.T) {
	const source, metadata = "10.1.0.9", "169.254.169.254"
	g := newAsked(t, stack.ForwarderConfig{Connect: func(context.Context, netip.AddrPort, netip.AddrPort) (any, error) {
		t.Error("Connect was asked")
		return nil, stack.Refused
	}})
	prohibited := &answer{typ: 3, code: 13}
	for i, packet := range [][]byte{
		syn(source+":1000", metadata+":80", 7),
		udp(source, metadata, 10),
		simnet.EncodeIP(netip.MustParseAddr(source), netip.MustParseAddr(metadata), 1, []byte{8, 0, 0xf7, 0xff, 0, 0, 0, 0}),
	} {
		g.near.Inject(packet)
		prohibited.check(t, g.receive(t), packet)
		require.EqualValues(t, i+1, g.router.Stats().Dropped)
	}
	for name, packet := range map[string][]byte{
		"an error":         simnet.EncodeIP(netip.MustParseAddr(source), netip.MustParseAddr(metadata), 1, []byte{3, 1, 0, 0, 0, 0, 0, 0}),
		"from a broadcast": udp("10.1.255.255", metadata, 10),
		"from the router":  udp("10.1.0.1", metadata, 10),
	} {
		g.near.Inject(packet)
		require.NoError(t, g.n.Advance(time.Second))
		require.Zero(t, g.near.Discard(), name)
	}
}

// What a router has said of the way on is passed on with its address.
func TestForwarderConnect_ICMPError(t *testing.T) {
	for name, tt := range map[string]struct {
		e    stack.ICMPError
		ends [2]string
		want *answer
	}{
		"IPv4":  {stack.ICMPError{From: netip.MustParseAddr("203.0.113.7"), Type: 3, Code: 10}, flows["IPv4"], &answer{typ: 3, code: 10, from: "203.0.113.7"}},
		"IPv6":  {stack.ICMPError{From: netip.MustParseAddr("2001:db8:5::7"), Type: 1, Code: 5}, flows["IPv6"], &answer{typ6: 1, cod6: 5, from: "2001:db8:5::7"}},
		"other": {stack.ICMPError{From: netip.MustParseAddr("2001:db8:5::7"), Type: 1, Code: 0}, flows["IPv4"], &answer{typ: 3, code: 0}},
		"none":  {stack.ICMPError{From: netip.MustParseAddr("203.0.113.7"), Type: 0}, flows["IPv4"], &answer{typ: 3, code: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			g := newAsked(t, stack.ForwarderConfig{Connect: func(context.Context, netip.AddrPort, netip.AddrPort) (any, error) {
				return nil, fmt.Errorf("a router: %w", &tt.e)
			}})
			packet := syn(tt.ends[0], tt.ends[1], 7)
			g.near.Inject(packet)
			tt.want.check(t, g.receive(t), packet)
		})
	}
}

// check compares what the client has received with what it should see of a packet.
func (a *answer) check(t *testing.T, got, about []byte) {
	t.Helper()
	source, ip := about[12:16], 20
	if about[0]>>4 == 6 {
		source, ip = about[8:24], 40
	}
	require.True(t, sound(got), "checksums")
	if a.rst {
		h := header.TCP(got[ip:])
		require.Equal(t, header.TCPFlagRst|header.TCPFlagAck, h.Flags())
		require.EqualValues(t, header.TCP(about[ip:]).SequenceNumber()+1, h.AckNumber())
		require.Zero(t, h.SequenceNumber())
		require.Equal(t, about[ip+2:ip+4], got[ip:ip+2], "the port that was asked for")
		require.Equal(t, about[ip-len(source):ip], sourceOf(got), "the address that was asked for")
		return
	}
	want, from := [2]byte{a.typ, a.code}, "10.1.0.1"
	if ip == 40 {
		want, from = [2]byte{a.typ6, a.cod6}, "fd01::1"
	}
	if a.from != "" {
		from = a.from
	}
	require.Equal(t, want, [2]byte(got[ip:]))
	require.Equal(t, netip.MustParseAddr(from).AsSlice(), sourceOf(got))
	require.True(t, bytes.HasPrefix(got[ip+8:], about), "it quotes the packet:\n% x\n% x", got[ip+8:], about)
}

// A client that gives up needs no answer: when it says so by a RST, and when the next SYN of its is
// overdue. What Connect returns then is closed.
func TestForwarderConnect_GivesUp(t *testing.T) {
	rst := func(seq byte) []byte { return segmentOf("10.1.0.9:1000", "8.8.8.8:53", seq, 0x04) }
	first := syn("10.1.0.9:1000", "8.8.8.8:53", 7)
	spoiled := rst(7)
	spoiled[len(spoiled)-4] ^= 1 // its checksum
	for _, tt := range []struct {
		name   string
		events map[time.Duration][]byte // what the client sends when
		want   time.Duration            // when Connect's context ends
	}{
		{"silence", nil, 7500 * time.Millisecond},
		{"RST", map[time.Duration][]byte{time.Second: rst(7)}, time.Second},
		{"RST of the next number", map[time.Duration][]byte{time.Second: rst(8)}, time.Second},
		{"RST of another number", map[time.Duration][]byte{time.Second: rst(9)}, 7500 * time.Millisecond},
		{"RST with a wrong checksum", map[time.Duration][]byte{time.Second: spoiled}, 7500 * time.Millisecond},
		{"one retransmission", map[time.Duration][]byte{time.Second: first}, 8500 * time.Millisecond},
		{"gaps that double", map[time.Duration][]byte{time.Second: first, 3 * time.Second: first, 7 * time.Second: first}, 17 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := &value{}
			var g *wireGateway
			var ended time.Duration
			asked := 0
			g = newAsked(t, stack.ForwarderConfig{InFlight: 1, Connect: func(ctx context.Context, _, _ netip.AddrPort) (any, error) {
				asked++
				g.done(ctx)
				ended = g.n.Now()
				g.n.Sleep(time.Hour)
				return v, nil
			}})
			g.near.Inject(first)
			for at, packet := range tt.events {
				g.n.Background("client", func() { g.n.Sleep(at); g.near.Inject(packet) })
			}
			require.NoError(t, g.n.Advance(time.Minute))
			require.Equal(t, tt.want, ended)
			g.near.Inject(first)
			require.NoError(t, g.n.Advance(time.Minute))
			require.Equal(t, 1, asked, "a call that hasn't returned counts")
			require.NoError(t, g.n.Advance(time.Hour))
			require.Equal(t, 1, v.closed)
			require.Zero(t, g.near.Discard())
			g.near.Inject(first)
			require.NoError(t, g.n.Advance(time.Second))
			require.Equal(t, 2, asked)
		})
	}
}

// A value whose handshake comes to nothing is closed, once.
func TestForwarderConnect_ValueIsClosed(t *testing.T) {
	for name, tt := range map[string]struct {
		then func(*testing.T, *wireGateway)
		took time.Duration
	}{
		"RST":     {func(t *testing.T, g *wireGateway) { g.near.Inject(segmentOf("10.1.0.9:1000", "8.8.8.8:53", 8, 0x04)) }, 0},
		"silence": {func(t *testing.T, g *wireGateway) { require.NoError(t, g.n.Advance(20*time.Second)) }, 2 * time.Second},
		"Close":   {func(t *testing.T, g *wireGateway) { require.NoError(t, g.f.Close()) }, 0},
		"the end of the stack": {func(t *testing.T, g *wireGateway) {
			require.NoError(t, g.router.Close())
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			v := &value{}
			g := newAsked(t, stack.ForwarderConfig{InFlight: 1, Connect: func(context.Context, netip.AddrPort, netip.AddrPort) (any, error) {
				return v, nil
			}})
			g.near.Inject(syn("10.1.0.9:1000", "8.8.8.8:53", 7))
			require.Equal(t, header.TCPFlagSyn|header.TCPFlagAck, header.TCP(g.receive(t)[20:]).Flags())
			require.Zero(t, v.closed)
			tt.then(t, g)
			require.NoError(t, g.n.Advance(tt.took))
			require.Equal(t, 1, v.closed)
			require.NoError(t, g.n.Advance(time.Minute))
			require.Equal(t, 1, v.closed)
		})
	}
}

// A connection that is complete and reset before Accept isn't returned, and its value is closed; so
// are those of connections that wait when the Forwarder ends.
func TestForwarderConnect_NotAccepted(t *testing.T) {
	var values []*value
	g := newAsked(t, stack.ForwarderConfig{Connect: func(context.Context, netip.AddrPort, netip.AddrPort) (any, error) {
		values = append(values, &value{})
		return values[len(values)-1], nil
	}})
	for i := range 3 {
		p := g.near.Connect("8.8.8.8:53")
		require.NoError(t, p.Handshake("mss 1460"))
		if i == 0 {
			p.Send("[R.]")
		}
	}
	require.NoError(t, g.n.Do("accept", func() {
		_, v, err := g.f.AcceptValue()
		require.NoError(t, err)
		require.Same(t, values[1], v)
	}))
	require.NoError(t, g.f.Close())
	require.NoError(t, g.n.Advance(time.Second))
	require.Equal(t, []int{1, 0, 1}, []int{values[0].closed, values[1].closed, values[2].closed})
}
