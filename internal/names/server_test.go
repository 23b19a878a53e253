package names_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/wsstack/wsstack/internal/names"
	"github.com/wsstack/wsstack/internal/sockettest"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wsa"
)

// The addresses of sockettest.Pair: the programs are on a, the servers on b.
var both = []netip.Addr{netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("fd00::2")}

func zoneOf(t testing.TB, texts ...string) *names.Zone {
	t.Helper()
	var hosts []names.Host
	for _, text := range texts {
		h, err := names.ParseHost(text)
		require.NoError(t, err)
		hosts = append(hosts, h)
	}
	z, err := names.NewZone(hosts, nil)
	require.NoError(t, err)
	return z
}

// start starts a Server that the end of the test closes, before the stack.
func start(t testing.TB, s *stack.Stack, cfg names.Config) *names.Server {
	t.Helper()
	server, err := names.Start(s, cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Close()) })
	return server
}

// resolver is Go's own resolver as a program on a stack has it.
func resolver(s *stack.Stack, network, server string) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, asked, _ string) (net.Conn, error) {
		if network != "" {
			asked = network
		}
		return s.DialContext(ctx, asked, server)
	}}
}

// ask asks one question by UDP or TCP and returns the answer.
func ask(t testing.TB, c net.Conn, name string, size int) (m dnsmessage.Message, length int) {
	t.Helper()
	question := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: 77, RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(name), Type: dnsmessage.TypeAAAA, Class: dnsmessage.ClassINET}},
	}
	if size > 0 {
		var h dnsmessage.ResourceHeader
		require.NoError(t, h.SetEDNS0(size, dnsmessage.RCodeSuccess, false))
		question.Additionals = []dnsmessage.Resource{{Header: h, Body: &dnsmessage.OPTResource{}}}
	}
	text, err := question.Pack()
	require.NoError(t, err)
	buf := make([]byte, 65535)
	var n int
	if c.RemoteAddr().Network() == "tcp" {
		_, err = c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(text))), text...))
		require.NoError(t, err)
		_, err = io.ReadFull(c, buf[:2])
		require.NoError(t, err)
		n, err = io.ReadFull(c, buf[:binary.BigEndian.Uint16(buf)])
	} else {
		_, err = c.Write(text)
		require.NoError(t, err)
		n, err = c.Read(buf)
	}
	require.NoError(t, err)
	require.NoError(t, m.Unpack(buf[:n]))
	require.EqualValues(t, 77, m.ID)
	return m, n
}

func TestServer(t *testing.T) {
	a, b := sockettest.Pair(t)
	start(t, b, names.Config{Addresses: both, Zone: zoneOf(t, "web.test=10.0.0.9,fd00::9")})
	for _, network := range []string{"", "tcp"} {
		for _, address := range both {
			r := resolver(a, network, netip.AddrPortFrom(address, 53).String())
			found, err := r.LookupHost(t.Context(), "web.test")
			require.NoError(t, err)
			slices.Sort(found)
			require.Equal(t, []string{"10.0.0.9", "fd00::9"}, found)
			back, err := r.LookupAddr(t.Context(), "fd00::9")
			require.NoError(t, err)
			require.Equal(t, []string{"web.test."}, back)
			_, err = r.LookupHost(t.Context(), "elsewhere.test")
			failure, ok := errors.AsType[*net.DNSError](err)
			require.True(t, ok && failure.IsNotFound, "%v", err)
		}
	}
}

// A server that asks another: what it says reaches who asks, whether by UDP or TCP, and what is
// too long by UDP is asked for by TCP.
func TestServer_Upstream(t *testing.T) {
	a, b := sockettest.Pair(t)
	start(t, a, names.Config{Addresses: []netip.Addr{netip.MustParseAddr("10.0.0.1")}, Zone: zoneOf(t, "far.example=10.1.1.1,fd01::1", "long="+addresses(32))})
	asked := make(chan string, 100)
	start(t, b, names.Config{
		Addresses: both, Zone: zoneOf(t, "near=10.0.0.9", "*.local.example=10.0.0.8"),
		Upstream: &names.Upstream{
			// The second one is the server itself, which it doesn't ask.
			Servers: func() []netip.AddrPort {
				return []netip.AddrPort{netip.MustParseAddrPort("[::ffff:10.0.0.2]:53"), netip.MustParseAddrPort("10.0.0.1:53")}
			},
			Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
				asked <- network + " " + address
				return b.DialContext(ctx, network, address)
			},
		},
	})
	r := resolver(a, "", "10.0.0.2:53")
	for name, want := range map[string][]string{
		"far.example": {"10.1.1.1", "fd01::1"}, "near": {"10.0.0.9"}, "x.local.example": {"10.0.0.8"},
	} {
		found, err := r.LookupHost(t.Context(), name)
		require.NoError(t, err, name)
		slices.Sort(found)
		require.Equal(t, want, found)
	}
	_, err := r.LookupHost(t.Context(), "nowhere.example")
	failure, ok := errors.AsType[*net.DNSError](err)
	require.True(t, ok && failure.IsNotFound, "%v", err)

	c, err := a.Dial("udp", "10.0.0.2:53")
	require.NoError(t, err)
	defer c.Close()
	m, n := ask(t, c, "long.", 0)
	require.True(t, m.Truncated)
	require.LessOrEqual(t, n, 512)
	m, n = ask(t, c, "long.", 4096)
	require.False(t, m.Truncated)
	require.Len(t, m.Answers, 32)
	require.LessOrEqual(t, n, 1232)
	for len(asked) > 0 {
		require.Equal(t, "udp 10.0.0.1:53", <-asked)
	}
	s, err := a.Dial("tcp", "10.0.0.2:53")
	require.NoError(t, err)
	defer s.Close()
	for range 2 { // questions of one connection
		m, _ = ask(t, s, "long.", 0)
		require.Len(t, m.Answers, 32)
	}
	require.Equal(t, []string{"tcp 10.0.0.1:53", "tcp 10.0.0.1:53"}, []string{<-asked, <-asked})
}

func addresses(n int) (list string) {
	at := netip.MustParseAddr("fd00::100")
	for range n {
		list += at.String() + ","
		at = at.Next()
	}
	return list[:len(list)-1]
}

// hostile is a server that sends each of these for every question, the number of the question in
// place where it says so.
func hostile(t *testing.T, s *stack.Stack, address string, asked *atomic.Int32, reply func(question []byte) [][]byte) {
	t.Helper()
	c, err := s.ListenPacket("udp", address)
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 2000)
		for {
			n, from, err := c.ReadFrom(buf)
			if err != nil {
				return
			}
			asked.Add(1)
			for _, text := range reply(buf[:n]) {
				_, _ = c.WriteTo(text, from)
			}
		}
	}()
	t.Cleanup(func() { _ = c.Close(); <-done })
}

// withCode answers a question with a code.
func withCode(code byte) func([]byte) [][]byte {
	return func(question []byte) [][]byte {
		out := slices.Clone(question)
		out[2], out[3] = out[2]|0x80, code
		return [][]byte{out}
	}
}

// In virtual time: which server is asked for how long, and what is said in the end.
func TestUpstream_Servers(t *testing.T) {
	garbage := func(question []byte) [][]byte {
		wrong := slices.Clone(withCode(3)(question)[0])
		wrong[1]++
		return [][]byte{{}, {1}, wrong, make([]byte, 1233), question[:20]}
	}
	silent := func([]byte) [][]byte { return nil }
	for _, tt := range []struct {
		name    string
		servers []func([]byte) [][]byte // nil: nobody listens
		code    dnsmessage.RCode
		after   time.Duration
		asked   int32
	}{
		{"no such name", []func([]byte) [][]byte{withCode(3), withCode(0)}, dnsmessage.RCodeNameError, 0, 1},
		{"the first one fails", []func([]byte) [][]byte{withCode(2), withCode(3)}, dnsmessage.RCodeNameError, 0, 2},
		{"all fail", []func([]byte) [][]byte{withCode(5), withCode(5)}, dnsmessage.RCodeRefused, 0, 2},
		{"the first one says nothing", []func([]byte) [][]byte{silent, withCode(3)}, dnsmessage.RCodeNameError, 2 * time.Second, 2},
		{"nobody listens", []func([]byte) [][]byte{nil, withCode(3)}, dnsmessage.RCodeNameError, 0, 1},
		{"nobody listens anywhere", []func([]byte) [][]byte{nil, nil}, dnsmessage.RCodeServerFailure, 0, 0},
		{"garbage", []func([]byte) [][]byte{garbage, garbage}, dnsmessage.RCodeServerFailure, 4500 * time.Millisecond, 2},
		{"silence", []func([]byte) [][]byte{silent, silent, silent}, dnsmessage.RCodeServerFailure, 4500 * time.Millisecond, 3},
		{"no server", nil, dnsmessage.RCodeServerFailure, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := sockettest.Pair(t)
				var asked atomic.Int32
				var servers []netip.AddrPort
				for i, reply := range tt.servers {
					at := netip.AddrPortFrom(netip.MustParseAddr("10.0.0.1"), uint16(1000+i))
					servers = append(servers, at)
					if reply != nil {
						hostile(t, a, at.String(), &asked, reply)
					}
				}
				start(t, b, names.Config{Addresses: both, Upstream: &names.Upstream{
					Servers: func() []netip.AddrPort { return servers },
					Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
						if at := netip.MustParseAddrPort(address); tt.servers[at.Port()-1000] == nil {
							return nil, wsa.WSAECONNREFUSED // the kernel says so, a wsstack doesn't
						}
						return b.DialContext(ctx, network, address)
					},
				}})
				c, err := a.Dial("udp", "[fd00::2]:53")
				require.NoError(t, err)
				defer c.Close()
				begin := time.Now()
				m, _ := ask(t, c, "far.example.", 0)
				require.Equal(t, tt.code, m.RCode)
				require.Equal(t, tt.after, time.Since(begin))
				require.Equal(t, tt.asked, asked.Load())
			})
		})
	}
}

// More questions than the machine's resolver is asked at a time fail at once, and own names are
// answered meanwhile. Closing ends those in progress, and connections.
func TestServer_Bounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := sockettest.Pair(t)
		var asked atomic.Int32
		hostile(t, a, "10.0.0.1:1000", &asked, func([]byte) [][]byte { return nil })
		server := start(t, b, names.Config{Addresses: both, Zone: zoneOf(t, "near=10.0.0.9"), Upstream: &names.Upstream{
			Servers: func() []netip.AddrPort { return []netip.AddrPort{netip.MustParseAddrPort("10.0.0.1:1000")} }, Dial: b.DialContext,
		}})
		c, err := a.Dial("udp", "10.0.0.2:53")
		require.NoError(t, err)
		defer c.Close()
		question := dnsmessage.Message{Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName("far."), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}}}
		text, err := question.Pack()
		require.NoError(t, err)
		for range 256 {
			_, err := c.Write(text)
			require.NoError(t, err)
		}
		synctest.Wait()
		require.EqualValues(t, 256, asked.Load())
		idle, err := a.Dial("tcp", "10.0.0.2:53")
		require.NoError(t, err)
		defer idle.Close()
		begin := time.Now()
		m, _ := ask(t, c, "far.", 0)
		require.Equal(t, dnsmessage.RCodeServerFailure, m.RCode)
		m, _ = ask(t, c, "near.", 0)
		require.Equal(t, dnsmessage.RCodeSuccess, m.RCode)
		require.NoError(t, server.Close())
		require.Zero(t, time.Since(begin))
	})
}

// A connection that says nothing, too much or half of something ends.
func TestServer_Streams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := sockettest.Pair(t)
		start(t, b, names.Config{Addresses: both})
		for _, tt := range []struct {
			name, text string
			after      time.Duration
		}{
			{"silence", "", 10 * time.Second},
			{"half a length", "\x00", 10 * time.Second},
			{"half a message", "\x00\x20abc", 10 * time.Second},
			{"no message", "\x00\x00", 0},
			{"an answer", "\x00\x0cab\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00", 0},
			{"too long", "\xff\xff", 0},
		} {
			c, err := a.Dial("tcp", "10.0.0.2:53")
			require.NoError(t, err)
			_, err = c.Write([]byte(tt.text))
			require.NoError(t, err)
			begin := time.Now()
			n, err := c.Read(make([]byte, 100))
			require.Error(t, err, tt.name)
			require.Zero(t, n)
			require.Equal(t, tt.after, time.Since(begin), tt.name)
			require.NoError(t, c.Close())
		}
	})
}

// The port is taken, the stack is gone: nothing is left.
func TestStart_Fails(t *testing.T) {
	_, b := sockettest.Pair(t)
	l, err := b.Listen("tcp", "[fd00::2]:53")
	require.NoError(t, err)
	_, err = names.Start(b, names.Config{Addresses: both})
	require.Error(t, err)
	require.NoError(t, l.Close())
	server := start(t, b, names.Config{Addresses: both})
	require.NoError(t, b.Close())
	require.NoError(t, server.Close())
	require.NoError(t, server.Close())
}
