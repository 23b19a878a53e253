package conform

import (
	"net/netip"
	"time"

	"github.com/wsstack/wsstack/internal/trace"
	"github.com/wsstack/wsstack/provider"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

// inheritExScenarios are IN-5 and IN-6: AcceptEx and ConnectEx.
var inheritExScenarios = []Scenario{
	{ID: "IN-5", Title: "AcceptEx", Source: "API-AcceptEx", Run: func(e *Env) {
		e.paired(func() {
			l, a := e.listener(e.P, 80), e.stream()
			l.set(wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, 1)
			for what, err := range map[string]error{
				"into a bound socket": second(e.P.AcceptEx(l.s, e.bound(0).s, nil)),
				"not listening":       second(e.P.AcceptEx(e.stream().s, a.s, nil)),
				"a datagram socket":   second(e.P.AcceptEx(l.s, e.datagram().s, nil)),
				"into itself":         second(e.P.AcceptEx(l.s, l.s, nil)),
			} {
				e.Code(what, err, wsa.WSAEINVAL)
			}
			buf := make([]byte, 9)
			o := l.acceptEx(a, buf)
			l.as("twice").acceptEx(a, nil, wsa.WSAEINVAL)
			a.as("SO_CONNECT_TIME, pending").untimed()
			c := e.peerStream()
			c.connect(e.Addr(1, 80))
			e.Net.Sleep(2500 * time.Millisecond)
			e.pending("connected, without data", o)
			a.reads(wsa.SOL_SOCKET, wsa.SO_CONNECT_TIME, 2)
			c.send(4)
			Equal(e, "with the first data", e.outcome(o), "4 success")

			a.reads(wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, 0)
			a.peerName(wsa.WSAENOTCONN)
			a.sockName(wsa.WSAEINVAL)
			a.shutdown(wsa.SD_SEND, wsa.WSAENOTCONN)
			a.send(3)
			c.recv(3)
			c.send(3)
			a.recv(3)

			a.as("another listener").setBytes(wsa.SOL_SOCKET, wsa.SO_UPDATE_ACCEPT_CONTEXT, handleBytes(a), 8, wsa.WSAENOTSOCK)
			a.setBytes(wsa.SOL_SOCKET, wsa.SO_UPDATE_ACCEPT_CONTEXT, handleBytes(l), 8)
			a.reads(wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, 1)
			peer := a.peerName()
			local := c.sockName()
			Equal(e, "peer", peer, local)
			a.sockName()
			a.shutdown(wsa.SD_SEND)
			c.recv(1)
		})
		e.Notef("done with the first data; options, names and shutdown after SO_UPDATE_ACCEPT_CONTEXT")
	}},
	{ID: "IN-5", Title: "the socket of a pending AcceptEx is taken", Source: "API-AcceptEx", Run: func(e *Env) {
		e.paired(func() {
			l, other, a := e.listener(e.P, 80), e.listener(e.P, 81), e.stream()
			e.listener(e.Q, 80)
			buf := make([]byte, 9)
			o := l.acceptEx(a, buf)
			for _, nonblocking := range []bool{false, true} {
				a.nonblocking(nonblocking)
				a.bind(e.Any(0), wsa.WSAEINVAL)
				a.connect(e.Addr(2, 80), wsa.WSAEINVAL)
				a.as("Connect, NULL").connect(netip.AddrPort{}, wsa.WSAEFAULT)
				a.connectEx(e.Addr(2, 80), nil, wsa.WSAEINVAL)
				a.listen(5, wsa.WSAEINVAL)
				other.as("AcceptEx of another listener").acceptEx(a, nil, wsa.WSAEINVAL)
				a.as("AcceptEx on it").acceptEx(e.stream(), nil, wsa.WSAEINVAL)
			}
			c := e.peerStream()
			c.connect(e.Addr(1, 80))
			e.Net.Sleep(time.Second)
			a.as("Bind, while data is awaited").bind(e.Any(0), wsa.WSAEINVAL)
			a.as("Connect, while data is awaited").connect(e.Addr(2, 80), wsa.WSAEINVAL)
			c.send(4)
			Equal(e, "outcome", e.outcome(o), "4 success")
			Equal(e, "RST", e.Count("a", has(trace.RST)), 0)
			Equal(e, "SYNs", e.Count("a", func(l simnet.Line) bool { return l.Segment.Flags == trace.SYN }), 0)

			for _, then := range []func(s handle) error{
				func(s handle) error { return e.P.Bind(s.s, e.Any(0)) },
				func(s handle) error { return e.P.Connect(s.s, e.Addr(2, 80)) },
				func(s handle) error { return second(e.P.AcceptEx(other.s, s.s, nil)) },
			} {
				s := e.stream()
				o = l.acceptEx(s, nil)
				e.Check(o.Cancel(), "there was nothing to cancel")
				e.Code("a call after Cancel", then(s), 0)
			}
		})
		e.Notef("bind, connect, ConnectEx and listen are WSAEINVAL and the accept goes on; Cancel frees the socket")
	}},
	{ID: "IN-5", Title: "AcceptEx without a buffer", Source: "API-AcceptEx", Run: func(e *Env) {
		e.paired(func() {
			l := e.listener(e.P, 80)
			var ops []*provider.Overlapped
			for range 2 {
				o := l.acceptEx(e.stream(), nil)
				ops = append(ops, o)
			}
			start := e.Start()
			for _, o := range ops {
				e.peerStream().connect(e.Addr(1, 80))
				Equal(e, "outcome", e.outcome(o), "0 success")
			}
			e.took("time", start, 6*Delay)
		})
		e.Notef("done when connected, in order")
	}},
	{ID: "IN-6", Title: "ConnectEx", Source: "API-ConnectEx", Run: func(e *Env) {
		e.paired(func() {
			l, c := e.listener(e.Q, 80), e.stream()
			c.as("unbound").connectEx(e.Addr(2, 80), nil, wsa.WSAEINVAL)
			c = e.bound(0)
			c.set(wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, 1)
			o := c.connectEx(e.Addr(2, 80), []byte("hello"))
			c.as("Connect while pending").connect(e.Addr(2, 80), wsa.WSAEINVAL)
			c.as("SO_CONNECT_TIME, pending").untimed()
			start := e.Start()
			Equal(e, "outcome", e.outcome(o), "5 success")
			e.took("time", start, 2*Delay)
			s := l.accept()
			s.recv(5)
			c.reads(wsa.SOL_SOCKET, wsa.SO_CONNECT_TIME, 0)
			c.reads(wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, 0)
			c.peerName(wsa.WSAENOTCONN)
			c.shutdown(wsa.SD_SEND, wsa.WSAENOTCONN)
			c.connect(e.Addr(2, 80), wsa.WSAEINVAL)
			c.setBytes(wsa.SOL_SOCKET, wsa.SO_UPDATE_CONNECT_CONTEXT, nil, 0)
			c.reads(wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, 1)
			c.peerName()
			c.connect(e.Addr(2, 80), wsa.WSAEISCONN)
			c.shutdown(wsa.SD_SEND)
			s.recv(1)
		})
		e.Notef("connects and sends; options, names and shutdown after SO_UPDATE_CONNECT_CONTEXT")
	}},
	{ID: "IN-6", Title: "ConnectEx and options set before", Source: "API-ConnectEx", Run: func(e *Env) {
		link := e.Pair()
		e.Do(func() {
			e.listener(e.Q, 80)
			c := e.bound(0)
			c.keepAlive(10*time.Second, time.Second, 3)
			o := c.connectEx(e.Addr(2, 80), nil)
			Equal(e, "outcome", e.outcome(o), "0 success")
			start := e.Start()
			e.Net.Sleep(time.Minute)
			Equal(e, "probes before the update", e.times("a", start, probeAt(1)), "")
			link.Partition()
			start = e.Start()
			c.setBytes(wsa.SOL_SOCKET, wsa.SO_UPDATE_CONNECT_CONTEXT, nil, 0)
			e.Net.Sleep(time.Minute)
			Equal(e, "probes after it", e.times("a", start, probeAt(1)), "10.000 11.000 12.000")
		})
		e.Notef("keep-alive begins with SO_UPDATE_CONNECT_CONTEXT")
	}},
	{ID: "IN-6", Title: "ConnectEx fails", Source: "API-ConnectEx", Run: func(e *Env) {
		link := e.Pair()
		e.Do(func() {
			c := e.bound(0)
			c.set(wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, 1)
			o := c.connectEx(e.Addr(2, 9), []byte("x"))
			Equal(e, "outcome", e.outcome(o), "0 WSAECONNREFUSED")
			c.reads(wsa.SOL_SOCKET, wsa.SO_ERROR, 0) // EO-6
			Equal(e, "SO_KEEPALIVE as before", c.get(wsa.SOL_SOCKET, wsa.SO_KEEPALIVE), 1)
			link.Partition()
			start := e.Start()
			o = c.as("ConnectEx again").connectEx(e.Addr(2, 9), nil)
			Equal(e, "outcome", e.outcome(o), "0 WSAETIMEDOUT")
			e.took("time", start, e.silence())
			o = c.as("a third time").connectEx(e.Addr(2, 9), nil)
			c.close()
			Equal(e, "outcome", e.outcome(o), "0 WSA_OPERATION_ABORTED")
			e.bound(0).as("NULL").connectEx(netip.AddrPort{}, nil, wsa.WSAEFAULT)
		})
		e.Notef("WSAECONNREFUSED, WSAETIMEDOUT at %v, 995; SO_ERROR stays 0", e.silence())
	}},
}
