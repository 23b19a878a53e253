package segment_test

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/internal/inet"
	"github.com/wsstack/wsstack/internal/script/segment"
	"github.com/wsstack/wsstack/internal/script/syntax"
	"github.com/wsstack/wsstack/internal/trace"
)

// packetOf is a packet as a script has it.
func packetOf(t require.TestingT, text string) *syntax.Packet {
	s, err := syntax.Parse("test", []byte("0 "+text+"\n"), syntax.Options{})
	require.NoError(t, err, text)
	require.Len(t, s.Events, 1, text)
	p, ok := s.Events[0].Action.(*syntax.Packet)
	require.True(t, ok, text)
	return p
}

var (
	hosts4 = segment.Config{Local: netip.MustParseAddr("192.168.0.1"), Remote: netip.MustParseAddr("192.0.2.1")}
	hosts6 = segment.Config{Local: netip.MustParseAddr("fd3d::1"), Remote: netip.MustParseAddr("2001:db8::1")}
)

// A seg is a segment of the stack with numbers as they are on the wire.
type seg struct {
	flags         trace.Flags
	seq, ack      uint32
	window        uint16
	urgent        uint16
	reserved      byte   // what is beside the data offset
	options       []byte // as in the header
	payload       []byte
	local, remote uint16 // 0: 8080 and 40000
}

// encode makes the packet.
func (s seg) encode(c segment.Config) []byte {
	b := make([]byte, 20)
	if s.local == 0 {
		s.local = 8080
	}
	if s.remote == 0 {
		s.remote = 40000
	}
	binary.BigEndian.PutUint16(b, s.local)
	binary.BigEndian.PutUint16(b[2:], s.remote)
	binary.BigEndian.PutUint32(b[4:], s.seq)
	binary.BigEndian.PutUint32(b[8:], s.ack)
	b[12] = byte(20+len(s.options))<<2 | s.reserved
	b[13] = byte(s.flags)
	binary.BigEndian.PutUint16(b[14:], s.window)
	binary.BigEndian.PutUint16(b[18:], s.urgent)
	return fromStack(c, 6, append(append(b, s.options...), s.payload...))
}

// datagram is one of UDP from the stack.
func datagram(c segment.Config, local, remote uint16, payload string) []byte {
	b := make([]byte, 8)
	binary.BigEndian.PutUint16(b, local)
	binary.BigEndian.PutUint16(b[2:], remote)
	binary.BigEndian.PutUint16(b[4:], uint16(8+len(payload)))
	return fromStack(c, 17, append(b, payload...))
}

func fromStack(c segment.Config, protocol uint8, transport []byte) []byte {
	return inet.Header{Source: c.Local, Dest: c.Remote, Protocol: protocol, TTL: 128}.Encode(transport)
}

// A stage is a peer whose stack the test plays.
type stage struct {
	*testing.T
	segment.Config
	*segment.Peer
}

func newStage(t *testing.T, c segment.Config) *stage { return &stage{t, c, segment.New(c)} }

// in is the segment that the peer sends.
func (s *stage) in(text string) trace.Segment {
	s.Helper()
	b := s.bytes(text)
	p := trace.Parse(b)
	require.Equal(s, trace.TCP, p.Kind, text)
	return p.Segment
}

// bytes is the packet that the peer sends.
func (s *stage) bytes(text string) []byte {
	s.Helper()
	b, err := s.Inbound(packetOf(s, text))
	require.NoError(s, err, text)
	return b
}

// offer is the verdict on packets, which the script expects as one.
func (s *stage) offer(text string, packets ...[]byte) (v segment.Verdict, m *segment.Mismatch) {
	s.Helper()
	e, err := s.Expect(packetOf(s, text))
	require.NoError(s, err, text)
	for i, b := range packets {
		if v, m = e.Offer(b); v != segment.Partial {
			require.Equal(s, len(packets)-1, i, "%s: the expectation has come to its end", text)
		}
	}
	return v, m
}

// out offers a segment that is as expected.
func (s *stage) out(text string, is seg) {
	s.Helper()
	v, m := s.offer(text, is.encode(s.Config))
	if m != nil {
		require.NoError(s, m, text)
	}
	require.Equal(s, segment.Done, v, text)
}

// established is a stage with a connection that the peer has begun: first numbers 1000 of the peer,
// 0 in the script and 70000 on the wire of the stack.
func established(t *testing.T, c segment.Config) *stage {
	t.Helper()
	s := newStage(t, c)
	s.Listen()
	s.in("< S 1000:1000(0) win 1000 <mss 1460>")
	s.out("> S. 0:0(0) ack 1001 <...>", seg{flags: trace.SYN | trace.ACK, seq: 70000, ack: 1001})
	s.in("< . 1:1(0) ack 1 win 1000")
	return s
}

// checkText checks a packet of a script.
func checkText(t *testing.T, text string, ipv6 bool) error {
	t.Helper()
	return segment.Check(packetOf(t, text), ipv6)
}
