package conform

import (
	"fmt"
	"time"

	"github.com/wsstack/wsstack/internal/trace"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

// synAck offers everything and returns the answer, whose checksum is right.
func (e *Env) synAck(p *simnet.Peer) *simnet.Arrival {
	p.Send("[S] <mss 1000,sackOK,ts 7 0,wscale 2>")
	got, err := p.Receive(time.Second)
	e.Check(err == nil && got.Flags == trace.SYN|trace.ACK, "no SYN-ACK: %v", err)
	e.summed(got.Packet)
	return got
}

// inheritScenarios are IN-1 to IN-4: what accept gives the new socket.
var inheritScenarios = []Scenario{
	{ID: "IN-1", Title: "what accept makes", Source: "API-accept", Run: func(e *Env) {
		e.paired(func() {
			l := e.listener(e.Q, 80)
			l.nonblocking(true)
			l.set(wsa.IPPROTO_TCP, wsa.TCP_NODELAY, 1)
			e.stream().connect(e.Addr(2, 80))
			e.Net.Sleep(time.Second)
			l.set(wsa.SOL_SOCKET, wsa.SO_OOBINLINE, 1) // as of the accept call
			s := l.accept()
			s.as("Recv on the accepted socket").recv(1, wsa.WSAEWOULDBLOCK)
			s.reads(wsa.IPPROTO_TCP, wsa.TCP_NODELAY, 1)
			s.reads(wsa.SOL_SOCKET, wsa.SO_OOBINLINE, 1)
			s.reads(wsa.SOL_SOCKET, wsa.SO_ACCEPTCONN, 0)
			s.reads(wsa.SOL_SOCKET, wsa.SO_ERROR, 0)
			s.reads(wsa.SOL_SOCKET, wsa.SO_CONNECT_TIME, 0)
		})
		e.Notef("non-blocking as the listener is, its options as of accept, no error, own connect time")
	}},
	{ID: "IN-1", Title: "the event selection", Source: "API-accept", Run: func(e *Env) {
		e.paired(func() {
			l := e.listener(e.P, 80)
			w := l.watch(wsa.FD_ACCEPT | wsa.FD_CLOSE)
			c := e.peerStream()
			c.connect(e.Addr(1, 80))
			w.want("a connection", "ACCEPT")
			l.as("EventSelect 0").eventSelect(nil, 0)
			w = l.watch(wsa.FD_CLOSE) // as of the accept call
			s := l.accept()
			s.recv(1, wsa.WSAEWOULDBLOCK)
			c.close()
			watched{e, e.P, s, w.ev}.want("the peer closes", "CLOSE")
		})
		e.Notef("association, mask and mode as of the accept call")
	}},
	{ID: "IN-2", Title: "what accept copies", Source: "API-accept", Run: copiedOptions},
	{ID: "IN-3", Title: "what accept doesn't copy", Source: "API-accept", Run: func(e *Env) {
		e.paired(func() {
			l := e.peerStream()
			l.set(wsa.SOL_SOCKET, wsa.SO_CONDITIONAL_ACCEPT, 0)
			l.bind(e.Any(80))
			l.listen(5)
			e.stream().connect(e.Addr(2, 80))
			s := l.accept()
			s.reads(wsa.SOL_SOCKET, wsa.SO_ACCEPTCONN, 0)
			s.reads(wsa.SOL_SOCKET, wsa.SO_ERROR, 0)
		})
		e.Notef("the accepted socket isn't listening and has no error")
	}},
	{ID: "IN-3", Title: "SO_PAUSE_ACCEPT", Source: "W-SOL", Run: func(e *Env) {
		e.paired(func() {
			l := e.listener(e.Q, 80)
			e.stream().connect(e.Addr(2, 80))
			e.Net.Sleep(time.Second)
			l.set(wsa.SOL_SOCKET, wsa.SO_PAUSE_ACCEPT, 1)
			e.stream().as("Connect while paused").connect(e.Addr(2, 80), wsa.WSAECONNREFUSED)
			l.reads(wsa.SOL_SOCKET, wsa.SO_ACCEPTCONN, 1)
			s := l.as("Accept of what was queued").accept()
			Equal(e, "SO_PAUSE_ACCEPT of the new socket", s.get(wsa.SOL_SOCKET, wsa.SO_PAUSE_ACCEPT), 0)
			l.set(wsa.SOL_SOCKET, wsa.SO_PAUSE_ACCEPT, 0)
			e.stream().connect(e.Addr(2, 80))

			before := e.peerStream() // set before listen, with the other option
			before.set(wsa.SOL_SOCKET, wsa.SO_PAUSE_ACCEPT, 1)
			before.set(wsa.SOL_SOCKET, wsa.SO_CONDITIONAL_ACCEPT, 1)
			before.bind(e.Any(81))
			before.listen(5)
			e.stream().connect(e.Addr(2, 81), wsa.WSAECONNREFUSED)
		})
		Equal(e, "RSTs", e.Count("b", has(trace.RST|trace.ACK)), 2*e.Profile.Wire().RefusedTries)
		e.Notef("a RST to every SYN; what was queued is accepted")
	}},
	{ID: "IN-4", Title: "timestamps of the listener at the SYN", Source: "W-TCP", Run: func(e *Env) {
		w := e.Wire()
		l := e.listener(e.P, 80)
		e.Do(func() {
			for i, on := range []uint32{0, 1, 0} {
				l.set(wsa.IPPROTO_TCP, wsa.TCP_TIMESTAMPS, on)
				p := w.Connect(e.Addr(1, 80).String())
				syn := e.synAck(p)
				Equal(e, fmt.Sprint("timestamps in SYN-ACK ", i), syn.Options.Timestamps, on != 0)
				e.Check(syn.Options.SACKOK && syn.Options.MSS > 0 && syn.Options.WS >= 0, "lost other options: %+v", syn.Options)
				l.set(wsa.IPPROTO_TCP, wsa.TCP_TIMESTAMPS, 1-on) // too late for this one
				ts := map[uint32]string{0: "", 1: " <ts 8 1>"}[on]
				p.Send("[.]" + ts)
				s := l.accept()
				Equal(e, "TCP_TIMESTAMPS, as of accept", s.get(wsa.IPPROTO_TCP, wsa.TCP_TIMESTAMPS), 1-on)
				s.say("abc")
				got, err := p.Receive(time.Second)
				e.Check(err == nil && got.Len == 3, "no data: %v", err)
				Equal(e, "timestamps in the data", got.Options.Timestamps, on != 0)
				e.summed(got.Packet)
				p.Send("[R] seq 1 ack 4" + ts)
			}
		})
		e.Notef("off: the SYN-ACK has none; on: it has; each connection keeps what its SYN settled")
	}},
	{ID: "IN-4", Title: "timestamps of a connect", Source: "W-TCP", Run: func(e *Env) {
		e.wired(func(w *simnet.Wire) {
			for i, c := range []struct {
				before, after uint32
				answer        string
				want          bool // in data
			}{
				{0, 0, "mss 1000,sackOK", false},
				{0, 1, "mss 1000,sackOK", false}, // stored only
				{0, 0, "mss 1000,sackOK,ts 7 0", false},
				{1, 1, "mss 1000,sackOK,ts 7 1", true},
				{1, 1, "mss 1000", false},
			} {
				port := uint16(80 + i)
				p := w.Listen(port)
				s := e.stream()
				s.set(wsa.IPPROTO_TCP, wsa.TCP_TIMESTAMPS, c.before)
				s.nonblocking(true)
				s.connect(e.Addr(9, port), wsa.WSAEWOULDBLOCK)
				s.set(wsa.IPPROTO_TCP, wsa.TCP_TIMESTAMPS, c.after)
				syn, err := p.Receive(time.Second)
				e.Check(err == nil, "no SYN: %v", err)
				e.summed(syn.Packet)
				Equal(e, fmt.Sprint("timestamps in SYN ", i), syn.Options.Timestamps, c.before != 0)
				p.Send("[S.] <" + c.answer + ">")
				ack, err := p.Receive(time.Second)
				e.Check(err == nil, "no ACK: %v", err)
				Equal(e, "timestamps in the ACK", ack.Options.Timestamps, c.want)
				s.say("abc")
				got, err := p.Receive(time.Second)
				e.Check(err == nil, "no data: %v", err)
				Equal(e, fmt.Sprint("timestamps in data ", i), got.Options.Timestamps, c.want)
				s.reads(wsa.IPPROTO_TCP, wsa.TCP_TIMESTAMPS, c.after)
				p.Send("[R] seq 1 ack 4" + map[bool]string{true: " <ts 8 1>"}[c.want])
			}
		})
		e.Notef("the SYN has the option only when it was set before; a peer that answers one that wasn't offered is not believed")
	}},
	{ID: "IN-4", Title: "timestamps between two hosts and on the loopback", Source: "W-TCP", Run: func(e *Env) {
		e.paired(func() {
			for _, own := range []bool{false, true} {
				p, to := e.Q, e.Addr(2, 80)
				if own {
					p, to = e.P, e.Addr(1, 80)
				}
				l := e.listener(p, 80)
				for _, on := range []uint32{0, 1} {
					l.set(wsa.IPPROTO_TCP, wsa.TCP_TIMESTAMPS, on)
					c := e.stream()
					c.set(wsa.IPPROTO_TCP, wsa.TCP_TIMESTAMPS, 1)
					c.connect(to)
					s := l.accept()
					e.Go("send", func() { c.send(100000) })
					Equal(e, "bytes", len(s.recvFlags(100000, wsa.MSG_WAITALL)), 100000)
					info := c.tcpInfo(0)
					Equal(e, "TimestampsEnabled", uint32(info.TimestampsEnabled), on)
				}
			}
		})
		with := e.Count("a", func(l simnet.Line) bool { return data(l) && l.Segment.Options.Timestamps })
		without := e.Count("a", func(l simnet.Line) bool { return data(l) && !l.Segment.Options.Timestamps })
		e.Check(with > 0 && without > 0, "%d segments with timestamps, %d without", with, without)
		e.Notef("a listener without the option refuses what a client offers, over the link and the loopback")
	}},
}

// copiedOptions sets everything that IN-2 names on a listener, and reads it on
// the accepted socket.
func copiedOptions(e *Env) {
	e.paired(func() {
		l := e.peerStream()
		sol, tcp := int32(wsa.SOL_SOCKET), int32(wsa.IPPROTO_TCP)
		list := []struct {
			level, name int32
			value       uint32
		}{
			{sol, wsa.SO_KEEPALIVE, 1}, {tcp, wsa.TCP_KEEPIDLE, 77}, {tcp, wsa.TCP_KEEPINTVL, 7},
			{sol, wsa.SO_LINGER, 1 | 9<<16}, {sol, wsa.SO_OOBINLINE, 1}, {sol, wsa.SO_SNDBUF, 12345}, {sol, wsa.SO_RCVBUF, 23456},
			{sol, wsa.SO_REUSEADDR, 1}, {tcp, wsa.TCP_NODELAY, 1}, {tcp, wsa.TCP_TIMESTAMPS, 1}, {tcp, wsa.TCP_MAXRTMS, 4321},
			{tcp, wsa.TCP_EXPEDITED_1122, 1}, {sol, wsa.SO_DEBUG, 1},
		}
		if e.Family == wsa.AF_INET6 {
			list = append(list, []struct {
				level, name int32
				value       uint32
			}{{wsa.IPPROTO_IPV6, wsa.IPV6_UNICAST_HOPS, 33}, {wsa.IPPROTO_IPV6, wsa.IPV6_TCLASS, 40}}...)
		} else {
			list = append(list, []struct {
				level, name int32
				value       uint32
			}{{wsa.IPPROTO_IP, wsa.IP_TTL, 33}, {wsa.IPPROTO_IP, wsa.IP_TOS, 40}, {sol, wsa.SO_DONTROUTE, 1}}...)
		}
		for _, o := range list {
			l.set(o.level, o.name, o.value)
		}
		l.keepCount(3)
		l.set(sol, wsa.SO_RCVTIMEO, 250) // shown by its effect
		l.bind(e.Any(80))
		l.listen(5)
		e.stream().connect(e.Addr(2, 80))
		s := l.accept()
		for _, o := range list {
			Equal(e, wsa.OptionName(o.level, o.name), s.get(o.level, o.name), o.value)
		}
		s.keepCounts(3)
		start := e.Start()
		s.recv(1, wsa.WSAETIMEDOUT)
		Equal(e, "time of SO_RCVTIMEO", e.Net.Now()-start, 250*time.Millisecond)
		s.set(sol, wsa.SO_DONTLINGER, 1)
		s.set(sol, wsa.SO_DONTLINGER, 0) // the established time-out came along
		s.reads(sol, wsa.SO_LINGER, 1|9<<16)
	})
	e.Notef("%s", "options of SOL_SOCKET, TCP and IP read on the accepted socket as on the listener")
}
