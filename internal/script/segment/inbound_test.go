package segment_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/internal/inet"
	"github.com/wsstack/wsstack/internal/script/segment"
	"github.com/wsstack/wsstack/internal/trace"
)

// The bytes of each kind of packet, written by hand; "|" stands where the transport begins, and
// checksums were computed apart from the code.
func TestInbound_Bytes(t *testing.T) {
	for _, tt := range []struct {
		script string
		c      segment.Config
		want   string
	}{
		{
			"< S 5:5(0) win 1000 <mss 1460,sackOK,nop,nop>", hosts4,
			"45000030 00004000 4006 b81d c0000201 c0a80001|" +
				"9c40 1f90 00000005 00000000 7002 03e8 SUM 0000 020405b4 04020101",
		},
		{
			"< (tos 0x12, ttl 3) 7 > 9 RW. 1:3(2) ack 4 win 5 urg 6 \"hi\"", hosts4,
			"4512002a 00004000 0306 f511 c0000201 c0a80001|" +
				"0007 0009 00000001 00000004 5094 0005 SUM 0006 6869",
		},
		{
			"< [ce] udp 1 > 2 (3) \"abc\"", hosts4,
			"4503001f 00004000 4011 b820 c0000201 c0a80001|0001 0002 000b SUM 616263",
		},
		{
			"< (flowlabel 0x12345) udp (2)", hosts6,
			"60012345 000a 11 40 20010db8000000000000000000000001 fd3d0000000000000000000000000001|" +
				"1f90 1f90 000a SUM 0000",
		},
		{
			"< icmp echo_request id 7 [raw (10)]", hosts4,
			"4500001e 00004000 4001 b834 c0000201 c0a80001|0800 SUM 0007 0000 0000",
		},
		{
			"< icmp packet_too_big mtu 1300 [5 > 6 11:21(10)]", hosts6,
			"60000000 0038 3a 40 20010db8000000000000000000000001 fd3d0000000000000000000000000001|" +
				"0200 SUM 00000514" +
				"60000000 001e 06 40 fd3d0000000000000000000000000001 20010db8000000000000000000000001 0005 0006 0000000b",
		},
		{
			"< icmp unreachable frag_needed mtu 576 [udp 5 > 6 (10)]", hosts4,
			"45000038 00004000 4001 b81a c0000201 c0a80001|0304 SUM 0000 0240" +
				"45000026 00004000 4011 b81c c0a80001 c0000201 0005 0006 0012 7d14",
		},
		{"< icmp type_9 code_2 [raw (8)]", hosts4, "4500001c 00004000 4001 b836 c0000201 c0a80001|0902 SUM 0000 0000"},
	} {
		b, err := segment.New(tt.c).Inbound(packetOf(t, tt.script))
		require.NoError(t, err, tt.script)
		header, transport, _ := strings.Cut(strings.ReplaceAll(tt.want, " ", ""), "|")
		before, after, _ := strings.Cut(transport, "SUM")
		got := hex.EncodeToString(b)
		at := len(header) + len(before)
		require.Len(t, got, at+4+len(after), tt.script)
		assert.Equal(t, header+before+"SUM"+after, got[:at]+"SUM"+got[at+4:], tt.script)
		assertChecksums(t, b, true)
	}
}

// assertChecksums looks whether the transport's checksum is right, in code of its own.
func assertChecksums(t *testing.T, b []byte, right bool) {
	t.Helper()
	p := trace.Parse(b)
	words := append(append(p.Source.AsSlice(), p.Dest.AsSlice()...), 0, p.Protocol)
	size := len(b) - p.Transport
	words = append(words, byte(size>>8), byte(size))
	if p.Protocol == 1 {
		words = nil
	}
	words = append(words, b[p.Transport:]...)
	if len(words)%2 == 1 {
		words = append(words, 0)
	}
	sum := 0
	for i := 0; i < len(words); i += 2 {
		sum += int(words[i])<<8 | int(words[i+1])
	}
	assert.Equal(t, right, sum%0xffff == 0, "% x", b)
}

func TestInbound_BadChecksum(t *testing.T) {
	for _, text := range []string{"< S 0:0(0) win 1000", "< udp (9)", "< icmp echo_request id 5"} {
		for _, c := range []segment.Config{hosts4, hosts6} {
			b, err := segment.New(c).Inbound(packetOf(t, text+" bad checksum"))
			require.NoError(t, err, text)
			assertChecksums(t, b, false)
		}
	}
}

// Neither wraparound nor UDP's "none" makes a spoilt checksum a right one.
func TestInbound_BadChecksum_AllSums(t *testing.T) {
	p := packetOf(t, `< udp (2) "ab" bad checksum`)
	s := segment.New(hosts4)
	for sum := range 1 << 16 {
		p.UDP.Payload = []byte{byte(sum >> 8), byte(sum)}
		b, err := s.Inbound(p)
		require.NoError(t, err)
		h := inet.Header{Source: hosts4.Remote, Dest: hosts4.Local, Protocol: 17}
		require.False(t, h.ChecksumFits(b[20:]), "% x", b)
	}
}

// The numbers of a script count from the first number of their side, on the wire and back.
func TestInbound_Numbers(t *testing.T) {
	s := newStage(t, hosts4)
	s.Listen()
	assert.Equal(t, uint32(4294967290), s.in("< S 4294967290:4294967290(0) win 1000").Seq)
	s.out("> S. 500:500(0) ack 4294967291", seg{flags: trace.SYN | trace.ACK, seq: 4294967295, ack: 4294967291})

	assert.Equal(t, uint32(4294967290), s.in("< S 4294967290:4294967290(0) win 1000").Seq, "a SYN has the number as it is")
	got := s.in("< S. 7:7(0) ack 501 win 1")
	assert.Equal(t, uint32(0), got.Ack, "what acknowledges in a SYN counts as the stack's SYN does")

	got = s.in("< P. 11:16(5) ack 3 win 9 <nop,nop,sack 5:9 11:21>")
	assert.Equal(t, trace.PSH|trace.ACK, got.Flags)
	assert.Equal(t, uint32(5), got.Seq)
	assert.Equal(t, uint32(2), got.Ack)
	assert.Equal(t, 5, got.Len)
	assert.Equal(t, uint16(9), got.Window)
	assert.Equal(t, [4][2]uint32{{4, 8}, {10, 20}}, got.Options.SACK)

	s.out("> . 3:3(0) ack 16 <nop,nop,sack 21:31>", seg{
		flags: trace.ACK, seq: 2, ack: 10, options: []byte{1, 1, 5, 10, 0, 0, 0, 15, 0, 0, 0, 25},
	})
}

// Where nothing has been sent, an ICMP error has nothing to quote; then it quotes what was sent last.
func TestInbound_QuotesTheLast(t *testing.T) {
	s := established(t, hosts4)
	last := seg{flags: trace.ACK, seq: 70001, ack: 1001, payload: make([]byte, 1000)}
	s.out("> . 1:1001(1000) ack 1", last)
	b := s.bytes("< icmp unreachable frag_needed mtu 800")
	assert.Equal(t, last.encode(hosts4)[:548], b[28:])
	b = s.bytes("< icmp unreachable host_unreachable [1:1001(1000)]")
	assert.Equal(t, last.encode(hosts4)[20:28], b[48:], "ports and number")

	_, err := segment.New(hosts4).Inbound(packetOf(t, "< icmp unreachable"))
	assert.EqualError(t, err, "the stack hasn't sent a packet that the error could be about")
	_, err = segment.New(hosts4).Inbound(packetOf(t, "< icmp unreachable [udp (8)]"))
	assert.EqualError(t, err, "the quotation is of no connection: there has been none")
}

// Timestamps that the peer echoes are those of the stack in the script's numbers.
func TestInbound_Echo(t *testing.T) {
	for _, scaled := range []bool{false, true} {
		c := hosts4
		c.ScaledEcho = scaled
		s := newStage(t, c)
		assert.Equal(t, uint32(55), s.in("< S. 0:0(0) ack 1 win 9 <nop,nop,TS val 3 ecr 55>").Options.TSEcr, "no timestamps yet")
		s.out("> S. 0:0(0) ack 1 <nop,nop,TS val 100 ecr 3>", seg{flags: trace.SYN | trace.ACK, seq: 5, ack: 1, options: stamp(7000, 3)})
		s.out("> . 1:1(0) ack 1 <nop,nop,TS val 200 ecr 3>", seg{flags: trace.ACK, seq: 6, ack: 1, options: stamp(7033, 3)})
		for ecr, want := range map[string]uint32{"100": 7000, "200": 7033} {
			o := s.in("< . 1:1(0) ack 1 win 9 <nop,nop,TS val 4 ecr " + ecr + ">").Options
			assert.Equal(t, want, o.TSEcr)
			assert.Equal(t, uint32(4), o.TSVal)
		}
		b, err := s.Inbound(packetOf(t, "< . 1:1(0) ack 1 win 9 <nop,nop,TS val 4 ecr 150>"))
		if !scaled {
			require.EqualError(t, err, "the stack hasn't sent the timestamp that is echoed, 150")
			continue
		}
		require.NoError(t, err)
		assert.Equal(t, uint32(7050), trace.Parse(b).Segment.Options.TSEcr)
	}
}

// stamp is a header's timestamp option.
func stamp(val, ecr uint32) []byte {
	return trace.Options{WS: -1, Timestamps: true, TSVal: val, TSEcr: ecr}.Append(nil)
}
