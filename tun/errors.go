package tun

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strings"
	"syscall"
)

var (
	// ErrClosed is the error of Start and Send once the device is closed. ErrClosed matches
	// net.ErrClosed.
	ErrClosed error = fmt.Errorf("tun: device is closed: %w", net.ErrClosed)

	// ErrStarted is the error of a second Start.
	ErrStarted = errors.New("tun: device is already started: it belongs to one stack")

	// ErrName is the error of a name that no interface of the system can have.
	ErrName = errors.New("not an interface name")

	// ErrNameTaken is the error of a name that another interface has. ErrNameTaken matches
	// fs.ErrExist.
	ErrNameTaken error = fmt.Errorf("interface name is taken: %w", fs.ErrExist)

	// ErrNoOffload is the error of OpenOffload on a system whose TUN interfaces have no
	// segmentation offload. OpenWater may work there. ErrNoOffload matches errors.ErrUnsupported.
	ErrNoOffload error = fmt.Errorf("the kernel can't segment for a TUN: %w", errors.ErrUnsupported)

	// errNotLinux is the ErrNoOffload of systems other than Linux.
	errNotLinux error = fmt.Errorf("%w: this is not Linux", ErrNoOffload)

	// errNameNotChosen is the error of a name on a system where water can't name an interface.
	errNameNotChosen error = fmt.Errorf("the system chooses the interface name here: %w", errors.ErrUnsupported)
)

// OpenError is the error of OpenWater, OpenOffload and Open.
type OpenError struct {
	Name string // the name of the interface in the call, which may be empty
	Path string // the device node that couldn't be opened; empty when another step has failed

	// Err is the cause: ErrName, ErrNameTaken, ErrNoOffload, or an error of the system, such as one
	// that matches fs.ErrPermission or fs.ErrNotExist.
	Err error
}

// Error returns a text with the name of the interface and the cause.
func (e *OpenError) Error() string {
	name := e.Name
	if name == "" {
		name = "an interface"
	}
	if e.Path != "" {
		return fmt.Sprintf("tun: open %s: %s: %v", name, e.Path, e.Err)
	}
	return fmt.Sprintf("tun: open %s: %v", name, e.Err)
}

// Unwrap returns the cause, Err.
func (e *OpenError) Unwrap() error { return e.Err }

// Hint returns one sentence about what would help. The text is empty when nothing is known to help.
func (e *OpenError) Hint() string {
	node := e.Path != ""
	switch {
	case errors.Is(e.Err, ErrName):
		return "choose a name of 1 to 15 bytes without white space, slash or colon, such as wss0"
	case errors.Is(e.Err, ErrNameTaken):
		return fmt.Sprintf("choose another name, or end the program that has %s", e.Name)
	case errors.Is(e.Err, errNameNotChosen):
		return "leave the name empty"
	case errors.Is(e.Err, ErrNoOffload):
		return "a device without offloads works: wsstack falls back to one by itself, a program calls tun.OpenWater"
	case errors.Is(e.Err, errors.ErrUnsupported):
		return "this system has no TUN devices"
	case node && errors.Is(e.Err, syscall.ENOENT):
		return fmt.Sprintf("the node is missing: modprobe tun, or mkdir -p /dev/net && mknod %s c 10 200; "+
			"a container needs --device %[1]s", e.Path)
	case node && (errors.Is(e.Err, syscall.ENODEV) || errors.Is(e.Err, syscall.ENXIO)):
		return "the kernel has no tun driver: modprobe tun"
	case node && errors.Is(e.Err, syscall.EACCES):
		return fmt.Sprintf("the mode of the node keeps you out: run as root, or chmod 0666 %s", e.Path)
	case node && errors.Is(e.Err, syscall.EPERM):
		return fmt.Sprintf("the container may not use the node: start it with --device %s", e.Path)
	case errors.Is(e.Err, fs.ErrPermission):
		return "making an interface needs CAP_NET_ADMIN in its network namespace: run as root, " +
			"or use wsstack exec, which makes a namespace of its own"
	}
	return ""
}

// maxName is IFNAMSIZ less the terminating zero, in bytes.
const maxName = 15

// CheckName says why the system would refuse a name for an interface; nil: it wouldn't. The error
// matches ErrName. The empty name and one %d are the system's to complete.
func CheckName(name string) error {
	// It isn't left to water, which cuts off a longer name and loses a descriptor in a failed open.
	rest := strings.Replace(name, "%d", "", 1)
	switch {
	case len(name) > maxName:
		return fmt.Errorf("%w: longer than %d bytes", ErrName, maxName)
	case name == "." || name == "..":
		return ErrName
	case name == "all" || name == "default": // directories of /proc/sys/net/ipv4/conf
		return fmt.Errorf("%w: reserved", ErrName)
	case strings.ContainsAny(rest, "/:%\x00 \t\n\v\f\r"),
		strings.IndexByte(rest, 0xa0) >= 0: // white space to the kernel, which reads Latin-1
		return fmt.Errorf("%w: it contains a forbidden character", ErrName)
	}
	return nil
}
