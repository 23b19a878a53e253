package transport

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/faketime"

	engine "github.com/wsstack/wsstack/internal/tcp"
)

// A recorder is a Tap that writes down.
type recorder struct{ lines []string }

func (r *recorder) tap(out bool, s *engine.Segment) {
	way := "in "
	if out {
		way = "out "
	}
	flags := ""
	for i, name := range []string{"F", "S", "R", "P", "A"} {
		if s.Flags&(1<<i) != 0 {
			flags += name
		}
	}
	line := way + flags
	if n := s.Payload.Size(); n > 0 {
		line += fmt.Sprint(" ", n)
	}
	r.lines = append(r.lines, line)
}

// expect compares what was recorded since the last call.
func (r *recorder) expect(t *testing.T, want string) {
	t.Helper()
	require.Equal(t, want, strings.Join(r.lines, ", "))
	r.lines = nil
}

// A tap is shown every segment of its connection, from the SYN on to the RST.
func TestTap(t *testing.T) {
	families(t, func(t *testing.T, n tcpip.NetworkProtocolNumber) {
		clock := faketime.NewManualClock()
		a, b := twoHosts(t, 0, New, clock)
		l := listen(t, b, n, 80)
		var r recorder
		set := settings
		set.Tap = r.tap
		c, err := connect(Of(a), ID{LocalAddress: hostA[n], LocalPort: 1000, RemoteAddress: hostB[n], RemotePort: 80}, n, set)
		require.Nil(t, err)
		r.expect(t, "out S, in SA, out A")
		p := l.poll()
		var served recorder
		p.SetTap(served.tap)
		_, _ = c.Send(make([]byte, 100))
		r.expect(t, "out PA 100, in A")
		served.expect(t, "in PA 100, out A")
		_, _ = p.Send(make([]byte, 5))
		r.expect(t, "in PA 5, out A")
		c.SetTap(nil)
		_, _ = c.Send(make([]byte, 5))
		r.expect(t, "")
		c.SetTap(r.tap)
		c.Abort()
		r.expect(t, "out RA")
		require.Contains(t, strings.Join(served.lines, ", "), "in RA")
		refused := set
		refused.Tap = r.tap
		_, err = connect(Of(a), ID{LocalAddress: hostA[n], LocalPort: 1001, RemoteAddress: hostB[n], RemotePort: 81}, n, refused)
		require.Nil(t, err)
		r.expect(t, "out S, in RA")
		clock.Advance(1e9)
	})
}

// A listener's tap is shown what comes to it and its answers: those to half-open
// connections, and RSTs that answer what belongs to nobody. Its connections have it
// until they have another.
func TestListenerTap(t *testing.T) {
	wires(t, func(w *wire) {
		var r, own recorder
		decision := Admit
		set := settings
		l := listenWith(w.t, w.s, ListenConfig{Port: 80, Net: w.net, Tap: r.tap,
			Ask:  func(ID, *engine.Segment) Decision { return decision },
			Make: func(ID) Settings { return set }})
		c, iss := w.open(l, 1000)
		r.expect(w.t, "in S, out SA, in A")
		w.say(1000, withData(engine.Segment{Seq: 1001, Ack: iss + 1, Flags: engine.ACK}, "data"))
		r.expect(w.t, "in A 4, out A")
		c.SetTap(own.tap)
		_, _ = c.Recv(make([]byte, 4))
		c.Abort()
		require.NotEmpty(w.t, own.lines)
		r.expect(w.t, "")
		w.say(1000, engine.Segment{Seq: 1005, Ack: iss + 1, Flags: engine.ACK})
		r.expect(w.t, "in A, out R")
		decision = Reject
		w.syn(1001, 1)
		r.expect(w.t, "in S, out RA")
		decision = Drop
		w.syn(1001, 1)
		r.expect(w.t, "in S")
		decision = Hold
		w.syn(1001, 1)
		w.syn(1001, 1)
		l.Decide(w.id(1001), Reject)
		r.expect(w.t, "in S, in S, out RA")
		w.syn(1001, 1)
		decision = Admit
		w.syn(1002, 1)
		w.syn(1002, 1)
		w.seconds(1)
		w.say(1002, engine.Segment{Seq: 2, Ack: 5, Flags: engine.ACK})
		r.expect(w.t, "in S, in S, out SA, in S, out SA, out SA, in A, out R")
		l.Close()
		r.expect(w.t, "out RA, out RA")
		w.syn(1003, 1)
		r.expect(w.t, "")

		own.lines = nil
		set.Tap = own.tap
		listenWith(w.t, w.s, ListenConfig{Port: 80, Net: w.net, Tap: r.tap, Make: func(ID) Settings { return set }})
		w.syn(1004, 1)
		r.expect(w.t, "in S")
		own.expect(w.t, "out SA")
	})
}

// A RST of an address where several listen is a segment of the one that would have had
// it; of a port where nobody listens it is nobody's.
func TestTapOfReset(t *testing.T) {
	wires(t, func(w *wire) {
		var first, second recorder
		listenWith(w.t, w.s, ListenConfig{Port: 80, Net: w.net, Order: 2, Tap: second.tap})
		listenWith(w.t, w.s, ListenConfig{Port: 80, Net: w.net, Order: 1, Tap: first.tap})
		w.say(1000, engine.Segment{Seq: 1, Ack: 1, Flags: engine.ACK})
		first.expect(w.t, "in A, out R")
		second.expect(w.t, "")
		w.sees("R 1000")
	})
}
