package stack

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/wsstack/wsstack/internal/socket"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/wsa"
)

// registry lists the sockets that are open.
type registry struct {
	last atomic.Uint64 // the ID of the newest socket

	mu   sync.Mutex
	open map[*socket.Socket]struct{}
}

// add lists a socket.
func (r *registry) add(sock *socket.Socket) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open == nil {
		r.open = map[*socket.Socket]struct{}{}
	}
	r.open[sock] = struct{}{}
}

// remove takes a socket off the list.
func (r *registry) remove(sock *socket.Socket) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.open, sock)
}

// list returns the open sockets, oldest first.
func (r *registry) list() []*socket.Socket {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := make([]*socket.Socket, 0, len(r.open))
	for s := range r.open {
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b *socket.Socket) int { return cmp.Compare(a.ID(), b.ID()) })
	return list
}

// Sockets describes the sockets that are open, oldest first.
func (s *Stack) Sockets() []endpoint.Info {
	list := s.sockets.list()
	infos := make([]endpoint.Info, len(list))
	for i, sock := range list {
		infos[i] = endpoint.InfoOf(sock)
	}
	return infos
}

// Socket returns the open socket with this ID, the one of endpoint.Info. The error is WSAENOTSOCK
// when there is none, as an ID is never used again.
func (s *Stack) Socket(id uint64) (endpoint.Handle, error) {
	s.sockets.mu.Lock()
	defer s.sockets.mu.Unlock()
	for sock := range s.sockets.open {
		if sock.ID() == id {
			return endpoint.HandleOf(sock), nil
		}
	}
	return endpoint.Handle{}, wsa.WSAENOTSOCK
}

// Stats is what a stack has counted since it was made, and how much of some things it has now.
type Stats struct {
	PacketsIn      uint64 // IP packets from the interfaces, the loopback among them
	PacketsOut     uint64 // IP packets to the interfaces, the loopback among them
	SegmentsIn     uint64 // TCP segments that came and were valid
	SegmentsOut    uint64 // TCP segments that were sent
	Retransmits    uint64 // TCP segments that were sent again
	ResetsIn       uint64 // TCP segments with RST that came
	ResetsOut      uint64 // TCP segments with RST that were sent
	DatagramsIn    uint64 // UDP datagrams that came for a socket
	DatagramsOut   uint64 // UDP datagrams that were sent
	Malformed      uint64 // packets, segments and datagrams whose headers make no sense
	ChecksumErrors uint64 // segments and datagrams with a wrong checksum
	Dropped        uint64 // packets that were dropped: full queues, sources and destinations that can't be, not for this host
	Forwarded      uint64 // packets between other hosts that were sent on (Config.Forwarding)
	Sockets        int    // the sockets that are open now
	Bindings       int    // the local addresses with a port that sockets have now
	TimeWait       int    // the connections in TIME-WAIT now
	Memory         int64  // bytes that TCP connections hold now, to 4 KiB or a quarter for each connection
	MemoryBound    int64  // Config.Memory
}

// Stats returns what the stack has counted. The numbers are read one after the other: they needn't
// be those of one moment.
func (s *Stack) Stats() Stats {
	n := s.ns.Stats()
	st := Stats{
		PacketsIn:    n.IP.PacketsReceived.Value(),
		PacketsOut:   n.IP.PacketsSent.Value(),
		SegmentsIn:   n.TCP.ValidSegmentsReceived.Value(),
		SegmentsOut:  n.TCP.SegmentsSent.Value(),
		Retransmits:  n.TCP.Retransmits.Value(),
		ResetsIn:     n.TCP.ResetsReceived.Value(),
		ResetsOut:    n.TCP.ResetsSent.Value(),
		DatagramsIn:  n.UDP.PacketsReceived.Value(),
		DatagramsOut: n.UDP.PacketsSent.Value(),
		Malformed: n.IP.MalformedPacketsReceived.Value() + n.NICs.MalformedL4RcvdPackets.Value() +
			n.TCP.InvalidSegmentsReceived.Value() + n.UDP.MalformedPacketsReceived.Value(),
		ChecksumErrors: n.TCP.ChecksumErrors.Value() + n.UDP.ChecksumErrors.Value(),
		Dropped: n.DroppedPackets.Value() + s.hooks.dropped.Load() +
			n.TCP.ListenOverflowSynDrop.Value() + n.TCP.ListenOverflowAckDrop.Value() +
			n.IP.InvalidSourceAddressesReceived.Value() + n.IP.InvalidDestinationAddressesReceived.Value(),
	}
	st.Forwarded = s.forwarded.Load()
	for _, l := range *s.work.links.Load() {
		st.Dropped += l.Dropped()
	}
	s.sockets.mu.Lock()
	st.Sockets = len(s.sockets.open)
	s.sockets.mu.Unlock()
	st.Bindings = s.ports.bindings()
	st.TimeWait = s.tcp.TimeWaits()
	st.Memory, st.MemoryBound = s.tcp.Memory().Held(), s.cfg.Memory
	return st
}
