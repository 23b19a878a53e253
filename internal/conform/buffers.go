package conform

import (
	"fmt"
	"time"

	"github.com/wsstack/wsstack/internal/trace"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

func init() { bfScenarios = append(bfScenarios, sendBuffers...) }

// playedAs is played with options of the peer's SYN and a socket that was
// prepared before it connects.
func (e *Env) playedAs(syn string, prepare func(s wsa.SOCKET), fn func(s wsa.SOCKET, p *simnet.Peer)) {
	p := e.Wire().Listen(80)
	e.Do(func() {
		s := e.Stream()
		if prepare != nil {
			prepare(s)
		}
		done := e.Go("connect", func() { e.Code("Connect", e.P.Connect(s, e.Addr(9, 80)), 0) })
		p.Accept(syn)
		done.Wait()
		fn(s, p)
	})
}

// sndbuf sets SO_SNDBUF of a socket of A, rcvbuf SO_RCVBUF.
func (e *Env) sndbuf(s wsa.SOCKET, n uint32) { e.Set(e.P, s, wsa.SOL_SOCKET, wsa.SO_SNDBUF, n) }
func (e *Env) rcvbuf(s wsa.SOCKET, n uint32) { e.Set(e.P, s, wsa.SOL_SOCKET, wsa.SO_RCVBUF, n) }

// accepts sends n bytes on a non-blocking socket and wants so many accepted; 0
// means WSAEWOULDBLOCK.
func (e *Env) accepts(s wsa.SOCKET, n, want int) {
	got, err := e.P.Send(s, make([]byte, n), 0)
	if want == 0 {
		e.Code(fmt.Sprintf("Send of %d bytes", n), err, wsa.WSAEWOULDBLOCK)
		return
	}
	e.Code(fmt.Sprintf("Send of %d bytes", n), err, 0)
	Equal(e, fmt.Sprintf("accepted of %d bytes", n), got, want)
}

// peerAcks acknowledges the stream of A up to a sequence number.
func (e *Env) peerAcks(p *simnet.Peer, ack int) {
	p.Send(fmt.Sprintf("[.] ack %d", ack))
	e.Net.Sleep(time.Millisecond)
}

var sendBuffers = []Scenario{
	{ID: "BF-2", Title: "the size provided is the size asked for", Source: "OBS", Run: func(e *Env) {
		e.Pair()
		for _, s := range []wsa.SOCKET{e.Stream(), e.Datagram()} {
			for _, opt := range []int32{wsa.SO_SNDBUF, wsa.SO_RCVBUF} {
				for _, n := range []uint32{4096, 1, 0, 65537} {
					e.Set(e.P, s, wsa.SOL_SOCKET, opt, n)
					Equal(e, wsa.OptionName(wsa.SOL_SOCKET, opt), e.Get(e.P, s, wsa.SOL_SOCKET, opt), n)
				}
			}
		}
		e.Do(func() { // and it is in force: one byte of quota is one byte
			c, _ := e.Connected()
			e.Nonblocking(e.P, c, true)
			e.sndbuf(c, 2)
			e.accepts(c, 1, 1)
			e.accepts(c, 5, 1)
			e.accepts(c, 1, 0)
		})
		e.Notef("4096, 1, 0 and 65537 read back; with 2 bytes, two are accepted")
	}},
	{ID: "BF-6", Title: "shrinking below what is queued", Source: "API-set", Run: func(e *Env) {
		e.played(func(s wsa.SOCKET, p *simnet.Peer) {
			e.Nonblocking(e.P, s, true)
			e.sndbuf(s, 10000)
			e.accepts(s, 10000, 10000)
			e.sndbuf(s, 1000)
			Equal(e, "SO_SNDBUF", e.Get(e.P, s, wsa.SOL_SOCKET, wsa.SO_SNDBUF), 1000)
			e.accepts(s, 100, 0)
			e.peerAcks(p, 8001)
			e.accepts(s, 100, 0) // 2000 are left
			e.peerAcks(p, 9501)
			e.accepts(s, 1000, 500)
			e.peerAcks(p, 10001)
		})
		Equal(e, "bytes that left", e.bytesFrom("a"), 10500)
		e.Notef("all 10,000 bytes leave; sends wait until fewer than 1,000 are queued")
	}},
	{ID: "BF-7", Title: "bytes count until they are acknowledged", Source: "API-send", Run: func(e *Env) {
		e.played(func(s wsa.SOCKET, p *simnet.Peer) {
			e.Nonblocking(e.P, s, true)
			e.sndbuf(s, 4000)
			e.accepts(s, 4000, 4000)
			e.Net.Sleep(100 * time.Millisecond)
			Equal(e, "bytes that left", e.bytesFrom("a"), 4000) // all of them, and still they count
			e.accepts(s, 1, 0)
			e.peerAcks(p, 1001)
			e.accepts(s, 4000, 1000)
		})
		e.Notef("transmitted bytes still count; 1,000 acknowledged make room for 1,000")
	}},
	{ID: "BF-8", Title: "non-blocking sends are partial", Source: "API-send, C-07", Profiles: []options.Profile{options.Documented, options.Windows}, Run: func(e *Env) {
		e.played(func(s wsa.SOCKET, p *simnet.Peer) {
			e.Nonblocking(e.P, s, true)
			e.sndbuf(s, 4000)
			e.accepts(s, 5000, 5000) // an empty queue takes one send whole
			e.accepts(s, 1, 0)
			e.peerAcks(p, 4001)
			part := 3000
			if e.Profile == options.Windows {
				part = 9000 // whole, as the queue is below the quota
			}
			e.accepts(s, 9000, part)
			e.accepts(s, 1, 0)
		})
		e.Notef("5,000 into an empty queue of 4,000, then what there is room for; as measured, all of it")
	}},
	{ID: "BF-8", Title: "a blocking send returns when all is accepted", Source: "API-send", Run: func(e *Env) {
		e.played(func(s wsa.SOCKET, p *simnet.Peer) {
			e.sndbuf(s, 2000)
			e.send(s, 1000)
			start := e.Start()
			done := e.Go("send", func() { e.send(s, 4000) })
			e.Net.Sleep(time.Second)
			e.peerAcks(p, 1001) // 1,000 queued, then 2,000: 2,000 of 4,000 are in
			e.peerAcks(p, 2001)
			e.Check(!done.Done(), "returned with 1,000 bytes not accepted")
			e.peerAcks(p, 3001)
			done.Wait()
			Equal(e, "time", (e.Net.Now() - start).Round(time.Millisecond), 1003*time.Millisecond)
			e.peerAcks(p, 5001)
		})
		e.Notef("the last byte is accepted when 3,000 of 5,000 are acknowledged")
	}},
	{ID: "BF-9", Title: "SO_SNDBUF 0", Source: "W-SOL", Run: func(e *Env) {
		e.played(func(s wsa.SOCKET, p *simnet.Peer) {
			e.sndbuf(s, 0)
			start := e.Start()
			done := e.Go("send", func() { e.send(s, 3500) })
			e.Net.Sleep(50 * time.Millisecond)
			e.peerAcks(p, 3001) // the rest of 500 follows
			e.Check(!done.Done(), "returned before the last byte was acknowledged")
			e.Net.Sleep(49 * time.Millisecond)
			e.peerAcks(p, 3501)
			done.Wait()
			Equal(e, "time", (e.Net.Now() - start).Round(time.Millisecond), 101*time.Millisecond)

			e.Nonblocking(e.P, s, true)
			e.accepts(s, 700, 700)
			e.accepts(s, 1, 0)
			_, w, _, err := e.P.Select(nil, []wsa.SOCKET{s}, nil, 0)
			e.Code("Select", err, 0)
			Equal(e, "writable with one outstanding", len(w), 0)
			e.peerAcks(p, 4201)
			e.accepts(s, 1, 1)
		})
		e.Notef("a blocking send ends with the acknowledgement of its last byte; non-blocking, one is outstanding")
	}},
	{ID: "BF-9", Title: "SO_SNDBUF 0 and SO_SNDTIMEO", Source: "W-SOL", Run: func(e *Env) {
		e.played(func(s wsa.SOCKET, p *simnet.Peer) {
			e.sndbuf(s, 0)
			e.Set(e.P, s, wsa.SOL_SOCKET, wsa.SO_SNDTIMEO, 300)
			start := e.Start()
			_, err := e.P.Send(s, make([]byte, 10), 0)
			e.Code("Send", err, wsa.WSAETIMEDOUT)
			Equal(e, "time", e.Net.Now()-start, 300*time.Millisecond)
			e.peerAcks(p, 11) // the bytes were sent all the same (TO-3)
			e.Go("ack", func() { e.Net.Sleep(10 * time.Millisecond); p.Send("[.] ack 12") })
			e.send(s, 1)
		})
		e.Notef("WSAETIMEDOUT at 0.300 s")
	}},
	{ID: "BF-10", Title: "writable", Source: "API-select", Run: func(e *Env) {
		e.played(func(s wsa.SOCKET, p *simnet.Peer) {
			e.Nonblocking(e.P, s, true)
			writable := func(want int) {
				_, w, _, err := e.P.Select(nil, []wsa.SOCKET{s}, nil, 0)
				e.Code("Select", err, 0)
				Equal(e, "writable", len(w), want)
			}
			e.sndbuf(s, 1000)
			writable(1)
			e.accepts(s, 999, 999)
			writable(1)
			e.accepts(s, 1, 1)
			writable(0)
			start := e.Start()
			e.Go("ack", func() { e.Net.Sleep(time.Second); p.Send("[.] ack 2") })
			_, w, _, err := e.P.Select(nil, []wsa.SOCKET{s}, nil, -1)
			e.Code("Select", err, 0)
			Equal(e, "writable after the ACK", len(w), 1)
			Equal(e, "time", (e.Net.Now() - start).Round(time.Millisecond), time.Second)
		})
		e.Notef("with 999 of 1,000 bytes queued, not with 1,000, again when one is acknowledged")
	}},
	{ID: "BF-11", Title: "an explicit size doesn't grow", Source: "W-SOL", Run: func(e *Env) {
		e.Pair()
		most := 0
		e.Do(func() {
			l := e.Socket(e.Q, wsa.SOCK_STREAM)
			e.Set(e.Q, l, wsa.SOL_SOCKET, wsa.SO_RCVBUF, 8192)
			e.Code("Bind", e.Q.Bind(l, e.Any(80)), 0)
			e.Code("Listen", e.Q.Listen(l, 5), 0)
			c := e.Stream()
			e.Code("Connect", e.P.Connect(c, e.Addr(2, 80)), 0)
			s, _, err := e.Q.Accept(l)
			e.Code("Accept", err, 0)
			e.sndbuf(c, 4096)
			done := e.Go("send", func() { e.send(c, 400_000) })
			for got := 0; got < 400_000; {
				n, err := e.Q.Recv(s, make([]byte, 10_000), 0)
				e.Code("Recv", err, 0)
				got += n
			}
			done.Wait()
			e.Nonblocking(e.P, c, true)
			e.Net.Sleep(time.Second)
			e.accepts(c, 1, 1)
			e.accepts(c, 9000, 4095)
		})
		for _, l := range e.Segments("b") {
			most = max(most, l.Window)
		}
		Equal(e, "largest window of b", most, 8192)
		e.Notef("after 400,000 bytes the window is at most 8,192 and the quota 4,096")
	}},
	{ID: "BF-18", Title: "the receive quota of datagrams", Source: "W-SOL", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			d := e.Socket(e.Q, wsa.SOCK_DGRAM)
			e.Code("Bind", e.Q.Bind(d, e.Any(53)), 0)
			c := e.Datagram()
			burst := func(quota uint32, sizes ...int) (got []int) {
				e.Set(e.Q, d, wsa.SOL_SOCKET, wsa.SO_RCVBUF, quota)
				for _, n := range sizes {
					_, err := e.P.SendTo(c, make([]byte, n), 0, e.Addr(2, 53))
					e.Code("SendTo", err, 0)
				}
				e.Net.Sleep(time.Second)
				e.Nonblocking(e.Q, d, true)
				for {
					n, err := e.Q.Recv(d, make([]byte, 2000), 0)
					if err != nil {
						e.Code("Recv", err, wsa.WSAEWOULDBLOCK)
						return got
					}
					got = append(got, n)
				}
			}
			Equal(e, "of four with 2,000 bytes", fmt.Sprint(burst(2000, 900, 901, 902, 903)), "[900 901 902]")
			Equal(e, "of two with 0 bytes", fmt.Sprint(burst(0, 1000, 5)), "[1000]")
			Equal(e, "errors", e.Get(e.Q, d, wsa.SOL_SOCKET, wsa.SO_ERROR), 0)
		})
		e.Notef("the newest are dropped while the quota is used up; an empty queue takes one")
	}},
	{ID: "BF-19", Title: "a datagram larger than SO_SNDBUF", Source: "W-SOL", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			d := e.Socket(e.Q, wsa.SOCK_DGRAM)
			e.Code("Bind", e.Q.Bind(d, e.Any(53)), 0)
			c := e.Datagram()
			for _, quota := range []uint32{0, 1, 100} {
				e.sndbuf(c, quota)
				for _, size := range []int{1400, 60000} {
					n, err := e.P.SendTo(c, make([]byte, size), 0, e.Addr(2, 53))
					e.Code("SendTo", err, 0)
					Equal(e, "bytes", n, size)
					n, err = e.Q.Recv(d, make([]byte, 65535), 0)
					e.Code("Recv", err, 0)
					Equal(e, "bytes received", n, size)
				}
			}
		})
		e.Notef("1,400 and 60,000 bytes with SO_SNDBUF 0, 1 and 100")
	}},
	{ID: "BF-23", Title: "probes of a closed window", Source: "RFC 1122 4.2.2.17", Run: func(e *Env) {
		e.played(func(s wsa.SOCKET, p *simnet.Peer) {
			e.keepAlive(s, time.Second, time.Second, 1) // which doesn't count (KA-6)
			e.send(s, 1000)
			p.Expect("[P.] seq 1:1001 ack 1")
			p.Send("[.] ack 1001 win 0")
			e.Net.Sleep(time.Millisecond)
			e.send(s, 500)
			var at []time.Duration
			for range 8 { // every one is answered: no end to it
				a, err := p.Receive(5 * time.Minute)
				e.Check(err == nil, "no probe: %v", err)
				at = append(at, a.At)
				e.Check(a.Segment.Seq == 1000 && a.Segment.Len <= 1, "not a probe: %s", a.Text)
				p.Send("[.] ack 1001 win 0")
			}
			for i := 2; i < len(at); i++ {
				e.Check(at[i]-at[i-1] >= at[i-1]-at[i-2], "intervals don't grow: %v", at)
			}
			e.Check(at[7]-at[6] > 10*time.Second, "intervals don't grow: %v", at)
			p.Send("[.] ack 1001 win 65535")
			p.Expect("[P.] seq 1001:1501 ack 1")
		})
		e.Notef("eight answered probes at growing intervals, then the data")
	}},
	{ID: "BF-21", Title: "limits that grow until they are set", Source: "OBS, C-31", Run: func(e *Env) {
		e.playedAs("mss 1000", nil, func(s wsa.SOCKET, p *simnet.Peer) {
			for _, opt := range []int32{wsa.SO_SNDBUF, wsa.SO_RCVBUF} {
				Equal(e, "value read", e.Get(e.P, s, wsa.SOL_SOCKET, opt), 65536)
			}
			e.Nonblocking(e.P, s, true)
			n, err := e.P.Send(s, make([]byte, 65536), 0)
			e.Code("Send", err, 0)
			Equal(e, "accepted without an acknowledgement", n, 65536)
			Equal(e, "value read after that", e.Get(e.P, s, wsa.SOL_SOCKET, wsa.SO_SNDBUF), 65536)
			e.sndbuf(s, 65536)
			e.accepts(s, 1, 0) // now it is a quota
			e.monotonicEdges(1 << 7)
		})
		syn := e.Segments("a")[0]
		Equal(e, "window of the SYN", syn.Segment.Window, 65535)
		e.Notef("both read 65,536; a send of 65,536 is taken; the first window is 65,535")
	}},
}

// bytesFrom is how many different payload bytes a node has sent.
func (e *Env) bytesFrom(node string) int {
	end := uint32(1)
	for _, l := range e.Segments(node) {
		if l.Kind == trace.TCP && l.Segment.Len > 0 {
			end = max(end, l.Segment.Seq+uint32(l.Segment.Len))
		}
	}
	return int(end - 1)
}
