package socket

import (
	"net/netip"
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/wsstack/wsstack/internal/translate"
	"github.com/wsstack/wsstack/wsa"
)

// keptLimit is how many datagrams a keptQueue holds; in bytes its bound is
// netstack's, the receive buffer.
const keptLimit = 4096

// A keptQueue holds datagrams that were taken out of an endpoint's queue, and precede what is there.
// A connect takes those of the peer (page of connect), because nothing can be taken from behind the
// first; network events take them to tell of the next one: see gather. Socket.rmu guards it.
type keptQueue struct {
	list  []keptDatagram
	bytes int
	count atomic.Int32  // len(list), for those who have not rmu
	came  atomic.Uint32 // how many gather has taken; it is ahead of count, never behind
}

type keptDatagram struct {
	data   []byte
	result tcpip.ReadResult
}

// add takes a datagram over, if there is room: limit is in bytes, and as in
// netstack the datagram that reaches it has its place.
func (k *keptQueue) add(d keptDatagram, limit int) {
	if k.hasRoom(limit) {
		k.list = append(k.list, d)
		k.bytes += len(d.data)
		k.count.Store(int32(len(k.list)))
	}
}

func (k *keptQueue) hasRoom(limit int) bool { return len(k.list) < keptLimit && k.bytes < limit }

// takeAll empties the queue.
func (k *keptQueue) takeAll() []keptDatagram {
	list := k.list
	k.list, k.bytes = nil, 0
	k.count.Store(0)
	return list
}

// read is netstack's Read: what doesn't fit into dst is lost, and the error says only
// that nothing did. Precondition: the queue isn't empty.
func (k *keptQueue) read(dst *tcpip.SliceWriter, peek bool) (tcpip.ReadResult, tcpip.Error) {
	d := k.list[0]
	if !peek {
		k.list[0] = keptDatagram{}
		k.list, k.bytes = k.list[1:], k.bytes-len(d.data)
		k.count.Store(int32(len(k.list)))
	}
	d.result.Count = copy(*dst, d.data)
	if d.result.Count == 0 && len(d.data) > 0 {
		return d.result, &tcpip.ErrBadBuffer{}
	}
	return d.result, nil
}

// readQueuedRmuLocked reads the first datagram that waits into s.dst. The caller holds
// rmu.
func (s *Socket) readQueuedRmuLocked(ep tcpip.Endpoint, opts tcpip.ReadOptions) (tcpip.ReadResult, tcpip.Error) {
	if k := &s.kept; len(k.list) > 0 {
		return k.read(&s.dst, opts.Peek)
	}
	return ep.Read(&s.dst, opts)
}

// firstKept is the size of the first datagram that was kept.
func (s *Socket) firstKept() (size int, ok bool) {
	s.rmu.Lock()
	defer s.rmu.Unlock()
	if k := &s.kept; len(k.list) > 0 {
		return len(k.list[0].data), true
	}
	return 0, false
}

// keepRmuMuLocked takes over what waits in the queue of an endpoint, behind what was kept
// before, and forgets what isn't the peer's, for good: it isn't there either when the
// socket has lost its peer. Without a peer everything is kept. The caller holds rmu
// and mu.
func (s *Socket) keepRmuMuLocked(ep tcpip.Endpoint, peer netip.AddrPort) {
	k, limit := &s.kept, int(ep.SocketOptions().GetReceiveBufferSize())
	for _, d := range k.takeAll() {
		if isFrom(peer, d.result.RemoteAddr) {
			k.add(d, limit)
		}
	}
	for d, ok := s.takeQueuedRmuLocked(ep); ok; d, ok = s.takeQueuedRmuLocked(ep) {
		if isFrom(peer, d.result.RemoteAddr) {
			k.add(d, limit)
		}
	}
}

// takeQueuedRmuLocked takes the first datagram out of the queue of an endpoint, if there is one. The
// caller holds rmu.
func (s *Socket) takeQueuedRmuLocked(ep tcpip.Endpoint) (d keptDatagram, ok bool) {
	for ep.Readiness(waiter.ReadableEvents)&waiter.ReadableEvents != 0 {
		s.dst = nil
		res, err := ep.Read(&s.dst, tcpip.ReadOptions{Peek: true, NeedRemoteAddr: true})
		if _, refused := err.(*tcpip.ErrConnectionRefused); refused {
			continue // netstack's view of an ICMP error: recv has ours
		}
		if !queued(err) {
			break
		}
		d.data = make([]byte, res.Total)
		s.dst = d.data
		d.result, err = ep.Read(&s.dst, tcpip.ReadOptions{NeedRemoteAddr: true})
		s.dst = nil
		return d, queued(err)
	}
	return d, false
}

// gatherRmuLocked takes over what an endpoint has queued, on a socket whose network events are
// remembered: netstack tells of a datagram only when it finds the queue empty, but each one is news
// (WE-5). It stops at the size of the receive buffer. The caller holds rmu.
func (s *Socket) gatherRmuLocked(ep tcpip.Endpoint) {
	if !s.events.gathers() {
		return
	}
	k, limit := &s.kept, int(ep.SocketOptions().GetReceiveBufferSize())
	for k.hasRoom(limit) {
		d, ok := s.takeQueuedRmuLocked(ep)
		if !ok {
			return
		}
		if f := s.opt.filter.Load(); f == nil || f.admits(&d.result) {
			k.came.Add(1)
			k.add(d, limit)
		}
	}
}

// replaceDatagramRmuMuLocked gives a datagram or raw socket another endpoint, bound to
// local and with this peer, if it is valid, and what the old one has queued, as far as
// it is the peer's. The old one goes last, so that datagrams find one of the two at any
// time. A failure changes nothing. The caller holds rmu and mu.
func (s *Socket) replaceDatagramRmuMuLocked(local, peer netip.AddrPort) wsa.Errno {
	old, queue := s.ep, s.queue
	queue.EventUnregister(&s.entry)
	err := s.openDatagramLocked(local)
	if err == 0 && peer.IsValid() {
		if err = s.connectEndpointLocked(peer); err != 0 {
			s.dropEndpointLocked()
		}
	}
	if err != 0 {
		s.ep, s.queue, s.opt.known = old, queue, false
		queue.EventRegister(&s.entry)
		s.applyLocked()
		return err
	}
	s.keepRmuMuLocked(old, s.peerOf(peer))
	s.host.ForgetDatagrams(old)
	old.Close()
	return 0
}

// peerOf is an address as isFrom wants it: raw sockets have no ports.
func (s *Socket) peerOf(remote netip.AddrPort) netip.AddrPort {
	port := remote.Port()
	if !s.behaviour.hasPorts() {
		port = 0
	}
	return netip.AddrPortFrom(remote.Addr().Unmap(), port)
}

// isFrom reports whether a datagram is the peer's, where port 0 stands for any; with
// a peer that isn't valid every one is.
func isFrom(peer netip.AddrPort, from tcpip.FullAddress) bool {
	if !peer.IsValid() {
		return true
	}
	if zone := translate.Zone(peer.Addr()); zone != 0 && zone != from.NIC {
		return false
	}
	return translate.Addr(from.Addr).Unmap() == peer.Addr().WithZone("") && (peer.Port() == 0 || peer.Port() == from.Port)
}
