package tun

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

func openFiles(name string, queues int, plain bool) ([]*os.File, error) {
	if err := CheckName(name); err != nil {
		return nil, &OpenError{Name: name, Err: err}
	}
	if !plain {
		files, _, _, err := kernelDriver.openFiles(name, queues)
		if !errors.Is(err, ErrNoOffload) {
			return files, err // also an error: the other way wouldn't do better
		}
	}
	if err := probe(name); err != nil {
		return nil, err
	}
	file, _, err := newWater(name)
	if err != nil {
		return nil, &OpenError{Name: name, Err: err}
	}
	return []*os.File{file}, nil
}

func fromFiles(files []*os.File, socket *os.File) (Device, error) {
	name, vnet, err := kernelDriver.describeFiles(files)
	if err != nil {
		closeFiles(files)
		if socket != nil {
			_ = socket.Close()
		}
		return nil, &OpenError{Name: name, Err: err}
	}
	queues, err := newPorts(files, name, socket, vnet)
	if err != nil {
		return nil, &OpenError{Name: name, Err: err}
	}
	return &osDevice{name: name, queues: queues}, nil
}

// describeFiles asks the kernel about the interface that all descriptors are of.
func (d driver) describeFiles(files []*os.File) (name string, vnet Offload, err error) {
	for i, file := range files {
		one, offload, err := d.describeFile(file)
		if err != nil {
			return one, Offload{}, err
		}
		if i > 0 && (one != name || offload != vnet) {
			return one, Offload{}, fmt.Errorf("not a queue of %s", name)
		}
		name, vnet = one, offload
	}
	if len(files) == 0 {
		return "", Offload{}, errors.New("no descriptor")
	}
	return name, vnet, nil
}

func (d driver) describeFile(file *os.File) (name string, vnet Offload, err error) {
	raw, err := file.SyscallConn() // and not Fd, which may make it a blocking one
	if err == nil {
		controlErr := raw.Control(func(fd uintptr) { name, vnet, err = d.describe(int(fd)) })
		err = errors.Join(controlErr, err)
	}
	return name, vnet, err
}

// describe asks the kernel about the interface of a descriptor. Its offloads can't be asked for, so
// they are set once more.
func (d driver) describe(fd int) (name string, vnet Offload, err error) {
	request, err := unix.NewIfreq("")
	if err != nil {
		return "", Offload{}, err
	}
	if err := unix.IoctlIfreq(fd, unix.TUNGETIFF, request); err != nil {
		return "", Offload{}, fmt.Errorf("not a TUN interface: %w", os.NewSyscallError("TUNGETIFF", err))
	}
	flags := request.Uint16()
	if flags&(unix.IFF_TUN|unix.IFF_TAP|unix.IFF_NO_PI) != unix.IFF_TUN|unix.IFF_NO_PI {
		return request.Name(), Offload{}, fmt.Errorf("not a TUN interface of packets without a header, but one with the flags %#x", flags)
	}
	if flags&unix.IFF_VNET_HDR != 0 {
		vnet, err = d.offloads(fd)
	}
	return request.Name(), vnet, err
}
