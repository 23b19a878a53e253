package conform

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/wsstack/wsstack/internal/socket"

	"github.com/wsstack/wsstack/internal/trace"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

func init() {
	caScenarios = append(caScenarios, conditionalScenarios...)
	nbScenarios = append(nbScenarios, backlogScenarios...)
	inScenarios = append(inScenarios, pauseScenarios...)
	vectorScenarios = append(vectorScenarios, acceptVectors...)
}

// caScenarios are those of CA.
var caScenarios []Scenario

// condition is a condition function that always answers the same.
func condition(answer int32) socket.Condition {
	return func(_, _ netip.AddrPort) int32 { return answer }
}

// conditional makes a non-blocking listener on A with SO_CONDITIONAL_ACCEPT.
func (e *Env) conditional() wsa.SOCKET {
	l := e.Stream()
	e.Set(e.P, l, wsa.SOL_SOCKET, wsa.SO_CONDITIONAL_ACCEPT, 1)
	e.Code("Bind", e.P.Bind(l, e.Any(80)), 0)
	e.Code("Listen", e.P.Listen(l, 1), 0)
	e.Nonblocking(e.P, l, true)
	return l
}

// acceptable reports what select says of a socket of A.
func (e *Env) acceptable(s wsa.SOCKET) bool {
	r, _, _, err := e.P.Select([]wsa.SOCKET{s}, nil, nil, 0)
	e.Code("Select", err, 0)
	return len(r) > 0
}

// acceptCode is AcceptCond for its code.
func (e *Env) acceptCode(what string, l wsa.SOCKET, c socket.Condition, want wsa.Errno) wsa.SOCKET {
	s, _, err := e.P.AcceptCond(l, c)
	e.Code(what, err, want)
	return s
}

// client is a peer of the port 80 of A that is played by hand.
func (e *Env) client(w *simnet.Wire) *simnet.Peer { return w.Connect(e.Addr(1, 80).String()) }

// handshake connects a peer, inside Do.
func (e *Env) handshake(p *simnet.Peer) {
	p.Send("[S] <mss 1000>")
	p.Expect("[S.] seq 0")
	p.Send("[.]")
	e.Net.Sleep(time.Millisecond)
}

var conditionalScenarios = []Scenario{
	{ID: "CA-1", Title: "a condition without the option", Source: "API-WSAAccept", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			l := e.Listener(e.Q, 80)
			e.Nonblocking(e.Q, l, true)
			c := e.Stream()
			e.Code("Connect", e.P.Connect(c, e.Addr(2, 80)), 0)
			e.Net.Sleep(time.Second)
			local, err := e.P.GetSockName(c)
			e.Code("GetSockName", err, 0)
			var caller, called netip.AddrPort
			_, _, err = e.Q.AcceptCond(l, func(a, b netip.AddrPort) int32 { caller, called = a, b; return wsa.CF_DEFER })
			e.Code("AcceptCond CF_DEFER", err, wsa.WSATRY_AGAIN)
			Equal(e, "caller", caller, local)
			Equal(e, "called", called, e.Addr(2, 80))
			_, _, err = e.Q.AcceptCond(l, condition(77))
			e.Code("AcceptCond, another value", err, wsa.WSAEINVAL)
			at := e.Net.Now()
			_, _, err = e.Q.AcceptCond(l, condition(wsa.CF_REJECT))
			e.Code("AcceptCond CF_REJECT", err, wsa.WSAECONNREFUSED)
			_, err = e.P.Recv(c, make([]byte, 1), 0)
			e.Code("the client's Recv", err, wsa.WSAECONNRESET)
			Equal(e, "RST", e.times("b", at, has(trace.RST)), fmt.Sprintf("%.3f", 0.0))
			_, _, err = e.Q.AcceptCond(l, condition(wsa.CF_ACCEPT))
			e.Code("AcceptCond of an empty queue", err, wsa.WSAEWOULDBLOCK)
			e.Code("Connect", e.P.Connect(e.Stream(), e.Addr(2, 80)), 0)
			e.Net.Sleep(time.Second)
			_, _, err = e.Q.AcceptCond(l, condition(wsa.CF_ACCEPT))
			e.Code("AcceptCond CF_ACCEPT", err, 0)
		})
		e.Notef("the handshake is complete; CF_DEFER keeps, CF_REJECT resets, CF_ACCEPT returns it")
	}},
	{ID: "CA-2", Title: "the SYN waits", Source: "W-CA", Run: func(e *Env) {
		w := e.Wire()
		e.Do(func() {
			l := e.conditional()
			Equal(e, "readable before", e.acceptable(l), false)
			p := e.client(w)
			p.Send("[S] win 1000 <mss 1000>")
			p.ExpectSilence(2 * time.Second)
			Equal(e, "readable", e.acceptable(l), true)
		})
		e.Notef("no SYN-ACK and no RST for 2 s; the listener is readable")
	}},
	{ID: "CA-3", Title: "CF_ACCEPT", Source: "W-CA", Run: func(e *Env) {
		w := e.Wire()
		e.Do(func() {
			l := e.conditional()
			e.Nonblocking(e.P, l, false)
			p := e.client(w)
			p.Send("[S] win 1000 <mss 1000>")
			done := e.Go("accept", func() {
				s, peer, err := e.P.AcceptCond(l, condition(wsa.CF_ACCEPT))
				e.Code("AcceptCond", err, 0)
				Equal(e, "peer", peer, p.Local())
				e.send(s, 10)
			})
			p.Expect("[S.] seq 0 ack 1")
			p.ExpectSilence(500 * time.Millisecond) // the call waits
			p.Send("[.]")
			p.Expect("[P.] seq 1:11 ack 1")
			p.Send("[.]")
			done.Wait()
		})
		e.Notef("SYN-ACK; the call returns when the handshake is complete")
	}},
	{ID: "CA-3", Title: "CF_ACCEPT without blocking", Source: "W-CA", Run: func(e *Env) {
		w := e.Wire()
		e.Do(func() {
			l := e.conditional()
			p, second := e.client(w), e.client(w)
			p.Send("[S] win 1000 <mss 1000>")
			e.Net.Sleep(time.Millisecond)
			e.acceptCode("AcceptCond", l, condition(wsa.CF_ACCEPT), wsa.WSAEWOULDBLOCK)
			p.Expect("[S.] seq 0 ack 1")
			Equal(e, "readable during the handshake", e.acceptable(l), false)
			second.Send("[S] win 1000 <mss 1000>")
			p.Send("[.]")
			e.Net.Sleep(time.Millisecond)
			Equal(e, "readable", e.acceptable(l), true)
			asked := 0
			s := e.acceptCode("AcceptCond again", l, func(_, _ netip.AddrPort) int32 { asked++; return wsa.CF_REJECT }, 0)
			Equal(e, "asked again", asked, 0)
			peer, err := e.P.GetPeerName(s)
			e.Code("GetPeerName", err, 0)
			Equal(e, "peer", peer, p.Local())
			e.acceptCode("AcceptCond of the second", l, condition(wsa.CF_REJECT), wsa.WSAECONNREFUSED)
			second.Expect("[R.] seq 0 ack 1")
		})
		e.Notef("WSAEWOULDBLOCK until the ACK; then returned without asking again")
	}},
	{ID: "CA-4", Title: "CF_REJECT", Source: "W-CA", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			l := e.conditional()
			e.Nonblocking(e.P, l, false)
			c := e.Socket(e.Q, wsa.SOCK_STREAM)
			done := e.Go("connect", func() { e.Code("Connect", e.Q.Connect(c, e.Addr(1, 80)), wsa.WSAECONNREFUSED) })
			e.acceptCode("AcceptCond", l, condition(wsa.CF_REJECT), wsa.WSAECONNREFUSED)
			done.Wait()
		})
		Equal(e, "SYN-ACKs", e.Count("a", has(trace.SYN|trace.ACK)), 0)
		Equal(e, "RSTs", e.Count("a", has(trace.RST|trace.ACK)), 1)
		e.Notef("RST to the SYN; WSAECONNREFUSED on both sides")
	}},
	{ID: "CA-5", Title: "CF_DEFER and other values", Source: "API-WSAAccept", Run: func(e *Env) {
		w := e.Wire()
		e.Do(func() {
			l := e.conditional()
			p, second := e.client(w), e.client(w)
			p.Send("[S] win 1000 <mss 1000>")
			second.Send("[S] win 1000 <mss 1000>")
			e.Net.Sleep(time.Millisecond)
			for range 3 {
				e.acceptCode("AcceptCond CF_DEFER", l, condition(wsa.CF_DEFER), wsa.WSATRY_AGAIN)
				Equal(e, "readable", e.acceptable(l), true)
			}
			for _, v := range []int32{3, -1, 1 << 30} {
				e.acceptCode(fmt.Sprint("AcceptCond ", v), l, condition(v), wsa.WSAEINVAL)
			}
			p.ExpectSilence(10 * time.Millisecond)
			var first netip.AddrPort
			e.acceptCode("AcceptCond", l, func(caller, _ netip.AddrPort) int32 { first = caller; return wsa.CF_REJECT }, wsa.WSAECONNREFUSED)
			Equal(e, "the first in the queue", first, p.Local())
			p.Expect("[R.] seq 0 ack 1")
			second.ExpectSilence(10 * time.Millisecond)
		})
		e.Notef("WSATRY_AGAIN, WSAEINVAL; nothing on the wire, the order stays")
	}},
	{ID: "CA-6", Title: "accept without a condition", Source: "W-CA", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			l := e.conditional()
			e.Nonblocking(e.P, l, false)
			done := e.Go("connect", func() { e.Code("Connect", e.Q.Connect(e.Socket(e.Q, wsa.SOCK_STREAM), e.Addr(1, 80)), 0) })
			_, _, err := e.P.Accept(l)
			e.Code("Accept", err, 0)
			done.Wait()
		})
		e.Notef("the same as CF_ACCEPT")
	}},
	{ID: "CA-7", Title: "retransmitted SYNs and a RST", Source: "W-CA", Run: func(e *Env) {
		w := e.Wire()
		e.Do(func() {
			l := e.conditional()
			p := e.client(w)
			p.Send("[S] seq 0 win 1000 <mss 1000>")
			for _, gap := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second} {
				p.ExpectSilence(gap)
				p.Send("[S] seq 0 win 1000 <mss 1000>")
			}
			p.ExpectSilence(time.Second)
			p.Send("[R] seq 500") // forged
			e.Net.Sleep(time.Millisecond)
			e.acceptCode("AcceptCond CF_DEFER", l, condition(wsa.CF_DEFER), wsa.WSATRY_AGAIN)
			p.Send("[R] seq 1")
			e.Net.Sleep(time.Millisecond)
			Equal(e, "readable", e.acceptable(l), true)
			e.acceptCode("AcceptCond of a vanished request", l, condition(wsa.CF_ACCEPT), wsa.WSAECONNRESET)
			Equal(e, "readable afterwards", e.acceptable(l), false)
			e.acceptCode("AcceptCond, once more", l, condition(wsa.CF_ACCEPT), wsa.WSAEWOULDBLOCK)
		})
		Equal(e, "segments of a", len(e.Segments("a")), 0)
		e.Notef("one request for four SYNs; a RST ends it: WSAECONNRESET, once")
	}},
	{ID: "CA-7", Title: "a client that gives up", Source: "W-CA", Run: func(e *Env) {
		w := e.Wire()
		e.Do(func() {
			l := e.conditional()
			p := e.client(w)
			p.Send("[S] seq 0 win 1000 <mss 1000>")
			e.Net.Sleep(time.Second)
			p.Send("[S] seq 0 win 1000 <mss 1000>")
			e.Net.Sleep(7400 * time.Millisecond)
			e.acceptCode("AcceptCond in time", l, condition(wsa.CF_DEFER), wsa.WSATRY_AGAIN)
			e.Net.Sleep(200 * time.Millisecond)
			e.acceptCode("AcceptCond", l, condition(wsa.CF_ACCEPT), wsa.WSAECONNRESET)

			// A blocking call goes on waiting.
			e.Nonblocking(e.P, l, false)
			p.Send("[S] seq 100 win 1000 <mss 1000>")
			done := e.Go("accept", func() {
				_, peer, err := e.P.Accept(l)
				e.Code("Accept", err, 0)
				Equal(e, "peer", peer.Port(), p.Local().Port()+1)
			})
			p.Expect("[S.] ack 101")
			p.Send("[R] seq 101")
			e.Net.Sleep(time.Second)
			second := e.client(w)
			e.handshake(second)
			done.Wait()
		})
		e.Notef("forgotten 7.5 s after the last SYN; a blocking accept waits for the next")
	}},
	{ID: "CA-8", Title: "no backlog, but a bound", Source: "W-CA", Once: true, Run: func(e *Env) {
		const bound = 1024
		w := e.Wire()
		e.Do(func() {
			l := e.conditional() // with a backlog of one
			peers := make([]*simnet.Peer, bound+1)
			for i := range peers {
				peers[i] = e.client(w)
				peers[i].Send("[S] win 1000 <mss 1000>")
			}
			e.Net.Sleep(time.Millisecond)
			Equal(e, "segments of a", len(e.Segments("a")), 0)
			for range bound {
				e.acceptCode("AcceptCond", l, condition(wsa.CF_REJECT), wsa.WSAECONNREFUSED)
			}
			e.acceptCode("AcceptCond beyond the bound", l, condition(wsa.CF_REJECT), wsa.WSAEWOULDBLOCK)
			Equal(e, "RSTs", e.Count("a", has(trace.RST)), bound)
			peers[bound].Send("[S] seq 0 win 1000 <mss 1000>") // its next try finds room
			e.Net.Sleep(time.Millisecond)
			e.acceptCode("AcceptCond of the next try", l, condition(wsa.CF_DEFER), wsa.WSATRY_AGAIN)
		})
		e.Notef("1024 held with a backlog of one; one more is dropped silently")
	}},
}

var backlogScenarios = []Scenario{
	{ID: "CA-1", Title: "the backlog", Source: "API-listen", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			for _, backlog := range []int32{0, 1, 3} {
				l := e.Socket(e.Q, wsa.SOCK_STREAM)
				port := uint16(100 + backlog)
				e.Code("Bind", e.Q.Bind(l, e.Any(port)), 0)
				e.Code("Listen", e.Q.Listen(l, backlog), 0)
				e.Code("Listen again", e.Q.Listen(l, 50), 0) // changes nothing
				for range max(backlog, 1) {
					e.Code("Connect", e.P.Connect(e.Stream(), e.Addr(2, port)), 0)
				}
				e.Net.Sleep(time.Second)
				e.Code("Connect to a full queue", e.P.Connect(e.Stream(), e.Addr(2, port)), wsa.WSAECONNREFUSED)
				_, _, err := e.Q.Accept(l)
				e.Code("Accept", err, 0)
				e.Code("Connect when there is room", e.P.Connect(e.Stream(), e.Addr(2, port)), 0)
				e.Net.Sleep(time.Second)
				e.Code("Connect to a full queue", e.P.Connect(e.Stream(), e.Addr(2, port)), wsa.WSAECONNREFUSED)
			}
		})
		Equal(e, "RSTs", e.Count("b", has(trace.RST|trace.ACK)), 6)
		e.Notef("a RST to the SYN that finds 1, 1 and 3 connections waiting")
	}},
	{ID: "CA-1", Title: "the backlog, at the same time", Source: "API-listen", Run: func(e *Env) {
		w := e.Wire()
		e.Do(func() {
			l := e.Stream()
			e.Code("Bind", e.P.Bind(l, e.Any(80)), 0)
			e.Code("Listen", e.P.Listen(l, 2), 0)
			var peers []*simnet.Peer
			for range 4 {
				p := e.client(w)
				p.Send("[S] win 1000 <mss 1000>")
				p.Expect("[S.] seq 0 ack 1")
				peers = append(peers, p)
			}
			for _, p := range peers {
				p.Send("[.]")
				e.Net.Sleep(time.Millisecond)
			}
			peers[2].Expect("[R.] seq 1 ack 1")
			peers[3].Expect("[R.] seq 1 ack 1")
			for i := range 2 {
				s, peer, err := e.P.Accept(l)
				e.Code("Accept", err, 0)
				Equal(e, "peer", peer, peers[i].Local())
				e.send(s, 5)
				peers[i].Expect("[P.] seq 1:6 ack 1")
				peers[i].Send("[R.] seq 1 ack 6")
			}
		})
		e.Notef("half-open connections don't count; of four that complete, two are reset")
	}},
	{ID: "RS-1", Title: "reset before accept", Source: "API-accept", Run: func(e *Env) {
		w := e.Wire()
		e.Do(func() {
			l := e.Stream()
			e.Code("Bind", e.P.Bind(l, e.Any(80)), 0)
			e.Code("Listen", e.P.Listen(l, 1), 0)
			e.Nonblocking(e.P, l, true)
			p := e.client(w)
			e.handshake(p)
			p.Send("[R.] seq 1 ack 1")
			e.Net.Sleep(time.Millisecond)
			// It makes room, but accept still tells of it.
			next := e.client(w)
			e.handshake(next)
			Equal(e, "readable", e.acceptable(l), true)
			e.acceptCode("Accept", l, nil, wsa.WSAECONNRESET)
			_, peer, err := e.P.Accept(l)
			e.Code("the next Accept", err, 0)
			Equal(e, "peer", peer, next.Local())
			e.acceptCode("Accept", l, nil, wsa.WSAEWOULDBLOCK)
		})
		e.Notef("WSAECONNRESET; it holds no place in the backlog")
	}},
}

var pauseScenarios = []Scenario{
	{ID: "IN-3", Title: "SO_PAUSE_ACCEPT", Source: "W-SOL", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			l := e.Listener(e.Q, 80)
			e.Code("Connect", e.P.Connect(e.Stream(), e.Addr(2, 80)), 0)
			e.Net.Sleep(time.Second)
			e.Set(e.Q, l, wsa.SOL_SOCKET, wsa.SO_PAUSE_ACCEPT, 1)
			e.Code("Connect while paused", e.P.Connect(e.Stream(), e.Addr(2, 80)), wsa.WSAECONNREFUSED)
			Equal(e, "SO_ACCEPTCONN", e.Get(e.Q, l, wsa.SOL_SOCKET, wsa.SO_ACCEPTCONN), 1)
			s, _, err := e.Q.Accept(l)
			e.Code("Accept of what was queued", err, 0)
			Equal(e, "SO_PAUSE_ACCEPT of the new socket", e.Get(e.Q, s, wsa.SOL_SOCKET, wsa.SO_PAUSE_ACCEPT), 0)
			e.Set(e.Q, l, wsa.SOL_SOCKET, wsa.SO_PAUSE_ACCEPT, 0)
			e.Code("Connect", e.P.Connect(e.Stream(), e.Addr(2, 80)), 0)

			before := e.Socket(e.Q, wsa.SOCK_STREAM) // set before listen, with the other option
			e.Set(e.Q, before, wsa.SOL_SOCKET, wsa.SO_PAUSE_ACCEPT, 1)
			e.Set(e.Q, before, wsa.SOL_SOCKET, wsa.SO_CONDITIONAL_ACCEPT, 1)
			e.Code("Bind", e.Q.Bind(before, e.Any(81)), 0)
			e.Code("Listen", e.Q.Listen(before, 5), 0)
			e.Code("Connect", e.P.Connect(e.Stream(), e.Addr(2, 81)), wsa.WSAECONNREFUSED)
		})
		Equal(e, "RSTs", e.Count("b", has(trace.RST|trace.ACK)), 2)
		e.Notef("a RST to every SYN; what was queued is accepted")
	}},
	{ID: "TY-2", Title: "SO_ACCEPTCONN with a full queue", Source: "S-API", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			l := e.Socket(e.Q, wsa.SOCK_STREAM)
			e.Code("Bind", e.Q.Bind(l, e.Any(80)), 0)
			Equal(e, "before listen", e.Get(e.Q, l, wsa.SOL_SOCKET, wsa.SO_ACCEPTCONN), 0)
			e.Code("Listen", e.Q.Listen(l, 1), 0)
			e.Code("Connect", e.P.Connect(e.Stream(), e.Addr(2, 80)), 0)
			e.Net.Sleep(time.Second)
			e.Code("Connect", e.P.Connect(e.Stream(), e.Addr(2, 80)), wsa.WSAECONNREFUSED)
			Equal(e, "full", e.Get(e.Q, l, wsa.SOL_SOCKET, wsa.SO_ACCEPTCONN), 1)
			e.Set(e.Q, l, wsa.SOL_SOCKET, wsa.SO_PAUSE_ACCEPT, 1)
			Equal(e, "paused", e.Get(e.Q, l, wsa.SOL_SOCKET, wsa.SO_ACCEPTCONN), 1)
		})
		e.Notef("0, then 1, with the queue full and while paused, too")
	}},
}

var acceptVectors = []Scenario{
	{ID: "TV-21", Title: "two seconds, then CF_REJECT", Source: "vectors", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			l := e.conditional()
			c := e.Socket(e.Q, wsa.SOCK_STREAM)
			done := e.Go("connect", func() { e.Code("Connect", e.Q.Connect(c, e.Addr(1, 80)), 10061) })
			e.Net.Sleep(2 * time.Second)
			Equal(e, "segments of a", len(e.Segments("a")), 0)
			at := e.Net.Now()
			e.acceptCode("AcceptCond", l, condition(wsa.CF_REJECT), wsa.WSAECONNREFUSED)
			done.Wait()
			Equal(e, "RST", e.times("a", at, has(trace.RST)), "0.000")
		})
		Equal(e, "SYNs", e.Count("b", has(trace.SYN)), 2)
		e.Notef("no answer to two SYNs in 2 s; then a RST, 10061")
	}},
}
