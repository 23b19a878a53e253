package conform

import (
	"time"

	"github.com/wsstack/wsstack/internal/trace"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

// inheritReuseScenarios are IN-8: sockets that TF_REUSE_SOCKET makes good for another connection.
var inheritReuseScenarios = []Scenario{
	{ID: "IN-8", Title: "ConnectEx again", Source: "API-DisconnectEx, API-ConnectEx", Run: func(e *Env) {
		e.wired(func(w *simnet.Wire) {
			connectEx := func(s handle, port uint16) *simnet.Peer {
				p := w.Listen(port)
				o := s.connectEx(e.Addr(9, port), nil)
				p.Accept("mss 1000")
				Equal(e, "ConnectEx", e.outcome(o), "0 success")
				Equal(e, "the port", p.Remote(), e.Addr(1, 5000))
				return p
			}
			s := e.stream()
			s.bind(e.Any(5000))
			s.set(wsa.IPPROTO_TCP, wsa.TCP_NODELAY, 1)
			p := connectEx(s, 80)
			s.setBytes(wsa.SOL_SOCKET, wsa.SO_UPDATE_CONNECT_CONTEXT, nil, 0)
			o := s.disconnected(wsa.TF_REUSE_SOCKET)
			p.Expect("[F.] seq 1")
			p.Send("[.] ack 2")
			e.Net.Sleep(time.Minute)
			e.pending("the peer hasn't closed", o)
			s.as("ConnectEx while it is pending").connectEx(e.Addr(9, 81), nil, wsa.WSAEISCONN)
			p.Send("[F.] ack 2")
			p.Expect("[.] seq 2 ack 2")
			Equal(e, "outcome", e.outcome(o), "0 success")

			Equal(e, "it is bound to", s.sockName(), e.Any(5000))
			for what, err := range map[string]error{
				"GetPeerName":     second(e.P.GetPeerName(s.s)),
				"Send":            second(e.P.Send(s.s, []byte("x"), 0)),
				"Recv":            second(e.P.Recv(s.s, make([]byte, 1), 0)),
				"Shutdown":        e.P.Shutdown(s.s, wsa.SD_BOTH),
				"SO_CONNECT_TIME": second(s.tryGet(wsa.SOL_SOCKET, wsa.SO_CONNECT_TIME)),
				"DisconnectEx":    second(e.P.DisconnectEx(s.s, wsa.TF_REUSE_SOCKET, 0)),
			} {
				if what != "SO_CONNECT_TIME" || e.Profile == options.Documented { // C-01
					e.Code(what, err, wsa.WSAENOTCONN)
				}
			}
			s.reads(wsa.IPPROTO_TCP, wsa.TCP_NODELAY, 1)
			Equal(e, "select", s.ready("rwx", 0), "")
			e.listener(e.P, 81).as("AcceptEx into a bound socket").acceptEx(s, nil, wsa.WSAEINVAL)

			s.as("ConnectEx in the time of TIME-WAIT").connectEx(e.Addr(9, 80), nil, wsa.WSAEADDRINUSE)
			q := connectEx(s, 81)
			s.say("second")
			q.Expect("[P.] seq 1:7")
			q.Send("[P.] ack 7", []byte("life")...)
			q.Expect("[.] seq 7 ack 5")
			Equal(e, "read", s.read(0), "life")
			o = s.disconnected(wsa.TF_REUSE_SOCKET)
			talk(q, "< [F.] seq 7", "> [F.] seq 5 ack 8", "< [.] seq 8 ack 6")
			Equal(e, "outcome", e.outcome(o), "0 success")
			e.Net.Sleep(time.Minute)
			third := w.Listen(80)
			o = s.as("ConnectEx to the first peer, after TIME-WAIT").connectEx(e.Addr(9, 80), nil)
			third.Accept("mss 1000")
			Equal(e, "outcome", e.outcome(o), "0 success")
		})
		e.Notef("not connected, bound to port 5000; WSAEADDRINUSE to the same peer for a minute")
	}},
	{ID: "IN-8", Title: "after connect", Source: "API-ConnectEx, OBS", Run: func(e *Env) {
		e.paired(func() {
			e.serve(80)
			e.serve(81)
			bound := e.bound(5000)
			for _, s := range []handle{bound, e.stream()} {
				s.connect(e.Addr(2, 80))
				port := s.port()
				s.disconnect(wsa.TF_REUSE_SOCKET, 0)
				Equal(e, "the port", s.port(), port)
				s.bind(e.Any(0), wsa.WSAEINVAL)
				// nobody is there
				o := s.connectEx(e.Addr(2, 9), nil)
				Equal(e, "ConnectEx", e.outcome(o), "0 WSAECONNREFUSED")
				Equal(e, "the port after it", s.port(), port)
				o = s.connectEx(e.Addr(2, 81), nil)
				Equal(e, "ConnectEx", e.outcome(o), "0 success")
				Equal(e, "the port of the second", s.port(), port)
				s.disconnect(wsa.TF_REUSE_SOCKET, 0)
				o, err := e.P.ConnectEx(s.s, e.Addr(2, 80), nil)
				if s == bound {
					e.Code("ConnectEx in the time of TIME-WAIT", err, wsa.WSAEADDRINUSE)
					continue
				}
				e.Code("ConnectEx, a port that connect has chosen", err, 0) // PO-7
				Equal(e, "ConnectEx", e.outcome(o), "0 success")
				e.Check(s.port() != port, "port %d again", port)
			}
		})
		e.Notef("the port stays, chosen by bind or connect; in TIME-WAIT one that connect has chosen is chosen anew")
	}},
	{ID: "IN-8", Title: "AcceptEx again", Source: "API-DisconnectEx, API-AcceptEx", Run: func(e *Env) {
		e.paired(func() {
			l, s := e.listener(e.P, 80), e.stream()
			l.set(wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, 1)
			s.nonblocking(true)
			s.connect(e.Addr(2, 9), wsa.WSAEWOULDBLOCK)
			e.Net.Sleep(e.refusal() + Delay)
			Equal(e, "select, of the connect that has failed", s.ready("rwx", 0), "x")
			s.nonblocking(false)
			for i, first := range []string{"client", "server", "both", "client"} {
				o := l.acceptEx(s, nil)
				c := e.peerStream()
				c.connect(e.Addr(1, 80))
				Equal(e, "AcceptEx", e.outcome(o), "0 success")
				if i > 0 {
					s.setBytes(wsa.SOL_SOCKET, wsa.SO_UPDATE_ACCEPT_CONTEXT, handleBytes(l), 8)
				}
				s.reads(wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, uint32(min(i, 1)))
				c.send(i + 1)
				Equal(e, "bytes", len(s.recv(9)), i+1)
				if first == "client" {
					c.shutdown(wsa.SD_SEND)
					e.Net.Sleep(time.Second)
				}
				o = s.disconnected(wsa.TF_REUSE_SOCKET)
				if first == "server" {
					e.Net.Sleep(time.Second)
					e.pending("the client hasn't closed", o)
				}
				c.as("CloseSocket of the client").close()
				Equal(e, first+" first", e.outcome(o), "0 success")
				Equal(e, "select", s.ready("rwx", 0), "")
				s.sockName(wsa.WSAEINVAL)
				s.peerName(wsa.WSAENOTCONN)
				s.connectEx(e.Addr(2, 80), nil, wsa.WSAEINVAL)
				s.setBytes(wsa.SOL_SOCKET, wsa.SO_UPDATE_ACCEPT_CONTEXT, handleBytes(l), 8, wsa.WSAENOTCONN)
			}
			Equal(e, "RSTs", e.Count("a", has(trace.RST)), 0)
			e.listener(e.Q, 81)
			s.connect(e.Addr(2, 81))
			s.as("SO_UPDATE_ACCEPT_CONTEXT of another life").setBytes(wsa.SOL_SOCKET, wsa.SO_UPDATE_ACCEPT_CONTEXT, handleBytes(l), 8, wsa.WSAENOTCONN)
		})
		e.Notef("four clients one after the other, whoever closes first; neither bound nor connected between them")
	}},
	{ID: "IN-8", Title: "in every state", Source: "RFC 9293 3.6", Run: func(e *Env) {
		e.wired(func(w *simnet.Wire) {
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
				local := s.port()
				if i%2 == 0 {
					s.shutdown(wsa.SD_RECEIVE)
				}
				o := s.disconnected(wsa.TF_REUSE_SOCKET)
				if finish := rest[state.name]; finish != nil {
					e.settles()
					e.pending(state.name, o)
					finish(p)
				}
				e.settles()
				Equal(e, state.name, e.outcome(o), "0 success")
				p.ExpectSilence(time.Minute)
				Equal(e, "the port", s.port(), local)
				again := w.Listen(uint16(80 + i))
				o = s.connectEx(e.Addr(9, uint16(80+i)), nil)
				again.Accept("mss 1000")
				Equal(e, "ConnectEx", e.outcome(o), "0 success")
				s.say("a")
				again.Expect("[P.] seq 1:2")
				again.Send("[P.] ack 2", 'b')
				again.Expect("[.] seq 2 ack 2")
				Equal(e, "read", s.read(0), "b")
			}
			Equal(e, "RSTs", e.Count("a", has(trace.RST)), 0)
		})
		e.Notef("from ESTABLISHED to TIME_WAIT, done when both FINs have come and ours is acknowledged; the socket connects again")
	}},
	{ID: "IN-8", Title: "receives in progress, and data that nobody reads", Source: "API-DisconnectEx", Run: func(e *Env) {
		e.wired(func(w *simnet.Wire) {
			s, p := e.connectTo(w, 80)
			overlapped := s.recvAsync(make([]byte, 4))
			blocked := e.Go("recv", func() { Equal(e, "bytes", len(s.as("the blocked Recv").recvFlags(100, wsa.MSG_WAITALL)), 5) })
			e.settles()
			o := s.disconnected(wsa.TF_REUSE_SOCKET)
			p.Expect("[F.] seq 1")
			p.Send("[P.] ack 2", []byte("afternoon")...)
			p.Expect("[.] seq 2 ack 10")
			e.settles()
			Equal(e, "the overlapped one", e.outcome(overlapped), "4 success")
			last := s.recvAsync(make([]byte, 4))
			p.Send("[F.] ack 2")
			p.Expect("[.] seq 2 ack 11")
			Equal(e, "the last", e.outcome(last), "0 success")
			Equal(e, "outcome", e.outcome(o), "0 success")
			blocked.Wait()

			q := w.Listen(81) // three bytes, one of them urgent, are unread when it ends
			o = s.connectEx(e.Addr(9, 81), nil)
			q.Accept("mss 1000")
			Equal(e, "ConnectEx", e.outcome(o), "0 success")
			o = s.disconnected(wsa.TF_REUSE_SOCKET)
			q.Expect("[F.] seq 1")
			q.Send("[PU.] ack 2 urg 2", []byte("old")...)
			q.Expect("[.] seq 2 ack 4")
			e.settles()
			Equal(e, "select", s.ready("rwx", 0), "rwx")
			q.Send("[F.] ack 2")
			q.Expect("[.] seq 2 ack 5")
			Equal(e, "outcome", e.outcome(o), "0 success")
			Equal(e, "select", s.ready("rwx", 0), "")

			r := w.Listen(82)
			o = s.connectEx(e.Addr(9, 82), nil)
			r.Accept("mss 1000")
			Equal(e, "ConnectEx", e.outcome(o), "0 success")
			Equal(e, "select", s.ready("rwx", 0), "w")
			Equal(e, "FIONREAD", s.value(wsa.FIONREAD), 0)
			Equal(e, "SIOCATMARK", s.value(wsa.SIOCATMARK), 1)
			r.Send("[PU.] urg 2", []byte("new")...)
			r.Expect("[.] ack 4")
			Equal(e, "the urgent byte", s.read(wsa.MSG_OOB), "e")
			Equal(e, "read", s.read(0), "n")
			r.ExpectSilence(time.Minute)
		})
		e.Notef("recvs get data and then the end; what is unread isn't there for the next connection")
	}},
	{ID: "IN-8", Title: "network events of each connection", Source: "API-WSAEventSelect", Profiles: documentedOnly,
		Why: "C-09b: in Windows FD_CLOSE comes while data is unread", Run: func(e *Env) {
			e.paired(func() {
				const mask = wsa.FD_READ | wsa.FD_WRITE | wsa.FD_CONNECT | wsa.FD_CLOSE
				s := e.bound(0)
				v := s.watch(mask)
				connectEx := func(port uint16) {
					o := s.connectEx(e.Addr(2, port), nil)
					Equal(e, "ConnectEx", e.outcome(o), "0 success")
					v.want("connected", "WRITE, CONNECT")
				}
				for _, port := range []uint16{80, 81} {
					e.serve(port)
					connectEx(port)
					o := s.disconnected(wsa.TF_REUSE_SOCKET)
					Equal(e, "outcome", e.outcome(o), "0 success")
					n := s.enumEvents(v.ev)
					Equal(e, "events of a connection that is gone", eventsText(n), "")
					v.want("later", "")
				}
				for _, port := range []uint16{82, 83} {
					l := e.listener(e.Q, port)
					connectEx(port)
					peer := l.accept()
					peer.send(1)
					peer.as("CloseSocket of the peer").close()
					v.want("data", "READ")
					s.recv(1)
					v.want("the peer has closed", "CLOSE")
					s.selects(mask, "WRITE, CONNECT") // FD_CLOSE was told
					Equal(e, "outcome", e.outcome(s.disconnected(wsa.TF_REUSE_SOCKET)), "0 success")
					v = s.watch(mask)
					v.want("disconnected", "")
				}
			})
			e.Notef("FD_CONNECT, FD_WRITE and FD_CLOSE are told of each connection, and of none that is gone")
		}},
	{ID: "IN-8", Title: "cancelled, and several at once", Source: "API-DisconnectEx", Run: func(e *Env) {
		e.wired(func(w *simnet.Wire) {
			s, p := e.connectTo(w, 80)
			o := s.disconnected(wsa.TF_REUSE_SOCKET)
			p.Expect("[F.] seq 1")
			e.Check(o.Cancel(), "there was nothing to cancel")
			Equal(e, "cancelled", e.outcome(o), "0 WSA_OPERATION_ABORTED")
			s.say("x", wsa.WSAESHUTDOWN)
			first, second := s.disconnected(wsa.TF_REUSE_SOCKET), s.disconnected(wsa.TF_REUSE_SOCKET)
			p.Send("[F.] ack 2")
			p.Expect("[.] seq 2 ack 2")
			Equal(e, "first", e.outcome(first), "0 success")
			Equal(e, "second", e.outcome(second), "0 success")

			s, p = e.stuckAt(w, 81) // the FIN waits for a send that is cancelled then
			s.sndbuf(2000)
			send := s.sendAsync(make([]byte, 1000))
			o = s.disconnected(0)
			e.Check(send.Cancel(), "the send isn't pending")
			e.settles()
			talk(p,
				"> [.] ack 1001 win 65535",
				"< [.] seq 1001:2001",
				"< [FP.] seq 2001:3001",
				"> [.] ack 3002",
			)
			e.settles()
			Equal(e, "outcome", e.outcome(o), "0 success")
		})
		e.Notef("WSA_OPERATION_ABORTED leaves the FIN; two end together; a send that is cancelled holds nothing up")
	}},
}
