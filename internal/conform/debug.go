package conform

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wsa"
)

// records is a logger that keeps what it gets.
type records struct {
	mu   sync.Mutex
	list []string
}

func (r *records) Enabled(context.Context, slog.Level) bool { return true }

func (r *records) WithAttrs([]slog.Attr) slog.Handler { return r }

func (r *records) WithGroup(string) slog.Handler { return r }

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
	l := e.listener(e.Q, 80)
	c := e.stream()
	if debug {
		c.set(wsa.SOL_SOCKET, wsa.SO_DEBUG, 1)
	}
	c.connect(e.Addr(2, 80))
	s := l.accept()
	c.say("abc")
	s.recv(9)
	e.Net.Sleep(time.Second)
	c.as("bad Shutdown").shutdown(9, wsa.WSAEINVAL)
	s.close()
	l.close()
	e.Net.Sleep(time.Second)
	c.close()
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

// debugScenarios are DB-1 and DB-2: SO_DEBUG.
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
			l := e.listener(e.P, 80)
			l.set(wsa.SOL_SOCKET, wsa.SO_DEBUG, 1)
			c := e.peerStream()
			c.connect(e.Addr(1, 80))
			s := l.accept()
			r.take()
			s.say("abc")
			e.Net.Sleep(time.Second)
			text := strings.Join(r.take(), "\n")
			e.Check(strings.Contains(text, "send connected") && strings.Contains(text, "segment out"), "inherited, but:\n%s", text)
			s.set(wsa.SOL_SOCKET, wsa.SO_DEBUG, 0)
			e.Net.Sleep(time.Second)
			r.take()
			s.say("abc")
			e.Net.Sleep(time.Second)
			Equal(e, "records after FALSE", len(r.take()), 0)
		})
		e.Notef("the accepted socket records until it is told not to")
	}},
	{ID: "DB-1", Title: "segments that netstack's endpoints know nothing of", Source: "S-GET", Run: func(e *Env) {
		r := e.debugged()
		e.Do(func() {
			l, c := e.listener(e.P, 81), e.peerStream()
			l.set(wsa.SOL_SOCKET, wsa.SO_DEBUG, 1)
			l.set(wsa.SOL_SOCKET, wsa.SO_PAUSE_ACCEPT, 1)
			r.take()
			c.connect(e.Addr(1, 81), wsa.WSAECONNREFUSED)
			e.recorded(r, 0, "S 0", "R. 0")

			l, c = e.listener(e.Q, 80), e.stream()
			l.set(wsa.SOL_SOCKET, wsa.SO_RCVBUF, 1000)
			c.set(wsa.SOL_SOCKET, wsa.SO_DEBUG, 1)
			c.nonblocking(true)
			c.connect(e.Addr(2, 80), wsa.WSAEWOULDBLOCK)
			e.Net.Sleep(time.Second)
			c.send(5000)
			e.Net.Sleep(time.Second)
			r.take()
			mark := len(e.Segments(""))
			c.as("Send(MSG_OOB) into a closed window").oob("x")
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
}
