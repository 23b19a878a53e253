//go:build !windows

package main

import (
	"errors"
	"io"
	"io/fs"
	"net"
	"sync"

	"golang.zx2c4.com/wireguard/ipc"

	"github.com/wsstack/wsstack/internal/testbed"
	"github.com/wsstack/wsstack/wg"
)

// wgSocketFeature lets wg(8) look at a tunnel, and change it: it makes the socket at which that
// program looks for tunnels outside of the kernel, /var/run/wireguard/NAME.sock.
func wgSocketFeature(name string) testbed.Feature {
	return testbed.Feature{Text: "socket for wg(8)", Start: func(h *testbed.RunningHost) (io.Closer, error) {
		device := h.Testbed().Links()[0].Device(1).(*wg.Device)
		file, err := ipc.UAPIOpen(name)
		if err != nil {
			return nil, wgSocketFailure(err)
		}
		defer file.Close() // the listener has a descriptor of its own
		// UAPIListen would also notice that somebody removes the file, but its Close fails now and then,
		// as two goroutines of it close one descriptor.
		l, err := net.FileListener(file)
		if err != nil {
			return nil, err
		}
		l.(*net.UnixListener).SetUnlinkOnClose(true)
		s := &wgSocket{listener: l}
		s.serving.Go(func() { _ = device.Serve(l) }) // ends with l
		return s, nil
	}}
}

// wgSocketFailure is the failure to make the socket. Where the folder is there and isn't the
// user's, UAPIOpen has taken the socket for an old one, and says that there is none to remove.
func wgSocketFailure(err error) error {
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) {
		return failf("make a socket in /var/run/wireguard: %w", fs.ErrPermission).
			withHint("the folder is root's: sudo wsstack up …, or leave out --wg-socket and use wsstack wg show")
	}
	return failf("%w", err).withHint("choose another name for the tunnel, such as --name wg1")
}

// A wgSocket is the socket of a tunnel for wg(8).
type wgSocket struct {
	listener net.Listener
	serving  sync.WaitGroup
}

// Close removes the socket.
func (s *wgSocket) Close() error {
	err := s.listener.Close()
	s.serving.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil // Serve has closed it
	}
	return err
}
