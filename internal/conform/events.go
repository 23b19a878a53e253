package conform

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/wsstack/wsstack/provider"
	"github.com/wsstack/wsstack/tun"
	"github.com/wsstack/wsstack/wsa"
)

// eventNames are the network events, by their FD_…_BIT.
var eventNames = [...]string{"READ", "WRITE", "OOB", "ACCEPT", "CONNECT", "CLOSE", "QOS", "GROUP_QOS", "ROUTE", "ADDRESS"}

// watched is a socket with an event of its own.
type watched struct {
	e  *Env
	p  *provider.Provider
	s  handle
	ev *provider.Event
}

// watch selects events of a socket.
func (h handle) watch(mask int32) watched {
	e := h.e
	p := h.p

	w := watched{e, p, h, provider.NewEvent()}
	e.Code("EventSelect", p.EventSelect(h.s, w.ev, mask), 0)
	return w
}

// take enumerates: the events with their codes, and whether the event object
// was signalled must agree with there being any.
func (w watched) take() string {
	set := isSet(w.ev)
	n, err := w.p.EnumNetworkEvents(w.s.s, w.ev)
	w.e.Code("EnumNetworkEvents", err, 0)
	w.e.Check(set == (n.Events != 0), "event signalled: %v, recorded %s", set, eventsText(n))
	w.e.Check(!isSet(w.ev), "the event is still signalled after EnumNetworkEvents")
	return eventsText(n)
}

// want waits a moment and expects these events.
func (w watched) want(what, events string) {
	w.e.Net.Sleep(time.Second)
	if got := w.take(); got != events {
		w.e.Fatalf("%s: events %q, want %q", what, got, events)
	}
}

// isSet reports whether an event is signalled.
func isSet(ev *provider.Event) bool {
	select {
	case <-ev.C():
		return true
	default:
		return false
	}
}

// eventsText shows events with their codes, in the order of their bits.
func eventsText(n provider.NetworkEvents) string {
	var out []string
	for bit, name := range eventNames {
		switch {
		case n.Events&(1<<bit) == 0:
		case n.ErrorCode[bit] != 0:
			out = append(out, fmt.Sprintf("%s %d", name, n.ErrorCode[bit]))
		default:
			out = append(out, name)
		}
	}
	return strings.Join(out, ", ")
}

// selects selects events and expects what that alone records.
func (h handle) selects(mask int32, events string) {
	Equal(h.e, "events of a selection", h.watch(mask).take(), events)
}

// eventsScenarios are EV-1 and EV-2: the selection of network events, and each of them once.
var eventsScenarios = []Scenario{
	{ID: "EV-1", Title: "select, replace, cancel", Source: "API-WSAEventSelect", Run: func(e *Env) {
		e.connected(func(c, s handle) {
			first := c.watch(wsa.FD_ALL_EVENTS)
			c.recv(1, wsa.WSAEWOULDBLOCK) // it is non-blocking now
			c.as("FIONBIO 0").ioctl(wsa.FIONBIO, []byte{0, 0, 0, 0}, nil, wsa.WSAEINVAL)
			c.as("FIONBIO 1").ioctl(wsa.FIONBIO, []byte{1, 0, 0, 0}, nil)
			s.send(1)
			e.Net.Sleep(time.Second)
			second := c.watch(wsa.FD_READ) // clears the record of the first
			n := c.enumEvents(nil)
			Equal(e, "after the second selection", eventsText(n), "READ")
			e.Check(isSet(second.ev), "the event is signalled after EnumNetworkEvents without it")
			second.ev.Reset()
			first.ev.Reset()
			c.recv(1)
			s.send(1)
			second.want("data", "READ")
			e.Check(!isSet(first.ev), "the replaced event is signalled")
			c.as("EventSelect 0").eventSelect(nil, 0)
			c.recv(1)
			c.recv(1, wsa.WSAEWOULDBLOCK) // still non-blocking
			s.send(1)
			second.want("after the end of the selection", "")
			c.as("FIONBIO 0 after the selection").ioctl(wsa.FIONBIO, []byte{0, 0, 0, 0}, nil)
			c.recv(1)
			c.as("mask without event").eventSelect(nil, wsa.FD_READ, wsa.WSAEINVAL)
			c.as("unknown event").eventSelect(second.ev, 1<<10, wsa.WSAEINVAL)
			e.noSocket().eventSelect(second.ev, 1, wsa.WSAENOTSOCK)
			c.as("FIONBIO 0 after failed selections").ioctl(wsa.FIONBIO, []byte{0, 0, 0, 0}, nil)
		})
		e.Notef("non-blocking, FIONBIO 0: WSAEINVAL until mask 0")
	}},
	{ID: "EV-1", Title: "a mask of 0 makes the socket non-blocking", Source: "API-WSAEventSelect", Run: func(e *Env) {
		e.connected(func(c, _ handle) {
			c.as("mask without event").eventSelect(nil, wsa.FD_READ, wsa.WSAEINVAL)
			c.nonblocking(false) // a selection that fails changes nothing
			c.set(wsa.SOL_SOCKET, wsa.SO_RCVTIMEO, 100)
			c.recv(1, wsa.WSAETIMEDOUT)
			c.as("EventSelect 0").eventSelect(nil, 0)
			c.recv(1, wsa.WSAEWOULDBLOCK)
			c.nonblocking(false) // nothing is selected
			c.recv(1, wsa.WSAETIMEDOUT)
		})
		e.Notef("WSAEWOULDBLOCK without a selection; FIONBIO 0 makes it blocking again")
	}},
	{ID: "EV-2", Title: "FD_READ once until a recv", Source: "API-WSAEventSelect", Profiles: documentedOnly,
		Why: "C-142: in Windows new data records FD_READ again", Run: func(e *Env) {
			e.connected(func(c, s handle) {
				s.send(10)
				e.Net.Sleep(time.Second)
				w := c.watch(wsa.FD_READ | wsa.FD_CLOSE)
				Equal(e, "data at the selection", w.take(), "READ")
				s.send(10)
				w.want("more data, nothing read", "")
				c.recv(5)
				Equal(e, "a recv that leaves data", w.take(), "READ")
				c.recv(100)
				Equal(e, "a recv that leaves none", w.take(), "")
				s.send(1)
				w.want("new data", "READ")
				c.recv(1)
				s.send(1)
				w.want("recorded", "READ")
				c.recv(1)
				c.recv(1, wsa.WSAEWOULDBLOCK)
				s.send(1)
				w.want("after WSAEWOULDBLOCK", "READ")
				c.as("a peek").recvFlags(1, wsa.MSG_PEEK)
				Equal(e, "after a peek", w.take(), "READ")
			})
			e.Notef("one FD_READ for each recv, successful or not")
		}},
	{ID: "EV-2", Title: "FD_WRITE after connect and after WSAEWOULDBLOCK", Source: "API-WSAEventSelect", Run: func(e *Env) {
		e.paired(func() {
			l := e.listener(e.Q, 80)
			c := e.stream()
			w := c.watch(wsa.FD_ALL_EVENTS)
			Equal(e, "on a fresh socket", w.take(), "")
			c.connect(e.Addr(2, 80), wsa.WSAEWOULDBLOCK)
			w.want("connected", "WRITE, CONNECT")
			s := l.accept()
			c.send(10)
			w.want("a send that succeeds", "")
			for i := 0; ; i++ { // until the peer's window is full as well
				c.filled()
				e.Net.Sleep(time.Second)
				if got := w.take(); got == "" {
					break
				} else if got != "WRITE" || i == 20 {
					e.Fatalf("while the peer takes data: events %q", got)
				}
			}
			for range 400 {
				if n, _ := e.Q.Recv(s.s, make([]byte, 256<<10), 0); n == 0 {
					break
				}
				if e.Net.Sleep(50 * time.Millisecond); isSet(w.ev) {
					break
				}
			}
			Equal(e, "room again", w.take(), "WRITE")
			w.want("once", "")
		})
		e.Notef("FD_WRITE with FD_CONNECT, then only after a send without room")
	}},
	{ID: "EV-2", Title: "FD_ACCEPT and what accept leaves", Source: "API-WSAEventSelect", Run: func(e *Env) {
		e.paired(func() {
			l := e.listener(e.P, 80)
			w := l.watch(wsa.FD_ACCEPT)
			l.accept(wsa.WSAEWOULDBLOCK)
			for range 2 {
				e.peerStream().connect(e.Addr(1, 80))
			}
			w.want("two connections", "ACCEPT")
			w.want("none taken", "")
			l.accept()
			Equal(e, "one left", w.take(), "ACCEPT")
			l.accept()
			Equal(e, "none left", w.take(), "")
			e.peerStream().connect(e.Addr(1, 80))
			w.want("a third", "ACCEPT")
		})
		e.Notef("once, and again after an accept that leaves requests")
	}},
	{ID: "EV-2", Title: "datagrams", Source: "API-WSAEventSelect", Profiles: documentedOnly,
		Why: "C-143: Windows records FD_WRITE at bind and at connect", Run: func(e *Env) {
			e.paired(func() {
				d, q := e.datagram(), e.peerDatagram()
				d.bind(e.Any(7))
				w := d.watch(wsa.FD_ALL_EVENTS)
				Equal(e, "bound", w.take(), "WRITE")
				for range 2 {
					// empty ones are data, too
					q.sendTo(e.Addr(1, 7), nil)
				}
				w.want("two datagrams", "READ")
				d.recv(1)
				Equal(e, "one left", w.take(), "READ")
				d.recv(1)
				w.want("none left", "")
				d.connect(e.Addr(2, 8))
				w.want("connect", "CONNECT")
			})
			e.Notef("FD_WRITE at once, FD_READ for each recv, FD_CONNECT at connect")
		}},
	{ID: "EV-2", Title: "changes of addresses and routes", Source: "API-WSAIoctl", Run: func(e *Env) {
		e.paired(func() {
			d := e.datagram()
			w := d.watch(wsa.FD_ADDRESS_LIST_CHANGE | wsa.FD_ROUTING_INTERFACE_CHANGE)
			far := []string{"10.7.0.9", "fd07::9"}
			near := []string{"10.7.0.1/24", "fd07::1/64"}
			pick := func(two []string) string { return two[min(1, int(e.Family-wsa.AF_INET))] }
			add := func(prefix string) {
				err := e.A.AddDevice(tun.NewFunc(1500, nil), netip.MustParsePrefix(prefix))
				e.Check(err == nil, "AddDevice: %v", err)
			}
			ioctl := func(code uint32, in []byte) {
				d.ioctl(code, in, nil, wsa.WSAEWOULDBLOCK)
			}
			route := wsa.AppendSockaddr(nil, netip.AddrPortFrom(netip.MustParseAddr(pick(far)), 1))
			add(pick([]string{"10.8.0.1/24", "fd08::1/64"}))
			w.want("a change that nobody asked for", "")
			ioctl(wsa.SIO_ADDRESS_LIST_CHANGE, nil)
			ioctl(wsa.SIO_ROUTING_INTERFACE_CHANGE, route)
			w.want("asked", "")
			add(pick([]string{"fd09::1/64", "10.9.0.1/24"}))
			w.want("a change of the other family", "")
			add(pick([]string{"10.10.0.1/24", "fd10::1/64"}))
			w.want("another address", "ADDRESS")
			add(pick(near))
			w.want("an address, and the route of the destination", "ROUTE")
			ioctl(wsa.SIO_ADDRESS_LIST_CHANGE, nil)
			add(pick([]string{"10.11.0.1/24", "fd11::1/64"}))
			w.want("asked again", "ADDRESS")
			d.as("no address").ioctl(wsa.SIO_ROUTING_INTERFACE_CHANGE, nil, nil, wsa.WSAEFAULT)

			b := e.datagram() // a blocking one waits
			start := e.Start()
			e.Go("device", func() {
				e.Net.Sleep(3 * time.Second)
				add(pick([]string{"10.12.0.1/24", "fd12::1/64"}))
			})
			b.as("Ioctl of a blocking socket").ioctl(wsa.SIO_ADDRESS_LIST_CHANGE, nil, nil)
			e.took("waited", start, 3*time.Second)
		})
		e.Notef("once for each ioctl, for the socket's family, and for the route that was asked about")
	}},
	{ID: "EV-2", Title: "FD_CLOSE once in the life of a socket", Source: "API-WSAEventSelect", Run: func(e *Env) {
		e.paired(func() {
			for _, end := range []struct {
				how    func(peer handle)
				closes string
			}{
				{func(s handle) { s.shutdown(wsa.SD_SEND) }, "CLOSE"},
				{handle.reset, byProfile(e, "CLOSE 10054", "CLOSE 10053")},
			} {
				c, s := e.connection()
				w := c.watch(wsa.FD_READ)
				end.how(s)
				w.want("not selected", "")
				c.watch(wsa.FD_CLOSE)
				w = c.watch(wsa.FD_CLOSE) // the record of the first went unseen
				w.want("selected", end.closes)
				w = c.watch(wsa.FD_CLOSE | wsa.FD_READ | wsa.FD_OOB)
				w.want("selected again", "")
				c.as("EventSelect 0").eventSelect(nil, 0)
				w = c.watch(wsa.FD_CLOSE)
				w.want("after a selection of nothing", "")
			}
			c, s := e.connection() // a reset after the FIN isn't a second end
			w := c.watch(wsa.FD_CLOSE)
			s.shutdown(wsa.SD_SEND)
			w.want("FIN", "CLOSE")
			s.reset()
			w.want("then a reset", "")
			w = c.watch(wsa.FD_CLOSE)
			w.want("selected again", "")
		})
		e.Notef("not again by another selection, whatever ended the connection")
	}},
	{ID: "EV-2", Title: "FD_CONNECT belongs to a connect", Source: "API-WSAEventSelect", Profiles: documentedOnly,
		Why: "C-140: in Windows another selection doesn't record it again; WE-2 has the rest", Run: func(e *Env) {
			e.paired(func() {
				const mask = wsa.FD_CONNECT | wsa.FD_WRITE
				l := e.listener(e.P, 80)
				dial := func() handle {
					q := e.peerStream()
					q.connect(e.Addr(1, 80))
					e.Net.Sleep(time.Second)
					return q
				}
				q := dial()
				q.selects(mask, "WRITE, CONNECT")
				q.selects(mask, "WRITE, CONNECT") // it is still connected
				s := l.accept()
				s.selects(mask, "WRITE")
				s.selects(mask, "WRITE")

				fresh, failed := e.stream(), e.stream()
				failed.nonblocking(true)
				failed.connect(e.Addr(2, 9), wsa.WSAEWOULDBLOCK)
				failed.watch(mask).want("refused", "CONNECT 10061")
				for _, into := range []handle{fresh, failed} {
					w := into.watch(mask)
					w.take() // of the attempt that failed
					o := l.acceptEx(into, nil)
					dial()
					Equal(e, "AcceptEx", e.outcome(o), "0 success")
					w.want("accepted", "WRITE")
					into.selects(mask, "WRITE")
					into.setBytes(wsa.SOL_SOCKET, wsa.SO_UPDATE_ACCEPT_CONTEXT, handleBytes(l), 8)
					into.selects(mask, "WRITE")
				}

				e.listener(e.Q, 81)
				c := e.bound(0)
				o := c.connectEx(e.Addr(2, 81), nil)
				Equal(e, "ConnectEx", e.outcome(o), "0 success")
				c.selects(mask, "WRITE, CONNECT")
			})
			e.Notef("connect and ConnectEx have it; accept, AcceptEx and the context update never do")
		}},
}
