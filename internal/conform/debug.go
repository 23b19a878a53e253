package conform

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wsa"
)

func init() {
	smallScenarios = append(smallScenarios, debugScenarios...)
	gpScenarios = append(gpScenarios, groupScenarios...)
	vectorScenarios = append(vectorScenarios, optionVectors...)
}

// records is a logger that keeps what it gets.
type records struct {
	mu   sync.Mutex
	list []string
}

func (r *records) Enabled(context.Context, slog.Level) bool { return true }
func (r *records) WithAttrs([]slog.Attr) slog.Handler       { return r }
func (r *records) WithGroup(string) slog.Handler            { return r }

func (r *records) Handle(_ context.Context, rec slog.Record) error {
	var b strings.Builder
	rec.Attrs(func(a slog.Attr) bool {
		if a.Key != "at" && a.Key != "socket" {
			fmt.Fprintf(&b, "%s ", a.Value)
		}
		return true
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, strings.TrimSpace(b.String()))
	return nil
}

// take returns the records since the last take.
func (r *records) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.list
	r.list = nil
	return list
}

// debugged makes a pair whose host A logs to records.
func (e *Env) debugged() *records {
	r := &records{}
	e.A = e.Net.HostConfig("a", stack.Config{Profile: e.Profile, Addresses: []netip.Prefix{e.prefix(1)}, Logger: slog.New(r)})
	e.B = e.Host("b", 2)
	e.P, e.Q = e.startup(e.A), e.startup(e.B)
	e.Net.Link(e.A, e.B)
	return r
}

// talk connects to B, sends and closes; debug sets SO_DEBUG first.
func (e *Env) talk(debug bool) {
	l := e.Listener(e.Q, 80)
	c := e.Stream()
	if debug {
		e.Set(e.P, c, wsa.SOL_SOCKET, wsa.SO_DEBUG, 1)
	}
	e.Code("Connect", e.P.Connect(c, e.Addr(2, 80)), 0)
	s, _, err := e.Q.Accept(l)
	e.Code("Accept", err, 0)
	_, err = e.P.Send(c, []byte("abc"), 0)
	e.Code("Send", err, 0)
	_, err = e.Q.Recv(s, make([]byte, 9), 0)
	e.Code("Recv", err, 0)
	e.Net.Sleep(time.Second)
	e.Code("bad Shutdown", e.P.Shutdown(c, 9), wsa.WSAEINVAL)
	e.Code("CloseSocket", e.Q.CloseSocket(s), 0)
	e.Code("CloseSocket", e.Q.CloseSocket(l), 0)
	e.Net.Sleep(time.Second)
	e.Code("CloseSocket", e.P.CloseSocket(c), 0)
	e.Net.Sleep(time.Second)
}

// recorded ends the scenario unless there is a record of each segment from mark on,
// and among them are those whose flags and length are named.
func (e *Env) recorded(r *records, mark int, named ...string) {
	e.Net.Sleep(100 * time.Millisecond)
	text := strings.Join(r.take(), "\n")
	Equal(e, "records of segments", strings.Count(text, "segment "), len(e.Segments(""))-mark)
	for _, want := range named {
		e.Check(strings.Contains(text+"\n", " "+want+"\n"), "no record %q in:\n%s", want, text)
	}
}

var debugScenarios = []Scenario{
	{ID: "DB-1", Title: "a record of each call, state and segment", Source: "S-GET, S-SAN", Run: func(e *Env) {
		r := e.debugged()
		e.Do(func() {
			e.talk(false)
			Equal(e, "records without SO_DEBUG", len(r.take()), 0)
			segments := len(e.Segments(""))
			e.talk(true)
			list := r.take()
			text := strings.Join(list, "\n")
			for _, want := range []string{"setsockopt fresh", "state connecting", "state connected", "connect connected",
				"send connected", "shutdown connected WSAEINVAL", "close"} {
				e.Check(strings.Contains(text, want), "no record %q in:\n%s", want, text)
			}
			counted := 0
			for _, line := range list {
				if strings.HasPrefix(line, "segment") {
					counted++
				}
			}
			Equal(e, "segments recorded", counted, len(e.Segments(""))-segments)
			e.Check(strings.Contains(text, "P. 3"), "no data segment in:\n%s", text)
			e.Notef("%d records, %d of them segments; none for a socket without the option", len(list), counted)
		})
	}},
	{ID: "DB-1", Title: "toggling and accept", Source: "S-GET", Run: func(e *Env) {
		r := e.debugged()
		e.Do(func() {
			l := e.Listener(e.P, 80)
			e.Set(e.P, l, wsa.SOL_SOCKET, wsa.SO_DEBUG, 1)
			c := e.Socket(e.Q, wsa.SOCK_STREAM)
			e.Code("Connect", e.Q.Connect(c, e.Addr(1, 80)), 0)
			s, _, err := e.P.Accept(l)
			e.Code("Accept", err, 0)
			r.take()
			_, err = e.P.Send(s, []byte("abc"), 0)
			e.Code("Send", err, 0)
			e.Net.Sleep(time.Second)
			text := strings.Join(r.take(), "\n")
			e.Check(strings.Contains(text, "send connected") && strings.Contains(text, "segment out"), "inherited, but:\n%s", text)
			e.Set(e.P, s, wsa.SOL_SOCKET, wsa.SO_DEBUG, 0)
			e.Net.Sleep(time.Second)
			r.take()
			_, err = e.P.Send(s, []byte("abc"), 0)
			e.Code("Send", err, 0)
			e.Net.Sleep(time.Second)
			Equal(e, "records after FALSE", len(r.take()), 0)
		})
		e.Notef("the accepted socket records until it is told not to")
	}},
	{ID: "DB-1", Title: "segments that netstack's endpoints know nothing of", Source: "S-GET", Run: func(e *Env) {
		r := e.debugged()
		e.Do(func() {
			l, c := e.Listener(e.P, 81), e.Socket(e.Q, wsa.SOCK_STREAM)
			e.Set(e.P, l, wsa.SOL_SOCKET, wsa.SO_DEBUG, 1)
			e.Set(e.P, l, wsa.SOL_SOCKET, wsa.SO_PAUSE_ACCEPT, 1)
			r.take()
			e.Code("Connect", e.Q.Connect(c, e.Addr(1, 81)), wsa.WSAECONNREFUSED)
			e.recorded(r, 0, "S 0", "R. 0")

			l, c = e.Listener(e.Q, 80), e.Stream()
			e.Set(e.Q, l, wsa.SOL_SOCKET, wsa.SO_RCVBUF, 1000)
			e.Set(e.P, c, wsa.SOL_SOCKET, wsa.SO_DEBUG, 1)
			e.Nonblocking(e.P, c, true)
			e.Code("Connect", e.P.Connect(c, e.Addr(2, 80)), wsa.WSAEWOULDBLOCK)
			e.Net.Sleep(time.Second)
			_, err := e.P.Send(c, make([]byte, 5000), 0)
			e.Code("Send", err, 0)
			e.Net.Sleep(time.Second)
			r.take()
			mark := len(e.Segments(""))
			_, err = e.P.Send(c, []byte("x"), wsa.MSG_OOB)
			e.Code("Send(MSG_OOB) into a closed window", err, 0)
			e.recorded(r, mark, ".U 0")
		})
		e.Notef("a refused SYN and its RST, and the announcement of urgent data that the window holds back")
	}},
	{ID: "DB-2", Title: "no effect on packets", Source: "S-GET", Run: func(e *Env) {
		e.debugged()
		e.Do(func() {
			var traces [2]string
			for i, debug := range []bool{false, true} {
				start, from := e.Start(), len(e.Segments(""))
				e.talk(debug)
				for _, l := range e.Segments("")[from:] {
					traces[i] += fmt.Sprintln((l.At - start).Round(time.Microsecond), l.From, l.Segment.Flags, l.Segment.Len, l.Segment.Options.MSS)
				}
			}
			Equal(e, "segments", traces[1], traces[0])
		})
		e.Notef("the same segments at the same times, and the same codes")
	}},
	{ID: "PV-3", Title: "what PVD_CONFIG holds", Source: "S-GET, S-SET", Run: func(e *Env) {
		e.Pair()
		from, to := e.Stream(), e.Stream()
		e.Set(e.P, from, wsa.IPPROTO_TCP, wsa.TCP_KEEPIDLE, 77)
		e.Set(e.P, from, wsa.IPPROTO_TCP, wsa.TCP_KEEPINTVL, 7)
		e.Set(e.P, from, wsa.IPPROTO_TCP, wsa.TCP_KEEPCNT, 3)
		e.Set(e.P, from, wsa.SOL_SOCKET, wsa.SO_SNDBUF, 12345)
		e.Set(e.P, from, wsa.SOL_SOCKET, wsa.SO_RCVBUF, 23456)
		b := e.config(from)
		e.Code("set", e.setConfig(to, b), 0)
		e.Check(bytes.Equal(e.config(to), b), "the object isn't what was set")
		for o, want := range map[[2]int32]uint32{
			{wsa.IPPROTO_TCP, wsa.TCP_KEEPIDLE}: 77, {wsa.IPPROTO_TCP, wsa.TCP_KEEPINTVL}: 7, {wsa.IPPROTO_TCP, wsa.TCP_KEEPCNT}: 3,
			{wsa.SOL_SOCKET, wsa.SO_SNDBUF}: 12345, {wsa.SOL_SOCKET, wsa.SO_RCVBUF}: 23456,
		} {
			Equal(e, wsa.OptionName(o[0], o[1]), e.Get(e.P, to, o[0], o[1]), want)
		}
		e.Notef("keep-alive times and count and both buffers move with the object")
	}},
}

// compete sends from two sockets at the same time, after having asked for a
// group and for priorities in it, and returns whose data segments left in which
// order.
func (e *Env) compete(l wsa.SOCKET, group uint32, priorities ...uint32) string {
	var sockets, peers []wsa.SOCKET
	var names []netip.AddrPort
	for _, priority := range priorities {
		s, err := e.P.SocketEx(e.Family, wsa.SOCK_STREAM, 0, group, 0)
		e.Code("SocketEx", err, 0)
		_ = set(e.P, s, wsa.SOL_SOCKET, wsa.SO_GROUP_PRIORITY, priority) // GP-1 has its code
		e.Code("Connect", e.P.Connect(s, e.Addr(2, 80)), 0)
		peer, _, err := e.Q.Accept(l)
		e.Code("Accept", err, 0)
		name, err := e.P.GetSockName(s)
		e.Code("GetSockName", err, 0)
		sockets, peers, names = append(sockets, s), append(peers, peer), append(names, name)
	}
	from := len(e.Segments("a"))
	for range 20 {
		for _, s := range sockets {
			_, err := e.P.Send(s, make([]byte, 1460), 0)
			e.Code("Send", err, 0)
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
		e.Code("CloseSocket", e.P.CloseSocket(s), 0)
	}
	for _, s := range peers {
		e.Code("CloseSocket", e.Q.CloseSocket(s), 0)
	}
	e.Net.Sleep(time.Second)
	return order.String()
}

var groupScenarios = []Scenario{
	{ID: "GP-3", Title: "groups are not offered", Source: "S-API", Once: true, Run: func(e *Env) {
		e.Pair()
		for _, typ := range []int32{wsa.SOCK_STREAM, wsa.SOCK_DGRAM} {
			for _, g := range []uint32{0, wsa.SG_UNCONSTRAINED_GROUP, wsa.SG_CONSTRAINED_GROUP, 4711} {
				s, err := e.P.SocketEx(wsa.AF_INET, typ, 0, g, 0)
				e.Code("SocketEx", err, 0) // not WSAEINVAL for an unknown group: g is ignored (GP-5)
				Equal(e, "SO_GROUP_ID", e.Get(e.P, s, wsa.SOL_SOCKET, wsa.SO_GROUP_ID), 0)
				for _, v := range []uint32{0, 1, 0xFFFFFFFF} {
					e.Code("set SO_GROUP_PRIORITY", set(e.P, s, wsa.SOL_SOCKET, wsa.SO_GROUP_PRIORITY, v), wsa.WSAENOPROTOOPT)
				}
			}
		}
		e.Notef("every g makes a socket outside of any group, whose priority is WSAENOPROTOOPT")
	}},
	{ID: "GP-4", Title: "nobody is served first", Source: "S-API", Run: func(e *Env) {
		e.Pair(simnet.Rate(10e6, 1<<20)) // both have data to send most of the time
		e.Do(func() {
			l := e.Listener(e.Q, 80)
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
}

var optionVectors = []Scenario{
	{ID: "TV-1", Title: "defaults of SOL_SOCKET on a fresh TCP socket", Source: "vectors", Run: func(e *Env) {
		e.Pair()
		s := e.Stream()
		for opt, want := range map[int32]uint32{
			wsa.SO_DEBUG: 0, wsa.SO_ACCEPTCONN: 0, wsa.SO_REUSEADDR: 0, wsa.SO_KEEPALIVE: 0, wsa.SO_DONTROUTE: 0, wsa.SO_LINGER: 0,
			wsa.SO_OOBINLINE: 0, wsa.SO_DONTLINGER: 1, wsa.SO_EXCLUSIVEADDRUSE: 0, wsa.SO_SNDBUF: 65536, wsa.SO_RCVBUF: 65536,
			wsa.SO_ERROR: 0, wsa.SO_TYPE: 1, wsa.SO_GROUP_ID: 0, wsa.SO_MAX_MSG_SIZE: 0, wsa.SO_CONDITIONAL_ACCEPT: 0,
			wsa.SO_PAUSE_ACCEPT: 0, wsa.SO_COMPARTMENT_ID: 1, wsa.SO_RANDOMIZE_PORT: 0, wsa.SO_PORT_SCALABILITY: 0,
			wsa.SO_REUSE_UNICASTPORT: 0, wsa.SO_OPENTYPE: 0, wsa.SO_MAXDG: 0, wsa.SO_MAXPATHDG: 0,
		} {
			Equal(e, wsa.OptionName(wsa.SOL_SOCKET, opt), e.Get(e.P, s, wsa.SOL_SOCKET, opt), want)
		}
		for opt, want := range map[int32]wsa.Errno{
			wsa.SO_BROADCAST: wsa.WSAENOPROTOOPT, wsa.SO_USELOOPBACK: wsa.WSAENOPROTOOPT, wsa.SO_SNDLOWAT: wsa.WSAENOPROTOOPT,
			wsa.SO_RCVLOWAT: wsa.WSAENOPROTOOPT, wsa.SO_SNDTIMEO: wsa.WSAENOPROTOOPT, wsa.SO_RCVTIMEO: wsa.WSAENOPROTOOPT,
			wsa.SO_GROUP_PRIORITY: wsa.WSAENOPROTOOPT, wsa.SO_CONNECT_TIME: wsa.WSAENOTCONN, wsa.SO_CONNDATA: wsa.WSAENOPROTOOPT,
		} {
			_, err := get(e.P, s, wsa.SOL_SOCKET, opt)
			e.Code(wsa.OptionName(wsa.SOL_SOCKET, opt), err, want)
		}
		e.Notef("24 defaults and 9 refusals")
	}},
}
