package conform

import (
	"fmt"
	"time"

	"github.com/wsstack/wsstack/internal/trace"
	"github.com/wsstack/wsstack/provider"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

// disconnect starts a DisconnectEx on A.
func (h handle) disconnected(flags uint32) *provider.Overlapped {
	o := h.disconnectEx(flags, 0)
	return o
}

// settles lets what is on the way arrive.
func (e *Env) settles() { e.Net.Sleep(time.Millisecond) }

// inheritDisconnectScenarios are IN-7: DisconnectEx.
var inheritDisconnectScenarios = []Scenario{
	{ID: "IN-7", Title: "DisconnectEx", Source: "API-DisconnectEx, OBS", Run: func(e *Env) {
		e.wired(func(w *simnet.Wire) {
			s, p := e.connectTo(w, 80)
			s.send(5)
			o := s.disconnected(0)
			talk(p, "< [P.] seq 1:6", "< [F.] seq 6", "> [.] ack 6")
			e.settles()
			e.pending("the data is acknowledged, the FIN isn't", o)
			s.as("Send while it is pending").say("x", wsa.WSAESHUTDOWN)
			p.Send("[.] ack 7")
			e.settles()
			Equal(e, "acknowledged", e.outcome(o), "0 success")
			s.say("x", wsa.WSAESHUTDOWN)
			s.sendAsync([]byte("x"), wsa.WSAESHUTDOWN)
			Equal(e, "peer", s.peerName(), e.Addr(9, 80))
			s.connect(e.Addr(9, 80), wsa.WSAEISCONN)
			s.connectEx(e.Addr(9, 80), nil, wsa.WSAEISCONN)
			e.listener(e.P, 81).as("AcceptEx into it").acceptEx(s, nil, wsa.WSAEINVAL)
			p.Send("[P.] seq 1:6 ack 7", []byte("still")...)
			p.Expect("[.] seq 7 ack 6")
			s.recv(5)
			s.as("DisconnectEx again").disconnectEx(0, 0, byProfile(e, wsa.WSAENOTCONN, 0))
			s.as("without an OVERLAPPED").disconnect(0, 0, byProfile(e, wsa.WSAENOTCONN, 0))
			o = s.disconnected(wsa.TF_REUSE_SOCKET)
			e.pending("TF_REUSE_SOCKET", o)
			p.Send("[F.] ack 7")
			p.Expect("[.] seq 7 ack 7")
			Equal(e, "the peer has closed", e.outcome(o), "0 success")
			p.ExpectSilence(time.Minute)
		})
		e.Notef("0 bytes when the FIN is acknowledged; then receives, WSAESHUTDOWN, WSAEISCONN; again %s", name(byProfile(e, wsa.WSAENOTCONN, 0)))
	}},
	{ID: "IN-7", Title: "parameters and sockets", Source: "API-DisconnectEx", Run: func(e *Env) {
		e.paired(func() {
			plain := e.plain(wsa.SOCK_STREAM, 0)
			connecting, connectedDatagram := e.stream(), e.datagram()
			connecting.nonblocking(true)
			connecting.connect(e.Addr(3, 80), wsa.WSAEWOULDBLOCK)
			connectedDatagram.connect(e.Addr(2, 80))
			closed := e.stream()
			closed.close()
			for _, flags := range []uint32{0, wsa.TF_REUSE_SOCKET} {
				for what, s := range map[string]handle{
					"fresh": e.stream(), "bound": e.bound(0), "listening": e.listener(e.P, 0), "connecting": connecting,
					"a datagram socket": e.datagram(), "a connected one": connectedDatagram,
				} {
					s.as(what).disconnectEx(flags, 0, wsa.WSAENOTCONN)
					s.as(what+", without an OVERLAPPED").disconnect(flags, 0, wsa.WSAENOTCONN)
				}
				closed.as("closed").disconnectEx(flags, 0, wsa.WSAENOTSOCK)
				e.noSocket().disconnect(flags, 0, wsa.WSAENOTSOCK)
				plain.as("without the attribute").disconnectEx(flags, 0, wsa.WSAEINVAL)
				plain.as("without either").disconnect(flags, 0, wsa.WSAENOTCONN)
			}
			c, _ := e.connection()
			for _, bad := range [][2]uint32{{0, 1}, {wsa.TF_REUSE_SOCKET, 1 << 31}, {1, 0}, {wsa.TF_REUSE_SOCKET | 1, 0}, {4, 0}, {1 << 31, 0}} {
				for _, s := range []handle{c, e.stream()} { // before the state is looked at
					s.as(fmt.Sprint("flags and reserved ", bad)).disconnectEx(bad[0], bad[1], wsa.WSAEINVAL)
					s.as("without an OVERLAPPED").disconnect(bad[0], bad[1], wsa.WSAEINVAL)
				}
			}
			c.send(1) // nothing has happened
		})
		e.Notef("WSAEINVAL, WSAENOTCONN, WSAENOTSOCK")
	}},
	{ID: "IN-7", Title: "what was sent before leaves before", Source: "API-DisconnectEx", Run: func(e *Env) {
		e.wired(func(w *simnet.Wire) {
			s, p := e.stuckAt(w, 80) // 1000 of 3000 bytes have left
			s.sndbuf(2000)
			one, two := s.sendAsync(make([]byte, 500)), s.sendAsync(make([]byte, 400))
			blocked := e.Go("send", func() { s.send(100) })
			e.settles()
			o := s.disconnected(0)
			e.pending("an overlapped send waits", one)
			s.as("a later SendAsync").sendAsync([]byte("x"), wsa.WSAESHUTDOWN)
			s.as("a later Send").say("x", wsa.WSAESHUTDOWN)
			p.Send("[.] ack 1001 win 65535")
			for _, want := range []string{"[.] seq 1001:2001", "[P.] seq 2001:3001"} {
				p.Expect(want)
			}
			p.Send("[.]")
			blocked.Wait()
			Equal(e, "first", e.outcome(one), "500 success")
			Equal(e, "second", e.outcome(two), "400 success")
			e.Net.Sleep(time.Second)
			var fin simnet.Line
			for _, l := range e.Segments("a") {
				if l.Segment.Flags&trace.FIN != 0 {
					fin = l
					break
				}
			}
			Equal(e, "bytes before the FIN", fin.Segment.Seq+uint32(fin.Segment.Len), 4001)
			e.pending("the FIN isn't acknowledged", o)
			p.Send("[.] ack 4002")
			e.settles()
			Equal(e, "outcome", e.outcome(o), "0 success")
		})
		e.Notef("two overlapped sends and one that blocks, then the FIN")
	}},
	{ID: "IN-7", Title: "without an OVERLAPPED", Source: "API-DisconnectEx", Run: func(e *Env) {
		e.wired(func(w *simnet.Wire) {
			for i, nonblocking := range []bool{false, true} {
				port := uint16(80 + i)
				p := w.Listen(port)
				// no attribute
				s := e.plain(wsa.SOCK_STREAM, 0)
				connect := e.Go("connect", func() { s.connect(e.Addr(9, port)) })
				p.Accept("mss 1000")
				connect.Wait()
				s.nonblocking(nonblocking)
				start := e.Start()
				half := e.Go("disconnect", func() { s.disconnect(0, 0) })
				p.Expect("[F.] seq 1")
				e.Net.Sleep(30 * time.Millisecond)
				p.Send("[.] ack 2")
				half.Wait()
				Equal(e, "flags 0", e.Net.Now()-start, 30*time.Millisecond)
				whole := e.Go("disconnect", func() { s.disconnect(wsa.TF_REUSE_SOCKET, 0) })
				e.Net.Sleep(30 * time.Millisecond)
				p.Send("[F.] ack 2")
				whole.Wait()
				Equal(e, "TF_REUSE_SOCKET", e.Net.Now()-start, 60*time.Millisecond)
			}
			s, p := e.connectTo(w, 90)
			done := e.Go("disconnect", func() { s.as("closed meanwhile").disconnect(wsa.TF_REUSE_SOCKET, 0, wsa.WSAEINTR) })
			p.Expect("[F.] seq 1")
			s.close()
			done.Wait()
		})
		e.Notef("waits for the acknowledgement, and for the peer's FIN, in both modes; WSAEINTR")
	}},
	{ID: "IN-7", Title: "before the context update", Source: "API-DisconnectEx", Run: func(e *Env) {
		e.paired(func() {
			e.serve(80)
			e.serve(81)
			for _, flags := range []uint32{0, wsa.TF_REUSE_SOCKET} {
				c := e.bound(0)
				c.set(wsa.IPPROTO_TCP, wsa.TCP_NODELAY, 1)
				o := c.connectEx(e.Addr(2, 80), nil)
				Equal(e, "ConnectEx", e.outcome(o), "0 success")
				c.reads(wsa.IPPROTO_TCP, wsa.TCP_NODELAY, 0)
				c.shutdown(wsa.SD_SEND, wsa.WSAENOTCONN)
				c.disconnected(flags)
				e.Net.Sleep(time.Second)
				Equal(e, "TCP_NODELAY after it", c.get(wsa.IPPROTO_TCP, wsa.TCP_NODELAY), flags/wsa.TF_REUSE_SOCKET)
				if flags == wsa.TF_REUSE_SOCKET {
					c.connect(e.Addr(2, 81))
					c.peerName() // connect needs no update
				}
			}
			Equal(e, "FINs", e.Count("a", has(trace.FIN)), 2)
		})
		e.Notef("a FIN, where shutdown is WSAENOTCONN; the options of before are there again, for the next connection")
	}},
}
