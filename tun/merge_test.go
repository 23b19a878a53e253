package tun

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"pgregory.net/rapid"

	"github.com/wsstack/wsstack/internal/inet"
)

// mergeable are packets that Merge makes one of: TCP segments as Segments cuts them off.
func mergeable(c bulky) (list [][]byte) {
	p := c.packet()
	defer p.Data.Release()
	b := p.Data.Flatten()
	p.Data.Release()
	p.Data = buffer.MakeWithData(b)
	Segments(&p, func(q Packet) {
		list = append(list, q.Data.Flatten())
		q.Data.Release()
	})
	network, _ := c.headerSizes()
	edit(list[0], func(b []byte) { b[network+tcpFlags] &^= flagCWR })
	return list
}

// edit changes a packet, and makes its lengths and checksums right again.
func edit(b []byte, change func(b []byte)) {
	change(b)
	h := headers{transport: ip4Size}
	if h.v6 = len(b) > 0 && b[0]>>4 == 6; h.v6 {
		h.transport = ip6Size
	}
	if len(b) < h.transport {
		return
	}
	h.putLengths(b, len(b))
	s := segmentOf(b)
	if s.data == nil {
		return
	}
	t := b[s.transport:]
	binary.BigEndian.PutUint16(t[tcpChecksum:], 0)
	inet.PutChecksum(t[tcpChecksum:], checksum.Checksum(t, s.pseudoHeader(b, len(t))), false)
}

// moveBack lowers the sequence number of a segment over IPv4.
func moveBack(b []byte, by uint32) {
	seq := b[ip4Size+tcpSeq:]
	binary.BigEndian.PutUint32(seq, binary.BigEndian.Uint32(seq)-by)
}

// mergeAll is Merge, with the packets as bytes, and as what Segments makes of them.
func mergeAll(m *Merger, list [][]byte) (merged []Packet, whole, cut [][]byte) {
	merged = m.Merge(nil, list)
	for i := range merged {
		whole = append(whole, merged[i].Data.Flatten())
		Segments(&merged[i], func(q Packet) {
			cut = append(cut, q.Data.Flatten())
			q.Data.Release()
		})
		merged[i].Data.Release()
	}
	return merged, whole, cut
}

func sizes(list [][]byte) (n []int) {
	for _, b := range list {
		n = append(n, len(b))
	}
	return n
}

// What Segments cuts up, Merge puts together: the same packet again, with the same metadata.
func TestMerge(t *testing.T) {
	for name, c := range map[string]bulky{
		"IPv4":           {payload: 60000, mss: 1448},
		"IPv6":           {v6: true, payload: 60000, mss: 1428},
		"equal sizes":    {payload: 3000, mss: 1000},
		"a byte over":    {payload: 101, mss: 100},
		"a byte each":    {payload: 128, mss: 1},
		"as many as fit": {payload: 65535 - 52, mss: 1000},
	} {
		t.Run(name, func(t *testing.T) {
			p := c.packet()
			want := p.Data.Flatten()
			p.Data.Release()
			network, _ := c.headerSizes()
			want[network+tcpFlags] &^= flagCWR
			var m Merger
			list := mergeable(c)
			merged, whole, cut := mergeAll(&m, list)
			require.Len(t, whole, 1)
			require.Equal(t, want, whole[0])
			require.Equal(t, p.GSO, merged[0].GSO)
			require.Equal(t, list, cut)
		})
	}
}

// Two segments of which the second is changed stay apart.
func TestMerge_Apart(t *testing.T) {
	tcp := func(at int, to ...byte) func(c bulky, b []byte) {
		return func(c bulky, b []byte) {
			network, _ := c.headerSizes()
			copy(b[network+at:], to)
		}
	}
	ip4 := func(at int, to ...byte) func(c bulky, b []byte) {
		return func(c bulky, b []byte) {
			if c.v6 {
				b[0] = 0x65 // something that is apart as well
				return
			}
			copy(b[at:], to)
		}
	}
	for name, change := range map[string]func(c bulky, b []byte){
		"port":           tcp(1, 9),
		"sequence":       tcp(tcpSeq, 9),
		"acknowledgment": tcp(tcpAck, 9),
		"reserved bits":  tcp(tcpOffset, 8<<4|1),
		"window":         tcp(tcpWindow, 9),
		"urgent pointer": tcp(tcpUrgent, 9),
		"option":         tcp(tcpSize, 1),
		"SYN":            tcp(tcpFlags, flagACK|0x02),
		"RST":            tcp(tcpFlags, flagACK|0x04),
		"URG":            tcp(tcpFlags, flagACK|flagURG),
		"ECE":            tcp(tcpFlags, flagACK|flagECE),
		"CWR":            tcp(tcpFlags, flagACK|flagCWR),
		"no ACK":         tcp(tcpFlags, 0),
		"header length":  tcp(tcpOffset, 7<<4),
		"congestion":     func(c bulky, b []byte) { b[1] |= 3 << map[bool]int{true: 4}[c.v6] },
		"TTL":            func(c bulky, b []byte) { b[map[bool]int{false: 8, true: ip6Hops}[c.v6]]-- },
		"ID":             ip4(ip4ID, 9),
		"may fragment":   ip4(ip4Fragment, dontFragment),
		"first fragment": ip4(ip4Fragment, 0x20),
		"last fragment":  ip4(ip4Fragment+1, 1),
		"address":        func(c bulky, b []byte) { b[map[bool]int{false: 15, true: 23}[c.v6]]++ },
	} {
		for _, c := range []bulky{{payload: 200, mss: 100}, {v6: true, payload: 200, mss: 100}} {
			t.Run(fmt.Sprintf("%s, IPv6 %v", name, c.v6), func(t *testing.T) {
				list := mergeable(c)
				edit(list[1], func(b []byte) { change(c, b) })
				var m Merger
				_, whole, _ := mergeAll(&m, list)
				require.Equal(t, list, whole)
			})
		}
	}
}

// A packet with a wrong checksum is handed on by itself and as it is, and the others go together
// without it.
func TestMerge_WrongChecksum(t *testing.T) {
	for _, c := range []bulky{{payload: 500, mss: 100}, {v6: true, payload: 500, mss: 100}} {
		network, _ := c.headerSizes()
		for name, damage := range map[string]func(b []byte){
			"payload": func(b []byte) { b[len(b)-1] ^= 1 },
			"TCP":     func(b []byte) { b[network+tcpChecksum] ^= 1 },
			"IPv4": func(b []byte) {
				if c.v6 {
					b[network+tcpChecksum] ^= 1
				} else {
					b[ip4Checksum] ^= 1
				}
			},
		} {
			for at := range 5 {
				list := mergeable(c)
				damage(list[at])
				var m Merger
				merged, whole, cut := mergeAll(&m, list)
				require.Equal(t, list, cut, "%s, %d", name, at)
				i := slices.IndexFunc(whole, func(b []byte) bool { return bytes.Equal(b, list[at]) })
				require.GreaterOrEqual(t, i, 0)
				require.Zero(t, merged[i].GSO, "for whoever gets it to find out")
				require.Less(t, len(whole), 5)
			}
		}
	}
}

// In IPv4, what may not be fragmented has an identification that nobody may look at.
func TestMerge_SameID(t *testing.T) {
	list := mergeable(bulky{payload: 300, mss: 100})
	for _, b := range list {
		edit(b, func(b []byte) { b[ip4ID], b[ip4ID+1], b[ip4Fragment] = 0, 0, dontFragment })
	}
	var m Merger
	_, whole, _ := mergeAll(&m, list)
	require.Len(t, whole, 1)
}

// PSH, FIN and a shorter segment are the last of a run; a packet without payload is no part of one,
// and nothing is put together around it.
func TestMerge_Ends(t *testing.T) {
	const head = 52
	for name, c := range map[string]struct {
		change func(list [][]byte) [][]byte
		want   []int
	}{
		"PSH": {func(l [][]byte) [][]byte {
			edit(l[1], func(b []byte) { b[20+tcpFlags] |= flagPSH })
			return l
		}, []int{head + 200, head + 300}},
		"FIN": {func(l [][]byte) [][]byte {
			edit(l[1], func(b []byte) { b[20+tcpFlags] |= flagFIN })
			return l
		}, []int{head + 200, head + 300}},
		"acknowledgement": {func(l [][]byte) [][]byte {
			l[2] = l[2][:head]
			edit(l[2], func([]byte) {})
			edit(l[3], func(b []byte) { copy(b[20+tcpSeq:], l[2][20+tcpSeq:][:4]) })
			edit(l[4], func(b []byte) { moveBack(b, 100) })
			return l
		}, []int{head + 200, head, head + 200}},
		"shorter": {func(l [][]byte) [][]byte {
			l[2] = l[2][:head+50]
			edit(l[2], func([]byte) {})
			for _, b := range l[3:] {
				edit(b, func(b []byte) { moveBack(b, 50) })
			}
			return l
		}, []int{head + 250, head + 200}},
		"options of IP": {func(l [][]byte) [][]byte {
			b := slices.Insert(bytes.Clone(l[2]), ip4Size, 1, 1, 1, 0)
			b[0] = 4<<4 | 6
			return slices.Insert(l, 2, b)
		}, []int{head + 200, head + 104, head + 300}},
		"extension header": {func(l [][]byte) [][]byte {
			b := make([]byte, ip6Size)
			b[0] = 6 << 4 // and hop-by-hop options behind it
			return slices.Insert(l, 2, b)
		}, []int{head + 200, ip6Size, head + 300}},
		"other order": {func(l [][]byte) [][]byte {
			return [][]byte{l[2], l[3], l[0], l[1], l[4]}
		}, []int{head + 200, head + 200, head + 100}},
	} {
		t.Run(name, func(t *testing.T) {
			list := c.change(mergeable(bulky{payload: 500, mss: 100}))
			var m Merger
			_, whole, cut := mergeAll(&m, list)
			require.Equal(t, c.want, sizes(whole))
			require.Equal(t, list, cut)
		})
	}
}

// run is n segments of one connection that follow each other, with size bytes each.
func run(n, size int) (list [][]byte) {
	one := mergeable(bulky{payload: 2 * size, mss: size})[0]
	for i := range n {
		b := bytes.Clone(one)
		moveBack(b, -uint32(i*size))
		edit(b, func(b []byte) { binary.BigEndian.PutUint16(b[ip4ID:], uint16(i)) })
		list = append(list, b)
	}
	return list
}

// A packet becomes no larger than the length in its header can say.
func TestMerge_Largest(t *testing.T) {
	var m Merger
	list := run(128, 1000)
	_, whole, cut := mergeAll(&m, list)
	require.Equal(t, []int{52 + 65_000, 52 + 63_000}, sizes(whole))
	require.Equal(t, list, cut)
}

// A segment that is larger than the first one isn't cut off like that.
func TestMerge_Larger(t *testing.T) {
	var m Merger
	list := [][]byte{run(1, 100)[0], run(2, 200)[1]}
	moveBack(list[1], 100)
	edit(list[1], func([]byte) {})
	_, whole, _ := mergeAll(&m, list)
	require.Equal(t, list, whole)
}

// Fragments stay apart, also where all are, and so does each segment that says that the window has
// been reduced.
func TestMerge_All(t *testing.T) {
	for name, change := range map[string]func(b []byte){
		"more fragments": func(b []byte) { b[ip4Fragment] = 0x20 },
		"CWR":            func(b []byte) { b[ip4Size+tcpFlags] |= flagCWR },
		"CWR only first": func(b []byte) {
			if b[ip4ID+1] == 0 {
				b[ip4Size+tcpFlags] |= flagCWR
			}
		},
	} {
		list := run(2, 100)
		for _, b := range list {
			edit(b, change)
		}
		var m Merger
		_, whole, _ := mergeAll(&m, list)
		require.Equal(t, list, whole, name)
	}
}

// A checksum of 0 that is written in its other form is right, but isn't what Segments writes.
func TestMerge_OtherForm(t *testing.T) {
	list := run(2, 100)
	b := list[1]
	last := b[len(b)-2:]
	last[0], last[1] = 0, 0
	edit(b, func([]byte) {})
	copy(last, b[ip4Size+tcpChecksum:][:2]) // what is missing to a sum of 0xffff
	edit(b, func([]byte) {})
	require.Zero(t, binary.BigEndian.Uint16(b[ip4Size+tcpChecksum:]))
	var m Merger
	_, whole, _ := mergeAll(&m, list)
	require.Len(t, whole, 1)
	binary.BigEndian.PutUint16(b[ip4Size+tcpChecksum:], 0xffff)
	_, whole, _ = mergeAll(&m, list)
	require.Equal(t, list, whole)
}

// The segments of several connections may mix, with other packets between them.
func TestMerge_Mixed(t *testing.T) {
	const connections = maxOpen + 1
	var lists [connections][][]byte
	for i := range lists {
		lists[i] = mergeable(bulky{payload: 400, mss: 100, v6: i%2 == 1})
		for _, b := range lists[i] {
			edit(b, func(b []byte) { b[segmentOf(b).transport] = byte(i) })
		}
	}
	mix := func(n int) (list [][]byte) {
		for round := range 4 {
			for i := range n {
				list = append(list, lists[i][round])
			}
			list = append(list, []byte("neither"), nil)
		}
		return list
	}
	var m Merger
	_, whole, _ := mergeAll(&m, mix(maxOpen))
	require.Equal(t, maxOpen+4, len(whole))
	for _, b := range whole[maxOpen+1:] {
		require.Equal(t, []byte("neither"), b)
	}
	// One connection too many: each time, the one that is looked for was forgotten just before.
	_, whole, _ = mergeAll(&m, mix(connections))
	// The last segments aren't the beginning of anything, so that they displace nobody.
	require.Equal(t, 3*connections+1+4, len(whole))
}

// byConnection sorts packets by connection and otherwise leaves them in order; packets that have no
// connection come first.
func byConnection(list [][]byte) [][]byte {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b []byte) int {
		x, y := segmentOf(a), segmentOf(b)
		switch {
		case x.data == nil || y.data == nil:
			return map[bool]int{true: 1}[x.data != nil] - map[bool]int{true: 1}[y.data != nil]
		}
		return bytes.Compare(x.addresses(), y.addresses())
	})
	return list
}

// requireSame checks that cut has the packets of list: of each connection the same in the same
// order. The IDs of packets that may not be fragmented don't count.
func requireSame(t require.TestingT, list, cut [][]byte) {
	clean := func(l [][]byte) (clean [][]byte) {
		for _, b := range l {
			b = bytes.Clone(b)
			if s := segmentOf(b); s.data != nil && !s.v6 && b[ip4Fragment]&dontFragment != 0 && inet.SumsUp(b[:ip4Size]) {
				b[ip4ID], b[ip4ID+1] = 0, 0
				s.putLengths(b, len(b))
			}
			if len(b) > 0 {
				clean = append(clean, b)
			}
		}
		return byConnection(clean)
	}
	require.Equal(t, clean(list), clean(cut))
}

// Whatever comes, what Merge makes of it is cut up into the same packets.
func TestMerge_Property(t *testing.T) {
	var m Merger
	rapid.Check(t, func(t *rapid.T) {
		var list [][]byte
		for range rapid.IntRange(1, 4).Draw(t, "connections") {
			c := bulky{
				v6:      rapid.Bool().Draw(t, "v6"),
				payload: rapid.IntRange(1, 900).Draw(t, "payload"),
				mss:     rapid.IntRange(90, 300).Draw(t, "mss"),
			}
			for _, b := range mergeable(c) {
				if rapid.IntRange(0, 9).Draw(t, "change") == 0 {
					at := rapid.IntRange(0, min(80, len(b)-1)).Draw(t, "at")
					edit(b, func(b []byte) { b[at] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit") })
				}
				at := rapid.IntRange(max(0, len(list)-2), len(list)).Draw(t, "place")
				list = slices.Insert(list, at, b)
			}
		}
		_, whole, cut := mergeAll(&m, list)
		requireSame(t, list, cut)
		for _, b := range whole {
			require.LessOrEqual(t, len(b), inet.MaxMTU)
		}
	})
}

// FuzzMerge takes packets apart that begin with their length. The first bit of that says that
// lengths and checksums of the packet are right.
func FuzzMerge(f *testing.F) {
	for _, c := range []bulky{{payload: 200, mss: 100}, {v6: true, payload: 250, mss: 100}} {
		var b []byte
		for _, p := range mergeable(c) {
			b = append(binary.BigEndian.AppendUint16(b, 0x8000|uint16(len(p))), p...)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var list [][]byte
		for len(b) > 2 && len(list) < 128 {
			size := binary.BigEndian.Uint16(b)
			n := min(int(size&0x7fff), len(b)-2)
			packet := b[2:][:n:n]
			if size&0x8000 != 0 {
				edit(packet, func([]byte) {})
			}
			list, b = append(list, packet), b[2+n:]
		}
		var m Merger
		_, _, cut := mergeAll(&m, list)
		requireSame(t, list, cut)
	})
}
