package conform

import (
	"fmt"
	"time"

	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

// buffersLimitsScenarios are BF-18 to BF-21: datagrams, sizes of a listener, and limits that grow.
var buffersLimitsScenarios = []Scenario{
	{ID: "BF-18", Title: "the receive quota of datagrams", Source: "W-SOL", Run: func(e *Env) {
		e.paired(func() {
			d := e.peerDatagram()
			d.bind(e.Any(53))
			c := e.datagram()
			burst := func(quota uint32, sizes ...int) (got []int) {
				d.set(wsa.SOL_SOCKET, wsa.SO_RCVBUF, quota)
				for _, n := range sizes {
					c.sendTo(e.Addr(2, 53), make([]byte, n))
				}
				e.Net.Sleep(time.Second)
				d.nonblocking(true)
				for {
					n, err := e.Q.Recv(d.s, make([]byte, 2000), 0)
					if err != nil {
						e.Code("Recv", err, wsa.WSAEWOULDBLOCK)
						return got
					}
					got = append(got, n)
				}
			}
			Equal(e, "of four with 2,000 bytes", fmt.Sprint(burst(2000, 900, 901, 902, 903)), "[900 901 902]")
			Equal(e, "of two with 0 bytes", fmt.Sprint(burst(0, 1000, 5)), "[1000]")
			Equal(e, "errors", d.get(wsa.SOL_SOCKET, wsa.SO_ERROR), 0)
		})
		e.Notef("the newest are dropped while the quota is used up; an empty queue takes one")
	}},
	{ID: "BF-19", Title: "a datagram larger than SO_SNDBUF", Source: "W-SOL", Run: func(e *Env) {
		e.paired(func() {
			d := e.peerDatagram()
			d.bind(e.Any(53))
			c := e.datagram()
			for _, quota := range []uint32{0, 1, 100} {
				c.sndbuf(quota)
				for _, size := range []int{1400, 60000} {
					n := c.sendTo(e.Addr(2, 53), make([]byte, size))
					Equal(e, "bytes", n, size)
					n = len(d.recv(65535))
					Equal(e, "bytes received", n, size)
				}
			}
		})
		e.Notef("1,400 and 60,000 bytes with SO_SNDBUF 0, 1 and 100")
	}},
	{ID: "BF-20", Title: "a listener's buffers", Source: "W-SOL", Run: func(e *Env) {
		e.wired(func(w *simnet.Wire) {
			l := e.listener(e.P, 80)
			l.rcvbuf(3000) // also after listen: later connections have it
			l.sndbuf(2000)
			p := w.Connect(e.Addr(1, 80).String())
			talk(p, "> [S] <mss 1000>", "< [S.] seq 0 ack 1 win 3000", "> [.]")
			for range 3 { // before accept
				e.peerSends(p, 1000)
			}
			window, _ := e.lastWindow()
			Equal(e, "window before accept", window, 0)
			e.arrive(p, "[.] seq 3001 len 1")
			window, edge := e.lastWindow()
			Equal(e, "answer to a probe before accept", fmt.Sprint(window, edge), "0 3001")
			s := l.accept()
			s.reads(wsa.SOL_SOCKET, wsa.SO_RCVBUF, 3000)
			s.reads(wsa.SOL_SOCKET, wsa.SO_SNDBUF, 2000)
			s.recvAll(3000)
			window, _ = e.lastWindow()
			Equal(e, "window after reading", window, 3000)
			s.nonblocking(true)
			s.accepts(1, 1)
			s.fits(1999)
		})
		e.Notef("the SYN-ACK has the listener's window, the accepted socket both sizes")
	}},
	{ID: "BF-21", Title: "limits that grow until they are set", Source: "OBS, C-31", Run: func(e *Env) {
		e.playedAs("mss 1000", nil, func(s handle, p *simnet.Peer) {
			for _, opt := range []int32{wsa.SO_SNDBUF, wsa.SO_RCVBUF} {
				Equal(e, "value read", s.get(wsa.SOL_SOCKET, opt), e.bufferSize())
			}
			s.nonblocking(true)
			Equal(e, "accepted without an acknowledgement", s.sendSome(make([]byte, 65536), 0), 65536)
			Equal(e, "value read after that", s.get(wsa.SOL_SOCKET, wsa.SO_SNDBUF), e.bufferSize())
			s.sndbuf(65536)
			s.accepts(1, 0) // now it is a quota
			e.monotonicEdges(1 << 7)
		})
		syn := e.Segments("a")[0]
		Equal(e, "window of the SYN", int(syn.Segment.Window), e.firstWindow())
		e.Notef("both read %d; a send of 65,536 is taken; the first window is %d", e.bufferSize(), e.firstWindow())
	}},
	{ID: "BF-21", Title: "what the SYN has promised is taken", Source: "RFC 9293 3.8.6", Run: func(e *Env) {
		port := uint16(80)
		for _, size := range []int{500, 599, 1000} {
			p := e.hand().Listen(port)
			e.Do(func() {
				s := e.stream()
				s.meets(p, "mss 1000")
				sent := 0
				for ; sent+size <= e.firstWindow(); sent += size {
					p.Send(fmt.Sprintf("[.] len %d", size))
				}
				e.Net.Sleep(time.Millisecond + e.ackDelay())
				lines := e.Segments("a")
				Equal(e, fmt.Sprintf("acknowledged in segments of %d", size), lines[len(lines)-1].Segment.Ack, uint32(sent+1))
				s.recvAll(sent)
				s.linger(0)
				s.close()
			})
			e.Net.ClearTrace()
			port++
		}
		e.Notef("%d bytes in segments of 500, 599 and 1,000, none of them read", e.firstWindow())
	}},
	{ID: "BF-21", Title: "small segments into a window that grows", Source: "RFC 9293 3.8.6", Once: true, Run: func(e *Env) {
		e.playedAs("mss 1000,wscale 7", nil, func(s handle, p *simnet.Peer) {
			const n = 9000 // netstack's buffer alone would have dropped some
			for i := range n {
				p.Send("[.] len 1", byte(i))
			}
			e.Net.Sleep(time.Second)
			lines := e.Segments("a")
			Equal(e, "acknowledged", lines[len(lines)-1].Segment.Ack, uint32(n+1))
			for i, b := range s.recvAll(n) {
				e.Check(b == byte(i), "byte %d is %d", i, b)
			}
		})
		e.Notef("9,000 segments of one byte: none is dropped")
	}},
}
