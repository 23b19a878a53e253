package segment_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/wsstack/wsstack/internal/script/segment"
	"github.com/wsstack/wsstack/internal/script/syntax"
	"github.com/wsstack/wsstack/internal/trace"
)

// anyOption is an option that a script may have in an inbound segment.
func anyOption(t *rapid.T) syntax.Option {
	number := rapid.Uint32()
	switch rapid.IntRange(0, 6).Draw(t, "option") {
	case 0:
		return syntax.Option{Name: "mss", Values: []uint32{uint32(rapid.Uint16().Draw(t, "mss"))}}
	case 1:
		return syntax.Option{Name: "wscale", Values: []uint32{uint32(rapid.Uint8().Draw(t, "wscale"))}}
	case 2:
		return syntax.Option{Name: "sackOK"}
	case 3:
		return syntax.Option{Name: "sack", Values: []uint32{number.Draw(t, "left"), number.Draw(t, "right")}}
	case 4:
		return syntax.Option{Name: "TS", Values: []uint32{number.Draw(t, "val"), uint32(rapid.Uint16().Draw(t, "ecr"))}}
	case 5:
		return syntax.Option{Name: "FO", Bytes: rapid.SliceOfN(rapid.Byte(), 1, 8).Draw(t, "cookie")}
	}
	return syntax.Option{
		Name: "unknown", Values: []uint32{uint32(rapid.IntRange(70, 90).Draw(t, "kind"))},
		Bytes: rapid.SliceOfN(rapid.Byte(), 1, 8).Draw(t, "bytes"),
	}
}

// anySegment is a segment of the peer, padded as scripts do it.
func anySegment(t *rapid.T) *syntax.Segment {
	s := &syntax.Segment{HasRange: true, Start: rapid.Uint32().Draw(t, "start"), Length: rapid.IntRange(0, 3000).Draw(t, "length")}
	s.End = s.Start + uint32(s.Length)
	for _, letter := range "FSRPUEWA." {
		if rapid.Bool().Draw(t, string(letter)) {
			s.Flags += string(letter)
			switch letter {
			case 'U':
				urgent := rapid.Uint16().Draw(t, "urgent")
				s.Urgent = &urgent
			case '.':
				ack := rapid.Uint32().Draw(t, "ack")
				s.Ack = &ack
			}
		}
	}
	window := int(rapid.Uint16().Draw(t, "window"))
	s.Window = &window
	size := 0
	for range rapid.IntRange(0, 2).Draw(t, "options") {
		o := anyOption(t)
		s.Options = append(s.Options, o)
		size += map[string]int{"mss": 4, "wscale": 3, "sackOK": 2, "sack": 10, "TS": 10}[o.Name]
		if o.Bytes != nil {
			size += 2 + len(o.Bytes)
		}
	}
	for ; size%4 != 0; size++ {
		s.Options = append(s.Options, syntax.Option{Name: "nop"})
	}
	return s
}

// What the peer sends in any state of a connection reads as the script has it.
func TestText_IsWhatTheScriptSays(t *testing.T) {
	for _, c := range []segment.Config{hosts4, hosts6} {
		c.ScaledEcho = true
		rapid.Check(t, func(t *rapid.T) {
			p := segment.New(c)
			for range rapid.IntRange(1, 5).Draw(t, "segments") {
				if rapid.Bool().Draw(t, "outbound") {
					text := rapid.SampledFrom([]string{"> S 9:9(0) <TS val 5 ecr 6>", "> . <TS val 5 ecr 8>", "> S. 3:3(0)"}).Draw(t, "expected")
					e, err := p.Expect(packetOf(t, text))
					require.NoError(t, err)
					is := anyReply(t)
					e.Offer(is.encode(c))
				}
				want := &syntax.Packet{Inbound: true, TCP: anySegment(t)}
				b, err := p.Inbound(want)
				require.NoError(t, err)
				assert.Equal(t, want.String(), p.Text(b))
			}
		})
	}
}

// anyReply is a segment of the stack with a timestamp.
func anyReply(t *rapid.T) seg {
	return seg{
		flags: rapid.SampledFrom([]trace.Flags{syn, ack, syn | ack}).Draw(t, "flags"),
		seq:   rapid.Uint32().Draw(t, "seq"), ack: rapid.Uint32().Draw(t, "ack"),
		options: stamp(rapid.SampledFrom([]uint32{1 << 24, 1 << 25}).Draw(t, "val"), 6),
	}
}

// Whatever a stack sends, the peer takes it, and says something about it.
func FuzzOffer(f *testing.F) {
	texts := []string{
		"> S 0:0(0) <mss 1460>", "> . 1:1001(1000) ack 1 <...>", "> udp (8)",
		"> icmp unreachable port_unreachable [1:11(10)]", "> P. 1:11(10) ack 1 win 5 urg 6 <TS val 1 ecr 2>",
	}
	f.Add(seg{flags: syn, options: stamp(1, 2)}.encode(hosts4), uint8(0))
	f.Add(seg{flags: ack, payload: make([]byte, 500)}.encode(hosts6), uint8(1))
	f.Add(datagram(hosts4, 5, 6, "12345678"), uint8(2))
	inner := seg{flags: ack}.encode(hosts4)
	f.Add(fromStack(hosts4, 1, append([]byte{3, 3, 0, 0, 0, 0, 0, 0}, inner...)), uint8(3))
	f.Add(fromStack(hosts6, 58, append([]byte{2, 0, 0, 0, 0, 0, 5, 0}, seg{flags: ack}.encode(hosts6)...)), uint8(3))
	f.Fuzz(func(t *testing.T, b []byte, which uint8) {
		for _, c := range []segment.Config{hosts4, hosts6} {
			p := segment.New(c)
			e, err := p.Expect(packetOf(t, texts[int(which)%len(texts)]))
			require.NoError(t, err)
			for range 3 {
				v, m := e.Offer(b)
				assert.Equal(t, v == segment.Wrong, m != nil)
				if m != nil {
					assert.NotEmpty(t, m.Differences)
				}
			}
			assert.NotEmpty(t, p.Text(b))
		}
	})
}
