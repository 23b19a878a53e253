//go:build !linux

package tun

import (
	"errors"
	"os"
)

func openFiles(name string, _ int, _ bool) ([]*os.File, error) {
	return nil, &OpenError{Name: name, Err: errors.ErrUnsupported}
}

func fromFiles(files []*os.File, socket *os.File) (Device, error) {
	for _, f := range files {
		_ = f.Close()
	}
	if socket != nil {
		_ = socket.Close()
	}
	return nil, &OpenError{Err: errors.ErrUnsupported}
}
