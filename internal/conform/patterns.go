package conform

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/wsstack/wsstack/internal/trace"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

// The first scenarios of areas that later issues complete: what works already.

type lineOf = simnet.Line

func addrOf(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

var ngScenarios = []Scenario{
	{ID: "NG-1", Title: "a new socket has Nagle on", Source: "W-TCP", Run: func(e *Env) {
		e.Pair()
		Equal(e, "TCP_NODELAY", e.Get(e.P, e.Stream(), wsa.IPPROTO_TCP, wsa.TCP_NODELAY), 0)
		e.Do(func() {
			c, _ := e.Connected()
			for range 2 {
				_, err := e.P.Send(c, []byte("x"), 0)
				e.Code("Send", err, 0)
			}
			e.Net.Sleep(Delay)
			Equal(e, "segments in flight", e.Count("a", data), 1)
			e.Net.Sleep(5 * Delay)
		})
		Equal(e, "segments in all", e.Count("a", data), 2)
		e.Notef("reads 0; the second byte waits for the first one's ACK")
	}},
	{ID: "NG-3", Title: "the first small write leaves at once", Source: "RFC 896", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			c, _ := e.Connected()
			e.Net.Sleep(time.Second)
			start := e.Start()
			_, err := e.P.Send(c, []byte("x"), 0)
			e.Code("Send", err, 0)
			for _, l := range e.Segments("a") {
				if data(l) {
					Equal(e, "time of the segment", l.At, start)
				}
			}
		})
		Equal(e, "segments", e.Count("a", data), 1)
		e.Notef("1 byte, no delay")
	}},
	{ID: "NG-5", Title: "TCP_NODELAY sends each write", Source: "W-TCP", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			c, _ := e.Connected()
			e.Set(e.P, c, wsa.IPPROTO_TCP, wsa.TCP_NODELAY, 1)
			for range 10 {
				_, err := e.P.Send(c, []byte("x"), 0)
				e.Code("Send", err, 0)
			}
			_, err := e.P.Send(c, nil, 0)
			e.Code("Send of nothing", err, 0)
			Equal(e, "segments at once", e.Count("a", data), 10)
		})
		e.Notef("ten writes, ten segments; an empty write sends nothing")
	}},
	{ID: "NG-16", Title: "TCP_NODELAY elsewhere", Source: "S-SAN", Once: true, Run: func(e *Env) {
		e.Pair()
		e.Code("on a datagram socket", set(e.P, e.Datagram(), wsa.IPPROTO_TCP, wsa.TCP_NODELAY, 1), wsa.WSAENOPROTOOPT)
		s := e.Stream()
		e.Set(e.P, s, wsa.SOL_SOCKET, wsa.TCP_NODELAY, 1)
		Equal(e, "SO_DEBUG", e.Get(e.P, s, wsa.SOL_SOCKET, wsa.SO_DEBUG), 1)
		Equal(e, "TCP_NODELAY", e.Get(e.P, s, wsa.IPPROTO_TCP, wsa.TCP_NODELAY), 0)
		e.Notef("WSAENOPROTOOPT; at SOL_SOCKET the number is SO_DEBUG")
	}},
}

var kaScenarios = []Scenario{
	{ID: "KA-1", Title: "off by default", Source: "W-KA, RFC 1122", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			e.Connected()
			e.Net.Sleep(time.Second)
			before := len(e.Segments(""))
			e.Net.Sleep(3 * time.Hour)
			Equal(e, "segments in three hours", len(e.Segments(""))-before, 0)
		})
		e.Notef("three idle hours, no segment")
	}},
}

var lgScenarios = []Scenario{
	{ID: "LG-1", Title: "defaults", Source: "S-GET, C-03", Once: true, Run: func(e *Env) {
		e.Pair()
		s := e.Stream()
		Equal(e, "SO_LINGER", e.Get(e.P, s, wsa.SOL_SOCKET, wsa.SO_LINGER), 0)
		Equal(e, "SO_DONTLINGER", e.Get(e.P, s, wsa.SOL_SOCKET, wsa.SO_DONTLINGER), 1)
		e.Notef("{0,0} and 1")
	}},
	{ID: "LG-3", Title: "hard close", Source: "API-close", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			c, s := e.Connected()
			_, err := e.P.Send(c, make([]byte, 100000), 0)
			e.Code("Send", err, 0)
			e.Linger(e.P, c, 0)
			start := e.Start()
			e.Code("CloseSocket", e.P.CloseSocket(c), 0)
			Equal(e, "time", e.Net.Now(), start)
			e.Net.Sleep(time.Second)
			_, err = e.Q.Recv(s, make([]byte, 1), 0)
			e.Code("the peer's Recv", err, wsa.WSAECONNRESET)
			again := e.Stream()
			e.Set(e.P, again, wsa.SOL_SOCKET, wsa.SO_EXCLUSIVEADDRUSE, 1)
			for _, l := range e.A.Sockets() {
				e.Check(l.Remote.Port() != 80, "a remnant of the connection: %v", l)
			}
		})
		Equal(e, "FINs", e.Count("a", has(trace.FIN)), 0)
		e.Check(e.Count("a", has(trace.RST)) >= 1, "no RST")
		e.Notef("RST at once, no FIN, no TIME-WAIT")
	}},
	{ID: "LG-2", Title: "default close", Source: "API-close", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			c, s := e.Connected()
			_, err := e.P.Send(c, make([]byte, 200000), 0)
			e.Code("Send", err, 0)
			start := e.Start()
			e.Code("CloseSocket", e.P.CloseSocket(c), 0)
			Equal(e, "time", e.Net.Now(), start)
			n, err := e.Q.Recv(s, make([]byte, 300000), wsa.MSG_WAITALL)
			e.Code("the peer's Recv", err, 0)
			Equal(e, "bytes", n, 200000)
			e.Code("the peer's CloseSocket", e.Q.CloseSocket(s), 0)
		})
		e.Net.Advance(5 * time.Second)
		Equal(e, "FINs", e.Count("a", has(trace.FIN)) > 0, true)
		Equal(e, "RSTs", e.Count("", has(trace.RST)), 0)
		e.Notef("returns at once; 200000 bytes and FIN in the background")
	}},
	{ID: "LG-4", Title: "lingering close with nothing pending", Source: "API-close", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			c, _ := e.Connected()
			e.Linger(e.P, c, 5)
			start := e.Start()
			e.Code("CloseSocket", e.P.CloseSocket(c), 0)
			Equal(e, "time", (e.Net.Now() - start).Round(time.Millisecond), 2*Delay)
		})
		e.Notef("returns after one round trip, when the FIN is acknowledged")
	}},
	{ID: "LG-8", Title: "non-blocking lingering close with nothing pending", Source: "API-close", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			c, _ := e.Connected()
			e.Linger(e.P, c, 5)
			e.Nonblocking(e.P, c, true)
			start := e.Start()
			e.Code("CloseSocket", e.P.CloseSocket(c), 0)
			Equal(e, "time", e.Net.Now(), start)
		})
		Equal(e, "FINs", e.Count("a", has(trace.FIN)), 1)
		e.Notef("returns at once, FIN in the background")
	}},
}

var bfScenarios = []Scenario{
	{ID: "BF-3", Title: "too large is cut to the cap", Source: "S-SET", Once: true, Run: func(e *Env) {
		e.Pair()
		for _, s := range []wsa.SOCKET{e.Stream(), e.Datagram()} {
			for _, opt := range []int32{wsa.SO_SNDBUF, wsa.SO_RCVBUF} {
				e.Set(e.P, s, wsa.SOL_SOCKET, opt, 0x7FFFFFFF)
				Equal(e, wsa.OptionName(wsa.SOL_SOCKET, opt), e.Get(e.P, s, wsa.SOL_SOCKET, opt), 4<<20)
			}
		}
		e.Notef("INT_MAX becomes 4 MiB")
	}},
	{ID: "BF-22", Title: "sends of nothing", Source: "API-send", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			c, _ := e.Connected()
			e.Net.Sleep(time.Second)
			before := len(e.Segments("a"))
			n, err := e.P.Send(c, []byte{}, 0)
			e.Code("Send", err, 0)
			Equal(e, "bytes", n, 0)
			Equal(e, "segments", len(e.Segments("a"))-before, 0)
			server := e.Socket(e.Q, wsa.SOCK_DGRAM)
			e.Code("Bind", e.Q.Bind(server, e.Any(53)), 0)
			_, err = e.P.SendTo(e.Datagram(), []byte{}, 0, e.Addr(2, 53))
			e.Code("SendTo", err, 0)
			n, err = e.Q.Recv(server, make([]byte, 9), 0)
			e.Code("Recv", err, 0)
			Equal(e, "bytes of the datagram", n, 0)
		})
		e.Notef("no segment, but an empty datagram")
	}},
}

var ctScenarios = []Scenario{
	{ID: "CT-1", Title: "whole seconds since established", Source: "S-API", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			c, s := e.Connected()
			established := e.Net.Now() - Delay // the server's third ACK came just now
			for _, at := range []time.Duration{500 * time.Millisecond, 985 * time.Millisecond, 2500 * time.Millisecond} {
				e.Net.Sleep(established + at - e.Net.Now())
				want := uint32(at / time.Second)
				Equal(e, fmt.Sprintf("the client's at %v", at), e.Get(e.P, c, wsa.SOL_SOCKET, wsa.SO_CONNECT_TIME), want)
				Equal(e, fmt.Sprintf("the server's at %v", at), e.Get(e.Q, s, wsa.SOL_SOCKET, wsa.SO_CONNECT_TIME), want)
			}
			// The client is established one way earlier than the server.
			e.Net.Sleep(established + 2995*time.Millisecond + Delay/2 - e.Net.Now())
			Equal(e, "the client's at 3.000 s", e.Get(e.P, c, wsa.SOL_SOCKET, wsa.SO_CONNECT_TIME), 3)
			Equal(e, "the server's at 2.990 s", e.Get(e.Q, s, wsa.SOL_SOCKET, wsa.SO_CONNECT_TIME), 2)
		})
		e.Notef("0 in the first second, 2 at 2.5 s; the client is a one-way delay ahead")
	}},
	{ID: "CT-2", Title: "not connected", Source: "S-API, C-01", Run: func(e *Env) {
		e.Pair()
		s := e.Stream()
		check := func(what string, s wsa.SOCKET) {
			v, err := get(e.P, s, wsa.SOL_SOCKET, wsa.SO_CONNECT_TIME)
			e.Code(what, err, wsa.WSAENOTCONN)
			Equal(e, what+": optval", v, 0xFFFFFFFF)
		}
		check("fresh", s)
		e.Code("Bind", e.P.Bind(s, e.Any(0)), 0)
		check("bound", s)
		e.Code("Listen", e.P.Listen(s, 1), 0)
		check("listening", s)
		c := e.Stream()
		e.Nonblocking(e.P, c, true)
		e.Code("Connect", e.P.Connect(c, e.Addr(2, 80)), wsa.WSAEWOULDBLOCK)
		check("connecting", c)
		e.Notef("WSAENOTCONN and 0xFFFFFFFF in four states")
	}},
	{ID: "CT-6", Title: "datagram sockets", Source: "S-API, C-01", Once: true, Run: func(e *Env) {
		e.Pair()
		_, err := get(e.P, e.Datagram(), wsa.SOL_SOCKET, wsa.SO_CONNECT_TIME)
		e.Code("SO_CONNECT_TIME", err, wsa.WSAENOPROTOOPT)
		e.Notef("WSAENOPROTOOPT")
	}},
}

var ruScenarios = []Scenario{
	{ID: "RU-3", Title: "both options at once", Source: "OBS, C-26", Once: true, Run: func(e *Env) {
		e.Pair()
		for _, o := range [][2]int32{{wsa.SO_REUSEADDR, wsa.SO_EXCLUSIVEADDRUSE}, {wsa.SO_EXCLUSIVEADDRUSE, wsa.SO_REUSEADDR}} {
			s := e.Stream()
			e.Set(e.P, s, wsa.SOL_SOCKET, o[0], 1)
			e.Code("the second", set(e.P, s, wsa.SOL_SOCKET, o[1], 1), wsa.WSAEINVAL)
			Equal(e, "the second reads", e.Get(e.P, s, wsa.SOL_SOCKET, o[1]), 0)
		}
		e.Notef("WSAEINVAL in either order")
	}},
}

var poScenarios = []Scenario{
	{ID: "PO-5", Title: "port 0 is unique across addresses", Source: "W-PS", Once: true, Run: func(e *Env) {
		e.Pair()
		seen := map[uint16]bool{}
		for i := range 200 {
			s := e.Stream()
			addr := e.Any(0)
			if i%2 == 0 {
				addr = e.Addr(1, 0)
			}
			e.Code("Bind", e.P.Bind(s, addr), 0)
			local, err := e.P.GetSockName(s)
			e.Code("GetSockName", err, 0)
			e.Check(local.Port() >= 49152 && !seen[local.Port()], "port %d", local.Port())
			seen[local.Port()] = true
		}
		e.Notef("200 different dynamic ports on two addresses")
	}},
}

var toScenarios = []Scenario{
	{ID: "TO-1", Title: "set only", Source: "S-API, C-14", Profiles: []options.Profile{options.Documented, options.Windows}, Once: true, Run: func(e *Env) {
		e.Pair()
		s := e.Stream()
		for _, opt := range []int32{wsa.SO_SNDTIMEO, wsa.SO_RCVTIMEO} {
			e.Set(e.P, s, wsa.SOL_SOCKET, opt, 1234)
			v, err := get(e.P, s, wsa.SOL_SOCKET, opt)
			if e.Profile == options.Documented {
				e.Code("get", err, wsa.WSAENOPROTOOPT)
				continue
			}
			e.Code("get", err, 0)
			Equal(e, "value", v, 1234)
		}
		e.Notef("get is WSAENOPROTOOPT; as measured, the value")
	}},
	{ID: "TO-2", Title: "SO_RCVTIMEO", Source: "W-SOL", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			c, s := e.Connected()
			e.Set(e.P, c, wsa.SOL_SOCKET, wsa.SO_RCVTIMEO, 1500)
			start := e.Start()
			_, err := e.P.Recv(c, make([]byte, 1), 0)
			e.Code("Recv", err, wsa.WSAETIMEDOUT)
			Equal(e, "time", e.Net.Now()-start, 1500*time.Millisecond)
			e.Go("send", func() {
				e.Net.Sleep(time.Second)
				_, err := e.Q.Send(s, []byte("x"), 0)
				e.Code("Send", err, 0)
			})
			_, err = e.P.Recv(c, make([]byte, 1), 0)
			e.Code("Recv with data in time", err, 0)
		})
		e.Notef("WSAETIMEDOUT at 1.500 s; data within it is success")
	}},
	{ID: "TO-9", Title: "small values are exact", Source: "OBS, C-33", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			c, _ := e.Connected()
			for _, ms := range []uint32{1, 100, 499} {
				e.Set(e.P, c, wsa.SOL_SOCKET, wsa.SO_RCVTIMEO, ms)
				start := e.Start()
				_, err := e.P.Recv(c, make([]byte, 1), 0)
				e.Code("Recv", err, wsa.WSAETIMEDOUT)
				Equal(e, "time", e.Net.Now()-start, time.Duration(ms)*time.Millisecond)
			}
		})
		e.Notef("1, 100 and 499 ms")
	}},
}

var bcScenarios = []Scenario{
	{ID: "BC-1", Title: "sending to broadcast needs SO_BROADCAST", Source: "W-SOL", Once: true, Run: func(e *Env) {
		e.Pair()
		s := e.Datagram()
		for _, to := range []string{"255.255.255.255:9", "10.0.0.255:9"} {
			_, err := e.P.SendTo(s, []byte("x"), 0, addrOf(to))
			e.Code("SendTo "+to, err, wsa.WSAEACCES)
		}
		Equal(e, "packets", len(e.Segments("a")), 0)
		e.Notef("WSAEACCES, nothing sent")
	}},
}

var inScenarios = []Scenario{
	{ID: "IN-3", Title: "what accept doesn't copy", Source: "API-accept", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			l := e.Socket(e.Q, wsa.SOCK_STREAM)
			e.Set(e.Q, l, wsa.SOL_SOCKET, wsa.SO_CONDITIONAL_ACCEPT, 0)
			e.Code("Bind", e.Q.Bind(l, e.Any(80)), 0)
			e.Code("Listen", e.Q.Listen(l, 5), 0)
			e.Code("Connect", e.P.Connect(e.Stream(), e.Addr(2, 80)), 0)
			s, _, err := e.Q.Accept(l)
			e.Code("Accept", err, 0)
			Equal(e, "SO_ACCEPTCONN", e.Get(e.Q, s, wsa.SOL_SOCKET, wsa.SO_ACCEPTCONN), 0)
			Equal(e, "SO_ERROR", e.Get(e.Q, s, wsa.SOL_SOCKET, wsa.SO_ERROR), 0)
		})
		e.Notef("the accepted socket isn't listening and has no error")
	}},
}

var ndScenarios = []Scenario{
	{ID: "ND-2", Title: "calls blocked when the stack goes down", Source: "W-ERR", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			c, _ := e.Connected()
			blocked := e.Go("recv", func() {
				_, err := e.P.Recv(c, make([]byte, 1), 0)
				e.Code("the blocked Recv", err, wsa.WSAENETDOWN)
			})
			e.Net.Sleep(time.Second)
			e.Check(e.A.Close() == nil, "Close failed")
			blocked.Wait()
			_, err := e.P.Send(c, []byte("x"), 0)
			e.Code("Send", err, wsa.WSAENETDOWN)
			_, err = e.P.Socket(e.Family, wsa.SOCK_STREAM, 0)
			e.Code("Socket", err, wsa.WSAENETDOWN)
			e.Code("a bad handle", e.P.Shutdown(bogus, 0), wsa.WSAENETDOWN)
			e.Code("CloseSocket", e.P.CloseSocket(c), 0)
		})
		e.Notef("WSAENETDOWN for the blocked and every later call; closesocket succeeds")
	}},
}

var vectorScenarios = []Scenario{
	{ID: "TV-17", Title: "non-blocking connect to a closed port", Source: "vectors", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			s := e.Stream()
			e.Nonblocking(e.P, s, true)
			e.Code("Connect", e.P.Connect(s, e.Addr(2, 1)), wsa.WSAEWOULDBLOCK)
			set := []wsa.SOCKET{s}
			_, _, x, err := e.P.Select(nil, nil, set, -1)
			e.Code("Select", err, 0)
			Equal(e, "except", len(x), 1)
			Equal(e, "SO_ERROR", e.Get(e.P, s, wsa.SOL_SOCKET, wsa.SO_ERROR), 10061)
			Equal(e, "SO_ERROR again", e.Get(e.P, s, wsa.SOL_SOCKET, wsa.SO_ERROR), 0)
		})
		e.Notef("except set; 10061, then 0")
	}},
	{ID: "TV-19", Title: "foreign levels", Source: "vectors", Once: true, Run: func(e *Env) {
		e.Pair()
		for _, level := range []int32{1000, 255, 16000, 113} {
			for _, opt := range []int32{1, 0x10, 0x4000, 0xA000, 1001} {
				e.Code("set", set(e.P, e.Stream(), level, opt, 1), 10022)
			}
		}
		e.Code("level 6 on UDP", set(e.P, e.Datagram(), 6, 1, 1), 10042)
		e.Notef("10022 for four levels, 10042 for level 6 on UDP")
	}},
	{ID: "TV-20", Title: "groups on a plain socket", Source: "vectors", Once: true, Run: func(e *Env) {
		e.Pair()
		s := e.Stream()
		Equal(e, "SO_GROUP_ID", e.Get(e.P, s, wsa.SOL_SOCKET, wsa.SO_GROUP_ID), 0)
		_, err := get(e.P, s, wsa.SOL_SOCKET, wsa.SO_GROUP_PRIORITY)
		e.Code("get", err, 10042)
		e.Code("set", set(e.P, s, wsa.SOL_SOCKET, wsa.SO_GROUP_PRIORITY, 0), 10042)
		e.Notef("0; 10042")
	}},
	{ID: "TV-23", Title: "SO_DONTROUTE on both families", Source: "vectors", Once: true, Run: func(e *Env) {
		e.Pair()
		e.Set(e.P, e.Stream(), wsa.SOL_SOCKET, wsa.SO_DONTROUTE, 1)
		s, err := e.P.Socket(wsa.AF_INET6, wsa.SOCK_STREAM, 0)
		e.Code("Socket", err, 0)
		e.Code("set", set(e.P, s, wsa.SOL_SOCKET, wsa.SO_DONTROUTE, 1), 10042)
		e.Notef("success; 10042")
	}},
}
