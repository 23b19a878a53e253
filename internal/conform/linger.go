package conform

import (
	"fmt"
	"time"

	"github.com/wsstack/wsstack/internal/trace"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

// lingerScenarios are LG-1 to LG-9: the rows of closesocket.
var lingerScenarios = []Scenario{
	{ID: "LG-1", Title: "defaults", Source: "S-GET, C-03", Once: true, Run: func(e *Env) {
		e.Pair()
		s := e.stream()
		s.reads(wsa.SOL_SOCKET, wsa.SO_LINGER, 0)
		s.reads(wsa.SOL_SOCKET, wsa.SO_DONTLINGER, 1)
		e.Notef("{0,0} and 1")
	}},
	{ID: "LG-2", Title: "default close", Source: "API-close", Run: func(e *Env) {
		e.connected(func(c, s handle) {
			c.send(200000)
			start := e.Start()
			c.close()
			Equal(e, "time", e.Net.Now(), start)
			Equal(e, "bytes", len(s.recvFlags(300000, wsa.MSG_WAITALL)), 200000)
			s.close()
		})
		e.Net.Advance(5 * time.Second)
		Equal(e, "FINs", e.Count("a", has(trace.FIN)) > 0, true)
		Equal(e, "RSTs", e.Count("", has(trace.RST)), 0)
		e.Notef("returns at once; 200000 bytes and FIN in the background")
	}},
	{ID: "LG-2", Title: "a peer that never opens its window", Source: "RFC 1122 4.2.2.17", Run: func(e *Env) {
		e.wired(func(w *simnet.Wire) {
			s, p := e.stuckAt(w, 80)
			at := e.Net.Now()
			s.closesIn("default", 0)
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
		e.wired(func(w *simnet.Wire) {
			s, p := e.stuckAt(w, 80)
			s.closesIn("default", 0)
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
	{ID: "LG-3", Title: "hard close", Source: "API-close", Run: func(e *Env) {
		e.connected(func(c, s handle) {
			c.send(100000)
			c.linger(0)
			start := e.Start()
			c.close()
			Equal(e, "time", e.Net.Now(), start)
			e.Net.Sleep(time.Second)
			s.recv(1, wsa.WSAECONNRESET)
			again := e.stream()
			again.set(wsa.SOL_SOCKET, wsa.SO_EXCLUSIVEADDRUSE, 1)
			for _, l := range e.A.Sockets() {
				e.Check(l.Remote.Port() != 80, "a remnant of the connection: %v", l)
			}
		})
		Equal(e, "FINs", e.Count("a", has(trace.FIN)), 0)
		e.Check(e.Count("a", has(trace.RST)) >= 1, "no RST")
		e.Notef("RST at once, no FIN, no TIME-WAIT")
	}},
	{ID: "LG-4", Title: "lingering close with nothing pending", Source: "API-close", Run: func(e *Env) {
		e.connected(func(c, _ handle) {
			c.linger(5)
			start := e.Start()
			c.close()
			e.took("time", start, 2*Delay)
		})
		e.Notef("returns after one round trip, when the FIN is acknowledged")
	}},
	{ID: "LG-5", Title: "lingering close, drained in time", Source: "API-close", Run: lingerDrains},
	{ID: "LG-6", Title: "lingering close that expires", Source: "API-close", Run: lingerExpires},
	{ID: "LG-7", Title: "non-blocking lingering close with data pending", Source: "API-close", Run: func(e *Env) {
		e.stuck(func(s handle, p *simnet.Peer) {
			s.linger(2)
			s.nonblocking(true)
			before := e.Net.Now()
			s.close(wsa.WSAEWOULDBLOCK)
			Equal(e, "time", e.Net.Now(), before)
			Equal(e, "FIN or RST", e.Count("a", func(l simnet.Line) bool { return l.Segment.Flags&(trace.FIN|trace.RST) != 0 }), 0)
			e.arrive(p, "[.] ack 1001 win 5000") // queued data keeps flowing
			e.Check(e.Count("a", func(l simnet.Line) bool { return data(l) && l.Segment.Seq == 1001 }) > 0, "no data after the window opened")
			s.sockName()
		})
		e.Notef("WSAEWOULDBLOCK at once, nothing on the wire, the socket works")
	}},
	{ID: "LG-8", Title: "non-blocking lingering close with nothing pending", Source: "API-close", Run: func(e *Env) {
		e.connected(func(c, _ handle) {
			c.linger(5)
			c.nonblocking(true)
			start := e.Start()
			c.close()
			Equal(e, "time", e.Net.Now(), start)
		})
		Equal(e, "FINs", e.Count("a", has(trace.FIN)), 1)
		e.Notef("returns at once, FIN in the background")
	}},
	{ID: "LG-9", Title: "what ends WSAEWOULDBLOCK", Source: "SPI-WSPCloseSocket, C-06", Run: func(e *Env) {
		w := e.Wire()
		nothing := func(handle, *simnet.Peer) {}
		e.Do(func() {
			for i, c := range []struct {
				name  string
				do    func(s handle, p *simnet.Peer)
				takes time.Duration
				after func(s handle, p *simnet.Peer)
			}{
				{"drained", func(_ handle, p *simnet.Peer) {
					talk(p, "> [.] ack 1001 win 5000", "< [.] seq 1001:2001", "< [P.] seq 2001:3001")
					e.arrive(p, "[.]")
				}, 0, func(_ handle, p *simnet.Peer) { p.Expect("[F.] seq 3001") }},
				{"SO_DONTLINGER", func(s handle, _ *simnet.Peer) { s.set(wsa.SOL_SOCKET, wsa.SO_DONTLINGER, 1) }, 0, nothing},
				{"SO_LINGER {1,0}", func(s handle, _ *simnet.Peer) { s.linger(0) }, 0,
					func(_ handle, p *simnet.Peer) { p.Expect("[R.]") }},
				{"SD_SEND", func(s handle, _ *simnet.Peer) { s.shutdown(wsa.SD_SEND) }, 0, nothing},
				{"SD_BOTH", func(s handle, _ *simnet.Peer) { s.shutdown(wsa.SD_BOTH) }, 0, nothing},
				{"blocking", func(s handle, _ *simnet.Peer) { s.nonblocking(false) }, 2 * time.Second, nothing},
			} {
				s, p := e.stuckAt(w, uint16(80+i))
				s.linger(2)
				s.nonblocking(true)
				for range 2 {
					s.close(wsa.WSAEWOULDBLOCK)
				}
				c.do(s, p)
				s.closesIn(c.name, c.takes)
				c.after(s, p)
				s.as("CloseSocket again").close(wsa.WSAENOTSOCK)
			}
		})
		e.Notef("drained, SO_DONTLINGER, SO_LINGER {1,0}, SD_SEND, SD_BOTH, blocking: 0, by the row that applies then")
	}},
}

// lingerDrains is LG-5, and TV-9.
func lingerDrains(e *Env) {
	e.played(func(s handle, p *simnet.Peer) {
		s.send(1500)
		s.linger(5)
		e.Go("peer", func() {
			e.Net.Sleep(300 * time.Millisecond)
			p.Send("[.] ack 1502") // data and FIN
		})
		start := e.Start()
		s.close()
		e.took("time", start, 300*time.Millisecond)
		p.Send("[F.] ack 1502")
	})
	Equal(e, "RSTs", e.Count("a", has(trace.RST)), 0)
	e.Notef("returns 0 at 0.300 s, when all data and the FIN are acknowledged")
}

// lingerExpires is LG-6, and TV-7.
func lingerExpires(e *Env) {
	e.stuck(func(s handle, _ *simnet.Peer) {
		s.linger(2)
		start := e.Start()
		s.close()
		e.took("time", start, 2*time.Second)
		Equal(e, "RST", e.times("a", start, has(trace.RST)), "2.000")
	})
	e.Notef("returns 0 at 2.000 s, RST")
}
