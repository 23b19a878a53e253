package kernel

import (
	"errors"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wsstack/wsstack/internal/namespace"
	"github.com/wsstack/wsstack/internal/script/calls"
	"github.com/wsstack/wsstack/internal/script/syntax"
)

// The bounds of a script.
const (
	maxFiles  = 1024     // descriptors that are open at once
	maxBuffer = 16 << 20 // bytes of one call
	maxVector = 1024     // buffers of one call, as the kernel has it
)

// firstFile is the lowest descriptor of a script that doesn't say one.
const firstFile = 3

// A machine makes the system calls of a script. Sockets are made in the namespace; what is done
// with them is done by this process. Its methods may be called by several goroutines at once.
type machine struct {
	ns  *namespace.Namespace
	cfg calls.Config // what stands for "..."

	buffers calls.Buffers

	mu      sync.Mutex
	files   map[int64]int    // the descriptors of the script, as this process has them
	last    int64            // the one of the latest call; -1: there was none
	threads map[int]struct{} // that are in a call

	closing atomic.Bool // the script has ended: what waits must not wait on
	running sync.WaitGroup
}

func newMachine(ns *namespace.Namespace, cfg calls.Config) *machine {
	return &machine{ns: ns, cfg: cfg, files: make(map[int64]int), last: -1, threads: make(map[int]struct{})}
}

// start makes a call on a thread of its own, and then tells how it has ended.
func (m *machine) start(c *syntax.Call, ended func(calls.Outcome)) (thread int) {
	started := make(chan int)
	m.running.Go(func() { // ends with the call, which close ends
		runtime.LockOSThread() // for the signal of interrupt
		defer runtime.UnlockOSThread()
		thread := unix.Gettid()
		m.enter(thread)
		started <- thread
		o := m.do(c)
		m.leave(thread)
		ended(o)
	})
	return <-started
}

func (m *machine) enter(thread int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.threads[thread] = struct{}{}
}

func (m *machine) leave(thread int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.threads, thread)
}

// do makes a call, and returns when it has returned.
func (m *machine) do(c *syntax.Call) calls.Outcome {
	i := &invocation{machine: m, call: c}
	return i.do()
}

// file is the descriptor of this process for one of the script. One that isn't open is -1, and the
// kernel says EBADF to it.
func (m *machine) file(fd int64) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last = fd
	if f, ok := m.files[fd]; ok {
		return f
	}
	return -1
}

// add gives a new descriptor of this process the number that the script says, or without one, which
// is negative, the lowest that is free. It says what is wrong with the number.
func (m *machine) add(file int, fd int64) (got int64, wrong string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch _, taken := m.files[fd]; {
	case taken:
		return 0, "the descriptor is open already"
	case len(m.files) == maxFiles:
		return 0, "more descriptors are open than a script may have"
	}
	for n := int64(firstFile); fd < 0; n++ {
		if _, taken := m.files[n]; !taken {
			fd = n
		}
	}
	m.files[fd], m.last = file, fd
	return fd, ""
}

// take forgets a descriptor of the script, and returns the one of this process, or -1.
func (m *machine) take(fd int64) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last = fd
	f, ok := m.files[fd]
	if !ok {
		return -1
	}
	delete(m.files, fd)
	return f
}

// socket makes a socket in the namespace.
func (m *machine) socket(family, typ, protocol int) (int, error) {
	file, err := m.ns.Socket(family, typ&^unix.SOCK_NONBLOCK, protocol)
	if errno := unix.Errno(0); errors.As(err, &errno) {
		return -1, errno
	}
	if err != nil {
		return -1, err
	}
	defer file.Close()
	raw, err := file.SyscallConn()
	if err != nil {
		return -1, err
	}
	fd := -1
	if e := raw.Control(func(f uintptr) { fd, err = unix.FcntlInt(f, unix.F_DUPFD_CLOEXEC, 0) }); e != nil {
		return -1, e
	}
	if err == nil {
		err = unix.SetNonblock(fd, typ&unix.SOCK_NONBLOCK != 0)
	}
	return fd, err
}

// close ends the calls that wait, and closes what the script has left open, with a reset where
// there is a connection.
func (m *machine) close() {
	m.closing.Store(true)
	ended := make(chan struct{})
	go func() { // ends with the last call
		m.running.Wait()
		close(ended)
	}()
	m.interrupt(ended)
	for _, fd := range m.open() {
		file := m.take(fd)
		_ = unix.SetsockoptLinger(file, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}) // an epoll has none
		_ = unix.Close(file)
	}
}

// open lists the descriptors of the script.
func (m *machine) open() (list []int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for fd := range m.files {
		list = append(list, fd)
	}
	slices.Sort(list)
	return list
}

// interruptEvery is how often calls are interrupted until they have ended: a thread may have been
// just about to call.
const interruptEvery = time.Millisecond

// interrupt ends the calls that wait. The end of a socket wakes those that are about one of it. A
// signal ends the others: poll, epoll_wait, and a close that lingers. It is the signal with which
// the runtime of Go preempts goroutines, which is ready for it at any time.
func (m *machine) interrupt(ended <-chan struct{}) {
	for {
		m.mu.Lock()
		if len(m.threads) > 0 {
			for _, file := range m.files {
				_ = unix.Shutdown(file, unix.SHUT_RDWR) // an epoll is no socket
			}
		}
		for thread := range m.threads {
			_ = unix.Tgkill(unix.Getpid(), thread, unix.SIGURG)
		}
		m.mu.Unlock()
		select {
		case <-ended:
			return
		case <-time.After(interruptEvery):
		}
	}
}

// sockaddr is an address as package unix has it. It has the family of a socket of IPv6 for mapped
// addresses; the invalid one is nil.
func sockaddr(a netip.AddrPort) unix.Sockaddr {
	switch {
	case a.Addr().Is4():
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
	case a.Addr().Is6():
		return &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
	}
	return nil
}

// addrPort is the reverse of sockaddr.
func addrPort(s unix.Sockaddr) netip.AddrPort {
	switch s := s.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(s.Addr), uint16(s.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(s.Addr), uint16(s.Port))
	}
	return netip.AddrPort{}
}
