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

// recv1 is recvfrom, for its code.
func (h handle) recv1(want ...wsa.Errno) {
	h.recvFrom(100, want...)
}

// connectICMPScenarios are NB-3: ICMP errors.
var connectICMPScenarios = []Scenario{
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
				s := e.stream()
				done := e.Go("answer", func() { unreachable(code) })
				start := e.Start()
				s.connect(e.Addr(9, 80), wsa.WSAETIMEDOUT)
				e.took("time", start, e.silence())
				done.Wait()
				w.Discard()
			}
			s := e.stream()
			s.set(wsa.IPPROTO_TCP, wsa.TCP_FAIL_CONNECT_ON_ICMP_ERROR, 1)
			done := e.Go("answer", func() { unreachable(1) })
			start := e.Start()
			s.connect(e.Addr(9, 80), wsa.WSAEHOSTUNREACH)
			e.took("time", start, 0)
			done.Wait()
		})
		e.Notef("advisory: WSAETIMEDOUT at %v; with TCP_FAIL_CONNECT_ON_ICMP_ERROR WSAEHOSTUNREACH at once", e.silence())
	}},
	{ID: "NB-3", Title: "ICMP and connected datagram sockets", Source: "API-connect", Run: func(e *Env) {
		e.paired(func() {
			s := e.datagram()
			s.connect(e.Addr(2, 9))
			for range 3 {
				s.say("x")
				e.Net.Sleep(time.Second)
			}
			s.recv(1, wsa.WSAECONNRESET)
		})
		Equal(e, "ICMP errors", e.Count("b", func(l simnet.Line) bool { return l.Kind == trace.ICMP }), 3)
		e.Notef("three sends succeed, recv gets WSAECONNRESET")
	}},
	{ID: "NB-3", Title: "TCP_ICMP_ERROR_INFO", Source: "W-TCP", Run: func(e *Env) {
		w := e.Wire()
		w.Listen(80)
		info := func(s handle) (wsa.ICMPErrorInfo, int32) {
			b, n := make([]byte, wsa.SizeofICMPErrorInfo), int32(wsa.SizeofICMPErrorInfo)
			s.getBytes(wsa.IPPROTO_TCP, wsa.TCP_ICMP_ERROR_INFO, b, &n)
			if n == 0 {
				return wsa.ICMPErrorInfo{}, 0
			}
			i, _ := wsa.ParseICMPErrorInfo(b)
			return i, n
		}
		e.Do(func() {
			s := e.stream()
			n := int32(wsa.SizeofICMPErrorInfo)
			s.as("without the option").getBytes(wsa.IPPROTO_TCP, wsa.TCP_ICMP_ERROR_INFO, make([]byte, n), &n, wsa.WSAEINVAL)
			s.set(wsa.IPPROTO_TCP, wsa.TCP_FAIL_CONNECT_ON_ICMP_ERROR, 1)
			n = wsa.SizeofICMPErrorInfo - 1
			s.as("short").getBytes(wsa.IPPROTO_TCP, wsa.TCP_ICMP_ERROR_INFO, make([]byte, n), &n, wsa.WSAEFAULT)
			_, n = info(s)
			Equal(e, "*optlen before a connect", n, 0)
			for _, m := range []message{e.hostUnreachable(), e.hopsExceeded()} {
				done := e.Go("answer", func() {
					syn, err := w.Receive(time.Second)
					e.Check(err == nil, "no SYN: %v", err)
					w.Inject(e.icmpError(m, syn.Data))
				})
				s.connect(e.Addr(9, 80), wsa.WSAEHOSTUNREACH)
				done.Wait()
				got, n := info(s)
				Equal(e, "*optlen", n, wsa.SizeofICMPErrorInfo)
				Equal(e, "info", fmt.Sprint(got.Source, got.Type, got.Code), fmt.Sprint(e.Addr(9, 0), m.kind, m.code))
				_, again := info(s)
				Equal(e, "*optlen again", again, n)
			}
			s.set(wsa.IPPROTO_TCP, wsa.TCP_MAXRT, 1)
			s.connect(e.Addr(9, 80), wsa.WSAETIMEDOUT)
			_, n = info(s)
			Equal(e, "*optlen after another failure", n, 0)
		})
		e.Notef("source, type and code of unreachable and of time exceeded; kept until the next connect")
	}},
	{ID: "NB-3", Title: "datagrams: recv fails, sends succeed", Source: "API-recvfrom", Run: unreachablePort},
	{ID: "NB-3", Title: "datagrams: forged errors", Source: "RFC 5927", Run: forgedErrors},
	{ID: "NB-3", Title: "datagrams: IP_RECVERR", Source: "HDR", Run: errorQueue},
	{ID: "NB-3", Title: "datagrams: the path MTU", Source: "W-IP, RFC 1191, RFC 8201", Run: pathMTU},
	{ID: "NB-3", Title: "datagrams: an unused port of one's own host", Source: "API-recvfrom", Run: ownUnusedPort},
	{ID: "NB-3", Title: "an ICMP error for a SYN-ACK", Source: "RFC 1122 4.2.3.9, RFC 5927", Run: errorForSYNACK},
	{ID: "NB-3", Title: "datagrams: a path MTU that no link has", Source: "RFC 791, RFC 8201 4", Run: impossibleMTU},
}

// unreachablePort is NB-3: datagrams: recv fails, sends succeed.
func unreachablePort(e *Env) {
	e.wired(func(w *simnet.Wire) {
		for _, connected := range bools {
			s, packet := e.asked(w, connected)
			s.set(wsa.SOL_SOCKET, wsa.SO_RCVTIMEO, 5000)
			done := e.Go("recv", func() { // one call waits for it
				start := e.Start()
				s.recv1(wsa.WSAECONNRESET)
				Equal(e, "the call returned after", e.Net.Now()-start, time.Second)
			})
			e.Net.Sleep(time.Second)
			e.inject(w, e.portUnreachable(), packet)
			done.Wait()
			s.nonblocking(true)
			e.inject(w, e.portUnreachable(), packet)
			e.Check(s.readable(), "not readable")
			for range 2 { // sends succeed, and leave the error to recv
				s.sayTo(e.Addr(9, 53), "again")
				e.received(w)
			}
			s.recv1(wsa.WSAECONNRESET)
			e.Check(!s.readable(), "still readable")
			s.recv1(wsa.WSAEWOULDBLOCK)
			e.inject(w, e.hostUnreachable(), packet) // not one of those
			s.recv1(wsa.WSAEWOULDBLOCK)
			s.ioctl(wsa.SIO_UDP_CONNRESET, []byte{0, 0, 0, 0}, nil)
			e.inject(w, e.portUnreachable(), packet)
			e.Check(!s.readable(), "readable with SIO_UDP_CONNRESET FALSE")
			s.recv1(wsa.WSAEWOULDBLOCK)
			w.Inject(simnet.EncodeUDP(e.Addr(9, 53), sender(packet), []byte("answer")))
			e.Net.Sleep(time.Millisecond)
			s.recv1()
		}
	})
	e.Notef("10054 to a waiting and to a later recv, connected or not; sends succeed; nothing with SIO_UDP_CONNRESET FALSE")
}

// forgedErrors: an error that doesn't quote a datagram of the socket changes
// nothing, nor does one that is damaged.
func forgedErrors(e *Env) {
	e.wired(func(w *simnet.Wire) {
		s, packet := e.asked(w, false)
		s.nonblocking(true)
		s.set(e.level(), wsa.IP_RECVERR, 1)
		from := sender(packet)
		other := func(a, b netip.AddrPort) []byte { return simnet.EncodeUDP(a, b, []byte("hello")) }
		for _, about := range [][]byte{
			other(from, e.Addr(9, 54)),
			other(from, e.Addr(8, 53)),
			other(netip.AddrPortFrom(from.Addr(), from.Port()-1), e.Addr(9, 53)),
			other(e.Addr(9, from.Port()), e.Addr(9, 53)),
			packet[:len(packet)-6], // less than a UDP header
			packet[:10],
			nil,
		} {
			for _, m := range []message{e.portUnreachable(), e.hopsExceeded(), e.tooBig(1300)} {
				e.inject(w, m, about)
			}
		}
		damaged := e.icmpError(e.portUnreachable(), packet)
		damaged[len(damaged)-1] ^= 1
		w.Inject(damaged)
		e.Net.Sleep(time.Millisecond)
		s.recv1(wsa.WSAEWOULDBLOCK)
		s.reads(wsa.SOL_SOCKET, wsa.SO_ERROR, 0)
		s.recvMsg(make([]byte, 100), make([]byte, 100), wsa.MSG_ERRQUEUE, wsa.WSAEWOULDBLOCK)
		for range 10000 { // a flood is one error
			w.Inject(e.icmpError(e.portUnreachable(), packet))
		}
		e.Net.Sleep(time.Second)
		s.recv1(wsa.WSAECONNRESET)
		s.recv1(wsa.WSAEWOULDBLOCK)
		kept := 0
		var err error
		for ; err == nil; kept++ {
			_, err = e.P.RecvMsg(s.s, make([]byte, 100), make([]byte, 100), wsa.MSG_ERRQUEUE)
		}
		e.Code("the last RecvMsg", err, wsa.WSAEWOULDBLOCK)
		Equal(e, "errors kept of 10,000", kept-1, 64)
	})
	e.Notef("other ports, addresses, truncated and damaged quotes change nothing; of 10,000 errors 64 are kept")
}

// errorQueue is NB-3: datagrams: IP_RECVERR.
func errorQueue(e *Env) {
	e.wired(func(w *simnet.Wire) {
		for _, connected := range bools {
			s, packet := e.asked(w, connected)
			s.nonblocking(true)
			e.inject(w, e.hostUnreachable(), packet) // off: not kept
			s.set(e.level(), wsa.IP_RECVERR, 1)
			e.inject(w, e.tooBig(1400), packet)
			e.inject(w, e.portUnreachable(), packet)
			big, port := e.tooBig(1400), e.portUnreachable()
			protocol := map[bool]int32{false: wsa.IPPROTO_ICMP, true: wsa.IPPROTO_ICMPV6}[e.v6()]
			for _, want := range []wsa.InRecverr{
				{Protocol: protocol, Info: 1400, Type: big.kind, Code: big.code},
				{Protocol: protocol, Type: port.kind, Code: port.code},
			} {
				for _, flags := range []int32{wsa.MSG_PEEK, 0} {
					buf, control := make([]byte, 100), make([]byte, 100)
					m := s.recvMsg(buf, control, wsa.MSG_ERRQUEUE|flags)
					Equal(e, "data", string(buf[:m.N]), "hello")
					Equal(e, "destination", m.From, e.Addr(9, 53))
					Equal(e, "flags", m.Flags, wsa.MSG_ERRQUEUE)
					c, _, ok := wsa.NextCmsg(control[:m.Control])
					e.Check(ok && c.Level == e.level() && c.Type == wsa.IP_RECVERR, "control message %+v", c)
					got, _ := wsa.ParseInRecverr(c.Data)
					Equal(e, "in_recverr", got, want)
				}
			}
			m := s.recvMsg(make([]byte, 9), make([]byte, 99), wsa.MSG_ERRQUEUE, wsa.WSAEWOULDBLOCK)
			Equal(e, "nothing", m.N, 0)
			s.recv1(wsa.WSAECONNRESET) // the errors fail recv as ever
			e.inject(w, e.portUnreachable(), packet)
			m = s.as("RecvMsg with little room").recvMsg(make([]byte, 3), make([]byte, 8), wsa.MSG_ERRQUEUE, wsa.WSAEMSGSIZE)
			Equal(e, "flags", m.Flags, wsa.MSG_ERRQUEUE|wsa.MSG_TRUNC|wsa.MSG_CTRUNC)
		}
	})
	e.Notef("type, code, MTU, destination and data of each error; WSAEWOULDBLOCK when there is none")
}

// pathMTU: what routers say of a path counts from the next datagram on.
func pathMTU(e *Env) {
	e.wired(func(w *simnet.Wire) {
		const path = 1300
		mtu, discover := int32(wsa.IP_MTU), int32(wsa.IP_MTU_DISCOVER)
		headers := 28
		if e.v6() {
			mtu, headers = wsa.IPV6_MTU, 48
		}
		s, packet := e.asked(w, true)
		Equal(e, "the MTU of the interface", s.get(e.level(), mtu), 1500)
		e.inject(w, e.tooBig(path), packet)
		Equal(e, "that of the path", s.get(e.level(), mtu), path)
		e.inject(w, e.tooBig(path+50), packet) // never up
		Equal(e, "after a larger one", s.get(e.level(), mtu), path)
		send := func(size int, want wsa.Errno) int {
			s.send(size, want)
			e.Net.Sleep(time.Millisecond)
			return w.Discard()
		}
		s.set(e.level(), discover, options.MTUDiscoverDo)
		Equal(e, "DO: a packet that fits", send(path-headers, 0), 1)
		Equal(e, "DO: one byte more", send(path-headers+1, wsa.WSAEMSGSIZE), 0)
		s.set(e.level(), discover, options.MTUDiscoverProbe)
		Equal(e, "PROBE: more than the path", send(path-headers+1, 0), 1)
		Equal(e, "PROBE: more than the interface", send(1500-headers+1, wsa.WSAEMSGSIZE), 0)
		s.set(e.level(), discover, options.MTUDiscoverDont)
		Equal(e, "DONT: to the interface", send(1500-headers, 0), 1)
		Equal(e, "DONT: fragments", send(1500-headers+1, 0), 2)
		e.Net.Sleep(10 * time.Minute)
		Equal(e, "ten minutes later", s.get(e.level(), mtu), 1500)
	})
	e.Notef("IP_MTU 1500, 1300 after an ICMP error, 1500 ten minutes later; DO fails above it, PROBE and DONT go to the interface's")
}

// ownUnusedPort: what a device brings comes over the loopback, too.
func ownUnusedPort(e *Env) {
	e.wired(func(w *simnet.Wire) {
		for _, own := range e.ownAddresses() {
			for _, connected := range bools {
				s, to := e.datagram(), netip.AddrPortFrom(own, 9)
				s.set(wsa.SOL_SOCKET, wsa.SO_RCVTIMEO, 1000)
				if connected {
					s.connect(to)
					to = netip.AddrPort{}
				}
				s.sayTo(to, "hello")
				s.recv1(wsa.WSAECONNRESET)
				s.recv1(wsa.WSAETIMEDOUT)
				s.ioctl(wsa.SIO_UDP_CONNRESET, []byte{0, 0, 0, 0}, nil)
				s.sayTo(to, "hello")
				s.recv1(wsa.WSAETIMEDOUT)
				s.close()
			}
		}
		Equal(e, "packets on the wire", w.Discard(), 0)
	})
	e.Notef("10054 once, connected or not, for the loopback and the interface's address; nothing with SIO_UDP_CONNRESET FALSE")
}

// errorForSYNACK: what a client's router says ends no handshake.
func errorForSYNACK(e *Env) {
	w := e.Wire()
	p := w.Connect(e.Addr(1, 80).String())
	e.Do(func() {
		l := e.listener(e.P, 80)
		p.Send("[S] <mss 1400>")
		answer, err := p.Expect("[S.]")
		e.Check(err == nil, "%v", err)
		for _, m := range []message{e.portUnreachable(), e.hostUnreachable(), e.hopsExceeded()} {
			e.inject(w, m, answer.Packet)
		}
		p.Send("[.] ack 1")
		l.accept()
	})
	e.Notef("the connection is accepted all the same")
}

// impossibleMTU is NB-3: datagrams: a path MTU that no link has.
func impossibleMTU(e *Env) {
	e.wired(func(w *simnet.Wire) {
		mtu := int32(wsa.IP_MTU)
		if e.v6() {
			mtu = wsa.IPV6_MTU
		}
		s, packet := e.asked(w, true)
		s.nonblocking(true)
		s.set(e.level(), wsa.IP_RECVERR, 1)
		for _, no := range e.noMTU() {
			before := e.A.Stats().Dropped
			e.inject(w, e.tooBig(no), packet)
			Equal(e, fmt.Sprintf("the MTU after an error with %d", no), s.get(e.level(), mtu), 1500)
			Equal(e, "dropped", e.A.Stats().Dropped-before, 1)
		}
		s.recvMsg(make([]byte, 100), make([]byte, 100), wsa.MSG_ERRQUEUE, wsa.WSAEWOULDBLOCK)
	})
	e.Notef("MTUs %v change nothing, and are dropped and counted", e.noMTU())
}
