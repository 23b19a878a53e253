package wg

import (
	"net/netip"
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.zx2c4.com/wireguard/conn"
)

// A sender sends nothing, and fails as a test says.
type sender struct {
	conn.Bind
	fail func(packets [][]byte) error
	sent []int // how many packets at a time
	to   []conn.Endpoint
}

func (b *sender) Send(packets [][]byte, to conn.Endpoint) error {
	b.sent, b.to = append(b.sent, len(packets)), append(b.to, to)
	return b.fail(packets)
}

// Packets that the system doesn't send all at once are sent one by one, from where it likes, and
// somebody is to ask for the MTUs of the paths; other errors are the engine's.
func TestBind_Send(t *testing.T) {
	u := newTUN(1420)
	defer u.Stack().Close()
	var inner sender
	b := newBind(u, &inner)
	packets := engineBuffers(3)
	u.out.enter(packets)
	to := &conn.StdNetEndpoint{AddrPort: netip.MustParseAddrPort("192.0.2.1:1")}

	inner.fail = func([][]byte) error { return nil }
	require.NoError(t, b.Send(packets, to))
	require.Equal(t, []int{3}, inner.sent)
	require.Same(t, to, inner.to[0])
	require.Zero(t, u.out.len())
	<-b.watch // the first time
	require.NoError(t, b.Send(packets, to))
	require.Empty(t, b.watch, "a moment later")

	inner = sender{fail: func(packets [][]byte) error {
		if len(packets) > 1 {
			return os.NewSyscallError("sendmmsg", syscall.EMSGSIZE)
		}
		return nil
	}}
	require.NoError(t, b.Send(packets, to))
	require.Equal(t, []int{3, 1, 1, 1}, inner.sent)
	for _, e := range inner.to[1:] {
		require.NotSame(t, to, e)
		require.Equal(t, to, e)
	}
	<-b.watch

	for _, err := range []error{syscall.EPERM, syscall.ENOBUFS, conn.ErrUDPGSODisabled{}} {
		inner = sender{fail: func([][]byte) error { return err }}
		require.Equal(t, err, b.Send(packets, to))
		require.Equal(t, []int{3}, inner.sent)
	}
	inner = sender{fail: func([][]byte) error { return syscall.ENETUNREACH }}
	require.Equal(t, syscall.ENETUNREACH, b.Send(packets, to))
	require.Equal(t, []int{3, 1, 1, 1}, inner.sent)
}
