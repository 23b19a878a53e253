package conform

import (
	"fmt"
	"strings"

	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/wsstack/wsstack/internal/trace"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

// wireIPScenarios are WW-30 to WW-33: what IP headers and answers of ICMP look like from outside.
var wireIPScenarios = []Scenario{
	{ID: "WW-30", Title: "one counter for the IDs of all protocols", Source: "OBS", Once: true, Profiles: measured,
		Why: "C-91: the documented profile has IDs only where they are needed", Run: countedIDs},
	{ID: "WW-30", Title: "fragments share an ID", Source: "OBS", Once: true, Profiles: measured,
		Why: "C-91: the documented profile has random ones", Run: countedFragments},
	{ID: "WW-30", Title: "no ID with DF", Source: "RFC 6864", Once: true, Profiles: documentedOnly,
		Why: "C-91: Windows counts", Run: func(e *Env) {
			e.wired(func(w *simnet.Wire) {
				for range 10 {
					e.knock(w, "[S]")
					Equal(e, "ID of a RST", trace.Parse(e.received(w)).ID, 0)
					_, packet := e.asked(w, false)
					e.Check(trace.Parse(packet).ID != 0, "a datagram that may be cut up has no ID")
				}
			})
			e.Notef("0 in segments, something else in datagrams")
		}},
	{ID: "WW-31", Title: "DF and 128 hops in every segment", Source: "OBS", Run: everySegment},
	{ID: "WW-32", Title: "echo replies", Source: "OBS, RFC 792, RFC 4443", Run: echoReplies},
	{ID: "WW-33", Title: "port unreachable quotes all of a datagram", Source: "OBS, RFC 1812, RFC 4443", Run: quotesDatagram},
}

// knock sends a segment from the hand to port 81 of A, each from a port of its own.
func (e *Env) knock(w *simnet.Wire, segment string) {
	e.arrive(w.Connect(e.Addr(1, 81).String()), segment)
}

// echo sends an echo request with this code from the hand to A, and returns the reply.
func (e *Env) echo(w *simnet.Wire, code byte) []byte {
	kind, protocol := byte(8), uint8(1)
	if e.v6() {
		kind, protocol = 128, 58
	}
	e.fromHand(w, protocol, string([]byte{kind, code, 0, 0, 0, 1, 0, 2})+"contents")
	return e.received(w)
}

// countedIDs is WW-30: one counter for the IDs of all protocols.
func countedIDs(e *Env) {
	e.wired(func(w *simnet.Wire) {
		s, first := e.asked(w, false)
		last := trace.Parse(first).ID
		next := func(what string) {
			packet := e.received(w)
			last = (last + 1) & 0xffff
			Equal(e, "ID of "+what, trace.Parse(packet).ID, last)
			e.Check(header.IPv4(packet).IsChecksumValid(), "the checksum of the header is wrong")
		}
		s.sayTo(e.Addr(9, 53), "again")
		next("a datagram")
		e.knock(w, "[S]")
		next("a RST")
		e.fromHand(w, 1, "\x08\x00\x00\x00\x00\x01\x00\x02content")
		next("an echo reply")
		w.Inject(simnet.EncodeUDP(e.Addr(9, 53), e.Addr(1, 81), []byte("closed")))
		next("a port unreachable")
		c := e.stream()
		c.nonblocking(true)
		c.connect(e.Addr(9, 80), wsa.WSAEWOULDBLOCK)
		next("a SYN")
		raw := e.raw(252)
		raw.sayTo(e.Addr(9, 0), "raw")
		next("a raw packet")
		raw.set(wsa.IPPROTO_IP, wsa.IP_HDRINCL, 1)
		packet := simnet.EncodeIP(e.Addr(1, 0).Addr(), e.Addr(9, 0).Addr(), 252, []byte("own header"))
		raw.sendTo(e.Addr(9, 0), packet)
		next("a raw packet whose header has none")
		packet[4], packet[5] = 0x12, 0x34
		raw.sendTo(e.Addr(9, 0), packet)
		Equal(e, "an ID that is given", trace.Parse(e.received(w)).ID, 0x1234)
		s.sayTo(e.Addr(9, 53), "again")
		next("the datagram behind it")
	})
	e.Notef("datagram, RST, echo reply, port unreachable, SYN and raw packets in one row")
}

// countedFragments is WW-30: fragments share an ID.
func countedFragments(e *Env) {
	e.wired(func(w *simnet.Wire) {
		s, first := e.asked(w, false)
		last := trace.Parse(first).ID
		for _, mtu := range []uint32{0, 600} { // those that netstack makes, and our own
			if mtu != 0 {
				s.set(wsa.IPPROTO_IP, wsa.IP_USER_MTU, mtu)
			}
			s.sendTo(e.Addr(9, 53), make([]byte, 4000))
			last = (last + 1) & 0xffff
			n := 0
			for more := true; more; n++ {
				p := trace.Parse(e.received(w))
				Equal(e, "ID of a fragment", p.ID, last)
				more = p.MoreFragments
			}
			e.Check(n > 2, "%d fragments", n)
		}
	})
	e.Notef("each datagram of 4000 bytes has one, the next the next one")
}

// everySegment is WW-31: DF and 128 hops in every segment.
func everySegment(e *Env) {
	var kinds []string
	e.wired(func(w *simnet.Wire) {
		want := "ttl 128 tos 0x0 DF"
		if e.v6() {
			want = "ttl 128 tos 0x0"
		}
		check := func() {
			packet := e.received(w)
			segment := trace.Parse(packet).Segment
			Equal(e, "the header of "+segment.Flags.String(), head(packet), want)
			kinds = append(kinds, segment.Flags.String())
		}
		for _, segment := range []string{"[S]", "[.] ack 1", "[F.] ack 1"} {
			e.knock(w, segment)
			check()
		}
		c := e.stream()
		c.nonblocking(true)
		c.connect(e.Addr(9, 80), wsa.WSAEWOULDBLOCK)
		check()
		c.close()
		e.listener(e.P, 81)
		e.knock(w, "[S]")
		check()
	})
	e.Notef("%s", strings.Join(kinds, ", "))
}

// echoReplies is WW-32: echo replies.
func echoReplies(e *Env) {
	var seen []string
	e.wired(func(w *simnet.Wire) {
		for _, code := range []byte{0, 9} {
			reply := e.echo(w, code) // the request of the hand has DF
			p := trace.Parse(reply)
			got := fmt.Sprintf("code %d", p.ICMPCode)
			if p.DontFragment && !e.v6() {
				got += " DF"
			}
			want := fmt.Sprintf("code %d", byProfile(e, code, 0))
			if !e.v6() {
				want += byProfile(e, " DF", legacyOr(e, " DF", ""))
			}
			Equal(e, fmt.Sprintf("the reply to code %d", code), got, want)
			Equal(e, "the content", payload(reply)[8:], "contents")
			Equal(e, "the TTL", p.TTL, 128)
			if e.v6() {
				Equal(e, "the checksum", e.sum6(58, e.Addr(1, 0), e.Addr(9, 0), []byte(payload(reply))), 0xffff)
			} else {
				Equal(e, "the checksum", checksum([]byte(payload(reply))), 0)
				e.Check(header.IPv4(reply).IsChecksumValid(), "the checksum of the header is wrong")
			}
			seen = append(seen, got)
		}
	})
	e.Notef("to code 0 %s, to code 9 %s", seen[0], seen[1])
}

// quotesDatagram is WW-33: port unreachable quotes all of a datagram.
func quotesDatagram(e *Env) {
	e.wired(func(w *simnet.Wire) {
		request := simnet.EncodeUDP(e.Addr(9, 53), e.Addr(1, 81), []byte(strings.Repeat("C", 300)))
		w.Inject(append([]byte(nil), request...))
		answer := e.received(w)
		p := trace.Parse(answer)
		e.Check(p.Kind == trace.ICMP && (e.v6() || !p.DontFragment), "an ICMP error without DF: %v", p)
		Equal(e, "type and code", fmt.Sprint(p.ICMPType, p.ICMPCode), map[bool]string{false: "3 3", true: "1 4"}[e.v6()])
		Equal(e, "the word that isn't used", p.ICMPRest, 0)
		Equal(e, "the quote", payload(answer)[8:], string(request))
		Equal(e, "the TTL", p.TTL, 128)
	})
	e.Notef("the header and all 300 bytes, as they came")
}
