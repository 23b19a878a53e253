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

// oob sends bytes of which the last is urgent, say sends ordinary ones.
func (e *Env) oob(p *provider.Provider, s wsa.SOCKET, text string) {
	n, err := p.Send(s, []byte(text), wsa.MSG_OOB)
	e.Code("Send(MSG_OOB)", err, 0)
	Equal(e, "bytes accepted", n, len(text))
}

func (e *Env) say(p *provider.Provider, s wsa.SOCKET, text string) {
	n, err := p.Send(s, []byte(text), 0)
	e.Code("Send", err, 0)
	Equal(e, "bytes accepted", n, len(text))
}

// read is what one recv of a non-blocking socket returns: its bytes, "-" when
// it would block, or the code.
func (e *Env) read(p *provider.Provider, s wsa.SOCKET, flags int32) string {
	b := make([]byte, 100)
	n, err := p.Recv(s, b, flags)
	switch err {
	case nil:
		return string(b[:n])
	case wsa.WSAEWOULDBLOCK:
		return "-"
	}
	return fmt.Sprint(int(err.(wsa.Errno)))
}

// reads are several calls of read, until one would block: "ab|c|-".
func (e *Env) reads(p *provider.Provider, s wsa.SOCKET) string {
	var out []string
	for range 20 {
		out = append(out, e.read(p, s, 0))
		if last := out[len(out)-1]; last == "-" || last == "" {
			break
		}
	}
	return strings.Join(out, "|")
}

func (e *Env) ioctl(p *provider.Provider, s wsa.SOCKET, code uint32) uint32 {
	b := make([]byte, 4)
	_, err := p.Ioctl(s, code, nil, b)
	e.Code("Ioctl", err, 0)
	return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
}

// urgent plays a peer by hand, against a non-blocking socket of A.
func (e *Env) urgent(fn func(s wsa.SOCKET, p *simnet.Peer)) {
	e.played(func(s wsa.SOCKET, p *simnet.Peer) {
		e.Nonblocking(e.P, s, true)
		fn(s, p)
	})
}

// arrive is a segment of the peer, and the time in which it comes.
func (e *Env) arrive(p *simnet.Peer, segment, text string) {
	p.Send(segment, []byte(text)...)
	e.Net.Sleep(time.Millisecond)
}

// urgents lists the urgent segments of a node, as "seq+len^pointer".
func (e *Env) urgents(from string) string {
	var out []string
	for _, l := range e.Segments(from) {
		if l.Kind == trace.TCP && l.Segment.Flags&trace.URG != 0 {
			out = append(out, fmt.Sprintf("%d+%d^%d", l.Segment.Seq, l.Segment.Len, l.Segment.Urgent))
		}
	}
	return strings.Join(out, " ")
}

// ready shows what select finds now: "r", "w", "x".
func (e *Env) ready(p *provider.Provider, s wsa.SOCKET) (out string) {
	set := []wsa.SOCKET{s}
	r, w, x, err := p.Select(set, set, set, 0)
	e.Code("Select", err, 0)
	for i, got := range [][]wsa.SOCKET{r, w, x} {
		if len(got) > 0 {
			out += "rwx"[i : i+1]
		}
	}
	return out
}

// inline sets SO_OOBINLINE.
func (e *Env) inline(p *provider.Provider, s wsa.SOCKET, on uint32) {
	e.Set(p, s, wsa.SOL_SOCKET, wsa.SO_OOBINLINE, on)
}

func init() {
	ngScenarios = append(ngScenarios, urgentNagle)
	vectorScenarios = append(vectorScenarios, urgentVector)
	smallScenarios = append(smallScenarios, urgentSending...)
	smallScenarios = append(smallScenarios, urgentReceiving...)
}

var urgentNagle = Scenario{ID: "NG-2", Title: "urgent data releases what is held", Source: "RFC 1122 4.2.3.4", Run: func(e *Env) {
	e.played(func(s wsa.SOCKET, p *simnet.Peer) {
		e.send(s, 1)
		e.send(s, 5)
		Equal(e, "before", e.lengths("a", 0), "1")
		now := e.Net.Now()
		e.oob(e.P, s, "!") // (e)
		Equal(e, "after, without an ACK", e.lengths("a", 0), "1 6")
		Equal(e, "time", e.Net.Now(), now)
		e.send(s, 3)
		Equal(e, "ordinary data behind it", e.lengths("a", 0), "1 6")
		p.Send("[.] ack 8")
		e.Net.Sleep(time.Millisecond)
		Equal(e, "after the ACK", e.lengths("a", 0), "1 6 3")
		Equal(e, "urgent segments", e.urgents("a"), "2+6^6")
	})
	e.Notef("5 held bytes leave with the urgent one, at once; 3 behind it wait")
}}

var urgentVector = Scenario{ID: "TV-18", Title: "ABC with an urgent B", Source: "vectors", Run: func(e *Env) {
	e.Pair()
	e.Do(func() {
		c, s := e.Connected()
		e.Nonblocking(e.Q, s, true)
		abc := func() {
			e.say(e.P, c, "A")
			e.oob(e.P, c, "B")
			e.say(e.P, c, "C")
			e.Net.Sleep(time.Second)
		}
		abc()
		Equal(e, "out of line", e.reads(e.Q, s), "A|C|-")
		Equal(e, "recv(MSG_OOB)", e.read(e.Q, s, wsa.MSG_OOB), "B")
		e.inline(e.Q, s, 1)
		abc()
		Equal(e, "in line: recv(MSG_OOB)", e.read(e.Q, s, wsa.MSG_OOB), "10022")
		Equal(e, "in line", e.reads(e.Q, s), "A|B|C|-")
	})
	e.Notef("A, C, then B; in line A, B, C in three reads and 10022")
}}

var urgentSending = []Scenario{
	{ID: "OB-1", Title: "the last byte is urgent", Source: "W-OOB, RFC 9293 3.8.5", Run: func(e *Env) {
		e.played(func(s wsa.SOCKET, p *simnet.Peer) {
			e.say(e.P, s, "plain")
			p.Expect("[P.] seq 1:6 ack 1")
			p.Send("[.]")
			e.oob(e.P, s, "abc")
			p.Expect("[P.U] seq 6:9 ack 1 urg 3")
			e.Net.Sleep(300 * time.Millisecond)
			p.Expect("[P.U] seq 6:9 ack 1 urg 3") // sent again
			p.Send("[.] ack 9")
			e.Net.Sleep(time.Millisecond)
			e.say(e.P, s, "plain")
			p.Expect("[P.] seq 9:14 ack 1 urg 0")
			p.Send("[.] ack 14")
		})
		e.Notef("pointer 3 for 3 bytes, again when it is retransmitted, none once it is acknowledged")
	}},
	{ID: "OB-1", Title: "each segment before the byte points at it", Source: "RFC 9293 3.8.5", Run: func(e *Env) {
		e.played(func(s wsa.SOCKET, p *simnet.Peer) {
			e.oob(e.P, s, strings.Repeat("x", 2500))
			p.Send("[P.] ack 1001", []byte("hello")...)
			e.Net.Sleep(time.Millisecond)
			e.say(e.P, s, "q") // held
		})
		Equal(e, "urgent segments", e.urgents("a"), "1+1000^2500 1001+1000^1500 2001+500^500")
		e.Notef("pointers 2500, 1500, 500; an acknowledgement with SEQ behind the byte has none")
	}},
	{ID: "OB-1", Title: "the pointer has 16 bits", Source: "RFC 9293 3.8.5", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			c, s := e.Connected()
			size := 150_000
			done := e.Go("recv", func() {
				got := make([]byte, 0, size)
				for len(got) < size-1 {
					b := make([]byte, 4096)
					n, err := e.Q.Recv(s, b, 0)
					e.Code("Recv", err, 0)
					got = append(got, b[:n]...)
				}
				e.Check(strings.Count(string(got), "x") == size-1, "%d bytes of the stream", strings.Count(string(got), "x"))
				b := make([]byte, 1)
				_, err := e.Q.Recv(s, b, wsa.MSG_OOB)
				e.Code("Recv(MSG_OOB)", err, 0)
				Equal(e, "the urgent byte", string(b), "!")
			})
			e.oob(e.P, c, strings.Repeat("x", size-1)+"!")
			done.Wait()
		})
		capped := 0
		for _, l := range e.Segments("a") {
			switch u := l.Segment.Urgent; {
			case l.Segment.Flags&trace.URG == 0:
			case u == 65535:
				capped++
			case u < 50_000: // parts of a segment that was capped as a whole say less than 65535
				Equal(e, "what a pointer names", l.Segment.Seq+uint32(u), 150_001)
			}
		}
		e.Check(capped >= 20, "%d segments with 65535", capped)
		e.Notef("%d segments say 65535, the others the byte itself; the receiver finds one urgent byte", capped)
	}},
	{ID: "OB-1", Title: "into a zero window", Source: "W-OOB, RFC 9293 3.8.6", Run: func(e *Env) {
		e.played(func(s wsa.SOCKET, p *simnet.Peer) {
			p.Send("[.] win 0")
			e.Net.Sleep(time.Millisecond)
			now := e.Net.Now()
			e.oob(e.P, s, "abc")
			a, err := p.Expect("[.U] seq 1 ack 1 len 0 urg 3")
			e.Check(err == nil, "%v", err)
			Equal(e, "time", a.At, now)
			p.Send("[.] ack 1 win 1000")
			p.Expect("[P.U] seq 1:4 ack 1 urg 3")
			p.Send("[.] ack 4")
		})
		e.Notef("a segment without data with pointer 3, at once; the data when the window opens")
	}},
	{ID: "OB-1", Title: "into a window too small to be used", Source: "RFC 1122 4.2.3.4", Run: func(e *Env) {
		e.played(func(s wsa.SOCKET, p *simnet.Peer) {
			p.Send("[.] win 5000")
			e.Net.Sleep(time.Millisecond)
			e.send(s, 5000)
			e.Net.Sleep(time.Millisecond)
			p.Send("[.] ack 5001 win 10") // silly: nobody sends 10 bytes
			e.Net.Sleep(time.Millisecond)
			e.send(s, 50)
			e.Net.Sleep(10 * time.Millisecond)
			before := e.Count("a", data)
			e.oob(e.P, s, "!")
			e.Net.Sleep(10 * time.Millisecond)
			e.Check(e.Count("a", data) > before, "the window isn't used")
			e.Check(strings.Contains(e.urgents("a"), "^51"), "urgent segments: %s", e.urgents("a"))
		})
		e.Notef("urgent data uses it")
	}},
	{ID: "OB-1", Title: "errors", Source: "W-OOB", Run: func(e *Env) {
		e.Pair()
		d := e.Datagram()
		e.Code("Connect", e.P.Connect(d, e.Addr(2, 53)), 0)
		_, err := e.P.Send(d, []byte("x"), wsa.MSG_OOB)
		e.Code("Send on a datagram socket", err, wsa.WSAEOPNOTSUPP)
		_, err = e.P.SendTo(e.Datagram(), []byte("x"), wsa.MSG_OOB, e.Addr(2, 53))
		e.Code("SendTo", err, wsa.WSAEOPNOTSUPP)
		_, err = e.P.Send(e.Stream(), []byte("x"), wsa.MSG_OOB)
		e.Code("not connected", err, wsa.WSAENOTCONN)
		Equal(e, "packets", len(e.Segments("a")), 0)
		e.Do(func() {
			c, _ := e.Connected()
			before := len(e.Segments("a"))
			n, err := e.P.Send(c, nil, wsa.MSG_OOB)
			e.Code("Send of nothing", err, 0)
			Equal(e, "bytes", n, 0)
			Equal(e, "segments", len(e.Segments("a"))-before, 0)
			e.Code("Shutdown", e.P.Shutdown(c, wsa.SD_SEND), 0)
			_, err = e.P.Send(c, []byte("x"), wsa.MSG_OOB)
			e.Code("after SD_SEND", err, wsa.WSAESHUTDOWN)
		})
		e.Notef("WSAEOPNOTSUPP on datagram sockets, WSAENOTCONN, WSAESHUTDOWN; nothing for nothing")
	}},
	{ID: "OB-1", Title: "a non-blocking send that is cut short", Source: "W-OOB", Run: func(e *Env) {
		e.played(func(s wsa.SOCKET, p *simnet.Peer) {
			e.Set(e.P, s, wsa.SOL_SOCKET, wsa.SO_SNDBUF, 1000)
			e.Nonblocking(e.P, s, true)
			e.say(e.P, s, strings.Repeat("x", 900))
			n, err := e.P.Send(s, make([]byte, 300), wsa.MSG_OOB)
			e.Code("Send(MSG_OOB)", err, 0)
			Equal(e, "bytes accepted", n, 100)
			_, err = e.P.Send(s, make([]byte, 200), wsa.MSG_OOB)
			e.Code("Send(MSG_OOB) without room", err, wsa.WSAEWOULDBLOCK)
			p.Send("[.] ack 1001")
			e.Net.Sleep(time.Millisecond)
			e.say(e.P, s, "plain")
		})
		Equal(e, "urgent segments", e.urgents("a"), "901+100^100")
		e.Notef("the last byte that was accepted is urgent; one that fails announces nothing")
	}},
	{ID: "OB-1", Title: "a blocking send that times out", Source: "W-OOB, TO-3", Run: func(e *Env) {
		e.played(func(s wsa.SOCKET, p *simnet.Peer) {
			e.Set(e.P, s, wsa.SOL_SOCKET, wsa.SO_SNDBUF, 1000)
			e.Set(e.P, s, wsa.SOL_SOCKET, wsa.SO_SNDTIMEO, 50)
			e.say(e.P, s, strings.Repeat("x", 900))
			_, err := e.P.Send(s, make([]byte, 300), wsa.MSG_OOB)
			e.Code("Send(MSG_OOB)", err, wsa.WSAETIMEDOUT)
			p.Send("[.] ack 1001")
			e.Net.Sleep(time.Millisecond)
			e.say(e.P, s, "plain")
			e.Net.Sleep(time.Millisecond)
			l := e.Segments("a")
			Equal(e, "flags of what follows", l[len(l)-1].Segment.Flags&trace.URG, 0)
		})
		e.Notef("what follows isn't urgent")
	}},
	{ID: "OB-1", Title: "a send that is refused while another one waits", Source: "W-OOB", Run: func(e *Env) {
		e.played(func(s wsa.SOCKET, p *simnet.Peer) {
			e.sndbuf(s, 1000)
			e.say(e.P, s, strings.Repeat("x", 900))
			waits := e.Go("the other", func() { e.oob(e.P, s, strings.Repeat("y", 300)) })
			e.Net.Sleep(time.Millisecond)
			_, err := e.P.Send(s, []byte("z"), wsa.MSG_OOB|wsa.MSG_PARTIAL)
			e.Code("flags", err, wsa.WSAEOPNOTSUPP)
			e.arrive(p, "[P.] ack 1", "a")
			e.Set(e.P, s, wsa.SOL_SOCKET, wsa.SO_SNDTIMEO, 50)
			_, err = e.P.Send(s, []byte("zz"), wsa.MSG_OOB)
			e.Code("no room", err, wsa.WSAETIMEDOUT)
			e.arrive(p, "[P.] seq 2 ack 1", "b")
			p.Send("[.] seq 3 ack 1001")
			waits.Wait()
		})
		Equal(e, "urgent segments", e.urgents("a"), "901+100^300 1001+0^200 1001+0^200 1001+200^200")
		e.Notef("what is announced of the other one stays: acknowledgements in between have its pointer")
	}},
	{ID: "OB-1", Title: "an overlapped send", Source: "W-OOB, API-WSASend", Run: func(e *Env) {
		e.urgent(func(s wsa.SOCKET, p *simnet.Peer) {
			e.sndbuf(s, 1000)
			e.say(e.P, s, strings.Repeat("x", 900))
			o, err := e.P.SendAsync(s, make([]byte, 300), wsa.MSG_OOB)
			e.Code("SendAsync(MSG_OOB)", err, 0)
			p.Send("[.] ack 1001")
			Equal(e, "outcome", e.outcome(o), "300 success")
		})
		Equal(e, "urgent segments", e.urgents("a"), "901+100^300 1001+200^200")
		e.Notef("one notification, of the last byte, on a non-blocking socket as well")
	}},
	{ID: "OB-1", Title: "an overlapped send that ends early", Source: "W-OOB, LG-19", Run: func(e *Env) {
		e.urgent(func(s wsa.SOCKET, p *simnet.Peer) {
			e.sndbuf(s, 1000)
			e.say(e.P, s, strings.Repeat("x", 900))
			for i, end := range []func(o *provider.Overlapped){
				func(o *provider.Overlapped) { e.Check(o.Cancel(), "Cancel found nothing pending") },
				func(*provider.Overlapped) { e.Code("CloseSocket", e.P.CloseSocket(s), 0) },
			} {
				o, err := e.P.SendAsync(s, make([]byte, 300), wsa.MSG_OOB)
				e.Code("SendAsync(MSG_OOB)", err, 0)
				end(o)
				e.Net.Sleep(time.Millisecond)
				p.Send(fmt.Sprintf("[.] ack %d", 1001+i*1000))
				e.Net.Sleep(time.Millisecond)
				if i == 0 {
					e.say(e.P, s, strings.Repeat("z", 900))
				}
			}
		})
		Equal(e, "urgent segments", e.urgents("a"), "901+100^300 1901+100^300")
		last := e.Segments("a")
		Equal(e, "flags of the FIN", last[len(last)-1].Segment.Flags&(trace.FIN|trace.URG), trace.FIN)
		e.Notef("what was accepted ends with the urgent byte; neither what follows nor the FIN is urgent")
	}},
	{ID: "OB-1", Title: "SD_SEND while a send waits", Source: "W-OOB", Run: func(e *Env) {
		e.played(func(s wsa.SOCKET, p *simnet.Peer) {
			e.sndbuf(s, 1000)
			e.say(e.P, s, strings.Repeat("x", 900))
			waits := e.Go("send", func() {
				_, err := e.P.Send(s, make([]byte, 300), wsa.MSG_OOB)
				e.Code("Send(MSG_OOB)", err, wsa.WSAESHUTDOWN)
			})
			e.Net.Sleep(time.Millisecond)
			e.Code("Shutdown", e.P.Shutdown(s, wsa.SD_SEND), 0)
			waits.Wait()
			e.Net.Sleep(time.Millisecond)
			l := e.Segments("a")
			Equal(e, "flags of the FIN", l[len(l)-1].Segment.Flags&(trace.FIN|trace.URG), trace.FIN)
		})
		Equal(e, "urgent segments", e.urgents("a"), "901+100^300")
		e.Notef("the FIN isn't urgent: what was announced doesn't come")
	}},
	{ID: "OB-14", Title: "sending with SO_OOBINLINE set", Source: "W-OOB", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			c, s := e.Connected()
			e.inline(e.P, c, 1)
			e.Nonblocking(e.Q, s, true)
			e.oob(e.P, c, "x")
			e.Net.Sleep(time.Second)
			Equal(e, "recv(MSG_OOB)", e.read(e.Q, s, wsa.MSG_OOB), "x")
		})
		e.Notef("the option concerns receiving only")
	}},
	{ID: "OB-15", Title: "BSD's reading", Source: "W-TCP", Run: func(e *Env) {
		e.urgent(func(s wsa.SOCKET, p *simnet.Peer) {
			Equal(e, "TCP_BSDURGENT", e.Get(e.P, s, wsa.IPPROTO_TCP, wsa.TCP_BSDURGENT), 1)
			e.oob(e.P, s, "ab")
			p.Expect("[P.U] seq 1:3 urg 2")
			e.arrive(p, "[P.U] ack 3 urg 2", "abc")
			Equal(e, "recv(MSG_OOB)", e.read(e.P, s, wsa.MSG_OOB), "b")
			Equal(e, "recv", e.reads(e.P, s), "a|c|-")
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
		e.Pair()
		e.Do(func() {
			for _, sender := range []bool{true, false} {
				c, s := e.Connected()
				e.Nonblocking(e.Q, s, true)
				if sender {
					e.Set(e.P, c, wsa.IPPROTO_TCP, wsa.TCP_EXPEDITED_1122, 1)
				} else {
					e.Set(e.Q, s, wsa.IPPROTO_TCP, wsa.TCP_EXPEDITED_1122, 1)
				}
				e.oob(e.P, c, "abc")
				e.Net.Sleep(time.Second)
				want := "b" // RFC 1122 to BSD: one too early
				if !sender {
					want = "-" // BSD to RFC 1122: one too late, which hasn't come
				}
				Equal(e, "recv(MSG_OOB)", e.read(e.Q, s, wsa.MSG_OOB), want)
				e.say(e.P, c, "de")
				e.Net.Sleep(time.Second)
				if sender {
					Equal(e, "recv", e.reads(e.Q, s), "a|cde|-")
				} else {
					Equal(e, "recv(MSG_OOB), later", e.read(e.Q, s, wsa.MSG_OOB), "d")
					Equal(e, "recv", e.reads(e.Q, s), "abc|e|-")
				}
			}
		})
		e.Notef("RFC 1122 to BSD finds the byte before, BSD to RFC 1122 the one behind")
	}},
	{ID: "OB-18", Title: "one way only", Source: "W-TCP", Once: true, Run: func(e *Env) {
		e.Pair()
		s := e.Stream()
		both := func() string {
			return fmt.Sprint(e.Get(e.P, s, wsa.IPPROTO_TCP, wsa.TCP_EXPEDITED_1122), e.Get(e.P, s, wsa.IPPROTO_TCP, wsa.TCP_BSDURGENT))
		}
		Equal(e, "at first", both(), "0 1")
		e.Set(e.P, s, wsa.IPPROTO_TCP, wsa.TCP_BSDURGENT, 1)
		Equal(e, "TRUE while TRUE", both(), "0 1")
		e.Set(e.P, s, wsa.IPPROTO_TCP, wsa.TCP_EXPEDITED_1122, 1)
		Equal(e, "turned on", both(), "1 0")
		e.Code("off", set(e.P, s, wsa.IPPROTO_TCP, wsa.TCP_EXPEDITED_1122, 0), wsa.WSAEINVAL)
		e.Code("TCP_BSDURGENT on", set(e.P, s, wsa.IPPROTO_TCP, wsa.TCP_BSDURGENT, 1), wsa.WSAEINVAL)
		Equal(e, "in the end", both(), "1 0")
		e.Notef("on once, then WSAEINVAL; the two read opposite")
	}},
	{ID: "OB-19", Title: "nothing without urgent data", Source: "design", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			c, s := e.Connected()
			e.oob(e.P, c, "x")
			e.Net.Sleep(time.Second)
			first := e.urgents("")
			e.Set(e.P, c, wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, 1)
			e.Net.Sleep(3 * time.Hour)
			e.say(e.P, c, strings.Repeat("y", 5000))
			e.say(e.Q, s, strings.Repeat("z", 5000))
			e.Net.Sleep(time.Second)
			e.Code("CloseSocket", e.P.CloseSocket(c), 0)
			e.Net.Sleep(time.Second)
			Equal(e, "urgent segments", e.urgents(""), first)
		})
		e.Check(e.Count("a", func(l simnet.Line) bool { return l.At > time.Hour && !data(l) }) > 0, "no keep-alive probe")
		e.Notef("once acknowledged it is forgotten: probes, later data and FIN have no pointer")
	}},
}

// rfc1122 is OB-16 with one of the options that select its reading.
func (e *Env) rfc1122(p *simnet.Peer, opt int32) {
	e.Do(func() {
		s := e.Stream()
		done := e.Go("connect", func() { e.Code("Connect", e.P.Connect(s, e.Addr(9, p.Local().Port())), 0) })
		p.Accept("mss 1000")
		done.Wait()
		e.Nonblocking(e.P, s, true)
		e.Set(e.P, s, wsa.IPPROTO_TCP, opt, 1)
		e.oob(e.P, s, "ab")
		p.Expect("[P.U] seq 1:3 urg 1")
		e.arrive(p, "[P.U] ack 3 urg 1", "abc")
		Equal(e, "recv(MSG_OOB)", e.read(e.P, s, wsa.MSG_OOB), "b")
		Equal(e, "recv", e.reads(e.P, s), "a|c|-")
		e.arrive(p, "[P.U] seq 4 ack 3 urg 0", "def")
		Equal(e, "recv(MSG_OOB) with a pointer of 0", e.read(e.P, s, wsa.MSG_OOB), "d")
		Equal(e, "recv", e.reads(e.P, s), "ef|-")
	})
}
