package stack_test

import (
	"net/netip"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
	"github.com/wsstack/wsstack/wsa"
)

// A keeper is a device that shares what it receives with somebody, as one does
// that captures.
type keeper struct {
	tun.Device

	mu   sync.Mutex
	kept []buffer.Buffer
}

func (k *keeper) Start(receive func([]tun.Packet)) error {
	return k.Device.Start(func(packets []tun.Packet) {
		k.mu.Lock()
		for _, p := range packets {
			k.kept = append(k.kept, p.Data.Clone())
		}
		k.mu.Unlock()
		receive(packets)
	})
}

// A SYN whose timestamp option netstack mustn't see is edited for netstack only:
// whoever shares the packet, a capture or a raw socket, has it as it came. editSYN
// relies on netstack for that, which copies a header that is shared.
func TestSYNIsEditedInPrivate(t *testing.T) {
	for _, conditional := range []byte{0, 1} {
		da, db := tun.Pipe(1500)
		k := &keeper{Device: db}
		client, err := stack.New(stack.Config{Device: da, Addresses: prefixes("fd00::1/64")})
		require.NoError(t, err)
		server, err := stack.New(stack.Config{Device: k, Addresses: prefixes("fd00::2/64")})
		require.NoError(t, err)
		sock := func(s *stack.Stack, typ, protocol int32) *endpoint.Socket {
			sock, errno := endpoint.New(s, wsa.AF_INET6, typ, protocol, "")
			require.Zero(t, errno)
			return sock
		}
		addr := netip.MustParseAddrPort("[fd00::2]:80")
		raw := sock(server, wsa.SOCK_RAW, wsa.IPPROTO_TCP)
		require.Zero(t, raw.Bind(netip.AddrPortFrom(addr.Addr(), 0)))
		l := sock(server, wsa.SOCK_STREAM, 0)
		require.Zero(t, l.SetSockOpt(wsa.SOL_SOCKET, wsa.SO_CONDITIONAL_ACCEPT, []byte{conditional, 0, 0, 0}))
		require.Zero(t, l.Bind(addr))
		require.Zero(t, l.Listen(1))
		c := sock(client, wsa.SOCK_STREAM, 0)
		require.Zero(t, c.SetSockOpt(wsa.IPPROTO_TCP, wsa.TCP_TIMESTAMPS, []byte{1, 0, 0, 0}))
		connected := make(chan wsa.Errno, 1)
		go func() { connected <- c.Connect(addr) }()
		_, _, errno := l.Accept()
		require.Zero(t, errno)
		require.Zero(t, <-connected)

		syn := make([]byte, 100)
		n, errno := raw.Recv(syn, 0)
		require.Zero(t, errno)
		require.True(t, offersTimestamps(t, syn[:n]), "what a raw socket has")
		k.mu.Lock()
		for _, b := range k.kept {
			p := b.Flatten()
			if header.IPv6(p).NextHeader() == uint8(header.TCPProtocolNumber) {
				require.True(t, offersTimestamps(t, p[header.IPv6MinimumSize:]), "what a device keeps")
				break
			}
		}
		k.mu.Unlock()
		require.NoError(t, client.Close())
		require.NoError(t, server.Close())
		for i := range k.kept {
			k.kept[i].Release()
		}
	}
}

// offersTimestamps looks at the options of a SYN.
func offersTimestamps(t *testing.T, segment []byte) bool {
	t.Helper()
	tcp := header.TCP(segment)
	require.Equal(t, header.TCPFlagSyn, tcp.Flags())
	return header.ParseSynOptions(tcp.Options(), false).TS
}
