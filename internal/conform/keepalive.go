package conform

import (
	"fmt"
	"strings"
	"time"

	"github.com/wsstack/wsstack/internal/trace"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

// keepAlive turns keep-alive on with SIO_KEEPALIVE_VALS and TCP_KEEPCNT.
func (e *Env) keepAlive(s wsa.SOCKET, idle, interval time.Duration, count uint32) {
	e.Set(e.P, s, wsa.IPPROTO_TCP, wsa.TCP_KEEPCNT, count)
	e.keepAliveVals(s, idle, interval)
}

func (e *Env) keepAliveVals(s wsa.SOCKET, idle, interval time.Duration) {
	in := wsa.TCPKeepalive{OnOff: 1, KeepAliveTime: uint32(idle.Milliseconds()), KeepAliveInterval: uint32(interval.Milliseconds())}
	_, err := e.P.Ioctl(s, wsa.SIO_KEEPALIVE_VALS, in.Append(nil), nil)
	e.Code("SIO_KEEPALIVE_VALS", err, 0)
}

// probe is a bare ACK one below SND.NXT.
func probeAt(nxt uint32) func(simnet.Line) bool {
	return func(l simnet.Line) bool {
		return l.Kind == trace.TCP && l.Segment.Flags == trace.ACK && l.Segment.Len == 0 && l.Segment.Seq == nxt-1
	}
}

// times lists when a node sent the segments that match, relative to a time.
func (e *Env) times(from string, since time.Duration, match func(simnet.Line) bool) string {
	e.mark(since)
	var out []string
	for _, l := range e.Segments(from) {
		if match(l) && l.At >= since {
			out = append(out, fmt.Sprintf("%.3f", (l.At-since).Seconds()))
		}
	}
	return strings.Join(out, " ")
}

// silent connects A and B, turns keep-alive on at A, and cuts the link; fn gets
// the time of that, which is when the idle period began.
func (e *Env) silent(idle, interval time.Duration, count uint32, fn func(s wsa.SOCKET, start time.Duration)) {
	link := e.Pair()
	e.Do(func() {
		c, _ := e.Connected()
		e.Net.Sleep(time.Second)
		link.Partition()
		e.keepAlive(c, idle, interval, count)
		fn(c, e.Start())
	})
}

func init() { kaScenarios = append(kaScenarios, proberScenarios...) }

var proberScenarios = []Scenario{
	{ID: "KA-3", Title: "first probe after the idle time", Source: "RFC 1122 4.2.3.6", Run: func(e *Env) {
		e.silent(10*time.Second, time.Second, 3, func(_ wsa.SOCKET, start time.Duration) {
			e.Net.Sleep(9999 * time.Millisecond)
			Equal(e, "probes at 9.999 s", e.times("a", start, probeAt(1)), "")
			e.Net.Sleep(2 * time.Millisecond)
			Equal(e, "probes at 10.001 s", e.times("a", start, probeAt(1)), "10.000")
		})
		e.Notef("nothing at 9.999 s, a probe at 10.000 s")
	}},
	{ID: "KA-4", Title: "probes every interval", Source: "W-KA", Run: func(e *Env) {
		e.silent(10*time.Second, 1500*time.Millisecond, 4, func(_ wsa.SOCKET, start time.Duration) {
			e.Net.Sleep(time.Minute)
			Equal(e, "probes", e.times("a", start, probeAt(1)), "10.000 11.500 13.000 14.500")
		})
		e.Notef("10.000, 11.500, 13.000, 14.500 s")
	}},
	{ID: "KA-5", Title: "the defaults drop after 7210 s", Source: "W-KA", Run: func(e *Env) {
		link := e.Pair()
		e.Do(func() {
			c, _ := e.Connected()
			e.Net.Sleep(time.Second)
			link.Partition()
			e.Set(e.P, c, wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, 1)
			start := e.Start()
			_, err := e.P.Recv(c, make([]byte, 1), 0)
			e.Code("Recv", err, wsa.WSAENETRESET)
			Equal(e, "drop", (e.Net.Now() - start).Round(time.Millisecond), 7210*time.Second)
			var want []string
			for i := range 10 {
				want = append(want, fmt.Sprintf("%d.000", 7200+i))
			}
			Equal(e, "probes", e.times("a", start, probeAt(1)), strings.Join(want, " "))
			Equal(e, "RST", e.times("a", start, has(trace.RST)), "7210.000")
		})
		e.Notef("probes at 7200.000 s … 7209.000 s, RST at 7210.000 s, Recv: WSAENETRESET")
	}},
	{ID: "KA-6", Title: "no probe while data is unacknowledged", Source: "RFC 1122 4.2.3.6", Run: func(e *Env) {
		e.silent(time.Second, time.Second, 2, func(s wsa.SOCKET, start time.Duration) {
			_, err := e.P.Send(s, []byte("x"), 0)
			e.Code("Send", err, 0)
			_, err = e.P.Recv(s, make([]byte, 1), 0)
			e.Code("Recv", err, wsa.WSAECONNABORTED)
			Equal(e, "probes", e.times("a", start, probeAt(2)), "")
			e.Check(e.Net.Now()-start > time.Minute, "ended after %v", e.Net.Now()-start)
		})
		e.Notef("retransmissions only, and WSAECONNABORTED")
	}},
	{ID: "TV-5", Title: "unacknowledged data and keep-alive", Source: "vectors", Run: func(e *Env) {
		e.silent(time.Second, 200*time.Millisecond, 3, func(s wsa.SOCKET, start time.Duration) {
			_, err := e.P.Send(s, []byte("x"), 0)
			e.Code("Send", err, 0)
			_, err = e.P.Recv(s, make([]byte, 1), 0)
			e.Code("Recv", err, 10053)
			Equal(e, "probes", e.times("a", start, probeAt(2)), "")
		})
		e.Notef("no probes, 10053")
	}},
	{ID: "KA-7", Title: "the form of a probe", Source: "RFC 1122 4.2.3.6", Run: func(e *Env) {
		p := e.Wire().Connect(e.Addr(1, 80).String())
		l := e.Listener(e.P, 80)
		e.Set(e.P, l, wsa.IPPROTO_TCP, wsa.TCP_TIMESTAMPS, 1)
		e.Do(func() {
			done := e.Go("handshake", func() {
				p.Send("[S] <mss 1000,sackOK,ts 77 0>")
				p.Expect("[S.] seq 0 ack 1")
				p.Send("[.] <ts 77 1>")
			})
			s, _, err := e.P.Accept(l)
			e.Code("Accept", err, 0)
			done.Wait()
			e.keepAlive(s, 10*time.Second, time.Second, 5)
			got, err := p.Receive(time.Minute)
			e.Check(err == nil, "no probe: %v", err)
			Equal(e, "flags, seq, ack, len", fmt.Sprint(got.Flags, got.Seq, got.Ack, got.Len), ". 0 1 0")
			e.Check(got.Window > 0 && got.Options.Timestamps, "window %d, options %+v", got.Window, got.Options)
			Equal(e, "TSecr, relative", got.Options.TSEcr, 1)
			p.Send("[.] <ts 78 1>")
			_, err = e.P.Send(s, []byte("x"), 0)
			e.Code("Send", err, 0)
			got, err = p.Receive(time.Minute)
			e.Check(err == nil, "no data: %v", err)
			Equal(e, "SEQ of the data after it", got.Seq, 1)
			p.Send("[.] ack 2 <ts 79 1>")
		})
		e.Notef("[.] seq 0 ack 1 len 0 with timestamps; SND.NXT unchanged")
	}},
	{ID: "KA-9", Title: "any acceptable segment is an answer", Source: "RFC 9293 3.8.4", Run: func(e *Env) {
		e.played(func(s wsa.SOCKET, p *simnet.Peer) {
			e.keepAlive(s, 10*time.Second, time.Second, 3)
			for _, segment := range []string{"[.]", "[P.] seq 1:6", "[P.] seq 100:110 ack 1"} {
				e.Net.Sleep(10500 * time.Millisecond) // a probe is out
				before := e.Net.Now()
				p.Send(segment)
				e.Net.Sleep(9990 * time.Millisecond)
				Equal(e, "probes in 9.99 s after "+segment, e.times("a", before, probeAt(1)), "")
				e.Net.Sleep(20 * time.Millisecond)
				Equal(e, "probes in 10.01 s after "+segment, e.times("a", before, probeAt(1)), "10.000")
				p.Send("[.]")
			}
		})
		e.Notef("a bare ACK, data, and data out of order restart the idle time")
	}},
	{ID: "KA-9", Title: "an unacceptable segment is none", Source: "RFC 9293 3.10.7.4", Run: func(e *Env) {
		e.played(func(s wsa.SOCKET, p *simnet.Peer) {
			e.keepAlive(s, 10*time.Second, time.Second, 3)
			start := e.Start()
			e.Go("flood", func() {
				for range 120 {
					p.Send("[.] seq 4000000000 ack 1")
					p.Send("[P.] seq 2000000000:2000000010 ack 1")
					e.Net.Sleep(100 * time.Millisecond)
				}
			})
			_, err := e.P.Recv(s, make([]byte, 1), 0)
			e.Code("Recv", err, wsa.WSAENETRESET)
			Equal(e, "drop", (e.Net.Now() - start).Round(time.Millisecond), 13*time.Second)
		})
		e.Notef("segments outside the window don't keep it alive: dropped at 13.000 s")
	}},
	{ID: "KA-10", Title: "lost probes and an answer", Source: "RFC 1122 4.2.3.6", Run: func(e *Env) {
		e.played(func(s wsa.SOCKET, p *simnet.Peer) {
			e.keepAlive(s, 10*time.Second, time.Second, 3)
			for range 10 {
				e.Net.Sleep(12500 * time.Millisecond) // three probes, the last one is answered
				p.Send("[.]")
			}
			Equal(e, "SO_ERROR", e.Get(e.P, s, wsa.SOL_SOCKET, wsa.SO_ERROR), 0)
		})
		Equal(e, "probes", e.Count("a", probeAt(1)), 30)
		e.Notef("two of three lost, ten times: alive")
	}},
	{ID: "KA-11", Title: "the peer answers RST", Source: "RFC 1122", Run: func(e *Env) {
		e.played(func(s wsa.SOCKET, p *simnet.Peer) {
			e.keepAlive(s, 10*time.Second, time.Second, 3)
			e.Go("answer", func() {
				e.Net.Sleep(10 * time.Second)
				p.Send("[R.]")
			})
			_, err := e.P.Recv(s, make([]byte, 1), 0)
			e.Code("Recv", err, wsa.WSAECONNRESET)
			_, err = e.P.Recv(s, make([]byte, 1), 0)
			e.Code("Recv again", err, wsa.WSAECONNRESET)
		})
		e.Notef("WSAECONNRESET, as for any reset")
	}},
	{ID: "KA-13", Title: "off and on again", Source: "S-SET", Run: func(e *Env) {
		e.silent(10*time.Second, time.Second, 5, func(s wsa.SOCKET, start time.Duration) {
			e.Net.Sleep(11500 * time.Millisecond)
			e.Set(e.P, s, wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, 0)
			e.Net.Sleep(time.Hour)
			Equal(e, "probes", e.times("a", start, probeAt(1)), "10.000 11.000")
			again := e.Net.Now()
			e.Set(e.P, s, wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, 1)
			e.Net.Sleep(time.Minute)
			Equal(e, "probes after that", e.times("a", again, probeAt(1)), "10.000 11.000 12.000 13.000 14.000")
		})
		e.Notef("no probe in an hour, then a full idle time")
	}},
	{ID: "KA-14", Title: "changes in the middle of probing", Source: "W-KA", Run: func(e *Env) {
		e.silent(10*time.Second, time.Second, 5, func(s wsa.SOCKET, start time.Duration) {
			e.Net.Sleep(12500 * time.Millisecond) // three probes
			e.Set(e.P, s, wsa.IPPROTO_TCP, wsa.TCP_KEEPCNT, 1)
			again := e.Net.Now()
			_, err := e.P.Recv(s, make([]byte, 1), 0)
			e.Code("Recv", err, wsa.WSAENETRESET)
			Equal(e, "probes", e.times("a", again, probeAt(1)), "10.000")
			Equal(e, "drop", (e.Net.Now() - again).Round(time.Millisecond), 11*time.Second)
		})
		e.Notef("a count below the probes already sent starts anew: no drop in the call")
	}},
	{ID: "KA-15", Title: "count 0 is inert", Source: "W-TCP, C-36", Run: func(e *Env) {
		e.silent(time.Second, time.Second, 0, func(s wsa.SOCKET, start time.Duration) {
			e.Net.Sleep(time.Hour)
			Equal(e, "segments", e.times("a", start, func(simnet.Line) bool { return true }), "")
			Equal(e, "SO_ERROR", e.Get(e.P, s, wsa.SOL_SOCKET, wsa.SO_ERROR), 0)
		})
		e.Notef("no probe and no drop in an hour")
	}},
	{ID: "KA-16", Title: "set before and during connect", Source: "W-KA, C-27", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			e.Listener(e.Q, 80)
			s := e.Stream()
			e.keepAlive(s, 10*time.Second, time.Second, 3)
			e.Nonblocking(e.P, s, true)
			e.Code("Connect", e.P.Connect(s, e.Addr(2, 80)), wsa.WSAEWOULDBLOCK)
			e.Code("SO_KEEPALIVE while connecting", set(e.P, s, wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, 1), wsa.WSAEINVAL)
			start := e.Net.Now() + 2*Delay // ESTABLISHED
			e.Net.Sleep(15 * time.Second)
			Equal(e, "probes", e.times("a", start, probeAt(1)), "10.000")
		})
		e.Notef("WSAEINVAL while connecting; the idle time starts at ESTABLISHED")
	}},
	{ID: "KA-17", Title: "on a listener and elsewhere", Source: "W-KA", Run: func(e *Env) {
		e.Pair()
		e.Code("datagram", set(e.P, e.Datagram(), wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, 1), wsa.WSAENOPROTOOPT)
		e.Do(func() {
			l := e.Socket(e.Q, wsa.SOCK_STREAM)
			for opt, v := range map[int32]uint32{wsa.TCP_KEEPIDLE: 10, wsa.TCP_KEEPINTVL: 1, wsa.TCP_KEEPCNT: 2} {
				e.Set(e.Q, l, wsa.IPPROTO_TCP, opt, v)
			}
			e.Set(e.Q, l, wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, 1)
			e.Code("Bind", e.Q.Bind(l, e.Any(80)), 0)
			e.Code("Listen", e.Q.Listen(l, 5), 0)
			e.Net.Sleep(time.Minute)
			Equal(e, "segments of a listener", len(e.Segments("b")), 0)
			e.Code("Connect", e.P.Connect(e.Stream(), e.Addr(2, 80)), 0)
			s, _, err := e.Q.Accept(l)
			e.Code("Accept", err, 0)
			Equal(e, "SO_KEEPALIVE of the accepted", e.Get(e.Q, s, wsa.SOL_SOCKET, wsa.SO_KEEPALIVE), 1)
			start := e.Start()
			e.Net.Sleep(12 * time.Second)
			Equal(e, "its probes", e.Count("b", func(l simnet.Line) bool { return l.At > start && probeAt(1)(l) }), 1)
		})
		e.Notef("a listener is silent, what it accepts probes")
	}},
	{ID: "KA-18", Title: "a probe that comes in", Source: "RFC 1122 4.2.3.6", Run: func(e *Env) {
		e.played(func(s wsa.SOCKET, p *simnet.Peer) {
			for _, payload := range []int{0, 1} {
				e.Net.Sleep(10 * time.Second)
				p.Send(fmt.Sprintf("[.] seq 0:%d ack 1", payload))
				p.Expect("[.] seq 1 ack 1 len 0")
			}
			e.Nonblocking(e.P, s, true)
			_, err := e.P.Recv(s, make([]byte, 1), 0)
			e.Code("Recv", err, wsa.WSAEWOULDBLOCK)
		})
		e.Notef("answered at once, with and without the garbage octet; nothing is delivered")
	}},
	{ID: "KA-19", Title: "what a drop leaves behind", Source: "C-50", Run: func(e *Env) {
		e.silent(10*time.Second, time.Second, 2, func(s wsa.SOCKET, start time.Duration) {
			local, err := e.P.GetSockName(s)
			e.Code("GetSockName", err, 0)
			_, err = e.P.Recv(s, make([]byte, 1), 0)
			e.Code("Recv", err, wsa.WSAENETRESET)
			Equal(e, "RSTs", e.times("a", start, has(trace.RST)), "12.000")
			for _, l := range e.Segments("a") {
				if l.Segment.Flags&trace.RST != 0 {
					Equal(e, "SEQ of the RST", l.Segment.Seq, 1)
				}
			}
			again := e.Stream()
			e.Set(e.P, again, wsa.SOL_SOCKET, wsa.SO_EXCLUSIVEADDRUSE, 1)
			e.Code("an exclusive bind of its port", e.P.Bind(again, local), 0)
		})
		e.Notef("one RST with SEQ = SND.NXT, no TIME-WAIT, the port is free")
	}},
	{ID: "KA-20", Title: "SIO_KEEPALIVE_VALS", Source: "W-KA", Run: func(e *Env) {
		e.silent(1500*time.Millisecond, 250*time.Millisecond, 2, func(s wsa.SOCKET, start time.Duration) {
			e.Net.Sleep(time.Minute)
			Equal(e, "probes", e.times("a", start, probeAt(1)), "1.500 1.750")
			n, err := e.P.Ioctl(e.Stream(), wsa.SIO_KEEPALIVE_VALS, wsa.TCPKeepalive{OnOff: 1, KeepAliveTime: 1, KeepAliveInterval: 1}.Append(nil), nil)
			e.Code("Ioctl", err, 0)
			Equal(e, "bytes returned", n, 0)
		})
		e.Notef("milliseconds, no output")
	}},
	{ID: "KA-25", Title: "milliseconds in, seconds out", Source: "W-TCP", Once: true, Run: func(e *Env) {
		e.Pair()
		s := e.Stream()
		e.keepAlive(s, 1500*time.Millisecond, time.Millisecond, 3)
		Equal(e, "TCP_KEEPIDLE", e.Get(e.P, s, wsa.IPPROTO_TCP, wsa.TCP_KEEPIDLE), 2)
		Equal(e, "TCP_KEEPINTVL", e.Get(e.P, s, wsa.IPPROTO_TCP, wsa.TCP_KEEPINTVL), 1)
		e.Notef("1500 ms reads 2 s, 1 ms reads 1 s")
	}},
	{ID: "TV-2", Title: "a dropped connection", Source: "vectors", Run: func(e *Env) {
		e.silent(time.Second, 200*time.Millisecond, 3, func(s wsa.SOCKET, start time.Duration) {
			_, err := e.P.Recv(s, make([]byte, 1), 0)
			e.Code("the blocked Recv", err, 10052)
			Equal(e, "probes", e.times("a", start, probeAt(1)), "1.000 1.200 1.400")
			Equal(e, "RST", e.times("a", start, has(trace.RST)), "1.600")
			e.afterDrop(s)
			Equal(e, "SO_ERROR", e.Get(e.P, s, wsa.SOL_SOCKET, wsa.SO_ERROR), 10052)
			Equal(e, "SO_ERROR again", e.Get(e.P, s, wsa.SOL_SOCKET, wsa.SO_ERROR), 0)
			e.Code("CloseSocket", e.P.CloseSocket(s), 0)
		})
		e.Notef("probes at 1.0, 1.2, 1.4 s, RST and 10052 at 1.6 s, then 10057; SO_ERROR 10052, 0")
	}},
	{ID: "TV-3", Title: "the third probe is answered", Source: "vectors", Run: func(e *Env) {
		e.played(func(s wsa.SOCKET, p *simnet.Peer) {
			e.keepAlive(s, time.Second, 200*time.Millisecond, 3)
			e.Net.Sleep(1450 * time.Millisecond)
			answer := e.Net.Now()
			p.Send("[.]")
			e.Net.Sleep(1100 * time.Millisecond)
			Equal(e, "probes after the answer", e.times("a", answer, probeAt(1)), "1.000")
			p.Send("[.]")
		})
		e.Notef("alive; the next probe 1.000 s after the answer")
	}},
	{ID: "TV-4", Title: "never enabled", Source: "vectors", Run: func(e *Env) {
		e.played(func(s wsa.SOCKET, _ *simnet.Peer) {
			e.Net.Sleep(time.Second)
			start := e.Start()
			_, err := e.P.Ioctl(s, wsa.SIO_KEEPALIVE_VALS, wsa.TCPKeepalive{KeepAliveTime: 1000, KeepAliveInterval: 200}.Append(nil), nil)
			e.Code("SIO_KEEPALIVE_VALS off", err, 0)
			e.Net.Sleep(10 * time.Second)
			Equal(e, "segments", e.times("a", start, func(simnet.Line) bool { return true }), "")
		})
		e.Notef("no segment in 10 s")
	}},
	{ID: "KA-30", Title: "calls in progress", Source: "S-GET, S-SET", Run: func(e *Env) {
		e.silent(time.Second, 200*time.Millisecond, 3, func(s wsa.SOCKET, _ time.Duration) {
			var tasks []*simnet.Task
			for i := range 3 {
				tasks = append(tasks, e.Go(fmt.Sprint("recv ", i), func() {
					_, err := e.P.Recv(s, make([]byte, 1), []int32{0, wsa.MSG_PEEK, wsa.MSG_WAITALL}[i])
					e.Code("the blocked Recv", err, wsa.WSAENETRESET)
				}))
			}
			for _, t := range tasks {
				t.Wait()
			}
		})
		e.Notef("WSAENETRESET for each")
	}},
	{ID: "KA-31", Title: "later calls", Source: "S-GET, S-SET", Run: func(e *Env) {
		e.silent(time.Second, 200*time.Millisecond, 3, func(s wsa.SOCKET, _ time.Duration) {
			e.Net.Sleep(time.Minute)
			e.afterDrop(s)
		})
		e.Notef("WSAENOTCONN, also for the first call after the drop")
	}},
	{ID: "KA-32", Title: "options after the drop", Source: "S-SET, C-12", Run: func(e *Env) {
		e.silent(time.Second, 200*time.Millisecond, 3, func(s wsa.SOCKET, _ time.Duration) {
			e.Net.Sleep(time.Minute)
			for _, o := range [][2]int32{{wsa.SOL_SOCKET, wsa.SO_DEBUG}, {wsa.SOL_SOCKET, wsa.SO_KEEPALIVE}, {wsa.SOL_SOCKET, wsa.SO_LINGER},
				{wsa.SOL_SOCKET, wsa.SO_RCVBUF}, {wsa.IPPROTO_TCP, wsa.TCP_NODELAY}, {wsa.IPPROTO_TCP, wsa.TCP_KEEPCNT}} {
				e.Code("set "+wsa.OptionName(o[0], o[1]), set(e.P, s, o[0], o[1], 1), wsa.WSAENOTCONN)
				_, err := get(e.P, s, o[0], o[1])
				e.Code("get "+wsa.OptionName(o[0], o[1]), err, wsa.WSAENOTCONN)
			}
			e.Code("unknown level", set(e.P, s, 1000, 1, 1), wsa.WSAEINVAL)
			e.Code("unknown option", set(e.P, s, wsa.SOL_SOCKET, 0x7777, 1), wsa.WSAENOPROTOOPT)
			e.Code("short", e.P.SetSockOpt(s, wsa.SOL_SOCKET, wsa.SO_DEBUG, []byte{1}, 1), wsa.WSAEFAULT)
			Equal(e, "SO_ERROR", e.Get(e.P, s, wsa.SOL_SOCKET, wsa.SO_ERROR), 10052)
		})
		e.Notef("WSAENOTCONN for six options, get and set; other faults keep their codes")
	}},
	{ID: "KA-33", Title: "reset while keep-alive is on", Source: "S-SET", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			for _, on := range []uint32{1, 0} {
				c, s := e.Connected()
				e.Set(e.P, c, wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, on)
				e.resetBy(s)
				want := wsa.Errno(0)
				if on == 1 {
					want = wsa.WSAENOTCONN
				}
				e.Code("SetSockOpt", set(e.P, c, wsa.IPPROTO_TCP, wsa.TCP_NODELAY, 1), want)
				_, err := e.P.Recv(c, make([]byte, 1), 0)
				e.Code("Recv", err, wsa.WSAECONNRESET)
				e.Code("CloseSocket", e.P.CloseSocket(c), 0)
			}
		})
		e.Notef("setsockopt WSAENOTCONN with SO_KEEPALIVE, success without; recv WSAECONNRESET")
	}},
	{ID: "KA-34", Title: "SO_ERROR after the drop", Source: "S-GET", Run: func(e *Env) {
		e.silent(time.Second, 200*time.Millisecond, 3, func(s wsa.SOCKET, _ time.Duration) {
			e.Net.Sleep(time.Minute)
			Equal(e, "first", wsa.Errno(e.Get(e.P, s, wsa.SOL_SOCKET, wsa.SO_ERROR)), wsa.WSAENETRESET)
			Equal(e, "second", e.Get(e.P, s, wsa.SOL_SOCKET, wsa.SO_ERROR), 0)
		})
		e.Notef("WSAENETRESET, then 0")
	}},
	{ID: "KA-35", Title: "a hundred calls in progress", Source: "S-GET", Run: func(e *Env) {
		e.silent(time.Second, 200*time.Millisecond, 3, func(s wsa.SOCKET, start time.Duration) {
			var tasks []*simnet.Task
			for i := range 100 {
				tasks = append(tasks, e.Go(fmt.Sprint("recv ", i), func() {
					_, err := e.P.Recv(s, make([]byte, 1), 0)
					e.Code("the blocked Recv", err, wsa.WSAENETRESET)
					Equal(e, "time", (e.Net.Now() - start).Round(time.Millisecond), 1600*time.Millisecond)
				}))
			}
			for _, t := range tasks {
				t.Wait()
			}
		})
		e.Notef("all hundred end with WSAENETRESET at 1.600 s")
	}},
}

// afterDrop checks the codes of KA-31.
func (e *Env) afterDrop(s wsa.SOCKET) {
	for range 2 {
		_, err := e.P.Recv(s, make([]byte, 1), 0)
		e.Code("Recv", err, wsa.WSAENOTCONN)
		_, err = e.P.Send(s, []byte("x"), 0)
		e.Code("Send", err, wsa.WSAENOTCONN)
	}
	e.Code("Shutdown", e.P.Shutdown(s, wsa.SD_SEND), wsa.WSAENOTCONN)
	_, err := e.P.GetPeerName(s)
	e.Code("GetPeerName", err, wsa.WSAENOTCONN)
	_, err = e.P.GetSockName(s)
	e.Code("GetSockName", err, 0)
	e.Code("Connect", e.P.Connect(s, e.Addr(2, 80)), wsa.WSAENOTCONN)
	e.Code("SetSockOpt", set(e.P, s, wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, 1), wsa.WSAENOTCONN)
	_, err = get(e.P, s, wsa.SOL_SOCKET, wsa.SO_TYPE)
	e.Code("GetSockOpt", err, wsa.WSAENOTCONN)
	_, err = e.P.Ioctl(s, wsa.FIONREAD, nil, make([]byte, 4))
	e.Code("FIONREAD", err, wsa.WSAENOTCONN)
	_, err = e.P.Ioctl(s, wsa.SIO_KEEPALIVE_VALS, make([]byte, 12), nil)
	e.Code("SIO_KEEPALIVE_VALS", err, wsa.WSAENOTCONN)
	_, err = e.P.Ioctl(s, wsa.FIONBIO, make([]byte, 4), nil)
	e.Code("FIONBIO", err, 0)
	set := []wsa.SOCKET{s}
	r, w, x, err := e.P.Select(set, set, set, 0)
	e.Code("Select", err, 0)
	Equal(e, "readable, writable, except", fmt.Sprint(len(r), len(w), len(x)), "1 1 0")
}
