package conform

import (
	"fmt"
	"time"

	"github.com/wsstack/wsstack/internal/trace"
	"github.com/wsstack/wsstack/provider"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

func init() {
	inScenarios = append(append(inScenarios, disconnectScenarios...), reuseScenarios...)
	lgScenarios = append(lgScenarios, disconnectClosed)
	kaScenarios = append(kaScenarios, disconnectDropped)
	rsScenarios = append(rsScenarios, disconnectReset)
	ndScenarios = append(ndScenarios, disconnectDown)
}

// disconnect starts a DisconnectEx on A.
func (e *Env) disconnect(s wsa.SOCKET, flags uint32) *provider.Overlapped {
	o, err := e.P.DisconnectEx(s, flags, 0)
	e.Code("DisconnectEx", err, 0)
	return o
}

// settles lets what is on the way arrive.
func (e *Env) settles() { e.Net.Sleep(time.Millisecond) }

// disconnectScenarios are DisconnectEx itself.
var disconnectScenarios = []Scenario{
	{ID: "IN-7", Title: "DisconnectEx", Source: "API-DisconnectEx, OBS", Profiles: bothProfiles, Run: func(e *Env) {
		w := e.Wire()
		e.Do(func() {
			s, p := e.connectTo(w, 80)
			e.send(s, 5)
			o := e.disconnect(s, 0)
			p.Expect("[P.] seq 1:6")
			p.Expect("[F.] seq 6")
			p.Send("[.] ack 6")
			e.settles()
			e.pending("the data is acknowledged, the FIN isn't", o)
			e.Code("Send while it is pending", second(e.P.Send(s, []byte("x"), 0)), wsa.WSAESHUTDOWN)
			p.Send("[.] ack 7")
			e.settles()
			Equal(e, "acknowledged", e.outcome(o), "0 success")
			e.Code("Send", second(e.P.Send(s, []byte("x"), 0)), wsa.WSAESHUTDOWN)
			e.Code("SendAsync", second(e.P.SendAsync(s, []byte("x"), 0)), wsa.WSAESHUTDOWN)
			peer, err := e.P.GetPeerName(s)
			e.Code("GetPeerName", err, 0)
			Equal(e, "peer", peer, e.Addr(9, 80))
			e.Code("Connect", e.P.Connect(s, e.Addr(9, 80)), wsa.WSAEISCONN)
			e.Code("ConnectEx", second(e.P.ConnectEx(s, e.Addr(9, 80), nil)), wsa.WSAEISCONN)
			e.Code("AcceptEx into it", second(e.P.AcceptEx(e.Listener(e.P, 81), s, nil)), wsa.WSAEINVAL)
			p.Send("[P.] seq 1:6 ack 7", []byte("still")...)
			p.Expect("[.] seq 7 ack 6")
			e.recvOn(e.P, s, 5, 0)
			e.Code("DisconnectEx again", second(e.P.DisconnectEx(s, 0, 0)), byProfile(e, wsa.WSAENOTCONN, 0))
			e.Code("without an OVERLAPPED", e.P.Disconnect(s, 0, 0), byProfile(e, wsa.WSAENOTCONN, 0))
			o = e.disconnect(s, wsa.TF_REUSE_SOCKET)
			e.pending("TF_REUSE_SOCKET", o)
			p.Send("[F.] ack 7")
			p.Expect("[.] seq 7 ack 7")
			Equal(e, "the peer has closed", e.outcome(o), "0 success")
			p.ExpectSilence(time.Minute)
		})
		e.Notef("0 bytes when the FIN is acknowledged; then receives, WSAESHUTDOWN, WSAEISCONN; again %s", name(byProfile(e, wsa.WSAENOTCONN, 0)))
	}},
	{ID: "IN-7", Title: "parameters and sockets", Source: "API-DisconnectEx", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			plain, err := e.P.SocketEx(e.Family, wsa.SOCK_STREAM, 0, 0, 0)
			e.Code("SocketEx", err, 0)
			connecting, connectedDatagram := e.Stream(), e.Datagram()
			e.Nonblocking(e.P, connecting, true)
			e.Code("Connect", e.P.Connect(connecting, e.Addr(3, 80)), wsa.WSAEWOULDBLOCK)
			e.Code("Connect", e.P.Connect(connectedDatagram, e.Addr(2, 80)), 0)
			closed := e.Stream()
			e.Code("CloseSocket", e.P.CloseSocket(closed), 0)
			for _, flags := range []uint32{0, wsa.TF_REUSE_SOCKET} {
				for what, s := range map[string]wsa.SOCKET{
					"fresh": e.Stream(), "bound": e.bound(0), "listening": e.Listener(e.P, 0), "connecting": connecting,
					"a datagram socket": e.Datagram(), "a connected one": connectedDatagram,
				} {
					e.Code(what, second(e.P.DisconnectEx(s, flags, 0)), wsa.WSAENOTCONN)
					e.Code(what+", without an OVERLAPPED", e.P.Disconnect(s, flags, 0), wsa.WSAENOTCONN)
				}
				e.Code("closed", second(e.P.DisconnectEx(closed, flags, 0)), wsa.WSAENOTSOCK)
				e.Code("no socket", e.P.Disconnect(wsa.INVALID_SOCKET, flags, 0), wsa.WSAENOTSOCK)
				e.Code("without the attribute", second(e.P.DisconnectEx(plain, flags, 0)), wsa.WSAEINVAL)
				e.Code("without either", e.P.Disconnect(plain, flags, 0), wsa.WSAENOTCONN)
			}
			c, _ := e.Connected()
			for _, bad := range [][2]uint32{{0, 1}, {wsa.TF_REUSE_SOCKET, 1 << 31}, {1, 0}, {wsa.TF_REUSE_SOCKET | 1, 0}, {4, 0}, {1 << 31, 0}} {
				for _, s := range []wsa.SOCKET{c, e.Stream()} { // before the state is looked at
					e.Code(fmt.Sprint("flags and reserved ", bad), second(e.P.DisconnectEx(s, bad[0], bad[1])), wsa.WSAEINVAL)
					e.Code("without an OVERLAPPED", e.P.Disconnect(s, bad[0], bad[1]), wsa.WSAEINVAL)
				}
			}
			e.send(c, 1) // nothing has happened
		})
		e.Notef("WSAEINVAL, WSAENOTCONN, WSAENOTSOCK")
	}},
	{ID: "IN-7", Title: "what was sent before leaves before", Source: "API-DisconnectEx", Run: func(e *Env) {
		w := e.Wire()
		e.Do(func() {
			s, p := e.stuckAt(w, 80) // 1000 of 3000 bytes have left
			e.sndbuf(s, 2000)
			one, two := e.sendAsync(s, make([]byte, 500)), e.sendAsync(s, make([]byte, 400))
			blocked := e.Go("send", func() { e.send(s, 100) })
			e.settles()
			o := e.disconnect(s, 0)
			e.pending("an overlapped send waits", one)
			e.Code("a later SendAsync", second(e.P.SendAsync(s, []byte("x"), 0)), wsa.WSAESHUTDOWN)
			e.Code("a later Send", second(e.P.Send(s, []byte("x"), 0)), wsa.WSAESHUTDOWN)
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
		w := e.Wire()
		e.Do(func() {
			for i, nonblocking := range []bool{false, true} {
				port := uint16(80 + i)
				p := w.Listen(port)
				s, err := e.P.SocketEx(e.Family, wsa.SOCK_STREAM, 0, 0, 0) // no attribute
				e.Code("SocketEx", err, 0)
				connect := e.Go("connect", func() { e.Code("Connect", e.P.Connect(s, e.Addr(9, port)), 0) })
				p.Accept("mss 1000")
				connect.Wait()
				e.Nonblocking(e.P, s, nonblocking)
				start := e.Start()
				half := e.Go("disconnect", func() { e.Code("Disconnect", e.P.Disconnect(s, 0, 0), 0) })
				p.Expect("[F.] seq 1")
				e.Net.Sleep(30 * time.Millisecond)
				p.Send("[.] ack 2")
				half.Wait()
				Equal(e, "flags 0", e.Net.Now()-start, 30*time.Millisecond)
				whole := e.Go("disconnect", func() { e.Code("Disconnect", e.P.Disconnect(s, wsa.TF_REUSE_SOCKET, 0), 0) })
				e.Net.Sleep(30 * time.Millisecond)
				p.Send("[F.] ack 2")
				whole.Wait()
				Equal(e, "TF_REUSE_SOCKET", e.Net.Now()-start, 60*time.Millisecond)
			}
			s, p := e.connectTo(w, 90)
			done := e.Go("disconnect", func() { e.Code("closed meanwhile", e.P.Disconnect(s, wsa.TF_REUSE_SOCKET, 0), wsa.WSAEINTR) })
			p.Expect("[F.] seq 1")
			e.Code("CloseSocket", e.P.CloseSocket(s), 0)
			done.Wait()
		})
		e.Notef("waits for the acknowledgement, and for the peer's FIN, in both modes; WSAEINTR")
	}},
	{ID: "IN-7", Title: "before the context update", Source: "API-DisconnectEx", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			e.serve(80)
			e.serve(81)
			for _, flags := range []uint32{0, wsa.TF_REUSE_SOCKET} {
				c := e.bound(0)
				e.Set(e.P, c, wsa.IPPROTO_TCP, wsa.TCP_NODELAY, 1)
				o, err := e.P.ConnectEx(c, e.Addr(2, 80), nil)
				e.Code("ConnectEx", err, 0)
				Equal(e, "ConnectEx", e.outcome(o), "0 success")
				Equal(e, "TCP_NODELAY", e.Get(e.P, c, wsa.IPPROTO_TCP, wsa.TCP_NODELAY), 0)
				e.Code("Shutdown", e.P.Shutdown(c, wsa.SD_SEND), wsa.WSAENOTCONN)
				e.disconnect(c, flags)
				e.Net.Sleep(time.Second)
				Equal(e, "TCP_NODELAY after it", e.Get(e.P, c, wsa.IPPROTO_TCP, wsa.TCP_NODELAY), flags/wsa.TF_REUSE_SOCKET)
				if flags == wsa.TF_REUSE_SOCKET {
					e.Code("Connect", e.P.Connect(c, e.Addr(2, 81)), 0)
					e.Code("GetPeerName", second(e.P.GetPeerName(c)), 0) // connect needs no update
				}
			}
			Equal(e, "FINs", e.Count("a", has(trace.FIN)), 2)
		})
		e.Notef("a FIN, where shutdown is WSAENOTCONN; the options of before are there again, for the next connection")
	}},
}

var disconnectClosed = Scenario{ID: "LG-19", Title: "DisconnectEx in progress", Source: "API-closesocket", Run: func(e *Env) {
	w := e.Wire()
	e.Do(func() {
		for i, flags := range []uint32{0, wsa.TF_REUSE_SOCKET} {
			s, p := e.connectTo(w, uint16(80+i))
			o := e.disconnect(s, flags)
			p.Expect("[F.] seq 1")
			e.Code("CloseSocket", e.P.CloseSocket(s), 0)
			Equal(e, "outcome", e.outcome(o), "0 WSA_OPERATION_ABORTED")
			p.Send("[F.] ack 2")
			p.Expect("[.] seq 2 ack 2")
			p.ExpectSilence(time.Minute)
		}
	})
	e.Notef("995, and the connection ends gracefully")
}}

var disconnectDropped = Scenario{ID: "KA-31", Title: "DisconnectEx and a drop", Source: "S-GET", Profiles: bothProfiles, Run: func(e *Env) {
	link := e.Pair()
	e.Do(func() {
		s, _ := e.Connected()
		e.keepAlive(s, 10*time.Second, time.Second, 3)
		o := e.disconnect(s, wsa.TF_REUSE_SOCKET)
		blocked := e.Go("disconnect", func() { e.Code("Disconnect", e.P.Disconnect(s, wsa.TF_REUSE_SOCKET, 0), wsa.WSAENETRESET) })
		e.Net.Sleep(2 * Delay)
		start := e.Start() // the FIN is acknowledged
		link.Partition()
		Equal(e, "in progress", e.outcome(o), "0 WSAENETRESET")
		Equal(e, "drop", e.Net.Now()-start, 13*time.Second)
		blocked.Wait()
		for _, flags := range []uint32{0, wsa.TF_REUSE_SOCKET} {
			e.Code("later", second(e.P.DisconnectEx(s, flags, 0)), wsa.WSAENOTCONN)
			e.Code("later, without an OVERLAPPED", e.P.Disconnect(s, flags, 0), wsa.WSAENOTCONN)
		}
		e.Code("ConnectEx", second(e.P.ConnectEx(s, e.Addr(2, 80), nil)), wsa.WSAENOTCONN)
	})
	e.Notef("WSAENETRESET at 13 s for those in progress, WSAENOTCONN for later starts")
}}

var disconnectReset = Scenario{ID: "RS-1", Title: "DisconnectEx and a reset", Source: "W-ERR", Run: func(e *Env) {
	w := e.Wire()
	e.Do(func() {
		for i, flags := range []uint32{0, wsa.TF_REUSE_SOCKET} {
			s, p := e.connectTo(w, uint16(80+i))
			o := e.disconnect(s, flags)
			blocked := e.Go("disconnect", func() {
				e.Code("Disconnect", e.P.Disconnect(s, wsa.TF_REUSE_SOCKET, 0), wsa.WSAECONNRESET)
			})
			p.Expect("[F.] seq 1")
			p.Send("[R.] ack 2")
			e.settles()
			Equal(e, "outcome", e.outcome(o), "0 WSAECONNRESET")
			Equal(e, "native", o.Status(), wsa.ERROR_NETNAME_DELETED)
			blocked.Wait()
			e.Code("later", second(e.P.DisconnectEx(s, wsa.TF_REUSE_SOCKET, 0)), wsa.WSAENOTCONN)
			e.Code("ConnectEx", second(e.P.ConnectEx(s, e.Addr(9, 90), nil)), wsa.WSAEISCONN)
		}
	})
	e.Notef("WSAECONNRESET, native 64; the socket can only be closed")
}}

var disconnectDown = Scenario{ID: "ND-2", Title: "DisconnectEx when the stack goes down", Source: "W-ERR", Run: func(e *Env) {
	e.Pair()
	e.Do(func() {
		c, _ := e.Connected()
		d, _ := e.Connected()
		o := e.disconnect(c, wsa.TF_REUSE_SOCKET)
		blocked := e.Go("disconnect", func() { e.Code("Disconnect", e.P.Disconnect(d, wsa.TF_REUSE_SOCKET, 0), wsa.WSAENETDOWN) })
		e.Net.Sleep(time.Second)
		e.Check(e.A.Close() == nil, "Close failed")
		Equal(e, "outcome", e.outcome(o), "0 WSAENETDOWN")
		blocked.Wait()
		e.Code("later", second(e.P.DisconnectEx(c, 0, 0)), wsa.WSAENETDOWN)
	})
	e.Notef("WSAENETDOWN")
}}
