package gateway

import (
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// Where the host doesn't cut up what goes in one call, each datagram goes by itself from then on.
func TestDatagramsPlain(t *testing.T) {
	u, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	defer u.Close()
	fd, err := datagramSocket(u.LocalAddr().(*net.UDPAddr).AddrPort())
	require.NoError(t, err)
	defer unix.Close(fd)
	d := &datagramFlow{fd: fd}
	three := [][]byte{[]byte("one"), []byte("two"), []byte("x")}
	send := func() {
		t.Helper()
		n, err := d.WriteDatagrams(three)
		require.NoError(t, err)
		require.Equal(t, len(three), n)
		for _, want := range three {
			b := make([]byte, 10)
			require.NoError(t, u.SetReadDeadline(time.Now().Add(time.Minute)))
			n, err := u.Read(b)
			require.NoError(t, err)
			require.Equal(t, want, b[:n])
		}
	}
	send()
	require.False(t, d.plain)
	require.NoError(t, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_NO_CHECK, 1)) // what is cut up has checksums
	send()
	require.True(t, d.plain)
	send()
	d.closed = true
	n, err := d.WriteDatagrams(three)
	require.Zero(t, n)
	require.ErrorIs(t, err, net.ErrClosed)
}

func TestAlike(t *testing.T) {
	of := func(sizes ...int) (payloads [][]byte) {
		for _, size := range sizes {
			payloads = append(payloads, make([]byte, size))
		}
		return payloads
	}
	for want, payloads := range map[int][][]byte{
		0: of(0, 0, 10),
		1: of(10, 11, 10),
		2: of(10, 9, 9, 10),
		3: of(20_000, 20_000, 20_000, 20_000),
		4: of(10, 10, 10, 1),
		5: of(10, 10, 10, 10, 10, 0),
	} {
		require.Equal(t, want, alike(payloads))
	}
}
