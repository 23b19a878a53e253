package stack_test

import (
	"crypto/fips140"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/tcpip/faketime"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
)

// With GODEBUG=fips140=only SHA-1 ends the process, with which netstack's TCP makes
// its SYN cookies. The mode is that of a whole process, so each test runs in one of
// its own.
func TestStrictFIPS(t *testing.T) {
	for _, test := range []string{"TestStrictFIPS_BareACK", "TestStrictFIPS_Flood"} {
		t.Run(test, func(t *testing.T) {
			cmd := exec.Command(os.Args[0], "-test.run=^"+test+"$", "-test.v")
			cmd.Env = append(os.Environ(), "GODEBUG=fips140=only")
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, string(out))
			require.Contains(t, string(out), "--- PASS: "+test)
		})
	}
}

// strict skips a test that TestStrictFIPS runs, and returns a stack whose clock
// stands still, with a listener on port 80.
func strict(t *testing.T) (s *stack.Stack, d *tun.Func, l net.Listener, sent chan []byte) {
	if !fips140.Enforced() {
		t.Skip("TestStrictFIPS runs it in a process of its own")
	}
	sent = make(chan []byte, 1<<16)
	d = tun.NewFunc(1500, func(p []byte) { sent <- append([]byte(nil), p...) })
	s, err := stack.New(stack.Config{Device: d, Clock: faketime.NewManualClock(), Addresses: prefixes("10.0.0.1/24")})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	l, err = s.Listen("tcp", ":80")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	return s, d, l, sent
}

// An acknowledgement of nothing is answered with a RST.
func TestStrictFIPS_BareACK(t *testing.T) {
	s, d, _, sent := strict(t)
	for _, flags := range []header.TCPFlags{
		header.TCPFlagAck, header.TCPFlagAck | header.TCPFlagPsh, header.TCPFlagAck | header.TCPFlagFin, header.TCPFlagAck | header.TCPFlagSyn,
	} {
		d.Inject(segment(them, us, 1000, 80, 7, 4711, flags, nil, nil))
		s.Settle()
		require.Len(t, sent, 1, flags)
		answer := header.TCP(header.IPv4(<-sent).Payload())
		require.Equal(t, header.TCPFlagRst, answer.Flags())
		require.Equal(t, uint32(4711), answer.SequenceNumber())
	}
	for _, flags := range []header.TCPFlags{0, header.TCPFlagFin, header.TCPFlagRst, header.TCPFlagRst | header.TCPFlagAck} {
		d.Inject(segment(them, us, 1000, 80, 7, 4711, flags, nil, nil))
		s.Settle()
		require.Empty(t, sent, flags)
	}
	answersSYN(t, s, d, sent)
}

// A flood of SYNs draws cookies, with which clients connect.
func TestStrictFIPS_Flood(t *testing.T) {
	s, d, l, sent := strict(t)
	for i := range 10_000 {
		d.Inject(segment(netip.AddrFrom4([4]byte{11, 0, byte(i >> 8), byte(i)}), us, 1000, 80, uint32(i), 0, header.TCPFlagSyn, nil, nil))
		if i%1000 == 0 {
			s.Settle()
		}
	}
	s.Settle()
	require.Len(t, sent, 10_000, "SYN-ACKs")
	empty(sent)
	scaled, sack := genuine(t, s, d, l, sent, 1001)
	require.True(t, scaled && sack, "a cookie holds both")
}
