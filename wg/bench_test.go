package wg

import (
	"io"
	"net"
	"net/netip"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
)

func BenchmarkTUN_Out(b *testing.B) {
	u := NewTUN(1420)
	defer u.Stack().Close()
	out := []tun.Packet{segments(60_000, 1380)}
	defer out[0].Data.Release()
	bufs, sizes := make([][]byte, 128), make([]int, 128)
	for i := range bufs {
		bufs[i] = make([]byte, 1<<16-1)
	}
	b.SetBytes(60_000)
	b.ReportAllocs()
	for b.Loop() {
		_ = u.Stack().Send(out)
		_, _ = u.Tunnel().Read(bufs, sizes, offset)
	}
}

func BenchmarkTUN_In(b *testing.B) {
	u := NewTUN(1420)
	defer u.Stack().Close()
	_ = u.Stack().Start(func(p []tun.Packet) {
		for i := range p {
			p[i].Data.Release()
		}
	})
	bufs := make([][]byte, 0, 128)
	for _, p := range wire(segments(60_000, 1380)) {
		bufs = append(bufs, append(make([]byte, offset, 1<<16-1), p...))
	}
	b.SetBytes(60_000)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = u.Tunnel().Write(bufs, offset)
	}
}

// tunnel opens a connection through a tunnel over the loopback of the host, with a stack at each
// end.
func tunnel(b testing.TB, mtu int) (client, server net.Conn) {
	b.Helper()
	var keys [2]Key
	var stacks [2]*stack.Stack
	for i := range keys {
		var err error
		keys[i], err = GeneratePrivateKey()
		require.NoError(b, err)
	}
	endpoint := ""
	for i := range keys {
		other := netip.AddrFrom4([4]byte{10, 0, 0, byte(2 - i)})
		cfg := Config{
			PrivateKey: keys[i],
			MTU:        mtu,
			Addresses:  []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(1 + i)}), 24)},
			Peers:      []Peer{{PublicKey: keys[1-i].PublicKey(), Endpoint: endpoint, AllowedIPs: []netip.Prefix{netip.PrefixFrom(other, 32)}}},
		}
		d, err := New(cfg)
		require.NoError(b, err)
		endpoint = netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(d.ListenPort())).String()
		stacks[i], err = stack.New(cfg.Stack(d))
		require.NoError(b, err)
		b.Cleanup(func() { _ = stacks[i].Close() })
	}
	l, err := stacks[0].Listen("tcp", "10.0.0.1:80")
	require.NoError(b, err)
	client, err = stacks[1].Dial("tcp", "10.0.0.1:80")
	require.NoError(b, err)
	server, err = l.Accept()
	require.NoError(b, err)
	return client, server
}

// cpu is the time of the processors that the process has had, in ns. Both ends are in the process.
func cpu() int64 {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return u.Utime.Nano() + u.Stime.Nano()
}

func BenchmarkBulk(b *testing.B) {
	client, server := tunnel(b, DefaultMTU)
	go io.Copy(io.Discard, server)
	data := make([]byte, 256<<10)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	before := cpu()
	for b.Loop() {
		if _, err := client.Write(data); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(cpu()-before)/float64(b.N), "cpu-ns/op")
}

func BenchmarkRoundTrip(b *testing.B) {
	client, server := tunnel(b, DefaultMTU)
	go io.Copy(server, server)
	data := make([]byte, 1)
	b.ReportAllocs()
	before := cpu()
	for b.Loop() {
		if _, err := client.Write(data); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(client, data); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(cpu()-before)/float64(b.N), "cpu-ns/op")
}
