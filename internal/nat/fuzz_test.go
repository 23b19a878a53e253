package nat_test

import (
	"slices"
	"testing"
	"time"

	"github.com/wsstack/wsstack/internal/nat"
)

// FuzzTable gives a Table hostile packets, whose beginnings are repeated with mended checksums: the
// Table never panics, never makes a checksum wrong that was right, changes nothing that it drops,
// and keeps within its bounds.
func FuzzTable(f *testing.F) {
	quote := udp(at(5000), x, 1, 2, 3)
	fragments := cut(udp(a, x, data...), 256, 256, 1)
	for _, p := range [][]byte{
		udp(a, x, 1, 2, 3), tcp(a, x, syn), tcp(x, at(5000), syn|ack), echo(8, a.Addr(), x.Addr(), 1),
		icmpError(hop, outside, 3, 4, quote, 28), icmpError(a.Addr(), x.Addr(), 11, 0, udp(x, a), 0),
		icmpError(b.Addr(), outside, 3, 3, udp(at(5000), b), 0), udp(a, at(80)), fragments[0], fragments[1],
		icmpError(hop, outside, 12, 0, tcp(at(5000), x, syn), 37), nil, {0x45},
	} {
		f.Add(p, p, uint8(0), uint8(0))
		f.Add(p, quote, uint8(7), uint8(3))
	}
	f.Fuzz(func(t *testing.T, one, two []byte, way, how uint8) {
		table, err := nat.New(nat.Config{
			Outside: outside, Sessions: 4, Mapping: nat.Behaviour(how % 3), Filtering: nat.Behaviour(how / 3 % 3),
			RandomPorts: how&16 != 0, InboundRefresh: how&32 != 0, NoHairpinning: how&64 != 0,
			Forwards: []nat.Forward{{Protocol: nat.TCP, Port: 80, To: a}, {Protocol: nat.UDP, Port: 80, To: a}},
		})
		if err != nil {
			t.Fatal(err)
		}
		ways := []func(time.Duration, []byte) nat.Verdict{table.Outbound, table.Inbound, table.Inside}
		table.Outbound(0, udp(b, x))
		table.Outbound(0, tcp(b, x, syn))
		now := time.Duration(0)
		for i, p := range [][]byte{one, two, one, two, one} {
			p = slices.Clone(p)
			if i > 1 && len(p) >= 40 && p[0]&15 == 5 {
				p[0], p[2], p[3] = 0x45, byte(len(p)>>8), byte(len(p)) // of a packet that makes more sense
				mend(p)
			}
			before, good := slices.Clone(p), right(p)
			verdict := ways[int(way>>i)%3](now, p)
			switch {
			case verdict > nat.Return:
				t.Fatalf("verdict %d", verdict)
			case good && verdict != nat.Drop && !right(p):
				t.Fatalf("the checksum of %x is wrong, made of %x", p, before)
			case len(p) != len(before):
				t.Fatal("another length")
			}
			for _, w := range table.Waiting() {
				if !right(w) {
					t.Fatalf("the checksum of %x is wrong", w)
				}
			}
			if s := table.Stats(); s.Sessions > 4 || s.Mappings > 6 {
				t.Fatalf("%+v", s)
			}
			now += time.Duration(how) * time.Second
		}
		table.Mappings(now + 3*time.Hour)
		if s := table.Stats(); s.Sessions != 0 || s.Mappings != 2 {
			t.Fatalf("something lasts for ever: %+v", s)
		}
	})
}
