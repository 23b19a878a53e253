package gateway

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/wsa"
)

// A flow is a connection of the stack, the near one, joined to one of the host, the far one:
//
//	up:    near ──▶ far      data; FIN as FIN
//	down:  near ◀── far      data; FIN as FIN
//
// A reset of either side is one of the other. A flow that is idle has no goroutine and no
// buffer: the pump tells it of the near side, a watch of the far one, and whoever tells it moves
// what there is, as neither side ever waits. What takes longer than a quantum gets a goroutine for
// as long as it takes. A direction that waits for room keeps the buffer that it has no room for.
//
// It is safe for concurrent use.
type flow struct {
	host *hostSide
	near *endpoint.Conn
	far  *far

	up, down half
	dead     atomic.Bool  // the flow was reset
	lost     atomic.Bool  // the far side is gone: a RST is what ends down
	hangup   atomic.Bool  // the far side has sent a FIN, or is gone
	open     atomic.Int32 // halves that may use far
}

// A half is one direction of a flow.
type half struct {
	move  func(*flow, *half) progress
	turns atomic.Int32 // 0: nobody runs it; else 1, and one more for each kick meanwhile
	full  atomic.Bool  // it waits for room where it writes

	// The rest is of whoever runs it.
	buf  *[]byte // from buffers; nil when nothing waits
	rest []byte  // of buf: what waits for room
	done bool    // it moves nothing any more

	untold bool // of down: a FIN may have come before the flow was told of any
}

// progress is what a half says when it has moved what there was.
type progress uint8

const (
	waits progress = iota // it has nothing to do until it is kicked
	more                  // it has moved a quantum, and there may be more
)

// quantum is how much a half moves at a time, in bytes: the largest segment that a TUN takes.
const quantum = 64 << 10

// buffers are shared by all flows.
var buffers = sync.Pool{New: func() any { b := make([]byte, quantum); return &b }}

// join makes a flow of two connections, which it owns.
func (h *hostSide) join(near *endpoint.Conn, far *far) {
	f := &flow{host: h, near: near, far: far}
	f.up.move, f.down.move = moveUp, moveDown
	f.down.untold = true
	f.open.Store(2)
	_ = near.SetNoDelay(true) // what it fails with, reading fails with
	_ = near.SetNonblocking(true)
	if !h.add(f) {
		f.abort()
		return
	}
	endpoint.SocketOf(near).Attend(f.nearReady)
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
	if events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		f.hangup.Store(true)
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

// moveUp moves from the near side to the far one.
func moveUp(f *flow, h *half) progress {
	if f.ended(h) {
		return waits
	}
	for all := false; ; {
		if len(h.rest) == 0 {
			n, err := f.near.Read(h.buffer())
			switch {
			case err == nil:
			case errors.Is(err, wsa.WSAEWOULDBLOCK):
				h.release()
				return waits
			case errors.Is(err, io.EOF):
				if f.far.closeWrite() != nil { // it is gone
					f.lost.Store(true)
					f.kick(&f.down)
				}
				f.finish(h)
				return waits
			default:
				f.abort()
				return waits
			}
			h.rest = (*h.buf)[:n]
		}
		few := len(h.rest) < quantum
		switch err := f.writeFar(h); {
		case errors.Is(err, unix.EAGAIN):
			return waits
		case err != nil:
			// What the far side has said before it went, the near side shall read.
			f.lost.Store(true)
			f.finish(h)
			f.kick(&f.down)
			return waits
		}
		if all || !few {
			return more
		}
		all = true // but the end may have come with it
	}
}

// writeFar writes the rest. With EAGAIN, the watch tells when there is room.
func (f *flow) writeFar(h *half) error {
	for len(h.rest) > 0 {
		n, err := f.far.write(h.rest)
		h.rest = h.rest[n:]
		switch {
		case errors.Is(err, unix.EAGAIN) && h.full.Load():
			return err
		case errors.Is(err, unix.EAGAIN):
			h.full.Store(true) // from here on it is told; perhaps there is room already
		case err != nil:
			return err
		}
	}
	h.full.Store(false)
	return nil
}

// moveDown moves from the far side to the near one.
func moveDown(f *flow, h *half) progress {
	if f.ended(h) {
		if f.lost.Load() && !f.dead.Load() {
			f.abort() // the far side had said all, and is gone since
		}
		return waits
	}
	drained := false
	if len(h.rest) == 0 {
		n, err := f.far.read(h.buffer())
		switch {
		case errors.Is(err, unix.EAGAIN):
			h.untold = false
			h.release()
			return waits
		case err != nil || n == 0 && f.lost.Load():
			f.abort()
			return waits
		case n == 0:
			if f.near.CloseWrite() != nil {
				f.abort()
			}
			f.finish(h)
			return waits
		}
		// A read that gets less has emptied the queue: see epoll(7). But for a FIN, of which nobody
		// is told again.
		h.rest, drained = (*h.buf)[:n], n < quantum && !h.untold && !f.hangup.Load()
	}
	for len(h.rest) > 0 {
		n, err := f.near.Write(h.rest)
		h.rest = h.rest[n:]
		switch {
		case errors.Is(err, wsa.WSAEWOULDBLOCK) && h.full.Load():
			return waits
		case errors.Is(err, wsa.WSAEWOULDBLOCK):
			h.full.Store(true) // from here on it is told; perhaps there is room already
		case err != nil:
			f.abort()
			return waits
		}
	}
	h.full.Store(false)
	if drained {
		h.release()
		return waits
	}
	return more
}

// buffer is the buffer of a half that has none waiting.
func (h *half) buffer() []byte {
	if h.buf == nil {
		h.buf = buffers.Get().(*[]byte)
	}
	return *h.buf
}

// release gives the buffer back.
func (h *half) release() {
	if h.buf != nil {
		buffers.Put(h.buf)
		h.buf, h.rest = nil, nil
	}
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
	h.release()
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
