package testbed

import (
	"context"
	"net"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wsstack/wsstack/internal/namespace"
)

// connect connects to an address with a socket of a namespace.
func connect(ctx context.Context, space *namespace.Namespace, to netip.AddrPort) (net.Conn, error) {
	domain := unix.AF_INET
	if to.Addr().Is6() {
		domain = unix.AF_INET6
	}
	file, err := space.Socket(domain, unix.SOCK_STREAM, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close() // FileConn makes a copy
	if err := connectFile(ctx, file, to); err != nil {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Addr: net.TCPAddrFromAddrPort(to), Err: err}
	}
	return net.FileConn(file)
}

// connectFile connects a socket that doesn't block, within the time of ctx.
func connectFile(ctx context.Context, file *os.File, to netip.AddrPort) error {
	raw, err := file.SyscallConn()
	if err != nil {
		return err
	}
	var failure error
	if err := raw.Control(func(fd uintptr) { failure = unix.Connect(int(fd), sockaddr(to)) }); err != nil {
		return err
	}
	if failure != unix.EINPROGRESS {
		return failure
	}
	if deadline, ok := ctx.Deadline(); ok {
		if err := file.SetWriteDeadline(deadline); err != nil {
			return err
		}
	}
	stop := context.AfterFunc(ctx, func() { _ = file.SetWriteDeadline(time.Unix(1, 0)) })
	defer stop()
	return await(raw)
}

// await waits until a connection is established or has failed.
func await(raw interface {
	Write(func(fd uintptr) bool) error
}) error {
	var failure error
	err := raw.Write(func(fd uintptr) bool {
		code, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ERROR)
		if err == nil && code != 0 {
			err = unix.Errno(code)
		}
		failure = err
		_, unconnected := unix.Getpeername(int(fd))
		return err != nil || unconnected == nil // else the poller was early
	})
	if err != nil {
		return err
	}
	return failure
}

func sockaddr(to netip.AddrPort) unix.Sockaddr {
	if to.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}
	}
	return &unix.SockaddrInet6{Port: int(to.Port()), Addr: to.Addr().As16()}
}
