//go:build !linux

package tun

func openOffloadPorts(name string, _ int) ([]*port, string, error) {
	return nil, "", &OpenError{Name: name, Err: errNotLinux}
}
