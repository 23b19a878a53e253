package stack_test

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/wsstack/wsstack/internal/socket"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/wsstack/wsstack/wsa"
)

// A listener has room for a request, and answers it, whatever comes for another.
func TestConditionalAcceptInFlood(t *testing.T) {
	s, d, sent := lonely(t)
	l, errno := socket.New(socket.HostOf(s), wsa.AF_INET, wsa.SOCK_STREAM, 0, "")
	require.Zero(t, errno)
	defer l.Close()
	require.Zero(t, l.SetSockOpt(wsa.SOL_SOCKET, wsa.SO_CONDITIONAL_ACCEPT, []byte{1, 0, 0, 0}))
	require.Zero(t, l.Bind(netip.AddrPortFrom(us, 81)))
	require.Zero(t, l.Listen(5))
	require.Zero(t, l.SetNonblocking(true))

	for i := range 9000 {
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], 0x0B000001+uint32(i)) // 11.0.0.1 and on
		d.Inject(segment(netip.AddrFrom4(b), us, 1024, 80, uint32(i), 0, header.TCPFlagSyn, synOptions, nil))
		if i%1000 == 0 {
			s.Settle()
		}
	}
	d.Inject(segment(them, us, 1024, 81, 1, 0, header.TCPFlagSyn, synOptions, nil))
	s.Settle()
	accept := func() wsa.Errno {
		_, _, err := l.AcceptOn(nil, func(_, _ netip.AddrPort) int32 { return wsa.CF_ACCEPT })
		return err
	}
	empty(sent)
	require.Equal(t, wsa.WSAEWOULDBLOCK, accept(), "the handshake isn't complete")
	s.Settle()
	require.Len(t, sent, 1, "the SYN-ACK")
}
