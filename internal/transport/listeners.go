package transport

import (
	"cmp"
	"maps"
	"slices"
	"sync"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// listeners is the table of who listens where.
type listeners struct {
	mu       sync.RWMutex           // a leaf; it guards the fields below
	byPort   map[uint16][]*Listener // the least Order first; a slice in the map is never written
	anywhere []*Listener            // those with Takes; the slice is never written
	closed   bool                   // nobody listens any more
}

// add enters a listener, and reports whether it could: not when the table is closed.
func (t *listeners) add(l *Listener) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return false
	}
	if l.cfg.Takes != nil {
		t.anywhere = append(slices.Clone(t.anywhere), l)
		return true
	}
	if t.byPort == nil {
		t.byPort = map[uint16][]*Listener{}
	}
	list := append(slices.Clone(t.byPort[l.cfg.Port]), l)
	slices.SortStableFunc(list, func(a, b *Listener) int { return cmp.Compare(a.cfg.Order, b.cfg.Order) })
	t.byPort[l.cfg.Port] = list
	return true
}

// remove takes out a listener, if it is there.
func (t *listeners) remove(l *Listener) {
	t.mu.Lock()
	defer t.mu.Unlock()
	is := func(o *Listener) bool { return o == l }
	if l.cfg.Takes != nil {
		t.anywhere = slices.DeleteFunc(slices.Clone(t.anywhere), is)
		return
	}
	list := slices.DeleteFunc(slices.Clone(t.byPort[l.cfg.Port]), is)
	if len(list) == 0 {
		delete(t.byPort, l.cfg.Port)
		return
	}
	t.byPort[l.cfg.Port] = list
}

// at returns the listener that gets the segments to an address which belong to no
// connection: one on the address before one on the wildcard, and of several the one
// with the least Order (RU-8); else one that takes the address. It returns nil where nobody
// listens.
func (t *listeners) at(a *origin) *Listener {
	t.mu.RLock()
	list, anywhere := t.byPort[a.id.LocalPort], t.anywhere
	t.mu.RUnlock()
	for _, l := range list {
		if l.cfg.Net == a.net && l.cfg.Addr == a.id.LocalAddress && (l.cfg.Zone == 0 || l.cfg.Zone == a.nic) {
			return l
		}
	}
	for _, l := range list {
		if l.everywhere(a.net) {
			return l
		}
	}
	for _, l := range anywhere {
		if l.cfg.Takes(a.id.LocalAddress) {
			return l
		}
	}
	return nil
}

// everywhere reports whether the listener is on the wildcard of an IP version.
func (l *Listener) everywhere(net tcpip.NetworkProtocolNumber) bool {
	c := &l.cfg
	return c.Addr == tcpip.Address{} && (c.Net == net || c.Dual && c.Net == header.IPv6ProtocolNumber)
}

// all returns the listeners by their ports, and those at a port by their Order; those with Takes
// come last.
func (t *listeners) all() (all []*Listener) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, port := range slices.Sorted(maps.Keys(t.byPort)) {
		all = append(all, t.byPort[port]...)
	}
	return append(all, t.anywhere...)
}

// close ends all listeners without a segment.
func (t *listeners) close() {
	t.mu.Lock()
	lists, anywhere := t.byPort, t.anywhere
	t.closed, t.byPort, t.anywhere = true, nil, nil
	t.mu.Unlock()
	for _, list := range lists {
		for _, l := range list {
			l.empty()
		}
	}
	for _, l := range anywhere {
		l.empty()
	}
}
