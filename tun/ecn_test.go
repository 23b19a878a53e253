package tun

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"pgregory.net/rapid"
)

// checksumOf sums up an IPv4 header; with a right checksum in it, the sum is 0xffff.
func checksumOf(header []byte) uint16 { return checksum.Checksum(header, 0) }

func TestECN_Field(t *testing.T) {
	long := make([]byte, 40)
	with := func(first, second byte) []byte {
		b := append([]byte{}, long...)
		b[0], b[1] = first, second
		return b
	}
	for _, c := range []struct {
		packet []byte
		want   byte
	}{
		{with(0x45, 0xfc), 0}, {with(0x45, 0x01), 1}, {with(0x45, 0xfe), 2}, {with(0x45, 0x03), 3},
		{with(0x6f, 0xcf), 0}, {with(0x60, 0x10), 1}, {with(0x6f, 0xef), 2}, {with(0x60, 0x30), 3},
		{with(0x55, 0xff), 0}, {nil, 0}, {[]byte{0x45}, 0}, {with(0x45, 0x02)[:19], 0}, {[]byte{0x60, 0x20}, 2},
	} {
		b := buffer.MakeWithData(c.packet)
		require.Equal(t, c.want, ecn(&b), "%x", c.packet)
	}
}

// A mark changes the two bits, and the checksum of IPv4, whatever is in the packet. A wrong
// checksum doesn't become a right one.
func TestECN_Mark(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before := rapid.SliceOfN(rapid.Byte(), 40, 60).Draw(t, "packet")
		v6, code := rapid.Bool().Draw(t, "v6"), byte(rapid.IntRange(1, 3).Draw(t, "code"))
		want := func(code byte) []byte {
			b := append([]byte{}, before...)
			if v6 {
				b[0], b[1] = b[0]&0xf|0x60, b[1]&0xcf|code<<4
				return b
			}
			b[0], b[1] = 0x45, b[1]&0xfc|code
			b[10], b[11] = 0, 0
			sum := ^checksumOf(b[:20])
			b[10], b[11] = byte(sum>>8), byte(sum)
			return b
		}
		packet := Packet{Data: buffer.MakeWithData(want(code)), Tag: 7}
		others := packet.Data.Clone()
		markCE(&packet)
		require.Equal(t, want(3), packet.Data.Flatten())
		require.Equal(t, want(code), others.Flatten(), "the sender's data are untouched")
		require.EqualValues(t, 7, packet.Tag)
		if !v6 {
			wrong := want(code)
			wrong[15] ^= 1
			packet := Packet{Data: buffer.MakeWithData(wrong)}
			markCE(&packet)
			require.NotEqualValues(t, 0xffff, checksumOf(packet.Data.Flatten()[:20]))
		}
	})
}
