//go:build !linux

package main

import "os"

// duplicate returns the file itself: only the one of Linux opens it again.
func duplicate(file *os.File) (*os.File, error) { return file, nil }
