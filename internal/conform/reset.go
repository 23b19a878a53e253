package conform

import (
	"fmt"
	"strings"
	"time"

	"github.com/wsstack/wsstack/internal/trace"
	"github.com/wsstack/wsstack/provider"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

// cutOff connects A and B, cuts the link, and sends a byte.
func (e *Env) cutOff(limit uint32, fn func(s handle, link *simnet.Link, start time.Duration)) {
	link := e.Pair()
	e.Do(func() {
		c, _ := e.connection()
		e.Net.Sleep(time.Second)
		c.set(wsa.IPPROTO_TCP, wsa.TCP_MAXRTMS, limit)
		link.Partition()
		c.say("x")
		fn(c, link, e.Net.Now())
	})
}

// tcpInfo is SIO_TCP_INFO.
func (h handle) tcpInfo(version uint32) wsa.TCPInfo {
	out := make([]byte, wsa.TCPInfoSize(version))
	Equal(h.e, "bytes", h.ioctl(wsa.SIO_TCP_INFO, []byte{byte(version), 0, 0, 0}, out), len(out))
	info, _ := wsa.ParseTCPInfo(out, version)
	return info
}

// resetScenarios are RS-1 to RS-4: connections that are reset or given up.
var resetScenarios = []Scenario{
	{ID: "RS-1", Title: "overlapped receive and a reset", Source: "W-ERR", Run: func(e *Env) {
		e.connected(func(c, s handle) {
			o := c.recvAsync(make([]byte, 1))
			s.reset()
			Equal(e, "outcome", e.outcome(o), "0 WSAECONNRESET")
			Equal(e, "native", o.Status(), wsa.ERROR_NETNAME_DELETED)
			c.as("RecvAsync later").recvAsync(make([]byte, 1), wsa.WSAECONNRESET)
		})
		e.Notef("WSAECONNRESET, native 64")
	}},
	{ID: "RS-1", Title: "RST received", Source: "API-recv", Run: func(e *Env) {
		e.connected(func(c, s handle) {
			s.say("never read")
			e.Net.Sleep(time.Second)
			blocked := e.Go("recv", func() {
				// The bytes above are read first; then the call is pending.
				c.recvFlags(10, wsa.MSG_WAITALL)
				c.as("the pending Recv").recv(10, wsa.WSAECONNRESET)
			})
			e.Net.Sleep(time.Second)
			s.linger(0)
			s.close()
			blocked.Wait()
			for range 2 {
				c.recv(1, wsa.WSAECONNRESET)
				c.say("x", wsa.WSAECONNRESET)
			}
		})
		e.Notef("WSAECONNRESET for the pending and every later call")
	}},
	{ID: "RS-1", Title: "unread data is discarded", Source: "API-recv", Run: func(e *Env) {
		e.connected(func(c, s handle) {
			s.say("never read")
			e.Net.Sleep(time.Second)
			s.reset()
			c.recv(10, wsa.WSAECONNRESET)
		})
		e.Notef("WSAECONNRESET, not the queued bytes")
	}},
	{ID: "RS-1", Title: "DisconnectEx and a reset", Source: "W-ERR", Run: func(e *Env) {
		e.wired(func(w *simnet.Wire) {
			for i, flags := range []uint32{0, wsa.TF_REUSE_SOCKET} {
				s, p := e.connectTo(w, uint16(80+i))
				o := s.disconnected(flags)
				blocked := e.Go("disconnect", func() { s.disconnect(wsa.TF_REUSE_SOCKET, 0, wsa.WSAECONNRESET) })
				p.Expect("[F.] seq 1")
				p.Send("[R.] ack 2")
				e.settles()
				Equal(e, "outcome", e.outcome(o), "0 WSAECONNRESET")
				Equal(e, "native", o.Status(), wsa.ERROR_NETNAME_DELETED)
				blocked.Wait()
				s.as("later").disconnectEx(wsa.TF_REUSE_SOCKET, 0, wsa.WSAENOTCONN)
				s.connectEx(e.Addr(9, 90), nil, wsa.WSAEISCONN)
			}
		})
		e.Notef("WSAECONNRESET, native 64; the socket can only be closed")
	}},
	{ID: "RS-1", Title: "TransmitFile and a reset", Source: "W-ERR", Run: func(e *Env) {
		w := e.Wire()
		e.Do(func() {
			s, p := e.stuckAt(w, 80)
			s.sndbuf(2000)
			o := s.transmitFileAsync(alphabet(5000), nil, 0)
			blocked := e.Go("TransmitFile", func() { s.transmitFile(alphabet(5000), nil, wsa.TF_DISCONNECT, wsa.WSAECONNRESET) })
			e.settles()
			e.arrive(p, "[R.]")
			Equal(e, "outcome", e.outcome(o), "0 WSAECONNRESET")
			Equal(e, "native", o.Status(), wsa.ERROR_NETNAME_DELETED)
			blocked.Wait()
			s.as("later").transmitFile(alphabet(1), nil, 0, wsa.WSAECONNRESET)
		})
		e.Notef("WSAECONNRESET, native 64")
	}},
	endedScenario("RS-1", "every call and control code", "reset", "API-recv, API-send"),
	{ID: "RS-1", Title: "every option", Source: "S-SET, S-GET", Run: func(e *Env) {
		e.paired(func() { e.optionsAfterReset(false) })
	}},
	{ID: "RS-1", Title: "every call, first and later", Source: "API-recv, API-send", Run: func(e *Env) {
		e.stuck(func(s handle, p *simnet.Peer) {
			p.Send("[P.] seq 1:6 ack 1001 win 0", []byte("never")...)
			s.fill()
			var tasks []*simnet.Task
			for i := range 2 {
				tasks = append(tasks, e.Go(fmt.Sprint("send ", i), func() {
					Equal(e, "count", s.as("the blocked Send").sendSome(make([]byte, 64<<20), 0, wsa.WSAECONNRESET), 0)
				}))
			}
			tasks = append(tasks, e.Go("recv", func() {
				s.as("the blocked Recv").recvFlags(100, wsa.MSG_WAITALL, wsa.WSAECONNRESET)
			}))
			e.Net.Sleep(100 * time.Millisecond)
			at := e.Net.Now()
			p.Send("[R.] seq 6 ack 1001")
			for _, t := range tasks {
				t.Wait()
			}
			Equal(e, "the time", e.Net.Now(), at)
			for range 2 {
				for _, flags := range []int32{0, wsa.MSG_PEEK, wsa.MSG_WAITALL} {
					s.recvFlags(9, flags, wsa.WSAECONNRESET)
				}
				s.say("x", wsa.WSAECONNRESET)
				s.shutdown(wsa.SD_SEND, wsa.WSAECONNRESET)
			}
			s.set(wsa.IPPROTO_TCP, wsa.TCP_NODELAY, 1) // SO_KEEPALIVE is FALSE (KA-33)
			after := len(e.Segments("a"))
			s.linger(30)
			s.close()
			e.Net.Sleep(time.Minute)
			Equal(e, "segments after the RST", len(e.Segments("a"))-after, 0)
			Equal(e, "RSTs of ours", e.Count("a", has(trace.RST)), 0)
		})
		e.Notef("WSAECONNRESET for two sends and a recv in progress, and every later call; unread data is gone; a RST isn't answered")
	}},
	{ID: "RS-1", Title: "a RST that misses", Source: "RFC 5961 3.2", Run: func(e *Env) {
		e.played(func(s handle, p *simnet.Peer) {
			s.keepAlive(10*time.Second, time.Second, 3)
			p.Send("[P.] seq 1:6 ack 1", []byte("hello")...)
			p.Expect("[.] seq 1 ack 6")
			for _, seq := range []string{"5", "4000000000", "2000000"} { // outside of the window
				p.Send("[R] seq " + seq)
			}
			e.Net.Sleep(time.Microsecond)
			Equal(e, "answers to RSTs outside of the window", e.Count("a", func(l simnet.Line) bool { return l.Segment.Ack == 6 }), 1)
			p.Send("[R] seq 7") // in the window
			p.Expect("[.] seq 1 ack 6")
			Equal(e, "select", s.ready("rx", 0), "r")
			s.shutdown(wsa.SD_SEND)
			talk(p, "< [F.] seq 1 ack 6", "> [F.] seq 6 ack 2", "< [.] seq 2 ack 7")
			e.Net.Sleep(5 * time.Minute) // TIME-WAIT is over
			buf := make([]byte, 9)
			n := s.recvInto(buf, 0)
			Equal(e, "data", string(buf[:n]), "hello")
			n = s.as("Recv at the end of the stream").recvInto(buf, 0)
			Equal(e, "bytes", n, 0)
			s.reads(wsa.SOL_SOCKET, wsa.SO_ERROR, 0)
		})
		e.Notef("silence outside of the window, a challenge ACK within; the connection ends gracefully")
	}},
	{ID: "RS-1", Title: "reset before accept", Source: "API-accept", Run: func(e *Env) {
		e.wired(func(w *simnet.Wire) {
			l := e.stream()
			l.bind(e.Any(80))
			l.listen(1)
			l.nonblocking(true)
			p := e.client(w)
			e.handshake(p)
			e.arrive(p, "[R.] seq 1 ack 1")
			// It makes room, but accept still tells of it.
			next := e.client(w)
			e.handshake(next)
			Equal(e, "readable", l.readable(), true)
			l.as("Accept").acceptCond(nil, wsa.WSAECONNRESET)
			_, peer := l.as("the next Accept").acceptFrom()
			Equal(e, "peer", peer, next.Local())
			l.as("Accept").acceptCond(nil, wsa.WSAEWOULDBLOCK)
		})
		e.Notef("WSAECONNRESET; it holds no place in the backlog")
	}},
	{ID: "RS-2", Title: "retransmission limit", Source: "W-ERR", Run: func(e *Env) {
		link := e.Pair()
		e.Do(func() {
			c := e.cut(link)
			start := e.Start()
			c.say("into the void")
			c.recv(1, wsa.WSAECONNABORTED)
			e.Check(e.Net.Now()-start > time.Minute, "given up after %v", e.Net.Now()-start)
			c.say("x", wsa.WSAECONNABORTED)
			Equal(e, "SO_ERROR", c.soError(), byProfile(e, wsa.WSAECONNABORTED, 0)) // C-02
			e.Notef("given up after %s: WSAECONNABORTED", seconds(e.Net.Now()-start))
		})
		e.Check(e.Count("a", data) > 5, "only %d transmissions", e.Count("a", data))
	}},
	{ID: "RS-2", Title: "TCP_MAXRT bounds unanswered data", Source: "W-TCP", Run: func(e *Env) {
		e.cutOff(5250, func(s handle, _ *simnet.Link, start time.Duration) {
			s.as("the blocked Recv").recv(1, wsa.WSAECONNABORTED)
			e.took("time", start, 5250*time.Millisecond)
			s.say("x", wsa.WSAECONNABORTED)
			Equal(e, "SO_ERROR", s.soError(), byProfile(e, wsa.WSAECONNABORTED, 0)) // C-02
			Equal(e, "RST", e.times("a", start, has(trace.RST)), "5.250")
		})
		e.Notef("dropped at 5.250 s, between two retransmissions: WSAECONNABORTED")
	}},
	{ID: "RS-2", Title: "progress restarts TCP_MAXRT", Source: "W-TCP", Run: func(e *Env) {
		e.played(func(s handle, p *simnet.Peer) {
			s.set(wsa.IPPROTO_TCP, wsa.TCP_MAXRT, 3)
			s.send(3000)
			start := e.Start()
			for i := range 3 { // one segment every two seconds
				e.Net.Sleep(2 * time.Second)
				p.Send(fmt.Sprintf("[.] ack %d", 1000*i+1001))
			}
			e.Net.Sleep(time.Minute) // nothing is outstanding
			s.send(1)
			sent := e.Net.Now()
			s.recv(1, wsa.WSAECONNABORTED)
			e.took("dropped after", sent, 3*time.Second)
			e.Check(e.Net.Now()-start > time.Minute, "dropped early")
		})
		e.Notef("3 s after the last progress, however long that went on, and never while nothing waits")
	}},
	{ID: "RS-2", Title: "TCP_MAXRT and a zero window", Source: "RFC 9293 3.8.6.1", Run: func(e *Env) {
		e.played(func(s handle, p *simnet.Peer) {
			s.set(wsa.IPPROTO_TCP, wsa.TCP_MAXRT, 3)
			s.send(1000)
			e.arrive(p, "[.] ack 1001 win 0")
			s.send(1000)
			from := e.Net.Now()
			for range 12 { // the peer answers probes
				_, err := p.Receive(2 * time.Minute)
				e.Check(err == nil, "no probe: %v", err)
				p.Send("[.] ack 1001 win 0")
			}
			e.Check(e.Net.Now()-from > time.Minute, "%v", e.Net.Now()-from)
			s.reads(wsa.SOL_SOCKET, wsa.SO_ERROR, 0)
			probe, err := p.Receive(2 * time.Minute) // and then no longer
			e.Check(err == nil, "no probe: %v", err)
			s.recv(1, wsa.WSAECONNABORTED)
			Equal(e, "dropped after", (e.Net.Now() - probe.At).Round(time.Millisecond), 3*time.Second)
		})
		e.Notef("a peer that answers probes is kept, one that stops is dropped after 3 s")
	}},
	{ID: "RS-2", Title: "TCP_MAXRT -1", Source: "W-TCP", Run: func(e *Env) {
		e.cutOff(0xFFFFFFFF, func(s handle, link *simnet.Link, start time.Duration) {
			e.Net.Sleep(time.Hour)
			s.reads(wsa.SOL_SOCKET, wsa.SO_ERROR, 0)
			at := strings.Fields(e.times("a", start, data))
			e.Check(len(at) > 55, "%d transmissions in an hour", len(at))
			link.Heal()
			e.Net.Sleep(time.Minute)
			Equal(e, "bytes unacknowledged", s.tcpInfo(0).BytesInFlight, 0)
			e.Notef("%d transmissions in an hour, then the peer is back", len(at))
		})
	}},
	{ID: "RS-2", Title: "the retransmission limit", Source: "RFC 1122 4.2.3.5", Run: func(e *Env) {
		e.cutOff(0, func(s handle, _ *simnet.Link, start time.Duration) {
			s.recv(1, wsa.WSAECONNABORTED)
			Equal(e, "transmissions", len(strings.Fields(e.times("a", start, data))), 16)
			e.Notef("WSAECONNABORTED %s after the first of 16 transmissions", seconds(e.Net.Now()-start))
		})
	}},
	{ID: "RS-2", Title: "progress restarts the retransmission limit", Source: "RFC 1122 4.2.3.5", Run: func(e *Env) {
		e.cutOff(0, func(s handle, link *simnet.Link, start time.Duration) {
			for len(strings.Fields(e.times("a", start, data))) < 15 {
				e.Net.Sleep(time.Second)
			}
			link.Heal() // the last one arrives
			e.Net.Sleep(2 * time.Minute)
			Equal(e, "transmissions", len(strings.Fields(e.times("a", start, data))), 16)
			link.Partition()
			s.say("y")
			e.Net.Sleep(10 * time.Second)
			link.Heal()
			e.Net.Sleep(time.Minute)
			s.reads(wsa.SOL_SOCKET, wsa.SO_ERROR, 0)
			Equal(e, "bytes unacknowledged", s.tcpInfo(0).BytesInFlight, 0)
		})
		e.Notef("a connection that was about to be given up lives on")
	}},
	{ID: "RS-2", Title: "connect-phase expiry and local aborts", Source: "API-connect, API-shutdown", Profiles: documentedOnly,
		Why: "C-47: in Windows nothing is reset (WC-4)", Run: func(e *Env) {
			w := e.Wire()
			p := w.Listen(80)
			e.Do(func() {
				s := e.stream()
				s.as("Connect to nobody").connect(e.Addr(9, 81), wsa.WSAETIMEDOUT)
				s.meets(p, "mss 1000")
				s.shutdown(wsa.SD_RECEIVE)
				p.Send("[P.] seq 1:6 ack 1")
				p.Expect("[R.] seq 1 ack 1") // the five bytes are nobody's
				for range 2 {
					s.recv(1, wsa.WSAESHUTDOWN) // SH-2
					s.say("x", wsa.WSAECONNABORTED)
					s.shutdown(wsa.SD_BOTH, wsa.WSAECONNABORTED)
				}
				Equal(e, "SO_ERROR", s.soError(), byProfile(e, wsa.WSAECONNABORTED, 0)) // C-02
				Equal(e, "SO_ERROR again", s.get(wsa.SOL_SOCKET, wsa.SO_ERROR), 0)
			})
			e.Notef("WSAETIMEDOUT before ESTABLISHED, WSAECONNABORTED after our own RST")
		}},
	{ID: "RS-3", Title: "sending to a peer that has closed", Source: "OBS", Profiles: documentedOnly,
		Why: "RS-3: as measured the code is WSAECONNABORTED", Run: func(e *Env) {
			e.connected(func(c, s handle) {
				s.close()
				e.Net.Sleep(time.Second)
				c.as("the first Send").say("x")
				e.Net.Sleep(time.Second)
				c.as("the next Send").say("x", wsa.WSAECONNRESET)
				c.recv(1, wsa.WSAECONNRESET)
			})
			Equal(e, "RSTs of b", e.Count("b", has(trace.RST)), 1)
			e.Notef("the peer answers RST; then WSAECONNRESET")
		}},
	{ID: "RS-3", Title: "as measured", Source: "OBS", Run: func(e *Env) {
		e.Pair()
		want := byProfile(e, wsa.WSAECONNRESET, wsa.WSAECONNABORTED)
		e.Do(func() {
			c, s := e.connection()
			s.close()
			e.Net.Sleep(time.Second)
			c.as("the first Send").say("x")
			e.Net.Sleep(time.Second)
			for range 2 {
				c.as("the next Send").say("x", want)
				c.recv(1, want)
			}
			c, s = e.connection() // a reset by a peer that hasn't closed
			s.reset()
			c.as("Recv after a reset without FIN").recv(1, wsa.WSAECONNRESET)
		})
		Equal(e, "RSTs of b", e.Count("b", has(trace.RST)), 2)
		e.Notef("%s after a FIN, WSAECONNRESET without", name(want))
	}},
	{ID: "RS-4", Title: "select after RST", Source: "OBS", Run: func(e *Env) {
		e.connected(func(c, s handle) {
			s.reset()
			Equal(e, "select", c.ready("rwx", 0), "rw")
		})
		e.Notef("readable and writable, not except")
	}},
	{ID: "RS-4", Title: "select that waits", Source: "OBS", Run: func(e *Env) {
		e.played(func(s handle, p *simnet.Peer) {
			waiting := e.Go("select", func() { Equal(e, "select", s.ready("rx", -1), "r") })
			e.Net.Sleep(time.Second)
			at := e.Net.Now()
			p.Send("[R]")
			waiting.Wait()
			Equal(e, "the time", e.Net.Now(), at)
			for range 2 { // also when SO_ERROR was read
				Equal(e, "select", s.ready("rwx", -1), "rw")
				s.get(wsa.SOL_SOCKET, wsa.SO_ERROR)
			}
		})
		e.Notef("ends at once, readable and writable, not except")
	}},
	{ID: "RS-4", Title: "WSAPoll after a reset", Source: "observed", Run: func(e *Env) {
		e.connected(func(c, s handle) {
			s.reset()
			fds := []provider.PollFD{{Socket: c.s, Events: wsa.POLLRDNORM | wsa.POLLWRNORM | wsa.POLLRDBAND}}
			n := e.poll(e.P, fds, -1)
			Equal(e, "revents", fmt.Sprintf("%d %#x", n, fds[0].Revents), fmt.Sprintf("1 %#x", wsa.POLLERR|wsa.POLLHUP|wsa.POLLWRNORM))
		})
		e.Notef("POLLERR|POLLHUP|POLLWRNORM")
	}},
}
