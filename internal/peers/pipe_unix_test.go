//go:build unix

package peers

import (
	"syscall"
	"testing"
)

// makePipe makes a named pipe, which keeps who opens it waiting.
func makePipe(t *testing.T, name string) {
	if err := syscall.Mkfifo(name, 0o666); err != nil {
		t.Fatal(err)
	}
}
