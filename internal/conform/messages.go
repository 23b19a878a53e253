package conform

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/wsstack/wsstack/internal/trace"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

// A flagged call is one of the calls that take flags, and those that it knows.
type flagged struct {
	name       string
	known      int32
	overlapped bool
	message    bool // WSARecvMsg or WSASendMsg: not for streams
	call       func(e *Env, s handle, flags int32) error
}

// unknownFlag is one that no page names; MSG_TRUNC is returned and never passed.
const unknownFlag = 0x4000_0000 | wsa.MSG_TRUNC

const (
	receiveFlags = wsa.MSG_OOB | wsa.MSG_PEEK | wsa.MSG_WAITALL | wsa.MSG_PARTIAL | wsa.MSG_PUSH_IMMEDIATE | wsa.MSG_DONTROUTE
	sendingFlags = wsa.MSG_OOB | wsa.MSG_PARTIAL | wsa.MSG_DONTROUTE
)

// flagCode is what the pages say of a call, rule by rule.
func (e *Env) flagCode(c flagged, stream, nonblocking bool, flags int32) wsa.Errno {
	has := func(flag int32) bool { return flags&flag != 0 }
	receives := c.known&wsa.MSG_WAITALL != 0
	switch {
	case c.message && stream && !receives:
		return e.sendMsgOnStream()
	case c.message && stream:
		return wsa.WSAEOPNOTSUPP
	case has(^c.known):
		return wsa.WSAEINVAL
	case has(wsa.MSG_OOB) && !stream,
		has(wsa.MSG_PARTIAL) && !receives,
		has(wsa.MSG_PEEK) && c.overlapped,
		has(wsa.MSG_WAITALL) && (!stream || nonblocking || has(wsa.MSG_OOB|wsa.MSG_PEEK|wsa.MSG_PARTIAL)):
		return wsa.WSAEOPNOTSUPP
	}
	return 0
}

// sendMsgOnStream is the code of WSASendMsg on a stream (WC-6).
func (e *Env) sendMsgOnStream() wsa.Errno {
	return byProfile(e, wsa.WSAEOPNOTSUPP, wsa.WSAEINVAL)
}

// everyFlags are all combinations of the flags and an unknown one.
func everyFlags() (all []int32) {
	flags := []int32{wsa.MSG_OOB, wsa.MSG_PEEK, wsa.MSG_WAITALL, wsa.MSG_PARTIAL, wsa.MSG_PUSH_IMMEDIATE, wsa.MSG_DONTROUTE,
		wsa.MSG_ERRQUEUE, unknownFlag}
	for bits := range 1 << len(flags) {
		var set int32
		for i, flag := range flags {
			if bits>>i&1 == 1 {
				set |= flag
			}
		}
		all = append(all, set)
	}
	return all
}

// flagSockets are a connected socket of each kind, none of which has data.
func (e *Env) flagSockets() map[string]handle {
	stream, _ := e.connection()
	sockets := map[string]handle{"stream": stream}
	for name, kind := range map[string]struct{ typ, protocol int32 }{"datagram": {wsa.SOCK_DGRAM, 0}, "raw": {wsa.SOCK_RAW, 200}} {
		s := e.open(e.P, e.Family, kind.typ, kind.protocol)
		q := e.open(e.Q, e.Family, kind.typ, kind.protocol)
		q.bind(e.Any(7))
		s.connect(e.Addr(2, 7))
		sockets[name] = s
	}
	for _, s := range sockets {
		s.set(wsa.SOL_SOCKET, wsa.SO_RCVTIMEO, 1)
	}
	return sockets
}

// recvCoalesced shows what RecvMsg returns: the letters, the length, and the
// size of what was merged.
func (h handle) recvCoalesced() string {
	e := h.e
	buf, control := make([]byte, 2000), make([]byte, 100)
	m := h.recvMsg(buf, control, 0)
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

// messagesScenarios are MS-1 to MS-4: sizes of messages, and flags.
var messagesScenarios = []Scenario{
	{ID: "MS-1", Title: "the largest message", Source: "S-API, C-18", Run: func(e *Env) {
		e.paired(func() {
			server := e.peerDatagram()
			server.bind(e.Any(53))
			c := e.datagram()
			limit := int(c.get(wsa.SOL_SOCKET, wsa.SO_MAX_MSG_SIZE))
			Equal(e, "SO_MAX_MSG_SIZE", limit, map[int32]int{wsa.AF_INET: 65507, wsa.AF_INET6: 65527}[e.Family])
			c.as("one byte more").sendTo(e.Addr(2, 53), make([]byte, limit+1), wsa.WSAEMSGSIZE)
			Equal(e, "packets", len(e.Segments("a")), 0)
			n := c.sendTo(e.Addr(2, 53), make([]byte, limit))
			Equal(e, "sent", n, limit)
			n = len(server.recv(1 << 16))
			Equal(e, "received", n, limit)
			e.Notef("%d bytes arrive in %d fragments; %d are WSAEMSGSIZE and send nothing", limit, len(e.Segments("a")), limit+1)
		})
	}},
	{ID: "MS-1", Title: "UDP_SEND_MSG_SIZE and coalescing", Source: "W-UDP", Run: segmentSizes},
	{ID: "MS-1", Title: "the largest raw message", Source: "S-API, C-18", Run: rawSize},
	{ID: "MS-2", Title: "a buffer that is too small", Source: "API-recv", Run: func(e *Env) {
		e.paired(func() {
			server := e.peerDatagram()
			server.bind(e.Any(53))
			c := e.datagram()
			for _, text := range []string{"abcdef", "next"} {
				c.sayTo(e.Addr(2, 53), text)
			}
			buf := make([]byte, 4)
			server.recvInto(buf, 0, wsa.WSAEMSGSIZE)
			Equal(e, "buffer", string(buf), "abcd")
			n := server.recvInto(buf, 0)
			Equal(e, "buffer", string(buf[:n]), "next")
		})
		e.Notef("filled, the rest lost, WSAEMSGSIZE")
	}},
	{ID: "MS-2", Title: "WSARecvMsg says MSG_TRUNC", Source: "API-WSARecvMsg", Run: truncated},
	{ID: "MS-3", Title: "streams have no message size", Source: "S-API", Run: func(e *Env) {
		e.connected(func(c, s handle) {
			c.reads(wsa.SOL_SOCKET, wsa.SO_MAX_MSG_SIZE, 0)
			e.Go("send", func() { c.send(200000) })
			Equal(e, "bytes", len(s.recvFlags(200000, wsa.MSG_WAITALL)), 200000)
		})
		e.Notef("0; a send of 200000 bytes is one call")
	}},
	{ID: "MS-4", Title: "every call with every combination of flags", Source: "API-WSARecv, API-WSASend", Run: func(e *Env) {
		e.Pair()
		calls := 0
		e.Do(func() {
			sockets := e.flagSockets()
			for _, kind := range []string{"stream", "datagram", "raw"} {
				s := sockets[kind]
				for _, nonblocking := range []bool{false, true} {
					s.nonblocking(nonblocking)
					for _, c := range flaggedCalls {
						for _, flags := range everyFlags() {
							err := c.call(e, s, flags)
							if err == wsa.WSAEWOULDBLOCK || err == wsa.WSAETIMEDOUT { // it takes the flags, and finds nothing
								err = nil
							}
							what := fmt.Sprintf("%s on a %s socket, non-blocking %v, flags %#x", c.name, kind, nonblocking, flags)
							e.Code(what, err, e.flagCode(c, kind == "stream", nonblocking, flags))
							calls++
						}
					}
				}
			}
		})
		e.Notef("%d calls", calls)
	}},
	{ID: "MS-4", Title: "flags come before the state", Source: "API-WSARecv", Run: func(e *Env) {
		e.connected(func(reset, peer handle) {
			peer.reset()
			for what, s := range map[string]handle{"fresh": e.stream(), "listening": e.listener(e.P, 81), "reset": reset} {
				for _, c := range flaggedCalls {
					for _, flags := range everyFlags() {
						if want := e.flagCode(c, true, false, flags); want != 0 {
							e.Code(fmt.Sprintf("%s, %s, flags %#x", c.name, what, flags), c.call(e, s, flags), want)
						}
					}
				}
			}
			// What a call in progress does isn't changed by a later mode.
			c, s := e.connection()
			e.Go("peer", func() {
				s.send(2)
				e.Net.Sleep(5 * Delay)
				c.nonblocking(true)
				s.send(2)
			})
			Equal(e, "bytes", len(c.as("MSG_WAITALL in progress").recvFlags(4, wsa.MSG_WAITALL)), 4)
		})
		e.Notef("the same codes on sockets that aren't connected any more, or not yet")
	}},
}

// flaggedCalls are all calls that take flags.
var flaggedCalls = []flagged{
	{"Recv", receiveFlags, false, false, func(e *Env, s handle, flags int32) error {
		return second(e.P.Recv(s.s, make([]byte, 4), flags))
	}},
	{"RecvFrom", receiveFlags, false, false, func(e *Env, s handle, flags int32) error {
		_, _, err := e.P.RecvFrom(s.s, make([]byte, 4), flags)
		return err
	}},
	{"RecvAsync", receiveFlags, true, false, func(e *Env, s handle, flags int32) error {
		o, err := e.P.RecvAsync(s.s, make([]byte, 4), flags)
		if err == nil {
			e.Check(o.Cancel(), "RecvAsync with flags %#x was done without data", flags)
		}
		return err
	}},
	{"RecvMsg", receiveFlags | wsa.MSG_ERRQUEUE, false, true, func(e *Env, s handle, flags int32) error {
		return second(e.P.RecvMsg(s.s, make([]byte, 4), nil, flags))
	}},
	{"Send", sendingFlags, false, false, func(e *Env, s handle, flags int32) error {
		return second(e.P.Send(s.s, []byte{1}, flags))
	}},
	{"SendTo", sendingFlags, false, false, func(e *Env, s handle, flags int32) error {
		return second(e.P.SendTo(s.s, []byte{1}, flags, e.Addr(2, 7)))
	}},
	{"SendAsync", sendingFlags, true, false, func(e *Env, s handle, flags int32) error {
		return second(e.P.SendAsync(s.s, []byte{1}, flags))
	}},
	{"SendToAsync", sendingFlags, true, false, func(e *Env, s handle, flags int32) error {
		return second(e.P.SendToAsync(s.s, []byte{1}, flags, e.Addr(2, 7)))
	}},
	{"SendMsg", sendingFlags, false, true, func(e *Env, s handle, flags int32) error {
		return second(e.P.SendMsg(s.s, []byte{1}, nil, flags, e.Addr(2, 7)))
	}},
}

// truncated is MS-2: WSARecvMsg says MSG_TRUNC.
func truncated(e *Env) {
	e.wired(func(w *simnet.Wire) {
		s := e.datagram()
		s.bind(e.Any(53))
		s.set(e.level(), wsa.IP_PKTINFO, 1)
		for range 3 {
			w.Inject(simnet.EncodeUDP(e.Addr(9, 1000), e.Addr(1, 53), []byte("abcdef")))
		}
		e.Net.Sleep(time.Millisecond)
		buf := make([]byte, 4)
		m := s.recvMsg(buf, make([]byte, 100), 0, wsa.WSAEMSGSIZE)
		Equal(e, "flags", m.Flags, wsa.MSG_TRUNC)
		Equal(e, "data", string(buf[:m.N]), "abcd")
		m = s.recvMsg(make([]byte, 9), make([]byte, 8), 0, wsa.WSAEMSGSIZE)
		Equal(e, "flags", m.Flags, wsa.MSG_CTRUNC)
		Equal(e, "data", m.N, 6)
		m = s.recvMsg(make([]byte, 6), make([]byte, 100), 0)
		Equal(e, "flags", m.Flags, 0)
		e.stream().as("RecvMsg on a stream").recvMsg(nil, nil, 0, wsa.WSAEOPNOTSUPP)
	})
	e.Notef("MSG_TRUNC for data, MSG_CTRUNC for control messages, both with WSAEMSGSIZE")
}

// segmentSizes: one send becomes datagrams of a size, and they may be received as
// one message.
func segmentSizes(e *Env) {
	e.wired(func(w *simnet.Wire) {
		s := e.datagram()
		s.bind(e.Any(53))
		s.set(wsa.IPPROTO_UDP, wsa.UDP_SEND_MSG_SIZE, 400)
		n := s.sendTo(e.Addr(9, 99), make([]byte, 1000))
		Equal(e, "sent", n, 1000)
		for _, want := range []int{400, 400, 200} {
			Equal(e, "datagram", trace.Parse(e.received(w)).Len, want)
		}
		s.nonblocking(true)
		s.set(wsa.IPPROTO_UDP, wsa.UDP_RECV_MAX_COALESCED_SIZE, 1000)
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
			Equal(e, "message", s.recvCoalesced(), want)
		}
		for range 2 {
			w.Inject(simnet.EncodeUDP(from, e.Addr(1, 53), text(5, "k")))
		}
		e.Net.Sleep(time.Millisecond)
		// recv can't tell them apart
		n = len(s.recv(100))
		Equal(e, "Recv", n, 5)
		Equal(e, "message", s.recvCoalesced(), "k 5")
		s.set(wsa.IPPROTO_UDP, wsa.UDP_RECV_MAX_COALESCED_SIZE, 0)
		for range 2 {
			w.Inject(simnet.EncodeUDP(from, e.Addr(1, 53), text(5, "l")))
		}
		e.Net.Sleep(time.Millisecond)
		Equal(e, "off", s.recvCoalesced()+" "+s.recvCoalesced(), "l 5 l 5")
	})
	e.Notef("1000 bytes leave as 400, 400, 200; equal datagrams of one source arrive as one message with UDP_COALESCED_INFO")
}

// rawSize is MS-1: the largest raw message.
func rawSize(e *Env) {
	e.wired(func(w *simnet.Wire) {
		s := e.raw(252)
		limit := int(s.get(wsa.SOL_SOCKET, wsa.SO_MAX_MSG_SIZE))
		Equal(e, "SO_MAX_MSG_SIZE", limit, 65515)
		s.as("one byte more").sendTo(e.Addr(9, 0), make([]byte, limit+1), wsa.WSAEMSGSIZE)
		Equal(e, "packets", w.Discard(), 0)
		s.sendTo(e.Addr(9, 0), make([]byte, limit))
		e.Net.Sleep(time.Millisecond)
		n := w.Discard()
		e.Check(n >= 45, "%d fragments", n)
		s.set(e.level(), map[bool]int32{false: wsa.IP_DONTFRAGMENT, true: wsa.IPV6_DONTFRAG}[e.v6()], 1)
		header := map[bool]int{false: 20, true: 40}[e.v6()]
		s.as("more than a packet, unfragmented").sendTo(e.Addr(9, 0), make([]byte, 1500-header+1), wsa.WSAEMSGSIZE)
		s.as("a packet").sendTo(e.Addr(9, 0), make([]byte, 1500-header))
		e.Net.Sleep(time.Millisecond)
		Equal(e, "packets", w.Discard(), 1)
		e.Notef("65515 bytes leave in %d fragments, one more is WSAEMSGSIZE", n)
	})
}
