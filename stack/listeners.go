package stack

import (
	"cmp"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	netstack "gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/wsstack/wsstack/endpoint"
)

// listeners decides which of several listeners on one address and port gets a
// connection: the one that was bound first (RU-8). netstack, which would choose
// by a hash, lets all of them listen. A listener on a specific address comes
// before one on the wildcard; that much is netstack's.
//
// Its lock is a leaf: hooks take it.
type listeners struct {
	rivals atomic.Int32 // ports with more than one listener

	mu     sync.RWMutex
	byPort map[uint16][]listener // in order of binding
}

type listener struct {
	ep    tcpip.Endpoint
	addr  netip.Addr // 4in6 as IPv4
	dual  bool
	order uint64
}

func (l *listeners) add(b *endpoint.Binding, ep tcpip.Endpoint) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.byPort == nil {
		l.byPort = map[uint16][]listener{}
	}
	port := b.Addr.Port()
	list := append(l.byPort[port], listener{ep, plain(b.Addr.Addr()), b.DualStack, b.Order})
	slices.SortStableFunc(list, func(a, b listener) int { return cmp.Compare(a.order, b.order) })
	l.byPort[port] = list
	if len(list) == 2 {
		l.rivals.Add(1)
	}
}

func (l *listeners) remove(b *endpoint.Binding, ep tcpip.Endpoint) {
	l.mu.Lock()
	defer l.mu.Unlock()
	port := b.Addr.Port()
	list := l.byPort[port]
	i := slices.IndexFunc(list, func(o listener) bool { return o.ep == ep })
	if i < 0 {
		return
	}
	list = slices.Delete(slices.Clone(list), i, i+1)
	switch l.byPort[port] = list; len(list) {
	case 0:
		delete(l.byPort, port)
	case 1:
		l.rivals.Add(-1)
	}
}

// first returns the listener for a segment that netstack gives to ep: the
// first of those that are bound as ep is, or ep when it is no listener.
func (l *listeners) first(ep netstack.TransportEndpoint, id netstack.TransportEndpointID) netstack.TransportEndpoint {
	if l.rivals.Load() == 0 {
		return ep
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	list := l.byPort[id.LocalPort]
	i := slices.IndexFunc(list, func(o listener) bool { return o.ep == ep.(tcpip.Endpoint) })
	if i < 0 {
		return ep
	}
	ipv4 := id.LocalAddress.Len() == header.IPv4AddressSize
	for _, o := range list {
		same := o.addr == list[i].addr
		if list[i].addr.IsUnspecified() {
			same = o.everywhere(ipv4)
		}
		if same {
			return o.ep.(netstack.TransportEndpoint)
		}
	}
	return ep
}

// at returns the listener that gets the segments to an address which belong to no
// connection; nil: nobody listens there.
func (l *listeners) at(local netip.AddrPort) tcpip.Endpoint {
	l.mu.RLock()
	defer l.mu.RUnlock()
	address, list := plain(local.Addr()), l.byPort[local.Port()]
	i := slices.IndexFunc(list, func(o listener) bool { return o.addr == address })
	if i < 0 {
		i = slices.IndexFunc(list, func(o listener) bool { return o.everywhere(address.Is4()) })
	}
	if i < 0 {
		return nil
	}
	return list[i].ep
}

// everywhere reports that o is bound to the wildcard of an IP version.
func (o listener) everywhere(ipv4 bool) bool {
	return o.addr.IsUnspecified() && (o.addr.Is4() == ipv4 || o.dual)
}

// Listening implements endpoint.Host.
func (s *Stack) Listening(b *endpoint.Binding, ep tcpip.Endpoint) { s.listeners.add(b, ep) }

// NotListening implements endpoint.Host.
func (s *Stack) NotListening(b *endpoint.Binding, ep tcpip.Endpoint) { s.listeners.remove(b, ep) }
