package conform

import (
	"bytes"
	"fmt"

	"github.com/wsstack/wsstack/provider"
	"github.com/wsstack/wsstack/wsa"
)

// bogus is a handle that no provider gave out.
const bogus = wsa.SOCKET(0x7FFF0000)

// fault makes a call with several faults at once; the first check wins.
type fault struct {
	what  string
	level int32
	opt   int32
	val   []byte
	want  wsa.Errno
}

// validationScenarios are AV-1 to AV-16: what a call checks, and in which order.
var validationScenarios = []Scenario{
	{ID: "AV-1", Title: "the first failing check wins", Source: "S-GET, S-API, S-SET", Run: func(e *Env) {
		e.Pair()
		s := e.stream()
		for _, f := range []fault{
			{"NULL optval, unknown level", 0x8000, 1, nil, wsa.WSAEFAULT},
			{"unknown level, unknown option, short", 0x8000, 0x7777, []byte{1}, wsa.WSAEINVAL},
			{"unknown option, short", wsa.SOL_SOCKET, 0x7777, []byte{1}, wsa.WSAENOPROTOOPT},
			{"get-only option, short", wsa.SOL_SOCKET, wsa.SO_TYPE, []byte{1}, wsa.WSAENOPROTOOPT},
			{"short, bad value", wsa.IPPROTO_TCP, wsa.TCP_KEEPIDLE, []byte{0, 0, 0}, wsa.WSAEFAULT},
			{"bad value", wsa.IPPROTO_TCP, wsa.TCP_KEEPIDLE, []byte{0, 0, 0, 0}, wsa.WSAEINVAL},
		} {
			s.as(f.what).setBytes(f.level, f.opt, f.val, int32(len(f.val)), f.want)
		}
		e.noSocket().as("bad handle, NULL optval, unknown level").setBytes(0x8000, 1, nil, 0, wsa.WSAENOTSOCK)
		e.Notef("WSAENOTSOCK, WSAEFAULT, WSAEINVAL, WSAENOPROTOOPT, WSAEFAULT, WSAEINVAL in that order")
	}},
	{ID: "AV-2", Title: "before Startup and after Cleanup", Source: "W-ERR", Once: true, Run: func(e *Env) {
		e.Pair()
		s := e.stream()
		e.Code("Cleanup", e.P.Cleanup(), 0)
		n := int32(4)
		for _, p := range []*provider.Provider{e.P, {}} {
			for _, h := range []wsa.SOCKET{s.s, bogus} {
				e.Code("GetSockOpt", p.GetSockOpt(h, wsa.SOL_SOCKET, wsa.SO_TYPE, make([]byte, 4), &n), wsa.WSANOTINITIALISED)
				e.Code("SetSockOpt", p.SetSockOpt(h, wsa.SOL_SOCKET, wsa.SO_DEBUG, make([]byte, 4), 4), wsa.WSANOTINITIALISED)
			}
		}
		e.Notef("WSANOTINITIALISED for good and bad handles")
	}},
	{ID: "AV-3", Title: "closed or foreign descriptor with NULL", Source: "OBS", Once: true, Run: func(e *Env) {
		e.Pair()
		s := e.stream()
		s.close()
		foreign := e.peerStream()
		for _, h := range []handle{s, s.with(bogus), s.with(wsa.INVALID_SOCKET)} {
			h.as("SetSockOpt NULL").setBytes(wsa.SOL_SOCKET, wsa.SO_DEBUG, nil, 4, wsa.WSAENOTSOCK)
			h.as("GetSockOpt NULL").getBytes(wsa.SOL_SOCKET, wsa.SO_DEBUG, nil, nil, wsa.WSAENOTSOCK)
		}
		foreign.close()
		e.Notef("WSAENOTSOCK, not WSAEFAULT")
	}},
	{ID: "AV-4", Title: "NULL optval", Source: "S-SET, OBS", Once: true, Run: func(e *Env) {
		e.Pair()
		s := e.stream()
		for _, n := range []int32{0, 1, 4, 8} {
			s.as(fmt.Sprintf("SetSockOpt NULL, optlen %d", n)).setBytes(wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, nil, n, wsa.WSAEFAULT)
			length := n
			s.as(fmt.Sprintf("GetSockOpt NULL, optlen %d", n)).getBytes(wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, nil, &length, wsa.WSAEFAULT)
			Equal(e, "*optlen", length, n)
		}
		s.as("GetSockOpt, NULL optlen").getBytes(wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, make([]byte, 4), nil, wsa.WSAEFAULT)
		s.reads(wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, 0)
		e.Notef("WSAEFAULT whatever optlen says")
	}},
	{ID: "AV-5", Title: "unknown level, known option", Source: "OBS", Once: true, Run: func(e *Env) {
		e.Pair()
		s := e.stream()
		for _, level := range []int32{-1, 0x8000, 0x800, 0x1234FFFF, -0x7FFF0001} {
			s.as(fmt.Sprintf("SetSockOpt level %#x", uint32(level))).set(level, wsa.SO_RCVTIMEO, 5, wsa.WSAEINVAL)
			s.as(fmt.Sprintf("GetSockOpt level %#x", uint32(level))).get(level, wsa.SO_TYPE, wsa.WSAEINVAL)
		}
		e.Notef("WSAEINVAL for 5 levels, get and set")
	}},
	{ID: "AV-6", Title: "known level, unknown option", Source: "S-API", Once: true, Run: func(e *Env) {
		e.Pair()
		s := e.stream()
		for _, o := range [][2]int32{{wsa.SOL_SOCKET, 0x7777}, {wsa.IPPROTO_TCP, 0x7777}, {wsa.IPPROTO_TCP, wsa.SO_RCVTIMEO}, {wsa.SOL_SOCKET, 3}} {
			for n := range 9 {
				s.setBytes(o[0], o[1], make([]byte, 9), int32(n), wsa.WSAENOPROTOOPT)
			}
			s.get(o[0], o[1], wsa.WSAENOPROTOOPT)
		}
		e.Notef("WSAENOPROTOOPT, lengths 0 to 8")
	}},
	{ID: "AV-7", Title: "optlen below the minimum", Source: "S-SET", Run: func(e *Env) {
		e.Pair()
		s := e.stream()
		s.nonblocking(true)
		s.connect(e.Addr(2, 1), wsa.WSAEWOULDBLOCK)
		e.Net.Advance(e.refusal() + Delay)
		for n := range int32(4) {
			s.as("SetSockOpt SO_RCVBUF").setBytes(wsa.SOL_SOCKET, wsa.SO_RCVBUF, []byte{1, 0, 0, 0}, n, wsa.WSAEFAULT)
			length := n
			s.as("GetSockOpt SO_ERROR").getBytes(wsa.SOL_SOCKET, wsa.SO_ERROR, make([]byte, 4), &length, wsa.WSAEFAULT)
			Equal(e, "*optlen", length, n)
		}
		s.reads(wsa.SOL_SOCKET, wsa.SO_RCVBUF, e.bufferSize())
		Equal(e, "SO_ERROR", s.soError(), wsa.WSAECONNREFUSED)
		e.Notef("WSAEFAULT for 0 to 3 bytes; SO_ERROR still WSAECONNREFUSED")
	}},
	{ID: "AV-8", Title: "value out of range", Source: "S-SET", Once: true, Run: func(e *Env) {
		e.Pair()
		s := e.stream()
		s.set(wsa.IPPROTO_IP, wsa.IP_TTL, 33)
		s.as("IP_TTL 256").set(wsa.IPPROTO_IP, wsa.IP_TTL, 256, wsa.WSAEINVAL)
		s.reads(wsa.IPPROTO_IP, wsa.IP_TTL, 33)
		s.set(wsa.IPPROTO_TCP, wsa.TCP_KEEPIDLE, 7)
		s.as("TCP_KEEPIDLE 0").set(wsa.IPPROTO_TCP, wsa.TCP_KEEPIDLE, 0, wsa.WSAEINVAL)
		s.reads(wsa.IPPROTO_TCP, wsa.TCP_KEEPIDLE, 7)
		e.Notef("IP_TTL stays 33, TCP_KEEPIDLE 7")
	}},
	{ID: "AV-9", Title: "get with a larger buffer", Source: "S-GET", Once: true, Run: func(e *Env) {
		e.Pair()
		s := e.stream()
		buf, n := bytes.Repeat([]byte{0xEE}, 42), int32(42)
		s.getBytes(wsa.SOL_SOCKET, wsa.SO_TYPE, buf, &n)
		Equal(e, "*optlen", n, 4)
		e.Check(bytes.Equal(buf, append([]byte{1, 0, 0, 0}, bytes.Repeat([]byte{0xEE}, 38)...)), "buffer is %x", buf)
		e.Notef("*optlen 42 becomes 4, the rest is untouched")
	}},
	{ID: "AV-10", Title: "every non-zero int is TRUE", Source: "S-SET", Profiles: documentedOnly,
		Why: "C-20: of some Booleans Windows takes the first byte alone (WL-3)", Once: true, Run: func(e *Env) {
			e.Pair()
			s := e.stream()
			for _, v := range []uint32{1, 2, 0xFFFFFFFF, 0x100, 0x80000000} {
				s.set(wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, v)
				Equal(e, fmt.Sprintf("SO_KEEPALIVE after %#x", v), s.get(wsa.SOL_SOCKET, wsa.SO_KEEPALIVE), 1)
				s.set(wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, 0)
				Equal(e, "SO_KEEPALIVE after 0", s.get(wsa.SOL_SOCKET, wsa.SO_KEEPALIVE), 0)
			}
			e.Notef("1, 2, -1, 0x100 and 0x80000000 read back 1")
		}},
	{ID: "AV-11", Title: "set with a larger optlen", Source: "S-SET", Once: true, Run: func(e *Env) {
		e.Pair()
		s := e.stream()
		for _, n := range []int{8, 42} {
			value := append([]byte{0x39, 0x30, 0, 0}, bytes.Repeat([]byte{0xFF}, n-4)...)
			s.setBytes(wsa.SOL_SOCKET, wsa.SO_SNDBUF, value, int32(n))
			s.reads(wsa.SOL_SOCKET, wsa.SO_SNDBUF, 12345)
		}
		e.Notef("the first 4 of 8 and of 42 bytes count")
	}},
	{ID: "AV-12", Title: "set with a negative optlen", Source: "S-SET, C-77", Profiles: documentedOnly,
		Why: "C-77: Windows takes a negative length for what the socket layer keeps, and has WSAENOBUFS else (WL-1 to WL-5)", Once: true, Run: func(e *Env) {
			e.Pair()
			s := e.stream()
			for _, n := range []int32{-1, -4, -0x80000000} {
				s.setBytes(wsa.SOL_SOCKET, wsa.SO_SNDBUF, make([]byte, 8), n, wsa.WSAEFAULT)
			}
			s.reads(wsa.SOL_SOCKET, wsa.SO_SNDBUF, e.bufferSize())
			e.Notef("WSAEFAULT, nothing changed")
		}},
	{ID: "AV-13", Title: "get with *optlen 0 or less", Source: "S-GET", Once: true, Run: func(e *Env) {
		e.Pair()
		s := e.stream()
		for _, n := range []int32{0, -1, -0x80000000} {
			length, buf := n, []byte{0xEE, 0xEE, 0xEE, 0xEE}
			s.getBytes(wsa.SOL_SOCKET, wsa.SO_TYPE, buf, &length, wsa.WSAEFAULT)
			Equal(e, "*optlen", length, n)
			e.Check(bytes.Equal(buf, []byte{0xEE, 0xEE, 0xEE, 0xEE}), "buffer is %x", buf)
		}
		e.Notef("WSAEFAULT, *optlen unchanged")
	}},
	{ID: "AV-14", Title: "defaults of options never set", Source: "S-GET, S-API", Once: true, Run: func(e *Env) {
		e.Pair()
		s := e.stream()
		for opt, want := range map[int32]uint32{
			wsa.SO_DEBUG: 0, wsa.SO_REUSEADDR: 0, wsa.SO_KEEPALIVE: 0, wsa.SO_DONTROUTE: 0, wsa.SO_LINGER: 0, wsa.SO_DONTLINGER: 1,
			wsa.SO_OOBINLINE: 0, wsa.SO_EXCLUSIVEADDRUSE: 0, wsa.SO_SNDBUF: e.bufferSize(), wsa.SO_RCVBUF: e.bufferSize(), wsa.SO_ERROR: 0, wsa.SO_TYPE: 1,
			wsa.SO_ACCEPTCONN: 0, wsa.SO_GROUP_ID: 0, wsa.SO_CONDITIONAL_ACCEPT: 0, wsa.SO_PORT_SCALABILITY: 0,
		} {
			Equal(e, wsa.OptionName(wsa.SOL_SOCKET, opt), s.get(wsa.SOL_SOCKET, opt), want)
		}
		for opt, want := range map[int32]uint32{wsa.TCP_NODELAY: 0, wsa.TCP_KEEPIDLE: 7200, wsa.TCP_KEEPINTVL: 1} {
			Equal(e, wsa.OptionName(wsa.IPPROTO_TCP, opt), s.get(wsa.IPPROTO_TCP, opt), want)
		}
		s.keepCounts(legacyOr[uint32](e, 5, 10))
		e.Notef("20 options of a fresh stream socket")
	}},
	{ID: "AV-15", Title: "get and set never block", Source: "S-API, BL-3", Run: func(e *Env) {
		e.connected(func(c, _ handle) {
			for _, nonblocking := range []bool{false, true} {
				c.nonblocking(nonblocking)
				before := e.Net.Now()
				c.set(wsa.IPPROTO_TCP, wsa.TCP_NODELAY, 1)
				c.reads(wsa.IPPROTO_TCP, wsa.TCP_NODELAY, 1)
				c.reads(wsa.SOL_SOCKET, wsa.SO_ERROR, 0)
				Equal(e, "time", e.Net.Now(), before)
			}
		})
		e.Notef("the same in both modes, in no time")
	}},
	{ID: "AV-16", Title: "the thread's last error", Source: "observed", Run: func(e *Env) {
		e.paired(func() {
			t := e.P.Thread()
			c, s := e.connection()
			s.reset()
			four, n := make([]byte, 4), int32(4)
			c.on(t).as("unknown level").setBytes(0x8000, 1, four, 4, wsa.WSAEINVAL)
			Equal(e, "last error", t.GetLastError(), wsa.WSAEINVAL)
			c.on(t).sockName()
			Equal(e, "after another call that succeeds", t.GetLastError(), wsa.WSAEINVAL)
			Equal(e, "of another thread", e.P.Thread().GetLastError(), 0)
			c.on(t).setBytes(wsa.SOL_SOCKET, wsa.SO_REUSEADDR, four, 4)
			Equal(e, "after a set", t.GetLastError(), 0)
			t.SetLastError(5)
			short := int32(1)
			c.on(t).as("short").getBytes(wsa.SOL_SOCKET, wsa.SO_RCVBUF, four, &short, wsa.WSAEFAULT)
			Equal(e, "after a failed get", t.GetLastError(), wsa.WSAEFAULT)
			c.on(t).getBytes(wsa.SOL_SOCKET, wsa.SO_ERROR, four, &n)
			Equal(e, "SO_ERROR, which the failures did not touch", wsa.Errno(four[0])|wsa.Errno(four[1])<<8, byProfile(e, wsa.WSAECONNRESET, 0)) // C-02
			Equal(e, "after a get", t.GetLastError(), 0)
		})
		e.Notef("0 after a get or set, the code of a failure, which SO_ERROR knows nothing of")
	}},
}
