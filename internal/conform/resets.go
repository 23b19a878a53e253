package conform

import (
	"fmt"
	"time"

	"github.com/wsstack/wsstack/internal/trace"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

func init() { rsScenarios = append(rsScenarios, resetScenarios...) }

var resetScenarios = []Scenario{
	{ID: "RS-1", Title: "every call, first and later", Source: "API-recv, API-send", Run: func(e *Env) {
		e.stuck(func(s wsa.SOCKET, p *simnet.Peer) {
			p.Send("[P.] seq 1:6 ack 1001 win 0", []byte("never")...)
			var tasks []*simnet.Task
			for i := range 2 {
				tasks = append(tasks, e.Go(fmt.Sprint("send ", i), func() {
					n, err := e.P.Send(s, make([]byte, 64<<20), 0)
					e.Code("the blocked Send", err, wsa.WSAECONNRESET)
					Equal(e, "count", n, 0)
				}))
			}
			tasks = append(tasks, e.Go("recv", func() {
				_, err := e.P.Recv(s, make([]byte, 100), wsa.MSG_WAITALL)
				e.Code("the blocked Recv", err, wsa.WSAECONNRESET)
			}))
			e.Net.Sleep(100 * time.Millisecond)
			at := e.Net.Now()
			p.Send("[R.] seq 6 ack 1001")
			for _, t := range tasks {
				t.Wait()
			}
			Equal(e, "the time", e.Net.Now(), at)
			for range 2 {
				for _, flags := range []int32{0, wsa.MSG_PEEK, wsa.MSG_WAITALL} {
					_, err := e.P.Recv(s, make([]byte, 9), flags)
					e.Code("Recv", err, wsa.WSAECONNRESET)
				}
				_, err := e.P.Send(s, []byte("x"), 0)
				e.Code("Send", err, wsa.WSAECONNRESET)
				e.Code("Shutdown", e.P.Shutdown(s, wsa.SD_SEND), wsa.WSAECONNRESET)
			}
			e.Set(e.P, s, wsa.IPPROTO_TCP, wsa.TCP_NODELAY, 1) // SO_KEEPALIVE is FALSE (KA-33)
			after := len(e.Segments("a"))
			e.Linger(e.P, s, 30)
			e.Code("CloseSocket", e.P.CloseSocket(s), 0)
			e.Net.Sleep(time.Minute)
			Equal(e, "segments after the RST", len(e.Segments("a"))-after, 0)
			Equal(e, "RSTs of ours", e.Count("a", has(trace.RST)), 0)
		})
		e.Notef("WSAECONNRESET for two sends and a recv in progress, and every later call; unread data is gone; a RST isn't answered")
	}},
	{ID: "RS-1", Title: "a RST that misses", Source: "RFC 5961 3.2", Run: func(e *Env) {
		e.played(func(s wsa.SOCKET, p *simnet.Peer) {
			e.keepAlive(s, 10*time.Second, time.Second, 3)
			p.Send("[P.] seq 1:6 ack 1", []byte("hello")...)
			p.Expect("[.] seq 1 ack 6")
			for _, seq := range []string{"5", "4000000000", "2000000"} { // outside of the window
				p.Send("[R] seq " + seq)
			}
			e.Net.Sleep(time.Microsecond)
			Equal(e, "answers to RSTs outside of the window", e.Count("a", func(l simnet.Line) bool { return l.Segment.Ack == 6 }), 1)
			p.Send("[R] seq 7") // in the window
			p.Expect("[.] seq 1 ack 6")
			set := []wsa.SOCKET{s}
			r, _, x, err := e.P.Select(set, nil, set, 0)
			e.Code("Select", err, 0)
			Equal(e, "readable, except", fmt.Sprint(len(r), len(x)), "1 0")
			e.Code("Shutdown", e.P.Shutdown(s, wsa.SD_SEND), 0)
			p.Expect("[F.] seq 1 ack 6")
			p.Send("[F.] seq 6 ack 2")
			p.Expect("[.] seq 2 ack 7")
			e.Net.Sleep(5 * time.Minute) // TIME-WAIT is over
			buf := make([]byte, 9)
			n, err := e.P.Recv(s, buf, 0)
			e.Code("Recv", err, 0)
			Equal(e, "data", string(buf[:n]), "hello")
			n, err = e.P.Recv(s, buf, 0)
			e.Code("Recv at the end of the stream", err, 0)
			Equal(e, "bytes", n, 0)
			Equal(e, "SO_ERROR", e.Get(e.P, s, wsa.SOL_SOCKET, wsa.SO_ERROR), 0)
		})
		e.Notef("silence outside of the window, a challenge ACK within; the connection ends gracefully")
	}},
	{ID: "RS-2", Title: "connect-phase expiry and local aborts", Source: "API-connect, API-shutdown", Run: func(e *Env) {
		w := e.Wire()
		p := w.Listen(80)
		e.Do(func() {
			s := e.Stream()
			e.Code("Connect to nobody", e.P.Connect(s, e.Addr(9, 81)), wsa.WSAETIMEDOUT)
			done := e.Go("connect", func() { e.Code("Connect", e.P.Connect(s, e.Addr(9, 80)), 0) })
			p.Accept("mss 1000")
			done.Wait()
			e.Code("Shutdown", e.P.Shutdown(s, wsa.SD_RECEIVE), 0)
			p.Send("[P.] seq 1:6 ack 1")
			p.Expect("[R.] seq 1 ack 1") // the five bytes are nobody's
			for range 2 {
				_, err := e.P.Recv(s, make([]byte, 1), 0)
				e.Code("Recv", err, wsa.WSAESHUTDOWN) // SH-2
				_, err = e.P.Send(s, []byte("x"), 0)
				e.Code("Send", err, wsa.WSAECONNABORTED)
				e.Code("Shutdown", e.P.Shutdown(s, wsa.SD_BOTH), wsa.WSAECONNABORTED)
			}
			Equal(e, "SO_ERROR", wsa.Errno(e.Get(e.P, s, wsa.SOL_SOCKET, wsa.SO_ERROR)), wsa.WSAECONNABORTED)
			Equal(e, "SO_ERROR again", e.Get(e.P, s, wsa.SOL_SOCKET, wsa.SO_ERROR), 0)
		})
		e.Notef("WSAETIMEDOUT before ESTABLISHED, WSAECONNABORTED after our own RST")
	}},
	{ID: "RS-3", Title: "as measured", Source: "OBS", Profiles: []options.Profile{options.Documented, options.Windows, options.Legacy}, Run: func(e *Env) {
		e.Pair()
		want := byProfile(e, wsa.WSAECONNRESET, wsa.WSAECONNABORTED)
		e.Do(func() {
			c, s := e.Connected()
			e.Code("CloseSocket", e.Q.CloseSocket(s), 0)
			e.Net.Sleep(time.Second)
			_, err := e.P.Send(c, []byte("x"), 0)
			e.Code("the first Send", err, 0)
			e.Net.Sleep(time.Second)
			for range 2 {
				_, err = e.P.Send(c, []byte("x"), 0)
				e.Code("the next Send", err, want)
				_, err = e.P.Recv(c, make([]byte, 1), 0)
				e.Code("Recv", err, want)
			}
			c, s = e.Connected() // a reset by a peer that hasn't closed
			e.resetBy(s)
			_, err = e.P.Recv(c, make([]byte, 1), 0)
			e.Code("Recv after a reset without FIN", err, wsa.WSAECONNRESET)
		})
		Equal(e, "RSTs of b", e.Count("b", has(trace.RST)), 2)
		e.Notef("%s after a FIN, WSAECONNRESET without", name(want))
	}},
	{ID: "RS-4", Title: "select that waits", Source: "OBS", Run: func(e *Env) {
		e.played(func(s wsa.SOCKET, p *simnet.Peer) {
			set := []wsa.SOCKET{s}
			waiting := e.Go("select", func() {
				r, _, x, err := e.P.Select(set, nil, set, -1)
				e.Code("Select", err, 0)
				Equal(e, "readable, except", fmt.Sprint(len(r), len(x)), "1 0")
			})
			e.Net.Sleep(time.Second)
			at := e.Net.Now()
			p.Send("[R]")
			waiting.Wait()
			Equal(e, "the time", e.Net.Now(), at)
			for range 2 { // also when SO_ERROR was read
				r, w, x, err := e.P.Select(set, set, set, -1)
				e.Code("Select", err, 0)
				Equal(e, "readable, writable, except", fmt.Sprint(len(r), len(w), len(x)), "1 1 0")
				e.Get(e.P, s, wsa.SOL_SOCKET, wsa.SO_ERROR)
			}
		})
		e.Notef("ends at once, readable and writable, not except")
	}},
}
