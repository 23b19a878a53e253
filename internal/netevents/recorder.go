// Package netevents is the memory behind WSAEventSelect and WSAEnumNetworkEvents. It is
// pure.
package netevents

import "github.com/wsstack/wsstack/wsa"

// A Recorder decides which network events of a socket are recorded, and when:
// the memory behind WSAEventSelect and WSAEnumNetworkEvents. Each event (FD_…)
// goes its own way (EV-2):
//
//	          select with it in the mask,           its condition holds
//	          or its re-enabling call
//	disabled ───────────────────────────▶ enabled ─────────────────────▶ recorded
//	   ▲                                                                    │
//	   └──────────────────────── taken (enumerated) ────────────────────────┘
//
// A recorded event is disabled as well: its re-enabling call leads back to
// enabled, taken or not, and the record stays until it is taken. An event that
// isn't selected is never recorded. The conditions are levels, so an event
// that is enabled while its condition holds is recorded at once. FD_CLOSE is
// taken once for a connection: no selection enables it after that. Of a connection
// that the socket has left, nothing stays recorded.
//
// It is a value without a lock, a clock or a socket; the zero Recorder has
// nothing selected.
type Recorder struct {
	Mask     int32 // selected
	enabled  int32 // may be recorded
	recorded int32 // not taken yet
	codes    Codes
	over     bool // FD_CLOSE of this connection was taken
}

// Codes are the error codes of events, by their FD_…_BIT.
type Codes [wsa.FD_MAX_EVENTS]wsa.Errno

// Conditions are the events whose condition holds at one moment.
type Conditions struct {
	hold  int32
	Codes Codes // of those that hold
}

// Add says that the condition of an event holds, with an error code.
func (c *Conditions) Add(bit int, err wsa.Errno) {
	c.hold |= 1 << bit
	c.Codes[bit] = err
}

// asked are the events that need an ioctl before each record.
const asked = wsa.FD_ROUTING_INTERFACE_CHANGE | wsa.FD_ADDRESS_LIST_CHANGE

// BecomeSelected replaces the selection and clears the record (EV-1). What an
// ioctl has enabled stays so, and FD_CLOSE ends with the first that was taken.
func (r *Recorder) BecomeSelected(mask int32) {
	*r = Recorder{Mask: mask, enabled: wsa.FD_ALL_EVENTS&^asked | r.enabled&asked, over: r.over}
	if r.over {
		r.enabled &^= wsa.FD_CLOSE
	}
}

// BecomeEnabled is the re-enabling call of events.
func (r *Recorder) BecomeEnabled(events int32) { r.enabled |= events }

// BecomeUnconnected forgets what a connection has left: the next one tells all anew.
// What an ioctl has enabled stays so, and its record stays.
func (r *Recorder) BecomeUnconnected() {
	for bit := range r.codes {
		if asked&(1<<bit) == 0 {
			r.codes[bit] = 0
		}
	}
	r.recorded &= asked
	r.enabled, r.over = r.enabled&asked|wsa.FD_ALL_EVENTS&^asked, false
}

// Observe records what holds and is enabled, and reports whether there was
// anything new.
func (r *Recorder) Observe(c Conditions) bool {
	found := c.hold & r.Mask & r.enabled
	r.enabled &^= found
	r.recorded |= found
	for bit := range r.codes {
		if found&(1<<bit) != 0 {
			r.codes[bit] = c.Codes[bit]
		}
	}
	return found != 0
}

// BecomeTaken returns the record and clears it (EV-6).
func (r *Recorder) BecomeTaken() (recorded int32, codes Codes) {
	recorded, codes = r.recorded, r.codes
	r.recorded, r.codes = 0, Codes{}
	r.over = r.over || recorded&wsa.FD_CLOSE != 0
	return recorded, codes
}
