package transport

import (
	"sync/atomic"

	"github.com/wsstack/wsstack/internal/tcp"
	"github.com/wsstack/wsstack/wsa"
)

// A snapshot is what can be seen of a connection without its lock: the connection as it was when
// the lock was given back last. The owner is told of a change after the snapshot shows it.
type snapshot struct {
	state    atomic.Uint32 // the state, and the cause in the next octet: they belong together
	queued   atomic.Int64  // tcp.Conn.Queued
	readable atomic.Int64  // tcp.Conn.Readable
}

// store takes the snapshot, with the connection locked. What hasn't changed isn't written, because
// other processors read it.
func (s *snapshot) store(e *tcp.Conn) {
	if v := uint32(e.State()) | uint32(e.Cause())<<8; s.state.Load() != v {
		s.state.Store(v)
	}
	if v := int64(e.Queued()); s.queued.Load() != v {
		s.queued.Store(v)
	}
	if v := int64(e.Readable()); s.readable.Load() != v {
		s.readable.Store(v)
	}
}

// State is the state of the connection, and the cause why it is Closed.
func (c *Conn) State() (tcp.State, tcp.Cause) {
	v := c.snapshot.state.Load()
	return tcp.State(v), tcp.Cause(v >> 8)
}

// Queued is how many bytes the connection has accepted that aren't acknowledged.
func (c *Conn) Queued() int { return int(c.snapshot.queued.Load()) }

// Readable is how many bytes can be read.
func (c *Conn) Readable() int { return int(c.snapshot.readable.Load()) }

// Unreachable is the ICMP error that has ended the attempt to connect. It is nil where none has.
func (c *Conn) Unreachable() *wsa.ICMPErrorInfo { return c.icmp.Load() }
