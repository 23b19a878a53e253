package stack

import (
	"net/netip"
	"slices"
	"sync"

	"github.com/wsstack/wsstack/internal/socket"

	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

// ports is the registry of local addresses in use. It alone decides what may
// be bound, by the bind matrix, and chooses every ephemeral port; netstack's
// own reservation is told not to object (RU-16).
//
// What a bind costs depends on how many different claims there are on its port,
// not on how many sockets share one, nor on how many ports are in use.
type ports struct {
	rules [2]*matrix

	mu    sync.Mutex // a leaf
	used  map[portKey]*portUse
	pools map[int32]*pool // by protocol
	order uint64          // of the last binding
	count int             // bindings
}

type portKey struct {
	protocol int32
	port     uint16
}

// portUse is who has a port.
type portUse struct {
	claims []countedClaim // in order of the first binding of each
	holds  []*hold

	datagram []*socket.Binding // of UDP, in order, for each
}

// A claim is what the bind matrix looks at. Sockets that bind alike, as those
// that share an ephemeral port do, make one claim.
type claim struct {
	addr       netip.Addr // 4in6 as IPv4
	dual       bool
	reuse      bool
	exclusive  bool
	shared     bool
	perAddress bool
	multicast  bool
	owner      string
}

type countedClaim struct {
	claim
	n int
}

// A hold keeps others from binding exclusively where an exclusive listener was,
// while a connection that came of it is active (RU-12).
type hold struct {
	claim  claim
	active func() bool
}

func (p *ports) init(rng random, profile options.Profile, dynamic PortRange) {
	p.rules = matrices[profile]
	p.used = map[portKey]*portUse{}
	p.pools = map[int32]*pool{
		wsa.IPPROTO_TCP: newPool(rng, dynamic),
		wsa.IPPROTO_UDP: newPool(rng, dynamic),
	}
}

func keyOf(b *socket.Binding) portKey { return portKey{b.Protocol, b.Addr.Port()} }

func claimOf(b *socket.Binding) claim {
	return claim{
		addr: plain(b.Addr.Addr()), dual: b.DualStack, reuse: b.Reuse, exclusive: b.Exclusive,
		shared: b.Shared, perAddress: b.PerAddress, multicast: b.Multicast, owner: b.Owner,
	}
}

// plain is the form in which addresses are compared. A link-local one has its zone.
func plain(a netip.Addr) netip.Addr { return a.Unmap() }

// bind takes b.Addr, or fills in a port when that is zero. A failure changes
// nothing.
func (p *ports) bind(b *socket.Binding) wsa.Errno {
	if b.Exclusive && b.Addr.Port() != 0 && p.held(b) {
		return wsa.WSAEADDRINUSE
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	c := claimOf(b)
	if b.Addr.Port() == 0 {
		port, found := p.pools[b.Protocol].choose(b, c)
		if !found {
			return wsa.WSAENOBUFS
		}
		b.Addr = netip.AddrPortFrom(b.Addr.Addr(), port)
	} else if use := p.used[keyOf(b)]; use != nil {
		for i := range use.claims {
			if err := conflict(p.rules, use.claims[i].claim, c); err != 0 {
				return err
			}
		}
	}
	p.addLocked(b, c)
	return 0
}

func (p *ports) addLocked(b *socket.Binding, c claim) {
	p.order++
	p.count++
	b.Order = p.order
	use := p.useLocked(keyOf(b))
	i := use.find(c)
	if i < 0 {
		i = len(use.claims)
		use.claims = append(use.claims, countedClaim{claim: c})
	}
	use.claims[i].n++
	if b.Protocol == wsa.IPPROTO_UDP {
		use.datagram = append(use.datagram, b)
	}
	p.changedLocked(keyOf(b), use)
}

func (use *portUse) find(c claim) int {
	return slices.IndexFunc(use.claims, func(o countedClaim) bool { return o.claim == c })
}

func (p *ports) useLocked(key portKey) *portUse {
	use := p.used[key]
	if use == nil {
		use = &portUse{}
		p.used[key] = use
	}
	return use
}

// changedLocked tells the pool what a port is used for, and forgets a port that
// nobody uses.
func (p *ports) changedLocked(key portKey, use *portUse) {
	p.pools[key.protocol].update(key.port, use)
	if len(use.claims) == 0 && len(use.holds) == 0 {
		delete(p.used, key)
	}
}

// unbind gives an address back.
func (p *ports) unbind(b *socket.Binding) {
	p.mu.Lock()
	defer p.mu.Unlock()
	use, c := p.used[keyOf(b)], claimOf(b)
	if use == nil {
		return
	}
	i := use.find(c)
	if i < 0 {
		return
	}
	p.count--
	if b.Protocol == wsa.IPPROTO_UDP {
		use.datagram = slices.DeleteFunc(use.datagram, func(o *socket.Binding) bool { return o == b })
	}
	if use.claims[i].n--; use.claims[i].n == 0 {
		use.claims = slices.Delete(use.claims, i, i+1)
		if c.perAddress {
			p.pools[b.Protocol].clearFor(c.addr, b.Addr.Port())
		}
	}
	p.changedLocked(keyOf(b), use)
}

// hold keeps the address of an exclusive binding while active says so, until
// the function it returns is called. active takes no lock of a socket or of this
// package, and may be called at any time.
func (p *ports) hold(b *socket.Binding, active func() bool) (release func()) {
	h := &hold{claimOf(b), active}
	key := keyOf(b)
	p.mu.Lock()
	defer p.mu.Unlock()
	use := p.useLocked(key)
	use.holds = append(use.holds, h)
	p.changedLocked(key, use)
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		use.holds = slices.DeleteFunc(use.holds, func(o *hold) bool { return o == h })
		if p.used[key] == use {
			p.changedLocked(key, use)
		}
	}
}

// held reports whether a connection holds the address of b. The holds are asked
// without the lock: they look at connections.
func (p *ports) held(b *socket.Binding) bool {
	p.mu.Lock()
	var holds []*hold
	if use := p.used[keyOf(b)]; use != nil {
		holds = slices.Clone(use.holds)
	}
	p.mu.Unlock()
	c := claimOf(b)
	return slices.ContainsFunc(holds, func(h *hold) bool {
		return conflict(p.rules, h.claim, c) != 0 && h.active()
	})
}

// each calls fn for the datagram sockets that may have sent a packet from an
// address and a port. fn stores and signals: the lock is held.
func (p *ports) each(local netip.AddrPort, fn func(*socket.Socket)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	use := p.used[portKey{wsa.IPPROTO_UDP, local.Port()}]
	if use == nil {
		return
	}
	for _, b := range use.datagram {
		if a := b.Addr.Addr().Unmap(); b.Socket != nil && (a == local.Addr() || a.IsUnspecified()) {
			fn(b.Socket)
		}
	}
}

// occupy and vacate note the beginning and the end of a TCP connection that was
// made from here, TIME-WAIT included, so that no port is chosen that can't be
// used for its peer (RU-11). The end of none is nothing.
func (p *ports) occupy(t socket.Tuple) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pools[wsa.IPPROTO_TCP].occupy(t)
}

func (p *ports) vacate(t socket.Tuple) {
	if !t.Local.IsValid() {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pools[wsa.IPPROTO_TCP].vacate(t)
}

// bindings is the number of bindings.
func (p *ports) bindings() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.count
}
