package trace_test

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/wsstack/wsstack/internal/trace"
)

var (
	addrA = netip.MustParseAddr("10.0.0.1")
	addrB = netip.MustParseAddr("10.0.0.2")
)

// ip4 makes an IPv4 packet; gVisor's encoder is the second opinion.
func ip4(src, dst netip.Addr, protocol uint8, flagsAndOffset uint16, payload []byte) []byte {
	h := make(header.IPv4, header.IPv4MinimumSize, 20+len(payload))
	h.Encode(&header.IPv4Fields{
		TotalLength: uint16(20 + len(payload)), TTL: 64, Protocol: protocol,
		SrcAddr: tcpip.AddrFromSlice(src.AsSlice()), DstAddr: tcpip.AddrFromSlice(dst.AsSlice()),
	})
	binary.BigEndian.PutUint16(h[6:], flagsAndOffset)
	return append(h, payload...)
}

func ip6(next uint8, payload []byte) []byte {
	h := make(header.IPv6, header.IPv6MinimumSize, 40+len(payload))
	h.Encode(&header.IPv6Fields{
		PayloadLength: uint16(len(payload)), TransportProtocol: tcpip.TransportProtocolNumber(next), HopLimit: 64,
		SrcAddr: tcpip.AddrFromSlice(netip.MustParseAddr("fd00::1").AsSlice()),
		DstAddr: tcpip.AddrFromSlice(netip.MustParseAddr("fd00::2").AsSlice()),
	})
	return append(h, payload...)
}

// segment makes a TCP header with its payload.
func segment(from, to uint16, s trace.Segment, payload string) []byte {
	options := s.Options.Append(nil)
	h := make(header.TCP, 20+len(options), 20+len(options)+len(payload))
	h.Encode(&header.TCPFields{
		SrcPort: from, DstPort: to, SeqNum: s.Seq, AckNum: s.Ack, DataOffset: uint8(20 + len(options)),
		Flags: header.TCPFlags(s.Flags), WindowSize: s.Window, UrgentPointer: s.Urgent,
	})
	copy(h[20:], options)
	return append(h, payload...)
}

func options(mss, ws int) trace.Options { return trace.Options{MSS: mss, WS: ws} }

const none = -1

func TestLine_Conversation(t *testing.T) {
	var tr trace.Tracer
	ab := func(at time.Duration, s trace.Segment, payload string) string {
		return tr.Line(at, "a", "b", ip4(addrA, addrB, 6, 0x4000, segment(5000, 80, s, payload)))
	}
	ba := func(at time.Duration, s trace.Segment, payload string) string {
		return tr.Line(at, "b", "a", ip4(addrB, addrA, 6, 0x4000, segment(80, 5000, s, payload)))
	}
	ts := func(o trace.Options, val, ecr uint32) trace.Options {
		o.Timestamps, o.TSVal, o.TSEcr = true, val, ecr
		return o
	}
	syn := ts(trace.Options{MSS: 1460, WS: 7, SACKOK: true}, 7000, 0)
	synAck := ts(trace.Options{MSS: 1460, WS: 2, SACKOK: true}, 90, 7000)
	plain := options(0, none)
	sack := ts(plain, 7300, 95)
	sack.Blocks, sack.SACK[0] = 1, [2]uint32{4_000_000_011, 4_000_000_021}
	got := []string{
		ab(0, trace.Segment{Flags: trace.SYN, Seq: 4_294_967_295, Window: 65535, Options: syn}, ""),
		ba(50*time.Millisecond, trace.Segment{Flags: trace.SYN | trace.ACK, Seq: 4_000_000_000, Ack: 0, Window: 65535, Options: synAck}, ""),
		ab(100*time.Millisecond, trace.Segment{Flags: trace.ACK | trace.PSH, Seq: 0, Ack: 4_000_000_001, Window: 512, Options: ts(plain, 7100, 90)}, "0123456789"),
		ba(150*time.Millisecond, trace.Segment{Flags: trace.ACK | trace.URG, Seq: 4_000_000_011, Ack: 10, Window: 100, Urgent: 3, Options: ts(plain, 95, 7100)}, "abcdefghij"),
		ab(300*time.Millisecond, trace.Segment{Flags: trace.ACK, Seq: 10, Ack: 4_000_000_001, Window: 512, Options: sack}, ""),
		ab(3661*time.Second, trace.Segment{Flags: trace.FIN | trace.ACK, Seq: 10, Ack: 4_000_000_021, Window: 512, Options: plain}, ""),
		ba(3662*time.Second, trace.Segment{Flags: trace.RST, Seq: 4_000_000_021, Options: plain}, ""),
	}
	require.Equal(t, strings.Split(strings.TrimSpace(`
0.000s a>b [S] seq 0 win 65535 <mss 1460,sackOK,ts 1 0,wscale 7>
0.050s b>a [S.] seq 0 ack 1 win 65535 <mss 1460,sackOK,ts 1 1,wscale 2>
0.100s a>b [P.] seq 1:11 ack 1 len 10 win 65536 <ts 101 1>
0.150s b>a [.U] seq 11:21 ack 11 len 10 win 400 urg 3 <ts 6 101>
0.300s a>b [.] seq 11 ack 1 win 65536 <ts 301 6,sack 11:21>
3661.000s a>b [F.] seq 11 ack 21 win 65536
3662.000s b>a [R] seq 21 win 0
`), "\n"), got)
}

func TestLine_Kinds(t *testing.T) {
	udp := func(size int) []byte {
		h := make(header.UDP, 8, 8+size)
		h.Encode(&header.UDPFields{SrcPort: 5000, DstPort: 53, Length: uint16(8 + size)})
		return append(h, make([]byte, size)...)
	}
	quoted := ip4(addrB, addrA, 17, 0, udp(0))
	fragment6 := func(offset uint16, payload []byte) []byte {
		return append([]byte{17, 0, byte(offset >> 8), byte(offset), 0, 0, 0, 9}, payload...)
	}
	for _, c := range []struct {
		name, want string
		packet     []byte
	}{
		{"UDP", "a>b udp 5000>53 len 12", ip4(addrA, addrB, 17, 0, udp(12))},
		{"first fragment", "a>b udp 5000>53 len 24 frag 0:32+", ip4(addrA, addrB, 17, 0x2000, udp(24))},
		{"last fragment", "a>b proto 17 frag 32:40", ip4(addrA, addrB, 17, 32/8, make([]byte, 8))},
		{"echo", "a>b icmp echo request id 1 seq 2 len 4", ip4(addrA, addrB, 1, 0, []byte{8, 0, 0, 0, 0, 1, 0, 2, 9, 9, 9, 9})},
		{"unreachable", "a>b icmp unreachable port for udp 5000>53", ip4(addrA, addrB, 1, 0, append([]byte{3, 3, 0, 0, 0, 0, 0, 0}, quoted...))},
		{"quoting eight bytes of TCP", "a>b icmp unreachable host for tcp 1>2",
			ip4(addrA, addrB, 1, 0, append([]byte{3, 1, 0, 0, 0, 0, 0, 0}, ip4(addrB, addrA, 6, 0, segment(1, 2, trace.Segment{Options: options(0, none)}, ""))[:28]...))},
		{"fragmentation needed", "a>b icmp unreachable fragmentation needed mtu 1400 for udp 5000>53",
			ip4(addrA, addrB, 1, 0, append([]byte{3, 4, 0, 0, 0, 0, 5, 120}, quoted...))},
		{"unknown ICMP", "a>b icmp type 99 code 7", ip4(addrA, addrB, 1, 0, []byte{99, 7, 0, 0, 0, 0, 0, 0})},
		{"other protocol", "a>b proto 47 len 3", ip4(addrA, addrB, 47, 0, []byte{1, 2, 3})},
		{"IPv6 UDP", "a>b udp 5000>53 len 12", ip6(17, udp(12))},
		{"IPv6 behind options", "a>b udp 5000>53 len 12", ip6(0, append([]byte{17, 0, 1, 4, 0, 0, 0, 0}, udp(12)...))},
		{"IPv6 first fragment", "a>b udp 5000>53 len 24 frag 0:32+", ip6(44, fragment6(1, udp(24)))},
		{"IPv6 last fragment", "a>b proto 17 frag 32:40", ip6(44, fragment6(32, make([]byte, 8)))},
		{"ICMPv6", "a>b icmp6 neighbor solicitation", ip6(58, make([]byte, 24))[:64]},
		{"packet too big", "a>b icmp6 packet too big mtu 1280 for udp 5000>53", ip6(58, append([]byte{2, 0, 0, 0, 0, 0, 5, 0}, ip6(17, udp(0))...))},
		{"empty", "a>b malformed: empty, 0 bytes", nil},
		{"neither version", "a>b malformed: not IP, 1 bytes", []byte{0x10}},
		{"TCP header cut off", "a>b malformed: short TCP header, 25 bytes", ip4(addrA, addrB, 6, 0, make([]byte, 5))},
		{"TCP options cut off", "a>b [.] seq 1 ack 1 win 0 <mss 1460,cut off>", ip4(addrA, addrB, 6, 0, cutOptions())[:46]},
		{"TCP offset too large", "a>b malformed: TCP data offset, 40 bytes", ip4(addrA, addrB, 6, 0, cutOptions()[:20])},
		{"TCP offset too small", "a>b malformed: TCP data offset, 40 bytes", ip4(addrA, addrB, 6, 0, make([]byte, 20))},
		{"bad option", "a>b [.] seq 0 ack 0 win 0 <bad>", ip4(addrA, addrB, 6, 0, badOption())},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.name == "ICMPv6" {
				c.packet[40] = 135
			}
			var tr trace.Tracer
			got := tr.Line(0, "a", "b", c.packet)
			if c.name == "bad option" {
				require.Contains(t, got, "<bad>")
				return
			}
			require.Equal(t, "0.000s "+c.want, got)
		})
	}
}

func badOption() []byte {
	h := segment(1, 2, trace.Segment{Flags: trace.ACK, Options: options(1460, none)}, "")
	h[21] = 9 // the length of the MSS option runs out of the header
	return h
}

// cutOptions is a header with an MSS, no operations and timestamps.
func cutOptions() []byte {
	h := make([]byte, 36)
	h[12], h[13] = 36/4<<4, byte(trace.ACK)
	copy(h[20:], []byte{2, 4, 1460 >> 8, 1460 & 0xff, 1, 8, 10})
	return h
}

func TestLine_WithoutNames(t *testing.T) {
	var tr trace.Tracer
	s := segment(5000, 80, trace.Segment{Flags: trace.SYN, Seq: 9, Window: 1, Options: options(0, none)}, "")
	require.Equal(t, "0.000s 10.0.0.1:5000>10.0.0.2:80 [S] seq 0 win 1", tr.Line(0, "", "", ip4(addrA, addrB, 6, 0, s)))
	require.Equal(t, "0.000s [fd00::1]:5000>[fd00::2]:80 [S] seq 0 win 1", tr.Line(0, "", "", ip6(6, s)))
	tr.Ports = true
	require.Equal(t, "0.000s a>b 5000>80 [S] seq 0 win 1", tr.Line(0, "a", "b", ip4(addrA, addrB, 6, 0, s)))
}

// A second connection on the same ports starts from zero again.
func TestLine_PortsUsedAgain(t *testing.T) {
	var tr trace.Tracer
	syn := func(seq uint32) string {
		return tr.Line(0, "a", "b", ip4(addrA, addrB, 6, 0, segment(5000, 80, trace.Segment{Flags: trace.SYN, Seq: seq, Options: options(0, none)}, "")))
	}
	require.Equal(t, syn(100), syn(100), "a retransmission")
	require.Equal(t, syn(100), syn(90_000), "a new connection")
}

// A capture that was cut off behind the headers gives the same line.
func TestLine_Truncated(t *testing.T) {
	whole := ip4(addrA, addrB, 6, 0, segment(5000, 80, trace.Segment{Flags: trace.ACK, Options: options(0, none)}, strings.Repeat("x", 1000)))
	var t1, t2 trace.Tracer
	require.Equal(t, t1.Line(0, "a", "b", whole), t2.Line(0, "a", "b", whole[:60]))
}

func TestFlags_RoundTrip(t *testing.T) {
	for f := range 256 {
		got, ok := trace.ParseFlags(trace.Flags(f).String())
		require.True(t, ok)
		require.Equal(t, trace.Flags(f), got)
	}
	for _, s := range []string{"s", "X", "S,"} {
		_, ok := trace.ParseFlags(s)
		require.False(t, ok, s)
	}
	f, ok := trace.ParseFlags("SA")
	require.True(t, ok)
	require.Equal(t, trace.SYN|trace.ACK, f)
}

func TestOptions_RoundTrip(t *testing.T) {
	for _, o := range []trace.Options{
		{WS: none}, {WS: 0}, {MSS: 536, WS: none}, {MSS: 1460, WS: 14, SACKOK: true, Timestamps: true, TSVal: 1, TSEcr: 2},
		{WS: none, Blocks: 4, SACK: [4][2]uint32{{1, 2}, {3, 4}, {5, 6}, {7, 1 << 31}}},
		{WS: none, Timestamps: true, Blocks: 3, SACK: [4][2]uint32{{1, 2}, {3, 4}, {5, 6}}},
	} {
		b := o.Append(nil)
		require.Zero(t, len(b)%4)
		require.Equal(t, o, trace.ParseOptions(b))
	}
}

// FuzzLine: no bytes panic, and every line is one line.
func FuzzLine(f *testing.F) {
	for _, s := range []string{
		"", "45", "60", "4500001400000000400600000a0000010a000002",
		hex.EncodeToString(ip4(addrA, addrB, 6, 0, segment(1, 2, trace.Segment{Flags: 2, Options: options(1460, 7)}, "x"))),
		hex.EncodeToString(ip6(0, []byte{44, 0, 1, 4, 0, 0, 0, 0, 6, 0, 0, 1, 0, 0, 0, 1})),
		hex.EncodeToString(ip4(addrA, addrB, 1, 0, append([]byte{3, 3, 0, 0, 0, 0, 0, 0}, ip4(addrB, addrA, 6, 0, make([]byte, 8))...))),
	} {
		b, err := hex.DecodeString(s)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, []byte{})
	}
	f.Fuzz(func(t *testing.T, first, second []byte) {
		var tr trace.Tracer
		for _, b := range [][]byte{first, second, first} {
			line := tr.Line(0, "a", "b", b)
			if strings.ContainsAny(line, "\r\n") || !strings.HasPrefix(line, "0.000s a>b ") {
				t.Fatalf("Line(%x) = %q", b, line)
			}
			tr.Line(0, "", "", b)
			p := trace.Parse(b)
			if p.Kind != trace.Malformed && p.Payload > len(b) {
				t.Fatalf("Parse(%x).Payload = %d beyond the packet", b, p.Payload)
			}
		}
	})
}

func BenchmarkLine(b *testing.B) {
	var tr trace.Tracer
	packet := ip4(addrA, addrB, 6, 0, segment(5000, 80, trace.Segment{Flags: trace.ACK, Options: trace.Options{WS: none, Timestamps: true}}, strings.Repeat("x", 1000)))
	var line []byte
	b.ReportAllocs()
	for b.Loop() {
		line = tr.Append(line[:0], time.Second, "a", "b", packet)
	}
}
