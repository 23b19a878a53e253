package stack

import (
	"net/netip"
	"sync"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/wsa"
)

// The dynamic ports of options.md §10.
const (
	firstDynamic = 49152
	lastDynamic  = 65535
)

// ports is the registry of local addresses in use. It alone decides what may
// be bound, by the bind matrix, and chooses every ephemeral port; netstack's
// own reservation is told not to object.
type ports struct {
	rng random

	mu   sync.Mutex
	used map[portKey][]*endpoint.Binding // in order of binding
}

// random is netstack's source of random numbers, seeded by Config.Rand.
type random interface{ Uint32() uint32 }

type portKey struct {
	protocol int32
	port     uint16
}

func (p *ports) init(rng random) {
	p.rng, p.used = rng, map[portKey][]*endpoint.Binding{}
}

// bind takes b.Addr, or fills in a port when that is zero.
func (p *ports) bind(b *endpoint.Binding) wsa.Errno {
	p.mu.Lock()
	defer p.mu.Unlock()
	if b.Addr.Port() == 0 {
		port, ok := p.chooseLocked(b)
		if !ok {
			return wsa.WSAENOBUFS
		}
		b.Addr = netip.AddrPortFrom(b.Addr.Addr(), port)
	}
	key := portKey{b.Protocol, b.Addr.Port()}
	for _, first := range p.used[key] {
		if err := conflict(first, b); err != 0 {
			return err
		}
	}
	p.used[key] = append(p.used[key], b)
	return 0
}

// chooseLocked picks a port that nobody has on any address (PO-5), from a
// random place on (RFC 6056 §3.3.2).
func (p *ports) chooseLocked(b *endpoint.Binding) (uint16, bool) {
	const count = lastDynamic - firstDynamic + 1
	start := p.rng.Uint32() % count
	for i := range uint32(count) {
		port := uint16(firstDynamic + (start+i)%count)
		if port != b.Avoid && len(p.used[portKey{b.Protocol, port}]) == 0 {
			return port, true
		}
	}
	return 0, false
}

func (p *ports) unbind(b *endpoint.Binding) {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := portKey{b.Protocol, b.Addr.Port()}
	list := p.used[key]
	for i, o := range list {
		if o == b {
			list = append(list[:i:i], list[i+1:]...)
			break
		}
	}
	if len(list) == 0 {
		delete(p.used, key)
	} else {
		p.used[key] = list
	}
}

// each calls fn for the sockets that may have sent a packet from an address and a
// port. fn stores and signals: the lock is held.
func (p *ports) each(protocol int32, local netip.AddrPort, fn func(*endpoint.Socket)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, b := range p.used[portKey{protocol, local.Port()}] {
		if a := b.Addr.Addr().Unmap(); b.Socket != nil && (a == local.Addr() || a.IsUnspecified()) {
			fn(b.Socket)
		}
	}
}

// count is the number of bindings.
func (p *ports) count() (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, list := range p.used {
		n += len(list)
	}
	return n
}

// The outcomes of a cell of the bind matrix.
const (
	ok = wsa.Errno(0)
	u  = wsa.WSAEADDRINUSE
	a  = wsa.WSAEACCES
)

// sameUser and otherUser are RU-4 and RU-5: the row is the first binding, the
// column the second, each in the order default, reuse, exclusive, and within
// that wildcard, specific.
var (
	sameUser = [6][6]wsa.Errno{
		{u, ok, a, ok, u, ok},
		{ok, u, ok, a, u, u},
		{u, ok, ok, ok, u, ok},
		{ok, u, ok, ok, u, u},
		{u, a, a, a, u, a},
		{ok, u, ok, a, u, u},
	}
	otherUser = [6][6]wsa.Errno{
		{u, a, a, a, u, a},
		{ok, u, ok, a, u, u},
		{u, a, ok, ok, u, a},
		{ok, u, ok, ok, u, u},
		{u, a, a, a, u, a},
		{ok, u, ok, a, u, u},
	}
)

// conflict says whether second may be bound besides first, on the same port.
func conflict(first, second *endpoint.Binding) wsa.Errno {
	fa, sa := first.Addr.Addr().Unmap(), second.Addr.Addr().Unmap()
	if fa.Is4() != sa.Is4() {
		return conflictAcross(first, second)
	}
	if fa != sa && !fa.IsUnspecified() && !sa.IsUnspecified() {
		return ok // different addresses never conflict (RU-2)
	}
	matrix := &sameUser
	if first.Owner != second.Owner {
		matrix = &otherUser
	}
	return matrix[class(first)][class(second)]
}

// conflictAcross is for an IPv6 and an IPv4 binding, which meet only when the
// IPv6 one is a dual-stack wildcard (RU-10).
func conflictAcross(first, second *endpoint.Binding) wsa.Errno {
	switch {
	case first.DualStack && first.Exclusive:
		return a
	case second.DualStack && second.Exclusive:
		return u
	}
	return ok
}

// class is the row or column of a binding.
func class(b *endpoint.Binding) int {
	c := 0
	switch {
	case b.Reuse:
		c = 2
	case b.Exclusive:
		c = 4
	}
	if !b.Addr.Addr().Unmap().IsUnspecified() {
		c++
	}
	return c
}
