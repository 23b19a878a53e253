package stack

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
)

// The bounds of what is known of paths. After the life of an entry, larger
// packets are tried again (RFC 1191 §6.3, RFC 8201 §5.3).
const (
	pathLimit = 1024
	pathLife  = 10 * time.Minute
)

// pathMTUs are the paths whose MTU is known to be less than that of the
// interface they begin at, by destination. Only errors that quote a packet which
// was sent are learned from.
type pathMTUs struct {
	clock tcpip.Clock
	known atomic.Int64 // len(byAddr), for those who would find nothing

	mu     sync.Mutex // a leaf
	byAddr map[netip.Addr]pathMTU
}

type pathMTU struct {
	mtu   uint32
	until tcpip.MonotonicTime
}

func (p *pathMTUs) init(clock tcpip.Clock) { p.clock, p.byAddr = clock, map[netip.Addr]pathMTU{} }

// learn takes what a router says. It never raises an estimate.
func (p *pathMTUs) learn(remote netip.Addr, mtu uint32) {
	now := p.clock.NowMonotonic()
	p.mu.Lock()
	defer p.mu.Unlock()
	old, ok := p.byAddr[remote]
	if ok && old.mtu <= mtu && now.Before(old.until) {
		return
	}
	if !ok && len(p.byAddr) >= pathLimit {
		p.forgetLocked(now)
	}
	p.byAddr[remote] = pathMTU{mtu, now.Add(pathLife)}
	p.known.Store(int64(len(p.byAddr)))
}

// forgetLocked makes room for one entry: all that are over go, else the one that is
// over first.
func (p *pathMTUs) forgetLocked(now tcpip.MonotonicTime) {
	var first netip.Addr
	for a, e := range p.byAddr {
		if !now.Before(e.until) {
			delete(p.byAddr, a)
			continue
		}
		if f, ok := p.byAddr[first]; !ok || e.until.Before(f.until) || e.until == f.until && a.Less(first) {
			first = a
		}
	}
	if len(p.byAddr) >= pathLimit {
		delete(p.byAddr, first)
	}
}

// of is the MTU of the path to an address, 0 when nothing is known of it.
func (p *pathMTUs) of(remote netip.Addr) uint32 {
	if p.known.Load() == 0 {
		return 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	e, ok := p.byAddr[remote]
	if !ok || !p.clock.NowMonotonic().Before(e.until) {
		return 0
	}
	return e.mtu
}
