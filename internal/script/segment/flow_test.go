package segment_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/internal/script/segment"
	"github.com/wsstack/wsstack/internal/script/syntax"
	"github.com/wsstack/wsstack/internal/trace"
)

// The first number of the stack is learned from its SYN, which has the script's number there.
func TestFlow_Connect(t *testing.T) {
	s := newStage(t, hosts6)
	s.Connect()
	s.out("> S 0:0(0)", seg{flags: syn, seq: 4294967295, local: 50000, remote: 8080})
	s.out("> S 0:0(0)", seg{flags: syn, seq: 4294967295, local: 50000, remote: 8080})
	got := s.in("< S. 300:300(0) ack 1 win 9")
	assert.Equal(t, uint32(0), got.Ack)
	s.out("> . 1:1(0) ack 1", seg{flags: ack, seq: 0, ack: 301, local: 50000, remote: 8080})
	s.out("> P. 1:4(3) ack 1", seg{flags: ack | psh, seq: 0, ack: 301, payload: []byte("abc"), local: 50000, remote: 8080})
	b := s.bytes("< . 1:1(0) ack 4 win 9")
	p := trace.Parse(b)
	assert.Equal(t, uint32(3), p.Segment.Ack)
	assert.Equal(t, uint32(301), p.Segment.Seq)
	assert.Equal(t, []uint16{8080, 50000}, []uint16{p.SourcePort, p.DestPort})

	_, m := s.offer("> S 0:0(0)", seg{flags: syn, seq: 7, local: 50000, remote: 8080}.encode(hosts6))
	assert.EqualError(t, m, "seq: expected 0:0(0), actual 8:8(0)", "the same SYN has the same number")
	s.Connect()
	s.out("> S 0:0(0)", seg{flags: syn, seq: 7, local: 50000, remote: 8080}) // ports are used once more
}

// A SYN of the stack is known before an event expects it, or if none does. An event that does says
// which number it has.
func TestFlow_Sent(t *testing.T) {
	s := newStage(t, hosts4)
	s.Connect()
	first := seg{flags: syn, seq: 99, local: 50000, remote: 8080}
	s.Sent(first.encode(hosts4))
	s.Sent(datagram(hosts4, 53, 53, "no segment"))
	assert.Equal(t, uint32(100), s.in("< S. 300:300(0) ack 1 win 9").Ack)
	s.out("> S 500:500(0)", first)
	assert.Equal(t, uint32(100), s.in("< S. 300:300(0) ack 501 win 9").Ack)
	assert.Equal(t, uint32(104), s.in("< . 1:1(0) ack 5 win 9").Ack)
	s.Sent(seg{flags: syn, seq: 7, local: 50001, remote: 8080}.encode(hosts4)) // nobody has called connect
	assert.Equal(t, uint16(50000), trace.Parse(s.bytes("< . 1:1(0) ack 5 win 9")).DestPort)

	s = newStage(t, hosts4)
	s.Listen()
	s.in("< S 1000:1000(0) win 1000")
	s.Sent(seg{flags: syn | ack, seq: 70000, ack: 1001}.encode(hosts4))
	s.Sent(seg{flags: ack, seq: 70001, ack: 1001}.encode(hosts4))
	assert.Equal(t, uint32(70001), s.in("< . 1:1(0) ack 1 win 1000").Ack)
}

// Both sides may send a SYN, and the peer's counts though the stack's was first.
func TestFlow_Simultaneous(t *testing.T) {
	s := newStage(t, hosts4)
	s.Connect()
	s.out("> S 0:0(0)", seg{flags: syn, seq: 99, local: 50000, remote: 8080})
	s.in("< S 500:500(0) win 9")
	s.out("> S. 0:0(0) ack 501", seg{flags: syn | ack, seq: 99, ack: 501, local: 50000, remote: 8080})
	assert.Equal(t, uint32(100), s.in("< . 1:1(0) ack 1 win 9").Ack)
	s.out("> P. 1:4(3) ack 1", seg{flags: ack | psh, seq: 100, ack: 501, payload: []byte("abc"), local: 50000, remote: 8080})
}

// Without ports, a packet is of the last connection; one of another connection is foreign.
func TestFlow_Several(t *testing.T) {
	s := newStage(t, hosts4)
	s.Bind(80)
	s.Listen()
	s.in("< S 0:0(0) win 9")
	s.out("> S. 0:0(0) ack 1", seg{flags: syn | ack, seq: 100, ack: 1, local: 80, remote: 40000})
	assert.Equal(t, uint32(0), s.in("< S 0:0(0) win 9").Ack, "the SYN comes once more")
	s.Listen()
	assert.Equal(t, uint16(40000), trace.Parse(s.bytes("< . 1:1(0) ack 1 win 9")).SourcePort, "only a SYN begins another one")
	b := s.bytes("< S 7:7(0) win 9")
	assert.Equal(t, uint16(40001), trace.Parse(b).SourcePort)

	first := seg{flags: ack, seq: 101, ack: 1, local: 80, remote: 40000}
	v, m := s.offer("> S. 0:0(0) ack 8", first.encode(hosts4))
	assert.Equal(t, segment.Foreign, v)
	assert.Nil(t, m)
	s.out("> S. 0:0(0) ack 8", seg{flags: syn | ack, seq: 200, ack: 8, local: 80, remote: 40001})
	s.out("> 80 > 40000 . 1:1(0) ack 1", first)
	s.out("> . 1:1(0) ack 1", first)
	v, _ = s.offer("> 80 > 40001 . 1:1(0) ack 1", first.encode(hosts4))
	assert.Equal(t, segment.Foreign, v)
	p := trace.Parse(s.bytes("< 40001 > 80 . 1:1(0) ack 1 win 9"))
	assert.Equal(t, []uint32{8, 201}, []uint32{p.Segment.Seq, p.Segment.Ack})

	// Of a connection that never began, numbers are as they are.
	p = trace.Parse(s.bytes("< 5 > 6 . 1:1(0) ack 2 win 9"))
	assert.Equal(t, []uint32{1, 2}, []uint32{p.Segment.Seq, p.Segment.Ack})
	s.out("> R 2:2(0)", seg{flags: rst, seq: 2, local: 6, remote: 5})
}

// Two connections of the stack may send their SYNs in either order.
func TestFlow_TwoConnects(t *testing.T) {
	s := newStage(t, hosts4)
	s.Connect()
	s.out("> S 0:0(0)", seg{flags: syn, seq: 1, local: 50000, remote: 8080})
	s.Connect()
	s.out("> S 0:0(0)", seg{flags: syn, seq: 9, local: 50001, remote: 8080})
	assert.Equal(t, uint16(50001), trace.Parse(s.bytes("< S. 0:0(0) ack 1 win 9")).DestPort)
	assert.Equal(t, uint16(50000), trace.Parse(s.bytes("< 8080 > 50000 S. 0:0(0) ack 1 win 9")).DestPort)
}

// A connection may begin again with another number of the peer, between the same ports.
func TestFlow_PortsUsedAgain(t *testing.T) {
	s := established(t, hosts4)
	s.in("< S 50000:50000(0) win 9")
	s.out("> . 1:1(0) ack 1", seg{flags: ack, seq: 70001, ack: 1001}) // a challenge: still the old one
	s.in("< S 60000:60000(0) win 9")
	s.out("> S. 0:0(0) ack 60001", seg{flags: syn | ack, seq: 5, ack: 60001})
	got := s.in("< . 1:1(0) ack 1 win 9")
	assert.Equal(t, []uint32{60001, 6}, []uint32{got.Seq, got.Ack})
	s.out("> . 1:1(0) ack 1", seg{flags: ack, seq: 6, ack: 60001})
}

// Of two SYN,ACKs of the peer, the one that the stack acknowledges counts.
func TestFlow_SecondSYNACK(t *testing.T) {
	s := newStage(t, hosts4)
	s.Connect()
	s.out("> S 0:0(0)", seg{flags: syn, seq: 99, local: 50000, remote: 8080})
	s.in("< S. 500:500(0) ack 77 win 9")
	s.out("> R 77:77(0)", seg{flags: rst, seq: 176, local: 50000, remote: 8080})
	s.in("< S. 600:600(0) ack 1 win 9")
	s.out("> . 1:1(0) ack 1", seg{flags: ack, seq: 100, ack: 601, local: 50000, remote: 8080})
	s.in("< S. 700:700(0) ack 1 win 9")
	s.out("> . 1:1(0) ack 1", seg{flags: ack, seq: 100, ack: 601, local: 50000, remote: 8080})
	_, m := s.offer("> . 1:1(0) ack 1", seg{flags: ack, seq: 100, ack: 701, local: 50000, remote: 8080}.encode(hosts4))
	assert.EqualError(t, m, "ack: expected 1, actual 101", "the connection is there already")
}

// Datagrams have flows, too.
func TestFlow_Datagrams(t *testing.T) {
	s := newStage(t, hosts4)
	s.Bind(53)
	p := trace.Parse(s.bytes("< udp (3)"))
	assert.Equal(t, []uint16{8080, 53}, []uint16{p.SourcePort, p.DestPort})
	v, m := s.offer("> udp (5)", datagram(hosts4, 53, 8080, "hello"))
	assert.Equal(t, segment.Done, v)
	assert.Nil(t, m)
	_, m = s.offer("> udp (4)", datagram(hosts4, 53, 8080, "hello"))
	assert.EqualError(t, m, "length: expected 4, actual 5")
	_, m = s.offer(`> udp (5) "hallo"`, datagram(hosts4, 53, 8080, "hello"))
	assert.EqualError(t, m, `payload: expected "hallo", actual "hello"`)

	other := datagram(hosts4, 54, 9, "x")
	v, _ = s.offer("> udp (1)", other)
	assert.Equal(t, segment.Foreign, v, "nobody has sent to another address")
	s.Connect()
	v, _ = s.offer("> udp (1)", other)
	assert.Equal(t, segment.Done, v)
	p = trace.Parse(s.bytes("< udp (1)"))
	assert.Equal(t, []uint16{9, 54}, []uint16{p.SourcePort, p.DestPort})
	v, _ = s.offer("> udp 53 > 8080 (5)", other)
	assert.Equal(t, segment.Foreign, v)
	v, _ = s.offer("> . 1:1(0) ack 1", other)
	assert.Equal(t, segment.Foreign, v)
}

// What an error of the stack quotes is a packet of the peer.
func TestOffer_ICMP(t *testing.T) {
	s := established(t, hosts4)
	quoted := s.bytes("< P. 11:21(10) ack 1 win 9")
	message := func(kind, code byte, rest ...byte) []byte {
		return fromStack(hosts4, 1, append(append([]byte{kind, code, 0, 0}, rest...), quoted...))
	}
	for _, tt := range []struct {
		script string
		packet []byte
		want   string
	}{
		{"> icmp unreachable port_unreachable", message(3, 3, 0, 0, 0, 0), ""},
		{"> icmp unreachable port_unreachable [11:21(10)]", message(3, 3, 0, 0, 0, 0), ""},
		{"> icmp unreachable port_unreachable [11:31(20)]", message(3, 3, 0, 0, 0, 0), "quotation: expected [11:31(20)], actual [11:21(10)]"},
		{"> icmp unreachable port_unreachable [udp (10)]", message(3, 3, 0, 0, 0, 0), "quotation: expected [udp (10)], actual [11:21(10)]"},
		{"> icmp unreachable port_unreachable [40000 > 8080 11:21(10)]", message(3, 3, 0, 0, 0, 0), ""},
		{"> icmp unreachable port_unreachable [8080 > 40000 11:21(10)]", message(3, 3, 0, 0, 0, 0), "quotation: expected [8080 > 40000 11:21(10)], actual [40000 > 8080 11:21(10)]"},
		{"> icmp unreachable host_unreachable", message(3, 3, 0, 0, 0, 0), "code: expected host_unreachable, actual port_unreachable"},
		{"> icmp time_exceeded", message(3, 3, 0, 0, 0, 0), "type: expected time_exceeded, actual unreachable"},
		{"> icmp unreachable frag_needed mtu 600", message(3, 4, 0, 0, 2, 0x58), ""},
		{"> icmp unreachable frag_needed mtu 601", message(3, 4, 0, 0, 2, 0x58), "mtu: expected 601, actual 600"},
		{"> icmp echo_reply id 7 [raw (11)]", fromStack(hosts4, 1, []byte{0, 0, 0, 0, 0, 7, 0, 0, 1, 2, 3}), ""},
		{"> icmp echo_reply id 8 [raw (12)]", fromStack(hosts4, 1, []byte{0, 0, 0, 0, 0, 7, 0, 0, 1, 2, 3}), "id: expected 8, actual 7; length: expected 12, actual 11"},
		{"> icmp unreachable port_unreachable [11:21(10)]", fromStack(hosts4, 1, []byte{3, 3, 0, 0, 0, 0, 0, 0}), "quotation: expected [11:21(10)], actual none"},
	} {
		_, m := s.offer(tt.script, tt.packet)
		if tt.want == "" {
			assert.Nil(t, m, tt.script)
		} else {
			assert.EqualError(t, m, tt.want, tt.script)
		}
	}
	v, _ := s.offer("> icmp time_exceeded", seg{flags: ack}.encode(hosts4))
	assert.Equal(t, segment.Foreign, v)
	v, _ = s.offer("> . 1:1(0) ack 1", message(3, 3, 0, 0, 0, 0))
	assert.Equal(t, segment.Foreign, v)
}

// Text is what a script would have written.
func TestText(t *testing.T) {
	s := established(t, hosts4)
	s.out("> . 1:1(0) ack 1 <nop,nop,TS val 5 ecr 6>", seg{flags: ack, seq: 70001, ack: 1001, options: stamp(100, 6)})
	inbound := s.bytes("< P. 11:21(10) ack 1 win 9 <nop,nop,TS val 77 ecr 5>")
	bare := s.bytes("< P. 11:21(10) ack 1 win 9")
	for _, tt := range []struct {
		packet []byte
		want   string
	}{
		{
			seg{flags: ack | psh, seq: 70001, ack: 1011, window: 4, payload: make([]byte, 9), options: append([]byte{5, 10, 0, 0, 0x3, 0xf3, 0, 0, 0x3, 0xfd, 1, 1}, stamp(107, 9)...)}.encode(hosts4),
			"> P. 1:10(9) ack 11 win 4 <sack 11:21,nop,nop,TS val 12 ecr 9,nop,nop>",
		},
		{seg{flags: syn, seq: 70000}.encode(hosts4), "> S 0:0(0) win 0"},
		{seg{flags: rst, seq: 70005, window: 2}.encode(hosts4), "> R 5:5(0) win 2"},
		{seg{flags: syn | ack, seq: 9, ack: 3, local: 5, remote: 6}.encode(hosts4), "> 5 > 6 S. 0:0(0) ack 3 win 0"},
		{seg{flags: ack | urg, seq: 9, ack: 3, urgent: 5, local: 5, remote: 6}.encode(hosts4), "> 5 > 6 U. 9:9(0) ack 3 win 0 urg 5"},
		{datagram(hosts4, 5, 6, "abc"), "> udp 5 > 6 (3)"},
		{inbound, "< P. 11:21(10) ack 1 win 9 <nop,nop,TS val 77 ecr 5>"},
		{fromStack(hosts4, 1, append([]byte{3, 3, 0, 0, 0, 0, 0, 0}, inbound...)), "> icmp unreachable port_unreachable [11:21(10)]"},
		{fromStack(hosts4, 1, append([]byte{3, 3, 0, 0, 0, 0, 0, 0}, bare[:28]...)), "> icmp unreachable port_unreachable [11:21(10)]"},
		{s.bytes("< icmp unreachable frag_needed mtu 600 [1:1001(1000)]"), "< icmp unreachable frag_needed mtu 600 [1:1001(1000)]"},
		{fromStack(hosts4, 1, []byte{8, 0, 0, 0, 0, 4, 0, 0, 1}), "> icmp echo_request id 4 [raw (9)]"},
		{s.bytes("< icmp unreachable [udp 7 > 9 (5)]"), "< icmp unreachable net_unreachable [udp (5)]"},
		{fromStack(hosts4, 1, append([]byte{3, 3, 0, 0, 0, 0, 0, 0}, datagram(segment.Config{Local: hosts4.Remote, Remote: hosts4.Local}, 3, 4, "abc")...)), "> icmp unreachable port_unreachable [udp 3 > 4 (3)]"},
		{fromStack(hosts4, 1, []byte{77, 9, 0, 0, 0, 4, 0, 0, 1}), "> icmp type_77 code_9"},
		{fromStack(hosts4, 2, []byte{1, 2}), "a packet of protocol 2 and length 2"},
		{[]byte{1}, "not IP"},
		{nil, "empty"},
	} {
		assert.Equal(t, tt.want, s.Text(tt.packet))
	}
	six := segment.New(hosts6)
	assert.Equal(t, "> icmp packet_too_big mtu 1280", six.Text(fromStack(hosts6, 58, []byte{2, 0, 0, 0, 0, 0, 5, 0})))
	assert.Equal(t, "> icmp unreachable no_route", six.Text(fromStack(hosts6, 58, []byte{1, 0, 0, 0, 0, 0, 0, 0})))
	assert.Equal(t, "> icmp type_133", six.Text(fromStack(hosts6, 58, []byte{133, 0, 0, 0, 0, 0, 0, 0})))
}

// What the parser refuses is refused here, too.
func TestCheck_NotFromAFile(t *testing.T) {
	for want, p := range map[string]*syntax.Packet{
		"the packet has no protocol":                               {},
		`no flag of TCP is 'x'`:                                    {TCP: &syntax.Segment{Flags: "x"}},
		"an inbound segment can't have any options":                {Inbound: true, TCP: &syntax.Segment{AnyOpts: true}},
		"an inbound packet has one code of ECN, not either of two": {Inbound: true, IP: syntax.IPInfo{ECN: syntax.ECT01}, UDP: &syntax.Datagram{}},
		"the checksum of what the stack sends has to be right":     {BadChecksum: true, UDP: &syntax.Datagram{}},
		"the length of the payload is 2, and not 3":                {UDP: &syntax.Datagram{Length: 3, Payload: []byte("ab")}},
		"the length of the options is 44":                          {TCP: &syntax.Segment{Options: []syntax.Option{{Name: "FO", Bytes: make([]byte, 42)}}}},
		`no option is "XX"`:                                        {TCP: &syntax.Segment{Options: []syntax.Option{{Name: "XX"}}}},
		"option sack has the length 4":                             {TCP: &syntax.Segment{Options: []syntax.Option{{Name: "sack", Values: []uint32{1}}}}},
		"a payload of -1 bytes doesn't fit in a packet":            {UDP: &syntax.Datagram{Length: -1}},
	} {
		assert.EqualError(t, segment.Check(p, false), want)
	}
}

// The mistakes of a script have a sentence and a hint.
func TestCheck(t *testing.T) {
	for _, tt := range []struct {
		script string
		ipv6   bool
		want   string
	}{
		{"< S 0:0(0) win 9 <mss 1460,sackOK>", false, "the length of the options is 6"},
		{"> S 0:0(0) win 9 <mss 1460,sackOK>", false, ""},
		{"< udp (65507)", false, ""},
		{"< udp (65508)", false, "a payload of 65508 bytes doesn't fit in a packet"},
		{"< udp (65527)", true, ""},
		{"< . 1:65496(65495) ack 1 win 9", false, ""},
		{"< . 1:65496(65495) ack 1 win 9 <nop,nop,nop,nop>", false, "a payload of 65495 bytes doesn't fit in a packet"},
		{"< (flowlabel 0x1) udp (1)", false, "IPv4 has no flow label"},
		{"< icmp unreachable nosuch_code", false, `no code of ICMP here is "nosuch_code"`},
		{"< icmp unreachabel", false, `no type of ICMP here is "unreachabel"`},
		{"< icmp type_256", false, `no type of ICMP here is "type_256"`},
		{"< icmp type_255 code_255", false, ""},
		{"< icmp echo_request frag_needed", false, `no code of ICMP here is "frag_needed"`},
		{"< icmp packet_too_big", false, `no type of ICMP here is "packet_too_big"`},
		{"< icmp unreachable net_unreachable mtu 5", false, "of ICMP, only unreachable frag_needed has an MTU"},
		{"< icmp unreachable mtu 5", true, "of ICMPv6, only packet_too_big has an MTU"},
		{"< icmp unreachable frag_needed mtu 70000", false, "the MTU of frag_needed has 16 bits"},
		{"< icmp unreachable id 5", false, "only an echo request and its reply have an id"},
		{"< icmp echo_request [raw (7)]", false, "a message of ICMP has 8 bytes at least"},
		{"< S 0:0(0) win 9 <unknown 1 02>", false, "no option with bytes has kind 1"},
		{"< S 0:0(0) win 9 <md5 0102>", false, "option md5 has the length 2"},
	} {
		err := checkText(t, tt.script, tt.ipv6)
		if tt.want == "" {
			assert.NoError(t, err, tt.script)
			continue
		}
		require.EqualError(t, err, tt.want, tt.script)
		var hinted interface{ Hint() string }
		require.ErrorAs(t, err, &hinted)
		assert.NotEmpty(t, hinted.Hint(), tt.script)
	}
	var hinted interface{ Hint() string }
	require.ErrorAs(t, checkText(t, "< icmp unreachabel", false), &hinted)
	assert.Equal(t, "a type is a number such as type_1, or a word such as unreachable", hinted.Hint())
}
