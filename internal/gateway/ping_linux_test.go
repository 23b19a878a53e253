package gateway_test

import "golang.org/x/sys/unix"

// mayPing reports that this process may make ping sockets.
func mayPing() bool {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.IPPROTO_ICMP)
	if err != nil {
		return false
	}
	unix.Close(fd)
	return true
}
