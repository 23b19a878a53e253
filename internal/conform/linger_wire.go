package conform

import (
	"fmt"
	"time"

	"github.com/wsstack/wsstack/internal/trace"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

// lingerWireScenarios are LG-10 to LG-18: what a close puts on the wire, state by state.
var lingerWireScenarios = []Scenario{
	{ID: "LG-10", Title: "a lingering close on a thread", Source: "SPI-WSPCloseSocket", Run: func(e *Env) {
		link := e.Pair()
		e.Do(func() {
			t := e.old()
			c, s := e.connection()
			c.send(10)
			c.linger(5)
			start := e.Start()
			c.on(t).as("drained").close()
			e.took("time", start, 2*Delay)
			s.recv(10)
			s.recv(10)
			Equal(e, "RST", e.Count("a", has(trace.RST)), 0)
			c, _ = e.connection()
			c.linger(5)
			link.Partition()
			c.send(10)
			start = e.Start()
			c.on(t).as("not drained").close()
			e.took("time", start, 5*time.Second)
			Equal(e, "RST", e.Count("a", has(trace.RST)), 1)
			c.on(t).as("again").close(wsa.WSAENOTSOCK)
		})
		e.Notef("FIN after one round trip; RST after 5 s: as without a thread")
	}},
	{ID: "LG-10", Title: "the codes of closesocket", Source: "API-close", Run: func(e *Env) {
		e.wired(func(w *simnet.Wire) {
			late, _ := e.stuckAt(w, 80)
			late.linger(1)
			done := e.Go("second", func() {
				e.Net.Sleep(500 * time.Millisecond)
				late.as("CloseSocket during the wait").close(wsa.WSAENOTSOCK)
				late.as("Recv during the wait").recv(1, wsa.WSAENOTSOCK)
			})
			late.closesIn("that expires", time.Second)
			done.Wait()
			early, p := e.connectTo(w, 81)
			early.linger(1)
			e.Go("peer", func() { p.Expect("[F.]"); p.Send("[.]") })
			early.closesIn("that doesn't", 0)
			e.noSocket().close(wsa.WSAENOTSOCK)
			reset, p := e.stuckAt(w, 82)
			reset.linger(60)
			e.Go("peer", func() { e.Net.Sleep(time.Second); p.Send("[R.]") })
			reset.closesIn("of a connection that is reset meanwhile", time.Second)
		})
		e.Notef("0 whether or not it expires; WSAENOTSOCK for a second call, during the wait, too")
	}},
	{ID: "LG-11", Title: "what the peer sees", Source: "API-close", Run: func(e *Env) {
		e.paired(func() {
			for _, hard := range []bool{false, true} {
				c, s := e.connection()
				c.send(3000)
				e.Net.Sleep(time.Second)
				if hard {
					c.setLinger(1, 0)
				}
				c.close()
				e.Net.Sleep(time.Second)
				if !hard {
					n := len(s.recvFlags(3000, wsa.MSG_WAITALL))
					Equal(e, "bytes", n, 3000)
					n = len(s.as("the peer's Recv at the end").recv(1))
					Equal(e, "bytes at the end", n, 0)
					continue
				}
				s.as("the peer's Recv after a hard close").recv(1, wsa.WSAECONNRESET)
				s.as("its Send").say("x", wsa.WSAECONNRESET)
			}
		})
		e.Notef("all bytes, then 0; after a hard close WSAECONNRESET")
	}},
	{ID: "LG-12", Title: "the number of the RST", Source: "RFC 5961", Run: func(e *Env) {
		e.wired(func(w *simnet.Wire) {
			s, p := e.connectTo(w, 80)
			s.set(wsa.IPPROTO_TCP, wsa.TCP_NODELAY, 1)
			s.send(1500)
			s.linger(0)
			s.closesIn("hard", 0)
			talk(p,
				"< [.] seq 1:1001",
				"< [P.] seq 1001:1501",
				"< [R.] seq 1501 ack 1",
				"> [.] seq 1 ack 1", // a challenge: it lacks the data
				"< [R] seq 1",
			)

			s, p = e.connectTo(w, 81)
			s.set(wsa.IPPROTO_TCP, wsa.TCP_NODELAY, 1)
			s.send(1500)
			p.Expect("[.] seq 1:1001")
			p.Expect("[P.] seq 1001:1501")
			e.arrive(p, "[.] ack 1 win 700") // the window shrinks
			s.linger(0)
			s.closesIn("hard", 0)
			p.Expect("[R.] seq 701 ack 1")
		})
		e.Notef("SND.NXT, or the right edge of a window that shrank; SEG.ACK for a challenge")
	}},
	{ID: "LG-13", Title: "unread data", Source: "RFC 1122 4.2.2.13, C-08", Run: func(e *Env) {
		e.wired(func(w *simnet.Wire) {
			for i, c := range []struct {
				linger   uint32
				blocking bool
				pending  bool
			}{{0, true, false}, {0, true, true}, {1 | 5<<16, true, false}, {1 | 5<<16, true, true}, {1 | 5<<16, false, false}} {
				var s handle
				var p *simnet.Peer
				if c.pending {
					s, p = e.stuckAt(w, uint16(80+i))
				} else {
					s, p = e.connectTo(w, uint16(80+i))
				}
				p.Send("[P.] len 10")
				p.Expect("[.] ack 11")
				s.set(wsa.SOL_SOCKET, wsa.SO_LINGER, c.linger)
				s.nonblocking(!c.blocking)
				e.Net.Sleep(time.Millisecond)
				at := e.Net.Now()
				s.closesIn(fmt.Sprint(c), 0)
				e.Net.Sleep(10 * time.Second)
				Equal(e, fmt.Sprint("segments of ", c), e.times("a", at, func(simnet.Line) bool { return true }), "0.000")
				Equal(e, fmt.Sprint("RST of ", c), e.times("a", at, has(trace.RST)), "0.000")
			}
			// Data that arrives after close.
			s, p := e.connectTo(w, 90)
			s.closesIn("default", 0)
			talk(p, "< [F.] seq 1", "> [P.] len 10 ack 2", "< [R.]")
		})
		e.Notef("one RST at once in five modes, instead of FIN and data; data after close draws a RST")
	}},
	{ID: "LG-14", Title: "closing what isn't connected", Source: "API-close", Run: func(e *Env) {
		e.Pair()
		for _, linger := range []uint32{0, 1, 1 | 5<<16} {
			bound := e.stream()
			bound.bind(e.Any(0))
			for _, s := range []handle{e.stream(), bound, e.listener(e.P, 90)} {
				s.set(wsa.SOL_SOCKET, wsa.SO_LINGER, linger)
				s.close()
			}
			e.datagram().as("CloseSocket of a datagram socket").close()
		}
		Equal(e, "packets", len(e.Segments("")), 0)
		e.Notef("0 at once in three linger modes, no packet")
	}},
	{ID: "LG-15", Title: "closing during connect", Source: "API-close", Run: func(e *Env) {
		e.Wire()
		e.Do(func() {
			s := e.stream()
			s.nonblocking(true)
			s.connect(e.Addr(9, 80), wsa.WSAEWOULDBLOCK)
			e.Net.Sleep(1500 * time.Millisecond)
			s.close()
			at := e.Net.Now()
			e.Net.Sleep(time.Minute)
			Equal(e, "segments afterwards", e.times("a", at, func(simnet.Line) bool { return true }), "")
		})
		e.Notef("abandoned silently")
	}},
	{ID: "LG-15", Title: "closing in SYN_RCVD", Source: "RFC 9293 3.10.4", Run: func(e *Env) {
		p := e.Wire().Listen(80)
		e.Do(func() {
			s := e.stream()
			s.nonblocking(true)
			s.connect(e.Addr(9, 80), wsa.WSAEWOULDBLOCK)
			talk(p,
				"< [S] seq 0",
				"> [S] seq 0 win 1000 <mss 1000>", // both connect at once
				"< [S.] seq 0 ack 1",
			)
			s.closesIn("in SYN_RCVD", 0)
			p.Expect("[R.] seq 1 ack 1")
			p.ExpectSilence(time.Minute)
		})
		e.Notef("a RST that the peer takes: SEQ = SND.NXT")
	}},
	{ID: "LG-16", Title: "closing a listener", Source: "API-close", Run: func(e *Env) {
		e.wired(func(w *simnet.Wire) {
			l := e.stream()
			l.bind(e.Any(80))
			l.listen(10)
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
			l.closesIn("of the listener", 0)
			for _, p := range peers {
				p.Expect("[R.] seq 1 ack 1")
			}
			Equal(e, "the order of the RSTs", e.destinations("a", at), "40001 40003 40005 40007 40002 40004 40006 40008")
			e.Net.Sleep(time.Minute)
			Equal(e, "segments", e.Count("a", func(l simnet.Line) bool { return l.At >= at }), 8)

			l = e.conditional()
			p := e.client(w)
			e.arrive(p, "[S] <mss 1000>")
			l.closesIn("with a request", 0)
			p.Expect("[R.] seq 0 ack 1")
		})
		e.Notef("established, half-open and held ones are reset, oldest first")
	}},
	{ID: "LG-17", Title: "hard close state by state", Source: "RFC 9293 3.10.5", Run: func(e *Env) {
		e.wired(func(w *simnet.Wire) {
			for i, state := range tcpStates {
				s, p := e.inState(w, uint16(80+i), state)
				s.linger(0)
				at := e.Net.Now()
				s.closesIn("in "+state.name, 0)
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
		e.wired(func(w *simnet.Wire) {
			for i, state := range tcpStates[4:6] {
				s, p := e.connectTo(w, uint16(80+i))
				state.enter(e, s, p)
				s.linger(2)
				e.Net.Sleep(time.Millisecond)
				at := e.Net.Now()
				s.closesIn("in "+state.name, 2*time.Second)
				Equal(e, "RSTs in "+state.name, e.times("a", at, has(trace.RST)), "2.000")
			}
		})
		e.Notef("RST at 2.000 s in both")
	}},
	{ID: "LG-18", Title: "lingering close after SD_SEND", Source: "API-close", Run: func(e *Env) {
		e.stuck(func(s handle, _ *simnet.Peer) {
			s.shutdown(wsa.SD_SEND)
			s.linger(3)
			start := e.Start()
			s.close()
			e.took("time", start, 3*time.Second)
			Equal(e, "RST", e.times("a", start, has(trace.RST)), "3.000")
		})
		e.Notef("still waits, RST at 3.000 s")
	}},
}
