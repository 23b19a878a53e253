package conform

import (
	"fmt"
	"time"

	"github.com/wsstack/wsstack/provider"
	"github.com/wsstack/wsstack/wsa"
)

// refusal is more than what a connect takes that is refused (NB-2).
const refusal = 2 * time.Second

// eventsCodesScenarios are EV-3 to EV-10: codes of network events, select and WSAPoll.
var eventsCodesScenarios = []Scenario{
	{ID: "EV-3", Title: "FD_CLOSE and unread data", Source: "API-WSAEventSelect, C-09b", Run: func(e *Env) {
		e.connected(func(c, s handle) {
			w := c.watch(wsa.FD_READ | wsa.FD_CLOSE)
			s.send(10)
			s.shutdown(wsa.SD_SEND)
			w.want("10 bytes and a FIN", byProfile(e, "READ", "READ, CLOSE"))
			c.recv(4)
			Equal(e, "4 bytes read", w.take(), "READ")
			c.recv(6)
			Equal(e, "all read", w.take(), byProfile(e, "CLOSE", ""))
			c.recv(1)
			w.want("the end read, no FD_READ for it", "")
			again := c.watch(wsa.FD_ALL_EVENTS)
			Equal(e, "selected again", again.take(), "WRITE, CONNECT") // EV-2
		})
		e.Notef("FD_CLOSE 0 %s", byProfile(e, "after the last byte was read", "with the FIN"))
	}},
	{ID: "EV-4", Title: "FD_CLOSE of a reset", Source: "API-WSAEventSelect, C-09", Run: func(e *Env) {
		e.connected(func(c, s handle) {
			w := c.watch(wsa.FD_READ | wsa.FD_CLOSE)
			s.send(10)
			w.want("data", "READ")
			s.reset()
			w.want("reset", byProfile(e, "CLOSE 10054", "CLOSE 10053"))
			c.recv(1, wsa.WSAECONNRESET)
			w.want("once", "")
			Equal(e, "SO_ERROR, which events leave alone", c.get(wsa.SOL_SOCKET, wsa.SO_ERROR), byProfile(e, uint32(10054), 0)) // C-02
		})
		e.Notef("%s", byProfile(e, "WSAECONNRESET", "WSAECONNABORTED"))
	}},
	{ID: "EV-4", Title: "FD_CLOSE of a time-out", Source: "API-WSAEventSelect", Run: func(e *Env) {
		link := e.Pair()
		e.Do(func() {
			c, _ := e.connection()
			w := c.watch(wsa.FD_READ | wsa.FD_CLOSE)
			link.Partition()
			c.send(1)
			e.Net.Sleep(30 * time.Minute)
			Equal(e, "retransmissions are over", w.take(), "CLOSE 10053")
		})
		e.Notef("WSAECONNABORTED")
	}},
	{ID: "EV-5", Title: "FD_CONNECT codes", Source: "API-WSAEventSelect", Run: func(e *Env) {
		link := e.Pair()
		e.Do(func() {
			c := e.stream()
			w := c.watch(wsa.FD_ALL_EVENTS)
			c.connect(e.Addr(2, 9), wsa.WSAEWOULDBLOCK)
			e.Net.Sleep(refusal)
			w.want("refused", "CONNECT 10061")
			c.reads(wsa.SOL_SOCKET, wsa.SO_ERROR, byProfile[uint32](e, 10061, 0)) // WC-2
			link.Partition()
			c.as("Connect again").connect(e.Addr(2, 9), wsa.WSAEWOULDBLOCK)
			start := e.Net.Now()
			_, err := e.P.WaitForMultipleEvents([]*provider.Event{w.ev}, false, -1)
			e.Code("WaitForMultipleEvents", err, 0)
			e.Check(e.Net.Now()-start > 5*time.Second, "timed out after %s", seconds(e.Net.Now()-start))
			Equal(e, "timed out", w.take(), "CONNECT 10060")
		})
		e.Notef("WSAECONNREFUSED, then WSAETIMEDOUT for the next attempt")
	}},
	{ID: "EV-6", Title: "EnumNetworkEvents", Source: "API-WSAEnumNetworkEvents", Run: func(e *Env) {
		e.paired(func() {
			e.noSocket().enumEvents(nil, wsa.WSAENOTSOCK)
			c, s := e.connection()
			n := c.as("nothing selected").enumEvents(nil)
			Equal(e, "nothing selected", n, provider.NetworkEvents{})
			w := c.watch(wsa.FD_READ)
			s.send(1)
			e.Net.Sleep(time.Second)
			n = c.as("without an event").enumEvents(nil)
			Equal(e, "record", eventsText(n), "READ")
			e.Check(isSet(w.ev), "the event was reset without being passed")
			n = c.as("again").enumEvents(w.ev)
			Equal(e, "record, copied and cleared", eventsText(n), "")
			e.Check(!isSet(w.ev), "the event that was passed is still signalled")
		})
		e.Notef("copies and clears; resets the event that is passed")
	}},
	{ID: "EV-7", Title: "own shutdown and closesocket are no events", Source: "observed", Run: func(e *Env) {
		e.paired(func() {
			for how := range int32(3) {
				c, s := e.connection()
				s.send(5)
				w := c.watch(wsa.FD_ALL_EVENTS)
				w.want("connected", "READ, WRITE, CONNECT")
				c.shutdown(how) // how 0 and 2 reset: data is unread
				w.want(fmt.Sprintf("own shutdown %d", how), "")
				c.close()
				e.Net.Sleep(time.Second)
				e.Check(!isSet(w.ev), "own closesocket after shutdown %d signals", how)
			}
			c, _ := e.connection()
			w := c.watch(wsa.FD_READ | wsa.FD_CLOSE)
			c.close()
			e.Net.Sleep(time.Second)
			e.Check(!isSet(w.ev), "closesocket signals")
			c.as("EnumNetworkEvents of a closed socket").enumEvents(nil, wsa.WSAENOTSOCK)
		})
		e.Notef("no FD_CLOSE for either")
	}},
	{ID: "EV-8", Title: "accepted sockets inherit event and mask", Source: "API-accept", Run: func(e *Env) {
		e.paired(func() {
			l := e.listener(e.P, 80)
			w := l.watch(wsa.FD_ACCEPT | wsa.FD_READ | wsa.FD_WRITE | wsa.FD_CONNECT | wsa.FD_CLOSE)
			c := e.peerStream()
			c.connect(e.Addr(1, 80))
			w.want("a connection", "ACCEPT")
			s := l.accept()
			n := watched{e, e.P, s, w.ev}
			n.want("accepted", "WRITE")
			c.send(1)
			n.want("data", "READ")
			s.as("FIONBIO 0 on the accepted socket").ioctl(wsa.FIONBIO, []byte{0, 0, 0, 0}, nil, wsa.WSAEINVAL)
			s.as("EventSelect 0").eventSelect(nil, 0)
			s.as("FIONBIO 0 then").ioctl(wsa.FIONBIO, []byte{0, 0, 0, 0}, nil)
			e.peerStream().connect(e.Addr(1, 80))
			w.want("the listener's selection is its own", "ACCEPT")
		})
		e.Notef("FD_WRITE at accept, FD_READ, on the listener's event")
	}},
	{ID: "EV-9", Title: "select", Source: "API-select", Run: func(e *Env) {
		e.paired(func() {
			c, s := e.connection()
			e.Select(e.P, nil, nil, nil, 0, wsa.WSAEINVAL)
			e.Select(e.P, []handle{c.with(bogus)}, nil, nil, 0, wsa.WSAENOTSOCK)
			Equal(e, "connected", c.ready("rwx", 0), "w")
			start := e.Start()
			Equal(e, "ready after the time-out", c.ready("r", 1500*time.Millisecond), "")
			Equal(e, "time-out", e.Net.Now()-start, 1500*time.Millisecond)
			s.say("x")
			start = e.Start()
			Equal(e, "ready when data came", c.ready("r", -1), "r")
			e.took("waited", start, Delay)
			c.recv(1)
			s.shutdown(wsa.SD_SEND)
			e.Net.Sleep(time.Second)
			Equal(e, "at the end of the stream", c.ready("rwx", 0), "rw")
		})
		e.Notef("data, end of stream, writability and time-outs")
	}},
	{ID: "EV-9", Title: "select in every state", Source: "API-select", Run: func(e *Env) {
		e.paired(func() {
			l := e.listener(e.P, 80)
			Equal(e, "listener", l.ready("rwx", 0), "")
			e.peerStream().connect(e.Addr(1, 80))
			e.Net.Sleep(time.Second)
			Equal(e, "acceptable connection", l.ready("rwx", 0), "r")
			fresh := e.stream()
			Equal(e, "fresh", fresh.ready("rwx", 0), "")
			fresh.nonblocking(true)
			fresh.connect(e.Addr(2, 9), wsa.WSAEWOULDBLOCK)
			Equal(e, "connecting", fresh.ready("rwx", 0), "")
			e.Net.Sleep(refusal)
			Equal(e, "connect failed", fresh.ready("rwx", 0), "x")
			Equal(e, "datagram", e.datagram().ready("rwx", 0), "w")
			c, s := e.connection()
			c.nonblocking(true)
			c.filled()
			Equal(e, "no room", c.ready("rwx", 0), "")
			s.reset()
			Equal(e, "reset", c.ready("rwx", 0), "rw")
			c, _ = e.connection()
			start := e.Start()
			timeout := 250 * time.Millisecond
			Equal(e, "ready after the time-out", c.ready("rx", timeout), "")
			Equal(e, "waited", e.Net.Now()-start, timeout)
		})
		e.Notef("acceptable, connecting, failed, full, reset, time-out")
	}},
	{ID: "EV-10", Title: "WSAPoll", Source: "API-WSAPoll", Run: func(e *Env) {
		e.paired(func() {
			const all = wsa.POLLRDNORM | wsa.POLLRDBAND | wsa.POLLWRNORM
			poll := func(s handle, events int16) int16 {
				fds := []provider.PollFD{{Socket: s.s, Events: events}}
				n := e.poll(e.P, fds, 0)
				Equal(e, "count", n == 1, fds[0].Revents != 0)
				return fds[0].Revents
			}
			c := e.stream()
			c.nonblocking(true)
			c.connect(e.Addr(2, 9), wsa.WSAEWOULDBLOCK)
			Equal(e, "connecting", poll(c, all), 0)
			fds := []provider.PollFD{{Socket: c.s, Events: wsa.POLLWRNORM}}
			n := e.poll(e.P, fds, -1)
			Equal(e, "failed connect", fmt.Sprintf("%d %#x", n, fds[0].Revents), fmt.Sprintf("1 %#x", wsa.POLLERR|wsa.POLLHUP|wsa.POLLWRNORM))
			Equal(e, "of what was asked", poll(c, wsa.POLLRDNORM), wsa.POLLERR|wsa.POLLHUP)

			l := e.listener(e.P, 80)
			Equal(e, "listener", poll(l, all), 0)
			e.peerStream().connect(e.Addr(1, 80))
			e.Net.Sleep(time.Second)
			Equal(e, "acceptable", poll(l, all), wsa.POLLRDNORM)
			c, s := e.connection()
			Equal(e, "connected", poll(c, all), wsa.POLLWRNORM)
			s.send(1)
			s.shutdown(wsa.SD_SEND)
			e.Net.Sleep(time.Second)
			Equal(e, "data and FIN", poll(c, all), wsa.POLLRDNORM|wsa.POLLWRNORM|wsa.POLLHUP)
			c.recv(1)
			Equal(e, "at the end", poll(c, wsa.POLLRDNORM), wsa.POLLHUP)

			fds = []provider.PollFD{{Socket: wsa.INVALID_SOCKET, Events: all}, {Socket: c.s, Events: all}, {Socket: ^wsa.SOCKET(5)}}
			n = e.poll(e.P, fds, -1)
			Equal(e, "a socket among them", fmt.Sprint(n, fds[0].Revents, fds[1].Revents, fds[2].Revents),
				fmt.Sprint(1, wsa.POLLNVAL, wsa.POLLHUP|wsa.POLLWRNORM, wsa.POLLNVAL))
			fds = append(fds[:1], provider.PollFD{Socket: l.s})
			start := e.Start()
			n = e.poll(e.P, fds, time.Second)
			Equal(e, "elements to ignore end no wait", fmt.Sprint(n, fds[0].Revents, fds[1].Revents, e.Net.Now()-start), fmt.Sprint(0, wsa.POLLNVAL, 0, time.Second))
			for _, bad := range []int16{wsa.POLLPRI, wsa.POLLERR, wsa.POLLHUP, wsa.POLLNVAL, wsa.POLLWRBAND, 8} {
				e.poll(e.P, []provider.PollFD{{Socket: c.s, Events: bad}}, 0, wsa.WSAEINVAL)
			}
			e.poll(e.P, nil, 0, wsa.WSAEINVAL)
			start = e.Start()
			n = e.poll(e.P, []provider.PollFD{{Socket: c.s}, {Socket: e.stream().s, Events: all}}[1:], time.Second)
			Equal(e, "nothing within the time-out", fmt.Sprint(n, e.Net.Now()-start), "0 1s")
		})
		e.Notef("a failed connect is POLLERR|POLLHUP|POLLWRNORM")
	}},
}
