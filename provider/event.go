package provider

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wsstack/wsstack/internal/socket"
	"github.com/wsstack/wsstack/internal/wait"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/wsa"
)

// An Event is a manual-reset event object, as WSACreateEvent makes: not
// signalled to begin with, signalled by the network events of the sockets it is
// associated with or by Set, until Reset. One event may serve many sockets. The
// zero Event is ready for use.
type Event struct {
	mu        sync.Mutex // a leaf: sockets call Set with their lock held
	signalled bool
	c         chan struct{}     // closed while signalled; nil: nobody has asked
	outside   func(func())      // of the stack that signals it; nil: none yet
	waiters   []endpoint.Waiter // of WaitForMultipleEvents
}

var _ socket.Event = (*Event)(nil)

// NewEvent is WSACreateEvent.
func NewEvent() *Event { return &Event{} }

// C returns a channel that is closed while the event is signalled. Reset
// replaces it: ask again for each wait. In a bubble of testing/synctest, it is
// asked for after EventSelect.
func (ev *Event) C() <-chan struct{} {
	ev.mu.Lock()
	defer ev.mu.Unlock()
	if ev.c == nil {
		open := func() { ev.c = make(chan struct{}) }
		if ev.outside != nil {
			ev.outside(open)
		} else {
			open()
		}
		if ev.signalled {
			close(ev.c)
		}
	}
	return ev.c
}

// Set is WSASetEvent.
func (ev *Event) Set() {
	ev.mu.Lock()
	defer ev.mu.Unlock()
	if ev.signalled {
		return
	}
	ev.signalled = true
	if ev.c != nil {
		close(ev.c)
	}
	for _, w := range ev.waiters {
		w.Signal()
	}
}

// Reset is WSAResetEvent.
func (ev *Event) Reset() {
	ev.mu.Lock()
	defer ev.mu.Unlock()
	if ev.signalled {
		ev.signalled, ev.c = false, nil
	}
}

// serve makes ev one that a stack signals.
func (ev *Event) serve(h socket.Host) {
	ev.mu.Lock()
	defer ev.mu.Unlock()
	ev.outside = h.Outside
}

func (ev *Event) isSignalled() bool {
	ev.mu.Lock()
	defer ev.mu.Unlock()
	return ev.signalled
}

func (ev *Event) join(w endpoint.Waiter) {
	ev.mu.Lock()
	defer ev.mu.Unlock()
	ev.waiters = append(ev.waiters, w)
}

func (ev *Event) leave(w endpoint.Waiter) {
	ev.mu.Lock()
	defer ev.mu.Unlock()
	if i := slices.Index(ev.waiters, w); i >= 0 {
		ev.waiters = slices.Delete(ev.waiters, i, i+1)
	}
}

// NetworkEvents is WSANETWORKEVENTS: the events (FD_…) that were recorded, and
// the code of each by its FD_…_BIT.
type NetworkEvents struct {
	Events    int32
	ErrorCode [10]wsa.Errno
}

// EventSelect makes the network events of mask signal ev, and the socket
// non-blocking (API-WSAEventSelect, EV-1). It replaces an earlier selection and
// clears what was recorded. What holds already, data that waits for instance,
// is recorded at once. A mask of 0 cancels, whatever ev is; the socket becomes
// non-blocking all the same. Accepted sockets inherit event and mask (EV-8).
//
// Each event is recorded once, and not again until its re-enabling call (EV-2):
// FD_READ by a receive, FD_WRITE by a send that failed with WSAEWOULDBLOCK,
// FD_ACCEPT by Accept, FD_ADDRESS_LIST_CHANGE and FD_ROUTING_INTERFACE_CHANGE
// by their ioctl. FD_CONNECT, once for each connect, isn't enabled again; a
// socket that accept or AcceptEx has connected never has it. FD_CLOSE is told
// once in the life of a socket: after EnumNetworkEvents has returned it, a new
// selection doesn't record it again. FD_QOS and FD_GROUP_QOS never happen.
//
// Errors: WSAEINVAL for an unknown event in mask, or a mask that isn't 0 with a
// nil ev.
func (p *Provider) EventSelect(s wsa.SOCKET, ev *Event, mask int32) error {
	sock, err := p.socket(s)
	if err != 0 {
		return p.result(err)
	}
	if ev == nil {
		return p.result(sock.EventSelect(nil, mask))
	}
	ev.serve(p.host)
	return p.result(sock.EventSelect(ev, mask))
}

// EnumNetworkEvents returns what was recorded for a socket since the last call,
// and clears it, together with ev, which may be nil (API-WSAEnumNetworkEvents,
// EV-6). SO_ERROR isn't touched, but the measured profiles clear it when FD_CONNECT
// has the error (WC-2). On a socket without a selection there is
// nothing.
//
// When the network is down, it fails with WSAENETDOWN and returns the events
// that were selected with that code (ND-2).
func (p *Provider) EnumNetworkEvents(s wsa.SOCKET, ev *Event) (NetworkEvents, error) {
	err := p.enter()
	if err != 0 && err != wsa.WSAENETDOWN {
		return NetworkEvents{}, p.result(err)
	}
	e, ok := p.handles.get(s)
	switch {
	case !ok && err == 0:
		err = wsa.WSAENOTSOCK
		fallthrough
	case !ok:
		return NetworkEvents{}, p.result(err)
	}
	var reset func()
	if ev != nil {
		reset = ev.Reset
	}
	events, codes, err := e.sock.NetworkEvents(reset)
	return NetworkEvents{Events: events, ErrorCode: codes}, p.result(err)
}

// MaximumWaitEvents bounds the events of WaitForMultipleEvents: WSA_MAXIMUM_WAIT_EVENTS.
const MaximumWaitEvents = 64

// WaitForMultipleEvents waits until one event is signalled, or with all each of
// them, and returns the index of the first that is (API-WSAWaitForMultipleEvents).
// A negative timeout is none; when it is over first, the index is -1. It waits
// as every blocking call does, so it works in virtual time, where a receive
// from Event.C would not.
//
// Errors: WSA_INVALID_PARAMETER for no events or more than MaximumWaitEvents;
// WSA_INVALID_HANDLE for a nil one.
func (p *Provider) WaitForMultipleEvents(events []*Event, all bool, timeout time.Duration) (int, error) {
	if err := p.enter(); err != 0 {
		return -1, p.result(err)
	}
	switch {
	case len(events) == 0, len(events) > MaximumWaitEvents:
		return -1, p.result(wsa.WSA_INVALID_PARAMETER)
	case slices.Contains(events, nil):
		return -1, p.result(wsa.WSA_INVALID_HANDLE)
	}
	if i, ok := signalled(events, all); ok || timeout == 0 {
		return i, nil
	}
	w := wait.NewWaiter(p.host)
	var expired atomic.Bool
	if timeout > 0 {
		timer := p.host.Clock().AfterFunc(timeout, func() {
			expired.Store(true)
			w.Signal()
		})
		defer timer.Stop()
	}
	for _, ev := range events {
		ev.join(w)
		defer ev.leave(w)
	}
	for {
		late := expired.Load()
		if i, ok := signalled(events, all); ok || late {
			return i, nil
		}
		w.Wait("events")
	}
}

// signalled looks at the events: the first that is signalled, -1 if that isn't
// enough.
func signalled(events []*Event, all bool) (int, bool) {
	first, count := -1, 0
	for i, ev := range events {
		if ev.isSignalled() {
			if count++; first < 0 {
				first = i
			}
		}
	}
	if count == 0 || all && count < len(events) {
		return -1, false
	}
	return first, true
}
