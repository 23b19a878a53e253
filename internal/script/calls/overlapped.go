package calls

import (
	"net/netip"

	"github.com/wsstack/wsstack/internal/script/vocabulary"
	"github.com/wsstack/wsstack/provider"
	"github.com/wsstack/wsstack/wsa"
)

var overlappedFunctions = map[string]function{
	"AcceptEx":               boolean(8, 8, "AcceptEx(3, 4, ..., 0, 16, 16, ..., 20) = -1 WSA_IO_PENDING", (*invocation).acceptEx),
	"ConnectEx":              boolean(7, 7, "ConnectEx(3, ..., ..., NULL, 0, ..., 20) = -1 WSA_IO_PENDING", (*invocation).connectEx),
	"DisconnectEx":           boolean(4, 4, "DisconnectEx(3, 20, TF_REUSE_SOCKET, 0) = -1 WSA_IO_PENDING", (*invocation).disconnectEx),
	"WSAGetOverlappedResult": boolean(5, 5, "WSAGetOverlappedResult(3, 20, [1000], TRUE, ...) = 1", (*invocation).overlappedResult),
	"CancelIoEx":             boolean(2, 2, "CancelIoEx(3, 20) = 1", (*invocation).cancel),
}

// errorNotFound is ERROR_NOT_FOUND of the system, which CancelIoEx has where nothing is pending.
const errorNotFound wsa.Errno = 1168

// An operation is one that a script has started, and that completes later. The number of its
// OVERLAPPED is one of the script's choice.
type operation struct {
	*provider.Overlapped
	file *file

	held int // how many bytes its buffers have, which count until end

	// complete compares what the operation has left, once it has completed.
	complete func(c *invocation, n int)
}

// end compares what the operation has left, and lets go of its buffers.
func (o *operation) end(c *invocation, n int) {
	o.complete(c, n)
	o.complete = func(*invocation, int) {}
	c.buffers.Return(o.held)
	o.held = 0
}

// overlapped is the number of an OVERLAPPED; 0: the argument is NULL, and the call is synchronous.
func (c *invocation) overlapped(i int) int64 {
	if i < len(c.call.Args) && !c.null(i) {
		return c.number(i, vocabulary.Plain)
	}
	return 0
}

// demanded is overlapped for calls that have no other way.
func (c *invocation) demanded(i int) int64 {
	n := c.overlapped(i)
	if n == 0 {
		c.wrong(c.arg(i).At(), "write a number of your choice, and ask WSAGetOverlappedResult for the same",
			"%s has no OVERLAPPED", c.call.Name)
	}
	return n
}

// start starts an operation. A call whose operation is done at once succeeds, with the value done;
// otherwise it fails with WSA_IO_PENDING.
func (c *invocation) start(number int64, op *operation, done int64, begin func() (*provider.Overlapped, error)) result {
	c.free(number)
	return c.make(func() (int64, error) {
		o, err := begin()
		if err != nil {
			return 0, err
		}
		op.Overlapped = o
		n, err := o.Result()
		switch {
		case arrived(err):
			op.end(c, n)
		case errno(err) == wsa.WSA_IO_INCOMPLETE:
			err = wsa.WSA_IO_PENDING
			op.held, c.held = c.held, 0
		}
		c.keep(number, op)
		return done, err
	})
}

// keep remembers an operation, until another one has its number.
func (c *invocation) keep(number int64, op *operation) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if old := c.pending[number]; old != nil {
		c.buffers.Return(old.held)
	}
	if old := c.pending[number]; old != nil {
		c.buffers.Return(old.held)
	}
	c.pending[number] = op
}

// free says that no operation with that number is pending.
func (c *invocation) free(number int64) {
	c.mu.Lock()
	op := c.pending[number]
	c.mu.Unlock()
	if op != nil && !op.done() {
		c.wrong(c.call.Pos, "give the OVERLAPPED another number", "the operation of OVERLAPPED %d is pending still", number)
	}
}

func (o *operation) done() bool {
	_, err := o.Result()
	return err == nil || errno(err) != wsa.WSA_IO_INCOMPLETE
}

// wsaSend is WSASend and WSASendTo.
func (c *invocation) wsaSend() result {
	w, b := c.way(4), c.vector()
	last, to := 5, netip.AddrPort{}
	if c.call.Name == "WSASendTo" {
		last, to = 7, c.address(5, c.peerAddress())
	}
	number := c.overlapped(last)
	c.unused(last+1, last+1, "the completion routine")
	sent := func(c *invocation, n int) {}
	if number == 0 {
		return c.transfer(w, func() (int, error) {
			n, err := c.p.SendTo(w.file.socket, b.bytes, w.flags, to)
			if err == nil {
				c.left(3, int64(n))
			}
			return 0, err
		})
	}
	op := &operation{file: w.file, complete: sent}
	r := c.start(number, op, 0, func() (*provider.Overlapped, error) {
		return c.p.SendToAsync(w.file.socket, b.bytes, w.flags, to)
	})
	c.leftBytes(3, r, op)
	return r
}

// leftBytes compares the number of bytes of an operation that is done at once.
func (c *invocation) leftBytes(i int, r result, op *operation) {
	if r.err != 0 || op.Overlapped == nil {
		return
	}
	n, _ := op.Result()
	c.left(i, int64(n))
}

// wsaRecv is WSARecv and WSARecvFrom.
func (c *invocation) wsaRecv() result {
	w, b := way{file: c.file(0, socketFile)}, c.vector()
	if e := c.element(4); e != nil {
		n, err := c.numbers().Number(vocabulary.MsgFlags, e)
		c.check(err, e)
		w.flags = int32(n)
	}
	last := 5
	if c.call.Name == "WSARecvFrom" {
		last = 7
	}
	number := c.overlapped(last)
	c.unused(last+1, last+1, "the completion routine")
	want := b.take()
	if number == 0 {
		return c.transfer(w, func() (int, error) {
			n, from, err := c.p.RecvFrom(w.file.socket, b.bytes, w.flags)
			if arrived(err) {
				c.left(3, int64(n))
				c.receivedFrom(want, b.bytes[:n], from)
			}
			return 0, err
		})
	}
	op := &operation{file: w.file}
	begun := c
	op.complete = func(c *invocation, n int) {
		begun.receivedFrom(want, b.bytes[:n], op.From())
		if begun != c && c.difference == nil {
			c.difference = begun.difference
		}
	}
	r := c.start(number, op, 0, func() (*provider.Overlapped, error) {
		return c.p.RecvAsync(w.file.socket, b.bytes, w.flags)
	})
	c.leftBytes(3, r, op)
	return r
}

// receivedFrom compares what has come, and for WSARecvFrom from where.
func (c *invocation) receivedFrom(want text, got []byte, from netip.AddrPort) {
	c.received(1, want, got)
	if c.call.Name == "WSARecvFrom" && from.IsValid() {
		c.leftAddress(5, from)
		c.leftLength(6, from)
	}
}

func (c *invocation) acceptEx() result {
	listener, f := c.file(0, socketFile), c.file(1, socketFile)
	number := c.demanded(7)
	b := c.buffer(2)
	if b.null {
		b.bytes = nil
	}
	want := b.take()
	op := &operation{file: listener, complete: func(c *invocation, n int) { c.received(2, want, b.bytes[:n]) }}
	r := c.start(number, op, 1, func() (*provider.Overlapped, error) {
		return c.p.AcceptEx(listener.socket, f.socket, b.bytes)
	})
	c.leftBytes(6, r, op)
	return r
}

func (c *invocation) connectEx() result {
	f, addr := c.file(0, socketFile), c.address(1, c.peerAddress())
	b, number := c.buffer(3), c.demanded(6)
	op := &operation{file: f, complete: func(*invocation, int) {}}
	r := c.start(number, op, 1, func() (*provider.Overlapped, error) {
		return c.p.ConnectEx(f.socket, addr, b.bytes)
	})
	c.leftBytes(5, r, op)
	return r
}

func (c *invocation) disconnectEx() result {
	f, number := c.file(0, socketFile), c.overlapped(1)
	flags := uint32(c.numberOr(2, vocabulary.TransmitFlags, 0))
	reserved := uint32(c.numberOr(3, vocabulary.Plain, 0))
	if number == 0 {
		return c.make(func() (int64, error) { return 1, c.p.Disconnect(f.socket, flags, reserved) })
	}
	op := &operation{file: f, complete: func(*invocation, int) {}}
	return c.start(number, op, 1, func() (*provider.Overlapped, error) {
		return c.p.DisconnectEx(f.socket, flags, reserved)
	})
}

// operation is the operation that an argument names.
func (c *invocation) operation(i int) *operation {
	n := c.number(i, vocabulary.Plain)
	c.mu.Lock()
	defer c.mu.Unlock()
	op := c.pending[n]
	if op == nil {
		c.wrong(c.arg(i).At(), "", "no call has started an operation with the OVERLAPPED %d", n)
	}
	return op
}

func (c *invocation) overlappedResult() result {
	c.file(0, socketFile)
	op, wait := c.operation(1), c.number(3, vocabulary.Plain) != 0
	return c.make(func() (int64, error) {
		if wait {
			_, _ = op.Wait() // its Result is asked for below
		}
		n, err := op.Result()
		if arrived(err) {
			c.left(2, int64(n))
			op.end(c, n)
		}
		return 1, err
	})
}

// cancel is CancelIoEx, with NULL for all operations of the socket.
func (c *invocation) cancel() result {
	f := c.file(0, socketFile)
	var ops []*operation
	if c.none(1) {
		ops = c.operationsOf(f)
	} else if op := c.operation(1); op != nil {
		ops = append(ops, op)
	}
	return c.make(func() (int64, error) {
		found := false
		for _, op := range ops {
			found = op.Cancel() || found
		}
		if !found {
			return 0, errorNotFound
		}
		return 1, nil
	})
}

// operationsOf are the operations that a script has started on a socket.
func (c *invocation) operationsOf(f *file) (ops []*operation) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, number := range sorted(c.pending) {
		if op := c.pending[number]; op.file == f {
			ops = append(ops, op)
		}
	}
	return ops
}
