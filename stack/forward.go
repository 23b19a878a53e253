package stack

import (
	"math"
	"net/netip"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/wsstack/wsstack/internal/inet"
	"github.com/wsstack/wsstack/tun"
)

// A transit is a packet between others: what its header says. Sizes are in
// bytes.
type transit struct {
	source, destination netip.Addr
	header              []byte // of IPv4 with its options, of IPv6 the fixed one; a part of the packet, or a copy
	size                int    // of the packet, without padding
	ttl                 uint8
	protocol            uint8 // of IPv6, the first next header
	offset              int   // of a fragment of IPv4
	dontFragment        bool  // of IPv6 always
	fragment            bool  // of IPv4
}

// router is Config.Forwarding, and the Forwarder, for what comes by an interface: it
// takes the packets that others may have and that aren't for this host (RFC 1812 §5). It
// runs on the goroutine that delivers, before netstack sees the packet. What it
// leaves alone netstack judges, with its own forwarding off: that ends the process
// where a device fails, counts hops one too far, and knows no segmentation offload.
func (s *Stack) router(in *nic) func(*tun.Packet) bool {
	return func(p *tun.Packet) bool {
		anywhere := s.anywhere.Load() != nil || s.adopted.count.Load() > 0
		if !s.cfg.Forwarding && !anywhere {
			return false
		}
		var t transit
		if !t.parse(p) {
			return false
		}
		passes, v, ours := s.passes(&t), pass, false
		if anywhere {
			v, ours = s.receive(in, &t, p, passes)
		}
		switch {
		case v == refuse:
			s.hooks.dropped.Add(1)
		case v == taken:
		case ours || !passes || !s.cfg.Forwarding:
			return false
		default:
			s.relay(in, &t, p)
		}
		p.Data.Release()
		return true
	}
}

// parse reads the header of a packet, which it must own, into t, which is zero. It isn't ok where
// that makes no sense: for netstack to count.
func (t *transit) parse(p *tun.Packet) (ok bool) {
	view, _ := p.Data.PullUp(0, min(int(p.Data.Size()), header.IPv4MaximumHeaderSize))
	b := view.AsSlice()
	if len(b) >= header.IPv6MinimumSize && header.IPVersion(b) == header.IPv6Version {
		h := header.IPv6(b[:header.IPv6MinimumSize])
		t.source, t.destination = netip.AddrFrom16([16]byte(h.SourceAddressSlice())), netip.AddrFrom16([16]byte(h.DestinationAddressSlice()))
		t.header, t.size, t.ttl, t.protocol, t.dontFragment = h, len(h)+int(h.PayloadLength()), h.HopLimit(), h.NextHeader(), true
		return t.size <= int(p.Data.Size())
	}
	h := header.IPv4(b)
	if len(b) < header.IPv4MinimumSize || header.IPVersion(b) != header.IPv4Version || !h.IsValid(int(p.Data.Size())) ||
		int(h.HeaderLength()) > len(b) || !h[:h.HeaderLength()].IsChecksumValid() {
		return false
	}
	t.source, t.destination = netip.AddrFrom4([4]byte(h.SourceAddressSlice())), netip.AddrFrom4([4]byte(h.DestinationAddressSlice()))
	t.header, t.size, t.ttl, t.protocol = h[:h.HeaderLength()], int(h.TotalLength()), h.TTL(), h.Protocol()
	t.offset, t.dontFragment = int(h.FragmentOffset()), h.Flags()&header.IPv4FlagDontFragment != 0
	t.fragment = h.More() || h.FragmentOffset() != 0
	// No packet is as long as one would be that ends with such a fragment.
	return t.offset+t.size <= math.MaxUint16
}

// passes reports a packet from another host to another host, neither of which
// is one of this link or this network only.
func (s *Stack) passes(t *transit) bool { return s.travels(t.source) && s.travels(t.destination) }

// travels reports an address that isn't ours and that is of more than this link or this network.
func (s *Stack) travels(a netip.Addr) bool {
	own := s.own.Load()
	if own.has(a) || !a.IsGlobalUnicast() || a.Is4In6() {
		return false
	}
	if !a.Is4() {
		return true
	}
	b := a.As4()
	_, broadcast := own.broadcast[b]
	return !broadcast && b[0] != 0 && b[0] < 240
}

// relay sends a packet on, or says why not. A packet would go back where it
// came from: on a link of two ends it would come again (RFC 4443 §3.1).
func (s *Stack) relay(in *nic, t *transit, p *tun.Packet) {
	out := s.nextLink(t.destination)
	switch {
	case out == nil, !t.source.Is4() && out.link.MTU() < inet.MinMTU6: // no link for IPv6
		s.refuseTransit(in, t, p, unreachableNet)
		return
	case out == in:
		s.refuseTransit(in, t, p, unreachableHost)
		return
	case t.ttl <= 1:
		s.refuseTransit(in, t, p, timeExceeded)
		return
	}
	mtu := int(out.link.MTU())
	switch {
	case t.largest(p) <= mtu:
		out.link.Relay(t.hop(p))
	case t.dontFragment:
		s.refuseTransit(in, t, p, tooBig(mtu))
		return
	default:
		one := t.hop(p)
		tun.Segments(&one, func(whole tun.Packet) {
			for _, f := range fragments4(whole.Data.Flatten(), mtu) {
				out.link.Relay(tun.Packet{Data: buffer.MakeWithData(f)})
			}
			whole.Data.Release()
		})
		one.Data.Release()
	}
	s.forwarded.Add(1)
}

// largest is the size of the largest packet that p stands for. What the
// metadata says of the headers is a hint only.
func (t *transit) largest(p *tun.Packet) int {
	if p.GSO.Type == tun.GSONone {
		return t.size
	}
	at := len(t.header)
	if !t.source.Is4() && p.GSO.NeedsCsum {
		at = max(at, int(p.GSO.CsumStart))
	}
	var offset [1]byte
	_, _ = p.Data.ReadAt(offset[:], int64(at+header.TCPDataOffset))
	return min(t.size, at+int(offset[0]>>4)*4+int(p.GSO.MSS))
}

// hop is the packet one hop further. It shares the payload, and has a header of
// its own.
func (t *transit) hop(p *tun.Packet) tun.Packet {
	h := append([]byte(nil), t.header...)
	if t.source.Is4() {
		ip := header.IPv4(h)
		ip.SetTTL(t.ttl - 1)
		ip.SetChecksum(0)
		ip.SetChecksum(^ip.CalculateChecksum())
	} else {
		header.IPv6(h).SetHopLimit(t.ttl - 1)
	}
	rest := p.Data.Clone()
	rest.Truncate(int64(t.size))
	rest.TrimFront(int64(len(h)))
	data := buffer.MakeWithData(h)
	data.Merge(&rest)
	return tun.Packet{Data: data, GSO: p.GSO, Mark: p.Mark}
}

// fragments4 cuts a packet of IPv4, which may be a fragment, into those that an
// MTU takes (RFC 791 §3.2).
func fragments4(packet []byte, mtu int) (out [][]byte) {
	whole := header.IPv4(packet)
	headers, at, flags := int(whole.HeaderLength()), int(whole.FragmentOffset()), whole.Flags()
	payload := packet[headers:]
	const unit = 8
	step := max((mtu-headers)/unit, 1) * unit
	for from := 0; from < len(payload); from += step {
		piece := payload[from:min(from+step, len(payload))]
		b := append(append(make([]byte, 0, headers+len(piece)), packet[:headers]...), piece...)
		h := header.IPv4(b)
		if from > 0 {
			keepCopied(h[header.IPv4MinimumSize:headers])
		}
		h.SetTotalLength(uint16(len(b)))
		if from+step < len(payload) {
			h.SetFlagsFragmentOffset(flags|header.IPv4FlagMoreFragments, uint16(at+from))
		} else {
			h.SetFlagsFragmentOffset(flags, uint16(at+from))
		}
		h.SetChecksum(0)
		h.SetChecksum(^h.CalculateChecksum())
		out = append(out, b)
	}
	return out
}

// keepCopied writes NOPs over the options that stand in the first fragment only:
// those whose type hasn't the copied flag (RFC 791 §3.1).
func keepCopied(options []byte) {
	const endOfList, nop, copied = 0, 1, 0x80
	for len(options) > 0 && options[0] != endOfList {
		size := 1
		if options[0] != nop {
			if len(options) < 2 || options[1] < 2 || int(options[1]) > len(options) {
				return
			}
			size = int(options[1])
		}
		if options[0]&copied == 0 {
			for i := range size {
				options[i] = nop
			}
		}
		options = options[size:]
	}
}
