package conform

import (
	"net/netip"
	"time"

	"github.com/wsstack/wsstack/internal/trace"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

func init() {
	kaScenarios = append(kaScenarios, Scenario{ID: "KA-36", Title: "time exceeded", Source: "W-ERR, RFC 792", Run: timeExceeded})
	eoScenarios = append(eoScenarios,
		Scenario{ID: "EO-2", Title: "ICMP errors of datagrams", Source: "W-ERR", Run: softErrors},
		Scenario{ID: "EO-9", Title: "recv consumes it", Source: "S-GET", Run: softErrorOnce})
	nbScenarios = append(nbScenarios,
		Scenario{ID: "NB-3", Title: "datagrams: recv fails, sends succeed", Source: "API-recvfrom", Run: unreachablePort},
		Scenario{ID: "NB-3", Title: "datagrams: forged errors", Source: "RFC 5927", Run: forgedErrors},
		Scenario{ID: "NB-3", Title: "datagrams: IP_RECVERR", Source: "HDR", Run: errorQueue},
		Scenario{ID: "NB-3", Title: "datagrams: the path MTU", Source: "W-IP, RFC 1191, RFC 8201", Run: pathMTU})
}

// ICMP messages: the first four octets without the checksum, and what follows.
type message struct {
	kind, code byte
	mtu        uint16
}

// The errors of both versions.
func (e *Env) portUnreachable() message {
	if e.v6() {
		return message{kind: 1, code: 4}
	}
	return message{kind: 3, code: 3}
}

func (e *Env) hopsExceeded() message {
	if e.v6() {
		return message{kind: 3}
	}
	return message{kind: 11}
}

func (e *Env) hostUnreachable() message {
	if e.v6() {
		return message{kind: 1, code: 3}
	}
	return message{kind: 3, code: 1}
}

func (e *Env) tooBig(mtu uint16) message {
	if e.v6() {
		return message{kind: 2, mtu: mtu}
	}
	return message{kind: 3, code: 4, mtu: mtu}
}

func (e *Env) v6() bool { return e.Family == wsa.AF_INET6 }

// inject answers a packet of A with an ICMP error from the hand.
func (e *Env) inject(w *simnet.Wire, m message, about []byte) {
	w.Inject(e.icmpError(m, about))
	e.Net.Sleep(time.Millisecond)
}

// icmpError is an ICMP error from the hand to A.
func (e *Env) icmpError(m message, about []byte) []byte {
	b := append([]byte{m.kind, m.code, 0, 0, 0, 0, byte(m.mtu >> 8), byte(m.mtu)}, about...)
	protocol := uint8(1)
	if e.v6() {
		protocol = 58
	}
	return simnet.EncodeIP(e.Addr(9, 0).Addr(), e.Addr(1, 0).Addr(), protocol, b)
}

// received is the next packet that A has sent to the hand.
func (e *Env) received(w *simnet.Wire) []byte {
	p, err := w.Receive(time.Second)
	e.Check(err == nil, "no packet: %v", err)
	return p.Data
}

// asked makes a datagram socket of A that has sent "hello" to the hand, connected
// or not, and returns the packet.
func (e *Env) asked(w *simnet.Wire, connected bool) (wsa.SOCKET, []byte) {
	s := e.Datagram()
	if connected {
		e.Code("Connect", e.P.Connect(s, e.Addr(9, 53)), 0)
	}
	to := e.Addr(9, 53)
	if connected {
		to = netip.AddrPort{}
	}
	_, err := e.P.SendTo(s, []byte("hello"), 0, to)
	e.Code("SendTo", err, 0)
	return s, e.received(w)
}

// sender is where a packet comes from.
func sender(packet []byte) netip.AddrPort {
	p := trace.Parse(packet)
	return netip.AddrPortFrom(p.Source, p.SourcePort)
}

// bools are both values.
var bools = []bool{false, true}

func (e *Env) readable(s wsa.SOCKET) bool {
	r, _, _, err := e.P.Select([]wsa.SOCKET{s}, nil, nil, 0)
	e.Code("Select", err, 0)
	return len(r) == 1
}

func (e *Env) recv1(s wsa.SOCKET, want wsa.Errno) {
	_, _, err := e.P.RecvFrom(s, make([]byte, 100), 0)
	e.Code("RecvFrom", err, want)
}

func unreachablePort(e *Env) {
	w := e.Wire()
	e.Do(func() {
		for _, connected := range bools {
			s, packet := e.asked(w, connected)
			e.Set(e.P, s, wsa.SOL_SOCKET, wsa.SO_RCVTIMEO, 5000)
			done := e.Go("recv", func() { // one call waits for it
				start := e.Start()
				e.recv1(s, wsa.WSAECONNRESET)
				Equal(e, "the call returned after", e.Net.Now()-start, time.Second)
			})
			e.Net.Sleep(time.Second)
			e.inject(w, e.portUnreachable(), packet)
			done.Wait()
			e.Nonblocking(e.P, s, true)
			e.inject(w, e.portUnreachable(), packet)
			e.Check(e.readable(s), "not readable")
			for range 2 { // sends succeed, and leave the error to recv
				_, err := e.P.SendTo(s, []byte("again"), 0, e.Addr(9, 53))
				e.Code("SendTo", err, 0)
				e.received(w)
			}
			e.recv1(s, wsa.WSAECONNRESET)
			e.Check(!e.readable(s), "still readable")
			e.recv1(s, wsa.WSAEWOULDBLOCK)
			e.inject(w, e.hostUnreachable(), packet) // not one of those
			e.recv1(s, wsa.WSAEWOULDBLOCK)
			_, err := e.P.Ioctl(s, wsa.SIO_UDP_CONNRESET, []byte{0, 0, 0, 0}, nil)
			e.Code("SIO_UDP_CONNRESET", err, 0)
			e.inject(w, e.portUnreachable(), packet)
			e.Check(!e.readable(s), "readable with SIO_UDP_CONNRESET FALSE")
			e.recv1(s, wsa.WSAEWOULDBLOCK)
			w.Inject(simnet.EncodeUDP(e.Addr(9, 53), sender(packet), []byte("answer")))
			e.Net.Sleep(time.Millisecond)
			e.recv1(s, 0)
		}
	})
	e.Notef("10054 to a waiting and to a later recv, connected or not; sends succeed; nothing with SIO_UDP_CONNRESET FALSE")
}

func timeExceeded(e *Env) {
	w := e.Wire()
	e.Do(func() {
		for _, connected := range bools {
			s, packet := e.asked(w, connected)
			e.Nonblocking(e.P, s, true)
			e.inject(w, e.hopsExceeded(), packet)
			e.Check(e.readable(s), "not readable")
			e.recv1(s, wsa.WSAENETRESET)
			e.recv1(s, wsa.WSAEWOULDBLOCK)
			reassembly := e.hopsExceeded()
			reassembly.code = 1
			e.inject(w, reassembly, packet)
			e.recv1(s, wsa.WSAEWOULDBLOCK)
			_, err := e.P.Ioctl(s, wsa.SIO_UDP_NETRESET, []byte{0, 0, 0, 0}, nil)
			e.Code("SIO_UDP_NETRESET", err, 0)
			e.inject(w, e.hopsExceeded(), packet)
			e.recv1(s, wsa.WSAEWOULDBLOCK)
		}
	})
	e.Notef("10052 once, not for a reassembly time-out, not with SIO_UDP_NETRESET FALSE")
}

func softErrors(e *Env) {
	w := e.Wire()
	e.Do(func() {
		s, packet := e.asked(w, false)
		e.Nonblocking(e.P, s, true)
		for i, m := range []message{e.portUnreachable(), e.hopsExceeded()} {
			e.inject(w, m, packet)
			Equal(e, "SO_ERROR", e.Get(e.P, s, wsa.SOL_SOCKET, wsa.SO_ERROR), []uint32{10054, 10052}[i])
			Equal(e, "SO_ERROR, read again", e.Get(e.P, s, wsa.SOL_SOCKET, wsa.SO_ERROR), 0)
			e.recv1(s, wsa.WSAEWOULDBLOCK) // it is one error, and was read
		}
	})
	e.Notef("SO_ERROR 10054 and 10052, once")
}

func softErrorOnce(e *Env) {
	w := e.Wire()
	e.Do(func() {
		s, packet := e.asked(w, false)
		e.Nonblocking(e.P, s, true)
		e.inject(w, e.portUnreachable(), packet)
		e.inject(w, e.hopsExceeded(), packet) // the first is kept
		e.recv1(s, wsa.WSAECONNRESET)
		Equal(e, "SO_ERROR after recv", e.Get(e.P, s, wsa.SOL_SOCKET, wsa.SO_ERROR), 0)
		e.recv1(s, wsa.WSAEWOULDBLOCK)
	})
	e.Notef("recv takes it, SO_ERROR is 0 then")
}

// forgedErrors: an error that doesn't quote a datagram of the socket changes
// nothing, nor does one that is damaged.
func forgedErrors(e *Env) {
	w := e.Wire()
	e.Do(func() {
		s, packet := e.asked(w, false)
		e.Nonblocking(e.P, s, true)
		e.Set(e.P, s, e.level(), wsa.IP_RECVERR, 1)
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
		e.recv1(s, wsa.WSAEWOULDBLOCK)
		Equal(e, "SO_ERROR", e.Get(e.P, s, wsa.SOL_SOCKET, wsa.SO_ERROR), 0)
		_, err := e.P.RecvMsg(s, make([]byte, 100), make([]byte, 100), wsa.MSG_ERRQUEUE)
		e.Code("RecvMsg MSG_ERRQUEUE", err, wsa.WSAEWOULDBLOCK)
		for range 10000 { // a flood is one error
			w.Inject(e.icmpError(e.portUnreachable(), packet))
		}
		e.Net.Sleep(time.Second)
		e.recv1(s, wsa.WSAECONNRESET)
		e.recv1(s, wsa.WSAEWOULDBLOCK)
		kept := 0
		for err = nil; err == nil; kept++ {
			_, err = e.P.RecvMsg(s, make([]byte, 100), make([]byte, 100), wsa.MSG_ERRQUEUE)
		}
		e.Code("the last RecvMsg", err, wsa.WSAEWOULDBLOCK)
		Equal(e, "errors kept of 10,000", kept-1, 64)
	})
	e.Notef("other ports, addresses, truncated and damaged quotes change nothing; of 10,000 errors 64 are kept")
}

func (e *Env) level() int32 {
	if e.v6() {
		return wsa.IPPROTO_IPV6
	}
	return wsa.IPPROTO_IP
}

func errorQueue(e *Env) {
	w := e.Wire()
	e.Do(func() {
		for _, connected := range bools {
			s, packet := e.asked(w, connected)
			e.Nonblocking(e.P, s, true)
			e.inject(w, e.hostUnreachable(), packet) // off: not kept
			e.Set(e.P, s, e.level(), wsa.IP_RECVERR, 1)
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
					m, err := e.P.RecvMsg(s, buf, control, wsa.MSG_ERRQUEUE|flags)
					e.Code("RecvMsg MSG_ERRQUEUE", err, 0)
					Equal(e, "data", string(buf[:m.N]), "hello")
					Equal(e, "destination", m.From, e.Addr(9, 53))
					Equal(e, "flags", m.Flags, wsa.MSG_ERRQUEUE)
					c, _, ok := wsa.NextCmsg(control[:m.Control])
					e.Check(ok && c.Level == e.level() && c.Type == wsa.IP_RECVERR, "control message %+v", c)
					got, _ := wsa.ParseInRecverr(c.Data)
					Equal(e, "in_recverr", got, want)
				}
			}
			m, err := e.P.RecvMsg(s, make([]byte, 9), make([]byte, 99), wsa.MSG_ERRQUEUE)
			e.Code("RecvMsg MSG_ERRQUEUE", err, wsa.WSAEWOULDBLOCK)
			Equal(e, "nothing", m.N, 0)
			e.recv1(s, wsa.WSAECONNRESET) // the errors fail recv as ever
			e.inject(w, e.portUnreachable(), packet)
			m, err = e.P.RecvMsg(s, make([]byte, 3), make([]byte, 8), wsa.MSG_ERRQUEUE)
			e.Code("RecvMsg with little room", err, wsa.WSAEMSGSIZE)
			Equal(e, "flags", m.Flags, wsa.MSG_ERRQUEUE|wsa.MSG_TRUNC|wsa.MSG_CTRUNC)
		}
	})
	e.Notef("type, code, MTU, destination and data of each error; WSAEWOULDBLOCK when there is none")
}

// pathMTU: what routers say of a path counts from the next datagram on.
func pathMTU(e *Env) {
	w := e.Wire()
	e.Do(func() {
		const path = 1300
		mtu, discover := int32(wsa.IP_MTU), int32(wsa.IP_MTU_DISCOVER)
		headers := 28
		if e.v6() {
			mtu, headers = wsa.IPV6_MTU, 48
		}
		s, packet := e.asked(w, true)
		Equal(e, "the MTU of the interface", e.Get(e.P, s, e.level(), mtu), 1500)
		e.inject(w, e.tooBig(path), packet)
		Equal(e, "that of the path", e.Get(e.P, s, e.level(), mtu), path)
		e.inject(w, e.tooBig(path+50), packet) // never up
		Equal(e, "after a larger one", e.Get(e.P, s, e.level(), mtu), path)
		send := func(size int, want wsa.Errno) int {
			_, err := e.P.Send(s, make([]byte, size), 0)
			e.Code("Send", err, want)
			e.Net.Sleep(time.Millisecond)
			return w.Discard()
		}
		e.Set(e.P, s, e.level(), discover, options.MTUDiscoverDo)
		Equal(e, "DO: a packet that fits", send(path-headers, 0), 1)
		Equal(e, "DO: one byte more", send(path-headers+1, wsa.WSAEMSGSIZE), 0)
		e.Set(e.P, s, e.level(), discover, options.MTUDiscoverProbe)
		Equal(e, "PROBE: more than the path", send(path-headers+1, 0), 1)
		Equal(e, "PROBE: more than the interface", send(1500-headers+1, wsa.WSAEMSGSIZE), 0)
		e.Set(e.P, s, e.level(), discover, options.MTUDiscoverDont)
		Equal(e, "DONT: to the interface", send(1500-headers, 0), 1)
		Equal(e, "DONT: fragments", send(1500-headers+1, 0), 2)
		e.Net.Sleep(10 * time.Minute)
		Equal(e, "ten minutes later", e.Get(e.P, s, e.level(), mtu), 1500)
	})
	e.Notef("IP_MTU 1500, 1300 after an ICMP error, 1500 ten minutes later; DO fails above it, PROBE and DONT go to the interface's")
}
