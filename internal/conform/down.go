package conform

import (
	"fmt"
	"time"

	"github.com/wsstack/wsstack/internal/trace"
	"github.com/wsstack/wsstack/provider"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wsa"
)

// downScenarios are ND-1 to ND-4: a stack that goes down.
var downScenarios = []Scenario{
	{ID: "ND-1", Title: "every call but closesocket", Source: "W-ERR", Run: func(e *Env) {
		e.connected(func(c, _ handle) {
			u := e.datagram()
			e.Check(e.A.Close() == nil, "Close failed")
			for _, s := range []handle{c, u, c.with(bogus)} {
				s.recv(1, wsa.WSAENETDOWN)
				s.sayTo(e.Addr(2, 9), "x", wsa.WSAENETDOWN)
				s.bind(e.Any(0), wsa.WSAENETDOWN)
				s.connect(e.Addr(2, 80), wsa.WSAENETDOWN)
				s.listen(1, wsa.WSAENETDOWN)
				s.accept(wsa.WSAENETDOWN)
				s.as("SetSockOpt NULL").setBytes(1000, 1, nil, 0, wsa.WSAENETDOWN)
				s.sockName(wsa.WSAENETDOWN)
				s.peerName(wsa.WSAENETDOWN)
				s.ioctl(wsa.FIONREAD, nil, make([]byte, 4), wsa.WSAENETDOWN)
			}
			c.close()
			u.close()
		})
		e.Notef("WSAENETDOWN for ten calls, bad handles included; closesocket 0")
	}},
	{ID: "ND-2", Title: "overlapped operations when the stack goes down", Source: "W-ERR", Run: func(e *Env) {
		e.connected(func(c, _ handle) {
			o := c.recvAsync(make([]byte, 1))
			e.Check(e.A.Close() == nil, "Close failed")
			Equal(e, "outcome", e.outcome(o), "0 WSAENETDOWN")
			c.as("RecvAsync later").recvAsync(make([]byte, 1), wsa.WSAENETDOWN)
		})
		e.Notef("WSAENETDOWN")
	}},
	{ID: "ND-2", Title: "events, select and poll when the stack goes down", Source: "W-ERR", Run: func(e *Env) {
		e.connected(func(c, _ handle) {
			w := c.watch(wsa.FD_READ | wsa.FD_CLOSE | wsa.FD_OOB)
			waits := []*simnet.Task{
				e.Go("select", func() { Equal(e, "ready", c.ready("rx", -1), "rx") }),
				e.Go("poll", func() { e.poll(e.P, []provider.PollFD{{Socket: c.s, Events: wsa.POLLRDNORM}}, -1, wsa.WSAENETDOWN) }),
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
			n := c.enumEvents(w.ev, wsa.WSAENETDOWN)
			Equal(e, "events", eventsText(n), "READ 10050, OOB 10050, CLOSE 10050")
		})
		e.Notef("the selected events fire with WSAENETDOWN")
	}},
	{ID: "ND-2", Title: "calls blocked when the stack goes down", Source: "W-ERR", Run: func(e *Env) {
		e.connected(func(c, _ handle) {
			blocked := e.Go("recv", func() { c.as("the blocked Recv").recv(1, wsa.WSAENETDOWN) })
			e.Net.Sleep(time.Second)
			e.Check(e.A.Close() == nil, "Close failed")
			blocked.Wait()
			c.say("x", wsa.WSAENETDOWN)
			e.open(e.P, e.Family, wsa.SOCK_STREAM, 0, wsa.WSAENETDOWN)
			e.noSocket().as("a bad handle").shutdown(0, wsa.WSAENETDOWN)
			c.close()
		})
		e.Notef("WSAENETDOWN for the blocked and every later call; closesocket succeeds")
	}},
	{ID: "ND-2", Title: "DisconnectEx when the stack goes down", Source: "W-ERR", Run: func(e *Env) {
		e.connected(func(c, _ handle) {
			d, _ := e.connection()
			o := c.disconnected(wsa.TF_REUSE_SOCKET)
			blocked := e.Go("disconnect", func() { d.disconnect(wsa.TF_REUSE_SOCKET, 0, wsa.WSAENETDOWN) })
			e.Net.Sleep(time.Second)
			e.Check(e.A.Close() == nil, "Close failed")
			Equal(e, "outcome", e.outcome(o), "0 WSAENETDOWN")
			blocked.Wait()
			c.as("later").disconnectEx(0, 0, wsa.WSAENETDOWN)
		})
		e.Notef("WSAENETDOWN")
	}},
	{ID: "ND-2", Title: "TransmitFile when the stack goes down", Source: "W-ERR", Run: func(e *Env) {
		w := e.Wire()
		e.Do(func() {
			s, _ := e.stuckAt(w, 80)
			s.sndbuf(2000)
			o := s.transmitFileAsync(alphabet(5000), nil, 0)
			blocked := e.Go("TransmitFile", func() { s.transmitFile(alphabet(5000), nil, 0, wsa.WSAENETDOWN) })
			e.Net.Sleep(time.Second)
			e.Check(e.A.Close() == nil, "Close failed")
			Equal(e, "outcome", e.outcome(o), "0 WSAENETDOWN")
			blocked.Wait()
			s.as("later").transmitPacketsAsync(nil, 0, 0, wsa.WSAENETDOWN)
		})
		e.Notef("WSAENETDOWN")
	}},
	{ID: "ND-2", Title: "calls of every kind", Source: "W-ERR", Run: func(e *Env) {
		e.wired(func(w *simnet.Wire) {
			stuck := func(port uint16) handle { // its window is closed
				p, s := w.Listen(port), e.stream()
				s.meetsWith(p, "[S.] win 0 <mss 1000>")
				return s
			}
			recv, send, linger, all := stuck(80), stuck(81), stuck(82), stuck(83)
			send.fill()
			linger.send(10)
			linger.linger(3600)
			listener, datagram, lonely := e.listener(e.P, 90), e.datagram(), e.stream()
			datagram.bind(e.Any(91))
			all100 := []handle{recv, listener, datagram}
			calls := map[string]func() error{
				"recv":             func() error { return noCount(e.P.Recv(recv.s, make([]byte, 1), 0)) },
				"recv MSG_WAITALL": func() error { return noCount(e.P.Recv(all.s, make([]byte, 9), wsa.MSG_WAITALL)) },
				"send":             func() error { return noCount(e.P.Send(send.s, make([]byte, 64<<20), 0)) },
				"accept": func() error {
					_, _, err := e.P.Accept(listener.s)
					return err
				},
				"connect": func() error { return e.P.Connect(lonely.s, e.Addr(9, 99)) },
				"recvfrom": func() error {
					_, _, err := e.P.RecvFrom(datagram.s, make([]byte, 1), 0)
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
			tasks = append(tasks, e.Go("closesocket", func() { linger.as("CloseSocket, lingering").close() }))
			tasks = append(tasks, e.Go("select", func() {
				r, w, x := e.Select(e.P, all100, []handle{listener}, all100, -1)
				Equal(e, "ready", fmt.Sprint(len(r), len(w), len(x)), "3 1 3")
			}))
			e.Net.Sleep(5 * time.Second)
			at = e.Net.Now()
			e.Check(e.A.Close() == nil, "Close failed")
			for _, t := range tasks {
				t.Wait()
			}
			for _, s := range []handle{recv, send, all, listener, datagram, lonely} {
				s.as("a later Recv").recv(1, wsa.WSAENETDOWN)
				s.as("a later get").get(wsa.SOL_SOCKET, wsa.SO_ERROR, wsa.WSAENETDOWN)
				s.close()
			}
		})
		e.Notef("recv, send, accept, connect and recvfrom end with WSAENETDOWN, closesocket with 0, select ready; all at once")
	}},
	{ID: "ND-3", Title: "the carrier is lost", Source: "W-ERR 10050, 10051", Run: func(e *Env) {
		e.Config = func(c *stack.Config) { c.Routes = []stack.Route{} } // on link only
		link := e.Pair()
		e.Do(func() {
			c, s := e.connection()
			e.Net.Sleep(time.Second)
			link.Partition()
			c.send(100)
			sent := e.Net.Now()
			e.Net.Sleep(5 * time.Second)
			e.Check(len(e.times("a", sent, data)) > len("0.000 0.000"), "no retransmissions")
			Equal(e, "SO_ERROR", c.soError(), 0)
			u := e.datagram()
			elsewhere := addrOf("192.0.2.1:9")
			if e.Family == wsa.AF_INET6 {
				elsewhere = addrOf("[2001:db8::1]:9")
			}
			u.as("SendTo without a route").sayTo(elsewhere, "x", wsa.WSAENETUNREACH)
			e.stream().as("Connect without a route").connect(elsewhere, wsa.WSAENETUNREACH)
			u.as("SendTo on link").sayTo(e.Addr(2, 9), "x")
			link.Heal()
			Equal(e, "bytes", len(s.recv(200)), 100)
		})
		e.Notef("TCP retransmits until the carrier is back; WSAENETUNREACH without a route; nothing is WSAENETDOWN")
	}},
	{ID: "ND-3", Title: "the address is removed", Source: "W-ERR 10053", Profiles: documentedOnly,
		Why: "C-02: in Windows SO_ERROR holds failures of connect only (EO-5, WC-2)", Run: func(e *Env) {
			e.connected(func(c, s handle) {
				pending := e.Go("recv", func() { c.as("the pending Recv").recv(1, wsa.WSAECONNABORTED) })
				idle := e.datagram()
				idle.bind(e.Any(91))
				loop := e.listener(e.P, 92)
				e.Net.Sleep(time.Second)
				err := e.A.RemoveAddress(e.Addr(1, 0).Addr())
				e.Check(err == nil, "RemoveAddress: %v", err)
				pending.Wait()
				c.say("x", wsa.WSAECONNABORTED)
				Equal(e, "SO_ERROR", c.soError(), wsa.WSAECONNABORTED)
				e.stream().as("Bind to it").bind(e.Addr(1, 700), wsa.WSAEADDRNOTAVAIL)
				loop.as("Listen goes on").listen(5)
				Equal(e, "segments after it", e.Count("a", has(trace.RST)), 0)
				err = e.A.RemoveAddress(e.Addr(1, 0).Addr())
				e.Check(err != nil, "a second RemoveAddress succeeds")
				s.say("x")
				e.Net.Sleep(time.Second)
				idle.sockName()
			})
			e.Notef("WSAECONNABORTED for the pending recv and later calls; sockets on the wildcard stay; the address can't be bound")
		}},
	{ID: "ND-4", Title: "options of a network that is down", Source: "W-ERR", Once: true, Run: func(e *Env) {
		e.Pair()
		s := e.stream()
		e.Check(e.A.Close() == nil, "Close failed")
		buf, n := []byte{1, 2, 3, 4}, int32(4)
		s.getBytes(wsa.SOL_SOCKET, wsa.SO_TYPE, buf, &n, wsa.WSAENETDOWN)
		Equal(e, "optval and *optlen", fmt.Sprint(buf, n), "[1 2 3 4] 4")
		s.set(wsa.SOL_SOCKET, wsa.SO_DEBUG, 1, wsa.WSAENETDOWN)
		e.Notef("WSAENETDOWN, buffers untouched")
	}},
}
