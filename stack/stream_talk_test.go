package stack_test

import (
	"math/rand/v2"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/wsstack/wsstack/internal/socket"
	"github.com/wsstack/wsstack/internal/wait"

	"github.com/wsstack/wsstack/wsa"
)

// converse is one side of a talk: dir is the way that it sends.
func (h *streamHammer) converse(s *socket.Socket, k *talk, dir int) {
	r := rand.New(rand.NewPCG(uint64(k.number), uint64(dir)))
	var wg sync.WaitGroup
	var stop atomic.Bool
	turns, oob, mischief := rand.New(rand.NewPCG(r.Uint64(), 1)), rand.New(rand.NewPCG(r.Uint64(), 2)), rand.New(rand.NewPCG(r.Uint64(), 3))
	wg.Go(func() { h.talker(s, k, dir, r) })
	wg.Go(func() { h.urgently(s, oob) })
	wg.Go(func() {
		for i := 0; i < 100 && !stop.Load() && h.meddle(s, mischief); i++ {
			runtime.Gosched()
		}
	})
	whole := h.listener(s, k, 1-dir, turns)
	stop.Store(true)
	if k.rough {
		h.end(s, turns)
	}
	wg.Wait()
	if k.done.Done(); whole {
		k.done.Wait() // an urgent byte that nobody reads would reset what the peer is reading
	}
}

// acceptable reports a code that the end of a rough talk has.
func (h *streamHammer) acceptable(k *talk, errno wsa.Errno) bool {
	ends := []wsa.Errno{wsa.WSAECONNRESET, wsa.WSAECONNABORTED, wsa.WSAEINTR, wsa.WSAENOTSOCK, wsa.WSAESHUTDOWN, wsa.WSA_OPERATION_ABORTED}
	return k.rough && slices.Contains(ends, errno) || h.dying.Load()
}

// talker sends all of one way, and says that it is all.
func (h *streamHammer) talker(s *socket.Socket, k *talk, dir int, r *rand.Rand) {
	for sent := 0; sent < k.size; {
		n := min(1+r.IntN(6000), k.size-sent)
		b := make([]byte, n, n+1)
		for i := range b {
			b[i] = k.at(dir, sent+i)
		}
		var errno wsa.Errno
		var did int
		switch r.IntN(4) {
		case 0:
			b = append(b, urgent)
			did, errno = s.Send(b, wsa.MSG_OOB)
		case 1:
			op, e := s.SendAsync(b, 0, netip.AddrPort{})
			if errno = e; e == 0 {
				op.Wait()
				did, _, errno = op.Result()
			}
		default:
			did, errno = s.Send(b, 0)
		}
		switch {
		case errno != 0:
			if !h.acceptable(k, errno) {
				h.fail("send: %v", errno)
			}
			return
		case did != len(b):
			h.fail("send: %d bytes of %d", did, len(b))
			return
		}
		sent += n
	}
	var errno wsa.Errno
	if r.IntN(2) == 0 {
		errno = s.Disconnect(0, 0)
	} else {
		errno = s.Shutdown(wsa.SD_SEND)
	}
	if errno != 0 && errno != wsa.WSAENOTCONN && !h.acceptable(k, errno) {
		h.fail("end of sending: %v", errno)
	}
}

// listener reads one way, looks at each byte, and reports that all have come. In a
// rough talk it goes before the end.
func (h *streamHammer) listener(s *socket.Socket, k *talk, dir int, r *rand.Rand) (whole bool) {
	leaves := k.size
	if k.rough {
		leaves = r.IntN(k.size)
	}
	for got := 0; ; {
		if k.rough && got >= leaves {
			return false
		}
		b := make([]byte, 1+r.IntN(5000))
		n, errno := h.hear(s, b, r)
		switch {
		case errno == wsa.WSAETIMEDOUT:
			continue
		case errno != 0:
			if !h.acceptable(k, errno) {
				h.fail("talk %d: recv: %v after %d bytes of %d", k.number, errno, got, k.size)
			}
			return false
		case n == 0:
			if got < k.size && !k.rough {
				h.fail("talk %d: the end after %d bytes of %d", k.number, got, k.size)
			}
			return got == k.size && !k.rough
		}
		for _, c := range b[:n] {
			if c == urgent {
				continue
			}
			if want := k.at(dir, got); c != want {
				h.fail("talk %d: byte %d is %d, not %d", k.number, got, c, want)
				return false
			}
			got++
		}
	}
}

// hear receives in one of the ways there are.
func (h *streamHammer) hear(s *socket.Socket, b []byte, r *rand.Rand) (n int, errno wsa.Errno) {
	switch r.IntN(5) {
	case 0:
		return s.Recv(b[:min(len(b), 700)], wsa.MSG_WAITALL)
	case 1:
		peeked := make([]byte, 3)
		if n, errno = s.Recv(peeked, wsa.MSG_PEEK); n == 0 {
			return n, errno
		}
		n, errno = s.Recv(b, 0)
		for i := range min(len(peeked), n) {
			if errno == 0 && peeked[i] != 0 && peeked[i] != b[i] && peeked[i] != urgent && b[i] != urgent {
				h.fail("peeked %v, received %v", peeked, b[:3])
			}
		}
		return n, errno
	case 2:
		op, errno := s.RecvAsync(b, 0)
		if errno != 0 {
			return 0, errno
		}
		op.Wait()
		n, _, errno = op.Result()
		return n, errno
	case 3:
		m := []socket.Member{{Socket: s, Want: socket.ReadyRead}}
		socket.Await(socket.HostOf(h.a), m, -1)
	}
	return s.Recv(b, 0)
}

// urgently reads urgent bytes until the end.
func (h *streamHammer) urgently(s *socket.Socket, r *rand.Rand) {
	for {
		var b [1]byte
		switch n, errno := s.Recv(b[:], wsa.MSG_OOB|r.Int32N(2)*wsa.MSG_PEEK); {
		case errno == wsa.WSAETIMEDOUT, errno == wsa.WSAEWOULDBLOCK:
		case errno != 0 || n == 0:
			return
		case b[0] != urgent:
			h.fail("%d is urgent", b[0])
		}
	}
}

// meddle does something that a talk has to stand; false: the socket is closed.
func (h *streamHammer) meddle(s *socket.Socket, r *rand.Rand) bool {
	var errno wsa.Errno
	switch r.IntN(12) {
	case 0:
		errno = s.SetSockOpt(wsa.SOL_SOCKET, wsa.SO_RCVBUF, dword(uint32(1+r.IntN(20000))))
	case 1:
		errno = s.SetSockOpt(wsa.SOL_SOCKET, wsa.SO_SNDBUF, dword(uint32(r.IntN(3)*r.IntN(20000))))
	case 2:
		errno = s.SetSockOpt(wsa.IPPROTO_TCP, wsa.TCP_NODELAY, dword(uint32(r.IntN(2))))
	case 3:
		errno = s.SetSockOpt(wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, dword(uint32(r.IntN(2))))
	case 4:
		errno = s.SetSockOpt(wsa.SOL_SOCKET, wsa.SO_DEBUG, dword(uint32(r.IntN(2))))
	case 5:
		errno = s.SetSockOpt(wsa.SOL_SOCKET, wsa.SO_RCVTIMEO, dword(uint32(r.IntN(2))))
	case 6:
		_, errno = s.Readable()
	case 7:
		_, errno = s.AtMark()
	case 8:
		s.Info()
	case 9:
		_, errno = s.GetSockOpt(wsa.SOL_SOCKET, wsa.SO_ERROR, make([]byte, 4))
	case 10:
		socket.Await(socket.HostOf(h.a), []socket.Member{{Socket: s, Want: socket.ReadyWrite}}, 0)
	case 11:
		s.Ready()
	}
	return errno != wsa.WSAENOTSOCK && errno != wsa.WSAENETDOWN
}

// end ends a rough talk.
func (h *streamHammer) end(s *socket.Socket, r *rand.Rand) {
	switch r.IntN(5) {
	case 0:
		s.SetSockOpt(wsa.SOL_SOCKET, wsa.SO_LINGER, []byte{1, 0, 0, 0})
		s.Close()
	case 1:
		s.Shutdown(wsa.SD_RECEIVE)
	case 2:
		s.Shutdown(wsa.SD_BOTH)
	case 3:
		t := wait.NewThread(socket.HostOf(h.a))
		s.SetSockOpt(wsa.SOL_SOCKET, wsa.SO_LINGER, []byte{1, 0, 30, 0})
		var wg sync.WaitGroup
		wg.Go(func() { t.Cancel() })
		s.CloseOn(t)
		wg.Wait()
	}
	s.SetSockOpt(wsa.SOL_SOCKET, wsa.SO_LINGER, []byte{0, 0, 0, 0})
	s.Close()
}
