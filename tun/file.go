package tun

import "os"

// OpenFiles makes a TUN interface as [Open] does, or as [OpenWater] does if plain is true, and
// returns the descriptors of its queues instead of a device: at most this number of queues, one at
// least. It is for a process that passes the descriptors on to another one, which calls
// [FromFiles]. The interface disappears when the last copy of the last descriptor is closed. Names,
// the network namespace and errors are those of OpenWater; on systems other than Linux the error is
// errors.ErrUnsupported.
func OpenFiles(name string, queues int, plain bool) ([]*os.File, error) {
	return openFiles(name, max(queues, 1), plain)
}

// FromFiles returns the device of the descriptors that [OpenFiles] has returned, in this process or
// in another one. All of them have to be of one interface. It may be in another network namespace
// than the caller; then socket is a socket of that namespace, which only MTU uses. A nil socket
// stands for the namespace of the calling thread.
//
// The device owns all files from now on; after an error they are closed. FromFiles works on Linux
// only; on other systems the error is errors.ErrUnsupported.
func FromFiles(files []*os.File, socket *os.File) (Device, error) { return fromFiles(files, socket) }
