package stack

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	netstack "gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/wsstack/wsstack/internal/link"
	"github.com/wsstack/wsstack/internal/socket"
	"github.com/wsstack/wsstack/internal/translate"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/tun"
	"github.com/wsstack/wsstack/wsa"
)

// loopbackID is the interface that own addresses are reached through.
const loopbackID tcpip.NICID = 1

// A nic is one network interface.
type nic struct {
	id        tcpip.NICID
	name      string
	link      *link.Endpoint
	self      *link.Endpoint // what the interface sends to itself; nil: the loopback
	device    tun.Device     // nil: the loopback
	addresses []netip.Prefix // guarded by Stack.mu; replaced, never changed in place
}

func (s *Stack) addLoopback() error {
	l := link.NewLoopback(loopbackMTU, link.Options{Parts: len(s.work.parts), Notify: s.work.ring, Admit: s.hooks.fromSelf})
	n := &nic{id: loopbackID, name: "lo", link: l}
	s.lastNIC = loopbackID
	if err := s.createNIC(n); err != nil {
		return err
	}
	for _, p := range []netip.Prefix{netip.MustParsePrefix("127.0.0.1/8"), netip.MustParsePrefix("::1/128")} {
		if err := s.addAddress(n, p); err != nil {
			return err
		}
		s.addRoute(route{destination: p.Masked(), nic: n})
	}
	s.routeGroups()
	return nil
}

func (s *Stack) createNIC(n *nic) error {
	if err := s.ns.CreateNICWithOptions(n.id, n.link, netstack.NICOptions{Name: n.name, QDisc: n.link.Queue()}); err != nil {
		return errors.New(err.String())
	}
	s.mu.Lock()
	s.nics = append(s.nics, n)
	s.removeRoutesLocked(route.isGroup)
	s.mu.Unlock()
	s.work.add(n.link)
	if n.self != nil {
		s.work.add(n.self)
	}
	return nil
}

// AddDevice adds an interface with the addresses given; what is on link with
// them is routed to it. The Stack owns the device from now on: Close closes it.
// After an error it is still the caller's.
func (s *Stack) AddDevice(d tun.Device, addrs ...netip.Prefix) error {
	if d == nil {
		return errors.New("stack: AddDevice: no device")
	}
	if err := validMTU(0, uint32(d.MTU()), addrs); err != nil {
		return fmt.Errorf("stack: AddDevice: %w", err)
	}
	for _, p := range addrs {
		if err := validPrefix(p); err != nil {
			return fmt.Errorf("stack: AddDevice: %w", err)
		}
	}
	s.settleMu.Lock() // Close must find the device or not, never half of it
	defer s.settleMu.Unlock()
	if s.down.Load() {
		return fmt.Errorf("stack: AddDevice: %w", wsa.WSAENETDOWN)
	}
	if err := s.addDevice(d, 0, addrs); err != nil {
		return fmt.Errorf("stack: AddDevice: %w", err)
	}
	n := s.nics[len(s.nics)-1]
	if err := n.link.Start(); err != nil {
		s.removeNIC(n)
		return fmt.Errorf("stack: AddDevice: %w", err)
	}
	s.announce(changesOf(addrs))
	return nil
}

// announce tells the sockets what has changed.
func (s *Stack) announce(changes uint32) {
	if changes == 0 {
		return
	}
	for _, sock := range s.sockets.list() {
		sock.NetworkChanged(changes)
	}
}

// changesOf is what new or lost addresses change, their routes included.
func changesOf(addrs []netip.Prefix) (changes uint32) {
	for _, p := range addrs {
		changes |= socket.ChangedRoutes
		if p.Addr().Is4() {
			changes |= socket.ChangedAddresses4
		} else {
			changes |= socket.ChangedAddresses6
		}
	}
	return changes
}

func (s *Stack) addDevice(d tun.Device, mtu uint32, addrs []netip.Prefix) error {
	for _, p := range addrs {
		if !translate.Scoped(p.Addr()) && s.isLocal(p.Addr()) {
			return fmt.Errorf("address %v is in use", p.Addr())
		}
	}
	s.lastNIC++
	n := &nic{id: s.lastNIC, name: fmt.Sprintf("tun%d", s.lastNIC-loopbackID-1), device: d}
	parts := len(s.work.parts)
	n.self = link.NewLoopback(0, link.Options{Parts: parts, Notify: s.work.ring, Admit: s.hooks.fromSelf})
	n.link = link.New(d, link.Options{
		Parts: parts, Notify: s.work.ring, Arrived: s.arrived(), Forward: s.router(n), Self: n.self, Own: s.reflects(n),
	})
	if mtu != 0 {
		n.link.SetMTU(mtu)
	}
	if err := s.createNIC(n); err != nil {
		return err
	}
	if err := s.shareWith(n); err != nil {
		s.removeNIC(n)
		return err
	}
	for _, p := range addrs {
		if err := s.addOnLink(n, p); err != nil {
			s.removeNIC(n)
			return fmt.Errorf("address %v: %w", p, err)
		}
	}
	return nil
}

// addOnLink gives an interface an address, and routes what is on link with it
// there.
func (s *Stack) addOnLink(n *nic, p netip.Prefix) error {
	if err := s.addAddress(n, p); err != nil {
		return err
	}
	if r := (route{destination: p.Masked(), nic: n}); !s.hasRoute(r) {
		s.addRoute(r)
	}
	return nil
}

// addAddress gives an interface an address. The loopback gets it as well, so
// that packets from the stack to itself find it there, unless it is link-local:
// then it is this interface's alone, which receives what is for it (reflects).
func (s *Stack) addAddress(n *nic, p netip.Prefix) error {
	if err := s.addProtocolAddress(n.id, p, netstack.CanBePrimaryEndpoint); err != nil {
		return err
	}
	s.mu.Lock()
	n.addresses = append(n.addresses, p)
	s.setOwnLocked()
	lo := s.nics[0]
	s.mu.Unlock()
	if n == lo || translate.Scoped(p.Addr()) {
		return nil
	}
	host := netip.PrefixFrom(p.Addr(), p.Addr().BitLen())
	if err := s.addProtocolAddress(lo.id, host, netstack.CanBePrimaryEndpoint); err != nil {
		return err
	}
	s.addRoute(route{destination: host, nic: lo})
	return s.share(n, p.Addr())
}

func (s *Stack) addProtocolAddress(id tcpip.NICID, p netip.Prefix, primary netstack.PrimaryEndpointBehavior) error {
	pa := tcpip.ProtocolAddress{
		Protocol:          header.IPv4ProtocolNumber,
		AddressWithPrefix: tcpip.AddressWithPrefix{Address: translate.Exact(p.Addr()), PrefixLen: p.Bits()},
	}
	if p.Addr().Is6() {
		pa.Protocol = header.IPv6ProtocolNumber
	}
	if err := s.ns.AddProtocolAddress(id, pa, netstack.AddressProperties{PEB: primary}); err != nil {
		return errors.New(err.String())
	}
	return nil
}

// setOwnLocked rebuilds the set of own addresses that hooks read. The caller holds s.mu.
func (s *Stack) setOwnLocked() {
	own := ownAddresses{
		v4: map[[4]byte]struct{}{}, broadcast: map[[4]byte]struct{}{},
		v6: map[[16]byte]struct{}{}, on: map[ownAddress]struct{}{},
	}
	for _, n := range s.nics {
		for _, p := range n.addresses {
			own.add(p, n.id)
		}
	}
	s.own.Store(&own)
	s.changedLocked()
}

// removeNIC takes an interface away, with its addresses and routes; its device
// stays open.
func (s *Stack) removeNIC(n *nic) {
	s.mu.Lock()
	s.nics = slices.DeleteFunc(slices.Clone(s.nics), func(o *nic) bool { return o == n })
	s.removeRoutesLocked(func(r route) bool {
		return r.nic == n || slices.ContainsFunc(n.addresses, func(p netip.Prefix) bool {
			return r.isOwn() && r.destination.Addr() == p.Addr()
		})
	})
	s.setOwnLocked()
	others := s.nics // the loopback and, of a router, all
	s.mu.Unlock()
	if len(others) == 1 {
		s.routeGroups()
	}
	s.ns.RemoveNIC(n.id)
	s.work.remove(n.link)
	s.work.remove(n.self)
	for _, p := range n.addresses {
		for _, o := range sharing(p.Addr(), n, others) {
			s.ns.RemoveAddress(o.id, translate.Address(p.Addr()))
		}
	}
}

func (s *Stack) nicOf(d tun.Device) *nic {
	s.mu.RLock()
	defer s.mu.RUnlock()
	i := slices.IndexFunc(s.nics, func(n *nic) bool { return n.device == d })
	if i < 0 {
		return nil
	}
	return s.nics[i]
}

// source is the local address for a destination: of those of its family the first whose prefix holds
// the next hop, else the first, where those of the destination's scope come before others (RFC 6724
// §5): from a link-local address nobody is reached beyond the link.
func (n *nic) source(hop, remote netip.Addr) (netip.Addr, bool) {
	var best netip.Addr
	rank := 0
	for _, p := range n.addresses {
		a := p.Addr()
		if a.Is4() != remote.Is4() {
			continue
		}
		this := 1
		if p.Contains(hop.WithZone("")) {
			this = 2
		}
		if translate.Scoped(a) == translate.Scoped(remote) {
			this += 2
		}
		if this > rank {
			best, rank = a, this
		}
	}
	return translate.WithZone(best, n.id), best.IsValid()
}

// has reports an address of the interface; one with a zone is one of that interface.
func (n *nic) has(a netip.Addr) bool {
	if a.Zone() != "" && translate.Zone(a) != n.id {
		return false
	}
	a = a.WithZone("")
	return slices.ContainsFunc(n.addresses, func(p netip.Prefix) bool { return p.Addr() == a })
}

// isLocal reports an address of the stack, or one that is adopted. All of 127.0.0.0/8 is local.
func (s *Stack) isLocal(a netip.Addr) bool {
	a = a.Unmap()
	if a.Is4() && a.IsLoopback() {
		return true
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return anyHas(s.nics, a) || s.adopted.has(a)
}

func anyHas(list []*nic, a netip.Addr) bool {
	return slices.ContainsFunc(list, func(n *nic) bool { return n.has(a) })
}

// isBroadcast reports the limited broadcast address and those of the subnets.
func (s *Stack) isBroadcast(a netip.Addr) bool {
	a = a.Unmap()
	if !a.Is4() {
		return false
	}
	if a == netip.AddrFrom4(limitedBroadcast) {
		return true
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, n := range s.nics {
		for _, p := range n.addresses {
			if p.Addr().Is4() && p.Bits() < 31 && a == lastAddr(p) {
				return true
			}
		}
	}
	return false
}

// interfaces lists the addresses of all interfaces, the loopback's first.
func (s *Stack) interfaces() []options.Interface {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var list []options.Interface
	for _, n := range s.nics {
		for _, p := range n.addresses {
			if n.id == loopbackID && !p.Addr().IsLoopback() {
				continue // the loopback holds all addresses of the stack
			}
			i := options.Interface{Prefix: p, Index: uint32(n.id), Loopback: n.id == loopbackID}
			if p.Addr().Is4() && p.Bits() < 31 && !i.Loopback {
				i.Broadcast = lastAddr(p)
			}
			list = append(list, i)
		}
	}
	return list
}

// lastAddr is the highest address of an IPv4 prefix.
func lastAddr(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().As4()
	for i := p.Bits(); i < 32; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	return netip.AddrFrom4(b)
}

func (s *Stack) startDevices() error {
	for _, n := range s.nics {
		if err := n.link.Start(); err != nil {
			return err
		}
	}
	return nil
}

func (s *Stack) closeDevices() error {
	s.mu.Lock()
	nics := s.nics
	s.mu.Unlock()
	var errs []error
	for _, n := range nics {
		if n.device != nil {
			errs = append(errs, n.device.Close())
		}
	}
	return errors.Join(errs...)
}
