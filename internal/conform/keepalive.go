package conform

import (
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"github.com/wsstack/wsstack/internal/trace"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wsa"
)

// keepAlive turns keep-alive on with SIO_KEEPALIVE_VALS and so many probes.
func (h handle) keepAlive(idle, interval time.Duration, count uint32) {
	h.keepCount(count)
	h.keepAliveVals(idle, interval)
}

// keepCount sets the number of probes, with TCP_KEEPCNT or, as Legacy has none (C-49), as the word
// of PVD_CONFIG.
func (h handle) keepCount(count uint32) {
	if h.e.Profile != options.Legacy {
		h.set(wsa.IPPROTO_TCP, wsa.TCP_KEEPCNT, count)
		return
	}
	b := h.config()
	binary.LittleEndian.PutUint32(b[24:], count)
	h.outcome("SetSockOpt PVD_CONFIG", h.setConfig(b), nil)
}

// keepCounts checks the number of probes.
func (h handle) keepCounts(count uint32) {
	Equal(h.e, "count", binary.LittleEndian.Uint32(h.config()[24:]), count)
	if h.e.Profile != options.Legacy {
		h.reads(wsa.IPPROTO_TCP, wsa.TCP_KEEPCNT, count)
	}
}

// keepAliveVals turns it on with SIO_KEEPALIVE_VALS.
func (h handle) keepAliveVals(idle, interval time.Duration) {
	in := wsa.TCPKeepalive{OnOff: 1, KeepAliveTime: uint32(idle.Milliseconds()), KeepAliveInterval: uint32(interval.Milliseconds())}
	h.ioctl(wsa.SIO_KEEPALIVE_VALS, in.Append(nil), nil)
}

// silent connects A and B, turns keep-alive on at A, and cuts the link; fn gets
// the time of that, which is when the idle period began.
func (e *Env) silent(idle, interval time.Duration, count uint32, fn func(s handle, start time.Duration)) {
	link := e.Pair()
	e.Do(func() {
		c := e.cut(link)
		c.keepAlive(idle, interval, count)
		fn(c, e.Start())
	})
}

// afterDrop checks the codes of KA-31.
func (h handle) afterDrop() {
	e := h.e
	for range 2 {
		h.recv(1, wsa.WSAENOTCONN)
		h.say("x", wsa.WSAENOTCONN)
	}
	h.shutdown(wsa.SD_SEND, wsa.WSAENOTCONN)
	h.peerName(wsa.WSAENOTCONN)
	h.sockName()
	h.connect(e.Addr(2, 80), wsa.WSAENOTCONN)
	h.set(wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, 1, wsa.WSAENOTCONN)
	h.get(wsa.SOL_SOCKET, wsa.SO_TYPE, wsa.WSAENOTCONN)
	h.ioctl(wsa.FIONREAD, nil, make([]byte, 4), wsa.WSAENOTCONN)
	h.ioctl(wsa.SIO_KEEPALIVE_VALS, make([]byte, 12), nil, wsa.WSAENOTCONN)
	h.ioctl(wsa.FIONBIO, make([]byte, 4), nil)
	Equal(e, "select", h.ready("rwx", 0), "rw")
}

// keepAlive2 is keepAlive for a socket of B, with 10 s, 1 s and 3 probes.
func (h handle) keepAlive2() {
	h.set(wsa.IPPROTO_TCP, wsa.TCP_KEEPIDLE, 10)
	h.set(wsa.IPPROTO_TCP, wsa.TCP_KEEPINTVL, 1)
	h.keepCount(3)
	h.set(wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, 1)
}

// defaultDrop drops a silent connection that has SO_KEEPALIVE and no other option: after 7200 s and
// so many probes.
func (e *Env) defaultDrop(count int) {
	link := e.Pair()
	e.Do(func() {
		c := e.cut(link)
		c.set(wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, 1)
		start := e.Start()
		c.recv(1, wsa.WSAENETRESET)
		e.took("drop", start, time.Duration(7200+count)*time.Second)
		var want []string
		for i := range count {
			want = append(want, fmt.Sprintf("%d.000", 7200+i))
		}
		Equal(e, "probes", e.times("a", start, probeAt(1)), strings.Join(want, " "))
		Equal(e, "RST", e.times("a", start, has(trace.RST)), fmt.Sprintf("%d.000", 7200+count))
	})
}

// octets is the length of a probe (C-49b).
func octets(e *Env) int { return byProfile(e, 0, 1) }

// keepAliveScenarios are KA-1 to KA-8: when probes leave and what they look like.
var keepAliveScenarios = []Scenario{
	{ID: "KA-1", Title: "off by default", Source: "W-KA, RFC 1122", Run: func(e *Env) {
		e.paired(func() {
			e.connection()
			e.Net.Sleep(time.Second)
			before := len(e.Segments(""))
			e.Net.Sleep(3 * time.Hour)
			Equal(e, "segments in three hours", len(e.Segments(""))-before, 0)
		})
		e.Notef("three idle hours, no segment")
	}},
	{ID: "KA-2", Title: "on and off at any time", Source: "W-KA", Run: func(e *Env) {
		e.connected(func(c, s handle) {
			c.keepAlive(10*time.Second, time.Second, 3)
			s.keepAlive2()
			e.Net.Sleep(time.Second)
			c.set(wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, 0)
			start := e.Start()
			e.Net.Sleep(time.Minute)
			Equal(e, "probes of a, switched off", e.times("a", start, probeAt(1)), "")
			e.Check(e.times("b", start, probeAt(1)) != "", "no probes of b")
		})
		e.Notef("one side off, the other goes on")
	}},
	{ID: "KA-3", Title: "first probe after the idle time", Source: "RFC 1122 4.2.3.6", Run: func(e *Env) {
		e.silent(10*time.Second, time.Second, 3, func(_ handle, start time.Duration) {
			e.Net.Sleep(9999 * time.Millisecond)
			Equal(e, "probes at 9.999 s", e.times("a", start, probeAt(1)), "")
			e.Net.Sleep(2 * time.Millisecond)
			Equal(e, "probes at 10.001 s", e.times("a", start, probeAt(1)), "10.000")
		})
		e.Notef("nothing at 9.999 s, a probe at 10.000 s")
	}},
	{ID: "KA-4", Title: "probes every interval", Source: "W-KA", Run: func(e *Env) {
		e.silent(10*time.Second, 1500*time.Millisecond, 4, func(_ handle, start time.Duration) {
			e.Net.Sleep(time.Minute)
			Equal(e, "probes", e.times("a", start, probeAt(1)), "10.000 11.500 13.000 14.500")
		})
		e.Notef("10.000, 11.500, 13.000, 14.500 s")
	}},
	{ID: "KA-5", Title: "the defaults drop after 7210 s", Source: "W-KA", Profiles: notLegacy,
		Why: "C-49: Legacy has five probes", Run: func(e *Env) {
			e.defaultDrop(10)
			e.Notef("probes at 7200.000 s … 7209.000 s, RST at 7210.000 s, Recv: WSAENETRESET")
		}},
	{ID: "KA-5", Title: "the defaults of Legacy", Source: "W-KA, C-49", Profiles: legacyOnly,
		Why: "C-49: the others have ten probes", Run: func(e *Env) {
			e.defaultDrop(5)
			e.Notef("5 probes, dropped at 7205 s")
		}},
	{ID: "KA-5", Title: "the defaults of the stack", Source: "W-KA", Run: func(e *Env) {
		e.Config = func(c *stack.Config) {
			c.KeepAlive = stack.KeepAlive{Idle: 30 * time.Second, Interval: 1500 * time.Millisecond, Count: 3}
		}
		link := e.Pair()
		e.Do(func() {
			c, _ := e.connection()
			own, _ := e.connection()
			own.set(wsa.IPPROTO_TCP, wsa.TCP_KEEPIDLE, 20)
			c.reads(wsa.IPPROTO_TCP, wsa.TCP_KEEPIDLE, 30)
			c.reads(wsa.IPPROTO_TCP, wsa.TCP_KEEPINTVL, 2)
			c.keepCounts(3)
			err := e.A.SetKeepAlive(stack.KeepAlive{Idle: 5 * time.Second})
			e.Check(err == nil, "SetKeepAlive: %v", err)
			e.Net.Sleep(time.Second)
			later := e.cut(link)
			start := e.Start()
			for s, want := range map[handle]string{
				c:     "30.000 31.500 33.000",
				own:   "20.000 21.500 23.000",
				later: "5.000 6.000 7.000 8.000 9.000" + legacyOr(e, "", " 10.000 11.000 12.000 13.000 14.000"),
			} {
				local := s.sockName()
				s.set(wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, 1)
				defer func() {
					Equal(e, "probes", e.times("a", start, func(l simnet.Line) bool { return l.Source == local && probeAt(1)(l) }), want)
				}()
			}
			e.Net.Sleep(time.Minute)
		})
		e.Notef("a socket that sets nothing has those of its stack when it was made; SetKeepAlive is for later ones")
	}},
	{ID: "KA-6", Title: "no probe while data is unacknowledged", Source: "RFC 1122 4.2.3.6", Run: func(e *Env) {
		e.silent(time.Second, time.Second, 2, func(s handle, start time.Duration) {
			s.say("x")
			s.recv(1, wsa.WSAECONNABORTED)
			Equal(e, "probes", e.times("a", start, probeAt(2)), "")
			e.Check(e.Net.Now()-start > time.Minute, "ended after %v", e.Net.Now()-start)
		})
		e.Notef("retransmissions only, and WSAECONNABORTED")
	}},
	{ID: "KA-6", Title: "data that can't be sent", Source: "RFC 1122 4.2.3.6, 4.2.2.17", Run: func(e *Env) {
		e.stuck(func(s handle, p *simnet.Peer) {
			s.keepAlive(time.Second, 200*time.Millisecond, 3)
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
			s.reads(wsa.SOL_SOCKET, wsa.SO_ERROR, 0)
		})
		e.Notef("window probes only, for ten minutes; never dropped")
	}},
	{ID: "KA-6", Title: "idle restarts at the last ACK", Source: "RFC 1122 4.2.3.6", Run: func(e *Env) {
		e.played(func(s handle, p *simnet.Peer) {
			s.keepAlive(10*time.Second, time.Second, 3)
			e.Net.Sleep(9 * time.Second)
			s.send(100)
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
	{ID: "KA-7", Title: "the form of a probe", Source: "RFC 1122 4.2.3.6", Run: func(e *Env) {
		p := e.Wire().Connect(e.Addr(1, 80).String())
		l := e.listener(e.P, 80)
		l.set(wsa.IPPROTO_TCP, wsa.TCP_TIMESTAMPS, 1)
		e.Do(func() {
			done := e.Go("handshake", func() {
				talk(p, "> [S] <mss 1000,sackOK,ts 77 0>", "< [S.] seq 0 ack 1", "> [.] <ts 77 1>")
			})
			s := l.accept()
			done.Wait()
			s.keepAlive(10*time.Second, time.Second, 5)
			got, err := p.Receive(time.Minute)
			e.Check(err == nil, "no probe: %v", err)
			Equal(e, "flags, seq, ack, len", fmt.Sprint(got.Flags, got.Seq, got.Ack, got.Len), fmt.Sprint(". 0 1 ", octets(e)))
			e.Check(got.Window > 0 && got.Options.Timestamps, "window %d, options %+v", got.Window, got.Options)
			Equal(e, "TSecr, relative", got.Options.TSEcr, 1)
			p.Send("[.] <ts 78 1>")
			s.say("x")
			got, err = p.Receive(time.Minute)
			e.Check(err == nil, "no data: %v", err)
			Equal(e, "SEQ of the data after it", got.Seq, 1)
			p.Send("[.] ack 2 <ts 79 1>")
		})
		e.Notef("[.] seq 0 ack 1 len %d with timestamps; SND.NXT unchanged", octets(e))
	}},
	{ID: "KA-7", Title: "window and numbers after data", Source: "RFC 1122 4.2.3.6", Run: func(e *Env) {
		e.played(func(s handle, p *simnet.Peer) {
			s.send(100)
			p.Expect("[P.] seq 1:101")
			p.Send("[P.] seq 1:501 ack 101")
			ack, err := p.Receive(time.Second)
			e.Check(err == nil, "no ACK: %v", err)
			s.keepAlive(10*time.Second, time.Second, 3)
			got, err := p.Receive(time.Minute)
			e.Check(err == nil, "no probe: %v", err)
			Equal(e, "flags, seq, ack, len", fmt.Sprint(got.Flags, got.Seq, got.Ack, got.Len), fmt.Sprint(". 100 501 ", octets(e)))
			Equal(e, "window", got.Window, ack.Window)
			Equal(e, "options", got.Options.Timestamps, false)
			p.Send("[.] ack 101")
		})
		e.Notef("SEQ = SND.NXT − 1, ACK = RCV.NXT, the window of the last ACK, no timestamps where there are none")
	}},
	{ID: "KA-8", Title: "one octet of garbage", Source: "RFC 1122 4.2.3.6, C-49b", Run: func(e *Env) {
		e.Config = func(c *stack.Config) { c.KeepAlive.GarbageOctet = true }
		e.played(func(s handle, p *simnet.Peer) {
			s.keepAlive(10*time.Second, time.Second, 3)
			start := e.Start()
			for range 2 {
				got, err := p.Receive(time.Minute)
				e.Check(err == nil, "no probe: %v", err)
				Equal(e, "flags, seq, ack, payload", fmt.Sprint(got.Flags&^trace.PSH, got.Seq, got.Ack, got.Payload), ". 0 1 [0]")
			}
			p.Send("[.]") // answered: alive
			answer := e.Net.Now()
			s.send(5)
			got, err := p.Receive(time.Second)
			e.Check(err == nil && got.Seq == 1 && got.Len == 5, "data after probes: %v, %v", got, err)
			p.Send("[.] ack 6")
			s.recv(1, wsa.WSAENETRESET)
			Equal(e, "probes", e.times("a", start, octetAt(1)), "10.000 11.000")
			Equal(e, "probes after the answer", e.times("a", answer, octetAt(6)), "10.000 11.000 12.000")
			Equal(e, "empty probes", e.Count("a", emptyProbeAt(1))+e.Count("a", emptyProbeAt(6)), 0)
		})
		e.Notef("0x00 at SND.NXT − 1, which stays as it was; answered as an empty one is")
	}},
	{ID: "KA-8", Title: "between two stacks", Source: "RFC 1122 4.2.3.6", Run: func(e *Env) {
		e.Config = func(c *stack.Config) { c.KeepAlive.GarbageOctet = true }
		e.connected(func(c, s handle) {
			c.keepAlive(10*time.Second, time.Second, 3)
			start := e.Start()
			e.Net.Sleep(time.Minute)
			Equal(e, "probes", e.times("a", start, octetAt(1)), "10.000 20.020 30.040 40.060 50.080")
			Equal(e, "answers", e.times("b", start, anySegment), "10.010 20.030 30.050 40.070 50.090")
			s.nonblocking(true)
			s.recv(1, wsa.WSAEWOULDBLOCK)
			c.say("abc")
			e.Net.Sleep(time.Second)
			Equal(e, "data", string(s.recv(9)), "abc")
		})
		e.Notef("each is answered after one round trip, nothing is delivered, data isn't disturbed")
	}},
}
