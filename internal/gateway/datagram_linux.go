package gateway

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/wsstack/wsstack/internal/atonce"
	"github.com/wsstack/wsstack/stack"
)

// A datagramFlow is a session of UDP joined to a connected socket of the host.
type datagramFlow struct {
	host    *hostSide
	session *stack.UDPSession
	number  uint64 // of the watch

	mu     sync.RWMutex // held while fd is used; a leaf
	fd     int
	closed bool

	plain bool // of Write: the host doesn't cut up what goes there
}

// udp opens a session: the socket, which its first datagram goes by.
func (g *Gateway) udp(_ context.Context, s *stack.UDPSession) (io.WriteCloser, error) {
	to, err := g.resolve(s.Destination().Addr())
	if err != nil {
		return nil, err
	}
	fd, err := datagramSocket(netip.AddrPortFrom(to, s.Destination().Port()))
	if err != nil {
		return nil, err
	}
	d := &datagramFlow{host: &g.host, session: s, fd: fd}
	if d.number, err = g.host.watch.add(fd, d); err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	return d, nil
}

// datagramSocket is a socket that is connected to an address.
func datagramSocket(to netip.AddrPort) (int, error) {
	family := unix.AF_INET
	if to.Addr().Is6() {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.IPPROTO_UDP)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	if err := unix.Connect(fd, sockaddr(to)); err != nil {
		_ = unix.Close(fd)
		return -1, os.NewSyscallError("connect", err)
	}
	return fd, nil
}

// Write sends a datagram on. An error is the host's: what became of this one, or of one before.
func (d *datagramFlow) Write(b []byte) (int, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.closed {
		return 0, net.ErrClosed
	}
	n, err := atonce.Write(d.fd, b)
	if noRoom(err) {
		return len(b), nil
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		// It was about one before, of which nobody was told, and this one hasn't left.
		d.session.Refuse(err)
		n, err = atonce.Write(d.fd, b)
	}
	return n, err
}

// WriteDatagrams implements stack.DatagramsWriter: those that are equally long go in one call, which
// the host's kernel cuts up (UDP_SEGMENT, udp(7)), or the network card does.
func (d *datagramFlow) WriteDatagrams(payloads [][]byte) (n int, err error) {
	for n < len(payloads) {
		many := alike(payloads[n:])
		if many > 1 && !d.plain && d.segments(payloads[n:n+many]) {
			n += many
			continue
		}
		if _, err := d.Write(payloads[n]); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// alike is how many datagrams, from the first on, may go in one call: only the last is shorter.
func alike(payloads [][]byte) (n int) {
	size, all := len(payloads[0]), 0
	for _, b := range payloads {
		if all += len(b); len(b) == 0 || len(b) > size || all > maxSegments {
			break
		}
		n++
		if len(b) < size {
			break
		}
	}
	return n
}

// maxSegments is how many bytes go in one call: what one IP packet carries.
const maxSegments = 65535 - 40 - 8

// segments sends datagrams in one call. It reports that they are sent, or lost.
func (d *datagramFlow) segments(payloads [][]byte) bool {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.closed {
		return false
	}
	err := atonce.SendSegments(d.fd, payloads, len(payloads[0]))
	switch {
	case err == nil, noRoom(err):
		return true
	case errors.Is(err, syscall.ECONNREFUSED):
		d.session.Refuse(err) // as Write does
	default:
		d.plain = true
	}
	return false
}

// noRoom reports that what was sent is lost, as datagrams are.
func noRoom(err error) bool { return errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.ENOBUFS) }

// ready implements watched: it passes on what has come.
func (d *datagramFlow) ready(events uint32) {
	if events&(unix.EPOLLIN|unix.EPOLLERR) == 0 {
		return
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	for !d.closed {
		n, err := atonce.Read(d.fd, d.host.buffer)
		switch {
		case errors.Is(err, unix.EAGAIN):
			return
		case err != nil:
			d.session.Refuse(err) // and it is gone from the socket
			continue
		}
		if _, err := d.session.Write(d.host.buffer[:n]); errors.Is(err, net.ErrClosed) {
			return // Close follows
		}
	}
}

// Close ends the session's socket.
func (d *datagramFlow) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.closed {
		d.closed = true
		d.host.watch.forget(d.number)
		_ = unix.Close(d.fd)
	}
	return nil
}
