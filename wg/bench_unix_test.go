//go:build unix

package wg

import (
	"io"
	"syscall"
	"testing"

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
