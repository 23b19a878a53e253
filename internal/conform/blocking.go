package conform

import (
	"fmt"
	"net/netip"
	"time"

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
func (e *Env) nested(t *provider.Thread, other handle) string {
	four, n := make([]byte, 4), int32(4)
	set := []wsa.SOCKET{other.s}
	outcomes := map[error]int{}
	for _, err := range []error{
		second(t.Recv(other.s, four, 0)), second(t.Send(other.s, four, 0)), second(t.SendTo(other.s, four, 0, e.Addr(2, 7))),
		third(t.RecvFrom(other.s, four, 0)), third(t.Accept(other.s)), t.Connect(other.s, e.Addr(2, 80)), t.CloseSocket(other.s),
		t.Bind(other.s, e.Any(0)), t.Listen(other.s, 1), t.Shutdown(other.s, 0), second(t.GetPeerName(other.s)), second(t.GetSockName(other.s)),
		t.SetSockOpt(other.s, wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, four, 4), t.GetSockOpt(other.s, wsa.SOL_SOCKET, wsa.SO_ERROR, four, &n),
		second(t.Ioctl(other.s, wsa.FIONREAD, nil, four)), second(t.Socket(e.Family, wsa.SOCK_STREAM, 0)),
		selected(t, set), t.EventSelect(other.s, nil, 0), second(t.EnumNetworkEvents(other.s, nil)),
		t.CloseSocket(bogus), second(t.SetBlockingHook(nil)),
	} {
		outcomes[err]++
	}
	return fmt.Sprint(outcomes)
}

// selected is select of a thread, for its code.
func selected(t *provider.Thread, set []wsa.SOCKET) error {
	_, _, _, err := t.Select(set, nil, nil, 0)
	return err
}

// allInProgress is the answer of nested inside of a blocking call.
var allInProgress = fmt.Sprint(map[error]int{error(wsa.WSAEINPROGRESS): 21})

// blockingScenarios are BL-1 to BL-7: of a thread of Winsock 1.1, one call blocks at a time.
var blockingScenarios = []Scenario{
	{ID: "BL-1", Title: "threads don't restrict each other", Source: "Winsock 1.1", Run: func(e *Env) {
		e.paired(func() {
			t := e.old()
			c, s := e.connection()
			second := e.P.Thread()
			e.hooked(t, func() {
				c.on(t).as("the thread that blocks").sockName(wsa.WSAEINPROGRESS)
				c.on(second).as("another thread").sockName()
				c.as("no thread").sockName()
				s.send(1)
			})
			c.on(t).recv(1)
			c.on(t).as("the thread, after the call").sockName()
		})
		e.Notef("one outstanding call per thread")
	}},
	{ID: "BL-2", Title: "WSAEINPROGRESS while a call blocks", Source: "Winsock 1.1", Run: func(e *Env) {
		e.paired(func() {
			t := e.old()
			other := e.stream()
			other.nonblocking(true)
			c, s := e.connection()
			l := e.listener(e.P, 81)
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
			data := func() { s.send(1) }
			inside("recv", func() error { return second(t.Recv(c.s, make([]byte, 1), 0)) }, data)
			inside("recvfrom", func() error { return third(t.RecvFrom(c.s, make([]byte, 1), 0)) }, data)
			inside("select", func() error {
				_, _, _, err := t.Select([]wsa.SOCKET{c.s}, nil, nil, -1)
				return err
			}, data)
			c.recv(1)
			connect := func() {
				e.peerStream().connect(e.Addr(1, 81))
			}
			inside("accept", func() error { return third(t.Accept(l.s)) }, connect)
			e.listener(e.Q, 82)
			inside("connect", func() error { return t.Connect(e.stream().s, e.Addr(2, 82)) }, func() {})
			drain := func() {
				for range 1000 {
					if n, err := e.Q.Recv(s.s, make([]byte, 1<<20), 0); n == 0 || err != nil {
						return
					}
				}
			}
			c.fill()
			inside("send", func() error { return second(t.Send(c.s, make([]byte, 16<<20), 0)) }, drain)
			c.linger(60)
			inside("closesocket", func() error { return t.CloseSocket(c.s) }, func() {})
			other.as("the other socket is as it was").sockName(wsa.WSAEINVAL)
		})
		e.Notef("21 calls on another socket, inside of recv, recvfrom, select, accept, connect, send, closesocket")
	}},
	{ID: "BL-3", Title: "when the hook runs", Source: "Winsock 1.1", Run: func(e *Env) {
		e.paired(func() {
			t := e.old()
			c, s := e.connection()
			s.send(2)
			e.Net.Sleep(time.Second)
			rounds := e.hooked(t, nil)
			c.on(t).as("a recv that finishes at once").recv(1)
			c.on(t).as("a send that finishes at once").send(1)
			Equal(e, "getsockopt", c.get(wsa.SOL_SOCKET, wsa.SO_TYPE), wsa.SOCK_STREAM)
			c.on(t).as("setsockopt").setBytes(wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, make([]byte, 4), 4)
			e.stream().on(t).as("bind").bind(e.Any(0))
			c.on(t).as("getpeername").peerName()
			c.on(t).as("a look of select").ready("r", 0)
			c.recv(1)
			c.nonblocking(true)
			c.on(t).as("a non-blocking recv").recv(1, wsa.WSAEWOULDBLOCK)
			Equal(e, "rounds of the hook", *rounds, 0)
		})
		e.Notef("never for calls that finish at once, or cannot block")
	}},
	{ID: "BL-4", Title: "the hook's rounds", Source: "Winsock 1.1", Run: func(e *Env) {
		e.paired(func() {
			t := e.old()
			c, s := e.connection()
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
				s.send(1)
			})
			c.on(t).recv(1)
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
			c, s := e.connection()
			l := e.listener(e.P, 81)
			cancel := func() { e.Code("CancelBlockingCall", t.CancelBlockingCall(), 0) }
			e.hooked(t, cancel)
			l.on(t).as("accept").accept(wsa.WSAEINTR)
			Equal(e, "last error", t.GetLastError(), wsa.WSAEINTR)
			e.hooked(t, cancel)
			c.on(t).as("select").ready("r", -1, wsa.WSAEINTR)
			e.peerStream().connect(e.Addr(1, 81))
			l.on(t).as("accept again").accept() // safe to repeat
			s.send(1)
			Equal(e, "ready", c.on(t).as("select again").ready("r", -1), "r")
			c.recv(1)

			e.hooked(t, cancel)
			c.on(t).as("recv").recv(1, wsa.WSAEINTR)
			c.fill()
			e.hooked(t, cancel)
			c.on(t).as("send").send(16<<20, wsa.WSAEINTR)
			link.Partition()
			e.hooked(t, cancel)
			start := e.Start()
			e.stream().on(t).as("connect").connect(e.Addr(2, 80), wsa.WSAEINTR)
			c.linger(60)
			e.hooked(t, cancel)
			c.on(t).as("closesocket").close(wsa.WSAEINTR)
			Equal(e, "time", e.Net.Now()-start, 0)
			c.as("the socket is still open").sockName() // LG-10
			c.linger(0)
			c.on(t).as("closesocket again").close()
		})
		e.Notef("WSAEINTR; accept and select can be repeated, the lingering socket stays open")
	}},
	{ID: "BL-6", Title: "version 2.x is not restricted", Source: "C-80", Run: func(e *Env) {
		e.paired(func() {
			t := e.P.Thread()
			_, err := t.SetBlockingHook(func() bool { return false })
			e.Code("SetBlockingHook", err, wsa.WSAEOPNOTSUPP)
			Equal(e, "last error", t.GetLastError(), wsa.WSAEOPNOTSUPP)
			e.Code("CancelBlockingCall", t.CancelBlockingCall(), wsa.WSAEOPNOTSUPP)
			_, err = t.IsBlocking()
			e.Code("IsBlocking", err, wsa.WSAEOPNOTSUPP)
			e.Code("UnhookBlockingHook", t.UnhookBlockingHook(), wsa.WSAEOPNOTSUPP)
			c, s := e.connection()
			recv := e.Go("recv", func() { c.on(t).recv(1) })
			e.Net.Sleep(time.Second)
			c.on(t).as("another call while one blocks").sockName()
			s.send(1)
			recv.Wait()

			l := e.listener(e.P, 81)
			e.peerStream().connect(e.Addr(1, 81))
			_, _, err = t.AcceptCond(l.s, func(netip.AddrPort, netip.AddrPort) int32 {
				c.on(t).as("in a condition function").sockName(wsa.WSAEINPROGRESS)
				return wsa.CF_ACCEPT
			})
			e.Code("AcceptCond", err, 0)
		})
		e.Notef("WSAEOPNOTSUPP for the hooks; WSAEINPROGRESS in a condition function only")
	}},
	{ID: "BL-7", Title: "setsockopt", Source: "S-SAN, C-53", Run: func(e *Env) {
		e.paired(func() {
			// The SAN provider isn't this one; its rule holds where no call is
			// ever cancelled, which is Provider without threads.
			e.old()
			c, s := e.connection()
			recv := e.Go("recv", func() { c.recv(1) })
			e.Net.Sleep(time.Second)
			c.set(wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, 1)
			s.send(1)
			recv.Wait()
		})
		e.Notef("never WSAEINPROGRESS without a thread, for a client of version 1.1")
	}},
}
