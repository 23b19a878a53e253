package conform

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

func init() {
	nbScenarios = append(nbScenarios,
		Scenario{ID: "NB-3", Title: "datagrams: an unused port of one's own host", Source: "API-recvfrom", Run: ownUnusedPort},
		Scenario{ID: "NB-3", Title: "an ICMP error for a SYN-ACK", Source: "RFC 1122 4.2.3.9, RFC 5927", Run: errorForSYNACK},
		Scenario{ID: "NB-3", Title: "datagrams: a path MTU that no link has", Source: "RFC 791, RFC 8201 4", Run: impossibleMTU})
	ngScenarios = append(ngScenarios,
		Scenario{ID: "NG-2", Title: "a path MTU that no link has", Source: "RFC 791, RFC 8201 4", Run: impossibleMSS})
	smallScenarios = append(smallScenarios,
		Scenario{ID: "TY-1", Title: "raw sockets: a ping of one's own address", Source: "OBS", Run: ownPing})
}

// ownAddresses are a loopback address and one of an interface.
func (e *Env) ownAddresses() []netip.Addr {
	if e.v6() {
		return []netip.Addr{netip.IPv6Loopback(), e.Addr(1, 0).Addr()}
	}
	return []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("127.8.9.10"), e.Addr(1, 0).Addr()}
}

// ownUnusedPort: what a device brings comes over the loopback, too.
func ownUnusedPort(e *Env) {
	w := e.Wire()
	e.Do(func() {
		for _, own := range e.ownAddresses() {
			for _, connected := range bools {
				s, to := e.Datagram(), netip.AddrPortFrom(own, 9)
				e.Set(e.P, s, wsa.SOL_SOCKET, wsa.SO_RCVTIMEO, 1000)
				if connected {
					e.Code("Connect", e.P.Connect(s, to), 0)
					to = netip.AddrPort{}
				}
				_, err := e.P.SendTo(s, []byte("hello"), 0, to)
				e.Code("SendTo", err, 0)
				e.recv1(s, wsa.WSAECONNRESET)
				e.recv1(s, wsa.WSAETIMEDOUT)
				_, err = e.P.Ioctl(s, wsa.SIO_UDP_CONNRESET, []byte{0, 0, 0, 0}, nil)
				e.Code("SIO_UDP_CONNRESET", err, 0)
				_, err = e.P.SendTo(s, []byte("hello"), 0, to)
				e.Code("SendTo", err, 0)
				e.recv1(s, wsa.WSAETIMEDOUT)
				e.Code("CloseSocket", e.P.CloseSocket(s), 0)
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
		l := e.Listener(e.P, 80)
		p.Send("[S] <mss 1400>")
		answer, err := p.Expect("[S.]")
		e.Check(err == nil, "%v", err)
		for _, m := range []message{e.portUnreachable(), e.hostUnreachable(), e.hopsExceeded()} {
			e.inject(w, m, answer.Packet)
		}
		p.Send("[.] ack 1")
		_, _, err = e.P.Accept(l)
		e.Code("Accept", err, 0)
	})
	e.Notef("the connection is accepted all the same")
}

// noMTU are MTUs that no link of the family has.
func (e *Env) noMTU() []uint16 {
	if e.v6() {
		return []uint16{0, 1, 68, 1279}
	}
	return []uint16{0, 1, 20, 40, 67}
}

func impossibleMTU(e *Env) {
	w := e.Wire()
	e.Do(func() {
		mtu := int32(wsa.IP_MTU)
		if e.v6() {
			mtu = wsa.IPV6_MTU
		}
		s, packet := e.asked(w, true)
		e.Nonblocking(e.P, s, true)
		e.Set(e.P, s, e.level(), wsa.IP_RECVERR, 1)
		for _, no := range e.noMTU() {
			before := e.A.Stats().Dropped
			e.inject(w, e.tooBig(no), packet)
			Equal(e, fmt.Sprintf("the MTU after an error with %d", no), e.Get(e.P, s, e.level(), mtu), 1500)
			Equal(e, "dropped", e.A.Stats().Dropped-before, 1)
		}
		_, err := e.P.RecvMsg(s, make([]byte, 100), make([]byte, 100), wsa.MSG_ERRQUEUE)
		e.Code("RecvMsg MSG_ERRQUEUE", err, wsa.WSAEWOULDBLOCK)
	})
	e.Notef("MTUs %v change nothing, and are dropped and counted", e.noMTU())
}

func impossibleMSS(e *Env) {
	e.playedAs("mss 1400", nil, func(s wsa.SOCKET, p *simnet.Peer) {
		for _, no := range e.noMTU() {
			start := e.Start()
			e.send(s, 1400)
			first, err := p.Expect("[P.]")
			e.Check(err == nil, "%v", err)
			before := e.A.Stats().Dropped
			e.inject(e.wire, e.tooBig(no), first.Packet[:100])
			Equal(e, "dropped", e.A.Stats().Dropped-before, 1)
			Equal(e, fmt.Sprintf("TCP_MAXSEG after an error with %d", no), e.Get(e.P, s, wsa.IPPROTO_TCP, wsa.TCP_MAXSEG), 1400)
			p.Send(fmt.Sprintf("[.] ack %d", first.Segment.Seq+1400))
			e.Net.Sleep(time.Millisecond)
			Equal(e, "segments", e.lengths("a", start), "1400")
		}
		gone := e.tooBig(1300) // nothing is in flight
		before := e.A.Stats().Dropped
		e.inject(e.wire, gone, simnet.EncodeIP(e.Addr(1, 0).Addr(), e.Addr(9, 0).Addr(), 6, make([]byte, 20)))
		Equal(e, "an error for a connection that isn't there, dropped", e.A.Stats().Dropped-before, 1)
		start := e.Start()
		e.send(s, 1400)
		Equal(e, "segments", e.lengths("a", start), "1400")
	})
	e.Notef("MTUs %v change nothing, and are dropped and counted", e.noMTU())
}

func ownPing(e *Env) {
	w := e.Wire()
	icmp, echo, answer := int32(wsa.IPPROTO_ICMP), []byte{8, 0, 0, 0, 0, 0x10, 0, 7}, byte(0)
	if e.v6() {
		icmp, echo, answer = wsa.IPPROTO_ICMPV6, []byte{128, 0, 0, 0, 0, 0x10, 0, 7}, 129
	}
	e.Do(func() {
		for _, own := range e.ownAddresses() {
			for size := range 3 {
				s := e.raw(icmp)
				message := append(append([]byte(nil), echo...), "abc"[:size]...)
				copy(message, e.checksummed(own, icmp, message)) // a raw socket sends what it is given
				_, err := e.P.SendTo(s, message, 0, netip.AddrPortFrom(own, 0))
				e.Code("SendTo", err, 0)
				e.Net.Sleep(time.Millisecond)
				reply, from := e.rawRecv(s)
				Equal(e, "from", from.Addr(), own)
				Equal(e, "the reply", reply[:1]+reply[4:], string([]byte{answer})+string(message[4:]))
				e.recv1(s, wsa.WSAEWOULDBLOCK)
				message[3] ^= 1 // netstack judges it
				if !e.v6() {
					_, err = e.P.SendTo(s, message, 0, netip.AddrPortFrom(own, 0))
					e.Code("SendTo", err, 0)
					e.Net.Sleep(time.Millisecond)
					damaged, _ := e.rawRecv(s)
					Equal(e, "a damaged request", damaged, string(message))
					e.recv1(s, wsa.WSAEWOULDBLOCK)
				}
				e.Code("CloseSocket", e.P.CloseSocket(s), 0)
			}
		}
		Equal(e, "packets on the wire", w.Discard(), 0)
	})
	e.Notef("the reply, and nothing else, from the loopback and the interface's address")
}

// checksummed is a message of a protocol to an own address with its checksum.
func (e *Env) checksummed(own netip.Addr, protocol int32, message []byte) []byte {
	packet := simnet.EncodeIP(own, own, uint8(protocol), append([]byte(nil), message...))
	return packet[len(packet)-len(message):]
}
