package conform

import (
	"time"

	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

// timeoutsScenarios are TO-1 to TO-11: SO_RCVTIMEO and SO_SNDTIMEO.
var timeoutsScenarios = []Scenario{
	{ID: "TO-1", Title: "set only", Source: "S-API, C-14", Once: true, Run: func(e *Env) {
		e.Pair()
		s := e.stream()
		for _, opt := range []int32{wsa.SO_SNDTIMEO, wsa.SO_RCVTIMEO} {
			s.set(wsa.SOL_SOCKET, opt, 1234)
			v, err := s.tryGet(wsa.SOL_SOCKET, opt)
			if e.Profile == options.Documented {
				e.Code("get", err, wsa.WSAENOPROTOOPT)
				continue
			}
			e.Code("get", err, 0)
			Equal(e, "value", v, 1234)
		}
		e.Notef("get is WSAENOPROTOOPT; as measured, the value")
	}},
	{ID: "TO-2", Title: "SO_RCVTIMEO", Source: "W-SOL", Run: func(e *Env) {
		e.connected(func(c, s handle) {
			c.set(wsa.SOL_SOCKET, wsa.SO_RCVTIMEO, 1500)
			start := e.Start()
			c.recv(1, wsa.WSAETIMEDOUT)
			Equal(e, "time", e.Net.Now()-start, 1500*time.Millisecond)
			e.Go("send", func() {
				e.Net.Sleep(time.Second)
				s.say("x")
			})
			c.as("Recv with data in time").recv(1)
		})
		e.Notef("WSAETIMEDOUT at 1.500 s; data within it is success")
	}},
	{ID: "TO-3", Title: "SO_SNDTIMEO", Source: "W-SOL", Run: func(e *Env) {
		e.stuck(func(s handle, p *simnet.Peer) {
			s.set(wsa.SOL_SOCKET, wsa.SO_SNDTIMEO, 700)
			s.fill()
			start := e.Start()
			s.send(32<<20, wsa.WSAETIMEDOUT)
			e.took("time", start, 700*time.Millisecond)
			e.arrive(p, "[.] ack 1001 win 5000")
			e.Check(e.Count("a", func(l simnet.Line) bool { return data(l) && l.At > start && l.Segment.Seq == 1001 }) > 0, "what was accepted isn't transmitted")
			s.linger(0)
			s.close()
		})
		e.Notef("WSAETIMEDOUT at 0.700 s; accepted bytes leave when the window opens")
	}},
	{ID: "TO-4", Title: "after a time-out", Source: "W-SOL", Run: func(e *Env) {
		e.connected(func(c, s handle) {
			c.set(wsa.SOL_SOCKET, wsa.SO_RCVTIMEO, 100)
			c.recv(1, wsa.WSAETIMEDOUT)
			s.say("x")
			e.Net.Sleep(time.Second)
			c.as("a later Recv").recv(1)
			c.reads(wsa.SOL_SOCKET, wsa.SO_ERROR, 0)
		})
		e.Notef("the connection stays up")
	}},
	{ID: "TO-5", Title: "overlapped operations ignore the time-outs", Source: "observed", Run: func(e *Env) {
		e.connected(func(c, s handle) {
			c.set(wsa.SOL_SOCKET, wsa.SO_RCVTIMEO, 100)
			c.set(wsa.SOL_SOCKET, wsa.SO_SNDTIMEO, 100)
			buf := make([]byte, 9)
			first, second := c.recvAsync(buf), c.recvAsync(make([]byte, 9))
			e.Net.Sleep(10 * time.Second)
			e.pending("after 10 s", first)
			s.send(3)
			Equal(e, "first", e.outcome(first), "3 success") // in order
			e.pending("the second", second)
			s.send(4)
			Equal(e, "second", e.outcome(second), "4 success")
			c.nonblocking(true)
			c.clogged()
			o := c.sendAsync(make([]byte, 100<<10))
			e.Net.Sleep(10 * time.Second)
			e.pending("a send without room, after 10 s", o)
			e.Go("reader", func() {
				for range 1000 {
					if n, err := e.Q.Recv(s.s, make([]byte, 1<<20), 0); n == 0 || err != nil {
						return
					}
				}
			})
			Equal(e, "send", e.outcome(o), "102400 success")
			c.linger(0)
			c.close()
		})
		e.Notef("pending after 10 s with time-outs of 100 ms; receives complete in order")
	}},
	{ID: "TO-6", Title: "without the overlapped attribute", Source: "W-SOL", Run: func(e *Env) {
		e.paired(func() {
			l := e.listener(e.Q, 80)
			c := e.plain(wsa.SOCK_STREAM, 0)
			c.set(wsa.SOL_SOCKET, wsa.SO_RCVTIMEO, 100)
			c.connect(e.Addr(2, 80))
			s := l.accept()
			start := e.Start()
			e.Go("send", func() {
				e.Net.Sleep(5 * time.Second)
				s.send(1)
			})
			c.recv(1)
			e.Check(e.Net.Now()-start > 5*time.Second, "Recv returned after %v", e.Net.Now()-start)
			c.recvAsync(make([]byte, 1), wsa.WSAEINVAL)

			// accepted sockets are the same
			pl := e.plain(wsa.SOCK_STREAM, 0)
			pl.bind(e.Any(81))
			pl.set(wsa.SOL_SOCKET, wsa.SO_RCVTIMEO, 100)
			pl.listen(5)
			q := e.peerStream()
			q.connect(e.Addr(1, 81))
			a := pl.accept()
			e.Go("send", func() {
				e.Net.Sleep(5 * time.Second)
				q.send(1)
			})
			a.recv(1)
			d := e.plain(wsa.SOCK_DGRAM, 0)
			d.set(wsa.SOL_SOCKET, wsa.SO_RCVTIMEO, 100)
			d.bind(e.Any(7))
			e.Go("send", func() {
				e.Net.Sleep(5 * time.Second)
				e.peerDatagram().sayTo(e.Addr(1, 7), "x")
			})
			d.recv(1)
		})
		e.Notef("SO_RCVTIMEO 100 ms is stored, the recv waits 5 s for data")
	}},
	{ID: "TO-7", Title: "calls that the time-outs don't bound", Source: "W-SOL", Run: func(e *Env) {
		e.paired(func() {
			timed := func(s handle) {
				s.set(wsa.SOL_SOCKET, wsa.SO_RCVTIMEO, 100)
				s.set(wsa.SOL_SOCKET, wsa.SO_SNDTIMEO, 100)
			}
			took := func(what string, want time.Duration, call func()) {
				start := e.Start()
				call()
				e.took("time of "+what, start, want)
			}
			l := e.listener(e.P, 81)
			timed(l)
			e.Go("client", func() {
				e.Net.Sleep(3 * time.Second)
				c := e.peerStream()
				c.as("Connect of b").connect(e.Addr(1, 81))
			})
			took("accept", 3*time.Second+3*Delay, func() {
				l.accept()
			})
			took("select", 2*time.Second, func() {
				Equal(e, "ready", l.ready("r", 2*time.Second), "")
			})
			c, _ := e.connection()
			timed(c)
			c.linger(5)
			c.sndbuf(10_000_000)
			c.send(4_000_000) // the other side doesn't read
			took("closesocket", 5*time.Second, func() { c.close() })
			c = e.stream()
			timed(c)
			took("connect", e.silence(), func() {
				c.connect(e.Addr(77, 80), wsa.WSAETIMEDOUT)
			})
		})
		e.Notef("accept, select, closesocket and connect take their own time with both time-outs at 0.1 s")
	}},
	{ID: "TO-8", Title: "a change counts from the next call", Source: "W-SOL", Run: func(e *Env) {
		e.connected(func(c, _ handle) {
			c.set(wsa.SOL_SOCKET, wsa.SO_RCVTIMEO, 2000)
			start := e.Start()
			e.Go("change", func() {
				e.Net.Sleep(500 * time.Millisecond)
				c.set(wsa.SOL_SOCKET, wsa.SO_RCVTIMEO, 100)
			})
			c.recv(1, wsa.WSAETIMEDOUT)
			Equal(e, "the blocked call", e.Net.Now()-start, 2*time.Second)
			start = e.Start()
			c.recv(1, wsa.WSAETIMEDOUT)
			Equal(e, "the next call", e.Net.Now()-start, 100*time.Millisecond)
		})
		e.Notef("2 s for the blocked call, 0.1 s for the next")
	}},
	{ID: "TO-9", Title: "small values are exact", Source: "OBS, C-33", Run: func(e *Env) {
		e.connected(func(c, _ handle) {
			for _, ms := range []uint32{1, 100, 499} {
				c.set(wsa.SOL_SOCKET, wsa.SO_RCVTIMEO, ms)
				start := e.Start()
				c.recv(1, wsa.WSAETIMEDOUT)
				Equal(e, "time", e.Net.Now()-start, time.Duration(ms)*time.Millisecond)
			}
		})
		e.Notef("1, 100 and 499 ms")
	}},
	{ID: "TO-10", Title: "inherited", Source: "W-SOL", Run: func(e *Env) {
		e.paired(func() {
			l := e.listener(e.Q, 80)
			l.set(wsa.SOL_SOCKET, wsa.SO_RCVTIMEO, 250)
			e.stream().connect(e.Addr(2, 80))
			s := l.accept()
			start := e.Start()
			s.recv(1, wsa.WSAETIMEDOUT)
			Equal(e, "time", e.Net.Now()-start, 250*time.Millisecond)
		})
		e.Notef("0.250 s on the accepted socket")
	}},
	{ID: "TO-11", Title: "MSG_WAITALL and MSG_PEEK", Source: "API-recv", Run: func(e *Env) {
		e.connected(func(c, s handle) {
			c.set(wsa.SOL_SOCKET, wsa.SO_RCVTIMEO, 1000)
			e.Go("send", func() {
				for range 3 {
					s.say("ab")
					e.Net.Sleep(400 * time.Millisecond)
				}
			})
			start := e.Start()
			c.as("Recv MSG_WAITALL").recvFlags(100, wsa.MSG_WAITALL, wsa.WSAETIMEDOUT)
			Equal(e, "time", e.Net.Now()-start, time.Second)
			Equal(e, "still queued", string(c.as("Recv MSG_PEEK").recvFlags(100, wsa.MSG_PEEK)), "ababab")
		})
		e.Notef("one second for the whole call; the six bytes are still there")
	}},
}
