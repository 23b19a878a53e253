package conform

import (
	"fmt"
	"time"

	"github.com/wsstack/wsstack/internal/trace"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

func init() { bfScenarios = append(bfScenarios, recvWindows...) }

// recvAll reads n bytes on A, in one piece.
func (e *Env) recvAll(s wsa.SOCKET, n int) []byte {
	b := make([]byte, n)
	got, err := e.P.Recv(s, b, wsa.MSG_WAITALL)
	e.Code(fmt.Sprintf("Recv of %d bytes", n), err, 0)
	Equal(e, "bytes read", got, n)
	return b
}

// peerSends sends n bytes to A in segments of 1000, and lets them arrive.
func (e *Env) peerSends(p *simnet.Peer, n int) {
	for ; n > 0; n -= 1000 {
		p.Send(fmt.Sprintf("[.] len %d", min(n, 1000)))
	}
	e.Net.Sleep(time.Millisecond)
}

// lastWindow is the window of the last segment of A, in bytes, and the right
// edge it stands for.
func (e *Env) lastWindow() (window int, edge uint32) {
	lines := e.Segments("a")
	l := lines[len(lines)-1]
	return l.Window, l.Segment.Ack + uint32(l.Window)
}

// edges are the right edges that A has promised, in order; they must not move
// left by more than the window scale rounds.
func (e *Env) monotonicEdges(granularity uint32) {
	var edge uint32
	for _, l := range e.Segments("a") {
		if l.Kind != trace.TCP || l.Segment.Flags&trace.ACK == 0 {
			continue
		}
		now := l.Segment.Ack + uint32(l.Window)
		e.Check(int32(now-edge) > -int32(granularity), "the right edge moves left, from %d to %d: %s", edge, now, l.Text)
		edge = max(edge, now)
	}
}

var recvWindows = []Scenario{
	{ID: "BF-12", Title: "window and scale of a SYN", Source: "RFC 7323 2.3", Run: func(e *Env) {
		w := e.Wire()
		e.Do(func() {
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
				s := e.Stream()
				e.rcvbuf(s, tt.size)
				p := w.Listen(uint16(1000 + i))
				done := e.Go("connect", func() { e.Code("Connect", e.P.Connect(s, e.Addr(9, uint16(1000+i))), 0) })
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

				l := e.Stream() // the other role
				e.rcvbuf(l, tt.size)
				e.Code("Bind", e.P.Bind(l, e.Any(uint16(2000+i))), 0)
				e.Code("Listen", e.P.Listen(l, 5), 0)
				c := w.Connect(e.Addr(1, uint16(2000+i)).String())
				c.Send("[S] <mss 1000,wscale 3>")
				a, err = c.Expect("[S.] seq 0 ack 1")
				e.Check(err == nil, "%v", err)
				Equal(e, fmt.Sprintf("window of the SYN-ACK with %d", tt.size), a.Segment.Window, window)
				Equal(e, "its scale", a.Segment.Options.WS, tt.scale)
				c.Send("[.]")
				e.Code("CloseSocket", e.P.CloseSocket(l), 0)
			}
		})
		e.Notef("1 to 4 MiB: min(65535, size, at least a segment), and the smallest scale that holds it")
	}},
	{ID: "BF-12", Title: "a peer that doesn't scale", Source: "RFC 7323 2.2", Run: func(e *Env) {
		for _, size := range []uint32{0, 200_000} { // 0: not set
			port := uint16(80 + size%7)
			p := e.hand().Listen(port)
			e.Do(func() {
				s := e.Stream()
				if size != 0 {
					e.rcvbuf(s, size)
				}
				done := e.Go("connect", func() { e.Code("Connect", e.P.Connect(s, e.Addr(9, port)), 0) })
				p.Accept("mss 1000")
				done.Wait()
				window, _ := e.lastWindow()
				Equal(e, "window of the ACK", window, 65535)
				e.peerSends(p, 1000)
				window, _ = e.lastWindow()
				e.Check(window >= 64535, "window after 1,000 bytes: %d", window)
				e.Linger(e.P, s, 0)
				e.Code("CloseSocket", e.P.CloseSocket(s), 0)
			})
			e.Net.ClearTrace()
		}
		e.Notef("65,535 at most, and no less than the SYN has promised")
	}},
	{ID: "BF-12", Title: "the window is the quota less what is unread", Source: "RFC 9293 3.8.6", Run: func(e *Env) {
		e.playedAs("mss 1000", func(s wsa.SOCKET) { e.rcvbuf(s, 5000) }, func(s wsa.SOCKET, p *simnet.Peer) {
			for i := range 5 {
				e.peerSends(p, 1000)
				window, _ := e.lastWindow()
				Equal(e, "window", window, 5000-1000*(i+1))
			}
			e.recvAll(s, 5000)
			e.monotonicEdges(1)
		})
		e.Notef("5000, 4000 … 0 as data arrives")
	}},
	{ID: "BF-13", Title: "a larger quota on a connection", Source: "RFC 1122 4.2.3.3", Run: func(e *Env) {
		e.playedAs("mss 1000,wscale 0", func(s wsa.SOCKET) { e.rcvbuf(s, 4096) }, func(s wsa.SOCKET, p *simnet.Peer) {
			e.peerSends(p, 500)
			n := len(e.Segments("a"))
			e.rcvbuf(s, 5596) // a segment, though the peer has room
			Equal(e, "segments after an increase by a segment", len(e.Segments("a"))-n, 1)
			e.rcvbuf(s, 4096)
			e.peerSends(p, 3500)
			n = len(e.Segments("a"))
			e.rcvbuf(s, 6096) // less than a segment: nobody is told
			Equal(e, "segments after a small increase", len(e.Segments("a"))-n, 0)
			e.rcvbuf(s, 16384)
			Equal(e, "segments after a large one", len(e.Segments("a"))-n, 1)
			window, _ := e.lastWindow()
			Equal(e, "window", window, 16384-4000)
			e.rcvbuf(s, 1<<20) // no scale was offered for so much
			window, _ = e.lastWindow()
			Equal(e, "window without a scale", window, 65535)
			Equal(e, "SO_RCVBUF", e.Get(e.P, s, wsa.SOL_SOCKET, wsa.SO_RCVBUF), 1<<20)
		})
		e.Notef("500 bytes more: silence; 1,500 and 10,288 more: an update at once; never beyond 65,535")
	}},
	{ID: "BF-14", Title: "a smaller quota on a connection", Source: "OBS", Run: func(e *Env) {
		e.playedAs("mss 1000", func(s wsa.SOCKET) { e.rcvbuf(s, 12288) }, func(s wsa.SOCKET, p *simnet.Peer) {
			e.peerSends(p, 1000)
			_, edge := e.lastWindow()
			Equal(e, "right edge", edge, 12289)
			e.rcvbuf(s, 1024)
			e.peerSends(p, 11288) // what was permitted
			window, now := e.lastWindow()
			Equal(e, "right edge after shrinking", now, edge)
			Equal(e, "window", window, 0)
			e.recvAll(s, 11000)
			window, _ = e.lastWindow()
			Equal(e, "window with 1,288 unread of a quota of 1,024", window, 0)
			e.recvAll(s, 1288)
			window, _ = e.lastWindow()
			Equal(e, "window with nothing unread", window, max(1024, e.ownMSS()))
			e.monotonicEdges(1)
		})
		e.Notef("the edge stays; all 12,288 bytes are taken; then the window is that of the new size")
	}},
	{ID: "BF-14", Title: "a first quota on a connection", Source: "OBS", Run: func(e *Env) {
		e.playedAs("mss 1000,wscale 7", nil, func(s wsa.SOCKET, p *simnet.Peer) {
			e.peerSends(p, 1000)
			_, edge := e.lastWindow()
			e.rcvbuf(s, 4096)
			e.peerSends(p, 20_000)
			_, now := e.lastWindow()
			e.Check(now == edge || edge-now < 1<<7, "the edge moves from %d to %d", edge, now)
			e.recvAll(s, 21_000)
			e.monotonicEdges(1 << 7)
		})
		e.Notef("what netstack had permitted stays permitted")
	}},
	{ID: "BF-15", Title: "a small opening isn't told", Source: "RFC 1122 4.2.3.3", Run: func(e *Env) {
		e.playedAs("mss 1000", func(s wsa.SOCKET) { e.rcvbuf(s, 8000) }, func(s wsa.SOCKET, p *simnet.Peer) {
			e.peerSends(p, 8000)
			window, _ := e.lastWindow()
			Equal(e, "window", window, 0)
			n := len(e.Segments("a"))
			step := min(e.ownMSS(), 4000)
			e.recvAll(s, step-1)
			Equal(e, "segments after all but one byte of a segment", len(e.Segments("a"))-n, 0)
			p.Send("[.] seq 8001 len 1") // a probe: the answer doesn't tell either
			e.Net.Sleep(time.Millisecond)
			window, _ = e.lastWindow()
			Equal(e, "window of the answer to a probe", window, 0)
			e.recvAll(s, 1)
			window, _ = e.lastWindow()
			Equal(e, "window after a segment's worth", window, step)
		})
		e.Notef("0 until a segment's worth is free, then all of it")
	}},
	{ID: "BF-15", Title: "half of a small buffer", Source: "RFC 1122 4.2.3.3", Run: func(e *Env) {
		e.playedAs("mss 1000", func(s wsa.SOCKET) { e.rcvbuf(s, 2000) }, func(s wsa.SOCKET, p *simnet.Peer) {
			e.peerSends(p, 2000)
			n := len(e.Segments("a"))
			e.recvAll(s, 999)
			Equal(e, "segments after 999 of 2,000 bytes", len(e.Segments("a"))-n, 0)
			e.recvAll(s, 1)
			window, _ := e.lastWindow()
			Equal(e, "window after half", window, 1000)
		})
		e.Notef("with 2,000 bytes, 1,000 are told and 999 are not")
	}},
	{ID: "BF-16", Title: "a full buffer", Source: "RFC 1122 4.2.2.17", Run: func(e *Env) {
		e.playedAs("mss 1000", func(s wsa.SOCKET) { e.rcvbuf(s, 3000) }, func(s wsa.SOCKET, p *simnet.Peer) {
			e.peerSends(p, 3000)
			for i := range 3 { // the peer persists, with a byte that isn't permitted
				n := len(e.Segments("a"))
				p.Send("[.] seq 3001 len 1", byte('A'+i))
				e.Net.Sleep(time.Second)
				lines := e.Segments("a")[n:]
				Equal(e, "answers to a probe", len(lines), 1)
				Equal(e, "its ACK and window", fmt.Sprint(lines[0].Segment.Ack, lines[0].Window), "3001 0")
			}
			Equal(e, "unread", string(e.recvAll(s, 3000)[:3]), "xxx")
			window, _ := e.lastWindow()
			Equal(e, "window", window, 3000)
			p.Send("[.] seq 3001 len 1", 'Z')
			Equal(e, "the byte after the pause", string(e.recvAll(s, 1)), "Z")
		})
		e.Notef("each probe is answered with window 0, its byte isn't taken; reading reopens; nothing is lost")
	}},
	{ID: "BF-16", Title: "acknowledgements count at a closed window", Source: "RFC 9293 3.10.7.4", Run: func(e *Env) {
		e.playedAs("mss 1000", func(s wsa.SOCKET) { e.rcvbuf(s, 3000) }, func(s wsa.SOCKET, p *simnet.Peer) {
			e.peerSends(p, 3000)
			e.send(s, 10)
			e.send(s, 20) // held
			p.Send("[.] seq 3001 ack 11 len 1")
			e.Net.Sleep(time.Millisecond)
			Equal(e, "segments with data", e.lengths("a", 0), "10 20")
			p.Send("[.] seq 3001 ack 31")
			e.Net.Sleep(5 * time.Second)
			Equal(e, "retransmissions", e.lengths("a", 0), "10 20")
		})
		e.Notef("the ACK on data that isn't permitted releases what Nagle held")
	}},
	{ID: "BF-17", Title: "SO_RCVBUF 0", Source: "W-SOL", Run: func(e *Env) {
		e.playedAs("mss 1000", func(s wsa.SOCKET) { e.rcvbuf(s, 0) }, func(s wsa.SOCKET, p *simnet.Peer) {
			Equal(e, "value read", e.Get(e.P, s, wsa.SOL_SOCKET, wsa.SO_RCVBUF), 0)
			mss := e.ownMSS()
			window, _ := e.lastWindow()
			Equal(e, "window", window, mss)
			for range 3 {
				p.Send(fmt.Sprintf("[.] len %d", mss))
				e.Net.Sleep(time.Millisecond)
				window, _ = e.lastWindow()
				Equal(e, "window when full", window, 0)
				e.recvAll(s, mss)
				window, _ = e.lastWindow()
				Equal(e, "window after reading", window, mss)
			}
		})
		e.Notef("a window of one segment; the connection works")
	}},
	{ID: "BF-20", Title: "a listener's buffers", Source: "W-SOL", Run: func(e *Env) {
		w := e.Wire()
		e.Do(func() {
			l := e.Listener(e.P, 80)
			e.rcvbuf(l, 3000) // also after listen: later connections have it
			e.sndbuf(l, 2000)
			p := w.Connect(e.Addr(1, 80).String())
			p.Send("[S] <mss 1000>")
			p.Expect("[S.] seq 0 ack 1 win 3000")
			p.Send("[.]")
			for range 3 { // before accept
				e.peerSends(p, 1000)
			}
			window, _ := e.lastWindow()
			Equal(e, "window before accept", window, 0)
			p.Send("[.] seq 3001 len 1")
			e.Net.Sleep(time.Millisecond)
			window, edge := e.lastWindow()
			Equal(e, "answer to a probe before accept", fmt.Sprint(window, edge), "0 3001")
			s, _, err := e.P.Accept(l)
			e.Code("Accept", err, 0)
			Equal(e, "SO_RCVBUF", e.Get(e.P, s, wsa.SOL_SOCKET, wsa.SO_RCVBUF), 3000)
			Equal(e, "SO_SNDBUF", e.Get(e.P, s, wsa.SOL_SOCKET, wsa.SO_SNDBUF), 2000)
			e.recvAll(s, 3000)
			window, _ = e.lastWindow()
			Equal(e, "window after reading", window, 3000)
			e.Nonblocking(e.P, s, true)
			e.accepts(s, 1, 1)
			e.accepts(s, 9000, 1999)
		})
		e.Notef("the SYN-ACK has the listener's window, the accepted socket both sizes")
	}},
	{ID: "BF-16", Title: "small segments up to the window", Source: "RFC 9293 3.8.6", Run: func(e *Env) {
		e.playedAs("mss 1000", func(s wsa.SOCKET) { e.rcvbuf(s, 4000) }, func(s wsa.SOCKET, p *simnet.Peer) {
			for i := range 4000 {
				p.Send("[.] len 1", byte(i))
			}
			e.Net.Sleep(time.Second)
			window, edge := e.lastWindow()
			Equal(e, "window and edge", fmt.Sprint(window, edge), "0 4001")
			n, err := e.P.Ioctl(s, wsa.FIONREAD, nil, make([]byte, 4))
			e.Code("FIONREAD", err, 0)
			Equal(e, "its size", n, 4)
			for i, b := range e.recvAll(s, 4000) {
				e.Check(b == byte(i), "byte %d is %d", i, b)
			}
		})
		e.Notef("4,000 segments of one byte: every one is acknowledged and read")
	}},
	{ID: "BF-21", Title: "what the SYN has promised is taken", Source: "RFC 9293 3.8.6", Run: func(e *Env) {
		port := uint16(80)
		for _, size := range []int{500, 599, 1000} {
			p := e.hand().Listen(port)
			e.Do(func() {
				s := e.Stream()
				done := e.Go("connect", func() { e.Code("Connect", e.P.Connect(s, e.Addr(9, port)), 0) })
				p.Accept("mss 1000")
				done.Wait()
				sent := 0
				for ; sent+size <= 65535; sent += size {
					p.Send(fmt.Sprintf("[.] len %d", size))
				}
				e.Net.Sleep(time.Millisecond)
				lines := e.Segments("a")
				Equal(e, fmt.Sprintf("acknowledged in segments of %d", size), lines[len(lines)-1].Segment.Ack, uint32(sent+1))
				e.recvAll(s, sent)
				e.Linger(e.P, s, 0)
				e.Code("CloseSocket", e.P.CloseSocket(s), 0)
			})
			e.Net.ClearTrace()
			port++
		}
		e.Notef("65,535 bytes in segments of 500, 599 and 1,000, none of them read")
	}},
	{ID: "BF-21", Title: "small segments into a window that grows", Source: "RFC 9293 3.8.6", Once: true, Run: func(e *Env) {
		e.playedAs("mss 1000,wscale 7", nil, func(s wsa.SOCKET, p *simnet.Peer) {
			const n = 9000 // netstack's buffer alone would have dropped some
			for i := range n {
				p.Send("[.] len 1", byte(i))
			}
			e.Net.Sleep(time.Second)
			lines := e.Segments("a")
			Equal(e, "acknowledged", lines[len(lines)-1].Segment.Ack, uint32(n+1))
			for i, b := range e.recvAll(s, n) {
				e.Check(b == byte(i), "byte %d is %d", i, b)
			}
		})
		e.Notef("9,000 segments of one byte: none is dropped")
	}},
}

// ownMSS is the MSS that A offers.
func (e *Env) ownMSS() int {
	if e.Family == wsa.AF_INET6 {
		return 1440
	}
	return 1460
}
