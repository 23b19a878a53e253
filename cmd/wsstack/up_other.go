//go:build !linux

package main

import (
	"io"
	"runtime"
)

// up is for Linux alone, where package tun can configure an interface.
func up(_, _ io.Writer, _ networkConfig, _ upFlags) error {
	return failf("up needs the TUN devices of Linux; this is %s", runtime.GOOS).
		withHint("run it in a Linux virtual machine or container")
}
