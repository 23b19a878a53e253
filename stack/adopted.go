package stack

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wsstack/wsstack/internal/translate"

	"gvisor.dev/gvisor/pkg/tcpip"
	netstack "gvisor.dev/gvisor/pkg/tcpip/stack"
)

// Bounds of adopted addresses: how many there are, how long one stays after its last
// packet (TIME-WAIT takes 60 s), and how often they are looked through.
const (
	adoptedLimit = 4096
	adoptedIdle  = 2 * time.Minute
	adoptedSweep = 10 * time.Second
)

// adopted are the addresses of others in whose place a Forwarder answers. netstack
// has them on all devices, as ones that it never chooses as a source; they are
// no addresses of the stack otherwise. They go when there is no room for another, if
// no socket has them and no packet came for a while.
//
// Its lock is a leaf.
type adopted struct {
	count atomic.Int32 // of seen: a look without the lock

	mu    sync.Mutex
	seen  map[netip.Addr]tcpip.MonotonicTime // when the last packet came
	swept tcpip.MonotonicTime
}

// touch reports an adopted address, and notes that a packet has come for it.
func (a *adopted) touch(addr netip.Addr, now tcpip.MonotonicTime) bool {
	if a.count.Load() == 0 {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	_, ok := a.seen[addr]
	if ok {
		a.seen[addr] = now
	}
	return ok
}

func (a *adopted) has(addr netip.Addr) bool {
	if a.count.Load() == 0 {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	_, ok := a.seen[addr]
	return ok
}

// list returns the addresses.
func (a *adopted) list() []netip.Addr {
	a.mu.Lock()
	defer a.mu.Unlock()
	list := make([]netip.Addr, 0, len(a.seen))
	for addr := range a.seen {
		list = append(list, addr)
	}
	return list
}

// note adds an address, or removes it.
func (a *adopted) note(addr netip.Addr, there bool, now tcpip.MonotonicTime) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.seen == nil {
		a.seen = map[netip.Addr]tcpip.MonotonicTime{}
	}
	if there {
		a.seen[addr] = now
	} else {
		delete(a.seen, addr)
	}
	a.count.Store(int32(len(a.seen)))
}

// due returns the addresses that have been idle for long enough, none when the
// last look was a moment ago.
func (a *adopted) due(now tcpip.MonotonicTime) (list []netip.Addr) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if now.Sub(a.swept) < adoptedSweep {
		return nil
	}
	a.swept = now
	for addr, last := range a.seen {
		if now.Sub(last) >= adoptedIdle {
			list = append(list, addr)
		}
	}
	return list
}

// adopt makes netstack answer for an address. It reports that it does.
func (s *Stack) adopt(addr netip.Addr) bool {
	now := s.clock.NowMonotonic()
	if s.adopted.touch(addr, now) {
		return true
	}
	if s.adopted.count.Load() >= adoptedLimit {
		s.releaseIdle(now)
		if s.adopted.count.Load() >= adoptedLimit {
			return false
		}
	}
	// A device that is added meanwhile finds the address in the list, or is found
	// here; one that goes meanwhile has it no more.
	s.adopted.note(addr, true, now)
	s.mu.RLock()
	nics := s.nics[1:]
	s.mu.RUnlock()
	for _, n := range nics {
		s.shareAdopted(n, addr)
	}
	return true
}

// shareAdopted gives a device an adopted address, which it may have already.
func (s *Stack) shareAdopted(n *nic, addr netip.Addr) {
	_ = s.addProtocolAddress(n.id, netip.PrefixFrom(addr, addr.BitLen()), netstack.NeverPrimaryEndpoint)
}

// releaseIdle gives back the addresses that are idle and that no socket has, and no connection,
// such as one that waits for Accept.
func (s *Stack) releaseIdle(now tcpip.MonotonicTime) {
	due := s.adopted.due(now)
	if len(due) == 0 {
		return
	}
	used := map[netip.Addr]bool{}
	for _, sock := range s.sockets.list() {
		if a, errno := sock.LocalAddr(); errno == 0 {
			used[a.Addr().Unmap()] = true
		}
	}
	locals := s.tcp.Locals()
	for _, addr := range due {
		if !used[addr] && !locals[translate.Address(addr)] {
			s.release(addr)
		}
	}
}

// release ends the answers for an address.
func (s *Stack) release(addr netip.Addr) {
	s.adopted.note(addr, false, tcpip.MonotonicTime{})
	s.mu.RLock()
	nics := s.nics[1:]
	s.mu.RUnlock()
	for _, n := range nics {
		s.ns.RemoveAddress(n.id, translate.Address(addr))
	}
}
