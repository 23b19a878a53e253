package conform

import (
	"fmt"
	"strings"
	"time"

	"github.com/wsstack/wsstack/internal/trace"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

func init() {
	nbScenarios = append(nbScenarios, synScenarios...)
	inScenarios = append(inScenarios, synOptionScenarios...)
	rsScenarios = append(rsScenarios, maxRetransmitScenarios...)
}

// initialRTO is SIO_TCP_INITIAL_RTO.
func (e *Env) initialRTO(s wsa.SOCKET, rtt uint16, most uint8) {
	_, err := e.P.Ioctl(s, wsa.SIO_TCP_INITIAL_RTO, wsa.TCPInitialRTOParameters{Rtt: rtt, MaxSynRetransmissions: most}.Append(nil), nil)
	e.Code("SIO_TCP_INITIAL_RTO", err, 0)
}

// unanswered connects to nobody, and compares when the SYNs left and the
// attempt failed, in seconds.
func (e *Env) unanswered(s wsa.SOCKET, want string, fails float64) {
	start := e.Start()
	e.Code("Connect", e.P.Connect(s, e.Addr(9, 80)), wsa.WSAETIMEDOUT)
	Equal(e, "failed at", fmt.Sprintf("%.3f", (e.Net.Now()-start).Seconds()), fmt.Sprintf("%.3f", fails))
	Equal(e, "SYNs", e.times("a", start, has(trace.SYN)), want)
}

// summed ends the scenario unless the checksum of every TCP segment is right.
func (e *Env) summed(packet []byte) {
	h := trace.Parse(packet)
	if h.Kind != trace.TCP {
		return
	}
	body := packet[h.Transport:]
	pseudo := append(h.Source.AsSlice(), h.Dest.AsSlice()...)
	pseudo = append(pseudo, 0, 0, byte(len(body)>>8), byte(len(body)), 0, 0, 0, 6)
	pseudo = append(pseudo, body...)
	if len(pseudo)%2 != 0 {
		pseudo = append(pseudo, 0)
	}
	Equal(e, "checksum over a segment with its checksum", checksum(pseudo), 0)
}

var synScenarios = []Scenario{
	{ID: "NB-1", Title: "SIO_TCP_INITIAL_RTO changes the schedule", Source: "API-WSAIoctl", Run: func(e *Env) {
		e.Wire()
		e.Do(func() {
			for _, c := range []struct {
				rtt   uint16
				most  uint8
				want  string
				fails float64
			}{
				{500, 2, "0.000 0.500 1.500", 3.5},
				{3000, wsa.TCP_INITIAL_RTO_DEFAULT_MAX_SYN_RETRANSMISSIONS, "0.000 3.000 9.000", 21},
				{wsa.TCP_INITIAL_RTO_DEFAULT_RTT, wsa.TCP_INITIAL_RTO_NO_SYN_RETRANSMISSIONS, "0.000", 1},
				{wsa.TCP_INITIAL_RTO_UNSPECIFIED_RTT, 1, "0.000 1.000", 3},
				{200, wsa.TCP_INITIAL_RTO_UNSPECIFIED_MAX_SYN_RETRANSMISSIONS, "0.000 0.200 0.600 1.400 3.000", 6.2},
				{40000, 2, "0.000 40.000 100.000", 160}, // netstack gives up after 127 s
			} {
				s := e.Stream()
				e.initialRTO(s, c.rtt, c.most)
				e.unanswered(s, c.want, c.fails)
			}
		})
		e.Notef("500 ms and 2: SYNs at 0, 0.5, 1.5 s, WSAETIMEDOUT at 3.5 s; 40 s and 2: at 0, 40, 100 s, 160 s")
	}},
	{ID: "NB-1", Title: "TCP_MAXRT bounds the connect", Source: "W-TCP", Run: func(e *Env) {
		e.Wire()
		e.Do(func() {
			s := e.Stream()
			e.Set(e.P, s, wsa.IPPROTO_TCP, wsa.TCP_MAXRT, 5)
			e.unanswered(s, "0.000 1.000 3.000", 5)
			e.Set(e.P, s, wsa.IPPROTO_TCP, wsa.TCP_MAXRTMS, 2500) // the last writer wins
			e.unanswered(s, "0.000 1.000", 2.5)
			e.Set(e.P, s, wsa.IPPROTO_TCP, wsa.TCP_MAXRT, 40)
			e.unanswered(s, "0.000 1.000 3.000 7.000 15.000 31.000", 40)
			s = e.Stream() // set during the attempt
			e.Nonblocking(e.P, s, true)
			e.Code("Connect", e.P.Connect(s, e.Addr(9, 80)), wsa.WSAEWOULDBLOCK)
			start := e.Start()
			e.Net.Sleep(2 * time.Second)
			e.Set(e.P, s, wsa.IPPROTO_TCP, wsa.TCP_MAXRT, 4)
			_, _, failed, err := e.P.Select(nil, nil, []wsa.SOCKET{s}, -1)
			e.Code("Select", err, 0)
			Equal(e, "failed sockets", len(failed), 1)
			Equal(e, "time", (e.Net.Now() - start).Round(time.Millisecond), 4*time.Second)
			Equal(e, "SO_ERROR", wsa.Errno(e.Get(e.P, s, wsa.SOL_SOCKET, wsa.SO_ERROR)), wsa.WSAETIMEDOUT)
		})
		e.Notef("5 s: SYNs at 0, 1, 3 s, WSAETIMEDOUT at 5.000 s; 2500 ms; 40 s; 4 s set after two")
	}},
	{ID: "NB-1", Title: "TCP_MAXRT -1 never gives up", Source: "W-TCP", Run: func(e *Env) {
		w := e.Wire()
		e.Do(func() {
			s := e.Stream()
			e.Set(e.P, s, wsa.IPPROTO_TCP, wsa.TCP_MAXRT, 0xFFFFFFFF)
			e.Nonblocking(e.P, s, true)
			start := e.Start()
			e.Code("Connect", e.P.Connect(s, e.Addr(9, 80)), wsa.WSAEWOULDBLOCK)
			e.Net.Sleep(10 * time.Minute)
			Equal(e, "SYNs", e.times("a", start, has(trace.SYN)),
				"0.000 1.000 3.000 7.000 15.000 31.000 63.000 123.000 183.000 243.000 303.000 363.000 423.000 483.000 543.000")
			w.Discard()
			p := w.Listen(80)
			p.Accept("mss 1000,wscale 5") // the next SYN is answered
			_, err := e.P.Send(s, []byte("late"), 0)
			e.Code("Send", err, 0)
			p.Expect("[P.] seq 1:5 ack 1")
			p.Send("[R] seq 1")
		})
		e.Notef("a SYN each minute for ten minutes; the answer to the next one connects")
	}},
	{ID: "NB-1", Title: "a SYN that is sent again connects", Source: "API-connect", Run: func(e *Env) {
		w := e.Wire()
		p := w.Listen(80)
		e.Do(func() {
			s := e.Stream()
			done := e.Go("connect", func() { e.Code("Connect", e.P.Connect(s, e.Addr(9, 80)), 0) })
			first, err := p.Receive(time.Second)
			e.Check(err == nil, "no SYN: %v", err)
			again, err := p.Receive(2 * time.Second)
			e.Check(err == nil, "no second SYN: %v", err)
			e.summed(again.Packet)
			Equal(e, "the second SYN", fmt.Sprint(again.Seq, again.Flags, again.Window, again.Options),
				fmt.Sprint(first.Seq, first.Flags, first.Window, first.Options))
			p.Send("[S.] <mss 1000>")
			p.Expect("[.] seq 1 ack 1")
			done.Wait()
			p.ExpectSilence(time.Minute)
			e.Code("CloseSocket", e.P.CloseSocket(s), 0)
			p.Expect("[F.] seq 1 ack 1")
			p.Send("[R.] seq 1 ack 2")
		})
		e.Notef("the same SYN at 1 s; its answer completes the handshake, and nothing follows")
	}},
	{ID: "NB-3", Title: "TCP_ICMP_ERROR_INFO", Source: "W-TCP", Run: func(e *Env) {
		w := e.Wire()
		w.Listen(80)
		info := func(s wsa.SOCKET) (wsa.ICMPErrorInfo, int32) {
			b, n := make([]byte, wsa.SizeofICMPErrorInfo), int32(wsa.SizeofICMPErrorInfo)
			e.Code("TCP_ICMP_ERROR_INFO", e.P.GetSockOpt(s, wsa.IPPROTO_TCP, wsa.TCP_ICMP_ERROR_INFO, b, &n), 0)
			if n == 0 {
				return wsa.ICMPErrorInfo{}, 0
			}
			i, _ := wsa.ParseICMPErrorInfo(b)
			return i, n
		}
		e.Do(func() {
			s := e.Stream()
			n := int32(wsa.SizeofICMPErrorInfo)
			e.Code("without the option", e.P.GetSockOpt(s, wsa.IPPROTO_TCP, wsa.TCP_ICMP_ERROR_INFO, make([]byte, n), &n), wsa.WSAEINVAL)
			e.Set(e.P, s, wsa.IPPROTO_TCP, wsa.TCP_FAIL_CONNECT_ON_ICMP_ERROR, 1)
			n = wsa.SizeofICMPErrorInfo - 1
			e.Code("short", e.P.GetSockOpt(s, wsa.IPPROTO_TCP, wsa.TCP_ICMP_ERROR_INFO, make([]byte, n), &n), wsa.WSAEFAULT)
			_, n = info(s)
			Equal(e, "*optlen before a connect", n, 0)
			for _, m := range []message{e.hostUnreachable(), e.hopsExceeded()} {
				done := e.Go("answer", func() {
					syn, err := w.Receive(time.Second)
					e.Check(err == nil, "no SYN: %v", err)
					w.Inject(e.icmpError(m, syn.Data))
				})
				e.Code("Connect", e.P.Connect(s, e.Addr(9, 80)), wsa.WSAEHOSTUNREACH)
				done.Wait()
				got, n := info(s)
				Equal(e, "*optlen", n, wsa.SizeofICMPErrorInfo)
				Equal(e, "info", fmt.Sprint(got.Source, got.Type, got.Code), fmt.Sprint(e.Addr(9, 0), m.kind, m.code))
				_, again := info(s)
				Equal(e, "*optlen again", again, n)
			}
			e.Set(e.P, s, wsa.IPPROTO_TCP, wsa.TCP_MAXRT, 1)
			e.Code("Connect", e.P.Connect(s, e.Addr(9, 80)), wsa.WSAETIMEDOUT)
			_, n = info(s)
			Equal(e, "*optlen after another failure", n, 0)
		})
		e.Notef("source, type and code of unreachable and of time exceeded; kept until the next connect")
	}},
}

// synAck offers everything and returns the answer, whose checksum is right.
func (e *Env) synAck(p *simnet.Peer) *simnet.Arrival {
	p.Send("[S] <mss 1000,sackOK,ts 7 0,wscale 2>")
	got, err := p.Receive(time.Second)
	e.Check(err == nil && got.Flags == trace.SYN|trace.ACK, "no SYN-ACK: %v", err)
	e.summed(got.Packet)
	return got
}

var synOptionScenarios = []Scenario{
	{ID: "IN-4", Title: "timestamps of the listener at the SYN", Source: "W-TCP", Run: func(e *Env) {
		w := e.Wire()
		l := e.Listener(e.P, 80)
		e.Do(func() {
			for i, on := range []uint32{0, 1, 0} {
				e.Set(e.P, l, wsa.IPPROTO_TCP, wsa.TCP_TIMESTAMPS, on)
				p := w.Connect(e.Addr(1, 80).String())
				syn := e.synAck(p)
				Equal(e, fmt.Sprint("timestamps in SYN-ACK ", i), syn.Options.Timestamps, on != 0)
				e.Check(syn.Options.SACKOK && syn.Options.MSS > 0 && syn.Options.WS >= 0, "lost other options: %+v", syn.Options)
				e.Set(e.P, l, wsa.IPPROTO_TCP, wsa.TCP_TIMESTAMPS, 1-on) // too late for this one
				ts := map[uint32]string{0: "", 1: " <ts 8 1>"}[on]
				p.Send("[.]" + ts)
				s, _, err := e.P.Accept(l)
				e.Code("Accept", err, 0)
				Equal(e, "TCP_TIMESTAMPS, as of accept", e.Get(e.P, s, wsa.IPPROTO_TCP, wsa.TCP_TIMESTAMPS), 1-on)
				_, err = e.P.Send(s, []byte("abc"), 0)
				e.Code("Send", err, 0)
				got, err := p.Receive(time.Second)
				e.Check(err == nil && got.Len == 3, "no data: %v", err)
				Equal(e, "timestamps in the data", got.Options.Timestamps, on != 0)
				e.summed(got.Packet)
				p.Send("[R] seq 1 ack 4" + ts)
			}
		})
		e.Notef("off: the SYN-ACK has none; on: it has; each connection keeps what its SYN settled")
	}},
	{ID: "IN-4", Title: "timestamps of a connect", Source: "W-TCP", Run: func(e *Env) {
		w := e.Wire()
		e.Do(func() {
			for i, c := range []struct {
				before, after uint32
				answer        string
				want          bool // in data
			}{
				{0, 0, "mss 1000,sackOK", false},
				{0, 1, "mss 1000,sackOK", false}, // stored only
				{0, 0, "mss 1000,sackOK,ts 7 0", false},
				{1, 1, "mss 1000,sackOK,ts 7 1", true},
				{1, 1, "mss 1000", false},
			} {
				port := uint16(80 + i)
				p := w.Listen(port)
				s := e.Stream()
				e.Set(e.P, s, wsa.IPPROTO_TCP, wsa.TCP_TIMESTAMPS, c.before)
				e.Nonblocking(e.P, s, true)
				e.Code("Connect", e.P.Connect(s, e.Addr(9, port)), wsa.WSAEWOULDBLOCK)
				e.Set(e.P, s, wsa.IPPROTO_TCP, wsa.TCP_TIMESTAMPS, c.after)
				syn, err := p.Receive(time.Second)
				e.Check(err == nil, "no SYN: %v", err)
				e.summed(syn.Packet)
				Equal(e, fmt.Sprint("timestamps in SYN ", i), syn.Options.Timestamps, c.before != 0)
				p.Send("[S.] <" + c.answer + ">")
				ack, err := p.Receive(time.Second)
				e.Check(err == nil, "no ACK: %v", err)
				Equal(e, "timestamps in the ACK", ack.Options.Timestamps, c.want)
				_, err = e.P.Send(s, []byte("abc"), 0)
				e.Code("Send", err, 0)
				got, err := p.Receive(time.Second)
				e.Check(err == nil, "no data: %v", err)
				Equal(e, fmt.Sprint("timestamps in data ", i), got.Options.Timestamps, c.want)
				Equal(e, "TCP_TIMESTAMPS", e.Get(e.P, s, wsa.IPPROTO_TCP, wsa.TCP_TIMESTAMPS), c.after)
				p.Send("[R] seq 1 ack 4" + map[bool]string{true: " <ts 8 1>"}[c.want])
			}
		})
		e.Notef("the SYN has the option only when it was set before; a peer that answers one that wasn't offered is not believed")
	}},
	{ID: "IN-4", Title: "timestamps between two hosts and on the loopback", Source: "W-TCP", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			for _, own := range []bool{false, true} {
				p, to := e.Q, e.Addr(2, 80)
				if own {
					p, to = e.P, e.Addr(1, 80)
				}
				l := e.Listener(p, 80)
				for _, on := range []uint32{0, 1} {
					e.Set(p, l, wsa.IPPROTO_TCP, wsa.TCP_TIMESTAMPS, on)
					c := e.Stream()
					e.Set(e.P, c, wsa.IPPROTO_TCP, wsa.TCP_TIMESTAMPS, 1)
					e.Code("Connect", e.P.Connect(c, to), 0)
					s, _, err := p.Accept(l)
					e.Code("Accept", err, 0)
					e.Go("send", func() {
						_, err := e.P.Send(c, make([]byte, 100000), 0)
						e.Code("Send", err, 0)
					})
					n, err := p.Recv(s, make([]byte, 100000), wsa.MSG_WAITALL)
					e.Code("Recv", err, 0)
					Equal(e, "bytes", n, 100000)
					info := e.tcpInfo(e.P, c, 0)
					Equal(e, "TimestampsEnabled", uint32(info.TimestampsEnabled), on)
				}
			}
		})
		with := e.Count("a", func(l simnet.Line) bool { return data(l) && l.Segment.Options.Timestamps })
		without := e.Count("a", func(l simnet.Line) bool { return data(l) && !l.Segment.Options.Timestamps })
		e.Check(with > 0 && without > 0, "%d segments with timestamps, %d without", with, without)
		e.Notef("a listener without the option refuses what a client offers, over the link and the loopback")
	}},
}

// cutOff connects A and B, cuts the link, and sends a byte.
func (e *Env) cutOff(limit uint32, fn func(s wsa.SOCKET, link *simnet.Link, start time.Duration)) {
	link := e.Pair()
	e.Do(func() {
		c, _ := e.Connected()
		e.Net.Sleep(time.Second)
		e.Set(e.P, c, wsa.IPPROTO_TCP, wsa.TCP_MAXRTMS, limit)
		link.Partition()
		_, err := e.P.Send(c, []byte("x"), 0)
		e.Code("Send", err, 0)
		fn(c, link, e.Net.Now())
	})
}

var maxRetransmitScenarios = []Scenario{
	{ID: "RS-2", Title: "TCP_MAXRT bounds unanswered data", Source: "W-TCP", Run: func(e *Env) {
		e.cutOff(5250, func(s wsa.SOCKET, _ *simnet.Link, start time.Duration) {
			_, err := e.P.Recv(s, make([]byte, 1), 0)
			e.Code("the blocked Recv", err, wsa.WSAECONNABORTED)
			Equal(e, "time", (e.Net.Now() - start).Round(time.Millisecond), 5250*time.Millisecond)
			_, err = e.P.Send(s, []byte("x"), 0)
			e.Code("Send", err, wsa.WSAECONNABORTED)
			Equal(e, "SO_ERROR", wsa.Errno(e.Get(e.P, s, wsa.SOL_SOCKET, wsa.SO_ERROR)), wsa.WSAECONNABORTED)
			Equal(e, "RST", e.times("a", start, has(trace.RST)), "5.250")
		})
		e.Notef("dropped at 5.250 s, between two retransmissions: WSAECONNABORTED")
	}},
	{ID: "RS-2", Title: "progress restarts TCP_MAXRT", Source: "W-TCP", Run: func(e *Env) {
		e.played(func(s wsa.SOCKET, p *simnet.Peer) {
			e.Set(e.P, s, wsa.IPPROTO_TCP, wsa.TCP_MAXRT, 3)
			e.send(s, 3000)
			start := e.Start()
			for i := range 3 { // one segment every two seconds
				e.Net.Sleep(2 * time.Second)
				p.Send(fmt.Sprintf("[.] ack %d", 1000*i+1001))
			}
			e.Net.Sleep(time.Minute) // nothing is outstanding
			e.send(s, 1)
			sent := e.Net.Now()
			_, err := e.P.Recv(s, make([]byte, 1), 0)
			e.Code("Recv", err, wsa.WSAECONNABORTED)
			Equal(e, "dropped after", (e.Net.Now() - sent).Round(time.Millisecond), 3*time.Second)
			e.Check(e.Net.Now()-start > time.Minute, "dropped early")
		})
		e.Notef("3 s after the last progress, however long that went on, and never while nothing waits")
	}},
	{ID: "RS-2", Title: "TCP_MAXRT and a zero window", Source: "RFC 9293 3.8.6.1", Run: func(e *Env) {
		e.played(func(s wsa.SOCKET, p *simnet.Peer) {
			e.Set(e.P, s, wsa.IPPROTO_TCP, wsa.TCP_MAXRT, 3)
			e.send(s, 1000)
			p.Send("[.] ack 1001 win 0")
			e.Net.Sleep(time.Millisecond)
			e.send(s, 1000)
			from := e.Net.Now()
			for range 12 { // the peer answers probes
				_, err := p.Receive(2 * time.Minute)
				e.Check(err == nil, "no probe: %v", err)
				p.Send("[.] ack 1001 win 0")
			}
			e.Check(e.Net.Now()-from > time.Minute, "%v", e.Net.Now()-from)
			Equal(e, "SO_ERROR", e.Get(e.P, s, wsa.SOL_SOCKET, wsa.SO_ERROR), 0)
			probe, err := p.Receive(2 * time.Minute) // and then no longer
			e.Check(err == nil, "no probe: %v", err)
			_, err = e.P.Recv(s, make([]byte, 1), 0)
			e.Code("Recv", err, wsa.WSAECONNABORTED)
			Equal(e, "dropped after", (e.Net.Now() - probe.At).Round(time.Millisecond), 3*time.Second)
		})
		e.Notef("a peer that answers probes is kept, one that stops is dropped after 3 s")
	}},
	{ID: "RS-2", Title: "TCP_MAXRT -1", Source: "W-TCP", Run: func(e *Env) {
		e.cutOff(0xFFFFFFFF, func(s wsa.SOCKET, link *simnet.Link, start time.Duration) {
			e.Net.Sleep(time.Hour)
			Equal(e, "SO_ERROR", e.Get(e.P, s, wsa.SOL_SOCKET, wsa.SO_ERROR), 0)
			at := strings.Fields(e.times("a", start, data))
			e.Check(len(at) > 55, "%d transmissions in an hour", len(at))
			link.Heal()
			e.Net.Sleep(time.Minute)
			Equal(e, "bytes unacknowledged", e.tcpInfo(e.P, s, 0).BytesInFlight, 0)
			e.Notef("%d transmissions in an hour, then the peer is back", len(at))
		})
	}},
	{ID: "RS-2", Title: "the retransmission limit", Source: "RFC 1122 4.2.3.5", Run: func(e *Env) {
		e.cutOff(0, func(s wsa.SOCKET, _ *simnet.Link, start time.Duration) {
			_, err := e.P.Recv(s, make([]byte, 1), 0)
			e.Code("Recv", err, wsa.WSAECONNABORTED)
			Equal(e, "transmissions", len(strings.Fields(e.times("a", start, data))), 16)
			e.Notef("WSAECONNABORTED %s after the first of 16 transmissions", seconds(e.Net.Now()-start))
		})
	}},
	{ID: "RS-2", Title: "progress restarts the retransmission limit", Source: "RFC 1122 4.2.3.5", Run: func(e *Env) {
		e.cutOff(0, func(s wsa.SOCKET, link *simnet.Link, start time.Duration) {
			for len(strings.Fields(e.times("a", start, data))) < 15 {
				e.Net.Sleep(time.Second)
			}
			link.Heal() // the last one arrives
			e.Net.Sleep(2 * time.Minute)
			Equal(e, "transmissions", len(strings.Fields(e.times("a", start, data))), 16)
			link.Partition()
			_, err := e.P.Send(s, []byte("y"), 0)
			e.Code("Send", err, 0)
			e.Net.Sleep(10 * time.Second)
			link.Heal()
			e.Net.Sleep(time.Minute)
			Equal(e, "SO_ERROR", e.Get(e.P, s, wsa.SOL_SOCKET, wsa.SO_ERROR), 0)
			Equal(e, "bytes unacknowledged", e.tcpInfo(e.P, s, 0).BytesInFlight, 0)
		})
		e.Notef("a connection that was about to be given up lives on")
	}},
}

// tcpInfo is SIO_TCP_INFO.
func (e *Env) tcpInfo(p interface {
	Ioctl(wsa.SOCKET, uint32, []byte, []byte) (int, error)
}, s wsa.SOCKET, version uint32) wsa.TCPInfo {
	out := make([]byte, wsa.TCPInfoSize(version))
	n, err := p.Ioctl(s, wsa.SIO_TCP_INFO, []byte{byte(version), 0, 0, 0}, out)
	e.Code("SIO_TCP_INFO", err, 0)
	Equal(e, "bytes", n, len(out))
	info, _ := wsa.ParseTCPInfo(out, version)
	return info
}
