package gateway

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/wsstack/wsstack/internal/atonce"
	"github.com/wsstack/wsstack/internal/socket"
)

// A far is a connection of the host: a non-blocking socket that the watch tells of.
type far struct {
	host   *hostSide
	fd     int
	number uint64 // of the watch
}

// A dialing is who waits for a far to be connected: the first event says that it is, or can't be.
type dialing chan struct{}

// ready implements watched.
func (d dialing) ready(uint32) {
	select {
	case d <- struct{}{}:
	default: // it has been told
	}
}

// How long the other end of a connection of the host may be silent, until it is asked whether it
// is there: less than what a NAT on the way forgives (RFC 5382 §5).
const farKeepIdleSeconds = 240

// newFar makes a socket that begins to connect, and tells it.
func (h *hostSide) newFar(to netip.AddrPort, it watched) (*far, error) {
	family := unix.AF_INET
	if to.Addr().Is6() {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	f := &far{host: h, fd: fd}
	if err = f.prepare(); err == nil {
		err = unix.Connect(fd, sockaddr(to))
	}
	if err == nil || errors.Is(err, unix.EINPROGRESS) {
		err = f.begin(it)
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, os.NewSyscallError("connect", err)
	}
	return f, nil
}

// begin has the watch tell of the socket.
func (f *far) begin(it watched) (err error) {
	f.number, err = f.host.watch.add(f.fd, it)
	return err
}

// prepare sets the options of the socket. What comes in small pieces goes on in small pieces.
func (f *far) prepare() error {
	for _, o := range [...]struct{ level, name, value int }{
		{unix.IPPROTO_TCP, unix.TCP_NODELAY, 1},
		{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
		{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, farKeepIdleSeconds},
	} {
		if err := unix.SetsockoptInt(f.fd, o.level, o.name, o.value); err != nil {
			return err
		}
	}
	return nil
}

// dial connects to an address of the host's side, and returns the host's own error.
func (h *hostSide) dial(ctx context.Context, to netip.AddrPort) (*far, error) {
	connected := make(dialing, 1)
	f, err := h.newFar(to, connected)
	if err != nil {
		return nil, err
	}
	select {
	case <-connected:
		err = socketError(f.fd)
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		f.forsake()
		return nil, err
	}
	return f, nil
}

// adopt takes over a connection of package net, which it closes.
func (h *hostSide) adopt(c *net.TCPConn) (*far, error) {
	defer c.Close()
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	f := &far{host: h}
	controlErr := raw.Control(func(fd uintptr) { f.fd, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) })
	if err = errors.Join(controlErr, err); err != nil {
		return nil, err
	}
	if err = f.prepare(); err == nil {
		err = f.begin(make(dialing, 1))
	}
	if err != nil {
		_ = unix.Close(f.fd)
		return nil, err
	}
	return f, nil
}

// Close closes the connection: gracefully, but where there is something unread.
func (f *far) Close() error {
	f.forsake()
	f.host.gateway.used.Add(-1)
	return nil
}

// forsake closes the socket of a connection that doesn't count yet.
func (f *far) forsake() {
	f.host.watch.forget(f.number)
	_ = unix.Close(f.fd)
}

// reset closes the connection with a RST.
func (f *far) reset() {
	_ = unix.SetsockoptLinger(f.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	_ = f.Close()
}

// read and write are the calls of the socket; EAGAIN is the error of one that would block.
func (f *far) read(b []byte) (int, error) { return atonce.Read(f.fd, b) }

// The pieces are those of [socket.Socket.Lend].
func (f *far) write(pieces [][]byte) (int, error) {
	if len(pieces) == 1 {
		return atonce.Write(f.fd, pieces[0])
	}
	var list [socket.LentPieces]unix.Iovec
	for i, b := range pieces {
		list[i] = atonce.Piece(b)
	}
	return atonce.Writev(f.fd, list[:len(pieces)])
}

// closeWrite sends a FIN.
func (f *far) closeWrite() error { return unix.Shutdown(f.fd, unix.SHUT_WR) }

// socketError takes the error that a socket has pending, nil when there is none.
func socketError(fd int) error {
	code, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err == nil && code != 0 {
		err = syscall.Errno(code)
	}
	return err
}

func sockaddr(a netip.AddrPort) unix.Sockaddr {
	if a.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
	}
	return &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
}
