package transport

import "github.com/wsstack/wsstack/internal/tcp"

// retire takes a connection that is over, or in TIME-WAIT, out of the table. Of one in TIME-WAIT a
// record stays, which is there before the tuple is free in the table.
func (c *Conn) retire(events tcp.Events) {
	if events&(tcp.Over|tcp.TimeWaitBegan) == 0 || c.gone {
		return
	}
	c.gone = true
	timeWait := events&tcp.TimeWaitBegan != 0
	if timeWait {
		c.waits().add(c.way.id, waiting{Remains: c.engine.Remains(), headers: c.way.headers, dialed: c.dialed, log: c.log})
	}
	c.ended(timeWait)
	c.proto.table.remove(c)
	c.proto.orphans.remove(c)
	c.way.route.Release()
	if c.timer != nil {
		c.timer.Stop()
	}
	if c.dialed && !timeWait {
		c.proto.freed(c.way.id)
	}
	for _, f := range c.ends {
		f()
	}
	c.ends = nil
}

// AfterEnd has f called once, when the connection is over or in TIME-WAIT: at once where it is
// already. The connection may be locked then.
func (c *Conn) AfterEnd(f func()) {
	now := c.lock()
	if c.gone {
		f()
	} else {
		c.ends = append(c.ends, f)
	}
	c.unlock(now)
}

// Close says that nobody reads or writes any more: what was accepted is still sent, and a FIN
// behind it, while the connection is listed as an orphan. Where there is data that nobody has read,
// the connection is reset instead, so that the peer hears that the data is lost (RFC 1122
// §4.2.2.13, LG-13).
func (c *Conn) Close() {
	now := c.lock()
	var evicted []*Conn
	if e := c.engine; e.Readable() > 0 {
		e.AbortUnread()
	} else {
		e.Orphan(now)
		e.Close(now)
		if s := e.State(); !c.gone && s != tcp.Closed && s != tcp.TimeWait {
			evicted = c.proto.orphans.add(c, e.Queued())
		}
	}
	c.unlock(now)
	for _, old := range evicted {
		old.Abort()
	}
}

// Abort resets the connection, with a RST in the states in which RFC 9293 §3.10.5 has one (LG-17).
// Of a connection in TIME-WAIT nothing is left.
func (c *Conn) Abort() {
	now := c.lock()
	if c.engine.State() == tcp.TimeWait {
		c.waits().forget(c.way.id, c.engine.Remains())
	}
	c.engine.Abort()
	c.unlock(now)
}

// destroy ends the connection without a segment: its stack is closed.
func (c *Conn) destroy() {
	now := c.lock()
	c.engine.Abort()
	c.engine.Account()
	c.snapshot.store(c.engine)
	c.record("")
	c.retire(tcp.Over)
	c.unlock(now)
}
