package conform

import (
	"fmt"
	"time"

	"github.com/wsstack/wsstack/internal/trace"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

// damage makes every packet of the hand of Wire arrive with a bad checksum, or
// stops that.
func (e *Env) damage(on bool) {
	var filter func([]byte) []byte
	if on {
		filter = func(p []byte) []byte {
			if len(p) > 0 {
				p[len(p)-1] ^= 0x40 // of the data, or of the TCP header
			}
			return p
		}
	}
	e.wire.Set(simnet.From(e.wire, simnet.Filter(filter)))
}

// flooded has a peer send segments for 12 s that are no answers to probes, because they are damaged
// or for what they say: the connection is dropped all the same.
func (e *Env) flooded(damaged bool, steps ...string) {
	e.played(func(s handle, p *simnet.Peer) {
		s.keepAlive(10*time.Second, time.Second, 3)
		start := e.Start()
		e.damage(damaged)
		e.Go("flood", func() {
			for range 120 {
				talk(p, steps...)
				e.Net.Sleep(100 * time.Millisecond)
			}
		})
		s.recv(1, wsa.WSAENETRESET)
		e.took("drop", start, 13*time.Second)
	})
}

// keepAliveAnswersScenarios are KA-9 to KA-12: what is an answer, and which states are probed.
var keepAliveAnswersScenarios = []Scenario{
	{ID: "KA-9", Title: "any acceptable segment is an answer", Source: "RFC 9293 3.8.4", Run: func(e *Env) {
		e.played(func(s handle, p *simnet.Peer) {
			s.keepAlive(10*time.Second, time.Second, 3)
			for _, segment := range []string{"[.]", "[P.] seq 1:6", "[P.] seq 100:110 ack 1"} {
				e.Net.Sleep(10500 * time.Millisecond) // a probe is out
				before := e.Net.Now()
				p.Send(segment)
				e.Net.Sleep(9990 * time.Millisecond)
				Equal(e, "probes in 9.99 s after "+segment, e.times("a", before, probeAt(1)), "")
				e.Net.Sleep(20 * time.Millisecond)
				Equal(e, "probes in 10.01 s after "+segment, e.times("a", before, probeAt(1)), "10.000")
				p.Send("[.]")
			}
		})
		e.Notef("a bare ACK, data, and data out of order restart the idle time")
	}},
	{ID: "KA-9", Title: "an unacceptable segment is none", Source: "RFC 9293 3.10.7.4", Run: func(e *Env) {
		e.flooded(false, "> [.] seq 4000000000 ack 1", "> [P.] seq 2000000000:2000000010 ack 1")
		e.Notef("segments outside the window don't keep it alive: dropped at 13.000 s")
	}},
	{ID: "KA-9", Title: "a damaged segment is no answer", Source: "RFC 9293 3.10.7.4", Run: func(e *Env) {
		e.flooded(true, "> [.]", "> [P.] seq 1:11 ack 1", "> [R.]")
		e.Notef("bad checksums neither keep it alive nor reset it: dropped at 13.000 s")
	}},
	{ID: "KA-9", Title: "a flood doesn't kill a live connection", Source: "RFC 9293 3.10.7.4, RFC 5961", Run: func(e *Env) {
		e.played(func(s handle, p *simnet.Peer) {
			s.keepAlive(10*time.Second, time.Second, 3)
			end := e.Net.Now() + 2*time.Minute
			flood := e.Go("flood", func() {
				for e.Net.Now() < end {
					e.damage(true)
					p.Send("[R.] seq 1")
					p.Send("[.] seq 1 ack 1")
					e.damage(false)
					for _, segment := range []string{
						"[R] seq 1000", "[R.] seq 20000", "[R] seq 4000000000", // in the window, but not exact; outside
						"[S] seq 1", "[S.] seq 7 ack 1", "[.] seq 4000000000 ack 1", "[P.] seq 2000000000:2000000010 ack 1",
						"[.] seq 1 ack 2000000000",
					} {
						p.Send(segment)
					}
					e.Net.Sleep(250 * time.Millisecond)
				}
			})
			for e.Net.Now() < end {
				a, err := p.Receive(11 * time.Second)
				e.Check(err == nil, "no segment: %v", err)
				if a.Flags == trace.ACK && a.Seq == 0 { // a probe; the peer is alive
					p.Send("[.] seq 1 ack 1")
				}
			}
			flood.Wait()
			e.Check(e.Count("a", probeAt(1)) >= 8, "only %d probes: something else kept it alive", e.Count("a", probeAt(1)))
			p.Send("[P.] seq 1:6 ack 1", []byte("hello")...)
			Equal(e, "data", string(s.recv(9)), "hello")
			Equal(e, "RSTs", e.Count("a", has(trace.RST)), 0)
		})
		e.Notef("damaged, forged and foreign segments for two minutes, RST and SYN among them: alive")
	}},
	{ID: "KA-9", Title: "the edges of the window", Source: "RFC 9293 3.10.7.4", Run: func(e *Env) {
		e.played(func(s handle, p *simnet.Peer) {
			p.Send("[P.] seq 1:2 ack 1")
			s.keepAlive(10*time.Second, time.Second, 3)
			const next = 2
			for _, c := range []struct {
				from     string
				offset   int64
				accepted bool
			}{{"RCV.NXT", -1, false}, {"edge", 0, false}, {"edge", 1, false}, {"edge", -1, true}, {"RCV.NXT", 0, true}} {
				p.Send("[.] seq 2 ack 1") // from here on
				e.Net.Sleep(9500 * time.Millisecond)
				sent := e.Segments("a")
				seq := next + c.offset
				if c.from == "edge" {
					seq += int64(sent[len(sent)-1].Window) // as last told
				}
				at := e.Net.Now()
				p.Send(fmt.Sprintf("[.] seq %d ack 1", seq))
				e.Net.Sleep(1200 * time.Millisecond)
				probed := e.times("a", at+400*time.Millisecond, probeAt(1)) != ""
				Equal(e, fmt.Sprintf("probed after a segment at %s %+d", c.from, c.offset), probed, !c.accepted)
			}
		})
		e.Notef("RCV.NXT − 1, the right edge and one above are no answers; RCV.NXT and one below the edge are")
	}},
	{ID: "KA-10", Title: "lost probes and an answer", Source: "RFC 1122 4.2.3.6", Run: func(e *Env) {
		e.played(func(s handle, p *simnet.Peer) {
			s.keepAlive(10*time.Second, time.Second, 3)
			for range 10 {
				e.Net.Sleep(12500 * time.Millisecond) // three probes, the last one is answered
				p.Send("[.]")
			}
			s.reads(wsa.SOL_SOCKET, wsa.SO_ERROR, 0)
		})
		Equal(e, "probes", e.Count("a", probeAt(1)), 30)
		e.Notef("two of three lost, ten times: alive")
	}},
	{ID: "KA-11", Title: "the peer answers RST", Source: "RFC 1122", Run: func(e *Env) {
		e.played(func(s handle, p *simnet.Peer) {
			s.keepAlive(10*time.Second, time.Second, 3)
			e.Go("answer", func() {
				e.Net.Sleep(10 * time.Second)
				p.Send("[R.]")
			})
			s.recv(1, wsa.WSAECONNRESET)
			s.as("Recv again").recv(1, wsa.WSAECONNRESET)
		})
		e.Notef("WSAECONNRESET, as for any reset")
	}},
	{ID: "KA-12", Title: "the states that are probed", Source: "RFC 1122 4.2.3.6", Run: func(e *Env) {
		e.paired(func() {
			for _, half := range []string{"CLOSE_WAIT", "FIN_WAIT_2"} {
				c, s := e.connection()
				c.keepAlive(10*time.Second, time.Second, 3)
				nxt := uint32(1)
				if half == "CLOSE_WAIT" {
					s.shutdown(wsa.SD_SEND)
				} else {
					c.shutdown(wsa.SD_SEND)
					nxt = 2
				}
				e.Net.Sleep(time.Second)
				start := e.Start()
				e.Net.Sleep(15 * time.Second)
				e.Check(e.times("a", start, probeAt(nxt)) != "", "no probe in %s", half)
				c.close()
				s.close()
				e.Net.Sleep(5 * time.Second)
				start = e.Start()
				e.Net.Sleep(30 * time.Second)
				Equal(e, "segments of a closed socket", e.times("a", start, func(simnet.Line) bool { return true }), "")
			}
			// LISTEN and SYN_SENT.
			l := e.listener(e.P, 90)
			l.set(wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, 1)
		})
		e.Notef("probes in CLOSE_WAIT and FIN_WAIT_2, none once the handle is closed")
	}},
	{ID: "KA-12", Title: "each state", Source: "RFC 1122 4.2.3.6", Run: func(e *Env) {
		e.wired(func(w *simnet.Wire) {
			state := func(port uint16, script func(s handle, p *simnet.Peer) (nxt uint32), want string) {
				p, s := w.Listen(port), e.stream()
				s.meets(p, "mss 1000")
				s.keepAlive(10*time.Second, time.Second, 3)
				nxt := script(s, p)
				e.Net.Sleep(time.Microsecond)
				start := e.Start()
				e.Net.Sleep(15 * time.Second)
				local := p.Remote()
				Equal(e, fmt.Sprint("probes, port ", port),
					e.times("a", start, func(l simnet.Line) bool { return l.Source == local && probeAt(nxt)(l) }), want)
			}
			three := "10.000 11.000 12.000"
			state(81, func(handle, *simnet.Peer) uint32 { return 1 }, three) // ESTABLISHED
			state(82, func(_ handle, p *simnet.Peer) uint32 {                // CLOSE-WAIT
				p.Send("[F.]")
				return 1
			}, three)
			state(83, func(s handle, p *simnet.Peer) uint32 { // FIN-WAIT-2, the handle open
				s.shutdown(wsa.SD_SEND)
				p.Expect("[F.]")
				p.Send("[.] ack 2")
				return 2
			}, three)
			state(84, func(s handle, p *simnet.Peer) uint32 { // FIN-WAIT-1: the FIN is retransmitted
				s.shutdown(wsa.SD_SEND)
				return 2
			}, "")
			state(85, func(s handle, p *simnet.Peer) uint32 { // FIN-WAIT-2, closed
				s.close()
				p.Expect("[F.]")
				p.Send("[.] ack 2")
				return 2
			}, "")
			state(86, func(s handle, p *simnet.Peer) uint32 { // TIME-WAIT, the handle open
				s.shutdown(wsa.SD_SEND)
				talk(p, "< [F.]", "> [F.] ack 2", "< [.] seq 2 ack 2")
				return 2
			}, "")
			state(87, func(s handle, p *simnet.Peer) uint32 { // CLOSED
				p.Send("[R.]")
				return 1
			}, "")
		})
		e.Notef("probes in ESTABLISHED, CLOSE-WAIT and FIN-WAIT-2; none in FIN-WAIT-1, after closesocket, in TIME-WAIT and CLOSED")
	}},
	{ID: "KA-12", Title: "LISTEN, SYN-SENT and SYN-RECEIVED", Source: "RFC 1122 4.2.3.6", Run: func(e *Env) {
		e.wired(func(w *simnet.Wire) {
			l := e.socket(e.P, wsa.SOCK_STREAM)
			l.keepAlive(time.Second, 200*time.Millisecond, 3)
			l.bind(e.Any(80))
			l.listen(5)
			p := w.Connect(e.Addr(1, 80).String())
			p.Send("[S] <mss 1000>")
			p.Expect("[S.] seq 0 ack 1")
			s := e.stream()
			s.keepAlive(time.Second, 200*time.Millisecond, 3)
			s.nonblocking(true)
			s.connect(e.Addr(9, 81), wsa.WSAEWOULDBLOCK)
			e.Net.Sleep(15 * time.Second)
			Equal(e, "segments but SYNs", e.Count("a", func(l simnet.Line) bool { return l.Segment.Flags&trace.SYN == 0 }), 0)
		})
		e.Notef("only SYNs for 15 s, with an idle time of 1 s")
	}},
}
