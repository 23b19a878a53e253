package machines

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// A phase is how far the network is, as a machine knows it.
type phase uint8

const (
	gathering phase = iota // somebody isn't there yet; who is lost may come back
	assembled              // all are there, but not all know that yet, and no command has started
	running                // all know
	stopping               // this machine, which isn't the hub, has asked the hub for the end
	ended                  // it is known how the network has ended
)

// String returns the name of the phase.
func (p phase) String() string {
	return [...]string{"gathering", "assembled", "running", "stopping", "ended"}[p]
}

// An Ending is how the network has ended.
type Ending struct {
	Status int    `json:"status,omitempty"` // the exit status on all machines
	Text   string `json:"text,omitempty"`   // what has ended the network, in words
	Failed bool   `json:"failed,omitempty"` // the network has failed, rather than ended with a command
	Hint   string `json:"hint,omitempty"`   // what would help, in one line; "": nothing is known
}

// hub is the number of the machine that the others are connected to.
const hub = 0

// A state is what a machine knows of the network.
//
//	           all are there             all know that
//	gathering ───────────────▶ assembled ──────────────▶ running
//	    │                          │                        │
//	    ├──────────────────────────┴────────────────────────┤
//	    │ this machine wants the end                        │ somebody wants the end,
//	    ▼                                                   ▼ or a machine is lost
//	stopping ───────────────────────────────────────────▶ ended
//	                 the hub says so, or is lost
//
// Where one machine is running, all are assembled at least, so that the loss of the hub ends all of
// them. The hub is never stopping, and neither is a machine that is without the hub.
//
// It has no clock and no connection: it is told the time, what comes, and who is lost, and what it
// wants done is in actions. It is not safe for concurrent use.
type state struct {
	names  []string // of all machines
	self   int
	digest string // of the network file

	awaited map[string]int // the machines of hosts of others, of those that aren't known to be ready

	phase   phase
	there   []bool        // which machines have said hello; machines that aren't the hub know of the hub alone
	know    []bool        // at the hub, which machines know that all are there
	missing []string      // what the hub has said of the others
	next    time.Duration // when the next note is due
	ending  Ending        // in ended, and the wish in stopping

	actions []action
}

// An action is something that a state wants done. One of its fields is set.
type action struct {
	send  *message // to a machine
	to    int
	begin bool   // commands may start
	ready string // a host of another machine is ready
	note  string // for people
	end   bool   // the network has ended
}

// The time until somebody hears who is waited for, and between two times after that.
const (
	firstNote = 2 * time.Second
	laterNote = 10 * time.Second
)

// newState is the state of a machine that is ready to begin itself. hosts are the machines of all
// hosts.
func newState(names []string, self int, digest string, hosts map[string]int) *state {
	s := &state{
		names: names, self: self, digest: digest, awaited: maps.Clone(hosts),
		there: make([]bool, len(names)), know: make([]bool, len(names)), next: firstNote,
	}
	maps.DeleteFunc(s.awaited, func(_ string, at int) bool { return at == self })
	s.there[self] = true
	s.tryAssemble()
	return s
}

// take returns what is to be done, in its order, and forgets it.
func (s *state) take() []action {
	a := s.actions
	s.actions = nil
	return a
}

// connected says that there is a connection to the hub.
func (s *state) connected() {
	if s.phase == gathering {
		s.send(hub, message{Type: hello, Digest: s.digest})
	}
}

// received says that a message has come from a machine: from the hub, or from any where this is the
// hub.
func (s *state) received(from int, m message) {
	switch {
	case s.phase == ended:
	case m.Type == hello && s.self == hub && s.phase == gathering && !s.there[from]:
		s.hello(from, m)
	case m.Type == missing && s.self != hub && s.phase == gathering:
		s.there[hub], s.missing = true, m.Missing
	case m.Type == all && s.self != hub && s.phase == gathering:
		s.becomeAssembled()
		s.send(hub, message{Type: all})
	case m.Type == all && s.self == hub && s.phase == assembled:
		s.know[from] = true
		s.tryStart()
	case m.Type == start && s.self != hub && s.phase == assembled:
		s.becomeRunning()
	case m.Type == ready && s.phase == running && s.becomesReady(from, m.Host):
		s.do(action{ready: m.Host})
		s.relay(from, m)
	case m.Type == stop:
		s.becomeEnded(m.Ending)
	}
}

// becomesReady reports whether a machine that says so makes a host ready: each machine speaks of
// its own hosts, the hub of those of all others, and of each once.
func (s *state) becomesReady(from int, host string) bool {
	at, awaited := s.awaited[host]
	if !awaited || from != hub && from != at {
		return false
	}
	delete(s.awaited, host)
	return true
}

// hello compares the file of a machine with that of the hub.
func (s *state) hello(from int, m message) {
	if m.Digest != s.digest {
		s.becomeEnded(Ending{Status: 1, Failed: true, Hint: otherFile,
			Text: fmt.Sprintf("the network file of machine %s is not that of machine %s", s.names[from], s.names[hub])})
		return
	}
	s.there[from] = true
	s.tryAssemble()
	s.tellMissing()
}

// What helps against the failures of a network.
const (
	otherFile = "copy the file of one machine to all others: each byte of it counts, those of comments, too"
	vanished  = "look at what wsstack has written there: it was killed, or its packets don't come through any more"
)

// lost says that the connection to a machine is lost.
func (s *state) lost(from int) {
	switch {
	case s.phase == gathering && s.there[from]: // it may come back
		s.there[from], s.missing = false, nil
		s.tellMissing()
	case s.phase == assembled || s.phase == running:
		s.becomeEnded(Ending{Status: 1, Failed: true, Hint: vanished, Text: "machine " + s.names[from] + " has vanished"})
	case s.phase == stopping:
		s.becomeEnded(s.ending)
	}
}

// hostReady says that a host of this machine is ready.
func (s *state) hostReady(host string) {
	if s.phase == running {
		s.relay(s.self, message{Type: ready, Host: host})
	}
}

// want says that this machine wants the network to end.
func (s *state) want(e Ending) {
	switch {
	case s.phase == ended || s.phase == stopping:
	case s.self == hub || !s.there[hub]:
		s.becomeEnded(e)
	default:
		s.becomeStopping(e)
	}
}

// tick says how much time has passed since the beginning.
func (s *state) tick(now time.Duration) {
	if s.phase != gathering || now < s.next {
		return
	}
	s.next = now.Truncate(firstNote) + laterNote
	s.do(action{note: fmt.Sprintf("waiting for %s (%v)", s.waitingFor(), now.Truncate(time.Second))})
}

// waitingFor says in words who isn't there.
func (s *state) waitingFor() string {
	list := s.absent()
	if s.self != hub {
		list = s.missing
		if !s.there[hub] {
			list = s.names[:1]
		}
	}
	switch len(list) {
	case 0:
		return "the other machines"
	case 1:
		return "machine " + list[0]
	}
	return "machines " + strings.Join(list, ", ")
}

// maxAbsent is how many machines are named that aren't there. With names of 253 bytes a line has
// room for them.
const maxAbsent = 10

// absent are the names of machines that the hub waits for, the first of them.
func (s *state) absent() (names []string) {
	for i, name := range s.names {
		if !s.there[i] && len(names) < maxAbsent {
			names = append(names, name)
		}
	}
	return names
}

// tellMissing tells those who are there who isn't.
func (s *state) tellMissing() {
	if s.self == hub && s.phase == gathering {
		s.relay(hub, message{Type: missing, Missing: s.absent()})
	}
}

// tryAssemble tells all machines that all are there, when they are.
func (s *state) tryAssemble() {
	if s.self != hub || slices.Contains(s.there, false) {
		return
	}
	s.relay(hub, message{Type: all})
	s.becomeAssembled()
	s.know[hub] = true
	s.tryStart()
}

// tryStart lets commands start when all machines know of each other.
func (s *state) tryStart() {
	if slices.Contains(s.know, false) {
		return
	}
	s.relay(hub, message{Type: start})
	s.becomeRunning()
}

func (s *state) becomeAssembled() { s.phase, s.there[hub] = assembled, true }

func (s *state) becomeRunning() {
	s.phase = running
	s.do(action{begin: true})
}

func (s *state) becomeStopping(wish Ending) {
	s.phase, s.ending = stopping, wish
	s.send(hub, message{Type: stop, Ending: wish})
}

func (s *state) becomeEnded(e Ending) {
	s.phase, s.ending = ended, e
	if s.self == hub {
		s.relay(hub, message{Type: stop, Ending: e})
	}
	s.do(action{end: true})
}

// relay sends a message of a machine to the hub, or from the hub to all others. A machine that
// isn't there, and so has no connection, gets nothing.
func (s *state) relay(from int, m message) {
	if s.self != hub {
		if from == s.self {
			s.send(hub, m)
		}
		return
	}
	for i := range s.names {
		if i != hub && i != from {
			s.send(i, m)
		}
	}
}

func (s *state) send(to int, m message) { s.do(action{send: &m, to: to}) }
func (s *state) do(a action)            { s.actions = append(s.actions, a) }
