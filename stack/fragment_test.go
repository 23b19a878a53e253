package stack_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/wsstack/wsstack/provider"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
	"github.com/wsstack/wsstack/wsa"
)

// shifted is a device whose buffers begin before the packet, as those of a
// reader that leaves room for a header do, and hold 30 bytes of it: whatever reads
// a buffer that has gone to another packet finds that one's bytes in other places.
type shifted struct{ *tun.Func }

func (d shifted) Start(receive func([]tun.Packet)) error {
	return d.Func.Start(func(packets []tun.Packet) {
		for i := range packets {
			data := &packets[i].Data
			packet := append(make([]byte, 4), data.Flatten()...)
			first := min(len(packet), 34)
			moved := buffer.MakeWithData(packet[:first])
			rest := buffer.MakeWithData(packet[first:])
			moved.Merge(&rest)
			moved.TrimFront(4)
			data.Release()
			*data = moved
		}
		receive(packets)
	})
}

// cut makes fragments of an IP packet without extension headers: the first ones
// of the sizes given, the last one of the rest.
func cut(packet []byte, id uint16, sizes ...int) (fragments [][]byte) {
	v6 := header.IPVersion(packet) == header.IPv6Version
	head := header.IPv4MinimumSize
	if v6 {
		head = header.IPv6MinimumSize
	}
	rest, at := packet[head:], 0
	for i := range len(sizes) + 1 {
		size, more := len(rest)-at, uint8(0)
		if i < len(sizes) {
			size, more = sizes[i], 1
		}
		p := append([]byte(nil), packet[:head]...)
		if v6 {
			offset := uint16(at) | uint16(more)
			p = append(p, p[header.IPv6NextHeaderOffset], 0, byte(offset>>8), byte(offset), 0, 0, byte(id>>8), byte(id))
			p[header.IPv6NextHeaderOffset] = uint8(header.IPv6FragmentHeader)
		}
		p = append(p, rest[at:at+size]...)
		if v6 {
			header.IPv6(p).SetPayloadLength(uint16(len(p) - head))
		} else {
			h := header.IPv4(p)
			h.SetTotalLength(uint16(len(p)))
			h.SetID(id)
			h.SetFlagsFragmentOffset(more*header.IPv4FlagMoreFragments, uint16(at))
			h.SetChecksum(0)
			h.SetChecksum(^h.CalculateChecksum())
		}
		fragments, at = append(fragments, p), at+size
	}
	return fragments
}

// A TCP header in two fragments: netstack keeps a slice of the first one's IP
// header while it puts the TCP header together, which gives the chunk back to the
// pool. Here the copies for raw sockets are the next to use it; on a busy stack,
// any packet is. It killed the process.
func TestHeaderInTwoFragments(t *testing.T) {
	d := tun.NewFunc(1500, func([]byte) {})
	s, err := stack.New(stack.Config{Device: shifted{d}, Addresses: prefixes("10.0.0.1/24")})
	require.NoError(t, err)
	defer s.Close()
	p, err := provider.Startup(s, wsa.WINSOCK_VERSION)
	require.NoError(t, err)
	for range 3 { // each takes one of the chunks that were given back
		raw, err := p.Socket(wsa.AF_INET, wsa.SOCK_RAW, wsa.IPPROTO_TCP)
		require.NoError(t, err)
		require.NoError(t, p.Bind(raw, netip.AddrPortFrom(us, 0)))
	}
	syn := segment(them, us, 1000, 80, 1, 0, header.TCPFlagSyn, make([]byte, 20), make([]byte, 80))
	for id := range uint16(100) {
		for _, f := range cut(syn, id, 8+8*(int(id)%8)) {
			d.Inject(f)
		}
		s.Settle()
	}
}

// What a first fragment must hold (RFC 7112, RFC 1858); the rest of such a packet
// has nowhere to go.
func TestFirstFragments(t *testing.T) {
	s, d, sent := lonely(t)
	p, err := s.ListenPacket("udp", ":53")
	require.NoError(t, err)
	defer p.Close()
	four, six := netip.AddrPortFrom(them, 1000), netip.MustParseAddrPort("[fd00::2]:1000")
	us6 := netip.MustParseAddr("fd00::1")
	tcp := func(offset byte) []byte { // a SYN with room for 40 bytes of options
		b := make([]byte, 64)
		b[0], b[1], b[3], b[7], b[12], b[13] = 1000>>8, 1000&0xff, 80, 1, offset<<4, 2
		for i := 20; i < 60; i++ {
			b[i] = 1
		}
		return b
	}
	echo := func(kind byte) []byte { return append([]byte{kind, 0, 0, 0, 0, 1, 0, 1}, make([]byte, 56)...) }
	before := func(protocol byte, payload []byte) []byte {
		return append([]byte{protocol, 0, 1, 4, 0, 0, 0, 0}, payload...)
	}
	options := func(packet []byte) []byte { packet[header.IPv6NextHeaderOffset] = 60; return packet }
	id := uint16(0)
	for name, tt := range map[string]struct {
		packet  []byte
		size    int
		dropped uint64
		answers int
	}{
		"IPv4 TCP, 8 bytes":              {simnet.EncodeIP(them, us, 6, tcp(5)), 8, 1, 0},
		"IPv4 TCP, 16 bytes":             {simnet.EncodeIP(them, us, 6, tcp(5)), 16, 1, 0},
		"IPv4 TCP, the header":           {simnet.EncodeIP(them, us, 6, tcp(5)), 24, 0, 1},
		"IPv4 TCP, without the options":  {simnet.EncodeIP(them, us, 6, tcp(15)), 56, 1, 0},
		"IPv4 TCP, with the options":     {simnet.EncodeIP(them, us, 6, tcp(6)), 24, 0, 1},
		"IPv4 UDP":                       {simnet.EncodeUDP(four, netip.AddrPortFrom(us, 54), make([]byte, 60)), 8, 0, 1},
		"IPv4 echo":                      {simnet.EncodeIP(them, us, 1, echo(8)), 8, 0, 1},
		"IPv4 destination unreachable":   {simnet.EncodeIP(them, us, 1, echo(3)), 40, 1, 0},
		"IPv6 TCP, 16 bytes":             {simnet.EncodeIP(six.Addr(), us6, 6, tcp(5)), 16, 1, 0},
		"IPv6 TCP, the header":           {simnet.EncodeIP(six.Addr(), us6, 6, tcp(5)), 24, 0, 1},
		"IPv6 TCP, without the options":  {simnet.EncodeIP(six.Addr(), us6, 6, tcp(15)), 56, 1, 0},
		"IPv6 UDP":                       {simnet.EncodeUDP(six, netip.AddrPortFrom(us6, 54), make([]byte, 60)), 8, 0, 1},
		"IPv6 echo":                      {simnet.EncodeIP(six.Addr(), us6, 58, echo(128)), 8, 0, 1},
		"IPv6 packet too big":            {simnet.EncodeIP(six.Addr(), us6, 58, echo(2)), 48, 1, 0},
		"IPv6 options, nothing else":     {options(simnet.EncodeIP(six.Addr(), us6, 17, before(17, make([]byte, 40)))), 8, 1, 0},
		"IPv6 options before half a TCP": {options(simnet.EncodeIP(six.Addr(), us6, 6, before(6, tcp(5)))), 24, 1, 0},
		"IPv6 a fragment in a fragment":  {simnet.EncodeIP(six.Addr(), us6, 44, before(17, make([]byte, 40))), 16, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			for len(sent) > 0 {
				<-sent
			}
			first := s.Stats()
			id++ // the parts of a packet that was refused wait for the rest
			for _, f := range cut(tt.packet, id, tt.size) {
				d.Inject(f)
			}
			s.Settle()
			require.Equal(t, tt.dropped, s.Stats().Dropped-first.Dropped)
			require.Len(t, sent, tt.answers)
		})
	}
}

// One packet kept netstack busy for ever: it takes a length of 2,048 for 0.
func TestLongestExtensionHeader(t *testing.T) {
	s, d, sent := lonely(t)
	p := simnet.EncodeIP(netip.MustParseAddr("fd00::2"), netip.MustParseAddr("fd00::1"), 60,
		append([]byte{60, 255}, make([]byte, 3000)...))
	before := s.Stats().Dropped
	d.Inject(p)
	answersSYN(t, s, d, sent)
	require.Equal(t, before+1, s.Stats().Dropped)
}

// An empty datagram in two fragments is one that costs nothing of a buffer, too.
func TestEmptyDatagramsInFragments(t *testing.T) {
	s, d, _ := lonely(t)
	p, err := s.ListenPacket("udp", ":53")
	require.NoError(t, err)
	defer p.Close()
	packet := simnet.EncodeIP(them, us, 17, append([]byte{3, 232, 0, 53, 0, 8, 0, 0}, make([]byte, 32)...))
	packet[26], packet[27] = 0, 0 // no checksum
	for id := range uint16(5000) {
		for _, f := range cut(packet, id, 16) {
			d.Inject(f)
		}
		s.Settle()
	}
	requireQueued(t, p, 4096, "fragments")
}
