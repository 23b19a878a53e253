package transport

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/faketime"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	engine "github.com/wsstack/wsstack/internal/tcp"
)

const six = header.IPv6ProtocolNumber

// Of several listeners that a SYN could be for, one on the address gets it before one
// on the wildcard, and of several like that the one with the least order; when it is
// closed the next one does (RU-8).
func TestListenerOrder(t *testing.T) {
	type spec struct {
		net      tcpip.NetworkProtocolNumber
		specific bool
		dual     bool
		order    uint64
	}
	for name, c := range map[string]struct {
		net       tcpip.NetworkProtocolNumber
		listeners []spec
		want      []int // who gets a SYN, each closed then; the last: nobody
	}{
		"least order":                     {four, []spec{{net: four, order: 7}, {net: four, order: 3}, {net: four, order: 5}}, []int{1, 2, 0}},
		"equal orders":                    {four, []spec{{net: four, order: 1}, {net: four, order: 1}}, []int{0, 1}},
		"specific first":                  {four, []spec{{net: four, order: 1}, {net: four, specific: true, order: 9}, {net: four, specific: true, order: 8}}, []int{2, 1, 0}},
		"specific IPv6":                   {six, []spec{{net: six, order: 1}, {net: six, specific: true, order: 2}}, []int{1, 0}},
		"dual stack takes IPv4":           {four, []spec{{net: six, dual: true, order: 1}}, []int{0}},
		"dual stack takes IPv6":           {six, []spec{{net: six, dual: true, order: 1}}, []int{0}},
		"IPv6 only":                       {four, []spec{{net: six, order: 1}}, nil},
		"IPv4 only":                       {six, []spec{{net: four, order: 1}}, nil},
		"dual stack beside IPv4":          {four, []spec{{net: four, order: 2}, {net: six, dual: true, order: 1}}, []int{1, 0}},
		"dual stack beside IPv6":          {six, []spec{{net: six, order: 1}, {net: six, dual: true, order: 2}}, []int{0, 1}},
		"dual stack behind an address":    {four, []spec{{net: six, dual: true, order: 1}, {net: four, specific: true, order: 2}}, []int{1, 0}},
		"an address isn't the wildcard's": {four, []spec{{net: six, specific: true, dual: true, order: 1}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := twoHosts(t, 0, New, faketime.NewManualClock())
			var doors []*door
			for _, s := range c.listeners {
				cfg := ListenConfig{Port: 80, Net: s.net, Dual: s.dual, Order: s.order}
				if s.specific {
					cfg.Addr = hostB[s.net]
				}
				doors = append(doors, listenWith(t, b, cfg))
			}
			for i, want := range c.want {
				conn := dial(t, a, c.net, hostA, hostB, uint16(1000+i), 80)
				require.Equal(t, []any{engine.Established, engine.None}, conn.status())
				served := doors[want].poll()
				require.NotNil(t, served, "SYN %d isn't for listener %d", i, want)
				require.Equal(t, conn.ID().LocalAddress, served.ID().RemoteAddress)
				both := []byte("there and back")
				_, _ = conn.Send(both)
				n, _ := served.Recv(make([]byte, 100))
				require.Equal(t, len(both), n, "its route is of the right version")
				doors[want].Close()
				require.Equal(t, []any{engine.Established, engine.None}, conn.status(), "what has arrived isn't the listener's")
			}
			conn := dial(t, a, c.net, hostA, hostB, 999, 80)
			require.Equal(t, []any{engine.Closed, engine.Refused}, conn.status())
			require.Equal(t, len(doors) == len(c.want), len(Of(b).listeners.all()) == 0)
		})
	}
}

// Who looks for a listener finds it while others on its port, and on ports beside it, come and go.
func TestListenersChange(t *testing.T) {
	p := newWire(t, four).p
	stays, err := p.Listen(ListenConfig{Port: 300, Net: four, Order: 5})
	require.Nil(t, err)
	var changes sync.WaitGroup
	for _, other := range []ListenConfig{
		{Port: 300, Net: four, Order: 6}, {Port: 300, Net: four, Addr: hostA[four], Order: 1}, // before it, but elsewhere
		{Port: 301, Net: four}, {Port: 3000, Net: four},
	} {
		changes.Go(func() {
			for range 500 {
				l, err := p.Listen(other)
				if err != nil {
					t.Error(err)
					return
				}
				l.Close()
			}
		})
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		changes.Wait()
	}()
	for looking := true; looking; {
		select {
		case <-done:
			looking = false
		default:
		}
		if got := p.listeners.at(&origin{id: ID{LocalPort: 300}, net: four}); got != stays {
			t.Fatal("another listener, or none")
		}
	}
	require.Equal(t, []*Listener{stays}, p.listeners.all())
	require.Nil(t, p.listeners.at(&origin{id: ID{LocalPort: 301}, net: four}))
	require.Nil(t, p.listeners.at(&origin{id: ID{LocalPort: 9}, net: four}), "on a page that nobody has used")
}

// Nothing of a listener is left when the Protocol is closed, and none begins then.
func TestProtocolClose(t *testing.T) {
	wires(t, func(w *wire) {
		decision := Admit
		l := listenWith(w.t, w.s, ListenConfig{Port: 80, Net: w.net, Ask: func(ID, *engine.Segment) Decision { return decision }})
		w.syn(1000, 1)
		decision = Hold
		w.syn(1001, 1)
		w.sees("SA 1000")
		w.p.Close()
		w.seconds(60)
		w.sees()
		require.Equal(w.t, [2]int{}, l.sees())
		require.Empty(w.t, l.lost)
		require.Zero(w.t, w.p.HalfOpen())
		_, err := w.p.Listen(ListenConfig{Port: 81, Net: w.net})
		require.NotNil(w.t, err)
	})
}

// A listener that is closed takes nothing any more, from somebody who found it before.
func TestClosedListener(t *testing.T) {
	wires(t, func(w *wire) {
		l := listen(w.t, w.s, w.net, 80)
		l.Close()
		s := engine.Segment{Seq: 1, Flags: engine.SYN, Options: engine.Options{Scale: engine.NoScale}}
		require.False(w.t, l.deliver(origin{id: w.id(1000), nic: 1, net: w.net}, &s, 0))
		require.Equal(w.t, [2]int{}, l.sees())
		w.seconds(30)
		w.sees()
	})
}
