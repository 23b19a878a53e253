//go:build !linux

package main

import "runtime"

func isNamespaceInit([]string) bool { return false }
func namespaceInit([]string) int    { return statusFailed }

// execCommand is for Linux alone: nowhere else does a process have a network
// namespace to itself.
func execCommand(networkConfig, string, []string) error {
	return failf("exec needs the network namespaces of Linux; this is %s", runtime.GOOS).
		withHint("run it in a Linux virtual machine or container")
}
