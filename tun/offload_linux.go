package tun

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// The offloads, as TUNSETOFFLOAD has them. TSO with ECN isn't among them: the
// kernel cuts up the rare segment with CWR itself.
const (
	offloadTCP = unix.TUN_F_CSUM | unix.TUN_F_TSO4 | unix.TUN_F_TSO6
	offloadUDP = unix.TUN_F_USO4 | unix.TUN_F_USO6 // since Linux 6.2
)

// A driver is what openOffloadPort asks of the kernel; tests have older ones.
type driver struct {
	features   func(fd int) (int, error)       // TUNGETFEATURES
	setOffload func(fd int, offload int) error // TUNSETOFFLOAD
}

var kernelDriver = driver{
	features: func(fd int) (int, error) {
		flags, err := unix.IoctlGetUint32(fd, unix.TUNGETFEATURES)
		return int(flags), os.NewSyscallError("TUNGETFEATURES", err)
	},
	setOffload: func(fd int, offload int) error {
		return unix.IoctlSetInt(fd, unix.TUNSETOFFLOAD, offload)
	},
}

func openOffloadPort(name string) (*port, string, error) { return kernelDriver.open(name) }

// open makes the interface and its port.
func (d driver) open(name string) (_ *port, actual string, err error) {
	file, actual, vnet, err := d.openFile(name)
	if err != nil {
		return nil, "", err
	}
	p, err := newPort(file, actual, nil)
	if err != nil {
		return nil, "", &OpenError{Name: name, Err: err}
	}
	p.vnet = vnet
	return p, actual, nil
}

// openFile makes the interface. It is gone again after an error: only the
// descriptor keeps it.
func (d driver) openFile(name string) (_ *os.File, actual string, vnet Offload, err error) {
	fd, err := unix.Open(tunPath, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, "", Offload{}, &OpenError{Name: name, Path: tunPath, Err: err}
	}
	if actual, err = d.attach(fd, name); err == nil {
		vnet, err = d.offloads(fd)
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, "", Offload{}, &OpenError{Name: name, Err: err}
	}
	// From here on the runtime's poller has the descriptor: registering it
	// before the interface exists wouldn't work.
	return os.NewFile(uintptr(fd), tunPath), actual, vnet, nil
}

// attach makes the interface of a descriptor. IFF_TUN_EXCL: never one that
// exists.
func (d driver) attach(fd int, name string) (actual string, err error) {
	features, err := d.features(fd)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrNoOffload, err)
	}
	if features&unix.IFF_VNET_HDR == 0 {
		return "", fmt.Errorf("%w: its TUN driver has no IFF_VNET_HDR", ErrNoOffload)
	}
	request, err := unix.NewIfreq(name)
	if err != nil {
		return "", ErrName
	}
	request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI | unix.IFF_VNET_HDR | unix.IFF_TUN_EXCL)
	switch err := unix.IoctlIfreq(fd, unix.TUNSETIFF, request); err {
	case nil:
		return request.Name(), nil
	case unix.EBUSY:
		return "", ErrNameTaken
	default:
		return "", os.NewSyscallError("TUNSETIFF", err)
	}
}

// offloads switches them on, for a descriptor that has vnet headers: without
// them the kernel would write unfinished packets that nobody can tell.
func (d driver) offloads(fd int) (Offload, error) {
	if err := unix.IoctlSetPointerInt(fd, unix.TUNSETVNETHDRSZ, vnetHeaderSize); err != nil {
		return Offload{}, fmt.Errorf("%w: %w", ErrNoOffload, os.NewSyscallError("TUNSETVNETHDRSZ", err))
	}
	o := Offload{Checksum: true, TSO4: true, TSO6: true, USO: true}
	err := d.setOffload(fd, offloadTCP|offloadUDP)
	if errors.Is(err, unix.EINVAL) {
		o.USO = false
		err = d.setOffload(fd, offloadTCP)
	}
	if err != nil {
		return Offload{}, fmt.Errorf("%w: TCP segmentation: %w", ErrNoOffload, os.NewSyscallError("TUNSETOFFLOAD", err))
	}
	return o, nil
}
