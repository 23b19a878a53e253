package stack_test

import (
	"encoding/binary"
	"fmt"
	"math/rand"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/wsstack/wsstack/internal/socket"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/faketime"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
	"github.com/wsstack/wsstack/wsa"
)

// segment builds an IPv4 TCP packet from 10.0.0.2 to 10.0.0.1, with correct
// checksums. options are padded by the caller.
func segment(from, to netip.Addr, srcPort, dstPort uint16, seq, ack uint32, flags header.TCPFlags, options, payload []byte) []byte {
	const ip = header.IPv4MinimumSize
	tcpLen := header.TCPMinimumSize + len(options)
	p := make([]byte, ip+tcpLen+len(payload))
	src, dst := tcpip.AddrFromSlice(from.AsSlice()), tcpip.AddrFromSlice(to.AsSlice())
	h := header.IPv4(p)
	h.Encode(&header.IPv4Fields{TotalLength: uint16(len(p)), TTL: 64, Protocol: 6, SrcAddr: src, DstAddr: dst})
	h.SetChecksum(^h.CalculateChecksum())
	tcp := header.TCP(p[ip:])
	tcp.Encode(&header.TCPFields{SrcPort: srcPort, DstPort: dstPort, SeqNum: seq, AckNum: ack,
		DataOffset: uint8(tcpLen), Flags: flags, WindowSize: 65535})
	copy(tcp[header.TCPMinimumSize:], options)
	copy(p[ip+tcpLen:], payload)
	sumTCP(p)
	return p
}

func sumTCP(p []byte) {
	h := header.IPv4(p)
	tcp := header.TCP(p[h.HeaderLength():])
	tcp.SetChecksum(0)
	xsum := header.PseudoHeaderChecksum(6, h.SourceAddress(), h.DestinationAddress(), uint16(len(tcp)))
	tcp.SetChecksum(^checksum.Checksum(tcp, xsum))
}

var (
	us   = netip.MustParseAddr("10.0.0.1")
	them = netip.MustParseAddr("10.0.0.2")
)

// lonely is a stack on a Func device that listens on port 80, on a clock that
// stands still; sent gets what it sends.
func lonely(t testing.TB) (s *stack.Stack, d *tun.Func, sent chan []byte) {
	t.Helper()
	sent = make(chan []byte, 4096)
	d = tun.NewFunc(1500, func(p []byte) {
		select {
		case sent <- append([]byte(nil), p...):
		default:
		}
	})
	clock := faketime.NewManualClock()
	clock.Advance(time.Hour) // netstack takes time zero for "unset"
	s, err := stack.New(stack.Config{Device: d, Clock: clock, Addresses: prefixes("10.0.0.1/24", "fd00::1/64")})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	l, err := s.Listen("tcp", ":80")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	return s, d, sent
}

// datagram6 builds an IPv6 UDP packet to fd00::1, with a correct checksum.
func datagram6(from netip.Addr, port uint16, payload []byte) []byte {
	length := uint16(header.UDPMinimumSize + len(payload))
	p := make([]byte, header.IPv6MinimumSize, header.IPv6MinimumSize+int(length))
	src, dst := tcpip.AddrFromSlice(from.AsSlice()), tcpip.AddrFromSlice(netip.MustParseAddr("fd00::1").AsSlice())
	header.IPv6(p).Encode(&header.IPv6Fields{PayloadLength: length, TransportProtocol: header.UDPProtocolNumber, HopLimit: 64, SrcAddr: src, DstAddr: dst})
	udp := header.UDP(make([]byte, header.UDPMinimumSize))
	udp.Encode(&header.UDPFields{SrcPort: 1000, DstPort: port, Length: length})
	xsum := header.PseudoHeaderChecksum(header.UDPProtocolNumber, src, dst, length)
	udp.SetChecksum(^udp.CalculateChecksum(checksum.Checksum(payload, xsum)))
	return append(append(p, udp...), payload...)
}

// A source of our own is forged, on an interface, also with IPv6.
func TestForgedSourceIPv6(t *testing.T) {
	s, d, _ := lonely(t)
	c, err := s.ListenPacket("udp6", ":53")
	require.NoError(t, err)
	defer c.Close()
	for _, tt := range []struct {
		from   string
		forged uint64
	}{{"fd00::1", 1}, {"fd00::2", 0}} {
		before := s.Stats().Dropped
		d.Inject(datagram6(netip.MustParseAddr(tt.from), 53, []byte(tt.from)))
		s.Settle()
		require.Equal(t, tt.forged, s.Stats().Dropped-before, tt.from)
	}
	require.NoError(t, c.(*endpoint.PacketConn).SetNonblocking(true))
	b := make([]byte, 100)
	n, _, err := c.ReadFrom(b)
	require.NoError(t, err)
	require.Equal(t, "fd00::2", string(b[:n]))
}

func TestMalformedPackets(t *testing.T) {
	s, d, sent := lonely(t)
	syn := func() []byte { return segment(them, us, 1000, 80, 1, 0, header.TCPFlagSyn, nil, nil) }
	patch := func(p []byte, at int, b ...byte) []byte { copy(p[at:], b); return p }
	ipSum := func(p []byte) []byte {
		h := header.IPv4(p)
		h.SetChecksum(0)
		h.SetChecksum(^h.CalculateChecksum())
		return p
	}
	for _, tt := range []struct {
		name   string
		packet []byte
	}{
		{"empty", []byte{}},
		{"one byte", []byte{0x45}},
		{"wrong version", patch(syn(), 0, 0x55)},
		{"IHL below 5", patch(syn(), 0, 0x44)},
		{"IHL beyond the packet", patch(syn(), 0, 0x4f)},
		{"total length beyond the packet", ipSum(patch(syn(), 2, 0xff, 0xff))},
		{"total length below the header", ipSum(patch(syn(), 2, 0, 10))},
		{"truncated TCP header", ipSum(patch(syn()[:30], 2, 0, 30))},
		{"TCP offset below 5", patch(syn(), 32, 0x40)},
		{"TCP offset beyond the segment", patch(syn(), 32, 0xf0)},
		{"wrong TCP checksum", patch(syn(), 36, 0, 0)},
		{"IPv6 payload length beyond the packet", append([]byte{0x60, 0, 0, 0, 0xff, 0xff, 6, 64}, make([]byte, 32)...)},
		{"IPv6 truncated", []byte{0x60, 0, 0, 0}},
		{"forged source", segment(us, us, 1000, 80, 1, 0, header.TCPFlagSyn, nil, nil)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := s.Stats()
			d.Inject(tt.packet)
			s.Settle()
			after := s.Stats()
			require.Equal(t, before.SegmentsIn, after.SegmentsIn, "not taken for a segment")
			require.Greater(t, after.Malformed+after.ChecksumErrors+after.Dropped,
				before.Malformed+before.ChecksumErrors+before.Dropped, "a counter moves")
			require.Empty(t, sent, "no answer")
		})
	}

	// Options that make no sense don't stop a connection.
	for name, options := range map[string][]byte{
		"zero-length option":            {253, 0, 1, 1},
		"option of length 1":            {253, 1, 1, 1},
		"option beyond the header":      {253, 40, 1, 1},
		"MSS of the wrong length":       {2, 3, 5, 1},
		"window scale of 255":           {3, 3, 255, 0},
		"MSS of zero":                   {2, 4, 0, 0},
		"timestamps without their data": {8, 10, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			d.Inject(segment(them, us, uint16(2000+rand.Intn(1000)), 80, 1, 0, header.TCPFlagSyn, options, nil))
			s.Settle()
			for len(sent) > 0 {
				<-sent
			}
		})
	}
	answersSYN(t, s, d, sent)
}

// answersSYN shows that the stack is still alive.
func answersSYN(t *testing.T, s *stack.Stack, d *tun.Func, sent chan []byte) {
	t.Helper()
	for len(sent) > 0 {
		<-sent
	}
	d.Inject(segment(them, us, 999, 80, 1, 0, header.TCPFlagSyn, nil, nil))
	s.Settle()
	for len(sent) > 0 {
		if tcp := header.TCP(header.IPv4(<-sent).Payload()); tcp.DestinationPort() == 999 {
			require.Equal(t, header.TCPFlagSyn|header.TCPFlagAck, tcp.Flags())
			return
		}
	}
	t.Fatal("a SYN isn't answered any more")
}

// Fragments that overlap are dropped, those that don't are put together.
func TestFragments(t *testing.T) {
	s, d, sent := lonely(t)
	whole := segment(them, us, 1234, 80, 7, 0, header.TCPFlagSyn, []byte{2, 4, 5, 180, 1, 1, 1, 1, 1, 1, 1, 1}, make([]byte, 16))
	overlap := append(cut(whole, 1, 32, 8), cut(whole, 1, 24, 16)[1])
	for _, i := range []int{0, 3, 2} {
		d.Inject(overlap[i])
	}
	s.Settle()
	require.Empty(t, sent, "overlapping fragments make no segment")
	parts := cut(whole, 2, 32)
	d.Inject(parts[1])
	d.Inject(parts[0])
	s.Settle()
	require.Len(t, sent, 1, "the SYN-ACK")
}

// Random bytes, and valid packets with random damage, never stop the stack.
func FuzzPackets(f *testing.F) {
	f.Add(segment(them, us, 1000, 80, 1, 0, header.TCPFlagSyn, []byte{2, 4, 5, 180}, nil))
	f.Add(segment(them, us, 1000, 80, 2, 1, header.TCPFlagAck|header.TCPFlagUrg, nil, []byte("data")))
	f.Add(binary.BigEndian.AppendUint32(nil, 0x45000014))
	f.Fuzz(func(t *testing.T, p []byte) {
		s, d, _ := lonely(t)
		for range 2 {
			d.Inject(p)
			if len(p) > 40 && header.IPVersion(p) == 4 && header.IPv4(p).HeaderLength() == 20 && header.IPv4(p).IsValid(len(p)) {
				sumTCP(p)
				d.Inject(p)
			}
		}
		s.Settle()
	})
}

func TestFuzzSeeds(t *testing.T) {
	s, d, sent := lonely(t)
	rng := rand.New(rand.NewSource(1))
	for range 20000 {
		p := segment(them, us, uint16(rng.Intn(4)+1), 80, rng.Uint32(), rng.Uint32(), header.TCPFlags(rng.Intn(64)),
			make([]byte, 4*rng.Intn(11)), make([]byte, rng.Intn(40)))
		rng.Read(p[20 : 20+rng.Intn(len(p)-20)])
		if rng.Intn(4) > 0 {
			p[0] = 0x45
			header.IPv4(p).SetChecksum(0)
			header.IPv4(p).SetChecksum(^header.IPv4(p).CalculateChecksum())
			sumTCP(p)
		}
		d.Inject(p)
	}
	s.Settle()
	answersSYN(t, s, d, sent)
}

// Chains of extension headers, whole and in fragments, with lengths that are right
// and wrong, while raw sockets look on.
func TestExtensionHeaders(t *testing.T) {
	s, d, sent := lonely(t)
	for _, protocol := range []int32{0, 6, 17, 58, 59, 252} {
		sock, errno := socket.New(socket.HostOf(s), wsa.AF_INET6, wsa.SOCK_RAW, protocol, "")
		require.Zero(t, errno)
		require.Zero(t, sock.Bind(netip.MustParseAddrPort("[::]:0")))
	}
	rng := rand.New(rand.NewSource(1))
	kinds := []byte{0, 43, 44, 51, 60, 253, 59, 6, 17, 58, 252}
	for range 10000 {
		kind := kinds[rng.Intn(len(kinds))]
		first := kind
		var b []byte
		for range rng.Intn(6) {
			next := kinds[rng.Intn(len(kinds))]
			length := []int{0, 0, 0, 1, 7, 254, 255}[rng.Intn(7)]
			h := make([]byte, 8*(length+1))
			h[0], h[1], h[2], h[3] = next, byte(length), byte(rng.Intn(8)), byte(rng.Intn(8))
			if rng.Intn(4) == 0 {
				rng.Read(h[1:])
			}
			b, kind = append(b, h...), next
		}
		rest := make([]byte, rng.Intn(100))
		rng.Read(rest)
		if kind == 58 && len(rest) > 0 {
			rest[0] = byte(rng.Intn(5)) // an error
		}
		packet := simnet.EncodeIP(netip.MustParseAddr("fd00::2"), netip.MustParseAddr("fd00::1"), first, append(b, rest...))
		if rng.Intn(8) == 0 {
			packet = packet[:40+rng.Intn(len(packet)-39)]
			header.IPv6(packet).SetPayloadLength(uint16(len(packet) - 40))
		}
		d.Inject(packet)
		if rng.Intn(4) == 0 {
			for _, f := range cut(packet, uint16(rng.Intn(4)), min(len(packet)-40, 8*rng.Intn(40))) {
				d.Inject(f)
			}
		}
		if rng.Intn(100) == 0 {
			s.Settle()
		}
	}
	s.Settle()
	answersSYN(t, s, d, sent)
}

// Empty datagrams cost nothing of a receive buffer; they are bounded all the
// same, and flow again once the queue was empty.
func TestEmptyDatagramsAreBounded(t *testing.T) {
	s, d, _ := lonely(t)
	p, err := s.ListenPacket("udp", ":53")
	require.NoError(t, err)
	defer p.Close()
	for _, to := range []netip.AddrPort{netip.AddrPortFrom(us, 53), netip.MustParseAddrPort("[fd00::1]:53")} {
		from := netip.AddrPortFrom(them, 1000)
		if to.Addr().Is6() {
			from = netip.MustParseAddrPort("[fd00::2]:1000")
		}
		for round := range 2 {
			for range 5000 {
				d.Inject(simnet.EncodeUDP(from, to, nil))
			}
			s.Settle()
			requireQueued(t, p, 4096, fmt.Sprintf("%v, round %d", to, round))
		}
	}
	d.Inject(simnet.EncodeUDP(netip.AddrPortFrom(them, 1000), netip.AddrPortFrom(us, 53), []byte("x")))
	s.Settle()
	n, _, err := p.ReadFrom(make([]byte, 9))
	require.NoError(t, err)
	require.Equal(t, 1, n)
}

// requireQueued reads what has arrived: so many datagrams and no more.
func requireQueued(t *testing.T, p net.PacketConn, want int, name string) {
	t.Helper()
	require.NoError(t, p.(*endpoint.PacketConn).SetNonblocking(true))
	b := make([]byte, 1)
	for got := range want {
		_, _, err := p.ReadFrom(b)
		require.NoError(t, err, "%s: after %d datagrams", name, got)
	}
	_, _, err := p.ReadFrom(b)
	require.ErrorIs(t, err, wsa.WSAEWOULDBLOCK, name)
}

// Extension headers don't hide an empty datagram.
func TestEmptyDatagramsBehindExtensionHeaders(t *testing.T) {
	s, d, _ := lonely(t)
	p, err := s.ListenPacket("udp", ":53")
	require.NoError(t, err)
	defer p.Close()
	for name, extension := range map[string][]byte{
		"\x3cdestination options": {17, 0, 1, 4, 0, 0, 0, 0},
		"\x2catomic fragment":     {17, 0, 0, 0, 0, 0, 0, 9},
	} {
		packet := simnet.EncodeUDP(netip.MustParseAddrPort("[fd00::2]:1000"), netip.MustParseAddrPort("[fd00::1]:53"), nil)
		packet = append(append(append([]byte(nil), packet[:40]...), extension...), packet[40:]...)
		packet[5] += 8
		packet[6] = name[0]
		for range 5000 {
			d.Inject(packet)
		}
		s.Settle()
		requireQueued(t, p, 4096, name[1:])
	}
}
