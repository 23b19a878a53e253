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

// read is what one recv of a non-blocking socket returns: its bytes, "-" when
// it would block, or the code.
func (h handle) read(flags int32) string {
	b := make([]byte, 100)
	n, err := h.p.Recv(h.s, b, flags)
	switch err {
	case nil:
		return string(b[:n])
	case wsa.WSAEWOULDBLOCK:
		return "-"
	}
	return fmt.Sprint(int(err.(wsa.Errno)))
}

// readAll makes several calls of read, until one would block: "ab|c|-".
func (h handle) readAll() string {
	var out []string
	for range 20 {
		out = append(out, h.read(0))
		if last := out[len(out)-1]; last == "-" || last == "" {
			break
		}
	}
	return strings.Join(out, "|")
}

// urgentScenarios are OB-1: sending urgent data.
var urgentScenarios = []Scenario{
	{ID: "OB-1", Title: "the last byte is urgent", Source: "W-OOB, RFC 9293 3.8.5", Run: func(e *Env) {
		e.played(func(s handle, p *simnet.Peer) {
			s.say("plain")
			p.Expect("[P.] seq 1:6 ack 1")
			p.Send("[.]")
			s.oob("abc")
			p.Expect("[P.U] seq 6:9 ack 1 urg 3")
			e.Net.Sleep(300 * time.Millisecond)
			p.Expect("[P.U] seq 6:9 ack 1 urg 3") // sent again
			e.arrive(p, "[.] ack 9")
			s.say("plain")
			p.Expect("[P.] seq 9:14 ack 1 urg 0")
			p.Send("[.] ack 14")
		})
		e.Notef("pointer 3 for 3 bytes, again when it is retransmitted, none once it is acknowledged")
	}},
	{ID: "OB-1", Title: "each segment before the byte points at it", Source: "RFC 9293 3.8.5", Run: func(e *Env) {
		e.played(func(s handle, p *simnet.Peer) {
			s.oob(strings.Repeat("x", 2500))
			p.Send("[P.] ack 1001", []byte("hello")...)
			e.Net.Sleep(time.Millisecond)
			s.say("q") // held
		})
		Equal(e, "urgent segments", e.urgents("a"), "1+1000^2500 1001+1000^1500 2001+500^500")
		e.Notef("pointers 2500, 1500, 500; an acknowledgement with SEQ behind the byte has none")
	}},
	{ID: "OB-1", Title: "the pointer has 16 bits", Source: "RFC 9293 3.8.5", Run: func(e *Env) {
		e.connected(func(c, s handle) {
			size := 150_000
			done := e.Go("recv", func() {
				got := make([]byte, 0, size)
				for len(got) < size-1 {
					b := make([]byte, 4096)
					n := s.recvInto(b, 0)
					got = append(got, b[:n]...)
				}
				e.Check(strings.Count(string(got), "x") == size-1, "%d bytes of the stream", strings.Count(string(got), "x"))
				b := make([]byte, 1)
				s.recvInto(b, wsa.MSG_OOB)
				Equal(e, "the urgent byte", string(b), "!")
			})
			c.oob(strings.Repeat("x", size-1) + "!")
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
		e.Check(capped >= 10, "%d segments with 65535", capped)
		e.Notef("%d segments say 65535, the others the byte itself; the receiver finds one urgent byte", capped)
	}},
	{ID: "OB-1", Title: "into a zero window", Source: "W-OOB, RFC 9293 3.8.6", Run: func(e *Env) {
		e.played(func(s handle, p *simnet.Peer) {
			e.arrive(p, "[.] win 0")
			now := e.Net.Now()
			s.oob("abc")
			a, err := p.Expect("[.U] seq 1 ack 1 len 0 urg 3")
			e.Check(err == nil, "%v", err)
			Equal(e, "time", a.At, now)
			talk(p, "> [.] ack 1 win 1000", "< [P.U] seq 1:4 ack 1 urg 3", "> [.] ack 4")
		})
		e.Notef("a segment without data with pointer 3, at once; the data when the window opens")
	}},
	{ID: "OB-1", Title: "into a window too small to be used", Source: "RFC 1122 4.2.3.4", Run: func(e *Env) {
		e.played(func(s handle, p *simnet.Peer) {
			e.arrive(p, "[.] win 5000")
			s.send(5000)
			e.Net.Sleep(time.Millisecond)
			e.arrive(p, "[.] ack 5001 win 10") // silly: nobody sends 10 bytes
			s.send(50)
			e.Net.Sleep(10 * time.Millisecond)
			before := e.Count("a", data)
			s.oob("!")
			e.Net.Sleep(10 * time.Millisecond)
			e.Check(e.Count("a", data) > before, "the window isn't used")
			e.Check(strings.Contains(e.urgents("a"), "^51"), "urgent segments: %s", e.urgents("a"))
		})
		e.Notef("urgent data uses it")
	}},
	{ID: "OB-1", Title: "errors", Source: "W-OOB", Run: func(e *Env) {
		e.Pair()
		d := e.datagram()
		d.connect(e.Addr(2, 53))
		d.as("Send on a datagram socket").oob("x", wsa.WSAEOPNOTSUPP)
		e.datagram().sendSomeTo([]byte("x"), wsa.MSG_OOB, e.Addr(2, 53), wsa.WSAEOPNOTSUPP)
		e.stream().as("not connected").oob("x", wsa.WSAENOTCONN)
		Equal(e, "packets", len(e.Segments("a")), 0)
		e.Do(func() {
			c, _ := e.connection()
			before := len(e.Segments("a"))
			Equal(e, "bytes", c.as("Send of nothing").sendSome(nil, wsa.MSG_OOB), 0)
			Equal(e, "segments", len(e.Segments("a"))-before, 0)
			c.shutdown(wsa.SD_SEND)
			c.as("after SD_SEND").oob("x", wsa.WSAESHUTDOWN)
		})
		e.Notef("WSAEOPNOTSUPP on datagram sockets, WSAENOTCONN, WSAESHUTDOWN; nothing for nothing")
	}},
	{ID: "OB-1", Title: "a non-blocking send that is cut short", Source: "W-OOB", Profiles: documentedOnly,
		Why: "C-07: Windows accepts whole sends while less than SO_SNDBUF is queued (BF-8, WC-1)", Run: func(e *Env) {
			e.played(func(s handle, p *simnet.Peer) {
				s.set(wsa.SOL_SOCKET, wsa.SO_SNDBUF, 1000)
				s.nonblocking(true)
				s.say(strings.Repeat("x", 900))
				Equal(e, "bytes accepted", s.sendSome(make([]byte, 300), wsa.MSG_OOB), 100)
				s.as("Send(MSG_OOB) without room").sendSome(make([]byte, 200), wsa.MSG_OOB, wsa.WSAEWOULDBLOCK)
				e.arrive(p, "[.] ack 1001")
				s.say("plain")
			})
			Equal(e, "urgent segments", e.urgents("a"), "901+100^100")
			e.Notef("the last byte that was accepted is urgent; one that fails announces nothing")
		}},
	{ID: "OB-1", Title: "a blocking send that times out", Source: "W-OOB, TO-3", Profiles: documentedOnly,
		Why: "C-07: Windows accepts whole sends while less than SO_SNDBUF is queued (BF-8, WC-1)", Run: func(e *Env) {
			e.played(func(s handle, p *simnet.Peer) {
				s.set(wsa.SOL_SOCKET, wsa.SO_SNDBUF, 1000)
				s.set(wsa.SOL_SOCKET, wsa.SO_SNDTIMEO, 50)
				s.say(strings.Repeat("x", 900))
				s.sendSome(make([]byte, 300), wsa.MSG_OOB, wsa.WSAETIMEDOUT)
				e.arrive(p, "[.] ack 1001")
				s.say("plain")
				e.Net.Sleep(time.Millisecond)
				l := e.Segments("a")
				Equal(e, "flags of what follows", l[len(l)-1].Segment.Flags&trace.URG, 0)
			})
			e.Notef("what follows isn't urgent")
		}},
	{ID: "OB-1", Title: "a send that is refused while another one waits", Source: "W-OOB", Profiles: documentedOnly,
		Why: "C-07: Windows accepts whole sends while less than SO_SNDBUF is queued (BF-8, WC-1)", Run: func(e *Env) {
			e.played(func(s handle, p *simnet.Peer) {
				s.sndbuf(1000)
				s.say(strings.Repeat("x", 900))
				waits := e.Go("the other", func() { s.oob(strings.Repeat("y", 300)) })
				e.Net.Sleep(time.Millisecond)
				s.as("flags").sendSome([]byte("z"), wsa.MSG_OOB|wsa.MSG_PARTIAL, wsa.WSAEOPNOTSUPP)
				e.arrive(p, "[P.] ack 1", "a")
				s.set(wsa.SOL_SOCKET, wsa.SO_SNDTIMEO, 50)
				s.as("no room").oob("zz", wsa.WSAETIMEDOUT)
				e.arrive(p, "[P.] seq 2 ack 1", "b")
				p.Send("[.] seq 3 ack 1001")
				waits.Wait()
			})
			Equal(e, "urgent segments", e.urgents("a"), "901+100^300 1001+0^200 1001+0^200 1001+200^200")
			e.Notef("what is announced of the other one stays: acknowledgements in between have its pointer")
		}},
	{ID: "OB-1", Title: "an overlapped send", Source: "W-OOB, API-WSASend", Profiles: documentedOnly,
		Why: "C-07: Windows accepts whole sends while less than SO_SNDBUF is queued (BF-8, WC-1)", Run: func(e *Env) {
			e.urgent(func(s handle, p *simnet.Peer) {
				s.sndbuf(1000)
				s.say(strings.Repeat("x", 900))
				o := s.sendAsyncFlags(make([]byte, 300), wsa.MSG_OOB)
				p.Send("[.] ack 1001")
				Equal(e, "outcome", e.outcome(o), "300 success")
			})
			Equal(e, "urgent segments", e.urgents("a"), "901+100^300 1001+200^200")
			e.Notef("one notification, of the last byte, on a non-blocking socket as well")
		}},
	{ID: "OB-1", Title: "an overlapped send that ends early", Source: "W-OOB, LG-19", Profiles: documentedOnly,
		Why: "C-07: Windows accepts whole sends while less than SO_SNDBUF is queued (BF-8, WC-1)", Run: func(e *Env) {
			e.urgent(func(s handle, p *simnet.Peer) {
				s.sndbuf(1000)
				s.say(strings.Repeat("x", 900))
				for i, end := range []func(o *provider.Overlapped){
					func(o *provider.Overlapped) { e.Check(o.Cancel(), "Cancel found nothing pending") },
					func(*provider.Overlapped) { s.close() },
				} {
					o := s.sendAsyncFlags(make([]byte, 300), wsa.MSG_OOB)
					end(o)
					e.Net.Sleep(time.Millisecond)
					e.arrive(p, fmt.Sprintf("[.] ack %d", 1001+i*1000))
					if i == 0 {
						s.say(strings.Repeat("z", 900))
					}
				}
			})
			Equal(e, "urgent segments", e.urgents("a"), "901+100^300 1901+100^300")
			last := e.Segments("a")
			Equal(e, "flags of the FIN", last[len(last)-1].Segment.Flags&(trace.FIN|trace.URG), trace.FIN)
			e.Notef("what was accepted ends with the urgent byte; neither what follows nor the FIN is urgent")
		}},
	{ID: "OB-1", Title: "SD_SEND while a send waits", Source: "W-OOB", Profiles: documentedOnly,
		Why: "C-07: Windows accepts whole sends while less than SO_SNDBUF is queued (BF-8, WC-1)", Run: func(e *Env) {
			e.played(func(s handle, p *simnet.Peer) {
				s.sndbuf(1000)
				s.say(strings.Repeat("x", 900))
				waits := e.Go("send", func() { s.sendSome(make([]byte, 300), wsa.MSG_OOB, wsa.WSAESHUTDOWN) })
				e.Net.Sleep(time.Millisecond)
				s.shutdown(wsa.SD_SEND)
				waits.Wait()
				e.Net.Sleep(time.Millisecond)
				l := e.Segments("a")
				Equal(e, "flags of the FIN", l[len(l)-1].Segment.Flags&(trace.FIN|trace.URG), trace.FIN)
			})
			Equal(e, "urgent segments", e.urgents("a"), "901+100^300")
			e.Notef("the FIN isn't urgent: what was announced doesn't come")
		}},
}
