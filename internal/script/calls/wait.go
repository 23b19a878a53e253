package calls

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/wsstack/wsstack/internal/script/syntax"
	"github.com/wsstack/wsstack/internal/script/vocabulary"
	"github.com/wsstack/wsstack/provider"
	"github.com/wsstack/wsstack/wsa"
)

var waitFunctions = map[string]function{
	"poll":          fn(unix, 3, 3, "poll([{fd=3, events=POLLIN, revents=POLLIN}], 1, 0) = 1", (*invocation).poll),
	"WSAPoll":       fn(winsock, 3, 3, "WSAPoll([{fd=3, events=POLLIN, revents=POLLRDNORM}], 1, 0) = 1", (*invocation).wsaPoll),
	"select":        fn(both, 5, 5, "select(..., {[3], [3]}, NULL, NULL, {tv_sec=1, tv_usec=0}) = 1", (*invocation).selectSets),
	"epoll_create":  fn(unix, 1, 1, "epoll_create(1) = 5", (*invocation).epollCreate),
	"epoll_create1": fn(unix, 1, 1, "epoll_create1(0) = 5", (*invocation).epollCreate),
	"epoll_ctl":     fn(unix, 4, 4, "epoll_ctl(5, EPOLL_CTL_ADD, 4, {events=EPOLLIN, fd=4}) = 0", (*invocation).epollControl),
	"epoll_wait":    fn(unix, 4, 4, "epoll_wait(5, {events=EPOLLIN, fd=4}, 1, 0) = 1", (*invocation).epollWait),
}

// wsaPoll is WSAPoll as the provider has it.
func (c *invocation) wsaPoll() result {
	want, err := c.numbers().PollFDs(c.arg(0))
	c.check(err, c.arg(0))
	c.counted(1, len(want), "sockets")
	fds := make([]provider.PollFD, len(want))
	for i, w := range want {
		fds[i] = provider.PollFD{Socket: c.polled(w.FD), Events: int16(w.Events)}
	}
	timeout := milliseconds(c.number(2, vocabulary.Plain))
	return c.make(func() (int64, error) {
		n, err := c.p.Poll(fds, timeout)
		if err != nil {
			return 0, err
		}
		for i, w := range want {
			c.leftRevents(i, w, int64(fds[i].Revents))
		}
		return int64(n), nil
	})
}

// polled is the socket of an element, which may be none.
func (c *invocation) polled(fd int64) wsa.SOCKET {
	if fd >= 0 {
		c.about(fd)
	}
	return c.Machine.file(fd).socket
}

// leftRevents compares what was found of an element.
func (c *invocation) leftRevents(i int, want vocabulary.PollFD, found int64) {
	if want.Any || want.Revents == found {
		return
	}
	c.differs(c.arg(0).At(), "revents of element "+strconv.Itoa(i)+" differs",
		"revents="+c.text(vocabulary.PollEvents, want.Revents), "revents="+c.text(vocabulary.PollEvents, found))
}

// poll is poll of Linux. A descriptor that is negative is ignored, and one that is none is POLLNVAL.
func (c *invocation) poll() result {
	want, err := c.linux().PollFDs(c.arg(0))
	c.check(err, c.arg(0))
	c.counted(1, len(want), "descriptors")
	timeout := milliseconds(c.number(2, vocabulary.Plain))
	found := make([]int64, len(want))
	interests := make([]interest, 0, len(want))
	for _, w := range want {
		c.polled(w.FD)
		interests = append(interests, interest{file: c.Machine.file(w.FD), asked: w.Events})
	}
	look := func() (n int64) {
		for i, w := range want {
			if found[i] = 0; w.FD >= 0 {
				found[i] = c.ready(interests[i].file, w.Events)
			}
			if found[i] != 0 {
				n++
			}
		}
		return n
	}
	return c.make(func() (int64, error) {
		n, err := c.lookUntil(timeout, look, func() []interest { return interests })
		for i, w := range want {
			if err == nil && !w.Any && w.Revents != found[i] {
				c.differs(c.arg(0).At(), "revents of element "+strconv.Itoa(i)+" differs",
					"revents="+vocabulary.Linux.Text(vocabulary.PollEvents, w.Revents), "revents="+vocabulary.Linux.Text(vocabulary.PollEvents, found[i]))
			}
		}
		return n, err
	})
}

// An interest is what a call waits for, in the bits of Linux.
type interest struct {
	file  *file
	asked int64
}

// ready is what a descriptor is ready for, in the bits of Linux. What the Provider has as a hang-up
// is the end of what comes in, and on Linux a hang-up only if nothing goes out any more, either.
func (m *Machine) ready(f *file, asked int64) int64 {
	if f.closed || f.kind != socketFile {
		return vocabulary.POLLNVAL
	}
	fds := []provider.PollFD{{Socket: f.socket, Events: wsa.POLLRDNORM | wsa.POLLRDBAND | wsa.POLLWRNORM}}
	if _, err := m.p.Poll(fds, 0); err != nil {
		return vocabulary.POLLERR
	}
	revents := fds[0].Revents
	found := vocabulary.PollFound(asked, revents)
	if revents&wsa.POLLHUP != 0 && f.shutSend {
		found |= vocabulary.POLLHUP
	}
	if m.refused(f) { // which WSAPoll says in some profiles only
		found |= vocabulary.POLLERR | vocabulary.POLLHUP
	}
	return found
}

// refused reports whether a connect has failed.
func (m *Machine) refused(f *file) bool {
	if !f.stream || m.connected(f) {
		return false
	}
	_, _, e, err := m.p.Select(nil, nil, []wsa.SOCKET{f.socket}, 0)
	return err == nil && len(e) > 0
}

// connected reports whether a socket has a peer.
func (m *Machine) connected(f *file) bool {
	_, err := m.p.GetPeerName(f.socket)
	return err == nil
}

// lookUntil looks until something is found or the time is over.
func (c *invocation) lookUntil(timeout time.Duration, look func() int64, interests func() []interest) (int64, error) {
	n := look()
	var deaf []wsa.SOCKET // what woke the call up without reason, and mustn't again
	for n == 0 && timeout != 0 {
		woken, err := c.await(interests(), deaf, timeout)
		if err != nil {
			return 0, err
		}
		if n = look(); len(woken) == 0 {
			break
		}
		deaf = append(deaf, woken...)
	}
	return n, nil
}

// await waits until something may be there of what is asked, and returns the sockets which have it;
// none: the time is over. WSAPoll would return for every end of a stream, asked for or not, and so couldn't
// wait for room on a stream whose peer has closed its side; select can.
func (c *invocation) await(interests []interest, deaf []wsa.SOCKET, timeout time.Duration) (woken []wsa.SOCKET, _ error) {
	var read, write, except []wsa.SOCKET
	for _, i := range interests {
		if i.file.closed || i.file.kind != socketFile || slices.Contains(deaf, i.file.socket) {
			continue
		}
		if i.asked&(vocabulary.POLLIN|vocabulary.POLLRDNORM) != 0 {
			read = append(read, i.file.socket)
		}
		if i.asked&(vocabulary.POLLOUT|vocabulary.POLLWRNORM) != 0 {
			write = append(write, i.file.socket)
		}
		if i.asked&vocabulary.POLLPRI != 0 || !c.connected(i.file) {
			except = append(except, i.file.socket)
		}
	}
	if len(read)+len(write)+len(except) == 0 {
		never := []*provider.Event{provider.NewEvent()}
		_, err := c.p.WaitForMultipleEvents(never, false, timeout)
		return nil, err
	}
	r, w, e, err := c.p.Select(read, write, except, timeout)
	return slices.Concat(r, w, e), err
}

// A set is one of select: what goes in, and what the script has of what comes out.
type set struct {
	pos  syntax.Pos
	in   []int64
	out  []int64
	said bool // out is said
}

// set reads a set of select: [3, 4], which isn't compared, {[3, 4], [4]}, or NULL.
func (c *invocation) set(i int) (s set) {
	s.pos = c.arg(i).At()
	e, ok := c.arg(i).(*syntax.Struct)
	if !ok {
		s.in = c.descriptors(c.list(i))
		return s
	}
	if len(e.Fields) != 2 {
		c.wrong(e.Pos, "write {[3, 4], [4]}", "a set with braces has what goes in and what comes out")
		return s
	}
	s.said = true
	for at, f := range e.Fields {
		list, ok := f.Value.(*syntax.List)
		if !ok {
			c.wrong(f.Value.At(), "write {[3, 4], [4]}", "%s is no list", f.Value)
			return s
		}
		if at == 0 {
			s.in = c.descriptors(list.Items)
		} else {
			s.out = c.descriptors(list.Items)
		}
	}
	return s
}

func (c *invocation) descriptors(items []syntax.Expr) (fds []int64) {
	for _, e := range items {
		fd, err := c.numbers().Number(vocabulary.Plain, e)
		c.check(err, e)
		fds = append(fds, fd)
	}
	return fds
}

func (c *invocation) handles(fds []int64) (handles []wsa.SOCKET) {
	for _, fd := range fds {
		handles = append(handles, c.polled(fd))
	}
	return handles
}

func (c *invocation) selectSets() result {
	sets := []set{c.set(1), c.set(2), c.set(3)}
	timeout := time.Duration(-1)
	if !c.null(4) {
		limit, endless, err := c.numbers().Timeval(c.arg(4))
		c.check(err, c.arg(4))
		if !endless {
			timeout = limit
		}
	}
	return c.make(func() (int64, error) {
		r, w, e, err := c.p.Select(c.handles(sets[0].in), c.handles(sets[1].in), c.handles(sets[2].in), timeout)
		if err != nil {
			return 0, err
		}
		for i, got := range [][]wsa.SOCKET{r, w, e} {
			c.leftSet(sets[i], got)
		}
		return int64(len(r) + len(w) + len(e)), nil
	})
}

// leftSet compares a set that came out, in whatever order.
func (c *invocation) leftSet(s set, got []wsa.SOCKET) {
	if !s.said {
		return
	}
	var actual []int64
	for _, fd := range s.in {
		if slices.Contains(got, c.Machine.file(fd).socket) {
			actual = append(actual, fd)
		}
	}
	want := slices.Sorted(slices.Values(s.out))
	slices.Sort(actual)
	if !slices.Equal(want, actual) {
		c.differs(s.pos, "a set of select differs", setText(want), setText(actual))
	}
}

func setText(fds []int64) string {
	text := "["
	for i, fd := range fds {
		if i > 0 {
			text += ", "
		}
		text += strconv.FormatInt(fd, 10)
	}
	return text + "]"
}

// sorted are the keys of a map, in order.
func sorted[V any](m map[int64]V) []int64 { return slices.Sorted(maps.Keys(m)) }
