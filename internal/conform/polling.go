package conform

import (
	"fmt"
	"time"

	"github.com/wsstack/wsstack/provider"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

func init() { evScenarios = append(evScenarios, pollScenarios...) }

// pollScenarios ask sockets: select, WSAPoll, and what ends an event selection.
var pollScenarios = []Scenario{
	{ID: "EV-9", Title: "select in every state", Source: "API-select", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			sets := func(s wsa.SOCKET) string {
				set := []wsa.SOCKET{s}
				r, w, x, err := e.P.Select(set, set, set, 0)
				e.Code("Select", err, 0)
				return fmt.Sprint(len(r), len(w), len(x))
			}
			l := e.Listener(e.P, 80)
			Equal(e, "listener", sets(l), "0 0 0")
			e.Code("Connect", e.Q.Connect(e.Socket(e.Q, wsa.SOCK_STREAM), e.Addr(1, 80)), 0)
			e.Net.Sleep(time.Second)
			Equal(e, "acceptable connection", sets(l), "1 0 0")
			fresh := e.Stream()
			Equal(e, "fresh", sets(fresh), "0 0 0")
			e.Nonblocking(e.P, fresh, true)
			e.Code("Connect", e.P.Connect(fresh, e.Addr(2, 9)), wsa.WSAEWOULDBLOCK)
			Equal(e, "connecting", sets(fresh), "0 0 0")
			e.Net.Sleep(time.Second)
			Equal(e, "connect failed", sets(fresh), "0 0 1")
			Equal(e, "datagram", sets(e.Datagram()), "0 1 0")
			c, s := e.Connected()
			e.Nonblocking(e.P, c, true)
			e.filled(c)
			Equal(e, "no room", sets(c), "0 0 0")
			e.resetBy(s)
			Equal(e, "reset", sets(c), "1 1 0")
			var r []wsa.SOCKET
			c, _ = e.Connected()
			start := e.Start()
			timeout := 250 * time.Millisecond
			r, w, x, err := e.P.Select([]wsa.SOCKET{c}, nil, []wsa.SOCKET{c}, timeout)
			e.Code("Select", err, 0)
			Equal(e, "sets after the time-out", len(r)+len(w)+len(x), 0)
			Equal(e, "waited", e.Net.Now()-start, timeout)
		})
		e.Notef("acceptable, connecting, failed, full, reset, time-out")
	}},
	{ID: "EV-10", Title: "WSAPoll", Source: "API-WSAPoll", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			const all = wsa.POLLRDNORM | wsa.POLLRDBAND | wsa.POLLWRNORM
			poll := func(s wsa.SOCKET, events int16) int16 {
				fds := []provider.PollFD{{Socket: s, Events: events}}
				n, err := e.P.Poll(fds, 0)
				e.Code("Poll", err, 0)
				Equal(e, "count", n == 1, fds[0].Revents != 0)
				return fds[0].Revents
			}
			c := e.Stream()
			e.Nonblocking(e.P, c, true)
			e.Code("Connect", e.P.Connect(c, e.Addr(2, 9)), wsa.WSAEWOULDBLOCK)
			Equal(e, "connecting", poll(c, all), 0)
			fds := []provider.PollFD{{Socket: c, Events: wsa.POLLWRNORM}}
			start := e.Start()
			n, err := e.P.Poll(fds, -1)
			e.Code("Poll", err, 0)
			Equal(e, "waited", (e.Net.Now() - start).Round(time.Millisecond), 2*Delay)
			Equal(e, "failed connect", fmt.Sprintf("%d %#x", n, fds[0].Revents), fmt.Sprintf("1 %#x", wsa.POLLERR|wsa.POLLHUP|wsa.POLLWRNORM))
			Equal(e, "of what was asked", poll(c, wsa.POLLRDNORM), wsa.POLLERR|wsa.POLLHUP)

			l := e.Listener(e.P, 80)
			Equal(e, "listener", poll(l, all), 0)
			e.Code("Connect", e.Q.Connect(e.Socket(e.Q, wsa.SOCK_STREAM), e.Addr(1, 80)), 0)
			e.Net.Sleep(time.Second)
			Equal(e, "acceptable", poll(l, all), wsa.POLLRDNORM)
			c, s := e.Connected()
			Equal(e, "connected", poll(c, all), wsa.POLLWRNORM)
			e.sendFrom(e.Q, s, 1)
			e.Code("Shutdown", e.Q.Shutdown(s, wsa.SD_SEND), 0)
			e.Net.Sleep(time.Second)
			Equal(e, "data and FIN", poll(c, all), wsa.POLLRDNORM|wsa.POLLWRNORM|wsa.POLLHUP)
			e.recvOn(e.P, c, 1, 0)
			Equal(e, "at the end", poll(c, wsa.POLLRDNORM), wsa.POLLHUP)

			stale := e.Stream()
			e.Code("CloseSocket", e.P.CloseSocket(stale), 0)
			fds = []provider.PollFD{{Socket: l}, {Socket: stale, Events: all}}
			n, err = e.P.Poll(fds, -1)
			e.Code("Poll with a stale handle", err, 0)
			Equal(e, "a stale handle", fmt.Sprint(n, fds[0].Revents, fds[1].Revents), fmt.Sprint(1, 0, wsa.POLLNVAL))
			fds = []provider.PollFD{{Socket: wsa.INVALID_SOCKET, Events: all}, {Socket: c, Events: all}, {Socket: ^wsa.SOCKET(5)}}
			n, err = e.P.Poll(fds, -1)
			e.Code("Poll with elements to ignore", err, 0)
			Equal(e, "a socket among them", fmt.Sprint(n, fds[0].Revents, fds[1].Revents, fds[2].Revents),
				fmt.Sprint(1, wsa.POLLNVAL, wsa.POLLHUP|wsa.POLLWRNORM, wsa.POLLNVAL))
			fds = append(fds[:1], provider.PollFD{Socket: l})
			start = e.Start()
			n, err = e.P.Poll(fds, time.Second)
			e.Code("Poll until the time-out", err, 0)
			Equal(e, "elements to ignore end no wait", fmt.Sprint(n, fds[0].Revents, fds[1].Revents, e.Net.Now()-start), fmt.Sprint(0, wsa.POLLNVAL, 0, time.Second))
			_, err = e.P.Poll(fds[:1], 0)
			e.Code("nothing but elements to ignore", err, wsa.WSAEINVAL)
			for _, bad := range []int16{wsa.POLLPRI, wsa.POLLERR, wsa.POLLHUP, wsa.POLLNVAL, wsa.POLLWRBAND, 8} {
				_, err = e.P.Poll([]provider.PollFD{{Socket: c, Events: bad}}, 0)
				e.Code("flag", err, wsa.WSAEINVAL)
			}
			_, err = e.P.Poll(nil, 0)
			e.Code("nothing", err, wsa.WSAEINVAL)
			_, err = e.P.Poll([]provider.PollFD{{Socket: stale}}, 0)
			e.Code("no socket", err, wsa.WSAEINVAL)
			start = e.Start()
			n, err = e.P.Poll([]provider.PollFD{{Socket: c}, {Socket: e.Stream(), Events: all}}[1:], time.Second)
			e.Code("Poll", err, 0)
			Equal(e, "nothing within the time-out", fmt.Sprint(n, e.Net.Now()-start), "0 1s")
		})
		e.Notef("a failed connect is POLLERR|POLLHUP|POLLWRNORM")
	}},
	{ID: "RS-4", Title: "WSAPoll after a reset", Source: "observed", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			c, s := e.Connected()
			e.resetBy(s)
			fds := []provider.PollFD{{Socket: c, Events: wsa.POLLRDNORM | wsa.POLLWRNORM | wsa.POLLRDBAND}}
			n, err := e.P.Poll(fds, -1)
			e.Code("Poll", err, 0)
			Equal(e, "revents", fmt.Sprintf("%d %#x", n, fds[0].Revents), fmt.Sprintf("1 %#x", wsa.POLLERR|wsa.POLLHUP|wsa.POLLWRNORM))
		})
		e.Notef("POLLERR|POLLHUP|POLLWRNORM")
	}},
	{ID: "KA-31", Title: "WSAPoll, select and FIONBIO after a drop", Source: "S-GET", Run: func(e *Env) {
		e.silent(10*time.Second, time.Second, 3, func(s wsa.SOCKET, _ time.Duration) {
			fds := []provider.PollFD{{Socket: s, Events: wsa.POLLRDNORM | wsa.POLLRDBAND}}
			_, err := e.P.Poll(fds, -1)
			e.Code("Poll, blocked", err, 0)
			Equal(e, "revents", fds[0].Revents, wsa.POLLERR|wsa.POLLHUP)
			fds[0].Events |= wsa.POLLWRNORM
			_, err = e.P.Poll(fds, 0)
			e.Code("Poll, later", err, 0)
			Equal(e, "revents later", fds[0].Revents, wsa.POLLERR|wsa.POLLHUP)
			set := []wsa.SOCKET{s}
			r, w, x, err := e.P.Select(set, set, set, 0)
			e.Code("Select", err, 0)
			Equal(e, "select", fmt.Sprint(len(r), len(w), len(x)), "1 1 0")
			e.Nonblocking(e.P, s, true)
			out := make([]byte, 4)
			_, err = e.P.Ioctl(s, wsa.FIONREAD, nil, out)
			e.Code("FIONREAD", err, wsa.WSAENOTCONN)
			_, err = e.P.Ioctl(s, wsa.SIOCATMARK, nil, out)
			e.Code("SIOCATMARK", err, wsa.WSAENOTCONN)
		})
		e.Notef("POLLERR|POLLHUP; readable and writable; FIONBIO works")
	}},
	{ID: "ND-2", Title: "events, select and poll when the stack goes down", Source: "W-ERR", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			c, _ := e.Connected()
			w := e.watch(e.P, c, wsa.FD_READ|wsa.FD_CLOSE|wsa.FD_OOB)
			waits := []*simnet.Task{
				e.Go("select", func() {
					r, _, x, err := e.P.Select([]wsa.SOCKET{c}, nil, []wsa.SOCKET{c}, -1)
					e.Code("Select", err, 0)
					Equal(e, "ready", fmt.Sprint(len(r), len(x)), "1 1")
				}),
				e.Go("poll", func() {
					_, err := e.P.Poll([]provider.PollFD{{Socket: c, Events: wsa.POLLRDNORM}}, -1)
					e.Code("Poll", err, wsa.WSAENETDOWN)
				}),
				e.Go("event", func() {
					i, err := e.P.WaitForMultipleEvents([]*provider.Event{provider.NewEvent(), w.ev}, false, -1)
					e.Code("WaitForMultipleEvents", err, 0)
					Equal(e, "event", i, 1)
				}),
			}
			e.Net.Sleep(time.Second)
			e.Check(!isSet(w.ev), "signalled before")
			e.Check(e.A.Close() == nil, "Close failed")
			for _, t := range waits {
				t.Wait()
			}
			n, err := e.P.EnumNetworkEvents(c, w.ev)
			e.Code("EnumNetworkEvents", err, wsa.WSAENETDOWN)
			Equal(e, "events", eventsText(n), "READ 10050, OOB 10050, CLOSE 10050")
		})
		e.Notef("the selected events fire with WSAENETDOWN")
	}},
	{ID: "LG-19", Title: "closesocket cancels the event selection", Source: "API-closesocket", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			c, s := e.Connected()
			w := e.watch(e.P, c, wsa.FD_ALL_EVENTS)
			w.want("connected", "WRITE, CONNECT")
			e.Code("CloseSocket", e.P.CloseSocket(c), 0)
			e.Code("the peer's CloseSocket", e.Q.CloseSocket(s), 0)
			e.Net.Sleep(time.Minute)
			e.Check(!isSet(w.ev), "an event of a closed socket was signalled")
		})
		e.Notef("no event, neither FD_CLOSE nor another")
	}},
}
