package conform

import (
	"fmt"
	"strings"
	"time"

	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

// rfc1122 is OB-16 with one of the options that select its reading.
func (e *Env) rfc1122(p *simnet.Peer, opt int32) {
	e.Do(func() {
		s := e.stream()
		s.meets(p, "mss 1000")
		s.nonblocking(true)
		s.set(wsa.IPPROTO_TCP, opt, 1)
		s.oob("ab")
		p.Expect("[P.U] seq 1:3 urg 1")
		e.arrive(p, "[P.U] ack 3 urg 1", "abc")
		Equal(e, "recv(MSG_OOB)", s.read(wsa.MSG_OOB), "b")
		Equal(e, "recv", s.readAll(), "a|c|-")
		e.arrive(p, "[P.U] seq 4 ack 3 urg 0", "def")
		Equal(e, "recv(MSG_OOB) with a pointer of 0", s.read(wsa.MSG_OOB), "d")
		Equal(e, "recv", s.readAll(), "ef|-")
	})
}

// urgentMarkScenarios are OB-8 to OB-19: the mark, data in line, and readings of the pointer.
var urgentMarkScenarios = []Scenario{
	{ID: "OB-8", Title: "FIONREAD", Source: "API-ioctlsocket", Run: func(e *Env) {
		e.urgent(func(s handle, p *simnet.Peer) {
			e.arrive(p, "[P.U] urg 3", "abcde")
			Equal(e, "FIONREAD", s.value(wsa.FIONREAD), 4)
			Equal(e, "recv(MSG_OOB)", s.read(wsa.MSG_OOB), "c")
			Equal(e, "after recv(MSG_OOB)", s.value(wsa.FIONREAD), 4)
			Equal(e, "recv", s.read(0), "ab")
			Equal(e, "after recv", s.value(wsa.FIONREAD), 2)
			e.arrive(p, "[P.U] seq 6 urg 1", "!")
			Equal(e, "with another one", s.value(wsa.FIONREAD), 2)
		})
		e.Notef("ordinary bytes only")
	}},
	{ID: "OB-9", Title: "SIOCATMARK, out of line", Source: "API-ioctlsocket", Run: func(e *Env) {
		e.urgent(func(s handle, p *simnet.Peer) {
			mark := func(what string, want uint32) {
				Equal(e, what, s.value(wsa.SIOCATMARK), want)
				Equal(e, what+": TCP_ATMARK", s.get(wsa.IPPROTO_TCP, wsa.TCP_ATMARK), want)
			}
			mark("nothing", 1)
			e.arrive(p, "[.U] urg 3", "")
			mark("announced", 1)
			e.arrive(p, "[P.U] urg 3", "abcd")
			mark("waiting", 0)
			Equal(e, "recv", s.readAll(), "ab|d|-")
			mark("recv is behind it", 0)
			Equal(e, "recv(MSG_OOB)", s.read(wsa.MSG_OOB), "c")
			mark("read", 1)
		})
		e.Notef("FALSE exactly while the byte waits")
	}},
	{ID: "OB-10", Title: "SIOCATMARK, in line", Source: "API-ioctlsocket, C-13b", Run: func(e *Env) {
		e.urgent(func(s handle, p *simnet.Peer) {
			s.inline(1)
			mark := func(what string, documented uint32) {
				Equal(e, what, s.value(wsa.SIOCATMARK), byProfile(e, documented, 1))
			}
			mark("no mark", 1)
			e.arrive(p, "[P.U] urg 3", "abcd")
			mark("bytes before it", 0)
			Equal(e, "recv", s.read(0), "ab")
			mark("the byte is next", 1)
			Equal(e, "recv", s.read(0), "c")
			mark("behind it", 1)
			e.arrive(p, "[P.U] seq 5 urg 2", "ef")
			mark("a further one", 0)
		})
		e.Notef("TRUE at the mark and behind it; as measured, always")
	}},
	{ID: "OB-11", Title: "SIOCATMARK elsewhere", Source: "API-ioctlsocket", Once: true, Run: func(e *Env) {
		e.Pair()
		e.datagram().as("a datagram socket").ioctl(wsa.SIOCATMARK, nil, make([]byte, 4), wsa.WSAEINVAL)
		e.stream().as("a short buffer").ioctl(wsa.SIOCATMARK, nil, make([]byte, 3), wsa.WSAEFAULT)
		e.Notef("WSAEINVAL; WSAEFAULT for a short buffer")
	}},
	{ID: "OB-12", Title: "SO_OOBINLINE while a byte waits", Source: "OBS", Run: func(e *Env) {
		e.urgent(func(s handle, p *simnet.Peer) {
			count := func(what string, want uint32) { Equal(e, what, s.value(wsa.FIONREAD), want) }
			e.arrive(p, "[P.U] urg 3", "abcde") // ahead of recv
			count("ahead", 4)
			s.inline(1)
			count("ahead, put back", 5)
			Equal(e, "recv(MSG_OOB)", s.read(wsa.MSG_OOB), "10022")
			Equal(e, "recv", s.readAll(), "ab|c|de|-")
			s.inline(0)
			e.arrive(p, "[P.U] seq 6 urg 2", "fghi") // recv has come to it
			Equal(e, "recv", s.read(0), "f")
			s.inline(1)
			count("next, put back", 3)
			Equal(e, "recv", s.readAll(), "g|hi|-")
			s.inline(0)
			e.arrive(p, "[P.U] seq 10 urg 1", "j") // nothing else is there
			count("alone", 0)
			Equal(e, "select", s.ready("rwx", 0), "wx")
			s.inline(1)
			count("alone, put back", 1)
			Equal(e, "select", s.ready("rwx", 0), "rw")
			s.inline(0) // concerns later ones
			count("off again", 1)
			Equal(e, "recv", s.readAll(), "j|-")
			e.arrive(p, "[P.U] seq 11 urg 2", "klm") // recv is behind it
			Equal(e, "recv", s.readAll(), "k|m|-")
			s.inline(1)
			count("behind, put back", 1)
			Equal(e, "recv", s.readAll(), "l|-")
		})
		e.Notef("it is back at its mark, or in front where recv has passed that; FIONREAD is one more")
	}},
	{ID: "OB-12", Title: "a recv that waits gets the byte", Source: "OBS", Run: func(e *Env) {
		e.connected(func(c, s handle) {
			waits := e.Go("recv", func() { Equal(e, "recv", s.read(0), "!") })
			c.oob("!")
			e.Net.Sleep(time.Second)
			s.inline(1)
			waits.Wait()
		})
		e.Notef("setting the option ends it")
	}},
	{ID: "OB-13", Title: "in line", Source: "W-OOB", Run: func(e *Env) {
		e.urgent(func(s handle, p *simnet.Peer) {
			s.inline(1)
			w := s.watch(wsa.FD_OOB | wsa.FD_READ)
			e.arrive(p, "[P.U] urg 1", "!")
			w.want("a single byte", "READ")
			Equal(e, "select", s.ready("rwx", 0), "rw")
			Equal(e, "recv(MSG_OOB)", s.read(wsa.MSG_OOB), "10022")
			Equal(e, "recv", s.readAll(), "!|-")
			e.arrive(p, "[P.U] seq 2 urg 3", "abcde")
			Equal(e, "three reads", s.readAll(), "ab|c|de|-")
			e.arrive(p, "[P.U] seq 7 urg 2", "f1")
			e.arrive(p, "[P.U] seq 9 urg 2", "g2h") // moves the mark
			Equal(e, "with a second one", s.readAll(), "f1g|2|h|-")
		})
		e.Notef("FD_READ and readfds; before, the byte, after; a second one moves the mark and loses nothing")
	}},
	{ID: "OB-14", Title: "sending with SO_OOBINLINE set", Source: "W-OOB", Run: func(e *Env) {
		e.connected(func(c, s handle) {
			c.inline(1)
			s.nonblocking(true)
			c.oob("x")
			e.Net.Sleep(time.Second)
			Equal(e, "recv(MSG_OOB)", s.read(wsa.MSG_OOB), "x")
		})
		e.Notef("the option concerns receiving only")
	}},
	{ID: "OB-15", Title: "BSD's reading", Source: "W-TCP", Run: func(e *Env) {
		e.urgent(func(s handle, p *simnet.Peer) {
			s.reads(wsa.IPPROTO_TCP, wsa.TCP_BSDURGENT, 1)
			s.oob("ab")
			p.Expect("[P.U] seq 1:3 urg 2")
			e.arrive(p, "[P.U] ack 3 urg 2", "abc")
			Equal(e, "recv(MSG_OOB)", s.read(wsa.MSG_OOB), "b")
			Equal(e, "recv", s.readAll(), "a|c|-")
		})
		e.Notef("the pointer is one behind the byte, both ways")
	}},
	{ID: "OB-16", Title: "RFC 1122's reading", Source: "W-TCP, RFC 1122 4.2.2.4", Run: func(e *Env) {
		w := e.Wire()
		e.rfc1122(w.Listen(80), wsa.TCP_EXPEDITED_1122)
		e.rfc1122(w.Listen(81), wsa.TCP_STDURG)
		e.Notef("the pointer names the byte, both ways; TCP_STDURG does the same")
	}},
	{ID: "OB-17", Title: "both readings on one connection", Source: "W-TCP", Run: func(e *Env) {
		e.paired(func() {
			for _, sender := range []bool{true, false} {
				c, s := e.connection()
				s.nonblocking(true)
				if sender {
					c.set(wsa.IPPROTO_TCP, wsa.TCP_EXPEDITED_1122, 1)
				} else {
					s.set(wsa.IPPROTO_TCP, wsa.TCP_EXPEDITED_1122, 1)
				}
				c.oob("abc")
				e.Net.Sleep(time.Second)
				want := "b" // RFC 1122 to BSD: one too early
				if !sender {
					want = "-" // BSD to RFC 1122: one too late, which hasn't come
				}
				Equal(e, "recv(MSG_OOB)", s.read(wsa.MSG_OOB), want)
				c.say("de")
				e.Net.Sleep(time.Second)
				if sender {
					Equal(e, "recv", s.readAll(), "a|cde|-")
				} else {
					Equal(e, "recv(MSG_OOB), later", s.read(wsa.MSG_OOB), "d")
					Equal(e, "recv", s.readAll(), "abc|e|-")
				}
			}
		})
		e.Notef("RFC 1122 to BSD finds the byte before, BSD to RFC 1122 the one behind")
	}},
	{ID: "OB-18", Title: "one way only", Source: "W-TCP", Once: true, Run: func(e *Env) {
		e.Pair()
		s := e.stream()
		both := func() string {
			return fmt.Sprint(s.get(wsa.IPPROTO_TCP, wsa.TCP_EXPEDITED_1122), s.get(wsa.IPPROTO_TCP, wsa.TCP_BSDURGENT))
		}
		Equal(e, "at first", both(), "0 1")
		s.set(wsa.IPPROTO_TCP, wsa.TCP_BSDURGENT, 1)
		Equal(e, "TRUE while TRUE", both(), "0 1")
		s.set(wsa.IPPROTO_TCP, wsa.TCP_EXPEDITED_1122, 1)
		Equal(e, "turned on", both(), "1 0")
		s.as("off").set(wsa.IPPROTO_TCP, wsa.TCP_EXPEDITED_1122, 0, wsa.WSAEINVAL)
		s.as("TCP_BSDURGENT on").set(wsa.IPPROTO_TCP, wsa.TCP_BSDURGENT, 1, wsa.WSAEINVAL)
		Equal(e, "in the end", both(), "1 0")
		e.Notef("on once, then WSAEINVAL; the two read opposite")
	}},
	{ID: "OB-19", Title: "nothing without urgent data", Source: "design", Run: func(e *Env) {
		e.connected(func(c, s handle) {
			c.oob("x")
			e.Net.Sleep(time.Second)
			first := e.urgents("")
			c.set(wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, 1)
			e.Net.Sleep(3 * time.Hour)
			c.say(strings.Repeat("y", 5000))
			s.say(strings.Repeat("z", 5000))
			e.Net.Sleep(time.Second)
			c.close()
			e.Net.Sleep(time.Second)
			Equal(e, "urgent segments", e.urgents(""), first)
		})
		e.Check(e.Count("a", func(l simnet.Line) bool { return l.At > time.Hour && !data(l) }) > 0, "no keep-alive probe")
		e.Notef("once acknowledged it is forgotten: probes, later data and FIN have no pointer")
	}},
	{ID: "OB-19", Title: "hostile pointers", Source: "RFC 6093", Run: func(e *Env) {
		e.urgent(func(s handle, p *simnet.Peer) {
			got := func(what, stream, urgent string) {
				Equal(e, what, s.readAll(), stream)
				Equal(e, what+": recv(MSG_OOB)", s.read(wsa.MSG_OOB), urgent)
			}
			e.arrive(p, "[P.U] urg 0", "ab")
			got("a pointer of 0", "ab|-", "-")
			e.arrive(p, "[P.U] seq 3 urg 9", "cd")
			got("past the segment", "cd|-", "-")
			e.arrive(p, "[P.U] seq 1 urg 2", "ab")
			got("into what was read", "-", "-")
			e.arrive(p, "[P.] seq 5", "efghijk")
			got("the byte comes without URG", "efghij|-", "k")
			for range 3 {
				e.arrive(p, "[P.U] seq 12 urg 1", "l")
			}
			got("repeated", "-", "l")
			e.arrive(p, "[P.U] seq 12 urg 1", "l")
			got("repeated after it was read", "-", "-")
			e.arrive(p, "[P.U] seq 15 urg 2", "OP") // ahead of what is missing
			got("out of order", "-", "-")
			e.arrive(p, "[P.U] seq 13 urg 3", "mn") // overlaps: points at the O
			got("the gap is filled", "mnO|-", "P")
			e.arrive(p, "[.U] seq 17 ack 9999 urg 1", "")
			e.arrive(p, "[.U] seq 99999 urg 1", "")
			e.arrive(p, "[R.U] seq 99999 urg 1", "")
			e.arrive(p, "[SP.U] seq 17 urg 1", "")
			got("not acceptable, on a RST, on a SYN", "-", "-")
			p.Send("[F.U] seq 17 urg 2", []byte("qr")...)
			e.Net.Sleep(time.Millisecond)
			Equal(e, "on a FIN", s.readAll(), "q|")
			Equal(e, "on a FIN: recv(MSG_OOB)", s.read(wsa.MSG_OOB), "r")
		})
		e.Notef("no byte of the stream is lost or comes twice, no mark is stuck")
	}},
}
