package spare

import "unsafe"

// Copy is the builtin copy, by a way that is fast wherever the bytes are: the runtime of Go copies
// with an instruction on amd64 that takes twice as long where the destination is aligned, as a chunk
// and a large buffer of a program are, and the source isn't, as data in segments. Where eight bytes
// go first, it takes another way.
func Copy(dst, src []byte) (n int) {
	const large, head, aligned = 2048, 8, 15
	if min(len(dst), len(src)) >= large && place(dst)&aligned == 0 && place(src)&aligned != 0 {
		n = copy(dst[:head], src)
	}
	return n + copy(dst[n:], src[n:])
}

// place is the address of the first byte.
func place(b []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(b))) }
