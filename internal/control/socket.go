package control

import (
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// A socketFile is the file of a listening control socket.
type socketFile struct {
	path     string
	listener *net.UnixListener
	info     os.FileInfo // of the file, by which close knows it again
}

// Path returns the name that the file of a network's control socket will have, and makes the
// directory for it; Listen with an empty Config.Dir makes the file.
func Path(name string) (string, error) { return pathIn(Directory(), name) }

func pathIn(dir, name string) (string, error) {
	if err := CheckName(name); err != nil {
		return "", err
	}
	path := filepath.Join(dir, name+suffix)
	if len(path) > maxPath {
		return "", Errorf(0, "choose a shorter directory: XDG_RUNTIME_DIR=DIRECTORY", "the name %s has %d bytes, and a socket may have %d", path, len(path), maxPath)
	}
	return path, safeDirectory(dir)
}

// makeSocket makes the file of a network's control socket in a directory; "": Directory. The file
// that a dead process has left is replaced.
func makeSocket(dir, name string) (*socketFile, error) {
	if dir == "" {
		dir = Directory()
	}
	path, err := pathIn(dir, name)
	if err != nil {
		return nil, err
	}
	unlock, err := lock(dir)
	if err != nil {
		return nil, directoryError(dir, err)
	}
	defer unlock()
	if err := removeStale(path); err != nil {
		return nil, err
	}
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, directoryError(dir, errors.Unwrap(err))
	}
	listener.SetUnlinkOnClose(false) // the file may be another's by then
	info, err := os.Lstat(path)
	if err == nil {
		err = os.Chmod(path, 0o600) // the directory has kept others out so far
	}
	if err != nil {
		_ = listener.Close()
		_ = os.Remove(path)
		return nil, directoryError(dir, err)
	}
	return &socketFile{path, listener, info}, nil
}

// close ends the socket, and removes the file unless it is another's by now.
func (f *socketFile) close() error {
	unlock, err := lock(filepath.Dir(f.path))
	if err != nil {
		unlock = func() {}
	}
	defer unlock()
	if now, err := os.Lstat(f.path); err == nil && os.SameFile(now, f.info) {
		_ = os.Remove(f.path) // whoever looks sees that nobody listens
	}
	return f.listener.Close()
}

// RemoveStale removes the file of a control socket whose network has died, and does nothing while
// somebody listens. It is for processes that outlive the one of the network.
func RemoveStale(path string) error {
	unlock, err := lock(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer unlock()
	err = removeStale(path)
	if e, ok := errors.AsType[*Error](err); ok && e.Status == http.StatusConflict {
		return nil
	}
	return err
}

// removeStale removes a socket on which nobody listens. The directory is locked, so nobody is
// between making the file and listening.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return directoryError(filepath.Dir(path), err)
	case info.Mode().Type() != os.ModeSocket:
		return Errorf(0, "remove it, or choose another name: --name NAME", "%s is no control socket", path)
	}
	c, err := net.DialTimeout("unix", path, requestTime)
	if err == nil {
		_ = c.Close()
	}
	// A full queue of connections has somebody who listens, too.
	if err == nil || !errors.Is(err, syscall.ECONNREFUSED) {
		return &Error{Message: "a network with this name is running: " + filepath.Base(path[:len(path)-len(suffix)]),
			Advice: "choose another name: --name NAME", Status: http.StatusConflict}
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return directoryError(filepath.Dir(path), err)
	}
	return nil
}

// lockTime is how long a lock may take, which nobody holds for long.
const lockTime = 10 * time.Second
