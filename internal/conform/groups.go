package conform

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

// groupsScenarios are GP-1 to GP-5: socket groups.
var groupsScenarios = []Scenario{
	{ID: "GP-1", Title: "no group", Source: "S-API", Once: true, Run: func(e *Env) {
		e.Pair()
		s := e.stream()
		s.reads(wsa.SOL_SOCKET, wsa.SO_GROUP_ID, 0)
		code := byProfile(e, wsa.WSAENOPROTOOPT, 0) // C-16
		s.as("get SO_GROUP_PRIORITY").get(wsa.SOL_SOCKET, wsa.SO_GROUP_PRIORITY, code)
		s.as("set SO_GROUP_PRIORITY").set(wsa.SOL_SOCKET, wsa.SO_GROUP_PRIORITY, 1, code)
		e.Notef("SO_GROUP_ID 0, SO_GROUP_PRIORITY %s", name(code))
	}},
	{ID: "GP-2", Title: "SO_GROUP_ID can't be set", Source: "S-API", Once: true, Run: func(e *Env) {
		e.Pair()
		for _, s := range []handle{e.stream(), e.datagram()} {
			s.as("set SO_GROUP_ID").set(wsa.SOL_SOCKET, wsa.SO_GROUP_ID, 1, wsa.WSAENOPROTOOPT)
		}
		e.Notef("WSAENOPROTOOPT")
	}},
	{ID: "GP-3", Title: "groups are not offered", Source: "S-API", Once: true, Run: func(e *Env) {
		e.Pair()
		code := byProfile(e, wsa.WSAENOPROTOOPT, 0) // C-16
		for _, typ := range []int32{wsa.SOCK_STREAM, wsa.SOCK_DGRAM} {
			for _, g := range []uint32{0, wsa.SG_UNCONSTRAINED_GROUP, wsa.SG_CONSTRAINED_GROUP, 4711} {
				s := e.plain(typ, g) // not WSAEINVAL for an unknown group: g is ignored (GP-5)
				s.reads(wsa.SOL_SOCKET, wsa.SO_GROUP_ID, 0)
				for _, v := range []uint32{0, 1} {
					s.as("set SO_GROUP_PRIORITY").set(wsa.SOL_SOCKET, wsa.SO_GROUP_PRIORITY, v, code)
				}
				s.as("a negative SO_GROUP_PRIORITY").set(wsa.SOL_SOCKET, wsa.SO_GROUP_PRIORITY, 0xFFFFFFFF, byProfile(e, wsa.WSAENOPROTOOPT, wsa.WSAEINVAL))
			}
		}
		e.Notef("every g makes a socket outside of any group; a set of its priority: %s", name(code))
	}},
	{ID: "GP-4", Title: "nobody is served first", Source: "S-API", Run: func(e *Env) {
		e.Pair(simnet.Rate(10e6, 1<<20)) // both have data to send most of the time
		e.Do(func() {
			l := e.listener(e.Q, 80)
			plain := e.compete(l, 0, 0, 0)
			// Far from one after the other, as an order of priority would have it.
			half := plain[:len(plain)/2]
			least, each := min(strings.Count(half, "0"), strings.Count(half, "1")), len(half)/2
			e.Check(least > each*2/3, "the two don't share the first half: %s", plain)
			Equal(e, "segments, the second preferred", e.compete(l, wsa.SG_UNCONSTRAINED_GROUP, 9, 0), plain)
			Equal(e, "segments, the first preferred", e.compete(l, wsa.SG_CONSTRAINED_GROUP, 0, 9), plain)
			e.Notef("%d data segments of two sockets, in the same order whatever the group and the priorities asked for", len(plain))
		})
	}},
	{ID: "GP-5", Title: "g is ignored", Source: "W-SPI", Once: true, Run: func(e *Env) {
		e.Pair()
		for _, g := range []uint32{wsa.SG_UNCONSTRAINED_GROUP, wsa.SG_CONSTRAINED_GROUP, 77} {
			s := e.plain(wsa.SOCK_STREAM, g)
			s.reads(wsa.SOL_SOCKET, wsa.SO_GROUP_ID, 0)
		}
		e.Notef("sockets made with three values of g belong to no group")
	}},
}

// compete sends from two sockets at the same time, after having asked for a
// group and for priorities in it, and returns whose data segments left in which
// order.
func (e *Env) compete(l handle, group uint32, priorities ...uint32) string {
	var sockets, peers []handle
	var names []netip.AddrPort
	for _, priority := range priorities {
		s := e.plain(wsa.SOCK_STREAM, group)
		_ = s.trySet(wsa.SOL_SOCKET, wsa.SO_GROUP_PRIORITY, priority) // GP-1 has its code
		s.connect(e.Addr(2, 80))
		peer := l.accept()
		name := s.sockName()
		sockets, peers, names = append(sockets, s), append(peers, peer), append(names, name)
	}
	from := len(e.Segments("a"))
	for range 20 {
		for _, s := range sockets {
			s.send(1460)
		}
	}
	e.Net.Sleep(time.Second)
	var order strings.Builder
	for _, line := range e.Segments("a")[from:] {
		if line.Segment.Len > 0 {
			fmt.Fprint(&order, slices.Index(names, line.Source))
		}
	}
	for _, s := range sockets {
		s.close()
	}
	for _, s := range peers {
		s.close()
	}
	e.Net.Sleep(time.Second)
	return order.String()
}
