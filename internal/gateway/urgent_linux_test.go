package gateway_test

import (
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/wsstack/wsstack/internal/gateway"
)

// What comes behind urgent data comes, though a read of the host's socket ends there, and though
// nobody is told of it again. The urgent byte itself isn't passed on.
func TestBehindUrgent(t *testing.T) {
	each(t, func(t *testing.T, family string) {
		w := newWorld(t, gateway.Config{})
		at := server(t, family, func(c *net.TCPConn) {
			raw, err := c.SyscallConn()
			if err != nil {
				t.Error(err)
				return
			}
			_ = exchangeBack(c) // the flow has seen all that there was
			_ = raw.Control(func(fd uintptr) {
				s := int(fd)
				_ = unix.SetsockoptInt(s, unix.IPPROTO_TCP, unix.TCP_CORK, 1) // all in one segment
				_ = unix.Sendto(s, []byte("before"), 0, nil)
				_ = unix.Sendto(s, []byte("!"), unix.MSG_OOB, nil)
				_ = unix.Sendto(s, []byte("behind"), 0, nil)
				_ = unix.SetsockoptInt(s, unix.IPPROTO_TCP, unix.TCP_CORK, 0)
			})
			_, _ = io.Copy(io.Discard, c)
		})
		for range 20 {
			c, err := w.client.Dial("tcp", at)
			require.NoError(t, err)
			require.NoError(t, exchange(c))
			b := make([]byte, 12)
			_, err = io.ReadFull(c, b)
			require.NoError(t, err)
			require.Equal(t, "beforebehind", string(b))
			require.NoError(t, c.Close())
		}
	})
}

// exchangeBack is the other side of exchange.
func exchangeBack(c net.Conn) error {
	_, err := io.CopyN(c, c, 4)
	return err
}
