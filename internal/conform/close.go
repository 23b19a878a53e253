package conform

import (
	"fmt"
	"time"

	"github.com/wsstack/wsstack/internal/trace"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

// stuck connects, inside Do, to a peer played by hand whose window is closed,
// with data queued behind it.
func (e *Env) stuck(fn func(s wsa.SOCKET, p *simnet.Peer)) {
	p := e.Wire().Listen(80)
	e.Do(func() {
		s := e.Stream()
		done := e.Go("connect", func() { e.Code("Connect", e.P.Connect(s, e.Addr(9, 80)), 0) })
		p.Expect("[S]")
		p.Send("[S.] win 1000 <mss 1000>")
		p.Expect("[.] seq 1 ack 1")
		done.Wait()
		e.send(s, 3000)
		p.Expect("[.] seq 1:1001")
		p.Send("[.] ack 1001 win 0")
		e.Net.Sleep(time.Millisecond)
		fn(s, p)
	})
}

func init() {
	lgScenarios = append(lgScenarios, lingerScenarios...)
	vectorScenarios = append(vectorScenarios, closeVectors...)
}

var lingerScenarios = []Scenario{
	{ID: "LG-5", Title: "lingering close, drained in time", Source: "API-close", Run: func(e *Env) {
		e.played(func(s wsa.SOCKET, p *simnet.Peer) {
			e.send(s, 1500)
			e.Linger(e.P, s, 5)
			e.Go("peer", func() {
				e.Net.Sleep(300 * time.Millisecond)
				p.Send("[.] ack 1502") // data and FIN
			})
			start := e.Start()
			e.Code("CloseSocket", e.P.CloseSocket(s), 0)
			Equal(e, "time", (e.Net.Now() - start).Round(time.Millisecond), 300*time.Millisecond)
			p.Send("[F.] ack 1502")
		})
		Equal(e, "RSTs", e.Count("a", has(trace.RST)), 0)
		e.Notef("returns 0 at 0.300 s, when all data and the FIN are acknowledged")
	}},
	{ID: "LG-6", Title: "lingering close that expires", Source: "API-close", Run: func(e *Env) {
		e.stuck(func(s wsa.SOCKET, _ *simnet.Peer) {
			e.Linger(e.P, s, 2)
			start := e.Start()
			e.Code("CloseSocket", e.P.CloseSocket(s), 0)
			Equal(e, "time", (e.Net.Now() - start).Round(time.Millisecond), 2*time.Second)
			Equal(e, "RST", e.times("a", start, has(trace.RST)), "2.000")
		})
		e.Notef("returns 0 at 2.000 s, RST")
	}},
	{ID: "LG-7", Title: "non-blocking lingering close with data pending", Source: "API-close", Run: func(e *Env) {
		e.stuck(func(s wsa.SOCKET, p *simnet.Peer) {
			e.Linger(e.P, s, 2)
			e.Nonblocking(e.P, s, true)
			before := e.Net.Now()
			e.Code("CloseSocket", e.P.CloseSocket(s), wsa.WSAEWOULDBLOCK)
			Equal(e, "time", e.Net.Now(), before)
			Equal(e, "FIN or RST", e.Count("a", func(l simnet.Line) bool { return l.Segment.Flags&(trace.FIN|trace.RST) != 0 }), 0)
			p.Send("[.] ack 1001 win 5000") // queued data keeps flowing
			e.Net.Sleep(time.Millisecond)
			e.Check(e.Count("a", func(l simnet.Line) bool { return data(l) && l.Segment.Seq == 1001 }) > 0, "no data after the window opened")
			_, err := e.P.GetSockName(s)
			e.Code("GetSockName", err, 0)
		})
		e.Notef("WSAEWOULDBLOCK at once, nothing on the wire, the socket works")
	}},
	{ID: "LG-14", Title: "closing what isn't connected", Source: "API-close", Run: func(e *Env) {
		e.Pair()
		for _, linger := range []uint32{0, 1, 1 | 5<<16} {
			bound := e.Stream()
			e.Code("Bind", e.P.Bind(bound, e.Any(0)), 0)
			for _, s := range []wsa.SOCKET{e.Stream(), bound, e.Listener(e.P, 90)} {
				e.Set(e.P, s, wsa.SOL_SOCKET, wsa.SO_LINGER, linger)
				e.Code("CloseSocket", e.P.CloseSocket(s), 0)
			}
			e.Code("CloseSocket of a datagram socket", e.P.CloseSocket(e.Datagram()), 0)
		}
		Equal(e, "packets", len(e.Segments("")), 0)
		e.Notef("0 at once in three linger modes, no packet")
	}},
	{ID: "LG-15", Title: "closing during connect", Source: "API-close", Run: func(e *Env) {
		e.Wire()
		e.Do(func() {
			s := e.Stream()
			e.Nonblocking(e.P, s, true)
			e.Code("Connect", e.P.Connect(s, e.Addr(9, 80)), wsa.WSAEWOULDBLOCK)
			e.Net.Sleep(1500 * time.Millisecond)
			e.Code("CloseSocket", e.P.CloseSocket(s), 0)
			at := e.Net.Now()
			e.Net.Sleep(time.Minute)
			Equal(e, "segments afterwards", e.times("a", at, func(simnet.Line) bool { return true }), "")
		})
		e.Notef("abandoned silently")
	}},
	{ID: "LG-27", Title: "shutdown never waits", Source: "API-shutdown", Run: func(e *Env) {
		e.stuck(func(s wsa.SOCKET, _ *simnet.Peer) {
			e.Linger(e.P, s, 60)
			start := e.Start()
			e.Code("Shutdown", e.P.Shutdown(s, wsa.SD_SEND), 0)
			Equal(e, "time", e.Net.Now(), start)
			e.Linger(e.P, s, 0)
			e.Code("CloseSocket", e.P.CloseSocket(s), 0)
		})
		e.Notef("0 at once with SO_LINGER {1,60} and data pending")
	}},
	{ID: "LG-18", Title: "lingering close after SD_SEND", Source: "API-close", Run: func(e *Env) {
		e.stuck(func(s wsa.SOCKET, _ *simnet.Peer) {
			e.Code("Shutdown", e.P.Shutdown(s, wsa.SD_SEND), 0)
			e.Linger(e.P, s, 3)
			start := e.Start()
			e.Code("CloseSocket", e.P.CloseSocket(s), 0)
			Equal(e, "time", (e.Net.Now() - start).Round(time.Millisecond), 3*time.Second)
			Equal(e, "RST", e.times("a", start, has(trace.RST)), "3.000")
		})
		e.Notef("still waits, RST at 3.000 s")
	}},
}

var closeVectors = []Scenario{
	{ID: "TV-7", Title: "LINGER{1,2} and a closed window", Source: "vectors", Run: lingerScenarios[1].Run},
	{ID: "TV-8", Title: "the same, non-blocking", Source: "vectors", Run: func(e *Env) {
		e.stuck(func(s wsa.SOCKET, p *simnet.Peer) {
			e.Linger(e.P, s, 2)
			e.Nonblocking(e.P, s, true)
			e.Code("CloseSocket", e.P.CloseSocket(s), 10035)
			e.Set(e.P, s, wsa.SOL_SOCKET, wsa.SO_DONTLINGER, 1)
			e.Code("CloseSocket with DONTLINGER", e.P.CloseSocket(s), 0)
			p.Send("[.] ack 1001 win 10000")
			e.Net.Sleep(10 * time.Millisecond)
			Equal(e, "FINs", e.Count("a", has(trace.FIN)), 1)
			Equal(e, "RSTs", e.Count("a", has(trace.RST)), 0)
			p.Send("[.] ack 3002")
			p.Send("[F.] ack 3002")
		})
		e.Notef("10035, then with DONTLINGER 0: the data and FIN when the window opens")
	}},
	{ID: "TV-9", Title: "LINGER{1,5} drained in 0.3 s", Source: "vectors", Run: lingerScenarios[0].Run},
	{ID: "TV-10", Title: "default close with a slow reader", Source: "vectors", Run: func(e *Env) {
		const size = 1 << 20
		e.Pair()
		e.Do(func() {
			c, s := e.Connected()
			done := e.Go("reader", func() {
				got := 0
				for {
					n, err := e.Q.Recv(s, make([]byte, 64<<10), 0)
					e.Code("Recv", err, 0)
					if n == 0 {
						break
					}
					got += n
					e.Net.Sleep(50 * time.Millisecond)
				}
				Equal(e, "bytes", got, size)
			})
			e.send(c, size)
			start := e.Start()
			e.Code("CloseSocket", e.P.CloseSocket(c), 0)
			Equal(e, "time", e.Net.Now(), start)
			done.Wait()
		})
		e.Notef("returns at once; the peer gets all of 1 MiB")
	}},
	{ID: "TV-15", Title: "sendto 255.255.255.255", Source: "vectors", Once: true, Run: func(e *Env) {
		e.Pair()
		s := e.Datagram()
		_, err := e.P.SendTo(s, []byte("x"), 0, addrOf("255.255.255.255:9"))
		e.Code("SendTo", err, 10013)
		e.Set(e.P, s, wsa.SOL_SOCKET, wsa.SO_BROADCAST, 1)
		_, err = e.P.SendTo(s, []byte("x"), 0, addrOf("255.255.255.255:9"))
		e.Code("SendTo with SO_BROADCAST", err, 0)
		e.Net.Idle()
		Equal(e, "packets", len(e.Segments("a")), 1)
		e.Notef("10013; success and one datagram with SO_BROADCAST")
	}},
	{ID: "TV-16", Title: "SO_CONNECT_TIME", Source: "vectors", Run: func(e *Env) {
		link := e.Pair()
		e.Do(func() {
			fresh := e.Stream()
			v, err := get(e.P, fresh, wsa.SOL_SOCKET, wsa.SO_CONNECT_TIME)
			e.Code("before", err, 10057)
			Equal(e, "before", v, 0xFFFFFFFF)
			c, _ := e.Connected()
			established := e.Net.Now() - Delay
			for _, at := range []time.Duration{500 * time.Millisecond, 2500 * time.Millisecond} {
				e.Net.Sleep(established + at - e.Net.Now())
				Equal(e, fmt.Sprint("at ", at), e.Get(e.P, c, wsa.SOL_SOCKET, wsa.SO_CONNECT_TIME), uint32(at/time.Second))
			}
			link.Partition()
			e.keepAlive(c, time.Second, time.Second, 1)
			e.Net.Sleep(time.Minute)
			_, err = get(e.P, c, wsa.SOL_SOCKET, wsa.SO_CONNECT_TIME)
			e.Code("after the drop", err, 10057)
		})
		e.Notef("10057 and 0xFFFFFFFF; 0; 2; 10057 after the drop")
	}},
}
