package stack

import (
	"errors"
	"io"
	"net"
	"sync"
)

// A DatagramsWriter is an io.WriteCloser that ForwarderConfig.UDP may return, and that takes several
// datagrams at once, which is cheaper than one after the other.
type DatagramsWriter interface {
	io.WriteCloser

	// WriteDatagrams writes datagrams in order, and returns how many were written before one that
	// couldn't be, of which err is the error; one without such a datagram is about none. The payloads
	// are the caller's again when it returns.
	WriteDatagrams(payloads [][]byte) (n int, err error)
}

// writeDatagrams is WriteDatagrams of a writer that may not have it.
func writeDatagrams(w io.WriteCloser, payloads [][]byte) (n int, err error) {
	if many, ok := w.(DatagramsWriter); ok && len(payloads) > 1 {
		return many.WriteDatagrams(payloads)
	}
	for ; n < len(payloads); n++ {
		if _, err := w.Write(payloads[n]); err != nil {
			return n, err
		}
	}
	return n, nil
}

// A datagramBatch is what is written at once: so many datagrams of a session at most.
type datagramBatch struct {
	datagrams [16]*datagram // nil behind the last
	payloads  [16][]byte    // theirs
}

var batches = sync.Pool{New: func() any { return new(datagramBatch) }}

// run opens the session and writes its datagrams, until none waits.
func (s *UDPSession) run() {
	x := s.sessions
	if s.ctx != nil {
		if !s.open() {
			return
		}
	}
	b := batches.Get().(*datagramBatch)
	defer batches.Put(b)
	for {
		n, upstream := x.next(s, b)
		if n == 0 {
			return
		}
		for from := 0; from < n; from++ {
			written, err := writeDatagrams(upstream, b.payloads[from:n])
			from += written
			if err == nil || from >= n {
				break
			}
			s.tell(b.payloads[from], &b.datagrams[from].datagramHeader, err)
			if errors.Is(err, net.ErrClosed) {
				_ = s.Close()
				break
			}
		}
	}
}

// next gives back what was written, and takes out the datagrams to be written next; 0: none waits, or
// the session is over.
func (x *sessions) next(s *UDPSession, b *datagramBatch) (n int, upstream io.WriteCloser) {
	now := x.f.now() // they go now
	x.mu.Lock()
	defer x.mu.Unlock()
	for i, d := range b.datagrams {
		if d == nil {
			break
		}
		x.bytes -= len(d.room)
		d.free()
		b.datagrams[i], b.payloads[i] = nil, nil
	}
	if s.ended || s.queue.Len() == 0 {
		s.serving = false
		return 0, nil
	}
	for ; n < len(b.datagrams) && s.queue.Len() > 0; n++ {
		d := s.queue.Pop()
		b.datagrams[n], b.payloads[n] = d, d.payload
	}
	s.last = now
	return n, s.upstream
}
