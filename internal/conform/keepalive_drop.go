package conform

import (
	"fmt"
	"slices"
	"time"

	"github.com/wsstack/wsstack/internal/trace"
	"github.com/wsstack/wsstack/provider"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

// dropTime is when a connection is dropped: 1 s and 3 times 200 ms.
const dropTime = 1600 * time.Millisecond

// blockedRecvs starts calls that wait until the drop.
func (h handle) blockedRecvs(n int) (wait func()) {
	e := h.e
	tasks := make([]*simnet.Task, n)
	for i := range tasks {
		tasks[i] = e.Go(fmt.Sprint("recv ", i), func() { h.as("a blocked Recv").recv(1, wsa.WSAENETRESET) })
	}
	return func() {
		for _, t := range tasks {
			t.Wait()
		}
	}
}

// scenariosOf are the scenarios of a table, one for each row.
func scenariosOf[R interface{ scenario() Scenario }](rows []R) []Scenario {
	var out []Scenario
	for _, r := range rows {
		out = append(out, r.scenario())
	}
	return out
}

// A lateCall is a row of KA-31.
type lateCall struct {
	name string
	want wsa.Errno
	call func(e *Env, s handle) error
}

func (r lateCall) scenario() Scenario {
	return Scenario{ID: "KA-31", Title: "later: " + r.name, Source: "S-GET, S-SET, S-API", Profiles: documentedOnly,
		Why: "C-05, C-10, C-11, C-12: KA-31 as measured is what Windows does", Run: r.run}
}

// run makes the call three times on a connection that was dropped, with none,
// two and a hundred calls in progress; blocking and not.
func (r lateCall) run(e *Env) {
	link := e.Pair()
	for _, inProgress := range []int{0, 2, 100} {
		for _, nonblocking := range []bool{false, true} {
			e.Do(func() {
				s := e.cut(link)
				s.keepAlive(time.Second, 200*time.Millisecond, 3)
				wait := s.blockedRecvs(inProgress)
				e.Net.Sleep(2 * time.Second)
				wait()
				s.nonblocking(nonblocking)
				at := e.Net.Now()
				for i := range 3 {
					e.Code(fmt.Sprintf("%s, call %d, nonblocking %v, %d in progress", r.name, i, nonblocking, inProgress), r.call(e, s), r.want)
				}
				Equal(e, "the calls took", e.Net.Now(), at)
			})
		}
	}
	e.Notef("%s: %s every time, after 0, 2 and 100 calls in progress", r.name, name(r.want))
}

// A pendingCall is a row of KA-30: it returns when the connection is dropped.
type pendingCall struct {
	name string
	call func(e *Env, s handle)
}

func (r pendingCall) scenario() Scenario {
	return Scenario{ID: "KA-30", Title: "in progress: " + r.name, Source: "S-GET, W-ERR 10052", Run: r.run}
}

// run makes the call twice, and then a hundred times, at once.
func (r pendingCall) run(e *Env) {
	link := e.Pair()
	for _, n := range []int{2, 100} {
		e.Do(func() {
			s := e.cut(link)
			s.keepAlive(time.Second, 200*time.Millisecond, 3)
			start := e.Start()
			e.inProgress(n, start, func(int) { r.call(e, s) })
		})
	}
	e.Notef("%s: twice and a hundred times at once, all end at 1.600 s", r.name)
}

// inProgress makes n calls at once and checks that each of them ends at the
// drop.
func (e *Env) inProgress(n int, start time.Duration, call func(i int)) {
	tasks := make([]*simnet.Task, n)
	for i := range tasks {
		tasks[i] = e.Go(fmt.Sprint("call ", i), func() {
			call(i)
			e.took("the time", start, dropTime)
		})
	}
	for _, t := range tasks {
		t.Wait()
	}
}

// recvPending is a row of recv with flags.
func recvPending(flags int32) func(e *Env, s handle) {
	return func(e *Env, s handle) {
		Equal(e, "count", len(s.recvFlags(4, flags, wsa.WSAENETRESET)), 0)
	}
}

// callsInProgress are a scenario each; calls of other areas are with those.
//
// A blocked send isn't among them: it waits for bytes that the peer hasn't acknowledged, and then
// nothing is probed (KA-6).
var callsInProgress = []pendingCall{
	{"recv", recvPending(0)},
	{"recv MSG_PEEK", recvPending(wsa.MSG_PEEK)},
	{"recv MSG_WAITALL", recvPending(wsa.MSG_WAITALL)},
	{"recvfrom", func(e *Env, s handle) {
		b, from := s.recvFrom(4, wsa.WSAENETRESET)
		Equal(e, "count and address", fmt.Sprint(len(b), from.IsValid()), "0 false")
	}},
	{"select", func(e *Env, s handle) {
		Equal(e, "select", s.ready("rx", -1), "r")
		Equal(e, "select", s.ready("w", 0), "w")
	}},
}

// keepAliveDropScenarios are KA-30 and KA-31: calls in progress at a drop, and calls after it.
var keepAliveDropScenarios = slices.Concat(
	[]Scenario{
		{ID: "KA-30", Title: "keep-alive and a linger wait", Source: "S-GET", Run: func(e *Env) {
			e.silent(10*time.Second, time.Second, 3, func(s handle, start time.Duration) {
				s.linger(60)
				at := e.Net.Now()
				s.closesIn("of a silent connection", 60*time.Second)
				Equal(e, "probes", e.times("a", at, probeAt(1)), "")
				Equal(e, "RST", e.times("a", at, has(trace.RST)), "60.000")
			})
			e.Notef("the FIN is retransmitted, so there are no probes (KA-6): the wait ends at its own time")
		}},
	},
	scenariosOf(callsInProgress),
	[]Scenario{
		{ID: "KA-30", Title: "in progress: the change codes", Source: "S-GET, C-12", Run: changesAtDrop},
		{ID: "KA-30", Title: "calls in progress", Source: "S-GET, S-SET", Run: func(e *Env) {
			e.silent(time.Second, 200*time.Millisecond, 3, func(s handle, _ time.Duration) {
				var tasks []*simnet.Task
				for i := range 3 {
					tasks = append(tasks, e.Go(fmt.Sprint("recv ", i), func() {
						s.as("the blocked Recv").recvFlags(1, []int32{0, wsa.MSG_PEEK, wsa.MSG_WAITALL}[i], wsa.WSAENETRESET)
					}))
				}
				for _, t := range tasks {
					t.Wait()
				}
			})
			e.Notef("WSAENETRESET for each")
		}},
		{ID: "KA-31", Title: "closesocket that lingers, after the drop", Source: "S-GET", Run: func(e *Env) {
			e.silent(10*time.Second, time.Second, 3, func(s handle, start time.Duration) {
				s.linger(5)
				e.Net.Sleep(time.Minute)
				at := e.Net.Now()
				s.closesIn("after the drop", 0)
				e.Net.Sleep(time.Minute)
				Equal(e, "segments afterwards", e.times("a", at, func(simnet.Line) bool { return true }), "")
			})
			e.Notef("0 at once, no linger, nothing on the wire")
		}},
		{ID: "KA-31", Title: "DisconnectEx and a drop", Source: "S-GET", Run: func(e *Env) {
			link := e.Pair()
			e.Do(func() {
				s, _ := e.connection()
				s.keepAlive(10*time.Second, time.Second, 3)
				o := s.disconnected(wsa.TF_REUSE_SOCKET)
				blocked := e.Go("disconnect", func() { s.disconnect(wsa.TF_REUSE_SOCKET, 0, wsa.WSAENETRESET) })
				e.Net.Sleep(2 * Delay)
				start := e.Start() // the FIN is acknowledged
				link.Partition()
				Equal(e, "in progress", e.outcome(o), "0 WSAENETRESET")
				Equal(e, "drop", e.Net.Now()-start, 13*time.Second)
				blocked.Wait()
				for _, flags := range []uint32{0, wsa.TF_REUSE_SOCKET} {
					s.as("later").disconnectEx(flags, 0, wsa.WSAENOTCONN)
					s.as("later, without an OVERLAPPED").disconnect(flags, 0, wsa.WSAENOTCONN)
				}
				s.connectEx(e.Addr(2, 80), nil, wsa.WSAENOTCONN)
			})
			e.Notef("WSAENETRESET at 13 s for those in progress, WSAENOTCONN for later starts")
		}},
		{ID: "KA-31", Title: "TransmitFile and a drop", Source: "S-GET", Run: func(e *Env) {
			link := e.Pair()
			e.Do(func() {
				s, _ := e.connection()
				s.keepAlive(10*time.Second, time.Second, 3)
				o := s.transmitFileAsync(alphabet(10), nil, reuseFlags)
				e.Net.Sleep(2 * Delay)
				start := e.Start() // the FIN is acknowledged
				link.Partition()
				Equal(e, "in progress", e.outcome(o), "0 WSAENETRESET")
				Equal(e, "drop", e.Net.Now()-start, 13*time.Second)
				later := byProfile(e, wsa.WSAENOTCONN, wsa.WSAECONNRESET) // C-05
				s.as("later").transmitFile(alphabet(10), nil, 0, later)
				s.as("later, overlapped").transmitPacketsAsync(nil, 0, 0, later)
			})
			e.Notef("WSAENETRESET at 13 s for the one in progress, WSAENOTCONN for later starts")
		}},
		{ID: "KA-31", Title: "closesocket", Source: "S-SET", Run: func(e *Env) {
			link := e.Pair()
			for _, linger := range []uint32{0, 1, 30} {
				e.Do(func() {
					s := e.cut(link)
					s.linger(linger)
					local := s.sockName()
					s.keepAlive(time.Second, 200*time.Millisecond, 3)
					start := e.Start()
					e.Net.Sleep(2 * time.Second)
					before := len(e.Segments("a"))
					again := e.stream()
					again.set(wsa.SOL_SOCKET, wsa.SO_EXCLUSIVEADDRUSE, 1)
					again.as("an exclusive bind of its port before closesocket").bind(local)
					s.close()
					Equal(e, "it took", e.Net.Now()-start, 2*time.Second)
					s.as("CloseSocket again").close(wsa.WSAENOTSOCK)
					again.close()
					e.Net.Sleep(time.Minute)
					Equal(e, "segments after the drop", len(e.Segments("a"))-before, 0)
				})
			}
			e.Notef("0 at once with linger {1,0}, {1,1} and {1,30}, no segment; the port was free before")
		}},
		{ID: "KA-31", Title: "what was queued", Source: "S-GET", Profiles: documentedOnly,
			Why: "C-10: in Windows the first call after a drop has WSAENETRESET", Run: func(e *Env) {
				link := e.Pair()
				e.Do(func() {
					c, s := e.connection()
					s.say("never read")
					e.Net.Sleep(time.Second)
					link.Partition()
					c.keepAlive(time.Second, 200*time.Millisecond, 3)
					e.Net.Sleep(time.Second)
					n := make([]byte, 4)
					c.as("FIONREAD before the drop").ioctl(wsa.FIONREAD, nil, n)
					Equal(e, "bytes queued", n[0], 10)
					e.Net.Sleep(time.Second)
					for _, flags := range []int32{wsa.MSG_PEEK, 0, wsa.MSG_WAITALL} {
						c.recvFlags(10, flags, wsa.WSAENOTCONN)
					}
				})
				e.Notef("ten bytes were queued; recv is WSAENOTCONN")
			}},
		{ID: "KA-31", Title: "as measured", Source: "W-ERR 10054, API-recv, C-05, C-10, C-11",
			Profiles: measured, Why: "C-05, C-10, C-11: the pages have WSAENOTCONN", Run: dropAsMeasured},
	},
	scenariosOf(laterCalls),
	[]Scenario{
		endedScenario("KA-31", "every call and control code", "dropped", "S-GET, S-SET, S-API"),
		{ID: "KA-31", Title: "later calls", Source: "S-GET, S-SET", Profiles: documentedOnly,
			Why: "C-05, C-10, C-11, C-12: KA-31 as measured is what Windows does", Run: func(e *Env) {
				e.silent(time.Second, 200*time.Millisecond, 3, func(s handle, _ time.Duration) {
					e.Net.Sleep(time.Minute)
					s.afterDrop()
				})
				e.Notef("WSAENOTCONN, also for the first call after the drop")
			}},
		{ID: "KA-31", Title: "overlapped operations and a drop", Source: "S-GET", Profiles: documentedOnly,
			Why: "C-05: Windows has WSAECONNRESET for later calls", Run: func(e *Env) {
				e.silent(10*time.Second, time.Second, 3, func(s handle, start time.Duration) {
					ops := []*provider.Overlapped{s.recvAsync(make([]byte, 1)), s.recvAsync(make([]byte, 1))}
					for _, o := range ops { // KA-35: all of them
						Equal(e, "in progress", e.outcome(o), "0 WSAENETRESET")
						e.took("drop", start, 13*time.Second)
					}
					s.as("RecvAsync later").recvAsync(make([]byte, 1), wsa.WSAENOTCONN)
					s.as("SendAsync later").sendAsync(make([]byte, 1), wsa.WSAENOTCONN)
					s.as("ConnectEx later").connectEx(e.Addr(2, 80), nil, wsa.WSAENOTCONN)
				})
				e.Notef("WSAENETRESET for all in progress, WSAENOTCONN for later starts")
			}},
		{ID: "KA-31", Title: "FD_CLOSE of a drop", Source: "S-GET, C-09", Run: func(e *Env) {
			e.silent(10*time.Second, time.Second, 3, func(s handle, _ time.Duration) {
				w := s.watch(wsa.FD_ALL_EVENTS)
				w.want("connected", "WRITE, CONNECT")
				e.Net.Sleep(11500 * time.Millisecond)
				Equal(e, "before the drop", w.take(), "")
				w.want("dropped", byProfile(e, "CLOSE 10053", "CLOSE 10052"))
				s.recv(1, byProfile(e, wsa.WSAENOTCONN, wsa.WSAENETRESET)) // C-10
				w.want("once", "")
			})
			e.Notef("FD_CLOSE %s, once, and no FD_READ", byProfile(e, "WSAECONNABORTED", "WSAENETRESET"))
		}},
		{ID: "KA-31", Title: "WSAPoll, select and FIONBIO after a drop", Source: "S-GET", Run: func(e *Env) {
			e.silent(10*time.Second, time.Second, 3, func(s handle, _ time.Duration) {
				fds := []provider.PollFD{{Socket: s.s, Events: wsa.POLLRDNORM | wsa.POLLRDBAND}}
				e.poll(e.P, fds, -1)
				Equal(e, "revents", fds[0].Revents, wsa.POLLERR|wsa.POLLHUP)
				fds[0].Events |= wsa.POLLWRNORM
				e.poll(e.P, fds, 0)
				Equal(e, "revents later", fds[0].Revents, wsa.POLLERR|wsa.POLLHUP)
				Equal(e, "select", s.ready("rwx", 0), "rw")
				s.nonblocking(true)
				out := make([]byte, 4)
				s.ioctl(wsa.FIONREAD, nil, out, wsa.WSAENOTCONN)
				s.ioctl(wsa.SIOCATMARK, nil, out, wsa.WSAENOTCONN)
			})
			e.Notef("POLLERR|POLLHUP; readable and writable; FIONBIO works")
		}},
	},
)

// laterCalls are a scenario each.
var laterCalls = []lateCall{
	{"recv", wsa.WSAENOTCONN, func(e *Env, s handle) error { return noCount(e.P.Recv(s.s, make([]byte, 9), 0)) }},
	{"recv MSG_PEEK", wsa.WSAENOTCONN, func(e *Env, s handle) error { return noCount(e.P.Recv(s.s, make([]byte, 9), wsa.MSG_PEEK)) }},
	{"recv of no bytes", wsa.WSAENOTCONN, func(e *Env, s handle) error { return noCount(e.P.Recv(s.s, nil, 0)) }},
	{"recvfrom", wsa.WSAENOTCONN, func(e *Env, s handle) error {
		n, _, err := e.P.RecvFrom(s.s, make([]byte, 9), 0)
		return noCount(n, err)
	}},
	{"send", wsa.WSAENOTCONN, func(e *Env, s handle) error { return noCount(e.P.Send(s.s, []byte("x"), 0)) }},
	{"send of no bytes", wsa.WSAENOTCONN, func(e *Env, s handle) error { return noCount(e.P.Send(s.s, nil, 0)) }},
	{"sendto", wsa.WSAENOTCONN, func(e *Env, s handle) error { return noCount(e.P.SendTo(s.s, []byte("x"), 0, e.Addr(2, 80))) }},
	{"shutdown SD_RECEIVE", wsa.WSAENOTCONN, func(e *Env, s handle) error { return e.P.Shutdown(s.s, wsa.SD_RECEIVE) }},
	{"shutdown SD_SEND", wsa.WSAENOTCONN, func(e *Env, s handle) error { return e.P.Shutdown(s.s, wsa.SD_SEND) }},
	{"shutdown SD_BOTH", wsa.WSAENOTCONN, func(e *Env, s handle) error { return e.P.Shutdown(s.s, wsa.SD_BOTH) }},
	{"getpeername", wsa.WSAENOTCONN, func(e *Env, s handle) error {
		_, err := e.P.GetPeerName(s.s)
		return err
	}},
	{"getsockname", 0, func(e *Env, s handle) error {
		addr, err := e.P.GetSockName(s.s)
		Equal(e, "its address", addr.Addr(), e.Addr(1, 0).Addr())
		return err
	}},
	{"connect", wsa.WSAENOTCONN, func(e *Env, s handle) error { return e.P.Connect(s.s, e.Addr(2, 80)) }},
	{"setsockopt", wsa.WSAENOTCONN, func(e *Env, s handle) error { return s.trySet(wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, 1) }},
	{"getsockopt", wsa.WSAENOTCONN, func(e *Env, s handle) error {
		_, err := s.tryGet(wsa.SOL_SOCKET, wsa.SO_TYPE)
		return err
	}},
	{"FIONREAD", wsa.WSAENOTCONN, func(e *Env, s handle) error { return noCount(e.P.Ioctl(s.s, wsa.FIONREAD, nil, make([]byte, 4))) }},
	{"FIONBIO", 0, func(e *Env, s handle) error { return noCount(e.P.Ioctl(s.s, wsa.FIONBIO, []byte{1, 0, 0, 0}, nil)) }},
	{"SIO_KEEPALIVE_VALS", wsa.WSAENOTCONN, func(e *Env, s handle) error {
		in := wsa.TCPKeepalive{OnOff: 1, KeepAliveTime: 1000, KeepAliveInterval: 1000}
		return noCount(e.P.Ioctl(s.s, wsa.SIO_KEEPALIVE_VALS, in.Append(nil), nil))
	}},
	{"select", 0, func(e *Env, s handle) error {
		for _, timeout := range []time.Duration{0, time.Second, -1} {
			Equal(e, "select", s.ready("rwx", timeout), "rw")
		}
		return nil
	}},
}

// dropAsMeasured is what the other profiles do where the pages contradict each
// other.
func dropAsMeasured(e *Env) {
	link := e.Pair()
	recv := func(s handle) error { return noCount(e.P.Recv(s.s, make([]byte, 1), 0)) }
	send := func(s handle) error { return noCount(e.P.Send(s.s, []byte("x"), 0)) }
	down := func(s handle) error { return e.P.Shutdown(s.s, wsa.SD_SEND) }
	for i, first := range []func(handle) error{recv, send, down} {
		for _, inProgress := range []int{0, 2} {
			e.Do(func() {
				s := e.cut(link)
				s.keepAliveVals(time.Second, 200*time.Millisecond)
				wait := s.blockedRecvs(inProgress)
				e.Net.Sleep(5 * time.Second)
				wait()
				s.nonblocking(true)
				want := wsa.WSAECONNRESET // C-05
				if inProgress == 0 {
					want = wsa.WSAENETRESET // C-10
				}
				e.Code(fmt.Sprint("the first call, ", i), first(s), want)
				for _, call := range []func(handle) error{recv, send, down} {
					e.Code("a later call", call(s), wsa.WSAECONNRESET)
				}
				s.as("the first set of SO_KEEPALIVE").set(wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, 1, wsa.WSAENOTCONN) // C-11
				s.as("another option").set(wsa.SOL_SOCKET, wsa.SO_SNDBUF, 1, wsa.WSAENOTCONN)
				s.reads(wsa.SOL_SOCKET, wsa.SO_ERROR, 0) // C-02
				s.peerName(wsa.WSAENOTCONN)
				s.connect(e.Addr(2, 80), wsa.WSAENOTCONN)
			})
		}
	}
	e.Notef("WSAENETRESET once if no call was in progress, then WSAECONNRESET; a set of SO_KEEPALIVE is WSAENOTCONN then")
}

// changesAtDrop has the two codes that wait in progress when the connection is
// dropped.
func changesAtDrop(e *Env) {
	link := e.Pair()
	e.Do(func() {
		s := e.cut(link)
		s.keepCount(3)
		s.keepAliveVals(time.Second, 200*time.Millisecond)
		start, to := e.Net.Now(), wsa.AppendSockaddr(nil, e.Addr(2, 0))
		e.inProgress(2, start, func(i int) {
			code := []uint32{wsa.SIO_ADDRESS_LIST_CHANGE, wsa.SIO_ROUTING_INTERFACE_CHANGE}[i]
			s.ioctl(code, to, nil, wsa.WSAENETRESET)
		})
	})
	e.Notef("SIO_ADDRESS_LIST_CHANGE and SIO_ROUTING_INTERFACE_CHANGE end at 1.600 s")
}
