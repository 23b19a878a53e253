package conform

import (
	"fmt"
	"strings"
	"time"

	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/provider"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

// pollEvents is WSAPoll without waiting.
func (h handle) pollEvents(events int16) int16 {
	e := h.e
	fds := []provider.PollFD{{Socket: h.s, Events: events}}
	e.poll(e.P, fds, 0)
	return fds[0].Revents
}

// urgentRecvScenarios are OB-2 to OB-7: receiving urgent data.
var urgentRecvScenarios = []Scenario{
	{ID: "OB-2", Title: "the last announced byte", Source: "W-OOB", Run: func(e *Env) {
		e.urgent(func(s handle, p *simnet.Peer) {
			e.arrive(p, "[P.U] urg 2", "abcd")
			Equal(e, "one notification", s.read(wsa.MSG_OOB)+s.read(wsa.MSG_OOB), "b-")
			Equal(e, "recv", s.readAll(), "a|cd|-")
			// Urgent data goes on: only its end counts.
			e.arrive(p, "[.U] seq 5 urg 3", "")
			e.arrive(p, "[.U] seq 5 urg 5", "")
			e.arrive(p, "[P.U] seq 5 urg 5", "efghi")
			Equal(e, "the last of three", s.read(wsa.MSG_OOB)+s.read(wsa.MSG_OOB), "i-")
			Equal(e, "recv", s.readAll(), "efgh|-")
			// A pointer as far as 16 bits go isn't the end.
			e.arrive(p, "[.U] seq 10 urg 65535", "jkl")
			e.arrive(p, "[.U] seq 13 urg 2", "mno")
			Equal(e, "a shorter one doesn't count", s.read(wsa.MSG_OOB), "-")
			Equal(e, "recv", s.readAll(), "jklmno|-")
		})
		e.Notef("one byte a notification; a later end supersedes one that hasn't come")
	}},
	{ID: "OB-3", Title: "out of line", Source: "W-OOB", Run: func(e *Env) {
		e.urgent(func(s handle, p *simnet.Peer) {
			s.reads(wsa.SOL_SOCKET, wsa.SO_OOBINLINE, 0)
			e.arrive(p, "[P.U] urg 3", "abcde")
			Equal(e, "recv", s.readAll(), "ab|de|-")
			Equal(e, "recv(MSG_OOB)", s.read(wsa.MSG_OOB), "c")
			e.arrive(p, "[P.U] seq 6 urg 1", "!")
			Equal(e, "recv with nothing else there", s.readAll(), "-")
			Equal(e, "recv(MSG_OOB)", s.read(wsa.MSG_OOB), "!")
			e.arrive(p, "[P.U] seq 7 urg 3", "xyz")
			e.arrive(p, "[F.] seq 10", "")
			Equal(e, "recv, to the end", s.readAll(), "xy|")
			Equal(e, "recv(MSG_OOB) behind the end", s.read(wsa.MSG_OOB)+s.read(wsa.MSG_OOB), "z")
		})
		e.Notef("recv never sees the byte, also when it is alone, or the last before the FIN")
	}},
	{ID: "OB-3", Title: "TCP_NOURG", Source: "HDR", Run: func(e *Env) {
		e.urgent(func(s handle, p *simnet.Peer) {
			s.set(wsa.IPPROTO_TCP, wsa.TCP_NOURG, 1)
			w := s.watch(wsa.FD_OOB | wsa.FD_READ)
			e.arrive(p, "[P.U] urg 2", "abc")
			w.want("with TCP_NOURG", "READ")
			Equal(e, "recv", s.readAll(), "abc|-")
			s.set(wsa.IPPROTO_TCP, wsa.TCP_NOURG, 0)
			e.arrive(p, "[P.U] seq 4 urg 2", "def")
			w.want("without", "READ, OOB")
		})
		e.Notef("incoming urgent data is ordinary data, until it is turned off")
	}},
	{ID: "OB-3", Title: "before accept", Source: "IN-2", Run: func(e *Env) {
		e.wired(func(w *simnet.Wire) {
			for i, inline := range []uint32{0, 1} {
				port := uint16(80 + i)
				l := e.listener(e.P, port)
				l.inline(inline)
				p := w.Connect(e.Addr(1, port).String())
				talk(p, "> [S] <mss 1000>", "< [S.] seq 0 ack 1", "> [.]")
				e.arrive(p, "[P.U] urg 2", "abc")
				s := l.accept()
				s.nonblocking(true)
				Equal(e, "select", s.ready("rwx", 0), []string{"rwx", "rw"}[i])
				Equal(e, "recv", s.readAll(), []string{"a|c|-", "a|b|c|-"}[i])
				Equal(e, "recv(MSG_OOB)", s.read(wsa.MSG_OOB), []string{"b", "10022"}[i])
			}
		})
		e.Notef("what comes before accept is urgent, too, by the listener's SO_OOBINLINE")
	}},
	{ID: "OB-3", Title: "closing with an urgent byte unread", Source: "LG-13, RFC 1122 4.2.2.13", Run: func(e *Env) {
		e.urgent(func(s handle, p *simnet.Peer) {
			e.arrive(p, "[P.U] urg 1", "!")
			p.Expect("[.] ack 2")
			Equal(e, "recv", s.readAll(), "-")
			s.close()
			p.Expect("[R.] seq 1")
		})
		e.Notef("it is unread data: RST")
	}},
	{ID: "OB-4", Title: "recv(MSG_OOB)", Source: "W-OOB, API-recv", Run: func(e *Env) {
		e.connected(func(c, s handle) {
			s.nonblocking(true)
			Equal(e, "none, non-blocking", s.read(wsa.MSG_OOB), "-")
			s.nonblocking(false)
			s.set(wsa.SOL_SOCKET, wsa.SO_RCVTIMEO, 100)
			start := e.Start()
			s.as("none, with a time-out").recvFlags(9, wsa.MSG_OOB, wsa.WSAETIMEDOUT)
			Equal(e, "time", e.Net.Now()-start, 100*time.Millisecond)
			s.set(wsa.SOL_SOCKET, wsa.SO_RCVTIMEO, 0)
			waits := e.Go("recv", func() {
				for _, flags := range []int32{wsa.MSG_OOB | wsa.MSG_PEEK, wsa.MSG_OOB | wsa.MSG_PEEK, wsa.MSG_OOB} {
					Equal(e, "recv(MSG_OOB)", s.read(flags), "b")
				}
			})
			e.Net.Sleep(time.Second)
			c.say("plain")
			e.Net.Sleep(time.Second)
			c.oob("ab")
			waits.Wait()
			s.as("MSG_WAITALL").recvFlags(9, wsa.MSG_OOB|wsa.MSG_WAITALL, wsa.WSAEOPNOTSUPP)
			e.peerDatagram().as("a datagram socket").recvFlags(9, wsa.MSG_OOB, wsa.WSAEOPNOTSUPP)
			e.peerStream().as("not connected").recvFlags(9, wsa.MSG_OOB, wsa.WSAENOTCONN)
			waits = e.Go("recv", func() { s.as("the peer resets").recvFlags(9, wsa.MSG_OOB, wsa.WSAECONNRESET) })
			e.Net.Sleep(time.Second)
			c.linger(0)
			c.close()
			waits.Wait()
		})
		e.Notef("WSAEWOULDBLOCK, or waits; one byte; MSG_PEEK leaves it")
	}},
	{ID: "OB-4", Title: "waiting at the end of the stream", Source: "API-recv", Run: func(e *Env) {
		e.connected(func(c, s handle) {
			waits := e.Go("recv", func() { Equal(e, "recv(MSG_OOB)", s.read(wsa.MSG_OOB), "") })
			e.Net.Sleep(time.Second)
			c.shutdown(wsa.SD_SEND)
			waits.Wait()
			s.shutdown(wsa.SD_RECEIVE)
			Equal(e, "after SD_RECEIVE", s.read(wsa.MSG_OOB), "10058")
		})
		e.Notef("0 when the peer has closed its side, WSAESHUTDOWN after SD_RECEIVE")
	}},
	{ID: "OB-5", Title: "FD_OOB, exceptfds, POLLRDBAND", Source: "API-WSAEventSelect", Run: func(e *Env) {
		e.urgent(func(s handle, p *simnet.Peer) {
			w := s.watch(wsa.FD_OOB | wsa.FD_READ | wsa.FD_CLOSE)
			Equal(e, "select", s.ready("rwx", 0), "w")
			e.arrive(p, "[.U] urg 1", "") // announced only
			w.want("announced", "")
			e.arrive(p, "[P.U] urg 1", "1")
			w.want("the byte", "OOB")
			Equal(e, "select", s.ready("rwx", 0), "wx")
			Equal(e, "WSAPoll", s.pollEvents(wsa.POLLRDBAND|wsa.POLLRDNORM), int16(wsa.POLLRDBAND))
			e.arrive(p, "[P.U] seq 2 urg 1", "2")
			w.want("another one", byProfile(e, "", "OOB")) // WE-5
			Equal(e, "recv(MSG_OOB)", s.read(wsa.MSG_OOB), byProfile(e, "2", "1"))
			w.want("after recv(MSG_OOB)", byProfile(e, "", "OOB"))
			Equal(e, "select", s.ready("rwx", 0), byProfile(e, "w", "wx"))
			if e.Profile != options.Documented {
				Equal(e, "recv(MSG_OOB)", s.read(wsa.MSG_OOB), "2")
			}
			e.arrive(p, "[P.U] seq 3 urg 2", "ab")
			w.want("with a byte before it", "READ, OOB")
			Equal(e, "select", s.ready("rwx", 0), "rwx")
			Equal(e, "recv", s.readAll(), "a|-")
			Equal(e, "select", s.ready("rwx", 0), "wx")
		})
		e.Notef("once for the first byte; again after a recv(MSG_OOB) that leaves one; never FD_READ")
	}},
	{ID: "OB-5", Title: "select waits for it", Source: "API-select", Run: func(e *Env) {
		e.connected(func(c, s handle) {
			var at time.Duration
			waits := e.Go("select", func() {
				Equal(e, "exceptfds", s.ready("x", -1), "x")
				at = e.Net.Now()
			})
			e.Net.Sleep(time.Second)
			c.say("plain")
			e.Net.Sleep(time.Second)
			start := e.Start()
			c.oob("!")
			waits.Wait()
			Equal(e, "time", (at - start).Round(time.Millisecond), Delay)
		})
		e.Notef("exceptfds when the byte comes, not for ordinary data")
	}},
	{ID: "OB-6", Title: "recv stops at the mark", Source: "W-OOB", Run: func(e *Env) {
		e.urgent(func(s handle, p *simnet.Peer) {
			e.arrive(p, "[P.U] urg 3", "abcde")
			Equal(e, "MSG_PEEK", s.read(wsa.MSG_PEEK), "ab")
			Equal(e, "recv", s.readAll(), "ab|de|-")
			Equal(e, "recv(MSG_OOB)", s.read(wsa.MSG_OOB), "c")
			e.arrive(p, "[P.U] seq 6 urg 3", "fghij")
			Equal(e, "recv(MSG_OOB) first", s.read(wsa.MSG_OOB), "h")
			Equal(e, "recv stops all the same", s.readAll(), "fg|ij|-")
		})
		e.Notef("two bytes, then the two behind it, and so does MSG_PEEK")
	}},
	{ID: "OB-6", Title: "MSG_WAITALL stops, too", Source: "W-OOB", Run: func(e *Env) {
		e.connected(func(c, s handle) {
			var got []string
			all := func(n int) {
				b := make([]byte, n)
				n = s.recvInto(b, wsa.MSG_WAITALL)
				got = append(got, string(b[:n]))
			}
			waits := e.Go("recv", func() { all(9); all(2); all(3) })
			e.Net.Sleep(time.Second)
			for _, text := range []string{"a", "b"} {
				c.say(text)
				e.Net.Sleep(time.Second)
			}
			c.oob("!")
			e.Net.Sleep(time.Second)
			Equal(e, "at the mark", strings.Join(got, "|"), "ab")
			c.say("cdefg")
			waits.Wait()
			Equal(e, "in all", strings.Join(got, "|"), "ab|cd|efg")
			// In line: before the byte, and behind it.
			s.inline(1)
			Equal(e, "the byte", s.read(0), "!")
			got = nil
			waits = e.Go("recv", func() { all(9); all(9); all(2) })
			c.say("h")
			c.oob("?")
			c.say("ij")
			waits.Wait()
			Equal(e, "in line", strings.Join(got, "|"), "h|?|ij")
			// What a time-out gives back still ends at the mark.
			s.inline(0)
			s.set(wsa.SOL_SOCKET, wsa.SO_RCVTIMEO, 500)
			c.say("kl")
			e.Net.Sleep(time.Second)
			s.as("with a time-out").recvFlags(9, wsa.MSG_WAITALL, wsa.WSAETIMEDOUT)
			c.oob("m*")
			c.say("no")
			e.Net.Sleep(time.Second)
			s.nonblocking(true)
			Equal(e, "after the time-out", s.readAll(), "klm|no|-")
			Equal(e, "recv(MSG_OOB)", s.read(wsa.MSG_OOB), "*")
		})
		e.Notef("a call that has bytes returns them at the mark")
	}},
	{ID: "OB-7", Title: "a second urgent byte", Source: "W-OOB, C-13", Run: func(e *Env) {
		e.urgent(func(s handle, p *simnet.Peer) {
			e.arrive(p, "[P.U] urg 2", "a1b")
			e.arrive(p, "[P.U] seq 4 urg 2", "c2d")
			e.arrive(p, "[P.U] seq 7 urg 1", "3")
			Equal(e, "FIONREAD", s.value(wsa.FIONREAD), 4)
			if e.Profile == options.Documented {
				Equal(e, "recv(MSG_OOB)", s.read(wsa.MSG_OOB)+s.read(wsa.MSG_OOB), "3-")
			} else {
				for _, want := range []string{"1", "2", "3", "-"} {
					Equal(e, "recv(MSG_OOB)", s.read(wsa.MSG_OOB), want)
				}
			}
			Equal(e, "recv", s.readAll(), "a|bc|d|-")
			e.Net.Sleep(e.ackDelay())
			l := e.Segments("a")
			Equal(e, "acknowledged", l[len(l)-1].Segment.Ack, 8)
		})
		e.Notef("it replaces the first; as measured, both are kept; the stream has neither")
	}},
	{ID: "OB-7", Title: "SO_RCVBUF and urgent bytes", Source: "BF-14", Run: func(e *Env) {
		e.withBuffer(2000, func(s handle, p *simnet.Peer) {
			for i := range 3000 {
				e.arrive(p, fmt.Sprintf("[P.U] seq %d urg 1", i+1), "!")
				Equal(e, "recv(MSG_OOB)", s.read(wsa.MSG_OOB), "!")
			}
			for i := range 10 {
				e.arrive(p, fmt.Sprintf("[P.U] seq %d urg 500", 3001+i*1000), strings.Repeat("x", 1000))
				for s.value(wsa.FIONREAD) > 0 {
					s.read(0)
				}
			}
			l := e.Segments("a")
			Equal(e, "acknowledged", l[len(l)-1].Segment.Ack, 13_001)
		})
		e.Notef("3000 urgent bytes pass a window of 2000, read by recv(MSG_OOB) alone")
	}},
}
