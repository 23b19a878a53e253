package transport

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// listeners is the table of who listens where. Every segment without a connection is looked up in
// it, so that reading takes no lock; a list in it is never written, but replaced.
type listeners struct {
	pages    [256]atomic.Pointer[listenerPage] // by the upper octet of the port; nil: nobody has listened there
	anywhere listenerList                      // those with Takes

	mu     sync.Mutex // a leaf; it guards changes of the fields above, and closed
	closed bool       // nobody listens any more
}

// A listenerPage has the listeners of 256 ports, by the lower octet of the port.
type listenerPage [256]listenerList

// A listenerList is a list of listeners, the one with the least Order first.
type listenerList struct{ list atomic.Pointer[[]*Listener] }

func (l *listenerList) load() []*Listener {
	if list := l.list.Load(); list != nil {
		return *list
	}
	return nil
}

func (l *listenerList) store(list []*Listener) {
	if len(list) == 0 {
		l.list.Store(nil)
		return
	}
	l.list.Store(&list)
}

// port is the list of a port, to read; nil: nobody has listened there.
func (t *listeners) port(port uint16) *listenerList {
	if page := t.pages[port>>8].Load(); page != nil {
		return &page[port&0xff]
	}
	return nil
}

// ofLocked is the list that a listener is in, or comes into.
func (t *listeners) ofLocked(l *Listener) *listenerList {
	if l.cfg.Takes != nil {
		return &t.anywhere
	}
	page := &t.pages[l.cfg.Port>>8]
	if page.Load() == nil {
		page.Store(new(listenerPage))
	}
	return t.port(l.cfg.Port)
}

// add enters a listener, and reports whether it could: not when the table is closed.
func (t *listeners) add(l *Listener) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return false
	}
	where := t.ofLocked(l)
	list := append(slices.Clone(where.load()), l)
	slices.SortStableFunc(list, func(a, b *Listener) int { return cmp.Compare(a.cfg.Order, b.cfg.Order) })
	where.store(list)
	return true
}

// remove takes out a listener, if it is there.
func (t *listeners) remove(l *Listener) {
	t.mu.Lock()
	defer t.mu.Unlock()
	where := t.ofLocked(l)
	where.store(slices.DeleteFunc(slices.Clone(where.load()), func(o *Listener) bool { return o == l }))
}

// at returns the listener that gets the segments to an address which belong to no
// connection: one on the address before one on the wildcard, and of several the one
// with the least Order (RU-8); else one that takes the address. It returns nil where nobody
// listens.
func (t *listeners) at(a *origin) *Listener {
	var list []*Listener
	if port := t.port(a.id.LocalPort); port != nil {
		list = port.load()
	}
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
	for _, l := range t.anywhere.load() {
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
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.allLocked()
}

func (t *listeners) allLocked() (all []*Listener) {
	for i := range t.pages {
		if page := t.pages[i].Load(); page != nil {
			for j := range page {
				all = append(all, page[j].load()...)
			}
		}
	}
	return append(all, t.anywhere.load()...)
}

// close ends all listeners without a segment.
func (t *listeners) close() {
	t.mu.Lock()
	all := t.allLocked()
	t.closed = true
	for i := range t.pages {
		t.pages[i].Store(nil)
	}
	t.anywhere.store(nil)
	t.mu.Unlock()
	for _, l := range all {
		l.empty()
	}
}
