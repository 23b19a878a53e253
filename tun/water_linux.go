package tun

import (
	"fmt"
	"net/netip"
	"os"
	"syscall"

	"github.com/songgao/water"
	"golang.org/x/sys/unix"
)

// openPort makes the interface.
func openPort(name string, _ netip.Prefix) (_ *port, actual string, err error) {
	if err := probe(name); err != nil {
		return nil, "", err
	}
	fail := func(err error) (*port, string, error) {
		return nil, "", &OpenError{Name: name, Err: err}
	}
	file, actual, err := newWater(name)
	if err != nil {
		return fail(err)
	}
	ports, err := newPorts([]*os.File{file}, actual, nil, Offload{})
	if err != nil {
		return fail(err)
	}
	return ports[0], actual, nil
}

// newWater calls water.New. The descriptor that water opens has no
// close-on-exec flag; without the lock, a child started at this moment would
// keep the interface alive.
func newWater(name string) (*os.File, string, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	ifce, err := water.New(water.Config{
		DeviceType:             water.TUN,
		PlatformSpecificParams: water.PlatformSpecificParams{Name: name},
	})
	if err != nil {
		return nil, "", err
	}
	file, ok := ifce.ReadWriteCloser.(*os.File)
	if !ok {
		_ = ifce.Close()
		return nil, "", fmt.Errorf("water's descriptor is a %T, not a file", ifce.ReadWriteCloser)
	}
	raw, err := file.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) { unix.CloseOnExec(int(fd)) })
	}
	if err != nil {
		_ = file.Close()
		return nil, "", err
	}
	return file, ifce.Name(), nil
}

// probe finds out whether water.New would work, because water.New can't be
// allowed to fail: it forgets the descriptor when the kernel refuses the
// interface, and it attaches to a persistent interface of that name.
//
// The request has IFF_TUN_EXCL and no interface type. The kernel answers EBUSY
// for a name that exists, then EPERM for a caller who may not make interfaces,
// and only then EINVAL for the missing type; it makes nothing.
func probe(name string) error {
	fd, err := unix.Open(tunPath, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return &OpenError{Name: name, Path: tunPath, Err: err}
	}
	defer unix.Close(fd)
	request, err := unix.NewIfreq(name)
	if err != nil {
		return &OpenError{Name: name, Err: ErrName}
	}
	request.SetUint16(unix.IFF_TUN_EXCL | unix.IFF_NO_PI)
	switch err := unix.IoctlIfreq(fd, unix.TUNSETIFF, request); err {
	case unix.EINVAL, nil:
		return nil
	case unix.EBUSY:
		return &OpenError{Name: name, Err: ErrNameTaken}
	default:
		return &OpenError{Name: name, Err: os.NewSyscallError("TUNSETIFF", err)}
	}
}
