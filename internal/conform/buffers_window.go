package conform

import (
	"fmt"
	"time"

	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

// buffersWindowScenarios are BF-12 to BF-17: the receive window.
var buffersWindowScenarios = []Scenario{
	{ID: "BF-12", Title: "window and scale of a SYN", Source: "RFC 7323 2.3", Run: func(e *Env) {
		e.wired(func(w *simnet.Wire) {
			for i, tt := range []struct {
				size   uint32
				window uint16
				scale  int
			}{
				{1, 1460, 0}, {1460, 1460, 0}, {16384, 16384, 0}, {65535, 65535, 0},
				{65536, 65535, 1}, {200_000, 65535, 2}, {4 << 20, 65535, 7},
			} {
				window := tt.window
				if window == 1460 && e.Family == wsa.AF_INET6 {
					window = uint16(max(1440, tt.size)) // the floor is one MSS
				}
				s := e.stream()
				s.rcvbuf(tt.size)
				p := w.Listen(uint16(1000 + i))
				done := e.Go("connect", func() { s.connect(e.Addr(9, uint16(1000+i))) })
				a, err := p.Expect("[S]")
				e.Check(err == nil, "%v", err)
				Equal(e, fmt.Sprintf("window of the SYN with %d", tt.size), a.Segment.Window, window)
				Equal(e, "its scale", a.Segment.Options.WS, tt.scale)
				p.Send("[S.] <mss 1000,wscale 0>")
				a, err = p.Expect("[.] seq 1 ack 1")
				e.Check(err == nil, "%v", err)
				e.Check(a.Bytes <= max(int(tt.size), int(window)) && a.Bytes > max(int(tt.size), int(window))-1<<tt.scale,
					"window of the ACK with %d: %d", tt.size, a.Bytes)
				done.Wait()

				l := e.stream() // the other role
				l.rcvbuf(tt.size)
				l.bind(e.Any(uint16(2000 + i)))
				l.listen(5)
				c := w.Connect(e.Addr(1, uint16(2000+i)).String())
				c.Send("[S] <mss 1000,wscale 3>")
				a, err = c.Expect("[S.] seq 0 ack 1")
				e.Check(err == nil, "%v", err)
				Equal(e, fmt.Sprintf("window of the SYN-ACK with %d", tt.size), a.Segment.Window, window)
				Equal(e, "its scale", a.Segment.Options.WS, tt.scale)
				c.Send("[.]")
				l.close()
			}
		})
		e.Notef("1 to 4 MiB: min(65535, size, at least a segment), and the smallest scale that holds it")
	}},
	{ID: "BF-12", Title: "a peer that doesn't scale", Source: "RFC 7323 2.2", Run: func(e *Env) {
		for _, size := range []uint32{0, 200_000} { // 0: not set
			port := uint16(80 + size%7)
			p := e.hand().Listen(port)
			e.Do(func() {
				s := e.stream()
				if size != 0 {
					s.rcvbuf(size)
				}
				s.meets(p, "mss 1000")
				first := 65535
				if size == 0 {
					first = e.firstWindow()
				}
				window, _ := e.lastWindow()
				Equal(e, "window of the ACK", window, first)
				e.peerSends(p, 1000)
				window, _ = e.lastWindow()
				e.Check(window >= first-1000, "window after 1,000 bytes: %d", window)
				s.linger(0)
				s.close()
			})
			e.Net.ClearTrace()
		}
		e.Notef("65,535 at most, and no less than the SYN has promised")
	}},
	{ID: "BF-12", Title: "the window is the quota less what is unread", Source: "RFC 9293 3.8.6", Run: func(e *Env) {
		e.playedAs("mss 1000", func(s handle) { s.rcvbuf(5000) }, func(s handle, p *simnet.Peer) {
			for i := range 5 {
				e.peerSends(p, 1000)
				window, _ := e.lastWindow()
				Equal(e, "window", window, 5000-1000*(i+1))
			}
			s.recvAll(5000)
			e.monotonicEdges(1)
		})
		e.Notef("5000, 4000 … 0 as data arrives")
	}},
	{ID: "BF-12", Title: "a peer without window scaling", Source: "RFC 7323 2.2", Run: func(e *Env) {
		e.withBuffer(200_000, func(s handle, p *simnet.Peer) {
			p.Send("[P.]", make([]byte, 1000)...)
			p.Expect("[.] ack 1001 win 64535")
			p.Send("[P.]", make([]byte, 1000)...)
			p.Expect("[.] ack 2001 win 65535")
		})
		e.Notef("64535, then 65535: not scaled")
	}},
	{ID: "BF-13", Title: "a larger quota on a connection", Source: "RFC 1122 4.2.3.3", Run: func(e *Env) {
		e.playedAs("mss 1000,wscale 0", func(s handle) { s.rcvbuf(4096) }, func(s handle, p *simnet.Peer) {
			e.peerSends(p, 500)
			n := len(e.Segments("a"))
			s.rcvbuf(5596) // a segment, though the peer has room
			Equal(e, "segments after an increase by a segment", len(e.Segments("a"))-n, 1)
			s.rcvbuf(4096)
			e.peerSends(p, 3500)
			n = len(e.Segments("a"))
			s.rcvbuf(6096) // less than a segment: nobody is told
			Equal(e, "segments after a small increase", len(e.Segments("a"))-n, 0)
			s.rcvbuf(16384)
			Equal(e, "segments after a large one", len(e.Segments("a"))-n, 1)
			window, _ := e.lastWindow()
			Equal(e, "window", window, 16384-4000)
			s.rcvbuf(1 << 20) // no scale was offered for so much
			window, _ = e.lastWindow()
			Equal(e, "window without a scale", window, 65535)
			s.reads(wsa.SOL_SOCKET, wsa.SO_RCVBUF, 1<<20)
		})
		e.Notef("500 bytes more: silence; 1,500 and 10,288 more: an update at once; never beyond 65,535")
	}},
	{ID: "BF-14", Title: "a smaller quota on a connection", Source: "OBS", Run: func(e *Env) {
		e.playedAs("mss 1000", func(s handle) { s.rcvbuf(12288) }, func(s handle, p *simnet.Peer) {
			e.peerSends(p, 1000)
			_, edge := e.lastWindow()
			Equal(e, "right edge", edge, 12289)
			s.rcvbuf(1024)
			e.peerSends(p, 11288) // what was permitted
			window, now := e.lastWindow()
			Equal(e, "right edge after shrinking", now, edge)
			Equal(e, "window", window, 0)
			s.recvAll(11000)
			window, _ = e.lastWindow()
			Equal(e, "window with 1,288 unread of a quota of 1,024", window, 0)
			s.recvAll(1288)
			window, _ = e.lastWindow()
			Equal(e, "window with nothing unread", window, max(1024, e.ownMSS()))
			e.monotonicEdges(1)
		})
		e.Notef("the edge stays; all 12,288 bytes are taken; then the window is that of the new size")
	}},
	{ID: "BF-14", Title: "a first quota on a connection", Source: "OBS", Run: func(e *Env) {
		step := uint32(1) << e.Profile.Wire().WindowScale
		e.playedAs("mss 1000,wscale 7", nil, func(s handle, p *simnet.Peer) {
			e.peerSends(p, 1000)
			_, edge := e.lastWindow()
			s.rcvbuf(4096)
			e.peerSends(p, 20_000)
			_, now := e.lastWindow()
			e.Check(now == edge || edge-now < step, "the edge moves from %d to %d", edge, now)
			s.recvAll(21_000)
			e.monotonicEdges(step)
		})
		e.Notef("what netstack had permitted stays permitted")
	}},
	{ID: "BF-15", Title: "a small opening isn't told", Source: "RFC 1122 4.2.3.3", Run: func(e *Env) {
		e.playedAs("mss 1000", func(s handle) { s.rcvbuf(8000) }, func(s handle, p *simnet.Peer) {
			e.peerSends(p, 8000)
			window, _ := e.lastWindow()
			Equal(e, "window", window, 0)
			n := len(e.Segments("a"))
			step := min(e.ownMSS(), 4000)
			s.recvAll(step - 1)
			Equal(e, "segments after all but one byte of a segment", len(e.Segments("a"))-n, 0)
			e.arrive(p, "[.] seq 8001 len 1") // a probe: the answer doesn't tell either
			window, _ = e.lastWindow()
			Equal(e, "window of the answer to a probe", window, 0)
			s.recvAll(1)
			window, _ = e.lastWindow()
			Equal(e, "window after a segment's worth", window, step)
		})
		e.Notef("0 until a segment's worth is free, then all of it")
	}},
	{ID: "BF-15", Title: "half of a small buffer", Source: "RFC 1122 4.2.3.3", Run: func(e *Env) {
		e.playedAs("mss 1000", func(s handle) { s.rcvbuf(2000) }, func(s handle, p *simnet.Peer) {
			e.peerSends(p, 2000)
			n := len(e.Segments("a"))
			s.recvAll(999)
			Equal(e, "segments after 999 of 2,000 bytes", len(e.Segments("a"))-n, 0)
			s.recvAll(1)
			window, _ := e.lastWindow()
			Equal(e, "window after half", window, 1000)
		})
		e.Notef("with 2,000 bytes, 1,000 are told and 999 are not")
	}},
	{ID: "BF-16", Title: "a full buffer", Source: "RFC 1122 4.2.2.17", Run: func(e *Env) {
		e.playedAs("mss 1000", func(s handle) { s.rcvbuf(3000) }, func(s handle, p *simnet.Peer) {
			e.peerSends(p, 3000)
			for i := range 3 { // the peer persists, with a byte that isn't permitted
				n := len(e.Segments("a"))
				p.Send("[.] seq 3001 len 1", byte('A'+i))
				e.Net.Sleep(time.Second)
				lines := e.Segments("a")[n:]
				Equal(e, "answers to a probe", len(lines), 1)
				Equal(e, "its ACK and window", fmt.Sprint(lines[0].Segment.Ack, lines[0].Window), "3001 0")
			}
			Equal(e, "unread", string(s.recvAll(3000)[:3]), "xxx")
			window, _ := e.lastWindow()
			Equal(e, "window", window, 3000)
			p.Send("[.] seq 3001 len 1", 'Z')
			Equal(e, "the byte after the pause", string(s.recvAll(1)), "Z")
		})
		e.Notef("each probe is answered with window 0, its byte isn't taken; reading reopens; nothing is lost")
	}},
	{ID: "BF-16", Title: "acknowledgements count at a closed window", Source: "RFC 9293 3.10.7.4", Run: func(e *Env) {
		e.playedAs("mss 1000", func(s handle) { s.rcvbuf(3000) }, func(s handle, p *simnet.Peer) {
			e.peerSends(p, 3000)
			s.send(10)
			s.send(20) // held
			e.arrive(p, "[.] seq 3001 ack 11 len 1")
			Equal(e, "segments with data", e.lengths("a", 0), "10 20")
			p.Send("[.] seq 3001 ack 31")
			e.Net.Sleep(5 * time.Second)
			Equal(e, "retransmissions", e.lengths("a", 0), "10 20")
		})
		e.Notef("the ACK on data that isn't permitted releases what Nagle held")
	}},
	{ID: "BF-16", Title: "small segments up to the window", Source: "RFC 9293 3.8.6", Run: func(e *Env) {
		e.playedAs("mss 1000", func(s handle) { s.rcvbuf(4000) }, func(s handle, p *simnet.Peer) {
			for i := range 4000 {
				p.Send("[.] len 1", byte(i))
			}
			e.Net.Sleep(time.Second)
			window, edge := e.lastWindow()
			Equal(e, "window and edge", fmt.Sprint(window, edge), "0 4001")
			Equal(e, "its size", s.ioctl(wsa.FIONREAD, nil, make([]byte, 4)), 4)
			for i, b := range s.recvAll(4000) {
				e.Check(b == byte(i), "byte %d is %d", i, b)
			}
		})
		e.Notef("4,000 segments of one byte: every one is acknowledged and read")
	}},
	{ID: "BF-17", Title: "SO_RCVBUF 0", Source: "W-SOL", Run: func(e *Env) {
		e.playedAs("mss 1000", func(s handle) { s.rcvbuf(0) }, func(s handle, p *simnet.Peer) {
			Equal(e, "value read", s.get(wsa.SOL_SOCKET, wsa.SO_RCVBUF), 0)
			mss := e.ownMSS()
			window, _ := e.lastWindow()
			Equal(e, "window", window, mss)
			for range 3 {
				e.arrive(p, fmt.Sprintf("[.] len %d", mss))
				e.Net.Sleep(e.ackDelay())
				window, _ = e.lastWindow()
				Equal(e, "window when full", window, 0)
				s.recvAll(mss)
				window, _ = e.lastWindow()
				Equal(e, "window after reading", window, mss)
			}
		})
		e.Notef("a window of one segment; the connection works")
	}},
}
