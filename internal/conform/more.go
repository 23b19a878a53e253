package conform

import (
	"fmt"
	"time"

	"github.com/wsstack/wsstack/internal/trace"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

func init() {
	kaScenarios = append(kaScenarios, moreKeepAlive...)
	ctScenarios = append(ctScenarios, moreConnectTime...)
	ndScenarios = append(ndScenarios, moreDown...)
	toScenarios = append(toScenarios, moreTimeouts...)
	bcScenarios = append(bcScenarios, moreBroadcast...)
	inScenarios = append(inScenarios, moreInherit...)
	vectorScenarios = append(vectorScenarios, moreVectors...)
}

var moreKeepAlive = []Scenario{
	{ID: "KA-2", Title: "on and off at any time", Source: "W-KA", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			c, s := e.Connected()
			e.keepAlive(c, 10*time.Second, time.Second, 3)
			e.keepAlive2(s)
			e.Net.Sleep(time.Second)
			e.Set(e.P, c, wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, 0)
			start := e.Start()
			e.Net.Sleep(time.Minute)
			Equal(e, "probes of a, switched off", e.times("a", start, probeAt(1)), "")
			e.Check(e.times("b", start, probeAt(1)) != "", "no probes of b")
		})
		e.Notef("one side off, the other goes on")
	}},
	{ID: "KA-12", Title: "the states that are probed", Source: "RFC 1122 4.2.3.6", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			for _, half := range []string{"CLOSE_WAIT", "FIN_WAIT_2"} {
				c, s := e.Connected()
				e.keepAlive(c, 10*time.Second, time.Second, 3)
				nxt := uint32(1)
				if half == "CLOSE_WAIT" {
					e.Code("Shutdown", e.Q.Shutdown(s, wsa.SD_SEND), 0)
				} else {
					e.Code("Shutdown", e.P.Shutdown(c, wsa.SD_SEND), 0)
					nxt = 2
				}
				e.Net.Sleep(time.Second)
				start := e.Start()
				e.Net.Sleep(15 * time.Second)
				e.Check(e.times("a", start, probeAt(nxt)) != "", "no probe in %s", half)
				e.Code("CloseSocket", e.P.CloseSocket(c), 0)
				e.Code("CloseSocket", e.Q.CloseSocket(s), 0)
				e.Net.Sleep(5 * time.Second)
				start = e.Start()
				e.Net.Sleep(30 * time.Second)
				Equal(e, "segments of a closed socket", e.times("a", start, func(simnet.Line) bool { return true }), "")
			}
			// LISTEN and SYN_SENT.
			l := e.Listener(e.P, 90)
			e.Set(e.P, l, wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, 1)
		})
		e.Notef("probes in CLOSE_WAIT and FIN_WAIT_2, none once the handle is closed")
	}},
}

// keepAlive2 is keepAlive for a socket of B, with 10 s, 1 s and 3 probes.
func (e *Env) keepAlive2(s wsa.SOCKET) {
	for opt, v := range map[int32]uint32{wsa.TCP_KEEPIDLE: 10, wsa.TCP_KEEPINTVL: 1, wsa.TCP_KEEPCNT: 3} {
		e.Set(e.Q, s, wsa.IPPROTO_TCP, opt, v)
	}
	e.Set(e.Q, s, wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, 1)
}

var moreConnectTime = []Scenario{
	{ID: "CT-5", Title: "half-closed counts, ended doesn't", Source: "S-API", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			c, s := e.Connected()
			e.Code("Shutdown", e.P.Shutdown(c, wsa.SD_SEND), 0)
			e.Net.Sleep(5 * time.Second)
			Equal(e, "FIN_WAIT_2", e.Get(e.P, c, wsa.SOL_SOCKET, wsa.SO_CONNECT_TIME), 5)
			Equal(e, "CLOSE_WAIT", e.Get(e.Q, s, wsa.SOL_SOCKET, wsa.SO_CONNECT_TIME), 5)
			e.resetBy(s)
			v, err := get(e.P, c, wsa.SOL_SOCKET, wsa.SO_CONNECT_TIME)
			e.Code("reset", err, wsa.WSAENOTCONN)
			Equal(e, "reset: optval", v, 0xFFFFFFFF)
		})
		e.Notef("5 in FIN_WAIT_2 and CLOSE_WAIT, WSAENOTCONN after a reset")
	}},
	{ID: "CT-7", Title: "accepted but silent", Source: "API-AcceptEx", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			_, s := e.Connected()
			e.Net.Sleep(3600 * time.Second)
			Equal(e, "SO_CONNECT_TIME", e.Get(e.Q, s, wsa.SOL_SOCKET, wsa.SO_CONNECT_TIME), 3600)
		})
		e.Notef("3600 s without a byte of data")
	}},
	{ID: "CT-4", Title: "traffic changes nothing", Source: "S-API", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			c, s := e.Connected()
			for range 20 {
				e.send(c, 100)
				_, err := e.Q.Recv(s, make([]byte, 100), wsa.MSG_WAITALL)
				e.Code("Recv", err, 0)
				e.Net.Sleep(500 * time.Millisecond)
			}
			Equal(e, "SO_CONNECT_TIME", e.Get(e.P, c, wsa.SOL_SOCKET, wsa.SO_CONNECT_TIME), 10)
		})
		e.Notef("10 s with data every half second")
	}},
}

var moreDown = []Scenario{
	{ID: "ND-1", Title: "every call but closesocket", Source: "W-ERR", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			c, _ := e.Connected()
			u := e.Datagram()
			e.Check(e.A.Close() == nil, "Close failed")
			for _, s := range []wsa.SOCKET{c, u, bogus} {
				_, err := e.P.Recv(s, make([]byte, 1), 0)
				e.Code("Recv", err, wsa.WSAENETDOWN)
				_, err = e.P.SendTo(s, []byte("x"), 0, e.Addr(2, 9))
				e.Code("SendTo", err, wsa.WSAENETDOWN)
				e.Code("Bind", e.P.Bind(s, e.Any(0)), wsa.WSAENETDOWN)
				e.Code("Connect", e.P.Connect(s, e.Addr(2, 80)), wsa.WSAENETDOWN)
				e.Code("Listen", e.P.Listen(s, 1), wsa.WSAENETDOWN)
				_, _, err = e.P.Accept(s)
				e.Code("Accept", err, wsa.WSAENETDOWN)
				e.Code("SetSockOpt NULL", e.P.SetSockOpt(s, 1000, 1, nil, 0), wsa.WSAENETDOWN)
				_, err = e.P.GetSockName(s)
				e.Code("GetSockName", err, wsa.WSAENETDOWN)
				_, err = e.P.GetPeerName(s)
				e.Code("GetPeerName", err, wsa.WSAENETDOWN)
				_, err = e.P.Ioctl(s, wsa.FIONREAD, nil, make([]byte, 4))
				e.Code("FIONREAD", err, wsa.WSAENETDOWN)
			}
			e.Code("CloseSocket", e.P.CloseSocket(c), 0)
			e.Code("CloseSocket", e.P.CloseSocket(u), 0)
		})
		e.Notef("WSAENETDOWN for ten calls, bad handles included; closesocket 0")
	}},
	{ID: "ND-4", Title: "options of a network that is down", Source: "W-ERR", Once: true, Run: func(e *Env) {
		e.Pair()
		s := e.Stream()
		e.Check(e.A.Close() == nil, "Close failed")
		buf, n := []byte{1, 2, 3, 4}, int32(4)
		e.Code("GetSockOpt", e.P.GetSockOpt(s, wsa.SOL_SOCKET, wsa.SO_TYPE, buf, &n), wsa.WSAENETDOWN)
		Equal(e, "optval and *optlen", fmt.Sprint(buf, n), "[1 2 3 4] 4")
		e.Code("SetSockOpt", set(e.P, s, wsa.SOL_SOCKET, wsa.SO_DEBUG, 1), wsa.WSAENETDOWN)
		e.Notef("WSAENETDOWN, buffers untouched")
	}},
}

var moreTimeouts = []Scenario{
	{ID: "TO-3", Title: "SO_SNDTIMEO", Source: "W-SOL", Run: func(e *Env) {
		e.stuck(func(s wsa.SOCKET, p *simnet.Peer) {
			e.Set(e.P, s, wsa.SOL_SOCKET, wsa.SO_SNDTIMEO, 700)
			start := e.Start()
			_, err := e.P.Send(s, make([]byte, 32<<20), 0)
			e.Code("Send", err, wsa.WSAETIMEDOUT)
			Equal(e, "time", (e.Net.Now() - start).Round(time.Millisecond), 700*time.Millisecond)
			p.Send("[.] ack 1001 win 5000")
			e.Net.Sleep(time.Millisecond)
			e.Check(e.Count("a", func(l simnet.Line) bool { return data(l) && l.At > start && l.Segment.Seq == 1001 }) > 0, "what was accepted isn't transmitted")
			e.Linger(e.P, s, 0)
			e.Code("CloseSocket", e.P.CloseSocket(s), 0)
		})
		e.Notef("WSAETIMEDOUT at 0.700 s; accepted bytes leave when the window opens")
	}},
	{ID: "TO-4", Title: "after a time-out", Source: "W-SOL", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			c, s := e.Connected()
			e.Set(e.P, c, wsa.SOL_SOCKET, wsa.SO_RCVTIMEO, 100)
			_, err := e.P.Recv(c, make([]byte, 1), 0)
			e.Code("Recv", err, wsa.WSAETIMEDOUT)
			_, err = e.Q.Send(s, []byte("x"), 0)
			e.Code("Send", err, 0)
			e.Net.Sleep(time.Second)
			_, err = e.P.Recv(c, make([]byte, 1), 0)
			e.Code("a later Recv", err, 0)
			Equal(e, "SO_ERROR", e.Get(e.P, c, wsa.SOL_SOCKET, wsa.SO_ERROR), 0)
		})
		e.Notef("the connection stays up")
	}},
	{ID: "TO-8", Title: "a change counts from the next call", Source: "W-SOL", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			c, _ := e.Connected()
			e.Set(e.P, c, wsa.SOL_SOCKET, wsa.SO_RCVTIMEO, 2000)
			start := e.Start()
			e.Go("change", func() {
				e.Net.Sleep(500 * time.Millisecond)
				e.Set(e.P, c, wsa.SOL_SOCKET, wsa.SO_RCVTIMEO, 100)
			})
			_, err := e.P.Recv(c, make([]byte, 1), 0)
			e.Code("Recv", err, wsa.WSAETIMEDOUT)
			Equal(e, "the blocked call", e.Net.Now()-start, 2*time.Second)
			start = e.Start()
			_, err = e.P.Recv(c, make([]byte, 1), 0)
			e.Code("Recv", err, wsa.WSAETIMEDOUT)
			Equal(e, "the next call", e.Net.Now()-start, 100*time.Millisecond)
		})
		e.Notef("2 s for the blocked call, 0.1 s for the next")
	}},
	{ID: "TO-10", Title: "inherited", Source: "W-SOL", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			l := e.Listener(e.Q, 80)
			e.Set(e.Q, l, wsa.SOL_SOCKET, wsa.SO_RCVTIMEO, 250)
			e.Code("Connect", e.P.Connect(e.Stream(), e.Addr(2, 80)), 0)
			s, _, err := e.Q.Accept(l)
			e.Code("Accept", err, 0)
			start := e.Start()
			_, err = e.Q.Recv(s, make([]byte, 1), 0)
			e.Code("Recv", err, wsa.WSAETIMEDOUT)
			Equal(e, "time", e.Net.Now()-start, 250*time.Millisecond)
		})
		e.Notef("0.250 s on the accepted socket")
	}},
	{ID: "TO-11", Title: "MSG_WAITALL and MSG_PEEK", Source: "API-recv", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			c, s := e.Connected()
			e.Set(e.P, c, wsa.SOL_SOCKET, wsa.SO_RCVTIMEO, 1000)
			e.Go("send", func() {
				for range 3 {
					_, err := e.Q.Send(s, []byte("ab"), 0)
					e.Code("Send", err, 0)
					e.Net.Sleep(400 * time.Millisecond)
				}
			})
			start := e.Start()
			_, err := e.P.Recv(c, make([]byte, 100), wsa.MSG_WAITALL)
			e.Code("Recv MSG_WAITALL", err, wsa.WSAETIMEDOUT)
			Equal(e, "time", e.Net.Now()-start, time.Second)
			buf := make([]byte, 100)
			n, err := e.P.Recv(c, buf, wsa.MSG_PEEK)
			e.Code("Recv MSG_PEEK", err, 0)
			Equal(e, "still queued", string(buf[:n]), "ababab")
		})
		e.Notef("one second for the whole call; the six bytes are still there")
	}},
}

var moreBroadcast = []Scenario{
	{ID: "BC-2", Title: "connect and bind", Source: "W-SOL", Once: true, Run: func(e *Env) {
		e.Pair()
		for _, to := range []string{"255.255.255.255:9", "10.0.0.255:9"} {
			e.Code("Connect", e.P.Connect(e.Datagram(), addrOf(to)), wsa.WSAEACCES)
			e.Code("Bind", e.P.Bind(e.Datagram(), addrOf(to)), wsa.WSAEACCES)
		}
		e.Notef("WSAEACCES for both")
	}},
	{ID: "BC-4", Title: "multicast is not broadcast", Source: "W-SOL", Once: true, Run: func(e *Env) {
		e.Pair()
		_, err := e.P.SendTo(e.Datagram(), []byte("x"), 0, addrOf("224.1.2.3:9"))
		e.Code("SendTo", err, 0)
		e.Net.Idle()
		Equal(e, "packets", len(e.Segments("a")), 1)
		e.Notef("sent without SO_BROADCAST")
	}},
}

var moreInherit = []Scenario{
	{ID: "IN-1", Title: "what accept makes", Source: "API-accept", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			l := e.Listener(e.Q, 80)
			e.Nonblocking(e.Q, l, true)
			e.Set(e.Q, l, wsa.IPPROTO_TCP, wsa.TCP_NODELAY, 1)
			e.Code("Connect", e.P.Connect(e.Stream(), e.Addr(2, 80)), 0)
			e.Net.Sleep(time.Second)
			e.Set(e.Q, l, wsa.SOL_SOCKET, wsa.SO_OOBINLINE, 1) // as of the accept call
			s, _, err := e.Q.Accept(l)
			e.Code("Accept", err, 0)
			_, err = e.Q.Recv(s, make([]byte, 1), 0)
			e.Code("Recv on the accepted socket", err, wsa.WSAEWOULDBLOCK)
			Equal(e, "TCP_NODELAY", e.Get(e.Q, s, wsa.IPPROTO_TCP, wsa.TCP_NODELAY), 1)
			Equal(e, "SO_OOBINLINE", e.Get(e.Q, s, wsa.SOL_SOCKET, wsa.SO_OOBINLINE), 1)
			Equal(e, "SO_ACCEPTCONN", e.Get(e.Q, s, wsa.SOL_SOCKET, wsa.SO_ACCEPTCONN), 0)
			Equal(e, "SO_ERROR", e.Get(e.Q, s, wsa.SOL_SOCKET, wsa.SO_ERROR), 0)
			Equal(e, "SO_CONNECT_TIME", e.Get(e.Q, s, wsa.SOL_SOCKET, wsa.SO_CONNECT_TIME), 0)
		})
		e.Notef("non-blocking as the listener is, its options as of accept, no error, own connect time")
	}},
}

// optlens is TV-24 on one option: less than what get gives is WSAEFAULT, as are no
// bytes for set, and NULL. A socket without the option says so at any length.
func (e *Env) optlens(s wsa.SOCKET, o options.Info) {
	call := func(b []byte, n int32) (size int32, get, set error) {
		size = n
		get = e.P.GetSockOpt(s, o.Level, o.Number, b, &size)
		return size, get, e.P.SetSockOpt(s, o.Level, o.Number, b, n)
	}
	size, get, set := call(make([]byte, 700), 700)
	for _, n := range []int32{0, 1, 3, 4, 8} {
		gotSize, gotGet, gotSet := call(make([]byte, 8), n)
		switch {
		case get == wsa.WSAENOPROTOOPT:
			e.Code(fmt.Sprint("get ", o.Symbol, " with ", n), gotGet, wsa.WSAENOPROTOOPT)
		case n == 0 || get == nil && n < size:
			e.Code(fmt.Sprint("get ", o.Symbol, " with ", n), gotGet, wsa.WSAEFAULT)
			e.Check(gotSize == n || o.Number == wsa.SO_PROTOCOL_INFOA || o.Number == wsa.SO_PROTOCOL_INFOW || o.Number == wsa.SO_LINGER,
				"get %s: *optlen %d became %d", o.Symbol, n, gotSize)
		}
		switch {
		case set == wsa.WSAENOPROTOOPT:
			e.Code(fmt.Sprint("set ", o.Symbol, " with ", n), gotSet, wsa.WSAENOPROTOOPT)
		case n == 0 && o.Size > 0:
			e.Code(fmt.Sprint("set ", o.Symbol, " with ", n), gotSet, wsa.WSAEFAULT)
		}
	}
	_, get, null := call(nil, 4)
	e.Code("get "+o.Symbol+" with NULL", get, wsa.WSAEFAULT)
	if o.Number != wsa.SO_UPDATE_CONNECT_CONTEXT { // AV-4
		e.Code("set "+o.Symbol+" with NULL", null, wsa.WSAEFAULT)
	}
}

var moreVectors = []Scenario{
	{ID: "TV-6", Title: "LINGER{1,0} with 1 MB queued", Source: "vectors", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			c, s := e.Connected()
			e.Nonblocking(e.P, c, true)
			_, err := e.P.Send(c, make([]byte, 1<<20), 0)
			e.Code("Send", err, 0)
			local, err := e.P.GetSockName(c)
			e.Code("GetSockName", err, 0)
			e.Linger(e.P, c, 0)
			start := e.Start()
			e.Code("CloseSocket", e.P.CloseSocket(c), 0)
			Equal(e, "time", e.Net.Now(), start)
			again := e.Stream()
			e.Set(e.P, again, wsa.SOL_SOCKET, wsa.SO_EXCLUSIVEADDRUSE, 1)
			e.Code("an exclusive bind of its port", e.P.Bind(again, local), 0)
			e.Net.Sleep(time.Second)
			_, err = e.Q.Recv(s, make([]byte, 1), 0)
			e.Code("the peer's Recv", err, 10054)
		})
		e.Check(e.Count("a", has(trace.RST)) > 0, "no RST")
		e.Notef("returns at once, RST, the peer gets 10054, the port is free")
	}},
	{ID: "TV-24", Title: "lengths 0, 1, 3, 4, 8 and NULL", Source: "vectors", Once: true, Run: func(e *Env) {
		e.Pair()
		common := [][2]int32{{wsa.SOL_SOCKET, wsa.SO_DEBUG}, {wsa.SOL_SOCKET, wsa.SO_REUSEADDR}, {wsa.SOL_SOCKET, wsa.SO_KEEPALIVE},
			{wsa.SOL_SOCKET, wsa.SO_LINGER}, {wsa.SOL_SOCKET, wsa.SO_SNDBUF}, {wsa.SOL_SOCKET, wsa.SO_RCVTIMEO}, {wsa.IPPROTO_TCP, wsa.TCP_NODELAY},
			{wsa.IPPROTO_TCP, wsa.TCP_KEEPCNT}}
		for _, o := range common {
			s := e.Stream()
			for n, want := range map[int32]wsa.Errno{0: wsa.WSAEFAULT, 1: wsa.WSAEFAULT, 3: wsa.WSAEFAULT, 4: 0, 8: 0} {
				e.Code(fmt.Sprint(wsa.OptionName(o[0], o[1]), " with ", n), e.P.SetSockOpt(s, o[0], o[1], make([]byte, 8), n), want)
			}
			e.Code("NULL", e.P.SetSockOpt(s, o[0], o[1], nil, 4), wsa.WSAEFAULT)
		}
		for _, typ := range []int32{wsa.SOCK_STREAM, wsa.SOCK_DGRAM} {
			s := e.Socket(e.P, typ)
			for _, o := range options.Table() {
				e.optlens(s, o)
			}
		}
		e.Notef("WSAEFAULT below 4 and for NULL, success from 4 on, for %d options; no other takes or gives less than its size", len(common))
	}},
}
