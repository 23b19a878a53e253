package namespace

import (
	"os"

	"golang.org/x/sys/unix"

	"github.com/wsstack/wsstack/tun"
)

// openNetwork sets up the network namespace of the calling process, and returns the descriptors of
// each device, at most so many as it may have queues, with a socket of the namespace behind them;
// queues has how many each device has. The namespace is new, so the names of the interfaces are
// free.
func openNetwork(devices []Device, most int, use Use, sys system) (files []*os.File, queues []int, err error) {
	defer func() {
		if err != nil {
			closeAll(files)
			files = nil
		}
	}()
	if err := tun.Configure("lo", tun.Config{}); err != nil {
		return nil, nil, configureError(err, tun.Config{}, use, sys)
	}
	// Everybody may bind every port: nobody else is here to be kept from some. A
	// read-only /proc/sys, as in containers, leaves it to the capability.
	writeSetting("net.ipv4.ip_unprivileged_port_start", "0")
	enableIPv6()
	avoidPacing(sys)
	for _, d := range devices {
		descriptors, err := tun.OpenFiles(d.Name, most, d.Plain)
		if err != nil {
			return files, nil, tunError(err, use, sys)
		}
		files, queues = append(files, descriptors...), append(queues, len(descriptors))
		if err := Configure(d, use); err != nil {
			return files, nil, err
		}
		socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return files, nil, failf("make a socket in the namespace: %w", err)
		}
		files = append(files, os.NewFile(uintptr(socket), "socket"))
	}
	return files, queues, nil
}

// enableIPv6 switches IPv6 on for all interfaces of the namespace, which may have got it switched
// off as the host has it (net.core.devconf_inherit_init_net).
func enableIPv6() {
	for _, name := range []string{"all", "default", "lo"} {
		writeSetting("net.ipv6.conf."+name+".disable_ipv6", "0")
	}
}

// avoidPacing chooses a congestion control that sends what the window has room for at once, for the
// connections of this network namespace, if the host's doesn't. BBR paces, so each 64 KiB that a
// TUN would take waits for a timer. A namespace may choose from those that the host allows; Reno is
// always among them.
func avoidPacing(sys system) {
	const name = "net.ipv4.tcp_congestion_control"
	if !Paces(sys.setting(name)) {
		return
	}
	for _, other := range []string{"cubic", "reno"} {
		if writeSetting(name, other) {
			return
		}
	}
}

// writeSetting sets a sysctl, and reports whether that was allowed.
func writeSetting(name, value string) bool {
	return os.WriteFile(settingFile(name), []byte(value), 0) == nil
}
