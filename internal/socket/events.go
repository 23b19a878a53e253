package socket

import (
	"sync/atomic"

	"github.com/wsstack/wsstack/internal/netevents"
	"github.com/wsstack/wsstack/internal/wait"
	"github.com/wsstack/wsstack/wsa"
)

// An Event is what EventSelect associates with a socket. Set signals it; it
// never blocks, and takes no lock but its own.
type Event interface{ Set() }

// eventState is what a socket keeps for its network events, guarded by
// Socket.mu but for the atomic fields.
type eventState struct {
	netevents.Recorder
	event    Event // the event that is signalled; nil while nothing is selected
	ownReset bool  // shutdown itself has reset the connection, which is no event (EV-7)

	selected atomic.Bool   // events are selected, or remembered: calls that re-enable them take the lock
	stuck    atomic.Bool   // a send has found no room on this connection
	changed  atomic.Uint32 // the Changed… bits that nobody has looked at yet
	changes  changeState

	attendant func(over bool) // see Attend; nil: nobody attends to the socket

	watchers int        // how many reasons there are for the pump to serve the socket at every event
	watch    *wait.Call // the call that makes the pump do so, listed while watchers isn't 0; nil: there was no reason yet
}

// EventSelect is WSAEventSelect (EV-1): from now on the network events of mask are recorded and
// signalled by ev. It replaces an earlier selection; a mask of 0 cancels. As documented it clears
// the record; where a profile remembers events, what nobody has seen signals ev at once (WE-1). The
// socket becomes non-blocking, whatever the mask is.
//
// Errors: WSAEINVAL for a mask with unknown events, or one that isn't 0
// without an event.
func (s *Socket) EventSelect(ev Event, mask int32) wsa.Errno {
	s.catchUp()
	err := s.selectEvents(ev, mask)
	if err == 0 {
		s.reenable(0) // gather needs a selection
	}
	return err
}

func (s *Socket) selectEvents(ev Event, mask int32) wsa.Errno {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch err := s.enterLocked(); {
	case err != 0:
		return err
	case mask&^wsa.FD_ALL_EVENTS != 0, mask != 0 && ev == nil:
		return wsa.WSAEINVAL
	}
	s.nonblocking.Store(true)
	if mask == 0 {
		s.deselectLocked()
		return 0
	}
	s.selectLocked(ev)
	if s.events.BecomeSelected(mask) {
		ev.Set()
	}
	s.observeLocked()
	return 0
}

// gathers reports that what comes is counted, datagram by datagram: it is remembered whether
// it was told of.
func (e *eventState) gathers() bool { return e.Remembers() && e.selected.Load() }

func (s *Socket) selectLocked(ev Event) {
	if s.events.event == nil {
		s.watchLocked()
	}
	s.events.event = ev
	s.events.selected.Store(true)
}

// deselectLocked ends the selection.
func (s *Socket) deselectLocked() {
	if s.events.event == nil {
		return
	}
	s.events.BecomeSelected(0)
	s.events.event = nil
	s.events.selected.Store(s.events.Remembers())
	s.unwatchLocked()
}

// inheritEventsLocked gives an accepted socket the selection of its listener
// (EV-8).
func (s *Socket) inheritEventsLocked(l *Socket) {
	if l.events.event == nil {
		return
	}
	s.selectLocked(l.events.event)
	s.events.BecomeSelected(l.events.Mask)
	s.observeLocked()
}

// NetworkEvents is WSAEnumNetworkEvents (EV-6): it returns the record and
// clears it, and calls reset, which may be nil, before anything else can be
// recorded. While the network is down it returns what was recorded then, with
// WSAENETDOWN (ND-2).
func (s *Socket) NetworkEvents(reset func()) (events int32, codes [wsa.FD_MAX_EVENTS]wsa.Errno, err wsa.Errno) {
	s.catchUp()
	s.mu.Lock()
	defer s.mu.Unlock()
	err = s.enterLocked()
	if err == wsa.WSAENOTSOCK {
		return 0, codes, err
	}
	if err == 0 {
		s.observeLocked()
	}
	events, codes = s.events.BecomeTaken()
	s.toldLocked(events, &codes)
	if reset != nil {
		reset()
	}
	return events, codes, err
}

// SetNonblocking is FIONBIO: WSAEINVAL for a socket that is to become blocking
// while events are selected (EV-1).
func (s *Socket) SetNonblocking(on bool) wsa.Errno {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.enterLocked(); err != 0 {
		return err
	}
	if !on && s.events.event != nil {
		return wsa.WSAEINVAL
	}
	s.noteModeLocked(on)
	s.nonblocking.Store(on)
	return 0
}

// reenable is called when a call of the family that re-enables events is over.
func (s *Socket) reenable(events int32) {
	if !s.events.selected.Load() {
		return
	}
	s.catchUp()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reenableLocked(events)
}

// reenableLocked is reenable with the lock. Where nothing is selected, a Recorder that remembers
// has to know nevertheless.
func (s *Socket) reenableLocked(events int32) {
	if !s.events.selected.Load() || s.closed {
		return
	}
	s.events.BecomeAnswered(events)
	s.observeLocked()
}

// enableWrite is called at the end of a send with its outcome, which it returns: only
// one that found no room enables FD_WRITE again. No send takes the record of it back.
func (s *Socket) enableWrite(err wsa.Errno) wsa.Errno {
	if err != wsa.WSAEWOULDBLOCK {
		return err
	}
	s.events.stuck.Store(true)
	if !s.events.selected.Load() {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.events.BecomeEnabled(wsa.FD_WRITE)
		s.observeLocked()
	}
	return err
}

// recvEvent is the event that a receive with these flags re-enables.
func recvEvent(flags int32) int32 {
	if flags&wsa.MSG_OOB != 0 {
		return wsa.FD_OOB
	}
	return wsa.FD_READ
}

// observeLocked records what holds, and signals the event. Without a selection there is nothing to
// do: what holds then, a later one finds.
func (s *Socket) observeLocked() {
	if s.events.event != nil && s.events.Observe(s.conditionsLocked()) {
		s.events.event.Set()
	}
}

// closeEventsLocked ends the selection with the socket: without an event for
// closesocket (EV-7); when the stack goes down, with all that are selected
// (ND-2).
func (s *Socket) closeEventsLocked() {
	switch {
	case s.events.event == nil:
		return
	case !s.down:
		s.deselectLocked()
		return
	}
	var all netevents.Conditions
	for bit := range all.Codes {
		all.Add(bit, wsa.WSAENETDOWN)
	}
	s.events.BecomeEnabled(wsa.FD_ALL_EVENTS)
	s.events.Observe(all)
	s.events.event.Set()
}

// A servant is the socket as the Waiter of its permanent call: whatever wakes
// calls makes the pump serve the socket. It is never waited on.
type servant Socket

func (*servant) Wait(string) {}

func (v *servant) Signal() { v.host.Signal((*Socket)(v)) }

// watchLocked makes the pump serve the socket whenever anything happens to it,
// until as many calls of unwatchLocked.
func (s *Socket) watchLocked() {
	if s.events.watchers++; s.events.watchers == 1 {
		if s.events.watch == nil {
			s.events.watch = new(wait.Call)
			s.events.watch.Init((*servant)(s), wait.AnyEvent)
		}
		s.calls.Add(s.events.watch)
	}
}

func (s *Socket) unwatchLocked() {
	if s.events.watchers--; s.events.watchers == 0 {
		s.calls.Remove(s.events.watch)
	}
}
