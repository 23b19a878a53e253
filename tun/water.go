package tun

// OpenWater makes a TUN interface of the operating system, through
// github.com/songgao/water, and returns it as a device of plain packets. An
// empty name leaves the choice to the system; so does a %d in it, for the
// number. The device is Named, and a Dropper. The interface is down and has no
// address until Configure; it disappears with Close.
//
// An interface that exists is never taken over, whoever made it. The error is
// an *OpenError. On systems other than Linux the name must be empty.
//
// The interface belongs to the network namespace of the calling thread.
// Packets that the system refuses (no memory, interface down, malformed) are
// dropped and counted; Send fails once the interface is gone.
func OpenWater(name string) (Device, error) {
	if err := checkName(name); err != nil {
		return nil, &OpenError{Name: name, Err: err}
	}
	port, actual, err := openPort(name)
	if err != nil {
		return nil, err
	}
	return &osDevice{name: actual, port: port}, nil
}
