package endpoint_test

import (
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/endpoint"
)

// There is no descriptor. Libraries ask for the methods that would give one,
// and take a connection that has them and fails for broken: so no face may
// satisfy their interfaces.
func TestNoDescriptor(t *testing.T) {
	asks := map[string]func(any) bool{
		"syscall.Conn (go-redis, go-sql-driver/mysql)": satisfies[syscall.Conn],
		"quic-go's OOBCapablePacketConn": satisfies[interface {
			net.PacketConn
			SyscallConn() (syscall.RawConn, error)
			SetReadBuffer(int) error
			ReadMsgUDP(b, oob []byte) (n, oobn, flags int, addr *net.UDPAddr, err error)
			WriteMsgUDP(b, oob []byte, addr *net.UDPAddr) (n, oobn int, err error)
		}],
		"SyscallConn, whatever it returns a connection for": satisfies[interface {
			SyscallConn() (syscall.RawConn, error)
		}],
		"a file (systemd's activation, graceful restarts)": satisfies[interface{ File() (*os.File, error) }],
		"a descriptor (os.File's method)":                  satisfies[interface{ Fd() uintptr }],
	}
	for _, face := range []any{(*endpoint.Conn)(nil), (*endpoint.Listener)(nil), (*endpoint.PacketConn)(nil)} {
		for name, asked := range asks {
			require.False(t, asked(face), "%T has %s", face, name)
		}
	}
}

// satisfies reports whether a value has the methods of an interface.
func satisfies[I any](v any) bool {
	_, ok := v.(I)
	return ok
}
