package conform

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/wsstack/wsstack/internal/trace"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

func init() {
	avScenarios = append(avScenarios,
		Scenario{ID: "AV-17", Title: "TTL, TOS and DF on the wire", Source: "W-IP, W-IP6", Run: headersOut},
		Scenario{ID: "AV-17", Title: "TTL and TOS of a SYN-ACK", Source: "W-IP, W-IP6", Run: headersOfListener},
		Scenario{ID: "AV-17", Title: "IP_USER_MTU", Source: "W-IP, W-IP6", Run: userMTU},
		Scenario{ID: "AV-17", Title: "ancillary data of a datagram sent", Source: "API-WSASendMsg, W-ECN", Run: controlOut},
		Scenario{ID: "AV-17", Title: "ancillary data of a datagram received", Source: "W-PKTINFO, W-ECN", Run: controlIn})
	smallScenarios = append(smallScenarios,
		Scenario{ID: "MS-1", Title: "UDP_SEND_MSG_SIZE and coalescing", Source: "W-UDP", Run: segmentSizes},
		Scenario{ID: "MS-2", Title: "WSARecvMsg says MSG_TRUNC", Source: "API-WSARecvMsg", Run: truncated})
}

// messageKinds are the sockets that send messages, with the header of theirs.
var messageKinds = []struct {
	typ, protocol int32
	header        int
}{{wsa.SOCK_DGRAM, 0, 8}, {wsa.SOCK_RAW, 200, 0}}

// An ipOption is an option that has another number at the other level.
type ipOption struct{ v4, v6 int32 }

var (
	optTTL    = ipOption{wsa.IP_TTL, wsa.IPV6_UNICAST_HOPS}
	optTOS    = ipOption{wsa.IP_TOS, wsa.IPV6_TCLASS}
	optNoFrag = ipOption{wsa.IP_DONTFRAGMENT, wsa.IPV6_DONTFRAG}
	optMTU    = ipOption{wsa.IP_USER_MTU, wsa.IPV6_USER_MTU}
)

// setIP sets an IP option of the level of the scenario's family.
func (e *Env) setIP(s wsa.SOCKET, o ipOption, value uint32) {
	opt := o.v4
	if e.v6() {
		opt = o.v6
	}
	e.Set(e.P, s, e.level(), opt, value)
}

// class is the type of service or the traffic class of a packet.
func class(packet []byte) byte {
	if packet[0]>>4 == 6 {
		return packet[0]<<4 | packet[1]>>4
	}
	return packet[1]
}

// head shows time to live and type of service, and on IPv4 the DF bit.
func head(packet []byte) string {
	p := trace.Parse(packet)
	text := fmt.Sprintf("ttl %d tos %#x", p.TTL, class(packet))
	if p.DontFragment && packet[0]>>4 == 4 {
		text += " DF"
	}
	return text
}

func headersOut(e *Env) {
	w := e.Wire()
	df := map[bool]string{false: " DF", true: ""}[e.v6()]
	e.Do(func() {
		for _, kind := range messageKinds {
			s, err := e.P.Socket(e.Family, kind.typ, kind.protocol)
			e.Code("Socket", err, 0)
			send := func() string {
				_, err := e.P.SendTo(s, []byte("x"), 0, e.Addr(9, 99))
				e.Code("SendTo", err, 0)
				return head(e.received(w))
			}
			e.setIP(s, optTTL, 33) // before bind
			e.setIP(s, optTOS, 0xBA)
			Equal(e, "set before bind", send(), "ttl 33 tos 0xba")
			e.setIP(s, optTTL, 200)
			e.setIP(s, optTOS, 0)
			e.setIP(s, optNoFrag, 1)
			Equal(e, "changed afterwards", send(), "ttl 200 tos 0x0"+df)
			e.Set(e.P, s, e.level(), wsa.IP_MTU_DISCOVER, options.MTUDiscoverDont)
			Equal(e, "with IP_PMTUDISC_DONT", send(), "ttl 200 tos 0x0")
			fresh, err := e.P.Socket(e.Family, kind.typ, kind.protocol)
			e.Code("Socket", err, 0)
			s = fresh
			Equal(e, "the defaults", send(), "ttl 128 tos 0x0")
		}
		p := w.Listen(80)
		s := e.Stream()
		e.setIP(s, optTTL, 44)
		e.setIP(s, optTOS, 0x2F) // its two last bits are congestion control's
		done := e.Go("connect", func() { e.Code("Connect", e.P.Connect(s, e.Addr(9, 80)), 0) })
		syn, err := p.Expect("[S]")
		e.Check(err == nil, "no SYN: %v", err)
		p.Send("[S.] <mss 1000>")
		ack, err := p.Expect("[.] seq 1 ack 1")
		e.Check(err == nil, "no ACK: %v", err)
		done.Wait()
		e.send(s, 10)
		data, err := p.Expect("[P.] seq 1 len 10")
		e.Check(err == nil, "no data: %v", err)
		for _, a := range []*simnet.Arrival{syn, ack, data} {
			Equal(e, a.Text, head(a.Packet), "ttl 44 tos 0x2c"+df)
		}
		e.Set(e.P, s, e.level(), wsa.IP_MTU_DISCOVER, options.MTUDiscoverDont)
		p.Send("[.] ack 11")
		e.send(s, 10)
		data, err = p.Expect("[P.] seq 11 len 10")
		e.Check(err == nil, "no data: %v", err)
		Equal(e, "without path MTU discovery", head(data.Packet), "ttl 44 tos 0x2c")
		e.Linger(e.P, s, 0)
		e.Code("CloseSocket", e.P.CloseSocket(s), 0)
	})
	e.Notef("datagrams, raw messages and segments have what was set, before bind or later; a stream keeps its congestion bits clear")
}

func headersOfListener(e *Env) {
	w := e.Wire()
	e.Do(func() {
		l := e.Stream()
		e.Code("Bind", e.P.Bind(l, e.Any(80)), 0)
		e.setIP(l, optTTL, 55)
		e.Code("Listen", e.P.Listen(l, 5), 0)
		e.setIP(l, optTOS, 0x4B)
		p := w.Connect(e.Addr(1, 80).String())
		p.Send("[S] <mss 1000>")
		synAck, err := p.Expect("[S.] seq 0 ack 1")
		e.Check(err == nil, "no SYN-ACK: %v", err)
		Equal(e, "the SYN-ACK", head(synAck.Packet)[:15], "ttl 55 tos 0x48")
		sum := header.IPv4(synAck.Packet)
		e.Check(e.v6() || sum.CalculateChecksum() == 0xffff, "the IPv4 checksum is wrong")
		p.Send("[.]")
		p.Send("[P.] len 5") // acknowledged before anybody has accepted
		ack, err := p.Expect("[.] ack 6")
		e.Check(err == nil, "no ACK: %v", err)
		Equal(e, "before Accept", head(ack.Packet)[:15], "ttl 55 tos 0x48")
		s, _, err := e.P.Accept(l)
		e.Code("Accept", err, 0)
		e.send(s, 10)
		data, err := p.Expect("[P.] len 10")
		e.Check(err == nil, "no data: %v", err)
		Equal(e, "after Accept", head(data.Packet)[:15], "ttl 55 tos 0x48")
		e.Linger(e.P, s, 0)
		e.Code("CloseSocket", e.P.CloseSocket(s), 0)
	})
	e.Notef("TTL 55 and TOS 0x48 in the SYN-ACK, before and after Accept")
}

// userMTU: what is larger than IP_USER_MTU leaves in fragments of that size.
func userMTU(e *Env) {
	const mtu = 1300
	w := e.Wire()
	e.Do(func() {
		used := map[uint32]bool{}
		peer := e.Datagram()
		e.Code("Bind", e.P.Bind(peer, e.Any(53)), 0)
		for _, kind := range messageKinds {
			s, err := e.P.Socket(e.Family, kind.typ, kind.protocol)
			e.Code("Socket", err, 0)
			e.setIP(s, optMTU, mtu)
			text := strings.Repeat("0123456789abcdef", 300)
			_, err = e.P.SendTo(s, []byte(text), 0, e.Addr(9, 99))
			e.Code("SendTo", err, 0)
			e.Net.Sleep(time.Millisecond)
			whole, id := e.reassemble(w, mtu)
			e.Check(id != 0 && !used[id], "ID %d of another message", id)
			used[id] = true
			at := len(whole) - len(text)
			Equal(e, "header bytes in front", at, kind.header)
			Equal(e, "the message", string(whole[at:]), text)
			if at != 0 {
				again := simnet.EncodeIP(e.Addr(1, 0).Addr(), e.Addr(9, 0).Addr(), 17, append([]byte(nil), whole...))
				Equal(e, "the checksum", fmt.Sprintf("%x", again[len(again)-len(whole):][:8]), fmt.Sprintf("%x", whole[:8]))
			}
			e.setIP(s, optNoFrag, 1)
			_, err = e.P.SendTo(s, []byte(text)[:mtu], 0, e.Addr(9, 99))
			e.Code("SendTo, unfragmented", err, wsa.WSAEMSGSIZE)
			e.setIP(s, optMTU, 9000) // more than the interface's: no effect
			e.setIP(s, optNoFrag, 0)
			_, err = e.P.SendTo(s, []byte(text), 0, e.Addr(9, 99))
			e.Code("SendTo", err, 0)
			e.Net.Sleep(time.Millisecond)
			e.reassemble(w, 1500)
			// To an address of our own: put together again.
			e.setIP(s, optMTU, mtu)
			if kind.typ == wsa.SOCK_DGRAM {
				_, err = e.P.SendTo(s, []byte(text), 0, e.Addr(1, 53))
				e.Code("SendTo ourselves", err, 0)
				buf := make([]byte, 9000)
				n, err := e.P.Recv(peer, buf, 0)
				e.Code("Recv", err, 0)
				Equal(e, "received", string(buf[:n]), text)
			}
		}
	})
	e.Notef("fragments of at most %d bytes with one ID; WSAEMSGSIZE when unfragmented", mtu)
}

// reassemble puts the fragments together that have come, none longer than mtu,
// and returns their ID.
func (e *Env) reassemble(w *simnet.Wire, mtu int) (whole []byte, id uint32) {
	for more := true; more; {
		packet := e.received(w)
		p := trace.Parse(packet)
		e.Check(len(packet) <= mtu, "a packet of %d bytes", len(packet))
		e.Check(p.Fragmented() && p.FragmentOffset == len(whole), "fragment at %d, want %d", p.FragmentOffset, len(whole))
		e.Check(len(whole) == 0 || p.ID == id, "two IDs in one message")
		whole = append(whole, packet[p.Transport:]...)
		id, more = p.ID, p.MoreFragments
	}
	return whole, id
}

// controlOut: control messages of WSASendMsg count for one datagram.
func controlOut(e *Env) {
	w := e.Wire()
	ttl, tos := int32(wsa.IP_TTL), int32(wsa.IP_TOS)
	if e.v6() {
		ttl, tos = wsa.IPV6_HOPLIMIT, wsa.IPV6_TCLASS
	}
	word := func(n byte) []byte { return []byte{n, 0, 0, 0} }
	e.Do(func() {
		for _, kind := range messageKinds {
			s, err := e.P.Socket(e.Family, kind.typ, kind.protocol)
			e.Code("Socket", err, 0)
			e.setIP(s, optTOS, 0xB8)
			send := func(want wsa.Errno, control ...[]byte) string {
				var all []byte
				for i := 0; i < len(control); i += 2 {
					all = wsa.AppendCmsg(all, e.level(), int32(control[i][0]), control[i+1])
				}
				_, err := e.P.SendMsg(s, []byte("x"), all, 0, e.Addr(9, 99))
				e.Code("SendMsg", err, want)
				if want != 0 {
					return fmt.Sprint(w.Discard())
				}
				return head(e.received(w))
			}
			name := func(n int32) []byte { return []byte{byte(n)} }
			Equal(e, "TTL", send(0, name(ttl), word(7)), "ttl 7 tos 0xb8")
			Equal(e, "TOS", send(0, name(tos), word(0x20)), "ttl 128 tos 0x20")
			Equal(e, "ECN", send(0, name(wsa.IP_ECN), word(2)), "ttl 128 tos 0xba")
			Equal(e, "TOS and ECN", send(0, name(tos), word(0x21), name(wsa.IP_ECN), word(2)), "ttl 128 tos 0x22")
			Equal(e, "none", send(0), "ttl 128 tos 0xb8")
			Equal(e, "congestion experienced", send(wsa.WSAEINVAL, name(wsa.IP_ECN), word(3)), "0")
			Equal(e, "an unknown type", send(wsa.WSAEINVAL, name(99), word(3)), "0")
			Equal(e, "too short", send(wsa.WSAEINVAL, name(ttl), []byte{1}), "0")
		}
		_, err := e.P.SendMsg(e.Stream(), []byte("x"), nil, 0, e.Addr(9, 99))
		e.Code("SendMsg on a stream", err, wsa.WSAEOPNOTSUPP)
	})
	e.Notef("TTL, TOS and ECN for one datagram; CE, unknown and short ones are WSAEINVAL and send nothing")
}

// withHead gives a packet of the hand's a time to live and a type of service.
func withHead(packet []byte, ttl, tos byte) []byte {
	if packet[0]>>4 == 6 {
		h := header.IPv6(packet)
		h.SetHopLimit(ttl)
		h.SetTOS(tos, 0)
		return packet
	}
	h := header.IPv4(packet)
	h.SetTTL(ttl)
	h.SetTOS(tos, 0)
	h.SetChecksum(0)
	h.SetChecksum(^h.CalculateChecksum())
	return packet
}

func controlIn(e *Env) {
	w := e.Wire()
	e.Do(func() {
		s := e.Datagram()
		e.Code("Bind", e.P.Bind(s, e.Any(53)), 0)
		e.Nonblocking(e.P, s, true)
		for _, opt := range []int32{wsa.IP_PKTINFO, wsa.IP_RECVTTL, wsa.IP_RECVTOS, wsa.IP_RECVECN, wsa.IP_RECVIF, wsa.IP_RECVDSTADDR} {
			e.Set(e.P, s, e.level(), opt, 1)
		}
		w.Inject(withHead(simnet.EncodeUDP(e.Addr(9, 1000), e.Addr(1, 53), []byte("hello")), 77, 0xBA))
		e.Net.Sleep(time.Millisecond)
		buf, control := make([]byte, 100), make([]byte, 300)
		m, err := e.P.RecvMsg(s, buf, control, 0)
		e.Code("RecvMsg", err, 0)
		Equal(e, "data and sender", fmt.Sprint(string(buf[:m.N]), m.From, m.Flags), fmt.Sprint("hello", e.Addr(9, 1000), 0))
		ttl, tos := int32(wsa.IP_TTL), int32(wsa.IP_TOS)
		if e.v6() {
			ttl, tos = wsa.IPV6_HOPLIMIT, wsa.IPV6_TCLASS
		}
		to := e.Addr(1, 0).Addr().AsSlice()
		want := map[int32]string{
			wsa.IP_PKTINFO: fmt.Sprint(append(append([]byte(nil), to...), 2, 0, 0, 0)),
			ttl:            "[77 0 0 0]", tos: "[186 0 0 0]", wsa.IP_RECVECN: "[2 0 0 0]",
			wsa.IP_RECVIF: "[2 0 0 0]", wsa.IP_RECVDSTADDR: fmt.Sprint(to),
		}
		all, errno := wsa.ParseCmsgs(control[:m.Control])
		Equal(e, "parse", errno, 0)
		for _, c := range all {
			Equal(e, fmt.Sprint("level of ", c.Type), c.Level, e.level())
			Equal(e, fmt.Sprint("control message ", c.Type), fmt.Sprint(c.Data), want[c.Type])
			delete(want, c.Type)
		}
		Equal(e, "missing", len(want), 0)
	})
	e.Notef("packet info, TTL, TOS, ECN, interface and destination of a datagram")
}

func truncated(e *Env) {
	w := e.Wire()
	e.Do(func() {
		s := e.Datagram()
		e.Code("Bind", e.P.Bind(s, e.Any(53)), 0)
		e.Set(e.P, s, e.level(), wsa.IP_PKTINFO, 1)
		for range 3 {
			w.Inject(simnet.EncodeUDP(e.Addr(9, 1000), e.Addr(1, 53), []byte("abcdef")))
		}
		e.Net.Sleep(time.Millisecond)
		buf := make([]byte, 4)
		m, err := e.P.RecvMsg(s, buf, make([]byte, 100), 0)
		e.Code("RecvMsg", err, wsa.WSAEMSGSIZE)
		Equal(e, "flags", m.Flags, wsa.MSG_TRUNC)
		Equal(e, "data", string(buf[:m.N]), "abcd")
		m, err = e.P.RecvMsg(s, make([]byte, 9), make([]byte, 8), 0)
		e.Code("RecvMsg", err, wsa.WSAEMSGSIZE)
		Equal(e, "flags", m.Flags, wsa.MSG_CTRUNC)
		Equal(e, "data", m.N, 6)
		m, err = e.P.RecvMsg(s, make([]byte, 6), make([]byte, 100), 0)
		e.Code("RecvMsg", err, 0)
		Equal(e, "flags", m.Flags, 0)
		_, err = e.P.RecvMsg(e.Stream(), nil, nil, 0)
		e.Code("RecvMsg on a stream", err, wsa.WSAEOPNOTSUPP)
	})
	e.Notef("MSG_TRUNC for data, MSG_CTRUNC for control messages, both with WSAEMSGSIZE")
}

// segmentSizes: one send becomes datagrams of a size, and they may be received as
// one message.
func segmentSizes(e *Env) {
	w := e.Wire()
	e.Do(func() {
		s := e.Datagram()
		e.Code("Bind", e.P.Bind(s, e.Any(53)), 0)
		e.Set(e.P, s, wsa.IPPROTO_UDP, wsa.UDP_SEND_MSG_SIZE, 400)
		n, err := e.P.SendTo(s, make([]byte, 1000), 0, e.Addr(9, 99))
		e.Code("SendTo", err, 0)
		Equal(e, "sent", n, 1000)
		for _, want := range []int{400, 400, 200} {
			Equal(e, "datagram", trace.Parse(e.received(w)).Len, want)
		}
		e.Nonblocking(e.P, s, true)
		e.Set(e.P, s, wsa.IPPROTO_UDP, wsa.UDP_RECV_MAX_COALESCED_SIZE, 1000)
		text := func(n int, c string) []byte { return []byte(strings.Repeat(c, n)) }
		from := e.Addr(9, 1000)
		for _, p := range []struct {
			from netip.AddrPort
			data []byte
			ttl  byte
		}{
			{from, text(300, "a"), 64}, {from, text(300, "b"), 64}, {from, text(300, "c"), 64}, {from, text(300, "d"), 64}, // 900 of 1000
			{from, text(100, "e"), 64}, {from, text(100, "f"), 64}, // behind d: the last of its message, and a new one
			{e.Addr(9, 1001), text(100, "g"), 64}, // another source
			{e.Addr(9, 1001), text(200, "h"), 64}, // longer
			{e.Addr(9, 1001), text(200, "i"), 63}, // arrived otherwise
			{e.Addr(9, 1001), nil, 63},            // empty
			{e.Addr(9, 1001), text(9, "j"), 63},
		} {
			w.Inject(withHead(simnet.EncodeUDP(p.from, e.Addr(1, 53), p.data), p.ttl, 0))
		}
		e.Net.Sleep(time.Millisecond)
		for _, want := range []string{"abc 900/300", "de 400/300", "f 100", "g 100", "h 200", "i 200", " 0", "j 9"} {
			Equal(e, "message", e.recvCoalesced(s), want)
		}
		for range 2 {
			w.Inject(simnet.EncodeUDP(from, e.Addr(1, 53), text(5, "k")))
		}
		e.Net.Sleep(time.Millisecond)
		n, err = e.P.Recv(s, make([]byte, 100), 0) // recv can't tell them apart
		e.Code("Recv", err, 0)
		Equal(e, "Recv", n, 5)
		Equal(e, "message", e.recvCoalesced(s), "k 5")
		e.Set(e.P, s, wsa.IPPROTO_UDP, wsa.UDP_RECV_MAX_COALESCED_SIZE, 0)
		for range 2 {
			w.Inject(simnet.EncodeUDP(from, e.Addr(1, 53), text(5, "l")))
		}
		e.Net.Sleep(time.Millisecond)
		Equal(e, "off", e.recvCoalesced(s)+" "+e.recvCoalesced(s), "l 5 l 5")
	})
	e.Notef("1000 bytes leave as 400, 400, 200; equal datagrams of one source arrive as one message with UDP_COALESCED_INFO")
}

// recvCoalesced shows what RecvMsg returns: the letters, the length, and the
// size of what was merged.
func (e *Env) recvCoalesced(s wsa.SOCKET) string {
	buf, control := make([]byte, 2000), make([]byte, 100)
	m, err := e.P.RecvMsg(s, buf, control, 0)
	e.Code("RecvMsg", err, 0)
	var letters strings.Builder
	for i, c := range buf[:m.N] {
		if i == 0 || buf[i-1] != c {
			letters.WriteByte(c)
		}
	}
	text := fmt.Sprint(letters.String(), " ", m.N)
	if c, _, ok := wsa.NextCmsg(control[:m.Control]); ok {
		e.Check(c.Level == wsa.IPPROTO_UDP && c.Type == wsa.UDP_COALESCED_INFO, "control message %+v", c)
		text += fmt.Sprint("/", int(c.Data[0])|int(c.Data[1])<<8)
	}
	return text
}
