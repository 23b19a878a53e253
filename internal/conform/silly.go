package conform

import (
	"fmt"
	"time"

	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

func init() {
	ngScenarios = append(ngScenarios, sillyScenarios...)
	toScenarios = append(toScenarios, unbounded...)
	vectorScenarios = append(vectorScenarios, bufferVectors...)
}

var sillyScenarios = []Scenario{
	{ID: "NG-9", Title: "a silly window isn't used at once", Source: "RFC 1122 4.2.3.4", Run: func(e *Env) {
		for _, nodelay := range []uint32{0, 1} {
			e.sillySender(nodelay)
		}
		e.Notef("0.150 s after the window of 100 bytes was offered, 100 bytes leave; with TCP_NODELAY, too")
	}},
	{ID: "NG-9", Title: "data that a small window holds", Source: "RFC 1122 4.2.3.4", Run: func(e *Env) {
		e.played(func(s wsa.SOCKET, p *simnet.Peer) {
			e.send(s, 1)
			p.Send("[.] ack 2 win 100")
			e.Net.Sleep(time.Second)
			e.send(s, 100) // all that is queued fits
			Equal(e, "100 bytes", e.lengths("a", 0), "1 100")
			p.Send("[.] ack 102 win 100")
			e.Net.Sleep(time.Millisecond)
			start := e.Start()
			e.send(s, 101) // one too many
			Equal(e, "101 bytes", e.lengths("a", 0), "1 100")
			e.Net.Sleep(200 * time.Millisecond)
			Equal(e, "after the timer", e.lengths("a", 0), "1 100 100")
			Equal(e, "time", (e.lastData("a") - start).Round(time.Millisecond), 150*time.Millisecond)
			p.Send("[.] ack 202 win 65535")
			e.Net.Sleep(time.Millisecond)
			Equal(e, "with room", e.lengths("a", 0), "1 100 100 1")
		})
		e.Notef("100 bytes leave at once, of 101 the first 100 after 0.150 s")
	}},
	{ID: "NG-9", Title: "half of a small peer's window", Source: "RFC 1122 4.2.3.4", Run: func(e *Env) {
		p := e.Wire().Listen(80)
		e.Do(func() {
			s := e.Stream()
			done := e.Go("connect", func() { e.Code("Connect", e.P.Connect(s, e.Addr(9, 80)), 0) })
			p.Expect("[S]")
			p.Send("[S.] win 600 <mss 1000>") // no larger window is ever offered
			p.Expect("[.]")
			done.Wait()
			e.send(s, 900)
			Equal(e, "at once", e.lengths("a", 0), "600")
			p.Send("[.] ack 601 win 300")
			e.Net.Sleep(time.Millisecond)
			Equal(e, "with half of it", e.lengths("a", 0), "600 300")
			p.Send("[.] ack 901 win 299")
			e.send(s, 500)
			Equal(e, "with less", e.lengths("a", 0), "600 300")
			p.Send("[.] ack 901 win 300")
			e.Net.Sleep(time.Millisecond)
			Equal(e, "with half of it again", e.lengths("a", 0), "600 300 300")
		})
		e.Notef("300 of at most 600 are used, 299 are not")
	}},
	{ID: "NG-9", Title: "the timer doesn't overrule Nagle", Source: "RFC 1122 4.2.3.4", Run: func(e *Env) {
		e.played(func(s wsa.SOCKET, p *simnet.Peer) {
			e.send(s, 1000)
			e.send(s, 600)
			p.Send("[.] ack 1 win 1100")        // F = 1000, U = 100
			e.Net.Sleep(190 * time.Millisecond) // a retransmission would come next
			Equal(e, "with data in flight", e.lengths("a", 0), "1000")
			p.Send("[.] ack 1001 win 1100")
			e.Net.Sleep(time.Millisecond)
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
				s := e.Stream()
				done := e.Go("connect", func() { e.Code("Connect", e.P.Connect(s, e.Addr(9, port)), 0) })
				p.Accept("mss 1000")
				done.Wait()
				e.Set(e.P, s, wsa.IPPROTO_TCP, wsa.TCP_NODELAY, tt.nodelay)
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
				e.send(s, 10) // write, write, read
				e.send(s, 10)
				n, err := e.P.Recv(s, make([]byte, 10), 0)
				e.Code("Recv", err, 0)
				Equal(e, "bytes of the answer", n, 6)
				Equal(e, "time", (e.Net.Now() - start).Round(time.Millisecond), tt.want)
				e.Linger(e.P, s, 0)
				e.Code("CloseSocket", e.P.CloseSocket(s), 0)
			})
		}
		e.Notef("write, write, read takes 0.200 s; with TCP_NODELAY, none")
	}},
	{ID: "NG-11", Title: "acknowledgements of our own", Source: "RFC 1122 4.2.3.2", Run: func(e *Env) {
		e.played(func(s wsa.SOCKET, p *simnet.Peer) {
			for _, frequency := range []byte{0, 1, 2} { // stored; it can't get faster
				if frequency > 0 {
					_, err := e.P.Ioctl(s, wsa.SIO_TCP_SET_ACK_FREQUENCY, []byte{frequency}, nil)
					e.Code("SIO_TCP_SET_ACK_FREQUENCY", err, 0)
				}
				n, now := len(e.Segments("a")), e.Net.Now()
				p.Send("[P.] len 1")
				e.Net.Sleep(time.Second)
				lines := e.Segments("a")[n:]
				Equal(e, "acknowledgements", len(lines), 1)
				e.Check(lines[0].At-now < time.Millisecond, "acknowledged after %v", lines[0].At-now)
			}
		})
		e.Notef("each segment is acknowledged at once, whatever the frequency asked for")
	}},
	{ID: "NG-2", Title: "a path MTU that shrinks", Source: "RFC 1191, RFC 8201", Run: func(e *Env) {
		e.playedAs("mss 1400", nil, func(s wsa.SOCKET, p *simnet.Peer) {
			e.send(s, 2800)
			first, err := p.Expect("[.] seq 1:1401 ack 1")
			e.Check(err == nil, "%v", err)
			quote := first.Packet[:100] // an error quotes less than a packet
			forged := append([]byte(nil), quote...)
			forged[len(first.Packet)-1400-16] ^= 0x55 // a sequence number that isn't in flight
			e.inject(e.wire, e.tooBig(600), forged)
			e.Net.Sleep(time.Millisecond)
			Equal(e, "TCP_MAXSEG after a forged error", e.Get(e.P, s, wsa.IPPROTO_TCP, wsa.TCP_MAXSEG), 1400)
			e.inject(e.wire, e.tooBig(1300), quote)
			e.Net.Sleep(time.Millisecond)
			mss := 1300 - 1500 + e.ownMSS()
			Equal(e, "TCP_MAXSEG", e.Get(e.P, s, wsa.IPPROTO_TCP, wsa.TCP_MAXSEG), uint32(mss))
			p.Send("[.] ack 2801")
			e.Net.Sleep(time.Millisecond)
			start := e.Start()
			e.send(s, 1)
			e.send(s, mss-1) // one byte less than a segment of the new size
			Equal(e, "with data in flight", e.lengths("a", start), "1")
			e.send(s, 1)
			Equal(e, "with a segment of the new size", e.lengths("a", start), fmt.Sprint("1 ", mss))
		})
		e.Notef("a full segment is one that fits the path; an error that quotes nothing in flight changes nothing")
	}},
	{ID: "NG-2", Title: "a path MTU during the handshake", Source: "RFC 1191, RFC 5927 7", Run: func(e *Env) {
		w := e.Wire()
		p := w.Connect(e.Addr(1, 80).String())
		e.Do(func() {
			l := e.Listener(e.P, 80)
			p.Send("[S] <mss 1400>")
			answer, err := p.Expect("[S.]")
			e.Check(err == nil, "%v", err)
			e.inject(w, e.tooBig(1300), answer.Packet)
			p.Send("[.] ack 1")
			s, _, err := e.P.Accept(l)
			e.Code("Accept", err, 0)
			Equal(e, "TCP_MAXSEG after an error for the SYN-ACK", e.Get(e.P, s, wsa.IPPROTO_TCP, wsa.TCP_MAXSEG), 1400)
			e.send(s, 1400)
			first, err := p.Expect("[P.] seq 1:1401 ack 1")
			e.Check(err == nil, "%v", err)
			e.Net.Sleep(time.Millisecond)
			start, mss := e.Start(), 1300-1500+e.ownMSS()
			e.inject(w, e.tooBig(1300), first.Packet[:100])
			Equal(e, "TCP_MAXSEG", e.Get(e.P, s, wsa.IPPROTO_TCP, wsa.TCP_MAXSEG), uint32(mss))
			Equal(e, "sent again", e.lengths("a", start), fmt.Sprint(mss, " ", 1400-mss))
			e.Linger(e.P, s, 0)
			e.Code("CloseSocket", e.P.CloseSocket(s), 0)
		})
		e.Notef("an error for a SYN, which fits every path, changes nothing; one for the first segment afterwards does")
	}},
	{ID: "NG-12", Title: "SO_SNDBUF 0 is never held", Source: "W-SOL", Run: func(e *Env) {
		e.Pair(simnet.Delay(50 * time.Millisecond))
		e.Do(func() {
			c, _ := e.Connected()
			e.sndbuf(c, 0)
			start := e.Start()
			for i := range 5 {
				e.send(c, 1)
				Equal(e, "time", (e.Net.Now() - start).Round(time.Millisecond), time.Duration(i+1)*100*time.Millisecond)
			}
			Equal(e, "segments", e.lengths("a", start), "1 1 1 1 1")
		})
		e.Notef("five sends, five segments, a round trip each")
	}},
}

// hand is the wire of Wire, made once.
func (e *Env) hand() *simnet.Wire {
	if e.wire == nil {
		return e.Wire()
	}
	return e.wire
}

// lastData is when a node last sent data.
func (e *Env) lastData(from string) (at time.Duration) {
	for _, l := range e.Segments(from) {
		if data(l) {
			at = l.At
		}
	}
	return at
}

// sillySender fills a peer's window, which then opens by 100 bytes.
func (e *Env) sillySender(nodelay uint32) {
	e.Net.ClearTrace()
	port := uint16(80 + nodelay)
	p := e.hand().Listen(port)
	e.Do(func() {
		s := e.Stream()
		e.Set(e.P, s, wsa.IPPROTO_TCP, wsa.TCP_NODELAY, nodelay)
		done := e.Go("connect", func() { e.Code("Connect", e.P.Connect(s, e.Addr(9, port)), 0) })
		p.Expect("[S]")
		p.Send("[S.] win 8000 <mss 1000>")
		p.Expect("[.]")
		done.Wait()
		e.send(s, 12000)
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
		p.Send("[.] ack 8101 win 8000")
		e.Net.Sleep(time.Millisecond)
		want := "100 1000 1000 1000"
		if nodelay != 0 {
			want += " 900"
		}
		Equal(e, "into a window of 8000 again", e.lengths("a", start), want)
		p.Send("[.] ack 11101 win 8000")
		e.Net.Sleep(time.Millisecond)
		Equal(e, "once all is acknowledged", e.lengths("a", start), "100 1000 1000 1000 900")
		p.Send("[.] ack 12001 win 8000")
		e.Linger(e.P, s, 0)
		e.Code("CloseSocket", e.P.CloseSocket(s), 0)
	})
}

var unbounded = []Scenario{
	{ID: "TO-7", Title: "calls that the time-outs don't bound", Source: "W-SOL", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			timed := func(s wsa.SOCKET) {
				e.Set(e.P, s, wsa.SOL_SOCKET, wsa.SO_RCVTIMEO, 100)
				e.Set(e.P, s, wsa.SOL_SOCKET, wsa.SO_SNDTIMEO, 100)
			}
			took := func(what string, want time.Duration, call func()) {
				start := e.Start()
				call()
				Equal(e, "time of "+what, (e.Net.Now() - start).Round(time.Millisecond), want)
			}
			l := e.Listener(e.P, 81)
			timed(l)
			e.Go("client", func() {
				e.Net.Sleep(3 * time.Second)
				c := e.Socket(e.Q, wsa.SOCK_STREAM)
				e.Code("Connect of b", e.Q.Connect(c, e.Addr(1, 81)), 0)
			})
			took("accept", 3*time.Second+3*Delay, func() {
				_, _, err := e.P.Accept(l)
				e.Code("Accept", err, 0)
			})
			took("select", 2*time.Second, func() {
				r, _, _, err := e.P.Select([]wsa.SOCKET{l}, nil, nil, 2*time.Second)
				e.Code("Select", err, 0)
				Equal(e, "ready", len(r), 0)
			})
			c, _ := e.Connected()
			timed(c)
			e.Linger(e.P, c, 5)
			e.sndbuf(c, 10_000_000)
			e.send(c, 4_000_000) // the other side doesn't read
			took("closesocket", 5*time.Second, func() { e.Code("CloseSocket", e.P.CloseSocket(c), 0) })
			c = e.Stream()
			timed(c)
			took("connect", 21*time.Second, func() {
				e.Code("Connect", e.P.Connect(c, e.Addr(77, 80)), wsa.WSAETIMEDOUT)
			})
		})
		e.Notef("accept, select, closesocket and connect take their own time with both time-outs at 0.1 s")
	}},
}

var bufferVectors = []Scenario{
	{ID: "TV-12", Title: "a receive buffer of 16384", Source: "vectors", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			l := e.Listener(e.Q, 80)
			c := e.Stream()
			e.rcvbuf(c, 16384)
			e.Code("Connect", e.P.Connect(c, e.Addr(2, 80)), 0)
			s, _, err := e.Q.Accept(l)
			e.Code("Accept", err, 0)
			done := e.Go("send", func() {
				_, err := e.Q.Send(s, make([]byte, 1<<20), 0)
				e.Code("Send", err, 0)
			})
			e.Net.Sleep(30 * time.Second)
			sent, window := e.bytesFrom("b"), 0
			lines := e.Segments("a")
			window = lines[len(lines)-1].Window
			Equal(e, "window", window, 0)
			e.Check(sent <= 16384+1460, "%d bytes in flight and queued", sent)
			e.Check(sent >= 16384-1460, "only %d bytes use the window", sent)
			e.recvAll(c, 1<<20)
			done.Wait()
			e.Notef("%d bytes of 1 MiB are queued, the window is 0; reading gets all of it", sent)
		})
	}},
	{ID: "TV-13", Title: "ten blocking sends without a buffer", Source: "vectors", Run: func(e *Env) {
		e.Pair(simnet.Delay(50 * time.Millisecond))
		e.Do(func() {
			c, _ := e.Connected()
			e.sndbuf(c, 0)
			start := e.Start()
			for range 10 {
				e.send(c, 1)
			}
			Equal(e, "time", (e.Net.Now() - start).Round(time.Millisecond), time.Second)
			Equal(e, "segments", e.lengths("a", start), "1 1 1 1 1 1 1 1 1 1")
		})
		e.Notef("1.000 s: a round trip each")
	}},
}
