package transport

import (
	"io"
	"net"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/faketime"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/link/channel"
	"gvisor.dev/gvisor/pkg/tcpip/link/pipe"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"

	engine "github.com/wsstack/wsstack/internal/tcp"
)

const four = header.IPv4ProtocolNumber

func benchHosts(b *testing.B, f stack.TransportProtocolFactory) (x, y *stack.Stack) {
	l, m := pipe.New("\x02\x02\x02\x02\x02\x01", "\x02\x02\x02\x02\x02\x02", 1500)
	x, y = host(b, f, tcpip.NewStdClock(), l, hostA), host(b, f, tcpip.NewStdClock(), m, hostB)
	for _, s := range []*stack.Stack{x, y} {
		sack := tcpip.TCPSACKEnabled(true)
		s.SetTransportProtocolOption(tcp.ProtocolNumber, &sack)
	}
	return x, y
}

func oursPair(b *testing.B) (duplex, duplex) {
	x, y := benchHosts(b, New)
	l := listen(b, y, four, 80)
	c := dial(b, x, four, hostA, hostB, 1000, 80)
	require.True(b, c.connected())
	return c, l.accept()
}

func theirsPair(b *testing.B) (duplex, duplex) {
	x, y := benchHosts(b, tcp.NewProtocol)
	l, err := gonet.ListenTCP(y, toStd(hostB[four], 80), four)
	require.NoError(b, err)
	c, err := gonet.DialTCP(x, toStd(hostB[four], 80), four)
	require.NoError(b, err)
	p, err := l.Accept()
	require.NoError(b, err)
	return c, p
}

// The engine beside netstack's TCP, over the same link.
func BenchmarkBulk(b *testing.B) {
	for name, pair := range map[string]func(*testing.B) (duplex, duplex){"ours": oursPair, "netstack": theirsPair} {
		b.Run(name, func(b *testing.B) {
			c, p := pair(b)
			buf := make([]byte, 64<<10)
			b.SetBytes(int64(len(buf)))
			go func() { _, _ = io.Copy(io.Discard, struct{ io.Reader }{p}) }()
			for b.Loop() {
				c.Write(buf)
			}
		})
	}
}

func BenchmarkPingPong(b *testing.B) {
	for name, pair := range map[string]func(*testing.B) (duplex, duplex){"ours": oursPair, "netstack": theirsPair} {
		b.Run(name, func(b *testing.B) {
			c, p := pair(b)
			go func() {
				one := make([]byte, 1)
				for {
					if _, err := p.Read(one); err != nil {
						return
					}
					p.Write(one)
				}
			}()
			one := make([]byte, 1)
			b.ReportAllocs()
			for b.Loop() {
				c.Write(one)
				c.Read(one)
			}
		})
	}
}

// A connection is made, accepted and closed from the client's side, a FIN each way.
func BenchmarkConnectClose(b *testing.B) {
	b.Run("ours", func(b *testing.B) {
		x, y := benchHosts(b, New)
		var doors [8]*door
		for i := range doors { // more ports than TIME-WAIT keeps
			doors[i] = listen(b, y, four, 80+uint16(i))
		}
		b.ReportAllocs()
		one := make([]byte, 1)
		for i := 0; b.Loop(); i++ {
			port := i / 60_000 % len(doors)
			c := dial(b, x, four, hostA, hostB, uint16(1024+i%60_000), 80+uint16(port))
			if !c.connected() {
				b.Fatal("refused")
			}
			p := doors[port].accept()
			c.Shutdown()
			_, _ = p.Read(one)
			p.Close()
			_, _ = c.Read(one)
		}
	})
	b.Run("netstack", func(b *testing.B) {
		x, y := benchHosts(b, tcp.NewProtocol)
		l, err := gonet.ListenTCP(y, toStd(hostB[four], 80), four)
		require.NoError(b, err)
		b.ReportAllocs()
		one := make([]byte, 1)
		for b.Loop() {
			c, err := gonet.DialTCP(x, toStd(hostB[four], 80), four)
			require.NoError(b, err)
			p, err := l.Accept()
			require.NoError(b, err)
			_ = c.CloseWrite()
			_, _ = p.Read(one)
			_ = p.Close()
			_, _ = c.Read(one)
			_ = c.Close()
		}
	})
}

// BenchmarkIdle tells what a connection costs that nothing happens on, both ends
// together, in bytes.
func BenchmarkIdle(b *testing.B) {
	for name, open := range map[string]func(*testing.B, int) any{"ours": oursIdle, "netstack": theirsIdle} {
		b.Run(name, func(b *testing.B) {
			const n = 2000
			for b.Loop() {
				before := live()
				keep := open(b, n)
				b.ReportMetric(float64(live()-before)/n, "B/pair")
				runtime.KeepAlive(keep)
			}
		})
	}
}

func live() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func oursIdle(b *testing.B, n int) any {
	x, y := benchHosts(b, New)
	l := listen(b, y, four, 80)
	var all []*stream
	for i := range n {
		c := dial(b, x, four, hostA, hostB, uint16(1024+i), 80)
		all = append(all, c, l.accept())
	}
	return all
}

func theirsIdle(b *testing.B, n int) any {
	x, y := benchHosts(b, tcp.NewProtocol)
	l, err := gonet.ListenTCP(y, toStd(hostB[four], 80), four)
	require.NoError(b, err)
	var all []net.Conn
	for range n {
		c, err := gonet.DialTCP(x, toStd(hostB[four], 80), four)
		require.NoError(b, err)
		p, err := l.Accept()
		require.NoError(b, err)
		all = append(all, c, p)
	}
	return all
}

// BenchmarkSyn tells what a SYN of a flood costs: one that gets a record, whose place
// the oldest has left, one that is answered by a cookie, and one that is dropped
// because too many requests are held; and a segment that a RST answers.
func BenchmarkSyn(b *testing.B) {
	for name, prepare := range map[string]func(*syns){
		"record": func(f *syns) { f.l = listenWith(b, f.s, ListenConfig{Port: 80, Net: four}) },
		"cookie": func(f *syns) {
			f.l = listenWith(b, f.s, ListenConfig{Port: 80, Net: four})
			f.flood(maxHalfOpen)
		},
		"held": func(f *syns) {
			f.l = listenWith(b, f.s, ListenConfig{Port: 80, Net: four, Ask: func(ID, *engine.Segment) Decision { return Hold }})
			f.flood(maxHeld)
		},
		"nobody": func(*syns) {},
	} {
		b.Run(name, func(b *testing.B) {
			clock := faketime.NewManualClock()
			f := &syns{s: host(b, New, clock, channel.New(0, 1500, "\x02\x02\x02\x02\x02\x01"), hostB)}
			prepare(f)
			b.ReportAllocs()
			for b.Loop() {
				f.flood(1)
				if name == "record" {
					f.l.Listener.mu.Lock()
					for _, h := range f.l.records {
						f.l.removeLocked(h)
					}
					f.l.Listener.mu.Unlock()
				}
			}
		})
	}
}

// syns is a flood of SYNs from different ports and addresses.
type syns struct {
	s    *stack.Stack
	l    *door
	sent uint32
}

func (f *syns) flood(n int) {
	for range n {
		f.sent++
		id := ID{LocalAddress: hostB[four], LocalPort: 80, RemotePort: uint16(f.sent),
			RemoteAddress: tcpip.AddrFrom4([4]byte{10, byte(f.sent >> 24), byte(f.sent >> 16), 1})}
		syn := engine.Segment{Seq: 7, Flags: engine.SYN, Options: engine.Options{MSS: 1460, Scale: engine.NoScale}}
		Of(f.s).deliver(origin{id: id, nic: 1, net: four}, &syn)
	}
}
