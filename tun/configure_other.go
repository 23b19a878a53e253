//go:build !linux

package tun

import "errors"

func configure(string, Config) error { return errors.ErrUnsupported }
