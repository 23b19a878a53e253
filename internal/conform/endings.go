package conform

import (
	"fmt"
	"time"

	"github.com/wsstack/wsstack/internal/trace"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wsa"
)

func init() {
	eoScenarios = append(eoScenarios, moreErrors...)
	ctScenarios = append(ctScenarios, measuredConnectTime...)
	ndScenarios = append(ndScenarios, downUnderLoad...)
}

// soError reads SO_ERROR.
func (e *Env) soError(s wsa.SOCKET) wsa.Errno {
	return wsa.Errno(e.Get(e.P, s, wsa.SOL_SOCKET, wsa.SO_ERROR))
}

// connecting is a non-blocking socket of A with a connect in progress.
func (e *Env) connecting(number int, port uint16, failOnICMP uint32) wsa.SOCKET {
	s := e.Stream()
	e.Set(e.P, s, wsa.IPPROTO_TCP, wsa.TCP_FAIL_CONNECT_ON_ICMP_ERROR, failOnICMP)
	e.Nonblocking(e.P, s, true)
	e.Code("Connect", e.P.Connect(s, e.Addr(number, port)), wsa.WSAEWOULDBLOCK)
	return s
}

var moreErrors = []Scenario{
	{ID: "EO-2", Title: "every asynchronous failure", Source: "S-GET, W-ERR", Run: func(e *Env) {
		w := e.Wire()
		e.Do(func() {
			check := func(what string, s wsa.SOCKET, want wsa.Errno) {
				Equal(e, what, e.soError(s), want)
				Equal(e, what+", again", e.soError(s), 0)
			}
			s := e.connecting(9, 1000, 0)
			e.Net.Sleep(21*time.Second - time.Millisecond)
			Equal(e, "while the connect is pending", e.soError(s), 0)
			e.Net.Sleep(2 * time.Millisecond)
			check("a connect that nobody answered", s, wsa.WSAETIMEDOUT)

			w.Discard()
			s = e.connecting(9, 1001, 1)
			e.Net.Sleep(time.Millisecond)
			syn, err := w.Receive(time.Second)
			e.Check(err == nil, "no SYN: %v", err)
			w.Inject(e.unreachable(syn.Data, 1))
			e.Net.Sleep(time.Millisecond)
			check("host unreachable", s, wsa.WSAEHOSTUNREACH)

			p := w.Listen(1002)
			s = e.connecting(9, 1002, 0)
			p.Accept("mss 1000")
			e.Code("Shutdown", e.P.Shutdown(s, wsa.SD_RECEIVE), 0)
			p.Send("[P.] seq 1:6 ack 1")
			e.Net.Sleep(time.Millisecond)
			check("our own RST", s, wsa.WSAECONNABORTED)

			p = w.Listen(1003)
			s = e.connecting(9, 1003, 0)
			p.Accept("mss 1000")
			e.keepAlive(s, time.Second, time.Second, 1)
			e.Net.Sleep(2*time.Second - time.Millisecond)
			Equal(e, "1 ms before the drop", e.soError(s), 0)
			e.Net.Sleep(2 * time.Millisecond)
			check("a drop", s, wsa.WSAENETRESET)

			p = w.Listen(1004)
			s = e.connecting(9, 1004, 0)
			p.Accept("mss 1000")
			e.send(s, 1)
			p.Send("[R.] seq 1 ack 2")
			e.Net.Sleep(time.Millisecond)
			check("a RST", s, wsa.WSAECONNRESET)
		})
		e.Notef("WSAETIMEDOUT, WSAEHOSTUNREACH, WSAECONNABORTED, WSAENETRESET and WSAECONNRESET, each once")
	}},
	{ID: "EO-2", Title: "an ICMP error on a datagram socket", Source: "S-GET, API-recvfrom", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			for _, byRecv := range []bool{false, true} {
				u := e.Datagram()
				e.Code("Connect", e.P.Connect(u, e.Addr(2, 9)), 0)
				_, err := e.P.Send(u, []byte("x"), 0)
				e.Code("Send", err, 0)
				e.Net.Sleep(time.Second)
				e.Nonblocking(e.P, u, true)
				if byRecv {
					_, err = e.P.Recv(u, make([]byte, 1), 0)
					e.Code("Recv", err, wsa.WSAECONNRESET)
				} else {
					Equal(e, "SO_ERROR", e.soError(u), wsa.WSAECONNRESET)
				}
				Equal(e, "SO_ERROR after it was taken", e.soError(u), 0)
				_, err = e.P.Recv(u, make([]byte, 1), 0)
				e.Code("Recv after it was taken", err, wsa.WSAEWOULDBLOCK)
			}
		})
		e.Notef("WSAECONNRESET once, to SO_ERROR or to recv, whoever is first (EO-9)")
	}},
	{ID: "EO-4", Title: "the value and the outcome of the call", Source: "S-GET", Run: func(e *Env) {
		e.refused(func(s wsa.SOCKET) {
			// The code of a failed call is what the call returns, never SO_ERROR.
			e.Code("a failing call", set(e.P, s, wsa.SOL_SOCKET, 0x7777, 1), wsa.WSAENOPROTOOPT)
			_, err := e.P.Recv(s, make([]byte, 1), 0)
			e.Code("another one", err, wsa.WSAENOTCONN)
			v, err := get(e.P, s, wsa.SOL_SOCKET, wsa.SO_ERROR)
			e.Code("the get itself", err, 0)
			Equal(e, "SO_ERROR", wsa.Errno(v), wsa.WSAECONNREFUSED)
			v, err = get(e.P, s, wsa.SOL_SOCKET, wsa.SO_ERROR)
			e.Code("the second get", err, 0)
			Equal(e, "SO_ERROR", v, 0)
		})
		e.Notef("the get succeeds with WSAECONNREFUSED as its value; codes of other calls are not in it")
	}},
	{ID: "EO-5", Title: "data, and a connection that works", Source: "S-GET, C-02", Profiles: []options.Profile{options.Documented, options.Windows, options.Legacy}, Run: func(e *Env) {
		e.refused(func(s wsa.SOCKET) {
			l := e.Listener(e.Q, 80)
			if e.Profile != options.Documented {
				for range 3 {
					Equal(e, "SO_ERROR, which a get keeps", e.soError(s), wsa.WSAECONNREFUSED)
				}
			}
			e.Code("Connect", e.P.Connect(s, e.Addr(2, 80)), wsa.WSAEWOULDBLOCK)
			peer, _, err := e.Q.Accept(l)
			e.Code("Accept", err, 0)
			_, err = e.Q.Send(peer, []byte("x"), 0)
			e.Code("Send", err, 0)
			e.Net.Sleep(time.Second)
			_, err = e.P.Recv(s, make([]byte, 1), 0)
			e.Code("Recv", err, 0)
			Equal(e, "SO_ERROR", e.soError(s), byProfile(e, wsa.WSAECONNREFUSED, 0))
			e.resetBy(peer)
			Equal(e, "SO_ERROR after a RST", e.soError(s), byProfile(e, wsa.WSAECONNRESET, 0))
		})
		e.Notef("documented: the error stays until it is read, and a RST sets it; as measured: until a connect succeeds, and a RST doesn't")
	}},
	{ID: "EO-9", Title: "fatal errors of every kind", Source: "S-GET", Run: func(e *Env) {
		link := e.Pair()
		e.Do(func() {
			c, _ := e.Connected()
			e.Net.Sleep(time.Second)
			link.Partition()
			e.send(c, 1)
			e.Net.Sleep(time.Hour)
			Equal(e, "SO_ERROR", e.soError(c), wsa.WSAECONNABORTED)
			for range 2 {
				_, err := e.P.Recv(c, make([]byte, 1), 0)
				e.Code("Recv", err, wsa.WSAECONNABORTED)
				_, err = e.P.Send(c, []byte("x"), 0)
				e.Code("Send", err, wsa.WSAECONNABORTED)
				Equal(e, "SO_ERROR", e.soError(c), 0)
			}
		})
		e.Notef("recv and send go on with WSAECONNABORTED, SO_ERROR doesn't come back")
	}},
}

var measuredConnectTime = []Scenario{
	{ID: "CT-2", Title: "as measured", Source: "OBS, C-01", Profiles: []options.Profile{options.Windows, options.Legacy}, Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			c, s := e.Connected()
			for what, sock := range map[string]wsa.SOCKET{"fresh": e.Stream(), "listening": e.Listener(e.P, 81), "connecting": e.connecting(2, 9, 0)} {
				Equal(e, what, e.Get(e.P, sock, wsa.SOL_SOCKET, wsa.SO_CONNECT_TIME), 0xFFFFFFFF)
			}
			e.Net.Sleep(3 * time.Second)
			Equal(e, "connected", e.Get(e.P, c, wsa.SOL_SOCKET, wsa.SO_CONNECT_TIME), 3)
			e.resetBy(s)
			Equal(e, "reset", e.Get(e.P, c, wsa.SOL_SOCKET, wsa.SO_CONNECT_TIME), 0xFFFFFFFF)
		})
		e.Notef("success with 0xFFFFFFFF")
	}},
	{ID: "CT-5", Title: "closed and dropped", Source: "S-API", Run: func(e *Env) {
		link := e.Pair()
		gone := func(what string, s wsa.SOCKET) {
			b, n := []byte{1, 2, 3, 4}, int32(4)
			err := e.P.GetSockOpt(s, wsa.SOL_SOCKET, wsa.SO_CONNECT_TIME, b, &n)
			e.Code(what, err, wsa.WSAENOTCONN)
			Equal(e, what+": optval and *optlen", fmt.Sprint(b, n), "[255 255 255 255] 4")
		}
		e.Do(func() {
			c, s := e.Connected()
			e.Code("Shutdown", e.P.Shutdown(c, wsa.SD_SEND), 0)
			e.Net.Sleep(2500 * time.Millisecond)
			Equal(e, "half-closed", e.Get(e.P, c, wsa.SOL_SOCKET, wsa.SO_CONNECT_TIME), 2)
			e.Code("Shutdown", e.Q.Shutdown(s, wsa.SD_SEND), 0)
			e.Net.Sleep(5 * time.Minute) // TIME-WAIT is over
			gone("closed by both sides", c)
			c, _ = e.Connected()
			e.Net.Sleep(time.Second)
			link.Partition()
			e.keepAlive(c, time.Second, time.Second, 1)
			e.Net.Sleep(2*time.Second - time.Millisecond)
			Equal(e, "1 ms before the drop", e.Get(e.P, c, wsa.SOL_SOCKET, wsa.SO_CONNECT_TIME), 3)
			e.Net.Sleep(2 * time.Millisecond)
			gone("dropped", c)
		})
		e.Notef("counts while half-closed; WSAENOTCONN and 0xFFFFFFFF when both have closed, and after a drop")
	}},
	{ID: "CT-6", Title: "datagram sockets as measured", Source: "OBS, C-01", Profiles: []options.Profile{options.Windows, options.Legacy}, Run: func(e *Env) {
		e.Pair()
		u := e.Datagram()
		e.Code("Connect", e.P.Connect(u, e.Addr(2, 9)), 0)
		Equal(e, "connected", e.Get(e.P, u, wsa.SOL_SOCKET, wsa.SO_CONNECT_TIME), 0xFFFFFFFF)
		e.Notef("0xFFFFFFFF, connected or not")
	}},
}

var downUnderLoad = []Scenario{
	{ID: "ND-2", Title: "calls of every kind", Source: "W-ERR", Run: func(e *Env) {
		w := e.Wire()
		e.Do(func() {
			stuck := func(port uint16) wsa.SOCKET { // its window is closed
				p, s := w.Listen(port), e.Stream()
				done := e.Go("connect", func() { e.Code("Connect", e.P.Connect(s, e.Addr(9, port)), 0) })
				p.Expect("[S]")
				p.Send("[S.] win 0 <mss 1000>")
				p.Expect("[.] seq 1 ack 1")
				done.Wait()
				return s
			}
			recv, send, linger, all := stuck(80), stuck(81), stuck(82), stuck(83)
			e.send(linger, 10)
			e.Linger(e.P, linger, 3600)
			listener, datagram, lonely := e.Listener(e.P, 90), e.Datagram(), e.Stream()
			e.Code("Bind", e.P.Bind(datagram, e.Any(91)), 0)
			all100 := []wsa.SOCKET{recv, listener, datagram}
			calls := map[string]func() error{
				"recv":             func() error { return noCount(e.P.Recv(recv, make([]byte, 1), 0)) },
				"recv MSG_WAITALL": func() error { return noCount(e.P.Recv(all, make([]byte, 9), wsa.MSG_WAITALL)) },
				"send":             func() error { return noCount(e.P.Send(send, make([]byte, 64<<20), 0)) },
				"accept": func() error {
					_, _, err := e.P.Accept(listener)
					return err
				},
				"connect": func() error { return e.P.Connect(lonely, e.Addr(9, 99)) },
				"recvfrom": func() error {
					_, _, err := e.P.RecvFrom(datagram, make([]byte, 1), 0)
					return err
				},
			}
			var tasks []*simnet.Task
			at := time.Duration(0)
			for name, call := range calls {
				for range 10 {
					if name == "connect" && len(tasks) > 0 && at != 0 {
						continue
					}
					tasks = append(tasks, e.Go(name, func() {
						e.Code(name, call(), wsa.WSAENETDOWN)
						Equal(e, name+": the time", e.Net.Now(), at)
					}))
					if name == "connect" {
						break
					}
				}
			}
			tasks = append(tasks, e.Go("closesocket", func() { e.Code("CloseSocket, lingering", e.P.CloseSocket(linger), 0) }))
			tasks = append(tasks, e.Go("select", func() {
				r, w, x, err := e.P.Select(all100, []wsa.SOCKET{listener}, all100, -1)
				e.Code("Select", err, 0)
				Equal(e, "ready", fmt.Sprint(len(r), len(w), len(x)), "3 1 3")
			}))
			e.Net.Sleep(5 * time.Second)
			at = e.Net.Now()
			e.Check(e.A.Close() == nil, "Close failed")
			for _, t := range tasks {
				t.Wait()
			}
			for _, s := range []wsa.SOCKET{recv, send, all, listener, datagram, lonely} {
				_, err := e.P.Recv(s, make([]byte, 1), 0)
				e.Code("a later Recv", err, wsa.WSAENETDOWN)
				_, err = get(e.P, s, wsa.SOL_SOCKET, wsa.SO_ERROR)
				e.Code("a later get", err, wsa.WSAENETDOWN)
				e.Code("CloseSocket", e.P.CloseSocket(s), 0)
			}
		})
		e.Notef("recv, send, accept, connect and recvfrom end with WSAENETDOWN, closesocket with 0, select ready; all at once")
	}},
	{ID: "ND-3", Title: "the carrier is lost", Source: "W-ERR 10050, 10051", Run: func(e *Env) {
		e.Config = func(c *stack.Config) { c.Routes = []stack.Route{} } // on link only
		link := e.Pair()
		e.Do(func() {
			c, s := e.Connected()
			e.Net.Sleep(time.Second)
			link.Partition()
			e.send(c, 100)
			sent := e.Net.Now()
			e.Net.Sleep(5 * time.Second)
			e.Check(len(e.times("a", sent, data)) > len("0.000 0.000"), "no retransmissions")
			Equal(e, "SO_ERROR", e.soError(c), 0)
			u := e.Datagram()
			elsewhere := addrOf("192.0.2.1:9")
			if e.Family == wsa.AF_INET6 {
				elsewhere = addrOf("[2001:db8::1]:9")
			}
			_, err := e.P.SendTo(u, []byte("x"), 0, elsewhere)
			e.Code("SendTo without a route", err, wsa.WSAENETUNREACH)
			e.Code("Connect without a route", e.P.Connect(e.Stream(), elsewhere), wsa.WSAENETUNREACH)
			_, err = e.P.SendTo(u, []byte("x"), 0, e.Addr(2, 9))
			e.Code("SendTo on link", err, 0)
			link.Heal()
			n, err := e.Q.Recv(s, make([]byte, 200), 0)
			e.Code("the peer's Recv", err, 0)
			Equal(e, "bytes", n, 100)
		})
		e.Notef("TCP retransmits until the carrier is back; WSAENETUNREACH without a route; nothing is WSAENETDOWN")
	}},
	{ID: "ND-3", Title: "the address is removed", Source: "W-ERR 10053", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			c, s := e.Connected()
			pending := e.Go("recv", func() {
				_, err := e.P.Recv(c, make([]byte, 1), 0)
				e.Code("the pending Recv", err, wsa.WSAECONNABORTED)
			})
			idle := e.Datagram()
			e.Code("Bind", e.P.Bind(idle, e.Any(91)), 0)
			loop := e.Listener(e.P, 92)
			e.Net.Sleep(time.Second)
			err := e.A.RemoveAddress(e.Addr(1, 0).Addr())
			e.Check(err == nil, "RemoveAddress: %v", err)
			pending.Wait()
			_, err = e.P.Send(c, []byte("x"), 0)
			e.Code("Send", err, wsa.WSAECONNABORTED)
			Equal(e, "SO_ERROR", e.soError(c), wsa.WSAECONNABORTED)
			e.Code("Bind to it", e.P.Bind(e.Stream(), e.Addr(1, 700)), wsa.WSAEADDRNOTAVAIL)
			e.Code("Listen goes on", e.P.Listen(loop, 5), 0)
			Equal(e, "segments after it", e.Count("a", has(trace.RST)), 0)
			err = e.A.RemoveAddress(e.Addr(1, 0).Addr())
			e.Check(err != nil, "a second RemoveAddress succeeds")
			_, err = e.Q.Send(s, []byte("x"), 0)
			e.Code("the peer's Send", err, 0)
			e.Net.Sleep(time.Second)
			_, err = e.P.GetSockName(idle)
			e.Code("GetSockName", err, 0)
		})
		e.Notef("WSAECONNABORTED for the pending recv and later calls; sockets on the wildcard stay; the address can't be bound")
	}},
}
