package conform

import (
	"fmt"
	"time"

	"github.com/wsstack/wsstack/internal/trace"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/provider"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

func init() {
	inScenarios = append(inScenarios, disconnectScenarios...)
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
	{ID: "IN-8", Title: "ConnectEx again", Source: "API-DisconnectEx, API-ConnectEx", Profiles: bothProfiles, Run: func(e *Env) {
		w := e.Wire()
		e.Do(func() {
			connectEx := func(s wsa.SOCKET, port uint16) *simnet.Peer {
				p := w.Listen(port)
				o, err := e.P.ConnectEx(s, e.Addr(9, port), nil)
				e.Code("ConnectEx", err, 0)
				p.Accept("mss 1000")
				Equal(e, "ConnectEx", e.outcome(o), "0 success")
				Equal(e, "the port", p.Remote(), e.Addr(1, 5000))
				return p
			}
			s := e.Stream()
			e.Code("Bind", e.P.Bind(s, e.Any(5000)), 0)
			e.Set(e.P, s, wsa.IPPROTO_TCP, wsa.TCP_NODELAY, 1)
			p := connectEx(s, 80)
			e.Code("SO_UPDATE_CONNECT_CONTEXT", e.P.SetSockOpt(s, wsa.SOL_SOCKET, wsa.SO_UPDATE_CONNECT_CONTEXT, nil, 0), 0)
			o := e.disconnect(s, wsa.TF_REUSE_SOCKET)
			p.Expect("[F.] seq 1")
			p.Send("[.] ack 2")
			e.Net.Sleep(time.Minute)
			e.pending("the peer hasn't closed", o)
			e.Code("ConnectEx while it is pending", second(e.P.ConnectEx(s, e.Addr(9, 81), nil)), wsa.WSAEISCONN)
			p.Send("[F.] ack 2")
			p.Expect("[.] seq 2 ack 2")
			Equal(e, "outcome", e.outcome(o), "0 success")

			local, err := e.P.GetSockName(s)
			e.Code("GetSockName", err, 0)
			Equal(e, "it is bound to", local, e.Any(5000))
			for what, err := range map[string]error{
				"GetPeerName":     second(e.P.GetPeerName(s)),
				"Send":            second(e.P.Send(s, []byte("x"), 0)),
				"Recv":            second(e.P.Recv(s, make([]byte, 1), 0)),
				"Shutdown":        e.P.Shutdown(s, wsa.SD_BOTH),
				"SO_CONNECT_TIME": second(get(e.P, s, wsa.SOL_SOCKET, wsa.SO_CONNECT_TIME)),
				"DisconnectEx":    second(e.P.DisconnectEx(s, wsa.TF_REUSE_SOCKET, 0)),
			} {
				if what != "SO_CONNECT_TIME" || e.Profile == options.Documented { // C-01
					e.Code(what, err, wsa.WSAENOTCONN)
				}
			}
			Equal(e, "TCP_NODELAY", e.Get(e.P, s, wsa.IPPROTO_TCP, wsa.TCP_NODELAY), 1)
			Equal(e, "select", e.ready(e.P, s), "")
			e.Code("AcceptEx into a bound socket", second(e.P.AcceptEx(e.Listener(e.P, 81), s, nil)), wsa.WSAEINVAL)

			e.Code("ConnectEx in the time of TIME-WAIT", second(e.P.ConnectEx(s, e.Addr(9, 80), nil)), wsa.WSAEADDRINUSE)
			q := connectEx(s, 81)
			e.say(e.P, s, "second")
			q.Expect("[P.] seq 1:7")
			q.Send("[P.] ack 7", []byte("life")...)
			q.Expect("[.] seq 7 ack 5")
			Equal(e, "read", e.read(e.P, s, 0), "life")
			o = e.disconnect(s, wsa.TF_REUSE_SOCKET)
			q.Expect("[F.] seq 7")
			q.Send("[F.] seq 5 ack 8")
			q.Expect("[.] seq 8 ack 6")
			Equal(e, "outcome", e.outcome(o), "0 success")
			e.Net.Sleep(time.Minute)
			third := w.Listen(80)
			o, err = e.P.ConnectEx(s, e.Addr(9, 80), nil)
			e.Code("ConnectEx to the first peer, after TIME-WAIT", err, 0)
			third.Accept("mss 1000")
			Equal(e, "outcome", e.outcome(o), "0 success")
		})
		e.Notef("not connected, bound to port 5000; WSAEADDRINUSE to the same peer for a minute")
	}},
	{ID: "IN-8", Title: "after connect", Source: "API-ConnectEx, OBS", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			e.serve(80)
			e.serve(81)
			bound := e.bound(5000)
			for _, s := range []wsa.SOCKET{bound, e.Stream()} {
				e.Code("Connect", e.P.Connect(s, e.Addr(2, 80)), 0)
				port := e.port(s)
				e.Code("Disconnect", e.P.Disconnect(s, wsa.TF_REUSE_SOCKET, 0), 0)
				Equal(e, "the port", e.port(s), port)
				e.Code("Bind", e.P.Bind(s, e.Any(0)), wsa.WSAEINVAL)
				o, err := e.P.ConnectEx(s, e.Addr(2, 9), nil) // nobody is there
				e.Code("ConnectEx", err, 0)
				Equal(e, "ConnectEx", e.outcome(o), "0 WSAECONNREFUSED")
				Equal(e, "the port after it", e.port(s), port)
				o, err = e.P.ConnectEx(s, e.Addr(2, 81), nil)
				e.Code("ConnectEx", err, 0)
				Equal(e, "ConnectEx", e.outcome(o), "0 success")
				Equal(e, "the port of the second", e.port(s), port)
				e.Code("Disconnect", e.P.Disconnect(s, wsa.TF_REUSE_SOCKET, 0), 0)
				o, err = e.P.ConnectEx(s, e.Addr(2, 80), nil)
				if s == bound {
					e.Code("ConnectEx in the time of TIME-WAIT", err, wsa.WSAEADDRINUSE)
					continue
				}
				e.Code("ConnectEx, a port that connect has chosen", err, 0) // PO-7
				Equal(e, "ConnectEx", e.outcome(o), "0 success")
				e.Check(e.port(s) != port, "port %d again", port)
			}
		})
		e.Notef("the port stays, chosen by bind or connect; in TIME-WAIT one that connect has chosen is chosen anew")
	}},
	{ID: "IN-8", Title: "AcceptEx again", Source: "API-DisconnectEx, API-AcceptEx", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			l, s := e.Listener(e.P, 80), e.Stream()
			e.Set(e.P, l, wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, 1)
			e.Nonblocking(e.P, s, true)
			e.Code("Connect", e.P.Connect(s, e.Addr(2, 9)), wsa.WSAEWOULDBLOCK)
			e.Net.Sleep(time.Second)
			Equal(e, "select, of the connect that has failed", e.ready(e.P, s), "x")
			e.Nonblocking(e.P, s, false)
			for i, first := range []string{"client", "server", "both", "client"} {
				o, err := e.P.AcceptEx(l, s, nil)
				e.Code("AcceptEx", err, 0)
				c := e.Socket(e.Q, wsa.SOCK_STREAM)
				e.Code("Connect", e.Q.Connect(c, e.Addr(1, 80)), 0)
				Equal(e, "AcceptEx", e.outcome(o), "0 success")
				if i > 0 {
					e.Code("SO_UPDATE_ACCEPT_CONTEXT", e.P.SetSockOpt(s, wsa.SOL_SOCKET, wsa.SO_UPDATE_ACCEPT_CONTEXT, handleBytes(l), 8), 0)
				}
				Equal(e, "SO_KEEPALIVE", e.Get(e.P, s, wsa.SOL_SOCKET, wsa.SO_KEEPALIVE), uint32(min(i, 1)))
				e.sendFrom(e.Q, c, i+1)
				n, err := e.P.Recv(s, make([]byte, 9), 0)
				e.Code("Recv", err, 0)
				Equal(e, "bytes", n, i+1)
				if first == "client" {
					e.Code("Shutdown", e.Q.Shutdown(c, wsa.SD_SEND), 0)
					e.Net.Sleep(time.Second)
				}
				o = e.disconnect(s, wsa.TF_REUSE_SOCKET)
				if first == "server" {
					e.Net.Sleep(time.Second)
					e.pending("the client hasn't closed", o)
				}
				e.Code("CloseSocket of the client", e.Q.CloseSocket(c), 0)
				Equal(e, first+" first", e.outcome(o), "0 success")
				Equal(e, "select", e.ready(e.P, s), "")
				e.Code("GetSockName", second(e.P.GetSockName(s)), wsa.WSAEINVAL)
				e.Code("GetPeerName", second(e.P.GetPeerName(s)), wsa.WSAENOTCONN)
				e.Code("ConnectEx", second(e.P.ConnectEx(s, e.Addr(2, 80), nil)), wsa.WSAEINVAL)
				e.Code("SO_UPDATE_ACCEPT_CONTEXT", e.P.SetSockOpt(s, wsa.SOL_SOCKET, wsa.SO_UPDATE_ACCEPT_CONTEXT, handleBytes(l), 8), wsa.WSAENOTCONN)
			}
			Equal(e, "RSTs", e.Count("a", has(trace.RST)), 0)
			e.Listener(e.Q, 81)
			e.Code("Connect", e.P.Connect(s, e.Addr(2, 81)), 0)
			e.Code("SO_UPDATE_ACCEPT_CONTEXT of another life", e.P.SetSockOpt(s, wsa.SOL_SOCKET, wsa.SO_UPDATE_ACCEPT_CONTEXT, handleBytes(l), 8), wsa.WSAENOTCONN)
		})
		e.Notef("four clients one after the other, whoever closes first; neither bound nor connected between them")
	}},
	{ID: "IN-8", Title: "in every state", Source: "RFC 9293 3.6", Run: func(e *Env) {
		w := e.Wire()
		e.Do(func() {
			rest := map[string]func(p *simnet.Peer){
				"ESTABLISHED": func(p *simnet.Peer) { p.Expect("[F.] seq 1"); p.Send("[F.] ack 2"); p.Expect("[.] seq 2 ack 2") },
				"FIN_WAIT_1":  func(p *simnet.Peer) { p.Send("[F.] ack 2"); p.Expect("[.] seq 2 ack 2") },
				"FIN_WAIT_2":  func(p *simnet.Peer) { p.Send("[F.]"); p.Expect("[.] seq 2 ack 2") },
				"CLOSE_WAIT":  func(p *simnet.Peer) { p.Expect("[F.] seq 1 ack 2"); p.Send("[.] ack 2") },
				"CLOSING":     func(p *simnet.Peer) { p.Send("[.] ack 2") },
				"LAST_ACK":    func(p *simnet.Peer) { p.Send("[.] ack 2") },
			}
			for i, state := range tcpStates {
				s, p := e.inState(w, uint16(80+i), state)
				local := e.port(s)
				if i%2 == 0 {
					e.Code("Shutdown", e.P.Shutdown(s, wsa.SD_RECEIVE), 0)
				}
				o := e.disconnect(s, wsa.TF_REUSE_SOCKET)
				if finish := rest[state.name]; finish != nil {
					e.settles()
					e.pending(state.name, o)
					finish(p)
				}
				e.settles()
				Equal(e, state.name, e.outcome(o), "0 success")
				p.ExpectSilence(time.Minute)
				Equal(e, "the port", e.port(s), local)
				again := w.Listen(uint16(80 + i))
				o, err := e.P.ConnectEx(s, e.Addr(9, uint16(80+i)), nil)
				e.Code("ConnectEx", err, 0)
				again.Accept("mss 1000")
				Equal(e, "ConnectEx", e.outcome(o), "0 success")
				e.say(e.P, s, "a")
				again.Expect("[P.] seq 1:2")
				again.Send("[P.] ack 2", 'b')
				again.Expect("[.] seq 2 ack 2")
				Equal(e, "read", e.read(e.P, s, 0), "b")
			}
			Equal(e, "RSTs", e.Count("a", has(trace.RST)), 0)
		})
		e.Notef("from ESTABLISHED to TIME_WAIT, done when both FINs have come and ours is acknowledged; the socket connects again")
	}},
	{ID: "IN-8", Title: "receives in progress, and data that nobody reads", Source: "API-DisconnectEx", Run: func(e *Env) {
		w := e.Wire()
		e.Do(func() {
			s, p := e.connectTo(w, 80)
			overlapped := e.recvAsync(s, make([]byte, 4))
			blocked := e.Go("recv", func() {
				n, err := e.P.Recv(s, make([]byte, 100), wsa.MSG_WAITALL)
				e.Code("the blocked Recv", err, 0)
				Equal(e, "bytes", n, 5)
			})
			e.settles()
			o := e.disconnect(s, wsa.TF_REUSE_SOCKET)
			p.Expect("[F.] seq 1")
			p.Send("[P.] ack 2", []byte("afternoon")...)
			p.Expect("[.] seq 2 ack 10")
			e.settles()
			Equal(e, "the overlapped one", e.outcome(overlapped), "4 success")
			last := e.recvAsync(s, make([]byte, 4))
			p.Send("[F.] ack 2")
			p.Expect("[.] seq 2 ack 11")
			Equal(e, "the last", e.outcome(last), "0 success")
			Equal(e, "outcome", e.outcome(o), "0 success")
			blocked.Wait()

			q := w.Listen(81) // three bytes, one of them urgent, are unread when it ends
			o, err := e.P.ConnectEx(s, e.Addr(9, 81), nil)
			e.Code("ConnectEx", err, 0)
			q.Accept("mss 1000")
			Equal(e, "ConnectEx", e.outcome(o), "0 success")
			o = e.disconnect(s, wsa.TF_REUSE_SOCKET)
			q.Expect("[F.] seq 1")
			q.Send("[PU.] ack 2 urg 2", []byte("old")...)
			q.Expect("[.] seq 2 ack 4")
			e.settles()
			Equal(e, "select", e.ready(e.P, s), "rwx")
			q.Send("[F.] ack 2")
			q.Expect("[.] seq 2 ack 5")
			Equal(e, "outcome", e.outcome(o), "0 success")
			Equal(e, "select", e.ready(e.P, s), "")

			r := w.Listen(82)
			o, err = e.P.ConnectEx(s, e.Addr(9, 82), nil)
			e.Code("ConnectEx", err, 0)
			r.Accept("mss 1000")
			Equal(e, "ConnectEx", e.outcome(o), "0 success")
			Equal(e, "select", e.ready(e.P, s), "w")
			Equal(e, "FIONREAD", e.ioctl(e.P, s, wsa.FIONREAD), 0)
			Equal(e, "SIOCATMARK", e.ioctl(e.P, s, wsa.SIOCATMARK), 1)
			r.Send("[PU.] urg 2", []byte("new")...)
			r.Expect("[.] ack 4")
			Equal(e, "the urgent byte", e.read(e.P, s, wsa.MSG_OOB), "e")
			Equal(e, "read", e.read(e.P, s, 0), "n")
			r.ExpectSilence(time.Minute)
		})
		e.Notef("recvs get data and then the end; what is unread isn't there for the next connection")
	}},
	{ID: "IN-8", Title: "network events of each connection", Source: "API-WSAEventSelect", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			const mask = wsa.FD_READ | wsa.FD_WRITE | wsa.FD_CONNECT | wsa.FD_CLOSE
			s := e.bound(0)
			v := e.watch(e.P, s, mask)
			connectEx := func(port uint16) {
				o, err := e.P.ConnectEx(s, e.Addr(2, port), nil)
				e.Code("ConnectEx", err, 0)
				Equal(e, "ConnectEx", e.outcome(o), "0 success")
				v.want("connected", "WRITE, CONNECT")
			}
			for _, port := range []uint16{80, 81} {
				e.serve(port)
				connectEx(port)
				o := e.disconnect(s, wsa.TF_REUSE_SOCKET)
				Equal(e, "outcome", e.outcome(o), "0 success")
				n, err := e.P.EnumNetworkEvents(s, v.ev)
				e.Code("EnumNetworkEvents", err, 0)
				Equal(e, "events of a connection that is gone", eventsText(n), "")
				v.want("later", "")
			}
			for _, port := range []uint16{82, 83} {
				l := e.Listener(e.Q, port)
				connectEx(port)
				peer, _, err := e.Q.Accept(l)
				e.Code("Accept", err, 0)
				e.sendFrom(e.Q, peer, 1)
				e.Code("CloseSocket of the peer", e.Q.CloseSocket(peer), 0)
				v.want("data", "READ")
				e.recvOn(e.P, s, 1, 0)
				v.want("the peer has closed", "CLOSE")
				e.selects(e.P, s, mask, "WRITE, CONNECT") // FD_CLOSE was told
				Equal(e, "outcome", e.outcome(e.disconnect(s, wsa.TF_REUSE_SOCKET)), "0 success")
				v = e.watch(e.P, s, mask)
				v.want("disconnected", "")
			}
		})
		e.Notef("FD_CONNECT, FD_WRITE and FD_CLOSE are told of each connection, and of none that is gone")
	}},
	{ID: "IN-8", Title: "cancelled, and several at once", Source: "API-DisconnectEx", Run: func(e *Env) {
		w := e.Wire()
		e.Do(func() {
			s, p := e.connectTo(w, 80)
			o := e.disconnect(s, wsa.TF_REUSE_SOCKET)
			p.Expect("[F.] seq 1")
			e.Check(o.Cancel(), "there was nothing to cancel")
			Equal(e, "cancelled", e.outcome(o), "0 WSA_OPERATION_ABORTED")
			e.Code("Send", second(e.P.Send(s, []byte("x"), 0)), wsa.WSAESHUTDOWN)
			first, second := e.disconnect(s, wsa.TF_REUSE_SOCKET), e.disconnect(s, wsa.TF_REUSE_SOCKET)
			p.Send("[F.] ack 2")
			p.Expect("[.] seq 2 ack 2")
			Equal(e, "first", e.outcome(first), "0 success")
			Equal(e, "second", e.outcome(second), "0 success")

			s, p = e.stuckAt(w, 81) // the FIN waits for a send that is cancelled then
			e.sndbuf(s, 2000)
			send := e.sendAsync(s, make([]byte, 1000))
			o = e.disconnect(s, 0)
			e.Check(send.Cancel(), "the send isn't pending")
			e.settles()
			p.Send("[.] ack 1001 win 65535")
			p.Expect("[.] seq 1001:2001")
			p.Expect("[FP.] seq 2001:3001")
			p.Send("[.] ack 3002")
			e.settles()
			Equal(e, "outcome", e.outcome(o), "0 success")
		})
		e.Notef("WSA_OPERATION_ABORTED leaves the FIN; two end together; a send that is cancelled holds nothing up")
	}},
	{ID: "RU-12", Title: "a connection that DisconnectEx has ended", Source: "W-EXCL", Run: func(e *Env) {
		w := e.Wire()
		e.Do(func() {
			exclusive := func() wsa.SOCKET {
				s := e.Stream()
				e.Set(e.P, s, wsa.SOL_SOCKET, wsa.SO_EXCLUSIVEADDRUSE, 1)
				return s
			}
			l, s := exclusive(), e.Stream()
			e.Code("Bind", e.P.Bind(l, e.Any(80)), 0)
			e.Code("Listen", e.P.Listen(l, 5), 0)
			o, err := e.P.AcceptEx(l, s, nil)
			e.Code("AcceptEx", err, 0)
			p := e.client(w)
			e.handshake(p)
			Equal(e, "AcceptEx", e.outcome(o), "0 success")
			e.Code("CloseSocket of the listener", e.P.CloseSocket(l), 0)
			p.Send("[P.]", []byte("unread")...)
			p.Expect("[.] ack 7")
			o = e.disconnect(s, wsa.TF_REUSE_SOCKET)
			p.Expect("[F.] seq 1")
			e.Code("Bind while it is pending", e.P.Bind(exclusive(), e.Any(80)), wsa.WSAEADDRINUSE)
			p.Send("[F.] ack 2")
			p.Expect("[.] seq 2 ack 8")
			Equal(e, "outcome", e.outcome(o), "0 success")
			e.Code("Bind when it is done", e.P.Bind(exclusive(), e.Any(80)), 0)
		})
		e.Notef("holds the exclusive port until it is done, unread data or not")
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
