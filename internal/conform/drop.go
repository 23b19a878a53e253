package conform

import (
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/wsstack/wsstack/internal/trace"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

// The table of KA-30 and KA-31, a case for every row. Rows of event
// notification, overlapped calls and urgent data are with their areas.
//
// A blocked send isn't among the calls in progress: it waits for bytes that the
// peer hasn't acknowledged, and then nothing is probed (KA-6).

func init() {
	kaScenarios = append(kaScenarios, optionsAfterDrop...)
	for _, row := range laterCalls {
		kaScenarios = append(kaScenarios, Scenario{ID: "KA-31", Title: "later: " + row.name, Source: "S-GET, S-SET, S-API", Run: row.run})
	}
	for _, row := range callsInProgress {
		kaScenarios = append(kaScenarios, Scenario{ID: "KA-30", Title: "in progress: " + row.name, Source: "S-GET, W-ERR 10052", Run: row.run})
	}
	kaScenarios = append(kaScenarios, Scenario{
		ID: "KA-35", Title: "a hundred calls of all kinds", Source: "S-GET", Run: hundredCalls,
	})
}

// dropTime is when a connection is dropped: 1 s and 3 times 200 ms.
const dropTime = 1600 * time.Millisecond

// blockedRecvs starts calls that wait until the drop.
func (e *Env) blockedRecvs(s wsa.SOCKET, n int) (wait func()) {
	tasks := make([]*simnet.Task, n)
	for i := range tasks {
		tasks[i] = e.Go(fmt.Sprint("recv ", i), func() {
			_, err := e.P.Recv(s, make([]byte, 1), 0)
			e.Code("a blocked Recv", err, wsa.WSAENETRESET)
		})
	}
	return func() {
		for _, t := range tasks {
			t.Wait()
		}
	}
}

// A lateCall is a row of KA-31.
type lateCall struct {
	name string
	want wsa.Errno
	call func(e *Env, s wsa.SOCKET) error
}

// run makes the call three times on a connection that was dropped, with none,
// two and a hundred calls in progress; blocking and not.
func (r lateCall) run(e *Env) {
	link := e.Pair()
	for _, inProgress := range []int{0, 2, 100} {
		for _, nonblocking := range []bool{false, true} {
			e.Do(func() {
				link.Heal()
				s, _ := e.Connected()
				e.Net.Sleep(time.Second)
				link.Partition()
				e.keepAlive(s, time.Second, 200*time.Millisecond, 3)
				wait := e.blockedRecvs(s, inProgress)
				e.Net.Sleep(2 * time.Second)
				wait()
				e.Nonblocking(e.P, s, nonblocking)
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

func noCount(n int, err error) error {
	if n != 0 && err != nil {
		return fmt.Errorf("%w with a count of %d", err, n)
	}
	return err
}

var laterCalls = []lateCall{
	{"recv", wsa.WSAENOTCONN, func(e *Env, s wsa.SOCKET) error { return noCount(e.P.Recv(s, make([]byte, 9), 0)) }},
	{"recv MSG_PEEK", wsa.WSAENOTCONN, func(e *Env, s wsa.SOCKET) error { return noCount(e.P.Recv(s, make([]byte, 9), wsa.MSG_PEEK)) }},
	{"recv of no bytes", wsa.WSAENOTCONN, func(e *Env, s wsa.SOCKET) error { return noCount(e.P.Recv(s, nil, 0)) }},
	{"recvfrom", wsa.WSAENOTCONN, func(e *Env, s wsa.SOCKET) error {
		n, _, err := e.P.RecvFrom(s, make([]byte, 9), 0)
		return noCount(n, err)
	}},
	{"send", wsa.WSAENOTCONN, func(e *Env, s wsa.SOCKET) error { return noCount(e.P.Send(s, []byte("x"), 0)) }},
	{"send of no bytes", wsa.WSAENOTCONN, func(e *Env, s wsa.SOCKET) error { return noCount(e.P.Send(s, nil, 0)) }},
	{"sendto", wsa.WSAENOTCONN, func(e *Env, s wsa.SOCKET) error { return noCount(e.P.SendTo(s, []byte("x"), 0, e.Addr(2, 80))) }},
	{"shutdown SD_RECEIVE", wsa.WSAENOTCONN, func(e *Env, s wsa.SOCKET) error { return e.P.Shutdown(s, wsa.SD_RECEIVE) }},
	{"shutdown SD_SEND", wsa.WSAENOTCONN, func(e *Env, s wsa.SOCKET) error { return e.P.Shutdown(s, wsa.SD_SEND) }},
	{"shutdown SD_BOTH", wsa.WSAENOTCONN, func(e *Env, s wsa.SOCKET) error { return e.P.Shutdown(s, wsa.SD_BOTH) }},
	{"getpeername", wsa.WSAENOTCONN, func(e *Env, s wsa.SOCKET) error {
		_, err := e.P.GetPeerName(s)
		return err
	}},
	{"getsockname", 0, func(e *Env, s wsa.SOCKET) error {
		addr, err := e.P.GetSockName(s)
		Equal(e, "its address", addr.Addr(), e.Addr(1, 0).Addr())
		return err
	}},
	{"connect", wsa.WSAENOTCONN, func(e *Env, s wsa.SOCKET) error { return e.P.Connect(s, e.Addr(2, 80)) }},
	{"setsockopt", wsa.WSAENOTCONN, func(e *Env, s wsa.SOCKET) error { return set(e.P, s, wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, 1) }},
	{"getsockopt", wsa.WSAENOTCONN, func(e *Env, s wsa.SOCKET) error {
		_, err := get(e.P, s, wsa.SOL_SOCKET, wsa.SO_TYPE)
		return err
	}},
	{"FIONREAD", wsa.WSAENOTCONN, func(e *Env, s wsa.SOCKET) error { return noCount(e.P.Ioctl(s, wsa.FIONREAD, nil, make([]byte, 4))) }},
	{"FIONBIO", 0, func(e *Env, s wsa.SOCKET) error { return noCount(e.P.Ioctl(s, wsa.FIONBIO, []byte{1, 0, 0, 0}, nil)) }},
	{"SIO_KEEPALIVE_VALS", wsa.WSAENOTCONN, func(e *Env, s wsa.SOCKET) error {
		in := wsa.TCPKeepalive{OnOff: 1, KeepAliveTime: 1000, KeepAliveInterval: 1000}
		return noCount(e.P.Ioctl(s, wsa.SIO_KEEPALIVE_VALS, in.Append(nil), nil))
	}},
	{"select", 0, func(e *Env, s wsa.SOCKET) error {
		set := []wsa.SOCKET{s}
		for _, timeout := range []time.Duration{0, time.Second, -1} {
			r, w, x, err := e.P.Select(set, set, set, timeout)
			e.Code("Select", err, 0)
			Equal(e, "readable, writable, except", fmt.Sprint(len(r), len(w), len(x)), "1 1 0")
		}
		return nil
	}},
}

// A pendingCall is a row of KA-30: it returns when the connection is dropped.
type pendingCall struct {
	name string
	call func(e *Env, s wsa.SOCKET)
}

// run makes the call twice, and then a hundred times, at once.
func (r pendingCall) run(e *Env) {
	link := e.Pair()
	for _, n := range []int{2, 100} {
		e.Do(func() {
			link.Heal()
			s, _ := e.Connected()
			e.Net.Sleep(time.Second)
			link.Partition()
			e.keepAlive(s, time.Second, 200*time.Millisecond, 3)
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
			Equal(e, "the time", (e.Net.Now() - start).Round(time.Millisecond), dropTime)
		})
	}
	for _, t := range tasks {
		t.Wait()
	}
}

func recvPending(flags int32) func(e *Env, s wsa.SOCKET) {
	return func(e *Env, s wsa.SOCKET) {
		n, err := e.P.Recv(s, make([]byte, 4), flags)
		e.Code("Recv", err, wsa.WSAENETRESET)
		Equal(e, "count", n, 0)
	}
}

var callsInProgress = []pendingCall{
	{"recv", recvPending(0)},
	{"recv MSG_PEEK", recvPending(wsa.MSG_PEEK)},
	{"recv MSG_WAITALL", recvPending(wsa.MSG_WAITALL)},
	{"recvfrom", func(e *Env, s wsa.SOCKET) {
		n, from, err := e.P.RecvFrom(s, make([]byte, 4), 0)
		e.Code("RecvFrom", err, wsa.WSAENETRESET)
		Equal(e, "count and address", fmt.Sprint(n, from.IsValid()), "0 false")
	}},
	{"select", func(e *Env, s wsa.SOCKET) {
		set := []wsa.SOCKET{s}
		r, _, x, err := e.P.Select(set, nil, set, -1)
		e.Code("Select", err, 0)
		Equal(e, "readable, except", fmt.Sprint(len(r), len(x)), "1 0")
		_, w, _, err := e.P.Select(nil, set, nil, 0)
		e.Code("Select", err, 0)
		Equal(e, "writable", len(w), 1)
	}},
}

// hundredCalls has calls of every kind on one connection, and a listener and
// another connection beside it that nothing happens to.
func hundredCalls(e *Env) {
	link := e.Pair()
	e.Do(func() {
		s, _ := e.Connected()
		other, peer := e.Connected()
		l := e.Listener(e.P, 90)
		e.Net.Sleep(time.Second)
		link.Partition()
		e.keepAlive(s, time.Second, 200*time.Millisecond, 3)
		start := e.Start()
		accept := e.Go("accept", func() {
			_, _, err := e.P.Accept(l)
			e.Code("Accept", err, 0)
		})
		idle := e.Go("recv on another connection", func() {
			_, err := e.P.Recv(other, make([]byte, 1), 0)
			e.Code("Recv on another connection", err, 0)
		})
		e.inProgress(100, start, func(i int) { callsInProgress[i%len(callsInProgress)].call(e, s) })
		Equal(e, "RSTs", e.times("a", start, has(trace.RST)), "1.600")
		link.Heal()
		e.Code("Connect to the listener", e.Q.Connect(e.Socket(e.Q, wsa.SOCK_STREAM), e.Addr(1, 90)), 0)
		accept.Wait()
		_, err := e.Q.Send(peer, []byte("x"), 0)
		e.Code("Send", err, 0)
		idle.Wait()
	})
	e.Notef("recv, MSG_PEEK, MSG_WAITALL, recvfrom and select on a hundred goroutines; an accept and another connection go on")
}

var optionsAfterDrop = []Scenario{
	{ID: "KA-32", Title: "every option", Source: "S-SET, S-GET, C-12", Run: everyOption},
	{ID: "KA-32", Title: "every option, as measured", Source: "C-12", Profiles: []options.Profile{options.Windows, options.Legacy}, Run: storedOptions},
	{ID: "KA-31", Title: "closesocket", Source: "S-SET", Run: func(e *Env) {
		link := e.Pair()
		for _, linger := range []uint32{0, 1, 30} {
			e.Do(func() {
				link.Heal()
				s, _ := e.Connected()
				e.Net.Sleep(time.Second)
				link.Partition()
				e.Linger(e.P, s, linger)
				local, err := e.P.GetSockName(s)
				e.Code("GetSockName", err, 0)
				e.keepAlive(s, time.Second, 200*time.Millisecond, 3)
				start := e.Start()
				e.Net.Sleep(2 * time.Second)
				before := len(e.Segments("a"))
				again := e.Stream()
				e.Set(e.P, again, wsa.SOL_SOCKET, wsa.SO_EXCLUSIVEADDRUSE, 1)
				e.Code("an exclusive bind of its port before closesocket", e.P.Bind(again, local), 0)
				e.Code("CloseSocket", e.P.CloseSocket(s), 0)
				Equal(e, "it took", e.Net.Now()-start, 2*time.Second)
				e.Code("CloseSocket again", e.P.CloseSocket(s), wsa.WSAENOTSOCK)
				e.Code("CloseSocket", e.P.CloseSocket(again), 0)
				e.Net.Sleep(time.Minute)
				Equal(e, "segments after the drop", len(e.Segments("a"))-before, 0)
			})
		}
		e.Notef("0 at once with linger {1,0}, {1,1} and {1,30}, no segment; the port was free before")
	}},
	{ID: "KA-31", Title: "what was queued", Source: "S-GET", Run: func(e *Env) {
		link := e.Pair()
		e.Do(func() {
			c, s := e.Connected()
			_, err := e.Q.Send(s, []byte("never read"), 0)
			e.Code("Send", err, 0)
			e.Net.Sleep(time.Second)
			link.Partition()
			e.keepAlive(c, time.Second, 200*time.Millisecond, 3)
			e.Net.Sleep(time.Second)
			n := make([]byte, 4)
			_, err = e.P.Ioctl(c, wsa.FIONREAD, nil, n)
			e.Code("FIONREAD before the drop", err, 0)
			Equal(e, "bytes queued", n[0], 10)
			e.Net.Sleep(time.Second)
			for _, flags := range []int32{wsa.MSG_PEEK, 0, wsa.MSG_WAITALL} {
				_, err = e.P.Recv(c, make([]byte, 10), flags)
				e.Code("Recv", err, wsa.WSAENOTCONN)
			}
		})
		e.Notef("ten bytes were queued; recv is WSAENOTCONN")
	}},
	{ID: "KA-31", Title: "as measured", Source: "W-ERR 10054, API-recv, C-05, C-10, C-11",
		Profiles: []options.Profile{options.Windows, options.Legacy}, Run: dropAsMeasured},
}

// live are the outcomes of getting and setting every option of a socket, in the
// order of the table; values are all zero.
func (e *Env) live(s wsa.SOCKET) (gets, sets []error) {
	for _, o := range options.Table() {
		n := int32(700)
		gets = append(gets, e.P.GetSockOpt(s, o.Level, o.Number, make([]byte, n), &n))
		sets = append(sets, e.P.SetSockOpt(s, o.Level, o.Number, make([]byte, 700), 700))
	}
	return gets, sets
}

// refusedOption reports a code that comes before the connection is looked at (AV-1).
func refusedOption(err error) bool { return err == wsa.WSAENOPROTOOPT || err == wsa.WSAEFAULT }

// refusedSet reports that a set which ended with err comes to no connection,
// because a stream doesn't have the option.
func refusedSet(o options.Info, err error) bool {
	otherKind := err == wsa.WSAEINVAL && !slices.Contains(o.Kinds, "stream") // C-39
	return refusedOption(err) || o.Unsupported != "" || otherKind
}

// everyOption walks the option table on a connection that was dropped, and on
// another one that wasn't.
func everyOption(e *Env) {
	link := e.Pair()
	e.Do(func() {
		twin, _ := e.Connected()
		c, _ := e.Connected()
		link.Partition()
		e.keepAlive(c, time.Second, 200*time.Millisecond, 3)
		e.Net.Sleep(time.Minute)
		before := e.stored(c)
		table, supported := options.Table(), 0
		gets, sets := e.live(c)
		twinGets, twinSets := e.live(twin)
		for i, o := range table {
			check := func(call string, got, live error) {
				want := error(wsa.WSAENOTCONN)
				switch {
				case refusedOption(live):
					want = live
				case o.Level == wsa.SOL_SOCKET && o.Number == wsa.SO_ERROR && call == "get":
					want = nil
				default:
					supported++
				}
				e.Check(got == want, "%s %s %s: %v, want %v", call, o.LevelName, o.Symbol, got, want)
			}
			check("get", gets[i], twinGets[i])
			check("set", sets[i], twinSets[i])
		}
		e.Check(supported > 100, "only %d calls", supported)
		after := e.stored(c)
		e.Check(reflect.DeepEqual(before, after), "stored: %+v, before: %+v", after, before)
		e.Code("unknown level", set(e.P, c, 1000, 1, 1), wsa.WSAEINVAL)
		e.Code("unknown option", set(e.P, c, wsa.SOL_SOCKET, 0x7777, 1), wsa.WSAENOPROTOOPT)
		e.Code("short", e.P.SetSockOpt(c, wsa.SOL_SOCKET, wsa.SO_DEBUG, []byte{1}, 1), wsa.WSAEFAULT)
		e.Code("NULL", e.P.SetSockOpt(c, wsa.SOL_SOCKET, wsa.SO_DEBUG, nil, 4), wsa.WSAEFAULT)
		_, err := get(e.P, c, 1000, 1)
		e.Code("get, unknown level", err, wsa.WSAEINVAL)
		e.Notef("WSAENOTCONN for %d gets and sets, nothing stored; SO_ERROR readable; other faults keep their codes", supported)
	})
}

// stored are the stored options of a socket of A.
func (e *Env) stored(s wsa.SOCKET) options.Values {
	local, err := e.P.GetSockName(s)
	e.Code("GetSockName", err, 0)
	for _, info := range e.A.Sockets() {
		if info.Local == local {
			return info.Options
		}
	}
	e.Fatalf("the socket isn't listed")
	return options.Values{}
}

// storedOptions is C-12 as measured: only values of the connection fail.
func storedOptions(e *Env) {
	link := e.Pair()
	e.Do(func() {
		twin, _ := e.Connected()
		c, _ := e.Connected()
		link.Partition()
		e.keepAliveVals(c, time.Second, 200*time.Millisecond)
		e.Net.Sleep(time.Minute)
		gets, sets := e.live(c)
		twinGets, twinSets := e.live(twin)
		var gone []string
		for i, o := range options.Table() {
			if gets[i] != twinGets[i] {
				e.Check(gets[i] == wsa.WSAENOTCONN, "get %s: %v", o.Symbol, gets[i])
				gone = append(gone, o.Symbol)
			}
			want := error(wsa.WSAENOTCONN)
			if refusedSet(o, twinSets[i]) {
				want = twinSets[i]
			}
			if o.Symbol == "SO_KEEPALIVE" {
				want = wsa.WSAENETRESET // the first set (C-11)
			}
			e.Check(sets[i] == want, "set %s: %v, want %v", o.Symbol, sets[i], want)
		}
		e.Check(len(gone) > 0 && len(gone) < 8, "these fail: %v", gone)
		e.Notef("get works but for %v; set is WSAENOTCONN", gone)
	})
}

// dropAsMeasured is what the other profiles do where the pages contradict each
// other.
func dropAsMeasured(e *Env) {
	link := e.Pair()
	recv := func(s wsa.SOCKET) error { return noCount(e.P.Recv(s, make([]byte, 1), 0)) }
	send := func(s wsa.SOCKET) error { return noCount(e.P.Send(s, []byte("x"), 0)) }
	down := func(s wsa.SOCKET) error { return e.P.Shutdown(s, wsa.SD_SEND) }
	for i, first := range []func(wsa.SOCKET) error{recv, send, down} {
		for _, inProgress := range []int{0, 2} {
			e.Do(func() {
				link.Heal()
				s, _ := e.Connected()
				e.Net.Sleep(time.Second)
				link.Partition()
				e.keepAliveVals(s, time.Second, 200*time.Millisecond)
				wait := e.blockedRecvs(s, inProgress)
				e.Net.Sleep(5 * time.Second)
				wait()
				e.Nonblocking(e.P, s, true)
				want := wsa.WSAECONNRESET // C-05
				if inProgress == 0 {
					want = wsa.WSAENETRESET // C-10
				}
				e.Code(fmt.Sprint("the first call, ", i), first(s), want)
				for _, call := range []func(wsa.SOCKET) error{recv, send, down} {
					e.Code("a later call", call(s), wsa.WSAECONNRESET)
				}
				e.Code("the first set of SO_KEEPALIVE", set(e.P, s, wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, 1), wsa.WSAENETRESET) // C-11
				e.Code("the second", set(e.P, s, wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, 1), wsa.WSAENOTCONN)
				e.Code("another option", set(e.P, s, wsa.SOL_SOCKET, wsa.SO_SNDBUF, 1), wsa.WSAENOTCONN)
				Equal(e, "SO_ERROR", e.Get(e.P, s, wsa.SOL_SOCKET, wsa.SO_ERROR), 0) // C-02
				_, err := e.P.GetPeerName(s)
				e.Code("GetPeerName", err, wsa.WSAENOTCONN)
				e.Code("Connect", e.P.Connect(s, e.Addr(2, 80)), wsa.WSAENOTCONN)
			})
		}
	}
	e.Notef("WSAENETRESET once if no call was in progress, then WSAECONNRESET; the first set of SO_KEEPALIVE WSAENETRESET")
}
