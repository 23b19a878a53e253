package conform

import (
	"time"

	"github.com/wsstack/wsstack/internal/trace"
	"github.com/wsstack/wsstack/provider"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

// lingerOf reads SO_LINGER, l_onoff and l_linger, of a socket of A.
func (h handle) lingerOf() [2]uint32 {
	v := h.get(wsa.SOL_SOCKET, wsa.SO_LINGER)
	return [2]uint32{v & 0xffff, v >> 16}
}

// setLinger sets it.
func (h handle) setLinger(on, seconds uint32) {
	h.set(wsa.SOL_SOCKET, wsa.SO_LINGER, on|seconds<<16)
}

// dontLinger sets SO_DONTLINGER.
func (h handle) dontLinger(v uint32) {
	h.set(wsa.SOL_SOCKET, wsa.SO_DONTLINGER, v)
}

// lingerOptionsScenarios are LG-19 to LG-29: calls in progress, SO_LINGER and SO_DONTLINGER.
var lingerOptionsScenarios = []Scenario{
	{ID: "LG-19", Title: "calls in progress when the socket is closed", Source: "API-close", Run: func(e *Env) {
		e.wired(func(w *simnet.Wire) {
			reading, _ := e.connectTo(w, 80)
			writing, _ := e.stuckAt(w, 81)
			writing.fill()
			listening := e.stream()
			listening.bind(e.Any(82))
			listening.listen(1)
			watched, _ := e.connectTo(w, 83)
			ev := provider.NewEvent()
			watched.eventSelect(ev, wsa.FD_READ|wsa.FD_CLOSE)
			selected, _ := e.connectTo(w, 84)
			tasks := []*simnet.Task{
				e.Go("recv", func() { reading.recv(1, wsa.WSAEINTR) }),
				e.Go("waitall", func() { reading.as("Recv MSG_WAITALL").recvFlags(5, wsa.MSG_WAITALL, wsa.WSAEINTR) }),
				e.Go("send", func() { writing.send(64<<20, wsa.WSAEINTR) }),
				e.Go("accept", func() { listening.accept(wsa.WSAEINTR) }),
				e.Go("select", func() { selected.ready("r", -1, byProfile(e, wsa.WSAENOTSOCK, 0)) /* C-145 */ }),
			}
			e.Net.Sleep(time.Second)
			for _, s := range []handle{reading, writing, listening, watched, selected} {
				s.linger(0)
				s.closesIn("under a call", 0)
				s.as("CloseSocket again").close(wsa.WSAENOTSOCK)
			}
			for _, task := range tasks {
				task.Wait()
			}
			e.Net.Sleep(time.Second)
			select {
			case <-ev.C():
				e.Fatalf("an event was posted for the closing socket")
			default:
			}
			watched.enumEvents(nil, wsa.WSAENOTSOCK)
		})
		e.Notef("WSAEINTR for recv, send and accept, WSAENOTSOCK for select; no event")
	}},
	{ID: "LG-19", Title: "DisconnectEx in progress", Source: "API-closesocket", Run: func(e *Env) {
		e.wired(func(w *simnet.Wire) {
			for i, flags := range []uint32{0, wsa.TF_REUSE_SOCKET} {
				s, p := e.connectTo(w, uint16(80+i))
				o := s.disconnected(flags)
				p.Expect("[F.] seq 1")
				s.close()
				Equal(e, "outcome", e.outcome(o), "0 WSA_OPERATION_ABORTED")
				p.Send("[F.] ack 2")
				p.Expect("[.] seq 2 ack 2")
				p.ExpectSilence(time.Minute)
			}
		})
		e.Notef("995, and the connection ends gracefully")
	}},
	{ID: "LG-19", Title: "TransmitFile in progress", Source: "API-closesocket", Profiles: documentedOnly,
		Why: "C-07: Windows accepts a whole file while less than SO_SNDBUF is queued (BF-8, WC-1)", Run: func(e *Env) {
			w := e.Wire()
			e.Do(func() {
				for i, flags := range []uint32{0, reuseFlags} {
					s, p := e.stuckAt(w, uint16(80+i))
					s.sndbuf(2500)
					o := s.transmitFileAsync(alphabet(5000), nil, 0)
					blocked := e.Go("TransmitFile", func() { s.transmitFile(alphabet(5000), nil, flags, wsa.WSAEINTR) })
					e.settles()
					s.close()
					Equal(e, "outcome", e.outcome(o), "0 WSA_OPERATION_ABORTED")
					blocked.Wait()
					p.Send("[.] ack 3001 win 65535")
					Equal(e, "what was accepted", e.drained(p, 500), letters(500))
					e.Net.Sleep(time.Second)
					Equal(e, "FINs", e.Count("a", has(trace.FIN)), i+1)
				}
			})
			e.Notef("995, WSAEINTR; what was accepted is sent, then the FIN")
		}},
	{ID: "LG-19", Title: "closesocket aborts overlapped operations", Source: "API-closesocket", Run: func(e *Env) {
		e.connected(func(c, _ handle) {
			c.nonblocking(true)
			c.filled()
			recv, send := c.recvAsync(make([]byte, 1)), c.sendAsync(make([]byte, 1<<20))
			l, fresh := e.listener(e.P, 81), e.stream()
			accept := l.acceptEx(fresh, nil)
			e.pending("recv", recv)
			e.pending("send", send)
			e.pending("accept", accept)
			c.linger(0)
			c.close()
			l.as("CloseSocket of the listener").close()
			for what, o := range map[string]*provider.Overlapped{"recv": recv, "send": send, "accept": accept} {
				Equal(e, what, e.outcome(o), "0 WSA_OPERATION_ABORTED")
				Equal(e, what+", native", o.Status(), 995)
			}
			again := e.listener(e.P, 82)
			accept = again.as("AcceptEx with the same socket").acceptEx(fresh, nil)
			fresh.as("CloseSocket of the accept socket").close()
			Equal(e, "accept", e.outcome(accept), "0 WSA_OPERATION_ABORTED")
			e.peerStream().connect(e.Addr(1, 82))
			// the aborted operation takes no connection
			again.accept()
		})
		e.Notef("995 for recv, send and AcceptEx")
	}},
	{ID: "LG-19", Title: "closesocket cancels the event selection", Source: "API-closesocket", Run: func(e *Env) {
		e.connected(func(c, s handle) {
			w := c.watch(wsa.FD_ALL_EVENTS)
			w.want("connected", "WRITE, CONNECT")
			c.close()
			s.close()
			e.Net.Sleep(time.Minute)
			e.Check(!isSet(w.ev), "an event of a closed socket was signalled")
		})
		e.Notef("no event, neither FD_CLOSE nor another")
	}},
	{ID: "LG-20", Title: "SO_LINGER keeps the time-out", Source: "S-SET", Once: true, Run: func(e *Env) {
		e.Pair()
		s := e.stream()
		s.setLinger(1, 7)
		Equal(e, "{1,7}", s.lingerOf(), [2]uint32{1, 7})
		s.setLinger(0, 99)
		Equal(e, "while off", s.lingerOf(), [2]uint32{0, 0})
		s.dontLinger(0)
		Equal(e, "on again", s.lingerOf(), [2]uint32{1, 7})
		s.setLinger(1, 0)
		s.setLinger(0, 5)
		s.dontLinger(0)
		Equal(e, "on again after {1,0}", s.lingerOf(), [2]uint32{1, 0})
		e.Notef("{0,99} reads {0,0} and keeps 7")
	}},
	{ID: "LG-21", Title: "SO_DONTLINGER reinstates it", Source: "S-SET", Once: true, Run: func(e *Env) {
		e.Pair()
		for _, seconds := range []uint32{7, 0} {
			s := e.stream()
			s.setLinger(1, seconds)
			s.dontLinger(1)
			Equal(e, "off", s.lingerOf(), [2]uint32{0, 0})
			s.dontLinger(0)
			Equal(e, "on", s.lingerOf(), [2]uint32{1, seconds})
		}
		e.Notef("{1,7} and {1,0} come back")
	}},
	{ID: "LG-22", Title: "no time-out was ever established", Source: "S-SET", Run: func(e *Env) {
		e.playedAs("mss 1000", func(s handle) { s.dontLinger(0) }, func(s handle, _ *simnet.Peer) {
			Equal(e, "SO_LINGER", s.lingerOf(), [2]uint32{1, 60})
			s.send(1)
			start := e.Start()
			s.close()
			e.took("time of the close", start, time.Minute)
		})
		e.Notef("60 s, and the close of an unanswered connection takes as long")
	}},
	{ID: "LG-23", Title: "the two are complements", Source: "S-GET", Once: true, Run: func(e *Env) {
		e.Pair()
		s := e.stream()
		for _, set := range []func(){
			func() {}, func() { s.setLinger(1, 3) }, func() { s.setLinger(0, 3) }, func() { s.dontLinger(0) },
			func() { s.dontLinger(1) }, func() { s.setLinger(9, 0) },
		} {
			set()
			on := s.lingerOf()[0] != 0
			s.reads(wsa.SOL_SOCKET, wsa.SO_DONTLINGER, map[bool]uint32{false: 1}[on])
		}
		Equal(e, "l_onoff after 9", s.lingerOf()[0], byProfile[uint32](e, 1, 9)) // C-87
		e.Notef("after each of six settings")
	}},
	{ID: "LG-24", Title: "the range of l_linger", Source: "W-SOL", Once: true, Run: func(e *Env) {
		e.Pair()
		s := e.stream()
		for _, n := range []uint32{0, 1, 2, 32767, 32768, 65535} {
			s.setLinger(1, n)
			Equal(e, "l_linger", s.lingerOf(), [2]uint32{1, n})
		}
		e.Notef("0 to 65535, exactly")
	}},
	{ID: "LG-25", Title: "datagram and raw sockets have neither", Source: "OBS", Run: func(e *Env) {
		e.Pair()
		raw := e.open(e.P, e.Family, wsa.SOCK_RAW, 200)
		for _, s := range []handle{e.datagram(), raw} {
			for _, opt := range []int32{wsa.SO_LINGER, wsa.SO_DONTLINGER} {
				s.get(wsa.SOL_SOCKET, opt, wsa.WSAENOPROTOOPT)
				s.set(wsa.SOL_SOCKET, opt, 1, wsa.WSAENOPROTOOPT)
			}
		}
		e.Notef("WSAENOPROTOOPT, get and set")
	}},
	{ID: "LG-26", Title: "inherited by accept", Source: "API-accept", Run: func(e *Env) {
		e.wired(func(w *simnet.Wire) {
			l := e.stream()
			l.linger(3)
			l.bind(e.Any(80))
			l.listen(1)
			p := e.client(w)
			e.handshake(p)
			s := l.accept()
			s.reads(wsa.SOL_SOCKET, wsa.SO_LINGER, 1|3<<16)
			s.set(wsa.SOL_SOCKET, wsa.SO_DONTLINGER, 1)
			s.set(wsa.SOL_SOCKET, wsa.SO_DONTLINGER, 0) // the established time-out as well
			at := e.Net.Now()
			s.closesIn("of the accepted socket", 3*time.Second)
			Equal(e, "RST", e.times("a", at, has(trace.RST)), "3.000")
		})
		e.Notef("{1,3} on the accepted socket: it waits 3 s for the FIN's acknowledgement")
	}},
	{ID: "LG-27", Title: "shutdown never waits", Source: "API-shutdown", Run: func(e *Env) {
		e.stuck(func(s handle, _ *simnet.Peer) {
			s.linger(60)
			start := e.Start()
			s.shutdown(wsa.SD_SEND)
			Equal(e, "time", e.Net.Now(), start)
			s.linger(0)
			s.close()
		})
		e.Notef("0 at once with SO_LINGER {1,60} and data pending")
	}},
	{ID: "LG-28", Title: "the interval starts at closesocket", Source: "API-close", Run: func(e *Env) {
		e.wired(func(w *simnet.Wire) {
			s, _ := e.stuckAt(w, 80)
			s.linger(2)
			e.Net.Sleep(time.Minute)
			s.shutdown(wsa.SD_SEND)
			e.Net.Sleep(1500 * time.Millisecond)
			at := e.Net.Now()
			s.closesIn("a minute later", 2*time.Second)
			Equal(e, "RST", e.times("a", at, has(trace.RST)), "2.000")
		})
		e.Notef("2.000 s from the call, not from the set or the shutdown")
	}},
	{ID: "LG-29", Title: "SO_LINGER on a non-blocking socket", Source: "W-SOL", Run: func(e *Env) {
		e.wired(func(w *simnet.Wire) {
			s, _ := e.stuckAt(w, 80)
			s.nonblocking(true)
			s.linger(7)
			s.reads(wsa.SOL_SOCKET, wsa.SO_LINGER, 1|7<<16)
			s.as("CloseSocket with data pending").close(wsa.WSAEWOULDBLOCK)
			idle, p := e.connectTo(w, 81)
			idle.nonblocking(true)
			idle.linger(7)
			idle.closesIn("with none", 0)
			p.Expect("[F.] seq 1 ack 1")
		})
		e.Notef("set and read back; WSAEWOULDBLOCK with data pending, FIN with none")
	}},
}
