package conform

import (
	"fmt"
	"strings"
	"time"

	"github.com/wsstack/wsstack/internal/trace"
	"github.com/wsstack/wsstack/provider"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

func init() {
	lgScenarios = append(lgScenarios, closeScenarios...)
	shScenarios = append(shScenarios, shutdownScenarios...)
	kaScenarios = append(kaScenarios, lingerRows...)
}

// connectTo connects a socket of A to a peer played at a port.
func (e *Env) connectTo(w *simnet.Wire, port uint16) (wsa.SOCKET, *simnet.Peer) {
	p, s := w.Listen(port), e.Stream()
	done := e.Go("connect", func() { e.Code("Connect", e.P.Connect(s, e.Addr(9, port)), 0) })
	p.Accept("mss 1000")
	done.Wait()
	return s, p
}

// stuckAt is connectTo with 3000 bytes sent, of which the peer takes 1000 and
// closes its window.
func (e *Env) stuckAt(w *simnet.Wire, port uint16) (wsa.SOCKET, *simnet.Peer) {
	p, s := w.Listen(port), e.Stream()
	done := e.Go("connect", func() { e.Code("Connect", e.P.Connect(s, e.Addr(9, port)), 0) })
	p.Expect("[S]")
	p.Send("[S.] win 1000 <mss 1000>")
	p.Expect("[.] seq 1 ack 1")
	done.Wait()
	e.send(s, 3000)
	p.Expect("[.] seq 1:1001")
	p.Send("[.] ack 1001 win 0")
	e.Net.Sleep(time.Millisecond)
	return s, p
}

// closesIn closes a socket of A and ends the scenario unless it takes that
// long and succeeds.
func (e *Env) closesIn(what string, s wsa.SOCKET, d time.Duration) {
	start := e.Start()
	e.Code("CloseSocket "+what, e.P.CloseSocket(s), 0)
	Equal(e, "time of CloseSocket "+what, (e.Net.Now() - start).Round(time.Millisecond), d)
}

// destinations are the ports that a node sent to since a time, in order.
func (e *Env) destinations(from string, since time.Duration) string {
	var out []string
	for _, l := range e.Segments(from) {
		if l.At >= since {
			out = append(out, fmt.Sprint(l.Dest.Port()))
		}
	}
	return strings.Join(out, " ")
}

// A tcpState takes a connection of A from ESTABLISHED to a state.
type tcpState struct {
	name  string
	reset bool // a hard close sends a RST (LG-17)
	enter func(e *Env, s wsa.SOCKET, p *simnet.Peer)
}

// finish is SD_SEND, seen by the peer.
func (e *Env) finish(s wsa.SOCKET, p *simnet.Peer) {
	e.Code("Shutdown", e.P.Shutdown(s, wsa.SD_SEND), 0)
	p.Expect("[F.] seq 1")
}

// inState makes a connection in a state, with a peer played at a port.
func (e *Env) inState(w *simnet.Wire, port uint16, state tcpState) (wsa.SOCKET, *simnet.Peer) {
	s, p := e.connectTo(w, port)
	state.enter(e, s, p)
	e.Net.Sleep(time.Millisecond)
	return s, p
}

var tcpStates = []tcpState{
	{"ESTABLISHED", true, func(*Env, wsa.SOCKET, *simnet.Peer) {}},
	{"FIN_WAIT_1", true, func(e *Env, s wsa.SOCKET, p *simnet.Peer) { e.finish(s, p) }},
	{"FIN_WAIT_2", true, func(e *Env, s wsa.SOCKET, p *simnet.Peer) { e.finish(s, p); p.Send("[.]") }},
	{"CLOSE_WAIT", true, func(e *Env, _ wsa.SOCKET, p *simnet.Peer) { p.Send("[F.]"); p.Expect("[.] seq 1 ack 2") }},
	{"CLOSING", false, func(e *Env, s wsa.SOCKET, p *simnet.Peer) {
		e.finish(s, p)
		p.Send("[F.] seq 1 ack 1")
		p.Expect("[.] seq 2 ack 2")
	}},
	{"LAST_ACK", false, func(e *Env, s wsa.SOCKET, p *simnet.Peer) {
		p.Send("[F.]")
		p.Expect("[.] seq 1 ack 2")
		e.finish(s, p)
	}},
	{"TIME_WAIT", false, func(e *Env, s wsa.SOCKET, p *simnet.Peer) {
		e.finish(s, p)
		p.Send("[F.]")
		p.Expect("[.] seq 2 ack 2")
	}},
}

var closeScenarios = []Scenario{
	{ID: "LG-9", Title: "what ends WSAEWOULDBLOCK", Source: "SPI-WSPCloseSocket, C-06", Run: func(e *Env) {
		w := e.Wire()
		nothing := func(wsa.SOCKET, *simnet.Peer) {}
		e.Do(func() {
			for i, c := range []struct {
				name  string
				do    func(s wsa.SOCKET, p *simnet.Peer)
				takes time.Duration
				after func(s wsa.SOCKET, p *simnet.Peer)
			}{
				{"drained", func(_ wsa.SOCKET, p *simnet.Peer) {
					p.Send("[.] ack 1001 win 5000")
					p.Expect("[.] seq 1001:2001")
					p.Expect("[P.] seq 2001:3001")
					p.Send("[.]")
					e.Net.Sleep(time.Millisecond)
				}, 0, func(_ wsa.SOCKET, p *simnet.Peer) { p.Expect("[F.] seq 3001") }},
				{"SO_DONTLINGER", func(s wsa.SOCKET, _ *simnet.Peer) { e.Set(e.P, s, wsa.SOL_SOCKET, wsa.SO_DONTLINGER, 1) }, 0, nothing},
				{"SO_LINGER {1,0}", func(s wsa.SOCKET, _ *simnet.Peer) { e.Linger(e.P, s, 0) }, 0,
					func(_ wsa.SOCKET, p *simnet.Peer) { p.Expect("[R.]") }},
				{"SD_SEND", func(s wsa.SOCKET, _ *simnet.Peer) { e.Code("Shutdown", e.P.Shutdown(s, wsa.SD_SEND), 0) }, 0, nothing},
				{"SD_BOTH", func(s wsa.SOCKET, _ *simnet.Peer) { e.Code("Shutdown", e.P.Shutdown(s, wsa.SD_BOTH), 0) }, 0, nothing},
				{"blocking", func(s wsa.SOCKET, _ *simnet.Peer) { e.Nonblocking(e.P, s, false) }, 2 * time.Second, nothing},
			} {
				s, p := e.stuckAt(w, uint16(80+i))
				e.Linger(e.P, s, 2)
				e.Nonblocking(e.P, s, true)
				for range 2 {
					e.Code("CloseSocket", e.P.CloseSocket(s), wsa.WSAEWOULDBLOCK)
				}
				c.do(s, p)
				e.closesIn(c.name, s, c.takes)
				c.after(s, p)
				e.Code("CloseSocket again", e.P.CloseSocket(s), wsa.WSAENOTSOCK)
			}
		})
		e.Notef("drained, SO_DONTLINGER, SO_LINGER {1,0}, SD_SEND, SD_BOTH, blocking: 0, by the row that applies then")
	}},
	{ID: "LG-10", Title: "the codes of closesocket", Source: "API-close", Run: func(e *Env) {
		w := e.Wire()
		e.Do(func() {
			late, _ := e.stuckAt(w, 80)
			e.Linger(e.P, late, 1)
			done := e.Go("second", func() {
				e.Net.Sleep(500 * time.Millisecond)
				e.Code("CloseSocket during the wait", e.P.CloseSocket(late), wsa.WSAENOTSOCK)
				_, err := e.P.Recv(late, make([]byte, 1), 0)
				e.Code("Recv during the wait", err, wsa.WSAENOTSOCK)
			})
			e.closesIn("that expires", late, time.Second)
			done.Wait()
			early, p := e.connectTo(w, 81)
			e.Linger(e.P, early, 1)
			e.Go("peer", func() { p.Expect("[F.]"); p.Send("[.]") })
			e.closesIn("that doesn't", early, 0)
			e.Code("CloseSocket of no socket", e.P.CloseSocket(bogus), wsa.WSAENOTSOCK)
			reset, p := e.stuckAt(w, 82)
			e.Linger(e.P, reset, 60)
			e.Go("peer", func() { e.Net.Sleep(time.Second); p.Send("[R.]") })
			e.closesIn("of a connection that is reset meanwhile", reset, time.Second)
		})
		e.Notef("0 whether or not it expires; WSAENOTSOCK for a second call, during the wait, too")
	}},
	{ID: "LG-12", Title: "the number of the RST", Source: "RFC 5961", Run: func(e *Env) {
		w := e.Wire()
		e.Do(func() {
			s, p := e.connectTo(w, 80)
			e.Set(e.P, s, wsa.IPPROTO_TCP, wsa.TCP_NODELAY, 1)
			e.send(s, 1500)
			e.Linger(e.P, s, 0)
			e.closesIn("hard", s, 0)
			p.Expect("[.] seq 1:1001")
			p.Expect("[P.] seq 1001:1501")
			p.Expect("[R.] seq 1501 ack 1")
			p.Send("[.] seq 1 ack 1") // a challenge: it lacks the data
			p.Expect("[R] seq 1")

			s, p = e.connectTo(w, 81)
			e.Set(e.P, s, wsa.IPPROTO_TCP, wsa.TCP_NODELAY, 1)
			e.send(s, 1500)
			p.Expect("[.] seq 1:1001")
			p.Expect("[P.] seq 1001:1501")
			p.Send("[.] ack 1 win 700") // the window shrinks
			e.Net.Sleep(time.Millisecond)
			e.Linger(e.P, s, 0)
			e.closesIn("hard", s, 0)
			p.Expect("[R.] seq 701 ack 1")
		})
		e.Notef("SND.NXT, or the right edge of a window that shrank; SEG.ACK for a challenge")
	}},
	{ID: "LG-13", Title: "unread data", Source: "RFC 1122 4.2.2.13, C-08", Run: func(e *Env) {
		w := e.Wire()
		e.Do(func() {
			for i, c := range []struct {
				linger   uint32
				blocking bool
				pending  bool
			}{{0, true, false}, {0, true, true}, {1 | 5<<16, true, false}, {1 | 5<<16, true, true}, {1 | 5<<16, false, false}} {
				var s wsa.SOCKET
				var p *simnet.Peer
				if c.pending {
					s, p = e.stuckAt(w, uint16(80+i))
				} else {
					s, p = e.connectTo(w, uint16(80+i))
				}
				p.Send("[P.] len 10")
				p.Expect("[.] ack 11")
				e.Set(e.P, s, wsa.SOL_SOCKET, wsa.SO_LINGER, c.linger)
				e.Nonblocking(e.P, s, !c.blocking)
				e.Net.Sleep(time.Millisecond)
				at := e.Net.Now()
				e.closesIn(fmt.Sprint(c), s, 0)
				e.Net.Sleep(10 * time.Second)
				Equal(e, fmt.Sprint("segments of ", c), e.times("a", at, func(simnet.Line) bool { return true }), "0.000")
				Equal(e, fmt.Sprint("RST of ", c), e.times("a", at, has(trace.RST)), "0.000")
			}
			// Data that arrives after close.
			s, p := e.connectTo(w, 90)
			e.closesIn("default", s, 0)
			p.Expect("[F.] seq 1")
			p.Send("[P.] len 10 ack 2")
			p.Expect("[R.]")
		})
		e.Notef("one RST at once in five modes, instead of FIN and data; data after close draws a RST")
	}},
	{ID: "LG-15", Title: "closing in SYN_RCVD", Source: "RFC 9293 3.10.4", Run: func(e *Env) {
		p := e.Wire().Listen(80)
		e.Do(func() {
			s := e.Stream()
			e.Nonblocking(e.P, s, true)
			e.Code("Connect", e.P.Connect(s, e.Addr(9, 80)), wsa.WSAEWOULDBLOCK)
			p.Expect("[S] seq 0")
			p.Send("[S] seq 0 win 1000 <mss 1000>") // both connect at once
			p.Expect("[S.] seq 0 ack 1")
			e.closesIn("in SYN_RCVD", s, 0)
			p.Expect("[R.] seq 1 ack 1")
			p.ExpectSilence(time.Minute)
		})
		e.Notef("a RST that the peer takes: SEQ = SND.NXT")
	}},
	{ID: "LG-16", Title: "closing a listener", Source: "API-close", Run: func(e *Env) {
		w := e.Wire()
		e.Do(func() {
			l := e.Stream()
			e.Code("Bind", e.P.Bind(l, e.Any(80)), 0)
			e.Code("Listen", e.P.Listen(l, 10), 0)
			var peers []*simnet.Peer
			for i := range 8 {
				p := e.client(w)
				peers = append(peers, p)
				if i%2 == 0 {
					e.handshake(p)
				} else { // half open
					p.Send("[S] <mss 1000>")
					p.Expect("[S.] seq 0")
				}
			}
			e.Net.Sleep(time.Millisecond)
			at := e.Net.Now()
			e.closesIn("of the listener", l, 0)
			for _, p := range peers {
				p.Expect("[R.] seq 1 ack 1")
			}
			Equal(e, "the order of the RSTs", e.destinations("a", at), "40001 40003 40005 40007 40002 40004 40006 40008")
			e.Net.Sleep(time.Minute)
			Equal(e, "segments", e.Count("a", func(l simnet.Line) bool { return l.At >= at }), 8)

			l = e.conditional()
			p := e.client(w)
			p.Send("[S] <mss 1000>")
			e.Net.Sleep(time.Millisecond)
			e.closesIn("with a request", l, 0)
			p.Expect("[R.] seq 0 ack 1")
		})
		e.Notef("established, half-open and held ones are reset, oldest first")
	}},
	{ID: "LG-17", Title: "hard close state by state", Source: "RFC 9293 3.10.5", Run: func(e *Env) {
		w := e.Wire()
		e.Do(func() {
			for i, state := range tcpStates {
				s, p := e.inState(w, uint16(80+i), state)
				e.Linger(e.P, s, 0)
				at := e.Net.Now()
				e.closesIn("in "+state.name, s, 0)
				want := ""
				if state.reset {
					want = "0.000"
				}
				e.Net.Sleep(10 * time.Second)
				Equal(e, "RSTs in "+state.name, e.times("a", at, has(trace.RST)), want)
				Equal(e, "segments in "+state.name, e.times("a", at, func(simnet.Line) bool { return true }), want)
				if !state.reset { // nothing is left of it, no TIME_WAIT either
					p.Send("[F.] seq 1 ack 2")
					p.Expect("[R] seq 2")
				}
			}
		})
		e.Notef("RST in four states; CLOSING, LAST_ACK and TIME_WAIT end silently")
	}},
	{ID: "LG-17", Title: "expiry in CLOSING and LAST_ACK", Source: "API-close", Run: func(e *Env) {
		w := e.Wire()
		e.Do(func() {
			for i, state := range tcpStates[4:6] {
				s, p := e.connectTo(w, uint16(80+i))
				state.enter(e, s, p)
				e.Linger(e.P, s, 2)
				e.Net.Sleep(time.Millisecond)
				at := e.Net.Now()
				e.closesIn("in "+state.name, s, 2*time.Second)
				Equal(e, "RSTs in "+state.name, e.times("a", at, has(trace.RST)), "2.000")
			}
		})
		e.Notef("RST at 2.000 s in both")
	}},
	{ID: "LG-19", Title: "calls in progress when the socket is closed", Source: "API-close", Run: func(e *Env) {
		w := e.Wire()
		e.Do(func() {
			reading, _ := e.connectTo(w, 80)
			writing, _ := e.stuckAt(w, 81)
			listening := e.Stream()
			e.Code("Bind", e.P.Bind(listening, e.Any(82)), 0)
			e.Code("Listen", e.P.Listen(listening, 1), 0)
			watched, _ := e.connectTo(w, 83)
			ev := provider.NewEvent()
			e.Code("EventSelect", e.P.EventSelect(watched, ev, wsa.FD_READ|wsa.FD_CLOSE), 0)
			selected, _ := e.connectTo(w, 84)
			tasks := []*simnet.Task{
				e.Go("recv", func() { e.recvOn(e.P, reading, 1, wsa.WSAEINTR) }),
				e.Go("waitall", func() {
					_, err := e.P.Recv(reading, make([]byte, 5), wsa.MSG_WAITALL)
					e.Code("Recv MSG_WAITALL", err, wsa.WSAEINTR)
				}),
				e.Go("send", func() {
					_, err := e.P.Send(writing, make([]byte, 64<<20), 0)
					e.Code("Send", err, wsa.WSAEINTR)
				}),
				e.Go("accept", func() {
					_, _, err := e.P.Accept(listening)
					e.Code("Accept", err, wsa.WSAEINTR)
				}),
				e.Go("select", func() {
					_, _, _, err := e.P.Select([]wsa.SOCKET{selected}, nil, nil, -1)
					e.Code("Select", err, wsa.WSAENOTSOCK)
				}),
			}
			e.Net.Sleep(time.Second)
			for _, s := range []wsa.SOCKET{reading, writing, listening, watched, selected} {
				e.Linger(e.P, s, 0)
				e.closesIn("under a call", s, 0)
				e.Code("CloseSocket again", e.P.CloseSocket(s), wsa.WSAENOTSOCK)
			}
			for _, task := range tasks {
				task.Wait()
			}
			e.Net.Sleep(time.Second)
			select {
			case <-ev.C():
				e.Fatalf("an event was posted for the closing socket")
			default:
			}
			_, err := e.P.EnumNetworkEvents(watched, nil)
			e.Code("EnumNetworkEvents", err, wsa.WSAENOTSOCK)
		})
		e.Notef("WSAEINTR for recv, send and accept, WSAENOTSOCK for select; no event")
	}},
	{ID: "LG-26", Title: "inherited by accept", Source: "API-accept", Run: func(e *Env) {
		w := e.Wire()
		e.Do(func() {
			l := e.Stream()
			e.Linger(e.P, l, 3)
			e.Code("Bind", e.P.Bind(l, e.Any(80)), 0)
			e.Code("Listen", e.P.Listen(l, 1), 0)
			p := e.client(w)
			e.handshake(p)
			s, _, err := e.P.Accept(l)
			e.Code("Accept", err, 0)
			Equal(e, "SO_LINGER", e.Get(e.P, s, wsa.SOL_SOCKET, wsa.SO_LINGER), 1|3<<16)
			e.Set(e.P, s, wsa.SOL_SOCKET, wsa.SO_DONTLINGER, 1)
			e.Set(e.P, s, wsa.SOL_SOCKET, wsa.SO_DONTLINGER, 0) // the established time-out as well
			at := e.Net.Now()
			e.closesIn("of the accepted socket", s, 3*time.Second)
			Equal(e, "RST", e.times("a", at, has(trace.RST)), "3.000")
		})
		e.Notef("{1,3} on the accepted socket: it waits 3 s for the FIN's acknowledgement")
	}},
	{ID: "LG-28", Title: "the interval starts at closesocket", Source: "API-close", Run: func(e *Env) {
		w := e.Wire()
		e.Do(func() {
			s, _ := e.stuckAt(w, 80)
			e.Linger(e.P, s, 2)
			e.Net.Sleep(time.Minute)
			e.Code("Shutdown", e.P.Shutdown(s, wsa.SD_SEND), 0)
			e.Net.Sleep(1500 * time.Millisecond)
			at := e.Net.Now()
			e.closesIn("a minute later", s, 2*time.Second)
			Equal(e, "RST", e.times("a", at, has(trace.RST)), "2.000")
		})
		e.Notef("2.000 s from the call, not from the set or the shutdown")
	}},
	{ID: "LG-29", Title: "SO_LINGER on a non-blocking socket", Source: "W-SOL", Run: func(e *Env) {
		w := e.Wire()
		e.Do(func() {
			s, _ := e.stuckAt(w, 80)
			e.Nonblocking(e.P, s, true)
			e.Linger(e.P, s, 7)
			Equal(e, "SO_LINGER", e.Get(e.P, s, wsa.SOL_SOCKET, wsa.SO_LINGER), 1|7<<16)
			e.Code("CloseSocket with data pending", e.P.CloseSocket(s), wsa.WSAEWOULDBLOCK)
			idle, p := e.connectTo(w, 81)
			e.Nonblocking(e.P, idle, true)
			e.Linger(e.P, idle, 7)
			e.closesIn("with none", idle, 0)
			p.Expect("[F.] seq 1 ack 1")
		})
		e.Notef("set and read back; WSAEWOULDBLOCK with data pending, FIN with none")
	}},
	{ID: "LG-2", Title: "a peer that never opens its window", Source: "RFC 1122 4.2.2.17", Run: func(e *Env) {
		w := e.Wire()
		e.Do(func() {
			s, p := e.stuckAt(w, 80)
			at := e.Net.Now()
			e.closesIn("default", s, 0)
			over := false
			e.Go("peer", func() {
				for !over {
					a, err := p.Receive(10 * time.Minute)
					if err != nil || a.Flags&trace.RST != 0 {
						return
					}
					p.Send("[.] ack 1001 win 0")
				}
			})
			e.Net.Sleep(4*time.Minute - 10*time.Millisecond)
			Equal(e, "RSTs before", e.times("a", at, has(trace.RST)), "")
			e.Net.Sleep(20 * time.Millisecond)
			Equal(e, "RST", e.times("a", at, has(trace.RST)), "240.000")
			over = true
		})
		e.Notef("the orphan is reset after 240 s without progress")
	}},
	{ID: "LG-2", Title: "a peer that takes its time", Source: "API-close", Run: func(e *Env) {
		w := e.Wire()
		e.Do(func() {
			s, p := e.stuckAt(w, 80)
			e.closesIn("default", s, 0)
			for _, ack := range []int{1501, 2001, 2501} {
				e.Net.Sleep(3 * time.Minute)
				p.Send(fmt.Sprintf("[.] ack %d win 500", ack-500))
				e.Net.Sleep(time.Second)
				p.Send(fmt.Sprintf("[.] ack %d win 0", ack))
			}
			e.Net.Sleep(3 * time.Minute)
			p.Send("[.] ack 2501 win 5000")
			e.Net.Sleep(time.Second)
			p.Send("[.] ack 3001 win 5000")
			e.Net.Sleep(time.Second)
			Equal(e, "RSTs", e.Count("a", has(trace.RST)), 0)
			e.Check(e.Count("a", has(trace.FIN)) > 0, "no FIN")
		})
		e.Notef("twelve minutes, never four without progress: all data and the FIN")
	}},
}

var lingerRows = []Scenario{
	{ID: "KA-31", Title: "closesocket that lingers, after the drop", Source: "S-GET", Run: func(e *Env) {
		e.silent(10*time.Second, time.Second, 3, func(s wsa.SOCKET, start time.Duration) {
			e.Linger(e.P, s, 5)
			e.Net.Sleep(time.Minute)
			at := e.Net.Now()
			e.closesIn("after the drop", s, 0)
			e.Net.Sleep(time.Minute)
			Equal(e, "segments afterwards", e.times("a", at, func(simnet.Line) bool { return true }), "")
		})
		e.Notef("0 at once, no linger, nothing on the wire")
	}},
	{ID: "KA-30", Title: "keep-alive and a linger wait", Source: "S-GET", Run: func(e *Env) {
		e.silent(10*time.Second, time.Second, 3, func(s wsa.SOCKET, start time.Duration) {
			e.Linger(e.P, s, 60)
			at := e.Net.Now()
			e.closesIn("of a silent connection", s, 60*time.Second)
			Equal(e, "probes", e.times("a", at, probeAt(1)), "")
			Equal(e, "RST", e.times("a", at, has(trace.RST)), "60.000")
		})
		e.Notef("the FIN is retransmitted, so there are no probes (KA-6): the wait ends at its own time")
	}},
}
