package conform

import (
	"bytes"
	"time"

	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

func init() {
	lgScenarios = append(lgScenarios, lingerOptions...)
	bfScenarios = append(bfScenarios, bufferOptions...)
	smallScenarios = append(smallScenarios, configOptions...)
	inScenarios = append(inScenarios, Scenario{ID: "IN-2", Title: "what accept copies", Source: "API-accept", Run: copiedOptions})
}

// lingerOf reads SO_LINGER, l_onoff and l_linger, of a socket of A.
func (e *Env) lingerOf(s wsa.SOCKET) [2]uint32 {
	v := e.Get(e.P, s, wsa.SOL_SOCKET, wsa.SO_LINGER)
	return [2]uint32{v & 0xffff, v >> 16}
}

// setLinger sets it.
func (e *Env) setLinger(s wsa.SOCKET, on, seconds uint32) {
	e.Set(e.P, s, wsa.SOL_SOCKET, wsa.SO_LINGER, on|seconds<<16)
}

// dontLinger sets SO_DONTLINGER.
func (e *Env) dontLinger(s wsa.SOCKET, v uint32) {
	e.Set(e.P, s, wsa.SOL_SOCKET, wsa.SO_DONTLINGER, v)
}

var lingerOptions = []Scenario{
	{ID: "LG-11", Title: "what the peer sees", Source: "API-close", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			for _, hard := range []bool{false, true} {
				c, s := e.Connected()
				e.send(c, 3000)
				e.Net.Sleep(time.Second)
				if hard {
					e.setLinger(c, 1, 0)
				}
				e.Code("CloseSocket", e.P.CloseSocket(c), 0)
				e.Net.Sleep(time.Second)
				if !hard {
					n, err := e.Q.Recv(s, make([]byte, 3000), wsa.MSG_WAITALL)
					e.Code("the peer's Recv", err, 0)
					Equal(e, "bytes", n, 3000)
					n, err = e.Q.Recv(s, make([]byte, 1), 0)
					e.Code("the peer's Recv at the end", err, 0)
					Equal(e, "bytes at the end", n, 0)
					continue
				}
				_, err := e.Q.Recv(s, make([]byte, 1), 0)
				e.Code("the peer's Recv after a hard close", err, wsa.WSAECONNRESET)
				_, err = e.Q.Send(s, []byte("x"), 0)
				e.Code("its Send", err, wsa.WSAECONNRESET)
			}
		})
		e.Notef("all bytes, then 0; after a hard close WSAECONNRESET")
	}},
	{ID: "LG-20", Title: "SO_LINGER keeps the time-out", Source: "S-SET", Once: true, Run: func(e *Env) {
		e.Pair()
		s := e.Stream()
		e.setLinger(s, 1, 7)
		Equal(e, "{1,7}", e.lingerOf(s), [2]uint32{1, 7})
		e.setLinger(s, 0, 99)
		Equal(e, "while off", e.lingerOf(s), [2]uint32{0, 0})
		e.dontLinger(s, 0)
		Equal(e, "on again", e.lingerOf(s), [2]uint32{1, 7})
		e.setLinger(s, 1, 0)
		e.setLinger(s, 0, 5)
		e.dontLinger(s, 0)
		Equal(e, "on again after {1,0}", e.lingerOf(s), [2]uint32{1, 0})
		e.Notef("{0,99} reads {0,0} and keeps 7")
	}},
	{ID: "LG-21", Title: "SO_DONTLINGER reinstates it", Source: "S-SET", Once: true, Run: func(e *Env) {
		e.Pair()
		for _, seconds := range []uint32{7, 0} {
			s := e.Stream()
			e.setLinger(s, 1, seconds)
			e.dontLinger(s, 1)
			Equal(e, "off", e.lingerOf(s), [2]uint32{0, 0})
			e.dontLinger(s, 0)
			Equal(e, "on", e.lingerOf(s), [2]uint32{1, seconds})
		}
		e.Notef("{1,7} and {1,0} come back")
	}},
	{ID: "LG-22", Title: "no time-out was ever established", Source: "S-SET", Run: func(e *Env) {
		e.playedAs("mss 1000", func(s wsa.SOCKET) { e.dontLinger(s, 0) }, func(s wsa.SOCKET, _ *simnet.Peer) {
			Equal(e, "SO_LINGER", e.lingerOf(s), [2]uint32{1, 60})
			e.send(s, 1)
			start := e.Start()
			e.Code("CloseSocket", e.P.CloseSocket(s), 0)
			Equal(e, "time of the close", (e.Net.Now() - start).Round(time.Millisecond), time.Minute)
		})
		e.Notef("60 s, and the close of an unanswered connection takes as long")
	}},
	{ID: "LG-23", Title: "the two are complements", Source: "S-GET", Once: true, Run: func(e *Env) {
		e.Pair()
		s := e.Stream()
		for _, set := range []func(){
			func() {}, func() { e.setLinger(s, 1, 3) }, func() { e.setLinger(s, 0, 3) }, func() { e.dontLinger(s, 0) },
			func() { e.dontLinger(s, 1) }, func() { e.setLinger(s, 9, 0) },
		} {
			set()
			on := e.lingerOf(s)[0]
			e.Check(on <= 1, "l_onoff reads %d", on)
			Equal(e, "SO_DONTLINGER", e.Get(e.P, s, wsa.SOL_SOCKET, wsa.SO_DONTLINGER), 1-on)
		}
		e.Notef("after each of six settings")
	}},
	{ID: "LG-24", Title: "the range of l_linger", Source: "W-SOL", Once: true, Run: func(e *Env) {
		e.Pair()
		s := e.Stream()
		for _, n := range []uint32{0, 1, 2, 32767, 32768, 65535} {
			e.setLinger(s, 1, n)
			Equal(e, "l_linger", e.lingerOf(s), [2]uint32{1, n})
		}
		e.Notef("0 to 65535, exactly")
	}},
	{ID: "LG-25", Title: "datagram and raw sockets have neither", Source: "OBS", Run: func(e *Env) {
		e.Pair()
		raw, err := e.P.Socket(e.Family, wsa.SOCK_RAW, 200)
		e.Code("Socket", err, 0)
		for _, s := range []wsa.SOCKET{e.Datagram(), raw} {
			for _, opt := range []int32{wsa.SO_LINGER, wsa.SO_DONTLINGER} {
				_, err := get(e.P, s, wsa.SOL_SOCKET, opt)
				e.Code("get", err, wsa.WSAENOPROTOOPT)
				e.Code("set", set(e.P, s, wsa.SOL_SOCKET, opt, 1), wsa.WSAENOPROTOOPT)
			}
		}
		e.Notef("WSAENOPROTOOPT, get and set")
	}},
	{ID: "CA-9", Title: "set before listen, read at any time", Source: "W-CA", Once: true, Run: func(e *Env) {
		e.Pair()
		l := e.Listener(e.P, 80)
		e.Code("set", set(e.P, l, wsa.SOL_SOCKET, wsa.SO_CONDITIONAL_ACCEPT, 1), wsa.WSAEINVAL)
		Equal(e, "value", e.Get(e.P, l, wsa.SOL_SOCKET, wsa.SO_CONDITIONAL_ACCEPT), 0)
		s := e.Stream()
		e.Set(e.P, s, wsa.SOL_SOCKET, wsa.SO_CONDITIONAL_ACCEPT, 1)
		e.Code("Bind", e.P.Bind(s, e.Any(81)), 0)
		e.Code("Listen", e.P.Listen(s, 1), 0)
		Equal(e, "value while listening", e.Get(e.P, s, wsa.SOL_SOCKET, wsa.SO_CONDITIONAL_ACCEPT), 1)
		e.Notef("WSAEINVAL while listening; reads as it was set before")
	}},
}

var bufferOptions = []Scenario{
	{ID: "BF-1", Title: "never more than was asked for", Source: "S-SET", Once: true, Run: func(e *Env) {
		e.Pair()
		for _, s := range []wsa.SOCKET{e.Stream(), e.Datagram()} {
			for _, opt := range []int32{wsa.SO_SNDBUF, wsa.SO_RCVBUF} {
				for _, n := range []uint32{0, 1, 1000, 65535, 65536, 4 << 20, 4<<20 + 1, 100 << 20} {
					e.Set(e.P, s, wsa.SOL_SOCKET, opt, n)
					Equal(e, wsa.OptionName(wsa.SOL_SOCKET, opt), e.Get(e.P, s, wsa.SOL_SOCKET, opt), min(n, 4<<20))
				}
			}
		}
		e.Notef("as asked for up to 4 MiB, then 4 MiB")
	}},
	{ID: "BF-4", Title: "a negative size", Source: "C-32", Once: true, Profiles: []options.Profile{options.Documented, options.Windows}, Run: func(e *Env) {
		e.Pair()
		s := e.Stream()
		for _, opt := range []int32{wsa.SO_SNDBUF, wsa.SO_RCVBUF} {
			e.Set(e.P, s, wsa.SOL_SOCKET, opt, 5000)
			err := set(e.P, s, wsa.SOL_SOCKET, opt, 0xffffffff)
			if e.Profile == options.Windows { // as measured, it is 4 GiB
				e.Code("set -1", err, 0)
				Equal(e, "value", e.Get(e.P, s, wsa.SOL_SOCKET, opt), 4<<20)
				continue
			}
			e.Code("set -1", err, wsa.WSAEINVAL)
			Equal(e, "value", e.Get(e.P, s, wsa.SOL_SOCKET, opt), 5000)
		}
		e.Notef("WSAEINVAL, and the old size; as measured, the cap")
	}},
	{ID: "BF-5", Title: "SO_MAX_MSG_SIZE stays", Source: "S-GET", Run: func(e *Env) {
		e.Pair()
		s := e.Datagram()
		before := e.Get(e.P, s, wsa.SOL_SOCKET, wsa.SO_MAX_MSG_SIZE)
		for _, n := range []uint32{0, 100, 4 << 20} {
			e.sndbuf(s, n)
			e.rcvbuf(s, n)
			Equal(e, "SO_MAX_MSG_SIZE", e.Get(e.P, s, wsa.SOL_SOCKET, wsa.SO_MAX_MSG_SIZE), before)
		}
		e.Notef("%d with every size of the buffers", before)
	}},
}

// config reads PVD_CONFIG of a socket of A.
func (e *Env) config(s wsa.SOCKET) []byte {
	b, n := make([]byte, 256), int32(256)
	e.Code("get", e.P.GetSockOpt(s, wsa.SOL_SOCKET, wsa.PVD_CONFIG, b, &n), 0)
	return b[:n]
}

func (e *Env) setConfig(s wsa.SOCKET, b []byte) error {
	return e.P.SetSockOpt(s, wsa.SOL_SOCKET, wsa.PVD_CONFIG, b, int32(len(b)))
}

var configOptions = []Scenario{
	{ID: "PV-1", Title: "there and back", Source: "S-GET, S-SET", Run: func(e *Env) {
		e.Pair()
		for _, s := range []wsa.SOCKET{e.Stream(), e.Datagram()} {
			b := e.config(s)
			e.Code("set of what was read", e.setConfig(s, b), 0)
			e.Check(bytes.Equal(e.config(s), b), "the object has changed")
			Equal(e, "SO_SNDBUF", e.Get(e.P, s, wsa.SOL_SOCKET, wsa.SO_SNDBUF), 65536)
		}
		e.Notef("a set of what was read changes nothing")
	}},
	{ID: "PV-2", Title: "all or nothing", Source: "S-SET", Run: func(e *Env) {
		e.Pair()
		s := e.Stream()
		b := e.config(s)
		e.Code("one byte less", e.setConfig(s, b[:len(b)-1]), wsa.WSAEFAULT)
		e.Code("one byte more", e.setConfig(s, append(bytes.Clone(b), 0)), wsa.WSAEINVAL)
		for at := 0; at < 12; at += 4 { // version, size, profile
			bad := bytes.Clone(b)
			bad[at] ^= 0x40
			bad[16] ^= 1 // and a keep-alive time that would be right
			e.Code("a wrong word", e.setConfig(s, bad), wsa.WSAEINVAL)
			e.Check(bytes.Equal(e.config(s), b), "the object has changed")
		}
		e.Notef("WSAEFAULT when short, WSAEINVAL for another version, size or profile, and nothing of it is stored")
	}},
}

// copiedOptions sets everything that IN-2 names on a listener, and reads it on
// the accepted socket.
func copiedOptions(e *Env) {
	e.Pair()
	e.Do(func() {
		l := e.Socket(e.Q, wsa.SOCK_STREAM)
		sol, tcp := int32(wsa.SOL_SOCKET), int32(wsa.IPPROTO_TCP)
		list := []struct {
			level, name int32
			value       uint32
		}{
			{sol, wsa.SO_KEEPALIVE, 1}, {tcp, wsa.TCP_KEEPIDLE, 77}, {tcp, wsa.TCP_KEEPINTVL, 7}, {tcp, wsa.TCP_KEEPCNT, 3},
			{sol, wsa.SO_LINGER, 1 | 9<<16}, {sol, wsa.SO_OOBINLINE, 1}, {sol, wsa.SO_SNDBUF, 12345}, {sol, wsa.SO_RCVBUF, 23456},
			{sol, wsa.SO_REUSEADDR, 1}, {tcp, wsa.TCP_NODELAY, 1}, {tcp, wsa.TCP_TIMESTAMPS, 1}, {tcp, wsa.TCP_MAXRTMS, 4321},
			{tcp, wsa.TCP_EXPEDITED_1122, 1}, {sol, wsa.SO_DEBUG, 1},
		}
		if e.Family == wsa.AF_INET6 {
			list = append(list, []struct {
				level, name int32
				value       uint32
			}{{wsa.IPPROTO_IPV6, wsa.IPV6_UNICAST_HOPS, 33}, {wsa.IPPROTO_IPV6, wsa.IPV6_TCLASS, 40}}...)
		} else {
			list = append(list, []struct {
				level, name int32
				value       uint32
			}{{wsa.IPPROTO_IP, wsa.IP_TTL, 33}, {wsa.IPPROTO_IP, wsa.IP_TOS, 40}, {sol, wsa.SO_DONTROUTE, 1}}...)
		}
		for _, o := range list {
			e.Set(e.Q, l, o.level, o.name, o.value)
		}
		e.Set(e.Q, l, sol, wsa.SO_RCVTIMEO, 250) // shown by its effect
		e.Code("Bind", e.Q.Bind(l, e.Any(80)), 0)
		e.Code("Listen", e.Q.Listen(l, 5), 0)
		e.Code("Connect", e.P.Connect(e.Stream(), e.Addr(2, 80)), 0)
		s, _, err := e.Q.Accept(l)
		e.Code("Accept", err, 0)
		for _, o := range list {
			Equal(e, wsa.OptionName(o.level, o.name), e.Get(e.Q, s, o.level, o.name), o.value)
		}
		start := e.Start()
		_, err = e.Q.Recv(s, make([]byte, 1), 0)
		e.Code("Recv", err, wsa.WSAETIMEDOUT)
		Equal(e, "time of SO_RCVTIMEO", e.Net.Now()-start, 250*time.Millisecond)
		e.Set(e.Q, s, sol, wsa.SO_DONTLINGER, 1)
		e.Set(e.Q, s, sol, wsa.SO_DONTLINGER, 0) // the established time-out came along
		Equal(e, "SO_LINGER", e.Get(e.Q, s, sol, wsa.SO_LINGER), 1|9<<16)
	})
	e.Notef("%s", "options of SOL_SOCKET, TCP and IP read on the accepted socket as on the listener")
}
