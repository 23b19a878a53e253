package endpoint

import "github.com/wsstack/wsstack/wsa"

// A recorder decides which network events of a socket are recorded, and when:
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
// It is a value without a lock, a clock or a socket; the zero recorder has
// nothing selected.
type recorder struct {
	mask     int32 // selected
	enabled  int32 // may be recorded
	recorded int32 // not taken yet
	codes    eventCodes
	over     bool // FD_CLOSE of this connection was taken
}

// eventCodes are the error codes of events, by their FD_…_BIT.
type eventCodes [wsa.FD_MAX_EVENTS]wsa.Errno

// conditions are the events whose condition holds at one moment.
type conditions struct {
	hold  int32
	codes eventCodes // of those that hold
}

func (c *conditions) add(bit int, err wsa.Errno) {
	c.hold |= 1 << bit
	c.codes[bit] = err
}

// asked are the events that need an ioctl before each record.
const asked = wsa.FD_ROUTING_INTERFACE_CHANGE | wsa.FD_ADDRESS_LIST_CHANGE

// becomeSelected replaces the selection and clears the record (EV-1). What an
// ioctl has enabled stays so, and FD_CLOSE ends with the first that was taken.
func (r *recorder) becomeSelected(mask int32) {
	*r = recorder{mask: mask, enabled: wsa.FD_ALL_EVENTS&^asked | r.enabled&asked, over: r.over}
	if r.over {
		r.enabled &^= wsa.FD_CLOSE
	}
}

// becomeEnabled is the re-enabling call of events.
func (r *recorder) becomeEnabled(events int32) { r.enabled |= events }

// becomeUnconnected forgets what a connection has left: the next one tells all anew.
// What an ioctl has enabled stays so, and its record stays.
func (r *recorder) becomeUnconnected() {
	for bit := range r.codes {
		if asked&(1<<bit) == 0 {
			r.codes[bit] = 0
		}
	}
	r.recorded &= asked
	r.enabled, r.over = r.enabled&asked|wsa.FD_ALL_EVENTS&^asked, false
}

// observe records what holds and is enabled, and reports whether there was
// anything new.
func (r *recorder) observe(c conditions) bool {
	found := c.hold & r.mask & r.enabled
	r.enabled &^= found
	r.recorded |= found
	for bit := range r.codes {
		if found&(1<<bit) != 0 {
			r.codes[bit] = c.codes[bit]
		}
	}
	return found != 0
}

// becomeTaken returns the record and clears it (EV-6).
func (r *recorder) becomeTaken() (recorded int32, codes eventCodes) {
	recorded, codes = r.recorded, r.codes
	r.recorded, r.codes = 0, eventCodes{}
	r.over = r.over || recorded&wsa.FD_CLOSE != 0
	return recorded, codes
}
