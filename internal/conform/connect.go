package conform

import (
	"fmt"
	"time"

	"github.com/wsstack/wsstack/internal/trace"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

// initialRTO is SIO_TCP_INITIAL_RTO.
func (h handle) initialRTO(rtt uint16, most uint8) {
	h.ioctl(wsa.SIO_TCP_INITIAL_RTO, wsa.TCPInitialRTOParameters{Rtt: rtt, MaxSynRetransmissions: most}.Append(nil), nil)
}

// unanswered connects to nobody, and compares when the SYNs left and the
// attempt failed, in seconds.
func (h handle) unanswered(want string, fails float64) {
	e := h.e
	start := e.Start()
	h.connect(e.Addr(9, 80), wsa.WSAETIMEDOUT)
	Equal(e, "failed at", fmt.Sprintf("%.3f", (e.Net.Now()-start).Seconds()), fmt.Sprintf("%.3f", fails))
	Equal(e, "SYNs", e.times("a", start, has(trace.SYN)), want)
}

// connectScenarios are NB-1 and NB-2: the schedule of SYNs, and a refusal.
var connectScenarios = []Scenario{
	{ID: "NB-1", Title: "SYN schedule", Source: "API-connect, OBS, C-160", Run: func(e *Env) {
		e.Wire()
		e.Do(func() {
			for range 2 { // the socket may try again
				s := e.stream()
				start := e.Start()
				s.connect(e.Addr(9, 80), wsa.WSAETIMEDOUT)
				e.took("time", start, inEach(e, 21*time.Second, 7*time.Second, 21*time.Second))
				var at []string
				for _, l := range e.Segments("a") {
					if l.At >= start {
						at = append(at, (l.At - start).Round(time.Millisecond).String())
					}
				}
				Equal(e, "SYNs", fmt.Sprint(at), inEach(e, "[0s 1s 3s 7s 15s]", "[0s 1s 3s]", "[0s 3s 9s]"))
			}
			s := e.stream()
			s.set(wsa.IPPROTO_TCP, wsa.TCP_NOSYNRETRIES, 1)
			start := e.Start()
			s.connect(e.Addr(9, 80), wsa.WSAETIMEDOUT)
			e.took("time without retries", start, legacyOr(e, 3*time.Second, time.Second))
		})
		e.Notef("SYNs at %s, with TCP_NOSYNRETRIES at 1 s", inEach(e, "0, 1, 3, 7 and 15 s, WSAETIMEDOUT at 21 s",
			"0, 1 and 3 s, WSAETIMEDOUT at 7 s", "0, 3 and 9 s, WSAETIMEDOUT at 21 s"))
	}},
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
				{wsa.TCP_INITIAL_RTO_DEFAULT_RTT, wsa.TCP_INITIAL_RTO_NO_SYN_RETRANSMISSIONS, "0.000", legacyOr(e, 3.0, 1)},
				{wsa.TCP_INITIAL_RTO_UNSPECIFIED_RTT, 1, legacyOr(e, "0.000 3.000", "0.000 1.000"), legacyOr(e, 9.0, 3)},
				{200, wsa.TCP_INITIAL_RTO_UNSPECIFIED_MAX_SYN_RETRANSMISSIONS,
					byProfile(e, "0.000 0.200 0.600 1.400 3.000", "0.000 0.200 0.600"), byProfile(e, 6.2, 1.4)},
				{40000, 2, "0.000 40.000 100.000", 160}, // netstack gives up after 127 s
			} {
				s := e.stream()
				s.initialRTO(c.rtt, c.most)
				s.unanswered(c.want, c.fails)
			}
		})
		e.Notef("500 ms and 2: SYNs at 0, 0.5, 1.5 s, WSAETIMEDOUT at 3.5 s; 40 s and 2: at 0, 40, 100 s, 160 s")
	}},
	{ID: "NB-1", Title: "TCP_MAXRT bounds the connect", Source: "W-TCP", Run: func(e *Env) {
		e.Wire()
		e.Do(func() {
			s := e.stream()
			s.set(wsa.IPPROTO_TCP, wsa.TCP_MAXRT, 5)
			s.unanswered(legacyOr(e, "0.000 3.000", "0.000 1.000 3.000"), 5)
			s.set(wsa.IPPROTO_TCP, wsa.TCP_MAXRTMS, 2500) // the last writer wins
			s.unanswered(legacyOr(e, "0.000", "0.000 1.000"), 2.5)
			s.set(wsa.IPPROTO_TCP, wsa.TCP_MAXRT, 40)
			s.unanswered(legacyOr(e, "0.000 3.000 9.000 21.000", "0.000 1.000 3.000 7.000 15.000 31.000"), 40)
			s = e.stream() // set during the attempt
			s.nonblocking(true)
			s.connect(e.Addr(9, 80), wsa.WSAEWOULDBLOCK)
			start := e.Start()
			e.Net.Sleep(2 * time.Second)
			s.set(wsa.IPPROTO_TCP, wsa.TCP_MAXRT, 4)
			Equal(e, "failed", s.ready("x", -1), "x")
			e.took("time", start, 4*time.Second)
			Equal(e, "SO_ERROR", s.soError(), wsa.WSAETIMEDOUT)
		})
		e.Notef("5 s: SYNs at %s, WSAETIMEDOUT at 5.000 s; 2500 ms; 40 s; 4 s set after two", legacyOr(e, "0, 3 s", "0, 1, 3 s"))
	}},
	{ID: "NB-1", Title: "TCP_MAXRT -1 never gives up", Source: "W-TCP", Run: func(e *Env) {
		e.wired(func(w *simnet.Wire) {
			s := e.stream()
			s.set(wsa.IPPROTO_TCP, wsa.TCP_MAXRT, 0xFFFFFFFF)
			s.nonblocking(true)
			start := e.Start()
			s.connect(e.Addr(9, 80), wsa.WSAEWOULDBLOCK)
			e.Net.Sleep(10 * time.Minute)
			Equal(e, "SYNs", e.times("a", start, has(trace.SYN)), legacyOr(e,
				"0.000 3.000 9.000 21.000 45.000 93.000 153.000 213.000 273.000 333.000 393.000 453.000 513.000 573.000",
				"0.000 1.000 3.000 7.000 15.000 31.000 63.000 123.000 183.000 243.000 303.000 363.000 423.000 483.000 543.000"))
			w.Discard()
			p := w.Listen(80)
			p.Accept("mss 1000,wscale 5") // the next SYN is answered
			s.say("late")
			p.Expect("[P.] seq 1:5 ack 1")
			p.Send("[R] seq 1")
		})
		e.Notef("a SYN each minute for ten minutes; the answer to the next one connects")
	}},
	{ID: "NB-1", Title: "a SYN that is sent again connects", Source: "API-connect", Run: func(e *Env) {
		w := e.Wire()
		p := w.Listen(80)
		e.Do(func() {
			s := e.stream()
			done := e.Go("connect", func() { s.connect(e.Addr(9, 80)) })
			first, err := p.Receive(time.Second)
			e.Check(err == nil, "no SYN: %v", err)
			again, err := p.Receive(legacyOr(e, 3*time.Second, time.Second))
			e.Check(err == nil, "no second SYN: %v", err)
			e.summed(again.Packet)
			Equal(e, "the second SYN", fmt.Sprint(again.Seq, again.Flags, again.Window, again.Options),
				fmt.Sprint(first.Seq, first.Flags, first.Window, first.Options))
			p.Send("[S.] <mss 1000>")
			p.Expect("[.] seq 1 ack 1")
			done.Wait()
			p.ExpectSilence(time.Minute)
			s.close()
			p.Expect("[F.] seq 1 ack 1")
			p.Send("[R.] seq 1 ack 2")
		})
		e.Notef("the same SYN at %d s; its answer completes the handshake, and nothing follows", legacyOr(e, 3, 1))
	}},
	{ID: "NB-2", Title: "RST to a SYN", Source: "API-connect, C-161", Run: func(e *Env) {
		e.paired(func() {
			s := e.stream()
			start := e.Start()
			s.connect(e.Addr(2, 1), wsa.WSAECONNREFUSED)
			e.took("time", start, byProfile(e, 2*Delay, 1060*time.Millisecond))
		})
		Equal(e, "SYNs", e.times("a", 0, has(trace.SYN)), byProfile(e, "0.000", "0.000 0.520 1.040"))
		e.Notef("refused after %s", byProfile(e, "one round trip, which is permitted", "three SYNs, each 0.5 s after the RST to the one before"))
	}},
}
