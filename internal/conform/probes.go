package conform

import (
	"fmt"
	"time"

	"github.com/wsstack/wsstack/internal/trace"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wsa"
)

func init() { kaScenarios = append(kaScenarios, probeScenarios...) }

func anySegment(l simnet.Line) bool { return l.Kind == trace.TCP }

// octetAt is a probe with one octet below SND.NXT (KA-8).
func octetAt(nxt uint32) func(simnet.Line) bool {
	return func(l simnet.Line) bool {
		return l.Kind == trace.TCP && l.Segment.Flags&trace.ACK != 0 && l.Segment.Len == 1 && l.Segment.Seq == nxt-1
	}
}

var probeScenarios = []Scenario{
	{ID: "KA-5", Title: "the defaults of each profile", Source: "W-KA, C-49", Profiles: []options.Profile{options.Windows, options.Legacy}, Run: func(e *Env) {
		count := map[options.Profile]int{options.Windows: 10, options.Legacy: 5}[e.Profile]
		link := e.Pair()
		e.Do(func() {
			c, _ := e.Connected()
			e.Net.Sleep(time.Second)
			link.Partition()
			e.Set(e.P, c, wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, 1)
			start := e.Start()
			_, err := e.P.Recv(c, make([]byte, 1), 0)
			e.Code("Recv", err, wsa.WSAENETRESET)
			Equal(e, "drop", (e.Net.Now() - start).Round(time.Millisecond), 7200*time.Second+time.Duration(count)*time.Second)
			Equal(e, "probes", e.Count("a", probeAt(1)), count)
		})
		e.Notef("%d probes, dropped at %d s", count, 7200+count)
	}},
	{ID: "KA-5", Title: "the defaults of the stack", Source: "W-KA", Run: func(e *Env) {
		e.Config = func(c *stack.Config) {
			c.KeepAlive = stack.KeepAlive{Idle: 30 * time.Second, Interval: 1500 * time.Millisecond, Count: 3}
		}
		link := e.Pair()
		e.Do(func() {
			c, _ := e.Connected()
			own, _ := e.Connected()
			e.Set(e.P, own, wsa.IPPROTO_TCP, wsa.TCP_KEEPIDLE, 20)
			Equal(e, "TCP_KEEPIDLE", e.Get(e.P, c, wsa.IPPROTO_TCP, wsa.TCP_KEEPIDLE), 30)
			Equal(e, "TCP_KEEPINTVL", e.Get(e.P, c, wsa.IPPROTO_TCP, wsa.TCP_KEEPINTVL), 2)
			Equal(e, "TCP_KEEPCNT", e.Get(e.P, c, wsa.IPPROTO_TCP, wsa.TCP_KEEPCNT), 3)
			err := e.A.SetKeepAlive(stack.KeepAlive{Idle: 5 * time.Second})
			e.Check(err == nil, "SetKeepAlive: %v", err)
			e.Net.Sleep(time.Second)
			later, _ := e.Connected()
			e.Net.Sleep(time.Second)
			link.Partition()
			start := e.Start()
			for s, want := range map[wsa.SOCKET]string{
				c:     "30.000 31.500 33.000",
				own:   "20.000 21.500 23.000",
				later: "5.000 6.000 7.000 8.000 9.000 10.000 11.000 12.000 13.000 14.000",
			} {
				local, err := e.P.GetSockName(s)
				e.Code("GetSockName", err, 0)
				e.Set(e.P, s, wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, 1)
				defer func() {
					Equal(e, "probes", e.times("a", start, func(l simnet.Line) bool { return l.Source == local && probeAt(1)(l) }), want)
				}()
			}
			e.Net.Sleep(time.Minute)
		})
		e.Notef("a socket that sets nothing has those of its stack when it was made; SetKeepAlive is for later ones")
	}},
	{ID: "KA-6", Title: "data that can't be sent", Source: "RFC 1122 4.2.3.6, 4.2.2.17", Run: func(e *Env) {
		e.stuck(func(s wsa.SOCKET, p *simnet.Peer) {
			e.keepAlive(s, time.Second, 200*time.Millisecond, 3)
			start := e.Start()
			for e.Net.Now() < start+10*time.Minute {
				if _, err := p.Receive(10 * time.Minute); err == nil {
					p.Send("[.] ack 1001 win 0")
				}
			}
			// The window's probes look like those of keep-alive, but back off.
			probes := e.times("a", start, probeAt(1001))
			Equal(e, "probes", probes, "0.199 0.599 1.399 2.999 6.199 12.599 25.399 50.999 102.199 "+
				"162.199 222.199 282.199 342.199 402.199 462.199 522.199 582.199 642.199")
			Equal(e, "segments", e.times("a", start, func(simnet.Line) bool { return true }), probes)
			Equal(e, "SO_ERROR", e.Get(e.P, s, wsa.SOL_SOCKET, wsa.SO_ERROR), 0)
		})
		e.Notef("window probes only, for ten minutes; never dropped")
	}},
	{ID: "KA-6", Title: "idle restarts at the last ACK", Source: "RFC 1122 4.2.3.6", Run: func(e *Env) {
		e.played(func(s wsa.SOCKET, p *simnet.Peer) {
			e.keepAlive(s, 10*time.Second, time.Second, 3)
			e.Net.Sleep(9 * time.Second)
			e.send(s, 100)
			start := e.Start()
			e.Net.Sleep(30 * time.Second) // retransmissions
			Equal(e, "probes with data in flight", e.times("a", start, probeAt(101)), "")
			ack := e.Net.Now()
			p.Send("[.] ack 101")
			e.Net.Sleep(12500 * time.Millisecond)
			Equal(e, "probes after the ACK", e.times("a", ack, probeAt(101)), "10.000 11.000 12.000")
		})
		e.Notef("no probe for 30 s of retransmissions, the first one 10.000 s after the ACK")
	}},
	{ID: "KA-7", Title: "window and numbers after data", Source: "RFC 1122 4.2.3.6", Run: func(e *Env) {
		e.played(func(s wsa.SOCKET, p *simnet.Peer) {
			e.send(s, 100)
			p.Expect("[P.] seq 1:101")
			p.Send("[P.] seq 1:501 ack 101")
			ack, err := p.Receive(time.Second)
			e.Check(err == nil, "no ACK: %v", err)
			e.keepAlive(s, 10*time.Second, time.Second, 3)
			got, err := p.Receive(time.Minute)
			e.Check(err == nil, "no probe: %v", err)
			Equal(e, "flags, seq, ack, len", fmt.Sprint(got.Flags, got.Seq, got.Ack, got.Len), ". 100 501 0")
			Equal(e, "window", got.Window, ack.Window)
			Equal(e, "options", got.Options.Timestamps, false)
			p.Send("[.] ack 101")
		})
		e.Notef("SEQ = SND.NXT − 1, ACK = RCV.NXT, the window of the last ACK, no timestamps where there are none")
	}},
	{ID: "KA-8", Title: "one octet of garbage", Source: "RFC 1122 4.2.3.6, C-49b", Run: func(e *Env) {
		e.Config = func(c *stack.Config) { c.KeepAlive.GarbageOctet = true }
		e.played(func(s wsa.SOCKET, p *simnet.Peer) {
			e.keepAlive(s, 10*time.Second, time.Second, 3)
			start := e.Start()
			for range 2 {
				got, err := p.Receive(time.Minute)
				e.Check(err == nil, "no probe: %v", err)
				Equal(e, "flags, seq, ack, payload", fmt.Sprint(got.Flags&^trace.PSH, got.Seq, got.Ack, got.Payload), ". 0 1 [0]")
			}
			p.Send("[.]") // answered: alive
			answer := e.Net.Now()
			e.send(s, 5)
			got, err := p.Receive(time.Second)
			e.Check(err == nil && got.Seq == 1 && got.Len == 5, "data after probes: %v, %v", got, err)
			p.Send("[.] ack 6")
			_, err = e.P.Recv(s, make([]byte, 1), 0)
			e.Code("Recv", err, wsa.WSAENETRESET)
			Equal(e, "probes", e.times("a", start, octetAt(1)), "10.000 11.000")
			Equal(e, "probes after the answer", e.times("a", answer, octetAt(6)), "10.000 11.000 12.000")
			Equal(e, "empty probes", e.Count("a", probeAt(1))+e.Count("a", probeAt(6)), 0)
		})
		e.Notef("0x00 at SND.NXT − 1, which stays as it was; answered as an empty one is")
	}},
	{ID: "KA-8", Title: "between two stacks", Source: "RFC 1122 4.2.3.6", Run: func(e *Env) {
		e.Config = func(c *stack.Config) { c.KeepAlive.GarbageOctet = true }
		e.Pair()
		e.Do(func() {
			c, s := e.Connected()
			e.keepAlive(c, 10*time.Second, time.Second, 3)
			start := e.Start()
			e.Net.Sleep(time.Minute)
			Equal(e, "probes", e.times("a", start, octetAt(1)), "10.000 20.020 30.040 40.060 50.080")
			Equal(e, "answers", e.times("b", start, anySegment), "10.010 20.030 30.050 40.070 50.090")
			e.Nonblocking(e.Q, s, true)
			_, err := e.Q.Recv(s, make([]byte, 1), 0)
			e.Code("the peer's Recv", err, wsa.WSAEWOULDBLOCK)
			_, err = e.P.Send(c, []byte("abc"), 0)
			e.Code("Send", err, 0)
			e.Net.Sleep(time.Second)
			buf := make([]byte, 9)
			n, err := e.Q.Recv(s, buf, 0)
			e.Code("the peer's Recv", err, 0)
			Equal(e, "data", string(buf[:n]), "abc")
		})
		e.Notef("each is answered after one round trip, nothing is delivered, data isn't disturbed")
	}},
	{ID: "KA-9", Title: "a damaged segment is no answer", Source: "RFC 9293 3.10.7.4", Run: func(e *Env) {
		e.played(func(s wsa.SOCKET, p *simnet.Peer) {
			e.keepAlive(s, 10*time.Second, time.Second, 3)
			start := e.Start()
			e.damage(true)
			e.Go("flood", func() {
				for range 120 {
					p.Send("[.]")
					p.Send("[P.] seq 1:11 ack 1")
					p.Send("[R.]")
					e.Net.Sleep(100 * time.Millisecond)
				}
			})
			_, err := e.P.Recv(s, make([]byte, 1), 0)
			e.Code("Recv", err, wsa.WSAENETRESET)
			Equal(e, "drop", (e.Net.Now() - start).Round(time.Millisecond), 13*time.Second)
		})
		e.Notef("bad checksums neither keep it alive nor reset it: dropped at 13.000 s")
	}},
	{ID: "KA-9", Title: "a flood doesn't kill a live connection", Source: "RFC 9293 3.10.7.4, RFC 5961", Run: func(e *Env) {
		e.played(func(s wsa.SOCKET, p *simnet.Peer) {
			e.keepAlive(s, 10*time.Second, time.Second, 3)
			end := e.Net.Now() + 2*time.Minute
			flood := e.Go("flood", func() {
				for e.Net.Now() < end {
					e.damage(true)
					p.Send("[R.] seq 1")
					p.Send("[.] seq 1 ack 1")
					e.damage(false)
					for _, segment := range []string{
						"[R] seq 1000", "[R.] seq 20000", "[R] seq 4000000000", // in the window, but not exact; outside
						"[S] seq 1", "[S.] seq 7 ack 1", "[.] seq 4000000000 ack 1", "[P.] seq 2000000000:2000000010 ack 1",
						"[.] seq 1 ack 2000000000",
					} {
						p.Send(segment)
					}
					e.Net.Sleep(250 * time.Millisecond)
				}
			})
			for e.Net.Now() < end {
				a, err := p.Receive(11 * time.Second)
				e.Check(err == nil, "no segment: %v", err)
				if a.Flags == trace.ACK && a.Seq == 0 { // a probe; the peer is alive
					p.Send("[.] seq 1 ack 1")
				}
			}
			flood.Wait()
			e.Check(e.Count("a", probeAt(1)) >= 8, "only %d probes: something else kept it alive", e.Count("a", probeAt(1)))
			p.Send("[P.] seq 1:6 ack 1", []byte("hello")...)
			buf := make([]byte, 9)
			n, err := e.P.Recv(s, buf, 0)
			e.Code("Recv", err, 0)
			Equal(e, "data", string(buf[:n]), "hello")
			Equal(e, "RSTs", e.Count("a", has(trace.RST)), 0)
		})
		e.Notef("damaged, forged and foreign segments for two minutes, RST and SYN among them: alive")
	}},
	{ID: "KA-12", Title: "each state", Source: "RFC 1122 4.2.3.6", Run: func(e *Env) {
		w := e.Wire()
		e.Do(func() {
			state := func(port uint16, script func(s wsa.SOCKET, p *simnet.Peer) (nxt uint32), want string) {
				p, s := w.Listen(port), e.Stream()
				done := e.Go("connect", func() { e.Code("Connect", e.P.Connect(s, e.Addr(9, port)), 0) })
				p.Accept("mss 1000")
				done.Wait()
				e.keepAlive(s, 10*time.Second, time.Second, 3)
				nxt := script(s, p)
				e.Net.Sleep(time.Microsecond)
				start := e.Start()
				e.Net.Sleep(15 * time.Second)
				local := p.Remote()
				Equal(e, fmt.Sprint("probes, port ", port),
					e.times("a", start, func(l simnet.Line) bool { return l.Source == local && probeAt(nxt)(l) }), want)
			}
			three := "10.000 11.000 12.000"
			state(81, func(wsa.SOCKET, *simnet.Peer) uint32 { return 1 }, three) // ESTABLISHED
			state(82, func(_ wsa.SOCKET, p *simnet.Peer) uint32 {                // CLOSE-WAIT
				p.Send("[F.]")
				return 1
			}, three)
			state(83, func(s wsa.SOCKET, p *simnet.Peer) uint32 { // FIN-WAIT-2, the handle open
				e.Code("Shutdown", e.P.Shutdown(s, wsa.SD_SEND), 0)
				p.Expect("[F.]")
				p.Send("[.] ack 2")
				return 2
			}, three)
			state(84, func(s wsa.SOCKET, p *simnet.Peer) uint32 { // FIN-WAIT-1: the FIN is retransmitted
				e.Code("Shutdown", e.P.Shutdown(s, wsa.SD_SEND), 0)
				return 2
			}, "")
			state(85, func(s wsa.SOCKET, p *simnet.Peer) uint32 { // FIN-WAIT-2, closed
				e.Code("CloseSocket", e.P.CloseSocket(s), 0)
				p.Expect("[F.]")
				p.Send("[.] ack 2")
				return 2
			}, "")
			state(86, func(s wsa.SOCKET, p *simnet.Peer) uint32 { // TIME-WAIT, the handle open
				e.Code("Shutdown", e.P.Shutdown(s, wsa.SD_SEND), 0)
				p.Expect("[F.]")
				p.Send("[F.] ack 2")
				p.Expect("[.] seq 2 ack 2")
				return 2
			}, "")
			state(87, func(s wsa.SOCKET, p *simnet.Peer) uint32 { // CLOSED
				p.Send("[R.]")
				return 1
			}, "")
		})
		e.Notef("probes in ESTABLISHED, CLOSE-WAIT and FIN-WAIT-2; none in FIN-WAIT-1, after closesocket, in TIME-WAIT and CLOSED")
	}},
	{ID: "KA-12", Title: "LISTEN, SYN-SENT and SYN-RECEIVED", Source: "RFC 1122 4.2.3.6", Run: func(e *Env) {
		w := e.Wire()
		e.Do(func() {
			l := e.Socket(e.P, wsa.SOCK_STREAM)
			e.keepAlive(l, time.Second, 200*time.Millisecond, 3)
			e.Code("Bind", e.P.Bind(l, e.Any(80)), 0)
			e.Code("Listen", e.P.Listen(l, 5), 0)
			p := w.Connect(e.Addr(1, 80).String())
			p.Send("[S] <mss 1000>")
			p.Expect("[S.] seq 0 ack 1")
			s := e.Stream()
			e.keepAlive(s, time.Second, 200*time.Millisecond, 3)
			e.Nonblocking(e.P, s, true)
			e.Code("Connect", e.P.Connect(s, e.Addr(9, 81)), wsa.WSAEWOULDBLOCK)
			e.Net.Sleep(15 * time.Second)
			Equal(e, "segments but SYNs", e.Count("a", func(l simnet.Line) bool { return l.Segment.Flags&trace.SYN == 0 }), 0)
		})
		e.Notef("only SYNs for 15 s, with an idle time of 1 s")
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
				link.Heal()
				s, _ := e.Connected()
				e.Net.Sleep(time.Second)
				link.Partition()
				e.keepAlive(s, 10*time.Second, time.Second, 4)
				e.Net.Sleep(12500 * time.Millisecond) // three of four probes are out
				start := e.Start()
				switch change.name {
				case 0:
					e.keepAliveVals(s, 3*time.Second, 500*time.Millisecond)
				case -1: // TRUE again, while it is TRUE
					e.Set(e.P, s, wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, 1)
				default:
					e.Set(e.P, s, wsa.IPPROTO_TCP, change.name, change.n)
				}
				Equal(e, "SO_ERROR after the change", e.Get(e.P, s, wsa.SOL_SOCKET, wsa.SO_ERROR), 0)
				e.Net.Sleep(time.Minute)
				Equal(e, fmt.Sprint("probes after ", wsa.OptionName(wsa.IPPROTO_TCP, change.name), " ", change.n),
					e.times("a", start, probeAt(1)), change.want)
				e.Code("CloseSocket", e.P.CloseSocket(s), 0)
			})
		}
		e.Notef("in the middle of probing: a full idle time with the new values, for seven changes")
	}},
	{ID: "KA-15", Title: "count 0 in the middle of probing", Source: "W-TCP, C-36", Run: func(e *Env) {
		e.silent(10*time.Second, time.Second, 3, func(s wsa.SOCKET, start time.Duration) {
			e.Net.Sleep(11500 * time.Millisecond)
			e.Set(e.P, s, wsa.IPPROTO_TCP, wsa.TCP_KEEPCNT, 0)
			e.Net.Sleep(time.Hour)
			Equal(e, "probes", e.times("a", start, probeAt(1)), "10.000 11.000")
			Equal(e, "SO_KEEPALIVE", e.Get(e.P, s, wsa.SOL_SOCKET, wsa.SO_KEEPALIVE), 1)
			again := e.Net.Now()
			e.Set(e.P, s, wsa.IPPROTO_TCP, wsa.TCP_KEEPCNT, 1)
			_, err := e.P.Recv(s, make([]byte, 1), 0)
			e.Code("Recv", err, wsa.WSAENETRESET)
			Equal(e, "drop", (e.Net.Now() - again).Round(time.Millisecond), 11*time.Second)
		})
		e.Notef("silent for an hour, and a full idle time when the count is 1 again")
	}},
	{ID: "KA-17", Title: "inherited, to the millisecond", Source: "W-KA", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			l := e.Socket(e.P, wsa.SOCK_STREAM)
			e.keepAlive(l, 10*time.Second, 1500*time.Millisecond, 2)
			e.Code("Bind", e.P.Bind(l, e.Any(80)), 0)
			e.Code("Listen", e.P.Listen(l, 5), 0)
			c := e.Socket(e.Q, wsa.SOCK_STREAM)
			e.Code("Connect", e.Q.Connect(c, e.Addr(1, 80)), 0)
			established := e.Net.Now() + Delay // the third ACK
			e.Net.Sleep(4 * time.Second)       // accept comes later: the idle time runs already
			s, _, err := e.P.Accept(l)
			e.Code("Accept", err, 0)
			e.Net.Sleep(16 * time.Second)
			Equal(e, "probes", e.times("a", established, probeAt(1)), "10.000")
			Equal(e, "TCP_KEEPCNT", e.Get(e.P, s, wsa.IPPROTO_TCP, wsa.TCP_KEEPCNT), 2)
		})
		e.Notef("the first probe 10.000 s after ESTABLISHED, though accept was called 4 s later")
	}},
	{ID: "KA-18", Title: "answered at once", Source: "RFC 1122 4.2.3.6", Run: func(e *Env) {
		e.played(func(s wsa.SOCKET, p *simnet.Peer) {
			e.keepAlive(s, time.Minute, time.Second, 3)
			set := []wsa.SOCKET{s}
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
				r, _, _, err := e.P.Select(set, nil, nil, 0)
				e.Code("Select", err, 0)
				Equal(e, fmt.Sprint("readable after probe ", i), len(r), 0)
				n := make([]byte, 4)
				_, err = e.P.Ioctl(s, wsa.FIONREAD, nil, n)
				e.Code("FIONREAD", err, 0)
				Equal(e, "FIONREAD", n[0], 0)
			}
			p.Send("[P.] seq 1:4 ack 1", []byte("abc")...)
			buf := make([]byte, 9)
			n, err := e.P.Recv(s, buf, 0)
			e.Code("Recv", err, 0)
			Equal(e, "data", string(buf[:n]), "abc")
		})
		e.Notef("one ACK in the same instant, for both forms; nothing is readable")
	}},
	{ID: "KA-37", Title: "drop, time-out, reset and ICMP", Source: "design", Run: func(e *Env) {
		ends := []struct {
			name string
			want wsa.Errno
			play func(s wsa.SOCKET, p *simnet.Peer, w *simnet.Wire)
		}{
			{"keep-alive", wsa.WSAENETRESET, func(wsa.SOCKET, *simnet.Peer, *simnet.Wire) {}},
			{"keep-alive, with ICMP errors for every probe", wsa.WSAENETRESET, func(_ wsa.SOCKET, p *simnet.Peer, w *simnet.Wire) {
				for range 3 {
					a, err := p.Receive(time.Minute)
					e.Check(err == nil, "no probe: %v", err)
					w.Inject(e.unreachable(a.Packet, 1))
				}
			}},
			{"keep-alive, with RSTs that miss", wsa.WSAENETRESET, func(_ wsa.SOCKET, p *simnet.Peer, _ *simnet.Wire) {
				p.Send("[R] seq 2")
				p.Send("[R.] seq 1000")
			}},
			{"retransmission", wsa.WSAECONNABORTED, func(s wsa.SOCKET, _ *simnet.Peer, _ *simnet.Wire) { e.send(s, 1) }},
			{"retransmission, with RSTs that miss", wsa.WSAECONNABORTED, func(s wsa.SOCKET, p *simnet.Peer, _ *simnet.Wire) {
				e.send(s, 1)
				p.Send("[R] seq 2")
			}},
			{"retransmission after a probe", wsa.WSAECONNABORTED, func(s wsa.SOCKET, _ *simnet.Peer, _ *simnet.Wire) {
				e.Net.Sleep(1100 * time.Millisecond)
				e.send(s, 1)
			}},
			{"retransmission, with an ICMP error", wsa.WSAECONNABORTED, func(s wsa.SOCKET, p *simnet.Peer, w *simnet.Wire) {
				e.send(s, 1)
				a, err := p.Receive(time.Minute)
				e.Check(err == nil, "no data: %v", err)
				w.Inject(e.unreachable(a.Packet, 1))
			}},
			{"RST", wsa.WSAECONNRESET, func(_ wsa.SOCKET, p *simnet.Peer, _ *simnet.Wire) { p.Send("[R]") }},
			{"RST to a probe", wsa.WSAECONNRESET, func(_ wsa.SOCKET, p *simnet.Peer, _ *simnet.Wire) {
				p.Receive(time.Minute)
				p.Send("[R] seq 1")
			}},
			{"RST behind data", wsa.WSAECONNRESET, func(_ wsa.SOCKET, p *simnet.Peer, _ *simnet.Wire) {
				p.Send("[P.] seq 1:101")
				p.Send("[P.] seq 101:201")
				p.Send("[R] seq 201")
			}},
			{"RST in CLOSE-WAIT", wsa.WSAECONNRESET, func(_ wsa.SOCKET, p *simnet.Peer, _ *simnet.Wire) {
				p.Send("[F.] seq 1")
				p.Send("[R] seq 2")
			}},
		}
		w := e.Wire()
		for i, end := range ends {
			e.Do(func() {
				port := uint16(80 + i)
				p, s := w.Listen(port), e.Stream()
				done := e.Go("connect", func() { e.Code("Connect", e.P.Connect(s, e.Addr(9, port)), 0) })
				p.Accept("mss 1000")
				done.Wait()
				e.keepAlive(s, time.Second, 200*time.Millisecond, 3)
				end.play(s, p, w)
				e.Net.Sleep(time.Hour)
				Equal(e, end.name, wsa.Errno(e.Get(e.P, s, wsa.SOL_SOCKET, wsa.SO_ERROR)), end.want)
				later := end.want
				if later == wsa.WSAENETRESET {
					later = wsa.WSAENOTCONN
				}
				_, err := e.P.Recv(s, make([]byte, 1), 0)
				e.Code(end.name+": Recv", err, later)
			})
		}
		e.Notef("%d ways to end, told apart", len(ends))
	}},
}

// damage makes every packet of the hand of Wire arrive with a bad checksum, or
// stops that.
func (e *Env) damage(on bool) {
	var filter func([]byte) []byte
	if on {
		filter = func(p []byte) []byte {
			if len(p) > 0 {
				p[len(p)-1] ^= 0x40 // of the data, or of the TCP header
			}
			return p
		}
	}
	e.wire.Set(simnet.From(e.wire, simnet.Filter(filter)))
}

func init() {
	kaScenarios = append(kaScenarios, Scenario{ID: "KA-9", Title: "the edges of the window", Source: "RFC 9293 3.10.7.4", Run: func(e *Env) {
		e.played(func(s wsa.SOCKET, p *simnet.Peer) {
			p.Send("[P.] seq 1:2 ack 1")
			e.keepAlive(s, 10*time.Second, time.Second, 3)
			const next = 2
			for _, c := range []struct {
				from     string
				offset   int64
				accepted bool
			}{{"RCV.NXT", -1, false}, {"edge", 0, false}, {"edge", 1, false}, {"edge", -1, true}, {"RCV.NXT", 0, true}} {
				p.Send("[.] seq 2 ack 1") // from here on
				e.Net.Sleep(9500 * time.Millisecond)
				sent := e.Segments("a")
				seq := next + c.offset
				if c.from == "edge" {
					seq += int64(sent[len(sent)-1].Window) // as last told
				}
				at := e.Net.Now()
				p.Send(fmt.Sprintf("[.] seq %d ack 1", seq))
				e.Net.Sleep(1200 * time.Millisecond)
				probed := e.times("a", at+400*time.Millisecond, probeAt(1)) != ""
				Equal(e, fmt.Sprintf("probed after a segment at %s %+d", c.from, c.offset), probed, !c.accepted)
			}
		})
		e.Notef("RCV.NXT − 1, the right edge and one above are no answers; RCV.NXT and one below the edge are")
	}})
}
