package wg

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A sender on the same machine can give the kernel more segments at once than the standard Bind has
// room for. Reception goes on.
func TestHostile_Segments(t *testing.T) {
	devices, stacks := joined(t)
	exchange(t, stacks, 0)
	attacker, err := net.Dial("udp4", loopback(devices[1]))
	require.NoError(t, err)
	defer attacker.Close()
	raw, err := attacker.(*net.UDPConn).SyscallConn()
	require.NoError(t, err)
	require.NoError(t, raw.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_UDP, unix.UDP_SEGMENT, 100)
	}))
	if err != nil {
		t.Skipf("the kernel has no UDP_SEGMENT: %v", err)
	}
	for range 100 {
		if _, err := attacker.Write(make([]byte, 128*100)); err != nil {
			t.Skipf("the kernel takes no 128 segments: %v", err)
		}
	}
	exchange(t, stacks, 0)
}
