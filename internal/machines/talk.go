package machines

import (
	"bufio"
	"net"
	"time"
)

// A talk is what the goroutine of a Session has.
type talk struct {
	session *Session
	state   *state
	with    map[int]*connection // one at most for each machine
	leaving bool                // Leave was called
	left    bool                // gone is closed
}

// A connection is one to another machine.
type connection struct {
	net.Conn
	machine int
	unsent  chan []byte   // closed when nothing more is sent
	done    bool          // unsent is closed
	lost    chan struct{} // closed when the connection is
}

// talk tells the state what happens, and does what it wants, until the session is closed.
func (s *Session) talk() {
	t := &talk{session: s, with: map[int]*connection{}}
	t.state = newState(s.cfg.Machines, s.cfg.Self, s.cfg.Digest, s.cfg.Hosts)
	begin := time.Now()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		t.act()
		select {
		case f := <-s.events:
			f(t)
		case <-tick.C:
			t.state.tick(time.Since(begin))
		case <-s.ctx.Done():
			for _, c := range t.with {
				c.finish()
				_ = c.Close()
			}
			return
		}
	}
}

// act does what the state wants.
func (t *talk) act() {
	s := t.session
	for _, a := range t.state.take() {
		switch {
		case a.send != nil:
			if c := t.with[a.to]; c != nil {
				c.send(a.send.line())
			}
		case a.begin:
			close(s.begun)
		case a.ready != "":
			s.cfg.Ready(a.ready)
		case a.note != "":
			s.cfg.Note(a.note)
		case a.end:
			s.ending = t.state.ending
			close(s.ended)
			for _, c := range t.with {
				c.finish()
			}
		}
	}
	if t.leaving && !t.left && (t.state.phase != ended || len(t.with) == 0) {
		t.left = true
		close(s.gone)
	}
}

// join begins to talk over a connection. The machine may have had another one, if it has been
// started again.
func (t *talk) join(machine int, conn net.Conn) *connection {
	if before := t.with[machine]; before != nil {
		_ = before.Close()
		t.leave(before)
	}
	c := &connection{Conn: conn, machine: machine, unsent: make(chan []byte, maxUnsent), lost: make(chan struct{})}
	t.with[machine] = c
	t.session.runs.Go(c.write) // these end with the connection
	t.session.runs.Go(func() { t.session.read(c) })
	if machine == hub {
		t.state.connected()
	}
	return c
}

// leave forgets a connection that is lost.
func (t *talk) leave(c *connection) {
	c.finish()
	if t.with[c.machine] == c {
		delete(t.with, c.machine)
		t.state.lost(c.machine)
	}
}

// read reads what a machine says. A line that is too long or no message ends the connection.
func (s *Session) read(c *connection) {
	defer close(c.lost)
	lines := bufio.NewScanner(c)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		m, err := parse(lines.Bytes())
		if err != nil {
			break
		}
		if !s.tell(func(t *talk) { t.received(c, m) }) {
			break
		}
	}
	_ = c.Close()
	s.tell(func(t *talk) { t.leave(c) })
}

// received takes a message of a connection, unless the machine has another one by now.
func (t *talk) received(c *connection, m message) {
	if t.with[c.machine] == c {
		t.state.received(c.machine, m)
	}
}

// send puts a line into the queue. A machine that doesn't read so many loses its connection.
func (c *connection) send(line []byte) {
	if c.done {
		return
	}
	select {
	case c.unsent <- line:
	default:
		_ = c.Close()
	}
}

// finish says that nothing more is sent.
func (c *connection) finish() {
	if !c.done {
		c.done = true
		close(c.unsent)
	}
}

// write sends what is in the queue, and closes this direction of the connection when that was all.
func (c *connection) write() {
	for line := range c.unsent {
		if _, err := c.Write(line); err != nil {
			_ = c.Close() // which ends read
			for range c.unsent {
			}
			return
		}
	}
	if w, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		_ = w.CloseWrite()
	}
}
