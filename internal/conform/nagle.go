package conform

import (
	"fmt"
	"strings"
	"time"

	"github.com/wsstack/wsstack/internal/trace"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

// lengths lists the payloads that a node has sent since a time, in order.
func (e *Env) lengths(from string, since time.Duration) string {
	var out []string
	for _, l := range e.Segments(from) {
		if data(l) && l.At >= since {
			out = append(out, fmt.Sprint(l.Segment.Len))
		}
	}
	return strings.Join(out, " ")
}

// played connects a stream socket of A, inside Do, to a peer played by hand
// that offered an MSS of 1000 and nothing else.
func (e *Env) played(fn func(s wsa.SOCKET, p *simnet.Peer)) { e.playedAs("mss 1000", nil, fn) }

// send sends n bytes.
func (e *Env) send(s wsa.SOCKET, n int) {
	got, err := e.P.Send(s, make([]byte, n), 0)
	e.Code("Send", err, 0)
	Equal(e, "bytes accepted", got, n)
}

// tenWrites is the vector NG-4: ten one-byte writes, 1 ms apart, over a round
// trip of 100 ms.
func tenWrites(e *Env, nodelay uint32) []simnet.Line {
	e.Pair(simnet.Delay(50 * time.Millisecond))
	var start time.Duration
	e.Do(func() {
		c, _ := e.Connected()
		e.Set(e.P, c, wsa.IPPROTO_TCP, wsa.TCP_NODELAY, nodelay)
		e.Net.Sleep(time.Second)
		start = e.Start()
		for range 10 {
			e.send(c, 1)
			e.Net.Sleep(time.Millisecond)
		}
		e.Net.Sleep(time.Second)
	})
	var lines []simnet.Line
	for _, l := range e.Segments("a") {
		if data(l) {
			l.At -= start
			lines = append(lines, l)
		}
	}
	return lines
}

func init() { ngScenarios = append(ngScenarios, gateScenarios...) }

var gateScenarios = []Scenario{
	{ID: "NG-2", Title: "a partial segment waits", Source: "RFC 896, RFC 1122 4.2.3.4", Run: func(e *Env) {
		e.played(func(s wsa.SOCKET, p *simnet.Peer) {
			e.send(s, 1) // F = 0: at once
			for _, n := range []int{600, 300} {
				e.send(s, n)
			}
			Equal(e, "with 900 bytes held", e.lengths("a", 0), "1")
			e.send(s, 2150) // (a) Q = 3050: three full segments, the rest is held
			Equal(e, "with three segments' worth", e.lengths("a", 0), "1 1000 1000 1000")
			p.Send("[.] ack 3002") // (b) everything outstanding is acknowledged
			e.Net.Sleep(time.Millisecond)
			Equal(e, "after the ACK", e.lengths("a", 0), "1 1000 1000 1000 50")
			e.send(s, 7)
			e.Code("Shutdown", e.P.Shutdown(s, wsa.SD_SEND), 0) // (d)
			Equal(e, "with a FIN behind it", e.lengths("a", 0), "1 1000 1000 1000 50 7")
			p.Send("[.] ack 3060")
			p.Send("[F.] ack 3060")
		})
		e.Notef("segments of 1, 1000, 1000, 1000, then 50 on the ACK, 7 with the FIN")
	}},
	{ID: "NG-2", Title: "a partial ACK releases nothing", Source: "RFC 896", Run: func(e *Env) {
		e.played(func(s wsa.SOCKET, p *simnet.Peer) {
			e.send(s, 2000)
			e.send(s, 10)
			p.Send("[.] ack 1001")
			e.Net.Sleep(time.Millisecond)
			Equal(e, "with one of two segments acknowledged", e.lengths("a", 0), "1000 1000")
			p.Send("[.] ack 2001")
			e.Net.Sleep(time.Millisecond)
			Equal(e, "with both acknowledged", e.lengths("a", 0), "1000 1000 10")
		})
		e.Notef("10 bytes wait until both segments are acknowledged")
	}},
	{ID: "NG-4", Title: "ten small writes", Source: "RFC 896", Run: func(e *Env) {
		lines := tenWrites(e, 0)
		Equal(e, "segments", len(lines), 2)
		Equal(e, "first", fmt.Sprint(lines[0].Segment.Len, lines[0].At.Round(time.Millisecond)), "1 0s")
		Equal(e, "second", fmt.Sprint(lines[1].Segment.Len, lines[1].At.Round(time.Millisecond)), "9 100ms")
		e.Notef("1 byte at 0, 9 bytes at %s", seconds(lines[1].At))
	}},
	{ID: "NG-4", Title: "ten small writes with TCP_NODELAY", Source: "W-TCP", Run: func(e *Env) {
		lines := tenWrites(e, 1)
		Equal(e, "segments", len(lines), 10)
		for i, l := range lines {
			Equal(e, "time", l.At.Round(time.Millisecond), time.Duration(i)*time.Millisecond)
		}
		e.Notef("ten segments, 1 ms apart")
	}},
	{ID: "TV-11", Title: "segment counts", Source: "vectors", Run: func(e *Env) {
		Equal(e, "with Nagle", len(tenWrites(e, 0)), 2)
		e.Notef("2 with Nagle; 10 without is NG-4's other scenario, the flush NG-6's")
	}},
	{ID: "NG-6", Title: "TCP_NODELAY flushes what is held", Source: "W-TCP", Run: func(e *Env) {
		e.played(func(s wsa.SOCKET, _ *simnet.Peer) {
			e.send(s, 1)
			e.send(s, 5)
			Equal(e, "before", e.lengths("a", 0), "1")
			now := e.Net.Now()
			e.Set(e.P, s, wsa.IPPROTO_TCP, wsa.TCP_NODELAY, 1)
			Equal(e, "after, without an ACK", e.lengths("a", 0), "1 5")
			Equal(e, "time", e.Net.Now(), now)
		})
		e.Notef("5 bytes leave in the set call")
	}},
	{ID: "NG-7", Title: "TRUE to FALSE", Source: "W-TCP", Run: func(e *Env) {
		e.played(func(s wsa.SOCKET, p *simnet.Peer) {
			e.Set(e.P, s, wsa.IPPROTO_TCP, wsa.TCP_NODELAY, 1)
			e.send(s, 1)
			e.send(s, 2)
			e.Set(e.P, s, wsa.IPPROTO_TCP, wsa.TCP_NODELAY, 0)
			e.send(s, 3)
			Equal(e, "segments", e.lengths("a", 0), "1 2")
			p.Send("[.] ack 4")
			e.Net.Sleep(time.Millisecond)
			Equal(e, "after the ACK", e.lengths("a", 0), "1 2 3")
		})
		e.Notef("the next small write is held")
	}},
	{ID: "NG-8", Title: "a large send and its rest", Source: "RFC 896, C-45", Run: func(e *Env) {
		e.played(func(s wsa.SOCKET, p *simnet.Peer) {
			e.send(s, 3400)
			Equal(e, "at once", e.lengths("a", 0), "1000 1000 1000")
			p.Send("[.] ack 3001")
			e.Net.Sleep(time.Millisecond)
			Equal(e, "after the ACK", e.lengths("a", 0), "1000 1000 1000 400")
		})
		e.Notef("three full segments, 400 bytes on their ACK")
	}},
	{ID: "NG-13", Title: "set before, during and on a listener", Source: "W-TCP, C-27", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			l := e.Socket(e.Q, wsa.SOCK_STREAM)
			e.Set(e.Q, l, wsa.IPPROTO_TCP, wsa.TCP_NODELAY, 1)
			e.Code("Bind", e.Q.Bind(l, e.Any(80)), 0)
			e.Code("Listen", e.Q.Listen(l, 5), 0)
			for i, when := range []string{"before connect", "while connecting", "connected"} {
				c := e.Stream()
				set := func(now string) {
					if now == when {
						e.Set(e.P, c, wsa.IPPROTO_TCP, wsa.TCP_NODELAY, 1)
					}
				}
				set("before connect")
				e.Nonblocking(e.P, c, true)
				e.Code("Connect", e.P.Connect(c, e.Addr(2, 80)), wsa.WSAEWOULDBLOCK)
				set("while connecting")
				e.Net.Sleep(time.Second)
				set("connected")
				s, _, err := e.Q.Accept(l)
				e.Code("Accept", err, 0)
				since := e.Net.Now()
				for range 3 {
					e.send(c, 1)
					_, err := e.Q.Send(s, []byte("x"), 0)
					e.Code("the server's Send", err, 0)
				}
				Equal(e, when, e.lengths("a", since), "1 1 1")
				Equal(e, fmt.Sprintf("accepted %d", i), e.lengths("b", since), "1 1 1")
				e.Net.Sleep(time.Second)
			}
		})
		e.Notef("each of three writes leaves at once, and on the accepted socket")
	}},
	{ID: "NG-14", Title: "closing with held data", Source: "RFC 1122 4.2.3.4", Run: func(e *Env) {
		e.played(func(s wsa.SOCKET, p *simnet.Peer) {
			e.send(s, 1)
			e.send(s, 5)
			e.Code("CloseSocket", e.P.CloseSocket(s), 0)
			p.Expect("[P.] seq 1:2 ack 1")
			p.Expect("[FP.] seq 2:7 ack 1")
			p.Send("[.] ack 8")
			p.Send("[F.] ack 8")
		})
		e.Notef("5 held bytes with the FIN, without an ACK")
	}},
	{ID: "NG-14", Title: "a hard close discards held data", Source: "API-close", Run: func(e *Env) {
		e.played(func(s wsa.SOCKET, p *simnet.Peer) {
			e.send(s, 1)
			e.send(s, 5)
			e.Linger(e.P, s, 0)
			e.Code("CloseSocket", e.P.CloseSocket(s), 0)
			p.Expect("[P.] seq 1:2 ack 1")
			p.Expect("[R.] seq 2 ack 1")
		})
		Equal(e, "data segments", e.Count("a", data), 1)
		e.Notef("RST with SEQ 2: the 5 bytes never leave")
	}},
	{ID: "NG-15", Title: "retransmissions ignore Nagle", Source: "RFC 1122", Run: func(e *Env) {
		e.played(func(s wsa.SOCKET, p *simnet.Peer) {
			e.send(s, 1)
			e.send(s, 5)
			e.Net.Sleep(1500 * time.Millisecond)
			again := e.Count("a", func(l simnet.Line) bool { return l.Kind == trace.TCP && data(l) && l.Segment.Seq == 1 })
			e.Check(again >= 2, "%d transmissions of the first byte", again)
			Equal(e, "of the held bytes", e.Count("a", func(l simnet.Line) bool { return data(l) && l.Segment.Seq == 2 }), 0)
			p.Send("[.] ack 2")
			e.Net.Sleep(time.Millisecond)
			Equal(e, "of the held bytes after the ACK", e.Count("a", func(l simnet.Line) bool { return data(l) && l.Segment.Seq == 2 }), 1)
		})
		e.Notef("the byte in flight is sent again, the held ones wait")
	}},
}
