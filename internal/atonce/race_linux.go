//go:build race

package atonce

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// order stands for what a descriptor carries: what was written happens before it is read, as in
// package syscall.
var order int

// hasRead tells the race detector that the kernel has written n bytes into pieces.
func hasRead(n int, pieces ...unix.Iovec) {
	for _, p := range pieces {
		size := min(n, int(p.Len))
		if size <= 0 {
			continue
		}
		runtime.RaceWriteRange(unsafe.Pointer(p.Base), size)
		n -= size
	}
	runtime.RaceAcquire(unsafe.Pointer(&order))
}

// writes tells the race detector that the kernel is about to read pieces.
func writes(pieces ...unix.Iovec) {
	runtime.RaceReleaseMerge(unsafe.Pointer(&order))
	for _, p := range pieces {
		if p.Len > 0 {
			runtime.RaceReadRange(unsafe.Pointer(p.Base), int(p.Len))
		}
	}
}
