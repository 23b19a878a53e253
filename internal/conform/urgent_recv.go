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

var urgentReceiving = []Scenario{
	{ID: "BF-12", Title: "a peer without window scaling", Source: "RFC 7323 2.2", Run: func(e *Env) {
		e.withBuffer(200_000, func(s wsa.SOCKET, p *simnet.Peer) {
			p.Send("[P.]", make([]byte, 1000)...)
			p.Expect("[.] ack 1001 win 64535")
			p.Send("[P.]", make([]byte, 1000)...)
			p.Expect("[.] ack 2001 win 65535")
		})
		e.Notef("64535, then 65535: not scaled")
	}},
	{ID: "OB-2", Title: "the last announced byte", Source: "W-OOB", Run: func(e *Env) {
		e.urgent(func(s wsa.SOCKET, p *simnet.Peer) {
			e.arrive(p, "[P.U] urg 2", "abcd")
			Equal(e, "one notification", e.read(e.P, s, wsa.MSG_OOB)+e.read(e.P, s, wsa.MSG_OOB), "b-")
			Equal(e, "recv", e.reads(e.P, s), "a|cd|-")
			// Urgent data goes on: only its end counts.
			e.arrive(p, "[.U] seq 5 urg 3", "")
			e.arrive(p, "[.U] seq 5 urg 5", "")
			e.arrive(p, "[P.U] seq 5 urg 5", "efghi")
			Equal(e, "the last of three", e.read(e.P, s, wsa.MSG_OOB)+e.read(e.P, s, wsa.MSG_OOB), "i-")
			Equal(e, "recv", e.reads(e.P, s), "efgh|-")
			// A pointer as far as 16 bits go isn't the end.
			e.arrive(p, "[.U] seq 10 urg 65535", "jkl")
			e.arrive(p, "[.U] seq 13 urg 2", "mno")
			Equal(e, "a shorter one doesn't count", e.read(e.P, s, wsa.MSG_OOB), "-")
			Equal(e, "recv", e.reads(e.P, s), "jklmno|-")
		})
		e.Notef("one byte a notification; a later end supersedes one that hasn't come")
	}},
	{ID: "OB-3", Title: "out of line", Source: "W-OOB", Run: func(e *Env) {
		e.urgent(func(s wsa.SOCKET, p *simnet.Peer) {
			Equal(e, "SO_OOBINLINE", e.Get(e.P, s, wsa.SOL_SOCKET, wsa.SO_OOBINLINE), 0)
			e.arrive(p, "[P.U] urg 3", "abcde")
			Equal(e, "recv", e.reads(e.P, s), "ab|de|-")
			Equal(e, "recv(MSG_OOB)", e.read(e.P, s, wsa.MSG_OOB), "c")
			e.arrive(p, "[P.U] seq 6 urg 1", "!")
			Equal(e, "recv with nothing else there", e.reads(e.P, s), "-")
			Equal(e, "recv(MSG_OOB)", e.read(e.P, s, wsa.MSG_OOB), "!")
			e.arrive(p, "[P.U] seq 7 urg 3", "xyz")
			e.arrive(p, "[F.] seq 10", "")
			Equal(e, "recv, to the end", e.reads(e.P, s), "xy|")
			Equal(e, "recv(MSG_OOB) behind the end", e.read(e.P, s, wsa.MSG_OOB)+e.read(e.P, s, wsa.MSG_OOB), "z")
		})
		e.Notef("recv never sees the byte, also when it is alone, or the last before the FIN")
	}},
	{ID: "OB-4", Title: "recv(MSG_OOB)", Source: "W-OOB, API-recv", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			c, s := e.Connected()
			e.Nonblocking(e.Q, s, true)
			Equal(e, "none, non-blocking", e.read(e.Q, s, wsa.MSG_OOB), "-")
			e.Nonblocking(e.Q, s, false)
			e.Set(e.Q, s, wsa.SOL_SOCKET, wsa.SO_RCVTIMEO, 100)
			start := e.Start()
			_, err := e.Q.Recv(s, make([]byte, 9), wsa.MSG_OOB)
			e.Code("none, with a time-out", err, wsa.WSAETIMEDOUT)
			Equal(e, "time", e.Net.Now()-start, 100*time.Millisecond)
			e.Set(e.Q, s, wsa.SOL_SOCKET, wsa.SO_RCVTIMEO, 0)
			waits := e.Go("recv", func() {
				for _, flags := range []int32{wsa.MSG_OOB | wsa.MSG_PEEK, wsa.MSG_OOB | wsa.MSG_PEEK, wsa.MSG_OOB} {
					Equal(e, "recv(MSG_OOB)", e.read(e.Q, s, flags), "b")
				}
			})
			e.Net.Sleep(time.Second)
			e.say(e.P, c, "plain")
			e.Net.Sleep(time.Second)
			e.oob(e.P, c, "ab")
			waits.Wait()
			_, err = e.Q.Recv(s, make([]byte, 9), wsa.MSG_OOB|wsa.MSG_WAITALL)
			e.Code("MSG_WAITALL", err, wsa.WSAEOPNOTSUPP)
			_, err = e.Q.Recv(e.Socket(e.Q, wsa.SOCK_DGRAM), make([]byte, 9), wsa.MSG_OOB)
			e.Code("a datagram socket", err, wsa.WSAEOPNOTSUPP)
			_, err = e.Q.Recv(e.Socket(e.Q, wsa.SOCK_STREAM), make([]byte, 9), wsa.MSG_OOB)
			e.Code("not connected", err, wsa.WSAENOTCONN)
			waits = e.Go("recv", func() {
				_, err := e.Q.Recv(s, make([]byte, 9), wsa.MSG_OOB)
				e.Code("the peer resets", err, wsa.WSAECONNRESET)
			})
			e.Net.Sleep(time.Second)
			e.Linger(e.P, c, 0)
			e.Code("CloseSocket", e.P.CloseSocket(c), 0)
			waits.Wait()
		})
		e.Notef("WSAEWOULDBLOCK, or waits; one byte; MSG_PEEK leaves it")
	}},
	{ID: "OB-4", Title: "waiting at the end of the stream", Source: "API-recv", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			c, s := e.Connected()
			waits := e.Go("recv", func() { Equal(e, "recv(MSG_OOB)", e.read(e.Q, s, wsa.MSG_OOB), "") })
			e.Net.Sleep(time.Second)
			e.Code("Shutdown", e.P.Shutdown(c, wsa.SD_SEND), 0)
			waits.Wait()
			e.Code("Shutdown", e.Q.Shutdown(s, wsa.SD_RECEIVE), 0)
			Equal(e, "after SD_RECEIVE", e.read(e.Q, s, wsa.MSG_OOB), "10058")
		})
		e.Notef("0 when the peer has closed its side, WSAESHUTDOWN after SD_RECEIVE")
	}},
	{ID: "OB-5", Title: "FD_OOB, exceptfds, POLLRDBAND", Source: "API-WSAEventSelect", Profiles: bothProfiles, Run: func(e *Env) {
		e.urgent(func(s wsa.SOCKET, p *simnet.Peer) {
			w := e.watch(e.P, s, wsa.FD_OOB|wsa.FD_READ|wsa.FD_CLOSE)
			Equal(e, "select", e.ready(e.P, s), "w")
			e.arrive(p, "[.U] urg 1", "") // announced only
			w.want("announced", "")
			e.arrive(p, "[P.U] urg 1", "1")
			w.want("the byte", "OOB")
			Equal(e, "select", e.ready(e.P, s), "wx")
			Equal(e, "WSAPoll", e.pollEvents(s, wsa.POLLRDBAND|wsa.POLLRDNORM), int16(wsa.POLLRDBAND))
			e.arrive(p, "[P.U] seq 2 urg 1", "2")
			w.want("another one", "")
			Equal(e, "recv(MSG_OOB)", e.read(e.P, s, wsa.MSG_OOB), byProfile(e, "2", "1"))
			w.want("after recv(MSG_OOB)", byProfile(e, "", "OOB"))
			Equal(e, "select", e.ready(e.P, s), byProfile(e, "w", "wx"))
			if e.Profile == options.Windows {
				Equal(e, "recv(MSG_OOB)", e.read(e.P, s, wsa.MSG_OOB), "2")
			}
			e.arrive(p, "[P.U] seq 3 urg 2", "ab")
			w.want("with a byte before it", "READ, OOB")
			Equal(e, "select", e.ready(e.P, s), "rwx")
			Equal(e, "recv", e.reads(e.P, s), "a|-")
			Equal(e, "select", e.ready(e.P, s), "wx")
		})
		e.Notef("once for the first byte; again after a recv(MSG_OOB) that leaves one; never FD_READ")
	}},
	{ID: "OB-5", Title: "select waits for it", Source: "API-select", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			c, s := e.Connected()
			var at time.Duration
			waits := e.Go("select", func() {
				_, _, x, err := e.Q.Select(nil, nil, []wsa.SOCKET{s}, -1)
				e.Code("Select", err, 0)
				Equal(e, "exceptfds", len(x), 1)
				at = e.Net.Now()
			})
			e.Net.Sleep(time.Second)
			e.say(e.P, c, "plain")
			e.Net.Sleep(time.Second)
			start := e.Start()
			e.oob(e.P, c, "!")
			waits.Wait()
			Equal(e, "time", (at - start).Round(time.Millisecond), Delay)
		})
		e.Notef("exceptfds when the byte comes, not for ordinary data")
	}},
	{ID: "OB-6", Title: "recv stops at the mark", Source: "W-OOB", Run: func(e *Env) {
		e.urgent(func(s wsa.SOCKET, p *simnet.Peer) {
			e.arrive(p, "[P.U] urg 3", "abcde")
			Equal(e, "MSG_PEEK", e.read(e.P, s, wsa.MSG_PEEK), "ab")
			Equal(e, "recv", e.reads(e.P, s), "ab|de|-")
			Equal(e, "recv(MSG_OOB)", e.read(e.P, s, wsa.MSG_OOB), "c")
			e.arrive(p, "[P.U] seq 6 urg 3", "fghij")
			Equal(e, "recv(MSG_OOB) first", e.read(e.P, s, wsa.MSG_OOB), "h")
			Equal(e, "recv stops all the same", e.reads(e.P, s), "fg|ij|-")
		})
		e.Notef("two bytes, then the two behind it, and so does MSG_PEEK")
	}},
	{ID: "OB-6", Title: "MSG_WAITALL stops, too", Source: "W-OOB", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			c, s := e.Connected()
			var got []string
			all := func(n int) {
				b := make([]byte, n)
				n, err := e.Q.Recv(s, b, wsa.MSG_WAITALL)
				e.Code("Recv", err, 0)
				got = append(got, string(b[:n]))
			}
			waits := e.Go("recv", func() { all(9); all(2); all(3) })
			e.Net.Sleep(time.Second)
			for _, text := range []string{"a", "b"} {
				e.say(e.P, c, text)
				e.Net.Sleep(time.Second)
			}
			e.oob(e.P, c, "!")
			e.Net.Sleep(time.Second)
			Equal(e, "at the mark", strings.Join(got, "|"), "ab")
			e.say(e.P, c, "cdefg")
			waits.Wait()
			Equal(e, "in all", strings.Join(got, "|"), "ab|cd|efg")
			// In line: before the byte, and behind it.
			e.inline(e.Q, s, 1)
			Equal(e, "the byte", e.read(e.Q, s, 0), "!")
			got = nil
			waits = e.Go("recv", func() { all(9); all(9); all(2) })
			e.say(e.P, c, "h")
			e.oob(e.P, c, "?")
			e.say(e.P, c, "ij")
			waits.Wait()
			Equal(e, "in line", strings.Join(got, "|"), "h|?|ij")
			// What a time-out gives back still ends at the mark.
			e.inline(e.Q, s, 0)
			e.Set(e.Q, s, wsa.SOL_SOCKET, wsa.SO_RCVTIMEO, 500)
			e.say(e.P, c, "kl")
			e.Net.Sleep(time.Second)
			_, err := e.Q.Recv(s, make([]byte, 9), wsa.MSG_WAITALL)
			e.Code("with a time-out", err, wsa.WSAETIMEDOUT)
			e.oob(e.P, c, "m*")
			e.say(e.P, c, "no")
			e.Net.Sleep(time.Second)
			e.Nonblocking(e.Q, s, true)
			Equal(e, "after the time-out", e.reads(e.Q, s), "klm|no|-")
			Equal(e, "recv(MSG_OOB)", e.read(e.Q, s, wsa.MSG_OOB), "*")
		})
		e.Notef("a call that has bytes returns them at the mark")
	}},
	{ID: "OB-7", Title: "a second urgent byte", Source: "W-OOB, C-13", Profiles: bothProfiles, Run: func(e *Env) {
		e.urgent(func(s wsa.SOCKET, p *simnet.Peer) {
			e.arrive(p, "[P.U] urg 2", "a1b")
			e.arrive(p, "[P.U] seq 4 urg 2", "c2d")
			e.arrive(p, "[P.U] seq 7 urg 1", "3")
			Equal(e, "FIONREAD", e.ioctl(e.P, s, wsa.FIONREAD), 4)
			if e.Profile == options.Documented {
				Equal(e, "recv(MSG_OOB)", e.read(e.P, s, wsa.MSG_OOB)+e.read(e.P, s, wsa.MSG_OOB), "3-")
			} else {
				for _, want := range []string{"1", "2", "3", "-"} {
					Equal(e, "recv(MSG_OOB)", e.read(e.P, s, wsa.MSG_OOB), want)
				}
			}
			Equal(e, "recv", e.reads(e.P, s), "a|bc|d|-")
			l := e.Segments("a")
			Equal(e, "acknowledged", l[len(l)-1].Segment.Ack, 8)
		})
		e.Notef("it replaces the first; as measured, both are kept; the stream has neither")
	}},
	{ID: "OB-8", Title: "FIONREAD", Source: "API-ioctlsocket", Run: func(e *Env) {
		e.urgent(func(s wsa.SOCKET, p *simnet.Peer) {
			e.arrive(p, "[P.U] urg 3", "abcde")
			Equal(e, "FIONREAD", e.ioctl(e.P, s, wsa.FIONREAD), 4)
			Equal(e, "recv(MSG_OOB)", e.read(e.P, s, wsa.MSG_OOB), "c")
			Equal(e, "after recv(MSG_OOB)", e.ioctl(e.P, s, wsa.FIONREAD), 4)
			Equal(e, "recv", e.read(e.P, s, 0), "ab")
			Equal(e, "after recv", e.ioctl(e.P, s, wsa.FIONREAD), 2)
			e.arrive(p, "[P.U] seq 6 urg 1", "!")
			Equal(e, "with another one", e.ioctl(e.P, s, wsa.FIONREAD), 2)
		})
		e.Notef("ordinary bytes only")
	}},
	{ID: "OB-9", Title: "SIOCATMARK, out of line", Source: "API-ioctlsocket", Run: func(e *Env) {
		e.urgent(func(s wsa.SOCKET, p *simnet.Peer) {
			mark := func(what string, want uint32) {
				Equal(e, what, e.ioctl(e.P, s, wsa.SIOCATMARK), want)
				Equal(e, what+": TCP_ATMARK", e.Get(e.P, s, wsa.IPPROTO_TCP, wsa.TCP_ATMARK), want)
			}
			mark("nothing", 1)
			e.arrive(p, "[.U] urg 3", "")
			mark("announced", 1)
			e.arrive(p, "[P.U] urg 3", "abcd")
			mark("waiting", 0)
			Equal(e, "recv", e.reads(e.P, s), "ab|d|-")
			mark("recv is behind it", 0)
			Equal(e, "recv(MSG_OOB)", e.read(e.P, s, wsa.MSG_OOB), "c")
			mark("read", 1)
		})
		e.Notef("FALSE exactly while the byte waits")
	}},
	{ID: "OB-10", Title: "SIOCATMARK, in line", Source: "API-ioctlsocket, C-13b", Profiles: bothProfiles, Run: func(e *Env) {
		e.urgent(func(s wsa.SOCKET, p *simnet.Peer) {
			e.inline(e.P, s, 1)
			mark := func(what string, documented uint32) {
				Equal(e, what, e.ioctl(e.P, s, wsa.SIOCATMARK), byProfile(e, documented, 1))
			}
			mark("no mark", 1)
			e.arrive(p, "[P.U] urg 3", "abcd")
			mark("bytes before it", 0)
			Equal(e, "recv", e.read(e.P, s, 0), "ab")
			mark("the byte is next", 1)
			Equal(e, "recv", e.read(e.P, s, 0), "c")
			mark("behind it", 1)
			e.arrive(p, "[P.U] seq 5 urg 2", "ef")
			mark("a further one", 0)
		})
		e.Notef("TRUE at the mark and behind it; as measured, always")
	}},
	{ID: "OB-11", Title: "SIOCATMARK elsewhere", Source: "API-ioctlsocket", Once: true, Run: func(e *Env) {
		e.Pair()
		_, err := e.P.Ioctl(e.Datagram(), wsa.SIOCATMARK, nil, make([]byte, 4))
		e.Code("a datagram socket", err, wsa.WSAEINVAL)
		_, err = e.P.Ioctl(e.Stream(), wsa.SIOCATMARK, nil, make([]byte, 3))
		e.Code("a short buffer", err, wsa.WSAEFAULT)
		e.Notef("WSAEINVAL; WSAEFAULT for a short buffer")
	}},
	{ID: "OB-12", Title: "SO_OOBINLINE while a byte waits", Source: "OBS", Run: func(e *Env) {
		e.urgent(func(s wsa.SOCKET, p *simnet.Peer) {
			count := func(what string, want uint32) { Equal(e, what, e.ioctl(e.P, s, wsa.FIONREAD), want) }
			e.arrive(p, "[P.U] urg 3", "abcde") // ahead of recv
			count("ahead", 4)
			e.inline(e.P, s, 1)
			count("ahead, put back", 5)
			Equal(e, "recv(MSG_OOB)", e.read(e.P, s, wsa.MSG_OOB), "10022")
			Equal(e, "recv", e.reads(e.P, s), "ab|c|de|-")
			e.inline(e.P, s, 0)
			e.arrive(p, "[P.U] seq 6 urg 2", "fghi") // recv has come to it
			Equal(e, "recv", e.read(e.P, s, 0), "f")
			e.inline(e.P, s, 1)
			count("next, put back", 3)
			Equal(e, "recv", e.reads(e.P, s), "g|hi|-")
			e.inline(e.P, s, 0)
			e.arrive(p, "[P.U] seq 10 urg 1", "j") // nothing else is there
			count("alone", 0)
			Equal(e, "select", e.ready(e.P, s), "wx")
			e.inline(e.P, s, 1)
			count("alone, put back", 1)
			Equal(e, "select", e.ready(e.P, s), "rw")
			e.inline(e.P, s, 0) // concerns later ones
			count("off again", 1)
			Equal(e, "recv", e.reads(e.P, s), "j|-")
			e.arrive(p, "[P.U] seq 11 urg 2", "klm") // recv is behind it
			Equal(e, "recv", e.reads(e.P, s), "k|m|-")
			e.inline(e.P, s, 1)
			count("behind, put back", 1)
			Equal(e, "recv", e.reads(e.P, s), "l|-")
		})
		e.Notef("it is back at its mark, or in front where recv has passed that; FIONREAD is one more")
	}},
	{ID: "OB-12", Title: "a recv that waits gets the byte", Source: "OBS", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			c, s := e.Connected()
			waits := e.Go("recv", func() { Equal(e, "recv", e.read(e.Q, s, 0), "!") })
			e.oob(e.P, c, "!")
			e.Net.Sleep(time.Second)
			e.inline(e.Q, s, 1)
			waits.Wait()
		})
		e.Notef("setting the option ends it")
	}},
	{ID: "OB-13", Title: "in line", Source: "W-OOB", Run: func(e *Env) {
		e.urgent(func(s wsa.SOCKET, p *simnet.Peer) {
			e.inline(e.P, s, 1)
			w := e.watch(e.P, s, wsa.FD_OOB|wsa.FD_READ)
			e.arrive(p, "[P.U] urg 1", "!")
			w.want("a single byte", "READ")
			Equal(e, "select", e.ready(e.P, s), "rw")
			Equal(e, "recv(MSG_OOB)", e.read(e.P, s, wsa.MSG_OOB), "10022")
			Equal(e, "recv", e.reads(e.P, s), "!|-")
			e.arrive(p, "[P.U] seq 2 urg 3", "abcde")
			Equal(e, "three reads", e.reads(e.P, s), "ab|c|de|-")
			e.arrive(p, "[P.U] seq 7 urg 2", "f1")
			e.arrive(p, "[P.U] seq 9 urg 2", "g2h") // moves the mark
			Equal(e, "with a second one", e.reads(e.P, s), "f1g|2|h|-")
		})
		e.Notef("FD_READ and readfds; before, the byte, after; a second one moves the mark and loses nothing")
	}},
	{ID: "OB-3", Title: "TCP_NOURG", Source: "HDR", Run: func(e *Env) {
		e.urgent(func(s wsa.SOCKET, p *simnet.Peer) {
			e.Set(e.P, s, wsa.IPPROTO_TCP, wsa.TCP_NOURG, 1)
			w := e.watch(e.P, s, wsa.FD_OOB|wsa.FD_READ)
			e.arrive(p, "[P.U] urg 2", "abc")
			w.want("with TCP_NOURG", "READ")
			Equal(e, "recv", e.reads(e.P, s), "abc|-")
			e.Set(e.P, s, wsa.IPPROTO_TCP, wsa.TCP_NOURG, 0)
			e.arrive(p, "[P.U] seq 4 urg 2", "def")
			w.want("without", "READ, OOB")
		})
		e.Notef("incoming urgent data is ordinary data, until it is turned off")
	}},
	{ID: "OB-3", Title: "before accept", Source: "IN-2", Run: func(e *Env) {
		w := e.Wire()
		e.Do(func() {
			for i, inline := range []uint32{0, 1} {
				port := uint16(80 + i)
				l := e.Listener(e.P, port)
				e.inline(e.P, l, inline)
				p := w.Connect(e.Addr(1, port).String())
				p.Send("[S] <mss 1000>")
				p.Expect("[S.] seq 0 ack 1")
				p.Send("[.]")
				e.arrive(p, "[P.U] urg 2", "abc")
				s, _, err := e.P.Accept(l)
				e.Code("Accept", err, 0)
				e.Nonblocking(e.P, s, true)
				Equal(e, "select", e.ready(e.P, s), []string{"rwx", "rw"}[i])
				Equal(e, "recv", e.reads(e.P, s), []string{"a|c|-", "a|b|c|-"}[i])
				Equal(e, "recv(MSG_OOB)", e.read(e.P, s, wsa.MSG_OOB), []string{"b", "10022"}[i])
			}
		})
		e.Notef("what comes before accept is urgent, too, by the listener's SO_OOBINLINE")
	}},
	{ID: "OB-7", Title: "SO_RCVBUF and urgent bytes", Source: "BF-14", Run: func(e *Env) {
		e.withBuffer(2000, func(s wsa.SOCKET, p *simnet.Peer) {
			for i := range 3000 {
				e.arrive(p, fmt.Sprintf("[P.U] seq %d urg 1", i+1), "!")
				Equal(e, "recv(MSG_OOB)", e.read(e.P, s, wsa.MSG_OOB), "!")
			}
			for i := range 10 {
				e.arrive(p, fmt.Sprintf("[P.U] seq %d urg 500", 3001+i*1000), strings.Repeat("x", 1000))
				for e.ioctl(e.P, s, wsa.FIONREAD) > 0 {
					e.read(e.P, s, 0)
				}
			}
			l := e.Segments("a")
			Equal(e, "acknowledged", l[len(l)-1].Segment.Ack, 13_001)
		})
		e.Notef("3000 urgent bytes pass a window of 2000, read by recv(MSG_OOB) alone")
	}},
	{ID: "OB-3", Title: "closing with an urgent byte unread", Source: "LG-13, RFC 1122 4.2.2.13", Run: func(e *Env) {
		e.urgent(func(s wsa.SOCKET, p *simnet.Peer) {
			e.arrive(p, "[P.U] urg 1", "!")
			p.Expect("[.] ack 2")
			Equal(e, "recv", e.reads(e.P, s), "-")
			e.Code("CloseSocket", e.P.CloseSocket(s), 0)
			p.Expect("[R.] seq 1")
		})
		e.Notef("it is unread data: RST")
	}},
	{ID: "OB-19", Title: "hostile pointers", Source: "RFC 6093", Run: func(e *Env) {
		e.urgent(func(s wsa.SOCKET, p *simnet.Peer) {
			got := func(what, stream, urgent string) {
				Equal(e, what, e.reads(e.P, s), stream)
				Equal(e, what+": recv(MSG_OOB)", e.read(e.P, s, wsa.MSG_OOB), urgent)
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
			Equal(e, "on a FIN", e.reads(e.P, s), "q|")
			Equal(e, "on a FIN: recv(MSG_OOB)", e.read(e.P, s, wsa.MSG_OOB), "r")
		})
		e.Notef("no byte of the stream is lost or comes twice, no mark is stuck")
	}},
}

// pollEvents is WSAPoll without waiting.
func (e *Env) pollEvents(s wsa.SOCKET, events int16) int16 {
	fds := []provider.PollFD{{Socket: s, Events: events}}
	_, err := e.P.Poll(fds, 0)
	e.Code("Poll", err, 0)
	return fds[0].Revents
}

// withBuffer is urgent with an SO_RCVBUF that was set before connect.
func (e *Env) withBuffer(size uint32, fn func(s wsa.SOCKET, p *simnet.Peer)) {
	p := e.Wire().Listen(80)
	e.Do(func() {
		s := e.Stream()
		e.Set(e.P, s, wsa.SOL_SOCKET, wsa.SO_RCVBUF, size)
		done := e.Go("connect", func() { e.Code("Connect", e.P.Connect(s, e.Addr(9, 80)), 0) })
		p.Accept("mss 1000")
		done.Wait()
		e.Nonblocking(e.P, s, true)
		fn(s, p)
	})
}
