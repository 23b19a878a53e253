package conform

import (
	"time"

	"github.com/wsstack/wsstack/wsa"
)

const everyEvent = wsa.FD_ALL_EVENTS

// forgets says why scenarios of the memory aren't true of the documents.
const forgets = "C-140: as documented each selection begins anew"

// eventsMemoryScenarios are WE-1 to WE-7: the memory of network events, as measured.
var eventsMemoryScenarios = []Scenario{
	{ID: "WE-1", Title: "reported once", Source: "OBS", Profiles: measured, Why: forgets, Run: func(e *Env) {
		e.connected(func(c, s handle) {
			c.once("connected", "WRITE, CONNECT")
			s.once("accepted", "WRITE")
			s.send(1)
			c.once("data", "READ")
			s.oob("!")
			c.once("an urgent byte", "OOB")
			s.shutdown(wsa.SD_SEND)
			c.once("FIN", "CLOSE")
			l := e.listener(e.P, 81)
			e.dial(81)
			l.once("a connection", "ACCEPT")
			f := e.failedConnect()
			f.once("a failed connect", "CONNECT 10061")
			r, peer := e.connection()
			r.once("connected", "WRITE, CONNECT")
			peer.reset()
			r.once("reset", "CLOSE 10053")
		})
		e.Notef("of READ, WRITE, OOB, ACCEPT, CONNECT and CLOSE none again by a mask that has it")
	}},
	{ID: "WE-1", Title: "what no mask has had", Source: "OBS", Profiles: measured, Why: forgets, Run: func(e *Env) {
		e.connected(func(c, s handle) {
			for _, one := range []struct {
				mask   int32
				events string
			}{
				{wsa.FD_CLOSE, ""},
				{wsa.FD_CONNECT, "CONNECT"},
				{wsa.FD_CONNECT | wsa.FD_READ, ""},
				{everyEvent, "WRITE"},
				{everyEvent, ""},
			} {
				c.selects(one.mask, one.events)
			}
			w := c.watch(wsa.FD_CLOSE)
			s.send(1)
			s.oob("!")
			s.shutdown(wsa.SD_SEND)
			w.want("of data, an urgent byte and a FIN", "CLOSE")
			c.selects(wsa.FD_OOB, "OOB")
			c.selects(everyEvent, "READ")

			l := e.listener(e.P, 81)
			w = l.watch(wsa.FD_READ)
			e.dial(81)
			w.want("of a connection", "")
			l.selects(wsa.FD_ACCEPT, "ACCEPT")
			l.accept()
			w = l.watch(wsa.FD_READ)
			e.dial(81)
			w.want("of another one", "")
			l.accept()
			l.selects(wsa.FD_ACCEPT, "") // it was taken before

			f := e.failedConnect()
			f.selects(wsa.FD_WRITE, "")
			f.selects(wsa.FD_CONNECT, "CONNECT 10061")
		})
		e.Notef("reported by the first mask that has it, unless it was taken before")
	}},
	{ID: "WE-1", Title: "recorded and not enumerated", Source: "OBS", Profiles: measured, Why: forgets, Run: func(e *Env) {
		e.connected(func(c, s handle) {
			c.selects(everyEvent, "WRITE, CONNECT")
			first := c.watch(wsa.FD_READ)
			s.send(1)
			e.Net.Sleep(time.Second)
			e.Check(isSet(first.ev), "data doesn't signal the event")
			c.as("EventSelect 0").eventSelect(nil, 0)
			Equal(e, "without a selection", eventsText(c.enumEvents(nil)), "")
			second := c.watch(wsa.FD_CLOSE)
			e.Check(!isSet(second.ev), "a mask without FD_READ signals the event")
			third := c.watch(wsa.FD_READ | wsa.FD_CLOSE)
			e.Check(isSet(third.ev), "a mask with FD_READ doesn't signal the event")
			Equal(e, "then", third.take(), "READ")
			c.selects(wsa.FD_READ, "")
		})
		e.Notef("the selection that has it signals its event at once")
	}},
	{ID: "WE-1", Title: "what a reset leaves", Source: "OBS", Profiles: measured, Why: forgets, Run: func(e *Env) {
		e.connected(func(c, s handle) {
			s.say("x")
			s.reset()
			c.selects(wsa.FD_CLOSE, "CLOSE 10053")
			c.selects(everyEvent, "READ, WRITE, CONNECT")
			c.recv(1, wsa.WSAECONNRESET)
			c.selects(everyEvent, "")
		})
		e.Notef("what was never reported stays, data that is lost included")
	}},
	{ID: "WE-2", Title: "sockets that accept and AcceptEx have made", Source: "OBS", Run: func(e *Env) {
		e.paired(func() {
			l := e.listener(e.P, 80)
			e.dial(80)
			l.accept().selects(everyEvent, "WRITE")
			for _, into := range []handle{e.stream(), e.failedConnect()} {
				w := into.watch(everyEvent) // nobody enumerates what has failed
				o := l.acceptEx(into, nil)
				e.dial(80)
				Equal(e, "AcceptEx", e.outcome(o), "0 success")
				w.want("accepted", "WRITE")
				into.setBytes(wsa.SOL_SOCKET, wsa.SO_UPDATE_ACCEPT_CONTEXT, handleBytes(l), 8)
				w.want("updated", "")
			}
			w := l.watch(everyEvent)
			e.dial(80)
			w.want("a connection", "ACCEPT")
			s := watched{e, e.P, l.accept(), w.ev}
			s.want("with the selection of the listener", "WRITE")
		})
		e.Notef("FD_WRITE, never FD_CONNECT")
	}},
	{ID: "WE-3", Title: "FD_WRITE and sends", Source: "OBS", Profiles: measured, Why: forgets, Run: func(e *Env) {
		e.connected(func(c, s handle) {
			s.nonblocking(true)
			c.sndbuf(64 << 10)
			c.selects(wsa.FD_READ, "")
			c.send(5)
			c.send(4 << 20) // more than SO_SNDBUF: the queue is full
			c.selects(wsa.FD_WRITE, "WRITE")
			w := c.watch(wsa.FD_WRITE)
			c.as("a send without room").sendSome([]byte("x"), 0, wsa.WSAEWOULDBLOCK)
			w.want("no room", "")
			c.selects(everyEvent, "CONNECT")
			w = c.watch(wsa.FD_READ)
			c.as("again").sendSome([]byte("x"), 0, wsa.WSAEWOULDBLOCK)
			s.drained(4<<20 + 5)
			w.want("room, not selected", "")
			c.selects(wsa.FD_WRITE, "WRITE")
			c.send(5)
			c.selects(wsa.FD_WRITE, "")
			s.selects(wsa.FD_WRITE, "WRITE") // of an accepted socket that has sent nothing
		})
		e.Notef("sends that succeed leave it recorded and not enabled, one without room enables it")
	}},
	{ID: "WE-4", Title: "what recv and accept take back", Source: "OBS", Profiles: measured, Why: forgets, Run: func(e *Env) {
		e.connected(func(c, s handle) {
			c.selects(everyEvent, "WRITE, CONNECT")
			w := c.watch(everyEvent)
			s.say("abc")
			w.stale("all that had come was read", func() { c.recv(9) })
			s.say("abc")
			e.Net.Sleep(time.Second)
			c.recv(2)
			Equal(e, "a part was read", w.take(), "READ")
			c.recv(1)
			Equal(e, "the rest was read", w.take(), "")
			s.oob("!")
			w.stale("the urgent byte was read", func() { c.recvFlags(1, wsa.MSG_OOB) })
			s.say("abc")
			e.Net.Sleep(time.Second)
			c.recvFlags(9, wsa.MSG_PEEK)
			Equal(e, "a peek", w.take(), "READ")
			Equal(e, "and again", w.take(), "")
			c.recvFlags(9, wsa.MSG_PEEK)
			Equal(e, "another peek", w.take(), "READ")
			c.recv(9)

			c.as("EventSelect 0").eventSelect(nil, 0)
			s.say("abc")
			e.Net.Sleep(time.Second)
			c.recv(9)
			c.selects(everyEvent, "")
			o := c.recvAsync(make([]byte, 9))
			w = c.watch(everyEvent)
			s.say("abc")
			e.Net.Sleep(time.Second)
			Equal(e, "overlapped", e.outcome(o), "3 success")
			Equal(e, "taken by an operation", eventsText(c.enumEvents(w.ev)), "")

			l := e.listener(e.P, 81)
			w = l.watch(wsa.FD_ACCEPT)
			e.dial(81)
			w.stale("the connection was accepted", func() { l.accept() })
			e.dial(81)
			e.dial(81)
			e.Net.Sleep(time.Second)
			l.accept()
			Equal(e, "one of two was accepted", w.take(), "ACCEPT")
			l.accept()
			Equal(e, "the other, too", w.take(), "")
		})
		e.Notef("FD_READ, FD_OOB and FD_ACCEPT are not recorded when nothing is left; the event stays signalled")
	}},
	{ID: "WE-5", Title: "new data", Source: "OBS", Profiles: measured, Why: "EV-2: as documented a recv comes between", Run: func(e *Env) {
		e.connected(func(c, s handle) {
			w := c.watch(wsa.FD_READ | wsa.FD_OOB | wsa.FD_CLOSE)
			for range 3 {
				s.send(1)
				w.want("data", "READ")
				w.want("no more", "")
			}
			s.oob("1")
			w.want("an urgent byte", "OOB")
			s.oob("2")
			w.want("another one", "OOB")
			c.as("EventSelect 0").eventSelect(nil, 0)
			w = c.watch(wsa.FD_READ)
			w.want("selected again", "")
			c.as("EventSelect 0").eventSelect(nil, 0)
			s.send(1)
			e.Net.Sleep(time.Second)
			c.selects(wsa.FD_READ|wsa.FD_OOB, "READ")
			Equal(e, "bytes", len(c.recv(9)), 3) // up to the first mark
			c.selects(everyEvent, "READ, WRITE, CONNECT")
			s.shutdown(wsa.SD_SEND)
			c.watch(wsa.FD_READ|wsa.FD_CLOSE).want("FIN", "CLOSE")
		})
		e.Notef("FD_READ and FD_OOB again, without a recv between")
	}},
	{ID: "WE-5", Title: "new datagrams", Source: "OBS", Profiles: measured, Why: "EV-2: as documented a recv comes between", Run: func(e *Env) {
		e.paired(func() {
			d, q := e.datagram(), e.peerDatagram()
			d.bind(e.Any(7))
			w := d.watch(wsa.FD_READ)
			for _, text := range []string{"one", "", "three"} {
				q.sayTo(e.Addr(1, 7), text)
				w.want("a datagram", "READ")
				w.want("no more", "")
			}
			Equal(e, "first", string(d.recv(9)), "one")
			Equal(e, "two are left", w.take(), "READ")
			Equal(e, "second", string(d.recv(9)), "")
			w.stale("all were read", func() { Equal(e, "third", string(d.recv(9)), "three") })
			q.sayTo(e.Addr(1, 7), "four")
			w.stale("read at once", func() { d.recv(9) })
			d.as("EventSelect 0").eventSelect(nil, 0)
			q.sayTo(e.Addr(1, 7), "five")
			e.Net.Sleep(time.Second)
			w = d.watch(wsa.FD_READ)
			Equal(e, "of the time without a selection", w.take(), "READ")
			for range 3 {
				q.sayTo(e.Addr(1, 7), "six")
			}
			w.want("three", "READ")
			Equal(e, "select", d.ready("rw", 0), "rw")
			Equal(e, "FIONREAD", d.value(wsa.FIONREAD), 4)
			for _, text := range []string{"five", "six", "six", "six"} {
				Equal(e, "recv", string(d.recv(9)), text)
			}
			w.stale("nothing is left", func() { d.recv(1, wsa.WSAEWOULDBLOCK) })
		})
		e.Notef("FD_READ for each that comes, in order, none lost")
	}},
	{ID: "WE-6", Title: "datagram sockets", Source: "OBS", Profiles: measured, Why: "C-143: as documented FD_WRITE holds from the beginning", Run: func(e *Env) {
		e.paired(func() {
			for port := range uint16(2) {
				e.peerDatagram().bind(e.Any(8 + port))
			}
			for _, unbound := range []func() handle{e.datagram, func() handle { return e.open(e.P, e.Family, wsa.SOCK_RAW, 252) }} {
				d := unbound()
				w := d.watch(everyEvent)
				w.want("not bound", "")
				d.bind(e.Any(0))
				Equal(e, "bind", w.take(), "WRITE")
				d.selects(everyEvent, "")
				w = d.watch(everyEvent)
				d.connect(e.Addr(2, 8))
				Equal(e, "connect", w.take(), "WRITE, CONNECT")
				d.connect(e.Addr(2, 9))
				Equal(e, "another connect", w.take(), "WRITE, CONNECT")
				d.say("x")
				w.want("a send", "")

				d = unbound()
				w = d.watch(everyEvent)
				d.connect(e.Addr(2, 8))
				Equal(e, "connect binds", w.take(), "WRITE, CONNECT")
				d = unbound()
				w = d.watch(everyEvent)
				d.sayTo(e.Addr(2, 8), "x")
				Equal(e, "sendto binds", w.take(), "WRITE")
				d = unbound()
				d.bind(e.Any(0))
				d.selects(wsa.FD_READ, "")
				d.selects(everyEvent, "WRITE")
				d.selects(everyEvent, "")
			}
		})
		e.Notef("FD_WRITE at bind, FD_WRITE and FD_CONNECT at connect, nothing before")
	}},
	{ID: "WE-7", Title: "FD_CLOSE of a reset", Source: "OBS", Profiles: measured, Why: "C-09, C-09b: other codes, and after the data", Run: func(e *Env) {
		e.paired(func() {
			c, s := e.connection()
			w := c.watch(wsa.FD_READ | wsa.FD_CLOSE)
			s.say("x")
			s.reset()
			Equal(e, "data, then a reset", w.take(), "READ, CLOSE 10053")
			w.want("once", "")
			c, s = e.connection()
			w = c.watch(wsa.FD_READ)
			s.shutdown(wsa.SD_SEND)
			w.want("a FIN that isn't selected", "")
			s.reset()
			w.want("a reset that isn't selected", "")
			c.selects(wsa.FD_CLOSE, "CLOSE 10053")
			c.selects(everyEvent, "WRITE, CONNECT")
			c, s = e.connection()
			w = c.watch(wsa.FD_READ | wsa.FD_CLOSE)
			s.say("x")
			s.shutdown(wsa.SD_SEND)
			w.want("data and a FIN", "READ, CLOSE")
			s.reset()
			w.want("a reset after the FIN", "")
		})
		e.Notef("WSAECONNABORTED at once, with data unread; of a FIN and a reset that nobody has seen, the reset")
	}},
}

// once selects everything: these events are reported, and then not again, whatever is selected.
func (h handle) once(what, events string) {
	e := h.e
	e.Net.Sleep(time.Second)
	w := h.watch(everyEvent)
	Equal(e, what, w.take(), events)
	Equal(e, what+", enumerated again", w.take(), "")
	h.selects(everyEvent, "")
	h.as("EventSelect 0").eventSelect(nil, 0)
	h.selects(everyEvent, "")
	h.selects(wsa.FD_ADDRESS_LIST_CHANGE, "")
	h.watch(everyEvent).want(what+", selected again", "")
}

// dial connects a socket of B to a port of A.
func (e *Env) dial(port uint16) {
	e.peerStream().connect(e.Addr(1, port))
	e.Net.Sleep(time.Second)
}

// failedConnect is a socket of A whose non-blocking connect was refused.
func (e *Env) failedConnect() handle {
	s := e.stream()
	s.nonblocking(true)
	s.connect(e.Addr(2, 9), wsa.WSAEWOULDBLOCK)
	e.Net.Sleep(refusal)
	return s
}

// drained reads so many bytes from a non-blocking socket, as they come.
func (h handle) drained(n int) {
	b := make([]byte, 256<<10)
	for range 10_000 {
		got, _ := h.p.Recv(h.s, b, 0)
		if n -= got; n <= 0 {
			return
		}
		h.e.Net.Sleep(Delay)
	}
	h.e.Fatalf("%d bytes haven't come", n)
}

// stale waits until the event is signalled, and expects that a call takes the record away and
// leaves the event signalled.
func (w watched) stale(what string, call func()) {
	w.e.Net.Sleep(time.Second)
	w.e.Check(isSet(w.ev), "%s: the event wasn't signalled", what)
	call()
	w.e.Check(isSet(w.ev), "%s: the event isn't signalled any more", what)
	Equal(w.e, what, eventsText(w.s.enumEvents(w.ev)), "")
}
