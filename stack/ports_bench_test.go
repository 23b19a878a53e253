package stack_test

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/wsstack/wsstack/internal/socket"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wsa"
)

// BenchmarkManyPorts is what bind and connect cost with that many ports bound,
// everything included: a datagram socket is bound, connected and closed; a
// stream socket, whose connect chooses its port, is refused by nobody's port.
func BenchmarkManyPorts(b *testing.B) {
	for _, used := range []int{0, 10_000, 30_000, 60_000} {
		for _, typ := range []int32{wsa.SOCK_STREAM, wsa.SOCK_DGRAM} {
			s, err := stack.New(stack.Config{DynamicPorts: stack.PortRange{First: 1024, Last: 65535}})
			require.NoError(b, err)
			open := func() *socket.Socket {
				sock, errno := socket.New(socket.HostOf(s), wsa.AF_INET, typ, 0, "")
				require.Zero(b, errno)
				return sock
			}
			any, peer := netip.MustParseAddrPort("0.0.0.0:0"), netip.MustParseAddrPort("127.0.0.1:9")
			for range used {
				require.Zero(b, open().Bind(any))
			}
			b.Run(fmt.Sprintf("%s/used=%d", map[int32]string{wsa.SOCK_STREAM: "stream", wsa.SOCK_DGRAM: "datagram"}[typ], used), func(b *testing.B) {
				for b.Loop() {
					sock := open()
					if typ == wsa.SOCK_DGRAM {
						require.Zero(b, sock.Bind(any))
						require.Zero(b, sock.Connect(peer))
					} else {
						require.Equal(b, wsa.WSAECONNREFUSED, sock.Connect(peer))
					}
					require.Zero(b, sock.Close())
				}
			})
			require.NoError(b, s.Close())
		}
	}
}
