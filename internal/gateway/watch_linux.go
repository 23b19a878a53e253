package gateway

import (
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/wsstack/wsstack/internal/atonce"
)

// A watch tells of sockets of the host that have become ready: an epoll instance, which
// Go's own poller waits for, so that no thread does. Events are edges: each is told once.
type watch struct {
	file *os.File
	raw  syscall.RawConn

	mu      sync.Mutex // a leaf
	watched map[uint64]watched
	last    uint64 // the number of the newest socket
}

// A watched is told what a socket has become ready for: bits of epoll_ctl(2). It doesn't block.
type watched interface{ ready(events uint32) }

func newWatch() (*watch, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil { // for os.NewFile
		_ = unix.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	w := &watch{file: os.NewFile(uintptr(fd), "epoll"), watched: map[uint64]watched{}}
	if w.raw, err = w.file.SyscallConn(); err != nil {
		_ = w.file.Close()
		return nil, err
	}
	return w, nil
}

// add begins to tell of a socket. Its number never comes again, so that an event of a socket that
// is closed is not taken for one of another.
func (w *watch) add(fd int, it watched) (number uint64, err error) {
	w.mu.Lock()
	w.last++
	number = w.last
	w.watched[number] = it
	w.mu.Unlock()
	event := unix.EpollEvent{
		Events: unix.EPOLLIN | unix.EPOLLPRI | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET,
		Fd:     int32(number), Pad: int32(number >> 32),
	}
	controlErr := w.raw.Control(func(epoll uintptr) {
		err = os.NewSyscallError("epoll_ctl", unix.EpollCtl(int(epoll), unix.EPOLL_CTL_ADD, fd, &event))
	})
	if controlErr != nil {
		err = controlErr
	}
	if err != nil {
		w.forget(number)
	}
	return number, err
}

// tellInstead has the watch tell somebody else of a socket.
func (w *watch) tellInstead(number uint64, it watched) {
	w.mu.Lock()
	w.watched[number] = it
	w.mu.Unlock()
}

// forget ends what add began; the kernel forgets a socket when it is closed.
func (w *watch) forget(number uint64) {
	w.mu.Lock()
	delete(w.watched, number)
	w.mu.Unlock()
}

// run tells of events until close.
func (w *watch) run() {
	var events [128]unix.EpollEvent
	_ = w.raw.Read(func(fd uintptr) bool { // its error is that the file is closed
		for {
			n, _ := atonce.EpollWait(int(fd), events[:]) // can't fail: the file is open
			for i := range events[:n] {
				w.tell(&events[i])
			}
			if n < len(events) {
				return false // that was all; what has come since, Go's poller is told of
			}
		}
	})
}

func (w *watch) tell(e *unix.EpollEvent) {
	w.mu.Lock()
	it := w.watched[uint64(uint32(e.Fd))|uint64(uint32(e.Pad))<<32]
	w.mu.Unlock()
	if it != nil {
		it.ready(e.Events)
	}
}

// close makes run return.
func (w *watch) close() { _ = w.file.Close() }
