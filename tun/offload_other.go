//go:build !linux

package tun

func openOffloadPort(name string) (*port, string, error) {
	return nil, "", &OpenError{Name: name, Err: errNotLinux}
}
