package gateway

import (
	"errors"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/internal/socket"
	"github.com/wsstack/wsstack/wsa"
)

// A flow is a connection of the stack, the near one, joined to one of the host, the far one:
//
//	up:    near ──▶ far      data; FIN as FIN
//	down:  near ◀── far      data; FIN as FIN
//
// A reset of either side is one of the other. A flow has no buffer: what waits, waits in the socket of
// either side. It has no goroutine while it is idle: the pump tells it of the near side, a watch of
// the far one, and whoever tells it moves what there is, as neither side ever waits. What takes longer
// than a quantum gets a goroutine for as long as it takes.
//
// It is safe for concurrent use.
type flow struct {
	host *hostSide
	near *endpoint.Conn
	sock *socket.Socket // near's
	far  *far

	lent   func(pieces [][]byte) int // writeUp, a value of which is an allocation
	filled func(room []byte) int     // readDown

	up, down half
	dead     atomic.Bool  // the flow was reset
	lost     atomic.Bool  // the far side is gone: a RST is what ends down
	unsure   atomic.Bool  // what the far side has may end otherwise than with the last byte: see short
	open     atomic.Int32 // halves that may use far
}

// A half is one direction of a flow.
type half struct {
	move  func(*flow, *half) progress
	turns atomic.Int32 // 0: nobody runs it; else 1, and one more for each kick meanwhile
	full  atomic.Bool  // it waits for room where it writes

	// The rest is of whoever runs it.
	done   bool  // it moves nothing any more
	err    error // of the last call of far
	short  bool  // of down: that call got less than there was room for
	untold bool  // of down: a FIN may have come before the flow was told of any
}

// progress is what a half says when it has moved what there was.
type progress uint8

const (
	waits progress = iota // it has nothing to do until it is kicked
	more                  // it has moved a quantum, and there may be more
)

// quantum is how much a half moves at a time, in bytes: the largest segment that a TUN takes.
const quantum = 64 << 10

// join makes a flow of two connections, which it owns.
func (h *hostSide) join(near *endpoint.Conn, far *far) {
	f := &flow{host: h, near: near, sock: endpoint.SocketOf(near), far: far}
	f.lent, f.filled = f.writeUp, f.readDown
	f.up.move, f.down.move = moveUp, moveDown
	f.down.untold = true
	f.open.Store(2)
	_ = near.SetNoDelay(true) // what it fails with, reading fails with
	_ = near.SetNonblocking(true)
	if !h.add(f) {
		f.abort()
		return
	}
	f.sock.Attend(f.nearReady)
	h.watch.tellInstead(far.number, f)
	f.kick(&f.up) // of what has come, nobody was told
	f.kick(&f.down)
}

// nearReady is told by the pump that something has happened to the near side.
func (f *flow) nearReady(over bool) {
	if over {
		f.abort()
		return
	}
	if f.down.full.Load() {
		f.kick(&f.down)
	}
	f.kick(&f.up)
}

// ready implements watched, for the far side.
func (f *flow) ready(events uint32) {
	if events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR|unix.EPOLLPRI) != 0 {
		f.unsure.Store(true)
	}
	if events&unix.EPOLLERR != 0 {
		f.lost.Store(true)
	}
	f.kick(&f.down)
	if events&unix.EPOLLOUT != 0 && f.up.full.Load() {
		f.kick(&f.up)
	}
}

// kick runs a half, unless somebody does, who runs it once more then.
func (f *flow) kick(h *half) {
	if h.turns.Add(1) == 1 && f.run(h, false) == more {
		f.host.gateway.work.Go(func() { f.run(h, true) }) // ends when there is nothing to move
	}
}

// run moves until there is nothing to do, or unless it is patient a quantum.
func (f *flow) run(h *half, patient bool) progress {
	for {
		turns := h.turns.Load()
		for h.move(f, h) == more {
			if !patient {
				return more
			}
		}
		if h.turns.CompareAndSwap(turns, 0) {
			return waits
		}
	}
}

// moveUp moves from the near side to the far one, which gets the bytes from where they have come.
func moveUp(f *flow, h *half) progress {
	for moved := 0; moved < quantum; {
		if f.ended(h) {
			return waits
		}
		n, left, err := f.sock.Lend(quantum-moved, f.lent)
		moved += n
		switch {
		case err == wsa.WSAEWOULDBLOCK:
			return waits
		case err != 0:
			f.abort()
			return waits
		case n == 0 && !left: // the end
			if f.far.closeWrite() != nil { // it is gone
				f.lost.Store(true)
				f.kick(&f.down)
			}
			f.finish(h)
			return waits
		case errors.Is(h.err, unix.EAGAIN):
			if h.full.Swap(true) {
				return waits
			} // from here on it is told; perhaps there is room already
		case h.err != nil:
			// What the far side has said before it went, the near side shall read.
			f.lost.Store(true)
			f.finish(h)
			f.kick(&f.down)
			return waits
		default:
			h.full.Store(false)
			if !left {
				return waits
			}
		}
	}
	return more
}

// writeUp writes what Lend lends.
func (f *flow) writeUp(pieces [][]byte) (n int) {
	n, f.up.err = f.far.write(pieces)
	return n
}

// moveDown moves from the far side to the near one, into the room where the bytes wait to be sent.
func moveDown(f *flow, h *half) progress {
	for {
		if f.ended(h) {
			if f.lost.Load() && !f.dead.Load() {
				f.abort() // the far side had said all, and is gone since
			}
			return waits
		}
		n, err := f.sock.Fill(quantum, f.filled)
		if err == wsa.WSAEWOULDBLOCK {
			if h.full.Swap(true) {
				return waits
			}
			continue // from here on it is told; perhaps there is room already
		}
		h.full.Store(false)
		switch {
		case err != 0 || h.err != nil && !errors.Is(h.err, unix.EAGAIN), h.err == nil && n == 0 && f.lost.Load():
			f.abort()
			return waits
		case h.err != nil:
			h.untold = false
			return waits
		case n == 0:
			if f.near.CloseWrite() != nil {
				f.abort()
			}
			f.finish(h)
			return waits
		case h.short && !h.untold && !f.unsure.Load():
			// A read that gets less has emptied the queue: see epoll(7). But there may be a FIN behind
			// it, of which nobody is told again, and a read ends at urgent data.
			return waits
		}
		return more
	}
}

// readDown reads into what Fill has.
func (f *flow) readDown(room []byte) (n int) {
	n, f.down.err = f.far.read(room)
	f.down.short = n < len(room)
	return n
}

// ended finishes a half of a flow that was reset. Whoever calls it runs the half.
func (f *flow) ended(h *half) bool {
	if f.dead.Load() {
		f.finish(h)
	}
	return h.done
}

// finish ends a half. Whoever calls it runs the half. The last one closes the connections.
func (f *flow) finish(h *half) {
	if h.done {
		return
	}
	h.done = true
	if f.open.Add(-1) > 0 {
		return
	}
	if f.dead.Load() {
		_ = f.near.SetLinger(0)
		f.far.reset()
	} else {
		_ = f.far.Close()
	}
	_ = f.near.Close()
	f.host.remove(f)
}

// abort resets both sides.
func (f *flow) abort() {
	f.dead.Store(true)
	f.kick(&f.up)
	f.kick(&f.down)
}
