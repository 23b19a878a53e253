package stack

import (
	"math/bits"
	"net/netip"
	"slices"

	"github.com/wsstack/wsstack/internal/socket"
)

// The dynamic ports of Windows since Vista (RFC 6335 §6).
const (
	firstDynamic = 49152
	lastDynamic  = 65535
)

// A PortRange is a range of ports.
type PortRange struct {
	First uint16 // the lowest port of the range
	Last  uint16 // the highest port of the range
}

// random is netstack's source of random numbers, seeded by Config.Rand.
type random interface{ Uint32() uint32 }

// A pool chooses the ephemeral ports of one protocol: any of those that are
// free with the same probability (RFC 6056 §3.2), whether or not
// SO_RANDOMIZE_PORT asks for it. It keeps sets of ports as bits, so that a
// choice costs the same however many are in use.
type pool struct {
	rng   random
	first uint16
	size  int // ports

	taken    portSet                // somebody has the port, on some address
	closed   portSet                // somebody who doesn't share it
	ordinary portSet                // somebody without SO_PORT_SCALABILITY
	scaled   map[netip.Addr]portSet // somebody with it, by address (PO-2)

	conns  map[uint16]int      // connections from the port, TIME-WAIT included
	linger portSet             // those of conns
	peers  map[peer]*peerPorts // ports with a connection to a peer

	busy portSet // scratch of pick
}

// A peer is what the connections have in common that need different ports.
type peer struct {
	local  netip.Addr
	remote netip.AddrPort
}

func newPool(rng random, r PortRange) *pool {
	if r == (PortRange{}) {
		r = PortRange{firstDynamic, lastDynamic}
	}
	size := int(r.Last) - int(r.First) + 1
	return &pool{
		rng: rng, first: r.First, size: size,
		taken: newPortSet(size), closed: newPortSet(size), ordinary: newPortSet(size),
		linger: newPortSet(size), busy: newPortSet(size),
		scaled: map[netip.Addr]portSet{}, conns: map[uint16]int{}, peers: map[peer]*peerPorts{},
	}
}

// index is the number of a port in the sets; not ok outside of the range.
func (p *pool) index(port uint16) (int, bool) {
	i := int(port) - int(p.first)
	return i, i >= 0 && i < p.size
}

// update notes what a port is used for.
func (p *pool) update(port uint16, use *portUse) {
	i, ok := p.index(port)
	if !ok {
		return
	}
	held := len(use.holds) > 0
	closed, ordinary := held, held
	for _, c := range use.claims {
		closed = closed || !c.shared
		ordinary = ordinary || !c.perAddress
		if c.perAddress {
			p.scaledOn(c.addr).put(i, true)
		}
	}
	p.taken.put(i, held || len(use.claims) > 0)
	p.closed.put(i, closed)
	p.ordinary.put(i, ordinary)
}

func (p *pool) scaledOn(a netip.Addr) portSet {
	s, ok := p.scaled[a]
	if !ok {
		s = newPortSet(p.size)
		p.scaled[a] = s
	}
	return s
}

// clearFor says that nobody has a port per address any more on this one.
func (p *pool) clearFor(a netip.Addr, port uint16) {
	if i, ok := p.index(port); ok {
		p.scaledOn(a).put(i, false)
	}
}

// choose picks a port for a binding.
//
// With SO_PORT_SCALABILITY that is one nobody has on this address, and nobody
// on any who came without the option. All others get a port that nobody has on
// any address (PO-4, PO-5), if possible one without a connection left from
// earlier. A connection that may share its port gets another's when there is
// none, but with a different peer (PO-7).
func (p *pool) choose(b *socket.Binding, c claim) (port uint16, ok bool) {
	if c.perAddress {
		return p.pick(b, c, p.ordinary, p.scaled[c.addr])
	}
	if port, ok = p.pick(b, c, p.taken, p.linger); !ok {
		port, ok = p.pick(b, c, p.taken, nil)
	}
	if !ok && c.shared {
		port, ok = p.pick(b, c, p.closed, nil)
	}
	return port, ok
}

// pick chooses among the ports that are in none of the sets, have no connection
// to b.Peer and aren't to be avoided.
func (p *pool) pick(b *socket.Binding, c claim, one, other portSet) (uint16, bool) {
	copy(p.busy, one)
	for i := range other {
		p.busy[i] |= other[i]
	}
	if b.Peer.IsValid() {
		if ports := p.peers[peer{c.addr, plainPort(b.Peer)}]; ports != nil {
			ports.addTo(p.busy)
		}
	}
	if i, ok := p.index(b.Avoid); ok {
		p.busy.put(i, true)
	}
	free := p.size - p.busy.count()
	if free == 0 {
		return 0, false
	}
	return p.first + uint16(p.busy.nthFree(int(p.rng.Uint32()%uint32(free)))), true
}

// occupy and vacate note the beginning and the end of a connection.
func (p *pool) occupy(t socket.Tuple) {
	i, ok := p.index(t.Local.Port())
	if !ok {
		return
	}
	p.conns[t.Local.Port()]++
	p.linger.put(i, true)
	k := peer{plain(t.Local.Addr()), plainPort(t.Remote)}
	if p.peers[k] == nil {
		p.peers[k] = &peerPorts{}
	}
	p.peers[k].add(i, p.size)
}

func (p *pool) vacate(t socket.Tuple) {
	i, ok := p.index(t.Local.Port())
	if !ok {
		return
	}
	port := t.Local.Port()
	if p.conns[port]--; p.conns[port] <= 0 {
		delete(p.conns, port)
		p.linger.put(i, false)
	}
	k := peer{plain(t.Local.Addr()), plainPort(t.Remote)}
	if ports := p.peers[k]; ports != nil && ports.remove(i) {
		delete(p.peers, k)
	}
}

func plainPort(ap netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(plain(ap.Addr()), ap.Port())
}

// peerPorts are the ports with a connection to one peer: a list while they are
// few, for most peers have few.
type peerPorts struct {
	few  []uint16
	many portSet // instead of few, once there were more than maxFew
	n    int
}

const maxFew = 64

func (p *peerPorts) add(i, size int) {
	p.n++
	switch {
	case p.many != nil:
		p.many.put(i, true)
	case len(p.few) < maxFew:
		p.few = append(p.few, uint16(i))
	default:
		p.many = newPortSet(size)
		p.addTo(p.many)
		p.few = nil
		p.many.put(i, true)
	}
}

// remove reports that it was the last.
func (p *peerPorts) remove(i int) (last bool) {
	p.n--
	if p.many != nil {
		p.many.put(i, false)
	} else if at := slices.Index(p.few, uint16(i)); at >= 0 {
		p.few = slices.Delete(p.few, at, at+1)
	}
	return p.n <= 0
}

func (p *peerPorts) addTo(s portSet) {
	for _, i := range p.few {
		s.put(int(i), true)
	}
	for i := range p.many {
		s[i] |= p.many[i]
	}
}

// A portSet is a set of ports, as bits. Those of the last word that are beyond
// the range are never set.
type portSet []uint64

func newPortSet(size int) portSet { return make(portSet, (size+63)/64) }

func (s portSet) put(i int, on bool) {
	if on {
		s[i/64] |= 1 << (i % 64)
	} else {
		s[i/64] &^= 1 << (i % 64)
	}
}

func (s portSet) count() (n int) {
	for _, w := range s {
		n += bits.OnesCount64(w)
	}
	return n
}

// nthFree is the number of the nth port, from 0, that isn't in the set.
func (s portSet) nthFree(n int) int {
	for i, w := range s {
		w = ^w
		if c := bits.OnesCount64(w); n >= c {
			n -= c
			continue
		}
		for ; n > 0; n-- {
			w &= w - 1
		}
		return i*64 + bits.TrailingZeros64(w)
	}
	panic("stack: nthFree beyond the set")
}
