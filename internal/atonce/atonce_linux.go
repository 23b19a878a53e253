// Package atonce has the system calls of descriptors that don't block (O_NONBLOCK).
//
// Before a system call that may block, Go's runtime makes its processor ready to be taken away; its
// monitor takes it away when the thread doesn't come back within 20 µs, as where another process has
// the processor of the machine. Getting it again costs more than the call did. To the runtime, the
// functions here are like any other function: a garbage collection waits until they return. A call of
// a socket waits while another thread is in a call of the same one.
//
// They try again when a signal has interrupted them. Other errors are those of the call, a
// [unix.Errno]. They are safe for concurrent use.
package atonce

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Read is read(2).
func Read(fd int, b []byte) (int, error) {
	n, err := call(unix.SYS_READ, fd, unsafe.Pointer(unsafe.SliceData(b)), len(b))
	hasRead(n, Piece(b))
	return n, err
}

// Write is write(2). Go turns the SIGPIPE of a socket into the error alone (package os/signal).
func Write(fd int, b []byte) (int, error) {
	writes(Piece(b))
	return call(unix.SYS_WRITE, fd, unsafe.Pointer(unsafe.SliceData(b)), len(b))
}

// Readv is readv(2).
func Readv(fd int, pieces []unix.Iovec) (int, error) {
	n, err := call(unix.SYS_READV, fd, unsafe.Pointer(unsafe.SliceData(pieces)), len(pieces))
	hasRead(n, pieces...)
	return n, err
}

// Writev is writev(2).
func Writev(fd int, pieces []unix.Iovec) (int, error) {
	writes(pieces...)
	return call(unix.SYS_WRITEV, fd, unsafe.Pointer(unsafe.SliceData(pieces)), len(pieces))
}

// SendSegments sends datagrams of size bytes, the last of which may be shorter, in one call of
// sendmsg(2): see UDP_SEGMENT in udp(7). There are 2 to 64 of them.
func SendSegments(fd int, payloads [][]byte, size int) error {
	var pieces [64]unix.Iovec
	for i, b := range payloads {
		pieces[i] = Piece(b)
	}
	writes(pieces[:len(payloads)]...)
	var control struct {
		unix.Cmsghdr
		size uint16
		_    [6]byte
	}
	control.Level, control.Type = unix.IPPROTO_UDP, unix.UDP_SEGMENT
	control.SetLen(unix.CmsgLen(2))
	control.size = uint16(size)
	m := unix.Msghdr{Iov: &pieces[0], Control: (*byte)(unsafe.Pointer(&control))}
	m.SetIovlen(len(payloads))
	m.SetControllen(unix.CmsgSpace(2))
	_, err := call(unix.SYS_SENDMSG, fd, unsafe.Pointer(&m), 0)
	return err
}

// Piece is a piece for Readv and Writev.
func Piece(b []byte) (v unix.Iovec) {
	v.Base = unsafe.SliceData(b)
	v.SetLen(len(b))
	return v
}

// EpollWait is epoll_wait(2) that doesn't wait.
func EpollWait(fd int, events []unix.EpollEvent) (int, error) {
	return call(unix.SYS_EPOLL_PWAIT, fd, unsafe.Pointer(unsafe.SliceData(events)), len(events))
}

// call makes a call whose arguments after these are 0.
func call(number uintptr, fd int, p unsafe.Pointer, n int) (int, error) {
	for {
		done, _, errno := unix.RawSyscall6(number, uintptr(fd), uintptr(p), uintptr(n), 0, 0, 0)
		switch errno {
		case 0:
			return int(done), nil
		case unix.EINTR:
		default:
			return 0, errno
		}
	}
}
