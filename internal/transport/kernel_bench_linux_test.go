package transport

import (
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/wsstack/wsstack/tun"
)

// BenchmarkBadLink is the engine beside Linux's CUBIC as senders over the same
// link: 100 Mbit/s, 5 ms each way, with one fault. The kernel receives in one
// case and sends in the other.
func BenchmarkBadLink(b *testing.B) {
	for _, f := range []struct {
		name string
		m    tun.Impairment
	}{
		{"clean", tun.Impairment{}},
		{"loss 0.1%", tun.Impairment{Loss: 0.001}},
		{"loss 1%", tun.Impairment{Loss: 0.01}},
		{"loss 5%", tun.Impairment{Loss: 0.05}},
		{"loss 10%", tun.Impairment{Loss: 0.1}},
		{"reorder 1%", tun.Impairment{Reorder: 0.01, ReorderDelay: 2 * time.Millisecond}},
		{"reorder 5%", tun.Impairment{Reorder: 0.05, ReorderDelay: 2 * time.Millisecond}},
	} {
		f.m.Rate, f.m.Delay, f.m.Queue = 100_000_000, 5*time.Millisecond, 256<<10
		for _, sender := range []string{"ours", "linux"} {
			b.Run(f.name+"/"+sender, func(b *testing.B) { badLink(b, f.m, sender == "ours") })
		}
	}
}

// badLink sends 4 MiB in one direction, a new connection each time.
func badLink(b *testing.B, m tun.Impairment, ours bool) {
	const size = 4 << 20
	s := kernel(b, 1500, tun.OpenWater, &tun.ImpairConfig{Out: m, In: m, Rand: rand.NewPCG(1, 2)})
	kernels := hostB[header.IPv4ProtocolNumber]
	addr, _ := netip.AddrFromSlice(kernels.AsSlice())
	l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.AddrPortFrom(addr, 0)))
	require.NoError(b, err)
	defer l.Close()
	b.SetBytes(size)
	data := make([]byte, size)
	for i := 0; b.Loop(); i++ {
		c := dial(b, s, four, hostA, hostB, uint16(1000+i), uint16(l.Addr().(*net.TCPAddr).Port))
		require.True(b, c.connected())
		peer, err := l.Accept()
		require.NoError(b, err)
		from, to := io.ReadWriter(c), io.ReadWriter(peer)
		if !ours {
			from, to = to, from
		}
		go func() { _, _ = from.Write(data) }()
		_, err = io.CopyN(io.Discard, struct{ io.Reader }{to}, size)
		require.NoError(b, err)
		c.Abort()
		_ = peer.Close()
	}
}
