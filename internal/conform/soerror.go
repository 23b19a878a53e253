package conform

import (
	"time"

	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

// refused runs fn in virtual time with a non-blocking socket whose connect was
// refused.
func (e *Env) refused(fn func(s handle)) {
	e.paired(func() {
		s := e.stream()
		s.nonblocking(true)
		s.connect(e.Addr(2, 1), wsa.WSAEWOULDBLOCK)
		e.Net.Sleep(e.refusal() + Delay)
		fn(s)
	})
}

// connecting is a non-blocking socket of A with a connect in progress, which nobody answers.
func (e *Env) connecting(port uint16, failOnICMP uint32) handle {
	s := e.stream()
	s.set(wsa.IPPROTO_TCP, wsa.TCP_FAIL_CONNECT_ON_ICMP_ERROR, failOnICMP)
	s.nonblocking(true)
	s.connect(e.Addr(9, port), wsa.WSAEWOULDBLOCK) // where nobody is
	return s
}

// soErrorScenarios are EO-1 to EO-9: SO_ERROR.
var soErrorScenarios = []Scenario{
	{ID: "EO-1", Title: "fresh socket", Source: "S-GET", Once: true, Run: func(e *Env) {
		e.Pair()
		for _, s := range []handle{e.stream(), e.datagram()} {
			s.reads(wsa.SOL_SOCKET, wsa.SO_ERROR, 0)
		}
		e.Notef("0")
	}},
	{ID: "EO-2", Title: "set by asynchronous failures", Source: "S-GET", Profiles: documentedOnly,
		Why: "C-02: in Windows SO_ERROR holds failures of connect only, and a get leaves it (EO-3, EO-5, WC-2)", Run: func(e *Env) {
			e.paired(func() {
				refused := e.stream()
				refused.nonblocking(true)
				refused.connect(e.Addr(2, 1), wsa.WSAEWOULDBLOCK)
				c, s := e.connection()
				s.reset()
				Equal(e, "after a refused connect", refused.soError(), wsa.WSAECONNREFUSED)
				Equal(e, "after a RST", c.soError(), wsa.WSAECONNRESET)
			})
			e.Notef("WSAECONNREFUSED, WSAECONNRESET")
		}},
	{ID: "EO-2", Title: "every asynchronous failure", Source: "S-GET, W-ERR", Profiles: documentedOnly,
		Why: "C-02: in Windows SO_ERROR holds failures of connect only, and a get leaves it (EO-3, EO-5, WC-2)", Run: func(e *Env) {
			e.wired(func(w *simnet.Wire) {
				check := func(what string, s handle, want wsa.Errno) {
					Equal(e, what, s.soError(), want)
					Equal(e, what+", again", s.soError(), 0)
				}
				s := e.connecting(1000, 0)
				e.Net.Sleep(e.silence() - time.Millisecond)
				Equal(e, "while the connect is pending", s.soError(), 0)
				e.Net.Sleep(2 * time.Millisecond)
				check("a connect that nobody answered", s, wsa.WSAETIMEDOUT)

				w.Discard()
				s = e.connecting(1001, 1)
				e.Net.Sleep(time.Millisecond)
				syn, err := w.Receive(time.Second)
				e.Check(err == nil, "no SYN: %v", err)
				w.Inject(e.unreachable(syn.Data, 1))
				e.Net.Sleep(time.Millisecond)
				check("host unreachable", s, wsa.WSAEHOSTUNREACH)

				p := w.Listen(1002)
				s = e.connecting(1002, 0)
				p.Accept("mss 1000")
				s.shutdown(wsa.SD_RECEIVE)
				e.arrive(p, "[P.] seq 1:6 ack 1")
				check("our own RST", s, wsa.WSAECONNABORTED)

				p = w.Listen(1003)
				s = e.connecting(1003, 0)
				p.Accept("mss 1000")
				s.keepAlive(time.Second, time.Second, 1)
				e.Net.Sleep(2*time.Second - time.Millisecond)
				Equal(e, "1 ms before the drop", s.soError(), 0)
				e.Net.Sleep(2 * time.Millisecond)
				check("a drop", s, wsa.WSAENETRESET)

				p = w.Listen(1004)
				s = e.connecting(1004, 0)
				p.Accept("mss 1000")
				s.send(1)
				e.arrive(p, "[R.] seq 1 ack 2")
				check("a RST", s, wsa.WSAECONNRESET)
			})
			e.Notef("WSAETIMEDOUT, WSAEHOSTUNREACH, WSAECONNABORTED, WSAENETRESET and WSAECONNRESET, each once")
		}},
	{ID: "EO-2", Title: "an ICMP error on a datagram socket", Source: "S-GET, API-recvfrom", Profiles: documentedOnly,
		Why: "C-02: in Windows a get leaves SO_ERROR (EO-3, WC-2)", Run: func(e *Env) {
			e.paired(func() {
				for _, byRecv := range []bool{false, true} {
					u := e.datagram()
					u.connect(e.Addr(2, 9))
					u.say("x")
					e.Net.Sleep(time.Second)
					u.nonblocking(true)
					if byRecv {
						u.recv(1, wsa.WSAECONNRESET)
					} else {
						Equal(e, "SO_ERROR", u.soError(), wsa.WSAECONNRESET)
					}
					Equal(e, "SO_ERROR after it was taken", u.soError(), 0)
					u.as("Recv after it was taken").recv(1, wsa.WSAEWOULDBLOCK)
				}
			})
			e.Notef("WSAECONNRESET once, to SO_ERROR or to recv, whoever is first (EO-9)")
		}},
	{ID: "EO-2", Title: "ICMP errors of datagrams", Source: "W-ERR", Profiles: documentedOnly,
		Why: "C-02: in Windows a get leaves SO_ERROR (EO-3, WC-2)", Run: softErrors},
	{ID: "EO-3", Title: "get returns and resets", Source: "S-GET, C-02", Run: func(e *Env) {
		e.refused(func(s handle) {
			Equal(e, "first get", s.soError(), wsa.WSAECONNREFUSED)
			Equal(e, "second get", s.soError(), byProfile(e, 0, wsa.WSAECONNREFUSED))
		})
		e.Notef("WSAECONNREFUSED, then %s", name(byProfile(e, 0, wsa.WSAECONNREFUSED)))
	}},
	{ID: "EO-4", Title: "SO_ERROR and the thread's last error", Source: "S-GET", Run: func(e *Env) {
		e.paired(func() {
			t := e.P.Thread()
			c := e.stream()
			c.nonblocking(true)
			c.on(t).connect(e.Addr(2, 9), wsa.WSAEWOULDBLOCK)
			e.Net.Sleep(e.refusal() + Delay)
			Equal(e, "last error, the attempt having failed", t.GetLastError(), wsa.WSAEWOULDBLOCK)
			t.SetLastError(5)
			four, n := make([]byte, 4), int32(4)
			c.on(t).getBytes(wsa.SOL_SOCKET, wsa.SO_ERROR, four, &n)
			Equal(e, "SO_ERROR", wsa.Errno(four[0])|wsa.Errno(four[1])<<8, wsa.WSAECONNREFUSED)
			Equal(e, "last error", t.GetLastError(), 0)
		})
		e.Notef("neither reads nor sets the other, but for the 0 of success")
	}},
	{ID: "EO-4", Title: "the value and the outcome of the call", Source: "S-GET", Profiles: documentedOnly,
		Why: "C-02: in Windows a get leaves SO_ERROR (EO-3, WC-2)", Run: func(e *Env) {
			e.refused(func(s handle) {
				// The code of a failed call is what the call returns, never SO_ERROR.
				s.as("a failing call").set(wsa.SOL_SOCKET, 0x7777, 1, wsa.WSAENOPROTOOPT)
				s.as("another one").recv(1, wsa.WSAENOTCONN)
				v := s.as("the get itself").get(wsa.SOL_SOCKET, wsa.SO_ERROR)
				Equal(e, "SO_ERROR", wsa.Errno(v), wsa.WSAECONNREFUSED)
				v = s.as("the second get").get(wsa.SOL_SOCKET, wsa.SO_ERROR)
				Equal(e, "SO_ERROR", v, 0)
			})
			e.Notef("the get succeeds with WSAECONNREFUSED as its value; codes of other calls are not in it")
		}},
	{ID: "EO-5", Title: "a successful call doesn't reset it", Source: "S-GET, C-02", Run: func(e *Env) {
		e.refused(func(s handle) {
			s.set(wsa.IPPROTO_TCP, wsa.TCP_NODELAY, 1)
			e.listener(e.Q, 80)
			s.connect(e.Addr(2, 80), wsa.WSAEWOULDBLOCK)
			e.Net.Sleep(time.Second)
			s.sockName()
			s.connect(e.Addr(2, 80), wsa.WSAEISCONN)
			Equal(e, "SO_ERROR", s.soError(), wsa.WSAECONNREFUSED)
		})
		e.Notef("still WSAECONNREFUSED after setsockopt, getsockname and a successful connect")
	}},
	{ID: "EO-5", Title: "data, and a connection that works", Source: "S-GET, C-02", Run: func(e *Env) {
		e.refused(func(s handle) {
			l := e.listener(e.Q, 80)
			if e.Profile != options.Documented {
				for range 3 {
					Equal(e, "SO_ERROR, which a get keeps", s.soError(), wsa.WSAECONNREFUSED)
				}
			}
			s.connect(e.Addr(2, 80), wsa.WSAEWOULDBLOCK)
			peer := l.accept()
			peer.say("x")
			e.Net.Sleep(time.Second)
			s.recv(1)
			Equal(e, "SO_ERROR", s.soError(), byProfile(e, wsa.WSAECONNREFUSED, 0))
			peer.reset()
			Equal(e, "SO_ERROR after a RST", s.soError(), byProfile(e, wsa.WSAECONNRESET, 0))
		})
		e.Notef("documented: the error stays until it is read, and a RST sets it; as measured: until a connect succeeds, and a RST doesn't")
	}},
	{ID: "EO-6", Title: "synchronous errors are not stored", Source: "OBS", Run: func(e *Env) {
		e.paired(func() {
			s := e.stream()
			s.connect(e.Addr(2, 1), wsa.WSAECONNREFUSED)
			s.reads(wsa.SOL_SOCKET, wsa.SO_ERROR, 0)
			s.shutdown(9, wsa.WSAEINVAL)
			s.reads(wsa.SOL_SOCKET, wsa.SO_ERROR, 0)
		})
		e.Notef("0 after a blocking connect was refused")
	}},
	{ID: "EO-7", Title: "a failing get doesn't consume", Source: "S-GET", Run: func(e *Env) {
		e.refused(func(s handle) {
			n := int32(3)
			s.as("short get").getBytes(wsa.SOL_SOCKET, wsa.SO_ERROR, make([]byte, 4), &n, wsa.WSAEFAULT)
			s.as("NULL get").getBytes(wsa.SOL_SOCKET, wsa.SO_ERROR, nil, &n, wsa.WSAEFAULT)
			Equal(e, "SO_ERROR", s.soError(), wsa.WSAECONNREFUSED)
		})
		e.Notef("WSAEFAULT twice, the error is still there")
	}},
	{ID: "EO-8", Title: "set when select reports the failure", Source: "S-API", Run: func(e *Env) {
		e.paired(func() {
			s := e.stream()
			s.nonblocking(true)
			s.connect(e.Addr(2, 1), wsa.WSAEWOULDBLOCK)
			Equal(e, "except set", s.ready("x", -1), "x")
			Equal(e, "SO_ERROR", s.soError(), wsa.WSAECONNREFUSED)
		})
		e.Notef("WSAECONNREFUSED at once after select")
	}},
	{ID: "EO-9", Title: "fatal errors go on after SO_ERROR was read", Source: "S-GET", Profiles: documentedOnly,
		Why: "C-02: in Windows SO_ERROR holds failures of connect only (EO-5, WC-2)", Run: func(e *Env) {
			e.connected(func(c, s handle) {
				s.reset()
				Equal(e, "SO_ERROR", c.soError(), wsa.WSAECONNRESET)
				c.recv(1, wsa.WSAECONNRESET)
				u := e.datagram()
				u.connect(e.Addr(2, 9))
				u.say("x")
				e.Net.Sleep(time.Second)
				u.as("Recv on the datagram socket").recv(1, wsa.WSAECONNRESET)
				u.nonblocking(true)
				u.as("Recv again").recv(1, wsa.WSAEWOULDBLOCK)
			})
			e.Notef("TCP keeps failing, the datagram socket's error is consumed by recv")
		}},
	{ID: "EO-9", Title: "fatal errors of every kind", Source: "S-GET", Profiles: documentedOnly,
		Why: "C-02: in Windows SO_ERROR holds failures of connect only (EO-5, WC-2)", Run: func(e *Env) {
			link := e.Pair()
			e.Do(func() {
				c := e.cut(link)
				c.send(1)
				e.Net.Sleep(time.Hour)
				Equal(e, "SO_ERROR", c.soError(), wsa.WSAECONNABORTED)
				for range 2 {
					c.recv(1, wsa.WSAECONNABORTED)
					c.say("x", wsa.WSAECONNABORTED)
					Equal(e, "SO_ERROR", c.soError(), 0)
				}
			})
			e.Notef("recv and send go on with WSAECONNABORTED, SO_ERROR doesn't come back")
		}},
	{ID: "EO-9", Title: "recv consumes it", Source: "S-GET", Run: softErrorOnce},
}

// softErrors is EO-2: ICMP errors of datagrams.
func softErrors(e *Env) {
	e.wired(func(w *simnet.Wire) {
		s, packet := e.asked(w, false)
		s.nonblocking(true)
		for i, m := range []message{e.portUnreachable(), e.hopsExceeded()} {
			e.inject(w, m, packet)
			s.reads(wsa.SOL_SOCKET, wsa.SO_ERROR, []uint32{10054, 10052}[i])
			Equal(e, "SO_ERROR, read again", s.get(wsa.SOL_SOCKET, wsa.SO_ERROR), 0)
			s.recv1(wsa.WSAEWOULDBLOCK) // it is one error, and was read
		}
	})
	e.Notef("SO_ERROR 10054 and 10052, once")
}

// softErrorOnce is EO-9: recv consumes it.
func softErrorOnce(e *Env) {
	e.wired(func(w *simnet.Wire) {
		s, packet := e.asked(w, false)
		s.nonblocking(true)
		e.inject(w, e.portUnreachable(), packet)
		e.inject(w, e.hopsExceeded(), packet) // the first is kept
		s.recv1(wsa.WSAECONNRESET)
		Equal(e, "SO_ERROR after recv", s.get(wsa.SOL_SOCKET, wsa.SO_ERROR), 0)
		s.recv1(wsa.WSAEWOULDBLOCK)
	})
	e.Notef("recv takes it, SO_ERROR is 0 then")
}
