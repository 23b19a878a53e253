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

// A driver is what openOffloadPorts asks of the kernel; tests have older ones.
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

func openOffloadPorts(name string, queues int) ([]*port, string, error) {
	return kernelDriver.open(name, queues)
}

// open makes the interface and the ports of its queues.
func (d driver) open(name string, queues int) (_ []*port, actual string, err error) {
	files, actual, vnet, err := d.openFiles(name, queues)
	if err != nil {
		return nil, "", err
	}
	ports, err := newPorts(files, actual, nil, vnet)
	if err != nil {
		return nil, "", &OpenError{Name: name, Err: err}
	}
	return ports, actual, nil
}

// openFiles makes the interface with so many queues, or with one where the kernel can't do that. It
// is gone again after an error: only the descriptors keep it.
func (d driver) openFiles(name string, queues int) (files []*os.File, actual string, vnet Offload, err error) {
	defer func() {
		if err != nil {
			closeFiles(files)
			files = nil
		}
	}()
	actual = name
	for len(files) < queues {
		fd, err := unix.Open(tunPath, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
		if err != nil {
			return files, "", Offload{}, &OpenError{Name: name, Path: tunPath, Err: err}
		}
		if len(files) > 0 {
			_, err = setInterface(fd, actual, interfaceFlags|unix.IFF_MULTI_QUEUE)
		} else if actual, queues, err = d.attach(fd, name, queues); err == nil {
			vnet, err = d.offloads(fd)
		}
		if err != nil {
			_ = unix.Close(fd)
			return files, "", Offload{}, &OpenError{Name: name, Err: err}
		}
		// From here on the runtime's poller has the descriptor: registering it
		// before the interface exists wouldn't work.
		files = append(files, os.NewFile(uintptr(fd), tunPath))
	}
	return files, actual, vnet, nil
}

func closeFiles(files []*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}

// interfaceFlags are those of each queue of an interface.
const interfaceFlags = unix.IFF_TUN | unix.IFF_NO_PI | unix.IFF_VNET_HDR

// attach makes the interface of a descriptor, for this number of queues if the kernel can do that,
// else for one, and returns for how many. IFF_TUN_EXCL: never an interface that exists.
func (d driver) attach(fd int, name string, queues int) (actual string, possible int, err error) {
	features, err := d.features(fd)
	if err != nil {
		return "", 0, fmt.Errorf("%w: %w", ErrNoOffload, err)
	}
	if features&unix.IFF_VNET_HDR == 0 {
		return "", 0, fmt.Errorf("%w: its TUN driver has no IFF_VNET_HDR", ErrNoOffload)
	}
	if features&unix.IFF_MULTI_QUEUE == 0 {
		queues = 1
	}
	flags := uint16(interfaceFlags | unix.IFF_TUN_EXCL)
	if queues > 1 {
		flags |= unix.IFF_MULTI_QUEUE
	}
	actual, err = setInterface(fd, name, flags)
	return actual, queues, err
}

// setInterface gives a descriptor its interface.
func setInterface(fd int, name string, flags uint16) (actual string, err error) {
	request, err := unix.NewIfreq(name)
	if err != nil {
		return "", ErrName
	}
	request.SetUint16(flags)
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
