package conform

import (
	"fmt"
	"time"

	"github.com/wsstack/wsstack/internal/trace"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

var nbScenarios = []Scenario{
	{ID: "NB-1", Title: "SYN schedule", Source: "API-connect, OBS", Run: func(e *Env) {
		e.Wire()
		e.Do(func() {
			for range 2 { // the socket may try again
				s := e.Stream()
				start := e.Start()
				e.Code("Connect", e.P.Connect(s, e.Addr(9, 80)), wsa.WSAETIMEDOUT)
				Equal(e, "time", (e.Net.Now() - start).Round(time.Millisecond), 21*time.Second)
				var at []string
				for _, l := range e.Segments("a") {
					if l.At >= start {
						at = append(at, (l.At - start).Round(time.Millisecond).String())
					}
				}
				Equal(e, "SYNs", fmt.Sprint(at), "[0s 1s 3s 7s 15s]")
			}
			s := e.Stream()
			e.Set(e.P, s, wsa.IPPROTO_TCP, wsa.TCP_NOSYNRETRIES, 1)
			start := e.Start()
			e.Code("Connect", e.P.Connect(s, e.Addr(9, 80)), wsa.WSAETIMEDOUT)
			Equal(e, "time without retries", (e.Net.Now() - start).Round(time.Millisecond), time.Second)
		})
		e.Notef("SYNs at 0, 1, 3, 7 and 15 s, WSAETIMEDOUT at 21 s; with TCP_NOSYNRETRIES at 1 s")
	}},
	{ID: "NB-3", Title: "ICMP unreachable during connect", Source: "API-connect, W-TCP", Run: func(e *Env) {
		w := e.Wire()
		w.Listen(80)
		unreachable := func(code byte) {
			syn, err := w.Receive(time.Second)
			e.Check(err == nil, "no SYN: %v", err)
			w.Inject(e.unreachable(syn.Data, code))
		}
		e.Do(func() {
			for code := range byte(2) {
				s := e.Stream()
				done := e.Go("answer", func() { unreachable(code) })
				start := e.Start()
				e.Code("Connect", e.P.Connect(s, e.Addr(9, 80)), wsa.WSAETIMEDOUT)
				Equal(e, "time", (e.Net.Now() - start).Round(time.Millisecond), 21*time.Second)
				done.Wait()
				w.Discard()
			}
			s := e.Stream()
			e.Set(e.P, s, wsa.IPPROTO_TCP, wsa.TCP_FAIL_CONNECT_ON_ICMP_ERROR, 1)
			done := e.Go("answer", func() { unreachable(1) })
			start := e.Start()
			e.Code("Connect", e.P.Connect(s, e.Addr(9, 80)), wsa.WSAEHOSTUNREACH)
			Equal(e, "time", (e.Net.Now() - start).Round(time.Millisecond), 0)
			done.Wait()
		})
		e.Notef("advisory: WSAETIMEDOUT at 21 s; with TCP_FAIL_CONNECT_ON_ICMP_ERROR WSAEHOSTUNREACH at once")
	}},
	{ID: "NB-2", Title: "RST to a SYN", Source: "API-connect", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			s := e.Stream()
			start := e.Start()
			e.Code("Connect", e.P.Connect(s, e.Addr(2, 1)), wsa.WSAECONNREFUSED)
			Equal(e, "time", (e.Net.Now() - start).Round(time.Millisecond), 2*Delay)
		})
		Equal(e, "SYNs", e.Count("a", has(trace.SYN)), 1)
		e.Notef("refused after one round trip, which is permitted")
	}},
	{ID: "NB-3", Title: "ICMP and connected datagram sockets", Source: "API-connect", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			s := e.Datagram()
			e.Code("Connect", e.P.Connect(s, e.Addr(2, 9)), 0)
			for range 3 {
				_, err := e.P.Send(s, []byte("x"), 0)
				e.Code("Send", err, 0)
				e.Net.Sleep(time.Second)
			}
			_, err := e.P.Recv(s, make([]byte, 1), 0)
			e.Code("Recv", err, wsa.WSAECONNRESET)
		})
		Equal(e, "ICMP errors", e.Count("b", func(l lineOf) bool { return l.Kind == trace.ICMP }), 3)
		e.Notef("three sends succeed, recv gets WSAECONNRESET")
	}},
}

var eoScenarios = []Scenario{
	{ID: "EO-1", Title: "fresh socket", Source: "S-GET", Once: true, Run: func(e *Env) {
		e.Pair()
		for _, s := range []wsa.SOCKET{e.Stream(), e.Datagram()} {
			Equal(e, "SO_ERROR", e.Get(e.P, s, wsa.SOL_SOCKET, wsa.SO_ERROR), 0)
		}
		e.Notef("0")
	}},
	{ID: "EO-2", Title: "set by asynchronous failures", Source: "S-GET", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			refused := e.Stream()
			e.Nonblocking(e.P, refused, true)
			e.Code("Connect", e.P.Connect(refused, e.Addr(2, 1)), wsa.WSAEWOULDBLOCK)
			c, s := e.Connected()
			e.resetBy(s)
			Equal(e, "after a refused connect", wsa.Errno(e.Get(e.P, refused, wsa.SOL_SOCKET, wsa.SO_ERROR)), wsa.WSAECONNREFUSED)
			Equal(e, "after a RST", wsa.Errno(e.Get(e.P, c, wsa.SOL_SOCKET, wsa.SO_ERROR)), wsa.WSAECONNRESET)
		})
		e.Notef("WSAECONNREFUSED, WSAECONNRESET")
	}},
	{ID: "EO-3", Title: "get returns and resets", Source: "S-GET, C-02", Run: func(e *Env) {
		e.refused(func(s wsa.SOCKET) {
			Equal(e, "first get", wsa.Errno(e.Get(e.P, s, wsa.SOL_SOCKET, wsa.SO_ERROR)), wsa.WSAECONNREFUSED)
			Equal(e, "second get", e.Get(e.P, s, wsa.SOL_SOCKET, wsa.SO_ERROR), 0)
		})
		e.Notef("WSAECONNREFUSED, then 0")
	}},
	{ID: "EO-5", Title: "a successful call doesn't reset it", Source: "S-GET, C-02", Run: func(e *Env) {
		e.refused(func(s wsa.SOCKET) {
			e.Set(e.P, s, wsa.IPPROTO_TCP, wsa.TCP_NODELAY, 1)
			e.Listener(e.Q, 80)
			e.Code("Connect", e.P.Connect(s, e.Addr(2, 80)), wsa.WSAEWOULDBLOCK)
			e.Net.Sleep(time.Second)
			_, err := e.P.GetSockName(s)
			e.Code("GetSockName", err, 0)
			e.Code("Connect", e.P.Connect(s, e.Addr(2, 80)), wsa.WSAEISCONN)
			Equal(e, "SO_ERROR", wsa.Errno(e.Get(e.P, s, wsa.SOL_SOCKET, wsa.SO_ERROR)), wsa.WSAECONNREFUSED)
		})
		e.Notef("still WSAECONNREFUSED after setsockopt, getsockname and a successful connect")
	}},
	{ID: "EO-6", Title: "synchronous errors are not stored", Source: "OBS", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			s := e.Stream()
			e.Code("Connect", e.P.Connect(s, e.Addr(2, 1)), wsa.WSAECONNREFUSED)
			Equal(e, "SO_ERROR", e.Get(e.P, s, wsa.SOL_SOCKET, wsa.SO_ERROR), 0)
			e.Code("Shutdown", e.P.Shutdown(s, 9), wsa.WSAEINVAL)
			Equal(e, "SO_ERROR", e.Get(e.P, s, wsa.SOL_SOCKET, wsa.SO_ERROR), 0)
		})
		e.Notef("0 after a blocking connect was refused")
	}},
	{ID: "EO-7", Title: "a failing get doesn't consume", Source: "S-GET", Run: func(e *Env) {
		e.refused(func(s wsa.SOCKET) {
			n := int32(3)
			e.Code("short get", e.P.GetSockOpt(s, wsa.SOL_SOCKET, wsa.SO_ERROR, make([]byte, 4), &n), wsa.WSAEFAULT)
			e.Code("NULL get", e.P.GetSockOpt(s, wsa.SOL_SOCKET, wsa.SO_ERROR, nil, &n), wsa.WSAEFAULT)
			Equal(e, "SO_ERROR", wsa.Errno(e.Get(e.P, s, wsa.SOL_SOCKET, wsa.SO_ERROR)), wsa.WSAECONNREFUSED)
		})
		e.Notef("WSAEFAULT twice, the error is still there")
	}},
	{ID: "EO-8", Title: "set when select reports the failure", Source: "S-API", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			s := e.Stream()
			e.Nonblocking(e.P, s, true)
			e.Code("Connect", e.P.Connect(s, e.Addr(2, 1)), wsa.WSAEWOULDBLOCK)
			_, _, x, err := e.P.Select(nil, nil, []wsa.SOCKET{s}, -1)
			e.Code("Select", err, 0)
			Equal(e, "except set", len(x), 1)
			Equal(e, "SO_ERROR", wsa.Errno(e.Get(e.P, s, wsa.SOL_SOCKET, wsa.SO_ERROR)), wsa.WSAECONNREFUSED)
		})
		e.Notef("WSAECONNREFUSED at once after select")
	}},
	{ID: "EO-9", Title: "fatal errors go on after SO_ERROR was read", Source: "S-GET", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			c, s := e.Connected()
			e.resetBy(s)
			Equal(e, "SO_ERROR", wsa.Errno(e.Get(e.P, c, wsa.SOL_SOCKET, wsa.SO_ERROR)), wsa.WSAECONNRESET)
			_, err := e.P.Recv(c, make([]byte, 1), 0)
			e.Code("Recv", err, wsa.WSAECONNRESET)
			u := e.Datagram()
			e.Code("Connect", e.P.Connect(u, e.Addr(2, 9)), 0)
			_, err = e.P.Send(u, []byte("x"), 0)
			e.Code("Send", err, 0)
			e.Net.Sleep(time.Second)
			_, err = e.P.Recv(u, make([]byte, 1), 0)
			e.Code("Recv on the datagram socket", err, wsa.WSAECONNRESET)
			e.Nonblocking(e.P, u, true)
			_, err = e.P.Recv(u, make([]byte, 1), 0)
			e.Code("Recv again", err, wsa.WSAEWOULDBLOCK)
		})
		e.Notef("TCP keeps failing, the datagram socket's error is consumed by recv")
	}},
}

// unreachable is the ICMP error of this code for a packet of A, from the hand.
func (e *Env) unreachable(packet []byte, code byte) []byte {
	from, to := e.Addr(9, 0).Addr(), e.Addr(1, 0).Addr()
	if e.Family == wsa.AF_INET6 {
		body := append([]byte{1, code, 0, 0, 0, 0, 0, 0}, packet...)
		pseudo := append(append(append([]byte{}, from.AsSlice()...), to.AsSlice()...), 0, 0, byte(len(body)>>8), byte(len(body)), 0, 0, 0, 58)
		sum := checksum(append(pseudo, body...))
		body[2], body[3] = byte(sum>>8), byte(sum)
		return simnet.EncodeIP(from, to, 58, body)
	}
	body := append([]byte{3, code, 0, 0, 0, 0, 0, 0}, packet...)
	sum := checksum(body)
	body[2], body[3] = byte(sum>>8), byte(sum)
	return simnet.EncodeIP(from, to, 1, body)
}

// checksum is the Internet checksum (RFC 1071) of an even number of bytes.
func checksum(b []byte) uint16 {
	var sum uint32
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(b[i])<<8 | uint32(b[i+1])
	}
	for sum > 0xFFFF {
		sum = sum>>16 + sum&0xFFFF
	}
	return ^uint16(sum)
}

// refused runs fn in virtual time with a non-blocking socket whose connect was
// refused.
func (e *Env) refused(fn func(s wsa.SOCKET)) {
	e.Pair()
	e.Do(func() {
		s := e.Stream()
		e.Nonblocking(e.P, s, true)
		e.Code("Connect", e.P.Connect(s, e.Addr(2, 1)), wsa.WSAEWOULDBLOCK)
		e.Net.Sleep(time.Second)
		fn(s)
	})
}

var smallScenarios = []Scenario{
	{ID: "MS-1", Title: "the largest message", Source: "S-API, C-18", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			server := e.Socket(e.Q, wsa.SOCK_DGRAM)
			e.Code("Bind", e.Q.Bind(server, e.Any(53)), 0)
			c := e.Datagram()
			limit := int(e.Get(e.P, c, wsa.SOL_SOCKET, wsa.SO_MAX_MSG_SIZE))
			Equal(e, "SO_MAX_MSG_SIZE", limit, map[int32]int{wsa.AF_INET: 65507, wsa.AF_INET6: 65527}[e.Family])
			_, err := e.P.SendTo(c, make([]byte, limit+1), 0, e.Addr(2, 53))
			e.Code("one byte more", err, wsa.WSAEMSGSIZE)
			Equal(e, "packets", len(e.Segments("a")), 0)
			n, err := e.P.SendTo(c, make([]byte, limit), 0, e.Addr(2, 53))
			e.Code("SendTo", err, 0)
			Equal(e, "sent", n, limit)
			n, err = e.Q.Recv(server, make([]byte, 1<<16), 0)
			e.Code("Recv", err, 0)
			Equal(e, "received", n, limit)
			e.Notef("%d bytes arrive in %d fragments; %d are WSAEMSGSIZE and send nothing", limit, len(e.Segments("a")), limit+1)
		})
	}},
	{ID: "MS-2", Title: "a buffer that is too small", Source: "API-recv", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			server := e.Socket(e.Q, wsa.SOCK_DGRAM)
			e.Code("Bind", e.Q.Bind(server, e.Any(53)), 0)
			c := e.Datagram()
			for _, text := range []string{"abcdef", "next"} {
				_, err := e.P.SendTo(c, []byte(text), 0, e.Addr(2, 53))
				e.Code("SendTo", err, 0)
			}
			buf := make([]byte, 4)
			_, err := e.Q.Recv(server, buf, 0)
			e.Code("Recv", err, wsa.WSAEMSGSIZE)
			Equal(e, "buffer", string(buf), "abcd")
			n, err := e.Q.Recv(server, buf, 0)
			e.Code("Recv", err, 0)
			Equal(e, "buffer", string(buf[:n]), "next")
		})
		e.Notef("filled, the rest lost, WSAEMSGSIZE")
	}},
	{ID: "MS-3", Title: "streams have no message size", Source: "S-API", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			c, s := e.Connected()
			Equal(e, "SO_MAX_MSG_SIZE", e.Get(e.P, c, wsa.SOL_SOCKET, wsa.SO_MAX_MSG_SIZE), 0)
			e.Go("send", func() {
				_, err := e.P.Send(c, make([]byte, 200000), 0)
				e.Code("Send", err, 0)
			})
			n, err := e.Q.Recv(s, make([]byte, 200000), wsa.MSG_WAITALL)
			e.Code("Recv", err, 0)
			Equal(e, "bytes", n, 200000)
		})
		e.Notef("0; a send of 200000 bytes is one call")
	}},
	{ID: "DR-1", Title: "SO_DONTROUTE is stored only", Source: "S-SET, W-SOL", Once: true, Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			s := e.Stream()
			e.Set(e.P, s, wsa.SOL_SOCKET, wsa.SO_DONTROUTE, 1)
			Equal(e, "SO_DONTROUTE", e.Get(e.P, s, wsa.SOL_SOCKET, wsa.SO_DONTROUTE), 1)
			// 192.0.2.1 is not on link: the route table sends it to b, which
			// isn't it and says nothing; a stack that obeyed would have no route.
			e.Nonblocking(e.P, s, true)
			e.Code("Connect", e.P.Connect(s, addrOf("192.0.2.1:80")), wsa.WSAEWOULDBLOCK)
			e.Net.Sleep(100 * time.Millisecond)
		})
		Equal(e, "SYNs", e.Count("a", has(trace.SYN)), 1)
		e.Notef("reads 1, and the route table is used")
	}},
	{ID: "DR-2", Title: "SO_DONTROUTE on IPv6", Source: "S-SET, C-28", Once: true, Run: func(e *Env) {
		e.Pair()
		s, err := e.P.Socket(wsa.AF_INET6, wsa.SOCK_STREAM, 0)
		e.Code("Socket", err, 0)
		for _, v := range []uint32{0, 1} {
			e.Code("SetSockOpt", set(e.P, s, wsa.SOL_SOCKET, wsa.SO_DONTROUTE, v), wsa.WSAENOPROTOOPT)
		}
		Equal(e, "SO_DONTROUTE", e.Get(e.P, s, wsa.SOL_SOCKET, wsa.SO_DONTROUTE), 0)
		e.Notef("WSAENOPROTOOPT for 0 and 1, reads 0")
	}},
	{ID: "DR-3", Title: "MSG_DONTROUTE is ignored", Source: "API-send", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			c, s := e.Connected()
			_, err := e.P.Send(c, []byte("abc"), wsa.MSG_DONTROUTE)
			e.Code("Send", err, 0)
			n, err := e.Q.Recv(s, make([]byte, 9), 0)
			e.Code("Recv", err, 0)
			Equal(e, "bytes", n, 3)
		})
		e.Notef("sent as ever")
	}},
	{ID: "TY-1", Title: "SO_TYPE as created", Source: "S-GET", Run: func(e *Env) {
		e.Pair()
		for typ, s := range map[uint32]wsa.SOCKET{wsa.SOCK_STREAM: e.Stream(), wsa.SOCK_DGRAM: e.Datagram()} {
			Equal(e, "SO_TYPE", e.Get(e.P, s, wsa.SOL_SOCKET, wsa.SO_TYPE), typ)
			buf, n := make([]byte, 628), int32(628)
			e.Code("SO_PROTOCOL_INFOW", e.P.GetSockOpt(s, wsa.SOL_SOCKET, wsa.SO_PROTOCOL_INFOW, buf, &n), 0)
			info, _ := wsa.ParseProtocolInfoW(buf)
			Equal(e, "iSocketType", info.SocketType, int32(typ))
		}
		e.Notef("SO_TYPE and iSocketType agree")
	}},
	{ID: "TY-2", Title: "SO_ACCEPTCONN", Source: "S-GET", Run: func(e *Env) {
		e.Pair()
		s := e.Socket(e.Q, wsa.SOCK_STREAM)
		Equal(e, "before listen", e.Get(e.Q, s, wsa.SOL_SOCKET, wsa.SO_ACCEPTCONN), 0)
		e.Code("Bind", e.Q.Bind(s, e.Any(80)), 0)
		e.Code("Listen", e.Q.Listen(s, 1), 0)
		Equal(e, "after listen", e.Get(e.Q, s, wsa.SOL_SOCKET, wsa.SO_ACCEPTCONN), 1)
		e.Do(func() {
			for range 3 {
				c := e.Stream()
				e.Nonblocking(e.P, c, true)
				e.Code("Connect", e.P.Connect(c, e.Addr(2, 80)), wsa.WSAEWOULDBLOCK)
			}
			e.Net.Sleep(time.Second)
			Equal(e, "with connections queued", e.Get(e.Q, s, wsa.SOL_SOCKET, wsa.SO_ACCEPTCONN), 1)
		})
		e.Notef("0, then 1, also with connections waiting")
	}},
}

var gpScenarios = []Scenario{
	{ID: "GP-1", Title: "no group", Source: "S-API", Once: true, Run: func(e *Env) {
		e.Pair()
		s := e.Stream()
		Equal(e, "SO_GROUP_ID", e.Get(e.P, s, wsa.SOL_SOCKET, wsa.SO_GROUP_ID), 0)
		_, err := get(e.P, s, wsa.SOL_SOCKET, wsa.SO_GROUP_PRIORITY)
		e.Code("get SO_GROUP_PRIORITY", err, wsa.WSAENOPROTOOPT)
		e.Code("set SO_GROUP_PRIORITY", set(e.P, s, wsa.SOL_SOCKET, wsa.SO_GROUP_PRIORITY, 1), wsa.WSAENOPROTOOPT)
		e.Notef("SO_GROUP_ID 0, SO_GROUP_PRIORITY WSAENOPROTOOPT")
	}},
	{ID: "GP-2", Title: "SO_GROUP_ID can't be set", Source: "S-API", Once: true, Run: func(e *Env) {
		e.Pair()
		for _, s := range []wsa.SOCKET{e.Stream(), e.Datagram()} {
			e.Code("set SO_GROUP_ID", set(e.P, s, wsa.SOL_SOCKET, wsa.SO_GROUP_ID, 1), wsa.WSAENOPROTOOPT)
		}
		e.Notef("WSAENOPROTOOPT")
	}},
	{ID: "GP-5", Title: "g is ignored", Source: "W-SPI", Once: true, Run: func(e *Env) {
		e.Pair()
		for _, g := range []uint32{wsa.SG_UNCONSTRAINED_GROUP, wsa.SG_CONSTRAINED_GROUP, 77} {
			s, err := e.P.SocketEx(wsa.AF_INET, wsa.SOCK_STREAM, 0, g, 0)
			e.Code("SocketEx", err, 0)
			Equal(e, "SO_GROUP_ID", e.Get(e.P, s, wsa.SOL_SOCKET, wsa.SO_GROUP_ID), 0)
		}
		e.Notef("sockets made with three values of g belong to no group")
	}},
}

var evScenarios = []Scenario{
	{ID: "EV-9", Title: "select", Source: "API-select", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			_, _, _, err := e.P.Select(nil, nil, nil, 0)
			e.Code("all sets empty", err, wsa.WSAEINVAL)
			_, _, _, err = e.P.Select([]wsa.SOCKET{bogus}, nil, nil, 0)
			e.Code("no socket", err, wsa.WSAENOTSOCK)
			c, s := e.Connected()
			set := []wsa.SOCKET{c}
			check := func(what, want string) {
				r, w, x, err := e.P.Select(set, set, set, 0)
				e.Code("Select", err, 0)
				Equal(e, what, fmt.Sprint(len(r), len(w), len(x)), want)
			}
			check("connected", "0 1 0")
			start := e.Start()
			r, _, _, err := e.P.Select(set, nil, nil, 1500*time.Millisecond)
			e.Code("Select", err, 0)
			Equal(e, "time-out", e.Net.Now()-start, 1500*time.Millisecond)
			Equal(e, "ready after the time-out", len(r), 0)
			_, err = e.Q.Send(s, []byte("x"), 0)
			e.Code("Send", err, 0)
			start = e.Start()
			r, _, _, err = e.P.Select(set, nil, nil, -1)
			e.Code("Select", err, 0)
			Equal(e, "ready when data came", len(r), 1)
			Equal(e, "waited", (e.Net.Now() - start).Round(time.Millisecond), Delay)
			_, err = e.P.Recv(c, make([]byte, 1), 0)
			e.Code("Recv", err, 0)
			e.Code("Shutdown", e.Q.Shutdown(s, wsa.SD_SEND), 0)
			e.Net.Sleep(time.Second)
			check("at the end of the stream", "1 1 0")
		})
		e.Notef("data, end of stream, writability and time-outs")
	}},
}
