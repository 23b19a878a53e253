package conform

import (
	"time"

	"github.com/wsstack/wsstack/internal/trace"
	"github.com/wsstack/wsstack/wsa"
)

// dontRouteScenarios are DR-1 to DR-3: SO_DONTROUTE.
var dontRouteScenarios = []Scenario{
	{ID: "DR-1", Title: "SO_DONTROUTE is stored only", Source: "S-SET, W-SOL", Once: true, Run: func(e *Env) {
		e.paired(func() {
			s := e.stream()
			s.set(wsa.SOL_SOCKET, wsa.SO_DONTROUTE, 1)
			s.reads(wsa.SOL_SOCKET, wsa.SO_DONTROUTE, 1)
			// 192.0.2.1 is not on link: the route table sends it to b, which
			// isn't it and says nothing; a stack that obeyed would have no route.
			s.nonblocking(true)
			s.connect(addrOf("192.0.2.1:80"), wsa.WSAEWOULDBLOCK)
			e.Net.Sleep(100 * time.Millisecond)
		})
		Equal(e, "SYNs", e.Count("a", has(trace.SYN)), 1)
		e.Notef("reads 1, and the route table is used")
	}},
	{ID: "DR-2", Title: "SO_DONTROUTE on IPv6", Source: "S-SET, C-28", Once: true, Run: func(e *Env) {
		e.Pair()
		s := e.open(e.P, wsa.AF_INET6, wsa.SOCK_STREAM, 0)
		for _, v := range []uint32{0, 1} {
			s.set(wsa.SOL_SOCKET, wsa.SO_DONTROUTE, v, byProfile(e, wsa.WSAENOPROTOOPT, 0))
		}
		s.reads(wsa.SOL_SOCKET, wsa.SO_DONTROUTE, byProfile[uint32](e, 0, 1))
		e.Notef("%s for 0 and 1, reads %d", name(byProfile(e, wsa.WSAENOPROTOOPT, 0)), byProfile(e, 0, 1))
	}},
	{ID: "DR-3", Title: "MSG_DONTROUTE is ignored", Source: "API-send", Run: func(e *Env) {
		e.connected(func(c, s handle) {
			c.sendSome([]byte("abc"), wsa.MSG_DONTROUTE)
			Equal(e, "bytes", len(s.recv(9)), 3)
		})
		e.Notef("sent as ever")
	}},
}
