package conform

import (
	"fmt"
	"strings"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/wsstack/wsstack/internal/trace"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

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

// validationIPScenarios are AV-17 to AV-19: options of IP, and where a code is found.
var validationIPScenarios = []Scenario{
	{ID: "AV-17", Title: "errors at set, not at bind", Source: "API-set, C-82", Run: func(e *Env) {
		e.Pair()
		s := e.stream()
		s.as("TCP_KEEPIDLE 0 on an unbound socket").set(wsa.IPPROTO_TCP, wsa.TCP_KEEPIDLE, 0, wsa.WSAEINVAL)
		s.set(wsa.IPPROTO_TCP, wsa.TCP_NODELAY, 1)
		s.bind(e.Any(0))
		s.reads(wsa.IPPROTO_TCP, wsa.TCP_NODELAY, 1)
		e.Notef("WSAEINVAL at the set; bind succeeds")
	}},
	{ID: "AV-17", Title: "TTL, TOS and DF on the wire", Source: "W-IP, W-IP6", Run: headersOut},
	{ID: "AV-17", Title: "TTL and TOS of a SYN-ACK", Source: "W-IP, W-IP6", Run: headersOfListener},
	{ID: "AV-17", Title: "IP_USER_MTU", Source: "W-IP, W-IP6", Run: userMTU},
	{ID: "AV-17", Title: "ancillary data of a datagram sent", Source: "API-WSASendMsg, W-ECN", Run: controlOut},
	{ID: "AV-17", Title: "ancillary data of a datagram received", Source: "W-PKTINFO, W-ECN", Run: controlIn},
	{ID: "AV-19", Title: "the code is where the caller looks", Source: "S-GET", Run: func(e *Env) {
		e.Pair()
		t, s := e.P.Thread(), e.stream()
		for _, level := range []int32{1000, wsa.SOL_SOCKET} {
			err := t.SetSockOpt(s.s, level, wsa.SO_DEBUG, nil, 0)
			e.Check(err != nil, "no error")
			Equal(e, "last error and returned code", error(t.GetLastError()), err)
		}
		s.on(t).as("success").setBytes(wsa.SOL_SOCKET, wsa.SO_DEBUG, make([]byte, 4), 4)
		Equal(e, "last error", t.GetLastError(), 0)
		e.Notef("the returned error and the thread's last error are the same code")
	}},
}

// headersOut is AV-17: TTL, TOS and DF on the wire.
func headersOut(e *Env) {
	w := e.Wire()
	df := map[bool]string{false: " DF", true: ""}[e.v6()]
	e.Do(func() {
		for _, kind := range messageKinds {
			s := e.open(e.P, e.Family, kind.typ, kind.protocol)
			send := func() string {
				s.sayTo(e.Addr(9, 99), "x")
				return head(e.received(w))
			}
			s.setIP(optTTL, 33) // before bind
			s.setIP(optTOS, 0xBA)
			Equal(e, "set before bind", send(), "ttl 33 tos 0xba")
			s.setIP(optTTL, 200)
			s.setIP(optTOS, 0)
			s.setIP(optNoFrag, 1)
			Equal(e, "changed afterwards", send(), "ttl 200 tos 0x0"+df)
			s.set(e.level(), wsa.IP_MTU_DISCOVER, options.MTUDiscoverDont)
			Equal(e, "with IP_PMTUDISC_DONT", send(), "ttl 200 tos 0x0")
			fresh := e.open(e.P, e.Family, kind.typ, kind.protocol)
			s = fresh
			Equal(e, "the defaults", send(), "ttl 128 tos 0x0")
		}
		p := w.Listen(80)
		s := e.stream()
		s.setIP(optTTL, 44)
		s.setIP(optTOS, 0x2F) // its two last bits are congestion control's
		done := e.Go("connect", func() { s.connect(e.Addr(9, 80)) })
		syn, err := p.Expect("[S]")
		e.Check(err == nil, "no SYN: %v", err)
		p.Send("[S.] <mss 1000>")
		ack, err := p.Expect("[.] seq 1 ack 1")
		e.Check(err == nil, "no ACK: %v", err)
		done.Wait()
		s.send(10)
		data, err := p.Expect("[P.] seq 1 len 10")
		e.Check(err == nil, "no data: %v", err)
		for _, a := range []*simnet.Arrival{syn, ack, data} {
			Equal(e, a.Text, head(a.Packet), "ttl 44 tos 0x2c"+df)
		}
		s.set(e.level(), wsa.IP_MTU_DISCOVER, options.MTUDiscoverDont)
		p.Send("[.] ack 11")
		s.send(10)
		data, err = p.Expect("[P.] seq 11 len 10")
		e.Check(err == nil, "no data: %v", err)
		Equal(e, "without path MTU discovery", head(data.Packet), "ttl 44 tos 0x2c")
		s.linger(0)
		s.close()
	})
	e.Notef("datagrams, raw messages and segments have what was set, before bind or later; a stream keeps its congestion bits clear")
}

// headersOfListener is AV-17: TTL and TOS of a SYN-ACK.
func headersOfListener(e *Env) {
	e.wired(func(w *simnet.Wire) {
		l := e.stream()
		l.bind(e.Any(80))
		l.setIP(optTTL, 55)
		l.listen(5)
		l.setIP(optTOS, 0x4B)
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
		s := l.accept()
		s.send(10)
		data, err := p.Expect("[P.] len 10")
		e.Check(err == nil, "no data: %v", err)
		Equal(e, "after Accept", head(data.Packet)[:15], "ttl 55 tos 0x48")
		s.linger(0)
		s.close()
	})
	e.Notef("TTL 55 and TOS 0x48 in the SYN-ACK, before and after Accept")
}

// userMTU: what is larger than IP_USER_MTU leaves in fragments of that size.
func userMTU(e *Env) {
	const mtu = 1300
	e.wired(func(w *simnet.Wire) {
		used := map[uint32]bool{}
		peer := e.datagram()
		peer.bind(e.Any(53))
		for _, kind := range messageKinds {
			s := e.open(e.P, e.Family, kind.typ, kind.protocol)
			s.setIP(optMTU, mtu)
			text := strings.Repeat("0123456789abcdef", 300)
			s.sayTo(e.Addr(9, 99), text)
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
			s.setIP(optNoFrag, 1)
			s.as("SendTo, unfragmented").sendTo(e.Addr(9, 99), []byte(text)[:mtu], wsa.WSAEMSGSIZE)
			s.setIP(optMTU, 9000) // more than the interface's: no effect
			s.setIP(optNoFrag, 0)
			s.sayTo(e.Addr(9, 99), text)
			e.Net.Sleep(time.Millisecond)
			e.reassemble(w, 1500)
			// To an address of our own: put together again.
			s.setIP(optMTU, mtu)
			if kind.typ == wsa.SOCK_DGRAM {
				s.as("SendTo ourselves").sayTo(e.Addr(1, 53), text)
				Equal(e, "received", string(peer.recv(9000)), text)
			}
		}
	})
	e.Notef("fragments of at most %d bytes with one ID; WSAEMSGSIZE when unfragmented", mtu)
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
			s := e.open(e.P, e.Family, kind.typ, kind.protocol)
			s.setIP(optTOS, 0xB8)
			send := func(want wsa.Errno, control ...[]byte) string {
				var all []byte
				for i := 0; i < len(control); i += 2 {
					all = wsa.AppendCmsg(all, e.level(), int32(control[i][0]), control[i+1])
				}
				s.sendMsg([]byte("x"), all, e.Addr(9, 99), want)
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
		e.stream().as("SendMsg on a stream").sendMsg([]byte("x"), nil, e.Addr(9, 99), e.sendMsgOnStream())
	})
	e.Notef("TTL, TOS and ECN for one datagram; CE, unknown and short ones are WSAEINVAL and send nothing")
}

// controlIn is AV-17: ancillary data of a datagram received.
func controlIn(e *Env) {
	e.wired(func(w *simnet.Wire) {
		s := e.datagram()
		s.bind(e.Any(53))
		s.nonblocking(true)
		for _, opt := range []int32{wsa.IP_PKTINFO, wsa.IP_RECVTTL, wsa.IP_RECVTOS, wsa.IP_RECVECN, wsa.IP_RECVIF, wsa.IP_RECVDSTADDR} {
			s.set(e.level(), opt, 1)
		}
		w.Inject(withHead(simnet.EncodeUDP(e.Addr(9, 1000), e.Addr(1, 53), []byte("hello")), 77, 0xBA))
		e.Net.Sleep(time.Millisecond)
		buf, control := make([]byte, 100), make([]byte, 300)
		m := s.recvMsg(buf, control, 0)
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
