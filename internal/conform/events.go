package conform

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/wsstack/wsstack/options"
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
	s  wsa.SOCKET
	ev *provider.Event
}

// watch selects events of a socket.
func (e *Env) watch(p *provider.Provider, s wsa.SOCKET, mask int32) watched {
	w := watched{e, p, s, provider.NewEvent()}
	e.Code("EventSelect", p.EventSelect(s, w.ev, mask), 0)
	return w
}

// take enumerates: the events with their codes, and whether the event object
// was signalled must agree with there being any.
func (w watched) take() string {
	set := isSet(w.ev)
	n, err := w.p.EnumNetworkEvents(w.s, w.ev)
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

func isSet(ev *provider.Event) bool {
	select {
	case <-ev.C():
		return true
	default:
		return false
	}
}

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

// sendFrom sends n bytes.
func (e *Env) sendFrom(p *provider.Provider, s wsa.SOCKET, n int) {
	_, err := p.Send(s, make([]byte, n), 0)
	e.Code("Send", err, 0)
}

func (e *Env) recvOn(p *provider.Provider, s wsa.SOCKET, n int, want wsa.Errno) {
	_, err := p.Recv(s, make([]byte, n), 0)
	e.Code("Recv", err, want)
}

// filled sends on a non-blocking socket until there is no room.
func (e *Env) filled(s wsa.SOCKET) {
	for range 1000 {
		if _, err := e.P.Send(s, make([]byte, 64<<10), 0); err != nil {
			e.Code("Send", err, wsa.WSAEWOULDBLOCK)
			return
		}
	}
	e.Fatalf("64 MB were accepted")
}

var bothProfiles = []options.Profile{options.Documented, options.Windows}

// byProfile is the answer of a profile.
func byProfile[T any](e *Env, documented, windows T) T {
	if e.Profile == options.Documented {
		return documented
	}
	return windows
}

func init() { evScenarios = append(evScenarios, eventScenarios...) }

var eventScenarios = []Scenario{
	{ID: "EV-1", Title: "select, replace, cancel", Source: "API-WSAEventSelect", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			c, s := e.Connected()
			first := e.watch(e.P, c, wsa.FD_ALL_EVENTS)
			e.recvOn(e.P, c, 1, wsa.WSAEWOULDBLOCK) // it is non-blocking now
			_, err := e.P.Ioctl(c, wsa.FIONBIO, []byte{0, 0, 0, 0}, nil)
			e.Code("FIONBIO 0", err, wsa.WSAEINVAL)
			_, err = e.P.Ioctl(c, wsa.FIONBIO, []byte{1, 0, 0, 0}, nil)
			e.Code("FIONBIO 1", err, 0)
			e.sendFrom(e.Q, s, 1)
			e.Net.Sleep(time.Second)
			second := e.watch(e.P, c, wsa.FD_READ) // clears the record of the first
			n, err := e.P.EnumNetworkEvents(c, nil)
			e.Code("EnumNetworkEvents", err, 0)
			Equal(e, "after the second selection", eventsText(n), "READ")
			e.Check(isSet(second.ev), "the event is signalled after EnumNetworkEvents without it")
			second.ev.Reset()
			first.ev.Reset()
			e.recvOn(e.P, c, 1, 0)
			e.sendFrom(e.Q, s, 1)
			second.want("data", "READ")
			e.Check(!isSet(first.ev), "the replaced event is signalled")
			e.Code("EventSelect 0", e.P.EventSelect(c, nil, 0), 0)
			e.recvOn(e.P, c, 1, 0)
			e.recvOn(e.P, c, 1, wsa.WSAEWOULDBLOCK) // still non-blocking
			e.sendFrom(e.Q, s, 1)
			second.want("after the end of the selection", "")
			_, err = e.P.Ioctl(c, wsa.FIONBIO, []byte{0, 0, 0, 0}, nil)
			e.Code("FIONBIO 0 after the selection", err, 0)
			e.recvOn(e.P, c, 1, 0)
			e.Code("mask without event", e.P.EventSelect(c, nil, wsa.FD_READ), wsa.WSAEINVAL)
			e.Code("unknown event", e.P.EventSelect(c, second.ev, 1<<10), wsa.WSAEINVAL)
			e.Code("no socket", e.P.EventSelect(bogus, second.ev, 1), wsa.WSAENOTSOCK)
			_, err = e.P.Ioctl(c, wsa.FIONBIO, []byte{0, 0, 0, 0}, nil)
			e.Code("FIONBIO 0 after failed selections", err, 0)
		})
		e.Notef("non-blocking, FIONBIO 0: WSAEINVAL until mask 0")
	}},
	{ID: "EV-2", Title: "FD_READ once until a recv", Source: "API-WSAEventSelect", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			c, s := e.Connected()
			e.sendFrom(e.Q, s, 10)
			e.Net.Sleep(time.Second)
			w := e.watch(e.P, c, wsa.FD_READ|wsa.FD_CLOSE)
			Equal(e, "data at the selection", w.take(), "READ")
			e.sendFrom(e.Q, s, 10)
			w.want("more data, nothing read", "")
			e.recvOn(e.P, c, 5, 0)
			Equal(e, "a recv that leaves data", w.take(), "READ")
			e.recvOn(e.P, c, 100, 0)
			Equal(e, "a recv that leaves none", w.take(), "")
			e.sendFrom(e.Q, s, 1)
			w.want("new data", "READ")
			e.recvOn(e.P, c, 1, 0)
			e.sendFrom(e.Q, s, 1)
			w.want("recorded", "READ")
			e.recvOn(e.P, c, 1, 0)
			e.recvOn(e.P, c, 1, wsa.WSAEWOULDBLOCK)
			e.sendFrom(e.Q, s, 1)
			w.want("after WSAEWOULDBLOCK", "READ")
			_, err := e.P.Recv(c, make([]byte, 1), wsa.MSG_PEEK)
			e.Code("a peek", err, 0)
			Equal(e, "after a peek", w.take(), "READ")
		})
		e.Notef("one FD_READ for each recv, successful or not")
	}},
	{ID: "EV-2", Title: "FD_WRITE after connect and after WSAEWOULDBLOCK", Source: "API-WSAEventSelect", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			l := e.Listener(e.Q, 80)
			c := e.Stream()
			w := e.watch(e.P, c, wsa.FD_ALL_EVENTS)
			Equal(e, "on a fresh socket", w.take(), "")
			e.Code("Connect", e.P.Connect(c, e.Addr(2, 80)), wsa.WSAEWOULDBLOCK)
			w.want("connected", "WRITE, CONNECT")
			s, _, err := e.Q.Accept(l)
			e.Code("Accept", err, 0)
			e.send(c, 10)
			w.want("a send that succeeds", "")
			for i := 0; ; i++ { // until the peer's window is full as well
				e.filled(c)
				e.Net.Sleep(time.Second)
				if got := w.take(); got == "" {
					break
				} else if got != "WRITE" || i == 20 {
					e.Fatalf("while the peer takes data: events %q", got)
				}
			}
			for range 400 {
				if n, _ := e.Q.Recv(s, make([]byte, 256<<10), 0); n == 0 {
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
		e.Pair()
		e.Do(func() {
			l := e.Listener(e.P, 80)
			w := e.watch(e.P, l, wsa.FD_ACCEPT)
			_, _, err := e.P.Accept(l)
			e.Code("Accept", err, wsa.WSAEWOULDBLOCK)
			for range 2 {
				e.Code("Connect", e.Q.Connect(e.Socket(e.Q, wsa.SOCK_STREAM), e.Addr(1, 80)), 0)
			}
			w.want("two connections", "ACCEPT")
			w.want("none taken", "")
			_, _, err = e.P.Accept(l)
			e.Code("Accept", err, 0)
			Equal(e, "one left", w.take(), "ACCEPT")
			_, _, err = e.P.Accept(l)
			e.Code("Accept", err, 0)
			Equal(e, "none left", w.take(), "")
			e.Code("Connect", e.Q.Connect(e.Socket(e.Q, wsa.SOCK_STREAM), e.Addr(1, 80)), 0)
			w.want("a third", "ACCEPT")
		})
		e.Notef("once, and again after an accept that leaves requests")
	}},
	{ID: "EV-2", Title: "datagrams", Source: "API-WSAEventSelect", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			d, q := e.Datagram(), e.Socket(e.Q, wsa.SOCK_DGRAM)
			e.Code("Bind", e.P.Bind(d, e.Any(7)), 0)
			w := e.watch(e.P, d, wsa.FD_ALL_EVENTS)
			Equal(e, "bound", w.take(), "WRITE")
			for range 2 {
				_, err := e.Q.SendTo(q, nil, 0, e.Addr(1, 7)) // empty ones are data, too
				e.Code("SendTo", err, 0)
			}
			w.want("two datagrams", "READ")
			e.recvOn(e.P, d, 1, 0)
			Equal(e, "one left", w.take(), "READ")
			e.recvOn(e.P, d, 1, 0)
			w.want("none left", "")
			e.Code("Connect", e.P.Connect(d, e.Addr(2, 8)), 0)
			w.want("connect", "CONNECT")
		})
		e.Notef("FD_WRITE at once, FD_READ for each recv, FD_CONNECT at connect")
	}},
	{ID: "EV-2", Title: "changes of addresses and routes", Source: "API-WSAIoctl", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			d := e.Datagram()
			w := e.watch(e.P, d, wsa.FD_ADDRESS_LIST_CHANGE|wsa.FD_ROUTING_INTERFACE_CHANGE)
			far := []string{"10.7.0.9", "fd07::9"}
			near := []string{"10.7.0.1/24", "fd07::1/64"}
			pick := func(two []string) string { return two[min(1, int(e.Family-wsa.AF_INET))] }
			add := func(prefix string) {
				err := e.A.AddDevice(tun.NewFunc(1500, nil), netip.MustParsePrefix(prefix))
				e.Check(err == nil, "AddDevice: %v", err)
			}
			ioctl := func(code uint32, in []byte) {
				_, err := e.P.Ioctl(d, code, in, nil)
				e.Code("Ioctl", err, wsa.WSAEWOULDBLOCK)
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
			_, err := e.P.Ioctl(d, wsa.SIO_ROUTING_INTERFACE_CHANGE, nil, nil)
			e.Code("no address", err, wsa.WSAEFAULT)

			b := e.Datagram() // a blocking one waits
			start := e.Start()
			e.Go("device", func() {
				e.Net.Sleep(3 * time.Second)
				add(pick([]string{"10.12.0.1/24", "fd12::1/64"}))
			})
			_, err = e.P.Ioctl(b, wsa.SIO_ADDRESS_LIST_CHANGE, nil, nil)
			e.Code("Ioctl of a blocking socket", err, 0)
			Equal(e, "waited", (e.Net.Now() - start).Round(time.Millisecond), 3*time.Second)
		})
		e.Notef("once for each ioctl, for the socket's family, and for the route that was asked about")
	}},
	{ID: "EV-3", Title: "FD_CLOSE and unread data", Source: "API-WSAEventSelect, C-09b", Profiles: bothProfiles, Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			c, s := e.Connected()
			w := e.watch(e.P, c, wsa.FD_READ|wsa.FD_CLOSE)
			e.sendFrom(e.Q, s, 10)
			e.Code("Shutdown", e.Q.Shutdown(s, wsa.SD_SEND), 0)
			w.want("10 bytes and a FIN", byProfile(e, "READ", "READ, CLOSE"))
			e.recvOn(e.P, c, 4, 0)
			Equal(e, "4 bytes read", w.take(), "READ")
			e.recvOn(e.P, c, 6, 0)
			Equal(e, "all read", w.take(), byProfile(e, "CLOSE", ""))
			e.recvOn(e.P, c, 1, 0)
			w.want("the end read, no FD_READ for it", "")
			again := e.watch(e.P, c, wsa.FD_ALL_EVENTS)
			Equal(e, "selected again", again.take(), "WRITE, CONNECT") // EV-2
		})
		e.Notef("FD_CLOSE 0 %s", byProfile(e, "after the last byte was read", "with the FIN"))
	}},
	{ID: "SH-8", Title: "the peer's SD_SEND is FD_CLOSE", Source: "API-shutdown", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			c, s := e.Connected()
			w := e.watch(e.P, c, wsa.FD_ALL_EVENTS)
			w.want("connected", "WRITE, CONNECT")
			e.Code("Shutdown", e.Q.Shutdown(s, wsa.SD_SEND), 0)
			w.want("FIN", "CLOSE")
		})
		e.Notef("FD_CLOSE with 0")
	}},
	{ID: "EV-4", Title: "FD_CLOSE of a reset", Source: "API-WSAEventSelect, C-09", Profiles: bothProfiles, Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			c, s := e.Connected()
			w := e.watch(e.P, c, wsa.FD_READ|wsa.FD_CLOSE)
			e.sendFrom(e.Q, s, 10)
			w.want("data", "READ")
			e.resetBy(s)
			w.want("reset", byProfile(e, "CLOSE 10054", "CLOSE 10053"))
			e.recvOn(e.P, c, 1, wsa.WSAECONNRESET)
			w.want("once", "")
			Equal(e, "SO_ERROR, which events leave alone", e.Get(e.P, c, wsa.SOL_SOCKET, wsa.SO_ERROR), byProfile(e, uint32(10054), 0)) // C-02
		})
		e.Notef("%s", byProfile(e, "WSAECONNRESET", "WSAECONNABORTED"))
	}},
	{ID: "EV-4", Title: "FD_CLOSE of a time-out", Source: "API-WSAEventSelect", Profiles: bothProfiles, Run: func(e *Env) {
		link := e.Pair()
		e.Do(func() {
			c, _ := e.Connected()
			w := e.watch(e.P, c, wsa.FD_READ|wsa.FD_CLOSE)
			link.Partition()
			e.send(c, 1)
			e.Net.Sleep(30 * time.Minute)
			Equal(e, "retransmissions are over", w.take(), "CLOSE 10053")
		})
		e.Notef("WSAECONNABORTED")
	}},
	{ID: "KA-31", Title: "FD_CLOSE of a drop", Source: "S-GET, C-09", Profiles: bothProfiles, Run: func(e *Env) {
		e.silent(10*time.Second, time.Second, 3, func(s wsa.SOCKET, _ time.Duration) {
			w := e.watch(e.P, s, wsa.FD_ALL_EVENTS)
			w.want("connected", "WRITE, CONNECT")
			e.Net.Sleep(11500 * time.Millisecond)
			Equal(e, "before the drop", w.take(), "")
			w.want("dropped", byProfile(e, "CLOSE 10053", "CLOSE 10052"))
			e.recvOn(e.P, s, 1, byProfile(e, wsa.WSAENOTCONN, wsa.WSAENETRESET)) // C-10
			w.want("once", "")
		})
		e.Notef("FD_CLOSE %s, once, and no FD_READ", byProfile(e, "WSAECONNABORTED", "WSAENETRESET"))
	}},
	{ID: "EV-5", Title: "FD_CONNECT codes", Source: "API-WSAEventSelect", Run: func(e *Env) {
		link := e.Pair()
		e.Do(func() {
			c := e.Stream()
			w := e.watch(e.P, c, wsa.FD_ALL_EVENTS)
			e.Code("Connect", e.P.Connect(c, e.Addr(2, 9)), wsa.WSAEWOULDBLOCK)
			w.want("refused", "CONNECT 10061")
			Equal(e, "SO_ERROR", e.Get(e.P, c, wsa.SOL_SOCKET, wsa.SO_ERROR), 10061)
			link.Partition()
			e.Code("Connect again", e.P.Connect(c, e.Addr(2, 9)), wsa.WSAEWOULDBLOCK)
			e.Net.Sleep(19 * time.Second)
			Equal(e, "at 19 s", w.take(), "")
			e.Net.Sleep(time.Second)
			w.want("timed out", "CONNECT 10060")
		})
		e.Notef("WSAECONNREFUSED, then WSAETIMEDOUT for the next attempt")
	}},
	{ID: "EV-6", Title: "EnumNetworkEvents", Source: "API-WSAEnumNetworkEvents", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			_, err := e.P.EnumNetworkEvents(bogus, nil)
			e.Code("no socket", err, wsa.WSAENOTSOCK)
			c, s := e.Connected()
			n, err := e.P.EnumNetworkEvents(c, nil)
			e.Code("nothing selected", err, 0)
			Equal(e, "nothing selected", n, provider.NetworkEvents{})
			w := e.watch(e.P, c, wsa.FD_READ)
			e.sendFrom(e.Q, s, 1)
			e.Net.Sleep(time.Second)
			n, err = e.P.EnumNetworkEvents(c, nil)
			e.Code("without an event", err, 0)
			Equal(e, "record", eventsText(n), "READ")
			e.Check(isSet(w.ev), "the event was reset without being passed")
			n, err = e.P.EnumNetworkEvents(c, w.ev)
			e.Code("again", err, 0)
			Equal(e, "record, copied and cleared", eventsText(n), "")
			e.Check(!isSet(w.ev), "the event that was passed is still signalled")
		})
		e.Notef("copies and clears; resets the event that is passed")
	}},
	{ID: "EV-7", Title: "own shutdown and closesocket are no events", Source: "observed", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			for how := range int32(3) {
				c, s := e.Connected()
				e.sendFrom(e.Q, s, 5)
				w := e.watch(e.P, c, wsa.FD_ALL_EVENTS)
				w.want("connected", "READ, WRITE, CONNECT")
				e.Code("Shutdown", e.P.Shutdown(c, how), 0) // how 0 and 2 reset: data is unread
				w.want(fmt.Sprintf("own shutdown %d", how), "")
				e.Code("CloseSocket", e.P.CloseSocket(c), 0)
				e.Net.Sleep(time.Second)
				e.Check(!isSet(w.ev), "own closesocket after shutdown %d signals", how)
			}
			c, _ := e.Connected()
			w := e.watch(e.P, c, wsa.FD_READ|wsa.FD_CLOSE)
			e.Code("CloseSocket", e.P.CloseSocket(c), 0)
			e.Net.Sleep(time.Second)
			e.Check(!isSet(w.ev), "closesocket signals")
			_, err := e.P.EnumNetworkEvents(c, nil)
			e.Code("EnumNetworkEvents of a closed socket", err, wsa.WSAENOTSOCK)
		})
		e.Notef("no FD_CLOSE for either")
	}},
	{ID: "EV-8", Title: "accepted sockets inherit event and mask", Source: "API-accept", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			l := e.Listener(e.P, 80)
			w := e.watch(e.P, l, wsa.FD_ACCEPT|wsa.FD_READ|wsa.FD_WRITE|wsa.FD_CONNECT|wsa.FD_CLOSE)
			c := e.Socket(e.Q, wsa.SOCK_STREAM)
			e.Code("Connect", e.Q.Connect(c, e.Addr(1, 80)), 0)
			w.want("a connection", "ACCEPT")
			s, _, err := e.P.Accept(l)
			e.Code("Accept", err, 0)
			n := watched{e, e.P, s, w.ev}
			n.want("accepted", "WRITE")
			e.sendFrom(e.Q, c, 1)
			n.want("data", "READ")
			_, err = e.P.Ioctl(s, wsa.FIONBIO, []byte{0, 0, 0, 0}, nil)
			e.Code("FIONBIO 0 on the accepted socket", err, wsa.WSAEINVAL)
			e.Code("EventSelect 0", e.P.EventSelect(s, nil, 0), 0)
			_, err = e.P.Ioctl(s, wsa.FIONBIO, []byte{0, 0, 0, 0}, nil)
			e.Code("FIONBIO 0 then", err, 0)
			e.Code("Connect", e.Q.Connect(e.Socket(e.Q, wsa.SOCK_STREAM), e.Addr(1, 80)), 0)
			w.want("the listener's selection is its own", "ACCEPT")
		})
		e.Notef("FD_WRITE at accept, FD_READ, on the listener's event")
	}},
	{ID: "IN-1", Title: "the event selection", Source: "API-accept", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			l := e.Listener(e.P, 80)
			w := e.watch(e.P, l, wsa.FD_ACCEPT|wsa.FD_CLOSE)
			c := e.Socket(e.Q, wsa.SOCK_STREAM)
			e.Code("Connect", e.Q.Connect(c, e.Addr(1, 80)), 0)
			w.want("a connection", "ACCEPT")
			e.Code("EventSelect 0", e.P.EventSelect(l, nil, 0), 0)
			w = e.watch(e.P, l, wsa.FD_CLOSE) // as of the accept call
			s, _, err := e.P.Accept(l)
			e.Code("Accept", err, 0)
			e.recvOn(e.P, s, 1, wsa.WSAEWOULDBLOCK)
			e.Code("CloseSocket", e.Q.CloseSocket(c), 0)
			watched{e, e.P, s, w.ev}.want("the peer closes", "CLOSE")
		})
		e.Notef("association, mask and mode as of the accept call")
	}},
}
