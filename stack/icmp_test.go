package stack_test

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/wsstack/wsstack/internal/socket"
	"github.com/wsstack/wsstack/simnet"
)

// aboutSegment is an ICMP error from a router that quotes a segment of ours from
// port 81.
func aboutSegment(kind, code byte, mtu, port uint16, seq uint32) []byte {
	b := append([]byte{kind, code, 0, 0, 0, 0}, byte(mtu>>8), byte(mtu))
	return simnet.EncodeIP(them.Next(), us, 1, append(b, segment(us, them, 81, port, seq, 0, header.TCPFlagAck, nil, nil)[:28]...))
}

// An ICMP error counts where it quotes a segment that is in flight; others are
// dropped, and counted (RFC 5927 §4.1). Neither ends a connection or a handshake.
func TestICMPForSegments(t *testing.T) {
	s, d, sent := lonely(t)
	l, err := s.Listen("tcp", ":81")
	require.NoError(t, err)
	next := func() header.TCP {
		s.Settle()
		require.NotEmpty(t, sent)
		return header.TCP(header.IPv4(<-sent).Payload())
	}
	open := func(port uint16) (iss uint32) {
		d.Inject(segment(them, us, port, 81, 1, 0, header.TCPFlagSyn, nil, nil))
		return next().SequenceNumber()
	}
	complete := func(port uint16, iss uint32) {
		d.Inject(segment(them, us, port, 81, 2, iss+1, header.TCPFlagAck|header.TCPFlagPsh, nil, []byte("x")))
		require.Equal(t, header.TCPFlagAck, next().Flags())
	}
	half, iss := open(1000), open(2000)
	complete(2000, iss)
	c, err := l.Accept()
	require.NoError(t, err)
	first := iss + 1
	reports := func(name string, packet []byte, believed bool) {
		t.Helper()
		before := s.Stats().Dropped
		d.Inject(packet)
		s.Settle()
		require.Equal(t, believed, s.Stats().Dropped == before, name)
	}
	reports("nothing in flight", aboutSegment(3, 4, 1000, 2000, first), false)
	_, err = c.Write(make([]byte, 100))
	require.NoError(t, err)
	require.Len(t, next().Payload(), 100)
	reports("beyond what is in flight", aboutSegment(3, 4, 1000, 2000, first+100), false)
	reports("no connection", aboutSegment(3, 4, 1000, 3000, first), false)
	reports("less than any link takes", aboutSegment(3, 4, 67, 2000, first), false)
	reports("half open", aboutSegment(3, 4, 1000, 1000, half), false)
	reports("half open, unreachable", aboutSegment(3, 3, 0, 1000, half), false)
	require.Zero(t, socket.HostOf(s).PathMTU(them))
	reports("unreachable", aboutSegment(3, 1, 0, 2000, first), true)
	reports("too big", aboutSegment(3, 4, 1000, 2000, first), true)
	require.EqualValues(t, 1000, socket.HostOf(s).PathMTU(them))
	complete(1000, half)
	d.Inject(segment(them, us, 2000, 81, 3, first+100, header.TCPFlagAck|header.TCPFlagPsh, nil, binary.BigEndian.AppendUint32(nil, 1)))
	require.Equal(t, first+100, next().SequenceNumber(), "the connection lives")
}
