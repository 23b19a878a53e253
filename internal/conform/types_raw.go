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

// raw makes a raw socket of A, bound to the wildcard unless it is only to send.
func (e *Env) raw(protocol int32) handle {
	s := e.open(e.P, e.Family, wsa.SOCK_RAW, protocol)
	s.bind(e.Any(0))
	s.nonblocking(true)
	return s
}

// fromHand sends a packet of a protocol from the hand to A.
func (e *Env) fromHand(w *simnet.Wire, protocol uint8, payload string) {
	w.Inject(simnet.EncodeIP(e.Addr(9, 0).Addr(), e.Addr(1, 0).Addr(), protocol, []byte(payload)))
	e.Net.Sleep(time.Millisecond)
}

// rawRecv is what a raw socket receives: on IPv4 the header comes with it.
func (h handle) rawRecv() (payload string, from netip.AddrPort) {
	b, from := h.recvFrom(1 << 16)
	if h.e.v6() {
		return string(b), from
	}
	h.e.Check(len(b) >= 20 && b[0] == 0x45 && netip.AddrFrom4([4]byte(b[12:16])) == from.Addr(), "no IPv4 header: % x", b[:min(len(b), 20)])
	return string(b[20:]), from
}

// rawCreation is TY-1: raw sockets: creation.
func rawCreation(e *Env) {
	w := e.Wire()
	for _, protocol := range []int32{0, 1, 2, 6, 17, 58, 89, 252, 254, 255} {
		s := e.open(e.P, e.Family, wsa.SOCK_RAW, protocol)
		s.reads(wsa.SOL_SOCKET, wsa.SO_TYPE, wsa.SOCK_RAW)
		buf, n := make([]byte, 628), int32(628)
		s.getBytes(wsa.SOL_SOCKET, wsa.SO_PROTOCOL_INFOW, buf, &n)
		info, _ := wsa.ParseProtocolInfoW(buf)
		Equal(e, "the catalogue entry", fmt.Sprint(info.SocketType, info.Protocol, info.ProtocolMaxOffset, info.AddressFamily),
			fmt.Sprint(wsa.SOCK_RAW, 0, 255, e.Family))
		s.as("RecvFrom, not bound").recvFrom(9, wsa.WSAEINVAL)
		s.listen(1, wsa.WSAEOPNOTSUPP)
		s.bind(e.Addr(1, 0))
		s.as("Bind again").bind(e.Addr(1, 0), wsa.WSAEINVAL)
		s.close()
	}
	for _, protocol := range []int32{-1, 256, 1 << 20} {
		e.open(e.P, e.Family, wsa.SOCK_RAW, protocol, wsa.WSAEPROTONOSUPPORT)
	}
	for _, typ := range []int32{wsa.SOCK_RDM, wsa.SOCK_SEQPACKET, 9} {
		e.open(e.P, e.Family, typ, 0, wsa.WSAESOCKTNOSUPPORT)
	}
	h := e.Net.HostConfig("denied", stack.Config{DenyRaw: true})
	e.open(e.startup(h), e.Family, wsa.SOCK_RAW, 1, wsa.WSAEACCES)
	e.Check(w.Discard() == 0, "packets were sent")
	e.Notef("protocols 0 to 255; others WSAEPROTONOSUPPORT, other types WSAESOCKTNOSUPPORT, with Config.DenyRaw WSAEACCES")
}

// rawBothWays is TY-1: raw sockets: any protocol, both ways.
func rawBothWays(e *Env) {
	e.wired(func(w *simnet.Wire) {
		for _, protocol := range []int32{2, 89, 252, 254} {
			s := e.raw(protocol)
			s.set(e.level(), map[bool]int32{false: wsa.IP_TTL, true: wsa.IPV6_UNICAST_HOPS}[e.v6()], 77)
			Equal(e, "sent", s.sendTo(e.Addr(9, 0), []byte("request")), 7)
			packet := e.received(w)
			got := trace.Parse(packet)
			Equal(e, "the packet", fmt.Sprint(got.Protocol, got.TTL, got.Source, payload(packet)),
				fmt.Sprint(protocol, 77, e.Addr(1, 0).Addr(), "request"))
			s.recv1(wsa.WSAEWOULDBLOCK)
			e.Check(!s.readable(), "readable before anything came")
			e.fromHand(w, uint8(protocol), "answer")
			e.Check(s.readable(), "not readable")
			out := make([]byte, 4)
			s.ioctl(wsa.FIONREAD, nil, out)
			Equal(e, "FIONREAD", int(binary.LittleEndian.Uint32(out)), len("answer")+map[bool]int{false: 20}[e.v6()])
			text, from := s.rawRecv()
			Equal(e, "received", text, "answer")
			Equal(e, "from", from, e.Addr(9, 0))
			e.fromHand(w, uint8(protocol), "a long answer")
			s.recvShort()
			e.rawMessage(w, s, uint8(protocol))
			s.close()
		}
		Equal(e, "packets of the hand's that were answered", w.Discard(), 0)
		for _, protocol := range []int32{0, 255} { // to send only
			s := e.raw(protocol)
			s.sayTo(e.Addr(9, 0), "x")
			Equal(e, "protocol", int32(e.received(w)[map[bool]int{false: 9, true: 6}[e.v6()]]), protocol)
			s.recv1(wsa.WSAEWOULDBLOCK)
		}
	})
	e.Notef("protocols 2, 89, 252, 254 both ways, with the IPv4 header on receipt; 0 and 255 send")
}

// recvShort is MS-2 on a raw socket.
func (h handle) recvShort() {
	e := h.e
	Equal(e, "filled", len(h.as("Recv into too little").recv(10, wsa.WSAEMSGSIZE)), 10)
	h.recv1(wsa.WSAEWOULDBLOCK)
}

// rawMessage is the pair with control messages.
func (e *Env) rawMessage(w *simnet.Wire, s handle, protocol uint8) {
	s.set(e.level(), wsa.IP_PKTINFO, 1)
	e.fromHand(w, protocol, "answer")
	control := make([]byte, 100)
	m := s.recvMsg(make([]byte, 100), control, 0)
	c, rest, ok := wsa.NextCmsg(control[:m.Control])
	e.Check(ok && len(rest) == 0 && c.Type == wsa.IP_PKTINFO && c.Level == e.level(), "control messages: %+v", c)
	Equal(e, "destination", fmt.Sprint(c.Data[:e.Addr(1, 0).Addr().BitLen()/8]), fmt.Sprint(e.Addr(1, 0).Addr().AsSlice()))
	ttl := int32(wsa.IP_TTL)
	if e.v6() {
		ttl = wsa.IPV6_HOPLIMIT
	}
	s.sendMsg([]byte("x"), wsa.AppendCmsg(nil, e.level(), ttl, []byte{9, 0, 0, 0}), e.Addr(9, 0))
	Equal(e, "its time to live", trace.Parse(e.received(w)).TTL, 9)
}

// rawAddresses is TY-1: raw sockets: bind and connect choose.
func rawAddresses(e *Env) {
	e.wired(func(w *simnet.Wire) {
		s := e.open(e.P, e.Family, wsa.SOCK_RAW, 252)
		s.as("Send without a peer").say("x", wsa.WSAENOTCONN)
		s.as("SendTo nowhere").sayTo(netip.AddrPort{}, "x", wsa.WSAEDESTADDRREQ)
		s.as("SendTo the wildcard").sayTo(e.Any(0), "x", wsa.WSAEADDRNOTAVAIL)
		s.as("Bind elsewhere").bind(e.Addr(7, 0), wsa.WSAEADDRNOTAVAIL)
		s.connect(e.Addr(9, 0))
		Equal(e, "local", s.sockName(), e.Addr(1, 0))
		Equal(e, "peer", s.peerName(), e.Addr(9, 0))
		s.nonblocking(true)
		s.say("to the peer")
		Equal(e, "sent", payload(e.received(w)), "to the peer")
		stranger := func(text string) {
			w.Inject(simnet.EncodeIP(e.Addr(8, 0).Addr(), e.Addr(1, 0).Addr(), 252, []byte(text)))
			e.Net.Sleep(time.Millisecond)
		}
		stranger("of another")
		s.recv1(wsa.WSAEWOULDBLOCK)
		e.fromHand(w, 252, "of the peer")
		text, _ := s.rawRecv()
		Equal(e, "received", text, "of the peer")
		s.as("Connect to nobody").connect(e.Any(0))
		s.peerName(wsa.WSAENOTCONN)
		stranger("of anybody")
		text, _ = s.rawRecv()
		Equal(e, "received", text, "of anybody")
		Equal(e, "MTU", s.mtuCode(), byProfile(e, wsa.WSAENOPROTOOPT, wsa.WSAENOTCONN)) // C-39
	})
	e.Notef("a connected socket receives from its peer only, until it is connected to nobody")
}

// mtuCode is the outcome of IP_MTU.
func (h handle) mtuCode() wsa.Errno {
	e := h.e
	opt := int32(wsa.IP_MTU)
	if e.v6() {
		opt = wsa.IPV6_MTU
	}
	_, err := h.tryGet(e.level(), opt)
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
		sees := map[string]handle{}
		for name, protocol := range map[string]int32{"TCP": 6, "UDP": 17, "ICMP": icmp} {
			s := e.open(e.Q, e.Family, wsa.SOCK_RAW, protocol)
			s.bind(e.Any(0))
			s.nonblocking(true)
			sees[name] = s
		}
		count := func(name string) (n int) {
			for {
				if _, err := e.Q.Recv(sees[name].s, make([]byte, 2000), 0); err != nil {
					e.Code("Recv", err, wsa.WSAEWOULDBLOCK)
					return n
				}
				n++
			}
		}
		c, s := e.connection()
		c.send(1000)
		n := len(s.recv(2000))
		Equal(e, "bytes of the stream", n, 1000)
		e.Net.Sleep(time.Second)
		Equal(e, "segments seen", count("TCP"), e.Count("a", func(l simnet.Line) bool { return true }))
		u := e.peerDatagram()
		u.bind(e.Any(53))
		d := e.datagram()
		for _, port := range []uint16{53, 54} {
			d.sayTo(e.Addr(2, port), "hello")
		}
		e.Net.Sleep(time.Second)
		Equal(e, "datagrams seen", count("UDP"), 2)
		n = len(u.recv(10))
		Equal(e, "the datagram", n, 5)
		d.recv1(wsa.WSAECONNRESET) // the closed port is unreachable all the same
		ping := e.open(e.P, e.Family, wsa.SOCK_RAW, icmp)
		ping.sendTo(e.Addr(2, 0), echo)
		ping.set(wsa.SOL_SOCKET, wsa.SO_RCVTIMEO, 1000)
		reply, _ := ping.recvFrom(100) // bound by sendto
		reply = reply[map[bool]int{false: 20}[e.v6()]:]
		Equal(e, "the echo reply", fmt.Sprint(reply[0], reply[4:]), fmt.Sprint(map[bool]int{false: 0, true: 129}[e.v6()], echo[4:]))
		Equal(e, "echo requests seen", count("ICMP"), 1)
	})
	e.Notef("every segment, datagram and echo request is seen, and none is missing where it belongs")
}

// rawHeader is TY-1: raw sockets: the header included.
func rawHeader(e *Env) {
	e.wired(func(w *simnet.Wire) {
		s := e.raw(252)
		opt := int32(wsa.IP_HDRINCL)
		if e.v6() {
			opt = wsa.IPV6_HDRINCL
		}
		s.set(e.level(), opt, 1)
		// The destination of the packet is the header's, and so are source,
		// protocol and time to live.
		packet := simnet.EncodeIP(e.Addr(77, 0).Addr(), e.Addr(9, 0).Addr(), 99, []byte("own header"))
		if !e.v6() {
			packet[6] = 0 // no DF: then the ID counts
		}
		s.sendTo(e.Addr(9, 0), packet)
		got := e.received(w)
		p := trace.Parse(got)
		Equal(e, "the packet", fmt.Sprint(p.Source, p.Protocol, p.TTL, payload(got)), fmt.Sprint(e.Addr(77, 0).Addr(), 99, 64, "own header"))
		if !e.v6() {
			e.Check(p.ID != 0, "a zero ID was left as it is")
			packet[4], packet[5] = 0x12, 0x34
			s.sendTo(e.Addr(9, 0), packet)
			Equal(e, "an ID that is given", trace.Parse(e.received(w)).ID, 0x1234)
		}
		zero := append([]byte(nil), packet...)
		clear(zero[map[bool]int{false: 12, true: 8}[e.v6()]:][:e.Addr(1, 0).Addr().BitLen()/8])
		s.sendTo(e.Addr(9, 0), zero)
		Equal(e, "a source of zero becomes", trace.Parse(e.received(w)).Source, e.Addr(1, 0).Addr())
		bad := append([]byte(nil), packet...)
		bad[0] = 0x35 // version 3
		for _, b := range [][]byte{nil, {0x45}, packet[:15], bad} {
			s.as(fmt.Sprintf("SendTo %d bytes", len(b))).sendTo(e.Addr(9, 0), b, wsa.WSAEINVAL)
		}
		s.set(e.level(), opt, 0)
		s.sayTo(e.Addr(9, 0), "no header")
		Equal(e, "with the option off", payload(e.received(w)), "no header")
		Equal(e, "packets left over", w.Discard(), 0)
	})
	e.Notef("source, protocol and TTL of the caller; ID and source are filled in when zero; what is no header is WSAEINVAL")
}

// rawChecksum is TY-1: raw sockets: IPV6_CHECKSUM.
func rawChecksum(e *Env) {
	e.Family = wsa.AF_INET6
	e.wired(func(w *simnet.Wire) {
		s := e.raw(252)
		for _, odd := range []uint32{1, 3, 0xFFFFFFFE} {
			s.as("an odd or negative offset").set(wsa.IPPROTO_IPV6, wsa.IPV6_CHECKSUM, odd, wsa.WSAEINVAL)
		}
		Equal(e, "off at first", s.get(wsa.IPPROTO_IPV6, wsa.IPV6_CHECKSUM), 0xFFFFFFFF)
		s.set(wsa.IPPROTO_IPV6, wsa.IPV6_CHECKSUM, 4)
		s.sayTo(e.Addr(9, 0), "abcd\xff\xffef")
		sent := []byte(payload(e.received(w)))
		Equal(e, "its checksum", e.sum6(252, e.Addr(1, 0), e.Addr(9, 0), sent), 0xffff)
		Equal(e, "the rest", string(sent[:4])+string(sent[6:]), "abcdef")
		s.as("SendTo without room for it").sayTo(e.Addr(9, 0), "abcd!", wsa.WSAEINVAL)
		// The sum is the same in the other direction.
		e.fromHand(w, 252, string(sent))
		text, _ := s.rawRecv()
		Equal(e, "received", text, string(sent))
		sent[0] ^= 1
		e.fromHand(w, 252, string(sent))
		e.fromHand(w, 252, "abc")
		s.recv1(wsa.WSAEWOULDBLOCK)
		icmp := e.raw(wsa.IPPROTO_ICMPV6)
		Equal(e, "ICMPv6", icmp.get(wsa.IPPROTO_IPV6, wsa.IPV6_CHECKSUM), 2)
		icmp.as("ICMPv6, off").set(wsa.IPPROTO_IPV6, wsa.IPV6_CHECKSUM, 0xFFFFFFFF, wsa.WSAEINVAL)
		icmp.sendTo(e.Addr(9, 0), []byte{200, 0, 9, 9, 1, 2, 3, 4})
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
	e.wired(func(w *simnet.Wire) {
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
		s.rawRecv()
		if e.v6() { // nothing counts them, so nothing would bound them
			e.fromHand(w, 252, "")
			s.recv1(wsa.WSAEWOULDBLOCK)
		}
		Equal(e, "answers with a raw socket", w.Discard(), 0)
		s.close()
		e.Net.Sleep(time.Second)
		e.fromHand(w, 252, "who")
		e.Check(w.Discard() == 1, "no answer once it is closed")
	})
	e.Notef("protocol unreachable, or a parameter problem on IPv6; silence while a raw socket has the protocol")
}
