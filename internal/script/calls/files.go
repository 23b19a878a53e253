package calls

import (
	"github.com/wsstack/wsstack/provider"
	"github.com/wsstack/wsstack/wsa"
)

// maxFiles is how many descriptors a script may have open.
const maxFiles = 1024

// firstFile is the lowest descriptor that a call gets whose result the script doesn't say.
const firstFile = 3

// A fileKind says what a descriptor stands for.
type fileKind uint8

const (
	socketFile fileKind = iota
	epollFile
	eventFile
)

// A file is what a descriptor stands for. A closed one stays until its number is used again, so
// that calls on it meet a socket that is closed.
type file struct {
	kind   fileKind
	closed bool
	socket wsa.SOCKET      // of a socketFile; else INVALID_SOCKET
	epoll  *epoll          // of an epollFile
	event  *provider.Event // of an eventFile
	family int32           // of a socketFile: AF_INET or AF_INET6
	stream bool            // of a socketFile: it is one of TCP

	// The mode of a socketFile, as the script has set it. With unixMode it was set by fcntl and its
	// kin, and accepted sockets don't inherit it.
	nonblocking, unixMode bool

	shutSend bool // shutdown has ended what is sent
}

// missing is what a number stands for that no call has made.
var missing = &file{socket: wsa.INVALID_SOCKET, closed: true}

// file is what a descriptor of the script stands for.
func (m *Machine) file(fd int64) *file {
	m.mu.Lock()
	defer m.mu.Unlock()
	if f := m.files[fd]; f != nil {
		return f
	}
	return missing
}

// about notes that a call is about a descriptor.
func (m *Machine) about(fd int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last = fd
}

// add gives a file the number that the script says, or the lowest that is free where it says none
// (fd is negative then). It says what is wrong with the number.
func (m *Machine) add(f *file, fd int64) (got int64, wrong string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	open := 0
	for _, other := range m.files {
		if !other.closed {
			open++
		}
	}
	if open == maxFiles {
		return 0, "more descriptors are open than a script may have"
	}
	if fd < 0 {
		for fd = firstFile; m.files[fd] != nil && !m.files[fd].closed; {
			fd++
		}
	} else if old := m.files[fd]; old != nil && !old.closed {
		return 0, "the descriptor is open already"
	}
	m.files[fd] = f
	m.last = fd
	return fd, ""
}

// shut notes that a file is closed.
func (m *Machine) shut(f *file) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f.closed = true
	for _, other := range m.files { // a closed socket leaves every epoll
		if other.epoll != nil {
			other.epoll.forget(f)
		}
	}
}
