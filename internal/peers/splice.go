package peers

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// spliceBuffer is the size of what a direction of a splice copies at a time, in bytes.
const spliceBuffer = 64 << 10

// spliceBuffers are the buffers of splices.
var spliceBuffers = sync.Pool{New: func() any { return new([spliceBuffer]byte) }}

// A stream is a connection that can end one of its directions.
type stream interface {
	net.Conn
	CloseWrite() error
}

// splice joins two connections until both directions have ended, one of them has failed, or nothing
// has moved for idleTimeout. A FIN of one side becomes a FIN to the other, and an error, be it a
// RST or a time-out, a RST. Both are closed then.
func splice(a, b stream) {
	s := &splicer{}
	s.moved.Store(time.Now().UnixNano())
	var other sync.WaitGroup
	other.Go(func() { s.copy(a, b) }) // ends with the connections
	s.copy(b, a)
	other.Wait()
	if s.failed.Load() {
		abort(a)
		abort(b)
	}
	_ = a.Close()
	_ = b.Close()
}

// A splicer is what the two directions of a splice share.
type splicer struct {
	moved  atomic.Int64 // when something was last copied, in nanoseconds since 1970
	failed atomic.Bool
}

// copy copies one direction.
func (s *splicer) copy(to, from stream) {
	if err := s.move(to, from); err != nil {
		s.failed.Store(true)
		past := time.Unix(1, 0)
		_ = to.SetDeadline(past) // the other direction ends, too
		_ = from.SetDeadline(past)
		return
	}
	_ = to.CloseWrite() // fails if the connection is over, which the other direction sees
}

func (s *splicer) move(to, from stream) error {
	buf := spliceBuffers.Get().(*[spliceBuffer]byte)
	defer spliceBuffers.Put(buf)
	for {
		if s.failed.Load() {
			return net.ErrClosed
		}
		_ = from.SetReadDeadline(time.Now().Add(idleTimeout))
		if s.failed.Load() { // the deadline that says so may have been moved just now
			return net.ErrClosed
		}
		n, err := from.Read(buf[:])
		if n > 0 {
			s.moved.Store(time.Now().UnixNano())
			_ = to.SetWriteDeadline(time.Now().Add(idleTimeout))
			if _, err := to.Write(buf[:n]); err != nil {
				return err
			}
			s.moved.Store(time.Now().UnixNano())
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, os.ErrDeadlineExceeded) && time.Since(time.Unix(0, s.moved.Load())) < idleTimeout && !s.failed.Load():
			// the other direction moves
		case err != nil:
			return err
		}
	}
}
