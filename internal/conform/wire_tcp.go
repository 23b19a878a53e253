package conform

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/wsstack/wsstack/internal/trace"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

// wireTCPScenarios are WW-1 to WW-8: what TCP looks like from outside, to the probes of nmap's OS
// detection among others, whose names for them are SEQ, OPS, WIN, ECN and T1 to T7.
var wireTCPScenarios = []Scenario{
	{ID: "WW-1", Title: "options and window of a SYN", Source: "OBS, RFC 7323", Run: synLayout},
	{ID: "WW-2", Title: "options and window of a SYN-ACK", Source: "OBS", Run: synAckLayout},
	{ID: "WW-3", Title: "segments that begin no connection", Source: "OBS, RFC 9293 3.10.7.2", Run: oddSegments},
	{ID: "WW-4", Title: "initial sequence numbers", Source: "OBS, RFC 6528", Run: sequenceNumbers},
	{ID: "WW-5", Title: "delayed acknowledgements", Source: "OBS, RFC 1122 4.2.3.2", Run: delayedAcks},
	{ID: "WW-5", Title: "SIO_TCP_SET_ACK_FREQUENCY", Source: "API-WSAIoctl", Run: ackFrequency},
	{ID: "WW-6", Title: "schedule of SYNs", Source: "OBS, API-connect", Run: synSchedule},
	{ID: "WW-7", Title: "a RST for each SYN", Source: "OBS, API-connect", Run: refusedSyns},
	{ID: "WW-7", Title: "somebody listens by the second SYN", Source: "OBS", Profiles: measured,
		Why: "C-161: the documented profile sends none", Run: refusedAtFirst},
	{ID: "WW-8", Title: "what a keep-alive probe holds", Source: "OBS, RFC 1122 4.2.3.6", Run: func(e *Env) {
		e.played(func(s handle, p *simnet.Peer) {
			s.keepAlive(10*time.Second, time.Second, 3)
			for range 3 {
				probe, err := p.Receive(time.Minute)
				e.Check(err == nil, "no probe: %v", err)
				Equal(e, "probe", fmt.Sprint(probe.Flags, probe.Seq, probe.Ack, probe.Payload), byProfile(e, ". 0 1 []", ". 0 1 [0]"))
			}
			p.Send("[R] seq 1")
		})
		e.Notef("%s", byProfile(e, "nothing", "one octet, 0x00"))
	}},
}

// tcpHeader is the header of a segment in a packet.
func tcpHeader(packet []byte) header.TCP { return header.TCP(packet[trace.Parse(packet).Transport:]) }

// layout is the options of a segment as nmap writes them: M and the MSS in hexadecimal digits, N for
// a NOP, W and the scale, S for SACK-permitted, T and whether each timestamp is there.
func layout(packet []byte) string {
	var text strings.Builder
	h := tcpHeader(packet)
	for b := h[header.TCPMinimumSize:h.DataOffset()]; len(b) > 0; {
		if b[0] == header.TCPOptionNOP {
			text.WriteByte('N')
			b = b[1:]
			continue
		}
		switch kind, value := b[0], b[2:b[1]]; kind {
		case header.TCPOptionMSS:
			fmt.Fprintf(&text, "M%X", binary.BigEndian.Uint16(value))
		case header.TCPOptionWS:
			fmt.Fprintf(&text, "W%X", value[0])
		case header.TCPOptionSACKPermitted:
			text.WriteByte('S')
		case header.TCPOptionTS:
			fmt.Fprintf(&text, "T%d%d", min(1, binary.BigEndian.Uint32(value)), min(1, binary.BigEndian.Uint32(value[4:])))
		default:
			fmt.Fprintf(&text, "?%d", kind)
		}
		b = b[b[1]:]
	}
	return text.String()
}

// offers is a layout with the MSS and the window scale of A in the place of M and W.
func (e *Env) offers(layout string) string {
	return strings.NewReplacer("M", fmt.Sprintf("M%X", e.ownMSS()), "W", fmt.Sprintf("W%d", byProfile(e, 7, 8))).Replace(layout)
}

// synLayout is WW-1.
func synLayout(e *Env) {
	e.wired(func(w *simnet.Wire) {
		for i, want := range []string{"MNWNNS", "MNWST10"} {
			s := e.stream()
			s.set(wsa.IPPROTO_TCP, wsa.TCP_TIMESTAMPS, uint32(i))
			s.nonblocking(true)
			s.connect(e.Addr(9, 80), wsa.WSAEWOULDBLOCK)
			syn := e.received(w)
			Equal(e, "options", layout(syn), e.offers(want))
			window := byProfile(e, 65535, 45*e.ownMSS()) // the MSS of IPv6 is 1,440
			if e.Family == wsa.AF_INET {
				window = byProfile(e, 65535, 44*e.ownMSS())
			}
			Equal(e, "window", int(tcpHeader(syn).WindowSize()), window)
			e.Notef("%s, window %d", layout(syn), window)
			s.close()
		}
	})
}

// A synProbe is a SYN of nmap, and the answer to it: the options without and with timestamps, and
// whether the window is that of a peer that doesn't scale.
type synProbe struct {
	syn           string
	plain, stamps string
	unscaled      bool
}

// synProbes are the SYNs of nmap's tests SEQ, OPS and WIN, and of ECN.
var synProbes = []synProbe{
	{"[S] win 1 <wscale 10,mss 1460,ts 4294967295 0,sackOK>", "MNWNNS", "MNWST11", false},
	{"[S] win 63 <mss 1400,wscale 0,sackOK,ts 4294967295 0>", "MNWNNS", "MNWST11", false},
	{"[S] win 4 <ts 4294967295 0,wscale 5,mss 640>", "MNW", "MNWNNT11", false},
	{"[S] win 4 <sackOK,ts 4294967295 0,wscale 10>", "MNWNNS", "MNWST11", false},
	{"[S] win 16 <mss 536,sackOK,ts 4294967295 0,wscale 10>", "MNWNNS", "MNWST11", false},
	{"[S] win 512 <mss 265,sackOK,ts 4294967295 0>", "MNNS", "MST11", true},
	{"[SEW] win 3 <wscale 10,mss 1460,sackOK>", "MNWNNS", "MNWNNS", false},
}

// synAckLayout is WW-2.
func synAckLayout(e *Env) {
	const segment, stamped = 65535 / 536 * 536, 65535 / 524 * 524 // the least segment of a peer
	e.wired(func(w *simnet.Wire) {
		for _, stamps := range bools {
			port := uint16(80)
			l := e.stream()
			if stamps {
				port++
				l.set(wsa.IPPROTO_TCP, wsa.TCP_TIMESTAMPS, 1)
			}
			l.bind(e.Any(port))
			l.listen(5)
			for i, probe := range synProbes {
				want, window := probe.plain, 65535
				if stamps {
					want = probe.stamps
				}
				if probe.unscaled && stamps {
					window = byProfile(e, 65535, stamped)
				} else if probe.unscaled {
					window = byProfile(e, 65535, segment)
				}
				w.Connect(e.Addr(1, port).String()).Send(probe.syn)
				answer := e.received(w)
				Equal(e, fmt.Sprintf("options for probe %d", i+1), layout(answer), e.offers(want))
				Equal(e, fmt.Sprintf("window for probe %d", i+1), int(tcpHeader(answer).WindowSize()), window)
				Equal(e, "flags, without ECN", trace.Parse(answer).Segment.Flags.String(), "S.")
			}
		}
	})
	e.Notef("window 65535, of %d to a peer without a scale; ECN is refused", byProfile(e, 65535, segment))
}

// oddSegments is WW-3.
func oddSegments(e *Env) {
	const (
		seq, ack = 1_000_000_000, 2_000_000_000
	)
	behind := func(n int) string { return fmt.Sprint("R. seq 0 ack ", seq+n) }
	reset := fmt.Sprint("R seq ", ack, " ack ", byProfile(e, 0, ack))
	e.wired(func(w *simnet.Wire) {
		e.listener(e.P, 80)
		from := uint16(4000)
		for _, t := range []struct {
			name  string
			port  uint16
			flags header.TCPFlags
			want  string // flags and numbers of the answer; none: there is none
		}{
			{"T2", 80, 0, byProfile(e, "", behind(0))},
			{"T3", 80, header.TCPFlagSyn | header.TCPFlagFin | header.TCPFlagUrg | header.TCPFlagPsh, byProfile(e, "S.", behind(2))},
			{"T4", 80, header.TCPFlagAck, reset},
			{"FIN", 80, header.TCPFlagFin, byProfile(e, "", behind(1))},
			{"T5", 81, header.TCPFlagSyn, behind(1)},
			{"T6", 81, header.TCPFlagAck, reset},
			{"T7", 81, header.TCPFlagFin | header.TCPFlagPsh | header.TCPFlagUrg, behind(1)},
			{"a RST", 81, header.TCPFlagRst, ""},
		} {
			for _, numbers := range []uint32{0, 5} {
				from++
				e.probe(w, from, t.port, t.flags, seq+numbers, ack+numbers)
				if t.want == "" {
					Equal(e, "answers to "+t.name, w.Discard(), 0)
					continue
				}
				answer := e.received(w)
				h := tcpHeader(answer)
				got := trace.Parse(answer).Segment.Flags.String()
				if got != "S." {
					got = fmt.Sprintf("%s seq %d ack %d", got, less(h.SequenceNumber(), numbers), less(h.AckNumber(), numbers))
					Equal(e, "window of the RST", h.WindowSize(), 0)
					Equal(e, "options and data of the RST", len(h), header.TCPMinimumSize)
				}
				Equal(e, "answer to "+t.name, got, t.want)
			}
		}
	})
	e.Notef("%s", byProfile(e, "a listener drops what has no SYN", "a listener answers as a closed port does"))
}

// less is n less than a number, unless that is 0.
func less(number, n uint32) uint32 {
	if number == 0 {
		return 0
	}
	return number - n
}

// probe sends a segment from a port of the hand to one of A, with numbers as they are on the wire,
// and lets the answer come.
func (e *Env) probe(w *simnet.Wire, from, to uint16, flags header.TCPFlags, seq, ack uint32) {
	h := header.TCP(make([]byte, header.TCPMinimumSize))
	h.Encode(&header.TCPFields{SrcPort: from, DstPort: to, SeqNum: seq, AckNum: ack,
		DataOffset: header.TCPMinimumSize, Flags: flags, WindowSize: 128})
	w.Inject(simnet.EncodeIP(e.Addr(9, 0).Addr(), e.Addr(1, 0).Addr(), 6, h))
	e.Net.Sleep(time.Millisecond)
}

// firstNumber is the initial sequence number of port 80 of A for a port of the hand's.
func (e *Env) firstNumber(w *simnet.Wire, from uint16) uint32 {
	e.probe(w, from, 80, header.TCPFlagSyn, 1000, 0)
	number := tcpHeader(e.received(w)).SequenceNumber()
	e.probe(w, from, 80, header.TCPFlagRst, 1001, 0)
	return number
}

// sequenceNumbers is WW-4. nmap sends six SYNs, each from a port of its own, 100 ms apart.
func sequenceNumbers(e *Env) {
	const scans, hour = 101, uint32(time.Hour / (4 * time.Microsecond))
	var rates, spreads []float64
	e.wired(func(w *simnet.Wire) {
		e.listener(e.P, 80)
		for scan := range uint16(scans) {
			var numbers [6]uint32
			for i := range numbers {
				numbers[i] = e.firstNumber(w, 5000+6*scan+uint16(i))
				e.Net.Sleep(98 * time.Millisecond)
			}
			rate, spread, divisor := isnFigures(numbers[:])
			e.Check(divisor <= 6, "GCD %d of %v", divisor, numbers)
			rates, spreads = append(rates, rate), append(spreads, spread)
		}
		first := e.firstNumber(w, 4000)
		e.Net.Sleep(time.Hour)
		growth := e.firstNumber(w, 4000) - first
		e.Check(growth-hour < 1000, "the numbers of a tuple grow by %d in an hour, want %d", growth, hour)
	})
	slices.Sort(rates)
	slices.Sort(spreads)
	rate, spread := int(rates[scans/2]), int(spreads[scans/2])
	// The entries for Windows 10 and Server 2016 have SP from 0xEF to 0x10C and ISR from 0xFC to 0x111.
	e.Check(rate > 0x102 && rate < 0x10C && spread > 0xFE && spread < 0x106, "ISR %X, SP %X", rate, spread)
	e.Notef("ISR %X, SP %X, a GCD of 6 at most; those of one tuple grow by one in 4 µs", rate, spread)
}

// isnFigures are nmap's ISR, SP and GCD for initial sequence numbers of times 100 ms apart: the
// binary logarithms, eight times, of how much the numbers change in a second, and of how much that
// differs, and the greatest common divisor of the changes.
func isnFigures(numbers []uint32) (isr, sp float64, divisor uint32) {
	var changes []float64
	sum := 0.0
	for i := range len(numbers) - 1 {
		change := min(numbers[i+1]-numbers[i], numbers[i]-numbers[i+1])
		for a := change; a != 0; {
			divisor, a = a, divisor%a
		}
		changes = append(changes, 10*float64(change))
		sum += 10 * float64(change)
	}
	mean, squares := sum/float64(len(changes)), 0.0
	for _, c := range changes {
		squares += (c - mean) * (c - mean)
	}
	return 8 * math.Log2(mean), 8 * math.Log2(math.Sqrt(squares/float64(len(changes)-1))), divisor
}

// delayedAcks is WW-5.
func delayedAcks(e *Env) {
	e.played(func(s handle, p *simnet.Peer) {
		e.Net.Sleep(time.Second) // behind the handshake
		sent := 1
		acknowledged := func(what string, sizes []int, want string) {
			start := e.Start()
			for _, n := range sizes {
				sent += n
				e.arrive(p, fmt.Sprintf("[P.] len %d", n))
			}
			e.Net.Sleep(time.Second)
			Equal(e, what, e.acks(start), want)
			lines := e.Segments("a")
			Equal(e, what+", acknowledged", int(lines[len(lines)-1].Segment.Ack), sent)
		}
		wait := inEach(e, 0, 0.04, 0.2)
		if wait == 0 {
			acknowledged("a segment", []int{10}, "0.000")
			acknowledged("three segments", []int{1000, 1000, 10}, "0.000 0.001 0.002")
		} else {
			acknowledged("a segment", []int{10}, fmt.Sprintf("%.3f", wait))
			acknowledged("two full segments", []int{1000, 1000}, "0.001")
			acknowledged("two small ones", []int{1, 1}, "0.001")
			acknowledged("three segments", []int{1000, 1000, 10}, fmt.Sprintf("0.001 %.3f", wait+0.002))
		}
		start := e.Start()
		e.arrive(p, "[P.] len 10")
		s.say("answer") // it takes the acknowledgement along
		p.Send("[.] ack 7")
		e.Net.Sleep(time.Second)
		Equal(e, "with data that leaves", e.acks(start), byProfile(e, "0.000 0.001", "0.001"))
		start = e.Start()
		e.arrive(p, fmt.Sprintf("[P.] seq %d:%d", sent+20, sent+30)) // out of order
		e.Net.Sleep(time.Second)
		Equal(e, "a gap", e.acks(start), "0.000")
		start = e.Start()
		e.arrive(p, fmt.Sprintf("[FP.] seq %d:%d", sent+10, sent+20))
		e.Net.Sleep(time.Second)
		Equal(e, "a FIN, and what fills the gap", e.acks(start), "0.000")
	})
	e.Notef("one segment is acknowledged after %v, the second one, a gap and a FIN at once", e.ackDelay())
}

// acks lists when A sent segments since a time, in seconds.
func (e *Env) acks(start time.Duration) string { return e.times("a", start, has(trace.ACK)) }

// ackFrequency is WW-5: SIO_TCP_SET_ACK_FREQUENCY.
func ackFrequency(e *Env) {
	e.played(func(s handle, p *simnet.Peer) {
		e.Net.Sleep(time.Second) // behind the handshake
		for _, c := range []struct {
			frequency byte
			want      string // for four segments, 1 ms apart, where acknowledgements wait
		}{{1, "0.000 0.001 0.002 0.003"}, {2, "0.001 0.003"}, {4, "0.003"}} {
			s.ioctl(wsa.SIO_TCP_SET_ACK_FREQUENCY, []byte{c.frequency}, nil)
			start := e.Start()
			for range 4 {
				e.arrive(p, "[P.] len 10")
			}
			e.Net.Sleep(time.Second)
			Equal(e, fmt.Sprintf("every %d", c.frequency), e.acks(start), byProfile(e, "0.000 0.001 0.002 0.003", c.want))
		}
	})
	e.Notef("%s", byProfile(e, "each segment is acknowledged at once, whatever the frequency", "1, 2 and 4 segments an acknowledgement"))
}

// synSchedule is WW-6.
func synSchedule(e *Env) {
	want := inEach(e, "0.000 1.000 3.000 7.000 15.000", "0.000 1.000 3.000", "0.000 3.000 9.000")
	fails := inEach(e, 21.0, 7, 21)
	e.wired(func(*simnet.Wire) {
		s := e.stream()
		for range 2 { // the socket may try again
			s.unanswered(want, fails)
		}
		s.initialRTO(500, wsa.TCP_INITIAL_RTO_DEFAULT_MAX_SYN_RETRANSMISSIONS)
		s.unanswered(byProfile(e, "0.000 0.500 1.500 3.500 7.500", "0.000 0.500 1.500"), byProfile(e, 15.5, 3.5))
		s.initialRTO(500, 1)
		s.unanswered("0.000 0.500", 1.5)
	})
	e.Notef("SYNs at %s s, WSAETIMEDOUT at %v s", want, fails)
}

// refusedSyns is WW-7.
func refusedSyns(e *Env) {
	want, code := byProfile(e, "0.000", "0.000 0.520 1.040"), wsa.WSAECONNREFUSED // 500 ms after each RST
	after := byProfile(e, 20*time.Millisecond, 1060*time.Millisecond)
	e.paired(func() {
		s := e.stream()
		for range 2 {
			start := e.Start()
			s.connect(e.Addr(2, 1), code)
			e.took("time", start, after)
			Equal(e, "SYNs", e.times("a", start, has(trace.SYN)), want)
		}
		s.set(wsa.IPPROTO_TCP, wsa.TCP_NOSYNRETRIES, 1)
		start := e.Start()
		s.connect(e.Addr(2, 1), code)
		e.took("time with TCP_NOSYNRETRIES", start, 2*Delay)
		start = e.Start()
		e.stream().connect(e.Addr(1, 1), code)
		e.took("time to an address of this host", start, 0)
	})
	e.Notef("SYNs at %s s, WSAECONNREFUSED at %s, at once from an address of this host", want, seconds(after))
}

// refusedAtFirst is WW-7: somebody listens by the second SYN.
func refusedAtFirst(e *Env) {
	e.paired(func() {
		s := e.stream()
		done := e.Go("listen", func() {
			e.Net.Sleep(100 * time.Millisecond)
			e.listener(e.Q, 80)
		})
		start := e.Start()
		s.connect(e.Addr(2, 80))
		e.took("time", start, 2*Delay+500*time.Millisecond+2*Delay)
		done.Wait()
	})
	e.Notef("the second SYN connects, at 0.540 s")
}
