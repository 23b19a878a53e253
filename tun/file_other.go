//go:build !linux

package tun

import (
	"errors"
	"os"
)

func openFile(name string, _ bool) (*os.File, error) {
	return nil, &OpenError{Name: name, Err: errors.ErrUnsupported}
}

func fromFile(file, socket *os.File) (Device, error) {
	_ = file.Close()
	if socket != nil {
		_ = socket.Close()
	}
	return nil, &OpenError{Err: errors.ErrUnsupported}
}
