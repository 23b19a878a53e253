package conform

import (
	"net/netip"
	"time"

	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

// checksummed is a message of a protocol to an own address with its checksum.
func (e *Env) checksummed(own netip.Addr, protocol int32, message []byte) []byte {
	packet := simnet.EncodeIP(own, own, uint8(protocol), append([]byte(nil), message...))
	return packet[len(packet)-len(message):]
}

// typesScenarios are TY-1 and TY-2: SO_TYPE, SO_ACCEPTCONN, and raw sockets.
var typesScenarios = []Scenario{
	{ID: "TY-1", Title: "SO_TYPE as created", Source: "S-GET", Run: func(e *Env) {
		e.Pair()
		for typ, s := range map[uint32]handle{wsa.SOCK_STREAM: e.stream(), wsa.SOCK_DGRAM: e.datagram()} {
			s.reads(wsa.SOL_SOCKET, wsa.SO_TYPE, typ)
			buf, n := make([]byte, 628), int32(628)
			s.getBytes(wsa.SOL_SOCKET, wsa.SO_PROTOCOL_INFOW, buf, &n)
			info, _ := wsa.ParseProtocolInfoW(buf)
			Equal(e, "iSocketType", info.SocketType, int32(typ))
		}
		e.Notef("SO_TYPE and iSocketType agree")
	}},
	{ID: "TY-1", Title: "raw sockets: a ping of one's own address", Source: "OBS", Run: ownPing},
	{ID: "TY-1", Title: "raw sockets: creation", Source: "API-socket, W-ERR", Run: rawCreation},
	{ID: "TY-1", Title: "raw sockets: any protocol, both ways", Source: "W-IP", Run: rawBothWays},
	{ID: "TY-1", Title: "raw sockets: bind and connect choose", Source: "API-bind, API-connect", Run: rawAddresses},
	{ID: "TY-1", Title: "raw sockets: beside TCP, UDP and ping", Source: "W-IP", Run: rawBeside},
	{ID: "TY-1", Title: "raw sockets: the header included", Source: "W-IP, W-IP6", Run: rawHeader},
	{ID: "TY-1", Title: "raw sockets: IPV6_CHECKSUM", Source: "HDR, RFC 3542", Once: true, Run: rawChecksum},
	{ID: "TY-1", Title: "raw sockets: protocols without one", Source: "RFC 1122 3.2.2.1, RFC 8200 4", Run: rawUnreachable},
	{ID: "TY-2", Title: "SO_ACCEPTCONN", Source: "S-GET", Run: func(e *Env) {
		e.Pair()
		s := e.peerStream()
		Equal(e, "before listen", s.get(wsa.SOL_SOCKET, wsa.SO_ACCEPTCONN), 0)
		s.bind(e.Any(80))
		s.listen(1)
		Equal(e, "after listen", s.get(wsa.SOL_SOCKET, wsa.SO_ACCEPTCONN), 1)
		e.Do(func() {
			for range 3 {
				c := e.stream()
				c.nonblocking(true)
				c.connect(e.Addr(2, 80), wsa.WSAEWOULDBLOCK)
			}
			e.Net.Sleep(time.Second)
			Equal(e, "with connections queued", s.get(wsa.SOL_SOCKET, wsa.SO_ACCEPTCONN), 1)
		})
		e.Notef("0, then 1, also with connections waiting")
	}},
	{ID: "TY-2", Title: "SO_ACCEPTCONN with a full queue", Source: "S-API", Run: func(e *Env) {
		e.paired(func() {
			l := e.peerStream()
			l.bind(e.Any(80))
			Equal(e, "before listen", l.get(wsa.SOL_SOCKET, wsa.SO_ACCEPTCONN), 0)
			l.listen(1)
			e.stream().connect(e.Addr(2, 80))
			e.Net.Sleep(time.Second)
			e.stream().connect(e.Addr(2, 80), wsa.WSAECONNREFUSED)
			Equal(e, "full", l.get(wsa.SOL_SOCKET, wsa.SO_ACCEPTCONN), 1)
			l.set(wsa.SOL_SOCKET, wsa.SO_PAUSE_ACCEPT, 1)
			Equal(e, "paused", l.get(wsa.SOL_SOCKET, wsa.SO_ACCEPTCONN), 1)
		})
		e.Notef("0, then 1, with the queue full and while paused, too")
	}},
}

// ownPing is TY-1: raw sockets: a ping of one's own address.
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
				s.sendTo(netip.AddrPortFrom(own, 0), message)
				e.Net.Sleep(time.Millisecond)
				reply, from := s.rawRecv()
				Equal(e, "from", from.Addr(), own)
				Equal(e, "the reply", reply[:1]+reply[4:], string([]byte{answer})+string(message[4:]))
				s.recv1(wsa.WSAEWOULDBLOCK)
				message[3] ^= 1 // netstack judges it
				if !e.v6() {
					s.sendTo(netip.AddrPortFrom(own, 0), message)
					e.Net.Sleep(time.Millisecond)
					damaged, _ := s.rawRecv()
					Equal(e, "a damaged request", damaged, string(message))
					s.recv1(wsa.WSAEWOULDBLOCK)
				}
				s.close()
			}
		}
		Equal(e, "packets on the wire", w.Discard(), 0)
	})
	e.Notef("the reply, and nothing else, from the loopback and the interface's address")
}
