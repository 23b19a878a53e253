package conform

import (
	"time"

	"github.com/wsstack/wsstack/internal/trace"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

// reuseScenarios are sockets that TF_REUSE_SOCKET makes good for another connection.
var reuseScenarios = []Scenario{
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
