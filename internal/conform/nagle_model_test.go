package conform

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/wsstack/wsstack/wsa"
)

// nagleModel is a small model of RFC 896 and RFC 1122 §4.2.3.4 for a peer whose
// largest window is much more than two segments, so that "half of the largest
// window" is never less than a segment.
type nagleModel struct {
	queued, una, nxt, edge int
	nodelay                bool
	sent                   []int
}

const modelMSS = 1000

// run sends what the rules permit.
func (m *nagleModel) run() {
	for m.queued > 0 {
		usable, inFlight := m.edge-m.nxt, m.nxt-m.una
		n := 0
		switch {
		case m.queued >= modelMSS && usable >= modelMSS:
			n = modelMSS
		case m.queued < modelMSS && m.queued <= usable && (m.nodelay || inFlight == 0):
			n = m.queued
		}
		if n == 0 {
			return
		}
		m.sent = append(m.sent, n)
		m.queued, m.nxt = m.queued-n, m.nxt+n
	}
}

// override is the timer of silly-window avoidance.
func (m *nagleModel) override() {
	if usable := m.edge - m.nxt; m.una == m.nxt && m.queued > usable && usable > 0 {
		m.sent = append(m.sent, usable)
		m.queued, m.nxt = m.queued-usable, m.nxt+usable
	}
}

// For random writes, acknowledgements, windows and changes of TCP_NODELAY, the
// segments are those of the model.
func TestSegmentsEqualTheModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		steps := rapid.SliceOfN(rapid.Custom(drawStep), 1, 40).Draw(t, "steps")
		late := rapid.Bool().Draw(t, "override at the end")
		r := Run(Case{Scenario: Scenario{ID: "NG-9", Title: "model", Run: func(e *Env) { playModel(e, steps, late) }}, Family: "IPv4"}, 1, nil)
		if !r.Passed() {
			t.Fatalf("%s\n%s", r.Failure, r.Trace)
		}
	})
}

// A step of the play.
type step struct {
	kind string // write, ack, nodelay
	n    int    // bytes written; or how many of the segments in flight are acknowledged, in thousandths
	open int    // by how much the right edge moves
}

func drawStep(t *rapid.T) step {
	s := step{kind: rapid.SampledFrom([]string{"write", "write", "ack", "ack", "nodelay"}).Draw(t, "kind")}
	switch s.kind {
	case "write":
		s.n = rapid.OneOf(rapid.IntRange(1, 999), rapid.IntRange(1, 3500), rapid.SampledFrom([]int{1000, 2000})).Draw(t, "bytes")
	case "ack":
		s.n = rapid.SampledFrom([]int{0, 300, 700, 1000, 1000, 1000}).Draw(t, "part")
		s.open = rapid.SampledFrom([]int{0, 0, 1, 100, 500, 999, 1000, 1500, 3000, 9000}).Draw(t, "opening")
	}
	return s
}

func playModel(e *Env, steps []step, late bool) {
	p := e.Wire().Listen(80)
	m := &nagleModel{edge: 4000}
	e.Do(func() {
		s := e.stream()
		s.meetsWith(p, "[S.] win 65535 <mss 1000>") // the largest
		p.Send("[.] ack 1 win 4000")
		e.Net.Sleep(time.Millisecond)
		acked, duplicates := 0, 0 // of m.sent; acknowledgements since the last that said anything new
		for i, st := range steps {
			switch st.kind {
			case "write":
				if m.nxt-m.una+m.queued > 6000 || len(m.sent)-acked > 6 {
					continue // the congestion window isn't part of the model
				}
				if m.una == m.nxt && m.edge == m.nxt && m.queued > 0 && m.queued < modelMSS {
					continue // what netstack probes a closed window with stays a segment of its own
				}
				s.send(st.n)
				m.queued += st.n
			case "nodelay":
				m.nodelay = !m.nodelay
				s.set(wsa.IPPROTO_TCP, wsa.TCP_NODELAY, map[bool]uint32{true: 1}[m.nodelay])
			case "ack":
				n := (len(m.sent) - acked) * st.n / 1000
				switch {
				case n > 0 || m.una == m.nxt:
					duplicates = 0
				case st.open == 0 && duplicates == 2:
					continue // fast retransmit isn't part of the model, either (RFC 5681 §3.2)
				case st.open == 0:
					duplicates++
				}
				for ; n > 0; n-- {
					m.una += m.sent[acked]
					acked++
				}
				m.edge += st.open
				p.Send(fmt.Sprintf("[.] ack %d win %d", m.una+1, m.edge-m.una))
			}
			m.run()
			e.Net.Sleep(time.Millisecond)
			compare(e, m, fmt.Sprintf("after step %d, %+v", i, st))
		}
		if late && m.una == m.nxt {
			e.Net.Sleep(sillyWait)
			m.override()
			compare(e, m, "after the override timer")
		}
		s.linger(0)
		s.close()
	})
	e.Notef("the model agrees")
}

// sillyWait is longer than the override timer and shorter than netstack's
// shortest time-out.
const sillyWait = 170 * time.Millisecond

// compare wants the new data of A in the segments of the model.
func compare(e *Env, m *nagleModel, when string) {
	next := uint32(1)
	var got, want []string
	for _, l := range e.Segments("a") {
		if data(l) && l.Segment.Seq == next { // neither a retransmission nor a probe
			got = append(got, fmt.Sprint(l.Segment.Len))
			next += uint32(l.Segment.Len)
		}
	}
	for _, n := range m.sent {
		want = append(want, fmt.Sprint(n))
	}
	Equal(e, when, strings.Join(got, " "), strings.Join(want, " "))
}
