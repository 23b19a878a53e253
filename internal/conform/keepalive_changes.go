package conform

import (
	"fmt"
	"time"

	"github.com/wsstack/wsstack/internal/trace"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

// keepAliveChangesScenarios are KA-13 to KA-19: options that change, and probes of the other side.
var keepAliveChangesScenarios = []Scenario{
	{ID: "KA-13", Title: "off and on again", Source: "S-SET", Run: func(e *Env) {
		e.silent(10*time.Second, time.Second, 5, func(s handle, start time.Duration) {
			e.Net.Sleep(11500 * time.Millisecond)
			s.set(wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, 0)
			e.Net.Sleep(time.Hour)
			Equal(e, "probes", e.times("a", start, probeAt(1)), "10.000 11.000")
			again := e.Net.Now()
			s.set(wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, 1)
			e.Net.Sleep(time.Minute)
			Equal(e, "probes after that", e.times("a", again, probeAt(1)), "10.000 11.000 12.000 13.000 14.000")
		})
		e.Notef("no probe in an hour, then a full idle time")
	}},
	{ID: "KA-14", Title: "changes in the middle of probing", Source: "W-KA", Run: func(e *Env) {
		e.silent(10*time.Second, time.Second, 5, func(s handle, start time.Duration) {
			e.Net.Sleep(12500 * time.Millisecond) // three probes
			s.keepCount(1)
			again := e.Net.Now()
			s.recv(1, wsa.WSAENETRESET)
			Equal(e, "probes", e.times("a", again, probeAt(1)), "10.000")
			e.took("drop", again, 11*time.Second)
		})
		e.Notef("a count below the probes already sent starts anew: no drop in the call")
	}},
	{ID: "KA-14", Title: "a change of each parameter", Source: "W-KA", Run: func(e *Env) {
		link := e.Pair()
		for _, change := range []struct {
			name int32
			n    uint32
			want string
		}{
			{wsa.TCP_KEEPIDLE, 5, "5.000 6.000 7.000 8.000"},
			{wsa.TCP_KEEPINTVL, 3, "10.000 13.000 16.000 19.000"},
			{wsa.TCP_KEEPCNT, 2, "10.000 11.000"},
			{wsa.TCP_KEEPCNT, 6, "10.000 11.000 12.000 13.000 14.000 15.000"},
			{wsa.TCP_KEEPCNT, 0, ""},
			{0, 0, "3.000 3.500 4.000 4.500"}, // SIO_KEEPALIVE_VALS
			{-1, 0, "10.000 11.000 12.000 13.000"},
		} {
			e.Do(func() {
				s := e.cut(link)
				s.keepAlive(10*time.Second, time.Second, 4)
				e.Net.Sleep(12500 * time.Millisecond) // three of four probes are out
				start := e.Start()
				switch change.name {
				case 0:
					s.keepAliveVals(3*time.Second, 500*time.Millisecond)
				case -1: // TRUE again, while it is TRUE
					s.set(wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, 1)
				case wsa.TCP_KEEPCNT:
					s.keepCount(change.n)
				default:
					s.set(wsa.IPPROTO_TCP, change.name, change.n)
				}
				Equal(e, "SO_ERROR after the change", s.get(wsa.SOL_SOCKET, wsa.SO_ERROR), 0)
				e.Net.Sleep(time.Minute)
				Equal(e, fmt.Sprint("probes after ", wsa.OptionName(wsa.IPPROTO_TCP, change.name), " ", change.n),
					e.times("a", start, probeAt(1)), change.want)
				s.close()
			})
		}
		e.Notef("in the middle of probing: a full idle time with the new values, for seven changes")
	}},
	{ID: "KA-15", Title: "count 0 is inert", Source: "W-TCP, C-36", Run: func(e *Env) {
		e.silent(time.Second, time.Second, 0, func(s handle, start time.Duration) {
			e.Net.Sleep(time.Hour)
			Equal(e, "segments", e.times("a", start, func(simnet.Line) bool { return true }), "")
			s.reads(wsa.SOL_SOCKET, wsa.SO_ERROR, 0)
		})
		e.Notef("no probe and no drop in an hour")
	}},
	{ID: "KA-15", Title: "count 0 in the middle of probing", Source: "W-TCP, C-36", Run: func(e *Env) {
		e.silent(10*time.Second, time.Second, 3, func(s handle, start time.Duration) {
			e.Net.Sleep(11500 * time.Millisecond)
			s.keepCount(0)
			e.Net.Sleep(time.Hour)
			Equal(e, "probes", e.times("a", start, probeAt(1)), "10.000 11.000")
			s.reads(wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, 1)
			again := e.Net.Now()
			s.keepCount(1)
			s.recv(1, wsa.WSAENETRESET)
			e.took("drop", again, 11*time.Second)
		})
		e.Notef("silent for an hour, and a full idle time when the count is 1 again")
	}},
	{ID: "KA-16", Title: "set before and during connect", Source: "W-KA, C-27", Run: func(e *Env) {
		e.paired(func() {
			e.listener(e.Q, 80)
			s := e.stream()
			s.keepAlive(10*time.Second, time.Second, 3)
			s.nonblocking(true)
			s.connect(e.Addr(2, 80), wsa.WSAEWOULDBLOCK)
			s.as("SO_KEEPALIVE while connecting").set(wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, 1, legacyOr(e, 0, wsa.WSAEINVAL))
			start := e.Net.Now() + 2*Delay // ESTABLISHED
			e.Net.Sleep(15 * time.Second)
			Equal(e, "probes", e.times("a", start, probeAt(1)), "10.000")
		})
		e.Notef("%s while connecting; the idle time starts at ESTABLISHED", name(legacyOr(e, 0, wsa.WSAEINVAL)))
	}},
	{ID: "KA-17", Title: "on a listener and elsewhere", Source: "W-KA", Run: func(e *Env) {
		e.Pair()
		e.datagram().as("datagram").set(wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, 1, wsa.WSAENOPROTOOPT)
		e.Do(func() {
			l := e.peerStream()
			l.keepAlive2()
			l.bind(e.Any(80))
			l.listen(5)
			e.Net.Sleep(time.Minute)
			Equal(e, "segments of a listener", len(e.Segments("b")), 0)
			e.stream().connect(e.Addr(2, 80))
			s := l.accept()
			Equal(e, "SO_KEEPALIVE of the accepted", s.get(wsa.SOL_SOCKET, wsa.SO_KEEPALIVE), 1)
			start := e.Start()
			e.Net.Sleep(12 * time.Second)
			Equal(e, "its probes", e.Count("b", func(l simnet.Line) bool { return l.At > start && probeAt(1)(l) }), 1)
		})
		e.Notef("a listener is silent, what it accepts probes")
	}},
	{ID: "KA-17", Title: "inherited, to the millisecond", Source: "W-KA", Run: func(e *Env) {
		e.paired(func() {
			l := e.socket(e.P, wsa.SOCK_STREAM)
			l.keepAlive(10*time.Second, 1500*time.Millisecond, 2)
			l.bind(e.Any(80))
			l.listen(5)
			c := e.peerStream()
			c.connect(e.Addr(1, 80))
			established := e.Net.Now() + Delay // the third ACK
			e.Net.Sleep(4 * time.Second)       // accept comes later: the idle time runs already
			s := l.accept()
			e.Net.Sleep(16 * time.Second)
			Equal(e, "probes", e.times("a", established, probeAt(1)), "10.000")
			s.keepCounts(2)
		})
		e.Notef("the first probe 10.000 s after ESTABLISHED, though accept was called 4 s later")
	}},
	{ID: "KA-18", Title: "a probe that comes in", Source: "RFC 1122 4.2.3.6", Run: func(e *Env) {
		e.played(func(s handle, p *simnet.Peer) {
			for _, payload := range []int{0, 1} {
				e.Net.Sleep(10 * time.Second)
				p.Send(fmt.Sprintf("[.] seq 0:%d ack 1", payload))
				p.Expect("[.] seq 1 ack 1 len 0")
			}
			s.nonblocking(true)
			s.recv(1, wsa.WSAEWOULDBLOCK)
		})
		e.Notef("answered at once, with and without the garbage octet; nothing is delivered")
	}},
	{ID: "KA-18", Title: "answered at once", Source: "RFC 1122 4.2.3.6", Run: func(e *Env) {
		e.played(func(s handle, p *simnet.Peer) {
			s.keepAlive(time.Minute, time.Second, 3)
			for i, probe := range []string{"[.] seq 0 ack 1", "[.] seq 0:1 ack 1", "[P.] seq 0:1 ack 1"} {
				e.Net.Sleep(10 * time.Second)
				at, before := e.Net.Now(), len(e.Segments("a"))
				p.Send(probe)
				e.Net.Sleep(time.Microsecond)
				answer := e.Segments("a")[before:]
				Equal(e, "answers to "+probe, len(answer), 1)
				Equal(e, "time of the answer", answer[0].At, at)
				got := answer[0].Segment
				Equal(e, "the answer", fmt.Sprint(got.Flags, got.Seq, got.Ack, got.Len), ". 1 1 0")
				p.Expect("[.] seq 1 ack 1 len 0")
				e.Check(!s.readable(), "readable after probe %d", i)
				n := make([]byte, 4)
				s.ioctl(wsa.FIONREAD, nil, n)
				Equal(e, "FIONREAD", n[0], 0)
			}
			p.Send("[P.] seq 1:4 ack 1", []byte("abc")...)
			Equal(e, "data", string(s.recv(9)), "abc")
		})
		e.Notef("one ACK in the same instant, for both forms; nothing is readable")
	}},
	{ID: "KA-19", Title: "what a drop leaves behind", Source: "C-50", Run: func(e *Env) {
		e.silent(10*time.Second, time.Second, 2, func(s handle, start time.Duration) {
			local := s.sockName()
			s.recv(1, wsa.WSAENETRESET)
			Equal(e, "RSTs", e.times("a", start, has(trace.RST)), "12.000")
			for _, l := range e.Segments("a") {
				if l.Segment.Flags&trace.RST != 0 {
					Equal(e, "SEQ of the RST", l.Segment.Seq, 1)
				}
			}
			again := e.stream()
			again.set(wsa.SOL_SOCKET, wsa.SO_EXCLUSIVEADDRUSE, 1)
			again.as("an exclusive bind of its port").bind(local)
		})
		e.Notef("one RST with SEQ = SND.NXT, no TIME-WAIT, the port is free")
	}},
}
