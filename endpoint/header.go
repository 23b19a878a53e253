package endpoint

import (
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// setHeaders tells the hooks what the segments of a listener's connections have in
// their IP header until they are established: netstack gives them the defaults.
func (w *Wire) setHeaders(ttl, tos, hops, class uint8) {
	w.headers.Store(uint32(ttl)<<24 | uint32(tos)<<16 | uint32(hops)<<8 | uint32(class))
}

// setHeadersLocked gives the endpoint of a connection that has arrived what its
// listener has in the IP header; accept gives it the rest.
func (s *Socket) setHeadersLocked(ep tcpip.Endpoint, peer tcpip.FullAddress) {
	v := s.ipValuesLocked(AddrPort(peer).Addr())
	mustApply(ep.SetSockOptInt(tcpip.IPv4TTLOption, int(v.TTL)))
	mustApply(ep.SetSockOptInt(tcpip.IPv6HopLimitOption, int(v.TTL)))
	mustApply(ep.SetSockOptInt(tcpip.IPv4TOSOption, int(v.TOS))) // netstack has one for both versions
}

// PatchHeader puts the listener's values into the IP header of a segment. The
// congestion bits of a stream stay clear.
func (w *Wire) PatchHeader(ip []byte) {
	const congestion = 3
	values := w.headers.Load()
	if len(ip) < header.IPv4MinimumSize || ip[0]>>4 != 4 {
		h := header.IPv6(ip)
		h.SetHopLimit(uint8(values >> 8))
		h.SetTOS(uint8(values)&^congestion, 0)
		return
	}
	h := header.IPv4(ip)
	h.SetTTL(uint8(values >> 24))
	h.SetTOS(uint8(values>>16)&^congestion, 0)
	h.SetChecksum(0)
	h.SetChecksum(^h.CalculateChecksum())
}

// AllowFragments makes an IPv4 packet one that routers may cut up. id tells its
// fragments from those of others.
func AllowFragments(ip header.IPv4, id uint16) {
	ip.SetFlagsFragmentOffset(ip.Flags()&^header.IPv4FlagDontFragment, 0)
	ip.SetID(max(id, 1)) // netstack would fill in one of its own
	ip.SetChecksum(0)
	ip.SetChecksum(^ip.CalculateChecksum())
}
