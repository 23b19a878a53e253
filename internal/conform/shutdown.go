package conform

import (
	"fmt"
	"time"

	"github.com/wsstack/wsstack/internal/trace"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

// shutdownScenarios are SH-1 to SH-9: shutdown.
var shutdownScenarios = []Scenario{
	{ID: "SH-1", Title: "SD_SEND delivers, then FIN", Source: "API-shutdown", Run: func(e *Env) {
		e.connected(func(c, s handle) {
			c.send(5000)
			c.shutdown(wsa.SD_SEND)
			c.as("Send after SD_SEND").say("x", wsa.WSAESHUTDOWN)
			n := len(s.recvFlags(8000, wsa.MSG_WAITALL))
			Equal(e, "bytes", n, 5000)
			s.say("back")
			n = len(c.as("Recv after SD_SEND").recv(9))
			Equal(e, "bytes back", n, 4)
		})
		Equal(e, "FINs of a", e.Count("a", has(trace.FIN)), 1)
		var end uint32
		for _, l := range e.Segments("a") {
			if l.Segment.Flags&trace.FIN != 0 {
				end = l.Segment.Seq + uint32(l.Segment.Len)
			}
		}
		Equal(e, "SEQ of the FIN", end, 5001)
		e.Notef("5000 bytes, FIN at SEQ 5001; later send WSAESHUTDOWN, receiving goes on")
	}},
	{ID: "SH-2", Title: "a pending overlapped receive takes the next data", Source: "C-47", Run: func(e *Env) {
		e.connected(func(c, s handle) {
			o := c.recvAsync(make([]byte, 9))
			c.shutdown(wsa.SD_RECEIVE)
			c.as("RecvAsync after it").recvAsync(make([]byte, 1), wsa.WSAESHUTDOWN)
			s.send(5)
			Equal(e, "the pending one", e.outcome(o), "5 success")
			e.Net.Sleep(time.Second)
			Equal(e, "RST", e.Count("a", has(trace.RST)), 0)
			s.send(5)
			e.Net.Sleep(time.Second)
			Equal(e, "RST for data that nobody takes", e.Count("a", has(trace.RST)) > 0, byProfile(e, true, false))
		})
		e.Notef("5 bytes, no RST; %s for the next ones", byProfile(e, "a RST", "none"))
	}},
	{ID: "SH-2", Title: "SD_RECEIVE with an empty queue", Source: "API-shutdown, C-47", Profiles: documentedOnly,
		Why: "C-47: in Windows nothing is reset (WC-4)", Run: func(e *Env) {
			e.connected(func(c, s handle) {
				e.Net.Sleep(time.Second)
				before := len(e.Segments(""))
				c.shutdown(wsa.SD_RECEIVE)
				c.recv(1, wsa.WSAESHUTDOWN)
				e.Net.Sleep(time.Second)
				Equal(e, "segments after the call", len(e.Segments(""))-before, 0)
				s.say("too late")
				s.recv(1, wsa.WSAECONNRESET)
			})
			Equal(e, "RSTs of a", e.Count("a", has(trace.RST)), 1)
			e.Notef("nothing at the call; data that came later drew a RST")
		}},
	{ID: "SH-2", Title: "SD_RECEIVE with data queued", Source: "API-shutdown", Profiles: documentedOnly,
		Why: "C-47: in Windows nothing is reset (WC-4)", Run: func(e *Env) {
			e.connected(func(c, s handle) {
				s.say("unread")
				e.Net.Sleep(time.Second)
				at := e.Net.Now()
				c.shutdown(wsa.SD_RECEIVE)
				s.recv(1, wsa.WSAECONNRESET)
				for _, l := range e.Segments("a") {
					if l.Segment.Flags&trace.RST != 0 {
						Equal(e, "time of the RST", l.At, at)
					}
				}
				for range 2 {
					c.recv(1, wsa.WSAESHUTDOWN)
				}
			})
			Equal(e, "RSTs of a", e.Count("a", has(trace.RST)), 1)
			e.Notef("RST at the call")
		}},
	{ID: "SH-2", Title: "a receive that is pending", Source: "OBS, C-47", Profiles: documentedOnly,
		Why: "C-47: in Windows nothing is reset (WC-4)", Run: func(e *Env) {
			e.wired(func(w *simnet.Wire) {
				s, p := e.connectTo(w, 80)
				done := e.Go("recv", func() { Equal(e, "bytes", len(s.as("the pending Recv").recv(10)), 4) })
				e.Net.Sleep(time.Second)
				s.shutdown(wsa.SD_RECEIVE)
				s.recv(1, wsa.WSAESHUTDOWN)
				e.Net.Sleep(time.Second)
				p.Send("[P.]", []byte("next")...)
				p.Expect("[.] ack 5")
				done.Wait()
				e.Net.Sleep(time.Second)
				Equal(e, "RSTs", e.Count("a", has(trace.RST)), 0)
				p.Send("[P.]", []byte("later")...)
				p.Expect("[R.] ack 5") // what nobody gets is not acknowledged
				for range 2 {
					s.recv(1, wsa.WSAESHUTDOWN)
				}
				s.say("x", wsa.WSAECONNABORTED)
			})
			e.Notef("it takes the next data, without a RST; later data resets, and is not acknowledged")
		}},
	{ID: "SH-2", Title: "more than a pending receive takes", Source: "C-47", Profiles: documentedOnly,
		Why: "C-47: in Windows nothing is reset (WC-4)", Run: func(e *Env) {
			e.wired(func(w *simnet.Wire) {
				s, p := e.connectTo(w, 80)
				done := e.Go("recv", func() { Equal(e, "bytes", len(s.as("the pending Recv").recv(4)), 4) })
				e.Net.Sleep(time.Second)
				s.shutdown(wsa.SD_BOTH)
				p.Expect("[F.] seq 1")
				p.Send("[P.]", []byte("nextlater")...)
				p.Expect("[.] ack 10")
				done.Wait()
				p.Expect("[R.]")
			})
			e.Notef("the rest draws a RST")
		}},
	{ID: "SH-3", Title: "shutdown of datagram sockets", Source: "API-shutdown", Run: func(e *Env) {
		e.Pair()
		s := e.peerDatagram()
		s.bind(e.Any(53))
		s.as("Shutdown SD_RECEIVE").shutdown(wsa.SD_RECEIVE)
		c := e.datagram()
		c.sayTo(e.Addr(2, 53), "x")
		e.Net.Advance(time.Second)
		s.recv(9, wsa.WSAESHUTDOWN)
		Equal(e, "packets of b", len(e.Segments("b")), 0)
		c.as("Shutdown SD_SEND").shutdown(wsa.SD_SEND)
		c.sayTo(e.Addr(2, 53), "x", wsa.WSAESHUTDOWN)
		e.Notef("WSAESHUTDOWN both ways; no ICMP for the datagram")
	}},
	{ID: "SH-4", Title: "SD_BOTH is both", Source: "API-shutdown", Run: func(e *Env) {
		e.connected(func(c, _ handle) {
			c.shutdown(wsa.SD_BOTH)
			c.say("x", wsa.WSAESHUTDOWN)
			c.recv(1, wsa.WSAESHUTDOWN)
		})
		Equal(e, "FINs of a", e.Count("a", has(trace.FIN)), 1)
		e.Notef("one FIN, WSAESHUTDOWN both ways")
	}},
	{ID: "SH-5", Title: "repeating succeeds", Source: "API-shutdown", Run: func(e *Env) {
		e.connected(func(c, _ handle) {
			for _, how := range []int32{wsa.SD_SEND, wsa.SD_SEND, wsa.SD_RECEIVE, wsa.SD_BOTH, wsa.SD_SEND} {
				c.as(fmt.Sprintf("Shutdown(%d)", how)).shutdown(how)
			}
			c.say("x", wsa.WSAESHUTDOWN)
		})
		Equal(e, "FINs of a", e.Count("a", has(trace.FIN)), 1)
		e.Notef("five calls, one FIN")
	}},
	{ID: "SH-5", Title: "shutdown in every state", Source: "API-shutdown", Run: func(e *Env) {
		e.wired(func(w *simnet.Wire) {
			for i, state := range tcpStates {
				s, _ := e.inState(w, uint16(80+i), state)
				for _, how := range []int32{wsa.SD_SEND, wsa.SD_RECEIVE, wsa.SD_BOTH} {
					s.as(fmt.Sprintf("Shutdown(%d) in %s", how, state.name)).shutdown(how)
				}
				s.as("Send in "+state.name).say("x", wsa.WSAESHUTDOWN)
				s.recv(1, wsa.WSAESHUTDOWN)
				s.linger(0)
				s.closesIn("in "+state.name, 0)
			}
		})
		e.Notef("0 from ESTABLISHED to TIME_WAIT")
	}},
	{ID: "SH-6", Title: "codes of shutdown", Source: "API-shutdown", Run: func(e *Env) {
		e.Pair()
		s := e.stream()
		s.as("bad how").shutdown(3, wsa.WSAEINVAL)
		s.as("bad how").shutdown(-1, wsa.WSAEINVAL)
		s.as("unconnected").shutdown(wsa.SD_SEND, wsa.WSAENOTCONN)
		e.listener(e.P, 70).as("listening").shutdown(wsa.SD_BOTH, wsa.WSAENOTCONN)
		e.datagram().as("datagram").shutdown(wsa.SD_BOTH)
		e.noSocket().shutdown(wsa.SD_SEND, wsa.WSAENOTSOCK)
		e.Do(func() {
			c, srv := e.connection()
			srv.reset()
			c.as("reset").shutdown(wsa.SD_SEND, wsa.WSAECONNRESET)
		})
		e.Notef("WSAEINVAL, WSAENOTCONN, WSAENOTSOCK, WSAECONNRESET")
	}},
	{ID: "SH-7", Title: "the handle stays", Source: "OBS", Run: func(e *Env) {
		e.connected(func(c, _ handle) {
			c.shutdown(wsa.SD_BOTH)
			Equal(e, "peer", c.peerName(), e.Addr(2, 80))
			c.connect(e.Addr(2, 80), wsa.WSAEISCONN)
			c.close()
		})
		e.Notef("getpeername works, connect is WSAEISCONN")
	}},
	{ID: "SH-8", Title: "the peer of SD_SEND", Source: "API-shutdown", Run: func(e *Env) {
		e.connected(func(c, s handle) {
			c.say("data")
			c.shutdown(wsa.SD_SEND)
			n := len(s.recv(9))
			Equal(e, "bytes", n, 4)
			for range 2 {
				n = len(s.as("Recv at the end").recv(9))
				Equal(e, "bytes at the end", n, 0)
			}
		})
		e.Notef("4 bytes, then 0, and 0 again")
	}},
	{ID: "SH-8", Title: "the peer's SD_SEND is FD_CLOSE", Source: "API-shutdown", Run: func(e *Env) {
		e.connected(func(c, s handle) {
			w := c.watch(wsa.FD_ALL_EVENTS)
			w.want("connected", "WRITE, CONNECT")
			s.shutdown(wsa.SD_SEND)
			w.want("FIN", "CLOSE")
		})
		e.Notef("FD_CLOSE with 0")
	}},
	{ID: "SH-9", Title: "the graceful pattern", Source: "API-shutdown", Run: func(e *Env) {
		e.connected(func(c, s handle) {
			c.send(3000)
			c.shutdown(wsa.SD_SEND)
			server := e.Go("server", func() {
				for {
					n := len(s.recv(1000))
					if n == 0 {
						break
					}
				}
				s.say("bye")
				s.close()
			})
			for {
				n := len(c.recv(1000))
				if n == 0 {
					break
				}
			}
			c.close()
			server.Wait()
		})
		e.Net.Advance(5 * time.Second)
		Equal(e, "RSTs", e.Count("", has(trace.RST)), 0)
		Equal(e, "FINs", e.Count("", has(trace.FIN)), 2)
		e.Notef("a FIN from each side, no RST")
	}},
}
