package endpoint

import (
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

// A Record is what SO_DEBUG tells of one call, change of state or segment
// (DB-1). Fields that an event doesn't have are zero.
type Record struct {
	Time   time.Time // on the stack's clock
	Socket uint64    // its ID; of a connection before Accept, the listener's
	Event  string    // the call, such as "send"; "state"; "segment in", "segment out"
	State  options.State
	Err    wsa.Errno // of a call; why a connection ended

	Segment  bool // what follows is of one: sequence numbers as on the wire, payload in bytes
	Seq, Ack uint32
	Flags    header.TCPFlags
	Len      int
}

// debugging is the mark of SO_DEBUG in a record of a connection, for the hooks:
// the ID of the socket, 0 where it is off. It costs them one atomic load.
//
// Records are stored in a bounded ring of the stack, and written by the pump:
// neither hooks nor calls wait for the logger.

// debugCall records a call that has ended. It is deferred, so it comes after
// the call has let go of its locks.
func (s *Socket) debugCall(name string, err *wsa.Errno) {
	if s.debugOn.Load() {
		s.mu.Lock()
		r := Record{Event: name, State: s.state, Err: *err}
		s.mu.Unlock()
		s.record(r)
	}
}

// debugStateLocked records that the state is a new one.
func (s *Socket) debugStateLocked(err wsa.Errno) {
	if s.debugOn.Load() {
		s.record(Record{Event: "state", State: s.state, Err: err})
	}
}

func (s *Socket) record(r Record) {
	r.Time, r.Socket = s.host.Clock().Now(), s.id
	s.host.Debug(r)
}

// applyDebugLocked makes SO_DEBUG hold for the calls and for the hooks.
func (s *Socket) applyDebugLocked() {
	s.debugOn.Store(s.values.Debug)
	if s.wire == nil {
		return
	}
	id := uint64(0)
	if s.values.Debug {
		id = s.id
	}
	if s.wire.debug.Load() != id {
		s.wire.debug.Store(id)
	}
}

// Debugging is the socket that wants a record of each segment; 0: none does.
func (w *Wire) Debugging() Debuggee { return Debuggee(w.debug.Load()) }

// A Debuggee is the ID of a socket with SO_DEBUG. It is the tcpip.PacketOwner of
// a segment that no endpoint of netstack sends, by which the egress hook, which
// records whatever leaves, knows whose it is.
type Debuggee uint64

var _ tcpip.PacketOwner = Debuggee(0)

// KUID and KGID make a Debuggee a tcpip.PacketOwner. Nothing matches on them.
func (Debuggee) KUID() uint32 { return 0 }
func (Debuggee) KGID() uint32 { return 0 }

// sendOwn sends a segment past netstack. It is the only caller of Host.SendOwn.
func (s *Socket) sendOwn(o OwnSegment) {
	if s.debugOn.Load() {
		o.Debug = Debuggee(s.id)
	}
	s.host.SendOwn(o)
}
