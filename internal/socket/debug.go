package socket

import (
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/wsstack/wsstack/internal/tcp"
	"github.com/wsstack/wsstack/internal/transport"
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

// Records are stored in a bounded ring of the stack, and written by the pump:
// neither calls nor the transport wait for the logger.

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

// tapLocked is what a connection shows its segments: nil without SO_DEBUG.
func (s *Socket) tapLocked() transport.Tap {
	if !s.values.Debug {
		return nil
	}
	return s.tapSegment
}

// tapSegment is the transport.Tap of a connection, or of a listener, which has it
// always.
func (s *Socket) tapSegment(out bool, seg *tcp.Segment) {
	if !s.debugOn.Load() {
		return
	}
	event := "segment in"
	if out {
		event = "segment out"
	}
	s.record(Record{Event: event, Segment: true, Seq: uint32(seg.Seq), Ack: uint32(seg.Ack),
		Flags: header.TCPFlags(seg.Flags), Len: int(seg.Payload.Size())})
}
