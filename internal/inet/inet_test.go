package inet_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"pgregory.net/rapid"

	"github.com/wsstack/wsstack/internal/inet"
)

func TestPutChecksum(t *testing.T) {
	for _, tt := range []struct {
		sum  uint16
		udp  bool
		want uint16
	}{
		{0x1234, false, 0xedcb},
		{0x1234, true, 0xedcb},
		{0xffff, false, 0},
		{0xffff, true, 0xffff},
		{0, true, 0xffff},
	} {
		var field [2]byte
		inet.PutChecksum(field[:], tt.sum, tt.udp)
		assert.Equal(t, tt.want, binary.BigEndian.Uint16(field[:]), "sum %#x, UDP %t", tt.sum, tt.udp)
	}
}

// Whatever changes in a packet, the patched checksum is as right as one that is computed anew.
func TestPatchChecksum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		packet := rapid.SliceOfN(rapid.Byte(), 8, 40).Draw(t, "packet")
		inet.PutChecksum(packet[2:], checksum.Checksum(packet[:2], checksum.Checksum(packet[4:], 0)), false)
		from := 4 + 2*rapid.IntRange(0, 1).Draw(t, "from")
		before := [2]byte(packet[from:])
		copy(packet[from:], rapid.SliceOfN(rapid.Byte(), 2, 2).Draw(t, "after"))
		inet.PatchChecksum(packet[2:], before[:], packet[from:from+2])
		if sum := checksum.Checksum(packet, 0); sum != 0xffff && sum != 0 {
			t.Fatalf("the sum of the packet is %#x", sum)
		}
	})
}

// scanned writes what a scanner finds.
func scanned(b []byte) string {
	var found []string
	s := inet.ScanOptions(b)
	for s.Next() {
		found = append(found, fmt.Sprintf("%d:%x", s.Kind, s.Value))
	}
	if s.Malformed {
		found = append(found, "malformed")
	}
	return strings.Join(found, " ")
}

func TestScanOptions(t *testing.T) {
	for _, tt := range []struct {
		name    string
		options []byte
		want    string
	}{
		{"none", nil, ""},
		{"of a SYN", []byte{2, 4, 5, 0xb4, 1, 3, 3, 8, 1, 1, 4, 2}, "2:05b4 3:08 4:"},
		{"padding only", []byte{1, 1, 1, 1}, ""},
		{"what follows the end doesn't count", []byte{4, 2, 0, 2, 4, 5, 0xb4}, "4:"},
		{"no length", []byte{4, 2, 3}, "4: malformed"},
		{"a length of 0", []byte{4, 2, 3, 0}, "4: malformed"},
		{"a length of 1", []byte{4, 2, 3, 1}, "4: malformed"},
		{"longer than the header", []byte{4, 2, 8, 10, 0, 0}, "4: malformed"},
		{"unknown", []byte{254, 4, 0xf9, 0x89, 4, 2}, "254:f989 4:"},
	} {
		assert.Equal(t, tt.want, scanned(tt.options), tt.name)
	}
}

func FuzzScanOptions(f *testing.F) {
	f.Add([]byte{2, 4, 5, 0xb4, 1, 3, 3, 8, 1, 1, 4, 2})
	f.Fuzz(func(t *testing.T, b []byte) {
		n := 0
		s := inet.ScanOptions(b)
		for s.Next() {
			n += 2 + len(s.Value)
			require.LessOrEqual(t, n, len(b))
		}
		require.False(t, s.Next(), "after the end")
	})
}

func TestScanAllocatesNothing(t *testing.T) {
	b := []byte{2, 4, 5, 0xb4, 1, 3, 3, 8, 1, 1, 4, 2}
	require.Zero(t, testing.AllocsPerRun(100, func() {
		for s := inet.ScanOptions(b); s.Next(); {
		}
	}))
}

// Every packet that is encoded has right checksums, and one whose bytes change has wrong ones.
func TestEncode(t *testing.T) {
	for _, family := range [][2]string{{"192.0.2.1", "192.168.0.1"}, {"2001:db8::1", "fd3d::1"}} {
		for protocol, size := range map[uint8]int{1: 9, 6: 33, 17: 8, 58: 8, 253: 3} {
			h := inet.Header{
				Source: netip.MustParseAddr(family[0]), Dest: netip.MustParseAddr(family[1]),
				Protocol: protocol, TrafficClass: 0xb9, TTL: 7, FlowLabel: 0x1a2b3,
			}
			transport := bytes.Repeat([]byte{0xa5}, size)
			b := h.Encode(transport)
			inner := b[len(b)-size:]
			assert.True(t, h.ChecksumFits(inner), "%v %d", family, protocol)
			inner[0]++
			assert.Equal(t, protocol == 253, h.ChecksumFits(inner), "%v %d", family, protocol)
			if b[0]>>4 == 4 {
				assert.Equal(t, uint16(0xffff), checksum.Checksum(b[:20], 0))
				assert.Equal(t, []byte{0x45, 0xb9, 0, byte(20 + size)}, b[:4])
				assert.Equal(t, []byte{0x40, 0, 7, protocol}, b[6:10])
			} else {
				assert.Equal(t, []byte{0x6b, 0x91, 0xa2, 0xb3, 0, byte(size), protocol, 7}, b[:8])
			}
		}
	}
}

// Without a checksum is a datagram that has a zero in its place, over IPv4 only.
func TestChecksumFits_None(t *testing.T) {
	datagram := []byte{0, 1, 0, 2, 0, 8, 0, 0}
	assert.True(t, inet.Header{Source: netip.MustParseAddr("10.0.0.1"), Protocol: 17}.ChecksumFits(datagram))
	assert.False(t, inet.Header{Source: netip.MustParseAddr("fd00::1"), Protocol: 17}.ChecksumFits(datagram))
}
