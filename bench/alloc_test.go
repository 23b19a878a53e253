package bench

import (
	"math"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/provider"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
	"github.com/wsstack/wsstack/wsa"
)

// An allocRow is an exchange between two stacks over a Pipe: a message there,
// which an echo of package net's face returns, and one back. What both sides
// allocate counts.
type allocRow struct {
	name     string
	ours     int    // objects that our packages allocate
	netstack [2]int // and netstack at most, over IPv4 and IPv6 (docs/netstack.md)

	start func(l *allocLab) (exchange func())
}

var allocRows = []allocRow{
	{"net, TCP", 0, [2]int{0, 16}, func(l *allocLab) func() {
		c := l.stream()
		return l.pingPong(c.Write, c.Read)
	}},
	{"net, TCP, a deadline for each call", 0, [2]int{0, 16}, func(l *allocLab) func() {
		c := l.stream()
		return l.pingPong(func(b []byte) (int, error) {
			c.SetWriteDeadline(time.Now().Add(time.Hour))
			return c.Write(b)
		}, func(b []byte) (int, error) {
			c.SetReadDeadline(time.Now().Add(time.Hour))
			return c.Read(b)
		})
	}},
	{"net, UDP, connected", 0, [2]int{16, 22}, func(l *allocLab) func() {
		c, err := l.a.Dial("udp", l.echoDatagrams().String())
		require.NoError(l.t, err)
		return l.pingPong(c.Write, c.Read)
	}},
	{"net, UDP, AddrPort", 0, [2]int{18, 24}, func(l *allocLab) func() {
		to, c := l.echoDatagrams(), l.packetConn(l.a)
		return l.pingPong(func(b []byte) (int, error) { return c.WriteToUDPAddrPort(b, to) }, func(b []byte) (int, error) {
			n, _, err := c.ReadFromUDPAddrPort(b)
			return n, err
		})
	}},
	{"net, UDP, net.Addr", 1, [2]int{18, 24}, func(l *allocLab) func() { // the address of ReadFrom
		to, c := net.UDPAddrFromAddrPort(l.echoDatagrams()), l.packetConn(l.a)
		return l.pingPong(func(b []byte) (int, error) { return c.WriteTo(b, to) }, func(b []byte) (int, error) {
			n, _, err := c.ReadFrom(b)
			return n, err
		})
	}},
	{"provider, TCP", 0, [2]int{0, 16}, func(l *allocLab) func() {
		p, s := l.socket(wsa.SOCK_STREAM)
		ln := l.listener()
		require.NoError(l.t, p.Connect(s, ln.Addr().(*net.TCPAddr).AddrPort()))
		l.echoStream(ln)
		return l.pingPong(func(b []byte) (int, error) { return p.Send(s, b, 0) }, func(b []byte) (int, error) { return p.Recv(s, b, 0) })
	}},
	{"provider, TCP, time-outs", 0, [2]int{0, 16}, func(l *allocLab) func() {
		p, s := l.socket(wsa.SOCK_STREAM)
		ln := l.listener()
		require.NoError(l.t, p.Connect(s, ln.Addr().(*net.TCPAddr).AddrPort()))
		require.NoError(l.t, p.SetSockOpt(s, wsa.SOL_SOCKET, wsa.SO_RCVTIMEO, []byte{0, 0, 1, 0}, 4))
		require.NoError(l.t, p.SetSockOpt(s, wsa.SOL_SOCKET, wsa.SO_SNDTIMEO, []byte{0, 0, 1, 0}, 4))
		l.echoStream(ln)
		return l.pingPong(func(b []byte) (int, error) { return p.Send(s, b, 0) }, func(b []byte) (int, error) { return p.Recv(s, b, 0) })
	}},
	{"provider, UDP", 0, [2]int{18, 26}, func(l *allocLab) func() {
		p, s := l.socket(wsa.SOCK_DGRAM)
		to := l.echoDatagrams()
		return l.pingPong(func(b []byte) (int, error) { return p.SendTo(s, b, 0, to) }, func(b []byte) (int, error) {
			n, _, err := p.RecvFrom(s, b, 0)
			return n, err
		})
	}},
	{"provider, UDP, control messages", 0, [2]int{18, 26}, func(l *allocLab) func() {
		p, s := l.socket(wsa.SOCK_DGRAM)
		to := l.echoDatagrams()
		level, ttl := int32(wsa.IPPROTO_IP), int32(wsa.IP_TTL)
		wanted := []int32{wsa.IP_PKTINFO, wsa.IP_PKTINFO_EX, wsa.IP_RECVTTL, wsa.IP_RECVTOS, wsa.IP_RECVDSTADDR}
		if l.family == wsa.AF_INET6 {
			level, ttl = wsa.IPPROTO_IPV6, wsa.IPV6_HOPLIMIT
			wanted = []int32{wsa.IPV6_PKTINFO, wsa.IPV6_HOPLIMIT, wsa.IPV6_RECVTCLASS, wsa.IPV6_RECVDSTADDR}
		}
		for _, opt := range wanted {
			require.NoError(l.t, p.SetSockOpt(s, level, opt, []byte{1, 0, 0, 0}, 4))
		}
		control := wsa.AppendCmsg(nil, level, ttl, []byte{9, 0, 0, 0})
		received := make([]byte, 200)
		return l.pingPong(func(b []byte) (int, error) { return p.SendMsg(s, b, control, 0, to) }, func(b []byte) (int, error) {
			m, err := p.RecvMsg(s, b, received, 0)
			return m.N, err
		})
	}},
}

// An allocLab is two stacks joined by a Pipe.
type allocLab struct {
	t      testing.TB
	family int32
	a, b   *stack.Stack
}

func newAllocLab(t testing.TB, family int32) *allocLab {
	da, db := tun.Pipe(1500)
	host := func(d tun.Device, addresses ...netip.Prefix) *stack.Stack {
		st, err := stack.New(stack.Config{Device: d, Addresses: addresses})
		require.NoError(t, err)
		t.Cleanup(func() { st.Close() })
		return st
	}
	return &allocLab{
		t: t, family: family,
		a: host(da, netip.MustParsePrefix("10.0.0.1/24"), netip.MustParsePrefix("fd00::1/64")),
		b: host(db, netip.MustParsePrefix("10.0.0.2/24"), netip.MustParsePrefix("fd00::2/64")),
	}
}

// at is a port of a stack.
func (l *allocLab) at(st *stack.Stack, port string) string {
	host := map[bool]string{true: "1", false: "2"}[st == l.a]
	if l.family == wsa.AF_INET6 {
		return "[fd00::" + host + "]:" + port
	}
	return "10.0.0." + host + ":" + port
}

func (l *allocLab) listener() net.Listener {
	ln, err := l.b.Listen("tcp", l.at(l.b, "80"))
	require.NoError(l.t, err)
	return ln
}

// stream is a connection to an echo.
func (l *allocLab) stream() net.Conn {
	ln := l.listener()
	c, err := l.a.Dial("tcp", ln.Addr().String())
	require.NoError(l.t, err)
	l.echoStream(ln)
	return c
}

// echoStream accepts a connection and returns what comes, until the stack is
// closed.
func (l *allocLab) echoStream(ln net.Listener) {
	c, err := ln.Accept()
	require.NoError(l.t, err)
	go func() {
		b := make([]byte, 100)
		for {
			n, err := c.Read(b)
			if err != nil {
				return
			}
			c.Write(b[:n])
		}
	}()
}

func (l *allocLab) packetConn(st *stack.Stack) *endpoint.PacketConn {
	c, err := st.ListenPacket("udp", l.at(st, "0"))
	require.NoError(l.t, err)
	return c.(*endpoint.PacketConn)
}

// echoDatagrams is the address of an echo.
func (l *allocLab) echoDatagrams() netip.AddrPort {
	c := l.packetConn(l.b)
	go func() {
		b := make([]byte, 100)
		for {
			n, from, err := c.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			c.WriteToUDPAddrPort(b[:n], from)
		}
	}()
	return c.LocalAddr().(*net.UDPAddr).AddrPort()
}

func (l *allocLab) socket(typ int32) (*provider.Provider, wsa.SOCKET) {
	p, err := provider.Startup(l.a, wsa.WINSOCK_VERSION)
	require.NoError(l.t, err)
	s, err := p.Socket(l.family, typ, 0)
	require.NoError(l.t, err)
	return p, s
}

func (l *allocLab) pingPong(write, read func([]byte) (int, error)) func() {
	b := make([]byte, 10)
	return func() {
		if _, err := write(b); err != nil {
			l.t.Fatal(err)
		}
		if n, err := read(b); err != nil || n != len(b) {
			l.t.Fatal(n, err)
		}
	}
}

// Our part of an exchange is nothing, but for the net.Addr that ReadFrom has to
// return. What is left is netstack's: nothing of a stream over IPv4, something of
// every datagram and of every packet that comes over IPv6.
func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("pools drop at random under the race detector")
	}
	rate := runtime.MemProfileRate
	runtime.MemProfileRate = 1 // every object
	defer func() { runtime.MemProfileRate = rate }()
	for _, row := range allocRows {
		for i, family := range []int32{wsa.AF_INET, wsa.AF_INET6} {
			t.Run(row.name+map[int]string{0: ", IPv4", 1: ", IPv6"}[i], func(t *testing.T) {
				exchange := row.start(newAllocLab(t, family))
				for range 200 { // pools and buffers are filled
					exchange()
				}
				const n = 300
				before := allocatedByUs()
				for range n {
					exchange()
				}
				ours := float64(allocatedByUs()-before) / n
				require.Equal(t, row.ours, int(math.Round(ours)), "our objects")
				require.LessOrEqual(t, testing.AllocsPerRun(n, exchange), float64(row.ours+row.netstack[i]), "all objects")
			})
		}
	}
}

// allocatedByUs counts the objects whose innermost frame, but for those of the
// runtime and the standard library, is one of our packages: since the start of
// the process.
func allocatedByUs() (objects int64) {
	runtime.GC() // the profile ends with the last but one
	runtime.GC()
	n, _ := runtime.MemProfile(nil, true)
	records := make([]runtime.MemProfileRecord, 2*n)
	n, _ = runtime.MemProfile(records, true)
	for _, r := range records[:n] {
		if byUs(r.Stack()) {
			objects += r.AllocObjects
		}
	}
	return objects
}

func byUs(stack []uintptr) bool {
	frames := runtime.CallersFrames(stack)
	for {
		f, more := frames.Next()
		switch {
		case strings.HasPrefix(f.Function, "gvisor.dev/gvisor/"), strings.HasPrefix(f.Function, "github.com/wsstack/wsstack/bench."):
			return false
		case strings.HasPrefix(f.Function, "github.com/wsstack/wsstack/"):
			return true
		case !more:
			return false
		}
	}
}

// BenchmarkExchange is the time of the exchanges of TestAllocations over IPv4.
func BenchmarkExchange(b *testing.B) {
	for _, row := range allocRows {
		b.Run(row.name, func(b *testing.B) {
			exchange := row.start(newAllocLab(b, wsa.AF_INET))
			b.ReportAllocs()
			for b.Loop() {
				exchange()
			}
		})
	}
}
