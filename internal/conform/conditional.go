package conform

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/wsstack/wsstack/internal/trace"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

// condition is a condition function that always answers the same.
func condition(answer int32) func(caller, called netip.AddrPort) int32 {
	return func(_, _ netip.AddrPort) int32 { return answer }
}

// conditional makes a non-blocking listener on A with SO_CONDITIONAL_ACCEPT.
func (e *Env) conditional() handle {
	l := e.stream()
	l.set(wsa.SOL_SOCKET, wsa.SO_CONDITIONAL_ACCEPT, 1)
	l.bind(e.Any(80))
	l.listen(1)
	l.nonblocking(true)
	return l
}

// conditionalScenarios are CA-1 to CA-10: SO_CONDITIONAL_ACCEPT and the backlog.
var conditionalScenarios = []Scenario{
	{ID: "CA-1", Title: "a condition without the option", Source: "API-WSAAccept", Run: func(e *Env) {
		e.paired(func() {
			l := e.listener(e.Q, 80)
			l.nonblocking(true)
			c := e.stream()
			c.connect(e.Addr(2, 80))
			e.Net.Sleep(time.Second)
			local := c.sockName()
			var caller, called netip.AddrPort
			l.as("AcceptCond CF_DEFER").acceptCond(func(a, b netip.AddrPort) int32 { caller, called = a, b; return wsa.CF_DEFER }, wsa.WSATRY_AGAIN)
			Equal(e, "caller", caller, local)
			Equal(e, "called", called, e.Addr(2, 80))
			l.as("AcceptCond, another value").acceptCond(condition(77), wsa.WSAEINVAL)
			at := e.Net.Now()
			l.as("AcceptCond CF_REJECT").acceptCond(condition(wsa.CF_REJECT), wsa.WSAECONNREFUSED)
			c.recv(1, wsa.WSAECONNRESET)
			Equal(e, "RST", e.times("b", at, has(trace.RST)), fmt.Sprintf("%.3f", 0.0))
			l.as("AcceptCond of an empty queue").acceptCond(condition(wsa.CF_ACCEPT), wsa.WSAEWOULDBLOCK)
			e.stream().connect(e.Addr(2, 80))
			e.Net.Sleep(time.Second)
			l.as("AcceptCond CF_ACCEPT").acceptCond(condition(wsa.CF_ACCEPT))
		})
		e.Notef("the handshake is complete; CF_DEFER keeps, CF_REJECT resets, CF_ACCEPT returns it")
	}},
	{ID: "CA-1", Title: "the backlog", Source: "API-listen", Run: func(e *Env) {
		e.paired(func() {
			for _, backlog := range []int32{0, 1, 3} {
				l := e.peerStream()
				port := uint16(100 + backlog)
				l.bind(e.Any(port))
				l.listen(backlog)
				l.as("Listen again").listen(50) // changes nothing
				for range max(backlog, 1) {
					e.stream().connect(e.Addr(2, port))
				}
				e.Net.Sleep(time.Second)
				e.stream().as("Connect to a full queue").connect(e.Addr(2, port), wsa.WSAECONNREFUSED)
				l.accept()
				e.stream().as("Connect when there is room").connect(e.Addr(2, port))
				e.Net.Sleep(time.Second)
				e.stream().as("Connect to a full queue").connect(e.Addr(2, port), wsa.WSAECONNREFUSED)
			}
		})
		Equal(e, "RSTs", e.Count("b", has(trace.RST|trace.ACK)), 6*e.Profile.Wire().RefusedTries)
		e.Notef("a RST to the SYN that finds 1, 1 and 3 connections waiting")
	}},
	{ID: "CA-1", Title: "the backlog, at the same time", Source: "API-listen", Run: func(e *Env) {
		e.wired(func(w *simnet.Wire) {
			l := e.stream()
			l.bind(e.Any(80))
			l.listen(2)
			var peers []*simnet.Peer
			for range 4 {
				p := e.client(w)
				p.Send("[S] win 1000 <mss 1000>")
				p.Expect("[S.] seq 0 ack 1")
				peers = append(peers, p)
			}
			for _, p := range peers {
				e.arrive(p, "[.]")
			}
			peers[2].Expect("[R.] seq 1 ack 1")
			peers[3].Expect("[R.] seq 1 ack 1")
			for i := range 2 {
				s, peer := l.acceptFrom()
				Equal(e, "peer", peer, peers[i].Local())
				s.send(5)
				peers[i].Expect("[P.] seq 1:6 ack 1")
				peers[i].Send("[R.] seq 1 ack 6")
			}
		})
		e.Notef("half-open connections don't count; of four that complete, two are reset")
	}},
	{ID: "CA-2", Title: "the SYN waits", Source: "W-CA", Run: func(e *Env) {
		e.wired(func(w *simnet.Wire) {
			l := e.conditional()
			Equal(e, "readable before", l.readable(), false)
			p := e.client(w)
			p.Send("[S] win 1000 <mss 1000>")
			p.ExpectSilence(2 * time.Second)
			Equal(e, "readable", l.readable(), true)
		})
		e.Notef("no SYN-ACK and no RST for 2 s; the listener is readable")
	}},
	{ID: "CA-3", Title: "CF_ACCEPT", Source: "W-CA", Run: func(e *Env) {
		e.wired(func(w *simnet.Wire) {
			l := e.conditional()
			l.nonblocking(false)
			p := e.client(w)
			p.Send("[S] win 1000 <mss 1000>")
			done := e.Go("accept", func() {
				s := l.acceptCond(condition(wsa.CF_ACCEPT))
				Equal(e, "peer", s.peerName(), p.Local())
				s.send(10)
			})
			p.Expect("[S.] seq 0 ack 1")
			p.ExpectSilence(500 * time.Millisecond) // the call waits
			talk(p, "> [.]", "< [P.] seq 1:11 ack 1", "> [.]")
			done.Wait()
		})
		e.Notef("SYN-ACK; the call returns when the handshake is complete")
	}},
	{ID: "CA-3", Title: "CF_ACCEPT without blocking", Source: "W-CA", Run: func(e *Env) {
		e.wired(func(w *simnet.Wire) {
			l := e.conditional()
			p, second := e.client(w), e.client(w)
			e.arrive(p, "[S] win 1000 <mss 1000>")
			l.acceptCond(condition(wsa.CF_ACCEPT), wsa.WSAEWOULDBLOCK)
			p.Expect("[S.] seq 0 ack 1")
			Equal(e, "readable during the handshake", l.readable(), false)
			second.Send("[S] win 1000 <mss 1000>")
			e.arrive(p, "[.]")
			Equal(e, "readable", l.readable(), true)
			asked := 0
			s := l.as("AcceptCond again").acceptCond(func(_, _ netip.AddrPort) int32 { asked++; return wsa.CF_REJECT })
			Equal(e, "asked again", asked, 0)
			Equal(e, "peer", s.peerName(), p.Local())
			l.as("AcceptCond of the second").acceptCond(condition(wsa.CF_REJECT), wsa.WSAECONNREFUSED)
			second.Expect("[R.] seq 0 ack 1")
		})
		e.Notef("WSAEWOULDBLOCK until the ACK; then returned without asking again")
	}},
	{ID: "CA-4", Title: "CF_REJECT", Source: "W-CA", Run: func(e *Env) {
		e.plainPeer()
		e.paired(func() {
			l := e.conditional()
			l.nonblocking(false)
			c := e.peerStream()
			done := e.Go("connect", func() { c.connect(e.Addr(1, 80), wsa.WSAECONNREFUSED) })
			l.acceptCond(condition(wsa.CF_REJECT), wsa.WSAECONNREFUSED)
			done.Wait()
		})
		Equal(e, "SYN-ACKs", e.Count("a", has(trace.SYN|trace.ACK)), 0)
		Equal(e, "RSTs", e.Count("a", has(trace.RST|trace.ACK)), 1)
		e.Notef("RST to the SYN; WSAECONNREFUSED on both sides")
	}},
	{ID: "CA-5", Title: "CF_DEFER and other values", Source: "API-WSAAccept", Run: func(e *Env) {
		e.wired(func(w *simnet.Wire) {
			l := e.conditional()
			p, second := e.client(w), e.client(w)
			p.Send("[S] win 1000 <mss 1000>")
			e.arrive(second, "[S] win 1000 <mss 1000>")
			for range 3 {
				l.as("AcceptCond CF_DEFER").acceptCond(condition(wsa.CF_DEFER), wsa.WSATRY_AGAIN)
				Equal(e, "readable", l.readable(), true)
			}
			for _, v := range []int32{3, -1, 1 << 30} {
				l.as(fmt.Sprint("AcceptCond ", v)).acceptCond(condition(v), wsa.WSAEINVAL)
			}
			p.ExpectSilence(10 * time.Millisecond)
			var first netip.AddrPort
			l.acceptCond(func(caller, _ netip.AddrPort) int32 { first = caller; return wsa.CF_REJECT }, wsa.WSAECONNREFUSED)
			Equal(e, "the first in the queue", first, p.Local())
			p.Expect("[R.] seq 0 ack 1")
			second.ExpectSilence(10 * time.Millisecond)
		})
		e.Notef("WSATRY_AGAIN, WSAEINVAL; nothing on the wire, the order stays")
	}},
	{ID: "CA-6", Title: "accept without a condition", Source: "W-CA", Run: func(e *Env) {
		e.paired(func() {
			l := e.conditional()
			l.nonblocking(false)
			done := e.Go("connect", func() { e.peerStream().connect(e.Addr(1, 80)) })
			l.accept()
			done.Wait()
		})
		e.Notef("the same as CF_ACCEPT")
	}},
	{ID: "CA-7", Title: "retransmitted SYNs and a RST", Source: "W-CA", Run: func(e *Env) {
		e.wired(func(w *simnet.Wire) {
			l := e.conditional()
			p := e.client(w)
			p.Send("[S] seq 0 win 1000 <mss 1000>")
			for _, gap := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second} {
				p.ExpectSilence(gap)
				p.Send("[S] seq 0 win 1000 <mss 1000>")
			}
			p.ExpectSilence(time.Second)
			e.arrive(p, "[R] seq 500") // forged
			l.as("AcceptCond CF_DEFER").acceptCond(condition(wsa.CF_DEFER), wsa.WSATRY_AGAIN)
			e.arrive(p, "[R] seq 1")
			Equal(e, "readable", l.readable(), true)
			l.as("AcceptCond of a vanished request").acceptCond(condition(wsa.CF_ACCEPT), wsa.WSAECONNRESET)
			Equal(e, "readable afterwards", l.readable(), false)
			l.as("AcceptCond, once more").acceptCond(condition(wsa.CF_ACCEPT), wsa.WSAEWOULDBLOCK)
		})
		Equal(e, "segments of a", len(e.Segments("a")), 0)
		e.Notef("one request for four SYNs; a RST ends it: WSAECONNRESET, once")
	}},
	{ID: "CA-7", Title: "a client that gives up", Source: "W-CA", Run: func(e *Env) {
		e.wired(func(w *simnet.Wire) {
			l := e.conditional()
			p := e.client(w)
			p.Send("[S] seq 0 win 1000 <mss 1000>")
			e.Net.Sleep(time.Second)
			p.Send("[S] seq 0 win 1000 <mss 1000>")
			e.Net.Sleep(7400 * time.Millisecond)
			l.as("AcceptCond in time").acceptCond(condition(wsa.CF_DEFER), wsa.WSATRY_AGAIN)
			e.Net.Sleep(200 * time.Millisecond)
			l.acceptCond(condition(wsa.CF_ACCEPT), wsa.WSAECONNRESET)

			// A blocking call goes on waiting.
			l.nonblocking(false)
			p.Send("[S] seq 100 win 1000 <mss 1000>")
			done := e.Go("accept", func() {
				_, peer := l.acceptFrom()
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
		e.wired(func(w *simnet.Wire) {
			l := e.conditional() // with a backlog of one
			peers := make([]*simnet.Peer, bound+1)
			for i := range peers {
				peers[i] = e.client(w)
				peers[i].Send("[S] win 1000 <mss 1000>")
			}
			e.Net.Sleep(time.Millisecond)
			Equal(e, "segments of a", len(e.Segments("a")), 0)
			for range bound {
				l.acceptCond(condition(wsa.CF_REJECT), wsa.WSAECONNREFUSED)
			}
			l.as("AcceptCond beyond the bound").acceptCond(condition(wsa.CF_REJECT), wsa.WSAEWOULDBLOCK)
			Equal(e, "RSTs", e.Count("a", has(trace.RST)), bound)
			peers[bound].Send("[S] seq 0 win 1000 <mss 1000>") // its next try finds room
			e.Net.Sleep(time.Millisecond)
			l.as("AcceptCond of the next try").acceptCond(condition(wsa.CF_DEFER), wsa.WSATRY_AGAIN)
		})
		e.Notef("1024 held with a backlog of one; one more is dropped silently")
	}},
	{ID: "CA-9", Title: "set before listen, read at any time", Source: "W-CA", Once: true, Run: func(e *Env) {
		e.Pair()
		l := e.listener(e.P, 80)
		l.set(wsa.SOL_SOCKET, wsa.SO_CONDITIONAL_ACCEPT, 1, wsa.WSAEINVAL)
		Equal(e, "value", l.get(wsa.SOL_SOCKET, wsa.SO_CONDITIONAL_ACCEPT), 0)
		s := e.stream()
		s.set(wsa.SOL_SOCKET, wsa.SO_CONDITIONAL_ACCEPT, 1)
		s.bind(e.Any(81))
		s.listen(1)
		Equal(e, "value while listening", s.get(wsa.SOL_SOCKET, wsa.SO_CONDITIONAL_ACCEPT), 1)
		e.Notef("WSAEINVAL while listening; reads as it was set before")
	}},
	{ID: "CA-10", Title: "inside the condition function", Source: "API-WSAAccept", Run: func(e *Env) {
		e.paired(func() {
			t := e.old()
			l, other := e.listener(e.P, 81), e.stream()
			other.nonblocking(true)
			e.peerStream().connect(e.Addr(1, 81))
			asked := 0
			_, _, err := t.AcceptCond(l.s, func(netip.AddrPort, netip.AddrPort) int32 {
				asked++
				Equal(e, "calls", e.nested(t, other), allInProgress)
				_, err := e.P.Thread().Ioctl(other.s, wsa.FIONREAD, nil, make([]byte, 4))
				e.Code("another thread", err, 0)
				return wsa.CF_ACCEPT
			})
			e.Code("AcceptCond", err, 0)
			Equal(e, "asked", asked, 1)
			other.on(t).as("afterwards").ioctl(wsa.FIONREAD, nil, make([]byte, 4))
		})
		e.Notef("WSAEINPROGRESS for all calls of the thread")
	}},
}
