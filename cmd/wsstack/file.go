package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// The file names that stand for standard output and standard input.
const (
	standardOutput = "-"
	standardInput  = "-"
)

// withFileHint advises what to do where a file that the user has named can't be
// made; flag is the one that named it.
func (f *failure) withFileHint(flag, name string) *failure {
	info, err := os.Lstat(name)
	exists := err == nil
	switch {
	case exists && info.IsDir():
		return f.withHint("%s is a folder; name a file in it: --%s %s", name, flag, filepath.Join(name, "wsstack."+flag))
	case errors.Is(f, fs.ErrNotExist) && !exists:
		return f.withHint("make the folder first: mkdir -p %s", filepath.Dir(name))
	case !errors.Is(f, fs.ErrPermission) && !errors.Is(f, syscall.EROFS):
		return f
	case exists:
		return f.withHint("%s is there and you may not write it; remove it, or choose another one: --%s %s", name, flag, elsewhere(name))
	}
	return f.withHint("you may not make files in the folder %s; choose another one: --%s %s", filepath.Dir(name), flag, elsewhere(name))
}

// elsewhere proposes the same name in a folder that everybody may write.
func elsewhere(name string) string { return filepath.Join(os.TempDir(), filepath.Base(name)) }

// awaitReaders waits until somebody reads from each of the files that is a named pipe. It is called
// before anything is made and before signals are caught, so that a signal ends the wait. Who
// reads sees no end of the pipe until release was called.
func awaitReaders(names ...string) (release func(), err error) {
	var pipes []*os.File
	release = func() {
		for _, p := range pipes {
			_ = p.Close()
		}
	}
	for _, name := range names {
		if info, err := os.Stat(name); err != nil || info.Mode().Type() != fs.ModeNamedPipe {
			continue // what is wrong with a name is said by whoever makes the file
		}
		p, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err != nil {
			release()
			return nil, failf("wait for a reader: %w", err)
		}
		pipes = append(pipes, p)
	}
	return release, nil
}
