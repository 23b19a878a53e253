package conform

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/provider"
	"github.com/wsstack/wsstack/wsa"
)

// An eventModel is what one end of a connection has of network events, told naively. As measured
// events are latches: what happens sets them, a call that takes data clears FD_READ, and
// WSAEnumNetworkEvents clears those of the mask. As documented each selection looks anew.
type eventModel struct {
	measured bool
	accepted bool

	mask, latched, enabled int32
	closeCode              wsa.Errno
	told                   bool // FD_CLOSE was enumerated
	queue                  int  // bytes that nobody has read
	fin, dead              bool
}

func newEventModel(measured, accepted bool) *eventModel {
	m := &eventModel{measured: measured, accepted: accepted}
	if measured {
		m.latched = m.levels()
	}
	return m
}

// levels are the events that hold, but for FD_CLOSE.
func (m *eventModel) levels() (events int32) {
	if m.dead {
		return 0
	}
	events = wsa.FD_WRITE
	if !m.accepted {
		events |= wsa.FD_CONNECT
	}
	if m.queue > 0 {
		events |= wsa.FD_READ
	}
	return events
}

// happens follows something that sets latches, or that as documented is looked at.
func (m *eventModel) happens(events int32, code wsa.Errno) {
	if m.measured {
		if m.told {
			events &^= wsa.FD_CLOSE
		}
		if m.latched |= events; events&wsa.FD_CLOSE != 0 {
			m.closeCode = code
		}
		return
	}
	hold := m.levels()
	if m.dead || m.fin && m.queue == 0 {
		hold |= wsa.FD_CLOSE
	}
	found := hold & m.enabled & m.mask
	if found&wsa.FD_CLOSE != 0 {
		m.closeCode = 0
		if m.dead {
			m.closeCode = wsa.WSAECONNRESET
		}
	}
	m.enabled &^= found
	m.latched |= found
}

func (m *eventModel) selects(mask int32) {
	if m.mask = mask; m.measured {
		return
	}
	m.latched, m.enabled = 0, everyEvent
	if m.told {
		m.enabled &^= wsa.FD_CLOSE
	}
	m.happens(0, 0)
}

func (m *eventModel) receives(n int) {
	m.queue -= min(n, m.queue)
	if m.measured {
		m.latched &^= wsa.FD_READ
		m.happens(m.levels()&wsa.FD_READ, 0)
		return
	}
	m.enabled |= wsa.FD_READ
	m.happens(0, 0)
}

func (m *eventModel) taken() string {
	m.happens(0, 0)
	n := provider.NetworkEvents{Events: m.latched & m.mask}
	m.latched &^= n.Events
	if n.Events&wsa.FD_CLOSE != 0 {
		m.told = true
		n.ErrorCode[wsa.FD_CLOSE_BIT] = m.closeCode
	}
	return eventsText(n)
}

// An eventStep is one thing that happens, with a mask or a number of bytes.
type eventStep struct {
	kind string
	n    int
}

func drawEventStep(t *rapid.T) eventStep {
	s := eventStep{kind: rapid.SampledFrom([]string{
		"select", "select", "enumerate", "enumerate", "enumerate", "data", "data", "recv", "recv", "peek", "send", "FIN", "reset",
	}).Draw(t, "kind")}
	switch s.kind {
	case "select":
		const of = wsa.FD_READ | wsa.FD_WRITE | wsa.FD_CONNECT | wsa.FD_CLOSE
		s.n = int(rapid.SampledFrom([]int32{
			0, wsa.FD_READ, wsa.FD_WRITE, wsa.FD_CONNECT, wsa.FD_CLOSE, of &^ wsa.FD_READ, of &^ wsa.FD_CLOSE, of, of, of,
		}).Draw(t, "mask"))
	case "data", "recv", "peek":
		s.n = rapid.IntRange(1, 3).Draw(t, "bytes")
	case "FIN", "reset":
		if rapid.IntRange(0, 3).Draw(t, "rarely") > 0 {
			s.kind = "enumerate"
		}
	}
	return s
}

// For random selections, data, receives and ends, the events are those of the model, in both readings,
// on both ends of a connection.
func TestEventsEqualTheModel(t *testing.T) {
	for _, profile := range []options.Profile{options.Documented, options.Windows} {
		rapid.Check(t, func(t *rapid.T) {
			steps := rapid.SliceOfN(rapid.Custom(drawEventStep), 1, 30).Draw(t, "steps")
			checkEvents(t, profile, steps, rapid.Bool().Draw(t, "accepted"))
		})
	}
}

// A receive takes back FD_READ of the data that a reset has destroyed, also where nothing has been
// selected so far.
func TestEventsEqualTheModel_ReceiveAfterReset(t *testing.T) {
	for _, profile := range []options.Profile{options.Documented, options.Windows} {
		checkEvents(t, profile, []eventStep{{"data", 1}, {"reset", 0}, {"recv", 1}, {"select", wsa.FD_READ}, {"enumerate", 0}}, false)
	}
}

func checkEvents(t rapid.TB, profile options.Profile, steps []eventStep, accepted bool) {
	r := Run(Case{
		Scenario: Scenario{ID: "WE-1", Title: "model", Run: func(e *Env) { playEvents(e, steps, accepted) }},
		Family:   "IPv4", Profile: profile,
	}, 1, nil)
	if !r.Passed() {
		t.Fatalf("%s\n%s", r.Failure, r.Trace)
	}
}

func playEvents(e *Env, steps []eventStep, accepted bool) {
	e.paired(func() {
		s, peer := e.connection()
		if accepted {
			s, peer = peer, s
		}
		s.nonblocking(true)
		m := newEventModel(e.Profile != options.Documented, accepted)
		for i, st := range steps {
			e.eventStep(s, peer, m, st, fmt.Sprintf("step %d, %v", i, st))
		}
	})
	e.Notef("the model agrees")
}

func (e *Env) eventStep(s, peer handle, m *eventModel, st eventStep, what string) {
	if m.dead && (st.kind == "data" || st.kind == "FIN" || st.kind == "reset" || st.kind == "send") || m.fin && (st.kind == "data" || st.kind == "FIN") {
		return
	}
	switch st.kind {
	case "select":
		_ = s.p.EventSelect(s.s, provider.NewEvent(), int32(st.n))
		m.selects(int32(st.n))
	case "data":
		peer.send(st.n)
		e.Net.Sleep(time.Second)
		m.queue += st.n
		m.happens(wsa.FD_READ, 0)
	case "recv":
		_, _ = s.p.Recv(s.s, make([]byte, st.n), 0)
		m.receives(st.n)
	case "peek":
		_, _ = s.p.Recv(s.s, make([]byte, st.n), wsa.MSG_PEEK)
		m.receives(0)
	case "send":
		s.send(1)
	case "FIN":
		peer.shutdown(wsa.SD_SEND)
		e.Net.Sleep(time.Second)
		m.fin = true
		m.happens(wsa.FD_CLOSE, 0)
	case "reset":
		peer.reset()
		m.dead, m.queue = true, 0
		m.happens(wsa.FD_CLOSE, wsa.WSAECONNABORTED)
	}
	if st.kind == "enumerate" {
		n, err := s.p.EnumNetworkEvents(s.s, nil)
		e.Code("EnumNetworkEvents", err, 0)
		Equal(e, what, eventsText(n), m.taken())
	}
}
