package stack_test

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/faketime"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
	"github.com/wsstack/wsstack/wsa"
)

// A Ping has the reply with its round trip and the hops that are left, of others
// and of the stack itself, without a raw socket and whoever may make one.
func TestPing(t *testing.T) {
	n := simnet.New(t)
	a := n.HostConfig("a", stack.Config{Addresses: prefixes("10.0.0.1/24", "fd00::1/64"), DenyRaw: true})
	b := n.Host("b", "10.0.0.2/24", "fd00::2/64")
	n.Link(a, b, simnet.Delay(20*time.Millisecond))
	for _, tt := range []struct {
		to, from, local string
		rtt             time.Duration
		ttl             int
	}{
		{"10.0.0.2", "10.0.0.2", "10.0.0.1", 40 * time.Millisecond, 128},
		{"::ffff:10.0.0.2", "10.0.0.2", "10.0.0.1", 40 * time.Millisecond, 128},
		{"fd00::2", "fd00::2", "fd00::1", 40 * time.Millisecond, 128},
		{"10.0.0.1", "10.0.0.1", "10.0.0.1", 0, 128},
		{"fd00::1", "fd00::1", "fd00::1", 0, 128},
		{"127.0.0.1", "127.0.0.1", "127.0.0.1", 0, 128},
		{"::1", "::1", "::1", 0, 128},
		{"0.0.0.0", "127.0.0.1", "127.0.0.1", 0, 128},
		{"::", "::1", "::1", 0, 128},
	} {
		var reply stack.PingReply
		var err error
		require.NoError(t, n.Do("ping", func() { reply, err = a.Ping(t.Context(), netip.MustParseAddr(tt.to)) }))
		require.NoError(t, err, tt.to)
		want := stack.PingReply{From: netip.MustParseAddr(tt.from), Local: netip.MustParseAddr(tt.local), RTT: tt.rtt, TTL: tt.ttl}
		require.Equal(t, want, reply, tt.to)
	}
	require.Zero(t, a.Stats().Sockets)
}

// deadlineOnly is a context that never ends by itself.
type deadlineOnly struct {
	context.Context
	at time.Time
}

func (d deadlineOnly) Deadline() (time.Time, bool) { return d.at, true }

// Without a deadline a Ping waits 4 s, as Windows' ping does, and with one as long
// as that says, by the stack's clock. A context that ends, ends it.
func TestPing_Time(t *testing.T) {
	n := simnet.New(t)
	a := n.Host("a", "10.0.0.1/24", "fd00::1/64")
	b := n.Host("b", "10.0.0.2/24", "fd00::2/64")
	n.Link(a, b, simnet.Loss(1))
	for _, to := range []string{"10.0.0.2", "fd00::2"} {
		addr := netip.MustParseAddr(to)
		for name, tt := range map[string]struct {
			ctx   func() (context.Context, context.CancelFunc)
			takes time.Duration
			want  error
		}{
			"no deadline": {func() (context.Context, context.CancelFunc) { return t.Context(), func() {} }, 4 * time.Second, wsa.WSAETIMEDOUT},
			"simnet's": {func() (context.Context, context.CancelFunc) {
				return n.WithTimeout(t.Context(), time.Minute)
			}, time.Minute, context.DeadlineExceeded},
			"a deadline of the stack's clock": {func() (context.Context, context.CancelFunc) {
				return deadlineOnly{t.Context(), a.Clock().Now().Add(time.Hour)}, func() {}
			}, time.Hour, context.DeadlineExceeded},
			"one that has passed": {func() (context.Context, context.CancelFunc) {
				return deadlineOnly{t.Context(), a.Clock().Now().Add(-time.Hour)}, func() {}
			}, 0, context.DeadlineExceeded},
			"canceled meanwhile": {func() (context.Context, context.CancelFunc) {
				ctx, cancel := n.WithCancel(t.Context())
				n.Clock().AfterFunc(time.Second, cancel)
				return ctx, cancel
			}, time.Second, context.Canceled},
			"canceled before": {func() (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				return ctx, cancel
			}, 0, context.Canceled},
		} {
			ctx, cancel := tt.ctx()
			start, sent := n.Now(), a.Stats().PacketsOut
			var err error
			require.NoError(t, n.Do("ping", func() { _, err = a.Ping(ctx, addr) }))
			require.ErrorIs(t, err, tt.want, name)
			require.Equal(t, tt.takes, n.Now()-start, name)
			require.LessOrEqual(t, a.Stats().PacketsOut-sent, uint64(1), "one request")
			cancel()
			var op *net.OpError
			require.ErrorAs(t, err, &op)
			require.Equal(t, to, op.Addr.String())
			require.Equal(t, !errors.Is(err, context.Canceled), op.Timeout(), name)
		}
	}
	require.Zero(t, n.Timers(), "timers that are left")
}

// What was never sent has an error at once.
func TestPing_Refused(t *testing.T) {
	s, err := stack.New(stack.Config{})
	require.NoError(t, err)
	for _, tt := range []struct {
		addr netip.Addr
		want error
	}{
		{netip.Addr{}, wsa.WSAEFAULT},
		{netip.MustParseAddr("10.0.0.2"), wsa.WSAENETUNREACH},
		{netip.MustParseAddr("fd00::2"), wsa.WSAENETUNREACH},
		{netip.MustParseAddr("fe80::1%eth0"), wsa.WSAENETUNREACH},
	} {
		_, err := s.Ping(t.Context(), tt.addr)
		require.ErrorIs(t, err, tt.want, tt.addr)
		var op *net.OpError
		require.ErrorAs(t, err, &op)
	}
	require.NoError(t, s.Close())
	_, err = s.Ping(t.Context(), netip.MustParseAddr("127.0.0.1"))
	require.ErrorIs(t, err, wsa.WSAENETDOWN)
}

// Thousands at once get their own replies, and leave nothing.
func TestPing_ManyAtOnce(t *testing.T) {
	a, _ := pair(t)
	var wg sync.WaitGroup
	for i := range 500 {
		for _, to := range []string{"10.0.0.2", "fd00::2", "10.0.0.1", "::1"} {
			wg.Go(func() {
				reply, err := a.Ping(t.Context(), netip.MustParseAddr(to))
				assert.NoError(t, err, "%d to %s", i, to)
				assert.Equal(t, to, reply.From.String())
				assert.Positive(t, reply.RTT)
			})
		}
	}
	wg.Wait()
	require.Zero(t, a.Stats().Sockets)
	require.Zero(t, a.EchoesWaiting())
}

// A Ping that waits ends with the stack; in a bubble, whose time stands still
// meanwhile, it works.
func TestPing_CloseAndBubble(t *testing.T) {
	d, sent := recorder(t)
	s, err := stack.New(stack.Config{Device: d, Clock: faketime.NewManualClock(), Addresses: prefixes("10.0.0.1/24")})
	require.NoError(t, err)
	done := make(chan error)
	for range 10 {
		go func() {
			_, err := s.Ping(t.Context(), netip.MustParseAddr("10.0.0.2"))
			done <- err
		}()
	}
	for range 10 {
		<-sent
	}
	require.NoError(t, s.Close())
	for range 10 {
		require.ErrorIs(t, <-done, wsa.WSAENETDOWN)
	}
	require.Zero(t, s.EchoesWaiting())
	a, _ := pair(t)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		reply, err := a.Ping(ctx, netip.MustParseAddr("fd00::2"))
		require.NoError(t, err)
		require.Less(t, reply.RTT, time.Hour)
	})
}

// An asker is a stack that pings a peer played by hand.
type asker struct {
	*stack.Stack
	clock *faketime.ManualClock
	d     *tun.Func
	sent  chan []byte
	done  chan error
	reply stack.PingReply
	v4    bool
}

func newAsker(t *testing.T, v4 bool) *asker {
	p := &asker{clock: faketime.NewManualClock(), v4: v4, done: make(chan error, 1)}
	p.d, p.sent = recorder(t)
	s, err := stack.New(stack.Config{Device: p.d, Clock: p.clock, Addresses: prefixes("10.0.0.1/24", "fd00::1/64", "10.0.0.9/24", "fd00::9/64")})
	require.NoError(t, err)
	p.Stack = s
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return p
}

// ask starts a Ping and returns its request.
func (p *asker) ask(t *testing.T, to string) (request []byte) {
	go func() {
		var err error
		p.reply, err = p.Ping(t.Context(), netip.MustParseAddr(to))
		p.done <- err
	}()
	return <-p.sent
}

// icmpMessage is the ICMP message in a packet.
func icmpMessage(packet []byte) []byte {
	if packet[0]>>4 == 4 {
		return packet[header.IPv4MinimumSize:]
	}
	return packet[header.IPv6MinimumSize:]
}

// icmpPacket is a packet with an ICMP message, whose checksum is put in.
func icmpPacket(from, to string, ttl uint8, message []byte) []byte {
	src, dst := netip.MustParseAddr(from), netip.MustParseAddr(to)
	s, d := tcpip.AddrFromSlice(src.AsSlice()), tcpip.AddrFromSlice(dst.AsSlice())
	message = append([]byte(nil), message...)
	message[2], message[3] = 0, 0
	if src.Is4() {
		binary.BigEndian.PutUint16(message[2:], ^checksum.Checksum(message, 0))
		b := make([]byte, header.IPv4MinimumSize)
		header.IPv4(b).Encode(&header.IPv4Fields{TotalLength: uint16(len(b) + len(message)), TTL: ttl, Protocol: 1, SrcAddr: s, DstAddr: d})
		header.IPv4(b).SetChecksum(^header.IPv4(b).CalculateChecksum())
		return append(b, message...)
	}
	sum := header.PseudoHeaderChecksum(header.ICMPv6ProtocolNumber, s, d, uint16(len(message)))
	binary.BigEndian.PutUint16(message[2:], ^checksum.Checksum(message, sum))
	b := make([]byte, header.IPv6MinimumSize)
	header.IPv6(b).Encode(&header.IPv6Fields{PayloadLength: uint16(len(message)), TransportProtocol: header.ICMPv6ProtocolNumber, HopLimit: ttl, SrcAddr: s, DstAddr: d})
	return append(b, message...)
}

// echoEnds are who pings whom by hand, and from where a router answers.
var echoEnds = []struct {
	v4                               bool
	own, second, peer, other, router string
	replyType                        byte
}{
	{true, "10.0.0.1", "10.0.0.9", "10.0.0.2", "10.0.0.3", "10.0.0.254", 0},
	{false, "fd00::1", "fd00::9", "fd00::2", "fd00::3", "fd00::ffff", 129},
}

// The reply must have the request's number and content, come from the address that
// was asked, to the one that did, and be whole. What isn't, and what comes twice, is
// nobody's.
func TestPing_HostileReplies(t *testing.T) {
	for _, e := range echoEnds {
		p := newAsker(t, e.v4)
		request := p.ask(t, e.peer)
		reply := append([]byte(nil), icmpMessage(request)...)
		reply[0] = e.replyType
		require.Len(t, reply, 40)
		with := func(at int, x byte) []byte {
			m := append([]byte(nil), reply...)
			m[at] ^= x
			return m
		}
		damaged := icmpPacket(e.peer, e.own, 9, reply)
		damaged[len(damaged)-40+3] ^= 1
		for name, packet := range map[string][]byte{
			"another identifier":      icmpPacket(e.peer, e.own, 9, with(4, 1)),
			"another sequence number": icmpPacket(e.peer, e.own, 9, with(7, 1)),
			"other content":           icmpPacket(e.peer, e.own, 9, with(39, 1)),
			"other first bytes":       icmpPacket(e.peer, e.own, 9, with(8, 0x80)),
			"a code":                  icmpPacket(e.peer, e.own, 9, with(1, 1)),
			"another type":            icmpPacket(e.peer, e.own, 9, with(0, 8)),
			"another host":            icmpPacket(e.other, e.own, 9, reply),
			"shorter":                 icmpPacket(e.peer, e.own, 9, reply[:39]),
			"longer":                  icmpPacket(e.peer, e.own, 9, append(reply[:40:40], 0)),
			"no content":              icmpPacket(e.peer, e.own, 9, reply[:8]),
			"a header that ends":      icmpPacket(e.peer, e.own, 9, reply[:5]),
			"a wrong checksum":        damaged,
			"another address of ours": icmpPacket(e.peer, e.second, 9, reply),
		} {
			p.d.Inject(packet)
			p.Settle()
			require.Empty(t, p.done, name)
			require.Equal(t, 1, p.EchoesWaiting(), name)
		}
		p.clock.Advance(time.Second)
		for range 3 { // duplicates
			p.d.Inject(icmpPacket(e.peer, e.own, 9, reply))
		}
		p.d.Inject(icmpPacket(e.peer, e.own, 200, reply))
		require.NoError(t, <-p.done)
		require.Equal(t, stack.PingReply{From: netip.MustParseAddr(e.peer), Local: netip.MustParseAddr(e.own), RTT: time.Second, TTL: 9}, p.reply)
		p.Settle()
		p.d.Inject(icmpPacket(e.peer, e.own, 9, reply)) // late
		p.Settle()
		require.Zero(t, p.EchoesWaiting())
	}
}

// An ICMP error that quotes the request ends the Ping, and says who it came from.
// One that quotes something else doesn't.
func TestPing_ICMPErrors(t *testing.T) {
	for _, tt := range []struct {
		end        int
		kind, code byte
		want       wsa.Errno // 0: nothing
		text       string
	}{
		{0, 3, 0, wsa.WSAENETUNREACH, "destination unreachable (ICMP type 3, code 0, from 10.0.0.254)"},
		{0, 3, 6, wsa.WSAENETUNREACH, ""},
		{0, 3, 11, wsa.WSAENETUNREACH, ""},
		{0, 3, 1, wsa.WSAEHOSTUNREACH, ""},
		{0, 3, 2, wsa.WSAEHOSTUNREACH, ""},
		{0, 3, 13, wsa.WSAEHOSTUNREACH, ""},
		{0, 3, 4, 0, ""}, // too big: it isn't
		{0, 4, 0, 0, ""}, // source quench
		{0, 5, 1, 0, ""}, // redirect
		{0, 11, 0, wsa.WSAENETRESET, "time exceeded (ICMP type 11, code 0, from 10.0.0.254)"},
		{0, 12, 0, wsa.WSAEINVAL, "parameter problem (ICMP type 12, code 0, from 10.0.0.254)"},
		{1, 1, 0, wsa.WSAENETUNREACH, "destination unreachable (ICMP type 1, code 0, from fd00::ffff)"},
		{1, 1, 3, wsa.WSAEHOSTUNREACH, ""},
		{1, 2, 0, 0, ""},
		{1, 3, 0, wsa.WSAENETRESET, "time exceeded (ICMP type 3, code 0, from fd00::ffff)"},
		{1, 4, 1, wsa.WSAEINVAL, "parameter problem (ICMP type 4, code 1, from fd00::ffff)"},
	} {
		e := echoEnds[tt.end]
		p := newAsker(t, e.v4)
		request := p.ask(t, e.peer)
		packet := func(quote []byte) []byte {
			m := make([]byte, 8, 100)
			m[0], m[1] = tt.kind, tt.code
			if tt.kind == 2 || tt.code == 4 && e.v4 {
				binary.BigEndian.PutUint16(m[6:], 1280) // the MTU
			}
			return icmpPacket(e.router, e.own, 64, append(m, quote...))
		}
		with := func(at int) []byte {
			q := append([]byte(nil), request...)
			q[at] ^= 1
			return q
		}
		at := len(request) - 40 // of the message
		damaged := packet(request)
		damaged[len(damaged)-len(request)-8+2] ^= 1
		for name, hostile := range map[string][]byte{
			"another number":      packet(with(at + 5)),
			"other content":       packet(with(len(request) - 1)),
			"a reply":             packet(append(append(append([]byte(nil), request[:at]...), e.replyType), request[at+1:]...)),
			"another destination": packet(with(at - 1)),
			"too little":          packet(request[:at+7]),
			"nothing":             packet(nil),
			"a wrong checksum":    damaged,
		} {
			p.d.Inject(hostile)
			p.Settle()
			require.Empty(t, p.done, "%v: %s", tt, name)
		}
		p.d.Inject(packet(request[:at+8])) // all that RFC 792 wants
		p.Settle()
		if tt.want == 0 {
			require.Empty(t, p.done, tt)
			p.clock.Advance(5 * time.Second)
			require.ErrorIs(t, <-p.done, wsa.WSAETIMEDOUT)
			continue
		}
		err := <-p.done
		require.ErrorIs(t, err, tt.want, tt)
		var icmp *stack.ICMPError
		require.ErrorAs(t, err, &icmp)
		require.Equal(t, &stack.ICMPError{From: netip.MustParseAddr(e.router), Type: tt.kind, Code: tt.code}, icmp)
		if tt.text != "" {
			require.Equal(t, tt.text, icmp.Error())
		}
	}
}

// A router of ours passes a Ping on, and its errors say that there is no way.
func TestPing_Router(t *testing.T) {
	da, dr := tun.Pipe(1500)
	far := make(chan []byte, 10)
	var df *tun.Func
	df = tun.NewFunc(1500, func(p []byte) {
		far <- append([]byte(nil), p...)
		m := append([]byte(nil), icmpMessage(p)...)
		if p[0]>>4 == 4 {
			m[0] = 0
			df.Inject(icmpPacket("10.2.0.7", "10.1.0.2", 50, m))
			return
		}
		m[0] = 129
		df.Inject(icmpPacket("fd02::7", "fd01::2", 50, m))
	})
	a, err := stack.New(stack.Config{Device: da, Addresses: prefixes("10.1.0.2/24", "fd01::2/64"), Routes: []stack.Route{
		{Destination: netip.MustParsePrefix("0.0.0.0/0"), Gateway: netip.MustParseAddr("10.1.0.1")},
		{Destination: netip.MustParsePrefix("::/0"), Gateway: netip.MustParseAddr("fd01::1")},
	}})
	require.NoError(t, err)
	defer a.Close()
	router, err := stack.New(stack.Config{Device: dr, Addresses: prefixes("10.1.0.1/24", "fd01::1/64"), Forwarding: true, Routes: []stack.Route{}})
	require.NoError(t, err)
	defer router.Close()
	require.NoError(t, router.AddDevice(df, prefixes("10.2.0.1/24", "fd02::1/64")...))
	for to, nowhere := range map[string]string{"10.2.0.7": "10.9.0.1", "fd02::7": "fd09::1"} {
		reply, err := a.Ping(t.Context(), netip.MustParseAddr(to))
		require.NoError(t, err)
		require.Equal(t, 49, reply.TTL)
		require.Len(t, far, 1)
		<-far
		_, err = a.Ping(t.Context(), netip.MustParseAddr(nowhere))
		require.ErrorIs(t, err, wsa.WSAENETUNREACH)
		var icmp *stack.ICMPError
		require.ErrorAs(t, err, &icmp)
	}
}

// A group or a broadcast address is answered by whoever is first.
func TestPing_Groups(t *testing.T) {
	for _, tt := range []struct {
		to, from string
		reply    byte
		ttlAt    int
		ttl      byte
	}{
		{"224.0.0.1", "10.0.0.7", 0, 8, 1},
		{"10.0.0.255", "10.0.0.7", 0, 8, 128},
		{"ff02::1", "fd00::7", 129, 7, 1},
	} {
		p := newAsker(t, tt.reply == 0)
		request := p.ask(t, tt.to)
		require.Equal(t, tt.ttl, request[tt.ttlAt], "%s %x", tt.to, request)
		p.Settle()
		require.Empty(t, p.done, "the stack answers itself")
		require.Empty(t, p.sent, "and by the device")
		reply := append([]byte(nil), icmpMessage(request)...)
		reply[0] = tt.reply
		own := map[bool]string{true: "10.0.0.1", false: "fd00::1"}[p.v4]
		p.d.Inject(icmpPacket(tt.from, own, 9, reply))
		require.NoError(t, <-p.done)
		require.Equal(t, tt.from, p.reply.From.String())
	}
}

// Whatever comes while a Ping waits, nobody answers in its stead who hasn't seen
// the request: neither a message nor an error that quotes one.
func FuzzEchoes(f *testing.F) {
	for _, e := range echoEnds {
		message := make([]byte, 40)
		message[0] = e.replyType
		f.Add(e.v4, false, message)
		quote := icmpPacket(e.own, e.peer, 128, append([]byte{map[bool]byte{true: 8, false: 128}[e.v4]}, message[1:]...))
		f.Add(e.v4, true, append([]byte{map[bool]byte{true: 3, false: 1}[e.v4], 0, 0, 0, 0, 0, 0, 0}, quote...))
		f.Add(e.v4, true, quote[:30])
		f.Add(e.v4, false, []byte{})
	}
	f.Fuzz(func(t *testing.T, v4, router bool, message []byte) {
		e := echoEnds[1]
		if v4 {
			e = echoEnds[0]
		}
		if len(message) < 4 || len(message) > 1400 {
			return
		}
		p := newAsker(t, v4)
		p.ask(t, e.peer)
		from := e.peer
		if router {
			from = e.router
		}
		p.d.Inject(icmpPacket(from, e.own, 9, message))
		p.Settle()
		require.Empty(t, p.done)
		require.Equal(t, 1, p.EchoesWaiting())
		p.clock.Advance(time.Minute)
		require.ErrorIs(t, <-p.done, wsa.WSAETIMEDOUT)
	})
}
