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
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.ENOBUFS) {
		return len(b), nil // no room: it is lost, as datagrams are
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		// It was about one before, of which nobody was told, and this one hasn't left.
		d.session.Refuse(err)
		n, err = atonce.Write(d.fd, b)
	}
	return n, err
}

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
