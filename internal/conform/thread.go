package conform

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/wsstack/wsstack/internal/trace"
	"github.com/wsstack/wsstack/provider"
	"github.com/wsstack/wsstack/wsa"
)

// old makes a client of version 1.1 on the host A, and a thread of it.
func (e *Env) old() *provider.Thread {
	p, err := provider.Startup(e.A.Stack, 0x0101)
	e.Code("Startup", err, 0)
	e.P = p
	return p.Thread()
}

// hooked sets a blocking hook that calls fn once, in its first round, and
// counts the rounds.
func (e *Env) hooked(t *provider.Thread, fn func()) *int {
	rounds := 0
	_, err := t.SetBlockingHook(func() bool {
		if rounds++; rounds == 1 && fn != nil {
			fn()
		}
		return false
	})
	e.Code("SetBlockingHook", err, 0)
	return &rounds
}

// nested tries every kind of call on a thread, with another socket, which is
// non-blocking, and returns what they say.
func (e *Env) nested(t *provider.Thread, other wsa.SOCKET) string {
	four, n := make([]byte, 4), int32(4)
	set := []wsa.SOCKET{other}
	outcomes := map[error]int{}
	for _, err := range []error{
		second(t.Recv(other, four, 0)), second(t.Send(other, four, 0)), second(t.SendTo(other, four, 0, e.Addr(2, 7))),
		third(t.RecvFrom(other, four, 0)), third(t.Accept(other)), t.Connect(other, e.Addr(2, 80)), t.CloseSocket(other),
		t.Bind(other, e.Any(0)), t.Listen(other, 1), t.Shutdown(other, 0), second(t.GetPeerName(other)), second(t.GetSockName(other)),
		t.SetSockOpt(other, wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, four, 4), t.GetSockOpt(other, wsa.SOL_SOCKET, wsa.SO_ERROR, four, &n),
		second(t.Ioctl(other, wsa.FIONREAD, nil, four)), second(t.Socket(e.Family, wsa.SOCK_STREAM, 0)),
		selected(t, set), t.EventSelect(other, nil, 0), second(t.EnumNetworkEvents(other, nil)),
		t.CloseSocket(bogus), second(t.SetBlockingHook(nil)),
	} {
		outcomes[err]++
	}
	return fmt.Sprint(outcomes)
}

func third[T, U any](_ T, _ U, err error) error { return err }

func selected(t *provider.Thread, set []wsa.SOCKET) error {
	_, _, _, err := t.Select(set, nil, nil, 0)
	return err
}

// allInProgress is the answer of nested inside of a blocking call.
var allInProgress = fmt.Sprint(map[error]int{error(wsa.WSAEINPROGRESS): 21})

func init() { avScenarios = append(avScenarios, threadScenarios...) }

var threadScenarios = []Scenario{
	{ID: "BL-2", Title: "WSAEINPROGRESS while a call blocks", Source: "Winsock 1.1", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			t := e.old()
			other := e.Stream()
			e.Nonblocking(e.P, other, true)
			c, s := e.Connected()
			l := e.Listener(e.P, 81)
			inside := func(call string, blocks func() error, wake func()) {
				asked := false
				rounds := e.hooked(t, func() {
					asked = true
					blocking, err := t.IsBlocking()
					e.Code("IsBlocking", err, 0)
					e.Check(blocking, "%s: IsBlocking is FALSE in the hook", call)
					Equal(e, call, e.nested(t, other), allInProgress)
					Equal(e, call+": last error", t.GetLastError(), wsa.WSAEINPROGRESS)
					t.SetLastError(77)
					Equal(e, call+": last error", t.GetLastError(), 77)
					e.Go("wake", wake)
				})
				e.Code(call, blocks(), 0)
				e.Check(asked && *rounds > 0, "%s: the hook did not run", call)
				blocking, err := t.IsBlocking()
				e.Code("IsBlocking", err, 0)
				e.Check(!blocking, "%s: IsBlocking is TRUE after the call", call)
			}
			data := func() { e.sendFrom(e.Q, s, 1) }
			inside("recv", func() error { return second(t.Recv(c, make([]byte, 1), 0)) }, data)
			inside("recvfrom", func() error { return third(t.RecvFrom(c, make([]byte, 1), 0)) }, data)
			inside("select", func() error {
				_, _, _, err := t.Select([]wsa.SOCKET{c}, nil, nil, -1)
				return err
			}, data)
			e.recvOn(e.P, c, 1, 0)
			connect := func() {
				e.Code("Connect", e.Q.Connect(e.Socket(e.Q, wsa.SOCK_STREAM), e.Addr(1, 81)), 0)
			}
			inside("accept", func() error { return third(t.Accept(l)) }, connect)
			e.Listener(e.Q, 82)
			inside("connect", func() error { return t.Connect(e.Stream(), e.Addr(2, 82)) }, func() {})
			drain := func() {
				for range 1000 {
					if n, err := e.Q.Recv(s, make([]byte, 1<<20), 0); n == 0 || err != nil {
						return
					}
				}
			}
			inside("send", func() error { return second(t.Send(c, make([]byte, 16<<20), 0)) }, drain)
			e.Linger(e.P, c, 60)
			inside("closesocket", func() error { return t.CloseSocket(c) }, func() {})
			_, err := e.P.GetSockName(other)
			e.Code("the other socket is as it was", err, wsa.WSAEINVAL)
		})
		e.Notef("21 calls on another socket, inside of recv, recvfrom, select, accept, connect, send, closesocket")
	}},
	{ID: "BL-1", Title: "threads don't restrict each other", Source: "Winsock 1.1", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			t := e.old()
			c, s := e.Connected()
			second := e.P.Thread()
			e.hooked(t, func() {
				_, err := t.GetSockName(c)
				e.Code("the thread that blocks", err, wsa.WSAEINPROGRESS)
				_, err = second.GetSockName(c)
				e.Code("another thread", err, 0)
				_, err = e.P.GetSockName(c)
				e.Code("no thread", err, 0)
				e.sendFrom(e.Q, s, 1)
			})
			_, err := t.Recv(c, make([]byte, 1), 0)
			e.Code("Recv", err, 0)
			_, err = t.GetSockName(c)
			e.Code("the thread, after the call", err, 0)
		})
		e.Notef("one outstanding call per thread")
	}},
	{ID: "BL-3", Title: "when the hook runs", Source: "Winsock 1.1", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			t := e.old()
			c, s := e.Connected()
			e.sendFrom(e.Q, s, 2)
			e.Net.Sleep(time.Second)
			rounds := e.hooked(t, nil)
			_, err := t.Recv(c, make([]byte, 1), 0)
			e.Code("a recv that finishes at once", err, 0)
			_, err = t.Send(c, make([]byte, 1), 0)
			e.Code("a send that finishes at once", err, 0)
			Equal(e, "getsockopt", e.Get(e.P, c, wsa.SOL_SOCKET, wsa.SO_TYPE), wsa.SOCK_STREAM)
			e.Code("setsockopt", t.SetSockOpt(c, wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, make([]byte, 4), 4), 0)
			e.Code("bind", t.Bind(e.Stream(), e.Any(0)), 0)
			_, err = t.GetPeerName(c)
			e.Code("getpeername", err, 0)
			_, _, _, err = t.Select([]wsa.SOCKET{c}, nil, nil, 0)
			e.Code("a look of select", err, 0)
			e.recvOn(e.P, c, 1, 0)
			e.Nonblocking(e.P, c, true)
			_, err = t.Recv(c, make([]byte, 1), 0)
			e.Code("a non-blocking recv", err, wsa.WSAEWOULDBLOCK)
			Equal(e, "rounds of the hook", *rounds, 0)
		})
		e.Notef("never for calls that finish at once, or cannot block")
	}},
	{ID: "BL-4", Title: "the hook's rounds", Source: "Winsock 1.1", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			t := e.old()
			c, s := e.Connected()
			calls := map[time.Duration]int{}
			start := e.Start()
			_, err := t.SetBlockingHook(func() bool {
				at := e.Net.Now()
				calls[at-start]++
				return calls[at-start] < 3 // TRUE twice: again at once
			})
			e.Code("SetBlockingHook", err, 0)
			e.Go("send", func() {
				e.Net.Sleep(time.Second)
				e.sendFrom(e.Q, s, 1)
			})
			_, err = t.Recv(c, make([]byte, 1), 0)
			e.Code("Recv", err, 0)
			e.Check(len(calls) > 50, "%d rounds in a second", len(calls))
			for at, n := range calls {
				Equal(e, fmt.Sprintf("calls of the round at %v", at), n, 3)
			}
			before, err := t.SetBlockingHook(nil)
			e.Code("SetBlockingHook", err, 0)
			e.Check(before != nil, "SetBlockingHook returned no hook")
			before, err = t.SetBlockingHook(nil)
			e.Code("SetBlockingHook", err, 0)
			e.Check(before == nil, "there was no hook")
		})
		e.Notef("again at once after TRUE, in a new round after FALSE, until the call is complete")
	}},
	{ID: "BL-5", Title: "WSACancelBlockingCall", Source: "Winsock 1.1", Run: func(e *Env) {
		link := e.Pair()
		e.Do(func() {
			t := e.old()
			e.Code("no call blocks", t.CancelBlockingCall(), wsa.WSAEINVAL)
			c, s := e.Connected()
			l := e.Listener(e.P, 81)
			cancel := func() { e.Code("CancelBlockingCall", t.CancelBlockingCall(), 0) }
			e.hooked(t, cancel)
			_, _, err := t.Accept(l)
			e.Code("accept", err, wsa.WSAEINTR)
			Equal(e, "last error", t.GetLastError(), wsa.WSAEINTR)
			e.hooked(t, cancel)
			_, _, _, err = t.Select([]wsa.SOCKET{c}, nil, nil, -1)
			e.Code("select", err, wsa.WSAEINTR)
			e.Code("Connect", e.Q.Connect(e.Socket(e.Q, wsa.SOCK_STREAM), e.Addr(1, 81)), 0)
			_, _, err = t.Accept(l)
			e.Code("accept again", err, 0) // safe to repeat
			e.sendFrom(e.Q, s, 1)
			r, _, _, err := t.Select([]wsa.SOCKET{c}, nil, nil, -1)
			e.Code("select again", err, 0)
			Equal(e, "ready", len(r), 1)
			e.recvOn(e.P, c, 1, 0)

			e.hooked(t, cancel)
			_, err = t.Recv(c, make([]byte, 1), 0)
			e.Code("recv", err, wsa.WSAEINTR)
			e.hooked(t, cancel)
			_, err = t.Send(c, make([]byte, 16<<20), 0)
			e.Code("send", err, wsa.WSAEINTR)
			link.Partition()
			e.hooked(t, cancel)
			start := e.Start()
			e.Code("connect", t.Connect(e.Stream(), e.Addr(2, 80)), wsa.WSAEINTR)
			e.Linger(e.P, c, 60)
			e.hooked(t, cancel)
			e.Code("closesocket", t.CloseSocket(c), wsa.WSAEINTR)
			Equal(e, "time", e.Net.Now()-start, 0)
			_, err = e.P.GetSockName(c)
			e.Code("the socket is still open", err, 0) // LG-10
			e.Linger(e.P, c, 0)
			e.Code("closesocket again", t.CloseSocket(c), 0)
		})
		e.Notef("WSAEINTR; accept and select can be repeated, the lingering socket stays open")
	}},
	{ID: "LG-10", Title: "a lingering close on a thread", Source: "SPI-WSPCloseSocket", Run: func(e *Env) {
		link := e.Pair()
		e.Do(func() {
			t := e.old()
			c, s := e.Connected()
			e.send(c, 10)
			e.Linger(e.P, c, 5)
			start := e.Start()
			e.Code("drained", t.CloseSocket(c), 0)
			Equal(e, "time", (e.Net.Now() - start).Round(time.Millisecond), 2*Delay)
			e.recvOn(e.Q, s, 10, 0)
			e.recvOn(e.Q, s, 10, 0)
			Equal(e, "RST", e.Count("a", has(trace.RST)), 0)
			c, _ = e.Connected()
			e.Linger(e.P, c, 5)
			link.Partition()
			e.send(c, 10)
			start = e.Start()
			e.Code("not drained", t.CloseSocket(c), 0)
			Equal(e, "time", (e.Net.Now() - start).Round(time.Millisecond), 5*time.Second)
			Equal(e, "RST", e.Count("a", has(trace.RST)), 1)
			e.Code("again", t.CloseSocket(c), wsa.WSAENOTSOCK)
		})
		e.Notef("FIN after one round trip; RST after 5 s: as without a thread")
	}},
	{ID: "BL-6", Title: "version 2.x is not restricted", Source: "C-80", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			t := e.P.Thread()
			_, err := t.SetBlockingHook(func() bool { return false })
			e.Code("SetBlockingHook", err, wsa.WSAEOPNOTSUPP)
			Equal(e, "last error", t.GetLastError(), wsa.WSAEOPNOTSUPP)
			e.Code("CancelBlockingCall", t.CancelBlockingCall(), wsa.WSAEOPNOTSUPP)
			_, err = t.IsBlocking()
			e.Code("IsBlocking", err, wsa.WSAEOPNOTSUPP)
			e.Code("UnhookBlockingHook", t.UnhookBlockingHook(), wsa.WSAEOPNOTSUPP)
			c, s := e.Connected()
			recv := e.Go("recv", func() {
				_, err := t.Recv(c, make([]byte, 1), 0)
				e.Code("Recv", err, 0)
			})
			e.Net.Sleep(time.Second)
			_, err = t.GetSockName(c)
			e.Code("another call while one blocks", err, 0)
			e.sendFrom(e.Q, s, 1)
			recv.Wait()

			l := e.Listener(e.P, 81)
			e.Code("Connect", e.Q.Connect(e.Socket(e.Q, wsa.SOCK_STREAM), e.Addr(1, 81)), 0)
			_, _, err = t.AcceptCond(l, func(netip.AddrPort, netip.AddrPort) int32 {
				_, err := t.GetSockName(c)
				e.Code("in a condition function", err, wsa.WSAEINPROGRESS)
				return wsa.CF_ACCEPT
			})
			e.Code("AcceptCond", err, 0)
		})
		e.Notef("WSAEOPNOTSUPP for the hooks; WSAEINPROGRESS in a condition function only")
	}},
	{ID: "BL-7", Title: "setsockopt", Source: "S-SAN, C-53", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			// The SAN provider isn't this one; its rule holds where no call is
			// ever cancelled, which is Provider without threads.
			e.old()
			c, s := e.Connected()
			recv := e.Go("recv", func() { e.recvOn(e.P, c, 1, 0) })
			e.Net.Sleep(time.Second)
			e.Set(e.P, c, wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, 1)
			e.sendFrom(e.Q, s, 1)
			recv.Wait()
		})
		e.Notef("never WSAEINPROGRESS without a thread, for a client of version 1.1")
	}},
	{ID: "CA-10", Title: "inside the condition function", Source: "API-WSAAccept", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			t := e.old()
			l, other := e.Listener(e.P, 81), e.Stream()
			e.Nonblocking(e.P, other, true)
			e.Code("Connect", e.Q.Connect(e.Socket(e.Q, wsa.SOCK_STREAM), e.Addr(1, 81)), 0)
			asked := 0
			_, _, err := t.AcceptCond(l, func(netip.AddrPort, netip.AddrPort) int32 {
				asked++
				Equal(e, "calls", e.nested(t, other), allInProgress)
				_, err := e.P.Thread().Ioctl(other, wsa.FIONREAD, nil, make([]byte, 4))
				e.Code("another thread", err, 0)
				return wsa.CF_ACCEPT
			})
			e.Code("AcceptCond", err, 0)
			Equal(e, "asked", asked, 1)
			_, err = t.Ioctl(other, wsa.FIONREAD, nil, make([]byte, 4))
			e.Code("afterwards", err, 0)
		})
		e.Notef("WSAEINPROGRESS for all calls of the thread")
	}},
	{ID: "AV-16", Title: "the thread's last error", Source: "observed", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			t := e.P.Thread()
			c, s := e.Connected()
			e.resetBy(s)
			four, n := make([]byte, 4), int32(4)
			e.Code("unknown level", t.SetSockOpt(c, 1000, 1, four, 4), wsa.WSAEINVAL)
			Equal(e, "last error", t.GetLastError(), wsa.WSAEINVAL)
			_, err := t.GetSockName(c)
			e.Code("GetSockName", err, 0)
			Equal(e, "after another call that succeeds", t.GetLastError(), wsa.WSAEINVAL)
			Equal(e, "of another thread", e.P.Thread().GetLastError(), 0)
			e.Code("set", t.SetSockOpt(c, wsa.SOL_SOCKET, wsa.SO_REUSEADDR, four, 4), 0)
			Equal(e, "after a set", t.GetLastError(), 0)
			t.SetLastError(5)
			short := int32(1)
			e.Code("short", t.GetSockOpt(c, wsa.SOL_SOCKET, wsa.SO_RCVBUF, four, &short), wsa.WSAEFAULT)
			Equal(e, "after a failed get", t.GetLastError(), wsa.WSAEFAULT)
			e.Code("SO_ERROR", t.GetSockOpt(c, wsa.SOL_SOCKET, wsa.SO_ERROR, four, &n), 0)
			Equal(e, "SO_ERROR, which the failures did not touch", wsa.Errno(four[0])|wsa.Errno(four[1])<<8, wsa.WSAECONNRESET)
			Equal(e, "after a get", t.GetLastError(), 0)
		})
		e.Notef("0 after a get or set, the code of a failure, which SO_ERROR knows nothing of")
	}},
	{ID: "EO-4", Title: "SO_ERROR and the thread's last error", Source: "S-GET", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			t := e.P.Thread()
			c := e.Stream()
			e.Nonblocking(e.P, c, true)
			e.Code("Connect", t.Connect(c, e.Addr(2, 9)), wsa.WSAEWOULDBLOCK)
			e.Net.Sleep(time.Second)
			Equal(e, "last error, the attempt having failed", t.GetLastError(), wsa.WSAEWOULDBLOCK)
			t.SetLastError(5)
			four, n := make([]byte, 4), int32(4)
			e.Code("SO_ERROR", t.GetSockOpt(c, wsa.SOL_SOCKET, wsa.SO_ERROR, four, &n), 0)
			Equal(e, "SO_ERROR", wsa.Errno(four[0])|wsa.Errno(four[1])<<8, wsa.WSAECONNREFUSED)
			Equal(e, "last error", t.GetLastError(), 0)
		})
		e.Notef("neither reads nor sets the other, but for the 0 of success")
	}},
	{ID: "AV-19", Title: "the code is where the caller looks", Source: "S-GET", Run: func(e *Env) {
		e.Pair()
		t, s := e.P.Thread(), e.Stream()
		for _, level := range []int32{1000, wsa.SOL_SOCKET} {
			err := t.SetSockOpt(s, level, wsa.SO_DEBUG, nil, 0)
			e.Check(err != nil, "no error")
			Equal(e, "last error and returned code", error(t.GetLastError()), err)
		}
		e.Code("success", t.SetSockOpt(s, wsa.SOL_SOCKET, wsa.SO_DEBUG, make([]byte, 4), 4), 0)
		Equal(e, "last error", t.GetLastError(), 0)
		e.Notef("the returned error and the thread's last error are the same code")
	}},
}
