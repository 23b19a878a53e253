package conform

import (
	"time"

	"github.com/wsstack/wsstack/internal/trace"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

// callsStreamScenarios are WC-1 to WC-8: calls on streams, as measured on machines and as
// documented.
var callsStreamScenarios = []Scenario{
	{ID: "WC-1", Title: "a send without SO_SNDBUF", Source: "OBS, C-07", Once: true, Run: func(e *Env) {
		const much = 8 << 20
		e.connected(func(c, s handle) {
			c.nonblocking(true)
			accepted := c.sendSome(make([]byte, much), 0)
			Equal(e, "accepted whole", accepted == much, byProfile(e, false, true))
			c.as("with that queued").say("x", wsa.WSAEWOULDBLOCK)
			c.as("with that queued").oob("x", wsa.WSAEWOULDBLOCK)
			s.recvFlags(accepted, wsa.MSG_WAITALL)
			Equal(e, "select when all is acknowledged", c.ready("w", time.Second), "w")
			Equal(e, "bytes accepted then", c.sendSome(make([]byte, 200_000), 0), 200_000)
		})
		e.Notef("8 MiB in one call: %s", byProfile(e, "as far as there is room", "whole, then WSAEWOULDBLOCK"))
	}},
	{ID: "WC-1", Title: "a blocking send without SO_SNDBUF", Source: "OBS, C-07", Once: true, Run: func(e *Env) {
		e.connected(func(c, s handle) {
			done := e.Go("send", func() { c.send(3 << 20) })
			e.Net.Sleep(time.Second)
			Equal(e, "accepted at once", done.Done(), byProfile(e, false, true))
			s.recvFlags(3<<20, wsa.MSG_WAITALL)
			done.Wait()
		})
		e.Notef("3 MiB %s", byProfile(e, "wait for room", "are accepted at once"))
	}},
	{ID: "WC-2", Title: "SO_ERROR and FD_CONNECT", Source: "OBS, C-02, API-WSAEnumNetworkEvents", Run: func(e *Env) {
		e.paired(func() {
			s := e.stream()
			w := s.watch(wsa.FD_CONNECT)
			s.connect(e.Addr(2, 1), wsa.WSAEWOULDBLOCK)
			e.Net.Sleep(e.refusal())
			w.want("refused", "CONNECT 10061")
			Equal(e, "SO_ERROR behind FD_CONNECT", s.soError(), byProfile(e, wsa.WSAECONNREFUSED, 0))
			s.connect(e.Addr(2, 1), wsa.WSAEWOULDBLOCK) // the next attempt has an error of its own
			e.Net.Sleep(e.refusal() + Delay)
			Equal(e, "SO_ERROR before FD_CONNECT is taken", s.soError(), wsa.WSAECONNREFUSED)
			w.want("refused", "CONNECT 10061")
			Equal(e, "SO_ERROR behind both", s.soError(), 0)
			s = e.stream()
			s.nonblocking(true)
			s.connect(e.Addr(2, 1), wsa.WSAEWOULDBLOCK)
			Equal(e, "select", s.ready("rwx", e.refusal()+Delay), "x")
			Equal(e, "SO_ERROR behind select", s.soError(), wsa.WSAECONNREFUSED)
			Equal(e, "SO_ERROR again", s.soError(), byProfile(e, 0, wsa.WSAECONNREFUSED))
		})
		e.Notef("select leaves the error; FD_CONNECT %s", byProfile(e, "does, too", "takes it"))
	}},
	{ID: "WC-3", Title: "getpeername while connecting", Source: "OBS, API-getpeername", Run: func(e *Env) {
		e.wired(func(*simnet.Wire) {
			s := e.connecting(1000, 0)
			if want := byProfile(e, wsa.WSAENOTCONN, 0); want == 0 {
				Equal(e, "the peer", s.peerName(), e.Addr(9, 1000))
			} else {
				s.peerName(want)
			}
			e.Net.Sleep(time.Minute)
			s.as("GetPeerName when it has failed").peerName(wsa.WSAENOTCONN)
			s = e.bound(0)
			s.connectEx(e.Addr(9, 1001), nil)
			s.as("GetPeerName during a ConnectEx").peerName(wsa.WSAENOTCONN)
		})
		e.Notef("%s; WSAENOTCONN when it has failed, and during a ConnectEx", byProfile(e, "WSAENOTCONN", "the address"))
	}},
	{ID: "WC-4", Title: "SD_RECEIVE and data", Source: "OBS, API-shutdown, C-47", Run: func(e *Env) {
		e.connected(func(c, s handle) {
			s.nonblocking(true)
			c.shutdown(wsa.SD_RECEIVE)
			s.say("later")
			e.Net.Sleep(time.Second)
			c.recv(1, wsa.WSAESHUTDOWN)
			if byProfile(e, true, false) {
				s.recv(1, wsa.WSAECONNRESET)
				return
			}
			s.recv(1, wsa.WSAEWOULDBLOCK)
			c.say("back")
			e.Net.Sleep(time.Second)
			Equal(e, "what the peer gets", s.read(0), "back")
			for s.ready("w", 0) == "w" {
				s.send(50_000)
				e.Net.Sleep(time.Second)
			}
			s.as("with all buffers full").say("x", wsa.WSAEWOULDBLOCK)
			e.Net.Sleep(time.Minute)
			s.as("a minute later").recv(1, wsa.WSAEWOULDBLOCK)
			Equal(e, "RSTs", e.Count("", has(trace.RST)), 0)
			c.close() // with data that nobody has read (LG-13)
			e.Net.Sleep(time.Second)
			s.recv(1, wsa.WSAECONNRESET)
		})
		e.Notef("%s", byProfile(e, "a RST", "the peer sends until the buffers are full; a RST at closesocket"))
	}},
	{ID: "WC-4", Title: "SD_RECEIVE with data queued", Source: "OBS, API-shutdown, C-47", Run: func(e *Env) {
		e.connected(func(c, s handle) {
			s.say("unread")
			e.Net.Sleep(time.Second)
			c.shutdown(wsa.SD_RECEIVE)
			c.recv(1, wsa.WSAESHUTDOWN)
			c.say("back", byProfile(e, wsa.WSAECONNABORTED, 0))
			e.Net.Sleep(time.Second)
			s.recv(4, byProfile(e, wsa.WSAECONNRESET, 0))
			s.shutdown(wsa.SD_SEND, byProfile(e, wsa.WSAECONNRESET, 0))
		})
		e.Notef("%s", byProfile(e, "a RST", "no RST, and sends reach the peer"))
	}},
	{ID: "WC-5", Title: "SIOCATMARK behind a switch to in line", Source: "OBS, W-OOB, C-13b", Run: func(e *Env) {
		e.urgent(func(s handle, p *simnet.Peer) {
			mark := func(what string, documented, measured uint32) {
				Equal(e, what, s.value(wsa.SIOCATMARK), byProfile(e, documented, measured))
			}
			e.arrive(p, "[P.U] urg 1", "!")
			mark("waiting", 0, 0)
			s.inline(1)
			mark("switched", 1, 0)
			Equal(e, "recv", s.readAll(), "!|-")
			mark("read", 1, 1)
			e.arrive(p, "[P.U] seq 2 urg 3", "abc")
			mark("one that came in line", 0, 1)
			Equal(e, "recv", s.readAll(), "ab|c|-")
			s.inline(0)
			e.arrive(p, "[P.U] seq 5 urg 2", "defg")
			Equal(e, "recv", s.readAll(), "d|fg|-") // recv is behind it
			mark("read past", 0, 0)
			s.inline(1)
			mark("switched, in front", 1, 0)
			Equal(e, "recv", s.readAll(), "e|-")
			mark("read", 1, 1)
		})
		e.Notef("%s", byProfile(e, "the position", "FALSE until the byte is read that had come out of line"))
	}},
	{ID: "WC-6", Title: "WSASendMsg on a stream", Source: "OBS, API-WSASendMsg", Once: true, Run: func(e *Env) {
		want := e.sendMsgOnStream()
		e.connected(func(c, _ handle) {
			c.sendMsg([]byte("x"), nil, e.Addr(2, 80), want)
			e.stream().as("SendMsg, not connected").sendMsg([]byte("x"), nil, e.Addr(2, 80), want)
		})
		e.Notef("%v", want)
	}},
	{ID: "WC-7", Title: "SO_KEEPALIVE after a drop", Source: "W-ERR 10052, C-11", Run: func(e *Env) {
		told := map[string]func(s handle){
			"recv":     func(s handle) { s.recv(1, byProfile(e, wsa.WSAENOTCONN, wsa.WSAENETRESET)) },
			"send":     func(s handle) { s.say("x", byProfile(e, wsa.WSAENOTCONN, wsa.WSAENETRESET)) },
			"FD_CLOSE": func(s handle) { s.selects(wsa.FD_CLOSE, byProfile(e, "CLOSE 10053", "CLOSE 10052")) },
			"the set": func(s handle) {
				s.set(wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, 1, byProfile(e, wsa.WSAENOTCONN, wsa.WSAENETRESET))
			},
		}
		link := e.Pair()
		for _, what := range []string{"recv", "send", "FD_CLOSE", "the set"} {
			e.Do(func() {
				s := e.cut(link)
				s.keepAliveVals(time.Second, 200*time.Millisecond)
				e.Net.Sleep(5 * time.Second)
				told[what](s)
				s.as("a set of SO_KEEPALIVE after "+what).set(wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, 1, wsa.WSAENOTCONN)
			})
		}
		e.Notef("WSAENOTCONN once anything has told of the drop")
	}},
	{ID: "WC-8", Title: "TransmitFile on a datagram socket", Source: "OBS, API-TransmitFile", Run: func(e *Env) {
		want := byProfile(e, wsa.WSAEINVAL, wsa.WSAENOTCONN)
		e.paired(func() {
			for _, s := range []handle{e.datagram(), e.raw(252)} {
				s.transmitFile(nil, nil, 0, want)
				s.transmitFileAsync(nil, nil, 0, want)
				s.connect(e.Addr(2, 7))
				s.as("TransmitFile with a peer").transmitFile(nil, nil, 0, wsa.WSAEINVAL)
			}
		})
		e.Notef("%v, and WSAEINVAL with a peer", want)
	}},
}
