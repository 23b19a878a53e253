package tun

import "net/netip"

// OpenWater makes a TUN interface of the operating system with github.com/songgao/water and returns
// it as a device of plain packets. With an empty name the system chooses the name, and with a %d in
// it the number. The device is a [Named] and a [Dropper]. The interface is down and has no address
// before [Configure], and disappears with Close.
//
// OpenWater never takes over an interface that exists already. The error is an *OpenError. On
// systems other than Linux the name must be empty.
//
// The interface belongs to the network namespace of the calling thread. Packets that the system
// refuses (no memory, the interface is down, malformed) are dropped and counted. Send fails once
// the interface is gone.
func OpenWater(name string) (Device, error) { return OpenNetwork(name, netip.Prefix{}) }

// OpenNetwork is [OpenWater] for an interface that will have this IPv4 address, with the length of
// its prefix. The TAP driver of Windows has to know it when it is opened; other systems don't look
// at it.
func OpenNetwork(name string, address netip.Prefix) (Device, error) {
	if err := CheckName(name); err != nil {
		return nil, &OpenError{Name: name, Err: err}
	}
	queue, actual, err := openPort(name, address)
	if err != nil {
		return nil, err
	}
	return &osDevice{name: actual, queues: []*port{queue}}, nil
}
