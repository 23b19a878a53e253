package nat_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"

	"github.com/wsstack/wsstack/internal/nat"
)

// cut cuts a packet into fragments: the first one has so many bytes of payload, the others another
// number, both multiples of 8.
func cut(p []byte, first, others int, id uint16) (list [][]byte) {
	for at, size := 0, first; at < len(p)-20; at, size = at+size, others {
		f := append(slices.Clone(p[:20]), p[20+at:min(20+at+size, len(p))]...)
		binary.BigEndian.PutUint16(f[2:], uint16(len(f)))
		binary.BigEndian.PutUint16(f[4:], id)
		word := uint16(at / 8)
		if at+size < len(p)-20 {
			word |= 0x2000
		}
		binary.BigEndian.PutUint16(f[6:], word)
		f[10], f[11] = 0, 0
		binary.BigEndian.PutUint16(f[10:], ^checksum.Checksum(f[:20], 0))
		list = append(list, f)
	}
	return list
}

// join puts the fragments of a packet together again.
func join(t *testing.T, list [][]byte) []byte {
	slices.SortFunc(list, func(a, b []byte) int {
		return int(binary.BigEndian.Uint16(a[6:])&0x1fff) - int(binary.BigEndian.Uint16(b[6:])&0x1fff)
	})
	p := slices.Clone(list[0][:20])
	for _, f := range list {
		require.True(t, right(f))
		require.Equal(t, int(binary.BigEndian.Uint16(f[6:])&0x1fff)*8, len(p)-20)
		p = append(p, f[20:]...)
	}
	binary.BigEndian.PutUint16(p[2:], uint16(len(p)))
	p[6], p[7], p[10], p[11] = 0, 0, 0, 0
	binary.BigEndian.PutUint16(p[10:], ^checksum.Checksum(p[:20], 0))
	return p
}

var data = slices.Repeat([]byte{1, 2, 3, 4, 5}, 200)

// Fragments are translated in whatever order they come, in each direction (RFC 4787 REQ-14).
func TestFragments(t *testing.T) {
	for name, order := range map[string][]int{"in order": {0, 1, 2, 3}, "the first one last": {3, 2, 1, 0}, "twice": {1, 0, 0, 1, 3, 2}} {
		t.Run(name, func(t *testing.T) {
			n, id := newBox(t, nat.Config{}), uint16(77)
			n.out(udp(b, x)) // has the port that the others would like
			pass := func(f func(time.Duration, []byte) nat.Verdict, want nat.Verdict, p []byte) (from, to netip.AddrPort) {
				id++
				fragments := cut(p, 256, 256, id)
				var got [][]byte
				for _, i := range order {
					q := slices.Clone(fragments[i])
					switch f(0, q) {
					case want:
						got = append(append(got, q), n.Waiting()...)
					case nat.Keep:
					default:
						t.Fatal("dropped")
					}
				}
				require.Len(t, got, len(order))
				got = slices.CompactFunc(slices.SortedFunc(slices.Values(got), slices.Compare), slices.Equal)
				whole := join(t, got)
				require.True(t, right(whole))
				require.True(t, bytes.HasSuffix(whole, data))
				return ends(whole)
			}
			from, to := pass(n.Outbound, nat.Pass, udp(a, x, data...))
			require.Equal(t, [2]netip.AddrPort{at(from.Port()), x}, [2]netip.AddrPort{from, to})
			require.NotEqual(t, at(5000), from)
			_, to = pass(n.Inbound, nat.Pass, udp(x, from, data...))
			require.Equal(t, a, to)
			back, to := pass(n.Inside, nat.Return, udp(b, from, data...))
			require.Equal(t, [2]netip.AddrPort{at(5000), a}, [2]netip.AddrPort{back, to})
			_, to = pass(n.Outbound, nat.Pass, tcpSYN(b, x, data...))
			require.Equal(t, x, to)
			_, to = pass(n.Inbound, nat.Pass, udp(x, at(9), data...)) // the router's
			require.Equal(t, at(9), to)
			from, _ = pass(n.Outbound, nat.Pass, echo(8, b.Addr(), x.Addr(), 4, data...))
			require.Equal(t, at(4), from)
		})
	}
}

func tcpSYN(from, to netip.AddrPort, data ...byte) []byte { return tcp(from, to, syn, data...) }

// The fragments behind one that was dropped are dropped, and so is one that could change the flags
// of a segment.
func TestFragmentsDropped(t *testing.T) {
	n := newBox(t, nat.Config{Filtering: nat.AddressDependent})
	n.out(udp(a, x))
	stranger := cut(udp(y, at(5000), data...), 256, 256, 1)
	require.Equal(t, nat.Keep, n.Inbound(0, stranger[2]))
	n.dropped(n.Inbound, stranger[0])
	n.dropped(n.Inbound, stranger[1])
	require.Empty(t, n.Waiting())
	require.EqualValues(t, 2, n.Stats().Fragments)
	tiny := cut(tcp(a, x, syn, data...), 8, 256, 2)
	n.dropped(n.Outbound, tiny[0])
	n.dropped(n.Outbound, tiny[1])
	overlap := cut(tcp(b, x, syn, data...), 256, 256, 4)
	require.Equal(t, nat.Pass, n.Outbound(0, overlap[0]))
	n.dropped(n.Outbound, cut(tcp(b, x, syn, data...), 8, 256, 4)[1])
	later := cut(udp(b, at(5000), data...), 256, 256, 3)
	for _, f := range later[1:] {
		f[8] = 1
		f[10], f[11] = 0, 0
		binary.BigEndian.PutUint16(f[10:], ^checksum.Checksum(f[:20], 0))
	}
	m := newBox(t, nat.Config{})
	m.out(udp(a, x))
	require.Equal(t, nat.Return, m.Inside(0, later[0]))
	m.dropped(m.Inside, later[1])
}

// What is kept about fragments is bounded, in number and in time.
func TestFragmentsBounded(t *testing.T) {
	n := newBox(t, nat.Config{})
	n.out(udp(a, x))
	part := func(id uint16, i int) []byte { return cut(udp(x, at(5000), data...), 256, 256, id)[i] }
	for id := range uint16(1000) {
		want := nat.Keep
		if id >= 64 {
			want = nat.Drop
		}
		if id < 256 { // then the oldest ones go
			require.Equal(t, want, n.Inbound(0, part(id, 1)), "%d", id)
		} else {
			n.Inbound(0, part(id, 1))
		}
	}
	require.GreaterOrEqual(t, n.Stats().Fragments, uint64(1000-64))
	require.Equal(t, nat.Pass, n.Inbound(0, part(0, 0)))
	require.Empty(t, n.Waiting(), "forgotten")
	m := newBox(t, nat.Config{})
	m.out(udp(a, x))
	for id := range uint16(1000) { // those that go on make room for others
		require.Equal(t, nat.Keep, m.Inbound(0, part(id, 1)))
		require.Equal(t, nat.Pass, m.Inbound(0, part(id, 0)))
		require.Len(t, m.Waiting(), 1)
	}
	// Others aren't in the way of another direction.
	out := cut(udp(a, x, data...), 256, 256, 1)
	require.Equal(t, nat.Keep, n.Outbound(0, out[1]))
	n.now = 30*time.Second - 1
	require.Equal(t, nat.Pass, n.Outbound(n.now, slices.Clone(out[0])))
	require.Len(t, n.Waiting(), 1)
	require.Equal(t, nat.Pass, n.Outbound(n.now, slices.Clone(out[2])))
	n.now++
	require.Equal(t, nat.Keep, n.Outbound(n.now, slices.Clone(out[2])), "another packet by now")
	n.now = math.MaxInt64
	require.Empty(t, n.Mappings(n.now))
}
