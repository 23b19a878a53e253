// Package netevents is the memory behind WSAEventSelect and WSAEnumNetworkEvents. It is
// pure.
package netevents

import "github.com/wsstack/wsstack/wsa"

// A Recorder decides which network events of a socket are recorded, and when: the memory behind
// WSAEventSelect and WSAEnumNetworkEvents. Each event (FD_…) goes its own way (EV-2):
//
//	         its re-enabling call,                its condition holds
//	         or a selection (*)
//	disabled ─────────────────────▶ enabled ─────────────────────▶ recorded
//	   ▲                              ▲ ▲   a call takes what it     │ │
//	   │                              │ └──── told of (**) ──────────┘ │
//	   └── enumerated, while selected ┼────────────────────────────────┘
//	       new data (**) ─────────────┘
//
// A recorded event is disabled as well: its re-enabling call leads back to enabled, enumerated or
// not. The conditions are levels, so an event that is enabled while its condition holds is recorded
// at once. FD_CLOSE is enumerated once for a connection. Of a connection that the socket has left,
// nothing stays recorded.
//
// What the profiles tell apart is how long it remembers:
//
//	(*)  As documented, a selection begins anew: it clears the record and enables all events, and
//	     one that isn't selected is never recorded.
//	(**) As measured, a selection is a mask and nothing else (WE-1): events are recorded whatever it
//	     is, and stay so until they are enumerated while it has them. Where a call takes what an
//	     event told of, the record goes as well (WE-4), and new data enables the event without a
//	     call (WE-5).
//
// It is a value without a lock, a clock or a socket. New makes one, which has nothing selected.
type Recorder struct {
	Mask int32 // selected

	remembers bool  // as measured
	enabled   int32 // may be recorded
	recorded  int32 // not enumerated yet
	codes     Codes
	seen      Counts // how much of each event the record has told of
	over      bool   // FD_CLOSE of this connection was enumerated
}

// Codes are the error codes of events, by their FD_…_BIT.
type Codes [wsa.FD_MAX_EVENTS]wsa.Errno

// Counts say how often something happened that an event tells of, by the FD_…_BIT.
type Counts [wsa.FD_MAX_EVENTS]uint32

// Conditions are the events whose condition holds at one moment.
type Conditions struct {
	hold   int32
	Codes  Codes  // of those that hold
	counts Counts // of those that hold
}

// Add says that the condition of an event holds, with an error code.
func (c *Conditions) Add(bit int, err wsa.Errno) {
	c.hold |= 1 << bit
	c.Codes[bit] = err
}

// AddData says that the condition of an event holds for the data of a connection or a socket, of
// which so many bytes, datagrams or urgent bytes have come altogether. The count may go round.
func (c *Conditions) AddData(bit int, came uint32) {
	c.Add(bit, 0)
	c.counts[bit] = came
}

// asked are the events that need an ioctl before each record.
const asked = wsa.FD_ROUTING_INTERFACE_CHANGE | wsa.FD_ADDRESS_LIST_CHANGE

// New is the Recorder of a fresh socket. remembers says that events are remembered beyond a
// selection, as was measured.
func New(remembers bool) Recorder {
	return Recorder{remembers: remembers, enabled: wsa.FD_ALL_EVENTS &^ asked}
}

// Remembers reports whether events are remembered beyond a selection.
func (r *Recorder) Remembers() bool { return r.remembers }

// BecomeSelected replaces the selection (EV-1), and reports whether something is recorded that it
// has. Where nothing is remembered, it clears the record and enables what isn't asked for with an
// ioctl; FD_CLOSE ends with the first that was enumerated.
func (r *Recorder) BecomeSelected(mask int32) (news bool) {
	r.Mask = mask
	if r.remembers {
		return r.recorded&mask != 0
	}
	r.recorded, r.codes = 0, Codes{}
	r.enabled |= wsa.FD_ALL_EVENTS &^ asked
	if r.over {
		r.enabled &^= wsa.FD_CLOSE
	}
	return false
}

// BecomeEnabled enables events, of which a record stays.
func (r *Recorder) BecomeEnabled(events int32) { r.enabled |= events }

// BecomeAnswered follows the re-enabling call of events: it has taken what they told of, or a part.
// Where events are remembered, the record goes with it.
func (r *Recorder) BecomeAnswered(events int32) {
	r.BecomeEnabled(events)
	if r.remembers {
		r.forget(events)
	}
}

// BecomeUnconnected forgets what a connection has left: the next one tells all anew.
// What an ioctl has enabled stays so, and its record stays.
func (r *Recorder) BecomeUnconnected() {
	r.forget(wsa.FD_ALL_EVENTS &^ asked)
	r.BecomeEnabled(wsa.FD_ALL_EVENTS &^ asked)
	r.seen, r.over = Counts{}, false
}

// Observe records what holds and is enabled, and reports whether there was
// anything new that is selected. A code of a record that nobody has seen follows what holds, where
// events are remembered: a reset outdoes the FIN before it (WE-7).
func (r *Recorder) Observe(c Conditions) bool {
	enabled, unseen := r.enabled&r.Mask, int32(0)
	if r.remembers {
		enabled, unseen = r.enabled|r.arrived(&c), r.recorded
	}
	found := c.hold & enabled
	r.enabled &^= found
	r.recorded |= found
	for bit := range r.codes {
		if (found|c.hold&unseen)&(1<<bit) != 0 {
			r.codes[bit] = c.Codes[bit]
		}
	}
	return found&r.Mask != 0
}

// arrived are the events that hold and of whose data more has come since they held last.
func (r *Recorder) arrived(c *Conditions) (events int32) {
	for bit := range r.seen {
		if c.hold&(1<<bit) != 0 && c.counts[bit] != r.seen[bit] {
			r.seen[bit] = c.counts[bit]
			events |= 1 << bit
		}
	}
	return events
}

// BecomeTaken returns what is recorded and selected, and clears it (EV-6).
func (r *Recorder) BecomeTaken() (recorded int32, codes Codes) {
	recorded = r.recorded & r.Mask
	for bit := range codes {
		if recorded&(1<<bit) != 0 {
			codes[bit] = r.codes[bit]
		}
	}
	r.forget(recorded)
	r.over = r.over || recorded&wsa.FD_CLOSE != 0
	return recorded, codes
}

// forget clears the record of events.
func (r *Recorder) forget(events int32) {
	r.recorded &^= events
	for bit := range r.codes {
		if events&(1<<bit) != 0 {
			r.codes[bit] = 0
		}
	}
}
