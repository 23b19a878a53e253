package conform

import (
	"fmt"
	"reflect"
	"time"

	"github.com/wsstack/wsstack/internal/trace"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

// stored are the stored options of a socket of A.
func (h handle) stored() options.Values {
	e := h.e
	local := h.sockName()
	for _, info := range e.A.Sockets() {
		if info.Local == local {
			return info.Options
		}
	}
	e.Fatalf("the socket isn't listed")
	return options.Values{}
}

// keepAliveDroppedScenarios are KA-32 to KA-37: options and SO_ERROR after a drop.
var keepAliveDroppedScenarios = []Scenario{
	{ID: "KA-32", Title: "every option", Source: "S-SET, S-GET, C-12", Profiles: documentedOnly,
		Why: "C-12: in Windows stored options can be read after a drop", Run: everyOption},
	{ID: "KA-32", Title: "every option, as measured", Source: "C-12", Profiles: measured, Why: "C-12: the pages have WSAENOTCONN for all but SO_ERROR", Run: storedOptions},
	{ID: "KA-32", Title: "options after the drop", Source: "S-SET, C-12", Profiles: documentedOnly,
		Why: "C-12: in Windows stored options can be read after a drop", Run: func(e *Env) {
			e.silent(time.Second, 200*time.Millisecond, 3, func(s handle, _ time.Duration) {
				e.Net.Sleep(time.Minute)
				for _, o := range [][2]int32{{wsa.SOL_SOCKET, wsa.SO_DEBUG}, {wsa.SOL_SOCKET, wsa.SO_KEEPALIVE}, {wsa.SOL_SOCKET, wsa.SO_LINGER},
					{wsa.SOL_SOCKET, wsa.SO_RCVBUF}, {wsa.IPPROTO_TCP, wsa.TCP_NODELAY}, {wsa.IPPROTO_TCP, wsa.TCP_KEEPCNT}} {
					s.as("set "+wsa.OptionName(o[0], o[1])).set(o[0], o[1], 1, wsa.WSAENOTCONN)
					s.as("get "+wsa.OptionName(o[0], o[1])).get(o[0], o[1], wsa.WSAENOTCONN)
				}
				s.as("unknown level").set(1000, 1, 1, wsa.WSAEINVAL)
				s.as("unknown option").set(wsa.SOL_SOCKET, 0x7777, 1, wsa.WSAENOPROTOOPT)
				s.as("short").setBytes(wsa.SOL_SOCKET, wsa.SO_DEBUG, []byte{1}, 1, wsa.WSAEFAULT)
				s.reads(wsa.SOL_SOCKET, wsa.SO_ERROR, 10052)
			})
			e.Notef("WSAENOTCONN for six options, get and set; other faults keep their codes")
		}},
	endedScenario("KA-33", "every call and control code", "resetAlive", "S-SET"),
	{ID: "KA-33", Title: "every option", Source: "S-SET", Run: func(e *Env) {
		e.paired(func() { e.optionsAfterReset(true) })
	}},
	{ID: "KA-33", Title: "reset while keep-alive is on", Source: "S-SET", Run: func(e *Env) {
		e.paired(func() {
			for _, on := range []uint32{1, 0} {
				c, s := e.connection()
				c.set(wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, on)
				s.reset()
				want := wsa.Errno(0)
				if on == 1 {
					want = wsa.WSAENOTCONN
				}
				c.set(wsa.IPPROTO_TCP, wsa.TCP_NODELAY, 1, want)
				c.recv(1, wsa.WSAECONNRESET)
				c.close()
			}
		})
		e.Notef("setsockopt WSAENOTCONN with SO_KEEPALIVE, success without; recv WSAECONNRESET")
	}},
	{ID: "KA-34", Title: "SO_ERROR after the drop", Source: "S-GET", Run: func(e *Env) {
		e.silent(time.Second, 200*time.Millisecond, 3, func(s handle, _ time.Duration) {
			e.Net.Sleep(time.Minute)
			Equal(e, "first", s.soError(), byProfile(e, wsa.WSAENETRESET, 0)) // C-02
			Equal(e, "second", s.get(wsa.SOL_SOCKET, wsa.SO_ERROR), 0)
		})
		e.Notef("%s, then 0", name(byProfile(e, wsa.WSAENETRESET, 0)))
	}},
	{
		ID: "KA-35", Title: "a hundred calls of all kinds", Source: "S-GET", Run: hundredCalls,
	},
	{ID: "KA-35", Title: "a hundred calls in progress", Source: "S-GET", Run: func(e *Env) {
		e.silent(time.Second, 200*time.Millisecond, 3, func(s handle, start time.Duration) {
			var tasks []*simnet.Task
			for i := range 100 {
				tasks = append(tasks, e.Go(fmt.Sprint("recv ", i), func() {
					s.as("the blocked Recv").recv(1, wsa.WSAENETRESET)
					e.took("time", start, 1600*time.Millisecond)
				}))
			}
			for _, t := range tasks {
				t.Wait()
			}
		})
		e.Notef("all hundred end with WSAENETRESET at 1.600 s")
	}},
	{ID: "KA-36", Title: "time exceeded", Source: "W-ERR, RFC 792", Run: timeExceeded},
	{ID: "KA-37", Title: "drop, time-out, reset and ICMP", Source: "design", Profiles: documentedOnly,
		Why: "C-02: in Windows SO_ERROR holds failures of connect only (EO-5, WC-2)", Run: func(e *Env) {
			ends := []struct {
				name string
				want wsa.Errno
				play func(s handle, p *simnet.Peer, w *simnet.Wire)
			}{
				{"keep-alive", wsa.WSAENETRESET, func(handle, *simnet.Peer, *simnet.Wire) {}},
				{"keep-alive, with ICMP errors for every probe", wsa.WSAENETRESET, func(_ handle, p *simnet.Peer, w *simnet.Wire) {
					for range 3 {
						a, err := p.Receive(time.Minute)
						e.Check(err == nil, "no probe: %v", err)
						w.Inject(e.unreachable(a.Packet, 1))
					}
				}},
				{"keep-alive, with RSTs that miss", wsa.WSAENETRESET, func(_ handle, p *simnet.Peer, _ *simnet.Wire) {
					p.Send("[R] seq 2")
					p.Send("[R.] seq 1000")
				}},
				{"retransmission", wsa.WSAECONNABORTED, func(s handle, _ *simnet.Peer, _ *simnet.Wire) { s.send(1) }},
				{"retransmission, with RSTs that miss", wsa.WSAECONNABORTED, func(s handle, p *simnet.Peer, _ *simnet.Wire) {
					s.send(1)
					p.Send("[R] seq 2")
				}},
				{"retransmission after a probe", wsa.WSAECONNABORTED, func(s handle, _ *simnet.Peer, _ *simnet.Wire) {
					e.Net.Sleep(1100 * time.Millisecond)
					s.send(1)
				}},
				{"retransmission, with an ICMP error", wsa.WSAECONNABORTED, func(s handle, p *simnet.Peer, w *simnet.Wire) {
					s.send(1)
					a, err := p.Receive(time.Minute)
					e.Check(err == nil, "no data: %v", err)
					w.Inject(e.unreachable(a.Packet, 1))
				}},
				{"RST", wsa.WSAECONNRESET, func(_ handle, p *simnet.Peer, _ *simnet.Wire) { p.Send("[R]") }},
				{"RST to a probe", wsa.WSAECONNRESET, func(_ handle, p *simnet.Peer, _ *simnet.Wire) {
					p.Receive(time.Minute)
					p.Send("[R] seq 1")
				}},
				{"RST behind data", wsa.WSAECONNRESET, func(_ handle, p *simnet.Peer, _ *simnet.Wire) {
					talk(p, "> [P.] seq 1:101", "> [P.] seq 101:201", "> [R] seq 201")
				}},
				{"RST in CLOSE-WAIT", wsa.WSAECONNRESET, func(_ handle, p *simnet.Peer, _ *simnet.Wire) {
					p.Send("[F.] seq 1")
					p.Send("[R] seq 2")
				}},
			}
			w := e.Wire()
			for i, end := range ends {
				e.Do(func() {
					port := uint16(80 + i)
					p, s := w.Listen(port), e.stream()
					s.meets(p, "mss 1000")
					s.keepAlive(time.Second, 200*time.Millisecond, 3)
					end.play(s, p, w)
					e.Net.Sleep(time.Hour)
					Equal(e, end.name, s.soError(), end.want)
					later := end.want
					if later == wsa.WSAENETRESET {
						later = wsa.WSAENOTCONN
					}
					s.as(end.name+": Recv").recv(1, later)
				})
			}
			e.Notef("%d ways to end, told apart", len(ends))
		}},
}

// hundredCalls has calls of every kind on one connection, and a listener and
// another connection beside it that nothing happens to.
func hundredCalls(e *Env) {
	link := e.Pair()
	e.Do(func() {
		s, _ := e.connection()
		other, peer := e.connection()
		l := e.listener(e.P, 90)
		e.Net.Sleep(time.Second)
		link.Partition()
		s.keepAlive(time.Second, 200*time.Millisecond, 3)
		start := e.Start()
		accept := e.Go("accept", func() { l.accept() })
		idle := e.Go("recv on another connection", func() { other.as("Recv on another connection").recv(1) })
		e.inProgress(100, start, func(i int) { callsInProgress[i%len(callsInProgress)].call(e, s) })
		Equal(e, "RSTs", e.times("a", start, has(trace.RST)), "1.600")
		link.Heal()
		e.peerStream().as("Connect to the listener").connect(e.Addr(1, 90))
		accept.Wait()
		peer.say("x")
		idle.Wait()
	})
	e.Notef("recv, MSG_PEEK, MSG_WAITALL, recvfrom and select on a hundred goroutines; an accept and another connection go on")
}

// everyOption walks the option table on a connection that was dropped, and on
// another one that wasn't.
func everyOption(e *Env) {
	link := e.Pair()
	e.Do(func() {
		twin, _ := e.connection()
		c, _ := e.connection()
		link.Partition()
		c.keepAlive(time.Second, 200*time.Millisecond, 3)
		e.Net.Sleep(time.Minute)
		before := c.stored()
		table, supported := options.Table(), 0
		gets, sets := c.live()
		twinGets, twinSets := twin.live()
		for i, o := range table {
			check := func(call string, got, live error) {
				want := error(wsa.WSAENOTCONN)
				switch {
				case refusedOption(live):
					want = live
				case o.Level == wsa.SOL_SOCKET && o.Number == wsa.SO_ERROR && call == "get":
					want = nil
				default:
					supported++
				}
				e.Check(got == want, "%s %s %s: %v, want %v", call, o.LevelName, o.Symbol, got, want)
			}
			check("get", gets[i], twinGets[i])
			check("set", sets[i], twinSets[i])
		}
		e.Check(supported > 100, "only %d calls", supported)
		after := c.stored()
		e.Check(reflect.DeepEqual(before, after), "stored: %+v, before: %+v", after, before)
		c.as("unknown level").set(1000, 1, 1, wsa.WSAEINVAL)
		c.as("unknown option").set(wsa.SOL_SOCKET, 0x7777, 1, wsa.WSAENOPROTOOPT)
		c.as("short").setBytes(wsa.SOL_SOCKET, wsa.SO_DEBUG, []byte{1}, 1, wsa.WSAEFAULT)
		c.as("NULL").setBytes(wsa.SOL_SOCKET, wsa.SO_DEBUG, nil, 4, wsa.WSAEFAULT)
		c.as("get, unknown level").get(1000, 1, wsa.WSAEINVAL)
		e.Notef("WSAENOTCONN for %d gets and sets, nothing stored; SO_ERROR readable; other faults keep their codes", supported)
	})
}

// storedOptions is C-12 as measured: only values of the connection fail.
func storedOptions(e *Env) {
	link := e.Pair()
	e.Do(func() {
		twin, _ := e.connection()
		c, _ := e.connection()
		link.Partition()
		c.keepAliveVals(time.Second, 200*time.Millisecond)
		e.Net.Sleep(time.Minute)
		gets, sets := c.live()
		twinGets, twinSets := twin.live()
		var gone []string
		for i, o := range options.Table() {
			if gets[i] != twinGets[i] {
				e.Check(gets[i] == wsa.WSAENOTCONN, "get %s: %v", o.Symbol, gets[i])
				gone = append(gone, o.Symbol)
			}
			want := error(wsa.WSAENOTCONN)
			if refusedSet(o, twinSets[i]) {
				want = twinSets[i]
			}
			if o.Symbol == "SO_KEEPALIVE" {
				want = wsa.WSAENETRESET // the first set (C-11)
			}
			e.Check(sets[i] == want, "set %s: %v, want %v", o.Symbol, sets[i], want)
		}
		e.Check(len(gone) > 0 && len(gone) < 8, "these fail: %v", gone)
		e.Notef("get works but for %v; set is WSAENOTCONN", gone)
	})
}

// timeExceeded is KA-36: time exceeded.
func timeExceeded(e *Env) {
	e.wired(func(w *simnet.Wire) {
		for _, connected := range bools {
			s, packet := e.asked(w, connected)
			s.nonblocking(true)
			e.inject(w, e.hopsExceeded(), packet)
			e.Check(s.readable(), "not readable")
			s.recv1(wsa.WSAENETRESET)
			s.recv1(wsa.WSAEWOULDBLOCK)
			reassembly := e.hopsExceeded()
			reassembly.code = 1
			e.inject(w, reassembly, packet)
			s.recv1(wsa.WSAEWOULDBLOCK)
			s.ioctl(wsa.SIO_UDP_NETRESET, []byte{0, 0, 0, 0}, nil)
			e.inject(w, e.hopsExceeded(), packet)
			s.recv1(wsa.WSAEWOULDBLOCK)
		}
	})
	e.Notef("10052 once, not for a reassembly time-out, not with SIO_UDP_NETRESET FALSE")
}
