package conform

import (
	"fmt"
	"net/netip"

	"github.com/wsstack/wsstack/wsa"
)

// callsDatagramScenarios are WC-30 to WC-35: what machines do with datagram and raw sockets, and
// with the triples of socket.
var callsDatagramScenarios = []Scenario{
	{ID: "WC-30", Title: "a broadcast peer", Source: "OBS", Profiles: measured, Why: "BC-2: the documents have WSAEACCES", Once: true, Run: broadcastPeer},
	{ID: "WC-31", Title: "port 0", Source: "OBS", Profiles: measured, Why: "the documents have WSAEADDRNOTAVAIL", Run: portZero},
	{ID: "WC-32", Title: "type 0", Source: "API-WSASocket", Run: typeZero},
	{ID: "WC-33", Title: "the order of the checks", Source: "OBS", Profiles: measured, Why: "API-socket has the family first, and WSAEPROTOTYPE", Once: true, Run: tripleOrder},
	{ID: "WC-33", Title: "the order of the documents", Source: "API-socket", Profiles: documentedOnly, Why: "OBS: the type comes first", Once: true, Run: tripleDocumented},
	{ID: "WC-34", Title: "a queue at connect", Source: "API-connect, API-WSARecv", Run: queueAtConnect},
	{ID: "WC-34", Title: "no peer any more", Source: "API-connect, OBS", Run: peerRemoved},
	{ID: "WC-35", Title: "a ping of one's own address", Source: "OBS", Run: ownPing},
}

// broadcastPeer is WC-30.
func broadcastPeer(e *Env) {
	e.Pair()
	for i, to := range []string{"255.255.255.255:9", "10.0.0.255:9"} {
		for _, typ := range []int32{wsa.SOCK_DGRAM, wsa.SOCK_RAW} {
			to := addrOf(to)
			if typ == wsa.SOCK_RAW {
				to = netip.AddrPortFrom(to.Addr(), 0)
			}
			s := e.open(e.P, e.Family, typ, map[int32]int32{wsa.SOCK_RAW: 252}[typ])
			s.connect(to)
			Equal(e, "the peer", s.peerName(), to)
			s.say("x")
			s.as("SendTo nobody in particular").sendSomeTo([]byte("x"), 0, netip.AddrPort{})
			s.as("SendTo the same address").sayTo(to, "x", wsa.WSAEACCES)
			s.as("SendMsg to the same address").sendMsg([]byte("x"), nil, to, wsa.WSAEACCES)
			s.sendMsg([]byte("x"), nil, netip.AddrPort{})
			e.Net.Idle()
		}
		Equal(e, "packets", len(e.Segments("a")), 6*(i+1))
	}
	e.Notef("connect, send and sendto without an address succeed; with the address WSAEACCES")
}

// portZero is WC-31.
func portZero(e *Env) {
	e.Pair()
	s := e.datagram()
	Equal(e, "bytes", s.sendTo(e.Addr(2, 0), []byte("lost")), 4)
	e.Check(s.sockName().Port() != 0, "the socket isn't bound")
	Equal(e, "bytes of a message", s.sendMsg([]byte("lost"), nil, e.Addr(2, 0)), 4)
	s.as("SendTo the wildcard").sayTo(e.Any(0), "x", wsa.WSAEADDRNOTAVAIL)
	s.as("Connect to port 0").connect(e.Addr(2, 0), wsa.WSAEADDRNOTAVAIL)
	s.shutdown(wsa.SD_SEND)
	s.as("SendTo after SD_SEND").sayTo(e.Addr(2, 0), "x", wsa.WSAESHUTDOWN)
	e.Net.Idle()
	Equal(e, "packets", len(e.Segments("a")), 0)
	e.Notef("accepted, the socket is bound, nothing is sent")
}

// typeZero is WC-32.
func typeZero(e *Env) {
	e.Pair()
	for _, t := range []triple{{typ: wsa.SOCK_STREAM}, {typ: wsa.SOCK_STREAM, protocol: wsa.IPPROTO_TCP}, {typ: wsa.SOCK_DGRAM, protocol: wsa.IPPROTO_UDP}} {
		s := e.open(e.P, e.Family, 0, t.protocol)
		s.reads(wsa.SOL_SOCKET, wsa.SO_TYPE, uint32(t.typ))
		s.close()
	}
	e.open(e.P, e.Family, 0, 0xdead, wsa.WSAEPROTONOSUPPORT)
	e.Notef("a stream for 0 and TCP, a datagram socket for UDP, else WSAEPROTONOSUPPORT")
}

const (
	noFamily   = 0xdead
	noType     = 0xdead
	noProtocol = 0xdead
)

// A triple is what socket is given, and the code that comes of it.
type triple struct {
	family, typ, protocol int32
	want                  wsa.Errno
}

// tripleOrder is WC-33: the order of the checks.
func tripleOrder(e *Env) {
	e.Pair()
	for _, typ := range []int32{0, wsa.SOCK_STREAM, wsa.SOCK_DGRAM, wsa.SOCK_RAW, noType} {
		e.triples(triple{wsa.AF_UNSPEC, typ, 0, wsa.WSAEINVAL})
	}
	for _, protocol := range []int32{0, wsa.IPPROTO_TCP, noProtocol} {
		e.triples(
			triple{noFamily, noType, protocol, wsa.WSAESOCKTNOSUPPORT},
			triple{wsa.AF_INET, noType, protocol, wsa.WSAESOCKTNOSUPPORT},
			triple{wsa.AF_INET6, wsa.SOCK_SEQPACKET, protocol, wsa.WSAESOCKTNOSUPPORT},
			triple{noFamily, wsa.SOCK_STREAM, protocol, wsa.WSAEAFNOSUPPORT},
			triple{noFamily, 0, protocol, wsa.WSAEAFNOSUPPORT},
		)
	}
	for _, family := range []int32{wsa.AF_UNSPEC, wsa.AF_INET, wsa.AF_INET6} {
		e.triples(
			triple{family, wsa.SOCK_STREAM, wsa.IPPROTO_UDP, wsa.WSAEPROTONOSUPPORT},
			triple{family, wsa.SOCK_DGRAM, wsa.IPPROTO_TCP, wsa.WSAEPROTONOSUPPORT},
			triple{family, wsa.SOCK_STREAM, noProtocol, wsa.WSAEPROTONOSUPPORT},
			triple{family, 0, noProtocol, wsa.WSAEPROTONOSUPPORT},
			triple{family, wsa.SOCK_RAW, noProtocol, wsa.WSAEPROTONOSUPPORT},
		)
	}
	e.triples(triple{wsa.AF_UNSPEC, noType, wsa.IPPROTO_UDP, wsa.WSAESOCKTNOSUPPORT})
	for _, t := range []triple{{typ: 0, protocol: wsa.IPPROTO_TCP}, {typ: wsa.SOCK_DGRAM, protocol: wsa.IPPROTO_UDP}, {typ: wsa.SOCK_RAW, protocol: 1}} {
		s := e.open(e.P, wsa.AF_UNSPEC, t.typ, t.protocol)
		s.bind(addrOf("10.0.0.1:0")) // of AF_INET
		s.close()
	}
	e.Notef("AF_UNSPEC without a protocol, then the type, the family, the protocol")
}

// tripleDocumented is WC-33: the order of the documents.
func tripleDocumented(e *Env) {
	e.Pair()
	e.triples(
		triple{wsa.AF_UNSPEC, wsa.SOCK_STREAM, 0, wsa.WSAEAFNOSUPPORT},
		triple{wsa.AF_UNSPEC, wsa.SOCK_STREAM, wsa.IPPROTO_TCP, wsa.WSAEAFNOSUPPORT},
		triple{noFamily, noType, 0, wsa.WSAEAFNOSUPPORT},
		triple{wsa.AF_INET, noType, wsa.IPPROTO_TCP, wsa.WSAESOCKTNOSUPPORT},
		triple{wsa.AF_INET, wsa.SOCK_STREAM, wsa.IPPROTO_UDP, wsa.WSAEPROTOTYPE},
		triple{wsa.AF_INET6, wsa.SOCK_DGRAM, wsa.IPPROTO_TCP, wsa.WSAEPROTOTYPE},
		triple{wsa.AF_INET, wsa.SOCK_STREAM, noProtocol, wsa.WSAEPROTONOSUPPORT},
	)
	e.Notef("the family, the type, the protocol; WSAEPROTOTYPE for one of the other type")
}

// triples are those that no socket is made of.
func (e *Env) triples(list ...triple) {
	for _, t := range list {
		e.open(e.P, t.family, t.typ, t.protocol, t.want)
	}
}

// queueAtConnect is WC-34: a queue at connect.
func queueAtConnect(e *Env) {
	e.Pair()
	s, peer, other := e.datagram(), e.peerDatagram(), e.peerDatagram()
	s.bind(e.Addr(1, 700))
	s.nonblocking(true)
	peer.bind(e.Addr(2, 800))
	other.bind(e.Addr(2, 801))
	e.Do(func() {
		for i, from := range []handle{other, peer, other, peer} {
			from.sayTo(e.Addr(1, 700), fmt.Sprint(i))
		}
		e.Net.Sleep(2 * Delay)
		s.connect(e.Addr(2, 800))
		Equal(e, "left", s.texts(), "13")
		peer.sayTo(e.Addr(1, 700), "4")
		other.sayTo(e.Addr(1, 700), "5")
		e.Net.Sleep(2 * Delay)
		s.as("Connect to the same peer").connect(e.Addr(2, 800))
		Equal(e, "kept", s.texts(), "4")
		peer.sayTo(e.Addr(1, 700), "6")
		e.Net.Sleep(2 * Delay)
		s.as("Connect to another").connect(e.Addr(2, 801))
		Equal(e, "of the new peer", s.texts(), "")
		other.sayTo(e.Addr(1, 700), "7")
		e.Net.Sleep(2 * Delay)
		Equal(e, "then", s.texts(), "7")
	})
	e.Notef("the peer's datagrams stay, those of others go; the same peer again changes nothing")
}

// texts receives what waits, one text behind the other.
func (h handle) texts() (all string) {
	for {
		b := make([]byte, 9)
		n, err := h.p.Recv(h.s, b, 0)
		if err != nil {
			h.e.Code("Recv", err, wsa.WSAEWOULDBLOCK)
			return all
		}
		all += string(b[:n])
	}
}

// peerRemoved is WC-34: no peer any more.
func peerRemoved(e *Env) {
	e.Pair()
	s, peer := e.datagram(), e.peerDatagram()
	s.bind(e.Addr(1, 700))
	s.nonblocking(true)
	peer.bind(e.Addr(2, 800))
	e.Do(func() {
		s.connect(e.Addr(2, 800))
		s.connect(e.Any(0))
		s.peerName(wsa.WSAENOTCONN)
		s.recv(9, wsa.WSAENOTCONN)
		s.say("x", wsa.WSAENOTCONN)
		peer.sayTo(e.Addr(1, 700), "y")
		e.Net.Sleep(2 * Delay)
		s.as("Recv with a datagram queued").recv(9, wsa.WSAENOTCONN)
		b, from := s.recvFrom(9)
		Equal(e, "RecvFrom", string(b)+" of "+from.String(), "y of "+e.Addr(2, 800).String())
		s.sayTo(e.Addr(2, 800), "z")
		s.connect(e.Addr(2, 800))
		s.recv(9, wsa.WSAEWOULDBLOCK)
	})
	e.Notef("send and recv fail with WSAENOTCONN; sendto and recvfrom work; a new connect makes up for it")
}
