//go:build !linux

package main

import (
	"io"
	"os"
)

// isTerminal takes every device of characters for a terminal, but for the null device.
func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok || file.Name() == os.DevNull {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
