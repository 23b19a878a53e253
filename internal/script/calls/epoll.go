package calls

import (
	"encoding/binary"
	"slices"
	"strconv"
	"time"

	"github.com/wsstack/wsstack/internal/script/vocabulary"
	"github.com/wsstack/wsstack/provider"
	"github.com/wsstack/wsstack/wsa"
)

// An epoll is an instance of epoll. It asks the Provider for levels, and makes edges of them:
// EPOLLET reports a socket again when it is ready for something that it wasn't ready for before, or
// has more to be read than before.
type epoll struct{ watches []*watch } // in the order in which they were added

// A watch is a descriptor in an epoll.
type watch struct {
	fd    int64
	file  *file
	event vocabulary.EpollEvent // what the script asks for, and has as data
	off   bool                  // EPOLLONESHOT has reported it

	// Of EPOLLET.
	fresh    bool  // it was added or changed and not reported since: everything is an edge
	seen     int64 // what it was ready for at the last look
	readable int64 // how many bytes there were to be read then
}

func (w *watch) edge() bool { return w.event.Events&vocabulary.EPOLLET != 0 }

// forget takes a file that is closed out of the epoll.
func (e *epoll) forget(f *file) {
	e.watches = slices.DeleteFunc(e.watches, func(w *watch) bool { return w.file == f })
}

func (e *epoll) find(fd int64) *watch {
	for _, w := range e.watches {
		if w.fd == fd {
			return w
		}
	}
	return nil
}

func (c *invocation) epollCreate() result {
	n := c.number(0, vocabulary.EpollFlags)
	r := c.make(func() (int64, error) {
		if c.call.Name == "epoll_create" && n <= 0 {
			return 0, wsa.WSAEINVAL
		}
		return 0, nil
	})
	if r.err == 0 {
		r.made = &file{kind: epollFile, socket: wsa.INVALID_SOCKET, epoll: &epoll{}}
	}
	return r
}

// epollControl is epoll_ctl. Errors are those of Linux in the codes of Winsock: EEXIST and ENOENT
// have none, and are WSAEINVAL here.
func (c *invocation) epollControl() result {
	e := c.file(0, epollFile)
	operation := c.number(1, vocabulary.EpollOperation)
	fd := c.number(2, vocabulary.Plain)
	f := c.file(2, socketFile)
	var event vocabulary.EpollEvent
	if operation != vocabulary.EPOLL_CTL_DEL {
		events, err := c.linux().EpollEvents(c.arg(3))
		if c.check(err, c.arg(3)) && len(events) != 1 {
			c.wrong(c.arg(3).At(), "write {events=EPOLLIN, fd=4}", "epoll_ctl has one event, and not %d", len(events))
		}
		if len(events) == 1 {
			event = events[0]
		}
	}
	return c.status(func() error {
		if e.closed || f.closed {
			return wsa.WSAEBADF
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		return e.epoll.control(operation, &watch{fd: fd, file: f, event: event, fresh: true})
	})
}

// control adds, changes or takes away a watch.
func (e *epoll) control(operation int64, w *watch) error {
	old := e.find(w.fd)
	switch {
	case (operation == vocabulary.EPOLL_CTL_ADD) == (old != nil):
		return wsa.WSAEINVAL
	case operation == vocabulary.EPOLL_CTL_ADD:
		e.watches = append(e.watches, w)
	case operation == vocabulary.EPOLL_CTL_MOD:
		*old = *w
	default:
		e.forget(old.file)
	}
	return nil
}

func (c *invocation) epollWait() result {
	f := c.file(0, epollFile)
	var want []vocabulary.EpollEvent
	if !c.none(1) {
		var err error
		want, err = c.linux().EpollEvents(c.arg(1))
		c.check(err, c.arg(1))
	}
	limit := c.number(2, vocabulary.Plain)
	timeout := milliseconds(c.number(3, vocabulary.Plain))
	return c.make(func() (int64, error) {
		switch {
		case f.closed:
			return 0, wsa.WSAEBADF
		case limit <= 0:
			return 0, wsa.WSAEINVAL
		}
		var got []vocabulary.EpollEvent
		look := func() int64 {
			got = c.collect(f.epoll, int(min(limit, maxFiles)))
			return int64(len(got))
		}
		var n int64
		var err error
		if slices.ContainsFunc(c.watches(f.epoll), (*watch).edge) {
			n, err = c.lookForEdges(f.epoll, timeout, look)
		} else {
			n, err = c.lookUntil(timeout, look, func() []interest { return c.awaited(f.epoll) })
		}
		if err == nil {
			c.leftEpoll(want, got)
		}
		return n, err
	})
}

// watches is a copy of the watches: no call is made with the lock held.
func (m *Machine) watches(e *epoll) []*watch {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(e.watches)
}

// collect finds what is to be reported.
func (m *Machine) collect(e *epoll, limit int) (events []vocabulary.EpollEvent) {
	for _, w := range m.watches(e) {
		if len(events) == limit {
			break
		}
		if w.off {
			continue
		}
		found, report := m.reports(w)
		if w.edge() {
			w.fresh, w.seen, w.readable = w.fresh && found == 0, found, m.readable(w.file)
		}
		if !report {
			continue
		}
		reported := w.event
		reported.Events = found
		events = append(events, reported)
		w.off = w.event.Events&vocabulary.EPOLLONESHOT != 0
	}
	return events
}

// reports finds what a watch is ready for, and whether that is to be reported: with EPOLLET, if
// there is something new.
func (m *Machine) reports(w *watch) (found int64, report bool) {
	found = m.ready(w.file, w.event.Events)
	isNew := !w.edge() || w.fresh || found&^w.seen != 0 || m.readable(w.file) > w.readable
	return found, isNew && found != 0
}

// An edgeWait is a call of epoll_wait that waits for an edge.
type edgeWait struct {
	epoll *epoll
	news  *provider.Event
}

// lookForEdges looks until something is found or the time is over. No function of the Provider
// waits for more bytes than there are, so it waits for Look.
func (c *invocation) lookForEdges(e *epoll, timeout time.Duration, look func() int64) (int64, error) {
	news := provider.NewEvent()
	c.mu.Lock()
	c.edges = append(c.edges, edgeWait{e, news})
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.edges = slices.DeleteFunc(c.edges, func(w edgeWait) bool { return w.news == news })
	}()
	n := look()
	for n == 0 && timeout != 0 {
		i, err := c.p.WaitForMultipleEvents([]*provider.Event{news}, false, timeout)
		if err != nil {
			return 0, err
		}
		news.Reset()
		if n = look(); i < 0 {
			break
		}
	}
	return n, nil
}

// Look wakes calls of epoll_wait that wait for an edge (EPOLLET) if there is one. Who runs the
// network calls it after each step. It returns how often it has looked at a descriptor.
func (m *Machine) Look() (looks int) {
	m.mu.Lock()
	edges := slices.Clone(m.edges)
	m.mu.Unlock()
	for _, waits := range edges {
		for _, w := range m.watches(waits.epoll) {
			looks++
			if _, report := m.reports(w); report && !w.off {
				waits.news.Set()
			}
		}
	}
	return looks
}

// readable is how many bytes there are to be read.
func (m *Machine) readable(f *file) int64 {
	out := make([]byte, 4)
	if _, err := m.p.Ioctl(f.socket, wsa.FIONREAD, nil, out); err != nil {
		return 0
	}
	return int64(binary.LittleEndian.Uint32(out))
}

// awaited is what a call waits for that has found nothing, in an epoll without EPOLLET.
func (m *Machine) awaited(e *epoll) (interests []interest) {
	for _, w := range m.watches(e) {
		if !w.off {
			interests = append(interests, interest{w.file, w.event.Events})
		}
	}
	return interests
}

// relax notes after each call what sockets in an epoll have ceased to be ready for, so that it is
// an edge when they are again.
func (m *Machine) relax() {
	m.mu.Lock()
	var watches []*watch
	for _, fd := range sorted(m.files) {
		if e := m.files[fd].epoll; e != nil {
			watches = append(watches, e.watches...)
		}
	}
	m.mu.Unlock()
	for _, w := range watches {
		if w.edge() {
			w.seen &= m.ready(w.file, w.event.Events)
			w.readable = min(w.readable, m.readable(w.file))
		}
	}
}

// leftEpoll compares the events that the script has with those that were found. Those beyond them
// are zeros.
func (c *invocation) leftEpoll(want, got []vocabulary.EpollEvent) {
	for i, w := range want {
		var g vocabulary.EpollEvent
		if i < len(got) {
			g = got[i]
		}
		if !w.AnyBits && w.Events != g.Events {
			c.differs(c.arg(1).At(), "events of element "+strconv.Itoa(i)+" differs",
				"events="+vocabulary.Linux.Text(vocabulary.EpollEvents, w.Events),
				"events="+vocabulary.Linux.Text(vocabulary.EpollEvents, g.Events))
		}
		if !w.AnyData && w.Field != "" && w.Data != g.Data {
			c.differs(c.arg(1).At(), w.Field+" of element "+strconv.Itoa(i)+" differs",
				w.Field+"="+strconv.FormatInt(w.Data, 10), w.Field+"="+strconv.FormatInt(g.Data, 10))
		}
	}
}
