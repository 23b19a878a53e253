package conform

import (
	"fmt"
	"time"

	"github.com/wsstack/wsstack/internal/trace"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

// vectorsScenarios are TV-1 to TV-24: the test vectors.
var vectorsScenarios = []Scenario{
	{ID: "TV-1", Title: "defaults of SOL_SOCKET on a fresh TCP socket", Source: "vectors", Profiles: documentedOnly,
		Why: "C-14: Windows can read SO_RCVTIMEO", Run: func(e *Env) {
			e.Pair()
			s := e.stream()
			for opt, want := range map[int32]uint32{
				wsa.SO_DEBUG: 0, wsa.SO_ACCEPTCONN: 0, wsa.SO_REUSEADDR: 0, wsa.SO_KEEPALIVE: 0, wsa.SO_DONTROUTE: 0, wsa.SO_LINGER: 0,
				wsa.SO_OOBINLINE: 0, wsa.SO_DONTLINGER: 1, wsa.SO_EXCLUSIVEADDRUSE: 0, wsa.SO_SNDBUF: 65536, wsa.SO_RCVBUF: 65536,
				wsa.SO_ERROR: 0, wsa.SO_TYPE: 1, wsa.SO_GROUP_ID: 0, wsa.SO_MAX_MSG_SIZE: 0, wsa.SO_CONDITIONAL_ACCEPT: 0,
				wsa.SO_PAUSE_ACCEPT: 0, wsa.SO_COMPARTMENT_ID: 1, wsa.SO_RANDOMIZE_PORT: 0, wsa.SO_PORT_SCALABILITY: 0,
				wsa.SO_REUSE_UNICASTPORT: 0, wsa.SO_OPENTYPE: 0, wsa.SO_MAXDG: 0, wsa.SO_MAXPATHDG: 0,
			} {
				Equal(e, wsa.OptionName(wsa.SOL_SOCKET, opt), s.get(wsa.SOL_SOCKET, opt), want)
			}
			for opt, want := range map[int32]wsa.Errno{
				wsa.SO_BROADCAST: wsa.WSAENOPROTOOPT, wsa.SO_USELOOPBACK: wsa.WSAENOPROTOOPT, wsa.SO_SNDLOWAT: wsa.WSAENOPROTOOPT,
				wsa.SO_RCVLOWAT: wsa.WSAENOPROTOOPT, wsa.SO_SNDTIMEO: wsa.WSAENOPROTOOPT, wsa.SO_RCVTIMEO: wsa.WSAENOPROTOOPT,
				wsa.SO_GROUP_PRIORITY: wsa.WSAENOPROTOOPT, wsa.SO_CONNECT_TIME: wsa.WSAENOTCONN, wsa.SO_CONNDATA: wsa.WSAENOPROTOOPT,
			} {
				s.as(wsa.OptionName(wsa.SOL_SOCKET, opt)).get(wsa.SOL_SOCKET, opt, want)
			}
			e.Notef("24 defaults and 9 refusals")
		}},
	{ID: "TV-2", Title: "a dropped connection", Source: "vectors", Profiles: documentedOnly,
		Why: "C-05: Windows has WSAECONNRESET for later calls", Run: func(e *Env) {
			e.silent(time.Second, 200*time.Millisecond, 3, func(s handle, start time.Duration) {
				s.as("the blocked Recv").recv(1, 10052)
				Equal(e, "probes", e.times("a", start, probeAt(1)), "1.000 1.200 1.400")
				Equal(e, "RST", e.times("a", start, has(trace.RST)), "1.600")
				s.afterDrop()
				s.reads(wsa.SOL_SOCKET, wsa.SO_ERROR, 10052)
				Equal(e, "SO_ERROR again", s.get(wsa.SOL_SOCKET, wsa.SO_ERROR), 0)
				s.close()
			})
			e.Notef("probes at 1.0, 1.2, 1.4 s, RST and 10052 at 1.6 s, then 10057; SO_ERROR 10052, 0")
		}},
	{ID: "TV-3", Title: "the third probe is answered", Source: "vectors", Run: func(e *Env) {
		e.played(func(s handle, p *simnet.Peer) {
			s.keepAlive(time.Second, 200*time.Millisecond, 3)
			e.Net.Sleep(1450 * time.Millisecond)
			answer := e.Net.Now()
			p.Send("[.]")
			e.Net.Sleep(1100 * time.Millisecond)
			Equal(e, "probes after the answer", e.times("a", answer, probeAt(1)), "1.000")
			p.Send("[.]")
		})
		e.Notef("alive; the next probe 1.000 s after the answer")
	}},
	{ID: "TV-4", Title: "never enabled", Source: "vectors", Run: func(e *Env) {
		e.played(func(s handle, _ *simnet.Peer) {
			e.Net.Sleep(time.Second)
			start := e.Start()
			s.as("SIO_KEEPALIVE_VALS off").ioctl(wsa.SIO_KEEPALIVE_VALS, wsa.TCPKeepalive{KeepAliveTime: 1000, KeepAliveInterval: 200}.Append(nil), nil)
			e.Net.Sleep(10 * time.Second)
			Equal(e, "segments", e.times("a", start, func(simnet.Line) bool { return true }), "")
		})
		e.Notef("no segment in 10 s")
	}},
	{ID: "TV-5", Title: "unacknowledged data and keep-alive", Source: "vectors", Run: func(e *Env) {
		e.silent(time.Second, 200*time.Millisecond, 3, func(s handle, start time.Duration) {
			s.say("x")
			s.recv(1, 10053)
			Equal(e, "probes", e.times("a", start, probeAt(2)), "")
		})
		e.Notef("no probes, 10053")
	}},
	{ID: "TV-6", Title: "LINGER{1,0} with 1 MB queued", Source: "vectors", Run: func(e *Env) {
		e.connected(func(c, s handle) {
			c.nonblocking(true)
			c.send(1 << 20)
			local := c.sockName()
			c.linger(0)
			start := e.Start()
			c.close()
			Equal(e, "time", e.Net.Now(), start)
			again := e.stream()
			again.set(wsa.SOL_SOCKET, wsa.SO_EXCLUSIVEADDRUSE, 1)
			again.as("an exclusive bind of its port").bind(local)
			e.Net.Sleep(time.Second)
			s.recv(1, 10054)
		})
		e.Check(e.Count("a", has(trace.RST)) > 0, "no RST")
		e.Notef("returns at once, RST, the peer gets 10054, the port is free")
	}},
	{ID: "TV-7", Title: "LINGER{1,2} and a closed window", Source: "vectors", Run: lingerExpires},
	{ID: "TV-8", Title: "the same, non-blocking", Source: "vectors", Run: func(e *Env) {
		e.stuck(func(s handle, p *simnet.Peer) {
			s.linger(2)
			s.nonblocking(true)
			s.close(10035)
			s.set(wsa.SOL_SOCKET, wsa.SO_DONTLINGER, 1)
			s.as("CloseSocket with DONTLINGER").close()
			p.Send("[.] ack 1001 win 10000")
			e.Net.Sleep(10 * time.Millisecond)
			Equal(e, "FINs", e.Count("a", has(trace.FIN)), 1)
			Equal(e, "RSTs", e.Count("a", has(trace.RST)), 0)
			p.Send("[.] ack 3002")
			p.Send("[F.] ack 3002")
		})
		e.Notef("10035, then with DONTLINGER 0: the data and FIN when the window opens")
	}},
	{ID: "TV-9", Title: "LINGER{1,5} drained in 0.3 s", Source: "vectors", Run: lingerDrains},
	{ID: "TV-10", Title: "default close with a slow reader", Source: "vectors", Run: func(e *Env) {
		const size = 1 << 20
		e.connected(func(c, s handle) {
			done := e.Go("reader", func() {
				got := 0
				for {
					n := len(s.recv(64 << 10))
					if n == 0 {
						break
					}
					got += n
					e.Net.Sleep(50 * time.Millisecond)
				}
				Equal(e, "bytes", got, size)
			})
			c.send(size)
			start := e.Start()
			c.close()
			Equal(e, "time", e.Net.Now(), start)
			done.Wait()
		})
		e.Notef("returns at once; the peer gets all of 1 MiB")
	}},
	{ID: "TV-11", Title: "segment counts", Source: "vectors", Run: func(e *Env) {
		Equal(e, "with Nagle", len(tenWrites(e, 0)), 2)
		e.Notef("2 with Nagle; 10 without is NG-4's other scenario, the flush NG-6's")
	}},
	{ID: "TV-12", Title: "a receive buffer of 16384", Source: "vectors", Run: func(e *Env) {
		e.paired(func() {
			l := e.listener(e.Q, 80)
			c := e.stream()
			c.rcvbuf(16384)
			c.connect(e.Addr(2, 80))
			s := l.accept()
			done := e.Go("send", func() { s.send(1 << 20) })
			e.Net.Sleep(30 * time.Second)
			sent, window := e.bytesFrom("b"), 0
			lines := e.Segments("a")
			window = lines[len(lines)-1].Window
			Equal(e, "window", window, 0)
			e.Check(sent <= 16384+1460, "%d bytes in flight and queued", sent)
			e.Check(sent >= 16384-1460, "only %d bytes use the window", sent)
			c.recvAll(1 << 20)
			done.Wait()
			e.Notef("%d bytes of 1 MiB are queued, the window is 0; reading gets all of it", sent)
		})
	}},
	{ID: "TV-13", Title: "ten blocking sends without a buffer", Source: "vectors", Run: func(e *Env) {
		e.plainPeer()
		e.Pair(simnet.Delay(50 * time.Millisecond))
		e.Do(func() {
			c, _ := e.connection()
			c.sndbuf(0)
			start := e.Start()
			for range 10 {
				c.send(1)
			}
			e.took("time", start, time.Second)
			Equal(e, "segments", e.lengths("a", start), "1 1 1 1 1 1 1 1 1 1")
		})
		e.Notef("1.000 s: a round trip each")
	}},
	{ID: "TV-14", Title: "both matrices, TCP and UDP", Source: "vectors", Profiles: notLegacy,
		Why: "C-25: RU-6 is what Legacy does", Run: func(e *Env) {
			for _, typ := range []int32{wsa.SOCK_STREAM, wsa.SOCK_DGRAM} {
				matrixCells(e, &sameUserCells, typ, "first")
				matrixCells(e, &otherUserCells, typ, "second")
			}
		}},
	{ID: "TV-15", Title: "sendto 255.255.255.255", Source: "vectors", Once: true, Run: func(e *Env) {
		e.Pair()
		s := e.datagram()
		s.sayTo(addrOf("255.255.255.255:9"), "x", 10013)
		s.set(wsa.SOL_SOCKET, wsa.SO_BROADCAST, 1)
		s.as("SendTo with SO_BROADCAST").sayTo(addrOf("255.255.255.255:9"), "x")
		e.Net.Idle()
		Equal(e, "packets", len(e.Segments("a")), 1)
		e.Notef("10013; success and one datagram with SO_BROADCAST")
	}},
	{ID: "TV-16", Title: "SO_CONNECT_TIME", Source: "vectors", Run: func(e *Env) {
		link := e.Pair()
		e.Do(func() {
			fresh := e.stream()
			fresh.as("before").untimed()
			c, _ := e.connection()
			established := e.Net.Now() - Delay
			for _, at := range []time.Duration{500 * time.Millisecond, 2500 * time.Millisecond} {
				e.Net.Sleep(established + at - e.Net.Now())
				Equal(e, fmt.Sprint("at ", at), c.get(wsa.SOL_SOCKET, wsa.SO_CONNECT_TIME), uint32(at/time.Second))
			}
			link.Partition()
			c.keepAlive(time.Second, time.Second, 1)
			e.Net.Sleep(time.Minute)
			c.as("after the drop").untimed()
		})
		e.Notef("%s; 0; 2; the same after the drop", untimedSays(e))
	}},
	{ID: "TV-17", Title: "non-blocking connect to a closed port", Source: "vectors", Run: func(e *Env) {
		e.paired(func() {
			s := e.stream()
			s.nonblocking(true)
			s.connect(e.Addr(2, 1), wsa.WSAEWOULDBLOCK)
			Equal(e, "except", s.ready("x", -1), "x")
			s.reads(wsa.SOL_SOCKET, wsa.SO_ERROR, 10061)
			Equal(e, "SO_ERROR again", s.get(wsa.SOL_SOCKET, wsa.SO_ERROR), byProfile[uint32](e, 0, 10061)) // C-02
		})
		e.Notef("except set; 10061, then %d", byProfile(e, 0, 10061))
	}},
	{ID: "TV-18", Title: "ABC with an urgent B", Source: "vectors", Run: func(e *Env) {
		e.connected(func(c, s handle) {
			s.nonblocking(true)
			abc := func() {
				c.say("A")
				c.oob("B")
				c.say("C")
				e.Net.Sleep(time.Second)
			}
			abc()
			Equal(e, "out of line", s.readAll(), "A|C|-")
			Equal(e, "recv(MSG_OOB)", s.read(wsa.MSG_OOB), "B")
			s.inline(1)
			abc()
			Equal(e, "in line: recv(MSG_OOB)", s.read(wsa.MSG_OOB), "10022")
			Equal(e, "in line", s.readAll(), "A|B|C|-")
		})
		e.Notef("A, C, then B; in line A, B, C in three reads and 10022")
	}},
	{ID: "TV-19", Title: "foreign levels", Source: "vectors", Once: true, Run: func(e *Env) {
		e.Pair()
		for _, level := range []int32{1000, 255, 16000, 113} {
			for _, opt := range []int32{1, 0x10, 0x4000, 0xA000, 1001} {
				e.stream().set(level, opt, 1, byProfile[wsa.Errno](e, 10022, 10042)) // C-24
			}
		}
		e.datagram().as("level 6 on UDP").set(6, 1, 1, byProfile[wsa.Errno](e, 10042, 10022)) // C-81
		e.Notef("%d for four levels, %d for level 6 on UDP", byProfile(e, 10022, 10042), byProfile(e, 10042, 10022))
	}},
	{ID: "TV-20", Title: "groups on a plain socket", Source: "vectors", Once: true, Run: func(e *Env) {
		e.Pair()
		s := e.stream()
		s.reads(wsa.SOL_SOCKET, wsa.SO_GROUP_ID, 0)
		code := byProfile[wsa.Errno](e, 10042, 0) // C-16
		s.get(wsa.SOL_SOCKET, wsa.SO_GROUP_PRIORITY, code)
		s.set(wsa.SOL_SOCKET, wsa.SO_GROUP_PRIORITY, 0, code)
		e.Notef("0; %d", code)
	}},
	{ID: "TV-21", Title: "two seconds, then CF_REJECT", Source: "vectors", Run: func(e *Env) {
		e.plainPeer()
		e.paired(func() {
			l := e.conditional()
			c := e.peerStream()
			done := e.Go("connect", func() { c.connect(e.Addr(1, 80), 10061) })
			e.Net.Sleep(2 * time.Second)
			Equal(e, "segments of a", len(e.Segments("a")), 0)
			at := e.Net.Now()
			l.acceptCond(condition(wsa.CF_REJECT), wsa.WSAECONNREFUSED)
			done.Wait()
			Equal(e, "RST", e.times("a", at, has(trace.RST)), "0.000")
		})
		Equal(e, "SYNs", e.Count("b", has(trace.SYN)), 2)
		e.Notef("no answer to two SYNs in 2 s; then a RST, 10061")
	}},
	{ID: "TV-22", Title: "three ports, two addresses", Source: "vectors", Run: scalabilityScenario},
	{ID: "TV-23", Title: "SO_DONTROUTE on both families", Source: "vectors", Once: true, Run: func(e *Env) {
		e.Pair()
		e.stream().set(wsa.SOL_SOCKET, wsa.SO_DONTROUTE, 1)
		s := e.open(e.P, wsa.AF_INET6, wsa.SOCK_STREAM, 0)
		code := byProfile[wsa.Errno](e, 10042, 0) // C-28
		s.set(wsa.SOL_SOCKET, wsa.SO_DONTROUTE, 1, code)
		e.Notef("success; %s", name(code))
	}},
	{ID: "TV-24", Title: "lengths 0, 1, 3, 4, 8 and NULL", Source: "vectors", Profiles: documentedOnly,
		Why: "C-21: in Windows the lengths go by class (WL-1 to WL-5)", Once: true, Run: func(e *Env) {
			e.Pair()
			common := [][2]int32{{wsa.SOL_SOCKET, wsa.SO_DEBUG}, {wsa.SOL_SOCKET, wsa.SO_REUSEADDR}, {wsa.SOL_SOCKET, wsa.SO_KEEPALIVE},
				{wsa.SOL_SOCKET, wsa.SO_LINGER}, {wsa.SOL_SOCKET, wsa.SO_SNDBUF}, {wsa.SOL_SOCKET, wsa.SO_RCVTIMEO}, {wsa.IPPROTO_TCP, wsa.TCP_NODELAY},
				{wsa.IPPROTO_TCP, wsa.TCP_KEEPCNT}}
			for _, o := range common {
				s := e.stream()
				for n, want := range map[int32]wsa.Errno{0: wsa.WSAEFAULT, 1: wsa.WSAEFAULT, 3: wsa.WSAEFAULT, 4: 0, 8: 0} {
					s.as(fmt.Sprint(wsa.OptionName(o[0], o[1]), " with ", n)).setBytes(o[0], o[1], make([]byte, 8), n, want)
				}
				s.as("NULL").setBytes(o[0], o[1], nil, 4, wsa.WSAEFAULT)
			}
			for _, typ := range []int32{wsa.SOCK_STREAM, wsa.SOCK_DGRAM} {
				s := e.socket(e.P, typ)
				for _, o := range options.Table() {
					s.optlens(o)
				}
			}
			e.Notef("WSAEFAULT below 4 and for NULL, success from 4 on, for %d options; no other takes or gives less than its size", len(common))
		}},
}

// optlens is TV-24 on one option: less than what get gives is WSAEFAULT, as are no
// bytes for set, and NULL. A socket without the option says so at any length.
func (h handle) optlens(o options.Info) {
	e := h.e
	call := func(b []byte, n int32) (size int32, get, set error) {
		size = n
		get = h.p.GetSockOpt(h.s, o.Level, o.Number, b, &size)
		return size, get, h.p.SetSockOpt(h.s, o.Level, o.Number, b, n)
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
