package wg

import (
	"encoding/binary"
	"maps"
	"net/netip"
	"slices"
	"sync/atomic"

	"github.com/wsstack/wsstack/internal/inet"
)

// The bytes that a tunnel puts around a packet: IP, UDP and WireGuard's header and tag. Packets are
// padded to a multiple of padding before, but not beyond the MTU of the tunnel.
const (
	overhead4 = 20 + 8 + 32
	overhead6 = 40 + 8 + 32
	padding   = 16
)

// paths tell a stack, as a router would, which packets are too large for the path to a peer outside
// of the tunnel (RFC 1191, RFC 8201). Where a packet may be fragmented, the system does that with
// the packets of the tunnel.
type paths struct {
	mtu    int                    // of the tunnel
	path   func(netip.Addr) int   // the MTU of the path to an address; 0: it isn't known
	limits atomic.Pointer[limits] // nil: no path is too small
}

// limits are the sizes of the largest packets by destinations in the tunnel.
type limits struct {
	of    map[netip.Prefix]int // 0: no limit
	bits4 []int                // the lengths of the prefixes, the longest one first
	bits6 []int
}

// update asks for the MTUs of the paths to peers.
func (p *paths) update(peers []PeerStatus) {
	l := &limits{of: map[netip.Prefix]int{}}
	small := false
	bits4, bits6 := map[int]bool{}, map[int]bool{}
	for i := range peers {
		limit := p.limit(peers[i].At.Addr())
		small = small || limit > 0
		for _, ip := range peers[i].AllowedIPs {
			l.of[ip] = limit
			if ip.Addr().Is4() {
				bits4[ip.Bits()] = true
			} else {
				bits6[ip.Bits()] = true
			}
		}
	}
	if !small {
		p.limits.Store(nil)
		return
	}
	l.bits4, l.bits6 = descending(bits4), descending(bits6)
	p.limits.Store(l)
}

// descending are the keys of a set, the largest first.
func descending(set map[int]bool) []int {
	all := slices.Sorted(maps.Keys(set))
	slices.Reverse(all)
	return all
}

// limit is the size of the largest packet in the tunnel that gets to an address outside of it in
// one piece; 0: the path takes all.
func (p *paths) limit(a netip.Addr) int {
	if !a.IsValid() {
		return 0
	}
	mtu := p.path(a)
	if mtu == 0 {
		return 0
	}
	overhead := overhead4
	if a.Is6() {
		overhead = overhead6
	}
	limit := mtu - overhead
	if limit >= p.mtu {
		return 0
	}
	return max(limit-limit%padding, inet.MinMTU4)
}

// to is the limit for a destination.
func (l *limits) to(a netip.Addr) int {
	bits := l.bits6
	if a.Is4() {
		bits = l.bits4
	}
	for _, n := range bits {
		prefix, _ := a.Prefix(n)
		if limit, ok := l.of[prefix]; ok {
			return limit
		}
	}
	return 0
}

// look returns the ICMP error for a packet of the stack that is too large; nil: it isn't, or it may
// be cut up on the way, or nobody may answer it with an error (RFC 1122 §3.2.2, RFC 4443 §2.4 (e)).
func (p *paths) look(packet []byte, size int) []byte {
	l := p.limits.Load()
	switch {
	case l == nil:
	case len(packet) >= 20 && packet[0]>>4 == 4:
		return l.look4(packet, size)
	case len(packet) >= 40 && packet[0]>>4 == 6:
		return l.look6(packet, size)
	}
	return nil
}

// The sizes of ICMP errors in bytes: RFC 1812 §4.3.2.3 and RFC 4443 §2.4 (c).
const (
	maxError4 = 576
	maxError6 = 1280
)

// look4 is look for IPv4.
func (l *limits) look4(b []byte, size int) []byte {
	const dontFragment, offset = 0x4000, 0x1fff
	from, to := netip.AddrFrom4([4]byte(b[12:])), netip.AddrFrom4([4]byte(b[16:]))
	limit := l.to(to)
	flags := binary.BigEndian.Uint16(b[6:])
	if limit == 0 || size <= limit || flags&dontFragment == 0 || flags&offset != 0 || to.IsMulticast() || isError4(b) {
		return nil
	}
	icmp := []byte{3, 4, 0, 0, 0, 0, byte(limit >> 8), byte(limit)} // fragmentation needed
	icmp = append(icmp, b[:min(len(b), maxError4-20-len(icmp))]...)
	return inet.Header{Source: to, Dest: from, Protocol: 1, TTL: 64}.Encode(icmp)
}

// isError4 reports whether a packet is one of ICMP, but no ping: it may be an error.
func isError4(b []byte) bool {
	header := int(b[0]&15) * 4
	return b[9] == 1 && (len(b) <= header || b[header] != 0 && b[header] != 8)
}

// look6 is look for IPv6. A link of IPv6 takes 1280 bytes (RFC 8200 §5); the system cuts them up if
// the path doesn't.
func (l *limits) look6(b []byte, size int) []byte {
	from, to := netip.AddrFrom16([16]byte(b[8:])), netip.AddrFrom16([16]byte(b[24:]))
	limit := l.to(to)
	if limit == 0 || size <= max(limit, inet.MinMTU6) || b[6] == 58 && (len(b) == 40 || b[40] < 128) {
		return nil
	}
	icmp := binary.BigEndian.AppendUint32([]byte{2, 0, 0, 0}, uint32(max(limit, inet.MinMTU6))) // packet too big
	icmp = append(icmp, b[:min(len(b), maxError6-40-len(icmp))]...)
	return inet.Header{Source: to, Dest: from, Protocol: 58, TTL: 64}.Encode(icmp)
}
