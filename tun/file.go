package tun

import "os"

// OpenFile makes a TUN interface as [Open] does, or as [OpenWater] does if plain is true, and
// returns its descriptor instead of a device. It is for a process that passes the descriptor on to
// another one, which calls [FromFile]. The interface disappears when the last copy of the
// descriptor is closed. Names, the network namespace and errors are those of OpenWater; on systems
// other than Linux the error is errors.ErrUnsupported.
func OpenFile(name string, plain bool) (*os.File, error) { return openFile(name, plain) }

// FromFile returns the device of a descriptor that [OpenFile] has returned, in this process or in
// another one. The interface may be in another network namespace than the caller; then socket is a
// socket of that namespace, which only MTU uses. A nil socket stands for the namespace of the
// calling thread.
//
// The device owns both files from now on; after an error both are closed. FromFile works on Linux
// only; on other systems the error is errors.ErrUnsupported.
func FromFile(file, socket *os.File) (Device, error) { return fromFile(file, socket) }
