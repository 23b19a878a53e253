package transport

import (
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/tun"
)

// BenchmarkBadLink is the engine beside Linux's CUBIC as senders to the same
// receiver, a kernel, over the same link: 100 Mbit/s, 5 ms each way, with one fault
// in both directions. See BenchmarkFairness for machines that are busy.
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
			b.Run(f.name+"/"+sender, func(b *testing.B) { badLink(b, f.m, crowd{ours: sender == "ours", size: 1}) })
		}
	}
}

// badLink sends 4 MiB, over a new connection each time.
func badLink(b *testing.B, m tun.Impairment, c crowd) {
	const size = 4 << 20
	d := newDumbbell(b, tun.ImpairConfig{Out: m, In: m, Rand: rand.NewPCG(1, 2)}, c)
	b.SetBytes(size)
	data := make([]byte, size)
	for b.Loop() {
		from, to := d.connect(b, d.access[0])
		go func() { _, _ = from.Write(data) }()
		_, err := io.CopyN(io.Discard, struct{ io.Reader }{to}, size)
		require.NoError(b, err)
		_ = from.Close()
		_ = to.Close()
	}
}
