package testbed

import (
	"errors"
	"runtime"

	"github.com/wsstack/wsstack/internal/namespace"
	"github.com/wsstack/wsstack/tun"
)

// openHere makes interfaces of the system that this process runs on.
func openHere(devices []namespace.Device, use namespace.Use) (opened []tun.Device, err error) {
	use.Here = true
	for _, d := range devices {
		device, err := openDevice(namespace.InterfaceName(d.Name, runtime.GOOS), d)
		if err != nil {
			return opened, namespace.TUNError(err, use)
		}
		opened = append(opened, device)
		if named, ok := device.(tun.Named); ok {
			d.Name = named.Name()
		}
		if err := namespace.Configure(d, use); err != nil {
			return opened, err
		}
	}
	return opened, nil
}

// openDevice makes an interface of this system.
func openDevice(name string, d namespace.Device) (tun.Device, error) {
	if runtime.GOOS == "linux" && !d.Plain {
		return tun.Open(name)
	}
	for _, a := range d.Addresses {
		if a.Addr().Is4() {
			return tun.OpenNetwork(name, a)
		}
	}
	return tun.OpenWater(name)
}

// kernelFailure says which host a failure of package namespace is about. Hint and exit status stay
// those of the cause.
func kernelFailure(h *RunningHost, err error) error {
	e := failed("%w", err).of(h.host, "")
	if cause, ok := errors.AsType[*namespace.Error](err); ok {
		e.hint, e.status = cause.Hint(), cause.ExitStatus()
	}
	return e
}
