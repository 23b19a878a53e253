package conform

import (
	"fmt"
	"time"

	"github.com/wsstack/wsstack/internal/trace"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

// nagleSillyScenarios are NG-9 to NG-16: small windows, delayed acknowledgements, closes.
var nagleSillyScenarios = []Scenario{
	{ID: "NG-9", Title: "a silly window isn't used at once", Source: "RFC 1122 4.2.3.4", Run: func(e *Env) {
		for _, nodelay := range []uint32{0, 1} {
			e.sillySender(nodelay)
		}
		e.Notef("0.150 s after the window of 100 bytes was offered, 100 bytes leave; with TCP_NODELAY, too")
	}},
	{ID: "NG-9", Title: "data that a small window holds", Source: "RFC 1122 4.2.3.4", Run: func(e *Env) {
		e.played(func(s handle, p *simnet.Peer) {
			s.send(1)
			p.Send("[.] ack 2 win 100")
			e.Net.Sleep(time.Second)
			s.send(100) // all that is queued fits
			Equal(e, "100 bytes", e.lengths("a", 0), "1 100")
			e.arrive(p, "[.] ack 102 win 100")
			start := e.Start()
			s.send(101) // one too many
			Equal(e, "101 bytes", e.lengths("a", 0), "1 100")
			e.Net.Sleep(200 * time.Millisecond)
			Equal(e, "after the timer", e.lengths("a", 0), "1 100 100")
			Equal(e, "time", (e.lastData("a") - start).Round(time.Millisecond), 150*time.Millisecond)
			e.arrive(p, "[.] ack 202 win 65535")
			Equal(e, "with room", e.lengths("a", 0), "1 100 100 1")
		})
		e.Notef("100 bytes leave at once, of 101 the first 100 after 0.150 s")
	}},
	{ID: "NG-9", Title: "half of a small peer's window", Source: "RFC 1122 4.2.3.4", Run: func(e *Env) {
		p := e.Wire().Listen(80)
		e.Do(func() {
			s := e.stream()
			s.meetsWith(p, "[S.] win 600 <mss 1000>") // no larger window is ever offered
			s.send(900)
			Equal(e, "at once", e.lengths("a", 0), "600")
			e.arrive(p, "[.] ack 601 win 300")
			Equal(e, "with half of it", e.lengths("a", 0), "600 300")
			p.Send("[.] ack 901 win 299")
			s.send(500)
			Equal(e, "with less", e.lengths("a", 0), "600 300")
			e.arrive(p, "[.] ack 901 win 300")
			Equal(e, "with half of it again", e.lengths("a", 0), "600 300 300")
		})
		e.Notef("300 of at most 600 are used, 299 are not")
	}},
	{ID: "NG-9", Title: "the timer doesn't overrule Nagle", Source: "RFC 1122 4.2.3.4", Run: func(e *Env) {
		e.played(func(s handle, p *simnet.Peer) {
			s.send(1000)
			s.send(600)
			p.Send("[.] ack 1 win 1100")        // F = 1000, U = 100
			e.Net.Sleep(190 * time.Millisecond) // a retransmission would come next
			Equal(e, "with data in flight", e.lengths("a", 0), "1000")
			e.arrive(p, "[.] ack 1001 win 1100")
			Equal(e, "after the ACK", e.lengths("a", 0), "1000 600")
		})
		e.Notef("600 bytes wait for the ACK, not for the timer")
	}},
	{ID: "NG-10", Title: "a peer that delays acknowledgements", Source: "RFC 1122 4.2.3.2", Run: func(e *Env) {
		for _, tt := range []struct {
			nodelay uint32
			want    time.Duration
		}{{0, 200 * time.Millisecond}, {1, 0}} {
			e.Net.ClearTrace()
			w := e.hand()
			port := uint16(80 + tt.nodelay)
			p := w.Listen(port)
			e.Do(func() {
				s := e.stream()
				s.meets(p, "mss 1000")
				s.set(wsa.IPPROTO_TCP, wsa.TCP_NODELAY, tt.nodelay)
				start := e.Start()
				e.Go("peer", func() {
					p.Expect("[P.] seq 1:11 ack 1")
					if tt.nodelay == 0 {
						e.Net.Sleep(200 * time.Millisecond) // nothing to say until then
						p.Send("[.] ack 11")
					}
					p.Expect("[P.] seq 11:21 ack 1")
					p.Send("[P.] ack 21", []byte("answer")...)
				})
				s.send(10) // write, write, read
				s.send(10)
				Equal(e, "bytes of the answer", len(s.recv(10)), 6)
				e.took("time", start, tt.want)
				s.linger(0)
				s.close()
			})
		}
		e.Notef("write, write, read takes 0.200 s; with TCP_NODELAY, none")
	}},
	{ID: "NG-11", Title: "acknowledgements of our own", Source: "RFC 1122 4.2.3.2, C-162", Run: func(e *Env) {
		e.played(func(s handle, p *simnet.Peer) {
			for _, frequency := range []byte{0, 2, 1} { // it can't get faster than at once
				if frequency > 0 {
					s.ioctl(wsa.SIO_TCP_SET_ACK_FREQUENCY, []byte{frequency}, nil)
				}
				delay := e.ackDelay()
				if frequency == 1 {
					delay = 0
				}
				n, now := len(e.Segments("a")), e.Net.Now()
				p.Send("[P.] len 1")
				e.Net.Sleep(time.Second)
				lines := e.Segments("a")[n:]
				Equal(e, "acknowledgements", len(lines), 1)
				Equal(e, "acknowledged after", lines[0].At-now, delay)
			}
		})
		e.Notef("each segment is acknowledged %s, and at once with a frequency of 1", inEach(e, "at once", "after 40 ms", "after 200 ms"))
	}},
	{ID: "NG-12", Title: "SO_SNDBUF 0 is never held", Source: "W-SOL", Run: func(e *Env) {
		e.plainPeer()
		e.Pair(simnet.Delay(50 * time.Millisecond))
		e.Do(func() {
			c, _ := e.connection()
			c.sndbuf(0)
			start := e.Start()
			for i := range 5 {
				c.send(1)
				e.took("time", start, time.Duration(i+1)*100*time.Millisecond)
			}
			Equal(e, "segments", e.lengths("a", start), "1 1 1 1 1")
		})
		e.Notef("five sends, five segments, a round trip each")
	}},
	{ID: "NG-13", Title: "set before, during and on a listener", Source: "W-TCP, C-27", Run: func(e *Env) {
		e.paired(func() {
			l := e.peerStream()
			l.set(wsa.IPPROTO_TCP, wsa.TCP_NODELAY, 1)
			l.bind(e.Any(80))
			l.listen(5)
			pending := map[options.Profile]wsa.Errno{options.Windows: wsa.WSAEINVAL}[e.Profile] // C-27
			for i, when := range []string{"before connect", "while connecting", "connected"} {
				c := e.stream()
				set := func(now string, want ...wsa.Errno) {
					if now == when {
						c.set(wsa.IPPROTO_TCP, wsa.TCP_NODELAY, 1, want...)
					}
				}
				set("before connect")
				c.nonblocking(true)
				c.connect(e.Addr(2, 80), wsa.WSAEWOULDBLOCK)
				set("while connecting", pending)
				e.Net.Sleep(time.Second)
				set("connected")
				if pending != 0 {
					set("while connecting") // it is connected now
				}
				s := l.accept()
				since := e.Net.Now()
				for range 3 {
					c.send(1)
					s.say("x")
				}
				Equal(e, when, e.lengths("a", since), "1 1 1")
				Equal(e, fmt.Sprintf("accepted %d", i), e.lengths("b", since), "1 1 1")
				e.Net.Sleep(time.Second)
			}
		})
		e.Notef("each of three writes leaves at once, and on the accepted socket")
	}},
	{ID: "NG-14", Title: "closing with held data", Source: "RFC 1122 4.2.3.4", Run: func(e *Env) {
		e.played(func(s handle, p *simnet.Peer) {
			s.send(1)
			s.send(5)
			s.close()
			talk(p, "< [P.] seq 1:2 ack 1", "< [FP.] seq 2:7 ack 1", "> [.] ack 8", "> [F.] ack 8")
		})
		e.Notef("5 held bytes with the FIN, without an ACK")
	}},
	{ID: "NG-14", Title: "a hard close discards held data", Source: "API-close", Run: func(e *Env) {
		e.played(func(s handle, p *simnet.Peer) {
			s.send(1)
			s.send(5)
			s.linger(0)
			s.close()
			p.Expect("[P.] seq 1:2 ack 1")
			p.Expect("[R.] seq 2 ack 1")
		})
		Equal(e, "data segments", e.Count("a", data), 1)
		e.Notef("RST with SEQ 2: the 5 bytes never leave")
	}},
	{ID: "NG-15", Title: "retransmissions ignore Nagle", Source: "RFC 1122", Run: func(e *Env) {
		e.played(func(s handle, p *simnet.Peer) {
			s.send(1)
			s.send(5)
			e.Net.Sleep(1500 * time.Millisecond)
			again := e.Count("a", func(l simnet.Line) bool { return l.Kind == trace.TCP && data(l) && l.Segment.Seq == 1 })
			e.Check(again >= 2, "%d transmissions of the first byte", again)
			Equal(e, "of the held bytes", e.Count("a", func(l simnet.Line) bool { return data(l) && l.Segment.Seq == 2 }), 0)
			e.arrive(p, "[.] ack 2")
			Equal(e, "of the held bytes after the ACK", e.Count("a", func(l simnet.Line) bool { return data(l) && l.Segment.Seq == 2 }), 1)
		})
		e.Notef("the byte in flight is sent again, the held ones wait")
	}},
	{ID: "NG-16", Title: "TCP_NODELAY elsewhere", Source: "S-SAN", Once: true, Run: func(e *Env) {
		e.Pair()
		e.datagram().as("on a datagram socket").set(wsa.IPPROTO_TCP, wsa.TCP_NODELAY, 1, byProfile(e, wsa.WSAENOPROTOOPT, wsa.WSAEINVAL)) // C-81
		s := e.stream()
		s.set(wsa.SOL_SOCKET, wsa.TCP_NODELAY, 1)
		s.reads(wsa.SOL_SOCKET, wsa.SO_DEBUG, 1)
		s.reads(wsa.IPPROTO_TCP, wsa.TCP_NODELAY, 0)
		e.Notef("%v; at SOL_SOCKET the number is SO_DEBUG", byProfile(e, wsa.WSAENOPROTOOPT, wsa.WSAEINVAL).Symbol())
	}},
}

// sillySender fills a peer's window, which then opens by 100 bytes.
func (e *Env) sillySender(nodelay uint32) {
	e.Net.ClearTrace()
	port := uint16(80 + nodelay)
	p := e.hand().Listen(port)
	e.Do(func() {
		s := e.stream()
		s.set(wsa.IPPROTO_TCP, wsa.TCP_NODELAY, nodelay)
		s.meetsWith(p, "[S.] win 8000 <mss 1000>")
		s.send(12000)
		Equal(e, "into a window of 8000", e.lengths("a", 0), "1000 1000 1000 1000 1000 1000 1000 1000")
		p.Send("[.] ack 8001 win 0")
		e.Net.Sleep(10 * time.Millisecond)
		start := e.Start()
		p.Send("[.] ack 8001 win 100")
		e.Net.Sleep(140 * time.Millisecond)
		Equal(e, "into a window of 100", e.lengths("a", start), "")
		e.Net.Sleep(100 * time.Millisecond)
		Equal(e, "after the timer", e.lengths("a", start), "100")
		Equal(e, "time", (e.lastData("a") - start).Round(time.Millisecond), 150*time.Millisecond)
		e.arrive(p, "[.] ack 8101 win 8000")
		want := "100 1000 1000 1000"
		if nodelay != 0 {
			want += " 900"
		}
		Equal(e, "into a window of 8000 again", e.lengths("a", start), want)
		e.arrive(p, "[.] ack 11101 win 8000")
		Equal(e, "once all is acknowledged", e.lengths("a", start), "100 1000 1000 1000 900")
		p.Send("[.] ack 12001 win 8000")
		s.linger(0)
		s.close()
	})
}
