package conform

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"

	"github.com/wsstack/wsstack/internal/trace"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wsa"
)

func init() {
	smallScenarios = append(smallScenarios,
		Scenario{ID: "TY-1", Title: "raw sockets: creation", Source: "API-socket, W-ERR", Run: rawCreation},
		Scenario{ID: "TY-1", Title: "raw sockets: any protocol, both ways", Source: "W-IP", Run: rawBothWays},
		Scenario{ID: "TY-1", Title: "raw sockets: bind and connect choose", Source: "API-bind, API-connect", Run: rawAddresses},
		Scenario{ID: "TY-1", Title: "raw sockets: beside TCP, UDP and ping", Source: "W-IP", Run: rawBeside},
		Scenario{ID: "TY-1", Title: "raw sockets: the header included", Source: "W-IP, W-IP6", Run: rawHeader},
		Scenario{ID: "TY-1", Title: "raw sockets: IPV6_CHECKSUM", Source: "HDR, RFC 3542", Once: true, Run: rawChecksum},
		Scenario{ID: "TY-1", Title: "raw sockets: protocols without one", Source: "RFC 1122 3.2.2.1, RFC 8200 4", Run: rawUnreachable},
		Scenario{ID: "MS-1", Title: "the largest raw message", Source: "S-API, C-18", Run: rawSize})
}

// raw makes a raw socket of A, bound to the wildcard unless it is only to send.
func (e *Env) raw(protocol int32) wsa.SOCKET {
	s, err := e.P.Socket(e.Family, wsa.SOCK_RAW, protocol)
	e.Code("Socket", err, 0)
	e.Code("Bind", e.P.Bind(s, e.Any(0)), 0)
	e.Nonblocking(e.P, s, true)
	return s
}

// fromHand sends a packet of a protocol from the hand to A.
func (e *Env) fromHand(w *simnet.Wire, protocol uint8, payload string) {
	w.Inject(simnet.EncodeIP(e.Addr(9, 0).Addr(), e.Addr(1, 0).Addr(), protocol, []byte(payload)))
	e.Net.Sleep(time.Millisecond)
}

// rawRecv is what a raw socket receives: on IPv4 the header comes with it.
func (e *Env) rawRecv(s wsa.SOCKET) (payload string, from netip.AddrPort) {
	buf := make([]byte, 1<<16)
	n, from, err := e.P.RecvFrom(s, buf, 0)
	e.Code("RecvFrom", err, 0)
	if e.v6() {
		return string(buf[:n]), from
	}
	e.Check(n >= 20 && buf[0] == 0x45 && netip.AddrFrom4([4]byte(buf[12:16])) == from.Addr(), "no IPv4 header: % x", buf[:min(n, 20)])
	return string(buf[20:n]), from
}

// payload is what follows the IP header of a packet.
func payload(packet []byte) string { return string(packet[trace.Parse(packet).Transport:]) }

func rawCreation(e *Env) {
	w := e.Wire()
	for _, protocol := range []int32{0, 1, 2, 6, 17, 58, 89, 252, 254, 255} {
		s, err := e.P.Socket(e.Family, wsa.SOCK_RAW, protocol)
		e.Code(fmt.Sprint("Socket ", protocol), err, 0)
		Equal(e, "SO_TYPE", e.Get(e.P, s, wsa.SOL_SOCKET, wsa.SO_TYPE), wsa.SOCK_RAW)
		buf, n := make([]byte, 628), int32(628)
		e.Code("SO_PROTOCOL_INFOW", e.P.GetSockOpt(s, wsa.SOL_SOCKET, wsa.SO_PROTOCOL_INFOW, buf, &n), 0)
		info, _ := wsa.ParseProtocolInfoW(buf)
		Equal(e, "the catalogue entry", fmt.Sprint(info.SocketType, info.Protocol, info.ProtocolMaxOffset, info.AddressFamily),
			fmt.Sprint(wsa.SOCK_RAW, 0, 255, e.Family))
		_, _, err = e.P.RecvFrom(s, make([]byte, 9), 0)
		e.Code("RecvFrom, not bound", err, wsa.WSAEINVAL)
		e.Code("Listen", e.P.Listen(s, 1), wsa.WSAEOPNOTSUPP)
		e.Code("Bind", e.P.Bind(s, e.Addr(1, 0)), 0)
		e.Code("Bind again", e.P.Bind(s, e.Addr(1, 0)), wsa.WSAEINVAL)
		e.Code("CloseSocket", e.P.CloseSocket(s), 0)
	}
	for _, protocol := range []int32{-1, 256, 1 << 20} {
		_, err := e.P.Socket(e.Family, wsa.SOCK_RAW, protocol)
		e.Code(fmt.Sprint("Socket ", protocol), err, wsa.WSAEPROTONOSUPPORT)
	}
	for _, typ := range []int32{wsa.SOCK_RDM, wsa.SOCK_SEQPACKET, 9} {
		_, err := e.P.Socket(e.Family, typ, 0)
		e.Code(fmt.Sprint("type ", typ), err, wsa.WSAESOCKTNOSUPPORT)
	}
	h := e.Net.HostConfig("denied", stack.Config{DenyRaw: true})
	p := e.startup(h)
	_, err := p.Socket(e.Family, wsa.SOCK_RAW, 1)
	e.Code("without the privilege", err, wsa.WSAEACCES)
	e.Check(w.Discard() == 0, "packets were sent")
	e.Notef("protocols 0 to 255; others WSAEPROTONOSUPPORT, other types WSAESOCKTNOSUPPORT, with Config.DenyRaw WSAEACCES")
}

func rawBothWays(e *Env) {
	w := e.Wire()
	e.Do(func() {
		for _, protocol := range []int32{2, 89, 252, 254} {
			s := e.raw(protocol)
			e.Set(e.P, s, e.level(), map[bool]int32{false: wsa.IP_TTL, true: wsa.IPV6_UNICAST_HOPS}[e.v6()], 77)
			n, err := e.P.SendTo(s, []byte("request"), 0, e.Addr(9, 0))
			e.Code("SendTo", err, 0)
			Equal(e, "sent", n, 7)
			packet := e.received(w)
			got := trace.Parse(packet)
			Equal(e, "the packet", fmt.Sprint(got.Protocol, got.TTL, got.Source, payload(packet)),
				fmt.Sprint(protocol, 77, e.Addr(1, 0).Addr(), "request"))
			e.recv1(s, wsa.WSAEWOULDBLOCK)
			e.Check(!e.readable(s), "readable before anything came")
			e.fromHand(w, uint8(protocol), "answer")
			e.Check(e.readable(s), "not readable")
			out := make([]byte, 4)
			_, err = e.P.Ioctl(s, wsa.FIONREAD, nil, out)
			e.Code("FIONREAD", err, 0)
			Equal(e, "FIONREAD", int(binary.LittleEndian.Uint32(out)), len("answer")+map[bool]int{false: 20}[e.v6()])
			text, from := e.rawRecv(s)
			Equal(e, "received", text, "answer")
			Equal(e, "from", from, e.Addr(9, 0))
			e.fromHand(w, uint8(protocol), "a long answer")
			e.recvShort(s)
			e.rawMessage(w, s, uint8(protocol))
			e.Code("CloseSocket", e.P.CloseSocket(s), 0)
		}
		Equal(e, "packets of the hand's that were answered", w.Discard(), 0)
		for _, protocol := range []int32{0, 255} { // to send only
			s := e.raw(protocol)
			_, err := e.P.SendTo(s, []byte("x"), 0, e.Addr(9, 0))
			e.Code("SendTo", err, 0)
			Equal(e, "protocol", int32(e.received(w)[map[bool]int{false: 9, true: 6}[e.v6()]]), protocol)
			e.recv1(s, wsa.WSAEWOULDBLOCK)
		}
	})
	e.Notef("protocols 2, 89, 252, 254 both ways, with the IPv4 header on receipt; 0 and 255 send")
}

// recvShort is MS-2 on a raw socket.
func (e *Env) recvShort(s wsa.SOCKET) {
	n, err := e.P.Recv(s, make([]byte, 10), 0)
	e.Code("Recv into too little", err, wsa.WSAEMSGSIZE)
	Equal(e, "filled", n, 10)
	e.recv1(s, wsa.WSAEWOULDBLOCK)
}

// rawMessage is the pair with control messages.
func (e *Env) rawMessage(w *simnet.Wire, s wsa.SOCKET, protocol uint8) {
	e.Set(e.P, s, e.level(), wsa.IP_PKTINFO, 1)
	e.fromHand(w, protocol, "answer")
	control := make([]byte, 100)
	m, err := e.P.RecvMsg(s, make([]byte, 100), control, 0)
	e.Code("RecvMsg", err, 0)
	c, rest, ok := wsa.NextCmsg(control[:m.Control])
	e.Check(ok && len(rest) == 0 && c.Type == wsa.IP_PKTINFO && c.Level == e.level(), "control messages: %+v", c)
	Equal(e, "destination", fmt.Sprint(c.Data[:e.Addr(1, 0).Addr().BitLen()/8]), fmt.Sprint(e.Addr(1, 0).Addr().AsSlice()))
	ttl := int32(wsa.IP_TTL)
	if e.v6() {
		ttl = wsa.IPV6_HOPLIMIT
	}
	_, err = e.P.SendMsg(s, []byte("x"), wsa.AppendCmsg(nil, e.level(), ttl, []byte{9, 0, 0, 0}), 0, e.Addr(9, 0))
	e.Code("SendMsg", err, 0)
	Equal(e, "its time to live", trace.Parse(e.received(w)).TTL, 9)
}

func rawAddresses(e *Env) {
	w := e.Wire()
	e.Do(func() {
		s, err := e.P.Socket(e.Family, wsa.SOCK_RAW, 252)
		e.Code("Socket", err, 0)
		_, err = e.P.Send(s, []byte("x"), 0)
		e.Code("Send without a peer", err, wsa.WSAENOTCONN)
		_, err = e.P.SendTo(s, []byte("x"), 0, netip.AddrPort{})
		e.Code("SendTo nowhere", err, wsa.WSAEDESTADDRREQ)
		_, err = e.P.SendTo(s, []byte("x"), 0, e.Any(0))
		e.Code("SendTo the wildcard", err, wsa.WSAEADDRNOTAVAIL)
		e.Code("Bind elsewhere", e.P.Bind(s, e.Addr(7, 0)), wsa.WSAEADDRNOTAVAIL)
		e.Code("Connect", e.P.Connect(s, e.Addr(9, 0)), 0)
		local, err := e.P.GetSockName(s)
		e.Code("GetSockName", err, 0)
		Equal(e, "local", local, e.Addr(1, 0))
		peer, err := e.P.GetPeerName(s)
		e.Code("GetPeerName", err, 0)
		Equal(e, "peer", peer, e.Addr(9, 0))
		e.Nonblocking(e.P, s, true)
		_, err = e.P.Send(s, []byte("to the peer"), 0)
		e.Code("Send", err, 0)
		Equal(e, "sent", payload(e.received(w)), "to the peer")
		stranger := func(text string) {
			w.Inject(simnet.EncodeIP(e.Addr(8, 0).Addr(), e.Addr(1, 0).Addr(), 252, []byte(text)))
			e.Net.Sleep(time.Millisecond)
		}
		stranger("of another")
		e.recv1(s, wsa.WSAEWOULDBLOCK)
		e.fromHand(w, 252, "of the peer")
		text, _ := e.rawRecv(s)
		Equal(e, "received", text, "of the peer")
		e.Code("Connect to nobody", e.P.Connect(s, e.Any(0)), 0)
		_, err = e.P.GetPeerName(s)
		e.Code("GetPeerName", err, wsa.WSAENOTCONN)
		stranger("of anybody")
		text, _ = e.rawRecv(s)
		Equal(e, "received", text, "of anybody")
		Equal(e, "MTU", e.mtuCode(s), wsa.WSAENOPROTOOPT)
	})
	e.Notef("a connected socket receives from its peer only, until it is connected to nobody")
}

// mtuCode is the outcome of IP_MTU.
func (e *Env) mtuCode(s wsa.SOCKET) wsa.Errno {
	opt := int32(wsa.IP_MTU)
	if e.v6() {
		opt = wsa.IPV6_MTU
	}
	_, err := get(e.P, s, e.level(), opt)
	errno, _ := err.(wsa.Errno)
	return errno
}

// rawBeside: raw sockets for TCP, UDP and ICMP see what comes, and the stack does
// what it would without them.
func rawBeside(e *Env) {
	e.Pair()
	icmp := int32(wsa.IPPROTO_ICMP)
	echo := []byte{8, 0, 0xf7, 0xef, 0, 0x10, 0, 0}
	if e.v6() {
		icmp, echo = wsa.IPPROTO_ICMPV6, []byte{128, 0, 0, 0, 0, 0x10, 0, 0}
	}
	e.Do(func() {
		sees := map[string]wsa.SOCKET{}
		for name, protocol := range map[string]int32{"TCP": 6, "UDP": 17, "ICMP": icmp} {
			s, err := e.Q.Socket(e.Family, wsa.SOCK_RAW, protocol)
			e.Code("Socket", err, 0)
			e.Code("Bind", e.Q.Bind(s, e.Any(0)), 0)
			e.Nonblocking(e.Q, s, true)
			sees[name] = s
		}
		count := func(name string) (n int) {
			for {
				if _, err := e.Q.Recv(sees[name], make([]byte, 2000), 0); err != nil {
					e.Code("Recv", err, wsa.WSAEWOULDBLOCK)
					return n
				}
				n++
			}
		}
		c, s := e.Connected()
		e.send(c, 1000)
		n, err := e.Q.Recv(s, make([]byte, 2000), 0)
		e.Code("Recv", err, 0)
		Equal(e, "bytes of the stream", n, 1000)
		e.Net.Sleep(time.Second)
		Equal(e, "segments seen", count("TCP"), e.Count("a", func(l simnet.Line) bool { return true }))
		u := e.Socket(e.Q, wsa.SOCK_DGRAM)
		e.Code("Bind", e.Q.Bind(u, e.Any(53)), 0)
		d := e.Datagram()
		for _, port := range []uint16{53, 54} {
			_, err = e.P.SendTo(d, []byte("hello"), 0, e.Addr(2, port))
			e.Code("SendTo", err, 0)
		}
		e.Net.Sleep(time.Second)
		Equal(e, "datagrams seen", count("UDP"), 2)
		n, err = e.Q.Recv(u, make([]byte, 10), 0)
		e.Code("Recv", err, 0)
		Equal(e, "the datagram", n, 5)
		e.recv1(d, wsa.WSAECONNRESET) // the closed port is unreachable all the same
		ping, err := e.P.Socket(e.Family, wsa.SOCK_RAW, icmp)
		e.Code("Socket", err, 0)
		_, err = e.P.SendTo(ping, echo, 0, e.Addr(2, 0))
		e.Code("SendTo", err, 0)
		e.Set(e.P, ping, wsa.SOL_SOCKET, wsa.SO_RCVTIMEO, 1000)
		buf := make([]byte, 100)
		n, _, err = e.P.RecvFrom(ping, buf, 0) // bound by sendto
		e.Code("RecvFrom", err, 0)
		reply := buf[map[bool]int{false: 20}[e.v6()]:n]
		Equal(e, "the echo reply", fmt.Sprint(reply[0], reply[4:]), fmt.Sprint(map[bool]int{false: 0, true: 129}[e.v6()], echo[4:]))
		Equal(e, "echo requests seen", count("ICMP"), 1)
	})
	e.Notef("every segment, datagram and echo request is seen, and none is missing where it belongs")
}

func rawHeader(e *Env) {
	w := e.Wire()
	e.Do(func() {
		s := e.raw(252)
		opt := int32(wsa.IP_HDRINCL)
		if e.v6() {
			opt = wsa.IPV6_HDRINCL
		}
		e.Set(e.P, s, e.level(), opt, 1)
		// The destination of the packet is the header's, and so are source,
		// protocol and time to live.
		packet := simnet.EncodeIP(e.Addr(77, 0).Addr(), e.Addr(9, 0).Addr(), 99, []byte("own header"))
		if !e.v6() {
			packet[6] = 0 // no DF: then the ID counts
		}
		_, err := e.P.SendTo(s, packet, 0, e.Addr(9, 0))
		e.Code("SendTo", err, 0)
		got := e.received(w)
		p := trace.Parse(got)
		Equal(e, "the packet", fmt.Sprint(p.Source, p.Protocol, p.TTL, payload(got)), fmt.Sprint(e.Addr(77, 0).Addr(), 99, 64, "own header"))
		if !e.v6() {
			e.Check(p.ID != 0, "a zero ID was left as it is")
			packet[4], packet[5] = 0x12, 0x34
			_, err = e.P.SendTo(s, packet, 0, e.Addr(9, 0))
			e.Code("SendTo", err, 0)
			Equal(e, "an ID that is given", trace.Parse(e.received(w)).ID, 0x1234)
		}
		zero := append([]byte(nil), packet...)
		clear(zero[map[bool]int{false: 12, true: 8}[e.v6()]:][:e.Addr(1, 0).Addr().BitLen()/8])
		_, err = e.P.SendTo(s, zero, 0, e.Addr(9, 0))
		e.Code("SendTo", err, 0)
		Equal(e, "a source of zero becomes", trace.Parse(e.received(w)).Source, e.Addr(1, 0).Addr())
		bad := append([]byte(nil), packet...)
		bad[0] = 0x35 // version 3
		for _, b := range [][]byte{nil, {0x45}, packet[:15], bad} {
			_, err := e.P.SendTo(s, b, 0, e.Addr(9, 0))
			e.Code(fmt.Sprintf("SendTo %d bytes", len(b)), err, wsa.WSAEINVAL)
		}
		e.Set(e.P, s, e.level(), opt, 0)
		_, err = e.P.SendTo(s, []byte("no header"), 0, e.Addr(9, 0))
		e.Code("SendTo", err, 0)
		Equal(e, "with the option off", payload(e.received(w)), "no header")
		Equal(e, "packets left over", w.Discard(), 0)
	})
	e.Notef("source, protocol and TTL of the caller; ID and source are filled in when zero; what is no header is WSAEINVAL")
}

func rawChecksum(e *Env) {
	e.Family = wsa.AF_INET6
	w := e.Wire()
	e.Do(func() {
		s := e.raw(252)
		for _, odd := range []uint32{1, 3, 0xFFFFFFFE} {
			e.Code("an odd or negative offset", set(e.P, s, wsa.IPPROTO_IPV6, wsa.IPV6_CHECKSUM, odd), wsa.WSAEINVAL)
		}
		Equal(e, "off at first", e.Get(e.P, s, wsa.IPPROTO_IPV6, wsa.IPV6_CHECKSUM), 0xFFFFFFFF)
		e.Set(e.P, s, wsa.IPPROTO_IPV6, wsa.IPV6_CHECKSUM, 4)
		_, err := e.P.SendTo(s, []byte("abcd\xff\xffef"), 0, e.Addr(9, 0))
		e.Code("SendTo", err, 0)
		sent := []byte(payload(e.received(w)))
		Equal(e, "its checksum", e.sum6(252, e.Addr(1, 0), e.Addr(9, 0), sent), 0xffff)
		Equal(e, "the rest", string(sent[:4])+string(sent[6:]), "abcdef")
		_, err = e.P.SendTo(s, []byte("abcd!"), 0, e.Addr(9, 0))
		e.Code("SendTo without room for it", err, wsa.WSAEINVAL)
		// The sum is the same in the other direction.
		e.fromHand(w, 252, string(sent))
		text, _ := e.rawRecv(s)
		Equal(e, "received", text, string(sent))
		sent[0] ^= 1
		e.fromHand(w, 252, string(sent))
		e.fromHand(w, 252, "abc")
		e.recv1(s, wsa.WSAEWOULDBLOCK)
		icmp := e.raw(wsa.IPPROTO_ICMPV6)
		Equal(e, "ICMPv6", e.Get(e.P, icmp, wsa.IPPROTO_IPV6, wsa.IPV6_CHECKSUM), 2)
		e.Code("ICMPv6, off", set(e.P, icmp, wsa.IPPROTO_IPV6, wsa.IPV6_CHECKSUM, 0xFFFFFFFF), wsa.WSAEINVAL)
		_, err = e.P.SendTo(icmp, []byte{200, 0, 9, 9, 1, 2, 3, 4}, 0, e.Addr(9, 0))
		e.Code("SendTo", err, 0)
		Equal(e, "the checksum of ICMPv6", e.sum6(58, e.Addr(1, 0), e.Addr(9, 0), []byte(payload(e.received(w)))), 0xffff)
	})
	e.Notef("computed at offset 4, verified on receipt, always there at 2 on ICMPv6; odd offsets are WSAEINVAL")
}

// sum6 is the sum of a message with its pseudo-header: 0xffff is right.
func (e *Env) sum6(protocol uint8, a, b netip.AddrPort, message []byte) int {
	all := append(append(a.Addr().AsSlice(), b.Addr().AsSlice()...), 0, 0, 0, byte(len(message)), 0, 0, 0, protocol)
	all = append(append(all, message...), make([]byte, len(message)%2)...)
	sum := 0
	for i := 0; i < len(all); i += 2 {
		sum += int(all[i])<<8 | int(all[i+1])
	}
	for sum > 0xffff {
		sum = sum&0xffff + sum>>16
	}
	return sum
}

// rawUnreachable: a protocol nobody wants is answered with an error, unless a raw
// socket takes it.
func rawUnreachable(e *Env) {
	w := e.Wire()
	e.Do(func() {
		e.fromHand(w, 252, "who")
		packet := e.received(w)
		p := trace.Parse(packet)
		want := "3 2 0"
		if e.v6() {
			want = "4 1 6"
		}
		Equal(e, "the ICMP error", fmt.Sprint(p.ICMPType, p.ICMPCode, p.ICMPRest), want)
		again := simnet.EncodeIP(p.Source, p.Dest, p.Protocol, packet[p.Transport:])
		Equal(e, "its checksum", fmt.Sprintf("%x", again[p.Transport:p.Transport+8]), fmt.Sprintf("%x", packet[p.Transport:p.Transport+8]))
		s := e.raw(252)
		e.fromHand(w, 252, "who")
		e.rawRecv(s)
		if e.v6() { // nothing counts them, so nothing would bound them
			e.fromHand(w, 252, "")
			e.recv1(s, wsa.WSAEWOULDBLOCK)
		}
		Equal(e, "answers with a raw socket", w.Discard(), 0)
		e.Code("CloseSocket", e.P.CloseSocket(s), 0)
		e.Net.Sleep(time.Second)
		e.fromHand(w, 252, "who")
		e.Check(w.Discard() == 1, "no answer once it is closed")
	})
	e.Notef("protocol unreachable, or a parameter problem on IPv6; silence while a raw socket has the protocol")
}

func rawSize(e *Env) {
	w := e.Wire()
	e.Do(func() {
		s := e.raw(252)
		limit := int(e.Get(e.P, s, wsa.SOL_SOCKET, wsa.SO_MAX_MSG_SIZE))
		Equal(e, "SO_MAX_MSG_SIZE", limit, 65515)
		_, err := e.P.SendTo(s, make([]byte, limit+1), 0, e.Addr(9, 0))
		e.Code("one byte more", err, wsa.WSAEMSGSIZE)
		Equal(e, "packets", w.Discard(), 0)
		_, err = e.P.SendTo(s, make([]byte, limit), 0, e.Addr(9, 0))
		e.Code("SendTo", err, 0)
		e.Net.Sleep(time.Millisecond)
		n := w.Discard()
		e.Check(n >= 45, "%d fragments", n)
		e.Set(e.P, s, e.level(), map[bool]int32{false: wsa.IP_DONTFRAGMENT, true: wsa.IPV6_DONTFRAG}[e.v6()], 1)
		header := map[bool]int{false: 20, true: 40}[e.v6()]
		_, err = e.P.SendTo(s, make([]byte, 1500-header+1), 0, e.Addr(9, 0))
		e.Code("more than a packet, unfragmented", err, wsa.WSAEMSGSIZE)
		_, err = e.P.SendTo(s, make([]byte, 1500-header), 0, e.Addr(9, 0))
		e.Code("a packet", err, 0)
		e.Net.Sleep(time.Millisecond)
		Equal(e, "packets", w.Discard(), 1)
		e.Notef("65515 bytes leave in %d fragments, one more is WSAEMSGSIZE", n)
	})
}
