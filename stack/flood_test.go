package stack_test

import (
	"encoding/binary"
	"net"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/tcpip/faketime"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
)

// A flood of 50,000 SYNs from spoofed addresses: memory is bounded, a genuine
// client connects in the midst of it, by a cookie, and ten seconds later there is
// room for the records of clients again.
func TestSYNFlood(t *testing.T) {
	const flood = 50_000
	clock := faketime.NewManualClock()
	sent := make(chan []byte, 1<<17)
	d := tun.NewFunc(1500, func(p []byte) { sent <- append([]byte(nil), p...) })
	s, err := stack.New(stack.Config{Device: d, Clock: clock, Addresses: prefixes("10.0.0.1/24")})
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	l, err := s.Listen("tcp", ":80")
	require.NoError(t, err)

	before := heap()
	for i := range flood {
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], 0x0B000001+uint32(i)) // 11.0.0.1 and on
		d.Inject(segment(netip.AddrFrom4(b), us, 1024+uint16(i%60000), 80, uint32(i), 0, header.TCPFlagSyn, synOptions, nil))
		if i%1000 == 0 {
			s.Settle()
		}
	}
	s.Settle()
	grown := heap() - before
	t.Logf("%d SYNs: %d answers, %.1f MB", flood, len(sent), float64(grown)/1e6)
	require.Less(t, grown, int64(64<<20), "bytes")
	require.Equal(t, flood, len(sent), "each is answered")
	empty(sent)

	scaled, sack := genuine(t, s, d, l, sent, 50001)
	require.True(t, scaled && sack, "a cookie holds both")

	for range 100 {
		clock.Advance(100 * time.Millisecond)
		s.Settle()
	}
	empty(sent)
	scaled, sack = genuine(t, s, d, l, sent, 50002)
	require.True(t, scaled && sack)
	d.Inject(segment(them, us, 50003, 80, 7000, 0, header.TCPFlagSyn, synOptions, nil))
	s.Settle()
	clock.Advance(1500 * time.Millisecond)
	s.Settle()
	require.Equal(t, 2, answersTo(sent, 50003), "what has a record is answered again")
	require.Less(t, heap()-before, int64(8<<20), "bytes, ten seconds later")
}

// synOptions are MSS 1460, SACK permitted, window scale 7.
var synOptions = []byte{2, 4, 0x05, 0xB4, 4, 2, 3, 3, 7, 0, 0, 0}

// genuine connects from a port, sends a byte and takes the connection from the
// listener. It reports what the SYN-ACK offered.
func genuine(t *testing.T, s *stack.Stack, d *tun.Func, l net.Listener, sent chan []byte, port uint16) (scaled, sack bool) {
	t.Helper()
	d.Inject(segment(them, us, port, 80, 7000, 0, header.TCPFlagSyn, synOptions, nil))
	s.Settle()
	require.Len(t, sent, 1, "the answer to a genuine SYN")
	p := <-sent
	answer := header.TCP(p[header.IPv4(p).HeaderLength():])
	require.Equal(t, header.TCPFlagSyn|header.TCPFlagAck, answer.Flags())
	opts := header.ParseSynOptions(answer.Options(), true)
	iss := answer.SequenceNumber()
	d.Inject(segment(them, us, port, 80, 7001, iss+1, header.TCPFlagAck|header.TCPFlagPsh, nil, []byte("!")))
	s.Settle()
	c, err := l.Accept()
	require.NoError(t, err)
	b := make([]byte, 1)
	_, err = c.Read(b)
	require.NoError(t, err)
	require.Equal(t, "!", string(b))
	require.Equal(t, int(port), c.RemoteAddr().(*net.TCPAddr).Port)
	require.NoError(t, c.Close())
	return opts.WS >= 0, opts.SACKPermitted
}

// answersTo counts the SYN-ACKs to a port among what was sent.
func answersTo(sent chan []byte, port uint16) (n int) {
	for len(sent) > 0 {
		tcp := header.TCP(header.IPv4(<-sent).Payload())
		if tcp.DestinationPort() == port && tcp.Flags() == header.TCPFlagSyn|header.TCPFlagAck {
			n++
		}
	}
	return n
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what pools have let go of
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func empty(c chan []byte) {
	for len(c) > 0 {
		<-c
	}
}
