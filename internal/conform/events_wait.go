package conform

import (
	"fmt"
	"time"

	"github.com/wsstack/wsstack/provider"
	"github.com/wsstack/wsstack/wsa"
)

const pollAll = wsa.POLLRDNORM | wsa.POLLRDBAND | wsa.POLLWRNORM

// eventsWaitScenarios are WE-8 to WE-10: WSAPoll and select, as measured.
var eventsWaitScenarios = []Scenario{
	{ID: "WE-8", Title: "elements that are ignored", Source: "API-WSAPoll, OBS", Run: func(e *Env) {
		e.connected(func(c, _ handle) {
			fresh := e.stream()
			negative := []wsa.SOCKET{wsa.INVALID_SOCKET, ^wsa.SOCKET(5)}
			e.polls("beside one that is ready", 0, "1 [1 4 4]", c.s, negative[0], negative[1])
			e.polls("beside one that isn't", time.Second, "0 [4 0]", negative[0], fresh.s)
			e.poll(e.P, nil, 0, wsa.WSAEINVAL)
			fds := []provider.PollFD{{Socket: negative[0], Events: wsa.POLLPRI, Revents: 77}, {Socket: c.s, Events: wsa.POLLPRI, Revents: 77}}
			e.poll(e.P, fds, 0, wsa.WSAEINVAL)
			Equal(e, "revents of a call that fails", fmt.Sprint(fds[0].Revents, fds[1].Revents), fmt.Sprint(wsa.POLLNVAL, 0))
			fds[1].Events = wsa.POLLWRNORM
			Equal(e, "flags of an element that is ignored", e.poll(e.P, fds, 0), 1)
		})
		e.Notef("POLLNVAL in revents, not in the result, and no end of the wait")
	}},
	{ID: "WE-8", Title: "stale handles", Source: "API-WSAPoll, OBS, C-144", Run: func(e *Env) {
		none := byProfile(e, wsa.WSAEINVAL, wsa.WSAENOTSOCK)
		e.connected(func(c, _ handle) {
			fresh, stale := e.stream(), e.stream()
			stale.close()
			e.polls("beside one that is ready", 0, byProfile(e, "2 [4 1]", "1 [4 1]"), stale.s, c.s)
			e.polls("beside one that isn't", byProfile(e, -1, time.Second), byProfile(e, "1 [0 4]", "0 [0 4]"), fresh.s, stale.s)
			for _, bad := range [][]wsa.SOCKET{{stale.s}, {wsa.INVALID_SOCKET}, {bogus, wsa.INVALID_SOCKET}} {
				e.polls("no socket", time.Second, fmt.Sprint(int(none), []int{4, 4}[:len(bad)]), bad...)
			}
		})
		e.Notef("they %s; nothing but them %s", byProfile(e, "count and end the wait", "are ignored"), none.Symbol())
	}},
	{ID: "WE-9", Title: "a handle twice", Source: "API-select, OBS", Run: func(e *Env) {
		e.connected(func(c, s handle) {
			s.say("x")
			s.oob("!")
			e.Net.Sleep(time.Second)
			twice := []handle{c, c}
			r, w, x := e.Select(e.P, twice, twice, twice, 0)
			Equal(e, "given back", fmt.Sprint(len(r), len(w), len(x)), "1 1 1")
		})
		e.Notef("given back once")
	}},
	{ID: "WE-9", Title: "members that are closed", Source: "OBS", Profiles: measured, Why: "EV-9: as documented WSAENOTSOCK", Run: func(e *Env) {
		e.paired(func() {
			for _, sets := range []string{"r", "rw", "rx", "rwx"} {
				e.closedWhile(sets, "r", 0)
			}
			for _, sets := range []string{"w", "x", "wx"} {
				e.closedWhile(sets, "", wsa.WSAENOTSOCK)
			}
			idle, gone := e.listener(e.P, 81), e.listener(e.P, 82)
			waits := e.Go("select", func() {
				r, w, x := e.Select(e.P, []handle{idle, gone, gone}, nil, []handle{idle}, -1)
				Equal(e, "of several", fmt.Sprint(len(r), r[0] == gone.s, len(w), len(x)), "1 true 0 0")
			})
			e.Net.Sleep(time.Second)
			gone.close()
			waits.Wait()
			e.Select(e.P, []handle{gone}, nil, nil, 0, wsa.WSAENOTSOCK) // closed before
		})
		e.Notef("readable, where readfds has it; otherwise WSAENOTSOCK, as for one that was closed before")
	}},
	{ID: "WE-9", Title: "members that are closed, as documented", Source: "API-select", Profiles: documentedOnly, Why: "C-145: in Windows readable", Run: func(e *Env) {
		e.paired(func() {
			for _, sets := range []string{"r", "w", "x", "rwx"} {
				e.closedWhile(sets, "", wsa.WSAENOTSOCK)
			}
		})
		e.Notef("WSAENOTSOCK")
	}},
	{ID: "WE-10", Title: "every connect that failed", Source: "OBS", Run: func(e *Env) {
		e.paired(func() {
			blocking := e.stream()
			blocking.connect(e.Addr(2, 9), wsa.WSAECONNREFUSED)
			ex := e.stream()
			ex.bind(e.Any(0))
			o := ex.connectEx(e.Addr(2, 9), nil)
			Equal(e, "ConnectEx", e.outcome(o), "0 WSAECONNREFUSED")
			told := func(s handle, sets, events string, flags int) {
				Equal(e, "select", s.ready("rwx", 0), sets)
				Equal(e, "WSAPoll", int(s.pollEvents(pollAll)), flags)
				s.selects(everyEvent, events)
				Equal(e, "select after FD_CONNECT", s.ready("rwx", 0), sets)
			}
			const failed = wsa.POLLERR | wsa.POLLHUP | wsa.POLLWRNORM
			for _, s := range []handle{blocking, ex} {
				told(s, byProfile(e, "", "x"), byProfile(e, "", "CONNECT 10061"), byProfile(e, 0, failed))
			}
			other := e.failedConnect()
			e.listener(e.Q, 9) // which would answer now
			told(other, "x", "CONNECT 10061", failed)
			for _, s := range []handle{blocking, ex, other} {
				w := s.watch(wsa.FD_CONNECT)
				w.take()
				s.connect(e.Addr(2, 9), wsa.WSAEWOULDBLOCK)
				Equal(e, "during another attempt", s.ready("rwx", 0), "")
				w.want("it succeeds", "CONNECT")
				Equal(e, "connected", s.ready("rwx", 0), "w")
			}
		})
		e.Notef("%s, until another attempt begins; whether somebody listens by then makes no difference",
			byProfile(e, "non-blocking connects alone", "a blocking connect and ConnectEx, too"))
	}},
}

// polls is WSAPoll of sockets with every flag: "count [revents]" or "code [revents]". A time-out
// that isn't zero must pass where nothing is ready.
func (e *Env) polls(what string, timeout time.Duration, want string, sockets ...wsa.SOCKET) {
	fds := make([]provider.PollFD, len(sockets))
	for i, s := range sockets {
		fds[i] = provider.PollFD{Socket: s, Events: pollAll, Revents: 77}
	}
	start := e.Net.Now()
	n, err := e.P.Poll(fds, timeout)
	revents := make([]int, len(fds))
	for i, fd := range fds {
		revents[i] = map[int16]int{wsa.POLLWRNORM: 1, wsa.POLLNVAL: 4}[fd.Revents]
	}
	got := fmt.Sprint(n, revents)
	if code, failed := err.(wsa.Errno); failed {
		got = fmt.Sprint(int(code), revents)
	}
	Equal(e, what, got, want)
	if err == nil && n == 0 {
		Equal(e, what+": the time", e.Net.Now()-start, timeout)
	}
}

// closedWhile has select wait for an idle socket in these sets, which is closed meanwhile.
func (e *Env) closedWhile(sets, want string, code wsa.Errno) {
	s := e.stream()
	waits := e.Go("select", func() { Equal(e, sets, s.as(sets).ready(sets, -1, code), want) })
	e.Net.Sleep(time.Second)
	s.close()
	waits.Wait()
}
